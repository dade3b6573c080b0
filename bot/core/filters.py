"""The filters of `${{ … }}` expressions, and how a JSON value becomes text."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bot.core.model import Number
from bot.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable

    from bot.core.model import Json

MAX_OUTPUT = 65_536


@dataclass(frozen=True, slots=True)
class Filter:
    """What a filter does with a value and its arguments, and how many of those it takes."""

    apply: Callable[..., Json]
    arguments: int = 0


def type_name(value: Json) -> str:
    """Say what a JSON value is, as sentences need it."""
    if isinstance(value, bool):
        return "a boolean"
    names = {str: "text", int: "a number", float: "a number", list: "a list", dict: "an object"}
    return names.get(type(value), "null")


def text_of(value: Json) -> str:
    """Render a scalar as text: text as it is, numbers as they were written, booleans as JSON has them.

    Raises InputError for null, a list or an object: what they should look like is for the mapping file to say.
    """
    if value is None or isinstance(value, list | dict):
        hint = (
            "default('…') gives it another value" if value is None else "pick a part of it, or use join(', ') on a list"
        )
        raise InputError(f"{type_name(value)} is no text: {hint}")
    if isinstance(value, float) and not math.isfinite(value):
        raise InputError(f"{value} is no number that JSON has")
    if isinstance(value, Number):
        return value.written
    return value if isinstance(value, str) else json.dumps(value)


def bounded(text: str) -> str:
    """Give `text` back. Raises InputError where it is longer than 64 KB."""
    _check_size(len(text))
    return text


def _check_size(size: int) -> None:
    if size > MAX_OUTPUT:
        raise InputError(f"an expression makes text of more than {MAX_OUTPUT // 1024} KB")


def _replace(value: Json, old: Json, new: Json) -> str:
    text, old, new = text_of(value), text_of(old), text_of(new)
    if not old:
        raise InputError("replace('', …) has nothing to look for")
    # Checked before it is made: replacing is what can multiply.
    _check_size(len(text) + text.count(old) * (len(new) - len(old)))
    return text.replace(old, new)


def _first(value: Json, index: int = 0, name: str = "first") -> Json:
    if not isinstance(value, str | list) or not value:
        raise InputError(f"'{name}' takes text or a list that is not empty, not {_what(value)}")
    return value[index]


def _last(value: Json) -> Json:
    return _first(value, -1, "last")


def _length(value: Json) -> int:
    if not isinstance(value, str | list | dict):
        raise InputError(f"'length' counts text, lists and objects, not {type_name(value)}")
    return len(value)


def _truncate(value: Json, length: Json) -> str:
    if not isinstance(length, int) or isinstance(length, bool) or length < 0:
        raise InputError("truncate(n) takes the number of characters to keep")
    return text_of(value)[:length]


def _split(value: Json, separator: Json) -> Json:
    if not isinstance(separator, str) or not separator:
        raise InputError("split(…) takes the text between the parts, which is not empty")
    return list(text_of(value).split(separator))


def _join(value: Json, separator: Json) -> str:
    if not isinstance(value, list):
        raise InputError(f"'join' takes a list, not {type_name(value)}")
    parts, between = [text_of(part) for part in value], text_of(separator)
    _check_size(sum(len(part) for part in parts) + len(between) * len(parts))
    return between.join(parts)


def _what(value: Json) -> str:
    return type_name(value) if value else f"an empty one: {json.dumps(value)}"


FILTERS = {
    "lower": Filter(lambda value: text_of(value).lower()),
    "upper": Filter(lambda value: text_of(value).upper()),
    "trim": Filter(lambda value: text_of(value).strip()),
    "replace": Filter(_replace, 2),
    # The evaluator does this one by itself: an absent value cannot reach a function.
    "default": Filter(lambda value, other: other if value is None else value, 1),
    "first": Filter(_first),
    "last": Filter(_last),
    "length": Filter(_length),
    "truncate": Filter(_truncate, 1),
    "split": Filter(_split, 1),
    "join": Filter(_join, 1),
}
