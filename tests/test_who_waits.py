"""Who waits for whom: what is stuck, or comes from a clock that is wrong, holds up nobody else."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime, timedelta
from functools import partial
from types import SimpleNamespace
from typing import TYPE_CHECKING

import aiohttp
import pytest
from dulwich.refs import Ref
from running import REFUSAL, draining
from written import AUTHOR, MAPPINGS, PATH, TWO, gitops_with, tag, trailers

from bot.compute.in_place import InPlace
from bot.core.retry import Retry
from bot.github import GitHub
from bot.github.forge import AT_ONCE
from bot.github.objects import blob_oid
from bot.github.quota import Quota

if TYPE_CHECKING:
    from pathlib import Path

    from running import Bench

    from bot.sandbox import Repository, Sandbox

DAY = 86400.0
LONG = 600.0


def branched(sandbox: Sandbox, *branches: str, mappings: str = MAPPINGS) -> Repository:
    """A repository with these branches; each dispatch says to which one it goes."""
    repository = gitops_with(sandbox, mappings.replace("    update:", "    branch: '${{ branch }}'\n    update:"))
    for branch in branches:
        repository.create_branch(branch)
    return repository


async def stored(bench: Bench, repository: Repository, branch: str) -> str:
    return await bench.store(repository, {"tag": "2-dev", "branch": branch})


async def drained(bench: Bench, repository: Repository) -> float | None:
    """Drain once while what waits for its next attempt goes on waiting; return the pause that is asked for."""
    pause = await bench.worker.drain(repository.id)
    await bench.worker.settle()
    return pause


def states(bench: Bench, *deliveries: str) -> list[str]:
    return [bench.row(delivery).state for delivery in deliveries]


@pytest.mark.parametrize(
    "mappings",
    [
        pytest.param(MAPPINGS, id="graphql"),
        pytest.param(AUTHOR, id="contents"),
        pytest.param(TWO, id="git data"),
    ],
)
async def test_a_branch_that_goes_before_its_commit_fails_alone(
    sandbox: Sandbox, tmp_path: Path, mappings: str
) -> None:
    """It was read, and deleted before it was written to: who goes there is told so, who goes elsewhere is done."""
    repository = branched(sandbox, "gone", "fine", mappings=mappings)
    async with draining(sandbox, tmp_path) as bench:
        gone, fine = [await stored(bench, repository, branch) for branch in ("gone", "fine")]
        ref = Ref(b"refs/heads/gone")
        sandbox.faults.add(moves=True, branch="gone", callback=lambda: repository.git.refs.remove_if_equals(ref, None))
        assert await bench.drain(repository) is None
        assert states(bench, gone, fine) == ["failed", "committed"]
        assert "has no branch 'gone'" in bench.row(gone).reason


async def test_a_branch_that_cannot_be_read_holds_up_no_other(sandbox: Sandbox, tmp_path: Path) -> None:
    """GitHub answers 502 whenever it is asked for: a delivery to another branch takes it along, and ends."""
    repository = branched(sandbox, "stuck", "fine")
    sandbox.faults.add(operation="Open", branch="stuck", status=502, body=REFUSAL, times=None)
    async with draining(sandbox, tmp_path) as bench:
        stuck = await stored(bench, repository, "stuck")
        await drained(bench, repository)
        fine = await stored(bench, repository, "fine")
        await drained(bench, repository)
        assert states(bench, stuck, fine) == ["pending", "committed"]
        sandbox.faults.clear()
        assert await bench.drain(repository) is None
        assert states(bench, stuck) == ["committed"]


async def test_a_commit_that_cannot_be_looked_for_holds_up_no_other_branch(sandbox: Sandbox, tmp_path: Path) -> None:
    """The answer was lost, and GitHub cannot compare the branch with its base: another branch is written to."""
    repository = branched(sandbox, "stuck", "fine")
    sandbox.faults.cause("502 after", operation="Commit")
    async with draining(sandbox, tmp_path) as bench:
        stuck = await stored(bench, repository, "stuck")
        await drained(bench, repository)
        slow = {**REFUSAL, "message": "Sorry, this diff is taking too long to generate."}
        sandbox.faults.add(path="/compare/", status=500, body=slow, times=None)
        fine = await stored(bench, repository, "fine")
        await drained(bench, repository)
        assert states(bench, stuck, fine) == ["pending", "committed"]
        sandbox.faults.clear()
        assert await bench.drain(repository) is None
        assert (bench.row(stuck).state, bench.row(stuck).commit) == ("committed", repository.head("stuck"))


async def test_who_fails_with_another_is_tried_alone_at_last(sandbox: Sandbox, tmp_path: Path) -> None:
    """Two for one branch, of which GitHub never gives the file of one: the other is done before its attempts end."""
    repository = gitops_with(sandbox, MAPPINGS.replace("values.yaml", "'${{ file }}'"))
    repository.commit({"other.yaml": "image: { tag: poison }\n"}, "Differ")
    # Without GraphQL each file is a request of its own, which names it by its content.
    sandbox.graphql = False
    oid = blob_oid(repository.read("other.yaml"))
    sandbox.faults.add(path=f"/git/blobs/{oid}", status=502, body=REFUSAL, times=None)
    async with draining(sandbox, tmp_path, prefix="/api/v3", retry=Retry(attempts=4)) as bench:
        poison, good = [await bench.store(repository, {"tag": "3-dev", "file": file}) for file in ("other.yaml", PATH)]
        while await bench.drain(repository) is not None:
            pass
        assert states(bench, poison, good) == ["dead", "committed"]
    assert (tag(repository), trailers(repository)) == ("3-dev", [good])


async def test_who_is_taken_alone_is_not_starved_by_who_waits(sandbox: Sandbox, tmp_path: Path) -> None:
    """The process ended twice over it, so nobody goes with it; one that came before and is stuck has no turn now."""
    repository = branched(sandbox, "stuck", "fine")
    sandbox.faults.add(operation="Commit", branch="stuck", status=502, body=REFUSAL, times=None)
    async with draining(sandbox, tmp_path) as bench:
        stuck = await stored(bench, repository, "stuck")
        await drained(bench, repository)
        await bench.inbox.postpone({stuck: LONG}, "GitHub answered 502")
        fine = await stored(bench, repository, "fine")
        for _ in range(2):
            await bench.inbox.attempted([fine])
        await drained(bench, repository)
        assert states(bench, stuck, fine) == ["pending", "committed"]


async def test_a_window_ends_though_githubs_clock_is_fast(sandbox: Sandbox, tmp_path: Path) -> None:
    """By its origin the dispatch is still to come: the window is over when it has been open for as long as it is."""
    repository = gitops_with(sandbox, MAPPINGS + "batch: { window: 0.2 }\n")
    async with draining(sandbox, tmp_path) as bench:
        await bench.dispatch(repository, {"tag": "2-dev"})
        fast = await bench.store(repository, {"tag": "3-dev"}, origin=datetime.now(UTC) + timedelta(minutes=4))
        began = time.monotonic()
        async with asyncio.timeout(5):
            while (pause := await bench.worker.drain(repository.id)) is not None:
                await asyncio.sleep(pause)
        await bench.worker.settle()
        assert bench.row(fast).state == "committed"
    assert time.monotonic() - began > 0.2


async def test_who_is_taken_along_waits_no_longer_for_it(sandbox: Sandbox, tmp_path: Path) -> None:
    """Each time that it fails beside others takes a while: its own next attempt is due when it was."""
    repository = branched(sandbox, "stuck", "fine")
    sandbox.faults.add(operation="Commit", branch="stuck", status=502, body=REFUSAL, delay=0.4, times=None)
    async with draining(sandbox, tmp_path) as bench:
        stuck = await stored(bench, repository, "stuck")
        await drained(bench, repository)
        await bench.inbox.postpone({stuck: LONG}, "GitHub answered 502")
        due = time.monotonic() + LONG
        for _ in range(2):
            fine = await stored(bench, repository, "fine")
            await drained(bench, repository)
            assert bench.row(fine).state != "pending"
        left = await bench.inbox.due(repository.id)
        assert left is not None
        assert time.monotonic() + left == pytest.approx(due, abs=0.3)


async def test_branches_that_time_out_are_written_to_last(sandbox: Sandbox, tmp_path: Path) -> None:
    """As many of them as are written to at a time take up all places: who is due has one before they do."""
    names = [f"stuck-{number}" for number in range(AT_ONCE)]
    repository = branched(sandbox, *names, "fine")
    turns: list[str] = []
    async with draining(sandbox, tmp_path) as bench:
        sandbox.faults.add(operation="Commit", status=502, body=REFUSAL, times=AT_ONCE)
        stuck = [await stored(bench, repository, name) for name in names]
        await drained(bench, repository)
        await bench.inbox.postpone(dict.fromkeys(stuck, LONG), "GitHub answered 502")
        for name in names:
            sandbox.faults.add(
                operation="Commit",
                branch=name,
                status=502,
                body=REFUSAL,
                delay=0.5,
                callback=partial(turns.append, name),
            )
        sandbox.faults.add(operation="Commit", branch="fine", callback=partial(turns.append, "fine"))
        fine = await stored(bench, repository, "fine")
        await drained(bench, repository)
        assert states(bench, fine, *stuck) == ["committed"] + ["pending"] * AT_ONCE
    assert sorted(turns) == ["fine", *names]
    assert "fine" in turns[:AT_ONCE]


async def test_a_clock_that_is_set_back_keeps_nobody_waiting(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The pause was noted by a clock that was a day fast: when that is fixed the next attempt is made at once."""
    repository = gitops_with(sandbox)
    sandbox.faults.cause("502", operation="Commit")
    async with draining(sandbox, tmp_path) as bench:
        delivery = await bench.store(repository, {"tag": "2-dev"})
        # There is no other way to set a clock back than to replace it, and only the inbox's is meant.
        monkeypatch.setattr("bot.inbox.sqlite.time", SimpleNamespace(time=lambda: time.time() + DAY))
        assert await drained(bench, repository) == 1.0
        monkeypatch.undo()
        assert await drained(bench, repository) is None
        assert bench.row(delivery).state == "committed"


async def test_a_limit_costs_those_that_were_not_begun_no_attempt(sandbox: Sandbox, tmp_path: Path) -> None:
    """GitHub wants a pause at the first of many branches: the last ones are not asked for, and keep their attempts."""
    names = [f"b{number}" for number in range(2 * AT_ONCE)]
    repository = branched(sandbox, *names)
    async with draining(sandbox, tmp_path) as bench:
        ids = [await stored(bench, repository, name) for name in names]
        sandbox.faults.cause("secondary limit", operation="Commit", branch=names[0])
        assert await bench.drain(repository) == pytest.approx(60, abs=5)
        first, last = bench.row(ids[0]), bench.row(ids[-1])
        assert [(one.state, one.attempts) for one in (first, last)] == [("pending", 1), ("pending", 0)]
        bench.later()
        assert await bench.drain(repository) is None
        assert states(bench, *ids) == ["committed"] * len(ids)


async def test_a_file_that_is_named_like_a_limit_stops_nobody(sandbox: Sandbox, tmp_path: Path) -> None:
    """A lost race is answered with the name of the file: no other repository of the installation waits for it."""
    path = "exceeded a secondary rate limit.yaml"
    files = {".github/pointsman.yaml": AUTHOR.replace("values.yaml", f"'{path}'"), path: "image: { tag: 1-dev }\n"}
    hostile = sandbox.create_repository("acme/hostile", files)
    repository = gitops_with(sandbox)
    hostile.commit_before_next_write({path: "image: { tag: 2-dev }\n"})
    async with draining(sandbox, tmp_path) as bench:
        assert (await bench.dispatch(hostile, {"tag": "3-dev"})).state == "committed"
        assert (await bench.dispatch(repository, {"tag": "3-dev"})).state == "committed"


@pytest.mark.parametrize(("quota", "expected"), [(Quota(), 1), (Quota(write_interval=0), AT_ONCE)])
async def test_commits_that_wait_for_each_other_go_one_by_one(sandbox: Sandbox, quota: Quota, expected: int) -> None:
    """Where the quota wants a pause between them, several at a time would only run out of patience."""
    async with aiohttp.ClientSession() as session:
        forge = GitHub(session, sandbox.url, sandbox.app.id, sandbox.app.private_key, InPlace(), quota)
        assert forge.at_once == expected
