"""How often one repository is pushed to.

GitHub recommends at most 6 pushes a minute to a repository, and a push makes work for all that watch it:
https://docs.github.com/en/repositories/creating-and-managing-repositories/repository-limits
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Rhythm:
    """A repository that was quiet is pushed to `burst` times at once, then once in `interval` seconds (0: no rhythm).

    All that is remembered of a repository is one time, `lasting`: until when its pushes so far would last if there were
    one in each interval (the generic cell rate algorithm). It and `now` are seconds of the same clock.
    """

    interval: float = 10.0
    burst: int = 3

    def wait(self, lasting: float, now: float) -> float:
        """Return the seconds until the next push, 0 if it may go now."""
        return max(lasting - (self.burst - 1) * self.interval - now, 0.0) if self.interval else 0.0

    def pushed(self, lasting: float, now: float) -> float:
        """Return the new `lasting` after one more push."""
        return max(lasting, now) + self.interval
