"""Text with `${{ … }}` in it, as people know it from GitHub's workflows.

Helm's `{{ }}` is left alone, and so is everything else outside of `${{ }}`. Payload values are data: an expression
inside a value is never evaluated, and where a value enters a glob, a field path or a commit message it cannot change
what the text around it means.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias, TypeVar

import regex

from bot.core import expression, glob
from bot.core.defuse import clean_message
from bot.core.expression import Expression, UndefinedError
from bot.core.filters import bounded, text_of
from bot.errors import InputError, Problem

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from bot.core.model import Json

# Modules that render import these together from here.
__all__ = ["OPEN", "Position", "Template", "UndefinedError", "text_of"]

OPEN = "${{"

# `}}` inside a literal does not end the expression.
_EXPRESSION = regex.compile(r"""\$\{\{ (?<source> (?: '[^']*' | "[^"]*" | (?!\}\})[^'"] )*+ ) \}\}""", regex.VERBOSE)
_WORD = regex.compile(r"[\w-]+")
_QUOTABLE = regex.compile(r"[^\\'\"\p{Cc}]+")

Part: TypeAlias = str | Expression
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Position:
    """A place in a file as the user knows it; `line` and `column` count from 1, None where unknown."""

    file: str
    line: int | None = None
    column: int | None = None

    def problem(self, sentence: str) -> Problem:
        """Make the Problem that `sentence` describes, at this place."""
        return Problem(sentence, self.file, self.line, self.column)


@dataclass(frozen=True, slots=True)
class Template:
    """A text, its fixed parts and expressions in turn, and where it stands.

    All methods that render raise InputError with the template's position: UndefinedError where an expression meets
    something absent.
    """

    source: str
    position: Position
    parts: tuple[Part, ...]

    @classmethod
    def parse(cls, source: str, position: Position) -> Template:
        """Read a text with any number of `${{ … }}`. Raises InputError where one of them is not valid."""
        parts: list[Part] = []
        end = 0
        while (start := source.find(OPEN, end)) >= 0:
            found = _EXPRESSION.match(source, start)
            if found is None:
                # Stop at the first one: a text may have thousands, and each search goes to the end of the text.
                sentence = f"the text '{source[:80]}' opens {OPEN} and never closes it with }}}}"
                raise InputError(position.problem(sentence))
            parts += [source[end:start], _parse(found["source"], position)]
            end = found.end()
        parts.append(source[end:])
        return cls(source, position, tuple(part for part in parts if part))

    @classmethod
    def expression(cls, source: str, position: Position) -> Template:
        """Read a text that is one expression, with `${{ }}` around it or without."""
        if OPEN not in source:
            return cls(source, position, (_parse(source, position),))
        template = cls.parse(source.strip(), position)
        if not template.is_expression:
            raise InputError(position.problem(f"'{source}' must be one expression, with nothing around its ${{{{ }}}}"))
        return template

    @property
    def is_expression(self) -> bool:
        """Whether the text is one lone expression, which keeps the type of its value."""
        return len(self.parts) == 1 and isinstance(self.parts[0], Expression)

    @property
    def is_fixed(self) -> bool:
        """Whether there is no expression in it."""
        return not any(isinstance(part, Expression) for part in self.parts)

    @property
    def names(self) -> frozenset[str]:
        """The variables that the expressions use."""
        return frozenset().union(*(part.names for part in self.parts if isinstance(part, Expression)))

    def evaluate(self, variables: Mapping[str, Json]) -> Json:
        """Compute the value: of a lone expression with its type, else the rendered text."""
        if len(self.parts) == 1 and isinstance(only := self.parts[0], Expression):
            return self._guarded(lambda: only.evaluate(variables))
        return self.render(variables)

    def render(self, variables: Mapping[str, Json]) -> str:
        """Render as text of at most 64 KB: numbers and booleans as JSON has them; null, lists and objects raise."""
        return self._guarded(lambda: bounded("".join(text for text, _ in self._texts(variables))))

    def render_glob(self, variables: Mapping[str, Json]) -> str:
        """Render as a glob in which the values of expressions have no wildcards.

        A slash in a value stays one. What comes out still needs `glob.check_path`.
        """
        return self._guarded(
            lambda: bounded("".join(glob.escape(text) if foreign else text for text, foreign in self._texts(variables)))
        )

    def render_field(self, variables: Mapping[str, Json]) -> str:
        """Render as a field path whose structure no value changes.

        Bare, a value must be one word of letters, digits, `_` and `-`; inside quotes, as in `['${{ app }}']`, anything
        but quotes, backslashes and control characters.
        """
        return self._guarded(lambda: bounded(self._field(variables)))

    def render_message(self, variables: Mapping[str, Json]) -> str:
        """Render as a commit message: each value on one line, without effect; empty if there is nothing to see in it.

        Values make no closing keyword, skip-CI word or trailer, alone or together with the text around them.
        """
        return self._guarded(lambda: self._message(variables))

    def _message(self, variables: Mapping[str, Json]) -> str:
        pieces = self._texts(variables)
        bounded("".join(text for text, _ in pieces))
        return clean_message(pieces)

    def _field(self, variables: Mapping[str, Json]) -> str:
        rendered, quote = "", ""
        for text, foreign in self._texts(variables):
            if foreign and not (_QUOTABLE if quote else _WORD).fullmatch(text):
                raise InputError(
                    f"the value {text[:80]!r} would change the structure of the field path '{self.source}'; "
                    + ("it has a quote, a backslash or a control character" if quote else "quote it: ['${{ … }}']")
                )
            rendered += text
            quote = _quote_after(text, quote)
        return rendered

    def _texts(self, variables: Mapping[str, Json]) -> list[tuple[str, bool]]:
        """Render each part: (text, whether it is the value of an expression)."""
        return [
            (part, False) if isinstance(part, str) else (text_of(part.evaluate(variables)), True) for part in self.parts
        ]

    def _guarded(self, compute: Callable[[], _T]) -> _T:
        """Give what `compute` returns; where it raises, say which text it was and where."""
        try:
            return compute()
        except UndefinedError as error:
            raise error.at(self._problem) from None
        except InputError as error:
            raise InputError([self._problem(problem.sentence) for problem in error.problems]) from None

    def _problem(self, sentence: str) -> Problem:
        return self.position.problem(f"'{self.source[:80]}': {sentence}")


def _quote_after(text: str, quote: str) -> str:
    """Return the quote that is open after `text`, "" for none. `quote` is the one that was open before it."""
    characters = iter(text)
    for character in characters:
        if quote and character == "\\":
            next(characters, None)
        elif character == quote:
            quote = ""
        elif not quote and character in "'\"":
            quote = character
    return quote


def _parse(source: str, position: Position) -> Expression:
    try:
        return expression.parse(source)
    except InputError as error:
        raise InputError([position.problem(problem.sentence) for problem in error.problems]) from None
