"""Differences between two commits, file by file, as GitHub shows them."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bot.sandbox.objects import Entry
    from bot.sandbox.repository import Repository


def file_changes(repo: Repository, old: str | None, new: str) -> list[dict[str, Any]]:
    """Give each file that differs: filename, sha, status, counts of lines, `patch` where it is text."""
    return [_change(repo, before, after) for before, after in repo.changes(old, new)]


def _change(repo: Repository, before: Entry | None, after: Entry | None) -> dict[str, Any]:
    entry = after or before
    if entry is None:
        raise ValueError("a change without a side")
    status = "modified" if before and after else "added" if after else "removed"
    change: dict[str, Any] = {"sha": entry.oid, "filename": entry.path, "status": status}
    old, new = _lines(repo, before), _lines(repo, after)
    patch = [] if old is None or new is None else list(difflib.unified_diff(old, new, lineterm=""))[2:]
    counts = {sign: sum(line.startswith(sign) for line in patch) for sign in "+-"}
    change |= {"additions": counts["+"], "deletions": counts["-"], "changes": counts["+"] + counts["-"]}
    if patch:
        change["patch"] = "\n".join(patch)
    return change


def _lines(repo: Repository, entry: Entry | None) -> list[str] | None:
    """Give a side's lines, none where there is no file, None where it is not text."""
    if entry is None:
        return []
    if entry.type != "blob":
        return [f"Subproject commit {entry.oid}"]
    try:
        text = repo.blob(entry.oid).decode()
    except UnicodeDecodeError:
        return None
    return None if "\0" in text else text.splitlines()
