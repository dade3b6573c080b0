"""Limits: what a request costs, and how much an installation may ask for at a time, in a minute and in an hour."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import aiohttp
import pytest
from sandbox_ends import Client

if TYPE_CHECKING:
    from sandbox_ends import Reply

    from bot.sandbox import Repository

REPO = "/repos/acme/gitops"
START = 1_800_000_000


class Clock:
    """A clock for a sandbox that goes on only when it is told to; in seconds since the epoch."""

    def __init__(self) -> None:
        self.now = float(START)

    def __call__(self) -> float:
        return self.now


@pytest.fixture
async def clock(client: Client) -> Clock:
    """The sandbox with its secondary limits on, at a time of our own, and a token of that time."""
    clock = Clock()
    client.sandbox.clock, client.sandbox.secondary_limits = clock, True
    client.token = await client.new_token()
    return clock


async def write(client: Client) -> Reply:
    """Store a blob, which is content as any other."""
    return await client("POST", f"{REPO}/git/blobs", {"content": "x"})


async def test_the_eighty_first_write_of_a_minute_is_refused(client: Client, clock: Clock) -> None:
    """403 with a pause and GitHub's sentence, for REST and GraphQL; reading goes on; after a minute all is well."""
    assert {(await write(client)).status for _ in range(80)} == {201}
    mutation = "mutation { createCommitOnBranch(input: {}) { clientMutationId } }"
    for refused in (await write(client), await client("POST", "/graphql", {"query": mutation})):
        assert (refused.status, refused.headers["retry-after"]) == (403, "60")
        assert refused.data["message"].startswith("You have exceeded a secondary rate limit")
        assert refused.headers["x-ratelimit-remaining"] != "0"
    assert (await client("GET", f"{REPO}/contents/README.md")).status == 200
    assert "data" in await client.graphql("{ __typename }")
    clock.now += 60
    assert (await write(client)).status == 201


async def test_five_hundred_writes_are_all_of_an_hour(client: Client, clock: Clock) -> None:
    """However well they are spread; as the first ones are an hour old, there is room again."""
    client.sandbox.observer = None  # what a blob looks like has been described often enough
    for _ in range(10):
        assert {(await write(client)).status for _ in range(50)} == {201}
        clock.now += 60
    assert (await write(client)).status == 403
    clock.now = START + 3600
    client.token = await client.new_token()
    assert {(await write(client)).status for _ in range(50)} == {201}
    assert (await write(client)).status == 403


async def test_each_installation_has_limits_of_its_own(client: Client, clock: Clock) -> None:
    """One that writes too much takes nothing from another; tokens are no content."""
    other = client.sandbox.create_repository("globex/site", {"a": "b"})
    assert {(await write(client)).status for _ in range(81)} == {201, 403}
    number = client.sandbox.installations["globex"].id
    reply = await client("POST", f"/app/installations/{number}/access_tokens", token=client.jwt())
    body = {"content": "x"}
    made = await client("POST", f"/repos/{other.full_name}/git/blobs", body, token=reply.data["token"])
    assert (reply.status, made.status, clock.now) == (201, 201, START)


async def test_they_are_off_unless_they_are_switched_on(client: Client, gitops: Repository) -> None:
    """A hundred writes in no time are taken."""
    assert client.sandbox.secondary_limits is False
    assert {(await write(client)).status for _ in range(100)} == {201}
    assert gitops.blob((await write(client)).data["sha"]) == b"x"


async def test_points_of_a_minute_are_counted_apart_for_rest_and_graphql(client: Client, clock: Clock) -> None:
    """900 points of REST and 2,000 of GraphQL: a read costs one, a write five; after a minute all is well."""
    client.sandbox.observer, client.sandbox.rate_limits = None, {"core": 10**6, "graphql": 10**6}
    assert {(await write(client)).status for _ in range(80)} == {201}
    assert [(await client("GET", REPO)).status for _ in range(501)] == [200] * 500 + [403]
    query = {"query": "{ __typename }"}
    assert {(await client("POST", "/graphql", query)).status for _ in range(2000)} == {200}
    refused = await client("POST", "/graphql", query)
    assert (refused.status, refused.headers["retry-after"]) == (403, "60")
    clock.now += 60
    assert (await client("GET", REPO)).status == 200


async def test_a_hundred_requests_at_a_time_are_taken(client: Client, clock: Clock) -> None:
    """Of 110 that are under way together some are refused, and not one when they come by turns."""
    client.sandbox.observer, client.sandbox.latency = None, 0.5
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        many = Client(client.sandbox, session, client.token)
        statuses = [reply.status for reply in await asyncio.gather(*(many("GET", REPO) for _ in range(110)))]
    client.sandbox.latency = 0.0
    assert set(statuses) == {200, 403}
    assert (await client("GET", REPO)).status == 200
    assert clock.now == START


async def test_a_request_of_graphql_costs_by_its_connections(client: Client, gitops: Repository) -> None:
    """The answer tells points and nodes, and the hourly limit is charged with them."""
    for number in range(3):
        gitops.commit({"a": str(number)}, "more")
    inner = "nodes { ... on Commit { parents(first: 2) { totalCount } } }"
    text = """query X($most: Int) { rateLimit { cost nodeCount } repository(owner: "acme", name: "gitops") {
      object(expression: "main") { ... on Commit { history(first: $most) { INNER } } } } }""".replace("INNER", inner)
    before = client.sandbox.rate_report(client.sandbox.tokens[client.token])["graphql"]["used"]
    reply = await client.graphql(text, most=100)
    # One request for the history, a hundred for the parents of each.
    assert reply["data"]["rateLimit"] == {"cost": 1, "nodeCount": 100 + 200}
    assert (await client.graphql("{ rateLimit { cost } }"))["data"] == {"rateLimit": {"cost": 1}}
    after = client.sandbox.rate_report(client.sandbox.tokens[client.token])["graphql"]["used"]
    assert after - before == 2
    deep = text.replace(inner, "nodes { parents(first: 100) { nodes { parents(first: 2) { totalCount } } } }")
    reply = await client.graphql(deep, most=100)
    assert reply["data"]["rateLimit"] == {"cost": 101, "nodeCount": 100 + 10_000 + 20_000}
    assert client.sandbox.rate_report(client.sandbox.tokens[client.token])["graphql"]["used"] - after == 101
    deeper = deep.replace("parents(first: 2)", "parents(first: 100)")
    reply = await client.graphql(deeper, most=100)
    assert reply["errors"][0]["type"] == "MAX_NODE_LIMIT_EXCEEDED"


async def test_a_request_for_too_many_files_exceeds_its_resources(client: Client) -> None:
    """As many as are allowed are read; one more, and GitHub gives none of them."""
    client.sandbox.files_per_query = 2

    def query(count: int) -> str:
        files = " ".join(f'f{number}: file(path: "README.md") {{ oid }}' for number in range(count))
        target = f"defaultBranchRef {{ target {{ ... on Commit {{ {files} }} }} }}"
        return f'{{ repository(owner: "acme", name: "gitops") {{ {target} }} }}'

    assert "errors" not in await client.graphql(query(2))
    assert await client.graphql(query(3)) == {
        "data": {"repository": None},
        "errors": [
            {
                "type": "RESOURCE_LIMITS_EXCEEDED",
                "path": ["repository"],
                "message": "Resource limits for this query exceeded.",
            }
        ],
    }


async def test_pushes_are_recorded_and_none_is_refused(client: Client, clock: Clock, gitops: Repository) -> None:
    """GitHub recommends a rhythm and does not enforce it: when each came can be read."""
    for number in range(8):
        clock.now += 1
        await client("PUT", f"{REPO}/contents/{number}", {"message": "m", "content": ""})
    assert [when for when, _ in gitops.pushes][-8:] == [START + second for second in range(1, 9)]
    assert {(push.ref, push.by) for _, push in list(gitops.pushes)[-8:]} == {("refs/heads/main", "pointsman[bot]")}
