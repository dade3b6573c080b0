"""How many may come in through a door, and what remains for everybody else."""

from __future__ import annotations

import asyncio
import re
import signal
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from running import free_port, running, start
from strangers import SIGNATURE, ask, bomb, connected, head, many, silent, slowest
from test_bodies import signed

from bot.web.descriptors import Connections, share_out
from bot.web.door import HEAD_SECONDS, MOST_HEAD_BYTES
from bot.web.shares import Shares, peer_of

if TYPE_CHECKING:
    from bot.sandbox import Sandbox

MEGABYTE = 1_000_000


def memory(pid: int, field: str) -> int:
    """Return VmRSS or VmHWM (the most there ever was) of a process, in bytes."""
    (kilobytes,) = re.findall(rf"^{field}:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    return int(kilobytes) * 1024


def push(port: int, data: bytes) -> None:
    """Send as much of `data` as is taken within two seconds."""
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=2) as connection:
        connection.sendall(data)


def push_until(end: float, port: int, data: bytes) -> None:
    """Send `data` on one connection after the other until a time."""
    while time.monotonic() < end:
        push(port, data)


async def ready(url: str) -> None:
    """Wait until a bot is ready."""
    async with asyncio.timeout(20):
        while True:
            try:
                if (await ask(url, head("GET", "/readyz"))).status == 200:
                    return
            except ConnectionError:
                pass
            await asyncio.sleep(0.05)


async def test_a_flood_leaves_memory_health_and_log_alone(sandbox: Sandbox, tmp_path: Path) -> None:
    """60 gzip bombs and 300 silent bodies under 256 descriptors: 100 MB, a second and 1 MB are the bounds."""
    ports = free_port(), free_port()
    url, admin = (f"http://127.0.0.1:{port}" for port in ports)
    settings = {"ADMIN_PORT": str(ports[1]), "BODY_TIMEOUT": "3"}
    packed = bomb()
    unsigned = head(Content_Encoding="gzip", Content_Length=len(packed) + 1) + packed
    with (tmp_path / "log").open("wb") as log:
        bot = await start(sandbox, tmp_path, ports[0], log, open_files=256, **settings)
        try:
            await ready(admin)
            before = memory(bot.pid, "VmRSS")
            async with many(url, 60, unsigned), many(url, 300, silent()), many(url, 50, silent(), "127.0.0.2"):
                assert await slowest(admin, 2) < 1
                assert (await ask(admin, head("GET", "/readyz"))).status == 200
                await asyncio.sleep(2)
                # The silent ones were cut off.
                assert (await ask(url, signed(sandbox, b"{}"))).status == 202
            assert memory(bot.pid, "VmHWM") - before < 100 * MEGABYTE
        finally:
            bot.send_signal(signal.SIGTERM)
            await bot.wait()
    text = (tmp_path / "log").read_text()
    assert len(text) < MEGABYTE
    assert "log lines left out" in text
    assert "Traceback" not in text


async def test_signed_looking_bodies_of_24_mb_leave_memory_and_health_alone(sandbox: Sandbox, tmp_path: Path) -> None:
    """A signature header of no secret lets a body in, within the bytes that there are for bodies."""
    ports = free_port(), free_port()
    admin = f"http://127.0.0.1:{ports[1]}"
    sent = head(X_Hub_Signature_256=SIGNATURE, Content_Length=24_000_001) + bytes(24_000_000)
    with (tmp_path / "log").open("wb") as log:
        bot = await start(sandbox, tmp_path, ports[0], log, ADMIN_PORT=str(ports[1]))
        try:
            await ready(admin)
            before = memory(bot.pid, "VmRSS")

            # In threads: this loop has to see how long health takes.
            floods = [asyncio.create_task(asyncio.to_thread(push, ports[0], sent)) for _ in range(20)]
            assert await slowest(admin, 3) < 1
            await asyncio.gather(*floods)
            assert memory(bot.pid, "VmHWM") - before < 100 * MEGABYTE
        finally:
            bot.send_signal(signal.SIGTERM)
            await bot.wait()


@pytest.mark.parametrize(
    ("first", "then"),
    [
        pytest.param(b"", b"1\r\nX\r\n", id="chunks of one byte"),
        pytest.param(b"1\r\nX\r\n0\r\n", b"a: b\r\n", id="trailers"),
        pytest.param(b"1\r\nX\r\n0\r\na: ", b"b", id="a trailer without end"),
    ],
)
async def test_what_frames_a_body_leaves_memory_and_health_alone(
    sandbox: Sandbox, tmp_path: Path, first: bytes, then: bytes
) -> None:
    """60 connections with bodies that are nearly all framing: they end soon, and others are answered meanwhile."""
    ports = free_port(), free_port()
    admin = f"http://127.0.0.1:{ports[1]}"
    sent = head(X_Hub_Signature_256=SIGNATURE, Transfer_Encoding="chunked") + first + then * (500_000 // len(then))
    with (tmp_path / "log").open("wb") as log:
        bot = await start(sandbox, tmp_path, ports[0], log, ADMIN_PORT=str(ports[1]))
        try:
            await ready(admin)
            before = memory(bot.pid, "VmRSS")
            end = time.monotonic() + 3
            with ThreadPoolExecutor(60) as threads:
                for _ in range(60):
                    threads.submit(push_until, end, ports[0], sent)
                assert await slowest(admin, 3) < 2
            assert memory(bot.pid, "VmHWM") - before < 50 * MEGABYTE
        finally:
            bot.send_signal(signal.SIGTERM)
            await bot.wait()


# -- connections


async def test_connections_over_the_cap_are_closed_at_once_and_the_admin_port_is_free(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    """One peer has half of MAX_CONNECTIONS; two have them all, and health answers on ADMIN_PORT."""
    async with (
        running(sandbox, tmp_path, MAX_CONNECTIONS="10") as bot,
        many(bot.url, 8, silent(), "127.0.0.2") as first,
    ):
        await asyncio.sleep(0.3)
        assert [stranger.closed for stranger in first] == [False] * 5 + [True] * 3
        assert (await ask(bot.url, signed(sandbox, b"{}"))).status == 202
        async with many(bot.url, 5, silent(), "127.0.0.3"):
            refused = await ask(bot.url, signed(sandbox, b"{}"))
            assert refused.status == 0
            assert refused.seconds < 0.5
            assert (await ask(bot.admin, head("GET", "/healthz"))).status == 200
        await asyncio.sleep(0.2)
        assert (await ask(bot.url, signed(sandbox, b"{}"))).status == 202


async def test_an_answer_closes_its_connection(sandbox: Sandbox, tmp_path: Path) -> None:
    """Nobody holds a connection idle, or sends requests ahead: the first of two is answered."""
    async with running(sandbox, tmp_path) as bot:
        answer = await ask(bot.url, head("GET", "/healthz", Connection="keep-alive") * 2)
        assert (answer.status, answer.headers["connection"], answer.body) == (200, "close", {"status": "ok"})


async def test_a_head_has_a_deadline(sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection without a request, or with one that trickles in, is closed."""
    assert HEAD_SECONDS <= 10
    monkeypatch.setattr("bot.web.door.HEAD_SECONDS", 1.0)
    async with running(sandbox, tmp_path) as bot, connected(bot.url) as nothing, connected(bot.url) as slow:
        await slow.send(b"POST /webhook HTTP/1.1\r\n")
        began = time.monotonic()
        while not slow.closed and time.monotonic() - began < 5:
            await slow.send(b"X: y\r\n")
            await asyncio.sleep(0.1)
        assert time.monotonic() - began < 3
        assert nothing.closed


@pytest.mark.parametrize("start_with", [b"", b"\r\n\r\n"])
async def test_a_head_is_bounded(sandbox: Sandbox, tmp_path: Path, start_with: bytes) -> None:
    """Many headers, each of them short enough, are 431; a head of a usual size is not, wherever it is cut in two."""
    async with running(sandbox, tmp_path) as bot:
        lines = {f"X-{number}": "y" * 4000 for number in range(MOST_HEAD_BYTES // 4000 + 1)}
        answer = await ask(bot.url, start_with + head("GET", "/healthz", **lines)[:-2])
        assert (answer.status, answer.body) == (431, {"error": "headers are too large"})
        good = start_with + head("GET", "/healthz", X=("y" * 4000))
        for place in (3, 100, len(good) - 3, len(good) - 2, len(good) - 1):
            async with connected(bot.url) as stranger:
                await stranger.send(good[:place])
                await asyncio.sleep(0.02)
                await stranger.send(good[place:])
                assert (await stranger.answer()).status == 200


async def test_what_is_no_http_is_a_line_in_the_log(
    sandbox: Sandbox, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A TLS handshake or rubbish on the port is answered 400 in JSON, and leaves no traceback."""
    async with running(sandbox, tmp_path) as bot:
        for rubbish in (b"\x16\x03\x01\x00\xa5\x01\x00\x00\r\n\r\n", b"GET / HTTP/1.1\r\nHost: a\r\nHost : b\r\n\r\n"):
            answer = await ask(bot.url, rubbish)
            assert (answer.status, answer.body) == (400, {"error": "this is not HTTP/1.1"})
            assert answer.headers["server"] == "pointsman"
    assert "Traceback" not in capsys.readouterr().err


@pytest.mark.parametrize(
    "sent",
    [
        head("GET", "/healthz"),
        head("GET", "/nothing"),
        head("PUT", "/webhook"),
        head("OPTIONS", "/webhook"),
        head(),
        head(Content_Length=10),
        b"rubbish\r\n\r\n",
        head("GET", "/healthz", Expect="something"),
    ],
)
async def test_no_answer_tells_what_the_program_is_made_of(sandbox: Sandbox, tmp_path: Path, sent: bytes) -> None:
    """Neither Python's version nor a library's."""
    async with running(sandbox, tmp_path) as bot:
        for url in (bot.url, bot.admin):
            assert (await ask(url, sent)).headers["server"] == "pointsman"


# -- the arithmetic


@pytest.mark.parametrize(
    ("open_files", "wanted", "expected"),
    [
        (None, None, Connections(512, 100)),
        (None, 4000, Connections(4000, 100)),
        (1_048_576, None, Connections(512, 100)),
        (1024, None, Connections(512, 100)),
        (1024, 5000, Connections(820, 100)),
        (1024, 50, Connections(50, 100)),
        (256, None, Connections(88, 64)),
        (256, 200, Connections(88, 64)),
        (64, None, Connections(8, 20)),
    ],
)
def test_connections_stay_below_the_limit_of_open_files(
    open_files: int | None, wanted: int | None, expected: Connections
) -> None:
    """The database, GitHub, health checks and what is just being accepted have their descriptors first."""
    assert share_out(open_files, wanted, 4) == expected


@pytest.mark.parametrize(
    ("address", "peer"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "20010db800010002::/64"),
        ("2001:db8:1:2::7", "20010db800010002::/64"),
        ("fe80::1%eth0", "fe80000000000000::/64"),
        ("", ""),
        (None, ""),
    ],
)
def test_a_peer_is_an_address_or_a_network(address: str | None, peer: str) -> None:
    """Whoever has an IPv6 address has its whole network."""
    assert peer_of(address) == peer


def test_shares_forget_who_holds_nothing() -> None:
    """A million peers that came and went leave nothing in memory."""
    shares = Shares(4, 2)
    assert [shares.take("a", amount) for amount in (1, 2, 1, 1)] == [True, False, True, False]
    assert [shares.take("b", amount) for amount in (2, 1)] == [True, False]
    assert not shares.has_room("c")
    for peer in ("a", "b"):
        shares.give_back(peer, 2)
    assert (shares.held, len(shares._by_peer)) == (0, 0)
    assert shares.has_room("c", 2)
    assert len(shares._by_peer) == 0
