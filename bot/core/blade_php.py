"""What stands inside Blade's braces and parentheses: PHP, as far as commit templates use it, as our expressions."""

from __future__ import annotations

from typing import TypeAlias

import regex

from bot.core.template import OPEN
from bot.errors import InputError

_PHP = regex.compile(
    r"""\s*(?:\$(?<variable>[A-Za-z_]\w*)(?:->value\b)?|'(?<single>(?:[^'\\]|\\.)*)'|"(?<double>[^"\\$]*)"
          |(?<number>\d+(?:\.\d+)?)\b|(?<word>[A-Za-z_]\w*)|(?<sign>===|!==|==|!=|<>|&&|\|\||\?\?|[!(),]))\s*""",
    regex.VERBOSE,
)
# How an absent variable is read where it must not be an error.
_OR_EMPTY = " | default('')"
_EQUAL, _UNEQUAL = ("==", "==="), ("!=", "!==", "<>")
_FILTERS = {
    "strtoupper": "upper",
    "strtolower": "lower",
    "trim": "trim",
    "substr": "truncate(7)",
    "str_replace": "replace('old', 'new')",
    "strlen": "length",
}
# An expression, and what joins its parts: `and` and `or` need parentheses inside each other.
_Joined: TypeAlias = tuple[str, str]


def literal(text: str) -> str:
    """Write `text` as an expression that evaluates to it: one literal, or several joined where it has both quotes."""
    both = "'" in text and '"' in text
    runs: list[str] = regex.findall(r"""[^']+|[^"]+""", text) if both else [text]
    escaped = [run.replace("\\", "\\\\").replace("\n", "\\n").replace("\r", "\\r") for run in runs]
    return " ~ ".join(f'"{run}"' if "'" in run else f"'{run}'" for run in escaped)


def condition(source: str) -> str:
    """Translate a condition: `isset`, `empty`, variables, comparisons with text, `!`, `&&`, `||`, parentheses.

    A variable that is not there, '' and '0' do not hold, as in PHP. Raises InputError for anything else.
    """
    php = _Php(source)
    try:
        text, _ = php.any_of(holds=True)
    except RecursionError:
        raise InputError("the condition has too many parentheses or ! inside each other") from None
    php.need(not php.tokens)
    return text


def value(source: str) -> str:
    """Translate what `{{ }}` holds: a variable, or with `??` another value where it is not there.

    Raises InputError for anything else.
    """
    php = _Php(source)
    php.need(php.tokens and php.tokens[0]["variable"])
    made = php.operand()
    while php.take("??"):
        made = f"{made} | default({php.operand()})"
    php.need(not php.tokens)
    return made


class _Php:
    """One pass over the tokens. `holds` says what is wanted: that the condition holds, or that it does not."""

    def __init__(self, source: str) -> None:
        self.source = source.strip()
        self.tokens: list[regex.Match[str]] = []
        end = 0
        while end < len(self.source):
            found = _PHP.match(self.source, pos=end)
            if not found:
                raise self.error()
            self.tokens.append(found)
            end = found.end()

    def error(self) -> InputError:
        """Return what to say where the source is more than we know."""
        call = regex.search(r"([A-Za-z_:]+)\s*\(\s*\$(\w+)", regex.sub(r"\b(?:isset|empty)\s*\(", "", self.source))
        if call and call[1] in _FILTERS:
            instead = f"write the message with {OPEN} … }}}} instead, there {OPEN} {call[2]} | {_FILTERS[call[1]]} }}}}"
        elif regex.fullmatch(r"[A-Za-z_]\w*(?:->value)?", self.source):
            instead = f"a variable begins with $, so write ${self.source}"
        else:
            instead = (
                "a value is $name, $name->value or $name ?? 'text', a condition is made of isset($name), "
                f"empty($name), $name == 'text', !, && and ||; write anything else with {OPEN} … }}}}"
            )
        return InputError(f"'{self.source}' cannot be translated: {instead}")

    def take(self, *wanted: str) -> bool:
        """Go past the next token if it is one of `wanted`."""
        there = bool(self.tokens) and (self.tokens[0]["sign"] or self.tokens[0]["word"]) in wanted
        if there:
            del self.tokens[0]
        return there

    def need(self, holds: object) -> None:
        """Raise InputError unless `holds`."""
        if not holds:
            raise self.error()

    def operand(self, default: str = "") -> str:
        """Read a variable, with this default, or a text."""
        self.need(self.tokens)
        token = self.tokens.pop(0)
        if token["variable"]:
            return f"{token['variable']}{default}"
        texts = (regex.sub(r"\\(['\\])", r"\1", token["single"] or ""), token["double"], token["number"])
        self.need(not token["sign"] and not token["word"])
        return literal(next((text for text in texts if text), ""))

    def names(self) -> list[str]:
        """Read `($a, $b)`."""
        found: list[str] = []
        self.need(self.take("("))
        while not found or self.take(","):
            self.need(self.tokens and self.tokens[0]["variable"])
            found.append(self.operand())
        self.need(self.take(")"))
        return found

    def any_of(self, holds: bool) -> _Joined:
        """Read conditions joined by `||`."""
        parts = [self.all_of(holds)]
        while self.take("||", "or"):
            parts.append(self.all_of(holds))
        return _join(parts, "or" if holds else "and")

    def all_of(self, holds: bool) -> _Joined:
        """Read conditions joined by `&&`."""
        parts = [self.comparison(holds)]
        while self.take("&&", "and"):
            parts.append(self.comparison(holds))
        return _join(parts, "and" if holds else "or")

    def comparison(self, holds: bool) -> _Joined:
        """Read two values and what compares them, or one condition."""
        if len(self.tokens) < 2 or self.tokens[1]["sign"] not in {*_EQUAL, *_UNEQUAL}:
            return self.one(holds)
        left = self.operand(_OR_EMPTY)
        equal = self.take(*_EQUAL) or not self.take(*_UNEQUAL)
        return f"{left} {'==' if equal == holds else '!='} {self.operand(_OR_EMPTY)}", ""

    def one(self, holds: bool) -> _Joined:
        """Read what `!` may stand before: in PHP it binds tighter than a comparison."""
        if self.take("!"):
            return self.one(not holds)
        if self.take("("):
            inner = self.any_of(holds)
            self.need(self.take(")"))
            return inner
        if self.take("isset"):
            sign = "!=" if holds else "=="
            return _join(
                [(f"{name} | default(none) {sign} none", "") for name in self.names()], "and" if holds else "or"
            )
        if self.take("empty"):
            names = self.names()
            self.need(len(names) == 1)
            return _truth(names[0], not holds)
        self.need(self.tokens and self.tokens[0]["variable"])
        return _truth(self.operand(), holds)


def _truth(name: str, holds: bool) -> _Joined:
    # To PHP '0' is as false as ''.
    if holds:
        return f"{name} | default('') and {name} != '0'", "and"
    return f"not {name} | default('') or {name} == '0'", "or"


def _join(parts: list[_Joined], joiner: str) -> _Joined:
    if len(parts) == 1:
        return parts[0]
    texts = [f"({text})" if inner not in {"", joiner} else text for text, inner in parts]
    return f" {joiner} ".join(texts), joiner
