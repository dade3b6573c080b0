"""Which deliveries of a target are carried out together."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from cachetools import LRUCache

from bot.core import trigger
from bot.core.mapping import Gathering
from bot.flows.decisions import BATCH

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from bot.core.model import Delivery
    from bot.ports import Inbox

# So many rows are read at a time, and no more when their bodies have so many bytes together.
PAGE, BYTES = 100, 16_000_000

# The process was killed so often in a row during a batch: one of its deliveries may be the cause, by using too much
# memory for example.
SUSPICIOUS = 2

# How many targets and deliveries are remembered. A forgotten one is treated as at the start: dispatches of the target
# do not gather until its rules are read again, and the delivery goes together with others once more.
_KEPT = 10_000

# A delivery's last attempts are made without others, in case another delivery of the batch causes the failure.
LAST = 2


@dataclass(frozen=True, slots=True)
class Batch:
    """Deliveries to carry out now, in order of arrival: those that are due, and those that may go with them.

    `wait` is in how many seconds the first of the others is due, None where there is none; `more`: there may be more.
    """

    deliveries: Sequence[Delivery]
    wait: float | None = None
    more: bool = False


class Batches:
    """Chooses, by what was learned of the targets; a delivery is attempted `attempts` times at most."""

    def __init__(self, inbox: Inbox, attempts: int) -> None:
        self._inbox = inbox
        self._last = max(attempts - LAST, LAST)
        # By target, as its rules said last.
        self._gatherings: LRUCache[int, Gathering] = LRUCache(_KEPT)
        # When the window of a target opened, in monotonic seconds; and the targets whose turn it is to take one alone.
        self._opened: LRUCache[int, float] = LRUCache(_KEPT)
        self._alone_next: LRUCache[int, None] = LRUCache(_KEPT)
        self._suspects: LRUCache[str, None] = LRUCache(_KEPT)
        self._looked_at: LRUCache[str, None] = LRUCache(_KEPT)

    def learn(self, target: int, gathering: Gathering) -> None:
        """Note how dispatches of a target gather."""
        self._gatherings[target] = gathering

    def looked_at(self, deliveries: Iterable[str]) -> None:
        """Note that these deliveries are not urgent: until the next push may go they are not chosen again."""
        self._looked_at.update(dict.fromkeys(deliveries))

    def suspect(self, deliveries: Iterable[str]) -> None:
        """Take these alone from now on: they met an unexpected error together."""
        self._suspects.update(dict.fromkeys(deliveries))

    def forget(self, delivery: str) -> None:
        """Take note that a delivery has ended."""
        self._suspects.pop(delivery, None)
        self._looked_at.pop(delivery, None)

    async def next(self, target: int, closed: float = 0.0) -> Batch:
        """Return which pending deliveries of a target to carry out now; none if all of them gather.

        `closed` is in how many seconds the next push may go. Until then only events that are no dispatches are taken,
        and dispatches that may be urgent.
        """
        if closed:
            return await self._before_the_push(target, closed)
        pending, more = await self._pending(target)
        gathering = self._gathering(target, pending, full=more)
        if gathering is not None:
            # Only new dispatches gather. News of a push is taken at once: the next commit may be made on that head.
            pending = [delivery for delivery in pending if not _is_new(delivery) and not delivery.wait]
        chosen = self._chosen(target, pending)
        ids = {delivery.id for delivery in chosen}
        waits = [delivery.wait for delivery in pending if delivery.id not in ids]
        if gathering is not None:
            waits.append(gathering)
        return Batch(chosen, min(waits, default=None), more)

    async def _before_the_push(self, target: int, closed: float) -> Batch:
        pending, more = await self._pending(target)
        known = self._gatherings.get(target)
        urgent = known is None or known.urgent
        chosen = [
            delivery
            for delivery in pending
            if not delivery.wait and (delivery.event != trigger.DISPATCH or (urgent and self._is_unseen(delivery)))
        ]
        return Batch(chosen, closed, more and bool(chosen))

    def _is_unseen(self, delivery: Delivery) -> bool:
        return delivery.id not in self._looked_at and not self._is_suspicious(delivery)

    async def _pending(self, target: int) -> tuple[Sequence[Delivery], bool]:
        found: dict[str, Delivery] = {}
        while True:
            page = await self._inbox.pending(target, PAGE, len(found))
            known = len(found)
            found |= {delivery.id: delivery for delivery in page}
            full = len(found) >= BATCH or sum(len(delivery.body) for delivery in found.values()) >= BYTES
            if len(page) < PAGE or full or len(found) == known:
                return sorted(found.values(), key=lambda delivery: delivery.seq), len(page) == PAGE
            await asyncio.sleep(0)

    def _gathering(self, target: int, pending: Sequence[Delivery], *, full: bool) -> float | None:
        """Return for how many seconds the window of `batch.window` stays open, None where it does not.

        It opens with the first dispatch, and is as long as the rules said the last time that they were read. A batch
        that is `full`, by number or bytes, ends it.
        """
        new = [delivery for delivery in pending if _is_new(delivery)]
        window = self._gatherings.get(target, Gathering()).window
        opened = self._opened.setdefault(target, time.monotonic())
        # GitHub's clock, which made the origin, is not ours: it may end the window, and not keep it open.
        ages = [(datetime.now(UTC) - delivery.origin).total_seconds() for delivery in new]
        passed = max([time.monotonic() - opened, *ages])
        if new and not full and len(new) < BATCH and passed < window:
            return window - passed
        self._opened.pop(target, None)
        return None

    def _chosen(self, target: int, pending: Sequence[Delivery]) -> Sequence[Delivery]:
        """Return those to take together: all but those that others may fail with.

        These are taken one by one, by turns with the others: those over which the process ended twice, which met an
        unexpected error together, or which are tried for the last time.
        """
        rest = [delivery for delivery in pending if not self._is_suspicious(delivery)]
        alone = [delivery for delivery in pending if self._is_suspicious(delivery) and not delivery.wait]
        if not alone:
            return rest
        if target in self._alone_next or all(delivery.wait for delivery in rest):
            self._alone_next.pop(target, None)
            return alone[:1]
        self._alone_next[target] = None
        return rest

    def _is_suspicious(self, delivery: Delivery) -> bool:
        often = delivery.interrupted >= SUSPICIOUS or delivery.attempts >= self._last
        return often or delivery.id in self._suspects


def _is_new(delivery: Delivery) -> bool:
    """Whether it asks for something, for the first time."""
    return delivery.event == trigger.DISPATCH and not delivery.attempts
