"""Installations share connections and memory: whoever asks for much, or is answered slowly, leaves some to others."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import aiohttp
import pytest
from running import REFUSAL, named

from bot.compute.in_place import InPlace
from bot.errors import Transient
from bot.github import GitHub, connect
from bot.github.quota import Quota
from bot.github.semaphore import FairSemaphore

if TYPE_CHECKING:
    from bot.sandbox import Repository, Sandbox


async def held(places: FairSemaphore, installation: int, patience: float = 5.0) -> asyncio.Task[None]:
    """Take a place until the task is cancelled."""

    async def hold() -> None:
        async with places.acquire(installation, patience):
            await asyncio.sleep(60)

    task = asyncio.create_task(hold())
    await asyncio.sleep(0)
    return task


async def ended(*tasks: asyncio.Task[None]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_an_installation_has_its_share_and_no_more() -> None:
    """The rest of its requests wait, and are told in time."""
    places = FairSemaphore(100, 25, "all connections are in use")
    tasks = [await held(places, 1) for _ in range(40)]
    assert places._held == {1: 25}
    with pytest.raises(Transient, match="all connections are in use: again in 1 s") as caught:
        async with places.acquire(1, 0.05):
            pass
    assert caught.value.retry_after == 1.0
    async with places.acquire(2, 0.0):
        pass
    await ended(*tasks)
    assert (places._held, places._waiting) == ({}, {})


async def test_the_last_places_are_for_those_who_have_none() -> None:
    """Four that are answered slowly do not keep out a fifth."""
    places = FairSemaphore(100, 25, "all connections are in use")
    tasks = [await held(places, installation) for installation in (1, 2, 3, 4) for _ in range(25)]
    assert places._held.total() == 90
    newcomers = [await held(places, installation) for installation in range(5, 15)]
    assert places._held.total() == 100
    assert all(places._held[installation] == 1 for installation in range(5, 15))
    await ended(*newcomers, *tasks)
    assert (places._held, places._waiting) == ({}, {})


async def test_a_place_goes_to_who_has_the_fewest() -> None:
    """However many others wait, and for however long."""
    places = FairSemaphore(5, 4, "all are in use")
    hogs = [await held(places, 1) for _ in range(4)]
    first = await held(places, 2)
    waiting = [await held(places, 2) for _ in range(10)]
    newcomer = await held(places, 3)
    assert places._held == {1: 4, 2: 1}
    await ended(hogs[0])
    assert places._held == {1: 3, 2: 1, 3: 1}
    await ended(hogs[1])
    assert places._held == {1: 2, 2: 2, 3: 1}
    await ended(first, newcomer, *hogs, *waiting)
    assert (places._held, places._waiting) == ({}, {})


async def test_who_gives_up_waiting_leaves_nothing_behind() -> None:
    """Cancelled while waiting, and in the very moment in which the place is given."""
    places = FairSemaphore(1, 1, "all are in use")
    first, second, third = [await held(places, installation) for installation in (1, 2, 3)]
    await ended(second)
    first.cancel()
    await asyncio.sleep(0)
    third.cancel()
    await asyncio.gather(first, third, return_exceptions=True)
    assert (places._held, places._waiting) == ({}, {})
    async with places.acquire(4, 0.0):
        pass


async def test_slow_answers_for_some_do_not_make_others_wait(sandbox: Sandbox, gitops: Repository) -> None:
    """Answers take a second, and there are six times as many requests as connections: the next to be free is ours."""
    slow = [sandbox.create_repository(f"slow-{number}/gitops", {"a.yaml": "a: 1\n"}) for number in range(6)]
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=30)) as session:
        quota = Quota(write_interval=0)
        forge = GitHub(session, sandbox.url, sandbox.app.id, sandbox.app.private_key, InPlace(), quota)
        for repository in (gitops, *slow):
            await forge.open(named(sandbox, repository), [])
        for repository in slow:
            sandbox.faults.add(repository=repository.id, delay=1.0, times=None)
        hogs = [
            asyncio.create_task(forge.open(named(sandbox, repository), [])) for repository in slow for _ in range(20)
        ]
        await asyncio.sleep(0.2)
        began = time.monotonic()
        await forge.open(named(sandbox, gitops), [])
        assert time.monotonic() - began < 1.5
        for hog in hogs:
            hog.cancel()
        await asyncio.gather(*hogs, return_exceptions=True)


async def test_a_pause_is_not_forgotten_because_others_come(
    sandbox: Sandbox, gitops: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever could push an installation out of a cache would have us ask GitHub again within its pause."""
    monkeypatch.setattr("bot.github.forge._KEPT", 2)
    async with aiohttp.ClientSession() as session:
        quota = Quota(write_interval=0, patience=0.1)
        forge = GitHub(session, sandbox.url, sandbox.app.id, sandbox.app.private_key, InPlace(), quota)
        repository = named(sandbox, gitops)
        sandbox.faults.add(operation="Open", status=403, body=REFUSAL, headers={"Retry-After": "60"})
        with pytest.raises(Transient):
            await forge.open(repository, [])
        for installation in range(1000, 1010):
            forge._governor(installation)
        assert len(forge._governors) <= 3
        since = len(sandbox.requests)
        with pytest.raises(Transient, match="again in 60 s"):
            await forge.open(repository, [])
        assert len(sandbox.requests) == since


@pytest.mark.parametrize(("wanted", "connections"), [(1000, 100), (100, 100), (64, 64), (2, 20)])
async def test_a_process_of_few_files_has_fewer_connections(wanted: int, connections: int) -> None:
    """It accepts what comes in, and the App itself always has some."""
    async with connect(wanted) as session:
        assert session.connector is not None
        assert session.connector.limit == connections
        assert not list(session.cookie_jar)
