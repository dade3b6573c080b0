"""A delivery whose process ends takes no other delivery of its repository along."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar, TypeVarTuple

import pytest
import work
from running import draining

from bot.compute.pool import Pool
from bot.flows import jobs
from bot.flows.decide import Decider
from bot.flows.rules import MappingSource

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from bot.core.meter import Budget, Meter
    from bot.core.model import Repository
    from bot.sandbox import Sandbox

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

MAPPINGS = """\
version: 1
mappings: [{ name: fine, update: [{ files: v.yaml, set: { image.tag: '${{ tag }}' } }] }]
"""


class Deadly:
    """Computes in a pool, whose process is killed when one function computes for one value."""

    def __init__(self, pool: Pool, function: object, value: str) -> None:
        self._pool = pool
        self._function = function
        self._value = value

    async def run(
        self, repository: Repository | None, budget: Budget, function: Callable[[Meter, *Ts], T], *args: *Ts
    ) -> T:
        """Compute, or let the process be killed, as the system does when memory is short."""
        if function is self._function and self._value in repr(args):
            await self._pool.run(repository, budget, work.die)
        return await self._pool.run(repository, budget, function, *args)


@pytest.mark.parametrize("function", [jobs.make_plan, jobs.decide])
async def test_a_delivery_whose_process_ends_takes_no_other_along(
    function: object, sandbox: Sandbox, tmp_path: Path
) -> None:
    """It is tried again; the deliveries that came with it are committed meanwhile."""
    fine = sandbox.create_repository(
        "acme/fine", {".github/pointsman.yaml": MAPPINGS, "v.yaml": "image: { tag: old }\n"}
    )
    pool = Pool(2, 400_000_000)
    async with draining(sandbox, tmp_path) as bench:
        bench.worker._decider = Decider(bench.forge, Deadly(pool, function, "fatal"), MappingSource())
        sent = [await bench.store(fine, {"tag": tag}) for tag in ("first", "fatal", "last")]
        await bench.drain(fine)
        ended = [bench.row(delivery) for delivery in sent]
    await pool.close()
    assert [row.state for row in ended] == ["committed", "pending", "committed"]
    assert "ended without an answer" in ended[1].reason
    assert fine.read("v.yaml") == b"image: { tag: last }\n"
