"""What people and the retention ask of the inbox: look at deliveries, take one up again, give one up, forget old ones.

All of it works beside the process that drains the file: by a connection of its own, in short transactions.
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
import time
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from bot.core.suggest import did_you_mean
from bot.core.trigger import trimmed
from bot.errors import InputError
from bot.inbox.file import MIGRATIONS, forget_thoroughly, transaction
from bot.inbox.statements import load_statements

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_SQL = load_statements("records.sql")

UNFINISHED = ("pending", "waiting")

# Rows that one transaction of the retention removes: webhooks are answered between two of them.
STEP = 1_000
# Pages of 4 KB that are given back after a step, more than it frees.
_PAGES = 4_000
# Fewer characters of an id are a slip of the keyboard rather than meant.
_LEAST = 4


@dataclass(frozen=True, slots=True)
class Record:
    """A delivery as the inbox has it. Times are ISO 8601 in UTC; `target` is a repository id, 0 where there is none.

    `next_attempt` is when one that is pending or waiting may be tried again; None if it is due, or
    has ended.
    """

    id: str
    event: str
    target: int
    installation: int
    actor: str
    origin: str
    attempts: int
    next_attempt: str | None
    forced: bool
    state: str
    reason: str
    finished_at: str | None


@dataclass(frozen=True, slots=True)
class Effect:
    """How a delivery ended on one branch, "" where it ended before any was looked at."""

    branch: str
    state: str
    reason: str
    commit: str | None
    ended_at: str


@dataclass(frozen=True, slots=True)
class Intent:
    """A commit on `base` that was begun and is not known to have landed; `fields` are (path, field)."""

    branch: str
    base: str
    fields: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Waiting:
    """A check run that is still to be made, on the commit `head`; `reason` is why the last attempt failed, "" if none.

    `next_attempt` is when it may be tried again (ISO 8601, UTC), None where nothing keeps it from that.
    """

    check_run: str
    head: str
    attempts: int
    next_attempt: str | None
    reason: str


@dataclass(frozen=True, slots=True)
class Details:
    """All that there is of a delivery; `body` is the JSON that is left of it, maybe nothing."""

    record: Record
    effects: tuple[Effect, ...]
    intents: tuple[Intent, ...]
    body: bytes
    reports: tuple[Waiting, ...] = ()


@dataclass(frozen=True, slots=True)
class Query:
    """Which deliveries: of these states (none: all), of this repository, received at `since` or later (None: all)."""

    states: tuple[str, ...] = ()
    target: int | None = None
    since: datetime | None = None
    limit: int = 50


class Records:
    """The deliveries in `path`; nothing can be changed unless `write`.

    Raises InputError where there is no such file, or it has not the tables of this version. Methods may raise
    sqlite3.Error: the file is locked for longer than five seconds, say.
    """

    def __init__(self, path: Path, *, write: bool = False) -> None:
        if not path.is_file():
            raise InputError(f"DATABASE_URL: there is no file {path}; name the one that the bot uses")
        try:
            # Opened for writing in any case: a connection that may only read leaves the files of the log behind.
            self._connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=rw", uri=True, isolation_level=None)
        except sqlite3.Error as error:
            raise InputError(f"DATABASE_URL: cannot open {path}: {error}") from error
        self._connection.row_factory = sqlite3.Row
        try:
            self._connection.execute("PRAGMA synchronous = FULL")
            forget_thoroughly(self._connection)
            self._connection.execute(f"PRAGMA query_only = {not write:d}")
            (version,) = self._connection.execute("PRAGMA user_version").fetchone()
        except sqlite3.Error as error:
            self.close()
            raise InputError(f"DATABASE_URL: cannot open {path}: {error}") from error
        if version != sum(1 for _ in MIGRATIONS.iterdir()):
            self.close()
            raise InputError(f"DATABASE_URL: {path} has the tables of another version of Pointsman; use that one's")

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def list(self, query: Query) -> Sequence[Record]:
        """Return the deliveries that are asked for, the last to arrive first."""
        wanted = {
            "states": json.dumps(query.states),
            "target": query.target,
            "since": _iso(query.since) if query.since else "",
            "limit": query.limit,
        }
        return [_record(row) for row in self._connection.execute(_SQL["list"], wanted)]

    def show(self, given: str) -> Details:
        """Return all there is of a delivery, by its id or how that begins. Raises InputError as `find` does."""
        name = {"id": self.find(given)}
        row = self._connection.execute(_SQL["one"], name).fetchone()
        return Details(
            _record(row),
            tuple(Effect(*one) for one in self._connection.execute(_SQL["effects"], name)),
            tuple(
                Intent(one["branch"], one["base"], tuple((path, field) for path, field in json.loads(one["fields"])))
                for one in self._connection.execute(_SQL["intents"], name)
            ),
            row["body"],
            tuple(
                Waiting(one["name"], one["head"], one["attempts"], _later(one["not_before"]), one["reason"])
                for one in self._connection.execute(_SQL["reports"], name)
            ),
        )

    def find(self, given: str) -> str:
        """Return the id that is given, or that alone begins so (four characters or more).

        Raises InputError, with the nearest id, where there is none, and where there are several.
        """
        # What a shell passes on may be no Unicode, and then it is no id either.
        text = given.encode(errors="replace").decode()
        ids = [str(row["id"]) for row in self._connection.execute(_SQL["beginning"], {"id": text})]
        if text in ids:
            return text
        ids = ids if len(text) >= _LEAST else []
        if len(ids) == 1:
            return ids[0]
        if ids:
            raise InputError(f"several deliveries begin with '{text}': {', '.join(ids)}; write one of them out")
        latest = [row["id"] for row in self._connection.execute(_SQL["latest"])]
        raise InputError(f"there is no delivery '{text}'{did_you_mean(text, latest)}")

    def replay(self, given: str, *, forced: bool) -> str:
        """Make a delivery that has ended, or waits, pending again on all its branches; return its id.

        `forced`: it is carried out though a newer one wrote the same fields, and whether it landed before or not.
        Otherwise what was begun and may have landed stays known. One that is pending and waits for its next attempt is
        tried at once. Raises InputError where it is due already, or nothing of its body is left.
        """
        with transaction(self._connection):
            name = self.find(given)
            row = self._connection.execute(_SQL["one"], {"id": name}).fetchone()
            if row["state"] == "pending":
                if row["hold"]:
                    raise InputError(f"delivery {name} is {row['hold']}; drop it, or dispatch again")
                if forced or row["not_before"] <= time.time():
                    raise InputError(f"delivery {name} is pending already")
                self._connection.execute(_SQL["hurry"], {"id": name})
                return name
            if not row["body"]:
                raise InputError(
                    f"delivery {name} ended as '{row['state']}' and nothing of its body is left: it cannot be "
                    "replayed; redeliver it from the App's page Advanced, or dispatch again"
                )
            self._connection.execute(_SQL["replay"], {"id": name, "forced": forced})
            self._connection.execute(_SQL["forget_effects"], {"id": name})
            if forced:
                # Its own commit may have landed long ago: it is to be made whatever came since.
                self._connection.execute(_SQL["forget_intents"], {"id": name})
        return name

    def drop(self, given: str) -> str:
        """End a delivery that is pending or waits as `dead`; return its id. Raises InputError where it has ended."""
        with transaction(self._connection):
            name = self.find(given)
            row = self._connection.execute(_SQL["one"], {"id": name}).fetchone()
            if row["state"] not in UNFINISHED:
                raise InputError(f"delivery {name} has ended already, as '{row['state']}': nothing is left to drop")
            self._die(row, "dropped by the operator")
        return name

    def prune(self, before: datetime, limit: int = STEP) -> int:
        """Forget what ended before a time, end what has waited since before it; at most `limit` rows of each kind.

        Returns the number of rows: 0 when nothing is left to do. Also forgets who wrote a field last, where that was
        before the time, by a delivery that is gone; and gives space back to the file system, unless the file is older
        than that.
        """
        bounds = {"before": _iso(before), "limit": limit}
        with transaction(self._connection):
            old = [{"id": row["id"]} for row in self._connection.execute(_SQL["old"], bounds).fetchall()]
            for statement in ("forget_effects", "forget_intents", "forget"):
                self._connection.executemany(_SQL[statement], old)
            waited = self._connection.execute(_SQL["waited"], bounds).fetchall()
            for row in waited:
                self._die(row, "given up: what it waited for did not come in the days that deliveries are kept")
            # All of the table is looked at for these: once, when the deliveries are gone.
            last = len(old) < limit
            writers = self._connection.execute(_SQL["forget_writers"], bounds).rowcount if last else 0
        # `execute` would take its first step only, which gives one page back.
        self._connection.executescript(f"PRAGMA incremental_vacuum({_PAGES})")
        return len(waited) + len(old) + writers

    def _die(self, row: sqlite3.Row, reason: str) -> None:
        dead = {"id": row["id"], "reason": reason, "now": _iso(datetime.now(UTC)), "body": trimmed(row["body"], None)}
        # A drain that is under way may still want to end it: it finds an effect, and that it has ended.
        self._connection.execute(_SQL["dead_effect"], dead)
        self._connection.execute(_SQL["die"], dead)

    def prune_bodies(self, before: datetime, limit: int = STEP) -> int:
        """Forget bodies that were last acted on before a time, at most `limit`; return how many."""
        with transaction(self._connection):
            return self._connection.execute(_SQL["forget_bodies"], {"before": _iso(before), "limit": limit}).rowcount


async def retain(path: Path, days: int, replay_days: int = 365) -> int:
    """Forget all that ended more than `days` ago, and bodies that came more than `replay_days` ago.

    Returns how many rows that were; others run between the steps.
    """
    now = datetime.now(UTC)
    total = 0
    with closing(Records(path, write=True)) as records:
        while removed := records.prune(now - timedelta(days=days)):
            total += removed
            await asyncio.sleep(0)
        while removed := records.prune_bodies(now - timedelta(days=replay_days)):
            total += removed
            await asyncio.sleep(0)
    return total


def _record(row: sqlite3.Row) -> Record:
    return Record(
        id=row["id"],
        event=row["event"],
        target=row["target"],
        installation=row["installation"],
        actor=row["actor_login"],
        origin=row["origin"],
        attempts=row["attempts"],
        next_attempt=_next_attempt(row),
        forced=bool(row["forced"]),
        state=row["state"],
        reason=row["reason"],
        finished_at=row["finished_at"],
    )


def _next_attempt(row: sqlite3.Row) -> str | None:
    return _later(row["not_before"]) if row["state"] in UNFINISHED else None


def _later(moment: float) -> str | None:
    """Return a time (seconds since the epoch) in ISO 8601, None for 0: at once."""
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="seconds") if moment else None


def _iso(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat()
