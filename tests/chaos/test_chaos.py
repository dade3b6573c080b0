"""Chaos: whatever dies, and whatever GitHub answers, each dispatch is done once, and what people wrote stays.

`make chaos` runs it in full, once for each of SEEDS; `make test` a short form. SIGKILL shows that nothing is left to
the memory of the process. It cannot show a loss of power: SQLite survives that with the PRAGMAs that
tests/inbox/test_sqlite.py asserts.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from aftermath import assess
from running import free_port
from storm import Size, Storm

if TYPE_CHECKING:
    from pathlib import Path

    from bot.sandbox import Sandbox

SHORT = Size(dispatches=120, branches=6, kills=6, foreign=12)
FULL = Size(dispatches=2_000, branches=20, kills=60, foreign=120)
SEEDS = [int(seed) for seed in os.environ.get("CHAOS_SEEDS", "").split()]


@pytest.mark.parametrize(("size", "seed"), [(FULL, seed) for seed in SEEDS] or [(SHORT, 1)])
async def test_every_dispatch_is_done_once(sandbox: Sandbox, tmp_path: Path, size: Size, seed: int) -> None:
    """By the git history: in one commit, or superseded by a later one that is; last values there, foreign edits too."""
    storm = Storm(sandbox, tmp_path, size, seed, free_port())
    calm = await storm.run()
    after = assess(storm)
    after.counts |= {
        "kills": f"{storm.kills}, {storm.dead_at_start} of them during the start, {storm.naps} after a nap",
        "faults": f"{storm.struck.total()} in {storm.requests} requests "
        f"({storm.struck.total() / storm.requests:.1%}): {dict(sorted(storm.struck.items()))}",
        "until all had ended": f"{calm:.1f} s after the last kill",
    }
    print(f"\nseed {seed}\n{after}")  # noqa: T201 - the figures are what it is run for
    assert after.wrong == []
    assert storm.kills == size.kills
    assert storm.naps > 0
    assert storm.struck.total() > 0
