"""Which of two deliveries has the last word on a field: the one that came about later, or the higher version."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from bot.core import semver
from bot.core.changeset import CREATED, DELETED
from bot.core.yaml.path import normalized

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from bot.core.changeset import Changeset, Span
    from bot.core.model import Writer
    from bot.core.plan import Edit, Plan

# On one branch: path, field path (or the name of a regex and its group).
Field: TypeAlias = tuple[str, str]

SUPERSEDED = "superseded"
_WHOLE = frozenset({CREATED, DELETED})


class Order:
    """Judges what one delivery after another wants to write to a branch; `writers` are the last ones so far."""

    def __init__(self, writers: Mapping[Field, Writer]) -> None:
        self._last: dict[str, dict[str, Writer]] = {}  # by path and field
        for (path, name), writer in writers.items():
            self._last.setdefault(path, {})[normalized(name)] = writer

    def only(self, plan: Plan, paths: Iterable[str]) -> Order:
        """Return what this order knows of `paths` and of the files that a plan names."""
        order = Order({})
        named = (glob.literal for glob in plan.globs if glob.literal is not None)
        order._last = {path: self._last[path] for path in (*paths, *named) if path in self._last}
        return order

    def objection(self, edit: Edit, path: str, span: Span, writer: Writer) -> str | None:
        """Return why `writer` may not change the value any more, as a sentence; None where it may.

        A file that was made or deleted was written as a whole.
        """
        known = self._last.get(path, {})
        names = known if span.field in _WHOLE else {normalized(span.field), *_WHOLE}
        last = max((known[one] for one in names if one in known), key=lambda one: one.origin, default=None)
        if last is not None and last.origin > writer.origin and last.delivery != writer.delivery:
            when = last.origin.isoformat(timespec="seconds")
            return f"{SUPERSEDED}: {span.field} in {path} was written by the newer delivery {last.delivery} of {when}"
        if edit.order != "semver":
            return None
        old, new = _version(span.old), _version(span.new)
        if semver.older(new, old):
            return f"{SUPERSEDED}: {span.field} in {path} is {old} already, which is newer than {new}"
        return None

    def note(self, changeset: Changeset, writer: Writer) -> None:
        """Note that these changes are going to be written."""
        for path, change in changeset.files.items():
            self._last.setdefault(path, {}).update((normalized(span.field), writer) for span in change.spans)
        self.hold(changeset.same, writer)

    def hold(self, fields: Iterable[tuple[str, str]], writer: Writer) -> None:
        """Note who asked last for what is there already: (path, field)."""
        for path, name in fields:
            known = self._last.setdefault(path, {})
            if known.setdefault(normalized(name), writer).origin <= writer.origin:
                known[normalized(name)] = writer


def _version(text: str) -> str:
    """Return what of the source text of a value may be a version: without quotes, the tag alone of an image."""
    value = text.strip("\"'").partition("@")[0]
    return value.rpartition(":")[2]
