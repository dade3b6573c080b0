"""The emulator with its repositories, `pointsman serve` beside it, and dispatches as GitHub signs and sends them."""

from __future__ import annotations

import hashlib
import hmac
import http.client
import json
import os
import subprocess
import sys
import time
import uuid
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from emulator import APP, INSTALLATION, OWNER, PERSON, SECRET, Home, emulating
from running import DATABASE, free_port, rows

from bench.program import UNLIMITED

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from emulator import Emulator, Entry
    from gate import Asked
    from running import Row

EVENT = "update-gitops-repo"
# The emulator has none of GitHub's secondary limits, and no list of deliveries that a sweep could read.
SETTINGS = {**UNLIMITED, "SWEEP_INTERVAL": "0", "RETRY_LONGEST": "2", "LOG_FORMAT": "json", "ADMIN_PORT": "0"}
_SECONDS = 20.0
_POLL_SECONDS = 0.02
_LOG_CHARACTERS = 3000


class Trial:
    """One scenario: its repository, what was sent to it, and, when it is over, how it went."""

    def __init__(self, world: World, name: str, home: Home) -> None:
        self.world, self.name, self.home = world, name, home
        self.sent: dict[str, bytes] = {}
        self.branches = ["main"]
        self.seconds = 0.0
        self.passed = False
        self._repository = self.home.call("GET", "")

    def dispatch(self, payload: object) -> str:
        """Send a dispatch under a GUID of its own, as GitHub makes them (it has the time in it), and return that."""
        delivery = str(uuid.uuid1())
        body = {"action": EVENT, "branch": self._repository["default_branch"], "client_payload": payload}
        body |= {"repository": self._repository, "organization": {"login": OWNER, "id": 1}}
        body |= {"sender": {"login": PERSON, "id": 3, "type": "User"}, "installation": {"id": INSTALLATION}}
        self.sent[delivery] = json.dumps(body).encode()
        answer = self.again(delivery)
        assert answer["outcome"] == "pending", answer
        return delivery

    def again(self, delivery: str) -> Any:
        """Send a dispatch as GitHub redelivers it, the same bytes under the same GUID, and return the answer."""
        return self.world.send("repository_dispatch", delivery, self.sent[delivery])

    def ended(self) -> dict[str, Row]:
        """Wait until all that was sent has ended, and return how, by delivery."""
        return self.world.ended(self.sent)

    def asked(self, part: str, times: int) -> None:
        """Wait until the bot has asked so many times for something with `part` in its path."""
        began = time.monotonic()
        while sum(part in each.path for each in self.requests()) < times:
            assert time.monotonic() - began < _SECONDS, f"{part} is not asked for; {self.world.said()}"
            time.sleep(_POLL_SECONDS)

    def waiting(self) -> set[str]:
        """Wait until something was tried that has not ended, and return the reasons for which it is tried again."""
        began = time.monotonic()
        while True:
            known = self.world.rows()
            reasons = {known[one].reason for one in self.sent if known[one].state == "pending" and known[one].attempts}
            if reasons - {""}:
                return reasons
            assert time.monotonic() - began < _SECONDS, f"nothing waits; {self.world.said()}"
            time.sleep(_POLL_SECONDS)

    def requests(self) -> list[Asked]:
        """Return what the bot asked of the repository."""
        path = f"/repos/{self.home.full_name}/"
        return [each for each in self.world.emulator.gate.requests if each.path.startswith(path)]

    def checks_of(self, oids: Iterable[str]) -> list[dict[str, Any]]:
        """Wait until each of these commits has a check run, and return all of them."""
        checks = []
        for oid in oids:
            began = time.monotonic()
            while not (found := self.home.check_runs(oid)):
                assert time.monotonic() - began < _SECONDS, f"no check run on {oid}; {self.world.said()}"
                time.sleep(_POLL_SECONDS)
            checks += found
        return checks


class World:
    """A running emulator and a running bot. `trials` has what was tried so far."""

    def __init__(self, emulator: Emulator, folder: Path, port: int) -> None:
        self.emulator, self.folder, self.port = emulator, folder, port
        self.trials: list[Trial] = []
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start `pointsman serve`, and wait until it listens."""
        variables = {
            "APP_ID": str(APP),
            "PRIVATE_KEY": self.emulator.key,
            "WEBHOOK_SECRET": SECRET,
            "GITHUB_API_URL": self.emulator.gate.url,
            "DATABASE_URL": f"sqlite:///{self.folder / DATABASE}",
            "HOST": "127.0.0.1",
            "PORT": str(self.port),
            **SETTINGS,
        }
        with (self.folder / "said").open("ab") as said:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "bot", "serve"], env={**os.environ, **variables}, stdout=said, stderr=said
            )
        began = time.monotonic()
        while not self._listens():
            assert self._process.poll() is None, self.said()
            assert time.monotonic() - began < _SECONDS, self.said()
            time.sleep(_POLL_SECONDS)

    def end(self) -> None:
        """End the bot in good order, within a bounded time."""
        assert self._process is not None
        self._process.terminate()
        try:
            self._process.wait(_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        """Send SIGKILL to the bot: what it has in memory is gone."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def send(self, event: str, delivery: str, body: bytes) -> Any:
        """Send a webhook, signed, and return the JSON of the answer, which is a 202."""
        headers = {
            "content-type": "application/json",
            "x-github-event": event,
            "x-github-delivery": delivery,
            "x-hub-signature-256": "sha256=" + hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest(),
        }
        status, text = self._ask("POST", "/webhook", body, headers)
        assert status == 202, text
        return json.loads(text)

    def rows(self) -> dict[str, Row]:
        """Return what the bot keeps of all deliveries."""
        return rows(self.folder)

    def ended(self, deliveries: Iterable[str]) -> dict[str, Row]:
        """Wait until these deliveries have ended, and return how, without their bodies."""
        began = time.monotonic()
        while True:
            known = self.rows()
            found = {one: known[one]._replace(body=b"") for one in deliveries}
            if not any(row.state == "pending" for row in found.values()):
                return found
            pending = {row.reason for row in found.values() if row.state == "pending"}
            assert time.monotonic() - began < 3 * _SECONDS, f"still pending: {pending}; {self.said()}"
            time.sleep(_POLL_SECONDS)

    def said(self) -> str:
        """Quote the end of the bot's log."""
        return (self.folder / "said").read_text(errors="replace")[-_LOG_CHARACTERS:]

    @contextmanager
    def trial(self, name: str, repository: str = "") -> Iterator[Trial]:
        """Try something on a repository, the one of this name or another, and note whether it went through."""
        one = Trial(self, name, Home(self.emulator, repository or name))
        self.trials.append(one)
        began = time.monotonic()
        try:
            yield one
            one.passed = True
        finally:
            one.seconds = time.monotonic() - began

    def table(self) -> str:
        """Return a line for each trial: what was sent, what came of it, how long it took."""
        lines = [
            f"{'scenario':<20} {'dispatches':>10} {'commits':>7} {'check runs':>10} {'requests':>8} {'seconds':>7}"
        ]
        for one in self.trials:
            ours = sum(bool(entry.deliveries) for branch in one.branches for entry in one.home.log(branch))
            checks = sum(each.method == "POST" and each.path.endswith("/check-runs") for each in one.requests())
            figures = f"{len(one.sent):>10} {ours:>7} {checks:>10} {len(one.requests()):>8} {one.seconds:>7.2f}"
            lines.append(f"{one.name:<20} {figures}  {'ok' if one.passed else 'FAILED'}")
        return "\n".join(lines)

    def _listens(self) -> bool:
        try:
            return self._ask("GET", "/readyz")[0] == 200
        except OSError:
            return False

    def _ask(self, method: str, path: str, body: bytes = b"", headers: dict[str, str] | None = None) -> tuple[int, str]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=_SECONDS)
        try:
            connection.request(method, path, body, headers or {})
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()


@contextmanager
def world(folder: Path, names: Sequence[str]) -> Iterator[World]:
    """Start the emulator with repositories of these names, and the bot, its files in `folder`.

    Both are ended afterwards, and the table of what was tried is printed.
    """
    port = free_port()
    with emulating(names, f"http://127.0.0.1:{port}/webhook") as emulator:
        made = World(emulator, folder, port)
        try:
            made.start()
            yield made
            print(f"\n\n{made.table()}")  # noqa: T201 - it is what make emulate is run for
        finally:
            made.end()


def lost_or_doubled(sent: Iterable[str], log: Sequence[Entry], known: dict[str, Row]) -> list[str]:
    """Return a sentence for each dispatch that is not in exactly one commit, nor superseded by a later one that is."""
    times = {one: sum(entry.deliveries.count(one) for entry in log) for one in sent}
    wrong = []
    for one, count in times.items():
        row = known[one]
        superseded = row.state == "no_change" and "superseded" in row.reason
        if not (count == 1 and row.state == "committed") and not (count == 0 and superseded):
            wrong.append(f"{one} is in {count} commits, and {row.state}: {row.reason}")
    return wrong
