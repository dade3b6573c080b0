"""Operations carried out on a file: planned on what is there, spliced in, proven by reading the result."""

from __future__ import annotations

import gc
from contextlib import contextmanager
from dataclasses import replace
from itertools import chain
from json import JSONDecodeError, loads
from typing import TYPE_CHECKING

from bot.core.yaml import image, merge
from bot.core.yaml.events import LIMITS, chunks
from bot.core.yaml.locate import locate
from bot.core.yaml.operations import Edited, Merge, SetField, SetImage, Unset
from bot.core.yaml.path import parse
from bot.core.yaml.round import Asked, Round, agree
from bot.core.yaml.splice import apply
from bot.core.yaml.target import MissingError, targets
from bot.core.yaml.verify import verify
from bot.errors import EditError, Problem, raise_all

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from bot.core.yaml.events import Limits
    from bot.core.yaml.locate import Located
    from bot.core.yaml.operations import FieldChange, Operation

_BOM = "\ufeff"


def edit(text: str, operations: Sequence[Operation], *, json: bool = False, limits: Limits = LIMITS) -> Edited:
    """Carry out `operations` on the file `text`, all or none of them.

    `text` is the decoded file; a byte order mark in front is kept. With `json` it must be JSON and stays JSON. Paths
    mean the file as it is; what is not there is looked for again after what other operations made. Raises `EditError`
    with every problem found.
    """
    mark = _BOM if text.startswith(_BOM) else ""
    with _no_collection():
        result, changes = _edit(text.removeprefix(_BOM), operations, json=json, limits=limits)
    return Edited(mark + result, tuple(changes)) if mark + result != text else Edited(text, ())


def _edit(text: str, operations: Sequence[Operation], *, json: bool, limits: Limits) -> tuple[str, list[FieldChange]]:
    located = locate(text, limits)
    if json:
        _check_json(text)
    asked, removals = _asked(located, operations)
    agree(one.field for one in asked if isinstance(one.field, SetField) and not one.inner)
    changes: list[FieldChange] = []
    while asked or removals:
        # What is removed goes last and from the end of the file on, so that it changes no index that another path has.
        step = Round(located, edit, json=json)
        asked, removals = (step.plan(asked), removals) if asked else (asked, step.plan(removals))
        if not step.splices:
            continue
        after = apply(located.text, step.splices)
        changes += sorted(step.changes, key=lambda change: (change.line, change.column))
        # The last result is read for the proof only; one that more operations wait for is located at the same time.
        more = bool(asked or removals)
        following = locate(after, limits) if more else replace(located, text=after)
        events = following.events if more else chain.from_iterable(chunks(after, limits))
        verify(located, events, step.splices)
        located = following
    if json:
        _check_json(located.text)
    return located.text, changes


def _asked(located: Located, operations: Sequence[Operation]) -> tuple[list[Asked], list[Asked]]:
    """Return the fields to set, and those to remove, the last one of the file first.

    Merges and images come down to fields. What is to be removed is named by a path that nothing set makes mean another.
    """
    asked: list[Asked] = []
    refused: list[EditError] = []
    removals: list[tuple[int, Asked]] = []
    for operation in operations:
        try:
            if isinstance(operation, Merge):
                fields = merge.fields(located, operation)
            else:
                fields = image.fields(located, operation) if isinstance(operation, SetImage) else [operation]
            for field in fields:
                if isinstance(field, SetField):
                    asked.append(Asked(field, parse(field.path), field.path))
                else:
                    removals += _removals(located, field)
        except EditError as error:
            refused.append(error)
    raise_all(refused)
    removals.sort(key=lambda one: -one[0])
    return _gathered(asked), _gathered([one for _, one in removals])


def _removals(located: Located, field: Unset) -> list[tuple[int, Asked]]:
    """Return what a field to remove means, each with its offset; nothing where it means nothing."""
    path = parse(field.path)
    if path.append:
        raise EditError(f"field path {path.text!r} appends an item; name the item to remove by its index")
    try:
        found = targets(located, path, field.document, many=field.many)
    except MissingError:
        return []
    removals = []
    for target in found:
        concrete = target.path + (f" | {path.inner}" if path.inner else "")
        asked = Unset(concrete, target.selector, field.many)
        removals.append((target.match.node.start, Asked(asked, parse(concrete), field.path)))
    return removals


def _gathered(asked: Sequence[Asked]) -> list[Asked]:
    """Put together what goes on inside the same scalar: it is one edit there."""
    gathered: dict[object, Asked] = {}
    for index, one in enumerate(asked):
        if one.path.inner is None:
            gathered[index] = one
            continue
        key = (one.path.outer, one.field.document, one.field.many)
        field = replace(one.field, path=one.path.inner, document=None)
        first = gathered.setdefault(key, one)
        gathered[key] = replace(first, inner=(*first.inner, field))
    return list(gathered.values())


@contextmanager
def _no_collection() -> Iterator[None]:
    """Keep Python's garbage collector from walking over the events again and again while they only grow in number.

    No cycle is among them, so nothing waits for it; in files of many small values it takes most of the time.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _check_json(text: str) -> None:
    try:
        loads(text)
    except JSONDecodeError as error:
        sentence = f"not JSON: {error.msg}; mend the file, or give it a name that does not end in .json"
        raise EditError(Problem(sentence, None, error.lineno, error.colno)) from None
    except RecursionError:
        raise EditError("the JSON is nested too deep to be read") from None
