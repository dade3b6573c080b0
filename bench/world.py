"""The sandbox with its repositories, the bot beside it, and the way from a dispatch to its commit.

The sandbox runs in the process of the bench, which does nothing else while it measures: so one clock sees the dispatch
leave and the branch move. The bot is `pointsman serve`, in a process of its own.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from bench.files import AUTHOR, MAPPING_PATH, SECOND, TARGET, mappings, tag_in, target
from bench.program import SWEPT, UNLIMITED, Account, BenchError, last_words, serving
from bot.sandbox import Sandbox

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from bench.program import Bot
    from bot.sandbox import Exchange, Repository
    from bot.sandbox.repository import Push

WAIT_SECONDS = 20.0
SETTLE_SECONDS = 0.02


class Scenario(NamedTuple):
    """One kind of dispatch: its name, the globs of the files, the paths it changes, whether commits have an author."""

    name: str
    files: str
    paths: tuple[str, ...]
    author: bool = False
    promised: bool = False


# Who commits how: bot/github/commit.py.
SCENARIOS = (
    Scenario("1 file, GraphQL", TARGET, (TARGET,), promised=True),
    Scenario("1 file, Contents API", TARGET, (TARGET,), author=True, promised=True),
    Scenario("a glob, GraphQL", "'**/dev/shop.yaml'", (TARGET,)),
    Scenario("2 files, GraphQL", f"[{TARGET}, {SECOND}]", (TARGET, SECOND)),
    Scenario("2 files, Git Data API", f"[{TARGET}, {SECOND}]", (TARGET, SECOND), author=True),
)


class Cost(NamedTuple):
    """What a commit cost: seconds, requests, and how many of them had to wait for one another."""

    seconds: float
    requests: int
    trips: int


@dataclass
class Watch:
    """What the sandbox saw of one change: when each request was answered, and when the branch moved."""

    latency: float
    began: float = field(default_factory=time.monotonic)
    answered: list[tuple[float, str]] = field(default_factory=list)
    moved: asyncio.Event = field(default_factory=asyncio.Event)
    reported: asyncio.Event = field(default_factory=asyncio.Event)
    moved_at: float = 0.0
    counted: int = 0

    def push(self) -> None:
        """Take note that the branch moved. The request that did it is answered in the same breath."""
        if not self.moved.is_set():
            self.moved_at, self.counted = time.monotonic(), len(self.answered) + 1
            self.moved.set()

    def exchange(self, path: str) -> None:
        """Take note of an answered request."""
        if not path.startswith(SWEPT):
            self.answered.append((time.monotonic(), path))
        if path.endswith("/check-runs"):
            self.reported.set()

    def cost(self, since: float | None = None) -> Cost:
        """Give the cost from the beginning, or from a time (monotonic seconds), to the commit."""
        start = self.began if since is None else since
        ends = [end for end, _ in self.answered[: self.counted] if end > start]
        trips, last = 0, 0.0
        for end in ends:
            # Requests under way at the same time are one trip; each takes the latency.
            if end - self.latency >= last:
                trips, last = trips + 1, end
        return Cost(self.moved_at - start, len(ends), trips)

    def total(self) -> Cost:
        """Give the cost of a program that has ended by now: all its requests count. Raises BenchError if it failed."""
        if not self.moved.is_set():
            raise BenchError("the branch did not move")
        self.counted = len(self.answered)
        return self.cost()

    @property
    def token_at(self) -> float | None:
        """When the installation's token was given, None where none was asked for."""
        tokens = [end for end, path in self.answered[: self.counted] if path.endswith("/access_tokens")]
        return tokens[0] if tokens else None


class World:
    """A started sandbox in `folder`, and what is done with it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.sandbox = Sandbox(folder / "github")
        self.sandbox.rate_limits = {"core": 10**9, "graphql": 10**9}
        self._number = 0

    def repository(self, name: str, scenario: Scenario = SCENARIOS[0]) -> Repository:
        """Give the repository acme/NAME, made with the scenario's mapping file and 82 files where it is not there."""
        found = self.sandbox.find_repository(f"acme/{name}")
        if found is not None:
            return found
        rules = mappings(scenario.files) + (AUTHOR if scenario.author else "")
        files = {f"apps/app-{number:02}/values.yaml": target(f"App {number}") for number in range(80)}
        targets = {path: target(f"{path} of {name}") for path in (TARGET, SECOND)}
        return self.sandbox.create_repository(f"acme/{name}", {MAPPING_PATH: rules, **files, **targets})

    def repository_of(self, scenario: Scenario) -> Repository:
        """Give the repository of a scenario."""
        return self.repository(_slug(scenario.name), scenario)

    def next_tag(self) -> str:
        """Give an image tag that was not there before."""
        self._number += 1
        return f"1.4.{self._number}-dev"

    @asynccontextmanager
    async def watching(self, repository: Repository) -> AsyncIterator[Watch]:
        """Watch what happens to a repository."""
        watch = Watch(self.sandbox.latency)
        told = repository.on_push

        def pushed(repo: Repository, push: Push) -> None:
            watch.push()
            if told:
                told(repo, push)

        def observe(exchange: Exchange) -> None:
            watch.exchange(exchange.path)

        repository.on_push, self.sandbox.observer = pushed, observe
        try:
            yield watch
        finally:
            repository.on_push, self.sandbox.observer = told, None

    async def dispatch(self, scenario: Scenario) -> Watch:
        """Send a dispatch, and wait until the bot has committed and reported. Raises BenchError if it does not."""
        repository, tag = self.repository_of(scenario), self.next_tag()
        async with self.watching(repository) as watch:
            await self.sandbox.dispatch(repository.full_name, "update-gitops-repo", {"docker_image_tag": tag})
            try:
                async with asyncio.timeout(WAIT_SECONDS):
                    await watch.moved.wait()
                    await watch.reported.wait()
                    await self.sandbox.webhooks.drained()
            except TimeoutError:
                said = last_words(self.folder)
                raise BenchError(f"{scenario.name}: no commit within {WAIT_SECONDS:g} s; {said}") from None
        for path in scenario.paths:
            if tag_in(repository.read(path)) != tag:
                raise BenchError(f"{scenario.name}: the commit does not have {tag} in {path}")
        await asyncio.sleep(SETTLE_SECONDS)
        return watch

    @asynccontextmanager
    async def bot(self) -> AsyncIterator[Bot]:
        """Start a bot that has seen nothing yet; end it afterwards. Raises BenchError if it does not get ready."""
        app = self.sandbox.app
        # What is measured is the bot's own work; GitHub's limits would be all that is seen of a series.
        account = Account(self.sandbox.url, app.id, app.private_key, app.webhook_secret)
        async with serving(self.folder, account, UNLIMITED) as bot:
            self.sandbox.webhook_url = bot.webhook_url
            try:
                yield bot
            finally:
                self.sandbox.webhook_url = None


def _slug(name: str) -> str:
    return "".join(letter if letter.isalnum() else "-" for letter in name.lower())
