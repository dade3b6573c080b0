"""A process with all that it has started, read from /proc: which they are, and how much memory they take together."""

from __future__ import annotations

import asyncio
import os
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

SAMPLE_SECONDS = 0.5
PROC = Path("/proc")
DEAD = {"Z", "X"}


class Process(NamedTuple):
    """A running process. When it started tells it from a later process that got the same id."""

    pid: int
    started: int


class _Stat(NamedTuple):
    """What /proc/PID/stat says of a process: its state (a letter), its parent, when it started."""

    state: str
    parent: int
    started: int


class Family:
    """A process and its descendants, looked at several times."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        # The memory of all of them together in MB, now and the most so far; None if the system does not tell.
        self.megabytes: float | None = None
        self.peak: float | None = None
        # The largest number of processes at one time, and all that there ever were.
        self.count = 0
        self.seen: set[Process] = set()

    def look(self) -> None:
        """Look once."""
        there = descendants(self.pid)
        self.seen.update(there)
        self.count = max(self.count, len(there))
        sizes = [size for process in there if (size := _megabytes(process.pid)) is not None]
        if sizes:
            self.megabytes = sum(sizes)
            self.peak = max(self.megabytes, self.peak or 0.0)

    def cpu(self) -> float | None:
        """Return the seconds of CPU time that they and their children took; None if the system does not tell."""
        times = [_cpu(process.pid) for process in descendants(self.pid)]
        known = [seconds for seconds in times if seconds is not None]
        return sum(known) if known else None

    def left(self) -> set[Process]:
        """Return the processes that were seen and still run."""
        return {process for process in self.seen if _runs(process)}

    @asynccontextmanager
    async def watched(self) -> AsyncIterator[None]:
        """Look again and again, in a thread: reading the memory of a process takes some milliseconds."""

        async def watch() -> None:
            while True:
                await asyncio.to_thread(self.look)
                await asyncio.sleep(SAMPLE_SECONDS)

        task = asyncio.create_task(watch())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


def descendants(pid: int) -> list[Process]:
    """Give a process and all that it, or one of them, has started, as far as they run and their parents do."""
    stats = {number: stat for number in _pids() if (stat := _stat(number)) is not None}
    family = {pid} & stats.keys()
    while more := {number for number, stat in stats.items() if stat.parent in family} - family:
        family |= more
    return [Process(number, stats[number].started) for number in sorted(family) if stats[number].state not in DEAD]


def _pids() -> list[int]:
    return [int(path.name) for path in PROC.iterdir() if path.name.isdigit()] if PROC.is_dir() else []


def _runs(process: Process) -> bool:
    stat = _stat(process.pid)
    return stat is not None and stat.started == process.started and stat.state not in DEAD


def _stat(pid: int) -> _Stat | None:
    try:
        text = (PROC / str(pid) / "stat").read_text(encoding="utf-8", errors="replace")
    except OSError:  # it has ended
        return None
    # The second field is the program's name in brackets, which may hold anything.
    fields = text.rpartition(")")[2].split()
    return _Stat(fields[0], int(fields[1]), int(fields[19]))


def _cpu(pid: int) -> float | None:
    """Give the CPU time of a process and of its children that have ended, in seconds."""
    try:
        text = (PROC / str(pid) / "stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    return sum(map(int, text.rpartition(")")[2].split()[11:15])) / os.sysconf("SC_CLK_TCK")


def _megabytes(pid: int) -> float | None:
    """Give the memory of a process in MB: a page that n processes share counts as an n-th of it.

    If the system does not tell that, all pages count as its own. None if the process has ended.
    """
    for file, name in (("smaps_rollup", "Pss:"), ("status", "VmRSS:")):
        try:
            text = (PROC / str(pid) / file).read_text(encoding="utf-8", errors="replace")
        except OSError:
            continue
        for line in text.splitlines():
            if line.startswith(name):
                return int(line.split()[1]) * 1024 / 1e6
    return None
