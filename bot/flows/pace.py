"""When repositories may be pushed to: their pushes of the last seconds, against the rhythm that is set."""

from __future__ import annotations

import math
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from cachetools import LRUCache

if TYPE_CHECKING:
    from bot.core.rhythm import Rhythm

# How many repositories are remembered. Nobody pushes to more of them within a minute, by GitHub's limits.
_KEPT = 10_000


class Pace:
    """Counts pushes to repositories. An urgent one, which does not wait, counts if it could have gone anyway."""

    def __init__(self, rhythm: Rhythm) -> None:
        self.rhythm = rhythm
        self._lasting: LRUCache[int, float] = LRUCache(_KEPT)

    def wait(self, target: int) -> float:
        """Return the seconds until the next push to a repository (id) may go."""
        return self.rhythm.wait(self._lasting.get(target, -math.inf), time.monotonic())

    def pushing(self, target: int) -> float:
        """Count a push that is about to be made; return the seconds that it takes, for `take_back`.

        An urgent one that goes too early takes none: what waits would wait for all of them, however many come.
        """
        if not self.rhythm.interval or self.wait(target) > 0:
            return 0.0
        lasting = self._lasting.get(target, -math.inf)
        self._lasting[target] = self.rhythm.pushed(lasting, time.monotonic())
        return self.rhythm.interval

    def take_back(self, target: int, seconds: float) -> None:
        """Do not count a push that took so many seconds: GitHub refused it."""
        if target in self._lasting:
            self._lasting[target] -= seconds

    def reason(self, target: int) -> str:
        """Return why a delivery waits, and until when; a list of deliveries has room for the first words only."""
        until = datetime.now(UTC) + timedelta(seconds=self.wait(target))
        return f"next push at {until:%H:%M:%S} UTC: {self._rhythm}"

    def waited(self, seconds: float) -> str:
        """Return for how long a delivery waited, and why: what follows "It" in its check run."""
        return f"waited {seconds:.0f} s for the next push: {self._rhythm}"

    @property
    def _rhythm(self) -> str:
        return f"this repository gets one in {self.rhythm.interval:g} s (RHYTHM_INTERVAL)"
