"""`pointsman serve` in a process of its own: started, asked what it takes, ended."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import sys
import time
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import aiohttp

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

READY_SECONDS = 20.0
POLL_SECONDS = 0.005
LOG, DATABASE = "bot.log", "bot.db"
# What a bot asks for at its start, page by page: missed webhooks. No dispatch waits for that, so it is not counted.
SWEPT = "/app/hook/deliveries"
LOG_CHARACTERS = 2000
# The checkout that this file belongs to, whatever else is installed.
CHECKOUT = Path(__file__).parents[1]
NO_RHYTHM = {"RHYTHM_INTERVAL": "0"}
UNLIMITED = NO_RHYTHM | dict.fromkeys(
    (
        "QUOTA_WRITE_INTERVAL",
        "QUOTA_WRITES_MINUTE",
        "QUOTA_WRITES_HOUR",
        "QUOTA_CONCURRENT",
        "QUOTA_REST_POINTS",
        "QUOTA_GRAPHQL_POINTS",
    ),
    "0",
)


class BenchError(Exception):
    """What was to be measured did not happen: a sentence that says what, with what the program said."""


class Account(NamedTuple):
    """Where the sandbox is, and the App there: id, private key (PEM), the secret of its webhooks."""

    url: str
    app: int
    key: str
    secret: str


class Bot:
    """A running `pointsman serve`: how long it took until it was ready, in seconds, and how much memory it takes."""

    def __init__(self, process: asyncio.subprocess.Process, port: int, ready_after: float, database: Path) -> None:
        self.process = process
        self.webhook_url = f"http://127.0.0.1:{port}/webhook"
        self.health_url = f"http://127.0.0.1:{port}/healthz"
        self.ready_after = ready_after
        self.database = database

    def resident(self) -> float | None:
        """Give its resident memory in MB (10^6 bytes), None where the system does not tell it in /proc."""
        return self._memory("VmRSS:")

    def peak(self) -> float | None:
        """Give the most that was resident at any time, in MB, None where the system does not tell it."""
        return self._memory("VmHWM:")

    async def stop(self, seconds: float) -> float | None:
        """Send SIGTERM; give the seconds until it had ended, or None after killing it as it did not end in time."""
        began = time.monotonic()
        self.process.terminate()
        try:
            async with asyncio.timeout(seconds):
                await self.process.wait()
        except TimeoutError:
            self.process.kill()
            await self.process.wait()
            return None
        return time.monotonic() - began

    def _memory(self, name: str) -> float | None:
        try:
            status = Path(f"/proc/{self.process.pid}/status").read_text(encoding="ascii")
        except OSError:
            return None
        kilobytes = next(line.split()[1] for line in status.splitlines() if line.startswith(name))
        return int(kilobytes) * 1024 / 1e6


@asynccontextmanager
async def serving(
    folder: Path, account: Account, settings: Mapping[str, str], checkout: Path = CHECKOUT
) -> AsyncIterator[Bot]:
    """Start a bot that has seen nothing yet, its database and log in `folder`; end it afterwards.

    Its code is that of `checkout`.

    Raises BenchError if it does not get ready.
    """
    _forget(folder)
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
    variables = {
        "APP_ID": str(account.app),
        "PRIVATE_KEY": account.key,
        "WEBHOOK_SECRET": account.secret,
        "GITHUB_API_URL": account.url,
        "DATABASE_URL": f"sqlite:///{folder / DATABASE}",
        "HOST": "127.0.0.1",
        "PORT": str(port),
        "ADMIN_PORT": "0",
        **settings,
    }
    with (folder / LOG).open("wb") as log:
        began = time.monotonic()
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "bot", "serve"),
            cwd=folder,
            env={"PATH": os.defpath, "PYTHONPATH": str(checkout), **variables},
            stdout=log,
            stderr=log,
        )
        try:
            await _ready(process, f"http://127.0.0.1:{port}/readyz", folder)
            yield Bot(process, port, time.monotonic() - began, folder / DATABASE)
        finally:
            await ended(process)


def _forget(folder: Path) -> None:
    for file in folder.glob(f"{DATABASE}*"):
        file.unlink()


async def _ready(process: asyncio.subprocess.Process, url: str, folder: Path) -> None:
    try:
        async with aiohttp.ClientSession() as session, asyncio.timeout(READY_SECONDS):
            while process.returncode is None:
                with contextlib.suppress(aiohttp.ClientConnectionError):
                    async with session.get(url) as answer:
                        if answer.status == 200:
                            return
                await asyncio.sleep(POLL_SECONDS)
    except TimeoutError:
        raise BenchError(f"the bot is not ready after {READY_SECONDS:g} s; {last_words(folder)}") from None
    raise BenchError(f"the bot ended; {last_words(folder)}")


def last_words(folder: Path) -> str:
    """Quote the end of the log of the bot in `folder`."""
    log = (folder / LOG).read_text(encoding="utf-8", errors="replace")[-LOG_CHARACTERS:]
    return f"the bot says:\n{log}"


async def ended(process: asyncio.subprocess.Process) -> None:
    """End a process that was started here: asked first, then told."""
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        try:
            async with asyncio.timeout(5):
                await process.wait()
        except TimeoutError:
            process.kill()
    await process.wait()
