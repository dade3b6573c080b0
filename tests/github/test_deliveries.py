"""The App's own list of deliveries: page by page, newest first, and each with its payload."""

from __future__ import annotations

from contextlib import aclosing, asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
from openapi import Checker
from running import REFUSAL

from bot.errors import PointsmanError, Transient, Unavailable
from bot.flows.listed import Listed
from bot.github.auth import app_api
from bot.github.deliveries import DeliveryList

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from bot.sandbox import Repository, Sandbox

EVER = datetime(2000, 1, 1, tzinfo=UTC)


@asynccontextmanager
async def listing(sandbox: Sandbox, prefix: str = "") -> AsyncIterator[DeliveryList]:
    """Read the sandbox's list; all requests must be as GitHub describes them."""
    checker = Checker()
    sandbox.observer = checker.observe
    async with aiohttp.ClientSession() as session:
        yield DeliveryList(app_api(session, sandbox.url + prefix, sandbox.app.id, sandbox.app.private_key))
    assert checker.found == []


async def lose(sandbox: Sandbox, count: int) -> list[str]:
    """Send so many dispatches that nobody gets; return their GUIDs, the oldest first."""
    sandbox.webhook_url = "http://127.0.0.1:9/webhook"
    sandbox.webhooks.lose()
    guids = [await sandbox.dispatch("acme/gitops", f"event-{number}", {"n": number}) for number in range(count)]
    await sandbox.webhooks.drained()
    return [guid for guid in guids if guid]


async def all_since(deliveries: DeliveryList, time: datetime) -> list[Listed]:
    async with aclosing(deliveries.since(time)) as found:
        return [listed async for listed in found]


def pages(sandbox: Sandbox) -> int:
    return [exchange.path for exchange in sandbox.requests].count("/app/hook/deliveries")


@pytest.mark.parametrize("prefix", ["", "/api/v3"])
async def test_an_attempt_is_listed_as_github_has_it(sandbox: Sandbox, gitops: Repository, prefix: str) -> None:
    """Every field, with ids of installation and repository, on an Enterprise Server too."""
    (guid,) = await lose(sandbox, 1)
    (sent,) = sandbox.webhooks.deliveries
    installation = sandbox.installation_of(gitops)
    assert installation is not None
    sent.delivered_at = 1_700_000_000.0
    async with listing(sandbox, prefix) as deliveries:
        assert await all_since(deliveries, EVER) == [
            Listed(
                id=sent.id,
                guid=guid,
                event="repository_dispatch",
                delivered_at=datetime.fromtimestamp(1_700_000_000, UTC),
                status=502,
                redelivery=False,
                installation=installation.id,
                repository=gitops.id,
            )
        ]
        assert await deliveries.payload(sent.id) == sent.payload


async def test_all_pages_are_read_and_the_newest_comes_first(sandbox: Sandbox, gitops: Repository) -> None:
    """205 deliveries are three pages, and each delivery is there once."""
    assert gitops.full_name == "acme/gitops"
    guids = await lose(sandbox, 205)
    async with listing(sandbox) as deliveries:
        found = await all_since(deliveries, EVER)
    assert [listed.guid for listed in found] == guids[::-1]
    assert pages(sandbox) == 3


async def test_what_is_older_is_not_asked_for(sandbox: Sandbox, gitops: Repository) -> None:
    """It ends at the time that is given, and asks for no page behind it."""
    assert gitops.full_name == "acme/gitops"
    guids = await lose(sandbox, 205)
    now = datetime.now(UTC).replace(microsecond=0)
    for age, sent in enumerate(reversed(sandbox.webhooks.deliveries)):
        sent.delivered_at = (now - timedelta(minutes=age)).timestamp()
    async with listing(sandbox) as deliveries:
        found = await all_since(deliveries, now - timedelta(minutes=20))
    assert [listed.guid for listed in found] == guids[:-22:-1]
    assert pages(sandbox) == 1


REFUSALS: list[tuple[dict[str, Any], type[PointsmanError], str]] = [
    ({"status": 502, "body": REFUSAL}, Transient, "GitHub answered 502"),
    ({"reset": True}, Transient, "no connection to GitHub: 127.0.0.1 closed it before it had answered"),
    ({"status": 429, "body": REFUSAL, "headers": {"retry-after": "7"}}, Transient, "a rate limit of GitHub's"),
    ({"status": 401, "body": REFUSAL}, Transient, "GitHub does not take the App's credentials: Something went wrong"),
    ({"status": 403, "body": REFUSAL}, Unavailable, "GitHub forbids it: Something went wrong"),
    ({"status": 404, "body": REFUSAL}, Unavailable, "GitHub answers Something went wrong"),
    ({"status": 200, "body": b"<html>"}, Transient, "this is not GitHub's API: 127.0.0.1 answered 200 with"),
    (
        {"status": 200, "body": b"[{", "headers": {"content-type": "application/json"}},
        Transient,
        "GitHub's answer cannot be read",
    ),
    ({"status": 200, "body": [{"id": 1}]}, Transient, "GitHub's answer cannot be read"),
]


@pytest.mark.parametrize(("fault", "error", "sentence"), REFUSALS)
async def test_what_github_refuses_is_told_apart(
    sandbox: Sandbox, fault: dict[str, Any], error: type[PointsmanError], sentence: str
) -> None:
    """What may pass by itself, a wrong key among it, is Transient; the rest is Unavailable; of the list and of one."""
    async with aiohttp.ClientSession() as session:
        deliveries = DeliveryList(app_api(session, sandbox.url, sandbox.app.id, sandbox.app.private_key))
        sandbox.faults.add(times=None, **fault)
        with pytest.raises(error) as of_list:
            await all_since(deliveries, EVER)
        with pytest.raises(error) as of_one:
            await deliveries.payload(1)
    for caught in (of_list, of_one):
        assert str(caught.value).startswith(sentence)


@pytest.mark.parametrize("body", [{"request": {"payload": None}}, {"request": {}}, {"request": {"payload": [1]}}])
async def test_a_delivery_without_a_payload_is_said_to_be_so(sandbox: Sandbox, body: Any) -> None:
    """Nothing is made up for it."""
    sandbox.faults.add(status=200, body=body)
    async with aiohttp.ClientSession() as session:
        deliveries = DeliveryList(app_api(session, sandbox.url, sandbox.app.id, sandbox.app.private_key))
        with pytest.raises(Transient, match=r"delivery 12 (has no payload|is not as documented)"):
            await deliveries.payload(12)
