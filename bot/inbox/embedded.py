"""The embedded engine: one asyncio task for each target that has work. It only schedules; the inbox is the record."""

from __future__ import annotations

import asyncio
import contextvars
from contextlib import suppress
from typing import TYPE_CHECKING

import structlog

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from bot.ports import Inbox


log = structlog.get_logger(__name__)

AFTER_FAILURE_SECONDS = 5.0

# What failed for one delivery may well fail for the next: they come together instead of asking again and again.
REST_SECONDS = 1.0


class EmbeddedEngine:
    """Calls `drain(target)` whenever a target is woken, never twice at once for one target.

    `drain` returns None when nothing is left to do, or the seconds after which it wants to be called again; where it
    raises, it is called again after `after_failure` seconds. A wake ends a pause, though not within its first second.
    """

    def __init__(
        self,
        inbox: Inbox,
        drain: Callable[[int], Awaitable[float | None]],
        after_failure: float = AFTER_FAILURE_SECONDS,
    ) -> None:
        self._inbox = inbox
        self._drain = drain
        self._after_failure = after_failure
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._woken: dict[int, asyncio.Event] = {}
        self._stopping = asyncio.Event()

    async def start(self) -> None:
        """Take up what an earlier process left unfinished."""
        for target in await self._inbox.targets():
            self.wake(target)

    def wake(self, target: int) -> None:
        """Say that there is work for `target`; returns at once."""
        if self._stopping.is_set():
            return
        self._woken.setdefault(target, asyncio.Event()).set()
        if target not in self._tasks:
            # In a context of its own: what the waking request says of itself is not true of what is drained later.
            self._tasks[target] = asyncio.create_task(
                self._run(target), name=f"drain {target}", context=contextvars.Context()
            )

    async def stop(self, grace: float) -> bool:
        """Let the drains under way finish, for `grace` seconds at most; what is left stays in the inbox.

        Returns whether all of them finished.
        """
        self._stopping.set()
        for woken in self._woken.values():
            woken.set()
        tasks = list(self._tasks.values())
        if not tasks:
            return True
        _, unfinished = await asyncio.wait(tasks, timeout=grace)
        for task in unfinished:
            task.cancel()
        await asyncio.gather(*unfinished, return_exceptions=True)
        return not unfinished

    async def _run(self, target: int) -> None:
        woken = self._woken[target]
        try:
            while woken.is_set() and not self._stopping.is_set():
                woken.clear()
                pause = await self._drain_safely(target)
                if pause is not None:
                    await self._sleep(pause, woken)
        finally:
            del self._tasks[target], self._woken[target]

    async def _drain_safely(self, target: int) -> float | None:
        try:
            return await self._drain(target)
        except Exception:
            # The inbox itself failed (a full disk, say): nothing else would ever wake this target again.
            log.exception("drain failed", target=target)
            return self._after_failure

    async def _sleep(self, seconds: float, woken: asyncio.Event) -> None:
        """Sleep until the target is woken, though for REST_SECONDS at least; not past `stop`."""
        rest = min(seconds, REST_SECONDS)
        await _passed(rest, self._stopping)
        await _passed(seconds - rest, woken)
        woken.set()


async def _passed(seconds: float, event: asyncio.Event) -> None:
    """Return after so many seconds, or as soon as the event is set."""
    with suppress(TimeoutError):
        await asyncio.wait_for(event.wait(), seconds)
