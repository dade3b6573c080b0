"""What is still to be said on GitHub: check runs, stored with the outcomes that they say."""

from __future__ import annotations

import json
import time
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import structlog

from bot.core.message import Annotation, CheckRun
from bot.core.model import Repository
from bot.core.report import Report, Unsaid
from bot.inbox.file import transaction
from bot.inbox.statements import load_statements

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Collection, Iterable, Sequence

    from bot.core.report import PutOff

log = structlog.get_logger(__name__)

_SQL = load_statements("reports.sql")

# How many reports are kept of one repository and of one installation. Whoever sends dispatches without end to a
# repository where check runs are refused must not fill the disk.
MOST_OF_TARGET, MOST_OF_INSTALLATION = 1_000, 5_000
# If the check runs of one installation have more bytes together, those that fail are kept in brief.
MOST_BYTES = 4_000_000
# For this long a report is left to the drain that stored it: it has the details, and makes the check run next.
HANDS_SECONDS = 120.0


def store(connection: sqlite3.Connection, reports: Iterable[Report]) -> None:
    """Keep reports until they are said; to be called within the transaction of their outcomes.

    Where there are too many of a repository or an installation, its oldest ones are dropped, with a warning.
    """
    now = time.time()
    for report in reports:
        connection.execute(_SQL["store"], _row(report, now))
        whose = {"target": report.repository.id, "installation": report.repository.installation}
        count = connection.execute(_SQL["count"], whose).fetchone()
        for whom, most in (("of_target", MOST_OF_TARGET), ("of_installation", MOST_OF_INSTALLATION)):
            if count[whom] > most:
                surplus = {**whose, "surplus": count[whom] - most}
                for row in connection.execute(_SQL[f"drop_{whom}"], surplus).fetchall():
                    _lost(_unsaid(row), "too many check runs wait there")


class Reports:
    """The check runs that are still to be made. Uses the database connection of the inbox."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        # The process before may have been killed between a request and its answer.
        connection.execute(_SQL["doubt"])

    async def of(self, target: int, keys: Collection[tuple[str, str, str]]) -> Sequence[Unsaid]:
        """Return the reports of a repository (its id) whose check runs have these keys."""
        wanted = {"target": target, "keys": json.dumps(list(keys))}
        return [_unsaid(row) for row in self._connection.execute(_SQL["of"], wanted)]

    async def installations(self) -> Sequence[int]:
        """Return the installations that have reports which are due; first whose is due for the longest time."""
        return [row["installation"] for row in self._connection.execute(_SQL["installations"], {"now": time.time()})]

    async def due(self, installation: int, after: int, limit: int) -> Sequence[Unsaid]:
        """Return reports that are due, the oldest of each repository: first those behind the repository `after`."""
        wanted = {"installation": installation, "after": after, "limit": limit, "now": time.time()}
        return [_unsaid(row) for row in self._connection.execute(_SQL["due"], wanted)]

    async def said(self, unsaid: Unsaid) -> None:
        """Forget a report that was said, unless another outcome took its place meanwhile."""
        self._connection.execute(_SQL["said"], _name(unsaid))

    async def put_off(self, failures: Sequence[PutOff]) -> None:
        """Let reports wait, and note why. Their details are kept as far as there is room."""
        now = time.time()
        with transaction(self._connection):
            for one in failures:
                waits = {
                    **_name(one.unsaid),
                    "not_before": now + one.pause,
                    "reason": one.reason,
                    "attempted": one.attempted,
                    "doubtful": one.doubtful,
                }
                self._connection.execute(_SQL["put_off"], waits)
                if one.check_run is not None:
                    self._keep(one.unsaid, one.check_run)

    def _keep(self, unsaid: Unsaid, check_run: CheckRun) -> None:
        text = _json(check_run)
        wanted = {"installation": unsaid.report.repository.installation, "most": MOST_BYTES}
        if len(text) <= self._connection.execute(_SQL["room"], wanted).fetchone()["room"]:
            self._connection.execute(_SQL["detail"], {**_name(unsaid), "check_run": text, "bytes": len(text)})

    async def rest(self, target: int, seconds: float, reason: str) -> None:
        """Let all reports of a repository wait for so long at least, and note why."""
        wanted = {"target": target, "not_before": time.time() + seconds, "reason": reason}
        self._connection.execute(_SQL["rest"], wanted)

    async def hurry(self, target: int = 0, installation: int = 0) -> None:
        """Let reports that failed be tried at once: of a repository, of an installation, or, without either, all."""
        everything = not target and not installation
        # 0 stands for none.
        wanted = {"everything": everything, "target": target or -1, "installation": installation or -1}
        self._connection.execute(_SQL["hurry"], wanted)

    def reach(self, targets: Sequence[int], installation: int) -> None:
        """Note that repositories (ids) are reached by this installation now."""
        self._connection.execute(_SQL["reach"], {"targets": json.dumps(targets), "installation": installation})

    async def give_up(self, before: datetime) -> None:
        """Drop the reports that were stored before a time, with a warning for each."""
        old = self._connection.execute(_SQL["old"], {"before": before.timestamp()}).fetchall()
        for row in old:
            unsaid = _unsaid(row)
            _lost(unsaid, unsaid.reason or "its turn never came")


def _lost(unsaid: Unsaid, reason: str) -> None:
    log.warning(
        "report lost",
        repository=unsaid.report.repository.full_name,
        check_run=unsaid.report.check_run.name,
        head=unsaid.report.check_run.head,
        deliveries=list(unsaid.report.deliveries),
        reason=reason,
    )


def _row(report: Report, now: float) -> dict[str, object]:
    head, name, external_id = report.check_run.key
    text = _json(report.check_run)
    return {
        "target": report.repository.id,
        "installation": report.repository.installation,
        "full_name": report.repository.full_name,
        "head": head,
        "name": name,
        "external_id": external_id,
        "created_at": int(now),
        "not_before": now + HANDS_SECONDS,
        "bytes": len(text),
        "deliveries": json.dumps(report.deliveries),
        "check_run": text,
    }


def _name(unsaid: Unsaid) -> dict[str, object]:
    return {"id": unsaid.id, "created_at": int(unsaid.since.timestamp())}


def _json(check_run: CheckRun) -> str:
    """Return a check run in ASCII: a text that quotes half a character cannot be stored otherwise."""
    return json.dumps(asdict(check_run))


def _unsaid(row: sqlite3.Row) -> Unsaid:
    stored = json.loads(row["check_run"])
    annotations = tuple(Annotation(**each) for each in stored.pop("annotations"))
    # A check run is made by the id and the name of its repository alone.
    repository = Repository(row["target"], row["full_name"], "", row["installation"])
    return Unsaid(
        id=row["id"],
        report=Report(repository, CheckRun(**stored, annotations=annotations), tuple(json.loads(row["deliveries"]))),
        since=datetime.fromtimestamp(row["created_at"], UTC),
        attempts=row["attempts"],
        doubtful=bool(row["doubtful"]),
        reason=row["reason"],
    )
