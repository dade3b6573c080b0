"""The mutation `createCommitOnBranch`: file changes become one commit on a branch that still is where it should be."""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING, Any

from bot.sandbox import rules
from bot.sandbox.answers import ARCHIVED
from bot.sandbox.graphql_nodes import QueryError
from bot.sandbox.objects import FILE, HEADS, OCTOCAT, is_malformed
from bot.sandbox.races import GRAPHQL, Lost
from bot.sandbox.rest_git import GITHUB

if TYPE_CHECKING:
    from bot.sandbox.call import Call
    from bot.sandbox.repository import Repository
    from bot.sandbox.rules import Rule


def commit_on_branch(call: Call, repo: Repository, branch: str, request: dict[str, Any]) -> str:
    """Make the commit of a `CreateCommitOnBranchInput`; give its oid, QueryError where GitHub refuses."""
    if not (call.grant and call.grant.allows("contents", "write") and call.sandbox.holds(call.grant, repo)):
        raise QueryError("FORBIDDEN", "Resource not accessible by integration")
    if repo.archived:  # quoted, without the full stop, in github.com/actions-automation/manage-your-labels/issues/4
        raise QueryError("UNPROCESSABLE", ARCHIVED.removesuffix("."))
    head, expected = repo.ref(HEADS + branch), request["expectedHeadOid"]
    if head is None:
        raise QueryError("NOT_FOUND", f"Branch '{branch}' does not exist in {repo.full_name}")
    _check(rules.of_branch(repo, branch))
    if head != expected:
        raise _lost(call, branch, head, expected)
    tree = _changed_tree(repo, head, request.get("fileChanges") or {})
    text = request["message"]
    message = text["headline"] + (f"\n\n{text['body']}" if text.get("body") else "")
    author = call.sandbox.app.bot if call.grant.kind == "installation" else OCTOCAT
    oid = repo.write_commit(tree, [head], message, (author, GITHUB))
    _check(rules.of_commit(repo, branch, head, oid))
    if not repo.move(HEADS + branch, head, oid, call.grant.login):
        raise _lost(call, branch, repo.ref(HEADS + branch) or "", expected)
    return oid


def _lost(call: Call, branch: str, head: str, expected: str) -> QueryError:
    wording = call.sandbox.races.lost(GRAPHQL)
    return QueryError(str(wording.kind), wording.told(Lost(HEADS + branch, head, expected)))


def _check(rule: Rule | None) -> None:
    if rule:
        raise QueryError(*rule.graphql)


def _changed_tree(repo: Repository, head: str, changes: dict[str, Any]) -> str:
    tree = repo.tree_of(head)
    new: dict[str, tuple[int, str] | None] = {}
    for deletion in changes.get("deletions") or ():
        if repo.entry(tree, deletion["path"]) is None:
            message = f"A path was requested for deletion which does not exist as of commit oid `{head}`"
            raise QueryError("UNPROCESSABLE", message)
        new[deletion["path"]] = None
    for addition in changes.get("additions") or ():
        if is_malformed(addition["path"]):
            raise QueryError("UNPROCESSABLE", "A path was requested for addition which contains a malformed component")
        try:
            content = base64.b64decode(addition["contents"], validate=True)
        except (binascii.Error, ValueError):
            raise QueryError("UNPROCESSABLE", f"The contents of {addition['path']} are not valid Base64") from None
        old = repo.entry(tree, addition["path"])
        mode = old.mode if old and old.type == "blob" else FILE
        new[addition["path"]] = (mode, repo.write_blob(content))
    return repo.write_tree(tree, new)
