"""Installation tokens: narrow, cached, asked for once, renewed in time."""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import aiohttp
import pytest
from adapters import adapter
from running import REFUSAL, draining

from bot.errors import Transient
from bot.github.auth import Scope, Tokens, app_api

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from bot.sandbox import Exchange, Repository, Sandbox

READ = (("contents", "read"),)
MAPPINGS = "version: 1\nmappings: [{name: a, update: [{files: README.md, regex: '# (?<title>.*)'}]}]\n"


def scope(sandbox: Sandbox, repository: Repository) -> Scope:
    installation = sandbox.installation_of(repository)
    assert installation is not None
    return Scope(installation.id, repository.id, READ)


def requests(sandbox: Sandbox) -> list[Exchange]:
    return [exchange for exchange in sandbox.requests if exchange.path.endswith("/access_tokens")]


@asynccontextmanager
async def tokens(sandbox: Sandbox) -> AsyncIterator[Tokens]:
    async with aiohttp.ClientSession() as session:
        yield Tokens(app_api(session, sandbox.url, sandbox.app.id, sandbox.app.private_key))


async def test_a_token_is_for_one_repository_and_what_is_needed(sandbox: Sandbox, gitops: Repository) -> None:
    """Ids, as names change; no permission more."""
    async with tokens(sandbox) as made:
        token = await made.token(scope(sandbox, gitops))
    (request,) = requests(sandbox)
    assert request.request_body == {"repository_ids": [gitops.id], "permissions": {"contents": "read"}}
    grant = sandbox.tokens[token]
    assert (grant.repositories, dict(grant.permissions)) == (
        frozenset({gitops.id}),
        {"contents": "read", "metadata": "read"},
    )


async def test_a_token_without_a_repository_reaches_the_installation(sandbox: Sandbox, gitops: Repository) -> None:
    """For the organization's own mapping file, whose repository id is not known."""
    async with tokens(sandbox) as made:
        token = await made.token(scope(sandbox, gitops)._replace(repository=None))
    assert sandbox.tokens[token].repositories is None


async def test_each_step_of_a_delivery_has_its_own_permissions(
    sandbox: Sandbox, gitops: Repository, tmp_path: Path
) -> None:
    """Reading and committing by contents, the report by checks: two tokens for any number of deliveries."""
    gitops.commit({".github/pointsman.yaml": MAPPINGS}, "Map")
    async with draining(sandbox, tmp_path) as bench:
        for title in ("one", "two", "three"):
            assert (await bench.dispatch(gitops, {"title": title})).state == "committed"
    assert [request.request_body["permissions"] for request in requests(sandbox)] == [
        {"contents": "write"},
        {"checks": "write"},
    ]
    used = {
        (request.operation or request.path, *request.permissions) for request in sandbox.requests if request.permissions
    }
    assert used == {
        ("Open", "contents", "metadata"),
        ("Read", "contents", "metadata"),
        ("Commit", "contents", "metadata"),
        ("/repos/acme/gitops/check-runs", "checks", "metadata"),
    }


async def test_one_request_is_in_flight_for_all_that_wait(sandbox: Sandbox, gitops: Repository) -> None:
    """A hundred at once ask GitHub once, and one of them that is cancelled takes nothing from the others."""
    sandbox.latency = 0.05
    async with tokens(sandbox) as made:
        tasks = [asyncio.create_task(made.token(scope(sandbox, gitops))) for _ in range(100)]
        await asyncio.sleep(0.01)
        tasks[0].cancel()
        done = await asyncio.gather(*tasks, return_exceptions=True)
    assert isinstance(done[0], asyncio.CancelledError)
    assert len(set(done[1:])) == 1
    assert len(requests(sandbox)) == 1


@pytest.mark.parametrize("body", [b'{"token": "ghs_1', {"token": "ghs_1", "expires_at": "soon"}, ["ghs_1"]])
async def test_a_token_that_cannot_be_read_is_a_passing_fault(
    sandbox: Sandbox, gitops: Repository, body: object
) -> None:
    """Cut off, or not as documented: the next attempt may have more luck."""
    sandbox.faults.cause("malformed", path="access_tokens", body=body)
    async with tokens(sandbox) as made:
        with pytest.raises(Transient, match="GitHub's answer cannot be read"):
            await made.token(scope(sandbox, gitops))
        assert await made.token(scope(sandbox, gitops))


async def test_a_failed_request_is_not_remembered(sandbox: Sandbox, gitops: Repository) -> None:
    """All that waited for it are told; the next one asks again."""
    sandbox.faults.add(path="access_tokens", status=502, body=REFUSAL, delay=0.02)
    async with tokens(sandbox) as made:
        failed = await asyncio.gather(*(made.token(scope(sandbox, gitops)) for _ in range(3)), return_exceptions=True)
        assert [type(error) for error in failed] == [Transient] * 3
        assert await made.token(scope(sandbox, gitops)) in sandbox.tokens
    assert len(requests(sandbox)) == 2


@pytest.mark.parametrize(("minutes", "asked"), [(60, 1), (6, 1), (4, 2), (-1, 2)])
async def test_a_token_is_used_until_five_minutes_before_it_expires(
    sandbox: Sandbox, gitops: Repository, minutes: int, asked: int
) -> None:
    """A request that begins with a token must be able to end with it."""
    expires = datetime.now(UTC) + timedelta(minutes=minutes)
    body = {"token": "ghs_short", "expires_at": expires.strftime("%Y-%m-%dT%H:%M:%SZ"), "permissions": dict(READ)}
    sandbox.faults.add(path="access_tokens", status=201, body=body)
    async with tokens(sandbox) as made:
        assert await made.token(scope(sandbox, gitops)) == "ghs_short"
        again = await made.token(scope(sandbox, gitops))
    assert (again == "ghs_short", len(requests(sandbox))) == (asked == 1, asked)


async def test_a_token_that_github_does_not_know_any_more_is_renewed(sandbox: Sandbox, gitops: Repository) -> None:
    """Revoked, or expired by GitHub's clock: one 401, one new token, the same request again."""
    async with adapter(sandbox, gitops) as (forge, repository, _):
        before = await forge.open(repository, ["README.md"])
        sandbox.tokens.clear()
        assert await forge.open(repository, ["README.md"]) == before
        assert [exchange.status for exchange in sandbox.requests] == [201, 200, 401, 201, 200]


async def test_many_that_are_refused_at_once_make_one_token(sandbox: Sandbox, gitops: Repository) -> None:
    """Of ten requests with a revoked token one gets the new one, and the others use it."""
    async with adapter(sandbox, gitops) as (forge, repository, _):
        await forge.open(repository, [])
        sandbox.tokens.clear()
        await asyncio.gather(*(forge.open(repository, []) for _ in range(10)))
    assert len(requests(sandbox)) == 2


async def test_an_expired_token_is_renewed_by_githubs_clock(sandbox: Sandbox, gitops: Repository) -> None:
    """Our clock says that it is good; GitHub's, half a minute ahead of it, says that it has expired."""
    async with adapter(sandbox, gitops) as (forge, repository, _):
        await forge.open(repository, [])
        for token, grant in list(sandbox.tokens.items()):
            if grant.kind == "installation":
                object.__setattr__(grant, "expires", time.time() + 10)
                assert token in sandbox.tokens
        sandbox.clock = lambda: time.time() + 30
        await forge.open(repository, [])
        assert [exchange.status for exchange in sandbox.requests] == [201, 200, 401, 201, 200]


async def test_a_second_401_is_told(sandbox: Sandbox, gitops: Repository) -> None:
    """A token that is refused as soon as it is made is not made for ever: later, as nobody tells when it is taken."""
    sandbox.faults.add(path="graphql", status=401, body={**REFUSAL, "message": "Bad credentials"}, times=2)
    async with adapter(sandbox, gitops) as (forge, repository, _):
        with pytest.raises(Transient, match="GitHub refuses our token: Bad credentials"):
            await forge.open(repository, [])
        assert [exchange.status for exchange in sandbox.requests] == [201, 401, 201, 401]


async def test_a_wrong_app_id_is_told_with_what_to_compare(sandbox: Sandbox, gitops: Repository) -> None:
    """GitHub's words and the settings to look at; deliveries wait, as whoever runs the bot can fix it meanwhile."""
    async with aiohttp.ClientSession() as session:
        made = Tokens(app_api(session, sandbox.url, 99, sandbox.app.private_key))
        with pytest.raises(Transient, match=r"Integration not found; compare APP_ID and PRIVATE_KEY"):
            await made.token(scope(sandbox, gitops))


async def test_no_token_is_in_a_repr(sandbox: Sandbox, gitops: Repository) -> None:
    """Whoever prints the adapter learns nothing."""
    async with tokens(sandbox) as made:
        token = await made.token(scope(sandbox, gitops))
        shown = repr(made) + repr(vars(made))
    assert token not in shown
    assert "PRIVATE KEY" not in shown
