"""The sweep: webhooks that never reached the inbox are taken from GitHub's own list of them.

GitHub does not redeliver by itself, and keeps what it could not deliver for three days:
https://docs.github.com/en/webhooks/using-webhooks/handling-failed-webhook-deliveries
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime, timedelta
from http import HTTPStatus
from itertools import zip_longest
from typing import TYPE_CHECKING, Any, Protocol

import structlog
from cachetools import LRUCache

from bot.core import trigger
from bot.core.model import Actor, Delivery
from bot.core.outcome import Outcome
from bot.errors import InputError, PointsmanError, Transient, Unavailable, Unreadable
from bot.flows.receive import Arrival

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Collection, Sequence

    from bot.flows.intake import Intake
    from bot.ports import Clock, Inbox

log = structlog.get_logger(__name__)

# What is asked for, and what may free deliveries that wait. All else (pushes) is a hint that may as well be lost.
EVENTS = frozenset({trigger.DISPATCH, "installation", "installation_repositories", "repository"})

KEPT = timedelta(days=3)
# A delivery may be listed late, and GitHub's clock is not ours.
OVERLAP = timedelta(minutes=10)

# Bounds of one sweep: deliveries looked at (50 pages), payloads fetched, payloads of one installation that could not be
# had, and in a row of any.
MOST_LISTED, MOST_FETCHED, MOST_FAILED, MOST_FAILED_IN_A_ROW = 5_000, 500, 3, 20

# A payload that cannot be read is asked for in so many sweeps, as the answer may have been garbled on the way.
MOST_TRIES = 3
# How many deliveries and installations are remembered that need not be asked for again.
MOST_REMEMBERED = 10_000

# Where there is one sweep only, at the start, and it did not get through.
AGAIN_SECONDS = 300.0

# The proof is not a signature here: GitHub itself lists the delivery to whoever has the App's private key.
_PROVEN = Actor(via="webhook", login="")


@dataclass(frozen=True, slots=True)
class Listed:
    """One attempt at a delivery, as GitHub lists it.

    `id` is the attempt's own, `guid` the `X-GitHub-Delivery`, which a redelivery shares; `delivered_at` is when GitHub
    sent it (UTC), `status` the HTTP status that it was answered with (0: none yet). `installation` and `repository` are
    ids, 0 for none.
    """

    id: int
    guid: str
    event: str
    delivered_at: datetime
    status: int
    installation: int
    repository: int

    @property
    def answered(self) -> bool:
        """Whether somebody took it: an answer is given when the delivery is stored."""
        return HTTPStatus.OK <= self.status < HTTPStatus.MULTIPLE_CHOICES


class Deliveries(Protocol):
    """GitHub's list of the App's deliveries. Both methods may raise Transient and Unavailable."""

    def since(self, time: datetime) -> AsyncGenerator[Listed, None]:
        """Yield the attempts made since `time` (UTC), the newest first."""

    async def payload(self, listed_id: int) -> dict[str, Any]:
        """Return the JSON object that an attempt sent. Raises Unreadable if it is not one."""


class Sweep:
    """Stores what the webhook missed, with the time at which GitHub sent it, and wakes its targets.

    Whatever one delivery raises is that delivery's: the others are taken all the same. Installations take turns, so
    that none of them keeps another's deliveries back.
    """

    def __init__(self, deliveries: Deliveries, inbox: Inbox, intake: Intake, clock: Clock) -> None:
        self._deliveries = deliveries
        self._inbox = inbox
        self._intake = intake
        self._clock = clock
        self._complete: datetime | None = None
        # By the delivery's GUID: in how many sweeps its payload could not be read.
        self._tries: LRUCache[str, int] = LRUCache(maxsize=MOST_REMEMBERED)
        # GUIDs that nothing can be made of, and installations of accounts that are not served.
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
                # A bug of ours, or the inbox: webhooks must be taken all the same, and the next sweep may go.
                log.exception("sweep failed", pause=pause)
            await asyncio.sleep(pause)

    async def once(self) -> bool:
        """Look once at what was sent since the last complete sweep, or in three days; return whether it is complete.

        Raises Transient and Unavailable where GitHub's list cannot be read; what was taken until then stays.
        """
        began = self._clock()
        since = began - KEPT
        if self._complete is not None:
            since = max(since, self._complete - OVERLAP)
        missed = await self._missed(since)
        whole = await self._take_all(missed)
        if missed:
            log.info("swept", since=since.isoformat(), missed=len(missed), complete=whole)
        if whole:
            self._complete = began
        return whole

    async def _missed(self, since: datetime) -> Sequence[Listed]:
        """Return the first attempt at each delivery that nobody took, the oldest first."""
        first: dict[str, Listed] = {}
        answered: set[str] = set()
        count = 0
        async with aclosing(self._deliveries.since(since)) as attempts:
            async for listed in attempts:
                count += 1
                if count > MOST_LISTED:
                    log.warning(
                        "too many deliveries for one sweep; older ones are left", until=str(listed.delivered_at)
                    )
                    break
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
        return sorted(missed, key=lambda listed: (listed.delivered_at, listed.id))

    async def _take_all(self, missed: Sequence[Listed]) -> bool:
        """Take what was missed; return whether nothing must be tried again.

        Raises Transient if GitHub asks for a pause, or answers for none.
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
            # Gone from the list: another attempt would not help.
            self._given_up[listed.guid] = True
            log.warning("missed for good", delivery=listed.guid, event_name=listed.event, reason=str(error))
        except Exception as error:  # noqa: BLE001 - whatever one delivery raises is that delivery's, and logged there
            return await self._fail(listed, error)
        else:
            if not taken.allowed and listed.installation:
                self._strangers[listed.installation] = True
        return None

    async def _fail(self, listed: Listed, error: Exception) -> Transient | None:
        """Do what is right for a delivery that raised an error; return as `_try` does.

        It is tried again as long as GitHub lists it if the error may pass, and given up after MOST_TRIES sweeps if the
        error is the delivery's own.
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
            # The inbox itself, maybe: then nothing is given up.
            log.exception("unexpected error", delivery=listed.guid)
            return Transient(sentence)
        self._given_up[listed.guid] = True
        log.warning("missed for good", delivery=listed.guid, event_name=listed.event, reason=sentence)
        return None

    async def _record(self, listed: Listed, sentence: str) -> None:
        """Store a delivery as `failed` that has no body to store, so that people find it and no sweep asks again."""
        if self._intake.accounts is not None and not self._intake.accounts.all:
            return  # whose it is stands in the body
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


def in_turn(missed: Sequence[Listed], last: Collection[int] = ()) -> list[Listed]:
    """Return deliveries so that each installation has one in turn, from its oldest; those in `last` come last.

    One account may have been sent a thousand while the bot was down: another one's must not wait behind them.
    """
    queues: dict[int, list[Listed]] = {}
    for listed in missed:
        queues.setdefault(listed.installation, []).append(listed)
    healthy = [queue for installation, queue in queues.items() if installation not in last]
    failing = [queue for installation, queue in queues.items() if installation in last]
    return [
        listed
        for group in (healthy, failing)
        for round_ in zip_longest(*group)
        for listed in round_
        if listed is not None
    ]
