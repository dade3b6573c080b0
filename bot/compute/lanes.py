"""Turns at a number of processes: one at a time for each installation, and installations one after the other."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict, deque
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

# The id of an installation; None is our own work.
Key: TypeAlias = int | None


class Lane:
    """A queue before `size` processes.

    An installation that has a job running waits for its end, whatever is free. Of the waiting installations the one
    whose last turn is the longest ago comes next, so ten thousand jobs of one delay another's by one job.
    """

    def __init__(self, size: int) -> None:
        self._free = size
        self._running: set[Key] = set()
        # By installation, the one to come next first: the turns that its jobs wait for, and since when.
        self._waiting: OrderedDict[Key, deque[tuple[asyncio.Future[None], float]]] = OrderedDict()

    @asynccontextmanager
    async def turn(self, key: Key) -> AsyncIterator[None]:
        """Wait for a turn of this installation, and keep it for the block."""
        if self._free and key not in self._running:
            self._take(key)
        else:
            await self._wait(key)
        try:
            yield
        finally:
            self._give_back(key)

    def longest_wait(self) -> float:
        """Return for how many seconds the job waits that waits longest; 0 when none does.

        A job does not count while one of its own installation runs.
        """
        now = time.monotonic()
        return max((now - queue[0][1] for key, queue in self._waiting.items() if key not in self._running), default=0.0)

    async def _wait(self, key: Key) -> None:
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(key, deque()).append((turn, time.monotonic()))
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():  # the turn came in the same moment: somebody else may have it
                self._give_back(key)
            else:
                self._leave(key, turn)
            raise

    def _take(self, key: Key) -> None:
        self._free -= 1
        self._running.add(key)

    def _give_back(self, key: Key) -> None:
        self._free += 1
        self._running.discard(key)
        if key in self._waiting:
            self._waiting.move_to_end(key)
        while self._free:
            following = next((one for one in self._waiting if one not in self._running), ...)
            if following is ...:
                return
            self._take(following)
            turn, _ = self._waiting[following].popleft()
            if not self._waiting[following]:
                del self._waiting[following]
            turn.set_result(None)

    def _leave(self, key: Key, turn: asyncio.Future[None]) -> None:
        """Forget a turn that nobody waits for any more."""
        queue = self._waiting.get(key, deque())
        kept = deque(one for one in queue if one[0] is not turn)
        if kept:
            self._waiting[key] = kept
        else:
            self._waiting.pop(key, None)
