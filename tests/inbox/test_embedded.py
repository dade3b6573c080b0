"""The embedded engine: it calls `drain` for targets with work, one at a time each, and stops in good order."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import structlog
from opened_inbox import delivery, opened

from bot.inbox.embedded import EmbeddedEngine

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


class Drain:
    """Notes each call, and returns the pauses it was given, in turn, then None. `go` holds it while it is not set."""

    def __init__(self, *pauses: float | None) -> None:
        self.pauses = list(pauses)
        self.calls: list[int] = []
        self.at_once = 0
        self.most_at_once = 0
        self.go = asyncio.Event()
        self.go.set()

    async def __call__(self, target: int) -> float | None:
        self.calls.append(target)
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        await asyncio.sleep(0)
        await self.go.wait()
        self.at_once -= 1
        return self.pauses.pop(0) if self.pauses else None

    async def called(self, times: int) -> None:
        async with asyncio.timeout(5):
            while len(self.calls) < times or self.at_once:
                await asyncio.sleep(0.001)


async def test_what_an_earlier_process_left_is_taken_up_at_the_start(tmp_path: Path) -> None:
    """Every target with unfinished deliveries is drained without anybody waking it."""
    with opened(tmp_path) as inbox:
        for name, target in (("a", 7), ("b", 8), ("c", 7)):
            await inbox.add(delivery(name, target))
        drain = Drain()
        engine = EmbeddedEngine(inbox, drain)
        await engine.start()
        await drain.called(2)
        assert sorted(drain.calls) == [7, 8]
        assert await engine.stop(1) is True


async def test_a_target_woken_during_its_drain_is_drained_once_more(tmp_path: Path) -> None:
    """Never twice at once; several wakes meanwhile are one more turn."""
    with opened(tmp_path) as inbox:
        drain = Drain()
        engine = EmbeddedEngine(inbox, drain)
        drain.go.clear()
        engine.wake(7)
        await asyncio.sleep(0.01)
        for _ in range(5):
            engine.wake(7)
        drain.go.set()
        await drain.called(2)
        await asyncio.sleep(0.01)
        assert drain.calls == [7, 7]
        assert drain.most_at_once == 1
        await engine.stop(1)


async def test_targets_do_not_wait_for_each_other(tmp_path: Path) -> None:
    """One repository whose GitHub is slow holds no other up."""
    with opened(tmp_path) as inbox:
        drain = Drain()
        drain.go.clear()
        engine = EmbeddedEngine(inbox, drain)
        for target in (7, 8, 9):
            engine.wake(target)
        await asyncio.sleep(0.01)
        assert drain.most_at_once == 3
        drain.go.set()
        assert await engine.stop(1) is True


async def test_a_drain_that_asks_for_a_pause_is_called_again(tmp_path: Path) -> None:
    """Until it asks for nothing any more."""
    with opened(tmp_path) as inbox:
        drain = Drain(0.0, 0.01, None)
        engine = EmbeddedEngine(inbox, drain)
        engine.wake(7)
        await drain.called(3)
        await engine.stop(1)
        assert drain.calls == [7, 7, 7]


async def test_a_wake_ends_a_pause_but_lets_the_target_rest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """New work does not wait for an hour behind old work, nor does each of a burst ask again what just failed."""
    monkeypatch.setattr("bot.inbox.embedded.REST_SECONDS", 0.2)
    with opened(tmp_path) as inbox:
        drain = Drain(3600.0, 3600.0)
        engine = EmbeddedEngine(inbox, drain)
        began = time.monotonic()
        engine.wake(7)
        await drain.called(1)
        for _ in range(5):
            engine.wake(7)
        await drain.called(2)
        assert time.monotonic() - began >= 0.2
        await asyncio.sleep(0.25)
        assert drain.calls == [7, 7]
        engine.wake(7)
        await drain.called(3)
        await engine.stop(1)


async def test_a_stop_does_not_wait_for_a_pause(tmp_path: Path) -> None:
    """A delivery that is to be tried in an hour waits for the next start; nothing is woken any more."""
    with opened(tmp_path) as inbox:
        drain = Drain(3600.0)
        engine = EmbeddedEngine(inbox, drain)
        engine.wake(7)
        await drain.called(1)
        assert await engine.stop(5) is True
        engine.wake(8)
        await asyncio.sleep(0.01)
        assert drain.calls == [7]


async def test_a_stop_lets_the_drain_under_way_finish(tmp_path: Path) -> None:
    """What is being written is written."""
    with opened(tmp_path) as inbox:
        drain = Drain()
        drain.go.clear()
        engine = EmbeddedEngine(inbox, drain)
        engine.wake(7)
        await asyncio.sleep(0.01)
        asyncio.get_running_loop().call_later(0.02, drain.go.set)
        assert await engine.stop(5) is True
        assert drain.at_once == 0


async def test_a_drain_that_outlives_the_grace_is_cancelled(tmp_path: Path) -> None:
    """The process must end before it is killed; the inbox still has what was not finished."""
    with opened(tmp_path) as inbox:
        drain = Drain()
        drain.go.clear()
        engine = EmbeddedEngine(inbox, drain)
        engine.wake(7)
        await asyncio.sleep(0.01)
        assert await engine.stop(0.01) is False


async def test_a_drain_knows_nothing_of_the_request_that_woke_it(tmp_path: Path) -> None:
    """What a request binds to its log lines is not true of what is drained later."""
    seen: list[dict[str, object]] = []

    async def drain(_: int) -> float | None:
        seen.append(structlog.contextvars.get_contextvars())
        return None

    with opened(tmp_path) as inbox:
        engine = EmbeddedEngine(inbox, drain)
        with structlog.contextvars.bound_contextvars(delivery="a"):
            engine.wake(7)
        await asyncio.sleep(0.01)
        assert await engine.stop(1) is True
    assert seen == [{}]


async def test_a_drain_that_breaks_is_called_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A full disk under the inbox must not leave a repository without its worker until the next start."""
    from bot import telemetry

    telemetry.configure("info", "json")
    calls: list[float] = []

    async def drain(_: int) -> float | None:
        calls.append(time.monotonic())
        if len(calls) < 3:
            raise OSError("database or disk is full")
        return None

    with opened(tmp_path) as inbox:
        engine = EmbeddedEngine(inbox, drain, after_failure=0.01)
        engine.wake(7)
        async with asyncio.timeout(5):
            while len(calls) < 3:
                await asyncio.sleep(0.001)
        assert await engine.stop(1) is True
    assert min(calls[1] - calls[0], calls[2] - calls[1]) >= 0.01
    assert capsys.readouterr().err.count("database or disk is full") >= 2
