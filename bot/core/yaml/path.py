"""Field paths as text: `images[?(@.name=='web')].tag` into the segments that `walk` follows.

The syntax is JSONPath (RFC 9535) as python-jsonpath parses it, with the leading `$` optional and `=~` in filters.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, TypeAlias

import jsonpath
from jsonpath import filter as expressions
from jsonpath import segments, selectors
from jsonpath.token import TOKEN_EOF

from bot.errors import EditError

if TYPE_CHECKING:
    from collections.abc import Iterable

MAX_LENGTH = 1_000
MAX_NESTING = 100  # of filters and operators; both parsers recurse

Segments: TypeAlias = tuple[segments.JSONPathSegment, ...]

_ENVIRONMENT = jsonpath.JSONPathEnvironment(filter_caching=False)
_PLAIN_NAME = re.compile(_ENVIRONMENT.lexer.key_pattern)
_KNOWN_SELECTORS = (
    selectors.NameSelector,
    selectors.IndexSelector,
    selectors.SliceSelector,
    selectors.WildcardSelector,
    selectors.Filter,
)
_LITERALS = (
    expressions.StringLiteral,
    expressions.IntegerLiteral,
    expressions.FloatLiteral,
    expressions.BooleanLiteral,
    expressions.RegexLiteral,
    expressions.Nil,
)
_OPERATORS = {"&&", "||", "==", "!=", "<", "<=", ">", ">=", "=~"}


def spelt(name: str) -> str:
    """Write a key as a path names it: `.name`, or in brackets and quotes where it needs them."""
    if _PLAIN_NAME.fullmatch(name):
        return f".{name}"
    escaped = name.replace("\\", "\\\\").replace("'", "\\'")
    return f"['{escaped}']"


def parse(path: str) -> Segments:
    """Parse a field path. Raises `EditError` that says where it goes wrong and when a name needs quotes."""
    if not path or len(path) > MAX_LENGTH:
        raise EditError(f"a field path has 1 to {MAX_LENGTH} characters, this one has {len(path)}")
    # With `$.` in front, names such as `in`, `true` or `_x` are names and no operators.
    prefix = "" if path.startswith("$") else "$" if path[0] in "[." else "$."
    try:
        query = _ENVIRONMENT.compile(prefix + path)
    except jsonpath.JSONPathError as error:
        # JSONPathError.__str__ fails at the end of the text; message and token are what is safe.
        index = None if error.token is None else max(error.token.index - len(prefix), 0)
        if error.token is not None and error.token.kind == TOKEN_EOF:
            index = len(path)
        raise _unreadable(path, str(error.message), index) from None
    except (ValueError, re.error, RecursionError) as error:
        raise _unreadable(path, str(error), None) from None
    if not isinstance(query, jsonpath.JSONPath):
        raise EditError(f"field path {path!r} joins several paths; write one `set` for each")
    parsed = tuple(query.segments)
    _check(path, parsed, 0)
    return parsed


def _unreadable(path: str, told: str, index: int | None) -> EditError:
    """Return the error for a path that cannot be parsed; a character outside plain names is the usual cause."""
    where = "" if index is None else f" at character {index + 1}"
    hint = ""
    rest = "" if index is None else path[index:].lstrip(".")
    if rest and path.count("[", 0, index) == path.count("]", 0, index):
        number = re.match(r"(\d+)(?=\.|\[|$)", rest)
        hint = "; a name of other characters than letters, digits, `_` and `-` is written ['app.kubernetes.io/name']"
        hint = f"; write [{number[1]}] for an item or a key that is a number" if number else hint
    told = told.replace("a shorthand selector", "a name after the dot")
    return EditError(f"field path {path!r} cannot be read{where}: {told}{hint}")


def _check(path: str, parsed: Iterable[segments.JSONPathSegment], depth: int) -> None:
    """Refuse what python-jsonpath parses beyond the field paths documented."""
    for segment in parsed:
        for selector in segment.selectors:
            if not isinstance(selector, _KNOWN_SELECTORS):
                raise EditError(
                    f"field path {path!r} uses {str(selector)!r}, which means no value; name the value itself"
                )
            if isinstance(selector, selectors.Filter):
                _check_filter(path, selector.expression.expression, depth + 1)


def _check_filter(path: str, expression: expressions.BaseExpression, depth: int) -> None:
    if depth > MAX_NESTING:
        raise EditError(f"field path {path[:40]!r}… nests filters deeper than {MAX_NESTING}; simplify it")
    if isinstance(expression, expressions.InfixExpression) and expression.operator in _OPERATORS:
        _check_filter(path, expression.left, depth + 1)
        _check_filter(path, expression.right, depth + 1)
    elif isinstance(expression, expressions.PrefixExpression):
        _check_filter(path, expression.right, depth + 1)
    elif isinstance(expression, expressions.RelativeFilterQuery | expressions.RootFilterQuery):
        _check(path, expression.path.segments, depth)
    elif not isinstance(expression, _LITERALS):
        raise EditError(
            f"field path {path!r} uses {str(expression)!r} in a filter; "
            "known are == != < <= > >= =~ && || !, parentheses, literals, @ and $ paths"
        )
