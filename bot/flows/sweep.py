"""The sweep: fetch webhooks that never reached the inbox from GitHub's own list of deliveries.

GitHub does not redeliver by itself, and keeps what it could not deliver for three days:
https://docs.github.com/en/webhooks/using-webhooks/handling-failed-webhook-deliveries
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from contextlib import aclosing
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import structlog
from cachetools import LRUCache

from bot.core import trigger
from bot.core.model import Actor, Delivery
from bot.core.outcome import Outcome
from bot.errors import InputError, PointsmanError, Transient, Unavailable, Unreadable
from bot.flows.listed import Stretch, in_turn
from bot.flows.receive import Arrival

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bot.flows.intake import Intake
    from bot.flows.listed import Deliveries, Listed
    from bot.ports import Clock, Inbox

log = structlog.get_logger(__name__)

# Dispatches, and events after which waiting deliveries may go. All others (pushes) are hints that may be lost.
EVENTS = frozenset({trigger.DISPATCH, "installation", "installation_repositories", "repository"})

KEPT = timedelta(days=3)
# A delivery may be listed late, and GitHub's clock is not ours.
OVERLAP = timedelta(minutes=10)

# Bounds of one sweep: deliveries looked at (50 pages) since the last one, and as many of those that earlier ones left;
# payloads fetched of either, payloads of one installation that could not be had, and in a row of any.
MOST_LISTED, MOST_FETCHED, MOST_FAILED, MOST_FAILED_IN_A_ROW = 5_000, 500, 3, 20

# How many stretches of the list are remembered that no sweep has looked at yet.
MOST_LEFT = 20

# A payload that cannot be read is asked for in so many sweeps, as the answer may have been garbled on the way.
MOST_TRIES = 3
# How many deliveries and installations are remembered that are not asked for again.
MOST_REMEMBERED = 10_000

# The pause before the next try if there is to be one sweep only, at the start, and it failed.
AGAIN_SECONDS = 300.0

# The proof is not a signature here: GitHub itself lists the delivery to whoever has the App's private key.
_PROVEN = Actor(via="webhook", login="")


class Sweep:
    """Stores deliveries that the webhook missed, with the time at which GitHub sent them, and wakes their targets.

    If one delivery raises an error, the others are taken all the same. Installations take turns, so a thousand
    deliveries of one installation do not keep back those of another one.
    """

    def __init__(self, deliveries: Deliveries, inbox: Inbox, intake: Intake, clock: Clock) -> None:
        self._deliveries = deliveries
        self._inbox = inbox
        self._intake = intake
        self._clock = clock
        self._complete: datetime | None = None
        # What earlier sweeps left, the one that reaches back furthest first.
        self._left: list[Stretch] = []
        # By the delivery's GUID: in how many sweeps its payload could not be read.
        self._tries: LRUCache[str, int] = LRUCache(maxsize=MOST_REMEMBERED)
        # Deliveries (GUIDs) that are not tried again, and installations of accounts that are not served.
        self._given_up: LRUCache[str, bool] = LRUCache(maxsize=MOST_REMEMBERED)
        self._strangers: LRUCache[int, bool] = LRUCache(maxsize=MOST_REMEMBERED)
        # Installations whose payloads failed in the last sweep: they come last in the next one.
        self._failing: set[int] = set()

    async def run(self, interval: float) -> None:
        """Sweep now and every `interval` seconds, 0: until one sweep got through. Raises nothing of its own."""
        while True:
            pause = interval or AGAIN_SECONDS
            try:
                if await self.once() and not interval:
                    return
            except PointsmanError as error:
                if isinstance(error, Transient) and error.retry_after is not None:
                    pause = max(pause, error.retry_after)
                log.warning("sweep failed; again later", reason=str(error), pause=pause)
            except Exception:
                # A bug of ours, or an error of the database. Webhooks are taken all the same; the next sweep may go.
                log.exception("sweep failed", pause=pause)
            await asyncio.sleep(pause)

    async def once(self) -> bool:
        """Look once at what was sent since the last complete sweep, or in three days; return whether it is complete.

        What is too much for one sweep is left for the next ones. Raises Transient and Unavailable where GitHub's list
        cannot be read; what was taken until then stays.
        """
        began = self._clock()
        since = began - KEPT
        if self._complete is not None:
            since = max(since, self._complete - OVERLAP)
        oldest = self._left[0] if self._left else None
        whole, left = await self._look(Stretch(since))
        if whole:
            self._complete = began
            self._leave(left)
        # Even if the new ones are too many again: whoever keeps them coming must not keep the old ones back.
        if whole and oldest is not None:
            whole = await self._look_at_left(oldest)
        return whole and not self._left

    async def _look_at_left(self, stretch: Stretch) -> bool:
        """Look at what an earlier sweep left; return whether nothing of it must be tried again."""
        try:
            whole, left = await self._look(stretch)
        except Unavailable as error:
            # GitHub does not know the page any more.
            log.warning("deliveries that were left cannot be looked at", reason=str(error))
            whole, left = True, None
        if whole:
            self._left = [one for one in self._left if one is not stretch]
            self._leave(left)
        return whole

    def _leave(self, stretch: Stretch | None) -> None:
        """Remember what is left to be looked at."""
        if stretch is None:
            return
        self._left = sorted([*self._left, stretch], key=lambda one: one.since)
        if len(self._left) > MOST_LEFT:
            lost = self._left.pop(0)
            log.warning("too many deliveries to look at; older ones are lost", since=lost.since.isoformat())

    async def _look(self, stretch: Stretch) -> tuple[bool, Stretch | None]:
        """Take what was missed in a part of the list.

        Return whether nothing of it must be tried again, and what was too much.
        """
        missed, left = await self._missed(stretch)
        whole = await self._take_all(missed)
        if missed:
            log.info("swept", since=stretch.since.isoformat(), missed=len(missed), complete=whole)
        return whole, left

    async def _missed(self, stretch: Stretch) -> tuple[Sequence[Listed], Stretch | None]:
        """Return the first attempt at each delivery that nobody took, the oldest first; and what was too much."""
        first: dict[str, Listed] = {}
        answered = set(stretch.answered)
        left: Stretch | None = None
        count = 0
        page = ""
        async with aclosing(self._deliveries.since(stretch.since, stretch.page)) as attempts:
            async for listed in attempts:
                if count >= MOST_LISTED and listed.page != page:
                    log.warning(
                        "many deliveries for one sweep; older ones are left for the next",
                        until=str(listed.delivered_at),
                    )
                    again = frozenset(listed.guid for listed in first.values() if listed.redelivery)
                    left = Stretch(stretch.since, listed.page, stretch.answered | (answered & again))
                    break
                count += 1
                page = listed.page
                if listed.event not in EVENTS or listed.guid in self._given_up:
                    continue
                if listed.installation in self._strangers:
                    continue
                first[listed.guid] = listed
                if listed.answered:
                    # It was stored. An inbox that does not know it has forgotten it (retention, a new database), and
                    # doing it again could undo what people did since.
                    answered.add(listed.guid)
        missed = [
            listed for guid, listed in first.items() if guid not in answered and await self._inbox.state(guid) is None
        ]
        return sorted(missed, key=lambda listed: (listed.delivered_at, listed.id)), left

    async def _take_all(self, missed: Sequence[Listed]) -> bool:
        """Take the missed deliveries; return whether none of them must be tried again.

        Raises Transient if GitHub asks for a pause, or if MOST_FAILED or more fetches failed at the end.
        """
        failed: Counter[int] = Counter()
        fetched = failed_in_a_row = 0
        whole = True
        error: Transient | None = None
        for listed in in_turn(missed, self._failing):
            if listed.installation in self._strangers:
                continue
            if fetched == MOST_FETCHED or failed[listed.installation] == MOST_FAILED:
                whole = False
                continue
            fetched += 1
            error = await self._try(listed)
            if error is None:
                failed_in_a_row = 0
                self._failing.discard(listed.installation)
                continue
            whole = False
            failed_in_a_row += 1
            failed[listed.installation] += 1
            self._failing.add(listed.installation)
            if error.retry_after is not None or failed_in_a_row == MOST_FAILED_IN_A_ROW:
                break
        if error is not None and (error.retry_after is not None or failed_in_a_row >= MOST_FAILED):
            raise error
        return whole

    async def _try(self, listed: Listed) -> Transient | None:
        """Take one delivery; return why it must be tried again, None if it must not. Raises nothing."""
        try:
            body = json.dumps(await self._deliveries.payload(listed.id)).encode()
            arrival = Arrival(listed.guid, listed.event, body, _PROVEN, listed.delivered_at)
            taken = await self._intake.accept(arrival, listed=True)
        except Unavailable as error:
            # GitHub no longer lists it: another attempt would not help.
            self._given_up[listed.guid] = True
            log.warning("missed for good", delivery=listed.guid, event_name=listed.event, reason=str(error))
        except Exception as error:  # noqa: BLE001 - `_fail` logs it, and the other deliveries are taken
            return await self._fail(listed, error)
        else:
            if not taken.allowed and listed.installation:
                self._strangers[listed.installation] = True
        return None

    async def _fail(self, listed: Listed, error: Exception) -> Transient | None:
        """Note that a delivery raised an error, and return as `_try` does.

        If the error may pass, the delivery is tried again as long as GitHub lists it. If it cannot be read or raises an
        unexpected error, it is given up after MOST_TRIES sweeps; after an InputError it is given up at once.
        """
        sentence = str(error)
        if not isinstance(error, PointsmanError):
            sentence = "an unexpected error; the log has the details"
            log.error("unexpected error", delivery=listed.guid, exc_info=error)
        may_pass = isinstance(error, Transient) and not isinstance(error, Unreadable)
        self._tries[listed.guid] = self._tries.get(listed.guid, 0) + 1
        is_last = isinstance(error, InputError) or self._tries[listed.guid] >= MOST_TRIES
        if may_pass or not is_last:
            log.warning("missed until the next sweep", delivery=listed.guid, reason=sentence)
            return error if isinstance(error, Transient) else Transient(sentence)
        try:
            await self._record(listed, sentence)
        except Exception:
            # The database may be out of order: the delivery is not given up.
            log.exception("unexpected error", delivery=listed.guid)
            return Transient(sentence)
        self._given_up[listed.guid] = True
        log.warning("missed for good", delivery=listed.guid, event_name=listed.event, reason=sentence)
        return None

    async def _record(self, listed: Listed, sentence: str) -> None:
        """Store a delivery as `failed` that has no body to store, so that people find it and no sweep asks again."""
        if self._intake.accounts is not None and not self._intake.accounts.all:
            return  # only its body would say whether its account is allowed
        delivery = Delivery(
            id=listed.guid,
            event=listed.event,
            actor=_PROVEN,
            target=listed.repository,
            body=b"",
            origin=trigger.created(listed.guid, listed.delivered_at),
            installation=listed.installation,
        )
        await self._inbox.add(delivery, Outcome(listed.guid, "failed", sentence), listed=True)
