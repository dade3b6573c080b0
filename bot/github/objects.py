"""Caches of Git objects. An object is named by its content, so it never has to be read again."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, NamedTuple

from bot.github.cache import FairCache, text_bytes

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

# The memory of a key in a dictionary, and of an Entry with its two numbers.
PLACE_BYTES, ROW_BYTES = 100, 130


class Entry(NamedTuple):
    """One row of a Git tree; `mode` as Git has it, a directory's is 0o040000; `size` is in bytes."""

    mode: int
    oid: str
    size: int = 0


class Objects:
    """Blobs and trees by oid, the tree of each commit, and the matches of globs at a commit.

    The bytes of keys count for the bounds too.
    """

    def __init__(
        self,
        blob_bytes: int = 64_000_000,
        tree_bytes: int = 64_000_000,
        match_bytes: int = 16_000_000,
        root_bytes: int = 4_000_000,
    ) -> None:
        self.blobs: FairCache[str, bytes] = FairCache(blob_bytes, lambda oid, data: text_bytes(oid) + len(data))
        self.trees: FairCache[str, Mapping[str, Entry]] = FairCache(tree_bytes, _weigh_listing)
        self.matches: FairCache[str, Mapping[str, Entry]] = FairCache(match_bytes, _weigh_listing)
        self.roots: FairCache[str, str] = FairCache(root_bytes, lambda head, oid: text_bytes(head) + text_bytes(oid))

    def of(self, installation: int) -> OwnObjects:
        """Return a view for one installation: what it keeps counts as its own."""
        return OwnObjects(self, installation)


class OwnObjects:
    """The objects as one installation uses them. It reads those of all others too, as an oid names its content."""

    def __init__(self, objects: Objects, installation: int) -> None:
        self.blobs = objects.blobs
        self.trees = objects.trees
        self._matches = objects.matches
        self._roots = objects.roots
        self._installation = installation

    def keep_blob(self, oid: str, data: bytes) -> None:
        """Keep a blob if there is room for it."""
        self.blobs.put(self._installation, oid, data)

    def keep_tree(self, oid: str, tree: Mapping[str, Entry]) -> None:
        """Keep a tree if there is room for it."""
        self.trees.put(self._installation, oid, tree)

    def find_root(self, head: str) -> str | None:
        """Return the oid of the tree of a commit, None if it is not known."""
        return self._roots.get(head)

    def keep_root(self, head: str, oid: str | None) -> None:
        """Keep which tree a commit has, if that was told."""
        if oid is not None:
            self._roots.put(self._installation, head, oid)

    def find_matches(self, head: str, patterns: Collection[str]) -> Mapping[str, Entry] | None:
        """Return the files that globs match at a commit, None if that is not known."""
        return self._matches.get(_matches_key(head, patterns))

    def keep_matches(self, head: str, patterns: Collection[str], entries: Mapping[str, Entry]) -> None:
        """Keep the files that globs match at a commit if there is room for them."""
        self._matches.put(self._installation, _matches_key(head, patterns), entries)


def _matches_key(head: str, patterns: Collection[str]) -> str:
    # Patterns may come from payloads and be very long; a key must be short.
    lines = "\n".join(sorted(set(patterns)))
    return f"{head} {hashlib.sha256(lines.encode('utf-8', 'surrogatepass')).hexdigest()}"


def _weigh_listing(key: str, listing: Mapping[str, Entry]) -> int:
    return text_bytes(key) + sum(map(weigh_entry, listing, listing.values()))


def weigh_entry(path: str, entry: Entry | None) -> int:
    """Return how much memory an entry takes in a dictionary by its path."""
    return text_bytes(path) + PLACE_BYTES + (0 if entry is None else text_bytes(entry.oid) + ROW_BYTES)


def blob_oid(data: bytes) -> str:
    """Return the name that Git gives to these bytes: https://git-scm.com/book/en/v2/Git-Internals-Git-Objects."""
    return hashlib.sha1(b"blob %d\x00" % len(data) + data, usedforsecurity=False).hexdigest()
