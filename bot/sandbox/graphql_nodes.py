"""The types of the GraphQL schema, each with its fields as attributes and methods."""

# ruff: noqa: D101, D102 - the fields are GitHub's: schema.graphql names them and docs.github.com/graphql explains them

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from graphql import GraphQLError

from bot.sandbox.objects import HEADS, SUBMODULE, Entry
from bot.sandbox.shapes import node_id, split_person, timestamp

if TYPE_CHECKING:
    from dulwich.objects import Commit

    from bot.sandbox.call import Call
    from bot.sandbox.repository import Repository

# GitHub cuts the text of a blob beyond this many bytes and says so in isTruncated.
TEXT_BYTES = 512 * 1024
BINARY_SAMPLE = 8000
MOST_NODES = 100


class QueryError(GraphQLError):
    """An error with GitHub's `type` (NOT_FOUND, FORBIDDEN, STALE_DATA, UNPROCESSABLE…; "" for none) and its message."""

    def __init__(self, kind: str, message: str) -> None:
        self.kind = kind
        super().__init__(message)


def is_binary(content: bytes) -> bool:
    """Say whether git would call it binary: a NUL byte near the start, or not UTF-8."""
    if b"\0" in content[:BINARY_SAMPLE]:
        return True
    try:
        content.decode()
    except UnicodeDecodeError:
        return True
    return False


def _connection(field: str, nodes: list[Any], first: int | None, after: str | None = None) -> dict[str, Any]:
    if first is None:
        message = f"You must provide a `first` or `last` value to properly paginate the `{field}` connection."
        raise QueryError("MISSING_PAGINATION_BOUNDARIES", message)
    if first > MOST_NODES:
        message = (
            f"Requesting {first} records on the `{field}` connection exceeds the `first` limit of {MOST_NODES} records."
        )
        raise QueryError("EXCESSIVE_PAGINATION", message)
    start = int(after) if after and after.isdecimal() else 0
    page = nodes[start : start + first]
    end = start + len(page)
    info = {
        "startCursor": str(start) if page else None,
        "endCursor": str(end) if page else None,
        "hasNextPage": end < len(nodes),
        "hasPreviousPage": start > 0,
    }
    return {"nodes": page, "totalCount": len(nodes), "pageInfo": info}


class Node:
    """What every resource of a repository has."""

    kind = ""

    def __init__(self, call: Call, repo: Repository, key: str = "") -> None:
        self.call = call
        self.repo = repo
        self.oid = key

    @property
    def id(self) -> str:
        return node_id(self.kind, f"{self.repo.id}:{self.oid}" if self.oid else self.repo.id)

    @property
    def abbreviated_oid(self) -> str:
        return self.oid[:7]

    @property
    def repository(self) -> Node:
        return RepositoryNode(self.call, self.repo)

    def read_contents(self) -> None:
        if not (self.call.grant and self.call.grant.allows("contents", "read")):
            raise QueryError("FORBIDDEN", "Resource not accessible by integration")


class RepositoryNode(Node):
    kind = "Repository"

    @property
    def database_id(self) -> int:
        return self.repo.id

    @property
    def name(self) -> str:
        return self.repo.name

    @property
    def name_with_owner(self) -> str:
        return self.repo.full_name

    @property
    def url(self) -> str:
        return f"{self.call.sandbox.url}/{self.repo.full_name}"

    @property
    def is_private(self) -> bool:
        return self.repo.private

    @property
    def is_archived(self) -> bool:
        return self.repo.archived

    @property
    def default_branch_ref(self) -> Node | None:
        return self.ref(self.repo.default_branch)

    def ref(self, qualifiedName: str) -> Node | None:  # noqa: N803 - GitHub's name
        self.read_contents()
        names = [qualifiedName] if qualifiedName.startswith("refs/") else [HEADS + qualifiedName]
        found = next((name for name in names if self.call.sandbox.lag.ref(self.call, self.repo, name)), None)
        return RefNode(self.call, self.repo, found) if found else None

    def object(self, expression: str | None = None, oid: str | None = None) -> Node | None:
        self.read_contents()
        if oid is not None:
            return _object(self.call, self.repo, oid)
        name, colon, path = (expression or "").partition(":")
        seen = self.call.sandbox.lag.ref(self.call, self.repo, HEADS + name.removeprefix(HEADS))
        commit = seen or self.repo.resolve(name)
        if commit is None:
            return None if colon else _object(self.call, self.repo, name)
        if not colon:
            return CommitNode(self.call, self.repo, commit)
        entry = self.repo.entry(self.repo.tree_of(commit), path)
        return _object(self.call, self.repo, entry.oid) if entry else None


def _object(call: Call, repo: Repository, oid: str) -> Node | None:
    kinds = {b"blob": BlobNode, b"tree": TreeNode, b"commit": CommitNode}
    found = repo.object(oid)
    return kinds[found.type_name](call, repo, oid) if found else None


class RefNode(Node):
    kind = "Ref"

    @property
    def name(self) -> str:
        return self.oid.split("/", 2)[2]

    @property
    def prefix(self) -> str:
        return "/".join(self.oid.split("/", 2)[:2]) + "/"

    @property
    def target(self) -> Node | None:
        return _object(self.call, self.repo, self.call.sandbox.lag.ref(self.call, self.repo, self.oid) or "")


class CommitNode(Node):
    kind = "Commit"

    @property
    def git(self) -> Commit:
        return self.repo.commit_object(self.oid)

    @property
    def message(self) -> str:
        message: bytes = self.git.message
        return message.decode(errors="replace")

    @property
    def message_headline(self) -> str:
        return self.message.partition("\n")[0]

    @property
    def message_body(self) -> str:
        return self.message.partition("\n")[2].strip("\n")

    @property
    def author(self) -> dict[str, str]:
        return _actor(self.git.author, self.git.author_time)

    @property
    def committer(self) -> dict[str, str]:
        return _actor(self.git.committer, self.git.commit_time)

    @property
    def authored_date(self) -> str:
        return timestamp(self.git.author_time)

    @property
    def committed_date(self) -> str:
        return timestamp(self.git.commit_time)

    @property
    def url(self) -> str:
        return f"{self.call.sandbox.url}/{self.repo.full_name}/commit/{self.oid}"

    @property
    def tree(self) -> Node:
        return TreeNode(self.call, self.repo, self.repo.tree_of(self.oid))

    def file(self, path: str) -> TreeEntryNode | None:
        entry = self.repo.entry(self.repo.tree_of(self.oid), path.strip("/"))
        return TreeEntryNode(self.call, self.repo, entry) if entry and entry.path else None

    def parents(self, first: int | None = None) -> dict[str, Any]:
        nodes = [CommitNode(self.call, self.repo, parent.decode()) for parent in self.git.parents]
        return _connection("parents", nodes, first)

    def history(self, first: int | None = None, after: str | None = None, path: str | None = None) -> dict[str, Any]:
        oids = self.repo.history(self.oid)
        if path:
            oids = (oid for oid in oids if path in self.repo.paths_changed(oid))
        return _connection("history", [CommitNode(self.call, self.repo, oid) for oid in oids], first, after)


def _actor(raw: bytes, when: int) -> dict[str, str]:
    name, email = split_person(raw)
    return {"name": name, "email": email, "date": timestamp(when)}


class TreeNode(Node):
    kind = "Tree"

    @property
    def entries(self) -> list[TreeEntryNode]:
        return [TreeEntryNode(self.call, self.repo, entry) for entry in self.repo.entries(self.oid)]


class TreeEntryNode:
    """An entry of a tree; its mode is a decimal number, as GitHub gives it."""

    def __init__(self, call: Call, repo: Repository, entry: Entry) -> None:
        self.call = call
        self.repo = repo
        self.entry = entry
        self.path, self.oid, self.mode, self.type = entry.path, entry.oid, entry.mode, entry.type
        self.name = entry.path.rpartition("/")[2]
        self.size = entry.size or 0

    @property
    def object(self) -> Node | None:
        # The commit of a submodule is another repository's.
        return None if self.mode == SUBMODULE else _object(self.call, self.repo, self.oid)


class BlobNode(Node):
    kind = "Blob"

    @property
    def byte_size(self) -> int:
        return len(self.repo.blob(self.oid))

    @property
    def is_binary(self) -> bool:
        return is_binary(self.repo.blob(self.oid))

    @property
    def is_truncated(self) -> bool:
        return self.byte_size > TEXT_BYTES

    @property
    def text(self) -> str | None:
        content = self.repo.blob(self.oid)
        return None if is_binary(content) else content[:TEXT_BYTES].decode(errors="ignore")
