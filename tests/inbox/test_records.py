"""What people and the retention ask of the inbox, beside the process that has it open."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from opened_inbox import BODY, end, opened
from opened_inbox import delivery as new_delivery
from running import DATABASE, rows, running

from bot.app import every
from bot.core.model import Writer
from bot.core.outcome import Commit, Outcome
from bot.errors import InputError
from bot.inbox.records import Details, Effect, Intent, Query, Record, Records, retain
from bot.inbox.sqlite import SQLiteInbox

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from bot.core.model import Delivery
    from bot.sandbox import Sandbox

# Long before what ends now.
ORIGIN = datetime(2020, 1, 2, 10, 0, 0, 123456, tzinfo=UTC)
LATER = datetime.now(UTC) + timedelta(days=1)
COMMIT = Commit("c" * 40, "https://github.test/commit", "b" * 40)
FIELDS = [("values.yaml", "image.tag")]


def delivery(name: str, target: int = 7) -> Delivery:
    """Return a delivery called `name` that came in at ORIGIN."""
    return replace(new_delivery(name, target), origin=ORIGIN)


@contextmanager
def recorded(folder: Path, *, write: bool = True) -> Iterator[Records]:
    """Open the records of `inbox.db` in `folder`, and close them in the end."""
    with closing(Records(folder / "inbox.db", write=write)) as records:
        yield records


async def committed(inbox: SQLiteInbox, name: str, target: int = 7) -> None:
    """Store a delivery that wrote a field on main."""
    await inbox.add(delivery(name, target))
    await inbox.intend("main", "b" * 40, {name: FIELDS})
    await end(inbox, Outcome(name, "committed", "one file", branch="main", commit=COMMIT))


def count(folder: Path, table: str) -> int:
    """Return how many rows a table has."""
    with closing(sqlite3.connect(folder / "inbox.db")) as connection:
        (rows,) = connection.execute(f"SELECT count(*) FROM {table}").fetchone()  # noqa: S608 - a test's own name
        return int(rows)


async def fill(inbox: SQLiteInbox) -> None:
    """Store one delivery of each kind."""
    await inbox.add(delivery("pending-1"))
    await inbox.add(delivery("waiting-1", 8))
    await inbox.wait({"waiting-1": 600.0}, "the repository is archived")
    await inbox.add(delivery("failed-1"))
    await end(inbox, Outcome("failed-1", "failed", "no such file", branch="main"))
    await inbox.add(
        replace(delivery("ignored-1", 0), origin=ORIGIN + timedelta(hours=1)), Outcome("ignored-1", "ignored", "ping")
    )


@pytest.mark.parametrize(
    ("query", "ids"),
    [
        (Query(), ["ignored-1", "failed-1", "waiting-1", "pending-1"]),
        (Query(limit=2), ["ignored-1", "failed-1"]),
        (Query(states=("failed", "pending")), ["failed-1", "pending-1"]),
        (Query(target=7), ["failed-1", "pending-1"]),
        (Query(target=0), ["ignored-1"]),
        (Query(since=ORIGIN), ["ignored-1", "failed-1", "waiting-1", "pending-1"]),
        (Query(since=ORIGIN + timedelta(microseconds=1)), ["ignored-1"]),
        (Query(states=("dead",)), []),
    ],
    ids=str,
)
async def test_deliveries_are_listed_the_last_to_arrive_first(tmp_path: Path, query: Query, ids: list[str]) -> None:
    """A query narrows them by state, repository, time and number."""
    with opened(tmp_path) as inbox:
        await fill(inbox)
        with recorded(tmp_path, write=False) as records:
            assert [record.id for record in records.list(query)] == ids


async def test_a_delivery_is_shown_with_all_there_is(tmp_path: Path) -> None:
    """Effects by branch, what was begun, and the body."""
    with opened(tmp_path) as inbox:
        await inbox.add(replace(delivery("d1"), installation=5))
        await inbox.attempted(["d1"])
        await inbox.intend("next", "a" * 40, {"d1": FIELDS})
        await inbox.finish([Outcome("d1", "no_change", "it is there", branch="main")], [])
        with recorded(tmp_path, write=False) as records:
            details = records.show("d1")
    (effect,) = details.effects
    assert details == Details(
        Record("d1", "repository_dispatch", 7, 5, "octocat", ORIGIN.isoformat(), 1, None, False, "pending", "", None),
        (Effect("main", "no_change", "it is there", None, effect.ended_at),),
        (Intent("next", "a" * 40, (("values.yaml", "image.tag"),)),),
        BODY,
    )


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ("0b989ba4-1", "0b989ba4-1"),
        ("0b98", "0b989ba4-1"),
        ("72d3162e", "72d3162e"),
        ("72d3162e-", "72d3162e-cc78"),
    ],
)
async def test_an_id_may_be_given_by_how_it_begins(tmp_path: Path, given: str, found: str) -> None:
    """Four characters or more that no other begins with; a whole id is itself though others begin so."""
    with opened(tmp_path) as inbox, recorded(tmp_path, write=False) as records:
        for name in ("0b989ba4-1", "72d3162e", "72d3162e-cc78"):
            await inbox.add(delivery(name))
        assert records.find(given) == found


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ("72d3", "several deliveries begin with '72d3': 72d3162e-1, 72d3162e-2; write one of them out"),
        ("0b9", "there is no delivery '0b9'"),
        ("", "there is no delivery ''"),
        ("0b989ab4-1", "there is no delivery '0b989ab4-1'; did you mean '0b989ba4-1'?"),
        ("%", "there is no delivery '%'"),
        ("0b989ba4-\udc80", "there is no delivery '0b989ba4-?'; did you mean '0b989ba4-1'?"),
    ],
)
async def test_an_id_that_means_none_or_several_is_refused(tmp_path: Path, given: str, sentence: str) -> None:
    """The nearest id is suggested."""
    with opened(tmp_path) as inbox, recorded(tmp_path) as records:
        for name in ("0b989ba4-1", "72d3162e-1", "72d3162e-2"):
            await inbox.add(delivery(name))
        for ask in (records.show, records.drop, lambda one: records.replay(one, forced=False)):
            with pytest.raises(InputError) as caught:
                ask(given)
            assert str(caught.value) == sentence


async def test_what_waits_for_its_next_attempt_can_be_tried_at_once(tmp_path: Path) -> None:
    """It is told when that would be; replayed it is due, with all its attempts, and a second replay is refused."""
    with opened(tmp_path) as inbox, recorded(tmp_path) as records:
        await inbox.add(delivery("d1-1"))
        await inbox.attempted(["d1-1"])
        await inbox.postpone({"d1-1": 60.0}, "GitHub answered 502")
        later = datetime.fromisoformat(records.show("d1-1").record.next_attempt or "")
        assert 50 <= (later - datetime.now(UTC)).total_seconds() <= 60
        assert records.replay("d1-1", forced=False) == "d1-1"
        assert await inbox.due(7) == 0.0
        assert (records.show("d1-1").record.attempts, records.show("d1-1").record.next_attempt) == (0, None)
        with pytest.raises(InputError, match="d1-1 is pending already"):
            records.replay("d1-1", forced=False)


@pytest.mark.parametrize("forced", [False, True])
async def test_a_replayed_delivery_is_pending_with_its_body_and_without_effects(
    tmp_path: Path, *, forced: bool
) -> None:
    """The inbox hands it out as if it had just come in, in its old place, forced or not."""
    with opened(tmp_path) as inbox:
        await committed(inbox, "d1")
        await inbox.add(delivery("d2"))
        with recorded(tmp_path) as records:
            assert records.replay("d1", forced=forced) == "d1"
        again, other = await inbox.pending(7, 10)
        assert (other.id, other.forced) == ("d2", False)
        assert again == replace(delivery("d1"), body=again.body, forced=forced)
        assert again.body == BODY
        assert count(tmp_path, "effects") == 0
        await end(inbox, Outcome("d1", "no_change", "it is there", branch="main"))
        assert await inbox.state("d1") == "no_change"


async def test_a_waiting_delivery_is_replayed_without_being_freed(tmp_path: Path) -> None:
    """The operator knows that what it waits for is there."""
    with opened(tmp_path) as inbox:
        await fill(inbox)
        with recorded(tmp_path) as records:
            records.replay("waiting-1", forced=False)
        assert [one.id for one in await inbox.pending(8, 10)] == ["waiting-1"]


async def test_what_was_begun_stays_known_over_a_replay(tmp_path: Path) -> None:
    """A commit that may have landed is looked for before anything is written again."""
    with opened(tmp_path) as inbox:
        await inbox.add(delivery("d1"))
        await inbox.intend("main", "a" * 40, {"d1": FIELDS})
        await end(inbox, Outcome("d1", "dead", "given up"))
        with recorded(tmp_path) as records:
            records.replay("d1", forced=False)
        (again,) = await inbox.pending(7, 10)
        assert again.intents == {("main", "a" * 40)}


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ("pending-1", "delivery pending-1 is pending already"),
        ("ignored-1", "delivery ignored-1 ended as 'ignored' and nothing of its body is left"),
    ],
)
async def test_what_cannot_be_replayed_is_refused(tmp_path: Path, given: str, sentence: str) -> None:
    """Nothing changes then."""
    with opened(tmp_path) as inbox, recorded(tmp_path) as records:
        await fill(inbox)
        before = records.show(given)
        with pytest.raises(InputError) as caught:
            records.replay(given, forced=True)
        assert str(caught.value).startswith(sentence)
        assert records.show(given) == before


@pytest.mark.parametrize("given", ["pending-1", "waiting-1"])
async def test_a_dropped_delivery_is_dead(tmp_path: Path, given: str) -> None:
    """It is handed out no more, and can be replayed."""
    with opened(tmp_path) as inbox, recorded(tmp_path) as records:
        await fill(inbox)
        assert records.drop(given) == given
        record = records.show(given).record
        assert (record.state, record.reason) == ("dead", "dropped by the operator")
        assert given not in [one.id for target in (7, 8) for one in await inbox.pending(target, 10)]
        records.replay(given, forced=False)
        assert await inbox.state(given) == "pending"


async def test_a_delivery_that_is_dropped_while_it_is_drained_does_not_spoil_its_batch(tmp_path: Path) -> None:
    """The drain's outcomes are recorded for the others, and it stays dead."""
    with opened(tmp_path) as inbox:
        for name in ("d1", "d2"):
            await inbox.add(delivery(name))
        with recorded(tmp_path) as records:
            records.drop("d1")
        await end(inbox, *(Outcome(name, "committed", "", branch="main", commit=COMMIT) for name in ("d1", "d2")))
        assert [await inbox.state(name) for name in ("d1", "d2")] == ["dead", "committed"]


@pytest.mark.parametrize(("given", "state"), [("failed-1", "failed"), ("ignored-1", "ignored")])
async def test_what_has_ended_cannot_be_dropped(tmp_path: Path, given: str, state: str) -> None:
    """How it ended stays."""
    with opened(tmp_path) as inbox, recorded(tmp_path) as records:
        await fill(inbox)
        with pytest.raises(InputError, match=f"^delivery {given} has ended already, as '{state}': nothing is left"):
            records.drop(given)
        assert await inbox.state(given) == state


async def test_pruning_forgets_what_ended_and_keeps_what_has_not(tmp_path: Path) -> None:
    """With effects, intents and writers; what waited for too long is dead, what is pending stays."""
    with opened(tmp_path) as inbox, recorded(tmp_path) as records:
        await fill(inbox)
        await committed(inbox, "committed-1")
        await inbox.intend("main", "a" * 40, {"failed-1": FIELDS})
        assert records.prune(ORIGIN) == 0
        assert records.prune(LATER) == 5  # three that ended, a writer, one that waited
        assert [(one.id, one.state) for one in records.list(Query())] == [
            ("waiting-1", "dead"),
            ("pending-1", "pending"),
        ]
        tables = ("deliveries", "effects", "intents", "writers")
        assert {table: count(tmp_path, table) for table in tables} == dict(zip(tables, (2, 1, 0, 0), strict=True))


async def test_a_writer_stays_as_long_as_its_delivery(tmp_path: Path) -> None:
    """The order of writes is known for what is still there, and for what is young."""
    with opened(tmp_path) as inbox, recorded(tmp_path) as records:
        await committed(inbox, "d1")
        assert records.prune(ORIGIN + timedelta(days=1)) == 0
        assert await inbox.writers(7, "main", [FIELDS[0][0]]) == {FIELDS[0]: Writer("d1", ORIGIN)}


async def test_pruning_goes_in_steps_until_nothing_is_left(tmp_path: Path) -> None:
    """Each step forgets at most as many as it may, the oldest first."""
    with opened(tmp_path) as inbox, recorded(tmp_path) as records:
        for number in range(5):
            await inbox.add(delivery(f"ended-{number}"), Outcome(f"ended-{number}", "ignored", "ping"))
        assert [records.prune(LATER, 2) for _ in range(2)] == [2, 2]
        assert [one.id for one in records.list(Query())] == ["ended-4"]
        assert [records.prune(LATER, 2) for _ in range(2)] == [1, 0]


async def test_retention_counts_in_days_from_now(tmp_path: Path) -> None:
    """What ended today is there tomorrow; with no day to keep it is gone."""
    with opened(tmp_path) as inbox:
        await inbox.add(delivery("d1"), Outcome("d1", "ignored", "ping"))
        assert await retain(tmp_path / "inbox.db", 1) == 0
        assert await retain(tmp_path / "inbox.db", 0) == 1
        assert await inbox.state("d1") is None


async def test_the_bot_forgets_at_its_start(sandbox: Sandbox, tmp_path: Path) -> None:
    """What ended longer ago than RETENTION_DAYS is gone soon after, the rest stays."""
    with closing(SQLiteInbox(tmp_path / DATABASE)) as inbox:
        for name in ("d1", "d2"):
            await inbox.add(delivery(name), Outcome(name, "ignored", "ping"))
        ended = (datetime.now(UTC) - timedelta(days=4, minutes=1)).isoformat()
        inbox._connection.execute("UPDATE deliveries SET finished_at = ? WHERE id = 'd1'", [ended])
    async with running(sandbox, tmp_path, RETENTION_DAYS="4"), asyncio.timeout(10):
        while list(rows(tmp_path)) != ["d2"]:
            await asyncio.sleep(0.01)


async def test_background_work_goes_on_after_it_failed_and_ends_with_its_context() -> None:
    """One failure stops nothing, and nothing runs on for ever."""
    turns = 0

    async def work() -> None:
        nonlocal turns
        turns += 1
        if turns == 1:
            raise sqlite3.OperationalError("database is locked")

    async with every(0.001, work), asyncio.timeout(10):
        while turns < 3:
            await asyncio.sleep(0.001)
    ended = turns
    await asyncio.sleep(0.01)
    assert turns == ended


async def test_the_file_shrinks(tmp_path: Path) -> None:
    """The space of what is forgotten goes back to the file system."""
    path = tmp_path / "inbox.db"
    with opened(tmp_path) as inbox, recorded(tmp_path) as records:
        await inbox.add(replace(delivery("big"), body=b'{"client_payload": {"text": "' + b"x" * 2_000_000 + b'"}}'))
        records.drop("big")
        inbox._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        before = path.stat().st_size
        records.prune(LATER)
        inbox._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        assert before > 2_000_000
        assert path.stat().st_size < 200_000


async def test_what_only_reads_cannot_write(tmp_path: Path) -> None:
    """Who lists deliveries changes none by mistake."""
    with opened(tmp_path) as inbox, recorded(tmp_path, write=False) as records:
        await fill(inbox)
        with pytest.raises(sqlite3.OperationalError, match="readonly"):
            records.drop("pending-1")


def test_looking_leaves_no_files_behind(tmp_path: Path) -> None:
    """The bot, maybe another user's, finds its file alone at the next start."""
    with opened(tmp_path) as inbox:
        asyncio.run(fill(inbox))
    with recorded(tmp_path, write=False) as records:
        assert len(records.list(Query())) == 4
    assert sorted(path.name for path in tmp_path.iterdir()) == ["inbox.db", "inbox.db.lock"]


def test_a_file_that_is_no_inbox_is_refused(tmp_path: Path) -> None:
    """One that is not there is not made; another version's tables are left alone."""
    path = tmp_path / "inbox.db"
    with pytest.raises(
        InputError, match=r"^DATABASE_URL: there is no file .*inbox.db; name the one that the bot uses$"
    ):
        Records(path)
    assert not path.exists()
    path.write_bytes(b"no database at all, but long enough to be looked at" * 100)
    with pytest.raises(InputError, match=r"^DATABASE_URL: cannot open .*inbox.db: file is not a database$"):
        Records(path)
    path.unlink()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 1")
    with pytest.raises(InputError, match=r"inbox.db has the tables of another version of Pointsman; use that one's$"):
        Records(path, write=True)
