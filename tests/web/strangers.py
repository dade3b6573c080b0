"""What strangers send to a door, byte by byte, and what they are answered."""

from __future__ import annotations

import asyncio
import json
import time
import zlib
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

# Well-formed, and of no secret.
SIGNATURE = "sha256=" + "0" * 64
SECONDS = 15.0


def head(method: str = "POST", path: str = "/webhook", **headers: str | int) -> bytes:
    """Return the head of a request; X_GitHub_Event is X-GitHub-Event."""
    lines = [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([f"{method} {path} HTTP/1.1", "Host: bot", *lines, "", ""]).encode()


def silent(size: int = 10) -> bytes:
    """Return a webhook of which only the first byte of the body comes."""
    return head(X_Hub_Signature_256=SIGNATURE, Content_Length=size) + b"{"


def bomb() -> bytes:
    """Return a body of some 24 KB that inflates to 24 MB."""
    packed = zlib.compressobj(9, zlib.DEFLATED, 31)
    return packed.compress(bytes(24_000_000)) + packed.flush()


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back; status 0 if the connection was closed without an answer."""

    status: int
    headers: dict[str, str]
    body: Any
    seconds: float


class Stranger:
    """One connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self.writer = writer

    async def send(self, data: bytes) -> None:
        """Send some bytes, unless the other side has closed the connection."""
        with suppress(ConnectionError):
            self.writer.write(data)
            await self.writer.drain()

    async def answer(self) -> Answer:
        """Read until the other side closes, and return what it said."""
        began = time.monotonic()
        read = b""
        with suppress(ConnectionError):
            async with asyncio.timeout(SECONDS):
                while chunk := await self._reader.read(2**16):
                    read += chunk
        seconds = time.monotonic() - began
        if not read:
            return Answer(0, {}, None, seconds)
        top, _, body = read.partition(b"\r\n\r\n")
        status, *lines = top.decode().split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        return Answer(int(status.split()[1]), headers, json.loads(body) if body else None, seconds)

    async def peek(self, size: int) -> bytes:
        """Read so many bytes of what comes."""
        async with asyncio.timeout(SECONDS):
            return await self._reader.readexactly(size)

    @property
    def closed(self) -> bool:
        """Whether the other side has closed the connection, and nothing is left to read."""
        return self._reader.at_eof() or self._reader.exception() is not None


@asynccontextmanager
async def connected(url: str, source: str | None = None) -> AsyncIterator[Stranger]:
    """Connect to a bot, from another address of this machine if one is given."""
    host, _, port = url.removeprefix("http://").rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port), local_addr=(source, 0) if source else None)
    try:
        yield Stranger(reader, writer)
    finally:
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()


@asynccontextmanager
async def many(url: str, count: int, data: bytes, source: str | None = None) -> AsyncIterator[list[Stranger]]:
    """Connect so many times, and send `data` on each."""
    async with AsyncExitStack() as stack:
        strangers = []
        for _ in range(count):
            stranger = await stack.enter_async_context(connected(url, source))
            await stranger.send(data)
            strangers.append(stranger)
        yield strangers


async def ask(url: str, data: bytes, source: str | None = None) -> Answer:
    """Send `data`, and return the answer."""
    async with connected(url, source) as stranger:
        await stranger.send(data)
        return await stranger.answer()


async def slowest(url: str, seconds: float) -> float:
    """Ask for health for a while, and return how long the slowest answer took; each must be 200."""
    end = time.monotonic() + seconds
    slowest = 0.0
    while time.monotonic() < end:
        began = time.monotonic()
        assert (await ask(url, head("GET", "/healthz"))).status == 200
        slowest = max(slowest, time.monotonic() - began)
        await asyncio.sleep(0.05)
    return slowest
