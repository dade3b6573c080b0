"""A storm: dispatches, faults, lag, webhooks that are lost, doubled or late, foreign commits, and a bot that dies.

It is killed again and again. Some lives end with a nap: the process is stopped, another one goes on with its database,
and it wakes beside that one before it is killed.
"""

from __future__ import annotations

import asyncio
import random
import signal
import sqlite3
import time
from collections import Counter
from contextlib import closing, suppress
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from running import DATABASE, answers, free_port, rows, start

from bot.inbox.records import UNFINISHED
from bot.sandbox import PRESETS
from bot.sandbox.preset_foreign import FOREIGN
from bot.sandbox.preset_limits import LIMITS
from bot.sandbox.preset_refusals import RULES

if TYPE_CHECKING:
    from asyncio.subprocess import Process
    from pathlib import Path

    from bot.sandbox import Repository, Sandbox

VALUES, MORE = "values.yaml", "more.yaml"
_RULES = """\
version: 1
mappings:
  - name: app
    branch: '${{ branch }}'
    update:
      - { files: FILES, set: { image.tag: '${{ tag }}' } }
"""
_AUTHOR = "commit: { author: { name: build, email: build@internal } }\n"
# Each way to write has a repository: GraphQL, the Contents API, the Git Data API.
WAYS = {
    "acme/graphql": _RULES.replace("FILES", VALUES),
    "acme/contents": _RULES.replace("FILES", VALUES) + _AUTHOR,
    "acme/git-data": _RULES.replace("FILES", f"[{VALUES}, {MORE}]") + _AUTHOR,
}
FILE = "image: { tag: 0 }   # set by dispatches\nnote: 0   # set by people\n"

# What a rule refuses has ended, as `blocked`, a primary limit lasts for up to an hour, and firewalls may say anything:
# these have their own tests.
PASSING = sorted(PRESETS.keys() - RULES.keys() - FOREIGN.keys() - {name for name in LIMITS if "primary" in name})
# Some can befall writes only: the others alone make up the share of all requests.
ANYWHERE = [name for name in PASSING if not PRESETS[name].keys() & {"method", "path", "moves"}]
_A_SECOND = {"headers": {"retry-after": "1"}}
_SHORTER = dict.fromkeys(LIMITS, _A_SECOND)

# What the bot is told to be like: no limits but GitHub's own, quick to look for what it missed, and patient.
SETTINGS = {
    "QUOTA_WRITES_MINUTE": "0",
    "QUOTA_WRITES_HOUR": "0",
    "QUOTA_WRITE_INTERVAL": "0",
    "RHYTHM_INTERVAL": "0",
    "QUOTA_CONCURRENT": "0",
    "QUOTA_REST_POINTS": "0",
    "QUOTA_GRAPHQL_POINTS": "0",
    "SWEEP_INTERVAL": "2",
    "RETRY_ATTEMPTS": "1000000",
    "RETRY_LONGEST": "2",
}
_START_SECONDS = 30.0


class Size(NamedTuple):
    """How much of everything; shares are of the requests, of the webhooks, or (`lag`) of what is new at GitHub.

    One life in so many as `naps` says ends with one.
    """

    dispatches: int
    branches: int
    kills: int
    foreign: int
    faults: float = 0.05
    lost: float = 0.03
    doubled: float = 0.03
    late: float = 0.03
    lag: float = 0.1
    naps: int = 6
    life_seconds: tuple[float, float] = (0.1, 4.0)
    calm_seconds: float = 180.0

    @property
    def seconds(self) -> float:
        """How long all lives are expected to last, with the pauses between them."""
        return self.kills * (sum(self.life_seconds) / 2 + 0.2)


class Sent(NamedTuple):
    """A dispatch that was sent; on each branch the values rise in the order of sending."""

    delivery: str
    branch: str
    value: int


class Storm:
    """One run on a sandbox, with the dice of one seed. `run` leaves the bot ended and the sandbox still."""

    def __init__(self, sandbox: Sandbox, folder: Path, size: Size, seed: int, port: int) -> None:
        self.sandbox, self.folder, self.size, self.seed, self.port = sandbox, folder, size, seed, port
        self.sent: list[Sent] = []
        self.notes: Counter[str] = Counter()
        self.struck: Counter[str] = Counter()
        self.requests = self.kills = self.naps = self.dead_at_start = 0
        self.homes = {f"b{number}": self._home(number) for number in range(size.branches)}
        self._process: Process | None = None

    def _home(self, number: int) -> Repository:
        """Return the repository of a branch, made with it."""
        name = list(WAYS)[number % len(WAYS)]
        files = {".github/pointsman.yaml": WAYS[name], VALUES: FILE, MORE: FILE}
        repository = self.sandbox.find_repository(name) or self.sandbox.create_repository(name, files)
        repository.create_branch(f"b{number}")
        return repository

    async def run(self) -> float:
        """Let it rage, wait until all has ended, and end the bot in good order; return the seconds of that wait."""
        self._unleash()
        await self._start()
        await self._ready()
        self.sandbox.webhook_url = f"http://127.0.0.1:{self.port}/webhook"
        try:
            raging = asyncio.gather(self._kill(), self._dispatch(), self._meddle())
            await raging
            began = time.monotonic()
            await self._calm()
            return time.monotonic() - began
        finally:
            self.sandbox.faults.clear()
            self.sandbox.webhooks.heal()
            self.sandbox.lag.heal()
            self.sandbox.races.heal()
            await self._end()
            self.sandbox.webhook_url = None

    def _dice(self, what: str) -> random.Random:
        """Return dice of their own for each of those that act at the same time: so each acts the same every time."""
        return random.Random(f"{self.seed} {what}")  # noqa: S311 - the point is that it repeats

    def _unleash(self) -> None:
        sandbox, size = self.sandbox, self.size
        sandbox.rate_limits = {"core": 10**9, "graphql": 10**9}
        sandbox.faults.seed(self.seed)
        for name in PASSING:
            note = partial(self.struck.update, [name])
            share = size.faults / len(ANYWHERE)
            sandbox.faults.cause(name, times=None, probability=share, callback=note, **_SHORTER.get(name, {}))
        sandbox.webhooks.seed(self.seed)
        sandbox.webhooks.lose(probability=size.lost)
        sandbox.webhooks.double(probability=size.doubled)
        sandbox.webhooks.shuffle(probability=size.late)
        sandbox.races.seed(self.seed)
        sandbox.races.word()
        sandbox.lag.seed(self.seed)
        sandbox.lag.tokens(probability=size.lag)
        sandbox.lag.commits(probability=size.lag)
        sandbox.lag.refs(probability=size.lag)

        def count(_: object) -> None:
            self.requests += 1

        sandbox.observer = count

    # -- those who act

    async def _dispatch(self) -> None:
        """Send all dispatches, spread over the lives that the bot is expected to have."""
        dice, size = self._dice("dispatches"), self.size
        pause = size.seconds / size.dispatches
        for value in range(1, size.dispatches + 1):
            branch = dice.choice(list(self.homes))
            payload = {"branch": branch, "tag": value}
            delivery = await self.sandbox.dispatch(self.homes[branch].full_name, "x", payload)
            assert delivery is not None
            self.sent.append(Sent(delivery, branch, value))
            await asyncio.sleep(dice.uniform(0, 2 * pause))

    async def _kill(self) -> None:
        """Let the bot live for a while, kill it, start it again: some lives end before the start is over."""
        dice, size = self._dice("kills"), self.size
        for number in range(1, size.kills + 1):
            await asyncio.sleep(dice.uniform(*size.life_seconds))
            process = self._process
            assert process is not None
            assert process.returncode is None, f"the bot ended by itself: {self.said()[-2000:]}"
            if number % size.naps == 0:
                await self._ready()
                await self._nap(process, dice)
            else:
                self.dead_at_start += not await answers(self.port)
                process.send_signal(signal.SIGKILL)
                await process.wait()
                await asyncio.sleep(dice.uniform(0, 0.4))
                await self._start()
            self.kills += 1

    async def _nap(self, sleeper: Process, dice: random.Random) -> None:
        """Stop the bot and start another one, as if the lock of the database had been lost; wake the first, kill it."""
        sleeper.send_signal(signal.SIGSTOP)
        while self._is_locked():  # SQLite keeps everybody out for as long as it sleeps in a transaction
            sleeper.send_signal(signal.SIGCONT)
            await asyncio.sleep(0.005)
            sleeper.send_signal(signal.SIGSTOP)
        (self.folder / f"{DATABASE}.lock").unlink()
        # The sleeper keeps its port.
        self.port = free_port()
        try:
            await self._start()
            await self._ready()
            self.sandbox.webhook_url = f"http://127.0.0.1:{self.port}/webhook"
            await asyncio.sleep(dice.uniform(0, 2.0))
            sleeper.send_signal(signal.SIGCONT)
            await asyncio.sleep(dice.uniform(0, 2.0))
        finally:
            sleeper.send_signal(signal.SIGKILL)
            await sleeper.wait()
        self.naps += 1

    def _is_locked(self) -> bool:
        """Say whether a process is in the middle of a transaction."""
        with closing(sqlite3.connect(self.folder / DATABASE, timeout=0, isolation_level=None)) as connection:
            try:
                connection.execute("BEGIN IMMEDIATE")
                connection.execute("ROLLBACK")
            except sqlite3.OperationalError:
                return True
        return False

    async def _ready(self) -> None:
        """Wait until the bot answers."""
        async with asyncio.timeout(_START_SECONDS):
            while not await answers(self.port):
                await asyncio.sleep(0.1)

    async def _meddle(self) -> None:
        """Commit as people do, to the files that the bot writes and beside them, some right before a write of its."""
        dice, size = self._dice("people"), self.size
        pause = size.seconds / max(size.foreign, 1)
        for number in range(1, size.foreign + 1):
            await asyncio.sleep(dice.uniform(0, 2 * pause))
            branch = dice.choice(list(self.homes))
            write = partial(self._foreign, branch, number)
            if number % 2:
                self.sandbox.before(write, repository=self.homes[branch].id, moves=True)
            else:
                write()

    def _foreign(self, branch: str, number: int) -> None:
        home = self.homes[branch]
        before = home.read(VALUES, branch).decode()
        after = before.replace(f"note: {self.notes[branch]} ", f"note: {number} ")
        assert after != before
        home.commit({VALUES: after, f"people/{number}": "theirs\n"}, f"By a person: {number}", branch)
        self.notes[branch] = number

    # -- the bot

    async def _start(self) -> None:
        with (self.folder / "said").open("ab") as said:
            self._process = await start(self.sandbox, self.folder, self.port, said, None, **SETTINGS)

    async def _calm(self) -> None:
        """Wait until every dispatch has ended, for `calm_seconds` at most."""
        with suppress(TimeoutError):
            async with asyncio.timeout(self.size.calm_seconds):
                while self.unfinished():
                    await asyncio.sleep(0.5)

    async def _end(self) -> None:
        if self._process is None or self._process.returncode is not None:
            return
        self._process.terminate()
        try:
            async with asyncio.timeout(_START_SECONDS):
                await self._process.wait()
        except TimeoutError:
            self._process.kill()
            await self._process.wait()

    def unfinished(self) -> list[str]:
        """Return the dispatches that the bot has not ended yet, or never heard of."""
        known = rows(self.folder)
        return [
            one.delivery for one in self.sent if one.delivery not in known or known[one.delivery].state in UNFINISHED
        ]

    def said(self) -> str:
        """Return what all lives of the bot wrote."""
        return (self.folder / "said").read_text(encoding="utf-8", errors="replace")
