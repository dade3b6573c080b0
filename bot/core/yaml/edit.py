"""Operations carried out on a file: planned on what is there, spliced in, proven by reading the result."""

from __future__ import annotations

import gc
from bisect import bisect
from contextlib import contextmanager
from dataclasses import replace
from itertools import accumulate, chain
from json import JSONDecodeError, loads
from typing import TYPE_CHECKING

from bot.core.yaml import image, merge
from bot.core.yaml.events import LIMITS, chunks
from bot.core.yaml.locate import locate
from bot.core.yaml.operations import Edited, Merge, SetField, SetImage
from bot.core.yaml.path import parse
from bot.core.yaml.remove import remove
from bot.core.yaml.round import Asked, Round, removed_changes
from bot.core.yaml.splice import apply
from bot.core.yaml.verify import verify
from bot.errors import EditError, Problem, raise_all

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from bot.core.model import Json
    from bot.core.yaml.events import Limits
    from bot.core.yaml.locate import Located
    from bot.core.yaml.operations import FieldChange, Operation
    from bot.core.yaml.remove import Removal
    from bot.core.yaml.splice import Splice

_BOM = "\ufeff"


def edit(text: str, operations: Sequence[Operation], *, json: bool = False, limits: Limits = LIMITS) -> Edited:
    """Carry out `operations` on the file `text`, all or none of them.

    `text` is the decoded file; a byte order mark in front is kept. With `json` it must be JSON and stays JSON. Paths
    mean the file as it is; what is not there is looked for again after what other operations made, and what is removed
    goes last, with all that is in it. Raises `EditError` with every problem found.
    """
    mark = _BOM if text.startswith(_BOM) else ""
    with _no_collection():
        result, changes, same = _edit(text.removeprefix(_BOM), operations, json=json, limits=limits)
    changed = mark + result != text
    return Edited(mark + result if changed else text, tuple(changes) if changed else (), tuple(same))


def _edit(
    text: str, operations: Sequence[Operation], *, json: bool, limits: Limits
) -> tuple[str, list[FieldChange], list[str]]:
    located = _located(text, json=json, limits=limits)
    waiting = _asked(located, operations)
    changes: list[FieldChange] = []
    same: list[str] = []
    removals: list[Removal] = []
    while waiting:
        step = Round(located, edit, json=json)
        waiting = step.plan(waiting)
        made = step.splices()
        same += step.same
        splices = [splice for splice, _ in made]
        # What is removed goes last, and is found again by its place, whatever the paths mean by then.
        moved = _moves(splices)
        removals = [one.moved(moved) for one in (*removals, *step.removals)]
        changes += [change for _, told in made for change in told]
        located = _spliced(located, splices, last=not waiting and not removals)
    if removals:
        gone = remove(located, removals)
        changes += removed_changes(located, [one for _, ones in gone for one in ones])
        located = _spliced(located, [splice for splice, _ in gone], last=True)
    if json:
        _check_json(located.text)
    return located.text, changes, same


def _spliced(located: Located, splices: Sequence[Splice], *, last: bool) -> Located:
    """Make the splices and prove the result; the `last` one is read for the proof only."""
    if not splices:
        return located
    after = apply(located.text, splices)
    following = replace(located, text=after) if last else locate(after, located.limits)
    events = chain.from_iterable(chunks(after, located.limits)) if last else following.events
    verify(located, events, splices)
    return following


def _moves(splices: Sequence[Splice]) -> Callable[[int], int]:
    """Return what tells the index that an event has after the splices."""
    ordered = sorted(splices, key=lambda one: one.last)
    lasts = [one.last for one in ordered]
    shifts = list(accumulate((len(one.events) - (one.last - one.first) for one in ordered), initial=0))
    return lambda index: index + shifts[bisect(lasts, index)]


def _asked(located: Located, operations: Sequence[Operation]) -> list[Asked]:
    """Return the fields to set and to remove: merges and images come down to them."""
    asked: list[Asked] = []
    refused: list[EditError] = []
    for operation in operations:
        try:
            if isinstance(operation, Merge):
                fields = merge.fields(located, operation)
            else:
                fields = image.fields(located, operation) if isinstance(operation, SetImage) else [operation]
            for field in fields:
                path = parse(field.path)
                if isinstance(field, SetField):
                    _check_depth(field, located.limits.depth - len(path.segments), located.limits)
                asked.append(Asked(field, path, field.path))
        except EditError as error:
            refused.append(error)
    raise_all(refused)
    return asked


def _check_depth(field: SetField, left: int, limits: Limits) -> None:
    """Refuse a value that is nested deeper than a file may be, its path included."""
    level: list[Json] = [field.value]
    for _ in range(left + 1):
        below = [item for one in level if isinstance(one, dict) for item in one.values()]
        level = below + [item for one in level if isinstance(one, list) for item in one]
        if not level:
            return
    raise EditError(f"the new value of {field.path[:80]!r} is nested deeper than {limits.depth} levels")


def _located(text: str, *, json: bool, limits: Limits) -> Located:
    if not json:
        return locate(text, limits)
    _check_json(text)
    try:
        return locate(text, limits)
    except EditError as error:
        hint = "it is JSON, but not what YAML readers take; write such a character itself instead of its escapes"
        raise EditError([replace(one, sentence=f"{one.sentence} ({hint})") for one in error.problems]) from None


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
        loads(text, parse_int=str, parse_float=str)
    except JSONDecodeError as error:
        sentence = f"not JSON: {error.msg}; fix the file, or give it a name that does not end in .json"
        raise EditError(Problem(sentence, None, error.lineno, error.colno)) from None
    except RecursionError:
        raise EditError("the JSON is nested too deep to be read") from None
