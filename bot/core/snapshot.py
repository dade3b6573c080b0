"""A repository at one commit, as far as it was read: the only view of a repository that decisions see."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import TYPE_CHECKING

from bot.core.glob import Globs
from bot.core.protected import below_dot_github
from bot.errors import InputError, TooMuchError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from bot.core.changeset import Changeset
    from bot.core.glob import Glob
    from bot.core.model import Repository

# The modes that Git knows for tree entries: https://git-scm.com/book/en/v2/Git-Internals-Git-Objects#_tree_objects
REGULAR = 0o100644
EXECUTABLE = 0o100755
SYMLINK = 0o120000
SUBMODULE = 0o160000

# One operation of a mapping changes so many files at most, and none that is larger; more is never read either.
MAX_FILES = 500
MAX_FILE_BYTES = 4_000_000
# The bytes of all files that are read of a branch at a time.
MAX_READ_BYTES = 32_000_000


@dataclass(frozen=True, slots=True)
class File:
    """A tree entry that is no directory.

    `data` is None where the bytes were not read: a symlink's, a submodule's, and those of a file larger than
    MAX_FILE_BYTES. `size` is in bytes.
    """

    mode: int
    oid: str
    data: bytes | None = None
    size: int = 0


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Files of `branch` at the commit `head` (40 hex digits; a plain folder has none: "").

    `files` has every path that was asked for and exists, and every path that a glob asked for matched. A path that is
    not in it does not exist, as far as it was asked for. `folders` are those of the paths asked for that are folders.
    `fresh` says that the head was asked for just now, not remembered: a commit on a remembered one is refused if the
    branch moved, but that nothing is to be done must not rest on it.
    """

    repository: Repository
    branch: str
    head: str
    files: Mapping[str, File] = field(default_factory=lambda: MappingProxyType({}))
    folders: frozenset[str] = frozenset()
    fresh: bool = True

    @property
    def size(self) -> int:
        """The bytes of the files that were read."""
        return sum(file.size for file in self.files.values() if file.data is not None)

    def check_room(self, sizes: Iterable[int]) -> None:
        """Raise TooMuchError if files of these sizes have no room beside those that were read."""
        size = self.size + sum(size for size in sizes if size <= MAX_FILE_BYTES)
        if size > MAX_READ_BYTES:
            raise TooMuchError(
                f"the files that are named on '{self.branch}' have {size:,} bytes together, and {MAX_READ_BYTES:,} may "
                "be read at a time: name fewer or smaller files"
            )

    def with_(self, changeset: Changeset) -> Snapshot:
        """Return the view that the next delivery of the same drain has: as if `changeset` were committed."""
        files = dict(self.files)
        for path, change in changeset.files.items():
            if change.after is None:
                files.pop(path, None)
            else:
                files[path] = File(change.mode, "", change.after, len(change.after))
        return replace(self, files=MappingProxyType(files))


def matching(globs: Sequence[Glob], paths: Iterable[str]) -> list[str]:
    """Return those of `paths` that a glob means, sorted; none below `.github/`, which no glob reaches.

    What else rules may not write is left out by `changeset`, which says so.

    Raises InputError where one glob means more than MAX_FILES: before any of them is read.
    """
    meant = [path for path in Globs(globs).filter(sorted(paths)) if not below_dot_github(path)]
    if len(meant) > MAX_FILES:
        for glob in globs:
            count = len(Globs([glob]).filter(meant))
            if count > MAX_FILES:
                raise InputError(
                    f"the glob '{glob.pattern}' matches {count:,} files; {MAX_FILES} at most may change at once"
                )
    return meant
