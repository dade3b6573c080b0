"""An inbox on a file of a test's own, and deliveries for it."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from bot.core.model import Actor, Delivery
from bot.inbox.sqlite import SQLiteInbox

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from bot.core.outcome import Outcome

ORIGIN = datetime(2026, 11, 21, 10, 0, 0, 123456, tzinfo=UTC)
BODY = b'{"client_payload": {"tag": "a body that is dropped"}}'


def delivery(name: str, target: int = 7, attempts: int = 0, interrupted: int = 0) -> Delivery:
    """Return a delivery called `name`, as the webhook stores it."""
    actor = Actor("webhook", "octocat", 1)
    return Delivery(name, "repository_dispatch", actor, target, BODY, ORIGIN, attempts, interrupted)


@contextmanager
def opened(folder: Path) -> Iterator[SQLiteInbox]:
    """Open `inbox.db` in `folder`, and close it in the end."""
    inbox = SQLiteInbox(folder / "inbox.db")
    try:
        yield inbox
    finally:
        inbox.close()


async def end(inbox: SQLiteInbox, *outcomes: Outcome) -> None:
    """Record outcomes, with which their deliveries have ended."""
    await inbox.finish(outcomes, [outcome.delivery for outcome in outcomes])
