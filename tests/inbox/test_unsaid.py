"""What is still to be said, in the database."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from opened_inbox import delivery, opened

from bot.core.message import Annotation, CheckRun
from bot.core.model import Repository
from bot.core.outcome import Outcome
from bot.core.report import PutOff, Report
from bot.inbox.records import Records, Waiting

if TYPE_CHECKING:
    from pathlib import Path

    from bot.inbox.sqlite import SQLiteInbox

REPOSITORY = Repository(7, "acme/gitops", "main", 25669)
RUN = CheckRun("a" * 40, "Pointsman dispatch d1", "failure", "Failed", "because", "", "d1")


async def stored(inbox: SQLiteInbox, *names: str, run: CheckRun = RUN, repository: Repository = REPOSITORY) -> None:
    """End deliveries with one report."""
    for name in names:
        await inbox.add(delivery(name))
    outcomes = [Outcome(name, "failed", "because", run.head) for name in names]
    await inbox.finish(outcomes, list(names), [Report(repository, run, names)])


async def test_what_was_stored_comes_back_as_it_was(tmp_path: Path) -> None:
    """Annotations and halves of characters too; a request for it may have been sent by the process before."""
    run = replace(RUN, text="\ud800", annotations=(Annotation("a.yaml", 3, "wrong"),))
    with opened(tmp_path) as inbox:
        await stored(inbox, "d1", "d2", run=run)
        (new,) = await inbox.reports.of(7, [run.key])
        assert not new.doubtful
        assert await inbox.reports.installations() == []
    with opened(tmp_path) as inbox:
        assert await inbox.reports.installations() == [25669]
        (unsaid,) = await inbox.reports.due(25669, 0, 10)
    assert (unsaid.report.check_run, unsaid.report.deliveries, unsaid.doubtful) == (run, ("d1", "d2"), True)
    assert replace(unsaid.report.repository, default_branch="main") == REPOSITORY


async def test_an_outcome_that_is_not_recorded_leaves_no_report(tmp_path: Path) -> None:
    """Both are in one transaction: where the database fails, neither is there."""
    with opened(tmp_path) as inbox:
        await inbox.add(delivery("d1"))
        inbox._connection.execute(
            "CREATE TRIGGER full BEFORE UPDATE OF state ON deliveries BEGIN SELECT RAISE(ABORT, 'disk full'); END"
        )
        with pytest.raises(sqlite3.Error, match="disk full"):
            await stored(inbox, "d1")
        assert await inbox.reports.of(7, [RUN.key]) == []


async def test_what_ended_anew_meanwhile_is_still_to_be_said(tmp_path: Path) -> None:
    """A delivery is replayed and fails again while the check run of its first failure is on the way."""
    with opened(tmp_path) as inbox:
        await stored(inbox, "d1")
        (first,) = await inbox.reports.of(7, [RUN.key])
        inbox._connection.execute("UPDATE reports SET created_at = created_at - 5")
        first = replace(first, since=first.since - timedelta(seconds=5))
        await stored(inbox, "d1", run=replace(RUN, summary="otherwise"))
        await inbox.reports.said(first)
        await inbox.reports.put_off([PutOff(first, 60.0, "no", check_run=RUN)])
        (second,) = await inbox.reports.of(7, [RUN.key])
        assert (second.report.check_run.summary, second.attempts) == ("otherwise", 0)
        await inbox.reports.said(second)
        assert await inbox.reports.of(7, [RUN.key]) == []


async def test_repositories_take_turns(tmp_path: Path) -> None:
    """One report of each at a time, and the next time those behind the last one first."""
    with opened(tmp_path) as inbox:
        for target in (1, 2, 3):
            for number in range(2):
                run = replace(RUN, external_id=f"d{number}")
                await stored(inbox, f"{target}{number}", run=run, repository=replace(REPOSITORY, id=target))
    with opened(tmp_path) as inbox:
        turns = [[one.report.repository.id for one in await inbox.reports.due(25669, after, 2)] for after in (0, 2)]
    assert turns == [[1, 2], [3, 1]]


async def test_a_repository_that_moved_is_reached_by_its_new_installation(tmp_path: Path) -> None:
    """Its check runs are made with the token of the installation that reaches it now."""
    with opened(tmp_path) as inbox:
        await stored(inbox, "d1")
        await inbox.reach([7], 99)
        (unsaid,) = await inbox.reports.of(7, [RUN.key])
        assert unsaid.report.repository.installation == 99


async def test_the_retention_removes_nothing_that_is_still_to_be_said(tmp_path: Path) -> None:
    """The delivery is forgotten; its report goes by its own age."""
    with opened(tmp_path) as inbox:
        await stored(inbox, "d1")
        with closing(Records(tmp_path / "inbox.db", write=True)) as records:
            assert records.prune(datetime.now(UTC) + timedelta(days=1)) > 0
        assert len(await inbox.reports.of(7, [RUN.key])) == 1
        await inbox.reports.give_up(datetime.now(UTC) + timedelta(seconds=1))
        assert await inbox.reports.of(7, [RUN.key]) == []


async def test_a_delivery_shows_what_is_still_to_be_said_of_it(tmp_path: Path) -> None:
    """The check run, how often it was tried, and why that failed: for each delivery that it names, and no other."""
    with opened(tmp_path) as inbox:
        await inbox.add(delivery("other"))
        await stored(inbox, "d1-1", "d1-2")
        (unsaid,) = await inbox.reports.of(7, [RUN.key])
        await inbox.reports.put_off([PutOff(unsaid, 60.0, "GitHub forbids it")])
        with closing(Records(tmp_path / "inbox.db")) as records:
            shown = {name: records.show(name).reports for name in ("d1-1", "d1-2", "other")}
    ((waiting,), same, none) = shown.values()
    assert ((waiting,), none) == (same, ())
    assert replace(waiting, next_attempt="") == Waiting(RUN.name, RUN.head, 1, "", "GitHub forbids it")
    assert waiting.next_attempt is not None
    assert waiting.next_attempt > datetime.now(UTC).isoformat()[:19]
