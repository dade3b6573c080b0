"""Claim deliveries of one target, put them through the flow, and finish, retry or give up."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import structlog

from bot.core import trigger
from bot.core.outcome import Outcome
from bot.core.retry import Retry
from bot.errors import InputError, Transient, Unavailable
from bot.flows.apply import MappingSource, Request, apply
from bot.flows.report import report

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bot.core.model import Delivery
    from bot.ports import Forge, Inbox

log = structlog.get_logger(__name__)

# One commit message and one check run still say everything about this many.
BATCH = 100


class Worker:
    """Turns what is pending in the inbox into outcomes. An engine calls `drain`, one call at a time for a target."""

    def __init__(self, inbox: Inbox, forge: Forge, source: MappingSource, retry: Retry | None = None) -> None:
        self._inbox = inbox
        self._forge = forge
        self._source = source
        self._retry = retry or Retry()

    async def drain(self, target: int) -> float | None:
        """Take all that is pending for `target` (a repository id) and end it, or count an attempt.

        Returns the seconds after which to call again, None where nothing is left.
        """
        deliveries = await self._inbox.pending(target, BATCH)
        if not deliveries:
            return None
        pause = await self._drain(deliveries)
        return 0.0 if pause is None and len(deliveries) == BATCH else pause

    async def _drain(self, deliveries: Sequence[Delivery]) -> float | None:
        try:
            await self._take(deliveries)
        except Transient as error:
            return await self._again(deliveries, str(error), error.retry_after)
        except Unavailable as error:
            await self._end([Outcome(delivery.id, "failed", str(error)) for delivery in deliveries])
        except Exception:
            # A bug of ours must neither stop the queue nor take the deliveries beside the one that it shows in along.
            log.exception("unexpected error", deliveries=[delivery.id for delivery in deliveries])
            if len(deliveries) > 1:
                return max([await self._drain([delivery]) or 0.0 for delivery in deliveries]) or None
            return await self._again(deliveries, "an unexpected error; the log has the details", None)
        return None

    async def _take(self, deliveries: Sequence[Delivery]) -> None:
        requests, repository = [], None
        for delivery in deliveries:
            outcome = None
            try:
                match trigger.parse(delivery.event, json.loads(delivery.body)):
                    case trigger.Dispatch() as dispatch:
                        requests.append(Request(delivery.id, delivery.actor, dispatch))
                        repository = dispatch.repository
                    case trigger.Ignored(reason):
                        outcome = Outcome(delivery.id, "ignored", reason)
            except InputError as error:
                outcome = Outcome(delivery.id, "failed", str(error))
            if outcome is not None:
                await self._end([outcome])
        if repository is None:
            return
        outcomes = await apply(self._forge, repository, requests, self._source)
        await self._end(outcomes)
        await report(self._forge, repository, outcomes)

    async def _again(self, deliveries: Sequence[Delivery], reason: str, retry_after: float | None) -> float | None:
        """Count the attempt; give up those that had all of theirs."""
        attempts = {delivery.id: delivery.attempts + 1 for delivery in deliveries}
        await self._inbox.attempted(list(attempts), reason)
        pauses = {delivery: self._retry.pause(attempt, retry_after) for delivery, attempt in attempts.items()}
        dead = [delivery for delivery, pause in pauses.items() if pause is None]
        await self._end([Outcome(each, "dead", f"given up after {attempts[each]} attempts: {reason}") for each in dead])
        left = [pause for pause in pauses.values() if pause is not None]
        if left:
            log.warning("again later", reason=reason, pause=max(left), deliveries=len(left))
        return max(left, default=None)

    async def _end(self, outcomes: Sequence[Outcome]) -> None:
        await self._inbox.finish(outcomes)
        for outcome in outcomes:
            level = log.info if outcome.state in {"committed", "no_change", "ignored"} else log.warning
            commit = outcome.commit.oid if outcome.commit else None
            level(outcome.state, delivery=outcome.delivery, reason=outcome.reason, commit=commit)
