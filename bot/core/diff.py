"""A change as people read it."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from bot.core.changeset import FileChange

_CONTEXT = 3
# difflib compares all lines with all: beyond this many it takes minutes.
_COMPARED = 1000


class _Range(NamedTuple):
    """Lines of before and after, from 0, the end not included, that stand for each other."""

    start: int
    end: int
    new_start: int
    new_end: int


def unified(change: FileChange) -> str:
    """Return the change of one file as a unified diff with three lines of context, as `git diff` prints it.

    Lines end with LF here, whatever the file has; a CR stays visible to whoever looks at the bytes. The time it takes
    grows with the size of the file, not with its square.
    """
    before, after = (_lines(data or b"") for data in (change.before, change.after))
    lines = []
    for hunk in _hunks(_differences(before, after)):
        lines += _hunk(before, after, hunk)
    return "\n".join([*_header(change, empty=not lines), *lines]) + "\n"


def _header(change: FileChange, *, empty: bool) -> list[str]:
    """Name the file before and after; one that comes or goes has lines of its own, and an empty one no others.

    https://git-scm.com/docs/diff-format#generate_patch_text_with_p
    """
    old, new = f"a/{change.path}", f"b/{change.path}"
    names = [
        f"--- {'/dev/null' if change.before is None else old}",
        f"+++ {'/dev/null' if change.after is None else new}",
    ]
    if change.before is not None and change.after is not None:
        return names
    happened = "new" if change.before is None else "deleted"
    return [f"diff --git {old} {new}", f"{happened} file mode {change.mode:06o}", *([] if empty else names)]


def _lines(data: bytes) -> list[str]:
    lines = data.decode(errors="replace").split("\n")
    if lines[-1] == "":
        return lines[:-1]
    return [*lines[:-1], f"{lines[-1]}\n\\ No newline at end of file"]


def _differences(before: Sequence[str], after: Sequence[str]) -> Iterator[_Range]:
    """Say which lines became which, in order."""
    start = _common(before, after)
    end = _common(before[start:][::-1], after[start:][::-1])
    old, new = before[start : len(before) - end], after[start : len(after) - end]
    if len(old) == len(new):  # an edit replaces values, seldom lines
        for i, (line, other) in enumerate(zip(old, new, strict=True), start):
            if line != other:
                yield _Range(i, i + 1, i, i + 1)
    elif len(old) + len(new) > _COMPARED:
        yield _Range(start, start + len(old), start, start + len(new))
    else:
        for tag, *where in difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
            if tag != "equal":
                yield _Range(*(start + i for i in where))


def _common(one: Sequence[str], other: Sequence[str]) -> int:
    return next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))


def _hunks(differences: Iterator[_Range]) -> list[list[_Range]]:
    """Put differences together whose contexts touch; those without a line between them become one."""
    hunks: list[list[_Range]] = []
    for each in differences:
        last = hunks[-1][-1] if hunks else None
        if last is None or each.start - last.end > 2 * _CONTEXT:
            hunks.append([each])
        elif each.start == last.end:
            hunks[-1][-1] = _Range(last.start, each.end, last.new_start, each.new_end)
        else:
            hunks[-1].append(each)
    return hunks


def _hunk(before: Sequence[str], after: Sequence[str], hunk: Sequence[_Range]) -> list[str]:
    first, last = hunk[0], hunk[-1]
    above = min(_CONTEXT, first.start)
    below = min(_CONTEXT, len(before) - last.end)
    old = _place(first.start - above, last.end + below)
    new = _place(first.new_start - above, last.new_end + below)
    lines, at = [f"@@ -{old} +{new} @@"], first.start - above
    for each in hunk:
        lines += [f" {line}" for line in before[at : each.start]]
        lines += [f"-{line}" for line in before[each.start : each.end]]
        lines += [f"+{line}" for line in after[each.new_start : each.new_end]]
        at = each.end
    return [*lines, *(f" {line}" for line in before[at : last.end + below])]


def _place(start: int, end: int) -> str:
    """Write a range of lines as a hunk's header has it: https://www.gnu.org/software/diffutils/manual/#Detailed-Unified."""
    if end - start == 1:
        return str(start + 1)
    return f"{start + 1 if end > start else start},{end - start}"
