"""Writing: a changeset becomes one commit, by the cheapest of three ways that can do it.

* `createCommitOnBranch` (GraphQL): several files at once, Verified, and the head that it must be made on is demanded.
  It cannot set an author or a file mode.
* Contents API: one file to write, an author; its precondition is the file's blob, or that there is none, so the commit
  may land on a newer head.
* Git Data API: everything, in three requests where the contents fit into the one for the tree.
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import gidgethub

from bot.core.outcome import Commit
from bot.core.snapshot import REGULAR
from bot.errors import Blocked, PointsmanError, StaleHead, Transient, Unavailable
from bot.github.answers import UNREADABLE, errors_of, oid, query_error, refusal, said

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bot.core.changeset import Changeset, FileChange
    from bot.core.message import CommitMessage
    from bot.core.model import Repository
    from bot.github.client import InstallationAPI

_CREATE_COMMIT = """
mutation Commit($input: CreateCommitOnBranchInput!) {
  createCommitOnBranch(input: $input) { commit { oid url parents(first: 1) { nodes { oid } } } }
}"""


# What one mutation takes is not documented; about 40 MB were seen to pass, and base64 adds a third.
_MUTATION_BYTES = 20_000_000
# Of a request that makes a tree neither; what is larger in all goes blob by blob.
_TREE_BYTES = 5_000_000


class Writer:
    """Writes commits of one repository."""

    def __init__(self, api: InstallationAPI, repository: Repository, *, graphql: bool) -> None:
        self._api = api
        self._full_name = repository.full_name
        self._path = f"/repos/{repository.full_name}"
        self._graphql = graphql

    async def write(self, changeset: Changeset, message: CommitMessage) -> Commit:
        """Make `changeset` one commit on its branch.

        Raises StaleHead where the branch moved, Blocked where a rule of GitHub's refuses; then nothing was written.
        """
        files = list(changeset.files.values())
        regular = all(change.mode == REGULAR or change.after is None for change in files)
        people = {"author": message.author, "committer": message.committer}
        signed = not any(people.values())
        size = sum(len(change.after) for change in files if change.after is not None)
        if self._graphql and signed and regular and size <= _MUTATION_BYTES:
            return await self._create_commit_on_branch(changeset, message)
        data: dict[str, object] = {"message": message.text}
        for role, person in people.items():
            if person is not None:
                data[role] = {"name": person.name, "email": person.email}
        # To the Contents API a committer without an author is the author too.
        told = message.author is not None or message.committer is None
        try:
            if len(files) == 1 and regular and told and files[0].after is not None:
                content = base64.b64encode(files[0].after).decode()
                return await self._put_contents(changeset.branch, files[0], {**data, "content": content})
            return await self._git_data(changeset, data)
        except gidgethub.HTTPException as error:
            raise _rest_error(error) from error
        except (TypeError, LookupError, ValueError) as error:  # JSON, but another shape: it may have landed
            raise Transient(UNREADABLE) from error

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
            raise _mutation_error(errors_of(error)[0]) from error
        try:
            commit = answer["createCommitOnBranch"]["commit"]
            return Commit(oid(commit["oid"]), said(commit["url"]), oid(commit["parents"]["nodes"][0]["oid"]))
        except (TypeError, LookupError, ValueError) as error:  # another shape: it may have landed
            raise Transient(UNREADABLE) from error

    async def _put_contents(self, branch: str, change: FileChange, data: dict[str, object]) -> Commit:
        # A new file has no blob to name.
        blob = {"sha": change.oid} if change.before is not None else {}
        answer = await self._api.put(
            f"{self._path}/contents/{quote(change.path)}", data={**data, **blob, "branch": branch}
        )
        commit = answer["commit"]
        return Commit(oid(commit["sha"]), said(commit["html_url"]), oid(commit["parents"][0]["sha"]))

    async def _git_data(self, changeset: Changeset, data: dict[str, object]) -> Commit:
        """Tree, commit, ref: three requests, the last one not forced; contents stand in the tree as far as they fit.

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
        tree = await self._api.post(f"{self._path}/git/trees", data={"base_tree": changeset.base, "tree": rows})
        commit = await self._api.post(
            f"{self._path}/git/commits", data={**data, "parents": [changeset.base], "tree": oid(tree["sha"])}
        )
        # A ref that is not forced only has to move forward: a base that a forced push took away would come back so.
        head = await self._api.getitem(f"{self._path}/git/ref/heads/{quote(changeset.branch)}")
        if oid(head["object"]["sha"]) != changeset.base:
            raise StaleHead(f"{changeset.branch} is at {head['object']['sha']}, not at {changeset.base}")
        update = {"sha": oid(commit["sha"]), "force": False}
        await self._api.patch(f"{self._path}/git/refs/heads/{quote(changeset.branch)}", data=update)
        return Commit(commit["sha"], said(commit["html_url"]), changeset.base)

    async def _blob(self, content: bytes) -> str:
        data = {"content": base64.b64encode(content).decode(), "encoding": "base64"}
        return oid((await self._api.post(f"{self._path}/git/blobs", data=data))["sha"])


def _mutation_error(error: Mapping[str, Any]) -> PointsmanError:
    if error.get("type") == "STALE_DATA":
        return StaleHead(said(error.get("message")))
    # GitHub documents no list of types; of rulesets only the sentence is known to stay the same.
    sentence = said(error.get("message"))
    if "was archived" in sentence:  # with the type of a rule, but an event of GitHub's tells when it may go
        return Unavailable(f"GitHub forbids it: {sentence}")
    if error.get("type") in {"UNPROCESSABLE", "BRANCH_PROTECTION_RULE_VIOLATION"} or "rule violation" in sentence:
        return _blocked(sentence)
    return query_error(error)


def _rest_error(error: gidgethub.HTTPException) -> PointsmanError:
    """Tell a moved branch from a rule: both answer 409 or 422, only the sentence differs."""
    status, sentence = int(error.status_code), said(error)
    if status not in {409, 422}:
        return refusal(status, sentence)
    # The last but one is the answer to a new file that somebody else made meanwhile, the last to a branch that is gone.
    stale = (
        "but expected",
        "does not match",
        "not a fast forward",
        '"sha" wasn\'t supplied',
        "Reference does not exist",
    )
    if any(words in sentence for words in stale):
        return StaleHead(sentence)
    return _blocked(sentence)


def _blocked(sentence: str) -> Blocked:
    # A ruleset's comes in two paragraphs: what happened, and which rule.
    sentence = ": ".join(line.strip() for line in sentence.splitlines() if line.strip()).removesuffix(".")
    if "secret" in sentence.lower():
        remedy = "; it takes part of the change for a secret: look at the value"
    elif any(words in sentence.lower() for words in ("rule violation", "protected branch", "pull request")):
        remedy = "; let the App bypass the rule, or take the branch out of it"
    else:
        remedy = ""
    return Blocked(f"GitHub refuses the commit: {sentence}{remedy}")
