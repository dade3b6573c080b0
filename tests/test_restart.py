"""The process dies, stops, or is started twice: what was answered with 202 is done, once."""

from __future__ import annotations

import asyncio
import json
import signal
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from running import answers, free_port, rows, start

if TYPE_CHECKING:
    from asyncio.subprocess import Process
    from collections.abc import AsyncIterator
    from pathlib import Path

    from bot.sandbox import Repository, Sandbox

MAPPINGS = """\
version: 1
mappings: [{ name: app, update: [{ files: values.yaml, set: { image.tag: '${{ tag }}' } }] }]
"""


def gitops(sandbox: Sandbox) -> Repository:
    return sandbox.create_repository(
        "acme/gitops", {".github/pointsman.yaml": MAPPINGS, "values.yaml": "image: { tag: old }\n"}
    )


@asynccontextmanager
async def serving(sandbox: Sandbox, folder: Path) -> AsyncIterator[Process]:
    """A process that answers, killed in the end if it still runs."""
    port = free_port()
    process = await start(sandbox, folder, port)
    sandbox.webhook_url = f"http://127.0.0.1:{port}/webhook"
    try:
        async with asyncio.timeout(20):
            while not await answers(port):
                assert process.returncode is None
                await asyncio.sleep(0.05)
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def ended(folder: Path, delivery: str) -> str:
    """Wait until a delivery has ended, looking from outside, and return how."""
    async with asyncio.timeout(10):
        while (row := rows(folder).get(delivery)) is None or row.state == "pending":
            await asyncio.sleep(0.05)
    return row.state


async def test_a_delivery_that_was_answered_survives_a_kill(sandbox: Sandbox, tmp_path: Path) -> None:
    """SIGKILL while GitHub is being asked, right after the 202: the next start makes the commit, one."""
    repository = gitops(sandbox)
    asked, never = asyncio.Event(), asyncio.Event()

    async def hold() -> None:
        asked.set()
        await never.wait()

    sandbox.before(hold, operation="Open")
    async with serving(sandbox, tmp_path) as process:
        delivery = await sandbox.dispatch("acme/gitops", "x", {"tag": "new"})
        assert delivery is not None
        await sandbox.webhooks.drained()
        assert sandbox.webhooks.deliveries[-1].status_code == 202
        async with asyncio.timeout(10):
            await asked.wait()
        process.kill()
        await process.wait()
    never.set()
    assert rows(tmp_path)[delivery].state == "pending"
    async with serving(sandbox, tmp_path):
        assert await ended(tmp_path, delivery) == "committed"
    assert repository.read("values.yaml") == b"image: { tag: new }\n"
    assert [f"Pointsman-Delivery: {delivery}" in entry.message for entry in repository.log()] == [True, False]


async def test_a_stop_finishes_what_is_in_flight(sandbox: Sandbox, tmp_path: Path) -> None:
    """SIGTERM while GitHub answers slowly: commit and check run are made, and the process ends with 0."""
    repository = gitops(sandbox)
    sandbox.latency = 0.1
    asked = asyncio.Event()
    sandbox.before(asked.set, operation="Open")
    async with serving(sandbox, tmp_path) as process:
        delivery = await sandbox.dispatch("acme/gitops", "x", {"tag": "new"})
        assert delivery is not None
        async with asyncio.timeout(10):
            await asked.wait()
        process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(15):
            output, errors = await process.communicate()
    assert process.returncode == 0
    assert output == b""
    assert rows(tmp_path)[delivery].state == "committed"
    assert [run["conclusion"] for run in repository.check_runs(repository.head())] == ["success"]
    assert [json.loads(line)["level"] for line in errors.splitlines() if b'"error"' in line] == []


async def test_a_second_process_on_one_database_does_not_start(sandbox: Sandbox, tmp_path: Path) -> None:
    """Two would do the work twice: the second ends with 2 and a sentence, the first goes on."""
    repository = gitops(sandbox)
    async with serving(sandbox, tmp_path):
        second = await start(sandbox, tmp_path, free_port())
        async with asyncio.timeout(20):
            output, errors = await second.communicate()
        assert second.returncode == 2
        assert output == b""
        assert errors.decode().splitlines()[-1] == (
            f"DATABASE_URL: another process is using {tmp_path / 'pointsman.db'}; stop it, or name another file"
        )
        assert b"Traceback" not in errors
        delivery = await sandbox.dispatch("acme/gitops", "x", {"tag": "new"})
        assert delivery is not None
        assert await ended(tmp_path, delivery) == "committed"
    assert repository.read("values.yaml") == b"image: { tag: new }\n"
