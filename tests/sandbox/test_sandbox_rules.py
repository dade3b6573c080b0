"""Rules of branches and of pushes: each way to write is refused in GitHub's status and words, and nothing moves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from sandbox_ends import FORBIDDEN, b64

from bot.sandbox import rules
from bot.sandbox.rules import BRANCH_RULES, PUSH_RULES, Rule

if TYPE_CHECKING:
    from sandbox_ends import Client

    from bot.sandbox import Repository

REPO = "/repos/acme/gitops"
MUTATION = "mutation M($i: CreateCommitOnBranchInput!) { createCommitOnBranch(input: $i) { commit { oid } } }"
AUTHOR = {"author": {"name": "build", "email": "build@internal"}}


async def by_graphql(client: Client, repo: Repository, path: str, content: str) -> tuple[str, str]:
    """Ask for a commit of one file by the mutation; give its error's type and message."""
    asked = {
        "branch": {"repositoryNameWithOwner": repo.full_name, "branchName": "main"},
        "expectedHeadOid": repo.head(),
        "message": {"headline": "m"},
        "fileChanges": {"additions": [{"path": path, "contents": b64(content)}]},
    }
    [error] = (await client.graphql(MUTATION, i=asked)).get("errors") or [{"type": "", "message": ""}]
    return error["type"], error["message"]


async def by_contents(client: Client, path: str, content: str, **more: Any) -> tuple[int, str]:
    """Ask for it by the Contents API; give status and message."""
    body = {"message": "m", "content": b64(content), **more}
    reply = await client("PUT", f"{REPO}/contents/{path}", body)
    return reply.status, reply.data.get("message", "")


async def by_ref(client: Client, repo: Repository, path: str, content: str, **more: Any) -> tuple[int, str]:
    """Make tree and commit, and ask for the ref to move; give status and message."""
    head = repo.head()
    entry = {"path": path, "mode": "100644", "type": "blob", "content": content}
    tree = await client("POST", f"{REPO}/git/trees", {"base_tree": repo.tree_of(head), "tree": [entry]})
    body = {"message": "m", "tree": tree.data["sha"], "parents": [head], **more}
    commit = await client("POST", f"{REPO}/git/commits", body)
    reply = await client("PATCH", f"{REPO}/git/refs/heads/main", {"sha": commit.data["sha"]})
    return reply.status, reply.data.get("message", "")


def violation(sentence: str) -> str:
    """Write what a ruleset's refusal reads like."""
    return f"Repository rule violations found\n\n{sentence}\n\n"


@pytest.mark.parametrize("kind", sorted(BRANCH_RULES.keys() - {"push restriction", "signatures"}))
@pytest.mark.parametrize("classic", [True, False])
async def test_a_rule_of_a_branch_refuses_each_way_to_write(
    client: Client, gitops: Repository, kind: str, classic: bool
) -> None:
    """A ruleset's words are the same everywhere; a classic rule's depend on what was asked for."""
    head, sentence = gitops.head(), BRANCH_RULES[kind]
    gitops.protect(kind=kind, classic=classic)
    told = [
        await by_graphql(client, gitops, "a", "x"),
        await by_contents(client, "a", "x"),
        await by_ref(client, gitops, "a", "x"),
    ]
    if classic:
        typed = ("BRANCH_PROTECTION_RULE_VIOLATION", sentence)
        assert told == [typed, (409, f"Could not update file: {sentence}"), (422, sentence)]
    else:
        words = violation(sentence)
        assert told == [("UNPROCESSABLE", words), (409, words), (422, words)]
    assert gitops.head() == head


async def test_who_may_not_push_is_forbidden_to(client: Client, gitops: Repository) -> None:
    """It looks like a permission that lacks, except for the sentence."""
    head, sentence = gitops.head(), BRANCH_RULES["push restriction"]
    gitops.protect(kind="push restriction", classic=True)
    assert await by_graphql(client, gitops, "a", "x") == ("FORBIDDEN", sentence)
    assert await by_contents(client, "a", "x") == (403, sentence)
    assert await by_ref(client, gitops, "a", "x") == (403, sentence)
    assert gitops.head() == head


async def test_signatures_are_wanted_of_commits_that_github_does_not_sign(client: Client, gitops: Repository) -> None:
    """An author of its own is refused; the App in its own name passes, each way."""
    gitops.protect(kind="signatures")
    head, words = gitops.head(), violation("Commits must have verified signatures.")
    assert await by_contents(client, "a", "x", **AUTHOR) == (409, words)
    assert await by_ref(client, gitops, "a", "x", **AUTHOR) == (422, words)
    assert gitops.head() == head
    assert await by_graphql(client, gitops, "a", "1") == ("", "")
    assert await by_contents(client, "b", "x") == (201, "")
    assert await by_ref(client, gitops, "c", "x") == (200, "")


@pytest.mark.parametrize("kind", sorted(PUSH_RULES))
async def test_a_push_rule_looks_at_the_files_of_every_branch(client: Client, gitops: Repository, kind: str) -> None:
    """What it forbids is refused each way, and a change of another file is not."""
    value, path, content = FORBIDDEN[kind]
    gitops.restrict_pushes(kind, value)
    head, words = gitops.head(), violation(PUSH_RULES[kind])
    assert await by_graphql(client, gitops, path, content) == ("UNPROCESSABLE", words)
    assert await by_contents(client, path, content) == (409, words)
    assert await by_ref(client, gitops, path, content) == (422, words)
    assert gitops.head() == head
    assert await by_graphql(client, gitops, "other.yaml", "x") == ("", "")
    listed = (await client("GET", f"{REPO}/branches/main")).data
    assert listed["protected"] is False


async def test_one_branch_may_have_several_rules(client: Client, gitops: Repository) -> None:
    """The first one is told; without it the next."""
    gitops.protect(kind="signatures")
    gitops.protect(kind="merge queue")
    assert (await by_contents(client, "a", "x", **AUTHOR))[1] == violation(BRANCH_RULES["merge queue"])
    gitops.protected["main"].pop()
    assert (await by_contents(client, "a", "x", **AUTHOR))[1] == violation(BRANCH_RULES["signatures"])


def test_rules_of_an_older_sandbox_are_read() -> None:
    """There was one kind, told by a word."""
    assert [rules.read("classic"), rules.read("ruleset")] == [Rule("pull request", classic=True), Rule("pull request")]


def test_an_unknown_rule_names_the_known_ones() -> None:
    """By name, as they are written."""
    with pytest.raises(ValueError, match="no rule 'pull-request': there are"):
        Rule("pull-request")
