"""Which of two deliveries has the last word on a field: the one that came about later, or the higher version."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

from bot.core import semver

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bot.core.changeset import Changeset, Span
    from bot.core.model import Writer
    from bot.core.plan import Edit

# On one branch: path, field path (or the name of a regex and its group).
Field: TypeAlias = tuple[str, str]

SUPERSEDED = "superseded"


@dataclass(slots=True)
class Order:
    """Judges what one delivery after another wants to write to a branch; `writers` are the last ones so far."""

    writers: Mapping[Field, Writer]
    _own: dict[Field, Writer] = field(default_factory=dict)

    def objection(self, edit: Edit, path: str, span: Span, writer: Writer) -> str | None:
        """Return why `writer` may not change the value any more, as a sentence; None where it may."""
        key = (path, span.field)
        last = self._own.get(key) or self.writers.get(key)
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
            self._own |= dict.fromkeys(((path, span.field) for span in change.spans), writer)


def _version(text: str) -> str:
    """Return what of the source text of a value may be a version: without quotes, the tag alone of an image."""
    value = text.strip("\"'").partition("@")[0]
    return value.rpartition(":")[2]
