"""Rate limits: requests an hour, and, where they are switched on, how much may be written at a time."""

from __future__ import annotations

import re
from collections import Counter, deque
from contextlib import contextmanager
from typing import TYPE_CHECKING

from bot.sandbox.answers import ApiError
from bot.sandbox.preset_limits import SECONDARY_LIMIT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bot.sandbox.call import Call
    from bot.sandbox.sandbox import Sandbox

HOUR, MINUTE = 3600, 60
RATE_DOCS = "https://docs.github.com/rest/overview/resources-in-the-rest-api#rate-limiting"
SECONDARY_DOCS = "https://docs.github.com/rest/overview/resources-in-the-rest-api#secondary-rate-limits"
# https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api#about-secondary-rate-limits
# Requests that make content; requests at a time; points a minute, of which a read costs one and a write five.
CONTENT_A_MINUTE, CONTENT_AN_HOUR = 80, 500
CONCURRENT = 100
POINTS_A_MINUTE = {"core": 900, "graphql": 2000}
READ_POINTS, WRITE_POINTS = 1, 5


class Limits:
    """Counts the requests of each installation against what it may send."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self._used: dict[tuple[int | None, str], int] = {}
        self._window = 0
        self._written: dict[int | None, deque[float]] = {}
        self._spent: dict[tuple[int | None, str], deque[tuple[float, int]]] = {}
        self._under_way: Counter[int | None] = Counter()

    def report(self, installation: int | None) -> dict[str, dict[str, int]]:
        """Give each resource's limit, used, remaining and reset (epoch seconds) for an installation."""
        report = {}
        for resource, limit in self.sandbox.rate_limits.items():
            used = self._used.get((installation, resource), 0)
            reset = (int(self.sandbox.clock()) // HOUR + 1) * HOUR
            report[resource] = {"limit": limit, "used": used, "remaining": max(limit - used, 0), "reset": reset}
        return report

    def headers(self, call: Call) -> dict[str, str]:
        """Give the headers by which every answer tells the limit."""
        installation, resource = self._key(call)
        rate = self.report(installation)[resource]
        return {f"x-ratelimit-{name}": str(value) for name, value in rate.items()} | {"x-ratelimit-resource": resource}

    def count(self, call: Call) -> None:
        """Count a request; ApiError 403 if there were too many this hour, or too many that write."""
        hour = int(self.sandbox.clock()) // HOUR
        if hour != self._window:
            self._window = hour
            self._used.clear()
        if call.path == "/rate_limit":
            return
        key = self._key(call)
        used = self._used.get(key, 0)
        if used >= self.sandbox.rate_limits[key[1]]:
            raise ApiError(403, f"API rate limit exceeded for installation ID {key[0]}.", docs=RATE_DOCS)
        self._used[key] = used + 1
        if self.sandbox.secondary_limits:
            self._count_points(key, WRITE_POINTS if _writes(call) else READ_POINTS)
            if _makes_content(call):
                self._count_content(key[0])

    @contextmanager
    def under_way(self, installation: int | None) -> Iterator[None]:
        """Count a request among those of an installation that are under way."""
        self._under_way[installation] += 1
        try:
            yield
        finally:
            self._under_way[installation] -= 1

    def charge(self, installation: int | None, points: int) -> None:
        """Take more points of the hourly limit of GraphQL."""
        key = (installation, "graphql")
        self._used[key] = self._used.get(key, 0) + points

    def refund(self, call: Call) -> None:
        """Take a request back that turned out to cost nothing."""
        key = self._key(call)
        self._used[key] = max(self._used.get(key, 0) - 1, 0)

    def _count_points(self, key: tuple[int | None, str], points: int) -> None:
        now, spent = self.sandbox.clock(), self._spent.setdefault(key, deque())
        while spent and spent[0][0] <= now - MINUTE:
            spent.popleft()
        used = sum(amount for _, amount in spent)
        if self._under_way[key[0]] > CONCURRENT or used + points > POINTS_A_MINUTE[key[1]]:
            raise _too_much()
        spent.append((now, points))

    def _count_content(self, installation: int | None) -> None:
        now, times = self.sandbox.clock(), self._written.setdefault(installation, deque())
        while times and times[0] <= now - HOUR:
            times.popleft()
        lately = sum(when > now - MINUTE for when in times)
        if lately >= CONTENT_A_MINUTE or len(times) >= CONTENT_AN_HOUR:
            raise _too_much()
        times.append(now)

    @staticmethod
    def _key(call: Call) -> tuple[int | None, str]:
        return (call.grant.installation if call.grant else None, "graphql" if call.is_graphql else "core")


def _too_much() -> ApiError:
    return ApiError(403, SECONDARY_LIMIT, docs=SECONDARY_DOCS, headers={"retry-after": "60"})


def _writes(call: Call) -> bool:
    return call.is_mutation if call.is_graphql else call.method not in {"GET", "HEAD", "OPTIONS"}


def _makes_content(call: Call) -> bool:
    """Say whether a request makes something in a repository; GitHub tells no list, so it is all but reading."""
    if call.is_graphql:
        return call.is_mutation
    return call.method not in {"GET", "HEAD"} and re.match(r"/repos(itories)?/", call.path) is not None
