"""A busy repository is pushed to in a rhythm: what waits gathers, says so, and goes with the next commit."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, cast

import pytest
from running import draining, running
from test_set_aside import FORBIDDEN, QUICK
from written import AUTHOR, MAPPINGS, TWO, VALUE, gitops_with, tag, trailers

from bot.compute.in_place import InPlace
from bot.core.rhythm import Rhythm
from bot.inbox.records import Records

if TYPE_CHECKING:
    from pathlib import Path

    from running import Bench

    from bot.ports import Compute
    from bot.sandbox import Repository, Sandbox

SLOW = Rhythm(600.0, 2)
HIGH = (
    MAPPINGS
    + """\
  - name: fix
    priority: high
    when: { urgent: 'true' }
    update:
      - { files: other.yaml, set: { image.tag: '${{ tag }}' } }
"""
)


class Slow(InPlace):
    """Computes in place, though not at once."""

    async def run(self, *args: Any) -> Any:  # type: ignore[override]  # it takes what the other takes
        """Let others go on first."""
        await asyncio.sleep(0.01)
        return await super().run(*args)


async def send(bench: Bench, repository: Repository, number: int, **payload: str) -> str:
    """Store a dispatch and drain once, as if no pause but the rhythm were under way."""
    delivery = await bench.store(repository, {"tag": f"{number}-dev", **payload})
    await bench.worker.drain(repository.id)
    await bench.worker.settle()
    return delivery


def pass_by(bench: Bench) -> None:
    """Let so much time pass that the repository is quiet again."""
    bench.worker._pace._lasting.clear()


@pytest.mark.parametrize("mappings", [MAPPINGS, AUTHOR, TWO], ids=["graphql", "contents", "git data"])
async def test_what_comes_too_early_goes_together_with_the_next_push(
    sandbox: Sandbox, tmp_path: Path, mappings: str
) -> None:
    """Two at once, the next three in one commit; they say what they wait for, and in the end that they did."""
    repository = gitops_with(sandbox, mappings)
    async with draining(sandbox, tmp_path, rhythm=SLOW) as bench:
        sent = [await send(bench, repository, number) for number in range(2, 7)]
        assert [bench.row(each).state for each in sent] == ["committed"] * 2 + ["pending"] * 3
        reasons = {bench.row(each).reason for each in sent[2:]}
        assert all(one.endswith(" UTC: this repository gets one in 600 s (RHYTHM_INTERVAL)") for one in reasons)
        assert all(one.startswith("next push at ") for one in reasons)
        assert [bench.row(each).attempts for each in sent[2:]] == [0, 0, 0]
        assert 590 < (await bench.worker.drain(repository.id) or 0) <= 600
        pass_by(bench)
        assert await bench.drain(repository) is None
        assert [bench.row(each).state for each in sent] == ["committed"] * 5
    assert (tag(repository), trailers(repository)) == ("6-dev", sent)
    assert len(repository.log()) == 4
    (run,) = repository.check_runs(repository.head())
    assert run["output"]["summary"].count("It waited 0 s for the next push: this repository gets one in 600 s") == 3


async def test_all_branches_share_the_rhythm(sandbox: Sandbox, tmp_path: Path) -> None:
    """One delivery goes to three branches: two of them now, the third with the next push, and nothing twice."""
    head, mapping = MAPPINGS.split("  - ", 1)
    names = ("one", "two", "three")
    each = [f"  - {mapping.replace('app', name, 1)}    branch: {name}\n" for name in names]
    repository = gitops_with(sandbox, head + "".join(each))
    for branch in ("one", "two", "three"):
        repository.create_branch(branch)
    async with draining(sandbox, tmp_path, rhythm=SLOW) as bench:
        delivery = await send(bench, repository, 2)
        assert bench.row(delivery).state == "pending"
        assert sum(len(trailers(repository, branch)) for branch in ("one", "two", "three")) == 2
        pass_by(bench)
        await bench.drain(repository)
        assert bench.row(delivery).state == "committed"
    assert [trailers(repository, branch) for branch in ("one", "two", "three")] == [[delivery]] * 3


async def test_branches_that_are_written_to_at_the_same_time_keep_the_rhythm(sandbox: Sandbox, tmp_path: Path) -> None:
    """While the message of one is computed the others are looked at: no more pushes go than may."""
    head, mapping = MAPPINGS.split("  - ", 1)
    names = [f"branch-{number}" for number in range(8)]
    each = [f"  - {mapping.replace('app', name, 1)}    branch: {name}\n" for name in names]
    repository = gitops_with(sandbox, head + "".join(each))
    for branch in names:
        repository.create_branch(branch)
    async with draining(sandbox, tmp_path, rhythm=SLOW) as bench:
        bench.worker._decider.compute = cast("Compute", Slow())
        await send(bench, repository, 2)
    assert sum(len(trailers(repository, branch)) for branch in names) == 2


async def test_what_is_urgent_does_not_wait(sandbox: Sandbox, tmp_path: Path) -> None:
    """A mapping with `priority: high` holds for it: it is committed at once, and what waits goes on waiting."""
    repository = gitops_with(sandbox, HIGH)
    async with draining(sandbox, tmp_path, rhythm=SLOW) as bench:
        sent = [await send(bench, repository, number, urgent="false") for number in range(2, 5)]
        fix = await send(bench, repository, 9, urgent="true")
        assert [bench.row(each).state for each in (*sent, fix)] == ["committed", "committed", "pending", "committed"]
        requests = len(sandbox.requests)
        assert (await bench.worker.drain(repository.id) or 0) > 590
        # Nothing is looked at twice: it is known not to be urgent.
        assert len(sandbox.requests) == requests
        assert b"9-dev" in repository.read("other.yaml")
        pass_by(bench)
        await bench.drain(repository)
        assert bench.row(sent[2]).state == "no_change"  # the urgent one wrote the same field later
    assert trailers(repository) == [*sent[:2], fix]


async def test_what_waits_does_not_wait_for_all_that_is_urgent(sandbox: Sandbox, tmp_path: Path) -> None:
    """However many urgent commits come meanwhile, also such as are refused: the next push may go when it could."""
    repository = gitops_with(sandbox, HIGH)
    async with draining(sandbox, tmp_path, rhythm=SLOW) as bench:
        for number in range(2, 5):
            await send(bench, repository, number, urgent="false")
        for number in range(5, 10):
            fix = await send(bench, repository, number, urgent="true")
            assert bench.row(fix).state == "committed"
        sandbox.faults.cause("rule graphql")
        refused = await send(bench, repository, 10, urgent="true")
        assert bench.row(refused).state == "blocked"
        assert 590 < (await bench.worker.drain(repository.id) or 0) <= 600


async def test_a_push_that_github_refused_is_not_counted(sandbox: Sandbox, tmp_path: Path) -> None:
    """A lost race and a rule leave the branch as it is: the next pushes need not wait for them."""
    repository = gitops_with(sandbox)
    async with draining(sandbox, tmp_path, rhythm=SLOW) as bench:
        repository.commit_before_next_write({"README.md": "faster\n"})
        first = await send(bench, repository, 2)
        sandbox.faults.cause("rule graphql")
        refused = await send(bench, repository, 3)
        second = await send(bench, repository, 4)
        third = await send(bench, repository, 5)
        states = [bench.row(each).state for each in (first, refused, second, third)]
    assert states == ["committed", "blocked", "committed", "pending"]


async def test_what_landed_on_another_head_is_completed_at_once(sandbox: Sandbox, tmp_path: Path) -> None:
    """A person adds a file that the glob matches right before the commit: it gets the value, however early it is."""
    files = {".github/pointsman.yaml": AUTHOR.replace("values.yaml", "'env/*.yaml'"), "env/a.yaml": VALUE}
    repository = sandbox.create_repository("acme/gitops", files)
    repository.commit_before_next_write({"env/b.yaml": VALUE})
    async with draining(sandbox, tmp_path, rhythm=Rhythm(600.0, 1)) as bench:
        assert (await bench.dispatch(repository, {"tag": "2-dev"})).state == "committed"
    assert all(b"2-dev" in repository.read(path) for path in ("env/a.yaml", "env/b.yaml"))


async def test_what_may_not_be_pushed_is_set_aside(sandbox: Sandbox, tmp_path: Path) -> None:
    """GitHub forbids each push: none of them counts, so the delivery has its attempts and then waits as it says."""
    repository = gitops_with(sandbox)
    sandbox.faults.add(operation="Commit", status=200, body=FORBIDDEN, times=None)
    async with draining(sandbox, tmp_path, rhythm=SLOW, retry=QUICK) as bench:
        refused = await bench.store(repository, {"tag": "2-dev"})
        for _ in range(QUICK.attempts):
            await bench.drain(repository)
        row = bench.row(refused)
    assert (row.state, row.attempts) == ("waiting", QUICK.attempts)
    assert "Resource not accessible by integration" in row.reason


async def test_an_event_that_asks_for_no_commit_does_not_wait(sandbox: Sandbox, tmp_path: Path) -> None:
    """It is taken up at once, whatever waits for the next push."""
    repository = gitops_with(sandbox)
    async with draining(sandbox, tmp_path, rhythm=SLOW) as bench:
        for number in range(2, 5):
            await send(bench, repository, number)
        star = await bench.store(repository, {}, event="star")
        await bench.worker.drain(repository.id)
        assert bench.row(star).state == "ignored"


async def test_the_rhythm_is_seen_by_those_who_ask(sandbox: Sandbox, tmp_path: Path) -> None:
    """The running bot: the operator reads of a delivery that it waits, and until when; later it is committed."""
    repository = gitops_with(sandbox)
    async with running(sandbox, tmp_path, RHYTHM_INTERVAL="4", RHYTHM_BURST="1") as bot:
        first = await sandbox.dispatch("acme/gitops", "x", {"tag": "2-dev"})
        assert await bot.ended(first) == "committed"
        second = await sandbox.dispatch("acme/gitops", "x", {"tag": "3-dev"})
        await sandbox.webhooks.drained()
        records = Records(tmp_path / "pointsman.db")
        try:
            while "RHYTHM_INTERVAL" not in (record := records.show(str(second)).record).reason:
                assert record.state == "pending"
                await asyncio.sleep(0.01)
        finally:
            records.close()
        assert await bot.ended(second) == "committed"
    assert tag(repository) == "3-dev"
