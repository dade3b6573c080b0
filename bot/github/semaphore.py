"""A semaphore that installations share fairly: for connections to GitHub, and for reading large answers."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from bot.errors import Transient

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


class FairSemaphore:
    """Has `limit` places, of which one installation gets at most `share`.

    A free place goes to the waiting installation that holds the fewest. The last tenth of the places is kept for
    installations that hold none: if the requests of a few installations hang, the next one still gets through.
    """

    def __init__(self, limit: int, share: int, what: str) -> None:
        self._limit = limit
        self._share = share
        self._kept = limit // 10
        # The beginning of the error for a request that gets no place in time.
        self._what = what
        self._held: Counter[int] = Counter()
        # By installation, in order of arrival. An installation that was served moves behind the others.
        self._waiting: dict[int, deque[asyncio.Future[None]]] = {}

    @asynccontextmanager
    async def acquire(self, installation: int, patience: float) -> AsyncIterator[None]:
        """Hold a place within the context. Raises Transient if none is free within `patience` seconds."""
        await self._take(installation, patience)
        try:
            yield
        finally:
            self._give_back(installation)

    async def _take(self, installation: int, patience: float) -> None:
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(installation, deque()).append(waiter)
        self._serve()
        try:
            async with asyncio.timeout(patience):
                await waiter
        except BaseException as error:
            if waiter.done() and not waiter.cancelled():
                # The place was given just before the wait ended: pass it on.
                self._give_back(installation)
            else:
                self._forget(installation, waiter)
            if isinstance(error, TimeoutError):
                raise Transient(f"{self._what}: again in 1 s", 1.0) from None
            raise

    def _serve(self) -> None:
        while (installation := self._next()) is not None:
            waiting = self._waiting.pop(installation)
            waiter = waiting.popleft()
            if waiting:
                self._waiting[installation] = waiting
            if not waiter.done():  # else it was cancelled, and `_take` calls `_forget` next
                self._held[installation] += 1
                waiter.set_result(None)

    def _next(self) -> int | None:
        """Return the installation that gets the next place: of those that may have one, it holds the fewest."""
        free = self._limit - self._held.total()
        if free <= 0:
            return None
        candidates = [
            installation
            for installation in self._waiting
            if (held := self._held[installation]) < self._share and (not held or free > self._kept)
        ]
        return min(candidates, key=self._held.__getitem__, default=None)

    def _give_back(self, installation: int) -> None:
        self._held[installation] -= 1
        if not self._held[installation]:
            del self._held[installation]
        self._serve()

    def _forget(self, installation: int, waiter: asyncio.Future[None]) -> None:
        waiting = self._waiting.get(installation, deque())
        if waiter in waiting:
            waiting.remove(waiter)
        if not waiting:
            self._waiting.pop(installation, None)
