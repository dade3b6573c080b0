"""Say on GitHub how deliveries ended.

A brief check run is stored with each outcome. Right after that the whole one is made, while its details are in memory.
If that fails it is tried again (`catch_up`), until it is too old.
"""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import structlog

from bot.core.meter import Budget
from bot.core.report import PutOff
from bot.core.retry import Retry
from bot.errors import PointsmanError, Transient
from bot.flows import jobs
from bot.flows.rests import Rests

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from bot.core.message import CheckRun, Group
    from bot.core.model import Repository
    from bot.core.report import Unsaid
    from bot.ports import Compute, Forge, Reports

log = structlog.get_logger(__name__)

# The pauses between attempts; age ends them, not their number. GitHub may not know a commit for some seconds after it
# was made, and a permission may be accepted hours later.
RETRY = Retry(attempts=1000, first=2.0, longest=900.0)
# After a day nobody looks at a commit to learn how it ended.
MOST_AGE = timedelta(days=1)
# The time for all reports of a batch.
SECONDS = 60.0
# The CPU time for writing them: diffs of large files take a while.
CPU_SECONDS = 10.0
# How many installations `catch_up` works on at a time, with one request of each; and for how many of its repositories
# it reads the oldest report from the database at a time.
INSTALLATIONS, REPOSITORIES = 8, 20


class Reporter:
    """Makes the check runs that `reports` keeps."""

    def __init__(self, forge: Forge, compute: Compute, reports: Reports) -> None:
        self._forge = forge
        self._compute = compute
        self._reports = reports
        # Its keys are the ids of installations, and those of repositories in a tuple.
        self._rests = Rests(RETRY)
        # The reports (ids) that are being made, and the installations that `catch_up` works on.
        self._busy: set[int] = set()
        self._turns: set[int] = set()

    async def say(self, repository: Repository, groups: Sequence[Group]) -> None:
        """Make the check runs of outcomes that were just recorded; what fails is left for `catch_up`."""
        by_key = {group.key: group for group in groups}
        if not by_key:
            return
        stored = await self._reports.of(repository.id, by_key)
        unsaid = [one for one in stored if one.id not in self._busy]
        with self._held(unsaid):
            try:
                budget = Budget(CPU_SECONDS, "the check run")
                wanted = [by_key[one.key] for one in unsaid]
                runs = await self._compute.run(repository, budget, jobs.write_reports, wanted)
            except PointsmanError as error:
                # The bot stops, or the computation takes too long: make the brief check runs that are stored.
                log.warning("details of a report left out", reason=str(error))
                runs = [one.report.check_run for one in unsaid]
            await self._say_all(list(zip(unsaid, runs, strict=True)))

    async def _say_all(self, left: list[tuple[Unsaid, CheckRun]]) -> None:
        """Make check runs, and stop at an error that the others would meet too. Store the details of what is left."""
        failures: list[PutOff] = []
        pause, reason = RETRY.first, f"not done in {SECONDS:.0f} s, or before the bot stopped"
        sent = True
        try:
            async with asyncio.timeout(SECONDS):
                while left:
                    failure = await self._say(*left[0])
                    unsaid, _ = left.pop(0)
                    if failure is None:
                        continue
                    failures.append(failure)
                    rest = self._rest_of(unsaid)
                    if failure.doubtful or rest > 0:
                        pause, reason, sent = max(failure.pause, rest), failure.reason, False
                        break
        except TimeoutError:
            pass
        finally:
            for number, (unsaid, run) in enumerate(left):
                # The answer to a request that was cut short is not known.
                tried = sent and number == 0
                failures.append(PutOff(unsaid, pause, reason, attempted=tried, doubtful=tried, check_run=run))
            if failures:
                await self._reports.put_off(failures)

    async def turns(self) -> list[int]:
        """Give up what is too old, and return the installations for which to call `catch_up` now."""
        await self._reports.give_up(datetime.now(UTC) - MOST_AGE)
        due = [
            one for one in await self._reports.installations() if one not in self._turns and not self._rests.left(one)
        ]
        return due[: max(INSTALLATIONS - len(self._turns), 0)]

    async def catch_up(self, installation: int) -> None:
        """Make the check runs of an installation that are due; its repositories take turns, one check run each."""
        if installation in self._turns:
            return
        self._turns.add(installation)
        try:
            after = 0
            while due := await self._due(installation, after):
                for unsaid in due:
                    if self._rests.left(installation):
                        return
                    await self._say_again(unsaid)
                after = due[-1].report.repository.id
        finally:
            self._turns.discard(installation)

    async def hurry(self, repository: int, installation: int) -> None:
        """Try at once what failed, of a repository or an installation (0: none), as it may work now."""
        self._rests.succeed(installation)
        self._rests.succeed((repository,))
        await self._reports.hurry(repository, installation)

    async def _due(self, installation: int, after: int) -> Sequence[Unsaid]:
        due = await self._reports.due(installation, after, REPOSITORIES)
        return [unsaid for unsaid in due if unsaid.id not in self._busy]

    async def _say_again(self, unsaid: Unsaid) -> None:
        """Make a check run as it is stored; if that fails its repository may rest."""
        with self._held([unsaid]):
            failure = await self._say(unsaid, unsaid.report.check_run)
            if failure is not None:
                await self._reports.put_off([failure])
                if rest := self._rest_of(unsaid):
                    await self._reports.rest(unsaid.report.repository.id, rest, failure.reason)

    async def _say(self, unsaid: Unsaid, check_run: CheckRun) -> PutOff | None:
        """Make a check run, unless it is found to be there. Return when to try it again if that fails."""
        repository = unsaid.report.repository
        try:
            there = unsaid.doubtful and await self._forge.reported(repository, check_run, unsaid.since)
            if not there:
                await self._forge.report(repository, check_run, unsaid.since)
        except PointsmanError as error:
            asked = (error.retry_after or 0.0) if isinstance(error, Transient) else 0.0
            self._fail(repository, asked)
            pause = RETRY.pause(unsaid.attempts + 1, asked) or RETRY.longest
            log.warning("report later", check_run=check_run.name, head=check_run.head, reason=str(error), pause=pause)
            return PutOff(unsaid, pause, str(error), doubtful=isinstance(error, Transient), check_run=check_run)
        self._rests.succeed(repository.installation)
        self._rests.succeed((repository.id,))
        await self._reports.said(unsaid)
        return None

    def _fail(self, repository: Repository, asked: float) -> None:
        """Count a failure, after which GitHub `asked` for a pause of so many seconds (0: it did not)."""
        # One repository that fails again and again tells nothing of the others of its installation.
        if asked or not self._rests.is_often((repository.id,)):
            self._rests.fail(repository.installation, asked)
        self._rests.fail((repository.id,), asked)

    def _rest_of(self, unsaid: Unsaid) -> float:
        """Return for how many more seconds no check run is made in the repository of a report."""
        return self._rests.left((unsaid.report.repository.id,))

    @contextmanager
    def _held(self, reports: Sequence[Unsaid]) -> Iterator[None]:
        """Keep reports from being made twice at a time."""
        ids = {one.id for one in reports}
        self._busy |= ids
        try:
            yield
        finally:
            self._busy -= ids
