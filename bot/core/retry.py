"""How often a delivery that met a passing fault is taken up again, and when: a value, so that no test has to sleep."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Retry:
    """Exponential backoff, bounded in both directions.

    `attempts` is how often a delivery is tried in all; `first` and `longest` are pauses in seconds. The defaults
    give up after an hour and a quarter: GitHub's rate limits renew within the hour.
    """

    attempts: int = 15
    first: float = 1.0
    longest: float = 900.0

    def pause(self, attempt: int, retry_after: float | None = None) -> float | None:
        """Return the seconds to wait after attempt number `attempt` (from 1) failed, None to give up.

        What the server asked for (`retry_after`, seconds) is never undercut: insisting can get an App banned,
        https://docs.github.com/en/rest/using-the-rest-api/best-practices-for-using-the-rest-api
        """
        if attempt >= self.attempts:
            return None
        return max(min(self.first * 2.0 ** (attempt - 1), self.longest), retry_after or 0.0)
