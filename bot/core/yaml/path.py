"""Field paths as text: `images[?(@.name=='web')].tag` into the segments that `walk` follows.

The syntax is JSONPath (RFC 9535) as python-jsonpath parses it, with the leading `$` optional and `=~` in filters.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, TypeAlias

import jsonpath
from jsonpath import filter as expressions
from jsonpath import segments, selectors
from jsonpath.token import TOKEN_EOF

from bot.errors import EditError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bot.core.model import Json

MAX_LENGTH = 1_000
MAX_NESTING = 100  # of filters and operators; both parsers recurse

Segments: TypeAlias = tuple[segments.JSONPathSegment, ...]
# A part of a path as what it would be if it were created: a key, an index, the fields of an item, None for a new item.
Step: TypeAlias = "str | int | dict[str, Json] | None"


@dataclass(frozen=True, slots=True)
class FieldPath:
    """A field path: `segments` lead to a node; with `append` a new last item of that list is meant.

    `inner` goes on inside that node, a string that is YAML itself; `outer` is the text up to there.
    """

    text: str
    outer: str
    segments: Segments
    append: bool = False
    inner: str | None = None


_ENVIRONMENT = jsonpath.JSONPathEnvironment(filter_caching=False)
_PLAIN_NAME = re.compile(_ENVIRONMENT.lexer.key_pattern)
_KNOWN_SELECTORS = (
    selectors.NameSelector,
    selectors.IndexSelector,
    selectors.SliceSelector,
    selectors.WildcardSelector,
    selectors.Filter,
)
_CONTROL = re.compile(r"[\x00-\x1f]")
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
    escaped = _CONTROL.sub(lambda found: f"\\u{ord(found[0]):04x}", escaped)
    return f"['{escaped}']"


def rooted(path: str) -> str:
    """Write a path with the `$` in front: then names such as `in` or `true` are names, and no operators."""
    return path if path.startswith("$") else f"${path}" if path[0] in "[." else f"$.{path}"


@lru_cache(1024)
def parse(path: str) -> FieldPath:
    """Parse a field path. Raises `EditError` that says where it goes wrong and when a name needs quotes."""
    if not path or len(path) > MAX_LENGTH:
        raise EditError(f"a field path has 1 to {MAX_LENGTH} characters, this one has {len(path)}")
    own, bar, inner = path, "", ""
    if (at := _bar(path)) is not None:
        own, bar, inner = path[:at].rstrip(), "|", path[at + 1 :].strip()
        if not own or not inner:
            raise EditError(f"field path {path!r} has nothing on one side of its `|`; write outer.path | inner.path")
    append = own.endswith("[+]")
    if append and bar:
        raise EditError(f"field path {path!r} appends an item and goes on inside it; append the whole value")
    return FieldPath(path, own, _parse(own.removesuffix("[+]") or "$"), append, inner or None)


@lru_cache(4096)
def normalized(text: str) -> str:
    """Write a field path the one way in which all that mean the same are written; what is no path stays as it is."""
    try:
        path = parse(text)
    except EditError:
        return text
    inner = f" | {normalized(path.inner)}" if path.inner else ""
    return "".join(map(str, path.segments)) + "[+]" * path.append + inner


def _bar(path: str) -> int | None:
    """Return where the first `|` stands outside brackets, None where there is none; quotes hide brackets."""
    depth, quote, escaped = 0, "", False
    for index, character in enumerate(path):
        if quote:
            quote = quote if escaped or character != quote else ""
            escaped = character == "\\" and not escaped
        elif character in "'\"" and depth:
            quote = character
        elif character == "|" and not depth:
            return index
        else:
            depth += (character == "[") - (character == "]")
    return None


def _parse(path: str) -> Segments:
    prefix = rooted(path).removesuffix(path)
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


def steps(path: FieldPath, rest: Segments) -> list[Step]:
    """Return what each segment of `rest` would be called if it were created: a key, an index, or an item's fields.

    Raises `EditError` for a segment that names nothing: a wildcard, a slice, a filter of more than `==` and `&&`.
    """
    made: list[Step] = []
    for segment in rest:
        (selector, *others) = segment.selectors
        step: Step | None = None
        if not others and not isinstance(segment, segments.JSONPathRecursiveDescentSegment):
            if isinstance(selector, selectors.NameSelector):
                step = selector.name
            elif isinstance(selector, selectors.IndexSelector):
                step = selector.index
            elif isinstance(selector, selectors.Filter):
                step = _fields(selector.expression.expression)
        if step is None:
            raise EditError(
                f"creating path: {str(segment)!r} of {path.text!r} names nothing that could be created; "
                "use keys, an index, or a filter such as [?(@.name=='web')]"
            )
        made.append(step)
    return made


def _fields(expression: expressions.BaseExpression) -> dict[str, Json] | None:
    """Return the fields that a filter of `==` and `&&` asks of an item, nested; None for any other filter."""
    if not isinstance(expression, expressions.InfixExpression):
        return None
    left, right = expression.left, expression.right
    if expression.operator == "&&":
        one, other = _fields(left), _fields(right)
        return None if one is None or other is None or one.keys() & other.keys() else one | other
    if not isinstance(left, expressions.RelativeFilterQuery):
        left, right = right, left
    if expression.operator != "==" or not isinstance(left, expressions.RelativeFilterQuery):
        return None
    asked = [selector for segment in left.path.segments for selector in segment.selectors]
    names = [selector.name for selector in asked if isinstance(selector, selectors.NameSelector)]
    if not names or len(names) < len(asked):
        return None
    value: Json
    if isinstance(right, expressions.Nil):
        value = None
    elif isinstance(right, expressions.FilterExpressionLiteral) and isinstance(right.value, str | int | float):
        value = right.value
    else:
        return None
    for name in reversed(names[1:]):
        value = {name: value}
    return {names[0]: value}


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
