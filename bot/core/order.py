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
        # By path, in order: a field as it was spelt, by whom, and whether it was written or only found as wanted.
        # Spellings are compared only when it matters, as comparing them takes long: a file may have thousands.
        self._told: dict[str, list[tuple[str, Writer, bool]]] = {}
        self._last: dict[str, dict[str, Writer]] = {}  # by path and field, of the paths that were asked for
        for (path, name), writer in writers.items():
            self._tell(path, name, writer, wrote=True)

    def only(self, plan: Plan, paths: Iterable[str]) -> Order:
        """Return what this order knows of `paths` and of the files that a plan names."""
        order = Order({})
        named = (glob.literal for glob in plan.globs if glob.literal is not None)
        order._told = {path: self._told[path] for path in (*paths, *named) if path in self._told}
        return order

    def _tell(self, path: str, name: str, writer: Writer, *, wrote: bool) -> None:
        self._told.setdefault(path, []).append((name, writer, wrote))
        self._last.pop(path, None)

    def _known(self, path: str) -> dict[str, Writer]:
        """Return who has the last word on each field of a file so far."""
        if path not in self._last:
            known: dict[str, Writer] = {}
            for spelling, writer, wrote in self._told.get(path, ()):
                name = normalized(spelling)
                if wrote or name not in known or known[name].origin <= writer.origin:
                    known[name] = writer
            self._last[path] = known
        return self._last[path]

    def objection(self, edit: Edit, path: str, span: Span, writer: Writer) -> str | None:
        """Return why `writer` may not change the value any more, as a sentence; None where it may.

        A file that was made or deleted was written as a whole.
        """
        known = self._known(path)
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
            for span in change.spans:
                self._tell(path, span.field, writer, wrote=True)
        self.hold(changeset.same, writer)

    def hold(self, fields: Iterable[tuple[str, str]], writer: Writer) -> None:
        """Note who asked last for what is there already: (path, field)."""
        for path, name in fields:
            self._tell(path, name, writer, wrote=False)


def _version(text: str) -> str:
    """Return what of the source text of a value may be a version: without quotes, the tag alone of an image."""
    value = text.strip("\"'").partition("@")[0]
    return value.rpartition(":")[2]
