"""The bot as it is used: started on a free port, with settings as from the environment."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from aiohttp import web

from bot import app, settings, telemetry
from bot.web import keys

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from bot.sandbox import Sandbox


def environment(sandbox: Sandbox, folder: Path, **variables: str) -> dict[str, str]:
    """Return the variables that point the bot at the sandbox."""
    return {
        "APP_ID": str(sandbox.app.id),
        "PRIVATE_KEY": sandbox.app.private_key,
        "WEBHOOK_SECRET": sandbox.app.webhook_secret,
        "GITHUB_API_URL": sandbox.url,
        "DATABASE_URL": f"sqlite:///{folder / 'pointsman.db'}",
        **variables,
    }


class Bot:
    """A running bot and what a test wants of it."""

    def __init__(self, application: web.Application, url: str) -> None:
        self.application = application
        self.url = url

    async def ended(self, delivery: str | None, seconds: float = 10.0) -> Any:
        """Wait until a delivery has ended, and return how."""
        assert delivery is not None
        async with asyncio.timeout(seconds):
            while (state := await self.application[keys.INBOX].state(delivery)) in {None, "pending"}:
                await asyncio.sleep(0.01)
        return state


@asynccontextmanager
async def running(sandbox: Sandbox, folder: Path, **variables: str) -> AsyncIterator[Bot]:
    """Start the bot, let the sandbox's webhooks come to it, and stop it in the end."""
    loaded = settings.load(environment(sandbox, folder, **variables))
    telemetry.configure("debug", "logfmt")
    application = app.make(loaded)
    runner = web.AppRunner(application)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        host, port = runner.addresses[0][:2]
        sandbox.webhook_url = f"http://{host}:{port}/webhook"
        yield Bot(application, f"http://{host}:{port}")
        await sandbox.webhooks.drained()
    finally:
        await runner.cleanup()
