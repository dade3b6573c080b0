"""Claim deliveries of one target, put them through the flow, and finish, retry or give up."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeVar
from weakref import WeakValueDictionary

import structlog
from cachetools import LRUCache

from bot.core import trigger
from bot.core.outcome import Outcome
from bot.core.report import Telling
from bot.core.retry import Retry
from bot.core.rhythm import Rhythm
from bot.errors import Fenced, Transient, Unavailable
from bot.flows.apply import apply
from bot.flows.batch import Batches
from bot.flows.decide import Decider
from bot.flows.pace import Pace
from bot.flows.report import Reporter
from bot.flows.understand import understand

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Coroutine, Sequence

    from bot.core.model import Delivery
    from bot.flows.progress import Applied
    from bot.flows.rules import MappingSource
    from bot.flows.understand import News
    from bot.ports import Compute, Forge, Inbox, Journal

T = TypeVar("T")

log = structlog.get_logger(__name__)

_LONG_AGO = datetime.min.replace(tzinfo=UTC)

# A webhook, which takes several turns of the event loop, must not wait until all of a batch are written.
STEP, STEP_SECONDS = 5, 0.002

# So many repositories of an installation are worked on at a time: each may hold files of a hundred megabytes.
DRAINS = 8

# What a bug of ours spoils, it spoils again: give up soon, so that the deliveries behind it do not wait for long.
AFTER_A_BUG = Retry(attempts=3)

# GitHub refuses a fresh token until all of its servers know it, which takes some seconds. So a refused delivery is
# tried this many times, over 15 seconds, before it is set aside.
SOON = 5
# For so many deliveries the number of refusals is remembered. A forgotten one is tried a few more times.
REMEMBERED = 10_000
# The pause of a delivery that is set aside: a minute at first, twice as long each time, an hour at last. An event that
# says that access may have been restored ends it early, and so does a commit to the same repository.
ASIDE_FIRST, ASIDE_LONGEST = 60.0, 3600.0


class Worker:
    """Turns what is pending in the inbox into outcomes. An engine calls `drain`, one call at a time for a target."""

    def __init__(  # noqa: PLR0913, PLR0917 - the ports, and how often to try and to push
        self,
        inbox: Inbox,
        forge: Forge,
        compute: Compute,
        source: MappingSource,
        retry: Retry | None = None,
        rhythm: Rhythm | None = None,
    ) -> None:
        self._inbox = inbox
        self._forge = forge
        self._compute = compute
        self._source = source
        self._decider = Decider(forge, compute, source)
        self._retry = retry or Retry()
        self._soon = replace(self._retry, attempts=min(SOON, self._retry.attempts))
        self._batches = Batches(inbox, self._retry.attempts)
        self._pace = Pace(rhythm or Rhythm(0.0))
        self._reporter = Reporter(forge, compute, inbox.reports)
        self._tasks: set[asyncio.Task[None]] = set()
        # By installation, while any of its repositories is worked on.
        self._slots: WeakValueDictionary[int, asyncio.Semaphore] = WeakValueDictionary()
        self._bugs: Counter[str] = Counter()
        # How often a delivery was refused, since it was last set aside.
        self._refused: LRUCache[str, int] = LRUCache(REMEMBERED)
        # How many events came that say that access may have been restored.
        self._freed = 0

    async def drain(self, target: int) -> float | None:
        """Take all that is pending for `target` (a repository id) and end it, or let it wait for its next attempt.

        Returns the seconds after which to call again, None where nothing is left. What the inbox raises is raised: no
        outcome could be recorded then, and nothing more may be done.
        """
        wait = await self._inbox.due(target)
        if wait is None or wait > 0:
            return wait
        journal = await self._inbox.begin(target)
        try:
            return await self._drain(target, journal)
        except Fenced as error:
            # The newer drain reads what is left, and looks for the commits that were begun here.
            log.warning("drain given up", target=target, reason=str(error))
            return None

    async def _drain(self, target: int, journal: Journal) -> float | None:
        first = await self._inbox.pending(target, 1)
        pause = await self._ready(first, journal)
        if pause is not None:
            return pause
        # `_ready` may have taken a while: what came in meanwhile goes with the first delivery.
        closed = self._pace.wait(target)
        batch = await self._batches.next(target, closed)
        if closed:
            await journal.pace(target, self._pace.reason(target))
        # Attempts are counted before they are made: work that ends the process must not be taken up for ever.
        spent = [delivery for delivery in batch.deliveries if delivery.attempts >= self._retry.attempts]
        await self._end([_dead(delivery, "the process ended during the last one") for delivery in spent], journal)
        taken = [
            replace(delivery, attempts=delivery.attempts + (not delivery.wait))
            for delivery in batch.deliveries
            if delivery.attempts < self._retry.attempts
        ]
        async for part in _parts(taken):
            await journal.attempted(*_counted(part))
        pause = await self._attempt(taken, journal)
        if batch.more and pause is None:
            pause = 0.0
        return min((one for one in (pause, batch.wait) if one is not None), default=None)

    async def _ready(self, first: Sequence[Delivery], journal: Journal) -> float | None:
        """Wait until a commit could be made for the first one; return the seconds to wait where that takes long.

        It is no attempt: nothing failed.
        """
        requests, *_ = understand(first)
        if requests:
            try:
                await self._forge.ready(requests[0].dispatch.repository)
            except Transient as error:
                await journal.postpone({delivery.id: 0.0 for delivery in first}, str(error))
                return error.retry_after or self._retry.first
        return None

    async def settle(self, seconds: float | None = None) -> None:
        """Wait for the reports under way, for so long at most; what is not said then is said after the next start."""
        if self._tasks:
            _, unfinished = await asyncio.wait(set(self._tasks), timeout=seconds)
            for task in unfinished:
                task.cancel()
            await asyncio.gather(*unfinished, return_exceptions=True)

    async def say_again(self) -> None:
        """Start to make the check runs that could not be made before; `settle` waits for them."""
        for installation in await self._reporter.turns():
            self._beside(self._reporter.catch_up(installation))

    def _beside(self, work: Coroutine[Any, Any, None]) -> None:
        """Let something go on beside the drain, which does not wait for it."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("background work failed", exc_info=error)

    async def _hear(self, news: News) -> None:
        """Note that a branch moved; or retry what was refused, as access may have been restored."""
        if isinstance(news, trigger.Push):
            self._beside(self._forge.pushed(news.repository, news.branch, news.head))
            return
        if news.reached and news.by:
            await self._inbox.reach(news.reached, news.by)
        await self._reporter.hurry(news.repository, news.installation)
        self._freed += 1
        targets = await self._inbox.resume(news.repository, news.installation)
        if targets:
            log.info("resumed", targets=list(targets))

    async def _attempt(self, deliveries: Sequence[Delivery], journal: Journal) -> float | None:
        freed = self._freed
        requests, outcomes, heard = await asyncio.to_thread(understand, deliveries)
        for news in heard:
            await self._hear(news)
        await self._end(outcomes, journal)
        if not requests:
            return None
        target = deliveries[0].target
        # The newest knows best by which installation it is reached: one that the sweep found late may not.
        repository = max(requests, key=lambda one: one.origin or _LONG_AGO).dispatch.repository
        requests = [replace(request, budget=self._source.budget()) for request in requests]
        async with self._slots.setdefault(repository.installation, asyncio.Semaphore(DRAINS)):
            applied = await apply(self._decider, repository, requests, journal, self._pace)
        if applied.gathering is not None:
            self._batches.learn(target, applied.gathering)
        unfinished = applied.left | applied.later
        ended = [one.delivery for one in requests if one.delivery not in unfinished]
        await self._end(applied.outcomes, journal, ended, Telling(repository, applied.fresh))
        # A commit shows that GitHub lets us write there: what it refused before may work now.
        landed = any(outcome.commit is not None for outcome in applied.outcomes)
        resumed = landed and bool(await self._inbox.resume(target=target))
        # The commits that wait behind must not wait for reports.
        groups = [
            replace(group, outcomes=tuple(self._with_waits(group.outcomes, deliveries))) for group in applied.groups
        ]
        self._beside(self._reporter.say(repository, groups))
        await journal.released(*_counted([delivery for delivery in deliveries if delivery.id in applied.later]))
        later = await self._leave(target, applied, journal)
        if applied.stopped is None:
            return 0.0 if resumed else later
        left = [delivery for delivery in deliveries if delivery.id in applied.left]
        if isinstance(applied.stopped, Unavailable) and freed != self._freed:
            # Access may have been restored while we were applying: retry now instead of setting the deliveries aside.
            await journal.postpone({delivery.id: 0.0 for delivery in left}, str(applied.stopped))
            return 0.0
        pause = await self._stopped(left, applied.stopped, journal)
        if resumed:
            return 0.0
        # Deliveries that were left because of a limit wait for as long as the one that met it.
        pauses = [pause, later if applied.paced else None]
        return min((one for one in pauses if one is not None), default=None)

    async def _leave(self, target: int, applied: Applied, journal: Journal) -> float | None:
        """Note which deliveries wait for the rhythm of pushes; return the seconds until what was left goes on."""
        if not applied.later:
            return None
        if not applied.paced:
            return 0.0
        self._batches.looked_at(applied.paced)
        await journal.pace(target, self._pace.reason(target), applied.paced)
        return self._pace.wait(target) if applied.later == applied.paced else 0.0

    def _with_waits(self, outcomes: Sequence[Outcome], deliveries: Sequence[Delivery]) -> Sequence[Outcome]:
        """Return outcomes that say how long their deliveries waited for the rhythm of pushes."""
        since = {delivery.id: delivery.paced_since for delivery in deliveries if delivery.paced_since is not None}
        now = time.time()
        return [
            replace(outcome, waited=self._pace.waited(max(now - since[outcome.delivery], 0.0)))
            if outcome.delivery in since
            else outcome
            for outcome in outcomes
        ]

    async def _stopped(self, left: Sequence[Delivery], error: Exception, journal: Journal) -> float | None:
        """Do what is right for deliveries that `error` kept from ending: fail, wait, or go on one by one."""
        if isinstance(error, Fenced):
            raise error
        if isinstance(error, Unavailable):
            return await self._unavailable(left, error, journal)
        if isinstance(error, Transient):
            return await self._wait(left, error, journal)
        log.error("unexpected error", deliveries=[delivery.id for delivery in left], exc_info=error)
        if len(left) == 1:
            return await self._after_a_bug(left[0], journal)
        # The deliveries beside the one that shows the bug must not suffer for it. They are read again before they are
        # taken one by one: what was begun may have landed.
        self._batches.suspect(delivery.id for delivery in left)
        await journal.postpone({delivery.id: 0.0 for delivery in left}, "an unexpected error in its batch")
        return 0.0

    async def _after_a_bug(self, delivery: Delivery, journal: Journal) -> float | None:
        self._bugs[delivery.id] += 1
        reason = "an unexpected error; the log has the details"
        pause = AFTER_A_BUG.pause(self._bugs[delivery.id])
        if pause is None:
            await self._end([_dead(delivery, reason)], journal)
        else:
            await journal.postpone({delivery.id: pause}, reason)
        return pause

    async def _unavailable(self, deliveries: Sequence[Delivery], error: Unavailable, journal: Journal) -> float | None:
        """Try deliveries again that GitHub refuses: within seconds at first, then after minutes and hours.

        GitHub also refuses a token for some seconds after it was made, until all of its servers know it.
        """
        soon, aside = dict[str, float](), dict[str, float]()
        for delivery in deliveries:
            pause = None if error.certain or delivery.waits else self._soon_again(delivery)
            if delivery.wait:
                soon[delivery.id] = 0.0
            elif pause is not None:
                soon[delivery.id] = pause
            else:
                self._refused.pop(delivery.id, None)
                aside[delivery.id] = min(ASIDE_FIRST * 2.0 ** min(delivery.waits, 10), ASIDE_LONGEST)
        if aside:
            await journal.wait(aside, str(error))
            log.warning("waiting", reason=str(error), pause=max(aside.values()), deliveries=list(aside))
        if not soon:
            return None
        await journal.postpone(soon, str(error))
        log.warning("again soon", reason=str(error), deliveries=list(soon))
        return min(max(soon[delivery.id], delivery.wait) for delivery in deliveries if delivery.id in soon)

    def _soon_again(self, delivery: Delivery) -> float | None:
        """Return the seconds until a refused delivery is tried again, None if it was tried often enough."""
        if delivery.attempts >= self._retry.attempts:
            return None  # with another attempt it would be given up
        self._refused[delivery.id] = self._refused.get(delivery.id, 0) + 1
        return self._soon.pause(self._refused[delivery.id])

    async def _wait(self, deliveries: Sequence[Delivery], error: Transient, journal: Journal) -> float | None:
        """Let deliveries wait for their next attempt; give up those that had all of theirs."""
        reason, retry_after = str(error), error.retry_after
        # What was only taken along waits on.
        pauses = {
            delivery: (retry_after or 0.0) if delivery.wait else self._retry.pause(delivery.attempts, retry_after)
            for delivery in deliveries
        }
        await self._end([_dead(delivery, reason) for delivery, pause in pauses.items() if pause is None], journal)
        left = {delivery.id: pause for delivery, pause in pauses.items() if pause is not None}
        if not left:
            return None
        await journal.postpone(left, reason)
        pause = min(max(left[delivery.id], delivery.wait) for delivery in deliveries if delivery.id in left)
        log.warning("again later", reason=reason, pause=pause, deliveries=list(left))
        return pause

    async def _end(
        self,
        outcomes: Sequence[Outcome],
        journal: Journal,
        deliveries: Sequence[str] | None = None,
        telling: Telling | None = None,
    ) -> None:
        """Record outcomes, and that deliveries have ended on every branch: those of the outcomes, or `deliveries`.

        `telling` makes the reports that are stored with the outcomes; None: the journal has them already, or there are
        none.
        """
        ended = dict.fromkeys([outcome.delivery for outcome in outcomes] if deliveries is None else deliveries)
        by_delivery: dict[str, list[Outcome]] = {delivery: [] for delivery in ended}
        for outcome in outcomes:
            by_delivery.setdefault(outcome.delivery, []).append(outcome)
        async for part in _parts(list(by_delivery)):
            theirs = [outcome for name in part for outcome in by_delivery[name]]
            # A group's report grows with the deliveries of it that are recorded.
            reports = telling.of(part) if telling is not None else []
            await journal.finish(theirs, [name for name in part if name in ended], reports)
            for name in part:
                self._bugs.pop(name, None)
                self._refused.pop(name, None)
                self._batches.forget(name)
            for outcome in theirs:
                _log(outcome)


async def _parts(items: Sequence[T]) -> AsyncIterator[Sequence[T]]:
    """Yield some items at a time, and let others have the event loop in between."""
    for start in range(0, len(items), STEP):
        if start:
            await asyncio.sleep(STEP_SECONDS)
        yield items[start : start + STEP]


def _log(outcome: Outcome) -> None:
    level = log.info if outcome.state in {"committed", "no_change", "ignored"} else log.warning
    known = {"branch": outcome.branch} if outcome.branch else {}
    if outcome.commit:
        known["commit"] = outcome.commit.oid
    level(outcome.state, delivery=outcome.delivery, reason=outcome.reason, **known)


def _counted(deliveries: Sequence[Delivery]) -> tuple[list[str], list[str]]:
    """Return the ids of those whose attempt counts, and of those that are only taken along."""
    return [one.id for one in deliveries if not one.wait], [one.id for one in deliveries if one.wait]


def _dead(delivery: Delivery, reason: str) -> Outcome:
    return Outcome(delivery.id, "dead", f"given up after {delivery.attempts} attempts: {reason}")
