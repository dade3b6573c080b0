"""The only way from the bot to the emulator: it counts requests, lets somebody be faster, and loses answers."""

from __future__ import annotations

import http.client
import sys
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_SECONDS = 20.0
_PASSED_ON = ("authorization", "content-type", "accept", "user-agent")


class Asked(NamedTuple):
    """A request that came through: its method, its path with the query, its Authorization header."""

    method: str
    path: str
    authorization: str


class Gate(ThreadingHTTPServer):
    """Passes requests on to 127.0.0.1:`behind`. `url` is its own address, `requests` all that came through."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, behind: int) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.behind = behind
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        self.requests: list[Asked] = []
        self._before: list[tuple[str, str, Callable[[], object]]] = []
        self._lost: list[tuple[str, str]] = []

    def before(self, method: str, part: str, act: Callable[[], object]) -> None:
        """Call `act` once, right before the next request of this method with `part` in its path is passed on."""
        self._before.append((method, part, act))

    def lose_answer(self, method: str, part: str) -> None:
        """Pass the next request of this method with `part` in its path on, but end the connection without an answer."""
        self._lost.append((method, part))

    def note(self, asked: Asked) -> bool:
        """Take note of a request, let whoever waits for it act, and say whether its answer is to be lost."""
        self.requests.append(asked)
        for method, part, act in list(self._before):
            if method == asked.method and part in asked.path:
                self._before.remove((method, part, act))
                act()
        lost = next((one for one in self._lost if one[0] == asked.method and one[1] in asked.path), None)
        if lost is not None:
            self._lost.remove(lost)
        return lost is not None

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing of a bot that was killed and does not hear its answer any more; all else is told as usual."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Gate

    def do_GET(self) -> None:
        """Pass one request on, whatever its method, and its answer back."""
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        lost = self.server.note(Asked(self.command, self.path, self.headers.get("authorization", "")))
        headers = {name: self.headers[name] for name in _PASSED_ON if name in self.headers}
        connection = http.client.HTTPConnection("127.0.0.1", self.server.behind, timeout=_SECONDS)
        try:
            connection.request(self.command, self.path, body, headers)
            answer = connection.getresponse()
            content = answer.read()
        finally:
            connection.close()
        if lost:
            self.close_connection = True
            return
        self.send_response_only(answer.status, answer.reason)
        for name, value in answer.getheaders():
            if name.lower() not in {"connection", "keep-alive", "transfer-encoding", "content-length"}:
                self.send_header(name, value)
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_POST = do_PUT = do_PATCH = do_GET  # noqa: N815 - the library looks for these names


@contextmanager
def gate(behind: int) -> Iterator[Gate]:
    """Open a gate before a port of this machine, and close it afterwards."""
    with Gate(behind) as made:
        thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield made
        finally:
            made.shutdown()
            thread.join(_SECONDS)
