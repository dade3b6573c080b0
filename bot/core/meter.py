"""What computing costs: seconds of CPU, by what they are spent on, and the budget of one delivery or mapping file."""

from __future__ import annotations

from contextlib import contextmanager
from operator import itemgetter
from typing import TYPE_CHECKING

from bot.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

# A report names the costliest ones; more would only make answers large.
MOST_NAMED = 5
_LONGEST_NAME = 200


class OverBudget(BaseException):
    """The budget is used up. An alarm raises it in the middle of whatever is being computed."""


class Meter:
    """Measures one computation: `charge` says what the time is spent on.

    `clock` returns seconds of CPU and only rises. `seconds` is the budget.
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
        """Charge what the block takes to `name`, without what inner blocks charge to other names.

        Raises OverBudget at the beginning of a block when the budget is used up.
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
        """Return the seconds of the costliest names, the costliest first; "" is what no block was charged with."""
        self._settle()
        return dict(sorted(self._costs.items(), key=itemgetter(1), reverse=True)[:MOST_NAMED])

    def _settle(self) -> None:
        now = self.clock()
        name = self._names[-1] if self._names else ""
        self._costs[name] = self._costs.get(name, 0.0) + now - self._charged
        self._charged = now


class Budget:
    """The seconds of CPU that one delivery or one mapping file may take, over all computations for it.

    `whose` begins the sentence when they are used up ("the delivery", "the mapping file"). `setting` is the variable
    by which the operator sets it, if there is one.
    """

    def __init__(self, seconds: float, whose: str, setting: str | None = None) -> None:
        self._seconds = seconds
        self._whose = whose
        self._setting = setting
        self._costs: dict[str, float] = {}
        self.left = seconds

    def spend(self, costs: Mapping[str, float]) -> None:
        """Take note of what a computation took, by name."""
        for name, seconds in costs.items():
            self._costs[name] = self._costs.get(name, 0.0) + seconds
        self.left = max(self.left - sum(costs.values()), 0.0)

    def exceeded(self) -> InputError:
        """Return the error that says so, and what cost most; nothing is left from now on."""
        self.left = 0.0
        name = max((name for name in self._costs if name), key=lambda one: self._costs[one], default=None)
        most = f"; {name} took most of it, {self._costs[name]:.1f} s" if name else ""
        remedy = f", or let the operator raise {self._setting}" if self._setting else ""
        return InputError(
            f"{self._whose} takes more than {self._seconds:g} s of computing{most}. Use fewer or simpler patterns, "
            f"globs and files{remedy}"
        )


def unlimited() -> Budget:
    """Return a budget that is never used up, for people at their own terminal."""
    return Budget(float("inf"), "the command")
