"""The proof after the edit: the result is read again, and only what was meant may read differently."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.core.yaml.locate import events as read
from bot.core.yaml.quote import not_a_string
from bot.errors import EditError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bot.core.yaml.locate import Event, Located
    from bot.core.yaml.splice import Splice


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


def check_structure(before: str, after: str) -> None:
    """Make sure that text put into a YAML file by other means than ours changed values only.

    Raises `EditError` where `before` is YAML and `after` is none, or has other nodes, keys or tags: a value must not
    bring structure of its own. A file that was no YAML before (a template, say) is not judged.
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
    if [_shape(event) for event in old] != [_shape(event) for event in new]:
        raise EditError("the value would change the structure of the YAML around it, so the file stays as it is")


def _shape(event: Event) -> Event:
    """Leave the value of a scalar out, and the style, which an empty one changes by being filled."""
    kind, value, style, anchor, tag = event
    return (kind, None, None, anchor, tag) if kind == "scalar" else (kind, value, style, anchor, tag)


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
