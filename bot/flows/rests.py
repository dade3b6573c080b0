"""Which repositories and installations are left alone for a while, because several attempts in a row failed there."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from cachetools import LRUCache

if TYPE_CHECKING:
    from collections.abc import Hashable

    from bot.core.retry import Retry

# So many failures in a row may be chance.
CHANCE = 2
_REMEMBERED = 10_000


class Rests:
    """Counts failures in a row by key, and tells how long to try nothing there (`retry`). In memory only."""

    def __init__(self, retry: Retry) -> None:
        self._retry = retry
        # How many failures in a row there were, and until when nothing is tried, by the clock of the event loop.
        self._failed: LRUCache[Hashable, tuple[int, float]] = LRUCache(maxsize=_REMEMBERED)

    def fail(self, who: Hashable, retry_after: float = 0.0) -> None:
        """Count a failure, and let a rest of `retry_after` seconds at least begin."""
        count = self._failed.get(who, (0, 0.0))[0] + 1
        pause = (self._retry.pause(count - CHANCE) or self._retry.longest) if count > CHANCE else 0.0
        self._failed[who] = count, asyncio.get_running_loop().time() + max(pause, retry_after)

    def is_often(self, who: Hashable) -> bool:
        """Whether so many attempts in a row failed that it is no chance."""
        return self._failed.get(who, (0, 0.0))[0] > CHANCE

    def succeed(self, who: Hashable) -> None:
        """Count from the start again."""
        self._failed.pop(who, None)

    def left(self, who: Hashable) -> float:
        """Return for how many more seconds nothing is to be tried."""
        until = self._failed.get(who, (0, 0.0))[1]
        return max(until - asyncio.get_running_loop().time(), 0.0)
