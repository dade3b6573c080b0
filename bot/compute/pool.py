"""A small pool of processes for what foreign rules and files make expensive: see docs/adr/0008."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar, cast

import anyio
import anyio.to_process
import structlog
from cachetools import TTLCache

from bot.compute import child
from bot.compute.lanes import Lane
from bot.errors import Transient
from bot.flows import jobs

if TYPE_CHECKING:
    from collections.abc import Callable

    from bot.compute.lanes import Key
    from bot.core.meter import Budget, Meter
    from bot.core.model import Repository

P = ParamSpec("P")
T = TypeVar("T")

log = structlog.get_logger(__name__)

# Seconds of CPU after which a job is a long one. Ordinary jobs take a few milliseconds.
QUICK_SECONDS = 0.25
# A repository whose job was a long one has its next jobs treated as long for so many seconds.
LONG_FOR_SECONDS = 30.0
# So many repositories are remembered for that.
_MOST_LONG = 10_000
# A process that gets no CPU for so long is not coming back: the machine is overloaded, or it hangs.
WALL_SECONDS = 120.0


class Pool:
    """Runs functions in `processes` processes, each of which may use `memory` bytes.

    Half of them take quick jobs only: every job begins there, and one that turns out to be long is stopped, and begins
    again before the other half. So a job of milliseconds never waits for one of seconds. An installation has one job
    at a time in each half.
    """

    def __init__(self, processes: int, memory: int) -> None:
        self._memory = memory
        quick = max(processes // 2, 1)
        self._quick = Lane(quick)
        self._long = Lane(max(processes - quick, 1))
        self._limiter = anyio.CapacityLimiter(max(processes, 2))
        # Around each long job, waiting or running.
        self._scopes: set[anyio.CancelScope] = set()
        self._stopping = False
        self._slow: TTLCache[int | None, None] = TTLCache(_MOST_LONG, LONG_FOR_SECONDS, time.monotonic)

    async def warm_up(self) -> None:
        """Start a process, so that the first dispatch need not wait for it. Raises nothing."""
        with suppress(Transient):  # it is logged, and the first dispatch tries again
            await self._run(QUICK_SECONDS, jobs.nothing, ())

    def stop(self) -> None:
        """End the long jobs, and begin no other: the bot need not wait for what changes nothing outside of it."""
        self._stopping = True
        for scope in self._scopes:
            scope.cancel()

    def longest_wait(self) -> float:
        """Return for how many seconds the job waits that waits longest for a process; 0 when none does."""
        return max(self._quick.longest_wait(), self._long.longest_wait())

    async def run(
        self,
        repository: Repository | None,
        budget: Budget,
        function: Callable[Concatenate[Meter, P], T],
        /,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        """Return `function(meter, *args)`, computed in a process for `repository` (None: our own work).

        Raises InputError when the budget is used up, Transient when the process ended without an answer, and what the
        function raises. Cancelling ends the process.
        """
        del kwargs  # no job has any
        installation, target = (repository.installation, repository.id) if repository is not None else (None, None)
        if target not in self._slow and budget.left > QUICK_SECONDS:
            async with self._quick.turn(installation):
                try:
                    computed = await self._run(QUICK_SECONDS, function, args)
                    budget.spend(computed.costs)
                    return cast("T", computed.value)
                except child.Exceeded:
                    self._slow[target] = None
        return cast("T", await self._run_long(installation, budget, function, args))

    async def _run_long(self, installation: Key, budget: Budget, function: Callable[..., Any], args: Any) -> Any:
        with anyio.CancelScope() as scope:
            self._scopes.add(scope)
            if self._stopping:
                scope.cancel()
            try:
                async with self._long.turn(installation):
                    # Another job for the same delivery may have used the budget up meanwhile.
                    computed = await self._run(budget.left, function, args)
            except child.Exceeded as error:
                budget.spend(error.costs)
                raise budget.exceeded() from None
            finally:
                self._scopes.discard(scope)
        if scope.cancelled_caught:
            raise Transient("the bot is stopping; it is computed at the next start")
        budget.spend(computed.costs)
        return computed.value

    async def _run(self, seconds: float, function: Callable[..., Any], args: tuple[Any, ...]) -> child.Computed:
        try:
            async with asyncio.timeout(WALL_SECONDS):
                return await anyio.to_process.run_sync(
                    child.run, self._memory, seconds, function, args, cancellable=True, limiter=self._limiter
                )
        except TimeoutError:
            sentence = (
                f"the process that computes it was stopped: in {WALL_SECONDS:.0f} s it got less CPU than it may use"
            )
            raise Transient(sentence) from None
        except (anyio.BrokenWorkerProcess, OSError) as error:
            # Killed for memory by the system, by hand, or never started: no fault of what it computed.
            log.warning("a computing process ended", reason=repr(error))
            raise Transient("the process that computes it ended without an answer") from error
