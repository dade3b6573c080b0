"""What a drain writes of its deliveries: attempts, pauses, commits before and after they are made, outcomes."""

from __future__ import annotations

import json
import time
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

from bot.core.model import Writer
from bot.core.outcome import summary
from bot.core.trigger import DISPATCH, trimmed
from bot.errors import Fenced
from bot.inbox.file import transaction
from bot.inbox.reports import store
from bot.inbox.statements import load_statements

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from bot.core.outcome import Outcome
    from bot.core.report import Report

_SQL = load_statements("journal.sql")

# So many deliveries go with one push at most. What is behind them is not noted anew with each push.
MOST_PACED = 1_000


class Fence(NamedTuple):
    """The number of a drain of a target. Each drain has a higher one than those before it."""

    target: int
    number: int


class SQLiteJournal:
    """Writes of one drain, which raise Fenced and change nothing once a newer drain of the target has begun.

    A drain may sleep for minutes in the middle of its work: its process is stopped, or its machine is. When it wakes, a
    newer drain may have taken its deliveries up. What that one notes must stay: without the note of a commit that was
    begun, nobody would look for it. With `fence` None nothing is checked.
    """

    def __init__(self, connection: sqlite3.Connection, fence: Fence | None = None) -> None:
        self._connection = connection
        self._fence = fence

    @property
    def _number(self) -> int:
        return self._fence.number if self._fence is not None else 0

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        with transaction(self._connection):
            if self._fence is not None:
                row = self._connection.execute(_SQL["newest"], {"target": self._fence.target}).fetchone()
                if row["number"] != self._fence.number:
                    raise Fenced("a newer drain of the repository has begun")
            yield

    async def attempted(self, deliveries: Sequence[str], along: Sequence[str] = ()) -> None:
        """Count an attempt that begins; it does not count for those that are only taken along."""
        self._count("attempted", deliveries, along)

    async def released(self, deliveries: Sequence[str], along: Sequence[str] = ()) -> None:
        """Take back that an attempt began."""
        self._count("released", deliveries, along)

    async def postpone(self, pauses: Mapping[str, float], reason: str) -> None:
        """Note for how many seconds unfinished deliveries wait from now on, unless they do for longer, and why."""
        now = time.time()
        self._many(
            "postpone",
            [
                {"id": delivery, "reason": reason, "not_before": now + pause if pause else 0.0}
                for delivery, pause in pauses.items()
            ],
        )

    async def pace(self, target: int, reason: str, deliveries: Collection[str] | None = None) -> None:
        """Note why dispatches that are due wait for the next push: those given, or all that may go with it."""
        wanted = {
            "target": target,
            "event": DISPATCH,
            "reason": reason,
            "deliveries": json.dumps(list(deliveries)) if deliveries is not None else None,
            "now": time.time(),
            "most": MOST_PACED,
        }
        self._many("pace", [wanted])

    async def wait(self, pauses: Mapping[str, float], reason: str) -> None:
        """Set unfinished deliveries aside for so many seconds, or until `resume`, and note why."""
        now = time.time()
        self._many(
            "wait",
            [{"id": delivery, "reason": reason, "not_before": now + pause} for delivery, pause in pauses.items()],
        )

    async def intend(self, branch: str, base: str, fields: Mapping[str, Sequence[tuple[str, str]]]) -> None:
        """Note that a commit is about to be made on `base`, and which (path, field) each delivery writes in it."""
        rows: list[dict[str, object]] = [
            {"delivery": delivery, "branch": branch, "base": base, "fields": json.dumps(written), "drain": self._number}
            for delivery, written in fields.items()
        ]
        self._many("intend", rows)

    async def withdraw(self, branch: str, base: str, deliveries: Sequence[str]) -> None:
        """Note that the commit that was about to be made on `base` was not."""
        self._many(
            "withdraw",
            [{"delivery": delivery, "branch": branch, "base": base, "drain": self._number} for delivery in deliveries],
        )

    async def writers(
        self, target: int, branch: str, paths: Collection[str], besides: Collection[str] = ()
    ) -> Mapping[tuple[str, str], Writer]:
        """Return who wrote the fields of these files last, by path and field.

        Those whose commits may have landed count, other than `besides`: these are looked for.
        """
        wanted = {
            "target": target,
            "branch": branch,
            "paths": json.dumps(list(paths)),
            "besides": json.dumps(list(besides)),
        }
        rows = self._connection.execute(_SQL["writers"], wanted)
        return {
            (row["path"], row["field"]): Writer(row["delivery"], datetime.fromisoformat(row["origin"])) for row in rows
        }

    async def record(self, outcomes: Sequence[Outcome], reports: Sequence[Report] = ()) -> None:
        """Record how deliveries ended on branches; those who committed are the last to have written their fields.

        The `reports` of it are kept until they are said.
        """
        with self._transaction():
            self._record(outcomes)
            store(self._connection, reports)

    async def finish(
        self, outcomes: Sequence[Outcome], deliveries: Sequence[str], reports: Sequence[Report] = ()
    ) -> None:
        """Record outcomes, and that these deliveries have ended on every branch; all or none.

        The `reports` of it are kept until they are said. Of the bodies of those that have ended only what the mappings
        used stays.
        """
        properties = {outcome.delivery: outcome.plan.properties for outcome in outcomes if outcome.plan is not None}
        with self._transaction():
            self._record(outcomes)
            store(self._connection, reports)
            for delivery in deliveries:
                rows = self._connection.execute(_SQL["effects"], {"delivery": delivery}).fetchall()
                state, reason = summary([(row["branch"], row["state"], row["reason"]) for row in rows])
                row = self._connection.execute(_SQL["body"], {"delivery": delivery}).fetchone()
                body = trimmed(row["body"], properties.get(delivery)) if row else b""
                ended = {"id": delivery, "state": state, "reason": reason, "finished_at": _now(), "body": body}
                self._connection.execute(_SQL["finish"], ended)

    def _record(self, outcomes: Sequence[Outcome]) -> None:
        effects = [
            {
                "delivery": outcome.delivery,
                "branch": outcome.branch,
                "state": outcome.state,
                "reason": outcome.reason,
                "commit_oid": outcome.commit.oid if outcome.commit else None,
                "ended_at": _now(),
            }
            for outcome in outcomes
        ]
        self._connection.executemany(_SQL["effect"], effects)
        self._connection.executemany(_SQL["written"], self._written(outcomes))
        self._connection.executemany(_SQL["settle"], effects)

    def _written(self, outcomes: Sequence[Outcome]) -> list[dict[str, str]]:
        """Return as rows the fields that these outcomes wrote, and those that were there as they asked for."""
        return [
            {"delivery": outcome.delivery, "branch": outcome.branch, "path": path, "field": field}
            for outcome in outcomes
            for path, field in (*self._intended(outcome), *outcome.asked)
        ]

    def _intended(self, outcome: Outcome) -> list[tuple[str, str]]:
        if outcome.state != "committed":
            return []
        rows = self._connection.execute(_SQL["intended"], {"delivery": outcome.delivery, "branch": outcome.branch})
        return [(path, field) for row in rows for path, field in json.loads(row["fields"])]

    def _count(self, name: str, deliveries: Sequence[str], along: Sequence[str]) -> None:
        self._many(
            name, [{"ids": json.dumps(ids), "counts": counts} for counts, ids in ((1, deliveries), (0, along)) if ids]
        )

    def _many(self, name: str, rows: Sequence[dict[str, object]]) -> None:
        with self._transaction():
            self._connection.executemany(_SQL[name], rows)


def _now() -> str:
    return datetime.now(UTC).isoformat()
