"""Say on GitHub how deliveries ended."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import structlog

from bot.core.meter import Budget
from bot.core.retry import Retry
from bot.errors import PointsmanError, Transient
from bot.flows import jobs

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bot.core.message import CheckRun
    from bot.core.model import Repository
    from bot.core.outcome import Outcome
    from bot.ports import Compute, Forge

log = structlog.get_logger(__name__)

# Commits wait behind reports, so a report is given up soon.
RETRY = Retry(attempts=3, first=0.5, longest=5.0)
# The time for all reports of a batch.
SECONDS = 60.0
# The CPU time for writing them: diffs of large files take a while.
CPU_SECONDS = 10.0


async def report(
    forge: Forge, compute: Compute, repository: Repository, outcomes: Sequence[Outcome], retry: Retry = RETRY
) -> None:
    """Create the check runs that these outcomes call for.

    Errors are logged and not raised: the outcomes are recorded already.
    """
    try:
        budget = Budget(CPU_SECONDS, "the check run")
        runs = await compute.run(repository, budget, jobs.write_reports, outcomes)
        async with asyncio.timeout(SECONDS):
            for check_run in runs:
                try:
                    await _create(forge, repository, check_run, retry)
                except Transient:
                    raise  # the other check runs would fail too, and GitHub does not want clients that insist
                except PointsmanError as error:
                    log.warning("report lost", check_run=check_run.name, head=check_run.head, reason=str(error))
    except (PointsmanError, TimeoutError) as error:
        deliveries = [outcome.delivery for outcome in outcomes]
        log.warning("reports lost", reason=str(error) or f"not done in {SECONDS:.0f} s", deliveries=deliveries)
    except Exception:
        log.exception("report lost", deliveries=[outcome.delivery for outcome in outcomes])


async def _create(forge: Forge, repository: Repository, check_run: CheckRun, retry: Retry) -> None:
    attempt = 1
    while True:
        try:
            return await forge.report(repository, check_run)
        except Transient as error:
            pause = retry.pause(attempt, error.retry_after)
            if pause is None or pause > retry.longest:
                raise
        await asyncio.sleep(pause)
        attempt += 1
