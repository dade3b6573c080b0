"""What a governor keeps of requests that wait for their turn."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from bot.errors import Transient

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from bot.github.limits import Cost


class Handle(Protocol):
    """A timer that was set."""

    def cancel(self) -> None:
        """Let it not fire."""


class Timer(Protocol):
    """What a governor needs of the event loop, a value so that no test has to sleep."""

    def time(self) -> float:
        """Return the time in seconds of some clock."""

    def call_later(self, delay: float, callback: Callable[[], None], /) -> Handle:
        """Call back after so many seconds."""


@dataclass(eq=False, slots=True)
class Waiter:
    """A request that waits for its turn until a deadline, or has had it at the time `granted`."""

    cost: Cost
    deadline: float
    # None: it may go. Else what to raise: a future's own exception is logged where nobody awaits it any more.
    answer: asyncio.Future[Transient | None]
    granted: float | None = None


def turn_refusal(wait: float, reason: str) -> Transient:
    """Return the error for who does not get a turn in time; without a reason others were before it all the time."""
    wait = max(wait, 1.0)
    return Transient(f"{reason or 'too many requests to GitHub are under way'}: again in {math.ceil(wait)} s", wait)
