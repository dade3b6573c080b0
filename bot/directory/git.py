"""One local commit of just the files that changed, for a folder in a Git repository. Nothing is pushed.

Other changes stay as they are, staged ones staged, as after `git commit --only`. Hooks run and the repository's
configuration holds (filters, line endings, signing) as far as dulwich knows it. Importing this needs dulwich.
"""

from __future__ import annotations

import os
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from dulwich.errors import CommitError, HookError, NotGitRepository, NotTreeError
from dulwich.file import FileLocked
from dulwich.ignore import IgnoreFilterManager
from dulwich.index import index_entry_from_stat
from dulwich.object_store import commit_tree_changes, tree_lookup_path
from dulwich.objects import Blob, Commit, SubmoduleEncountered, Tree
from dulwich.repo import Repo

from bot.core.snapshot import EXECUTABLE, REGULAR
from bot.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dulwich.config import StackedConfig
    from dulwich.objects import ObjectID

    from bot.core.changeset import FileChange
    from bot.core.mapping import Person
    from bot.core.message import CommitMessage


@dataclass(frozen=True, slots=True)
class Prepared:
    """A commit that can be made once the files are written.

    `blobs` has the (mode, oid) of each path in the tree, None for one that is not in it any more.
    """

    tree: ObjectID
    blobs: Mapping[bytes, tuple[int, ObjectID] | None]
    message: bytes
    author: bytes
    committer: bytes


class GitRepository:
    """The Git repository that `folder` is in, and who commits: `name` and `email`, each "" for whoever else is known.

    Raises InputError where there is none with files beside it, or a merge is under way in it.
    """

    def __init__(self, folder: Path, name: str = "", email: str = "") -> None:
        self._name, self._email = name, email
        try:
            with Repo.discover(folder) as repository:
                self._root = Path(repository.path).resolve()
                bare, control = repository.bare, Path(repository.controldir())
        except NotGitRepository:
            raise InputError(f"--commit: the folder '{folder}' is in no Git repository") from None
        if bare:
            raise InputError(f"--commit: the Git repository of '{folder}' is bare: it has no files to commit")
        if (control / "MERGE_HEAD").exists():
            raise InputError("--commit: a merge is under way in the Git repository; conclude or abort it first")
        self._prefix = folder.resolve().relative_to(self._root)

    def prepare(self, files: Mapping[str, FileChange], message: CommitMessage) -> Prepared:
        """Return the commit of changes by path below the folder: nothing but unreferenced objects is written.

        Raises InputError for what Git would not take: a path in a submodule, one that is ignored, and where nobody is
        named who commits.
        """
        with Repo(self._root) as repository:
            config = repository.get_config_stack()
            people = [
                self._identity(person, config) for person in (message.author, message.committer or message.author)
            ]
            head = _head_tree(repository)
            ignored, normalizer = IgnoreFilterManager.from_repo(repository), repository.get_blob_normalizer()
            index = repository.open_index()
            blobs: dict[bytes, tuple[int, ObjectID] | None] = {}
            for path, change in files.items():
                place = (self._prefix / path).as_posix()
                name = os.fsencode(place)
                mode = _mode(repository, head, name)
                if change.after is None:
                    blobs[name] = None
                    continue
                if mode is None and name not in index and ignored.is_ignored(place):
                    raise InputError(f"--commit: Git ignores {place}: change .gitignore, or leave the file out")
                blob = normalizer.checkin_normalize(Blob.from_string(change.after), name)
                repository.object_store.add_object(blob)
                blobs[name] = (mode or change.mode, blob.id)
            changes = _tree_changes(repository, head, blobs)
            tree = commit_tree_changes(repository.object_store, head or Tree(), changes)
            return Prepared(tree, blobs, f"{message.text.rstrip()}\n".encode(), *people)

    def commit(self, prepared: Prepared) -> str:
        """Commit what was prepared, now that the files are written; return its oid, "" where HEAD has all of it.

        Raises InputError where the repository refuses: a hook does, or another process has it locked.
        """
        try:
            with Repo(self._root) as repository:
                if prepared.tree == _head_tree(repository):
                    return ""
                index = repository.open_index()
                for name, blob in prepared.blobs.items():
                    if blob is not None:
                        status = os.lstat(self._root / os.fsdecode(name))
                        index[name] = index_entry_from_stat(status, blob[1], mode=blob[0])
                    elif name in index:
                        del index[name]
                index.write()
                made = repository.get_worktree().commit(
                    message=prepared.message,
                    author=prepared.author,
                    committer=prepared.committer,
                    commit_timezone=time.localtime().tm_gmtoff,
                    tree=prepared.tree,
                )
        except FileLocked as error:
            reason = f"another process has locked it; if none runs any more, remove {os.fsdecode(error.lockfilename)}"
        except (CommitError, HookError, OSError, subprocess.SubprocessError) as error:
            reason = str(error)
        else:
            return made.decode()
        raise InputError(f"--commit: the files are written, but the Git repository takes no commit: {reason}")

    def _identity(self, person: Person | None, config: StackedConfig) -> bytes:
        """Return `name <email>`: the one who is given, else `person`, else who the configuration names."""
        name = self._name or (person.name if person else "") or _user(config, b"name")
        email = self._email or (person.email if person else "") or _user(config, b"email")
        missing = [option for option, value in (("--committer-name", name), ("--committer-email", email)) if not value]
        if missing:
            raise InputError(f"--commit: nobody is named who commits: give {' and '.join(missing)}")
        if any(character in "<>" or not character.isprintable() for character in name + email):
            sentence = f"--commit: {name!r} with {email!r} cannot be who commits: leave <, > and line breaks out"
            raise InputError(sentence)
        return f"{name} <{email}>".encode()


def _user(config: StackedConfig, key: bytes) -> str:
    try:
        return config.get((b"user",), key).decode(errors="replace").strip()
    except KeyError:
        return ""


def _head_tree(repository: Repo) -> ObjectID | None:
    """Return the tree of HEAD, None before the first commit."""
    try:
        head = repository[repository.head()]
    except KeyError:
        return None
    return head.tree if isinstance(head, Commit) else None


def _tree_changes(
    repository: Repo, head: ObjectID | None, blobs: Mapping[bytes, tuple[int, ObjectID] | None]
) -> list[tuple[bytes, int | None, ObjectID | None]]:
    """Return what differs from the tree of HEAD: a file that is to go and was never committed does not."""
    present = {name: blob for name, blob in blobs.items() if blob or _mode(repository, head, name) is not None}
    return [(name, *(blob or (None, None))) for name, blob in present.items()]


def _mode(repository: Repo, head: ObjectID | None, name: bytes) -> int | None:
    """Return the mode that a file has in HEAD, None where it is no file there: what is on disk counts then."""
    if head is None:
        return None
    try:
        mode, _ = tree_lookup_path(repository.object_store.__getitem__, head, name)
    except (KeyError, NotTreeError):
        return None
    except SubmoduleEncountered as error:
        submodule, path = os.fsdecode(error.path), os.fsdecode(name)
        raise InputError(f"--commit: {path} is in the submodule {submodule}, which has commits of its own") from None
    return mode if mode in {REGULAR, EXECUTABLE} else None
