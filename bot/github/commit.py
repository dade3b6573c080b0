"""Writing: a changeset becomes one commit, by the way that `strategies` chooses.

* `createCommitOnBranch` (GraphQL): several files at once, Verified, and the head that it must be made on is demanded.
* Contents API: one file; its precondition is the file's blob, or that there is none, so the commit may land on a newer
  head.
* Git Data API: everything, in four requests where the contents fit into the one for the tree.
"""

from __future__ import annotations

import asyncio
import base64
from typing import TYPE_CHECKING
from urllib.parse import quote

import gidgethub

from bot.core.outcome import Commit
from bot.errors import Blocked, StaleHead, Transient
from bot.github.answers import (
    UNREADABLE,
    RequestTooLarge,
    commit_refusal,
    errors_of,
    mutation_refusal,
    oid,
    said,
    too_large,
    tree_of,
)
from bot.github.strategies import choose

if TYPE_CHECKING:
    from bot.core.changeset import Changeset, FileChange
    from bot.core.mapping import Strategy
    from bot.core.message import CommitMessage
    from bot.core.model import Repository
    from bot.github.client import InstallationAPI
    from bot.github.objects import OwnObjects

_CREATE_COMMIT = """
mutation Commit($input: CreateCommitOnBranchInput!) {
  createCommitOnBranch(input: $input) { commit { oid url tree { oid } parents(first: 1) { nodes { oid } } } }
}"""

# What a request that makes a tree takes is not documented; what is larger in all goes blob by blob.
_TREE_BYTES = 5_000_000

# After so many seconds all of GitHub's servers know where a branch is.
LAG_SECONDS = 2.0


class Writer:
    """Writes commits of one repository. The tree of each is kept in `objects`, as the next commit is based on it."""

    def __init__(self, api: InstallationAPI, repository: Repository, objects: OwnObjects, *, graphql: bool) -> None:
        self._api = api
        self._full_name = repository.full_name
        self._path = f"/repos/{repository.full_name}"
        self._objects = objects
        self._graphql = graphql

    async def write(self, changeset: Changeset, message: CommitMessage, strategy: Strategy = "auto") -> Commit:
        """Make `changeset` one commit on its branch.

        Raises StaleHead where the branch moved, Blocked where a rule of GitHub's refuses or `strategy` cannot do it,
        NoField where the server lacks the mutation; then nothing was written.
        """
        way = choose(changeset, message, strategy, graphql=self._graphql)
        try:
            if way == "graphql":
                return await self._create_commit_on_branch(changeset, message)
            return await self._by_rest(changeset, message, contents=way == "contents")
        except Blocked as error:
            await self._compare_head(changeset, error)
            raise
        except RequestTooLarge as error:
            refused = too_large(error)
            await self._compare_head(changeset, refused)
            raise refused from error

    async def _compare_head(self, changeset: Changeset, refused: Blocked, *, again: bool = False) -> None:
        """Raise StaleHead if the branch moved: then the refusal may mean that, in words that nobody knows.

        Raises Transient if its head cannot be read: then nobody knows whether it is a rule that refuses.
        """
        unknown = f"{refused}; whether the branch moved cannot be read"
        try:
            head = await self._head(changeset.branch)
        except gidgethub.HTTPException as error:
            if error.status_code == 404:
                raise StaleHead(f"{changeset.branch} is gone") from error
            raise Transient(f"{unknown}: GitHub answered {int(error.status_code)}") from error
        except Transient as error:
            raise Transient(f"{unknown}: {error}", error.retry_after) from error
        except (TypeError, LookupError, ValueError) as error:
            raise Transient(f"{unknown}: {UNREADABLE}") from error
        if head != changeset.base:
            raise StaleHead(f"{changeset.branch} is at {head}, not at {changeset.base}") from refused
        if refused.doubtful and not again:
            # The server that answered may not have heard of a push of a moment ago.
            await asyncio.sleep(LAG_SECONDS)
            await self._compare_head(changeset, refused, again=True)

    async def _head(self, branch: str) -> str:
        return oid((await self._api.getitem(f"{self._path}/git/ref/heads/{quote(branch)}"))["object"]["sha"])

    async def _create_commit_on_branch(self, changeset: Changeset, message: CommitMessage) -> Commit:
        wanted = {
            "branch": {"repositoryNameWithOwner": self._full_name, "branchName": changeset.branch},
            "expectedHeadOid": changeset.base,
            "message": {"headline": message.headline, "body": message.body},
            "fileChanges": {
                "additions": [
                    {"path": path, "contents": base64.b64encode(change.after).decode()}
                    for path, change in changeset.files.items()
                    if change.after is not None
                ],
                "deletions": [{"path": path} for path, change in changeset.files.items() if change.after is None],
            },
        }
        try:
            answer = await self._api.query(_CREATE_COMMIT, input=wanted)
        except gidgethub.QueryError as error:
            refused = mutation_refusal(errors_of(error)[0])
            if _has_data(error):  # it was made, and only what we want to know of it is refused
                raise Transient(str(refused)) from error
            raise refused from error
        except gidgethub.HTTPException as error:
            raise commit_refusal(int(error.status_code), str(error), error.headers) from error
        try:
            commit = answer["createCommitOnBranch"]["commit"]
            self._objects.keep_root(oid(commit["oid"]), tree_of(commit))
            return Commit(oid(commit["oid"]), said(commit["url"]), oid(commit["parents"]["nodes"][0]["oid"]))
        except (TypeError, LookupError, ValueError) as error:  # another shape: it may have landed
            raise Transient(UNREADABLE) from error

    async def _by_rest(self, changeset: Changeset, message: CommitMessage, *, contents: bool) -> Commit:
        data: dict[str, object] = {"message": message.text}
        for role, person in (("author", message.author), ("committer", message.committer)):
            if person is not None:
                data[role] = {"name": person.name, "email": person.email}
        try:
            if contents:
                (change,) = changeset.files.values()
                return await self._contents(changeset.branch, change, data)
            return await self._git_data(changeset, data)
        except gidgethub.HTTPException as error:
            raise commit_refusal(int(error.status_code), str(error), error.headers) from error
        except (TypeError, LookupError, ValueError) as error:  # JSON, but another shape: it may have landed
            raise Transient(UNREADABLE) from error

    async def _contents(self, branch: str, change: FileChange, data: dict[str, object]) -> Commit:
        """https://docs.github.com/en/rest/repos/contents: one file is written or deleted by one request."""
        url = f"{self._path}/contents/{quote(change.path)}"
        # A new file has no blob to name.
        data = {**data, **({"sha": change.oid} if change.before is not None else {}), "branch": branch}
        if change.after is None:
            answer = await self._api.take_away(url, data)
        else:
            answer = await self._api.put(url, data={**data, "content": base64.b64encode(change.after).decode()})
        commit = answer["commit"]
        self._objects.keep_root(oid(commit["sha"]), tree_of(commit))
        return Commit(commit["sha"], said(commit["html_url"]), oid(commit["parents"][0]["sha"]))

    async def _git_data(self, changeset: Changeset, data: dict[str, object]) -> Commit:
        """Tree, commit, ref: the last one is not forced; contents stand in the tree as far as they fit.

        A null instead of a blob takes a file out of the tree (https://docs.github.com/en/rest/git/trees#create-a-tree).
        Every changed file is UTF-8 (the rules refuse others), so that its content can stand there as it is.
        """
        rows: list[dict[str, str | None]] = []
        room = _TREE_BYTES
        for path, change in changeset.files.items():
            row: dict[str, str | None] = {"path": path, "mode": f"{change.mode:06o}", "type": "blob"}
            if change.after is None:
                rows.append({**row, "sha": None})
            elif len(change.after) <= room:
                room -= len(change.after)
                rows.append({**row, "content": change.after.decode()})
            else:
                rows.append({**row, "sha": await self._blob(change.after)})
        base = await self._root(changeset.base)
        tree = oid((await self._api.post(f"{self._path}/git/trees", data={"base_tree": base, "tree": rows}))["sha"])
        commit = await self._api.post(
            f"{self._path}/git/commits", data={**data, "parents": [changeset.base], "tree": tree}
        )
        # A ref that is not forced only has to move forward: a base that a forced push took away would come back so.
        head = await self._head(changeset.branch)
        if head != changeset.base:
            raise StaleHead(f"{changeset.branch} is at {head}, not at {changeset.base}")
        update = {"sha": oid(commit["sha"]), "force": False}
        moved = await self._api.patch(f"{self._path}/git/refs/heads/{quote(changeset.branch)}", data=update)
        # Something between us and GitHub may answer 200 by itself: only GitHub knows where the branch is now.
        if oid(moved["object"]["sha"]) != commit["sha"]:
            raise Transient(UNREADABLE)
        self._objects.keep_root(commit["sha"], tree)
        return Commit(commit["sha"], said(commit["html_url"]), changeset.base)

    async def _root(self, head: str) -> str:
        """Return the tree of a commit. It is known from reading the branch, unless it was forgotten meanwhile."""
        known = self._objects.find_root(head)
        if known is None:
            answer = await self._api.getitem(f"{self._path}/git/commits/{head}")
            known = oid(answer["tree"]["sha"])
            self._objects.keep_root(head, known)
        return known

    async def _blob(self, content: bytes) -> str:
        data = {"content": base64.b64encode(content).decode(), "encoding": "base64"}
        return oid((await self._api.post(f"{self._path}/git/blobs", data=data))["sha"])


def _has_data(error: gidgethub.QueryError) -> bool:
    """Whether an answer with errors has a part of what the mutation returns."""
    data = error.response.get("data")
    return isinstance(data, dict) and data.get("createCommitOnBranch") is not None
