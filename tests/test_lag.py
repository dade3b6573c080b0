"""What GitHub does not know everywhere yet, tokens, installations, commits, refs, costs seconds and no dispatch."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from running import draining, running
from test_refusals import WAYS, made
from written import gitops_with, tag, trailers

from bot.sandbox.lag import AS

if TYPE_CHECKING:
    from pathlib import Path

    from running import Bench

    from bot.sandbox import Repository, Sandbox

# How long a dispatch may take on the way, by the pauses that the worker asks for.
SECONDS = 15.0


async def ended(bench: Bench, repository: Repository, delivery: str) -> float:
    """Drain until a delivery has ended; return the seconds that the worker would have paused."""
    waited = 0.0
    while (pause := await bench.drain(repository)) is not None:
        assert bench.row(delivery).state == "pending"
        waited += pause
        assert waited <= SECONDS, bench.row(delivery).reason
    return waited


@pytest.mark.parametrize("requests", [1, 2])
@pytest.mark.parametrize("how", AS)
@pytest.mark.parametrize("name", WAYS)
async def test_a_fresh_token_that_is_refused_delays_by_seconds(
    sandbox: Sandbox, tmp_path: Path, name: str, how: str, requests: int
) -> None:
    """Whatever it is refused as, the dispatch is committed once, and its check run is there."""
    repository = made(sandbox, WAYS[name])
    sandbox.lag.tokens(how, requests=requests, times=2)
    async with draining(sandbox, tmp_path) as bench:
        delivery = await bench.store(repository, {"tag": "2-dev"})
        await ended(bench, repository, delivery)
        assert bench.row(delivery).state == "committed"
    assert (tag(repository), trailers(repository)) == ("2-dev", [delivery])


async def test_a_fresh_installation_that_is_not_found_delays_by_seconds(sandbox: Sandbox, tmp_path: Path) -> None:
    """The App was installed a second ago: 404 to the first that ask for a token."""
    sandbox.lag.installations(requests=2)
    repository = gitops_with(sandbox)
    async with draining(sandbox, tmp_path) as bench:
        delivery = await bench.store(repository, {"tag": "2-dev"})
        await ended(bench, repository, delivery)
        assert bench.row(delivery).state == "committed"
    assert trailers(repository) == [delivery]


@pytest.mark.parametrize("name", WAYS)
async def test_a_commit_that_is_not_found_yet_gets_its_check_run(sandbox: Sandbox, tmp_path: Path, name: str) -> None:
    """422 to the first two that want to report on it: one check run in the end."""
    repository = made(sandbox, WAYS[name])
    sandbox.lag.commits(requests=2)
    async with running(sandbox, tmp_path) as bot:
        delivery = await sandbox.dispatch("acme/gitops", "x", {"tag": "2-dev"})
        assert await bot.ended(delivery) == "committed"
        async with asyncio.timeout(20):
            while not repository.check_runs(repository.head()):
                await asyncio.sleep(0.05)
    assert [run["conclusion"] for run in repository.check_runs()] == ["success"]


@pytest.mark.parametrize("name", WAYS)
async def test_a_ref_that_is_read_as_it_was_makes_no_second_commit(sandbox: Sandbox, tmp_path: Path, name: str) -> None:
    """The answer to a commit is lost, and who looks for it sees the branch as it was: it is found all the same."""
    repository = made(sandbox, WAYS[name])
    sandbox.lag.refs(requests=1)
    sandbox.faults.cause("502 after", moves=True)
    async with draining(sandbox, tmp_path) as bench:
        delivery = await bench.store(repository, {"tag": "2-dev"})
        assert await bench.drain(repository) == 1.0
        await ended(bench, repository, delivery)
        row = bench.row(delivery)
    assert (row.state, row.commit) == ("committed", repository.head())
    assert trailers(repository) == [delivery]


@pytest.mark.parametrize("path", ["/git/ref/heads/", "/compare/"])
@pytest.mark.parametrize("times", [1, 2])
async def test_a_lost_commit_is_found_though_its_branch_is_not_known_for_a_moment(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str, times: int
) -> None:
    """GitHub answers 404 to who looks for it: it is not taken for gone, and its delivery is committed."""
    monkeypatch.setattr("bot.github.landed.PAUSES", (0.01, 0.01))
    repository = gitops_with(sandbox)
    sandbox.faults.cause("502 after", moves=True)
    async with draining(sandbox, tmp_path) as bench:
        delivery = await bench.store(repository, {"tag": "2-dev"})
        await bench.drain(repository)
        unknown = {"message": "Not Found", "documentation_url": "https://docs.github.com/rest"}
        sandbox.faults.add(method="GET", path=path, status=404, body=unknown, times=times)
        await ended(bench, repository, delivery)
        assert bench.row(delivery).state == "committed"
    assert (tag(repository), trailers(repository)) == ("2-dev", [delivery])


async def test_what_was_retried_for_other_faults_is_retried_for_refusals_too(sandbox: Sandbox, tmp_path: Path) -> None:
    """It had more attempts than a refusal gets when GitHub refuses it for a moment: that costs seconds, too."""
    repository = gitops_with(sandbox)
    async with draining(sandbox, tmp_path) as bench:
        delivery = await bench.store(repository, {"tag": "2-dev"})
        sandbox.faults.cause("502", times=7)
        while bench.row(delivery).attempts < 7:
            await bench.drain(repository)
        sandbox.faults.clear()
        body = {"data": None, "errors": [{"type": "FORBIDDEN", "message": "Resource not accessible by integration"}]}
        sandbox.faults.add(path="/graphql$", status=200, body=body, times=2)
        await ended(bench, repository, delivery)
        assert bench.row(delivery).state == "committed"
