"""Rate limits: requests an hour, and, where they are switched on, how much may be written at a time."""

from __future__ import annotations

import re
from collections import deque
from typing import TYPE_CHECKING

from bot.sandbox.answers import ApiError
from bot.sandbox.presets import SECONDARY_LIMIT

if TYPE_CHECKING:
    from bot.sandbox.call import Call
    from bot.sandbox.sandbox import Sandbox

HOUR, MINUTE = 3600, 60
RATE_DOCS = "https://docs.github.com/rest/overview/resources-in-the-rest-api#rate-limiting"
SECONDARY_DOCS = "https://docs.github.com/rest/overview/resources-in-the-rest-api#secondary-rate-limits"
# Requests that make content; docs.github.com, "About secondary rate limits".
CONTENT_A_MINUTE, CONTENT_AN_HOUR = 80, 500


class Limits:
    """Counts the requests of each installation against what it may send."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self._used: dict[tuple[int | None, str], int] = {}
        self._window = 0
        self._written: dict[int | None, deque[float]] = {}

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
        if self.sandbox.secondary_limits and _makes_content(call):
            self._count_content(key[0])

    def refund(self, call: Call) -> None:
        """Take a request back that turned out to cost nothing."""
        key = self._key(call)
        self._used[key] = max(self._used.get(key, 0) - 1, 0)

    def _count_content(self, installation: int | None) -> None:
        now, times = self.sandbox.clock(), self._written.setdefault(installation, deque())
        while times and times[0] <= now - HOUR:
            times.popleft()
        lately = sum(when > now - MINUTE for when in times)
        if lately >= CONTENT_A_MINUTE or len(times) >= CONTENT_AN_HOUR:
            raise ApiError(403, SECONDARY_LIMIT, docs=SECONDARY_DOCS, headers={"retry-after": "60"})
        times.append(now)

    @staticmethod
    def _key(call: Call) -> tuple[int | None, str]:
        return (call.grant.installation if call.grant else None, "graphql" if call.is_graphql else "core")


def _makes_content(call: Call) -> bool:
    """Say whether a request makes something in a repository; GitHub tells no list, so it is all but reading."""
    if call.is_graphql:
        return call.is_mutation
    return call.method not in {"GET", "HEAD"} and re.match(r"/repos(itories)?/", call.path) is not None
