"""What limits are made of: what a request uses, how much of a window is used, and until when nothing may be sent.

No clock in here: `now` is given, in seconds of whatever clock the caller has.
"""

from __future__ import annotations

import math
from collections import deque
from typing import NamedTuple

# Where GitHub does not say how long; its primary limits renew within the hour.
_FIRST_PAUSE, _LONGEST_PAUSE = 60.0, 3600.0


class Cost(NamedTuple):
    """What a request uses, and for whom.

    `repository` is an id, None where it is not known; `writes` counts in the windows of content, and `lands` says that
    it moves a branch. A `report` goes behind everything else. What `sends` nothing uses nothing up.
    """

    repository: int | None
    graphql: bool = False
    points: int = 1
    writes: int = 0
    lands: bool = False
    report: bool = False
    sends: bool = True


class Window:
    """A sliding window: at most `limit` in any `seconds`; 0 is no limit. `what` says what is counted."""

    def __init__(self, limit: int, seconds: float, what: str) -> None:
        self.limit = limit
        self.what = f"{limit:,} {what} are used up"
        self._seconds = seconds
        self._spent: deque[tuple[float, int]] = deque()
        self._used = 0

    def used(self, now: float) -> int:
        """Return how much was used in the last `seconds`."""
        while self._spent and self._spent[0][0] + self._seconds <= now:
            self._used -= self._spent.popleft()[1]
        return self._used

    def wait(self, now: float, amount: int) -> float:
        """Return the seconds until `amount` fits; of more than the limit, until the last part of it does."""
        if not self.limit or not amount:
            return 0.0
        windows, rest = divmod(amount - 1, self.limit)
        over = self.used(now) + rest + 1 - self.limit
        left = 0.0
        for at, spent in self._spent:
            if over <= 0:
                break
            over -= spent
            left = at + self._seconds - now
        return left + windows * self._seconds

    def add(self, now: float, amount: int) -> None:
        """Count `amount` as used now."""
        self.used(now)
        self._spent.append((now, amount))
        self._used += amount

    def take_back(self, at: float, amount: int) -> None:
        """Forget what was counted at that time: it was not used after all."""
        if (at, amount) in self._spent:
            self._spent.remove((at, amount))
            self._used -= amount


class Pause:
    """Until when nothing may be sent, and why.

    A pause without a length is a minute, and twice as long with each repeat until a success:
    https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api#exceeding-the-rate-limit
    """

    def __init__(self) -> None:
        self.until = -math.inf
        self.reason = ""
        self._unexplained_until = -math.inf
        self._repeats = 0

    def begin(self, now: float, seconds: float | None, reason: str) -> None:
        """Begin a pause of `seconds` (None: GitHub did not say); one under way that lasts longer goes on."""
        if seconds is None:
            # Answers that come during such a pause are to requests sent before it: no repeat.
            if now >= self._unexplained_until:
                self._unexplained_until = now + min(_FIRST_PAUSE * 2.0**self._repeats, _LONGEST_PAUSE)
                self._repeats = min(self._repeats + 1, 10)
            seconds = self._unexplained_until - now
        if now + seconds > self.until:
            self.until, self.reason = now + seconds, reason

    def succeeded(self, now: float) -> None:
        """GitHub did what it was asked to, and not by a request that was sent before the pause."""
        if now >= self._unexplained_until:
            self._repeats = 0
