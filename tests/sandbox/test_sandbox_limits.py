"""The secondary limits: how much an installation may write in a minute and in an hour, where they are switched on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from sandbox_ends import Client, Reply

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
