"""Remembered branches: their heads and the entries of the paths in use, moved on by our own commits."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import TYPE_CHECKING

from bot.core.snapshot import MAX_FILE_BYTES, SUBMODULE, SYMLINK, File, Snapshot
from bot.flows import jobs
from bot.github.cache import FairCache, text_bytes
from bot.github.objects import PLACE_BYTES, Entry, blob_oid, weigh_entry

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from bot.core.changeset import Changeset
    from bot.core.glob import Glob
    from bot.core.meter import Budget
    from bot.core.model import Repository
    from bot.core.outcome import Commit
    from bot.github.objects import Objects
    from bot.ports import Compute

# How many of our last heads are remembered. Under load, the push webhook for a commit arrives after we have made the
# next one.
_OWN = 50
# The most paths of a branch, unless one glob matches more. Paths that come from payloads would gather for ever, and all
# of them are read again when somebody else pushes.
_MOST = 1000
# The bytes of one branch. A branch that needs more is read anew each time.
_MOST_BYTES = 2_000_000
# The bytes of all branches together.
_ALL_BYTES = 32_000_000
# The memory of an empty view, and of each of our own heads.
_VIEW_BYTES, _HEAD_BYTES = 1000, 100


@dataclass(slots=True)
class View:
    """A branch at `head`: the entries of paths that were asked for, None for those that do not exist.

    Every file that one of the globs in `listed` matches is among the entries. `own` are the last heads that we made.
    """

    head: str
    entries: dict[str, Entry | None] = field(default_factory=dict)
    folders: frozenset[str] = frozenset()
    listed: dict[str, Glob] = field(default_factory=dict)
    own: deque[str] = field(default_factory=lambda: deque(maxlen=_OWN))

    def weigh(self) -> int:
        """Return how many bytes of memory the view takes."""
        # A glob has a regular expression too, once it has matched.
        globs = sum(10 * text_bytes(pattern) + PLACE_BYTES for pattern in self.listed)
        folders = sum(text_bytes(folder) + PLACE_BYTES for folder in self.folders)
        entries = sum(map(weigh_entry, self.entries, self.entries.values()))
        return entries + folders + globs + len(self.own) * _HEAD_BYTES + _VIEW_BYTES


class Views:
    """Views by repository and branch; a forgotten one is read again. The bytes of files are in `objects`."""

    def __init__(self, objects: Objects, compute: Compute, size: int = _ALL_BYTES) -> None:
        self._objects = objects
        self._compute = compute
        self._views: FairCache[tuple[int, str], View] = FairCache(
            size, lambda key, view: text_bytes(key[1]) + view.weigh()
        )

    def get(self, repository: Repository, branch: str) -> View | None:
        """Return what is known of a branch."""
        return self._views.get((repository.id, branch))

    def _put(self, repository: Repository, branch: str, view: View) -> None:
        """Keep the view of a branch, or weigh it anew after a change. It counts for the repository's installation."""
        self._views.put(repository.installation, (repository.id, branch), view)

    def open(self, repository: Repository, branch: str, paths: Sequence[str]) -> Snapshot | None:
        """Return the branch with the files at these paths if all are known, else None."""
        view = self.get(repository, branch)
        if view is None or not view.head or not repository.id or not all(path in view.entries for path in paths):
            return None
        return self._with(Snapshot(repository, branch, view.head, fresh=False), view, paths)

    async def read(self, snapshot: Snapshot, globs: Sequence[Glob], budget: Budget) -> tuple[Snapshot, list[Glob]]:
        """Add to `snapshot` the files of `globs` as far as they are known; return it, and the globs that are not.

        What wildcards match is found within `budget`. Raises InputError for one that matches too many files.
        """
        view = self.get(snapshot.repository, snapshot.branch)
        if view is None or view.head != snapshot.head:
            return snapshot, list(globs)
        listed = [glob for glob in globs if glob.literal is None and glob.pattern in view.listed]
        matched: dict[Glob, list[str]] = {}
        if listed:
            there = [path for path, entry in view.entries.items() if entry is not None]
            found = await self._compute.run(snapshot.repository, budget, jobs.match_each, listed, there)
            matched = dict(zip(listed, found, strict=True))
            view = self.get(snapshot.repository, snapshot.branch)
            if view is None or view.head != snapshot.head:  # it moved while we computed
                return snapshot, list(globs)
        unknown = []
        for glob in globs:
            if glob.literal is not None:
                paths = [glob.literal] if glob.literal in view.entries else None
            else:
                paths = matched.get(glob)
            known = self._with(snapshot, view, paths) if paths is not None else None
            if known is None:
                unknown.append(glob)
            else:
                snapshot = known
        return snapshot, unknown

    def keep(self, snapshot: Snapshot, paths: Iterable[str], globs: Iterable[Glob] = ()) -> None:
        """Keep what was read at the head of a branch: the files of `snapshot`, and which of `paths` do not exist."""
        if not snapshot.repository.id:
            return
        known = self.get(snapshot.repository, snapshot.branch)
        own = known.own if known is not None else deque(maxlen=_OWN)
        asked: dict[str, Entry | None] = {path: None for path in paths if path not in snapshot.files}
        found = {path: Entry(file.mode, file.oid, file.size) for path, file in snapshot.files.items() if file.oid}
        listed = {glob.pattern: glob for glob in globs if glob.literal is None}
        view = View(snapshot.head, {**asked, **found}, snapshot.folders, listed, own)
        if known is not None and known.head == snapshot.head:
            view = _merged(known, view)
        if view.weigh() > _MOST_BYTES:
            view = View("", own=own)
        self._put(snapshot.repository, snapshot.branch, view)

    def advance(self, repository: Repository, changeset: Changeset, commit: Commit) -> None:
        """Move a branch on to a commit of ours. If the commit is not on the known head, forget the branch."""
        view = self.get(repository, changeset.branch)
        if view is None:
            return
        if commit.parent != view.head:
            self.forget(repository, changeset.branch)
            return
        objects = self._objects.of(repository.installation)
        for path, change in changeset.files.items():
            if change.after is None:
                view.entries[path] = None
                continue
            oid = blob_oid(change.after)
            objects.keep_blob(oid, change.after)
            view.entries[path] = Entry(change.mode, oid, len(change.after))
        # A folder may have come with a new file, or gone with the last one.
        if any(change.before is None or change.after is None for change in changeset.files.values()):
            view.folders = frozenset()
        view.own.append(view.head)
        view.head = commit.oid
        self._put(repository, changeset.branch, view)

    def is_news(self, repository: Repository, branch: str, head: str) -> bool:
        """Whether a branch that is known moved to a commit that is not ours."""
        view = self.get(repository, branch)
        return view is not None and head != view.head and head not in view.own

    def forget(self, repository: Repository, branch: str) -> None:
        """Forget a branch: the next one who asks reads it."""
        view = self.get(repository, branch)
        if view is not None:
            self._put(repository, branch, View("", own=view.own))

    def _with(self, snapshot: Snapshot, view: View, paths: Iterable[str]) -> Snapshot | None:
        """Add the files at `paths`, all of which are known. Return None if the bytes of a file are no longer cached."""
        files = {}
        for path in paths:
            entry = view.entries[path]
            if entry is None:
                continue
            data = None
            if entry.mode not in {SYMLINK, SUBMODULE} and entry.size <= MAX_FILE_BYTES:
                data = self._objects.blobs.get(entry.oid)
                if data is None:
                    return None
            files[path] = File(entry.mode, entry.oid, data, entry.size)
        folders = view.folders.intersection(paths)
        return replace(
            snapshot, files=MappingProxyType({**snapshot.files, **files}), folders=snapshot.folders | folders
        )


def _merged(known: View, new: View) -> View:
    """Return what is known of a branch with what is new; if that is too much, what is new alone."""
    entries = known.entries | new.entries
    view = View(new.head, entries, known.folders | new.folders, known.listed | new.listed, new.own)
    many = len(entries) > max(_MOST, len(new.entries))
    return new if many or view.weigh() > _MOST_BYTES else view
