"""What one repository's rules cost is theirs: budgets, and processes that end, as the service meets them."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING

from running import rows, running

from bot.app import GRACE_SECONDS

if TYPE_CHECKING:
    from bot.sandbox import Repository, Sandbox

# Each of its patterns stops far below the half second that one may take.
PATTERNS = (
    "version: 1\nmappings:\n  - name: many\n    when: { any: [%s] }\n    update: [{ files: v.yaml, set: { a: b } }]\n"
)
FINE = """\
version: 1
mappings:
  - name: fine
    when: { tag: '.*' }
    update: [{ files: v.yaml, set: { image.tag: '${{ tag }}' } }]
"""


def gitops(sandbox: Sandbox, name: str, mappings: str) -> Repository:
    """Make a repository with these mappings and a file."""
    files = {".github/pointsman.yaml": mappings, "v.yaml": "image: { tag: old }\n"}
    return sandbox.create_repository(name, files)


async def test_a_delivery_that_takes_more_than_its_cpu_time_fails(sandbox: Sandbox, tmp_path: Path) -> None:
    """Many patterns that each stay below their limit: it ends with a sentence that names the mapping and the remedy."""
    slow = ", ".join("{ tag: '(?:a|aa)+$' }" for _ in range(1000))
    gitops(sandbox, "acme/slow", PATTERNS % slow)
    async with running(sandbox, tmp_path, DELIVERY_CPU_SECONDS="1") as bot:
        delivery = await sandbox.dispatch("acme/slow", "x", {"tag": "a" * 27 + "b"})
        assert await bot.ended(delivery, seconds=60) == "failed"
        reason = bot.row(delivery).reason
    assert reason.startswith("the delivery takes more than 1 s of computing; mapping 'many' took most of it, "), reason
    assert "DELIVERY_CPU_SECONDS" in reason


async def test_a_mapping_file_that_takes_more_than_its_cpu_time_fails(sandbox: Sandbox, tmp_path: Path) -> None:
    """It is not read again for the next dispatch, and what was refused is told again."""
    entry = (
        "  - { name: n%d, when: { tag: 'a|b|c' }, update: [{ files: 'a/**/%d.yaml', set: { x.y: '${{ tag }}' } }] }\n"
    )
    hostile = "version: 1\nmappings:\n" + "".join(entry % (number, number) for number in range(2000))
    gitops(sandbox, "acme/slow", hostile)
    async with running(sandbox, tmp_path, MAPPINGS_CPU_SECONDS="1") as bot:
        reasons = []
        for tag in ("one", "two"):
            delivery = await sandbox.dispatch("acme/slow", "x", {"tag": tag})
            assert await bot.ended(delivery, seconds=60) == "failed"
            reasons.append(bot.row(delivery).reason)
    assert reasons[0].startswith("the mapping file takes more than 1 s of computing"), reasons
    assert "MAPPINGS_CPU_SECONDS" in reasons[0]
    assert reasons[1] == reasons[0]


async def test_a_dispatch_survives_the_end_of_the_process_that_computes_it(sandbox: Sandbox, tmp_path: Path) -> None:
    """The system kills it, for memory say: the dispatch is tried again and ends as if nothing had been."""
    fine = gitops(sandbox, "acme/fine", FINE)
    async with running(sandbox, tmp_path) as bot:
        first = await sandbox.dispatch("acme/fine", "x", {"tag": "first"})
        assert await bot.ended(first) == "committed"
        sandbox.before(kill_children, operation="Open")
        fine.commit({"other": "1"}, "Make the bot read again")
        second = await sandbox.dispatch("acme/fine", "x", {"tag": "second"})
        assert await bot.ended(second, seconds=30) == "committed"
    assert fine.read("v.yaml") == b"image: { tag: second }\n"


def children() -> list[int]:
    """Return the processes that this one started."""
    return [
        int(child) for task in Path("/proc/self/task").iterdir() for child in (task / "children").read_text().split()
    ]


def kill_children() -> None:
    """End the processes that compute, as nobody would expect."""
    for child in children():
        if "bot.compute" in Path(f"/proc/{child}/cmdline").read_text():
            os.kill(child, signal.SIGKILL)


def _busy() -> list[int]:
    """Return the children of this process that use the CPU."""
    states = {child: Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split()[0] for child in children()}
    return [child for child, state in states.items() if state == "R"]


async def test_what_computes_ends_with_the_bot(sandbox: Sandbox, tmp_path: Path) -> None:
    """It waits for no pattern, no process stays, and the dispatch is taken up at the next start."""
    slow = ", ".join("{ tag: '(?:a|aa)+$' }" for _ in range(1000))
    gitops(sandbox, "acme/slow", PATTERNS % slow)
    async with running(sandbox, tmp_path, DELIVERY_CPU_SECONDS="600"):
        await sandbox.dispatch("acme/slow", "x", {"tag": "a" * 27 + "b"})
        while not _busy():
            await asyncio.sleep(0.05)
        began = asyncio.get_running_loop().time()
    assert asyncio.get_running_loop().time() - began < GRACE_SECONDS / 2
    assert not _busy()
    assert [row.state for row in rows(tmp_path).values()] == ["pending"]
