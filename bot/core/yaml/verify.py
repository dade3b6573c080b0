"""The proof after the edit: the result is read again, and only what was meant may read differently."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from bot.core.yaml.locate import events as read
from bot.core.yaml.quote import not_a_string
from bot.errors import EditError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from bot.core.yaml.locate import Event, Located
    from bot.core.yaml.splice import Splice

# Bounds of the search for how a scalar came to read as it does; past them the edit is refused.
_PLACES = 20
_READINGS = 1000

# What ends a scalar on its line, by its style: the quote, or the space before a comment.
_ENDS = {'"': '"', "'": "'", "": r"[ \t]+#"}


def verify(before: Located, after: str, splices: Iterable[Splice]) -> None:
    """Compare the events of `before` with those of the text `after`, from which only `splices` may differ.

    Raises `EditError` where anything else differs or a value does not read as wanted; the caller then writes nothing.
    """
    try:
        events = read(after)
    except EditError as error:
        raise _mismatch("the result could not be read again", str(error)) from None
    if len(events) != len(before.events):
        raise _mismatch("the result would have another structure", f"{len(events)} nodes, not {len(before.events)}")
    wanted = {splice.event: splice for splice in splices}
    for index, (old, new) in enumerate(zip(before.events, events, strict=True)):
        splice = wanted.get(index)
        if splice is None:
            if new != old:
                raise _mismatch("another value would change", f"{old[1]!r} to {new[1]!r}")
        elif not _as_wanted(old, new, splice):
            raise _mismatch("the value would not read as given", f"{new[1]!r} instead of {splice.value!r}")


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
        old = read(before.removeprefix(mark))
    except EditError:
        return
    try:
        new = read(after.removeprefix(mark))
    except EditError as error:
        raise _mismatch("the file would be no YAML any more", str(error)) from None
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


def _as_wanted(old: Event, new: Event, splice: Splice) -> bool:
    """Whether the event is the scalar wanted, its anchor and tag kept, its style one that gives its type."""
    kind, value, style, anchor, tag = new
    if (kind, value, anchor, tag) != ("scalar", splice.value, old[3], old[4]):
        return False
    if not splice.string:
        return not style
    return bool(style) or not not_a_string(splice.value)


def _mismatch(what: str, told: str) -> EditError:
    return EditError(f"{what} ({told}), so the file stays as it is; quote the value there by hand and try again")
