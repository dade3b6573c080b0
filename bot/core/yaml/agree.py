"""Several fields that come to the same place, put together; two values for one are refused."""

from __future__ import annotations

import reprlib
from typing import TYPE_CHECKING

from bot.errors import EditError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bot.core.model import Json
    from bot.core.yaml.operations import SetField
    from bot.core.yaml.path import Step


def agree(one: SetField, other: SetField) -> None:
    """Raise `EditError` where two fields give one node two values; the same value twice is one edit."""
    if not _same(one.value, other.value):
        first, second = (reprlib.repr(field.value) for field in (one, other))
        paths = f"{one.path!r} and {other.path!r}"
        raise EditError(f"{paths} mean the same value but set it to {first} and {second}; keep one")


def built(parts: Sequence[tuple[list[Step], Json]]) -> Json:
    """Make one value of what is at the end of each way: a key, an index, the fields of an item, None for a new item.

    Raises `EditError` where two ways end at the same place with two values, or lead to both keys and items.
    """
    ends = [value for steps, value in parts if not steps]
    if ends:
        if len(ends) < len(parts) or not all(_same(ends[0], value) for value in ends):
            first, second = reprlib.repr(ends[0]), reprlib.repr(parts[-1][1])
            raise EditError(f"two fields mean the same new value but set it to {first} and {second}; keep one")
        return ends[0]
    if all(isinstance(steps[0], str) for steps, _ in parts):
        below: dict[str, list[tuple[list[Step], Json]]] = {}
        for steps, value in parts:
            below.setdefault(str(steps[0]), []).append((steps[1:], value))
        return {name: built(ways) for name, ways in below.items()}
    return _items(parts)


def _items(parts: Sequence[tuple[list[Step], Json]]) -> list[Json]:
    """Make the items of a list: one for each step that says another item."""
    items: list[tuple[Step, list[tuple[list[Step], Json]]]] = []
    for steps, value in parts:
        step = steps[0]
        if isinstance(step, str):
            raise EditError(f"the key {step!r} and an item would be created at the same place; keep one kind")
        same = next((ways for other, ways in items if step is not None and other == step), None)
        if same is not None:
            same.append((steps[1:], value))
        else:
            items.append((step, [(steps[1:], value)]))
    made: list[Json] = []
    for step, ways in items:
        value = built(ways)
        if isinstance(step, dict):
            if not isinstance(value, dict):
                raise EditError("a filter creates an item with fields; name the field of it that is set")
            value = {**step, **value}
        if step is None and value in made:
            continue  # appended twice
        made.append(value)
    return made


def _same(one: Json, other: Json) -> bool:
    return type(one) is type(other) and one == other
