"""What a request is after, for those who wait for one: faults."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from bot.sandbox.call import is_mutation
from bot.sandbox.objects import HEADS


@dataclass(frozen=True)
class Asked:
    """What a request is after: `path` is without `/api/v3`, `operation` the name of a GraphQL operation.

    `repository` is the id of the one that the path, or a GraphQL variable, names; `moves` tells whether the request
    would move a branch, and `branch` which one it names.
    """

    method: str
    path: str
    operation: str | None = None
    repository: int | None = None
    moves: bool = False
    branch: str | None = None


def operation(data: Any) -> str | None:
    """Give the name of a GraphQL request's operation, None if it has none."""
    if not isinstance(data, dict):
        return None
    named = re.search(r"\b(?:query|mutation)\s+(\w+)", str(data.get("query")))
    return data.get("operationName") or (named[1] if named else None)


def repository(path: str, data: Any) -> str:
    """Give the OWNER/NAME in a path, or in a GraphQL request's variables; empty if there is none."""
    if path.endswith("/graphql"):
        variables = _member(data, "variables")
        named = _member(_member(_member(variables, "input"), "branch"), "repositoryNameWithOwner")
        return named if isinstance(named, str) else f"{_member(variables, 'owner')}/{_member(variables, 'name')}"
    found = re.match(r"/repos/([^/]+/[^/]+)|/([^/]+/[^/]+)/(?:info/refs|git-\w+-pack)$", path)
    return (found[1] or found[2].removesuffix(".git")) if found else ""


def _member(data: Any, name: str) -> Any:
    """Give a member of what may be a JSON object, None if it is not or has none."""
    return data.get(name) if isinstance(data, dict) else None


def moves(method: str, path: str, data: Any) -> bool:
    """Say whether a request would move a branch."""
    if path.endswith("/graphql"):
        return is_mutation(data)
    written = re.search(r"/contents/|/git/refs(/|$)|/git-receive-pack$", path) is not None
    return written and method not in {"GET", "HEAD"}


def branch(path: str, data: Any) -> str | None:
    """Return the branch that a request names, None if it names none."""
    if path.endswith("/graphql"):
        variables = _member(data, "variables")
        named = _member(_member(_member(variables, "input"), "branch"), "branchName")
        ref = _member(variables, "ref")
        return named or (ref.removeprefix(HEADS) if isinstance(ref, str) else None)
    found = re.search(r"/git/refs?/heads/(.+)$", path)
    if found:
        return unquote(found[1])
    return _member(data, "branch") if "/contents/" in path else None
