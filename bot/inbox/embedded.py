"""The embedded engine: one asyncio task for each target that has work. It only schedules; the inbox is the record."""

from __future__ import annotations

import asyncio
import contextvars
from typing import TYPE_CHECKING

import structlog

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from bot.ports import Inbox


log = structlog.get_logger(__name__)

AFTER_FAILURE_SECONDS = 5.0


class EmbeddedEngine:
    """Calls `drain(target)` whenever a target is woken, never twice at once for one target.

    `drain` returns None when nothing is left to do, or the seconds after which it wants to be called again; where it
    raises, it is called again after `after_failure` seconds.
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
        self._woken: set[int] = set()
        self._stopping = asyncio.Event()

    async def start(self) -> None:
        """Take up what an earlier process left unfinished."""
        for target in await self._inbox.targets():
            self.wake(target)

    def wake(self, target: int) -> None:
        """Say that there is work for `target`; returns at once."""
        if self._stopping.is_set():
            return
        self._woken.add(target)
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
        tasks = list(self._tasks.values())
        if not tasks:
            return True
        _, unfinished = await asyncio.wait(tasks, timeout=grace)
        for task in unfinished:
            task.cancel()
        await asyncio.gather(*unfinished, return_exceptions=True)
        return not unfinished

    async def _run(self, target: int) -> None:
        try:
            while target in self._woken and not self._stopping.is_set():
                self._woken.discard(target)
                pause = await self._drain_safely(target)
                if pause is not None:
                    self._woken.add(target)
                    await self._sleep(pause)
        finally:
            del self._tasks[target]

    async def _drain_safely(self, target: int) -> float | None:
        try:
            return await self._drain(target)
        except Exception:
            # The inbox itself failed (a full disk, say): nothing else would ever wake this target again.
            log.exception("drain failed", target=target)
            return self._after_failure

    async def _sleep(self, seconds: float) -> None:
        """Sleep, but not past `stop`."""
        try:
            await asyncio.wait_for(self._stopping.wait(), seconds)
        except TimeoutError:
            return
