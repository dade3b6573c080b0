"""How often a repository is pushed to."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from bot.core.rhythm import Rhythm

QUIET = -math.inf


def pushes(rhythm: Rhythm, arrivals: list[float]) -> list[float]:
    """Return when pushes go that are wanted at these times, each as soon as it may."""
    lasting, now, made = QUIET, 0.0, list[float]()
    for arrival in arrivals:
        now = max(now, arrival)
        now += rhythm.wait(lasting, now)
        lasting = rhythm.pushed(lasting, now)
        made.append(now)
    return made


def test_a_quiet_repository_gets_three_and_then_one_in_ten_seconds() -> None:
    """Whoever was quiet is not slowed down; whoever goes on is, and is quiet again after a while."""
    assert pushes(Rhythm(10.0, 3), [0.0] * 6) == [0, 0, 0, 10, 20, 30]
    assert pushes(Rhythm(10.0, 3), [0.0, 0.0, 0.0, 100.0, 100.0, 100.0, 100.0]) == [0, 0, 0, 100, 100, 100, 110]
    assert pushes(Rhythm(10.0, 1), [0.0, 3.0, 30.0]) == [0, 10, 30]


def test_no_interval_is_no_rhythm() -> None:
    """Nothing ever waits."""
    assert pushes(Rhythm(0.0, 3), [0.0] * 50) == [0.0] * 50


@given(
    st.lists(st.integers(0, 500).map(float), min_size=1, max_size=40).map(sorted),
    st.integers(1, 30).map(float),
    st.integers(1, 5),
)
def test_no_more_go_than_the_rhythm_allows(arrivals: list[float], interval: float, burst: int) -> None:
    """In any time there are at most `burst` pushes, and one more for each interval in it; and none waits in vain."""
    made = pushes(Rhythm(interval, burst), arrivals)
    for first in range(len(made)):
        for last in range(first, len(made)):
            assert last - first + 1 <= burst + (made[last] - made[first]) / interval + 1e-6
    assert all(one >= wanted for one, wanted in zip(made, arrivals, strict=True))
    assert made[0] == arrivals[0]
