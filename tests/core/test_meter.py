"""What computing costs, and whom it is charged to."""

from __future__ import annotations

import pickle

import pytest

from bot.core.meter import MOST_NAMED, Budget, Meter, OverBudget, unlimited
from bot.errors import EditError, InputError, Problem


class Clock:
    """A clock that stands still until it is told to go on."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_time_is_charged_to_the_innermost_block() -> None:
    """What an inner block takes is not charged to the one around it as well."""
    clock = Clock()
    meter = Meter(clock)
    with meter.charge("outer"):
        clock.now += 1
        with meter.charge("inner"):
            clock.now += 5
        clock.now += 2
    clock.now += 0.5
    assert meter.costs() == {"inner": 5.0, "outer": 3.0, "": 0.5}
    assert meter.spent == 8.5


def test_the_costliest_names_alone_are_told() -> None:
    """A mapping file with ten thousand mappings does not make the answer long."""
    clock = Clock()
    meter = Meter(clock)
    for number in range(100):
        with meter.charge(f"{number} " * 1000):
            clock.now += number
    assert list(meter.costs().values()) == [99, 98, 97, 96, 95]
    assert len(meter.costs()) == MOST_NAMED
    assert all(len(name) == 200 for name in meter.costs())


def test_no_block_begins_when_the_budget_is_used_up() -> None:
    """Where no alarm interrupts, a computation stops between two steps."""
    clock = Clock()
    meter = Meter(clock, 1.0)
    with meter.charge("first"):
        clock.now += 2
    with pytest.raises(OverBudget), meter.charge("second"):
        pytest.fail("it was begun")


def test_a_budget_adds_up_over_computations() -> None:
    """The sentence names what cost most in all of them together."""
    budget = Budget(3.0, "the delivery", "DELIVERY_CPU_SECONDS")
    budget.spend({"mapping 'a'": 1.0, "": 0.5})
    budget.spend({"mapping 'b'": 0.9})
    budget.spend({"mapping 'b'": 0.9, "": 5.0})
    assert budget.left == 0
    assert str(budget.exceeded()) == (
        "the delivery takes more than 3 s of computing; mapping 'b' took most of it, 1.8 s. Use fewer or simpler "
        "patterns, globs and files, or let the operator raise DELIVERY_CPU_SECONDS"
    )


def test_people_at_their_terminal_have_no_budget() -> None:
    """Nobody else waits there."""
    budget = unlimited()
    budget.spend({"": 1e9})
    assert budget.left == float("inf")


def test_an_error_comes_back_from_a_process_whole() -> None:
    """Its class and the place of every problem."""
    problems = (Problem("wrong", "a.yaml", 1, 2), Problem("worse"))
    for error in (InputError(problems), EditError(problems)):
        back = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own bytes
        assert type(back) is type(error)
        assert back.problems == problems
