"""A process sleeps in the middle of a write and wakes when another one has gone on: nothing is lost or done twice."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from running import DATABASE, environment, free_port, rows
from sleeper import PLACES
from test_restart import ended, serving
from written import AUTHOR, MAPPINGS, TWO, gitops_with, tag, trailers

if TYPE_CHECKING:
    from asyncio.subprocess import Process
    from collections.abc import AsyncIterator

    from bot.sandbox import Sandbox

# Where it sleeps, and by which way it writes.
CASES = [
    *(pytest.param(place, MAPPINGS, id=place) for place in PLACES),
    pytest.param("before-request", AUTHOR, id="before-request, contents"),
    pytest.param("before-request", TWO, id="before-request, git data"),
]


@asynccontextmanager
async def asleep(
    sandbox: Sandbox, folder: Path, place: str, payload: dict[str, str]
) -> AsyncIterator[tuple[Process, str]]:
    """Give a process that sleeps at a place of writing what `payload` asks for, and the delivery.

    The lock of the database is lost meanwhile, as on a file system that does not keep it: another process may start.
    """
    port = free_port()
    variables = environment(sandbox, folder, HOST="127.0.0.1", PORT=str(port), LOG_FORMAT="json")
    program = str(Path(__file__).with_name("sleeper.py"))
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        program,
        place,
        env={**os.environ, **variables},
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    sandbox.webhook_url = f"http://127.0.0.1:{port}/webhook"
    try:
        await listening(port)
        delivery = await sandbox.dispatch("acme/gitops", "x", payload)
        assert delivery is not None
        await stopped(process.pid)
        (folder / f"{DATABASE}.lock").unlink()
        yield process, delivery
    finally:
        process.kill()
        await process.wait()


async def listening(port: int) -> None:
    """Wait until somebody listens on a port."""
    async with asyncio.timeout(20):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.05)
            else:
                writer.close()
                return


async def stopped(pid: int) -> None:
    """Wait until a process has been stopped by a signal."""
    async with asyncio.timeout(20):
        while os.waitid(os.P_PID, pid, os.WSTOPPED | os.WNOHANG | os.WNOWAIT) is None:  # noqa: ASYNC222 - returns at once
            await asyncio.sleep(0.02)


async def moved(sandbox: Sandbox, head: str) -> None:
    """Wait until the branch is not at a commit any more."""
    async with asyncio.timeout(20):
        while sandbox.repository("acme/gitops").head() == head:
            await asyncio.sleep(0.005)


@pytest.mark.parametrize(("place", "mappings"), CASES)
async def test_who_wakes_takes_nothing_back(sandbox: Sandbox, tmp_path: Path, place: str, mappings: str) -> None:
    """The other one's answer got lost when the sleeper wakes: its commit is looked for all the same, and found."""
    repository = gitops_with(sandbox, mappings)
    base = repository.head()
    async with asleep(sandbox, tmp_path, place, {"tag": "2-dev"}) as (sleeper, delivery):
        if place != "after-answer":  # else the branch has the commit already, and the other one finds it
            sandbox.faults.cause("502 after", moves=True)
        async with serving(sandbox, tmp_path):
            await moved(sandbox, base)
            sleeper.send_signal(signal.SIGCONT)
            assert await ended(tmp_path, delivery) == "committed"
            assert "(found after its answer was lost)" in rows(tmp_path)[delivery].reason
            newer = await sandbox.dispatch("acme/gitops", "x", {"tag": "3-dev"})
            assert newer is not None
            assert await ended(tmp_path, newer) == "committed"
    assert (tag(repository), trailers(repository)) == ("3-dev", [delivery, newer])
