"""What all tests share: a started sandbox on a temporary folder, with a repository, and both ends of its wire."""

from __future__ import annotations

from typing import TYPE_CHECKING

import aiohttp
import hypothesis
import pytest
from aiohttp import web
from openapi import Checker
from sandbox_ends import FILES, Client, Receiver

from bot.sandbox import App, Sandbox

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from bot.sandbox import Repository

_KEY = App().private_key

# The same examples in every run: a change is never blamed for what another draw would have found before it.
hypothesis.settings.register_profile("repeatable", derandomize=True, deadline=None)
hypothesis.settings.load_profile("repeatable")


@pytest.fixture
async def sandbox(tmp_path: Path) -> AsyncIterator[Sandbox]:
    """A sandbox that listens, stopped afterwards; its key is made once as that takes a tenth of a second."""
    sandbox = Sandbox(tmp_path / "github", app=App(private_key=_KEY))
    await sandbox.start()
    yield sandbox
    await sandbox.stop()


@pytest.fixture
def gitops(sandbox: Sandbox) -> Repository:
    """The repository acme/gitops with three files, the App installed on it."""
    return sandbox.create_repository("acme/gitops", FILES)


@pytest.fixture
async def client(sandbox: Sandbox, gitops: Repository) -> AsyncIterator[Client]:
    """A client with a token for all that the App may; whatever is exchanged must be as GitHub describes it."""
    checker = Checker()
    sandbox.observer = checker.observe
    assert sandbox.installation_of(gitops) is not None
    async with aiohttp.ClientSession() as session:
        client = Client(sandbox, session)
        client.token = await client.new_token()
        yield client
    assert checker.found == []


@pytest.fixture
async def receiver(sandbox: Sandbox) -> AsyncIterator[Receiver]:
    """A webhook receiver that the sandbox sends to."""
    receiver = Receiver("")

    async def receive(request: web.Request) -> web.Response:
        receiver.received.append((dict(request.headers), await request.read()))
        return web.Response(status=receiver.status, text="taken")

    app = web.Application()
    app.router.add_post("/webhook", receive)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    receiver.url = sandbox.webhook_url = f"http://127.0.0.1:{runner.addresses[0][1]}/webhook"
    yield receiver
    await sandbox.webhooks.drained()
    await runner.cleanup()
