"""Deliveries that come together go together: one commit, each delivery with its own end."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from running import draining, rows, running
from written import trailers

from bot.flows.apply import BLOCKED_ATTEMPTS

if TYPE_CHECKING:
    from pathlib import Path

    from bot.sandbox import Repository, Sandbox

MAPPINGS = """\
version: 1
mappings:
  - name: app
    update:
      - { files: 'apps/${{ app }}.yaml', set: { image.tag: '${{ tag }}' } }
"""
VALUE = "image: { tag: old }\n"


def gitops_with(sandbox: Sandbox, apps: int) -> Repository:
    files = {f"apps/{i}.yaml": VALUE for i in range(apps)}
    return sandbox.create_repository("acme/gitops", {".github/pointsman.yaml": MAPPINGS, **files})


async def test_fifty_dispatches_at_once_land_in_fewer_commits(sandbox: Sandbox, tmp_path: Path) -> None:
    """Each delivery is in exactly one trailer, in order; the last value of each file wins."""
    repository = gitops_with(sandbox, 5)
    sandbox.latency = 0.01
    async with running(sandbox, tmp_path) as bot:
        sent = await asyncio.gather(
            *(sandbox.dispatch("acme/gitops", "x", {"app": i % 5, "tag": f"v{i}"}) for i in range(50))
        )
        states = [await bot.ended(delivery) for delivery in sent]
    assert states == ["committed"] * 50
    assert trailers(repository) == sent
    assert len(repository.log()) - 1 < 25
    assert [repository.read(f"apps/{i}.yaml").decode() for i in range(5)] == [
        f"image: {{ tag: v{45 + i} }}\n" for i in range(5)
    ]
    commits = {entry.oid for entry in repository.log()}
    assert {row.commit for row in rows(tmp_path).values() if row.state == "committed"} <= commits


async def test_dispatches_gather_for_as_long_as_the_rules_say(sandbox: Sandbox, tmp_path: Path) -> None:
    """Counted from the first; the rules are known from the first dispatch on, and news are heard meanwhile."""
    repository = gitops_with(sandbox, 4)
    repository.commit({".github/pointsman.yaml": MAPPINGS + "batch: { window: 60 }\n"}, "Gather")
    async with draining(sandbox, tmp_path) as bench:
        at_once = await bench.dispatch(repository, {"app": 0, "tag": "v1"})
        assert at_once.state == "committed"
        now = datetime.now(UTC)
        first = await bench.store(repository, {"app": 1, "tag": "v1"}, origin=now - timedelta(seconds=40))
        second = await bench.store(repository, {"app": 2, "tag": "v1"})
        news = await bench.store(repository, None, event="push")
        assert await bench.drain(repository) == pytest.approx(20, abs=5)
        assert [bench.row(one).state for one in (first, second, news)] == ["pending", "pending", "ignored"]
        assert bench.row(first).attempts == 0
        third = await bench.store(repository, {"app": 3, "tag": "v1"}, origin=now - timedelta(seconds=61))
        assert await bench.drain(repository) is None
        assert {bench.row(one).commit for one in (first, second, third)} == {repository.head()}


async def test_deliveries_that_wait_make_one_commit_with_one_check_run(sandbox: Sandbox, tmp_path: Path) -> None:
    """The commit says of each what it asked for; the check run counts them."""
    repository = gitops_with(sandbox, 2)
    async with draining(sandbox, tmp_path) as bench:
        sent = [await bench.store(repository, {"app": i % 2, "tag": f"v{i}"}) for i in range(3)]
        assert await bench.drain(repository) is None
    commit = repository.log()[0]
    assert commit.message == "3 updates: app\n\n* app: v0 (superseded below)\n* app: v1\n* app: v2\n\n" + "\n".join(
        f"Pointsman-Delivery: {delivery}" for delivery in sent
    )
    assert len(repository.log()) == 2
    (run,) = repository.check_runs(commit.oid)
    assert run["output"]["title"] == "app: 2 files changed by 3 deliveries"


async def test_one_that_fails_leaves_the_others(sandbox: Sandbox, tmp_path: Path) -> None:
    """In the middle of a batch: a path that is refused, a variable that is absent, a value that is there already."""
    repository = gitops_with(sandbox, 2)
    payloads = [{"app": 0, "tag": "v1"}, {"app": "../x", "tag": "v2"}, {"app": 1}, {"app": 1, "tag": "old"}]
    async with draining(sandbox, tmp_path) as bench:
        sent = [await bench.store(repository, payload) for payload in [*payloads, {"app": 1, "tag": "v3"}]]
        await bench.drain(repository)
        states = [bench.row(delivery).state for delivery in sent]
    assert states == ["committed", "failed", "failed", "no_change", "committed"]
    assert trailers(repository) == [sent[0], sent[4]]
    assert sorted(run["conclusion"] for run in repository.check_runs()) == ["failure", "failure", "neutral", "success"]


async def test_deliveries_that_undo_each_other_need_no_commit(sandbox: Sandbox, tmp_path: Path) -> None:
    """Set and set back in one batch: nothing is written, and each says so."""
    repository = gitops_with(sandbox, 1)
    async with draining(sandbox, tmp_path) as bench:
        sent = [await bench.store(repository, {"app": 0, "tag": tag}) for tag in ("new", "old")]
        await bench.drain(repository)
        ends = [bench.row(delivery) for delivery in sent]
    assert {row.state for row in ends} == {"no_change"}
    assert [row.reason.startswith("superseded: deliveries that came together") for row in ends] == [True, True]
    assert len(repository.log()) == 1


async def test_a_batch_that_github_blocks_ends_blocked_each(sandbox: Sandbox, tmp_path: Path) -> None:
    """A ruleset refuses all of it: no retry, GitHub's sentence and the remedy, a failed check run on the head."""
    repository = gitops_with(sandbox, 3)
    repository.protect()
    async with draining(sandbox, tmp_path) as bench:
        sent = [await bench.store(repository, {"app": i, "tag": "v1"}) for i in range(3)]
        assert await bench.drain(repository) is None
        ends = [bench.row(delivery) for delivery in sent]
    assert {row.state for row in ends} == {"blocked"}
    (reason,) = {row.reason for row in ends}
    rule = "Repository rule violations found: Changes must be made through a pull request"
    assert reason.startswith(f"GitHub refuses the commit: {rule}")
    assert reason.endswith("let the App bypass the rule, or take the branch out of it")
    (run,) = repository.check_runs(repository.head())
    assert run["conclusion"] == "failure"
    assert all(delivery in run["output"]["summary"] for delivery in sent)


async def test_what_github_blocks_in_a_batch_is_found_by_halves(sandbox: Sandbox, tmp_path: Path) -> None:
    """The last of four is what GitHub refuses: so is the whole, then its half, then it alone; the others land."""
    repository = gitops_with(sandbox, 4)
    refusal = {"type": "UNPROCESSABLE", "path": ["createCommitOnBranch"], "message": "Secret detected in content"}
    body = {"data": {"createCommitOnBranch": None}, "errors": [refusal]}

    def answer(refused: list[bool]) -> None:
        """Refuse the next commit or let it pass, then the one after that."""
        if refused:
            change = {"status": 200, "body": body} if refused[0] else {}
            sandbox.faults.add(operation="Commit", callback=lambda: answer(refused[1:]), **change)

    answer([True, False, True, False, True])
    async with draining(sandbox, tmp_path) as bench:
        sent = [await bench.store(repository, {"app": i, "tag": "v1"}) for i in range(4)]
        await bench.drain(repository)
        ends = [bench.row(delivery) for delivery in sent]
    assert [row.state for row in ends] == ["committed", "committed", "committed", "blocked"]
    assert "Secret detected in content" in ends[3].reason
    assert trailers(repository) == sent[:3]
    assert sandbox.faults.waiting == []


async def test_more_than_a_batch_is_drained_in_turns(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As many at a time as fill a commit; the worker asks to be called again at once for the rest."""
    monkeypatch.setattr("bot.flows.batch.BATCH", 100)
    monkeypatch.setattr("bot.flows.decide.BATCH", 100)
    repository = gitops_with(sandbox, 1)
    async with draining(sandbox, tmp_path) as bench:
        sent = [await bench.store(repository, {"app": 0, "tag": f"v{i}"}) for i in range(101)]
        assert await bench.drain(repository) == 0.0
        assert await bench.drain(repository) is None
    assert len(repository.log()) == 3
    assert trailers(repository) == sent


async def test_a_branch_that_refuses_everything_is_not_asked_for_ever(sandbox: Sandbox, tmp_path: Path) -> None:
    """After a dozen refusals what is left of the batch counts as refused too: quota is for those that can land."""
    repository = gitops_with(sandbox, 40)
    repository.protect()
    async with draining(sandbox, tmp_path) as bench:
        sent = [await bench.store(repository, {"app": i, "tag": "v1"}) for i in range(40)]
        await bench.drain(repository)
        assert {bench.row(delivery).state for delivery in sent} == {"blocked"}
    refused = sum(exchange.operation == "Commit" for exchange in sandbox.requests)
    assert BLOCKED_ATTEMPTS <= refused < 2 * BLOCKED_ATTEMPTS


async def test_what_landed_before_the_rest_was_stopped_is_committed(sandbox: Sandbox, tmp_path: Path) -> None:
    """The whole is blocked, the first half lands, then GitHub is not there: only the second half waits."""
    repository = gitops_with(sandbox, 2)
    error = {"type": "UNPROCESSABLE", "path": ["createCommitOnBranch"], "message": "Secret detected in content"}
    body = {"data": {"createCommitOnBranch": None}, "errors": [error]}

    def then() -> None:
        sandbox.faults.add(operation="Commit", skip=1, reset=True)

    sandbox.faults.add(operation="Commit", status=200, body=body, callback=then)
    async with draining(sandbox, tmp_path) as bench:
        sent = [await bench.store(repository, {"app": i, "tag": "v1"}) for i in range(2)]
        assert await bench.drain(repository) == 1.0
        assert [bench.row(delivery).state for delivery in sent] == ["committed", "pending"]
        assert await bench.drain(repository) is None
        assert bench.row(sent[1]).state == "committed"
    assert trailers(repository) == sent
    assert [run["conclusion"] for run in repository.check_runs()] == ["success", "success"]


async def test_a_few_values_that_github_refuses_fail_no_others(sandbox: Sandbox, tmp_path: Path) -> None:
    """Each part of the batch has one that GitHub takes for a secret: those beside it wait, and are committed."""
    repository = gitops_with(sandbox, 64)
    repository.restrict_pushes("secret scanning")
    secrets = {*range(9), 16, 40}
    async with draining(sandbox, tmp_path) as bench:
        tags = [f"AKIA{'A' * 16}" if number in secrets else "v1" for number in range(64)]
        sent = [await bench.store(repository, {"app": number, "tag": tag}) for number, tag in enumerate(tags)]
        for _ in range(8):
            bench.later()
            await bench.drain(repository)
        blocked = {number for number, each in enumerate(sent) if bench.row(each).state == "blocked"}
        committed = {number for number, each in enumerate(sent) if bench.row(each).state == "committed"}
    assert blocked == secrets
    assert committed == set(range(64)) - secrets
