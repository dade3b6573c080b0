"""The notes on an edit that leaves files as they are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.core import yaml
from bot.core.rendered import Create, Fields, Substitute
from bot.core.shown import visible

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bot.core.plan import Edit

# The most files that a note names.
_SHOWN = 5


def left_out(edit: Edit, reasons: Sequence[str]) -> list[str]:
    """Return notes on files that a glob matches and rules may not write. `reasons` has a sentence for each file."""
    notes = [f"mapping '{edit.mapping}' leaves a file out: {why}" for why in reasons[:_SHOWN]]
    others = len(reasons) - _SHOWN
    return notes if others <= 0 else [*notes, f"mapping '{edit.mapping}' leaves {others} more such files out"]


def nothing_done(edit: Edit, paths: Sequence[str], *, found: bool) -> str:
    """Return why an edit changes nothing in these files. `found`: at least one has the value that it is to change."""
    operation, shown = edit.operation, ", ".join(paths[:_SHOWN])
    globs = ", ".join(f"'{visible(file.pattern)}'" for file in edit.files)
    if not paths:
        why = f"no file matches {globs}"
    elif not found:
        what = "the regex matches nothing" if isinstance(operation, Substitute) else "no reference to the image is"
        why = f"{what} in {shown}"
    elif isinstance(operation, Create):
        why = f"the file is there already: {shown}"
    elif isinstance(operation, Fields) and all(isinstance(one, yaml.Unset) for one in operation.operations):
        why = f"there is nothing to take away in {shown}"
    else:
        why = f"the value is there already in {shown}"
    return f"mapping '{edit.mapping}': {why}"
