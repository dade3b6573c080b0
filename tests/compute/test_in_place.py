"""Computing for people at their own terminal."""

from __future__ import annotations

import pytest
import work

from bot.compute.in_place import InPlace
from bot.core.meter import Budget
from bot.errors import InputError


async def test_what_is_computed_is_paid_for_once() -> None:
    """Whether it succeeds, or fails: the same as in a process."""
    budget = Budget(10.0, "the command")
    await InPlace().run(None, budget, work.spin, 0.2)
    assert 9.7 < budget.left < 9.85
    with pytest.raises(InputError, match="the input is wrong"):
        await InPlace().run(None, budget, work.spin_in_vain, 0.2)
    assert 9.4 < budget.left < 9.65
