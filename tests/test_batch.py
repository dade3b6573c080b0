"""Which deliveries go together: what is learned of targets is bounded."""

from __future__ import annotations

from typing import TYPE_CHECKING

from running import draining
from written import MAPPINGS, gitops_with

from bot.core.mapping import Gathering
from bot.flows.batch import Batches
from bot.inbox.sqlite import SQLiteInbox

if TYPE_CHECKING:
    from pathlib import Path

    from bot.sandbox import Sandbox


async def test_what_is_learned_of_targets_and_deliveries_does_not_gather_for_ever(tmp_path: Path) -> None:
    """Whoever has the App installed may make any number of repositories, and deliveries that end in no way we see."""
    inbox = SQLiteInbox(tmp_path / "pointsman.db")
    try:
        batches = Batches(inbox, 15)
        for target in range(30_000):
            batches.learn(target, Gathering(5.0))
            batches.looked_at([f"delivery-{target}"])
            batches.suspect([f"delivery-{target}"])
            await batches.next(target) if target % 1000 == 0 else None
        kept = [vars(batches)[name] for name in ("_gatherings", "_looked_at", "_opened", "_alone_next", "_suspects")]
        assert max(map(len, kept)) == 10_000
        # The last ones are known.
        assert batches._gatherings[29_999] == Gathering(5.0)
        assert "delivery-29999" in batches._suspects
        batches.forget("delivery-29999")
        assert "delivery-29999" not in batches._suspects
    finally:
        inbox.close()


async def test_a_batch_that_is_full_by_its_bytes_gathers_no_more(sandbox: Sandbox, tmp_path: Path) -> None:
    """More would not go with it. To look again and again until the window ends would read all of it each time."""
    repository = gitops_with(sandbox, MAPPINGS + "batch: { window: 60 }\n")
    async with draining(sandbox, tmp_path) as bench:
        await bench.dispatch(repository, {"tag": "2-dev"})
        for _ in range(100):
            last = await bench.store(repository, {"tag": "3-dev", "notes": "x" * 200_000})
        await bench.drain(repository)
        assert bench.row(last).state == "no_change"  # the first one wrote it
        # What comes then begins a new window.
        await bench.store(repository, {"tag": "4-dev"})
        assert (await bench.drain(repository) or 0.0) > 50
