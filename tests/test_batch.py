"""Which deliveries go together: what is learned of targets is bounded."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.core.mapping import Gathering
from bot.flows.batch import Batches
from bot.inbox.sqlite import SQLiteInbox

if TYPE_CHECKING:
    from pathlib import Path


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
