"""The bot as it is used: started on a free port, or its worker alone, which then drains when the test says so."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import sqlite3
import sys
import uuid
from contextlib import asynccontextmanager, closing
from datetime import UTC, datetime
from typing import IO, TYPE_CHECKING, Any, NamedTuple

import aiohttp
from openapi import Checker

from bot import app, settings, telemetry
from bot.compute.in_place import InPlace
from bot.core import trigger
from bot.core.model import Actor, Delivery
from bot.core.model import Repository as Named
from bot.flows.rules import MappingSource
from bot.github import GitHub
from bot.github.quota import Quota
from bot.inbox.sqlite import SQLiteInbox
from bot.sandbox.events import dispatch_payload
from bot.web import keys
from bot.worker import Worker

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from bot.core.retry import Retry
    from bot.core.rhythm import Rhythm
    from bot.sandbox import Repository, Sandbox

DATABASE = "pointsman.db"
# What GitHub says when it refuses, for faults: the description wants both names.
REFUSAL = {"message": "Something went wrong", "documentation_url": "https://docs.github.com/rest"}


def environment(sandbox: Sandbox, folder: Path, **variables: str) -> dict[str, str]:
    """Return the variables that point the bot at the sandbox."""
    return {
        "APP_ID": str(sandbox.app.id),
        "PRIVATE_KEY": sandbox.app.private_key,
        "WEBHOOK_SECRET": sandbox.app.webhook_secret,
        "GITHUB_API_URL": sandbox.url,
        "DATABASE_URL": f"sqlite:///{folder / DATABASE}",
        # Several bots run on one machine.
        "ADMIN_PORT": "0",
        # The sandbox does not mind, and tests that commit often need not wait.
        "QUOTA_WRITE_INTERVAL": "0",
        "RHYTHM_INTERVAL": "0",
        **variables,
    }


async def within_the_hour(sandbox: Sandbox) -> None:
    """Wait for the next hour where this one ends soon: the primary limits renew with it."""
    left = 3600 - sandbox.clock() % 3600
    if left < 10:
        await asyncio.sleep(left + 0.1)


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
    return port


async def start(
    sandbox: Sandbox,
    folder: Path,
    port: int,
    output: IO[bytes] | int = asyncio.subprocess.PIPE,
    open_files: int | None = None,
    **variables: str,
) -> asyncio.subprocess.Process:
    """Start `python -m bot serve` as its own process; what it says goes to `output`, both streams.

    With `open_files` it may have so many files open at a time.
    """
    where = {"HOST": "127.0.0.1", "PORT": str(port), "LOG_FORMAT": "json"}
    env = {**os.environ, **environment(sandbox, folder, **where, **variables)}
    command: tuple[str, ...] = (sys.executable, "-m", "bot", "serve")
    if open_files is not None:
        command = ("sh", "-c", f'ulimit -n {open_files} && exec "$@"', "sh", *command)
    return await asyncio.create_subprocess_exec(*command, env=env, stdout=output, stderr=output)


async def answers(port: int) -> bool:
    """Whether a bot listens on this port; it says that it is ready then."""
    try:
        async with aiohttp.ClientSession() as session, session.get(f"http://127.0.0.1:{port}/readyz") as response:
            assert response.status == 200
    except aiohttp.ClientError:
        return False
    return True


class Row(NamedTuple):
    """What the inbox keeps of a delivery; `commit` is that of its only branch, if it has one."""

    state: str
    reason: str
    attempts: int
    commit: str | None
    body: bytes


class Effect(NamedTuple):
    """What the inbox keeps of a delivery on one branch."""

    branch: str
    state: str
    reason: str
    commit: str | None


def rows(folder: Path) -> dict[str, Row]:
    """Return what the inbox keeps, by delivery id in the order of arrival."""
    with closing(sqlite3.connect(folder / DATABASE)) as connection:
        found = connection.execute(
            "SELECT id, state, reason, attempts,"
            " (SELECT commit_oid FROM effects WHERE delivery = id), body FROM deliveries ORDER BY seq"
        )
        return {row[0]: Row(*row[1:]) for row in found}


def effects(folder: Path, delivery: str) -> list[Effect]:
    """Return how a delivery ended on each branch, by the branch's name."""
    with closing(sqlite3.connect(folder / DATABASE)) as connection:
        found = connection.execute(
            "SELECT branch, state, reason, commit_oid FROM effects WHERE delivery = ? ORDER BY branch", [delivery]
        )
        return [Effect(*row) for row in found]


def logged(text: str) -> list[dict[str, Any]]:
    """Return the events in what the bot wrote to standard error."""
    return [json.loads(line) for line in text.splitlines() if line.startswith("{")]


class Bot:
    """A running bot and what a test wants of it: `url` is that of PORT, `admin` that of ADMIN_PORT."""

    def __init__(self, serving: app.Serving, folder: Path) -> None:
        self.application = serving.application
        self.url = f"http://{serving.addresses[0]}"
        self.admin = f"http://{serving.admin_addresses[0]}"
        self.folder = folder

    async def ended(self, delivery: str | None, seconds: float = 10.0) -> Any:
        """Wait until a delivery has ended, and return how."""
        assert delivery is not None
        async with asyncio.timeout(seconds):
            while (state := await self.application[keys.INBOX].state(delivery)) in {None, "pending"}:
                await asyncio.sleep(0.01)
        return state

    def row(self, delivery: str | None) -> Row:
        """Return what the inbox keeps of a delivery."""
        assert delivery is not None
        return rows(self.folder)[delivery]


@asynccontextmanager
async def running(sandbox: Sandbox, folder: Path, **variables: str) -> AsyncIterator[Bot]:
    """Start the bot, let the sandbox's webhooks come to it, and stop it in the end.

    All that it says to the sandbox must be as GitHub describes it.
    """
    where = {"HOST": "127.0.0.1", "PORT": "0"}
    loaded = settings.load(environment(sandbox, folder, **where, **variables))
    telemetry.configure("debug", "json")
    checker = Checker()
    sandbox.observer = checker.observe
    async with app.serving(loaded) as serving:
        sandbox.webhook_url = f"http://{serving.addresses[0]}/webhook"
        yield Bot(serving, folder)
        await sandbox.webhooks.drained()
    assert checker.found == [], checker.found


class Bench:
    """The worker on the real inbox and the real adapter, without engine and web: it drains when it is told to."""

    def __init__(self, sandbox: Sandbox, folder: Path, worker: Worker, inbox: SQLiteInbox, forge: GitHub) -> None:
        self.sandbox = sandbox
        self.folder = folder
        self.worker = worker
        self.inbox = inbox
        self.forge = forge

    async def store(
        self,
        repository: Repository,
        payload: Any,
        event_type: str = "update-gitops-repo",
        *,
        origin: datetime | None = None,
        event: str = trigger.DISPATCH,
    ) -> str:
        """Store a dispatch as the webhook would, or as one that came about at `origin`; return its delivery id.

        Another `event` gets the body of a dispatch, with which it has nothing to say.
        """
        body = dispatch_payload(self.sandbox, repository, "octocat", event_type, payload)
        delivery = Delivery(
            id=str(uuid.uuid4()),
            event=event,
            actor=Actor("webhook", "octocat", 583231),
            target=repository.id,
            body=json.dumps(body).encode(),
            origin=origin or datetime.now(UTC),
        )
        assert await self.inbox.add(delivery)
        return delivery.id

    async def drain(self, repository: Repository) -> float | None:
        """Drain the repository once, as if all pauses were over; return the one that the worker asks for."""
        self.inbox._connection.execute("UPDATE deliveries SET not_before = 0")
        pause = await self.worker.drain(repository.id)
        await self.worker.settle()
        return pause

    async def say_again(self) -> None:
        """Say once what could not be said, as if all pauses were over."""
        self.inbox._connection.execute("UPDATE reports SET not_before = 0")
        await self.worker.say_again()
        await self.worker.settle()

    def unsaid(self) -> list[tuple[str, int, str]]:
        """Return what is still to be said: the name of the check run, attempts, and why the last one failed."""
        rows = self.inbox._connection.execute("SELECT name, attempts, reason FROM reports ORDER BY id")
        return [tuple(row) for row in rows]

    async def dispatch(self, repository: Repository, payload: Any, event_type: str = "update-gitops-repo") -> Row:
        """Store a dispatch, drain once, and return what became of it."""
        delivery = await self.store(repository, payload, event_type)
        await self.drain(repository)
        return self.row(delivery)

    def has_bug(self, times: int = 1, skip: int = 0) -> None:
        """Let reading a branch raise what no adapter should: after `skip` that pass, so many times."""
        bugs = iter([None] * skip + [KeyError("repository")] * times)

        async def read(*args: Any, **options: Any) -> Any:
            bug = next(bugs, None)
            if bug is not None:
                raise bug
            return await working(*args, **options)

        working, self.forge._open = self.forge._open, read  # type: ignore[method-assign]

    def later(self) -> None:
        """Let the pauses be over that GitHub asked for."""
        self.forge._apis.clear()
        self.forge._governors.clear()

    def row(self, delivery: str) -> Row:
        """Return what the inbox keeps of a delivery."""
        return rows(self.folder)[delivery]


@asynccontextmanager
async def draining(  # noqa: PLR0913 - what a test may want to be different
    sandbox: Sandbox,
    folder: Path,
    *,
    prefix: str = "",
    retry: Retry | None = None,
    source: MappingSource | None = None,
    rhythm: Rhythm | None = None,
) -> AsyncIterator[Bench]:
    """Make a worker that drains by hand. `prefix` is "/api/v3" for the addresses of an Enterprise Server."""
    telemetry.configure("debug", "json")
    checker = Checker()
    sandbox.observer = checker.observe
    inbox = SQLiteInbox(folder / DATABASE)
    try:
        async with aiohttp.ClientSession() as session:
            quota = Quota(write_interval=0)
            forge = GitHub(session, sandbox.url + prefix, sandbox.app.id, sandbox.app.private_key, InPlace(), quota)
            worker = Worker(inbox, forge, InPlace(), source or MappingSource(), retry, rhythm)
            yield Bench(sandbox, folder, worker, inbox, forge)
    finally:
        inbox.close()
    assert checker.found == [], checker.found


def named(sandbox: Sandbox, repository: Repository) -> Named:
    """Return a repository of the sandbox as the bot knows it."""
    installation = sandbox.installation_of(repository)
    assert installation is not None
    return Named(repository.id, repository.full_name, repository.default_branch, installation.id)
