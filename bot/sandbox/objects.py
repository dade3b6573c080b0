"""The git objects of a repository: trees, blobs, commits and how they descend, read and written through dulwich."""

from __future__ import annotations

import stat
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dulwich.diff_tree import tree_changes
from dulwich.errors import NotTreeError
from dulwich.graph import can_fast_forward, find_merge_base
from dulwich.index import validate_path, validate_path_element_hfs, validate_path_element_ntfs
from dulwich.object_store import tree_lookup_path
from dulwich.objects import Blob, Commit, ObjectID, SubmoduleEncountered, Tree

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from dulwich.objects import ShaFile, TreeEntry
    from dulwich.repo import Repo

FILE, EXECUTABLE, SYMLINK, SUBMODULE, DIRECTORY = 0o100644, 0o100755, 0o120000, 0o160000, 0o040000
EMPTY_TREE = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"
OID_LENGTH = 40
HEADS = "refs/heads/"
ZERO = "0" * OID_LENGTH


@dataclass(frozen=True, slots=True)
class Person:
    """An author or committer: `when` is in seconds since the epoch (UTC), now where it is not given."""

    name: str
    email: str
    when: int | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of a tree.

    `path` is relative to the tree that was asked for; `size` is in bytes, None unless a blob.
    """

    path: str
    mode: int
    oid: str
    size: int | None = None

    @property
    def type(self) -> str:
        """`tree`, `commit` (a submodule) or `blob`, as git names them."""
        return {DIRECTORY: "tree", SUBMODULE: "commit"}.get(self.mode, "blob")


# The person whose token and foreign commits the sandbox has: GitHub's own mascot.
OCTOCAT = Person("The Octocat", "583231+octocat@users.noreply.github.com")


def is_malformed(path: str) -> bool:
    """Say whether git refuses a path: absolute, with empty parts, `.`, `..` or `.git`, as any file system spells it.

    GitHub takes none that are `.git` to macOS or Windows:
    https://github.blog/2014-12-18-vulnerability-announced-update-your-git-clients/
    """
    if any(part.lower() in {"", ".", ".."} for part in path.split("/")) or "\0" in path:
        return True
    name = path.encode(errors="replace")
    return not (validate_path(name, validate_path_element_ntfs) and validate_path(name, validate_path_element_hfs))


class Objects:
    """Reads and writes git objects; oids are 40 hexadecimal digits."""

    git: Repo
    full_name: str

    # -- reading

    def object(self, oid: str) -> ShaFile | None:
        """Give the git object with this full oid, None if there is none."""
        if len(oid) != OID_LENGTH or set(oid) - set("0123456789abcdef"):
            return None
        try:
            return self.git[ObjectID(oid.encode())]
        except KeyError:
            return None

    def commit_object(self, oid: str) -> Commit:
        """Give the commit with this oid; KeyError if there is none."""
        found = self.object(oid)
        if not isinstance(found, Commit):
            raise KeyError(f"{self.full_name} has no commit {oid}")
        return found

    def blob(self, oid: str) -> bytes:
        """Give the bytes of the blob with this oid; KeyError if there is none."""
        found = self.object(oid)
        if not isinstance(found, Blob):
            raise KeyError(f"{self.full_name} has no blob {oid}")
        return found.data

    def tree_of(self, commit: str) -> str:
        """Give the oid of a commit's tree."""
        tree: bytes = self.commit_object(commit).tree
        return tree.decode()

    def entry(self, tree: str, path: str) -> Entry | None:
        """Give what lies at `path` below a tree (the tree itself for the empty path), None if nothing does."""
        if not path:
            return Entry("", DIRECTORY, tree)
        try:
            mode, oid = tree_lookup_path(self.git.object_store.__getitem__, ObjectID(tree.encode()), path.encode())
        except (KeyError, NotTreeError, SubmoduleEncountered):
            return None
        return self._entry(path, mode, oid.decode())

    def entries(self, tree: str, *, recursive: bool = False, prefix: str = "") -> Iterator[Entry]:
        """Give the entries of a tree in git's order, each sub-tree before what lies in it if recursive."""
        found = self.object(tree)
        if not isinstance(found, Tree):
            raise KeyError(f"{self.full_name} has no tree {tree}")
        for item in found.items():
            path, oid = prefix + item.path.decode(errors="replace"), item.sha.decode()
            yield self._entry(path, item.mode, oid)
            if recursive and stat.S_ISDIR(item.mode):
                yield from self.entries(oid, recursive=True, prefix=path + "/")

    def _entry(self, path: str, mode: int, oid: str) -> Entry:
        if mode in {DIRECTORY, SUBMODULE}:
            return Entry(path, mode, oid)
        return Entry(path, mode, oid, len(self.blob(oid)))

    def changes(self, old: str | None, new: str) -> Iterator[tuple[Entry | None, Entry | None]]:
        """Give (before, after) of each file that differs between two commits, by path; None for the empty tree."""
        before = None if old is None else ObjectID(self.tree_of(old).encode())
        for change in tree_changes(self.git.object_store, before, ObjectID(self.tree_of(new).encode())):
            yield self._side(change.old), self._side(change.new)

    def _side(self, side: TreeEntry | None) -> Entry | None:
        if side is None or side.path is None:
            return None
        return self._entry(side.path.decode(errors="replace"), side.mode, side.sha.decode())

    def paths_changed(self, oid: str) -> tuple[str, ...]:
        """Give the paths a commit changed against its first parent, sorted."""
        parents = self.commit_object(oid).parents
        pairs = self.changes(parents[0].decode() if parents else None, oid)
        return tuple(sorted({entry.path for pair in pairs for entry in pair if entry}))

    def history(self, oid: str, without: Collection[str] = ()) -> Iterator[str]:
        """Give the oids of a commit and all that it descends from, newest first, less what `without` reaches."""
        exclude = [ObjectID(other.encode()) for other in without]
        for step in self.git.get_walker(include=[ObjectID(oid.encode())], exclude=exclude, order="topo"):
            yield step.commit.id.decode()

    def merge_base(self, one: str, other: str) -> str | None:
        """Give the best common ancestor of two commits, None if they have none."""
        found = find_merge_base(self.git, [ObjectID(oid.encode()) for oid in (one, other)])
        return found[0].decode() if found else None

    # -- writing

    def write_blob(self, content: bytes) -> str:
        """Store a blob; give its oid."""
        blob = Blob.from_string(content)
        self.git.object_store.add_object(blob)
        return blob.id.decode()

    def write_tree(self, base: str | None, changes: Mapping[str, tuple[int, str] | None]) -> str:
        """Store `base` (the empty tree if None) with paths set to (mode, oid) or, by None, removed; give its oid.

        KeyError names a path to remove that is not there. A tree left empty goes with its last file.
        """
        tree = Tree()
        for entry in self.entries(base) if base else ():
            tree[entry.path.encode()] = (entry.mode, ObjectID(entry.oid.encode()))
        below: dict[str, dict[str, tuple[int, str] | None]] = {}
        for path, change in changes.items():
            name, slash, rest = path.partition("/")
            if slash:
                below.setdefault(name, {})[rest] = change
            elif change is None:
                del tree[name.encode()]
            else:
                tree[name.encode()] = (change[0], ObjectID(change[1].encode()))
        for name, inner in below.items():
            old = self._subtree(tree, name)
            oid = self.write_tree(old, inner)
            if oid != EMPTY_TREE:
                tree[name.encode()] = (DIRECTORY, ObjectID(oid.encode()))
            elif old is not None:
                del tree[name.encode()]
        self.git.object_store.add_object(tree)
        return tree.id.decode()

    @staticmethod
    def _subtree(tree: Tree, name: str) -> str | None:
        if name.encode() not in tree:
            return None
        mode, oid = tree[name.encode()]
        # A file in the place of a folder gives way to it, as in git.
        return oid.decode() if stat.S_ISDIR(mode) else None

    def write_commit(self, tree: str, parents: Collection[str], message: str, people: tuple[Person, Person]) -> str:
        """Store a commit by `people` (author, committer); give its oid. No ref moves."""
        now = int(time.time())
        author, committer = people
        commit = Commit()
        commit.tree = ObjectID(tree.encode())
        commit.parents = [ObjectID(parent.encode()) for parent in parents]
        commit.author = f"{author.name} <{author.email}>".encode()
        commit.committer = f"{committer.name} <{committer.email}>".encode()
        commit.author_time = now if author.when is None else author.when
        commit.commit_time = now if committer.when is None else committer.when
        commit.author_timezone = commit.commit_timezone = 0
        commit.encoding = b"UTF-8"
        commit.message = message.encode()
        self.git.object_store.add_object(commit)
        return commit.id.decode()

    def is_fast_forward(self, old: str, new: str) -> bool:
        """Say whether `new` descends from `old`."""
        return can_fast_forward(self.git, ObjectID(old.encode()), ObjectID(new.encode()))
