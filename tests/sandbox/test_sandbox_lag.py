"""What is new is not known everywhere at once: tokens, installations, commits and refs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from sandbox_ends import b64

if TYPE_CHECKING:
    from sandbox_ends import Client

    from bot.sandbox import Repository

REPO = "/repos/acme/gitops"
README = f"{REPO}/contents/README.md"
QUERY = """query Read($owner: String!, $name: String!) { repository(owner: $owner, name: $name) {
  defaultBranchRef { target { oid } } object(expression: "main:README.md") { oid } } }"""
MUTATION = "mutation M($i: CreateCommitOnBranchInput!) { createCommitOnBranch(input: $i) { commit { oid } } }"
ACME = {"owner": "acme", "name": "gitops"}


@pytest.mark.parametrize(
    ("how", "status", "message", "kind"),
    [
        ("credentials", 401, "Bad credentials", None),
        ("permissions", 403, "Resource not accessible by integration", "FORBIDDEN"),
        ("repository", 404, "Not Found", "NOT_FOUND"),
    ],
)
async def test_a_fresh_token_is_refused_for_its_first_requests(
    client: Client, how: str, status: int, message: str, kind: str | None
) -> None:
    """By REST and by GraphQL, each in its form; the third request is well, and so is an older token all the time."""
    old = client.token
    client.sandbox.lag.tokens(how, requests=2)
    client.token = await client.new_token()
    refused = await client("GET", README)
    assert (refused.status, refused.data["message"]) == (status, message)
    assert ("x-accepted-github-permissions" in refused.headers) == (how == "permissions")
    reply = await client("POST", "/graphql", {"query": QUERY, "variables": ACME})
    if kind:
        assert (reply.status, reply.data["errors"][0]["type"]) == (200, kind)
        assert reply.data["data"] == {"repository": None}
    else:
        assert reply.status == 401
    assert (await client("GET", README)).status == 200
    assert (await client("GET", README, token=old)).status == 200


async def test_a_fresh_token_may_lag_by_the_clock(client: Client, gitops: Repository) -> None:
    """For so many seconds it commits nothing, however often it is used; then it does."""
    now = client.sandbox.clock()
    client.sandbox.clock = lambda: now
    client.sandbox.lag.tokens("permissions", seconds=3.0, times=1)
    client.token = await client.new_token()
    asked: dict[str, Any] = {
        "branch": {"repositoryNameWithOwner": "acme/gitops", "branchName": "main"},
        "expectedHeadOid": gitops.head(),
        "message": {"headline": "m"},
        "fileChanges": {"additions": [{"path": "a", "contents": b64("x")}]},
    }
    for _ in range(5):
        reply = await client.graphql(MUTATION, i=asked)
        assert reply["errors"][0]["type"] == "FORBIDDEN"
        assert reply["data"] == {"createCommitOnBranch": None}
    client.sandbox.clock = lambda: now + 3.0
    assert "errors" not in await client.graphql(MUTATION, i=asked)


async def test_an_installation_has_no_tokens_at_once(client: Client) -> None:
    """404 for the first request, as if the App were not installed."""
    client.sandbox.lag.installations()
    client.sandbox.create_repository("globex/site", {"a": "b"})
    path = f"/app/installations/{client.sandbox.installations['globex'].id}/access_tokens"
    assert [(await client("POST", path, token=client.jwt())).status for _ in range(2)] == [404, 201]


async def test_a_commit_is_not_found_for_a_moment(client: Client, gitops: Repository) -> None:
    """A check run on it is refused, and it is compared with nothing; older commits are there."""
    base = gitops.head()
    client.sandbox.lag.commits(requests=2)
    head = gitops.commit({"a": "b"}, "new")
    body = {"name": "pointsman", "head_sha": head}
    refused = await client("POST", f"{REPO}/check-runs", body)
    assert (refused.status, refused.data["message"]) == (422, f"No commit found for SHA: {head}")
    assert (await client("POST", f"{REPO}/check-runs", {**body, "head_sha": base})).status == 201
    assert (await client("GET", f"{REPO}/compare/{base}...{head}")).status == 404
    assert (await client("POST", f"{REPO}/check-runs", body)).status == 201
    assert (await client("GET", f"{REPO}/compare/{base}...{head}")).status == 200


async def test_a_ref_is_read_as_it_was_and_written_as_it_is(client: Client, gitops: Repository) -> None:
    """REST and GraphQL see the old head and the old file, one request like the other; a writer is told the truth."""
    old, blob = gitops.head(), gitops.entry(gitops.tree_of(gitops.head()), "README.md")
    assert blob is not None
    client.sandbox.lag.refs(requests=3)
    new = gitops.commit({"README.md": "new"}, "new")
    assert (await client("GET", f"{REPO}/git/ref/heads/main")).data["object"]["sha"] == old
    seen = (await client.graphql(QUERY, **ACME))["data"]["repository"]
    assert seen == {"defaultBranchRef": {"target": {"oid": old}}, "object": {"oid": blob.oid}}
    put = await client("PUT", README, {"message": "m", "content": b64("mine"), "sha": blob.oid})
    assert (put.status, gitops.head()) == (409, new)
    assert (await client("GET", f"{REPO}/branches/main")).data["commit"]["sha"] == old
    assert (await client("GET", f"{REPO}/git/ref/heads/main")).data["object"]["sha"] == new


async def test_what_lags_can_be_left_to_the_dice(client: Client) -> None:
    """About a third of all tokens, each refused in some way, the same ones for the same seed; none after healing."""
    client.sandbox.observer = None
    runs = []
    for seed in (1, 1, 2):
        client.sandbox.lag.heal()
        client.sandbox.lag.seed(seed)
        client.sandbox.lag.tokens(probability=0.3)
        tokens = [await client.new_token() for _ in range(60)]
        runs.append([(await client("GET", README, token=token)).status for token in tokens])
    assert runs[0] == runs[1] != runs[2]
    assert set(runs[0]) == {200, 401, 403, 404}
    client.sandbox.lag.heal()
    assert (await client("GET", README, token=await client.new_token())).status == 200


def test_a_token_cannot_be_refused_otherwise(client: Client) -> None:
    """The ways are named."""
    with pytest.raises(ValueError, match=r"one of .'credentials', 'permissions', 'repository'., not '403'"):
        client.sandbox.lag.tokens("403")
