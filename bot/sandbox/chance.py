"""Chance that can be repeated: how often something strikes, and dice that fall the same way for a seed."""

from __future__ import annotations

import random
from dataclasses import dataclass


@dataclass(kw_only=True)
class Odds:
    """How often something strikes: after `skip` that pass, `times` (None: without end), each with `probability`.

    ValueError if `probability` is not between 0 and 1. What the dice spare does not count as one of the `times`.
    """

    times: int | None = 1
    skip: int = 0
    probability: float = 1.0

    def __post_init__(self) -> None:
        if not 0 <= self.probability <= 1:
            raise ValueError(f"a probability is between 0 and 1, not {self.probability}")

    @property
    def spent(self) -> bool:
        """Whether it will never strike again."""
        return self.times is not None and self.times <= 0

    def strikes(self, dice: random.Random) -> bool:
        """Count one that it is meant for, and say whether it strikes; only a probability below 1 takes of the dice."""
        if self.spent:
            return False
        if self.skip:
            self.skip -= 1
            return False
        if self.probability < 1 and dice.random() >= self.probability:
            return False
        if self.times is not None:
            self.times -= 1
        return True


def dice(seed: int) -> random.Random:
    """Give dice that fall the same way for the same seed."""
    return random.Random(seed)  # noqa: S311 - chance that can be repeated is the point; nothing is kept secret by it
