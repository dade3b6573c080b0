"""The sweep: webhooks that never reached the inbox are taken from GitHub's own list of them.

GitHub does not redeliver by itself, and keeps what it could not deliver for three days:
https://docs.github.com/en/webhooks/using-webhooks/handling-failed-webhook-deliveries
"""

from __future__ import annotations

import asyncio
import json
from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Protocol

import structlog

from bot.core import trigger
from bot.core.model import Actor
from bot.errors import InputError, PointsmanError, Transient, Unavailable
from bot.flows.receive import received

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Sequence

    from bot.ports import Clock, Engine, Inbox

log = structlog.get_logger(__name__)

# What is asked for, and what may free deliveries that wait. All else (pushes) is a hint that may as well be lost.
EVENTS = frozenset({trigger.DISPATCH, "installation", "installation_repositories", "repository"})

KEPT = timedelta(days=3)
# A delivery may be listed late, and GitHub's clock is not ours.
OVERLAP = timedelta(minutes=10)

# Bounds of one sweep: deliveries looked at (50 pages), payloads fetched, payloads that could not be had.
MOST_LISTED, MOST_FETCHED, MOST_FAILED = 5_000, 500, 3

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
    redelivery: bool
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
        """Return the JSON object that an attempt sent."""


class Sweep:
    """Stores what the webhook missed, with the time at which GitHub sent it, and wakes its targets."""

    def __init__(self, deliveries: Deliveries, inbox: Inbox, engine: Engine, clock: Clock) -> None:
        self._deliveries = deliveries
        self._inbox = inbox
        self._engine = engine
        self._clock = clock
        self._complete: datetime | None = None

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
        whole = await self._take_all(missed[:MOST_FETCHED]) and len(missed) <= MOST_FETCHED
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
                if listed.event not in EVENTS:
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
        """Take one after the other; return whether none must be tried again."""
        failed = 0
        for listed in missed:
            try:
                await self._take(listed)
            except (Unavailable, InputError) as error:
                # Gone from the list, or no webhook: another attempt would not help.
                log.warning("missed for good", delivery=listed.guid, event_name=listed.event, reason=str(error))
            except Transient as error:
                # One that cannot be had must not keep back all that come after it.
                failed += 1
                if error.retry_after is not None or failed == MOST_FAILED:
                    raise
                log.warning("missed until the next sweep", delivery=listed.guid, reason=str(error))
        return not failed

    async def _take(self, listed: Listed) -> None:
        body = json.dumps(await self._deliveries.payload(listed.id)).encode()
        delivery, outcome = received(listed.guid, listed.event, body, _PROVEN, listed.delivered_at)
        if not await self._inbox.add(delivery, outcome):
            return  # the webhook took it meanwhile
        log.info(
            "received by the sweep",
            delivery=delivery.id,
            event_name=delivery.event,
            target=delivery.target,
            origin=delivery.origin.isoformat(),
            outcome=outcome.state if outcome else "pending",
        )
        if outcome is None:
            self._engine.wake(delivery.target)
