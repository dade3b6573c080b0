"""Foreign rules cost their own repository, and nobody else: what the pool of processes promises."""

from __future__ import annotations

import asyncio
import os
import pickle
import subprocess
import sys
import threading
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import work

from bot.compute.pool import Pool
from bot.compute.process import LENGTH, NICENESS
from bot.core.meter import Budget
from bot.core.model import Repository
from bot.errors import InputError, Transient

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

MEMORY = 400_000_000


def repository(identity: int, installation: int = 1) -> Repository:
    """Return a repository of an installation."""
    return Repository(identity, f"acme/{identity}", "main", installation)


def budget(seconds: float = 10.0) -> Budget:
    """Return the budget of a delivery."""
    return Budget(seconds, "the delivery", "DELIVERY_CPU_SECONDS")


@asynccontextmanager
async def started(processes: int) -> AsyncIterator[Pool]:
    """Make a pool, and end its processes afterwards."""
    pool = Pool(processes, MEMORY)
    try:
        yield pool
    finally:
        await pool.close()


async def test_what_takes_more_than_its_budget_is_refused_with_what_cost_most() -> None:
    """The sentence names the costliest part, of all the computations for the delivery."""
    async with started(2) as pool:
        spent = budget(0.6)
        assert await pool.run(repository(1), spent, work.spin, 0.2, "mapping 'dear'") == "mapping 'dear'"
        assert 0.2 < spent.left < 0.45
        with pytest.raises(InputError) as caught:
            await pool.run(repository(1), spent, work.spin, 60.0, "mapping 'endless'")
        assert "the delivery takes more than 0.6 s of computing; mapping 'endless' took most of it, 0." in str(
            caught.value
        )
        assert "DELIVERY_CPU_SECONDS" in str(caught.value)
        assert spent.left == 0


async def test_no_exception_handler_keeps_a_computation_going() -> None:
    """What catches every Exception is stopped all the same."""
    async with started(2) as pool:
        with pytest.raises(InputError, match=r"takes more than 0\.3 s of computing"):
            await pool.run(repository(1), budget(0.3), work.swallow)


async def test_a_process_that_is_killed_blames_nobody() -> None:
    """Its delivery is tried again, and the next computation has a new process."""
    async with started(2) as pool:
        with pytest.raises(Transient, match="ended without an answer"):
            await pool.run(repository(1), budget(), work.die)
        assert await pool.run(repository(1), budget(), work.spin, 0.0) == "spinning"


async def test_memory_is_bounded() -> None:
    """What needs more than its process may have is refused, and the process serves the next one."""
    async with started(2) as pool:
        with pytest.raises(InputError, match=r"takes more than 400 MB of memory"):
            await pool.run(repository(1), budget(), work.fill, 2 * MEMORY)
        assert await pool.run(repository(1), budget(), work.fill, MEMORY // 4) == MEMORY // 4


async def test_a_long_job_of_one_installation_delays_no_quick_one_of_another() -> None:
    """Even when as many installations as there are processes compute without end."""
    async with started(4) as pool:
        long = [
            asyncio.create_task(pool.run(repository(number, installation=number), budget(), work.spin, 60.0))
            for number in range(1, 5)
        ]
        while len(pool._slow) < len(long):  # until all of them had their try as quick ones
            await asyncio.sleep(0.01)
        for number in range(10):
            await pool.run(repository(100, installation=100), budget(), work.spin, 0.001, str(number))
        assert not any(task.done() for task in long)
        assert pool.longest_wait() > 0
        for task in long:
            task.cancel()
        await asyncio.gather(*long, return_exceptions=True)


async def test_an_installation_has_two_jobs_at_once_at_most(tmp_path: Path) -> None:
    """One that turned out to be long, and one that may be quick; however many it asks for."""
    async with started(8) as pool:
        files = [tmp_path / str(number) for number in range(6)]
        jobs = [
            asyncio.create_task(pool.run(repository(number), budget(), work.spin_on, str(file), 60.0))
            for number, file in enumerate(files)
        ]
        most = 0
        for _ in range(30):
            await asyncio.sleep(0.1)
            running = {file.read_text() for file in files if file.exists() and file.read_text()}
            most = max(most, sum(map(_is_busy, running)))
        assert 1 <= most <= 2
        for job in jobs:
            job.cancel()
        await asyncio.gather(*jobs, return_exceptions=True)


def _is_busy(pid: str) -> bool:
    with suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "R"
    return False


async def test_cancelling_ends_the_process(tmp_path: Path) -> None:
    """A bot that stops does not wait for what foreign rules compute."""
    async with started(2) as pool:
        file = tmp_path / "pid"
        job = asyncio.create_task(pool.run(repository(1), budget(), work.spin_on, str(file), 60.0))
        while not file.exists() or not file.read_text():
            await asyncio.sleep(0.01)
        pid = int(file.read_text())
        job.cancel()
        with pytest.raises(asyncio.CancelledError):
            await job
        async with asyncio.timeout(10):
            while Path(f"/proc/{pid}").exists():  # noqa: ASYNC240 - a file of the system
                await asyncio.sleep(0.01)


async def test_a_pattern_has_all_of_its_time_beside_busy_threads() -> None:
    """The regex module counts the CPU time of its whole process: nothing else may run in that one."""
    async with started(2) as pool:
        stop = threading.Event()

        def burn() -> None:
            while not stop.is_set():
                sum(range(10_000))

        threads = [threading.Thread(target=burn) for _ in range(5)]
        for thread in threads:
            thread.start()
        try:
            # Takes a few hundredths of a second by itself, within a limit of half a second.
            text = "a" * 24 + "b"
            assert not await pool.run(repository(1), budget(), work.search, "(?:a|aa)+$", text, 0.5)
        finally:
            stop.set()
            for thread in threads:
                thread.join()


async def test_a_process_gives_way_to_the_bot() -> None:
    """Webhooks and health checks come first, whatever is computed."""
    async with started(2) as pool:
        assert await pool.run(repository(1), budget(), work.niceness) == min(NICENESS + os.nice(0), 19)


def test_a_process_says_nothing_when_its_bot_was_killed() -> None:
    """The bot's log tells of faults, and this is none."""
    request = pickle.dumps((5.0, work.spin, (0.3,)))
    process = subprocess.Popen(
        [sys.executable, "-c", f"from bot.compute import child; child.serve({MEMORY})"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
    )
    assert process.stdin
    assert process.stdout
    process.stdin.write(LENGTH.pack(len(request)) + request)
    process.stdin.close()
    process.stdout.close()
    assert process.stderr
    said = process.stderr.read()
    process.stderr.close()
    assert (process.wait(), said) == (1, b"")


async def test_what_a_computation_costs_is_spent_if_it_fails_too() -> None:
    """A delivery that fails after seconds on each of a hundred branches has one budget for all of them."""
    async with started(2) as pool:
        spent = budget(1.0)
        for sentence in ("the input is wrong", "the delivery takes more than 1 s"):
            with pytest.raises(InputError, match=sentence):
                await pool.run(repository(1), spent, work.spin_in_vain, 0.6)


@pytest.mark.parametrize("size", [MEMORY // 2, MEMORY * 2])
async def test_a_request_that_does_not_fit_into_memory_is_refused(size: int) -> None:
    """It is what was asked for that is too large: to try again would not help. The next request is answered."""
    async with started(2) as pool:
        with pytest.raises(InputError, match="more than 400 MB of memory"):
            await pool.run(repository(1), budget(), work.length, bytes(size))
        assert await pool.run(repository(1), budget(), work.length, b"123") == 3


async def test_an_answer_that_does_not_fit_into_memory_is_refused() -> None:
    """It could be computed, but not be sent."""
    async with started(2) as pool:
        with pytest.raises(InputError, match="more than 400 MB of memory"):
            await pool.run(repository(1), budget(), work.many, 250)


async def test_one_long_job_of_our_own_makes_no_other_one_long(tmp_path: Path) -> None:
    """A stranger's push of 25 MB takes long to read: the bodies that come after it do not wait with the long jobs."""
    file = tmp_path / "pid"
    async with started(2) as pool:
        await pool.run(None, budget(), work.spin, 0.5)
        long = asyncio.create_task(pool.run(repository(1), budget(), work.spin_on, str(file), 60.0))
        while pool._quick._running or not pool._long._running:
            await asyncio.sleep(0.01)
        async with asyncio.timeout(5):
            assert await pool.run(None, budget(), work.length, b"123") == 3
        long.cancel()
        with suppress(asyncio.CancelledError):
            await long


@pytest.mark.parametrize("size", [200_000_000, 330_000_000])
async def test_what_was_kept_of_one_repository_takes_no_memory_of_another_one(size: int) -> None:
    """Patterns of a hostile one fill most of a process: what its next job needs, or is sent, has room all the same."""
    async with started(2) as pool:
        await pool.run(repository(1), budget(), work.remember, 300)
        assert await pool.run(repository(2, 2), budget(), work.fill, size) == size
        await pool.run(repository(1), budget(), work.remember, 300)
        assert await pool.run(repository(2, 2), budget(), work.length, bytes(size // 3)) == size // 3
