"""The one way into the inbox: a delivery is stored, held back, taken up again or turned away."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import structlog
from cachetools import LRUCache, TTLCache

from bot.core import trigger
from bot.core.meter import Budget
from bot.errors import Busy
from bot.flows import jobs
from bot.flows.receive import read_webhook

if TYPE_CHECKING:
    from collections.abc import Hashable

    from bot.core.model import Account, Delivery
    from bot.flows.accounts import AllowedAccounts
    from bot.flows.receive import Arrival, Received
    from bot.ports import Compute, Engine, Inbox

log = structlog.get_logger(__name__)

# Larger bodies are read in another process: to parse one takes longer than the event loop should stand still.
IN_PLACE_BYTES = 200_000
# The CPU time for reading one body.
BODY_SECONDS = 20.0

# How many bodies are remembered that ended on arrival. Somebody may send the same ignored body under one new id after
# another: only the first one becomes a row of the database.
MOST_ENDED = 10_000

# Somebody who floods the webhook must not flood the log: one line an hour for each account or reason, and for at most
# so many of them.
QUIET_SECONDS, MOST_QUIET = 3600.0, 1_000


# How much of a reason is in the answer to a redelivery.
REASON_CHARACTERS = 1_000


@dataclass(frozen=True, slots=True)
class Accepted:
    """What became of a delivery, for the answer to whoever sent it."""

    delivery: str
    state: str
    """`pending`, or how the delivery ended."""
    reason: str = ""
    allowed: bool = True
    """False if the delivery comes from an account that is not served."""


class Intake:
    """Takes deliveries of the webhook and of the sweep into the inbox, and wakes their targets."""

    def __init__(self, inbox: Inbox, engine: Engine, compute: Compute, accounts: AllowedAccounts | None = None) -> None:
        self._inbox = inbox
        self._compute = compute
        self._engine = engine
        self.accounts = accounts
        # Which delivery brought a body that ended on arrival, by digest. The event does not count: it is not signed,
        # and there are as many names as somebody likes.
        self._ended: LRUCache[Hashable, str] = LRUCache(maxsize=MOST_ENDED)
        self._said: TTLCache[Hashable, bool] = TTLCache(maxsize=MOST_QUIET, ttl=QUIET_SECONDS)

    async def accept(self, arrival: Arrival, *, listed: bool = False) -> Accepted:
        """Take one delivery, and return what became of it.

        `listed`: GitHub's own list of deliveries has it. Raises InputError if it is not a webhook of GitHub's, and Busy
        if it can only be taken later; then nothing is stored.
        """
        if len(arrival.body) > IN_PLACE_BYTES:
            budget = Budget(BODY_SECONDS, "reading the body")
            taken = await self._compute.run(None, budget, jobs.receive, arrival)
        else:
            taken = read_webhook(arrival)
        try:
            if not await self._is_allowed(taken):
                return self._turn_away(taken.delivery, taken.account)
            if taken.outcome is not None and not listed and self._is_repeated(arrival, taken.delivery):
                return Accepted(arrival.id, taken.outcome.state, taken.outcome.reason)
            if await self._inbox.add(taken.delivery, taken.outcome, listed=listed):
                return await self._note(taken, listed=listed)
            if listed:  # it came by the webhook while the sweep fetched it
                return Accepted(arrival.id, "pending", "received before")
            return await self._take_again(taken)
        except Busy as error:
            self._warn("turned away for now", str(error), delivery=arrival.id, reason=str(error))
            raise

    async def _is_allowed(self, taken: Received) -> bool:
        return self.accounts is None or await self.accounts.allow(taken.account)

    def _turn_away(self, delivery: Delivery, account: Account | None) -> Accepted:
        whose = f"the account {account.login} (id {account.id})" if account else "an account that it does not tell"
        self._warn(
            "ignored: not in ALLOWED_ACCOUNTS",
            account.id if account else None,
            account=account.login if account else None,
            id=account.id if account else None,
            event_name=delivery.event,
            delivery=delivery.id,
        )
        return Accepted(
            delivery.id, "ignored", f"it comes from {whose}; ALLOWED_ACCOUNTS does not name it", allowed=False
        )

    def _is_repeated(self, arrival: Arrival, delivery: Delivery) -> bool:
        """Say whether the same body ended on arrival before, under another id."""
        # What cannot be read has no digest of what it says. Its bytes are signed, and so always the same.
        digest = delivery.digest or hashlib.sha256(arrival.body).digest()
        return self._ended.setdefault(digest, delivery.id) != delivery.id

    async def _note(self, taken: Received, *, listed: bool) -> Accepted:
        delivery, outcome = taken.delivery, taken.outcome
        log.info(
            "received by the sweep" if listed else "received",
            delivery=delivery.id,
            event_name=delivery.event,
            target=delivery.target,
            outcome=outcome.state if outcome else "pending",
            **({"origin": delivery.origin.isoformat()} if listed else {}),
        )
        if outcome is not None:
            return Accepted(delivery.id, outcome.state, outcome.reason)
        self._engine.wake(delivery.target)
        return Accepted(delivery.id, "pending")

    async def _take_again(self, taken: Received) -> Accepted:
        """Answer a redelivery: wake an unfinished delivery, and try one that ended without effect again.

        Somebody fixes what was wrong and presses Redeliver on GitHub's page, or calls its API. GitHub redelivers
        nothing by itself.
        """
        delivery, outcome = taken.delivery, taken.outcome
        reopened = outcome is None and await self._inbox.reopen(delivery)
        state = await self._inbox.state(delivery.id) or "pending"
        log.info("received again", delivery=delivery.id, event_name=delivery.event, state=state, reopened=reopened)
        if state == "pending":
            self._engine.wake(delivery.target)
        if reopened:
            return Accepted(delivery.id, state, "received before; taken up again")
        reason, has_body = await self._inbox.reason(delivery)
        return Accepted(delivery.id, state, _received_before(delivery, state, reason, has_body=has_body))

    def _warn(self, event: str, key: Hashable, **facts: object) -> None:
        """Log a warning, unless it was logged for the same key within QUIET_SECONDS."""
        if (event, key) not in self._said:
            self._said[event, key] = True
            log.warning(event, **facts)


def _received_before(delivery: Delivery, state: str, reason: str, *, has_body: bool) -> str:
    """Return the answer to the redelivery of what is not taken up again: why it ended so, and what runs it again."""
    if state == "pending" or not reason:
        return "received before"
    told = f"received before: {reason if len(reason) <= REASON_CHARACTERS else f'{reason[:REASON_CHARACTERS]}…'}"
    if delivery.event != trigger.DISPATCH or state not in {"ignored", "no_change"}:
        return told
    if not has_body:
        return f"{told}; its payload is not kept: dispatch again to run it"
    return f"{told}; 'pointsman deliveries replay {delivery.id}' runs it again"
