"""Who may use a process next: each installation has one job at a time, and installations take turns."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict, deque
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

# The id of an installation; None is work for no installation, such as reading a webhook's body.
Key: TypeAlias = int | None


class Lane:
    """A queue before `size` processes.

    An installation has one job running at a time, even if processes are free. The next turn goes to the waiting
    installation whose last turn is the longest ago. So ten thousand jobs of one installation delay a job of another
    one by a single job.
    """

    def __init__(self, size: int) -> None:
        self._free = size
        self._running: set[Key] = set()
        # Installations in the order of their next turns; for each the jobs that wait, as (turn, waiting since).
        self._waiting: OrderedDict[Key, deque[tuple[asyncio.Future[None], float]]] = OrderedDict()

    @asynccontextmanager
    async def turn(self, key: Key) -> AsyncIterator[None]:
        """Wait for a turn of the installation `key`, and keep it for the block."""
        if self._free and key not in self._running:
            self._take(key)
        else:
            await self._wait(key)
        try:
            yield
        finally:
            self._give_back(key)

    def longest_wait(self) -> float:
        """Return how many seconds the longest-waiting job has waited, 0 if none waits.

        A job that waits for another job of its own installation does not count.
        """
        now = time.monotonic()
        return max((now - queue[0][1] for key, queue in self._waiting.items() if key not in self._running), default=0.0)

    async def _wait(self, key: Key) -> None:
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(key, deque()).append((turn, time.monotonic()))
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():  # the turn came just before the cancellation: pass it on
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
            # None is a key, so `...` stands for: no installation may run a job now.
            following = next((waiting for waiting in self._waiting if waiting not in self._running), ...)
            if following is ...:
                return
            turn, _ = self._waiting[following].popleft()
            if not self._waiting[following]:
                del self._waiting[following]
            if not turn.done():  # else its job was cancelled, and has not noticed yet
                self._take(following)
                turn.set_result(None)

    def _leave(self, key: Key, turn: asyncio.Future[None]) -> None:
        """Forget a turn that nobody waits for any more."""
        queue = self._waiting.get(key, deque())
        kept = deque(waiting for waiting in queue if waiting[0] is not turn)
        if kept:
            self._waiting[key] = kept
        else:
            self._waiting.pop(key, None)
