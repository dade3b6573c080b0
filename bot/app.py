"""The only composition root: Settings → adapters → an aiohttp application."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

import structlog
from aiohttp import web

from bot import __version__
from bot.compute.pool import Pool
from bot.core import mapping_file
from bot.core.retry import Retry
from bot.core.rhythm import Rhythm
from bot.core.yaml import Limits
from bot.errors import InputError
from bot.files import read_bytes
from bot.flows.accounts import AllowedAccounts
from bot.flows.intake import Intake
from bot.flows.replay import ReplayCheck
from bot.flows.rules import CpuSeconds, MappingSource
from bot.flows.sweep import Sweep
from bot.github import GitHub, connect
from bot.github.quota import Quota
from bot.identity.webhook import WebhookSecret
from bot.inbox.embedded import EmbeddedEngine
from bot.inbox.file import checkpoint, probe
from bot.inbox.records import retain
from bot.inbox.sqlite import SQLiteInbox
from bot.setting_urls import proxy_address
from bot.web import descriptors, health, keys, watch, webhook
from bot.web.body import MAX_BODY, Bodies
from bot.web.door import Door
from bot.web.errors import errors
from bot.web.health import HEALTH, Health
from bot.worker import Worker

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence

    from bot.settings import Settings

log = structlog.get_logger(__name__)

# Orchestrators send SIGKILL half a minute after SIGTERM; what is left then is taken up at the next start.
GRACE_SECONDS = 25.0
# The time for reports at the stop: they should say what landed, but the process must not be killed over them.
REPORT_SECONDS = 3.0
# How often the engine looks for work in the database, which `pointsman deliveries replay` changes from outside.
LOOK_SECONDS = 2.0
RETENTION_SECONDS = 3600.0
# How often we check whether a delivery that is held back is due for a look at GitHub's list.
HELD_SECONDS = 1.0
# The write-ahead log of the database grows by some megabytes a second while webhooks pour in.
CHECKPOINT_SECONDS = 2.0

# Strangers reach PUBLIC_ROUTES on PORT. A route that tells more than health belongs to ADMIN_PORT alone.
PUBLIC_ROUTES = (*webhook.routes, *health.routes)
ADMIN_ROUTES = (*health.routes,)


class ListenError(Exception):
    """A port cannot be listened on."""

    def __init__(self, setting: str, address: str, error: OSError) -> None:
        super().__init__(f"{setting}: cannot listen on {address}: {error}")
        # PORT or ADMIN_PORT.
        self.setting = setting
        # HOST:PORT
        self.address = address
        self.error = error


@dataclass(frozen=True, slots=True)
class Serving:
    """The bot, listening."""

    application: web.Application
    addresses: Sequence[str]
    """HOST:PORT of each socket that listens on PORT."""
    admin_addresses: Sequence[str]
    """HOST:PORT of each socket that listens on ADMIN_PORT."""


@asynccontextmanager
async def serving(settings: Settings) -> AsyncIterator[Serving]:
    """Run the bot and listen on PORT and ADMIN_PORT until the context is left.

    At the end PORT accepts no more connections, drains under way end, and ADMIN_PORT answers until they have. Raises
    ListenError, and InputError for what is wrong with the settings.
    """
    application = make(settings)
    connections = connections_of(settings)
    if connections.public < (settings.max_connections or 0):
        log.warning(
            "fewer connections than MAX_CONNECTIONS: raise the limit of open files (ulimit -n)",
            connections=connections.public,
            open_files=descriptors.limit_of_open_files(),
        )
    public = Door(application, connections.public)
    admin = Door(make_admin(application), descriptors.ADMIN_CONNECTIONS)
    try:
        await public.start()
        await admin.start()
        addresses = await _listen(public, settings.host, settings.port, "PORT")
        admin_addresses = await _listen(admin, settings.host, settings.admin_port, "ADMIN_PORT")
        log.info(
            "started",
            version=__version__,
            listening=", ".join(addresses),
            admin=", ".join(admin_addresses),
            connections=connections.public,
            github=settings.api_url,
            **({"proxy": proxy_address(settings.proxy)} if settings.proxy else {}),
            webhook_secrets=len(settings.webhook_secrets),
            database=str(settings.database),
        )
        yield Serving(application, addresses, admin_addresses)
    finally:
        application[HEALTH].stop()
        await public.close()
        await admin.close()


async def _listen(door: Door, host: str, port: int, setting: str) -> list[str]:
    try:
        return await door.listen(host, port)
    except OSError as error:
        raise ListenError(setting, f"{host}:{port}", error) from error


def connections_of(settings: Settings) -> descriptors.Connections:
    """Return how many connections there may be, below the limit of open files."""
    open_files = descriptors.limit_of_open_files()
    return descriptors.share_out(open_files, settings.max_connections, settings.compute_processes)


def make_admin(application: web.Application) -> web.Application:
    """Return the application for ADMIN_PORT, which shows what `application` knows of itself."""
    admin = web.Application(middlewares=[errors])
    admin.add_routes(ADMIN_ROUTES)
    admin[HEALTH] = application[HEALTH]
    return admin


def make(settings: Settings) -> web.Application:
    """Return the application. Everything that runs starts and ends with it."""
    app = web.Application(client_max_size=MAX_BODY, middlewares=[errors])
    app.add_routes(PUBLIC_ROUTES)
    app[HEALTH] = Health()
    app[keys.BODIES] = Bodies(settings.body_timeout)
    app[keys.VERIFY_WEBHOOK] = WebhookSecret(*settings.webhook_secrets)
    app[keys.CLOCK] = lambda: datetime.now(UTC)

    async def adapters(app: web.Application) -> AsyncIterator[None]:
        source = mapping_source(settings)
        inbox = SQLiteInbox(settings.database)
        async with AsyncExitStack() as stack:
            stack.callback(inbox.close)
            session = await stack.enter_async_context(connect(connections_of(settings).github, settings.proxy))
            compute = Pool(settings.compute_processes, settings.compute_memory)
            stack.push_async_callback(compute.close)
            await stack.enter_async_context(background(compute.warm_up()))
            forge = GitHub(session, settings.api_url, settings.app_id, settings.private_key, compute, quota(settings))
            retry = Retry(settings.retry_attempts, longest=settings.retry_longest)
            rhythm = Rhythm(settings.rhythm_interval, settings.rhythm_burst)
            worker = Worker(inbox, forge, compute, source, retry, rhythm)
            engine = EmbeddedEngine(inbox, worker.drain)
            accounts = AllowedAccounts(settings.allowed_accounts, inbox.holds)
            await accounts.load()
            await stack.enter_async_context(background(accounts.resolve(forge.installations)))
            await accounts.settle()
            app[keys.INBOX] = inbox
            intake = app[keys.INTAKE] = Intake(inbox, engine, compute, accounts)
            await inbox.resume()  # the event that frees a waiting delivery may have come while the bot was down
            await stack.enter_async_context(every(LOOK_SECONDS, engine.start))
            saying = await stack.enter_async_context(AsyncExitStack())
            await saying.enter_async_context(every(LOOK_SECONDS, worker.say_again))
            await stack.enter_async_context(every(CHECKPOINT_SECONDS, lambda: tidy(settings)))
            check = ReplayCheck(forge.deliveries, inbox.holds, engine, app[keys.CLOCK])
            await stack.enter_async_context(every(HELD_SECONDS, check.look))
            sweep = Sweep(forge.deliveries, inbox, intake, app[keys.CLOCK])
            await stack.enter_async_context(background(sweep.run(settings.sweep_interval)))
            await stack.enter_async_context(every(RETENTION_SECONDS, lambda: forget(settings)))
            await stack.enter_async_context(watching(app[HEALTH], settings, compute))
            yield
            log.info("stopping")
            compute.stop()
            if not await engine.stop(GRACE_SECONDS):
                log.warning("stopped with work under way; it is taken up at the next start")
            await saying.aclose()
            await worker.settle(REPORT_SECONDS)

    app.cleanup_ctx.append(adapters)
    return app


@asynccontextmanager
async def watching(health: Health, settings: Settings, compute: Pool) -> AsyncIterator[None]:
    """Keep `health` up to date until the context is left."""
    thread = ThreadPoolExecutor(1, "probe")
    storage = watch.Storage(health, thread, partial(probe, settings.database))
    await storage.look()
    async with AsyncExitStack() as stack:
        stack.callback(thread.shutdown, wait=False)
        await stack.enter_async_context(background(storage.watch()))
        await stack.enter_async_context(background(watch.event_loop(health)))
        await stack.enter_async_context(background(watch.computing(health, compute.longest_wait)))
        yield


@asynccontextmanager
async def every(seconds: float, work: Callable[[], Awaitable[None]]) -> AsyncIterator[None]:
    """Do `work` at once and then every `seconds`, until the context is left. Errors are logged and end nothing."""

    async def repeat() -> None:
        while True:
            try:
                await work()
            except Exception:
                log.exception("background work failed")
            await asyncio.sleep(seconds)

    async with background(repeat()):
        yield


@asynccontextmanager
async def background(work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Let `work` go on until the context is left."""
    task = asyncio.create_task(work)
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def tidy(settings: Settings) -> None:
    """Empty the write-ahead log of the database, unless somebody reads the database."""
    await asyncio.to_thread(checkpoint, settings.database)


async def forget(settings: Settings) -> None:
    """Remove rows from the database that are older than the settings allow."""
    rows = await retain(settings.database, settings.retention_days, settings.replay_days)
    if rows:
        log.info("forgot", rows=rows, days=settings.retention_days)


def quota(settings: Settings) -> Quota:
    """Return the quota of an installation as it is set."""
    return Quota(
        settings.quota_writes_minute,
        settings.quota_writes_hour,
        settings.quota_write_interval,
        settings.quota_concurrent,
        settings.quota_rest_points,
        settings.quota_graphql_points,
        settings.quota_patience,
    )


def mapping_source(settings: Settings) -> MappingSource:
    """Return the limits that are set, and the server's own mapping file, if there is one, read and checked.

    Raises InputError with all that is wrong in it.
    """
    limits = Limits(
        settings.edit_max_bytes, settings.edit_max_depth, settings.edit_max_documents, settings.edit_max_events
    )
    seconds = CpuSeconds(settings.delivery_cpu_seconds, settings.mappings_cpu_seconds)
    shared = MappingSource(organization=settings.org_mappings, limits=limits, seconds=seconds)
    file = settings.mappings_file
    if file is None:
        return shared
    # Users read this name on GitHub: it does not tell the folder on the server.
    name = f"MAPPINGS_FILE {file.name}"
    try:
        text = read_bytes(file)
    except (InputError, OSError) as error:
        raise InputError(f"MAPPINGS_FILE: cannot read '{file}': {error}") from error
    try:
        mapping_file.parse(text.decode(), name)
    except UnicodeDecodeError as error:
        raise InputError(f"MAPPINGS_FILE: cannot read '{file}': {error}") from error
    return replace(shared, name=name, text=text)
