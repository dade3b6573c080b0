"""One installation does its worst: the dispatches of another one do not notice, and the bot ends when it is told to."""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from running import answers, free_port, rows, start

if TYPE_CHECKING:
    from asyncio.subprocess import Process
    from collections.abc import AsyncIterator

    from bench.processes import Family
    from bot.sandbox import Sandbox

ROOT = Path(__file__).parents[1]
MAPPINGS = """\
version: 1
mappings: [{ name: app, update: [{ files: values.yaml, set: { image.tag: '${{ tag }}' } }] }]
"""
# More repositories than Python's default pool has threads.
REPOSITORIES = min(32, (os.cpu_count() or 1) + 4) + 2
UNDER_WAY_SECONDS = 1.5
# Five honest dispatches take half a second when all is quiet.
HONEST_SECONDS = 15.0
# Promised in docs/operations.md.
STOP_SECONDS = 25.0
# What the bot has started ends with it, or a moment later.
END_SECONDS = 5.0


class Attack(NamedTuple):
    """The hostile repositories of one account: how many, their files, what is sent."""

    repositories: int
    files: dict[str, str]
    payload: dict[str, Any]


@pytest.fixture(autouse=True)
def importable(monkeypatch: pytest.MonkeyPatch) -> None:
    """The bench, which knows the attacks, is no installed package."""
    monkeypatch.syspath_prepend(ROOT)


def attack(kind: str) -> Attack:
    """Make the attack of one kind: each of its dispatches takes many seconds of a processor's time."""
    from bench import hostile
    from bench.files import MAPPING_PATH, TARGET

    kinds: dict[str, tuple[str, dict[str, Any]]] = {
        "patterns": (hostile.patterns(600), {"text": hostile.value(25)}),
        "long patterns": (hostile.patterns(600), {"text": hostile.value(hostile.LONG)}),
        "mapping file": (hostile.unknown_names(1400, 2500), {}),
        "payload": (hostile.lookups(), hostile.absent_names(150, 100)),
    }
    rules, payload = kinds[kind]
    return Attack(REPOSITORIES, {MAPPING_PATH: rules, TARGET: "replicas: 1\n"}, payload)


@asynccontextmanager
async def attacked(sandbox: Sandbox, folder: Path, attack: Attack) -> AsyncIterator[tuple[Process, list[str]]]:
    """A bot that computes for hostile repositories, and the ids of their deliveries; it is killed if it still runs."""
    for number in range(attack.repositories):
        sandbox.create_repository(f"hostile/gitops-{number}", attack.files)
    port = free_port()
    with (folder / "bot.log").open("wb") as log:
        process = await start(sandbox, folder, port, log, ADMIN_PORT="0")
    try:
        async with asyncio.timeout(20):
            while not await answers(port):
                assert process.returncode is None
                await asyncio.sleep(0.05)
        sandbox.webhook_url = f"http://127.0.0.1:{port}/webhook"
        sent = [
            await sandbox.dispatch(f"hostile/gitops-{number}", "x", attack.payload)
            for number in range(attack.repositories)
        ]
        await sandbox.webhooks.drained()
        await asyncio.sleep(UNDER_WAY_SECONDS)
        yield process, [delivery for delivery in sent if delivery is not None]
    finally:
        sandbox.webhook_url = None
        if process.returncode is None:
            process.kill()
        await process.wait()


async def ended(folder: Path, delivery: str) -> str:
    """Wait until a delivery has ended, and return how."""
    while (row := rows(folder).get(delivery)) is None or row.state == "pending":
        await asyncio.sleep(0.05)
    return row.state


async def gone(family: Family) -> None:
    """Wait until none of the processes runs any more; fails if that takes longer than a moment."""
    async with asyncio.timeout(END_SECONDS):
        while family.left():
            await asyncio.sleep(0.05)


@pytest.mark.parametrize("kind", ["patterns", "mapping file", "payload"])
async def test_a_hostile_installation_holds_no_other_up(kind: str, sandbox: Sandbox, tmp_path: Path) -> None:
    """Dispatches of another installation are committed, one after the other, while the hostile ones go on.

    `make bench` measures how fast, and beside a dispatch that changes many files on many branches too.
    """
    repository = sandbox.create_repository(
        "acme/gitops", {".github/pointsman.yaml": MAPPINGS, "values.yaml": "image: { tag: old }\n"}
    )
    async with attacked(sandbox, tmp_path, attack(kind)) as (_, hostile):
        states = []
        try:
            async with asyncio.timeout(HONEST_SECONDS):
                for number in range(5):
                    delivery = await sandbox.dispatch("acme/gitops", "x", {"tag": f"v{number}"})
                    assert delivery is not None
                    states.append(await ended(tmp_path, delivery))
        except TimeoutError:
            states.append("pending")
        going_on = [delivery for delivery in hostile if rows(tmp_path)[delivery].state == "pending"]
    assert states == ["committed"] * 5
    assert repository.read("values.yaml") == b"image: { tag: v4 }\n"
    # A mapping file and a payload may be refused at once: then none of their dispatches is under way any more.
    assert going_on or kind in {"mapping file", "payload"}


async def test_serve_ends_in_time_while_patterns_run(sandbox: Sandbox, tmp_path: Path) -> None:
    """25 seconds after SIGTERM nothing of it runs any more, and what has not ended is still there."""
    from bench.processes import Family

    async with attacked(sandbox, tmp_path, attack("long patterns")) as (process, hostile):
        family = Family(process.pid)
        family.look()
        process.send_signal(signal.SIGTERM)
        try:
            code = await asyncio.wait_for(process.wait(), STOP_SECONDS)
        except TimeoutError:
            pytest.fail(f"it still runs {STOP_SECONDS:g} s after SIGTERM")
        assert code == 0
        await gone(family)
    kept = rows(tmp_path)
    assert {kept[delivery].state for delivery in hostile} <= {"pending", "failed", "no_change"}


async def test_nothing_computes_for_a_bot_that_was_killed(sandbox: Sandbox, tmp_path: Path) -> None:
    """SIGKILL while patterns run: whatever computes for the bot ends with it."""
    from bench.processes import Family

    async with attacked(sandbox, tmp_path, attack("long patterns")) as (process, _):
        family = Family(process.pid)
        family.look()
        process.kill()
        await process.wait()
        await gone(family)
