"""By which installation a repository is reached, when it came to another owner while deliveries were under way."""

from __future__ import annotations

import json
import uuid
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from running import draining
from written import NOON, gitops_with, tag, trailers

from bot.core.model import Actor, Delivery
from bot.sandbox.events import dispatch_payload, repository_payload

if TYPE_CHECKING:
    from pathlib import Path

    from running import Bench

    from bot.sandbox import Repository, Sandbox


async def stored(bench: Bench, repository: Repository, body: dict[str, Any], minutes: float) -> str:
    """Store an event, a dispatch or news of a repository, that came about so many minutes after noon; return its id."""
    delivery = Delivery(
        id=str(uuid.uuid4()),
        event="repository_dispatch" if "client_payload" in body else "repository",
        actor=Actor("webhook", "octocat", 583231),
        target=repository.id,
        body=json.dumps(body).encode(),
        origin=NOON + timedelta(minutes=minutes),
        installation=body["installation"]["id"],
    )
    assert await bench.inbox.add(delivery)
    return delivery.id


def transfer(sandbox: Sandbox, repository: Repository) -> None:
    """Give the repository to another owner, who installed the App too."""
    installation = sandbox.install("umbrella")
    repository.transfer("umbrella")
    assert sandbox.installation_of(repository) is installation


async def test_news_of_a_transfer_in_the_batch_of_the_dispatch_is_not_in_vain(sandbox: Sandbox, tmp_path: Path) -> None:
    """What would free the dispatch was heard before it had to wait: it is tried again at once, and reached."""
    repository = gitops_with(sandbox)
    async with draining(sandbox, tmp_path) as bench:
        body = dispatch_payload(sandbox, repository, "octocat", "x", {"tag": "2-dev"})
        delivery = await stored(bench, repository, body, -1)
        transfer(sandbox, repository)
        await stored(bench, repository, repository_payload(sandbox, repository, "transferred"), 0)
        assert [await bench.drain(repository) for _ in range(2)] == [0.0, None]
        assert bench.row(delivery).state == "committed"
    assert trailers(repository) == [delivery]


async def test_a_dispatch_found_late_does_not_say_by_whom_the_repository_is_reached(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    """It was missed before the transfer and comes behind one from after it: the newer one knows the installation."""
    repository = gitops_with(sandbox)
    async with draining(sandbox, tmp_path) as bench:
        before = dispatch_payload(sandbox, repository, "octocat", "x", {"tag": "before"})
        transfer(sandbox, repository)
        after = dispatch_payload(sandbox, repository, "octocat", "x", {"tag": "after"})
        newer = await stored(bench, repository, after, 0)
        older = await stored(bench, repository, before, -1)
        assert await bench.drain(repository) is None
        assert [bench.row(each).state for each in (newer, older)] == ["committed", "no_change"]
    assert (tag(repository), trailers(repository)) == ("after", [newer])
