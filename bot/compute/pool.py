"""A small pool of processes that evaluate foreign rules: docs/adr/0008 has the reasons."""

from __future__ import annotations

import asyncio
import pickle
import time
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar, TypeVarTuple, cast

import structlog
from cachetools import TTLCache

from bot.compute import child
from bot.compute.lanes import Lane
from bot.compute.process import DiedError, Process
from bot.errors import Transient
from bot.flows import jobs

if TYPE_CHECKING:
    from collections.abc import Callable

    from bot.compute.lanes import Key
    from bot.core.meter import Budget, Meter
    from bot.core.model import Repository

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

log = structlog.get_logger(__name__)

# A job that takes more CPU time is a long one. Ordinary jobs take a few milliseconds.
QUICK_SECONDS = 0.25
# After a long job, further jobs of the same repository count as long for this time.
LONG_FOR_SECONDS = 30.0
# How many repositories with long jobs are remembered.
_MOST_LONG = 10_000
# The time by the clock after which a job is stopped. Its CPU budget is smaller, so the machine is overloaded, or the
# process hangs.
WALL_SECONDS = 120.0
# An answer with fewer bytes is unpickled at once, a larger one in a thread.
SMALL_BYTES = 32 * 1024
# An idle process is ended after this time; one process always stays.
IDLE_SECONDS = 300.0


class Pool:
    """Runs functions in `processes` processes, each of which may use `memory` bytes.

    Half of the processes take quick jobs only. Every job begins as a quick one; a job that turns out to be long is
    stopped and begins again in the queue for the other half. So a job of milliseconds never waits for one of seconds.
    An installation has one job at a time in each half.
    """

    def __init__(self, processes: int, memory: int) -> None:
        self._memory = memory
        quick = max(processes // 2, 1)
        self._quick = Lane(quick)
        self._long = Lane(max(processes - quick, 1))
        # Idle processes, each with the time since when. The one that was used last is at the end.
        self._idle: list[tuple[Process, float]] = []
        # The long jobs that wait or run, and the processes that are being closed.
        self._long_jobs: set[asyncio.Task[child.Answer]] = set()
        self._closing: set[asyncio.Task[None]] = set()
        self._stopping = asyncio.Event()
        # Repositories (ids) whose jobs count as long.
        self._slow: TTLCache[int, None] = TTLCache(_MOST_LONG, LONG_FOR_SECONDS, time.monotonic)

    async def warm_up(self) -> None:
        """Start a process, so that the first dispatch need not wait for it. Raises nothing."""
        with suppress(Transient):  # `_run` logs it, and the first dispatch tries again
            await self._run(QUICK_SECONDS, jobs.nothing, ())

    def stop(self) -> None:
        """End the long jobs and begin no other long one. They change nothing outside of the bot, so nothing is lost."""
        self._stopping.set()
        for job in self._long_jobs:
            job.cancel()

    async def close(self) -> None:
        """End the processes; no job may be running any more."""
        for process, _ in self._idle:
            self._end(process)
        self._idle.clear()
        await asyncio.gather(*self._closing, return_exceptions=True)

    def longest_wait(self) -> float:
        """Return how many seconds the longest-waiting job has waited for a process, 0 if none waits."""
        return max(self._quick.longest_wait(), self._long.longest_wait())

    async def run(
        self,
        repository: Repository | None,
        budget: Budget,
        function: Callable[[Meter, *Ts], T],
        *args: *Ts,
    ) -> T:
        """Return `function(meter, *args)`, computed in a process for `repository` (None: our own work).

        Raises InputError when the budget is used up, Transient when the process ended without an answer, and what the
        function raises. Cancelling ends the process.
        """
        installation, target = (repository.installation, repository.id) if repository is not None else (None, None)
        if target not in self._slow and budget.left > QUICK_SECONDS:
            async with self._quick.turn(installation):
                try:
                    computed = await self._run(QUICK_SECONDS, function, args)
                    return cast("T", _value(computed, budget))
                except child.Exceeded:
                    if target is not None:  # our own work is for everybody: one large body tells nothing of the next
                        self._slow[target] = None
        return cast("T", await self._run_long(installation, budget, function, args))

    async def _run_long(self, installation: Key, budget: Budget, function: Callable[..., Any], args: Any) -> Any:
        if self._stopping.is_set():
            raise _stopped()
        job = asyncio.create_task(self._take_long_turn(installation, budget, function, args))
        self._long_jobs.add(job)
        job.add_done_callback(self._long_jobs.discard)
        try:
            computed = await job
        except child.Exceeded as error:
            budget.spend(error.costs)
            raise budget.exceeded() from None
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if self._stopping.is_set() and task is not None and not task.cancelling():
                raise _stopped() from None
            raise
        return _value(computed, budget)

    async def _take_long_turn(
        self, installation: Key, budget: Budget, function: Callable[..., Any], args: Any
    ) -> child.Answer:
        async with self._long.turn(installation):
            # Another job for the same delivery may have used up the budget while this one waited.
            return await self._run(budget.left, function, args)

    async def _run(self, seconds: float, function: Callable[..., Any], args: tuple[Any, ...]) -> child.Answer:
        # In a thread: a hostile plan of a few megabytes takes a second, and has thousands of objects, so that the event
        # loop has its turns in between.
        request = await asyncio.to_thread(pickle.dumps, (seconds, function, args), pickle.HIGHEST_PROTOCOL)
        try:
            async with asyncio.timeout(WALL_SECONDS):
                answered = await self._ask(request)
        except TimeoutError:
            took = f"in {WALL_SECONDS:.0f} s it got less CPU than it may use"
            raise Transient(f"the process that computes it was stopped: {took}") from None
        except (DiedError, OSError) as error:
            # The process was killed (by hand, or by the system for memory), or could not be started.
            log.warning("a computing process ended", reason=repr(error))
            raise Transient("the process that computes it ended without an answer") from error
        read = partial(pickle.loads, answered)
        answer = read() if len(answered) < SMALL_BYTES else await asyncio.to_thread(read)
        if isinstance(answer, Exception):
            raise answer
        return cast("child.Answer", answer)

    async def _ask(self, request: bytes) -> bytes:
        """Return the answer of an idle or a new process, which is ended if waiting for it fails or is cancelled."""
        process = self._idle.pop()[0] if self._idle else await Process.start(self._memory)
        try:
            answer = await process.ask(request)
        except BaseException:
            self._end(process)
            raise
        now = time.monotonic()
        self._idle.append((process, now))
        while len(self._idle) > 1 and now - self._idle[0][1] > IDLE_SECONDS:
            self._end(self._idle.pop(0)[0])
        return answer

    def _end(self, process: Process) -> None:
        process.kill()
        closing = asyncio.create_task(process.close())
        self._closing.add(closing)
        closing.add_done_callback(self._closing.discard)


def _value(answer: child.Answer, budget: Budget) -> Any:
    """Return what was computed, or raise what was raised; either way it was paid for."""
    budget.spend(answer.costs)
    if isinstance(answer, child.Failed):
        raise answer.error
    return answer.value


def _stopped() -> Transient:
    return Transient("the bot is stopping; it is computed at the next start")
