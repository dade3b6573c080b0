"""The inbox in one SQLite file: for one process.

Calls run in the event loop: a store takes half a millisecond, less than handing it to a thread and back.
"""

from __future__ import annotations

import json
import os
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from bot.core.model import Actor, Delivery
from bot.errors import InputError
from bot.inbox import holds
from bot.inbox.file import connect, lock, transaction
from bot.inbox.holds import Holds
from bot.inbox.journal import Fence, SQLiteJournal
from bot.inbox.reports import Reports
from bot.inbox.statements import load_statements

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence
    from pathlib import Path

    from bot.core.outcome import Outcome

_SQL = load_statements("sqlite.sql")

# Clocks are corrected by less than that.
_SET_BACK_SECONDS = 60.0


class SQLiteInbox(SQLiteJournal):
    """Deliveries in `path`; the file is made (mode 0600) and migrated where needed.

    Raises InputError where the file cannot be opened, is no database or a newer version's, or another process drains
    it: two of them would do work twice.
    """

    def __init__(self, path: Path) -> None:
        self._lock = lock(path)
        try:
            super().__init__(connect(path))
        except InputError:
            os.close(self._lock)
            raise
        self.holds = Holds(self._connection)
        self.reports = Reports(self._connection)
        self._latest = time.time()

    def close(self) -> None:
        """Close the file and let another process have it."""
        self._connection.close()
        os.close(self._lock)

    async def add(self, delivery: Delivery, outcome: Outcome | None = None, *, listed: bool = False) -> bool:
        """Store a delivery, already finished if it comes with an outcome; False if its id is known.

        A body that came before under another id is held back, unless the delivery is `listed`: GitHub itself named it.
        Raises Busy if that many are held back already that no other one may be.
        """
        with transaction(self._connection):
            held_as = None if listed or outcome else self.holds.hold_of(delivery)
            stored = self._insert(delivery, outcome, held_as)
            may_act = outcome is None or outcome.state != "ignored"
            if stored and held_as is None and may_act and delivery.digest is not None:
                self.holds.see(delivery.id, delivery.event, delivery.digest)
        return stored

    def _insert(self, delivery: Delivery, outcome: Outcome | None, hold: str | None) -> bool:
        now = time.time()
        row = {
            "id": delivery.id,
            "event": delivery.event,
            "target": delivery.target,
            "installation": delivery.installation,
            "actor_via": delivery.actor.via,
            "actor_login": delivery.actor.login,
            "actor_id": delivery.actor.id,
            "body": b"" if outcome else delivery.body,
            "origin": delivery.origin.isoformat(),
            "state": outcome.state if outcome else "pending",
            "reason": outcome.reason if outcome else hold or "",
            "finished_at": _now() if outcome else None,
            "digest": delivery.digest,
            "hold": hold,
            "hold_since": now if hold else None,
            "hold_until": now + holds.FIRST_LOOK_SECONDS if hold else None,
        }
        return self._connection.execute(_SQL["add"], row).rowcount == 1

    async def state(self, delivery: str) -> str | None:
        """Return `pending` or how the delivery ended; None where the id is unknown."""
        row = self._connection.execute(_SQL["state"], {"id": delivery}).fetchone()
        return None if row is None else str(row["state"])

    async def reason(self, delivery: Delivery) -> tuple[str, bool]:
        """Return why a delivery with this id and body is in its state ("": no reason), and whether its body is kept.

        Somebody who knows only the id is told nothing: a reason names files and values.
        """
        row = self._connection.execute(_SQL["reason"], {"id": delivery.id, "digest": delivery.digest}).fetchone()
        return ("", False) if row is None else (str(row["reason"]), bool(row["has_body"]))

    async def due(self, target: int) -> float | None:
        """Return in how many seconds the first unfinished delivery of a target is due, None where there is none."""
        now = time.time()
        if now < self._latest - _SET_BACK_SECONDS:
            # By a clock that was set back all that waits would wait for as much longer.
            self._connection.execute(_SQL["hurry"])
            await self.reports.hurry()
        self._latest = now
        row = self._connection.execute(_SQL["due"], {"target": target}).fetchone()
        return None if row["due"] is None else max(row["due"] - now, 0.0)

    async def pending(self, target: int, limit: int, skip: int = 0) -> Sequence[Delivery]:
        """Return at most `limit` unfinished deliveries of a target, after `skip` others: those that are due come first.

        They are in order of arrival.
        """
        wanted = {"target": target, "limit": limit, "skip": skip, "now": time.time()}
        rows = self._connection.execute(_SQL["pending"], wanted)
        return [_delivery(row) for row in rows]

    async def targets(self) -> Sequence[int]:
        """Return the targets that have unfinished deliveries that are due, those that were set aside among them."""
        now = {"now": time.time()}
        self._connection.execute(_SQL["rouse"], now)
        return [row["target"] for row in self._connection.execute(_SQL["targets"], now)]

    async def begin(self, target: int) -> SQLiteJournal:
        """Begin a drain of a target: what the drains before it still write is refused from now on."""
        number: int = self._connection.execute(_SQL["begin"], {"target": target}).fetchone()["number"]
        return SQLiteJournal(self._connection, Fence(target, number))

    async def resume(self, target: int = 0, installation: int = 0) -> Sequence[int]:
        """Make what waits for a repository or an installation pending again; return the targets.

        Without either: whatever waits, for its next attempt too.
        """
        everything = not target and not installation
        if everything:
            self._connection.execute(_SQL["hurry"])
        # 0 stands for none, in the table as well.
        wanted = {"everything": everything, "target": target or -1, "installation": installation or -1}
        return sorted({row["target"] for row in self._connection.execute(_SQL["resume"], wanted).fetchall()})

    async def reach(self, targets: Sequence[int], installation: int) -> None:
        """Note that repositories (ids) are reached by another installation than their deliveries came from."""
        self._connection.execute(_SQL["reach"], {"targets": json.dumps(targets), "installation": installation})
        self.reports.reach(targets, installation)

    async def reopen(self, delivery: Delivery) -> bool:
        """Make a delivery that did not do all it should pending again, with its body; False where it did.

        The branches on which nothing is left to do stay as they ended. False also for a body that came with another
        delivery.
        """
        with transaction(self._connection):
            wanted = {"id": delivery.id, "body": delivery.body, "digest": delivery.digest}
            cursor = self._connection.execute(_SQL["reopen"], wanted)
            if cursor.rowcount == 1:
                self._connection.execute(_SQL["undo"], {"id": delivery.id})
                if delivery.digest is not None:
                    self.holds.see(delivery.id, delivery.event, delivery.digest)
            return cursor.rowcount == 1


def _delivery(row: sqlite3.Row) -> Delivery:
    return Delivery(
        seq=row["seq"],
        id=row["id"],
        event=row["event"],
        actor=Actor(via=row["actor_via"], login=row["actor_login"], id=row["actor_id"]),
        target=row["target"],
        body=row["body"],
        origin=datetime.fromisoformat(row["origin"]),
        attempts=row["attempts"],
        interrupted=row["interrupted"],
        waits=row["waits"],
        paced_since=row["paced_since"],
        ended=frozenset(json.loads(row["ended"])),
        installation=row["installation"],
        intents=frozenset((branch, base) for branch, base in json.loads(row["intents"])),
        forced=bool(row["forced"]),
        wait=row["wait"],
    )


def _now() -> str:
    return datetime.now(UTC).isoformat()
