"""The background tasks that keep `Health` up to date."""

from __future__ import annotations

import asyncio
import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Executor

    from bot.web.health import Health

PROBE_SECONDS = 5.0
# After this time a write counts as failed, because a disk may hang. GitHub waits no longer for an answer either.
PROBE_TIMEOUT_SECONDS = 10.0

LOOP_LOOK_SECONDS = 0.5
# An answer that comes a second late is noticed; GitHub waits for ten.
LATE_SECONDS = 1.0
# A job may wait for as long as another one takes, and longer if many installations have long jobs.
STARVING_SECONDS = 20.0
# A degradation is shown for this long after it was seen last: a probe that asks for /readyz once a minute must see it.
CALM_SECONDS = 60.0


class Storage:
    """Notes whether deliveries can be stored, by a small write every few seconds.

    `write` raises if they cannot. It runs in `thread`, which nothing else uses. A write that waited for a busy thread
    of asyncio's own would look like a disk that hangs.
    """

    def __init__(self, health: Health, thread: Executor, write: Callable[[], None]) -> None:
        self._health = health
        self._thread = thread
        self._write = write

    async def watch(self) -> None:
        """Write every PROBE_SECONDS."""
        while True:
            await asyncio.sleep(PROBE_SECONDS)
            await self.look()

    async def look(self) -> None:
        """Write once, and note whether it succeeds. If the write takes too long, note that at once."""
        writing = asyncio.get_running_loop().run_in_executor(self._thread, self._write)
        _, unfinished = await asyncio.wait({writing}, timeout=PROBE_TIMEOUT_SECONDS)
        if unfinished:
            self._health.not_stored("a write to the database does not end")
        try:
            await writing
        except Exception as error:  # noqa: BLE001 - whatever the error is, nothing could be stored
            self._health.not_stored("deliveries cannot be stored", str(error))
        else:
            self._health.stored()


async def computing(health: Health, longest_wait: Callable[[], float]) -> None:
    """Note a degradation while jobs wait long for a process of the pool."""
    loop = asyncio.get_running_loop()
    late_at = -math.inf
    while True:
        waited = longest_wait()
        if waited > STARVING_SECONDS:
            late_at = loop.time()
            health.degrade("computing", f"rules wait {waited:.0f} seconds for a process: raise COMPUTE_PROCESSES")
        elif loop.time() - late_at > CALM_SECONDS:
            health.recover("computing")
        await asyncio.sleep(PROBE_SECONDS)


async def event_loop(health: Health) -> None:
    """Note a degradation while the event loop runs so late that answers come late."""
    loop = asyncio.get_running_loop()
    late_at = -math.inf
    while True:
        due = loop.time() + LOOP_LOOK_SECONDS
        await asyncio.sleep(LOOP_LOOK_SECONDS)
        lag = loop.time() - due
        if lag > LATE_SECONDS:
            late_at = loop.time()
            health.degrade("event loop", f"the event loop turned {lag:.1f} seconds late: answers come late")
        elif loop.time() - late_at > CALM_SECONDS:
            health.recover("event loop")
