"""Computing in the calling thread, for the command line, where nobody else waits."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, TypeVar, TypeVarTuple

from bot.core.meter import Meter, OverBudget

if TYPE_CHECKING:
    from collections.abc import Callable

    from bot.core.meter import Budget
    from bot.core.model import Repository

T = TypeVar("T")
Ts = TypeVarTuple("Ts")


class InPlace:
    """Computes at once. The budget is checked between the steps of a computation, not in the middle of a step."""

    async def run(
        self,
        repository: Repository | None,
        budget: Budget,
        function: Callable[[Meter, *Ts], T],
        *args: *Ts,
    ) -> T:
        """Return `function(meter, *args)`. Raises InputError when the budget is used up."""
        del repository
        meter = Meter(time.process_time, budget.left)
        try:
            try:
                return function(meter, *args)
            finally:
                budget.spend(meter.costs())
        except OverBudget:
            raise budget.exceeded() from None
