"""What `/healthz` and `/readyz` say, on which port, and what they do not."""

from __future__ import annotations

import asyncio
import os
import subprocess
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
from running import DATABASE, logged, running
from strangers import ask, head
from test_bodies import signed

from bot.inbox.file import probe
from bot.inbox.sqlite import SQLiteInbox
from bot.web import keys, watch
from bot.web.health import Health

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from bot.sandbox import Sandbox


async def get(url: str) -> tuple[int, Any]:
    """Return status and body of a GET."""
    async with aiohttp.ClientSession() as session, session.get(url) as answer:
        return answer.status, await answer.json()


@contextmanager
def small_disk(folder: Path) -> Iterator[Path]:
    """Mount a file system of four megabytes; skips the test if that is not allowed."""
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", folder], capture_output=True, text=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"mounting is not allowed: {mounted.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


def fill(disk: Path) -> Path:
    """Write until the disk is full, and return the file."""
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(os.urandom(4096))
        except OSError:
            return filler


async def becomes(url: str, status: int) -> Any:
    """Wait until a route answers with `status`, and return the body."""
    async with asyncio.timeout(10):
        while True:
            answer, body = await get(url)
            if answer == status:
                return body
            await asyncio.sleep(0.05)


async def test_a_full_disk_is_not_ready_until_it_has_room_again(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """503 on both ports while nothing can be stored, 200 when it can; the log says it once each time."""
    monkeypatch.setattr("bot.web.watch.PROBE_SECONDS", 0.1)
    with small_disk(tmp_path / "disk") as disk:
        async with running(sandbox, tmp_path, DATABASE_URL=f"sqlite:///{disk / 'x.db'}") as bot:
            assert await get(f"{bot.url}/readyz") == (200, {"status": "ok"})
            filler = fill(disk)
            assert await becomes(f"{bot.url}/readyz", 503) == {"status": "deliveries cannot be stored"}
            assert (await get(f"{bot.admin}/readyz"))[0] == 503
            assert (await get(f"{bot.url}/healthz"))[0] == 200
            await asyncio.sleep(1)
            filler.unlink()
            assert await becomes(f"{bot.url}/readyz", 200) == {"status": "ok"}
            assert (await ask(bot.url, signed(sandbox, b"{}"))).status == 202
    events = [line["event"] for line in logged(capsys.readouterr().err)]
    assert events.count("deliveries cannot be stored") == events.count("deliveries can be stored again") == 1


def test_the_probe_needs_room_even_when_the_log_is_written_over(tmp_path: Path) -> None:
    """After a checkpoint SQLite needs no new space for a small write: a full disk must fail all the same."""
    with small_disk(tmp_path / "disk") as disk:
        path = disk / "x.db"
        inbox = SQLiteInbox(path)
        for _ in range(3):
            probe(path)
        inbox._connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
        filler = fill(disk)
        with pytest.raises(OSError, match="No space left on device"):
            probe(path)
        filler.unlink()
        probe(path)
        assert (disk / "x.db.lock").stat().st_size == 0
        inbox.close()


async def test_a_database_that_cannot_be_written_is_not_ready(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever keeps a write from succeeding, not only the disk."""
    monkeypatch.setattr("bot.web.watch.PROBE_SECONDS", 0.1)
    async with running(sandbox, tmp_path) as bot:
        inbox: Any = bot.application[keys.INBOX]
        inbox._connection.execute("ALTER TABLE probe RENAME TO gone")
        assert await becomes(f"{bot.url}/readyz", 503) == {"status": "deliveries cannot be stored"}


async def test_a_write_that_hangs_is_not_ready(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another process holds the database: before its time is over, readiness says so, and comes back."""
    monkeypatch.setattr("bot.web.watch.PROBE_SECONDS", 0.1)
    monkeypatch.setattr("bot.web.watch.PROBE_TIMEOUT_SECONDS", 0.3)
    async with running(sandbox, tmp_path) as bot:
        inbox: Any = bot.application[keys.INBOX]
        inbox._connection.execute("BEGIN IMMEDIATE")
        assert await becomes(f"{bot.url}/readyz", 503) == {"status": "a write to the database does not end"}
        inbox._connection.execute("COMMIT")
        assert await becomes(f"{bot.url}/readyz", 200) == {"status": "ok"}
    assert (tmp_path / DATABASE).exists()


async def test_a_loop_that_stands_still_is_shown_and_takes_nothing_out_of_service(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One tenant can slow down every replica: 200 with `degraded`, and one line in the log at each end."""
    monkeypatch.setattr("bot.web.watch.CALM_SECONDS", 2.0)
    async with running(sandbox, tmp_path) as bot:
        for _ in range(2):
            await asyncio.sleep(0.6)
            time.sleep(1.7)  # noqa: ASYNC251 - stands for work that holds the loop up
        await asyncio.sleep(0.1)
        status, body = await get(f"{bot.url}/readyz")
        assert (status, body["status"], list(body["degraded"])) == (200, "ok", ["event loop"])
        async with asyncio.timeout(10):
            while "degraded" in (await get(f"{bot.admin}/readyz"))[1]:
                await asyncio.sleep(0.1)
    events = [line["event"] for line in logged(capsys.readouterr().err)]
    assert (events.count("degraded"), events.count("recovered")) == (1, 1)


async def test_readiness_tells_nothing_of_tenants(sandbox: Sandbox, tmp_path: Path) -> None:
    """How many repositories have work is nobody's business on the internet."""
    async with running(sandbox, tmp_path) as bot:
        assert await get(f"{bot.url}/readyz") == (200, {"status": "ok"})


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
async def test_health_is_on_both_ports_and_webhooks_on_one(sandbox: Sandbox, tmp_path: Path, path: str) -> None:
    """ADMIN_PORT takes no webhook."""
    async with running(sandbox, tmp_path) as bot:
        for url in (bot.url, bot.admin):
            assert (await ask(url, head("GET", path))).status == 200
        assert (await ask(bot.admin, signed(sandbox, b"{}"))).status == 404


async def test_while_it_ends_it_is_alive_and_not_ready(sandbox: Sandbox, tmp_path: Path) -> None:
    """A drain under way may take 25 seconds after SIGTERM: ADMIN_PORT answers meanwhile, PORT is closed."""
    gitops = sandbox.create_repository("acme/gitops", {".github/pointsman.yaml": "version: 1\nmappings: []\n"})
    arrived, go = asyncio.Event(), asyncio.Event()

    async def hold() -> None:
        arrived.set()
        await go.wait()

    sandbox.before(hold, operation="Open")
    context = running(sandbox, tmp_path)
    bot = await context.__aenter__()
    await sandbox.dispatch(gitops.full_name, "x", {})
    await arrived.wait()
    ending = asyncio.create_task(context.__aexit__(None, None, None))
    assert await becomes(f"{bot.admin}/readyz", 503) == {"status": "stopping"}
    assert (await get(f"{bot.admin}/healthz"))[0] == 200
    await asyncio.sleep(0.2)
    with pytest.raises(aiohttp.ClientConnectionError):
        await get(f"{bot.url}/healthz")
    go.set()
    await ending


def test_a_degradation_is_named_until_it_is_over() -> None:
    """Several may hold at once; each ends by itself."""
    health = Health()
    assert health.reason == "starting"
    health.stored()
    health.degrade("a", "one")
    health.degrade("b", "two")
    health.degrade("a", "three")
    assert health.degraded == {"a": "three", "b": "two"}
    health.recover("a")
    health.recover("c")
    assert health.degraded == {"b": "two"}
    assert not health.reason


async def test_jobs_that_wait_long_are_told_and_take_no_replica_out_of_service() -> None:
    """One tenant's rules may do that to every replica at once."""
    health, waits = Health(), [watch.STARVING_SECONDS + 1]
    health.stored()
    task = asyncio.create_task(watch.computing(health, lambda: waits[0]))
    await asyncio.sleep(0)
    assert health.reason is None
    assert health.degraded == {"computing": "rules wait 21 seconds for a process: raise COMPUTE_PROCESSES"}
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
