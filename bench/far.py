"""The sandbox in a process of its own: `python -m bench.far FOLDER`. It lives for as long as its standard input does.

Each line of standard input is a command in JSON, `{"do": NAME, …}`; each is answered by one line of JSON on standard
output, `{"error": SENTENCE}` where it could not be done. The first line, before any command, tells where the sandbox is
and what the App's secrets are. Times are of time.monotonic, which the processes of a machine share.
"""

from __future__ import annotations

import asyncio
import json
import re
import signal
import sys
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.fill import Recipe, fill
from bench.program import SWEPT
from bot.core.trigger import TRAILER
from bot.sandbox import Sandbox
from bot.sandbox.call import is_mutation
from bot.sandbox.events import dispatch_payload

if TYPE_CHECKING:
    from bot.sandbox import Exchange, Repository
    from bot.sandbox.repository import Push

EVENT = "update-gitops-repo"
LINE_BYTES = 2**26
RATES = {"core": 5000, "graphql": 5000}
NO_RATES = {"core": 10**9, "graphql": 10**9}
MINUTE = 60.0
# Points a minute, and what a request that reads or writes counts: docs.github.com, "Rate limits for the REST API",
# and the same page of the GraphQL API. The sandbox does not count them.
REST_POINTS, GRAPHQL_POINTS, WRITE_POINTS = 900, 2000, 5


class Notes:
    """What happened since the notes were begun."""

    def __init__(self) -> None:
        self.requests: list[tuple[float, str]] = []
        self.pushes: list[dict[str, Any]] = []
        self.commits: Counter[tuple[str, str]] = Counter()
        self.reports: Counter[str] = Counter()
        self.refused = 0
        self.points: dict[str, list[tuple[float, int]]] = {"rest": [], "graphql": []}

    def push(self, repository: Repository, push: Push) -> None:
        """Note that a branch moved; the request that moves it is answered in the same breath, and counts."""
        branch = push.ref.removeprefix("refs/heads/")
        self.commits[repository.full_name, branch] += 1
        self.pushes.append(
            {
                "at": time.monotonic(),
                "repository": repository.full_name,
                "branch": branch,
                "commits": self.commits[repository.full_name, branch],
                "requests": len(self.requests) + 1,
            }
        )

    def exchange(self, exchange: Exchange) -> None:
        """Note an answered request."""
        now = time.monotonic()
        if not exchange.path.startswith(SWEPT):
            self.requests.append((now, exchange.operation or f"{exchange.method} {exchange.path}"))
        if exchange.method == "POST" and exchange.path.endswith("/check-runs"):
            self.reports[exchange.path.removeprefix("/repos/").removesuffix("/check-runs")] += 1
        self.refused += exchange.status in {403, 429} or "RATE_LIMITED" in _kinds(exchange.response_body)
        if exchange.installation is None:
            return  # the App itself, and git, are not counted there
        graphql = exchange.path.endswith("/graphql")
        writes = is_mutation(exchange.request_body) if graphql else exchange.method != "GET"
        self.points["graphql" if graphql else "rest"].append((now, WRITE_POINTS if writes else 1))

    def told(self, *, limits: bool) -> dict[str, Any]:
        """Give all of it as JSON; with `limits`, what is beyond GitHub's points a minute counts as refused, too."""
        over = (
            beyond(self.points["rest"], REST_POINTS) + beyond(self.points["graphql"], GRAPHQL_POINTS) if limits else 0
        )
        return {"pushes": self.pushes, "requests": self.requests, "refused": self.refused + over}


class Far:
    """The sandbox in `folder`, and what the other side may ask of it: a method for each command."""

    def __init__(self, folder: Path) -> None:
        self.sandbox = Sandbox(folder, observer=self._observe)
        self._notes = Notes()
        self._news = asyncio.Event()

    def hello(self) -> dict[str, Any]:
        """Tell where the sandbox is, and the secrets."""
        app = self.sandbox.app
        return {
            "url": self.sandbox.url,
            "token": self.sandbox.user_token,
            "app": app.id,
            "key": app.private_key,
            "secret": app.webhook_secret,
        }

    async def set(self, latency: float, limits: bool, webhook_url: str | None) -> None:
        """Begin to answer after `latency` seconds, with GitHub's limits or without, and to tell pushes to a bot."""
        self.sandbox.latency, self.sandbox.webhook_url = latency, webhook_url
        self.sandbox.secondary_limits = limits
        self.sandbox.rate_limits = dict(RATES if limits else NO_RATES)

    async def make(self, name: str, branches: int, **recipe: Any) -> dict[str, Any]:
        """Make a repository by its recipe, with so many branches beside the default one: line-0, line-1 and so on.

        Give its dispatch without a client payload.
        """
        repository = self.sandbox.create_repository(name)
        await fill(repository, Recipe(**recipe))
        for number in range(branches):
            repository.create_branch(f"line-{number}")
        repository.on_push = self._pushed
        return dispatch_payload(self.sandbox, repository, "octocat", EVENT, None)

    async def commit(self, name: str, files: dict[str, str], message: str) -> None:
        """Commit files as a person would."""
        self.sandbox.repository(name).commit(files, message)

    async def begin(self) -> None:
        """Forget all notes."""
        self._notes = Notes()

    async def until(self, pushes: int, reports: int, seconds: float) -> dict[str, Any]:
        """Wait until so many pushes and check runs are noted, and the bot has heard of the pushes; give the notes."""
        async with asyncio.timeout(seconds):
            while len(self._notes.pushes) < pushes or self._notes.reports.total() < reports:
                self._news.clear()
                await self._news.wait()
            await self.sandbox.webhooks.drained()
        return self._notes.told(limits=self.sandbox.secondary_limits)

    async def landed(self, name: str, seconds: float) -> float | None:
        """Wait until a push and a check run of a repository are noted; give the push's time, None if it is too late."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while True:
                    moved = [push["at"] for push in self._notes.pushes if push["repository"] == name]
                    if moved and self._notes.reports[name]:
                        return float(moved[0])
                    self._news.clear()
                    await self._news.wait()
        return None

    async def look(self, name: str, path: str) -> dict[str, Any]:
        """Give the file of every branch as it is now, and in how many commits each delivery is a trailer."""
        repository = self.sandbox.repository(name)
        heads = repository.branches()
        messages = {
            oid: repository.commit_object(oid).message.decode()
            for head in heads.values()
            for oid in repository.history(head)
        }
        trailers = Counter(
            delivery
            for message in messages.values()
            for delivery in re.findall(rf"^{TRAILER}: (\S+)$", message.rpartition("\n\n")[2], re.MULTILINE)
        )
        return {
            "files": {branch: repository.read(path, branch).decode() for branch in heads},
            "trailers": trailers,
        }

    def _observe(self, exchange: Exchange) -> None:
        self._notes.exchange(exchange)
        self._news.set()

    def _pushed(self, repository: Repository, push: Push) -> None:
        self._notes.push(repository, push)
        self._news.set()
        if self.sandbox.webhooks.listens(repository, "push"):
            # As large as GitHub's, without the list of commits: making that takes the sandbox longer than the commit.
            payload = dispatch_payload(self.sandbox, repository, push.by, "", None)
            moved = {"ref": push.ref, "before": push.before, "after": push.after, "deleted": False}
            self.sandbox.webhooks.send(repository, "push", {**payload, **moved})

    async def obey(self, line: bytes) -> None:
        """Do one command and answer it."""
        command = json.loads(line)
        try:
            answer = await getattr(self, command.pop("do"))(**command)
        except TimeoutError:
            seen = f"{len(self._notes.pushes)} pushes and {self._notes.reports.total()} check runs"
            answer = {"error": f"not within {command['seconds']:g} s: the sandbox saw {seen}"}
        except Exception as error:  # noqa: BLE001 - handed to the other side, which ends the run with it
            answer = {"error": f"the sandbox: {type(error).__name__}: {error}"}
        _tell(answer)


def beyond(counted: list[tuple[float, int]], most: int) -> int:
    """Count the requests at which the points of the last minute were more than `most`."""
    over, spent, first = 0, 0, 0
    for when, points in counted:
        spent += points
        while counted[first][0] <= when - MINUTE:
            spent -= counted[first][1]
            first += 1
        over += spent > most
    return over


def _kinds(answer: Any) -> set[str]:
    """Give the types of a GraphQL answer's errors."""
    errors = answer.get("errors") if isinstance(answer, dict) else None
    return (
        {str(error.get("type")) for error in errors if isinstance(error, dict)} if isinstance(errors, list) else set()
    )


def _tell(answer: dict[str, Any] | None) -> None:
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


async def run(folder: Path) -> None:
    """Serve and obey until standard input ends: then whoever started this has ended, or wants it to."""
    reader = asyncio.StreamReader(limit=LINE_BYTES)
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    far = Far(folder)
    await far.sandbox.start()
    _tell(far.hello())
    task: asyncio.Task[None] | None = None
    try:
        while line := await reader.readline():
            task = asyncio.create_task(far.obey(line))
    finally:
        if task is not None:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
        await far.sandbox.stop()


if __name__ == "__main__":
    # An interrupt from the terminal is for all of its programs: the one that started this decides what follows.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    asyncio.run(run(Path(sys.argv[1])))
