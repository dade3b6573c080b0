"""A plain folder as a Forge, for the command line: what a rule would do, without GitHub."""

from __future__ import annotations

import errno
import os
import secrets
import stat
from contextlib import suppress
from dataclasses import replace
from pathlib import Path, PurePosixPath
from types import MappingProxyType
from typing import TYPE_CHECKING

from bot.core.glob import Globs
from bot.core.model import Actor, Repository
from bot.core.near_paths import FOLDER
from bot.core.outcome import Commit, Landed
from bot.core.snapshot import EXECUTABLE, MAX_FILE_BYTES, REGULAR, SYMLINK, File, Snapshot, matching
from bot.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from datetime import datetime

    from bot.core.changeset import Changeset, FileChange
    from bot.core.glob import Glob
    from bot.core.mapping import Strategy
    from bot.core.message import CheckRun, CommitMessage
    from bot.core.meter import Budget
    from bot.directory.git import GitRepository


# As many as GitHub lists: https://docs.github.com/en/rest/git/trees#get-a-tree
MOST_PATHS = 100_000


def operator() -> Actor:
    """Return the actor of the command line: whoever may write the folder needs no further proof."""
    return Actor(via="terminal", login="")


class Directory:
    """The files below `root`, as if they were the head of `branch`. Nothing below a symlink is read or written.

    What changes is written to the path of the file with `suffix` behind it, and committed to `git` where that is given.
    Raises InputError where `root` is no folder, and for a suffix that is not part of a file's name.
    """

    def __init__(self, root: Path, branch: str = "", suffix: str = "", git: GitRepository | None = None) -> None:
        if not root.is_dir():
            raise InputError(f"there is no folder '{root}'")
        if "/" in suffix or "\\" in suffix or not suffix.isprintable():
            raise InputError(f"a suffix such as .new is put behind the name of a file; {suffix!r} cannot be")
        self._root, self._suffix, self._git = root, suffix, git
        self.repository = Repository(id=0, full_name=root.resolve().name, default_branch=branch, installation=0)

    @property
    def at_once(self) -> int:
        """How many branches may be written to at a time: there is one."""
        return 1

    async def ready(self, repository: Repository) -> None:
        """Return: a folder has no limits."""
        del repository

    async def open(
        self, repository: Repository, paths: Sequence[str], branch: str = "", *, remembered: bool = False
    ) -> Snapshot:
        """Return a snapshot with the files at `paths` as far as they exist. Raises InputError for another branch."""
        del remembered  # nothing is
        own = self.repository.default_branch
        if branch not in {"", own}:
            stands = f"the branch '{own}'" if own else "the default branch"
            raise InputError(f"the folder stands for {stands}; what goes to '{branch}' is not in it")
        return self._with(Snapshot(repository, branch=own, head=""), paths)

    async def read(self, snapshot: Snapshot, globs: Sequence[Glob], budget: Budget) -> Snapshot:
        """Return `snapshot` with every file that one of `globs` matches, for however long that takes."""
        del budget
        literal = [glob.literal for glob in globs if glob.literal is not None]
        wild = Globs([glob for glob in globs if glob.literal is None])
        found = matching(wild.globs, self._walk("", wild)) if wild.globs else []
        return self._with(snapshot, [*literal, *found])

    async def modes(self, snapshot: Snapshot, folders: Sequence[str] | None = None) -> Mapping[str, int]:
        """Return the Git mode of each path in these folders ("" is the root); None: in all folders.

        If there are more than MOST_PATHS, only so many are returned. What cannot be read has no paths.
        """
        del snapshot
        modes: dict[str, int] = {}
        left = [*(("",) if folders is None else folders)]
        while left and len(modes) < MOST_PATHS:
            folder = left.pop(0)
            for path, mode in self._entries(folder):
                modes[path] = mode
                if folders is None and mode == FOLDER:
                    left.append(path)
        return modes

    def _entries(self, folder: str) -> list[tuple[str, int]]:
        """Return what is in a folder, each with its Git mode, sorted; nothing below `.git`."""
        try:
            entries = sorted(os.scandir(self._root / folder), key=lambda entry: entry.name)
            return [
                (f"{folder}/{entry.name}" if folder else entry.name, _mode(entry))
                for entry in entries
                if folder or entry.name != ".git"
            ]
        except OSError:
            return []

    async def organization_file(self, repository: Repository, path: str) -> File | None:
        """Return None: a folder has no owner."""
        del repository, path
        return None

    async def commit(
        self, repository: Repository, changeset: Changeset, message: CommitMessage, strategy: Strategy = "auto"
    ) -> Commit:
        """Write the files, each replaced whole, so that no reader sees half of one; then commit them, if that is asked.

        Folders are made for files that come, and go with the last of their files, as Git has it. A file that goes stays
        where texts are written beside. Raises InputError where a file cannot be written or deleted; what could be known
        to fail is tried before any is replaced. The `strategy` is how GitHub would be asked.
        """
        del repository, strategy
        kept = {
            path: change for path, change in changeset.files.items() if change.after is not None or not self._suffix
        }
        files = {path + self._suffix: change for path, change in kept.items()}
        prepared = self._git.prepare(files, message) if self._git else None
        self._write(files)
        oid = self._git.commit(prepared) if self._git and prepared else ""
        return Commit(oid=oid, url="", parent="")

    def _write(self, files: Mapping[str, FileChange]) -> None:
        """Write or delete files by their paths, which have the suffix already."""
        written: dict[Path, Path] = {}
        made: list[Path] = []
        goes = [self._root / path for path, change in files.items() if change.after is None]
        file = self._root
        try:
            for path, change in files.items():
                file = self._root / path
                self._check(file, change)
                if change.after is not None:
                    made += _make_folders(file) if change.before is None else []
                    written[file] = written_beside(self._root / change.path, change.after)
            for file, temporary in written.items():
                temporary.replace(file)
            made.clear()
            for file in goes:
                file.unlink()
                _remove_empty(self._above(file))
        except OSError as error:
            raise InputError(f"cannot {'delete' if file in goes else 'write'} {file}: {error.strerror}") from error
        finally:
            for temporary in written.values():
                temporary.unlink(missing_ok=True)
            _remove_empty(reversed(made))

    def _check(self, file: Path, change: FileChange) -> None:
        """Raise OSError where it is known that a file cannot be written, or deleted."""
        if file.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        if change.before is None:
            if os.path.lexists(self._root / change.path):
                raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST))
            if any(os.path.lexists(parent) and not _is_folder(parent) for parent in self._above(file)):
                raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
        if change.after is None:
            file.lstat()
            if not os.access(file.parent, os.W_OK | os.X_OK):
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    def _above(self, file: Path) -> Sequence[Path]:
        """Return the folders between a file and the root, the innermost first."""
        return file.parents[: len(file.relative_to(self._root).parts) - 1]

    async def landed(self, repository: Repository, branch: str, base: str) -> Landed:
        """Return nothing: what is written to a folder is written when `commit` returns."""
        del repository, branch
        return Landed(base, {})

    async def pushed(self, repository: Repository, branch: str, head: str) -> None:
        """Do nothing: what is in the folder is read each time."""
        del repository, branch, head

    async def report(self, repository: Repository, check_run: CheckRun, at: datetime | None = None) -> None:
        """Do nothing: the command line prints."""
        del repository, check_run, at

    async def reported(self, repository: Repository, check_run: CheckRun, at: datetime) -> bool:
        """Return True: nothing is left to be said."""
        del repository, check_run, at
        return True

    def _with(self, snapshot: Snapshot, paths: Sequence[str]) -> Snapshot:
        files = {path: file for path in paths if (file := self._file(path)) is not None}
        folders = {path for path in paths if path not in files and (self._root / path).is_dir()}
        return replace(
            snapshot,
            files=MappingProxyType({**snapshot.files, **files}),
            folders=snapshot.folders | folders,
        )

    def _file(self, path: str) -> File | None:
        file = self._root / path
        parents = [self._root / parent for parent in PurePosixPath(path).parents]
        try:
            if any(parent.is_symlink() for parent in parents[:-1]):
                return None  # Git has no path through a symlink either
            status = file.lstat()
            mode = status.st_mode
            if stat.S_ISLNK(mode):
                return File(SYMLINK, oid="")
            if not stat.S_ISREG(mode):
                return None
            data = file.read_bytes() if status.st_size <= MAX_FILE_BYTES else None
            return File(EXECUTABLE if mode & stat.S_IXUSR else REGULAR, "", data, status.st_size)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise InputError(f"cannot read {file}: {error.strerror}") from error

    def _walk(self, directory: str, globs: Globs) -> Iterator[str]:
        try:
            entries = sorted(os.scandir(self._root / directory), key=lambda entry: entry.name)
        except OSError as error:
            raise InputError(f"cannot read {self._root / directory}: {error.strerror}") from error
        for entry in entries:
            path = f"{directory}/{entry.name}" if directory else entry.name
            if not entry.is_dir(follow_symlinks=False):
                yield path
            elif globs.may_contain(path):
                yield from self._walk(path, globs)


def _mode(entry: os.DirEntry[str]) -> int:
    if entry.is_symlink():
        return SYMLINK
    return FOLDER if entry.is_dir(follow_symlinks=False) else REGULAR


def _is_folder(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()


def _make_folders(file: Path) -> list[Path]:
    """Make the folders that a file needs, and return those that were not there, the outermost first."""
    missing = [parent for parent in reversed(file.parents) if not parent.exists()]
    file.parent.mkdir(parents=True, exist_ok=True)
    return missing


def _remove_empty(folders: Iterable[Path]) -> None:
    """Remove folders in this order, up to the first one that is not empty."""
    with suppress(OSError):
        for folder in folders:
            folder.rmdir()


def written_beside(file: Path, data: bytes) -> Path:
    """Write a new file in the same folder, with the same mode, that of any new one where there is none yet.

    Nothing has its name, so no link is followed.
    """
    temporary = file.parent / f".pointsman-{secrets.token_hex(8)}"
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(data)
        if file.exists():
            temporary.chmod(stat.S_IMODE(file.stat().st_mode))
    except OSError:
        temporary.unlink()
        raise
    return temporary
