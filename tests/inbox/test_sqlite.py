"""The durable record in one SQLite file."""

from __future__ import annotations

import shutil
import sqlite3
import stat
import time
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from importlib import resources
from typing import TYPE_CHECKING, Any

import pytest
from opened_inbox import BODY, ORIGIN, delivery, end, opened

from bot.core.model import Writer
from bot.core.outcome import Commit, Outcome, State
from bot.core.plan import Plan
from bot.errors import Fenced, InputError
from bot.inbox.file import checkpoint
from bot.inbox.journal import MOST_PACED
from bot.inbox.records import Records
from bot.inbox.sqlite import SQLiteInbox

if TYPE_CHECKING:
    from pathlib import Path


def stored(folder: Path, columns: str) -> list[Any]:
    with closing(sqlite3.connect(folder / "inbox.db")) as connection:
        return connection.execute(f"SELECT {columns} FROM deliveries ORDER BY seq").fetchall()  # noqa: S608 - ours


def effects(folder: Path, name: str) -> list[Any]:
    with closing(sqlite3.connect(folder / "inbox.db")) as connection:
        return connection.execute(
            "SELECT branch, state, reason, commit_oid FROM effects WHERE delivery = ? ORDER BY branch", [name]
        ).fetchall()


# -- the file


def test_only_the_owner_reads_the_files(tmp_path: Path) -> None:
    """Database, log, shared memory and lock are made with mode 0600, whatever the umask lets through."""
    with opened(tmp_path):
        modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
    assert modes == dict.fromkeys(("inbox.db", "inbox.db-shm", "inbox.db-wal", "inbox.db.lock"), 0o600)


def test_a_commit_is_on_the_disk_before_it_is_answered(tmp_path: Path) -> None:
    """WAL, so that reading never waits, and synchronous=FULL, so that a crash of the machine loses nothing."""
    with opened(tmp_path) as inbox:
        pragmas = [
            inbox._connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("journal_mode", "synchronous")
        ]
    assert pragmas == ["wal", 2]


async def test_opening_again_changes_nothing(tmp_path: Path) -> None:
    """The migrations that were done are not done again; what is pending is still there."""
    with opened(tmp_path) as inbox:
        await inbox.add(delivery("a"))
        before = inbox._connection.execute("SELECT sql FROM sqlite_master ORDER BY name").fetchall()
    with opened(tmp_path) as inbox:
        assert [tuple(row) for row in inbox._connection.execute("SELECT sql FROM sqlite_master ORDER BY name")] == [
            tuple(row) for row in before
        ]
        assert await inbox.pending(7, 10) == [delivery("a")]


def test_another_process_is_kept_out_until_the_first_closes(tmp_path: Path) -> None:
    """Two drains of one file would do the work twice."""
    with opened(tmp_path), pytest.raises(InputError, match=r"another process is using .*inbox\.db; stop it, or name"):
        SQLiteInbox(tmp_path / "inbox.db")
    with opened(tmp_path) as inbox:
        assert inbox._connection.execute("SELECT count(*) FROM deliveries").fetchone()[0] == 0


def test_a_file_that_cannot_be_opened_is_named(tmp_path: Path) -> None:
    """A folder that is not there, or a folder in the file's place: the setting, the path and the reason."""
    with pytest.raises(InputError, match=r"DATABASE_URL: cannot open .*absent/inbox\.db: No such file or directory"):
        SQLiteInbox(tmp_path / "absent" / "inbox.db")
    with pytest.raises(InputError, match=r"DATABASE_URL: cannot open .*: Is a directory"):
        SQLiteInbox(tmp_path)


def test_a_file_that_is_no_database_is_refused_and_left_alone(tmp_path: Path) -> None:
    """A sentence, not a traceback; the lock is free again for a better file."""
    path = tmp_path / "inbox.db"
    path.write_text("these are notes, not a database\n" * 100)
    with pytest.raises(InputError, match=r"DATABASE_URL: cannot open .*inbox\.db: file is not a database"):
        SQLiteInbox(path)
    assert path.read_text().startswith("these are notes")
    path.unlink()
    SQLiteInbox(path).close()


def test_a_database_of_a_newer_version_is_left_alone(tmp_path: Path) -> None:
    """An older program cannot know what the newer one's tables mean."""
    with opened(tmp_path) as inbox:
        inbox._connection.execute("PRAGMA user_version = 99")
    with pytest.raises(InputError, match="was made by a newer version of Pointsman"):
        SQLiteInbox(tmp_path / "inbox.db")


# -- deliveries


async def test_a_delivery_comes_back_as_it_was_stored(tmp_path: Path) -> None:
    """Every field, the time with its zone and microseconds."""
    with opened(tmp_path) as inbox:
        assert await inbox.add(delivery("a"))
        assert await inbox.pending(7, 10) == [delivery("a")]


async def test_a_known_id_is_not_stored_again(tmp_path: Path) -> None:
    """Neither while it is pending nor when it is finished, and the first one stays."""
    with opened(tmp_path) as inbox:
        assert await inbox.add(delivery("a", target=7)) is True
        assert await inbox.add(delivery("a", target=8)) is False
        await end(inbox, Outcome("a", "no_change", "because"))
        assert await inbox.add(delivery("a")) is False
        assert await inbox.state("a") == "no_change"
    assert stored(tmp_path, "id, target") == [("a", 7)]


async def test_what_comes_with_its_outcome_is_never_pending(tmp_path: Path) -> None:
    """An event without work leaves its id, its reason and no body."""
    with opened(tmp_path) as inbox:
        await inbox.add(delivery("a"), Outcome("a", "ignored", "ping: the webhook works"))
        assert (await inbox.pending(7, 10), await inbox.targets()) == ([], [])
    assert stored(tmp_path, "state, reason, body, finished_at IS NOT NULL") == [
        ("ignored", "ping: the webhook works", b"", 1)
    ]


async def test_states_are_pending_then_how_it_ended_and_none_for_strangers(tmp_path: Path) -> None:
    """What a repeated delivery is answered with."""
    with opened(tmp_path) as inbox:
        await inbox.add(delivery("a"))
        assert [await inbox.state(name) for name in ("a", "b")] == ["pending", None]


async def test_pending_deliveries_come_in_the_order_of_arrival_by_target(tmp_path: Path) -> None:
    """At most as many as asked for, and only the target's; targets are those with work."""
    with opened(tmp_path) as inbox:
        for name, target in (("c", 7), ("a", 8), ("b", 7), ("d", 7)):
            await inbox.add(delivery(name, target))
        assert [each.id for each in await inbox.pending(7, 2)] == ["c", "b"]
        assert [each.id for each in await inbox.pending(8, 10)] == ["a"]
        await end(inbox, Outcome("a", "committed", ""))
        assert await inbox.targets() == [7]


async def test_attempts_are_counted(tmp_path: Path) -> None:
    """Only for what is still pending."""
    with opened(tmp_path) as inbox:
        for name in ("a", "b"):
            await inbox.add(delivery(name))
        await end(inbox, Outcome("b", "failed", "wrong"))
        for _ in range(2):
            await inbox.attempted(["a", "b"])
        assert await inbox.pending(7, 10) == [delivery("a", attempts=2, interrupted=2)]
    assert stored(tmp_path, "id, attempts, reason") == [("a", 2, ""), ("b", 0, "wrong")]


@pytest.mark.parametrize(
    ("state", "again"),
    [
        *(("failed", True), ("denied", True), ("blocked", True), ("dead", True)),
        *(("committed", False), ("no_change", False), ("ignored", False), ("held", False)),
    ],
)
async def test_what_ended_without_effect_can_be_opened_again(tmp_path: Path, state: Any, again: bool) -> None:
    """With its body and no attempts; what landed or had nothing to do stays as it ended."""
    with opened(tmp_path) as inbox:
        await inbox.add(delivery("a"))
        await inbox.attempted(["a"])
        await end(inbox, Outcome("a", state, "because"))
        assert await inbox.reopen(delivery("a")) is again
        assert await inbox.pending(7, 10) == ([delivery("a")] if again else [])
        assert await inbox.state("a") == ("pending" if again else state)


async def test_what_is_pending_or_unknown_is_not_opened_again(tmp_path: Path) -> None:
    """Its attempts go on counting; a stranger is not stored."""
    with opened(tmp_path) as inbox:
        await inbox.add(delivery("a"))
        await inbox.attempted(["a"])
        assert [await inbox.reopen(delivery(name)) for name in ("a", "b")] == [False, False]
        assert await inbox.pending(7, 10) == [delivery("a", attempts=1, interrupted=1)]


async def test_a_finished_delivery_keeps_its_end_and_little_of_its_body(tmp_path: Path) -> None:
    """State, reason and commit stay, of the body what the mappings used; a second end does not overwrite."""
    commit = Commit("2" * 40, "https://github.com/acme/gitops/commit/2", "1" * 40)
    with opened(tmp_path) as inbox:
        body = b'{"action": "x", "client_payload": {"tag": 1, "b": 2}, "organization": {}}'
        await inbox.add(replace(delivery("a"), body=body))
        plan = Plan((), (), {}, None, frozenset({"tag"}))
        await end(inbox, Outcome("a", "committed", commit.url, plan=plan, commit=commit))
        await end(inbox, Outcome("a", "failed", "too late"))
    left = b'{"action": "x", "client_payload": {"tag": 1}}'
    assert stored(tmp_path, "state, reason, body, finished_at IS NOT NULL") == [("committed", commit.url, left, 1)]
    assert effects(tmp_path, "a") == [("", "committed", commit.url, "2" * 40)]


async def test_ends_are_recorded_all_or_none(tmp_path: Path) -> None:
    """One of them cannot be stored (half a character is no UTF-8): the others are not stored either."""
    with opened(tmp_path) as inbox:
        for name in ("a", "b"):
            await inbox.add(delivery(name))
        with pytest.raises(UnicodeEncodeError):
            await end(inbox, Outcome("a", "failed", "good"), Outcome("b", "failed", "\ud800"))
        assert [each.id for each in await inbox.pending(7, 10)] == ["a", "b"]
        await end(inbox, Outcome("a", "failed", "good"), Outcome("b", "failed", "good too"))
        assert await inbox.pending(7, 10) == []


async def test_a_delivery_may_be_done_on_one_branch_and_wait_for_another(tmp_path: Path) -> None:
    """What has ended is known to the next attempt, whose end does not overwrite it; the body stays until the last."""
    with opened(tmp_path) as inbox:
        await inbox.add(delivery("a"))
        await inbox.finish([Outcome("a", "committed", "url", branch="main")], [])
        assert await inbox.pending(7, 10) == [replace(delivery("a"), ended=frozenset({"main"}))]
        again = [Outcome("a", "no_change", "there", branch="main"), Outcome("a", "blocked", "rule", branch="prod")]
        await inbox.finish(again, ["a"])
        assert await inbox.pending(7, 10) == []
    assert stored(tmp_path, "state, reason, body") == [("blocked", "main: committed: url\nprod: blocked: rule", BODY)]
    assert [effect[:2] for effect in effects(tmp_path, "a")] == [("main", "committed"), ("prod", "blocked")]


async def test_a_delivery_that_is_opened_again_keeps_what_it_has_done(tmp_path: Path) -> None:
    """Only the branches on which it ended without effect are tried anew."""
    with opened(tmp_path) as inbox:
        await inbox.add(delivery("a"))
        ends: tuple[tuple[str, State], ...] = (
            *(("main", "committed"), ("dev", "no_change")),
            *(("prod", "blocked"), ("old", "failed")),
        )
        await inbox.finish([Outcome("a", state, "because", branch=branch) for branch, state in ends], ["a"])
        assert await inbox.reopen(delivery("a")) is True
        assert await inbox.pending(7, 10) == [replace(delivery("a"), ended=frozenset({"main", "dev"}))]


async def test_a_delivery_for_which_nothing_is_left_ends_as_it_did(tmp_path: Path) -> None:
    """The rules name no further branch any more: what was recorded before says how it ended."""
    with opened(tmp_path) as inbox:
        await inbox.add(delivery("a"))
        await inbox.finish([Outcome("a", "committed", "url", branch="main")], [])
        await inbox.finish([], ["a"])
        assert await inbox.state("a") == "committed"


async def test_a_database_of_the_first_version_keeps_its_deliveries(tmp_path: Path) -> None:
    """How they ended is an effect now; what was pending goes on."""
    first = (resources.files("bot.inbox") / "migrations" / "0001_deliveries.sql").read_text()
    columns = (
        "id, event, target, actor_via, actor_login, actor_id, body, origin, state, reason, commit_oid, finished_at"
    )
    common = ("repository_dispatch", 7, "webhook", "octocat", 1)
    with closing(sqlite3.connect(tmp_path / "inbox.db")) as connection, connection:
        connection.executescript(f"{first}; PRAGMA user_version = 1;")
        for row in (
            ("a", *common, b"", ORIGIN.isoformat(), "committed", "url", "2" * 40, ORIGIN.isoformat()),
            ("b", *common, BODY, ORIGIN.isoformat(), "pending", "", None, None),
            ("c", *common, b"", ORIGIN.isoformat(), "ignored", "ping", None, ORIGIN.isoformat()),
        ):
            connection.execute(f"INSERT INTO deliveries ({columns}) VALUES ({', '.join('?' * 12)})", row)  # noqa: S608 - ours
    with opened(tmp_path) as inbox:
        assert await inbox.pending(7, 10) == [delivery("b")]
        assert [await inbox.state(name) for name in "abc"] == ["committed", "pending", "ignored"]
    assert [effects(tmp_path, name) for name in "abc"] == [[("", "committed", "url", "2" * 40)], [], []]


async def test_what_waits_says_why_until_it_ends(tmp_path: Path) -> None:
    """The last reason stands beside what is pending, for whoever looks; what has ended keeps its own."""
    with opened(tmp_path) as inbox:
        for name in ("a", "b"):
            await inbox.add(delivery(name))
        await end(inbox, Outcome("b", "failed", "wrong"))
        for reason in ("GitHub answered 502", "GitHub answered 503"):
            await inbox.postpone({"a": 0.0, "b": 0.0}, reason)
        assert await inbox.pending(7, 10) == [delivery("a")]
    assert stored(tmp_path, "id, reason") == [("a", "GitHub answered 503"), ("b", "wrong")]


async def test_what_is_postponed_is_due_later(tmp_path: Path) -> None:
    """Each delivery waits on its own, also past the end of the process; what is due comes into a full batch first."""
    with opened(tmp_path) as inbox:
        assert await inbox.due(7) is None
        for name in ("a", "b", "c"):
            await inbox.add(delivery(name))
        await inbox.postpone({"a": 60.0, "b": 30.0}, "GitHub answered 502")
        assert await inbox.due(7) == 0.0
        await inbox.attempted(["c"], along=["a", "b"])
        await inbox.wait({"c": 600.0}, "suspended")
    with opened(tmp_path) as inbox:
        assert await inbox.due(7) == pytest.approx(30.0, abs=5.0)
        assert await inbox.targets() == []
        assert await inbox.resume(target=7) == [7]
        pending = await inbox.pending(7, 10)
        assert [(one.id, one.attempts, one.interrupted) for one in pending] == [("a", 0, 1), ("b", 0, 1), ("c", 0, 0)]
        assert [one.wait for one in pending] == pytest.approx([60.0, 30.0, 0.0], abs=5.0)
        assert [one.id for one in await inbox.pending(7, 1)] == ["c"]
        assert [one.id for one in await inbox.pending(7, 2)] == ["b", "c"]
        await inbox.resume()
        assert [one.wait for one in await inbox.pending(7, 10)] == [0.0, 0.0, 0.0]


async def test_an_attempt_that_did_not_begin_is_taken_back(tmp_path: Path) -> None:
    """Of those that were only taken along nothing was counted."""
    with opened(tmp_path) as inbox:
        for name in ("a", "b"):
            await inbox.add(delivery(name))
        await inbox.attempted(["a"], ["b"])
        assert await inbox.pending(7, 10) == [delivery("a", attempts=1, interrupted=1), delivery("b", interrupted=1)]
        await inbox.released(["a"], ["b"])
        assert await inbox.pending(7, 10) == [delivery("a"), delivery("b")]


async def test_pending_deliveries_come_in_pages(tmp_path: Path) -> None:
    """Each begins behind those that were skipped; all know in which order they arrived."""
    with opened(tmp_path) as inbox:
        for name in "abcde":
            await inbox.add(delivery(name))
        await inbox.postpone({"a": 60.0, "d": 1e-6}, "GitHub answered 502")
        pages = [await inbox.pending(7, 2, skip) for skip in (0, 2, 4, 6)]
        assert [[one.id for one in page] for page in pages] == [["b", "d"], ["c", "e"], ["a"], []]
        assert (
            "".join(one.id for one in sorted((one for page in pages for one in page), key=lambda one: one.seq))
            == "abcde"
        )


async def test_a_checkpoint_leaves_nothing_in_the_log(tmp_path: Path) -> None:
    """The file itself has what was stored, while the inbox is in use."""
    with opened(tmp_path) as inbox:
        await inbox.add(delivery("a"))
        checkpoint(tmp_path / "inbox.db")
        shutil.copy(tmp_path / "inbox.db", tmp_path / "copy.db")
        await inbox.add(delivery("b"))
    with closing(sqlite3.connect(tmp_path / "copy.db")) as connection:
        assert connection.execute("SELECT id FROM deliveries").fetchall() == [("a",)]


def files_with(folder: Path, secret: bytes) -> list[str]:
    """Return which of the database's files have some bytes in them."""
    return [path.name for path in sorted(folder.iterdir()) if secret in path.read_bytes()]


async def test_a_body_that_ended_is_in_no_file_after_the_checkpoint(tmp_path: Path) -> None:
    """Neither in the database nor in its log, large or small: what the mappings did not use is overwritten."""
    with opened(tmp_path) as inbox:
        for name, size in (("a", 10), ("b", 100_000)):
            body = b'{"client_payload": {"tag": "1", "key": "hunter2%s"}}' % (b"x" * size)
            await inbox.add(replace(delivery(name), body=body))
        assert files_with(tmp_path, b"hunter2")
        plan = Plan((), (), {}, None, frozenset({"tag"}))
        await inbox.finish([replace(Outcome(name, "no_change", "x"), plan=plan) for name in "ab"], ["a", "b"])
        assert "inbox.db-wal" in files_with(tmp_path, b"hunter2")
        assert checkpoint(tmp_path / "inbox.db")
        assert files_with(tmp_path, b"hunter2") == []
        assert (tmp_path / "inbox.db-wal").stat().st_size == 0


async def test_a_body_that_an_operator_gave_up_is_in_no_file(tmp_path: Path) -> None:
    """`pointsman deliveries drop` and the retention have a connection of their own, which overwrites as well."""
    with opened(tmp_path) as inbox:
        await inbox.add(replace(delivery("aaaa"), body=b'{"key": "hunter2"}'))
        with closing(Records(tmp_path / "inbox.db", write=True)) as records:
            records.drop("aaaa")
        assert checkpoint(tmp_path / "inbox.db")
        assert files_with(tmp_path, b"hunter2") == []


async def test_a_checkpoint_does_not_wait_for_readers(tmp_path: Path) -> None:
    """Somebody reads for long: the log is emptied at a later call, and writers are held up for a moment at most."""
    with opened(tmp_path) as inbox:
        await inbox.add(delivery("a"))
        with closing(sqlite3.connect(tmp_path / "inbox.db", isolation_level=None)) as reader:
            reader.execute("BEGIN")
            reader.execute("SELECT * FROM deliveries").fetchall()
            await inbox.add(delivery("b"))
            began = time.monotonic()
            assert not checkpoint(tmp_path / "inbox.db")
            await inbox.add(delivery("c"))
            assert time.monotonic() - began < 2
        assert checkpoint(tmp_path / "inbox.db")


async def test_what_an_older_version_stored_is_pending_and_held_back_by_nothing(tmp_path: Path) -> None:
    """It has no digest; its redelivery is taken up, and from then on its body is known."""
    folder = resources.files("bot.inbox") / "migrations"
    scripts = [(folder / name).read_text() for name in sorted(one.name for one in folder.iterdir())[:4]]
    with closing(sqlite3.connect(tmp_path / "inbox.db")) as connection:
        connection.executescript("\n".join(scripts))
        connection.execute("PRAGMA user_version = 4")
        connection.execute(
            "INSERT INTO deliveries (id, event, target, actor_via, actor_login, body, origin, state) VALUES"
            " ('a', 'push', 7, 'webhook', 'o', ?, ?, 'pending'), ('b', 'push', 7, 'webhook', 'o', ?, ?, 'failed')",
            [BODY, ORIGIN.isoformat(), BODY, ORIGIN.isoformat()],
        )
        connection.commit()
    with opened(tmp_path) as inbox:
        assert [one.id for one in await inbox.pending(7, 10)] == ["a"]
        assert await inbox.targets() == [7]
        again = replace(delivery("b"), digest=b"1")
        assert not await inbox.add(again)
        assert await inbox.reopen(again)
        assert await inbox.add(replace(delivery("c"), digest=b"1"))
        assert [one.delivery for one in await inbox.holds.held()] == ["c"]
        assert [one.id for one in await inbox.pending(7, 10)] == ["a", "b"]


async def test_what_waits_is_resumed_by_what_it_waits_for(tmp_path: Path) -> None:
    """It is not pending meanwhile; its repository, its installation or anything at all makes it so again."""
    with opened(tmp_path) as inbox:
        for name, target, installation in (("a", 7, 1), ("b", 8, 1), ("c", 9, 2)):
            await inbox.add(replace(delivery(name, target), installation=installation))
        await inbox.wait(dict.fromkeys("abc", 600.0), "suspended")
        assert await inbox.targets() == []
        assert await inbox.state("a") == "waiting"
        assert await inbox.resume(target=7) == [7]
        assert await inbox.resume(installation=1) == [8]
        assert await inbox.resume(installation=1) == []
        assert await inbox.resume() == [9]
        assert await inbox.targets() == [7, 8, 9]


async def test_what_was_begun_is_known_until_it_ended(tmp_path: Path) -> None:
    """Each base stays until it is withdrawn or the branch has ended; other branches keep theirs."""
    with opened(tmp_path) as inbox:
        await inbox.add(delivery("a"))
        await inbox.intend("main", "1", {"a": [("x.yaml", "tag")]})
        await inbox.intend("main", "2", {"a": [("x.yaml", "tag")]})
        await inbox.intend("prod", "3", {"a": [("y.yaml", "tag")]})
        await inbox.withdraw("main", "1", ["a"])
        assert (await inbox.pending(7, 1))[0].intents == {("main", "2"), ("prod", "3")}
        await inbox.finish([Outcome("a", "committed", "url", branch="main")], [])
        assert (await inbox.pending(7, 1))[0].intents == {("prod", "3")}
        await end(inbox, Outcome("a", "failed", "no", branch="prod"))
        files = ["x.yaml", "y.yaml"]
        assert await inbox.writers(7, "main", files) == {("x.yaml", "tag"): Writer("a", ORIGIN)}
        for target, branch, paths in ((7, "main", files[1:]), (7, "prod", files), (8, "main", files)):
            assert await inbox.writers(target, branch, paths) == {}


async def test_what_is_found_to_have_landed_long_ago_is_not_what_was_written_last(tmp_path: Path) -> None:
    """Who wrote a field last is the newer delivery, in whatever order they end, unless the older one was forced."""
    with opened(tmp_path) as inbox:
        for name, minutes in (("older", 0), ("newer", 1)):
            await inbox.add(replace(delivery(name), origin=ORIGIN + timedelta(minutes=minutes)))
            await inbox.intend("main", "1", {name: [("x.yaml", "tag")]})
        await inbox.record([Outcome("newer", "committed", "url", branch="main")])
        await inbox.record([Outcome("older", "committed", "found", branch="main")])
        (writer,) = (await inbox.writers(7, "main", ["x.yaml"])).values()
        assert writer.delivery == "newer"
        await inbox.intend("main", "2", {"older": [("x.yaml", "tag")]})
        inbox._connection.execute("UPDATE deliveries SET forced = 1 WHERE id = 'older'")
        await inbox.record([Outcome("older", "committed", "forced", branch="main")])
        (writer,) = (await inbox.writers(7, "main", ["x.yaml"])).values()
        assert writer.delivery == "older"


async def test_an_older_drain_writes_nothing_once_a_newer_one_has_begun(tmp_path: Path) -> None:
    """Whatever it still wants to note is refused; what the newer one noted stays. Another target's drain goes on."""
    with opened(tmp_path) as inbox:
        await inbox.add(delivery("a"))
        older, other = await inbox.begin(7), await inbox.begin(8)
        await older.intend("main", "1", {"a": [("x.yaml", "tag")]})
        newer = await inbox.begin(7)
        await newer.intend("main", "1", {"a": [("x.yaml", "tag")]})
        for write in (
            older.attempted(["a"]),
            older.released(["a"]),
            older.postpone({"a": 60.0}, "late"),
            older.wait({"a": 60.0}, "late"),
            older.intend("main", "2", {"a": []}),
            older.withdraw("main", "1", ["a"]),
            older.record([Outcome("a", "committed", "url", branch="main")]),
            older.finish([Outcome("a", "no_change", "late", branch="main")], ["a"]),
        ):
            with pytest.raises(Fenced):
                await write
        (found,) = await inbox.pending(7, 10)
        assert (found.attempts, found.wait, found.ended) == (0, 0, frozenset())
        assert found.intents == {("main", "1")}
        await other.postpone({"a": 0.0}, "fine")
        await newer.withdraw("main", "1", ["a"])
        (found,) = await inbox.pending(7, 10)
        assert found.intents == frozenset()


async def test_a_long_queue_is_not_written_anew_with_each_push(tmp_path: Path) -> None:
    """What waits for the next push says so; what is behind it would have to be written again ten seconds later."""
    with opened(tmp_path) as inbox:
        for number in range(MOST_PACED + 5):
            inbox._insert(delivery(f"d{number}"), None, None)
        before = inbox._connection.total_changes
        await inbox.pace(delivery("d0").target, "soon")
        assert inbox._connection.total_changes - before == MOST_PACED
        await inbox.pace(delivery("d0").target, "soon")
        assert inbox._connection.total_changes - before == MOST_PACED
        (first, *_, last) = await inbox.pending(delivery("d0").target, 2 * MOST_PACED)
    assert first.paced_since is not None
    assert last.paced_since is None
