"""The bodies of webhooks: checks before a body is read, and bounds for the bytes that are held at a time."""

from __future__ import annotations

import asyncio
import mmap
import re
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Self

from aiohttp import web

from bot.web.errors import answer_error
from bot.web.shares import Shares, peer_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

# GitHub does not deliver more: https://docs.github.com/en/webhooks/webhook-events-and-payloads#payload-cap
MAX_BODY = 25 * 1024 * 1024

# Nearly all of GitHub's webhooks are smaller: a client_payload has 64 KB at most. Bodies up to this size share memory
# that larger bodies cannot take.
SMALL_BODY = 256 * 1024
SMALL_BODIES = 16 * 1024 * 1024
LARGE_BODIES = 32 * 1024 * 1024

_SIGNATURE = re.compile(r"sha256=[0-9a-f]{64}", re.ASCII)

# The door sets this on a request whose client waits for `100 Continue` before it sends the body.
EXPECTS_CONTINUE = web.RequestKey("expects_continue", bool)


class Bodies:
    """Reads the bodies of requests, and bounds how many of their bytes are held at once.

    A byte counts from its arrival until the request is answered. One peer may hold half of SMALL_BODIES, and one body
    of the largest size. Behind a proxy all webhooks come from one peer and have 8 MiB together.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self.small = Shares(SMALL_BODIES, SMALL_BODIES // 2)
        self.large = Shares(LARGE_BODIES, MAX_BODY)

    @asynccontextmanager
    async def read(self, request: web.Request) -> AsyncIterator[bytes]:
        """Yield the body of a webhook; its bytes count as held until the context is left.

        Raises the answer: 401, 415, 413 or 503 before anything is read, 413 or 503 as soon as the bytes that came are
        too many, 408 if the body is not complete in time, 400 if it ends early.
        """
        _check_headers(request)
        announced = request.content_length
        held = _Held(self, peer_of(request.remote), announced or 0)
        if not held.has_room(announced or 1):
            raise _full()
        if request.get(EXPECTS_CONTINUE):
            await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            # aiohttp sends no error once there was output, and the line above was counted as output.
            request.writer.output_size = 0
        try:
            yield await self._collect(request, held)
        finally:
            held.give_back()

    async def _collect(self, request: web.Request, held: _Held) -> bytes:
        with _Buffer() as buffer:
            try:
                async with asyncio.timeout(self._seconds):
                    while chunk := await request.content.readany():
                        if held.size + len(chunk) > MAX_BODY:
                            raise _too_large()
                        if not held.grow(len(chunk)):
                            raise _full()
                        buffer.append(chunk)
            except TimeoutError:
                raise answer_error(408, f"the body was not complete after {self._seconds:g} seconds") from None
            except (OSError, RuntimeError, web.RequestPayloadError):
                # The client closed the connection (aiohttp raises RuntimeError if it did so before we began to read),
                # or sent malformed chunks.
                raise answer_error(400, "the body ended early, or is not framed as HTTP wants it") from None
            return buffer.content()


class _Buffer:
    """Collects a body: a small one in the heap, a large one in an anonymous mapping (mmap).

    Several large bodies that grow in the heap leave holes of their former sizes there, and the process then holds
    several times their bytes. A mapping takes a page when it is written to, and gives all of them back in the end.
    """

    def __init__(self) -> None:
        self._small = bytearray()
        self._large: mmap.mmap | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._small.clear()
        if self._large is not None:
            self._large.close()

    def append(self, chunk: bytes) -> None:
        """Add a chunk. The caller adds no more than MAX_BODY bytes in all."""
        if self._large is not None:
            self._large.write(chunk)
        elif len(self._small) + len(chunk) <= SMALL_BODY:
            self._small += chunk
        else:
            self._large = mmap.mmap(-1, MAX_BODY, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
            self._large.write(self._small)
            self._large.write(chunk)
            self._small.clear()

    def content(self) -> bytes:
        """Return all chunks as one."""
        return bytes(self._small) if self._large is None else self._large[: self._large.tell()]


class _Held:
    """The bytes that one body holds of SMALL_BODIES, or of LARGE_BODIES after it has grown beyond SMALL_BODY."""

    def __init__(self, bodies: Bodies, peer: str, announced: int) -> None:
        self._bodies = bodies
        self._peer = peer
        # How many bytes of the body have come.
        self.size = 0
        self._shares = bodies.large if announced > SMALL_BODY else bodies.small

    def has_room(self, amount: int) -> bool:
        return self._shares.has_room(self._peer, amount)

    def grow(self, amount: int) -> bool:
        """Hold `amount` bytes more; False if there is no room."""
        if self._shares is self._bodies.small and self.size + amount > SMALL_BODY:
            # A chunked body does not announce its size.
            if not self._bodies.large.take(self._peer, self.size + amount):
                return False
            self._shares.give_back(self._peer, self.size)
            self._shares = self._bodies.large
        elif not self._shares.take(self._peer, amount):
            return False
        self.size += amount
        return True

    def give_back(self) -> None:
        self._shares.give_back(self._peer, self.size)


def _check_headers(request: web.Request) -> None:
    """Refuse a request by its headers alone: no signature, an encoded body, a body that is too large."""
    signatures = request.headers.getall("X-Hub-Signature-256", [])
    if len(signatures) != 1 or not _SIGNATURE.fullmatch(signatures[0]):
        raise answer_error(
            401, "X-Hub-Signature-256 is missing or malformed; set the webhook's secret on the App's settings page"
        )
    if "Content-Encoding" in request.headers:
        # GitHub sends none, and a few kilobytes of gzip may inflate to megabytes.
        raise answer_error(415, "webhooks have no Content-Encoding")
    if (request.content_length or 0) > MAX_BODY:
        raise _too_large()


def _too_large() -> web.HTTPException:
    return answer_error(413, f"the body is larger than {MAX_BODY:,} bytes, GitHub's own limit")


def _full() -> web.HTTPException:
    return answer_error(503, "too many bodies are being received; send it again later")
