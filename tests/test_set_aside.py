"""What GitHub refuses may be allowed soon: it is tried again for seconds, then set aside, and no event is needed."""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest
from running import DATABASE, REFUSAL, draining, running
from written import AUTHOR, MAPPINGS, PATH, TWO, gitops_with, tag

from bot.core.retry import Retry
from bot.worker import ASIDE_FIRST, ASIDE_LONGEST

if TYPE_CHECKING:
    from pathlib import Path

    from bot.sandbox import Sandbox

QUICK = Retry(attempts=4, first=0.001, longest=0.01)
FORBIDDEN = {"data": None, "errors": [{"type": "FORBIDDEN", "message": "Resource not accessible by integration"}]}
NOT_FOUND = {"data": None, "errors": [{"type": "NOT_FOUND", "message": "Could not resolve to a Repository"}]}
LACKS = {**REFUSAL, "message": "Resource not accessible by integration"}
GONE = {**REFUSAL, "message": "Not Found"}
# What GitHub answers for some seconds after a token was made, to whichever request comes first.
PASSING = [
    pytest.param(MAPPINGS, {"path": "/access_tokens$", "status": 404, "body": GONE}, id="token 404"),
    pytest.param(MAPPINGS, {"operation": "Open", "status": 200, "body": FORBIDDEN}, id="read FORBIDDEN"),
    pytest.param(MAPPINGS, {"operation": "Open", "status": 200, "body": NOT_FOUND}, id="read NOT_FOUND"),
    pytest.param(MAPPINGS, {"operation": "Commit", "status": 200, "body": FORBIDDEN}, id="mutation FORBIDDEN"),
    pytest.param(AUTHOR, {"path": "/contents/", "method": "PUT", "status": 403, "body": LACKS}, id="contents 403"),
    pytest.param(AUTHOR, {"path": "/contents/", "method": "PUT", "status": 404, "body": GONE}, id="contents 404"),
    pytest.param(TWO, {"path": "/git/trees$", "method": "POST", "status": 403, "body": LACKS}, id="tree 403"),
    pytest.param(TWO, {"path": "/git/refs/", "method": "PATCH", "status": 404, "body": GONE}, id="ref 404"),
]


@pytest.mark.parametrize("times", [1, 2])
@pytest.mark.parametrize(("mappings", "fault"), PASSING)
async def test_a_passing_refusal_is_over_within_seconds(
    sandbox: Sandbox, tmp_path: Path, mappings: str, fault: dict[str, Any], times: int
) -> None:
    """No event comes: the delivery is committed all the same, and on no other evidence than that GitHub takes it."""
    repository = gitops_with(sandbox, mappings)
    sandbox.faults.add(**fault, times=times)
    async with running(sandbox, tmp_path) as bot:
        delivery = await sandbox.dispatch(repository.full_name, "update-gitops-repo", {"tag": "2-dev"})
        assert await bot.ended(delivery) == "committed"
    assert tag(repository) == "2-dev"


async def test_what_is_refused_for_long_waits_longer_each_time(sandbox: Sandbox, tmp_path: Path) -> None:
    """A minute, two, four, an hour at most; whoever looks for what is due then finds it."""
    repository = gitops_with(sandbox, MAPPINGS)
    sandbox.faults.add(operation="Open", status=200, body=NOT_FOUND, times=None)
    async with draining(sandbox, tmp_path, retry=QUICK) as bench:
        delivery = await bench.store(repository, {"tag": "2-dev"})
        pauses = []
        for _ in range(8):
            while await bench.drain(repository) is not None:
                pass
            assert bench.row(delivery).state == "waiting"
            pauses.append(round(due_in(tmp_path, delivery)))
            assert await bench.inbox.targets() == []
            bench.inbox._connection.execute("UPDATE deliveries SET not_before = ?", [time.time() - 1])
            assert await bench.inbox.targets() == [repository.id]
        assert pauses == [min(ASIDE_FIRST * 2**number, ASIDE_LONGEST) for number in range(8)]
        sandbox.faults.clear()
        assert await bench.drain(repository) is None
        assert bench.row(delivery).state == "committed"


async def test_a_commit_frees_what_waits_in_the_same_repository(sandbox: Sandbox, tmp_path: Path) -> None:
    """Another delivery gets through: what was refused before is tried again at once, before its own timer."""
    repository = gitops_with(sandbox, MAPPINGS)
    async with draining(sandbox, tmp_path, retry=QUICK) as bench:
        sandbox.faults.add(operation="Open", status=200, body=FORBIDDEN, times=QUICK.attempts)
        refused = await bench.store(repository, {"tag": "2-dev"})
        while await bench.drain(repository) is not None:
            pass
        assert bench.row(refused).state == "waiting"
        taken = await bench.store(repository, {"tag": "3-dev"})
        assert await bench.drain(repository) == 0.0
        assert bench.row(taken).state == "committed"
        await bench.drain(repository)
        assert bench.row(refused).state == "no_change"
        assert "superseded" in bench.row(refused).reason
    assert tag(repository) == "3-dev"


async def test_one_branch_that_may_not_be_written_to_sets_no_other_aside(sandbox: Sandbox, tmp_path: Path) -> None:
    """GitHub refuses each commit to one branch with a bare 403; a delivery to another branch in the batch is done."""
    mappings = MAPPINGS.replace("    update:", "    branch: '${{ branch }}'\n    update:")
    repository = gitops_with(sandbox, mappings)
    for branch in ("stuck", "fine"):
        repository.create_branch(branch)
    sandbox.faults.add(operation="Commit", branch="stuck", status=200, body=FORBIDDEN, times=None)
    async with draining(sandbox, tmp_path, retry=QUICK) as bench:
        stuck = await bench.store(repository, {"tag": "2-dev", "branch": "stuck"})
        fine = await bench.store(repository, {"tag": "2-dev", "branch": "fine"})
        await bench.drain(repository)
        assert bench.row(fine).state == "committed"
        while await bench.drain(repository) is not None:
            pass
        assert bench.row(stuck).state == "waiting"
    assert "2-dev" in repository.read(PATH, "fine").decode()


def due_in(folder: Path, delivery: str) -> float:
    """Return in how many seconds a delivery is due."""
    with closing(sqlite3.connect(folder / DATABASE)) as connection:
        ((not_before,),) = connection.execute("SELECT not_before FROM deliveries WHERE id = ?", [delivery])
        return float(not_before) - time.time()


async def test_what_is_refused_for_long_costs_no_more_each_time(sandbox: Sandbox, tmp_path: Path) -> None:
    """People go on pushing to the branch. No commit of ours may have landed there, so none is looked for."""
    repository = gitops_with(sandbox, MAPPINGS)
    sandbox.faults.add(operation="Commit", status=200, body=FORBIDDEN, times=None)
    async with draining(sandbox, tmp_path, retry=QUICK) as bench:
        delivery = await bench.store(repository, {"tag": "2-dev"})
        asked = []
        for number in range(QUICK.attempts):
            before = len(sandbox.requests)
            await bench.drain(repository)
            asked.append(len(sandbox.requests) - before)
            repository.commit({"README.md": f"{number}\n"}, "A person goes on")
        assert bench.row(delivery).state == "waiting"
        assert bench.inbox._connection.execute("SELECT count(*) FROM intents").fetchone()[0] == 0
    assert max(asked[1:]) <= asked[0]


async def test_a_commit_of_which_something_is_hidden_was_made(sandbox: Sandbox, tmp_path: Path) -> None:
    """GitHub makes the commit and forbids to read its address: it is looked for, and not made twice."""
    repository = gitops_with(sandbox, MAPPINGS)
    hidden = {"data": {"createCommitOnBranch": {"commit": None}}, "errors": FORBIDDEN["errors"]}
    sandbox.faults.add(operation="Commit", status=200, body=hidden, after=True)
    async with draining(sandbox, tmp_path, retry=QUICK) as bench:
        delivery = await bench.store(repository, {"tag": "2-dev"})
        await bench.drain(repository)
        assert bench.row(delivery).state == "pending"
        await bench.drain(repository)
        row = bench.row(delivery)
    assert (row.state, row.commit) == ("committed", repository.head())
    assert "found after its answer was lost" in row.reason
