"""What is refused before a body is read, and how many bytes of bodies are held at once."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import pytest
from running import rows, running
from strangers import SIGNATURE, ask, bomb, connected, head, many, silent
from test_webhook import ID, headers

from bot.web import keys
from bot.web.body import LARGE_BODIES, MAX_BODY, SMALL_BODIES, SMALL_BODY

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from running import Bot

    from bot.sandbox import Sandbox


def signed(sandbox: Sandbox, body: bytes) -> bytes:
    """Return a whole request as GitHub sends it."""
    sent = {name.replace("-", "_"): value for name, value in headers(sandbox, body).items()}
    return head(**sent, Content_Length=len(body)) + body


def held(bot: Bot) -> int:
    """Return how many bytes of bodies the bot holds."""
    bodies = bot.application[keys.BODIES]
    return bodies.small.held + bodies.large.held


async def until(holds: Callable[[], bool]) -> None:
    """Wait until something holds."""
    async with asyncio.timeout(10):
        while not holds():
            await asyncio.sleep(0.01)


# -- before the body is read


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (head(Content_Length=10), 401),
        (head(Content_Length=10, X_Hub_Signature_256="sha256=" + "A" * 64), 401),
        (head(Content_Length=10, X_Hub_Signature_256=SIGNATURE + "0"), 401),
        (head(Transfer_Encoding="chunked"), 401),
        (head(Content_Length=10, X_Hub_Signature_256=SIGNATURE, Content_Encoding="gzip"), 415),
        (head(Content_Length=10, X_Hub_Signature_256=SIGNATURE, Content_Encoding="br"), 415),
        (head(Transfer_Encoding="chunked", X_Hub_Signature_256=SIGNATURE, Content_Encoding="deflate"), 415),
        (head(Content_Length=10, X_Hub_Signature_256=SIGNATURE, Content_Encoding="identity"), 415),
        (head(Content_Length=MAX_BODY + 1, X_Hub_Signature_256=SIGNATURE), 413),
        (head(Content_Length=10 * 2**30, X_Hub_Signature_256=SIGNATURE), 413),
    ],
)
async def test_what_the_headers_tell_is_answered_before_the_body_comes(
    sandbox: Sandbox, tmp_path: Path, sent: bytes, status: int
) -> None:
    """No signature, an encoding or a size over the bound: the answer does not wait for a byte of the body."""
    async with running(sandbox, tmp_path) as bot, connected(bot.url) as stranger:
        await stranger.send(sent)
        began = time.monotonic()
        assert (await stranger.peek(12)).decode() == f"HTTP/1.1 {status}"
        assert time.monotonic() - began < 1
        assert held(bot) == 0


async def test_two_signatures_are_none(sandbox: Sandbox, tmp_path: Path) -> None:
    """A proxy and the bot could look at different ones."""
    body = b"{}"
    once = b"X-Hub-Signature-256"
    twice = signed(sandbox, body).replace(once, once + f": {SIGNATURE}\r\n".encode() + once)
    async with running(sandbox, tmp_path) as bot:
        assert (await ask(bot.url, twice)).status == 401
    assert rows(tmp_path) == {}


@pytest.mark.parametrize("signature", ["", SIGNATURE])
async def test_nothing_is_inflated(sandbox: Sandbox, tmp_path: Path, signature: str) -> None:
    """24 KB of gzip stay 24 KB, whether the header of the signature is there or not."""
    packed = bomb()
    extra = {"X_Hub_Signature_256": signature} if signature else {}
    sent = head(**extra, Content_Encoding="gzip", Content_Length=len(packed) + 1) + packed
    async with running(sandbox, tmp_path) as bot, many(bot.url, 20, sent) as strangers:
        began = time.monotonic()
        assert (await ask(bot.admin, head("GET", "/healthz"))).status == 200
        assert time.monotonic() - began < 1
        assert {(await stranger.answer()).status for stranger in strangers} == {415 if signature else 401}


async def test_100_continue_is_not_sent_before_the_headers_are_checked(sandbox: Sandbox, tmp_path: Path) -> None:
    """A client that asks before it sends its body is refused at once, on every route; a good one may go on."""
    body = b"{}"
    async with running(sandbox, tmp_path) as bot:
        for refused in (
            head(Expect="100-continue", Content_Length=2),
            head(Expect="100-continue", Content_Length=10 * 2**30, X_Hub_Signature_256=SIGNATURE),
            head("POST", "/nothing", Expect="100-continue", Content_Length=2),
            head("POST", "/healthz", Expect="100-continue", Content_Length=2),
            head("GET", "/healthz", Expect="100-continue", Content_Length=2),
        ):
            assert (await ask(bot.url, refused)).status in {200, 401, 404, 405, 413}
        async with connected(bot.url) as stranger:
            top = signed(sandbox, body)[: -len(body)].replace(b"Host: bot", b"Host: bot\r\nExpect: 100-continue")
            await stranger.send(top)
            assert await stranger.peek(25) == b"HTTP/1.1 100 Continue\r\n\r\n"
            await stranger.send(body)
            assert (await stranger.answer()).status == 202
    assert list(rows(tmp_path)) == [ID]


# -- the deadline


@pytest.mark.parametrize("trickle", [False, True])
async def test_a_body_has_a_deadline(sandbox: Sandbox, tmp_path: Path, *, trickle: bool) -> None:
    """BODY_TIMEOUT counts from the head to the last byte: silence and a trickle are both 408."""
    async with running(sandbox, tmp_path, BODY_TIMEOUT="1") as bot, connected(bot.url) as stranger:
        began = time.monotonic()
        await stranger.send(silent(1000))
        while trickle and time.monotonic() - began < 2:
            await stranger.send(b" ")
            await asyncio.sleep(0.1)
        answer = await stranger.answer()
        assert (answer.status, answer.body) == (408, {"error": "the body was not complete after 1 seconds"})
        assert held(bot) == 0


async def test_a_body_that_ends_early_is_no_error_of_ours(
    sandbox: Sandbox, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Connections that are reset, and malformed chunks, leave no traceback in the log and no byte held."""
    async with running(sandbox, tmp_path) as bot:
        async with connected(bot.url) as stranger:
            await stranger.send(silent())
            await asyncio.sleep(0.1)
            stranger.writer.transport.abort()
        chunked = head(X_Hub_Signature_256=SIGNATURE, Transfer_Encoding="chunked")
        assert (await ask(bot.url, chunked + b"no size\r\n")).status == 400
        await until(lambda: held(bot) == 0)
    assert "Traceback" not in capsys.readouterr().err


# -- bytes in flight


async def test_large_bodies_leave_room_for_small_ones(sandbox: Sandbox, tmp_path: Path) -> None:
    """Large bodies from two peers fill their part: one more is 503 at once, and an ordinary webhook is taken."""
    top = head(X_Hub_Signature_256=SIGNATURE, Content_Length=MAX_BODY)
    async with (
        running(sandbox, tmp_path) as bot,
        connected(bot.url, "127.0.0.2") as one,
        connected(bot.url, "127.0.0.3") as two,
    ):
        await one.send(top + b"{")
        await two.send(top + b"{")
        await until(lambda: held(bot) == 2)
        await one.send(bytes(MAX_BODY - 2))
        await two.send(bytes(LARGE_BODIES - MAX_BODY - 1))
        await until(lambda: held(bot) == LARGE_BODIES - 1)
        answer = await ask(bot.url, top, "127.0.0.4")
        assert (answer.status, answer.body) == (
            503,
            {"error": "too many bodies are being received; send it again later"},
        )
        assert (await ask(bot.url, signed(sandbox, b"{}"))).status == 202
        await two.send(bytes(1000))
        assert (await two.answer()).status == 503
        await one.send(b"!")
        assert (await one.answer()).status == 401
        await until(lambda: held(bot) == 0)


async def test_one_peer_cannot_take_all_bytes(sandbox: Sandbox, tmp_path: Path) -> None:
    """A peer has half of the bytes for small bodies: its next one is 503, another peer's webhook is taken."""
    sent = head(X_Hub_Signature_256=SIGNATURE, Content_Length=SMALL_BODY) + bytes(SMALL_BODY - 1)
    part = SMALL_BODIES // 2 // (SMALL_BODY - 1)
    async with running(sandbox, tmp_path) as bot, many(bot.url, part, sent, "127.0.0.2"):
        await until(lambda: held(bot) == part * (SMALL_BODY - 1))
        assert (await ask(bot.url, sent, "127.0.0.2")).status == 503
        assert (await ask(bot.url, signed(sandbox, b"{}"), "127.0.0.1")).status == 202


async def test_chunked_bodies_are_counted_as_they_come(sandbox: Sandbox, tmp_path: Path) -> None:
    """What outgrows a small body takes of the large ones' part, and is 413 as soon as it is over the bound."""
    chunk = b"100000\r\n" + bytes(2**20) + b"\r\n"
    async with running(sandbox, tmp_path) as bot, connected(bot.url) as stranger:
        await stranger.send(head(X_Hub_Signature_256=SIGNATURE, Transfer_Encoding="chunked") + chunk)
        bodies = bot.application[keys.BODIES]
        await until(lambda: bodies.large.held == 2**20)
        assert bodies.small.held == 0
        for _ in range(25):
            await stranger.send(chunk)
        assert (await stranger.answer()).status == 413
        await until(lambda: held(bot) == 0)


async def test_a_body_in_small_chunks_is_taken_and_one_that_is_all_framing_is_not(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    """Chunks of 64 bytes, as no proxy makes them, are fine; of those of one byte a few thousand are read."""
    body = b'{"a": "' + bytes([97]) * 120_000 + b'"}'
    sent = {name.replace("-", "_"): value for name, value in headers(sandbox, body).items()}
    chunked = head(**sent, Transfer_Encoding="chunked")
    async with running(sandbox, tmp_path) as bot:
        for size, status in ((64, 202), (1, 0)):
            chunks = [body[start : start + size] for start in range(0, len(body), size)]
            framed = b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks)
            assert (await ask(bot.url, chunked + framed + b"0\r\n\r\n")).status == status


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("POST", "/nothing", 404), ("POST", "/healthz", 405), ("GET", "/healthz", 200), ("POST", "/webhook", 401)],
)
async def test_a_body_that_nobody_wants_is_not_read(
    sandbox: Sandbox, tmp_path: Path, method: str, path: str, status: int
) -> None:
    """Of 10 GB that are announced the bot takes no more than what fits into buffers, then it closes."""
    async with running(sandbox, tmp_path) as bot, connected(bot.url) as stranger:
        began = time.monotonic()
        await stranger.send(head(method, path, Content_Length=10 * 2**30))
        sent = 0
        piece = bytes(2**20)
        while time.monotonic() - began < 5 and not stranger.closed:
            try:
                async with asyncio.timeout(0.5):
                    stranger.writer.write(piece)
                    await stranger.writer.drain()
            except TimeoutError:
                continue
            except ConnectionError:
                break
            sent += len(piece)
        assert time.monotonic() - began < 4
        assert sent < 32 * 2**20
        answer = await ask(bot.url, head(method, path, Content_Length=0))
        assert answer.status == status
