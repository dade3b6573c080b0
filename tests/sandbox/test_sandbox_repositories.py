"""Commits, comparisons, check runs and dispatches by REST."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from bot.sandbox.objects import OCTOCAT

if TYPE_CHECKING:
    from sandbox_ends import Client, Receiver

    from bot.sandbox import Repository

REPO = "/repos/acme/gitops"
DEV = "environments/dev/values.yaml"


def oids(reply: Any) -> list[str]:
    """Give the oids of a list of commits."""
    return [commit["sha"] for commit in reply.data]


async def test_commits_are_listed_newest_first(client: Client, gitops: Repository) -> None:
    """From a branch or an oid back, for all paths or those below one, a page at a time."""
    first = gitops.head()
    second = gitops.commit({DEV: "image:\n  tag: 2\n"}, "second")
    third = gitops.commit({"README.md": "# Third\n"}, "third")
    assert oids(await client("GET", f"{REPO}/commits")) == [third, second, first]
    assert oids(await client("GET", f"{REPO}/commits?sha={second}")) == [second, first]
    assert oids(await client("GET", f"{REPO}/commits?path=environments")) == [second, first]
    page = await client("GET", f"{REPO}/commits?per_page=2")
    assert (oids(page), 'page=2>; rel="next"' in page.headers["Link"]) == ([third, second], True)
    assert oids(await client("GET", f"{REPO}/commits?per_page=2&page=2")) == [first]
    assert oids(await client("GET", f"{REPO}/commits?since=2100-01-01T00:00:00Z")) == []
    assert oids(await client("GET", f"{REPO}/commits?until=2100-01-01T00:00:00Z")) == [third, second, first]
    assert (await client("GET", f"{REPO}/commits?since=yesterday")).status == 422
    assert (await client("GET", f"{REPO}/commits?sha=nothing")).status == 404


async def test_a_commit_shows_its_files_and_patch(client: Client, gitops: Repository) -> None:
    """Status, counted lines and the patch of each file come with a commit, by branch or oid."""
    gitops.commit({DEV: "image:\n  tag: 2\n", "binary": b"\x00"}, "change", delete=["README.md"])
    reply = (await client("GET", f"{REPO}/commits/main")).data
    told = [(file["filename"], file["status"], file["changes"], file.get("patch")) for file in reply["files"]]
    assert told == [
        ("README.md", "removed", 1, "@@ -1 +0,0 @@\n-# GitOps"),
        ("binary", "added", 0, None),
        (DEV, "modified", 2, "@@ -1,2 +1,2 @@\n image:\n-  tag: 1.0.0-dev\n+  tag: 2"),
    ]
    assert reply["author"]["login"] == "octocat"
    only_oid = await client("GET", f"{REPO}/commits/main", headers={"Accept": "application/vnd.github.sha"})
    assert only_oid.raw.decode() == gitops.head()
    assert (await client("GET", f"{REPO}/commits/{'0' * 40}")).data["message"] == f"No commit found for SHA: {'0' * 40}"


async def test_a_comparison_tells_which_side_is_ahead(client: Client, gitops: Repository) -> None:
    """The four relations of two commits, and what head has that base has not."""
    base = gitops.head()
    gitops.create_branch("side")
    ahead = gitops.commit({"a": "a"}, "ahead")
    gitops.commit({"b": "b"}, "beside", "side")

    async def compared(basehead: str) -> tuple[Any, ...]:
        reply = (await client("GET", f"{REPO}/compare/{basehead}")).data
        files = [file["filename"] for file in reply["files"]]
        commits = [commit["sha"] for commit in reply["commits"]]
        return reply["status"], reply["ahead_by"], reply["behind_by"], commits, files

    assert await compared(f"{base}...main") == ("ahead", 1, 0, [ahead], ["a"])
    assert await compared(f"main...{base}") == ("behind", 0, 1, [], [])
    assert await compared("main...main") == ("identical", 0, 0, [], [])
    assert await compared("side...main") == ("diverged", 1, 1, [ahead], ["a"])
    assert (await client("GET", f"{REPO}/compare/main...nothing")).status == 404


async def test_a_comparison_comes_in_pages(client: Client, gitops: Repository) -> None:
    """Messages oldest first; 250 commits at most without paging, else a page at a time with a link to the next."""
    base, head = gitops.head(), gitops.head()
    tree = gitops.tree_of(base)
    for number in range(251):
        head = gitops.write_commit(tree, [head], f"commit {number}", (OCTOCAT, OCTOCAT))
    gitops.force_push(head)

    async def messages(query: str) -> list[str]:
        reply = await client("GET", f"{REPO}/compare/{base}...main{query}")
        assert (reply.data["total_commits"], reply.data["ahead_by"]) == (251, 251)
        assert ('rel="next"' in reply.headers.get("Link", "")) == ("page" in query and "=3" not in query)
        return [commit["commit"]["message"] for commit in reply.data["commits"]]

    every = [f"commit {number}" for number in range(251)]
    assert await messages("") == every[:250]
    assert await messages("?per_page=100&page=2") == every[100:200]
    assert await messages("?per_page=100&page=3") == every[200:]
    assert await messages("?page=1") == every[:30]


async def test_a_check_run_is_made_changed_and_listed(client: Client, gitops: Repository) -> None:
    """A conclusion completes it; annotations of several requests add up; the latest of each name is listed."""
    head = gitops.head()
    made = await client("POST", f"{REPO}/check-runs", {"name": "pointsman", "head_sha": head, "status": "in_progress"})
    assert (made.status, made.data["status"], made.data["conclusion"]) == (201, "in_progress", None)
    annotation = {"path": "a", "start_line": 1, "end_line": 1, "annotation_level": "notice", "message": "m"}
    output = {"title": "Done", "summary": "All well", "annotations": [annotation]}
    path = f"{REPO}/check-runs/{made.data['id']}"
    for _ in range(2):
        await client("PATCH", path, {"conclusion": "success", "output": output})
    run = (await client("GET", path)).data
    assert (run["status"], run["conclusion"], run["output"]["annotations_count"]) == ("completed", "success", 2)
    again = await client("POST", f"{REPO}/check-runs", {"name": "pointsman", "head_sha": head})
    listed = (await client("GET", f"{REPO}/commits/{head}/check-runs")).data
    assert [found["id"] for found in listed["check_runs"]] == [again.data["id"]]
    every = (await client("GET", f"{REPO}/commits/main/check-runs?filter=all")).data
    assert [found["id"] for found in every["check_runs"]] == [again.data["id"], run["id"]]
    assert [found["name"] for found in gitops.check_runs(head)] == ["pointsman", "pointsman"]
    assert (await client("GET", f"{REPO}/commits/main/check-runs?check_name=other")).data["total_count"] == 0
    assert (await client("GET", f"{REPO}/check-runs/1")).status == 404


@pytest.mark.parametrize(
    "change",
    [
        {"head_sha": "0" * 40},
        {"name": None},
        {"status": "ended"},
        {"conclusion": "good"},
        {"status": "completed"},
        {"output": {"title": "no summary"}},
        {"output": {"title": "t", "summary": "s" * 65_536}},
        {"output": {"title": "t", "summary": "s", "text": "s" * 65_536}},
        {"output": {"title": "t", "summary": "ä" * 32_768}},
        {"output": {"title": "t" * 256, "summary": "s"}},
        {"output": {"title": "t", "summary": "s", "annotations": [{}] * 51}},
        {"actions": [{"label": "l", "identifier": "i", "description": "d"}] * 4},
        {"actions": [{"label": "l" * 21, "identifier": "i", "description": "d"}]},
        {"actions": [{"label": "l", "identifier": "i", "description": "d" * 41}]},
    ],
)
async def test_a_check_run_beyond_the_limits_is_refused(client: Client, gitops: Repository, change: Any) -> None:
    """Each limit of GitHub's is a 422, and no check run is made."""
    body = {"name": "pointsman", "head_sha": gitops.head(), **change}
    assert ((await client("POST", f"{REPO}/check-runs", body)).status, gitops.runs) == (422, [])


async def test_checks_need_their_own_permission(client: Client, gitops: Repository) -> None:
    """A token for contents alone may not report, and is told in a header what it would need."""
    token = await client.new_token(permissions={"contents": "write"})
    body = {"name": "pointsman", "head_sha": gitops.head()}
    refused = await client("POST", f"{REPO}/check-runs", body, token=token)
    assert (refused.status, refused.data["message"]) == (403, "Resource not accessible by integration")
    assert refused.headers["x-accepted-github-permissions"] == "checks=write"


async def test_a_person_reads_check_runs_and_writes_none(client: Client, gitops: Repository) -> None:
    """GitHub lets Apps alone make them."""
    body, person = {"name": "pointsman", "head_sha": gitops.head()}, client.sandbox.user_token
    made = await client("POST", f"{REPO}/check-runs", body)
    seen = await client("GET", f"{REPO}/check-runs/{made.data['id']}", token=person)
    refused = await client("POST", f"{REPO}/check-runs", body, token=person)
    assert (seen.status, refused.status, len(gitops.runs)) == (200, 403, 1)
    assert refused.data["message"] == "You must authenticate via a GitHub App."


async def test_a_dispatch_becomes_a_webhook(client: Client, receiver: Receiver) -> None:
    """The user's or the App's token may dispatch: 204, and the event says who did, with the payload as given."""
    body = {"event_type": "update", "client_payload": {"tag": "1.0"}}
    for token in (client.sandbox.user_token, client.token):
        assert (await client("POST", f"{REPO}/dispatches", body, token=token)).status == 204
    assert (await client("POST", f"{REPO}/dispatches", {"event_type": "bare"})).status == 204
    await client.sandbox.webhooks.drained()
    told = [(event, load["action"], load["client_payload"], load["sender"]["login"]) for event, load in receiver.events]
    assert told == [
        ("repository_dispatch", "update", {"tag": "1.0"}, "octocat"),
        ("repository_dispatch", "update", {"tag": "1.0"}, "pointsman[bot]"),
        ("repository_dispatch", "bare", None, "pointsman[bot]"),
    ]


NOT_AN_OBJECT = "Invalid request.\n\nFor 'properties/client_payload', "


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({}, "Validation Failed"),
        ({"event_type": ""}, "Invalid request.\n\nAt least 1 characters are required; only 0 were supplied."),
        ({"event_type": "e" * 101}, "Validation Failed"),
        ({"event_type": "e", "client_payload": None}, f"{NOT_AN_OBJECT}nil is not an object."),
        ({"event_type": "e", "client_payload": "a"}, f'{NOT_AN_OBJECT}"a" is not an object.'),
        ({"event_type": "e", "client_payload": ["a"]}, f'{NOT_AN_OBJECT}["a"] is not an object.'),
        (
            {"event_type": "e", "client_payload": {str(number): number for number in range(11)}},
            "Invalid request.\n\nNo more than 10 properties are allowed; 11 were supplied.",
        ),
        ({"event_type": "e", "client_payload": {"a": "x" * 65_536}}, "client_payload is too large."),
    ],
)
async def test_a_dispatch_beyond_the_limits_is_refused(
    client: Client, receiver: Receiver, body: Any, message: str
) -> None:
    """Each limit of GitHub's is a 422 with its sentence at the top, and nothing is sent."""
    reply = await client("POST", f"{REPO}/dispatches", body)
    await client.sandbox.webhooks.drained()
    assert (reply.status, reply.data["message"], receiver.received) == (422, message, [])


async def test_a_dispatch_needs_contents_write(client: Client) -> None:
    """Whoever may only read may not dispatch."""
    token = await client.new_token(permissions={"contents": "read"})
    assert (await client("POST", f"{REPO}/dispatches", {"event_type": "e"}, token=token)).status == 403
