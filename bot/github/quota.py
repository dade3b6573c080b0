"""The limits of GitHub, kept by ourselves: requests wait for their turn here instead of being refused there.

https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api and
https://docs.github.com/en/rest/using-the-rest-api/best-practices-for-using-the-rest-api say what they are.
"""

from __future__ import annotations

import asyncio
import math
from collections import Counter
from contextlib import asynccontextmanager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bot.github.limits import Cost, Pause, Window
from bot.github.waiting import Waiter, turn_refusal

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping
    from contextlib import AbstractAsyncContextManager

    from bot.github.waiting import Handle, Timer

# The Git Data API makes a commit of a tree, the commit and the branch: it should not begin without room to end.
_COMMIT_WRITES = 3
# Timers may fire a tick of the clock too early.
_TICK = 0.001


@dataclass(frozen=True, slots=True)
class Quota:
    """What one installation may use; 0 is no limit. The defaults are GitHub's, `patience` is ours.

    `write_interval` is in seconds between commits to one repository; points are for a minute. `patience` is how many
    seconds a request may wait for its turn.
    """

    writes_minute: int = 80
    writes_hour: int = 500
    write_interval: float = 1.0
    concurrent: int = 100
    rest_points: int = 900
    graphql_points: int = 2000
    patience: float = 10.0


@dataclass(frozen=True, slots=True)
class State:
    """What a governor knows, for metrics.

    Writes in the last minute and hour; requests that wait and that are under way; how many seconds a pause still lasts;
    and what is left of the hourly limits "core" (REST) and "graphql", as GitHub last said.
    """

    writes_minute: int
    writes_hour: int
    waiting: int
    in_flight: int
    paused_for: float
    remaining: Mapping[str, int]


class Governor:
    """Lets the requests of one installation go when its quota has room, and none while GitHub wants a pause.

    Commits and reads go before reports, which also leave a quarter of everything to them. Repositories take turns;
    within one, first come is first served. What would wait for longer than `patience` is refused as Transient.
    """

    def __init__(
        self,
        quota: Quota,
        timer: Timer,
        connection: Callable[[], AbstractAsyncContextManager[None]] = nullcontext,
        large_answer: Callable[[], AbstractAsyncContextManager[None]] = nullcontext,
    ) -> None:
        self._quota = quota
        self._timer = timer
        # Places that installations share: for a connection to GitHub, and for reading a large answer.
        self._connection = connection
        self.large_answer = large_answer
        self._rest = Window(quota.rest_points, 60.0, "REST points a minute")
        self._graphql = Window(quota.graphql_points, 60.0, "GraphQL points a minute")
        self._minute = Window(quota.writes_minute, 60.0, "writes a minute")
        self._hour = Window(quota.writes_hour, 3600.0, "writes an hour")
        self._pause = Pause()
        self._landed: dict[int | None, float] = {}
        # In order of arrival.
        self._waiting: dict[Waiter, None] = {}
        # The needs of the waiting requests that are no reports.
        self._wanted: Counter[Window] = Counter()
        # The number of each repository's last turn.
        self._turns: dict[int | None, int] = {}
        self._granted = 0
        self._in_flight = 0
        self._alarm: Handle | None = None
        self._remaining: dict[str, int] = {}

    @asynccontextmanager
    async def slot(self, cost: Cost) -> AsyncIterator[None]:
        """Wait until a request may be sent; it must end within the context. Raises Transient with how long it takes."""
        await self._turn(cost)
        try:
            async with self._connection():
                # A pause may have begun while we waited for the connection.
                self.check()
                yield
        finally:
            self._in_flight -= 1
            self._pump()

    async def ready(self, repository: int) -> None:
        """Return when a commit to `repository` could begin now; it is not reserved. Raises Transient as `slot` does."""
        await self._turn(Cost(repository, points=0, writes=_COMMIT_WRITES, sends=False))

    def check(self) -> None:
        """Raise Transient where a pause began since the slot was given."""
        wait = self._pause.until - self._timer.time()
        if wait > 0:
            raise turn_refusal(wait, self._pause.reason)

    def limited(self, seconds: float | None, reason: str) -> float:
        """GitHub wants a pause of `seconds`, None if it does not say how long: send nothing until then.

        Returns the seconds from now. `reason` is the beginning of what those are told who do not wait for it.
        """
        now = self._timer.time()
        self._pause.begin(now, seconds, reason)
        for waiter in [waiter for waiter in self._waiting if waiter.deadline < self._pause.until]:
            self._refuse(waiter)
        self._pump()
        return max(self._pause.until - now, 0.0)

    def succeeded(self) -> None:
        """GitHub did what it was asked to: its next pause without a length begins with a minute again."""
        self._pause.succeeded(self._timer.time())

    def note_remaining(self, remaining: int, *, graphql: bool) -> None:
        """Keep what GitHub says is left of an hourly limit."""
        self._remaining["graphql" if graphql else "core"] = remaining

    def is_idle(self) -> bool:
        """Return whether a new governor would let the same go: nothing waits, is under way, was used, or is paused."""
        now = self._timer.time()
        windows = (self._rest, self._graphql, self._minute, self._hour)
        busy = self._waiting or self._in_flight or self._pause.until > now or any(one.used(now) for one in windows)
        return not busy

    def state(self) -> State:
        """Return what is used, who waits, and how long a pause lasts."""
        now = self._timer.time()
        used = self._minute.used(now), self._hour.used(now)
        paused = max(self._pause.until - now, 0.0)
        return State(*used, len(self._waiting), self._in_flight, paused, dict(self._remaining))

    async def _turn(self, cost: Cost) -> None:
        deadline = self._timer.time() + self._quota.patience
        waiter = Waiter(cost, deadline, asyncio.get_running_loop().create_future())
        before = self._wanted.copy()
        landing = sum(one.cost.lands and one.cost.repository == cost.repository for one in self._waiting)
        self._waiting[waiter] = None
        if not cost.report:
            self._wanted.update(self._needs(cost))
        self._pump()
        if waiter in self._waiting:
            wait, reason = self._obstacle(cost, before, landing)
            if wait >= self._quota.patience:
                self._remove(waiter)
                self._pump()
                raise turn_refusal(wait, reason)
        try:
            refused = await waiter.answer
        except asyncio.CancelledError:
            self._give_back(waiter)
            raise
        if refused is not None:
            raise refused

    def _pump(self) -> None:
        """Let requests go that may, refuse those that waited for too long, and set the alarm for the next one."""
        while self._round():
            pass
        now = self._timer.time()
        for waiter in [waiter for waiter in self._waiting if waiter.deadline <= now]:
            self._refuse(waiter)
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        if not self._waiting:
            if not self._in_flight:
                self._turns.clear()
            return
        # All waiters have the same timeout, so the oldest expires first. When a request under way ends, `slot` calls
        # `_pump`, so this needs no alarm.
        waits = [next(iter(self._waiting)).deadline - now]
        if self._has_place():
            waits += [self._obstacle(waiter.cost)[0] for waiter in self._next()]
        self._alarm = self._timer.call_later(min(wait for wait in waits if wait > 0) + _TICK, self._pump)

    def _next(self) -> list[Waiter]:
        """Return the first of each repository: commits before reports, then who had no turn for the longest time."""
        first: dict[tuple[bool, int | None], Waiter] = {}
        for waiter in self._waiting:
            first.setdefault((waiter.cost.report, waiter.cost.repository), waiter)
        return sorted(first.values(), key=lambda each: (each.cost.report, self._turns.get(each.cost.repository, 0)))

    def _round(self) -> bool:
        """Give each repository one turn; return whether any could use it."""
        now = self._timer.time()
        if not self._waiting or not self._has_place():
            return False
        went = False
        short: set[Window] = set()
        for waiter in self._next():
            cost, needs = waiter.cost, self._needs(waiter.cost)
            # What many small requests leave over must add up for a large one that waits.
            if not short.isdisjoint(needs) or not self._has_place(report=cost.report):
                continue
            if self._obstacle(cost)[0] <= 0:
                self._grant(waiter)
                went = True
            elif cost.sends:
                short |= {window for window, amount in needs.items() if window.wait(now, amount) > 0}
        return went

    def _grant(self, waiter: Waiter) -> None:
        cost, now = waiter.cost, self._timer.time()
        self._remove(waiter)
        self._granted += 1
        self._turns[cost.repository] = self._granted
        waiter.granted = now
        if cost.sends:
            self._in_flight += 1
            for window, amount in self._needs(cost).items():
                window.add(now, amount)
        if cost.lands:
            interval = self._quota.write_interval
            self._landed = {each: at for each, at in self._landed.items() if at + interval > now}
            self._landed[cost.repository] = now
        if not waiter.answer.done():  # cancelled in this very turn of the loop: `_give_back` comes next
            waiter.answer.set_result(None)

    def _give_back(self, waiter: Waiter) -> None:
        """Free the place of one that was cancelled: among those that wait, or the one it had just been given."""
        if waiter in self._waiting:
            self._remove(waiter)
        elif waiter.granted is not None and waiter.cost.sends:
            self._in_flight -= 1
            for window, amount in self._needs(waiter.cost).items():
                window.take_back(waiter.granted, amount)
            if waiter.cost.lands:
                self._landed.pop(waiter.cost.repository, None)
        self._pump()

    def _refuse(self, waiter: Waiter) -> None:
        wait, reason = self._obstacle(waiter.cost)
        self._remove(waiter)
        if not waiter.answer.done():
            waiter.answer.set_result(turn_refusal(wait, reason))

    def _remove(self, waiter: Waiter) -> None:
        del self._waiting[waiter]
        if not waiter.cost.report:
            self._wanted.subtract(self._needs(waiter.cost))

    def _has_place(self, *, report: bool = False) -> bool:
        limit = self._quota.concurrent
        return not limit or self._in_flight < limit - (limit // 4 if report else 0)

    def _needs(self, cost: Cost) -> dict[Window, int]:
        windows = {self._minute: cost.writes, self._hour: cost.writes}
        windows[self._graphql if cost.graphql else self._rest] = cost.points
        return {window: amount for window, amount in windows.items() if amount}

    def _obstacle(self, cost: Cost, before: Mapping[Window, int] | None = None, landing: int = 0) -> tuple[float, str]:
        """Return the seconds that a request has to wait, and what for; 0 and nothing where it has not.

        `before` is what others need who go first (of a report, all commits that wait), and `landing` is how many of
        them move a branch of its repository.
        """
        if before is None:
            before = self._wanted if cost.report else {}
        now = self._timer.time()
        found = [(0.0, ""), (self._pause.until - now, self._pause.reason)]
        for window, amount in self._needs(cost).items():
            fitting = min(amount, window.limit)
            others = before.get(window, 0)
            if cost.report:
                others = max(others, min(window.limit // 4, window.limit - fitting))
            if wait := window.wait(now, fitting + others):
                found.append((wait, window.what))
        interval = self._quota.write_interval
        if cost.writes and not cost.report and interval:
            free = max(self._landed.get(cost.repository, -math.inf) + interval, now) + landing * interval
            found.append((free - now, f"commits to one repository are {interval:g} s apart"))
        return max(found, key=lambda each: each[0])
