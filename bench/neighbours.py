"""The dispatches of one installation while the repositories of another one do the worst that they may."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections import Counter
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import aiohttp

from bench import hostile
from bench.files import mappings
from bench.fill import Recipe
from bench.load import Maker, send, states, verify
from bench.processes import Family
from bench.program import BenchError
from bench.rows import PART, Row, goal_row, least_row, p99

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping, Sequence
    from pathlib import Path

    from bench.load import Dispatch
    from bench.program import Bot
    from bench.remote import Remote

SECTION = "neighbours"
FILES = 10
PULSE_SECONDS = 0.05
# A health check of an orchestrator gives up long before; a request that is not answered counts with this.
PULSE_PATIENCE = 10.0
# Between the first hostile dispatches and the first honest one: all of them compute by then.
UNDER_WAY_SECONDS = 2.0
# The most that is waited for attackers whose first dispatches only prepare the worst one.
PRELUDE_SECONDS = 30.0
POLL_SECONDS = 0.1
# The series in which all attackers work at once.
ALL = "all attackers"
# How long a bot may take to end after SIGTERM before it is killed.
STOP_SECONDS = 60.0
MOST_TIMES_QUIET, MOST_SECONDS, MOST_HEALTH_P99, MOST_STOP_SECONDS = 3, 2, 0.1, 25

COMMITTED, UNFINISHED = {"committed", "no_change"}, {"pending", "waiting"}


class Sizes(NamedTuple):
    """How much is asked of the bot."""

    # Honest dispatches, and the most seconds that all of them may take, while all attackers work at once.
    honest: int = 100
    seconds: float = 120.0
    # The same for each kind of attack alone; none for 0.
    honest_alone: int = 25
    seconds_alone: float = 30.0
    # Seconds between two of them, so that they meet the attackers at whatever these do.
    pause: float = 0.1
    latency: float = 0.05
    # Hostile dispatches in each series; each repository has one under way at a time.
    hostile: int = 2000
    patterns: int = 12_000
    patterns_repositories: int = 12
    unknown: int = 1400
    listed: int = 2500
    mapping_repositories: int = 6
    branches: int = 8
    files: int = 300
    globs: int = 8
    names: int = 150
    absent: int = 100


QUICK = Sizes(
    honest=5,
    seconds=20.0,
    honest_alone=0,
    pause=0.0,
    latency=0.0,
    hostile=20,
    patterns=50,
    patterns_repositories=2,
    unknown=10,
    listed=50,
    mapping_repositories=1,
    branches=2,
    files=5,
    globs=2,
    names=5,
    absent=2,
)


@dataclass
class Attacker:
    """A repository whose dispatches are hostile."""

    kind: str
    maker: Maker
    # Makes the payload of a dispatch; takes how many dispatches were sent to the same bot before.
    payload: Callable[[int], Mapping[str, Any]]
    # How many of its first dispatches only prepare the worst one.
    prelude: int = 0
    # The dispatches that were sent to this bot.
    sent: list[Dispatch] = field(default_factory=list)

    def make(self) -> Dispatch:
        """Make the next dispatch."""
        self.sent += self.maker.make(1, more=self.payload(len(self.sent)))
        return self.sent[-1]


@dataclass
class Series:
    """What became of honest dispatches: seconds from sending one to its commit, and how many ended otherwise.

    One that has not ended when the time is over counts with the seconds until then.
    """

    seconds: list[float] = field(default_factory=list)
    committed: int = 0
    failed: int = 0
    pending: int = 0
    health: list[float] = field(default_factory=list)

    @property
    def p50(self) -> float:
        """The median, in seconds."""
        return statistics.median(self.seconds)

    def rows(self, name: str, count: int, quiet: Series | None = None) -> list[Row]:
        """Give the figures of a series of `count` dispatches; beside the `quiet` series there are goals."""
        ended = f"{name}{PART}how they ended"
        rows = [
            *_seconds_rows(f"{name}{PART}dispatches", self.seconds, {"max": MOST_SECONDS} if quiet else {}),
            Row(ended, "n", len(self.seconds), ""),
            least_row(ended, "committed", self.committed, "", count if quiet else None),
            Row(ended, "failed", self.failed, ""),
            Row(ended, "pending", self.pending, ""),
        ]
        if quiet is not None:
            times = self.p50 / quiet.p50
            rows.append(goal_row(f"{name}{PART}times quiet", "p50 / quiet", times, "", MOST_TIMES_QUIET))
        return rows + _seconds_rows(f"{name}{PART}healthz", self.health, {"p99": MOST_HEALTH_P99} if quiet else {})


class Honest:
    """The repository whose dispatches are timed."""

    def __init__(self, far: Remote, name: str, maker: Maker) -> None:
        self._far = far
        self._name = name
        self._maker = maker
        self._sent: list[Dispatch] = []

    async def series(self, bot: Bot, count: int, seconds: float, pause: float = 0.0) -> Series:
        """Send `count` dispatches, each a pause after the check run of the one before, for so many seconds at most."""
        series, end = Series(), time.monotonic() + seconds
        while len(series.seconds) < count and time.monotonic() < end:
            await self._one(bot, series, end)
            await asyncio.sleep(pause)
        return series

    async def _one(self, bot: Bot, series: Series, end: float) -> None:
        (dispatch,) = self._maker.make(1)
        await self._far.begin()
        sent = time.monotonic()
        await send(bot.webhook_url, [dispatch])
        while True:
            landed = await self._far.landed(self._name, min(1.0, max(end - time.monotonic(), 0.0)))
            if landed is not None:
                series.seconds.append(landed - sent)
                series.committed += 1
                self._sent.append(dispatch)
                return
            state = states(bot.database)[dispatch.id]
            late = time.monotonic() >= end
            if late or state not in COMMITTED | UNFINISHED:
                series.seconds.append(time.monotonic() - sent)
                series.pending += late
                series.failed += not late
                return

    async def verify(self) -> None:
        """Make sure that each dispatch is in one commit, unless one of them was not committed. Raises BenchError."""
        if len(self._sent) == len(self._maker.made):
            await verify(self._far, self._name, self._sent, {})


async def measured(far: Remote, sizes: Sizes, say: Callable[[str], None], checkouts: Mapping[str, Path]) -> list[Row]:
    """Measure the bot of each checkout, which stands under its section's name."""
    rows: list[Row] = []
    for number, (section, checkout) in enumerate(checkouts.items()):
        # Two accounts for each bot, and so two installations.
        name = f"honest-{number}/gitops"
        honest = Honest(far, name, Maker(await far.make(name, Recipe(mappings(), FILES)), far.account.secret))
        attackers = await _attackers(far, f"hostile-{number}", sizes)
        run = _Run(far, sizes, checkout, section, honest, attackers)
        say(f"{section}: quiet")
        quiet = await run.quiet()
        rows += quiet.rows(f"{section}{PART}quiet", sizes.honest)
        kinds = dict.fromkeys(attacker.kind for attacker in attackers) if sizes.honest_alone else {}
        for kind in (*kinds, None):
            say(f"{section}: {kind or ALL}")
            rows += await run.attacked(quiet, kind)
    return rows


@dataclass
class _Run:
    """The series of one bot."""

    far: Remote
    sizes: Sizes
    checkout: Path
    section: str
    honest: Honest
    attackers: Sequence[Attacker]

    def _bot(self) -> AbstractAsyncContextManager[Bot]:
        return self.far.bot(latency=self.sizes.latency, checkout=self.checkout)

    async def quiet(self) -> Series:
        """Measure without attackers. Raises BenchError if not all dispatches are committed."""
        sizes = self.sizes
        async with self._bot() as bot:
            await self.honest.series(bot, 1, sizes.seconds)  # a token is fetched, the repository is read
            async with _pulse(bot) as health:
                quiet = await self.honest.series(bot, sizes.honest, sizes.seconds, sizes.pause)
        quiet.health = health
        if quiet.committed < sizes.honest:
            raise BenchError(f"{self.section}: {quiet.committed} of {sizes.honest} dispatches were committed quietly")
        await self.honest.verify()
        return quiet

    async def attacked(self, quiet: Series, kind: str | None) -> list[Row]:
        """Measure beside the attackers of one kind, or beside all of them: then also what the processes come to."""
        name, sizes = f"{self.section}{PART}{kind or ALL}", self.sizes
        count, seconds = (sizes.honest_alone, sizes.seconds_alone) if kind else (sizes.honest, sizes.seconds)
        attackers = [attacker for attacker in self.attackers if kind in {None, attacker.kind}]
        for attacker in attackers:
            attacker.sent.clear()
        async with self._bot() as bot:
            await self.honest.series(bot, 1, seconds)
            family = Family(bot.process.pid)
            async with family.watched(), _busy(bot, attackers, sizes.hostile):
                await asyncio.sleep(UNDER_WAY_SECONDS)
                if kind is not None:
                    await _prepared(attackers)
                async with _pulse(bot) as health:
                    series = await self.honest.series(bot, count, seconds, sizes.pause)
            series.health = health
            rows = series.rows(name, count, quiet) + _attackers_rows(name, attackers, states(bot.database))
            if kind is None:
                rows += await _process_rows(name, bot, family)
        await self.honest.verify()
        return rows


async def _process_rows(name: str, bot: Bot, family: Family) -> list[Row]:
    """Stop the bot while it computes for attackers; tell of its processes, and how long that took."""
    rows: list[Row] = []
    await asyncio.to_thread(family.look)
    seconds = await bot.stop(STOP_SECONDS) or STOP_SECONDS
    if family.peak is not None:
        rows.append(Row(f"{name}{PART}memory", "peak", family.peak, "MB"))
        rows.append(Row(f"{name}{PART}processes", "most", family.count, ""))
        rows.append(goal_row(f"{name}{PART}processes left", "left", len(family.left()), "", 0))
    return [*rows, goal_row(f"{name}{PART}SIGTERM to exit", "seconds", seconds, "s", MOST_STOP_SECONDS)]


async def _attackers(far: Remote, owner: str, sizes: Sizes) -> list[Attacker]:
    """Make the repositories of an account that is hostile."""
    attackers: list[Attacker] = []

    async def add(
        kind: str, recipe: Recipe, payload: Callable[[int], Mapping[str, Any]] = lambda _: {}, branches: int = 0
    ) -> Attacker:
        made = await far.make(f"{owner}/gitops-{len(attackers)}", recipe, branches)
        attackers.append(Attacker(kind, Maker(made, far.account.secret), payload))
        return attackers[-1]

    text, names = hostile.value(hostile.SHORT), hostile.absent_names(sizes.names, sizes.absent)
    for _ in range(sizes.patterns_repositories):
        await add("patterns", Recipe(hostile.patterns(sizes.patterns), FILES), lambda _: {"text": text})
    for _ in range(sizes.mapping_repositories):
        unknown = hostile.unknown_names(sizes.unknown, sizes.listed)
        await add("mapping file", Recipe(unknown, FILES))
    # Two of the files are not below apps/.
    files = Recipe(hostile.branches(sizes.branches), sizes.files + 2)
    await add("branches", files, branches=sizes.branches)
    # A dispatch that names all globs at once takes too long while none is remembered. So the first dispatches name one
    # glob each, and the bot remembers what it matches.
    globs = Recipe(hostile.globs(sizes.globs), FILES)
    one = await add("globs", globs, lambda sent: {"which": str(sent) if sent < sizes.globs else "all"})
    one.prelude = sizes.globs
    await far.commit(f"{owner}/gitops-{attackers.index(one)}", {hostile.LONG_PATH: "image: old\n"}, "Add a long name")
    await add("payload", Recipe(hostile.lookups(), FILES), lambda _: names)
    return attackers


@asynccontextmanager
async def _busy(bot: Bot, attackers: Sequence[Attacker], most: int) -> AsyncIterator[None]:
    """Let each attacker have one dispatch under way all the time, until `most` were sent."""

    async def attack() -> None:
        for _ in range(most):
            while not (idle := _idle(attackers, states(bot.database))):
                await asyncio.sleep(POLL_SECONDS)
            await send(bot.webhook_url, [idle[0].make()])

    task = asyncio.create_task(attack())
    try:
        yield
        if task.done():
            task.result()  # what broke it
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _prepared(attackers: Sequence[Attacker]) -> None:
    """Wait until all attackers have begun with the worst that they do."""
    end = time.monotonic() + PRELUDE_SECONDS
    while time.monotonic() < end and any(len(attacker.sent) <= attacker.prelude for attacker in attackers):
        await asyncio.sleep(POLL_SECONDS)


def _idle(attackers: Sequence[Attacker], state: Mapping[str, str]) -> list[Attacker]:
    """Return the attackers that have no dispatch under way, ordered by how many they have sent."""
    idle = [one for one in attackers if not one.sent or state.get(one.sent[-1].id) not in UNFINISHED]
    return sorted(idle, key=lambda attacker: len(attacker.sent))


def _attackers_rows(name: str, attackers: Sequence[Attacker], state: Mapping[str, str]) -> list[Row]:
    """Tell for each kind of attack how many dispatches were sent, and how they have ended."""
    rows = []
    for kind in dict.fromkeys(attacker.kind for attacker in attackers):
        sent = [one for attacker in attackers if attacker.kind == kind for one in attacker.sent]
        ended = Counter(state.get(one.id, "pending") for one in sent)
        committed = sum(ended[one] for one in COMMITTED)
        pending = sum(ended[one] for one in UNFINISHED)
        for what, count in (
            ("n", len(sent)),
            ("committed", committed),
            ("failed", len(sent) - committed - pending),
            ("pending", pending),
        ):
            rows.append(Row(f"{name}{PART}by {kind}", what, count, ""))
    return rows


@asynccontextmanager
async def _pulse(bot: Bot) -> AsyncIterator[list[float]]:
    """Ask /healthz at a steady pace, whether or not it has answered; give the list that the seconds come to."""
    seconds: list[float] = []
    asked: set[asyncio.Task[None]] = set()

    async def ask(session: aiohttp.ClientSession) -> None:
        began = time.monotonic()
        try:
            async with session.get(bot.health_url) as answer:
                await answer.read()
            good = answer.status == 200
        except (aiohttp.ClientError, TimeoutError):
            good = False
        seconds.append(time.monotonic() - began if good else PULSE_PATIENCE)

    async def beat(session: aiohttp.ClientSession) -> None:
        planned = time.monotonic()
        while True:
            task = asyncio.create_task(ask(session))
            asked.add(task)
            task.add_done_callback(asked.discard)
            planned += PULSE_SECONDS
            await asyncio.sleep(planned - time.monotonic())

    connector, patience = aiohttp.TCPConnector(limit=0), aiohttp.ClientTimeout(total=PULSE_PATIENCE)
    async with aiohttp.ClientSession(connector=connector, timeout=patience) as session:
        heart = asyncio.create_task(beat(session))
        try:
            yield seconds
        finally:
            heart.cancel()
            await asyncio.gather(heart, *asked, return_exceptions=True)


def _seconds_rows(name: str, seconds: Sequence[float], goals: Mapping[str, float]) -> list[Row]:
    """Give n, min, p50, p99 and max. `goals` are the most of each."""
    figures = (
        ("min", min(seconds)),
        ("p50", statistics.median(seconds)),
        ("p99", p99(seconds)),
        ("max", max(seconds)),
    )
    return [
        Row(name, "n", len(seconds), ""),
        *(goal_row(name, what, value, "s", goals.get(what)) for what, value in figures),
    ]
