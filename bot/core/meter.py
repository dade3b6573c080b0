"""The CPU time of computations, by what it is spent on, and the budget of a delivery or mapping file."""

from __future__ import annotations

from contextlib import contextmanager
from operator import itemgetter
from typing import TYPE_CHECKING

from bot.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

# How many of the costliest names `Meter.costs` returns.
MOST_NAMED = 5
_LONGEST_NAME = 200


class OverBudget(BaseException):
    """The budget is used up. In a process of the pool an alarm raises it in the middle of a computation."""


class Meter:
    """Measures one computation.

    `clock` returns seconds of CPU and only rises. `seconds` is the budget. `charge` names the work that a block does.
    """

    def __init__(self, clock: Callable[[], float], seconds: float = float("inf")) -> None:
        self.clock = clock
        self.seconds = seconds
        self._began = self._charged = clock()
        self._names: list[str] = []
        self._costs: dict[str, float] = {}

    @property
    def spent(self) -> float:
        """The seconds since the meter was made."""
        return self.clock() - self._began

    @contextmanager
    def charge(self, name: str) -> Iterator[None]:
        """Charge the time of the block to `name`, except for the time of inner blocks that charge other names.

        Raises OverBudget at the beginning of a block if the budget is used up.
        """
        if self.spent > self.seconds:
            raise OverBudget
        self._settle()
        self._names.append(name[:_LONGEST_NAME])
        try:
            yield
        finally:
            self._settle()
            self._names.pop()

    def costs(self) -> Mapping[str, float]:
        """Return the seconds of the costliest names, the costliest first; "" has the time outside of all blocks."""
        self._settle()
        return dict(sorted(self._costs.items(), key=itemgetter(1), reverse=True)[:MOST_NAMED])

    def _settle(self) -> None:
        now = self.clock()
        name = self._names[-1] if self._names else ""
        self._costs[name] = self._costs.get(name, 0.0) + now - self._charged
        self._charged = now


class Budget:
    """The seconds of CPU that one delivery or one mapping file may take, over all computations for it.

    `whose` begins the sentence of the error ("the delivery", "the mapping file"). `setting` is the environment variable
    by which the operator can raise the budget, None if there is none.
    """

    def __init__(self, seconds: float, whose: str, setting: str | None = None) -> None:
        self._seconds = seconds
        self._whose = whose
        self._setting = setting
        self._costs: dict[str, float] = {}
        self.left = seconds

    def spend(self, costs: Mapping[str, float]) -> None:
        """Subtract the costs of a computation."""
        for name, seconds in costs.items():
            self._costs[name] = self._costs.get(name, 0.0) + seconds
        self.left = max(self.left - sum(costs.values()), 0.0)

    def exceeded(self) -> InputError:
        """Return the error for a budget that is used up, with what cost most; from now on nothing is left."""
        self.left = 0.0
        name = max((name for name in self._costs if name), key=self._costs.__getitem__, default=None)
        most = f"; {name} took most of it, {self._costs[name]:.1f} s" if name else ""
        remedy = f", or let the operator raise {self._setting}" if self._setting else ""
        return InputError(
            f"{self._whose} takes more than {self._seconds:g} s of computing{most}. Use fewer or simpler patterns, "
            f"globs and files{remedy}"
        )


def unlimited() -> Budget:
    """Return a budget that is never used up, for people at their own terminal."""
    return Budget(float("inf"), "the command")
