"""A change as people read it."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bot.core.changeset import FileChange


def unified(change: FileChange) -> str:
    """Return the change of one file as a unified diff with three lines of context, as `git diff` prints it.

    Lines end with LF here, whatever the file has; a CR stays visible to whoever looks at the bytes.
    """
    before, after = (_lines(data) for data in (change.before, change.after))
    # difflib compares all with all; what the files share at both ends need not be compared.
    start = _common(before, after)
    end = _common(before[start:][::-1], after[start:][::-1])
    context = 3
    skipped = max(start - context, 0)
    rest = max(end - context, 0)
    hunks = difflib.unified_diff(
        before[skipped : len(before) - rest], after[skipped : len(after) - rest], lineterm="", n=context
    )
    body = [_shift(line, skipped) if line.startswith("@@") else line for line in list(hunks)[2:]]
    return "\n".join((f"--- a/{change.path}", f"+++ b/{change.path}", *body)) + "\n"


def _lines(data: bytes) -> list[str]:
    lines = data.decode(errors="replace").split("\n")
    if lines[-1] == "":
        return lines[:-1]
    return [*lines[:-1], f"{lines[-1]}\n\\ No newline at end of file"]


def _common(one: list[str], other: list[str]) -> int:
    return next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))


def _shift(hunk: str, lines: int) -> str:
    """Move the line numbers of a hunk's `@@ -1,7 +1,7 @@` down."""
    _, old, new, end = hunk.split(" ")
    return f"@@ {_moved(old, lines)} {_moved(new, lines)} {end}"


def _moved(place: str, lines: int) -> str:
    first, comma, count = place.partition(",")
    return f"{first[0]}{int(first[1:]) + lines}{comma}{count}"
