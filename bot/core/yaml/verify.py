"""The proof after the edit: the result is read again, and only what was meant may read differently."""

from __future__ import annotations

import re
from itertools import chain, repeat
from typing import TYPE_CHECKING

import yaml

from bot.core.yaml.events import said
from bot.core.yaml.locate import locate
from bot.core.yaml.quote import not_a_string
from bot.errors import EditError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from bot.core.yaml.events import Event
    from bot.core.yaml.locate import Located
    from bot.core.yaml.splice import Splice

# Bounds of the search for how a scalar came to read as it does; past them the edit is refused.
_PLACES = 20
_READINGS = 1000

# What ends a scalar on its line, by its style: the quote, or the space before a comment.
_ENDS = {'"': '"', "'": "'", "": r"[ \t]+#"}


def verify(before: Located, after: Iterable[yaml.Event], splices: Iterable[Splice]) -> None:
    """Compare the events of `before` with those read `after`, from which only `splices` may differ.

    Raises `EditError` where anything else differs or a value does not read as wanted; the caller then writes nothing.
    """
    try:
        # Where it ends too early, None is nothing that anything could be.
        events: Iterator[yaml.Event | None] = chain(after, repeat(None))
        done = 0
        for splice in sorted(splices, key=lambda one: one.first):
            _check_same(before.events[done : splice.first], events)
            _check_wanted(splice.events, events)
            done = splice.last
        _check_same(before.events[done:], events)
    except EditError as error:
        if isinstance(error, MismatchError):
            raise
        raise MismatchError("the result could not be read again", str(error)) from None
    if next(events) is not None:
        raise MismatchError("the result would have another structure", "more nodes than meant")


def _check_same(olds: Sequence[yaml.Event], events: Iterator[yaml.Event | None]) -> None:
    """Take as many events as there are old ones, and hold each against the old one."""
    scalar, ends = yaml.ScalarEvent, (yaml.MappingEndEvent, yaml.SequenceEndEvent)
    for old, new in zip(olds, events, strict=False):
        kind = old.__class__
        if new is not None and kind is new.__class__:
            # Most events by far; the others are compared as a whole.
            if kind is scalar:
                same = old.value == new.value and old.style == new.style  # type: ignore[attr-defined]  # see kind
                if same and old.anchor == new.anchor and old.tag == new.tag:  # type: ignore[attr-defined]  # see kind
                    continue
            elif kind in ends or said(old) == said(new):
                continue
        raise MismatchError("another value would change", f"{_value(old)} to {_value(new)}")


def _check_wanted(wanted: Sequence[Event], events: Iterator[yaml.Event | None]) -> None:
    """Take as many events as are wanted."""
    for event in wanted:
        new = next(events)
        if new is None or said(new) != event:
            raise MismatchError("the value would not read as given", f"{_value(new)} instead of {event[1]!r}")


def _value(event: yaml.Event | None) -> str:
    return "nothing" if event is None else repr(said(event)[1])


def check_filled(before: str, after: str, filled: Sequence[tuple[str, str]]) -> None:
    """Make sure that texts put into a YAML file by other means than ours changed values, and only by these texts.

    `filled` is (old, new) of each. Raises `EditError` where `after` is no YAML, has other nodes, or a scalar that reads
    otherwise than as it did with some of the texts exchanged: a text must not bring structure or a comment of its own.
    What an old text reached over beside its scalar (a comment, quotes) goes with it, as that is what the pattern asked
    for; but quotes stay where the new text would read as something else than a string without them. What could not be
    parsed before (a template, or beyond the bounds) is not judged.
    """
    mark = "\ufeff"
    try:
        old = [said(event) for event in locate(before.removeprefix(mark)).events]
    except EditError:
        return
    try:
        new = [said(event) for event in locate(after.removeprefix(mark)).events]
    except EditError as error:
        raise MismatchError("the file would be no YAML any more", str(error)) from None
    if len(old) != len(new) or not all(
        one == other or _is_filled(one, other, filled) for one, other in zip(old, new, strict=True)
    ):
        raise EditError("the value would change the structure of the YAML around it, so the file stays as it is")


def _is_filled(old: Event, new: Event, filled: Sequence[tuple[str, str]]) -> bool:
    """Whether the scalar reads as before but for texts that were exchanged; an empty one may take any style."""
    (kind, before, style, *properties), (new_kind, after, new_style, *new_properties) = old, new
    if (kind, new_kind) != ("scalar", "scalar") or properties != new_properties:
        return False
    if style != new_style and before:
        whole = (f"{style}{before}{style}", after)
        return not new_style and whole in filled and not not_a_string(str(after))
    reachable = {str(before)}
    for text, other in dict.fromkeys(filled):
        inside = re.split(_ENDS.get(str(style), "$"), text, maxsplit=1)[0]
        for value in tuple(reachable):
            places = [match.start() for match in re.finditer(re.escape(text), value)]
            reachable |= {value[:at] + other + value[at + len(text) :] for at in (*places[:_PLACES], *places[-1:])}
            reachable.add(value.replace(text, other) if text else value)
            if inside and value.endswith(inside):
                reachable.add(value.removesuffix(inside) + other)
            if after in reachable:
                return True
            if len(reachable) > _READINGS:
                return False
    return False


class MismatchError(EditError):
    """The result does not read as meant: what would differ, and how."""

    def __init__(self, what: str, told: str) -> None:
        super().__init__(f"{what} ({told}), so the file stays as it is; change the place by hand and try again")
