"""A repository of the sandbox: its refs, which move by compare-and-swap, and what GitHub keeps beside them."""

from __future__ import annotations

import shutil
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from dulwich.file import FileLocked
from dulwich.objects import Commit, ObjectID
from dulwich.refs import Ref
from dulwich.repo import Repo

from bot.sandbox.events import repository_payload
from bot.sandbox.objects import FILE, HEADS, OCTOCAT, SUBMODULE, SYMLINK, ZERO, Objects
from bot.sandbox.rules import Rule
from bot.sandbox.shapes import Shapes

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping
    from pathlib import Path

    from bot.sandbox.faults import Fault
    from bot.sandbox.sandbox import Sandbox


PUSHES_KEPT = 10_000


@dataclass(frozen=True, slots=True)
class LogEntry:
    """A commit as `Repository.log` tells it; `paths` are those that differ from the first parent."""

    oid: str
    message: str
    author: str
    committer: str
    parents: tuple[str, ...]
    paths: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Push:
    """A branch that moved: `before` and `after` are oids (zeros where it was made or deleted), `by` who moved it."""

    ref: str
    before: str
    after: str
    by: str


@dataclass
class Repository(Objects):
    """A bare repository with what GitHub keeps beside it: id, visibility, rules, check runs.

    `protected` has the rules of each branch that has any, `push_rules` those for every push. `pushes`
    has when (by the sandbox's clock) each branch moved lately: GitHub recommends six a minute at most, and enforces
    nothing, https://docs.github.com/en/repositories/creating-and-managing-repositories/repository-limits
    """

    sandbox: Sandbox = field(repr=False, compare=False)
    id: int
    full_name: str
    path: Path
    default_branch: str = "main"
    private: bool = True
    installed: bool = True
    archived: bool = False
    protected: dict[str, list[Rule]] = field(default_factory=dict)
    push_rules: list[Rule] = field(default_factory=list)
    on_push: Callable[[Repository, Push], None] | None = None
    runs: list[dict[str, Any]] = field(default_factory=list)
    pushes: deque[tuple[float, Push]] = field(default_factory=lambda: deque(maxlen=PUSHES_KEPT))

    def __post_init__(self) -> None:
        if self.path.exists():
            self.git = Repo(str(self.path))
        else:
            self.path.mkdir(parents=True)
            self.git = Repo.init_bare(str(self.path), default_branch=self.default_branch.encode())
        self.created = int(self.path.stat().st_ctime)

    @property
    def owner(self) -> str:
        """The part of `full_name` before the slash."""
        return self.full_name.partition("/")[0]

    @property
    def name(self) -> str:
        """The part of `full_name` after the slash."""
        return self.full_name.partition("/")[2]

    def branches(self) -> dict[str, str]:
        """Give every branch's name and head oid, by name."""
        refs = self.git.refs.as_dict(Ref(HEADS.encode()))
        return {name.decode(): oid.decode() for name, oid in sorted(refs.items())}

    def ref(self, name: str) -> str | None:
        """Give the oid a full ref name (`refs/heads/main`) points to, None if there is no such ref."""
        try:
            return self.git.refs[Ref(name.encode())].decode()
        except KeyError:
            return None

    def head(self, branch: str | None = None) -> str:
        """Give the oid a branch (the default branch if None) points to; KeyError names a branch that is not there."""
        branch = branch or self.default_branch
        oid = self.ref(HEADS + branch)
        if oid is None:
            raise KeyError(f"{self.full_name} has no branch {branch!r}; it has {sorted(self.branches())}")
        return oid

    def resolve(self, name: str) -> str | None:
        """Give the commit oid meant by a branch, a tag, a full ref, `HEAD` or a full oid, None if nothing is."""
        if name == "HEAD":
            return self.ref(HEADS + self.default_branch)
        for prefix in (HEADS, "refs/tags/", "refs/", ""):
            oid = self.ref(prefix + name) if prefix or name.startswith("refs/") else None
            if oid is not None:
                return oid
        return name if isinstance(self.object(name), Commit) else None

    def read(self, path: str, branch: str | None = None) -> bytes:
        """Give the bytes of a file at a branch's head; KeyError says what is missing."""
        entry = self.entry(self.tree_of(self.head(branch)), path)
        if entry is None or entry.type != "blob":
            raise KeyError(f"{self.full_name} has no file {path!r} on {branch or self.default_branch}")
        return self.blob(entry.oid)

    def log(self, branch: str | None = None) -> list[LogEntry]:
        """Give the commits of a branch, newest first."""
        return [self._log_entry(oid) for oid in self.history(self.head(branch))]

    def _log_entry(self, oid: str) -> LogEntry:
        commit = self.commit_object(oid)
        return LogEntry(
            oid,
            commit.message.decode(errors="replace"),
            commit.author.decode(errors="replace"),
            commit.committer.decode(errors="replace"),
            tuple(parent.decode() for parent in commit.parents),
            self.paths_changed(oid),
        )

    def check_runs(self, oid: str | None = None) -> list[dict[str, Any]]:
        """Give the check runs (GitHub's JSON, without links) of a commit, or all, oldest first."""
        return [run for run in self.runs if oid in {None, run["head_sha"]}]

    # -- writing

    def move(self, ref: str, before: str | None, after: str, by: str) -> bool:
        """Let a ref point to `after` if it still points to `before` (None: does not exist yet); say whether it does.

        A branch that moved is told to the webhooks; `by` is the login of who moved it.
        """
        refs, name = self.git.refs, Ref(ref.encode())
        try:
            if before is None:
                moved = refs.add_if_new(name, ObjectID(after.encode()))
            else:
                moved = refs.set_if_equals(name, ObjectID(before.encode()), ObjectID(after.encode()))
        except FileLocked:  # another writer is moving it at this moment
            moved = False
        if moved and self.on_push:
            self.on_push(self, Push(ref, before or ZERO, after, by))
        return moved

    def commit(
        self,
        files: Mapping[str, str | bytes],
        message: str,
        branch: str | None = None,
        delete: Collection[str] = (),
        modes: Mapping[str, int] | None = None,
    ) -> str:
        """Commit as a person would push: files with their new content, paths to delete; give the new head's oid.

        A path in `modes` gets that mode, any other keeps its own (0o100644 if new). For a submodule
        (0o160000) the content is the oid of the commit it points to. The branch is made if there is none.
        """
        branch = branch or self.default_branch
        before = self.ref(HEADS + branch)
        tree = self.tree_of(before) if before else None
        changes: dict[str, tuple[int, str] | None] = dict.fromkeys(delete)
        for path, content in files.items():
            data = content.encode() if isinstance(content, str) else content
            old = self.entry(tree, path) if tree else None
            mode = (modes or {}).get(path, old.mode if old and old.type == "blob" else FILE)
            changes[path] = (mode, data.decode() if mode == SUBMODULE else self.write_blob(data))
        new = self.write_tree(tree, changes)
        oid = self.write_commit(new, [before] if before else [], message, (OCTOCAT, OCTOCAT))
        if not self.move(HEADS + branch, before, oid, "octocat"):
            raise RuntimeError(f"{branch} of {self.full_name} moved while {message!r} was committed: commit again")
        return oid

    def commit_before_next_write(
        self, files: Mapping[str, str | bytes], message: str = "A person was faster", branch: str | None = None
    ) -> Fault:
        """Commit `files` as a person would, just before the next request that would move a branch here is handled.

        So it comes between that writer's read and its write. Give the fault that waits for it.
        """
        return self.sandbox.before(lambda: self.commit(files, message, branch), repository=self.id, moves=True)

    def force_push(self, oid: str, branch: str | None = None) -> None:
        """Let a branch (the default branch if None) point to any commit, as `git push --force` does.

        KeyError tells which branch or commit is not there; RuntimeError if the branch moved at this very moment.
        """
        branch = branch or self.default_branch
        after = self.commit_object(oid).id.decode()
        if not self.move(HEADS + branch, self.head(branch), after, "octocat"):
            raise RuntimeError(f"{branch} of {self.full_name} moved while it was pushed to: push again")

    def symlink(self, path: str, target: str, branch: str | None = None) -> str:
        """Commit a symbolic link at `path` that points to `target`; give the new head's oid."""
        return self.commit({path: target}, f"Link {path} to {target}", branch, modes={path: SYMLINK})

    def create_branch(self, branch: str, at: str | None = None) -> str:
        """Make a branch at a commit (the default branch's head if None); give its oid, ValueError if it is there."""
        oid = at or self.head()
        if not self.move(HEADS + branch, None, oid, "octocat"):
            raise ValueError(f"{self.full_name} already has a branch {branch!r}")
        return oid

    def protect(self, branch: str | None = None, kind: str = "pull request", *, classic: bool = False) -> None:
        """Give a branch (the default branch if None) one more rule, a key of `rules.BRANCH_RULES`.

        By a ruleset, or by a classic branch protection rule: GitHub's errors tell them apart. ValueError names the
        rules if there is none of that kind.
        """
        self.protected.setdefault(branch or self.default_branch, []).append(Rule(kind, classic))
        self.sandbox.save()

    def restrict_pushes(self, kind: str, value: str | int = "") -> None:
        """Refuse all pushes with certain files, by a key of `rules.PUSH_RULES`; ValueError if there is none.

        `value` is a pattern of paths, an extension without dot, or the largest size in bytes.
        """
        self.push_rules.append(Rule(kind, value=value))
        self.sandbox.save()

    # -- what an owner does on its settings page, told to the App where it hears `repository` events

    def rename(self, name: str) -> None:
        """Give it another name below the same owner; ValueError if that is taken.

        Under the old name REST redirects, and GraphQL and git find it, until another repository gets that name.
        """
        changes = {"repository": {"name": {"from": self.name}}}
        self._call_it(f"{self.owner}/{name}")
        self._tell("renamed", changes)

    def transfer(self, owner: str) -> None:
        """Give it to another owner; ValueError if there is one of that name.

        The App keeps it only where it is installed on all that the new owner has.
        """
        sandbox, old = self.sandbox, self.sandbox.installation_of(self)
        account = Shapes(sandbox, sandbox.url).user(self.owner)
        kind = "user" if account["type"] == "User" else "organization"
        new = sandbox.installations.get(owner)
        self._call_it(f"{owner}/{self.name}")
        self.installed = new is not None and new.selection == "all"
        sandbox.save()
        if old:
            old.tell_repositories("removed", [self])
        if new and self.installed:
            new.tell_repositories("added", [self])
            self._tell("transferred", {"owner": {"from": {kind: account}}})

    def archive(self) -> None:
        """Make it read-only: whatever writes is then answered 403."""
        self.archived = True
        self.sandbox.save()
        self._tell("archived")

    def unarchive(self) -> None:
        """Take writes again."""
        self.archived = False
        self.sandbox.save()
        self._tell("unarchived")

    def delete(self) -> None:
        """Delete it with all that it holds; its names are free again, its id is not used another time."""
        self._tell("deleted")
        self.sandbox.forget(self)
        self.git.close()
        shutil.rmtree(self.path)

    def _call_it(self, full_name: str) -> None:
        """Let it be found by another name, and move its folder."""
        path = self.sandbox.call_it(self, full_name)
        self.git.close()
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path.rename(path)
        self.path, self.git = path, Repo(str(path))

    def _tell(self, action: str, changes: dict[str, Any] | None = None) -> None:
        if self.sandbox.webhooks.listens(self, "repository"):
            payload = repository_payload(self.sandbox, self, action, changes)
            self.sandbox.webhooks.send(self, "repository", payload)
