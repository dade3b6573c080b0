"""The sweep: fetch webhooks that never reached the inbox from GitHub's own list of deliveries.

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

# Dispatches, and events after which waiting deliveries may go. All others (pushes) are hints that may be lost.
EVENTS = frozenset({trigger.DISPATCH, "installation", "installation_repositories", "repository"})

KEPT = timedelta(days=3)
# A delivery may be listed late, and GitHub's clock is not ours.
OVERLAP = timedelta(minutes=10)

# Bounds of one sweep: deliveries looked at (50 pages), payloads fetched, failed fetches of one installation, and failed
# fetches in a row.
MOST_LISTED, MOST_FETCHED, MOST_FAILED, MOST_FAILED_IN_A_ROW = 5_000, 500, 3, 20

# In how many sweeps a payload is asked for that cannot be read: the answer may have been garbled on the way.
MOST_TRIES = 3
# How many deliveries and installations are remembered that are not asked for again.
MOST_REMEMBERED = 10_000

# The pause before the next try if there is to be one sweep only, at the start, and it failed.
AGAIN_SECONDS = 300.0

# The proof is not a signature here: GitHub itself lists the delivery to whoever has the App's private key.
_PROVEN = Actor(via="webhook", login="")


@dataclass(frozen=True, slots=True)
class Listed:
    """One attempt at a delivery, as GitHub lists it."""

    id: int
    """The id of the attempt."""
    guid: str
    """`X-GitHub-Delivery`: the same for the first attempt and all redeliveries."""
    event: str
    delivered_at: datetime
    """When GitHub sent it (UTC)."""
    status: int
    """The HTTP status of the answer, 0 if there is none yet."""
    installation: int
    """An id, 0 for none."""
    repository: int
    """An id, 0 for none."""

    @property
    def answered(self) -> bool:
        """Whether the bot took it: it answers with 2xx after the delivery is stored."""
        return HTTPStatus.OK <= self.status < HTTPStatus.MULTIPLE_CHOICES


class Deliveries(Protocol):
    """GitHub's list of the App's deliveries. Both methods may raise Transient and Unavailable."""

    def since(self, time: datetime) -> AsyncGenerator[Listed, None]:
        """Yield the attempts made since `time` (UTC), the newest first."""

    async def payload(self, listed_id: int) -> dict[str, Any]:
        """Return the JSON object that an attempt sent. Raises Unreadable if it is not one."""


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


def in_turn(missed: Sequence[Listed], last: Collection[int] = ()) -> list[Listed]:
    """Return the deliveries in an order in which installations take turns, each from its oldest one.

    Installations in `last` come after all others. While the bot was down, one account may have sent a thousand
    dispatches: the one dispatch of another account must not wait behind them.
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
