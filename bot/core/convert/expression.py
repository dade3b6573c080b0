"""What a workflow's `${{ … }}` says, as expressions of ours: as far as a dispatch alone can say it.

What only the run of the workflow knows (`github.sha`, outputs of other steps, secrets) cannot be said. Contexts are
GitHub's: https://docs.github.com/en/actions/writing-workflows/choosing-what-your-workflow-does/accessing-contextual-information-about-workflow-runs
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import regex

from bot.core.blade_php import literal
from bot.core.template import OPEN
from bot.core.trigger import PAYLOAD
from bot.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from bot.core.convert.workflow import Text

_EXPRESSION = regex.compile(r"\$\{\{((?:'[^']*'|(?!\}\})[^'])*+)\}\}")
_ALTERNATIVE = regex.compile(r"(?:'[^']*'|[^'|])+")
_OPERAND = regex.compile(
    r"""github\.event\.client_payload(?<path>(?:\.[\w-]+|\[\s*(?:'[^']+'|\d+)\s*\])+)
      | env\.(?<env>[\w-]+)
      | steps\.(?<step>[\w-]+)\.outputs\.(?<output>\w+)
      | '(?<text>(?:[^']|'')*)'
      | (?<number>\d+)
      | (?<absent>(?:github\.event\.)?inputs\.[\w-]+)""",
    regex.VERBOSE | regex.IGNORECASE,
)
_PART = regex.compile(r"\.([\w-]+)|\[\s*'([^']+)'\s*\]|\[\s*(\d+)\s*\]")
_NAME = regex.compile(r"(?!(?:and|or|not|in|is|if|else|true|false|none)\b)[A-Za-z]\w*", regex.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Scope:
    """What an expression of a step may refer to.

    `env` is the step's environment. `outputs` maps the ids of the steps that replace text to nothing but variables:
    their outputs have the names of these. `variables` are (name, expression) of the mapping file; with `short` a
    property of the payload is written by its name, as conditions and templates may; without, in full.
    """

    env: Mapping[str, Text]
    outputs: frozenset[str] = frozenset()
    variables: Mapping[str, str] | None = None

    @property
    def short(self) -> bool:
        """Whether names of variables may be used."""
        return self.variables is not None


def as_expression(text: str, scope: Scope) -> str:
    """Translate a text of a workflow into one expression of ours that evaluates to it.

    Raises InputError, its sentence being what cannot be translated and why.
    """
    return " ~ ".join(part if is_expression else literal(part) for part, is_expression in _parts(text, scope)) or "''"


def as_template(text: str, scope: Scope) -> str:
    """Translate a text of a workflow into a template of ours. Raises InputError as `as_expression` does."""
    return "".join(f"{OPEN} {part} }}}}" if is_expression else part for part, is_expression in _parts(text, scope))


def fixed(text: str, scope: Scope) -> str:
    """Return a text of a workflow in which nothing depends on the dispatch. Raises InputError where something does."""
    made = as_template(text, scope)
    if OPEN in made:
        raise InputError(f"it depends on the dispatch, {_shown(text)}")
    return made


def _parts(text: str, scope: Scope) -> Iterator[tuple[str, bool]]:
    """Yield fixed texts, and expressions of ours: (text, whether it is an expression)."""
    end = 0
    pending = ""
    for found in [*_EXPRESSION.finditer(text), None]:
        pending += text[end : found.start()] if found else text[end:]
        if OPEN in pending:
            raise InputError(f"{OPEN} is opened and never closed in {_shown(text)}")
        for part, is_expression in _translated(found[1].strip(), scope) if found else [("", True)]:
            if is_expression and pending:
                yield pending, False
            pending = "" if is_expression else pending + part
            if is_expression and part:
                yield part, True
        end = found.end() if found else end


def _translated(source: str, scope: Scope) -> list[tuple[str, bool]]:
    """Translate one expression, alternatives with `||` between them, without its `${{ }}`."""
    values: list[list[tuple[str, bool]]] = []
    absent = True
    for alternative in _ALTERNATIVE.findall(source):
        found = _OPERAND.fullmatch(alternative.strip())
        if not found:
            raise InputError(f"only the run of the workflow can say what {OPEN} {source} }}}} is")
        value = [] if found["absent"] else _value(found, scope)  # inputs are those of other events
        absent = absent and bool(found["absent"])
        if not value:
            continue
        values.append(value)
        if any(not is_expression for _, is_expression in values[-1]):
            break  # what has a fixed text in it is never absent
    if absent:
        raise InputError(f"a dispatch has no inputs, and {OPEN} {source} }}}} is one")
    if len(values) < 2:
        return values[0] if values else []
    first, *others = map(_joined, values)
    return [(first + "".join(f" | default({other})" for other in others), True)]


def _joined(parts: list[tuple[str, bool]]) -> str:
    texts = [part if is_expression else literal(part) for part, is_expression in parts]
    return f"({' ~ '.join(texts)})" if len(texts) > 1 else "".join(texts) or literal("")


def _value(found: regex.Match[str], scope: Scope) -> list[tuple[str, bool]]:
    if found["path"]:
        return [(_payload(found["path"], scope), True)]
    if found["env"]:
        if found["env"] not in scope.env:
            raise InputError(f"the workflow sets no environment variable {found['env']} that is known beforehand")
        inner = replace(scope, env={name: text for name, text in scope.env.items() if name != found["env"]})
        return list(_parts(scope.env[found["env"]].text, inner))
    if found["step"]:
        if found["step"] not in scope.outputs or found["output"] == "total_modified_files":
            raise InputError(f"only the run of the workflow can say what {OPEN} {found[0]} }}}} is")
        return [(found["output"], True)]
    text = found["number"] or found["text"].replace("''", "'")
    if OPEN in text:
        raise InputError(f"a text cannot have {OPEN} in it, as {_shown(text)} has")
    return [(text, False)]


def _payload(path: str, scope: Scope) -> str:
    """Translate the path of a property into an expression; a variable that is just this goes by its name."""
    parts = [found[1] or found[2] or int(found[3]) for found in _PART.finditer(path)]
    made = PAYLOAD
    for part in parts:
        plain = isinstance(part, str) and _NAME.fullmatch(part)
        made += f".{part}" if plain else f"[{part if isinstance(part, int) else literal(part)}]"
    for name, expression in (scope.variables or {}).items():
        if expression == made:
            return name
    short = made.removeprefix(f"{PAYLOAD}.")
    first = regex.match(r"\w+", short)
    hidden = first is not None and first[0] in (scope.variables or {})
    return short if scope.short and short != made and not hidden else made


def _shown(text: str) -> str:
    return f"'{text if len(text) <= 80 else text[:80] + '…'}'"
