"""The check of deliveries whose body came before: they are carried out only if GitHub's list of deliveries has them.

A signature covers the body alone. Somebody captures a signed dispatch of 1.0, waits until 2.0 is deployed, and sends
the same bytes under a new delivery id: without this, production would be rolled back.
"""

from __future__ import annotations

from contextlib import aclosing
from datetime import timedelta
from typing import TYPE_CHECKING

import structlog

from bot.errors import PointsmanError, Transient
from bot.flows.sweep import MOST_LISTED, OVERLAP

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from datetime import datetime

    from bot.core.model import Held
    from bot.flows.listed import Deliveries
    from bot.ports import Clock, Engine, Holds

log = structlog.get_logger(__name__)

# GitHub lists a delivery after it was answered, sometimes seconds later. So a delivery counts as a replay only if it
# was looked for over this time.
PATIENCE = timedelta(seconds=60)
# The pause before the next look for one delivery is as long as it has been looked for, within these bounds.
SHORTEST_PAUSE, LONGEST_PAUSE = timedelta(seconds=3), timedelta(seconds=20)
# The least pause between two looks. After each failed look in a row it doubles, up to LONGEST_AWAY.
PAUSE, LONGEST_AWAY = timedelta(seconds=3), timedelta(seconds=300)

# The reason that the delivery ends with; docs/operations.md names its beginning.
REPLAY = (
    "replay: this body came before under another delivery id, and GitHub's list of deliveries does not have this one"
)


class ReplayCheck:
    """Releases the deliveries that the inbox holds back because their body came before, or ends them as `ignored`.

    One look at GitHub's list serves all of them. While the list cannot be read they stay held back.
    """

    def __init__(self, deliveries: Deliveries, holds: Holds, engine: Engine, clock: Clock) -> None:
        self._deliveries = deliveries
        self._holds = holds
        self._engine = engine
        self._clock = clock
        # By delivery, the time of the first look that did not find it.
        self._missing: dict[str, datetime] = {}
        # Before this time GitHub is not asked again.
        self._next: datetime | None = None
        # The pause after the next look that fails.
        self._away = PAUSE

    async def look(self) -> None:
        """Look at GitHub's list if a delivery that is held back is due; to be called every second or so."""
        now = self._clock()
        held = await self._holds.held()
        if not any(one.until <= now for one in held) or (self._next is not None and now < self._next):
            return
        self._missing = {one.delivery: self._missing[one.delivery] for one in held if one.delivery in self._missing}
        try:
            found, whole = await self._listed(held)
        except Exception as error:  # noqa: BLE001 - `_wait` logs it, and the deliveries stay held back
            await self._wait(held, error)
            return
        self._away = PAUSE
        self._next = self._clock() + PAUSE
        await self._release([one for one in held if one.delivery in found])
        missing = [one for one in held if one.delivery not in found]
        if whole:
            await self._judge(missing)
        elif missing:
            log.warning("too many deliveries to find those that are held back", held=len(missing))
            await self._holds.hold([one.delivery for one in missing], self._next + LONGEST_PAUSE)

    async def _listed(self, held: Sequence[Held]) -> tuple[Collection[str], bool]:
        """Return the deliveries that GitHub lists with the same event, and whether the list was read far enough."""
        sought = {one.delivery: one.event for one in held}
        since = min(one.since for one in held) - OVERLAP
        found: set[str] = set()
        count = 0
        async with aclosing(self._deliveries.since(since)) as attempts:
            async for listed in attempts:
                count += 1
                if count > MOST_LISTED:
                    return found, False
                if sought.get(listed.guid) == listed.event:
                    found.add(listed.guid)
                    if len(found) == len(sought):
                        break
        return found, True

    async def _release(self, held: Sequence[Held]) -> None:
        await self._holds.release([one.delivery for one in held])
        for one in held:
            self._missing.pop(one.delivery, None)
            log.info("the same body again, and GitHub sent it", delivery=one.delivery, event_name=one.event)
        for target in {one.target for one in held}:
            self._engine.wake(target)

    async def _judge(self, missing: Sequence[Held]) -> None:
        """End the deliveries that were looked for over PATIENCE, and note when to look for the others again."""
        now = self._clock()
        for one in missing:
            passed = now - self._missing.setdefault(one.delivery, now)
            if passed < PATIENCE:
                pause = min(max(passed, SHORTEST_PAUSE), LONGEST_PAUSE)
                await self._holds.hold([one.delivery], now + pause)
                continue
            await self._holds.refuse([one.delivery], REPLAY)
            del self._missing[one.delivery]
            log.warning("ignored: replay", delivery=one.delivery, event_name=one.event, target=one.target)

    async def _wait(self, held: Sequence[Held], error: Exception) -> None:
        """Note when to look again after GitHub's list could not be read."""
        pause = self._away
        if isinstance(error, Transient) and error.retry_after is not None:
            pause = max(pause, timedelta(seconds=error.retry_after))
        self._away = min(self._away * 2, LONGEST_AWAY)
        self._next = self._clock() + pause
        facts = {"held": len(held), "pause": pause.total_seconds()}
        if isinstance(error, PointsmanError):
            log.warning("held back: GitHub's list of deliveries cannot be read", reason=str(error), **facts)
        else:
            log.error("held back: GitHub's list of deliveries cannot be read", exc_info=error, **facts)
        await self._holds.hold([one.delivery for one in held], self._next)
