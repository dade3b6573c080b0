"""Whose turn it is."""

from __future__ import annotations

import asyncio

import pytest

from bot.compute.lanes import Key, Lane


async def test_installations_take_turns() -> None:
    """A hundred jobs of one installation delay another's by one job."""
    lane, order = Lane(1), list[Key]()

    async def job(key: Key) -> None:
        async with lane.turn(key):
            order.append(key)
            await asyncio.sleep(0)

    jobs = [asyncio.create_task(job(1)) for _ in range(100)]
    await asyncio.sleep(0)
    jobs += [asyncio.create_task(job(key)) for key in (2, 2, None)]
    await asyncio.gather(*jobs)
    assert order[:7] == [1, 1, 2, None, 1, 2, 1]
    assert order.count(1) == 100


async def test_one_job_at_a_time_for_an_installation() -> None:
    """However many processes are free."""
    lane, running, most = Lane(4), 0, 0

    async def job() -> None:
        nonlocal running, most
        async with lane.turn(1):
            running += 1
            most = max(most, running)
            await asyncio.sleep(0)
            running -= 1

    await asyncio.gather(*(job() for _ in range(20)))
    assert most == 1


async def test_a_job_that_is_cancelled_leaves_no_gap() -> None:
    """While it waits, in the moment in which its turn comes, and while it runs: others have the turn."""
    lane = Lane(1)
    async with lane.turn(1):
        waiting = [asyncio.create_task(_hold(lane, key)) for key in (2, 3, 4)]
        await asyncio.sleep(0)
        waiting[1].cancel()
        await asyncio.sleep(0)
    waiting[0].cancel()  # its turn has come, and it has not run since
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert not waiting[2].done()
    waiting[2].cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    async with asyncio.timeout(1), lane.turn(5):
        assert lane.longest_wait() == 0
    assert lane._waiting == {}


async def test_all_that_wait_may_be_cancelled_with_the_one_that_runs() -> None:
    """So it is when the bot stops: the turn of the first one ends before the others notice. No turn is lost by it."""
    lane = Lane(1)
    jobs = [asyncio.create_task(_hold(lane, key)) for key in (1, 2, 3, 4)]
    await asyncio.sleep(0)
    for job in jobs:
        job.cancel()
    ended = await asyncio.gather(*jobs, return_exceptions=True)
    assert [type(one) for one in ended] == [asyncio.CancelledError] * 4
    async with asyncio.timeout(1), lane.turn(5):
        assert lane._waiting == {}


async def _hold(lane: Lane, key: Key) -> None:
    async with lane.turn(key):
        await asyncio.sleep(60)


async def test_the_longest_wait_is_that_for_others() -> None:
    """A job that waits for its own installation's is not starved by anybody."""
    lane = Lane(1)
    async with lane.turn(1):
        own = asyncio.create_task(_hold(lane, 1))
        await asyncio.sleep(0.02)
        assert lane.longest_wait() == 0
        other = asyncio.create_task(_hold(lane, 2))
        await asyncio.sleep(0.02)
        assert lane.longest_wait() == pytest.approx(0.02, abs=0.2)
        assert lane.longest_wait() > 0
    for task in (own, other):
        task.cancel()
    await asyncio.gather(own, other, return_exceptions=True)
