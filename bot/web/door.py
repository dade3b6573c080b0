"""A door: one listening port, a bound for its connections, and how answers are sent.

Each connection serves one request and is closed. So nobody can keep a connection idle, send requests ahead, or leave
answers unread until buffers are full. A proxy opens a new connection for each request, within its own network.
"""

from __future__ import annotations

import asyncio
import socket
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import structlog
from aiohttp import web
from multidict import CIMultiDict, CIMultiDictProxy

from bot.web.body import EXPECTS_CONTINUE
from bot.web.descriptors import ACCEPTED_AT_ONCE
from bot.web.shares import Shares, peer_of

if TYPE_CHECKING:
    from aiohttp.abc import AbstractStreamWriter
    from aiohttp.http import RawRequestMessage
    from aiohttp.streams import StreamReader

log = structlog.get_logger(__name__)

# The `Server` header of answers: neither a version nor a library.
SERVER = "pointsman"

# A head (request line and headers) must be complete within this time, even if bytes keep coming.
HEAD_SECONDS = 10.0
# GitHub's heads have one kilobyte; a proxy adds some headers.
MOST_HEAD_BYTES = 32 * 1024
# A client that is refused before its body is read should get the answer before the connection is reset. We wait this
# long for it to stop sending, and read and drop this many bytes meanwhile.
LINGER_SECONDS = 1.0
LINGER_BYTES = 256 * 1024
# aiohttp stops reading from a connection that has twice as many unread bytes of a body.
_READ_BYTES = 64 * 1024
# So many bytes are read from a connection before others have their turn: in chunks of one byte they take some
# milliseconds to parse. What a failed parse leaves behind is no larger either.
_RECEIVED_AT_ONCE = 4 * 1024
# What a connection sends after its head beside the body: sizes and extensions of chunks, trailers, further requests.
# GitHub sends none of it, and a proxy that sends a body on in chunks makes them of some hundred bytes at least.
MOST_FRAMING_BYTES = 16 * 1024
_BODY_PER_FRAMING = 8
# Connections that the kernel has made and the event loop has not yet accepted.
_BACKLOG = 511
# The time for open requests at the stop. Most are answered in milliseconds, and drains need the rest of the time.
_SHUTDOWN_SECONDS = 3.0

_HEAD_TOO_LARGE = b"".join(
    (
        b"HTTP/1.1 431 Request Header Fields Too Large\r\n",
        b"Server: pointsman\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: 34\r\n\r\n",
        b'{"error": "headers are too large"}',
    )
)


class Door:
    """Starts an application and bounds its connections: at most `most` at a time, half of them for one peer."""

    def __init__(self, application: web.Application, most: int) -> None:
        self._runner = web.AppRunner(application)
        self._connections = Shares(most, max(1, most // 2))
        self._server: _Server | None = None
        self._listening: asyncio.Server | None = None

    async def start(self) -> None:
        """Start the application. Raises what its start-up hooks raise."""
        await self._runner.setup()

    async def listen(self, host: str, port: int) -> list[str]:
        """Listen, and return the addresses as HOST:PORT. Raises OSError."""
        application = self._runner.server
        if application is None:
            raise RuntimeError("the application is not started")
        self._server = _Server(application, self._connections)
        loop = asyncio.get_running_loop()
        # asyncio accepts as many connections at a time as its backlog says. Each of them has a descriptor before it can
        # be counted, so the number must be small. The kernel's queue is made longer below.
        self._listening = await loop.create_server(self._server, host, port, backlog=ACCEPTED_AT_ONCE)
        for listener in self._listening.sockets:
            with socket.fromfd(listener.fileno(), listener.family, listener.type) as same:
                same.listen(_BACKLOG)
        names = [listener.getsockname() for listener in self._listening.sockets]
        return [f"[{name[0]}]:{name[1]}" if ":" in name[0] else f"{name[0]}:{name[1]}" for name in names]

    async def close(self) -> None:
        """Accept no more connections, end those that are open, and stop the application."""
        if self._listening is not None:
            self._listening.close()
        if self._server is not None:
            # Requests that have arrived are begun first.
            await asyncio.sleep(0)
            self._server.pre_shutdown()
            await self._server.shutdown(_SHUTDOWN_SECONDS)
        await self._runner.cleanup()


class _Server(web.Server):
    """Makes a protocol for each connection, and passes its request to the application."""

    def __init__(self, application: web.Server, connections: Shares) -> None:
        super().__init__(self._answer, request_factory=self._request)
        self._answer_of = application.request_handler
        self._request_of = application.request_factory
        self.connections_held = connections
        # Whoever received something into it has copied it before the next one does.
        self.receive_buffer = bytearray(_RECEIVED_AT_ONCE)

    def __call__(self) -> web.RequestHandler:
        return _Connection(self)

    def _request(
        self,
        message: RawRequestMessage,
        payload: StreamReader,
        protocol: web.RequestHandler,
        writer: AbstractStreamWriter,
        task: asyncio.Task[None],
    ) -> web.BaseRequest:
        # aiohttp would answer `100 Continue` before a handler can refuse the request, and on unknown routes too. So the
        # header is taken out here, and `Bodies.read` answers it.
        expects = message.headers.get("Expect", "").lower() == "100-continue"
        if "Expect" in message.headers:
            others = CIMultiDict(message.headers)
            del others["Expect"]
            message = message._replace(headers=CIMultiDictProxy(others))
        if isinstance(protocol, _Connection):
            protocol.body = payload
        request = self._request_of(message, payload, protocol, writer, task)
        request[EXPECTS_CONTINUE] = expects
        return request

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        response = await self._answer_of(request)
        await _send(request, response)
        return response


class _Connection(web.RequestHandler, asyncio.BufferedProtocol):
    """One connection: counted while it is open, with a bounded head, read in small pieces."""

    def __init__(self, server: _Server) -> None:
        super().__init__(
            server,
            loop=asyncio.get_running_loop(),
            keepalive_timeout=HEAD_SECONDS,
            # `_send` lingers itself, with a bound on the bytes.
            lingering_time=0,
            read_bufsize=_READ_BYTES,
            auto_decompress=False,
        )
        self._shares = server.connections_held
        self._buffer = server.receive_buffer
        self._peer: str | None = None
        # How many bytes of the head have come, and the last three of them; None when the head is complete.
        self._head: tuple[int, bytes] | None = (0, b"")
        # Bytes that have come after the head.
        self._after_head = 0
        # Of the request, from the turn of the loop in which it is begun.
        self.body: StreamReader | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Count the connection, or close it at once.

        A surplus connection does not wait for a free place: GitHub gives up after ten seconds anyway, and the sweep
        fetches the delivery.
        """
        name = transport.get_extra_info("peername")
        peer = peer_of(name[0] if isinstance(name, tuple) else None)
        if not self._shares.take(peer):
            log.warning("connection refused", reason="MAX_CONNECTIONS are open, or half of them by one peer", peer=peer)
            transport.close()
            return
        self._peer = peer
        super().connection_made(transport)

    def connection_lost(self, exc: BaseException | None) -> None:
        """Make room for another connection."""
        if self._peer is not None:
            self._shares.give_back(self._peer)
            self._peer = None
        super().connection_lost(exc)

    def get_buffer(self, sizehint: int) -> bytearray:  # noqa: ARG002 - asyncio wants it
        """Return where the event loop writes what it receives next."""
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        """Take what the event loop received."""
        self.data_received(bytes(memoryview(self._buffer)[:nbytes]))

    def data_received(self, data: bytes) -> None:
        """Parse what came, unless the head is too large: aiohttp bounds each header, and only their number.

        Nor is anything parsed any more if what frames the body is too large beside it: aiohttp bounds neither the
        number of chunks nor how often a connection sends them.
        """
        if self._head is None:
            self._after_head += len(data)
        else:
            size, last = self._head
            # Empty lines before the request line do not end the head.
            text = last + data if size else data.lstrip(b"\r\n")
            end = text.find(b"\r\n\r\n")
            size += (end if end >= 0 else len(text)) - len(last)
            self._head = None if end >= 0 else (size, text[-3:])
            self._after_head = len(text) - end - 4 if end >= 0 else 0
            if size > MOST_HEAD_BYTES:
                if self.transport is not None:
                    self.transport.write(_HEAD_TOO_LARGE)
                self.force_close()
                return
        super().data_received(data)
        if self.body is not None:
            body = self.body.total_bytes
            if self._after_head - body > MOST_FRAMING_BYTES + body // _BODY_PER_FRAMING:
                self.force_close()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Answer malformed HTTP with a sentence, and log one line: anybody on the internet can send it."""
        if status == 400:
            log.info("refused", status=status, reason="not HTTP", error=type(exc).__name__)
            response: web.StreamResponse = web.json_response({"error": "this is not HTTP/1.1"}, status=status)
        else:
            response = super().handle_error(request, status, exc, message)
        response.headers["Server"] = SERVER
        response.force_close()
        return response


async def _send(request: web.BaseRequest, response: web.StreamResponse) -> None:
    """Complete the answer. If the body was not read to its end, send it now and wait for the client to stop sending."""
    response.headers["Server"] = SERVER
    response.force_close()
    content: Any = request.content
    if content.is_eof():
        return
    # If a connection is closed with unread bytes, the kernel resets it, and the client may not see the answer.
    with suppress(OSError, RuntimeError, web.RequestPayloadError):
        await response.prepare(request)
        await response.write_eof()
        async with asyncio.timeout(LINGER_SECONDS):
            left = LINGER_BYTES
            while left > 0 and (chunk := await content.readany()):
                left -= len(chunk)
            if left <= 0:
                await asyncio.sleep(LINGER_SECONDS)
