"""What was read of Git objects. They are named by their content, so what was read once is never read again."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, NamedTuple

from cachetools import LRUCache

if TYPE_CHECKING:
    from collections.abc import Mapping


class Entry(NamedTuple):
    """One row of a Git tree; `mode` as Git has it, a directory's is 0o040000; `size` is in bytes."""

    mode: int
    oid: str
    size: int = 0


class Objects:
    """Blobs and trees by oid, and what globs match at a commit, bounded by bytes and entries."""

    def __init__(self, blob_bytes: int = 64_000_000, tree_entries: int = 500_000) -> None:
        self.matches: LRUCache[tuple[str, frozenset[str]], Mapping[str, Entry]] = LRUCache(100_000, getsizeof=_entries)
        self.blobs: LRUCache[str, bytes] = LRUCache(blob_bytes, getsizeof=len)
        self.trees: LRUCache[str, Mapping[str, Entry]] = LRUCache(tree_entries, getsizeof=_entries)

    def keep_blob(self, oid: str, data: bytes) -> None:
        """Keep a blob if there is room for it at all."""
        if len(data) <= self.blobs.maxsize:
            self.blobs[oid] = data

    def keep_tree(self, oid: str, tree: Mapping[str, Entry]) -> None:
        """Keep a tree if there is room for it at all."""
        if len(tree) < self.trees.maxsize:
            self.trees[oid] = tree

    def keep_matches(self, key: tuple[str, frozenset[str]], entries: Mapping[str, Entry]) -> None:
        """Keep what globs match at a commit if there is room for it at all."""
        if len(entries) < self.matches.maxsize:
            self.matches[key] = entries


def _entries(listing: Mapping[str, Entry]) -> int:
    return len(listing) + 1


def blob_oid(data: bytes) -> str:
    """Return the name that Git gives to these bytes: https://git-scm.com/book/en/v2/Git-Internals-Git-Objects."""
    return hashlib.sha1(b"blob %d\x00" % len(data) + data, usedforsecurity=False).hexdigest()
