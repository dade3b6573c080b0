"""The only way from the bot to the emulator: it counts requests, and lets somebody else be faster than one of them."""

from __future__ import annotations

import http.client
import sys
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_SECONDS = 20.0
_PASSED_ON = ("authorization", "content-type", "accept", "user-agent")


class Gate(ThreadingHTTPServer):
    """Passes requests on to 127.0.0.1:`behind`. `url` is its own address, `requests` all that came: method and path."""

    daemon_threads = True

    def __init__(self, behind: int) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.behind = behind
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        self.requests: list[tuple[str, str]] = []
        self._before: list[tuple[str, str, Callable[[], object]]] = []

    def before(self, method: str, part: str, act: Callable[[], object]) -> None:
        """Call `act` once, right before the next request of this method with `part` in its path is passed on."""
        self._before.append((method, part, act))

    def note(self, method: str, path: str) -> None:
        """Take note of a request, and let whoever waits for it act."""
        self.requests.append((method, path))
        for one in list(self._before):
            if one[0] == method and one[1] in path:
                self._before.remove(one)
                one[2]()

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
        self.server.note(self.command, self.path)
        headers = {name: self.headers[name] for name in _PASSED_ON if name in self.headers}
        connection = http.client.HTTPConnection("127.0.0.1", self.server.behind, timeout=_SECONDS)
        try:
            connection.request(self.command, self.path, body, headers)
            answer = connection.getresponse()
            content = answer.read()
        finally:
            connection.close()
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
