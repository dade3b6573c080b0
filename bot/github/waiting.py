"""The requests that wait for their turn with a governor."""

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
    """The clock and timers of an event loop. Tests pass their own, so that none has to sleep."""

    def time(self) -> float:
        """Return the time in seconds of some clock."""

    def call_later(self, delay: float, callback: Callable[[], None], /) -> Handle:
        """Call back after so many seconds."""


@dataclass(eq=False, slots=True)
class Waiter:
    """A request that waits for its turn."""

    cost: Cost
    deadline: float
    answer: asyncio.Future[Transient | None]
    """Its result is None if the request may go, else the error to raise.

    The error is no exception of the future: asyncio would log it if the request was cancelled and nobody awaits it.
    """
    granted: float | None = None
    """The time at which the request got its turn."""


def turn_refusal(wait: float, reason: str) -> Transient:
    """Return the error for a request that gets no turn in time. Without a `reason`, others were always before it."""
    wait = max(wait, 1.0)
    return Transient(f"{reason or 'too many requests to GitHub are under way'}: again in {math.ceil(wait)} s", wait)
