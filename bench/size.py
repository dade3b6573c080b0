"""The same dispatch in repositories of several sizes: what it costs, what it reads, what it takes in memory."""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from bench import others
from bench.files import MAPPING_PATH, mappings
from bench.fill import Recipe
from bench.load import Maker, send, verify
from bench.program import BenchError
from bench.rows import PART, SKIPPED, Row, goal_row, seconds_rows

if TYPE_CHECKING:
    from collections.abc import Callable

    from bench.load import Dispatch
    from bench.program import Bot
    from bench.remote import Remote

SECTION = "repository size"
LATENCY = 0.05
WAIT_SECONDS = 60.0
GLOB = "'**/dev/shop.yaml'"
SHARE, MORE_MEGABYTES, MORE_FOR_A_GLOB = 1.25, 5, 150


class Sizes(NamedTuple):
    """Files of the small and the large repository, files of 1 MB of the heavy one, and how often each is measured."""

    small: int = 10
    large: int = 100_000
    megabytes: int = 100
    cold: int = 5
    warm: int = 20
    globs: int = 3
    clones: int = 3
    latency: float = LATENCY


QUICK = Sizes(large=200, megabytes=1, cold=1, warm=2, globs=1, clones=1, latency=0.0)


@dataclass
class Series:
    """One kind of dispatch, several times: seconds to the commit, requests until then, how many listed a tree."""

    seconds: list[float] = field(default_factory=list)
    requests: list[int] = field(default_factory=list)
    listings: list[int] = field(default_factory=list)

    def rows(self, name: str, beside: Series | None = None) -> list[Row]:
        """Give its figures; of requests and listings the most of any. Its goals are to be like what is `beside` it."""
        requests, listings = max(self.requests), max(self.listings)
        rows = [
            *seconds_rows(name, self.seconds),
            goal_row(name, "requests", requests, "", max(beside.requests) if beside else None),
            goal_row(f"{name}: listings", "count", listings, "", 0 if beside else None),
        ]
        if beside is not None:
            rows.append(goal_row(f"{name}: beside the small", "p50 / small", self.p50 / beside.p50, "", SHARE))
        return rows

    @property
    def p50(self) -> float:
        """The median, in seconds."""
        return statistics.median(self.seconds)


@dataclass
class Literal:
    """What literal paths cost in one repository, and the bot's memory in MB, where it can be told: now and at most."""

    cold: Series = field(default_factory=Series)
    warm: Series = field(default_factory=Series)
    resident: float | None = None
    peak: float | None = None

    def rows(self, subject: str, beside: Literal | None = None) -> list[Row]:
        """Give its figures, with goals where there is a smaller repository `beside` it."""
        cold, warm = (f"{SECTION}{PART}{subject}{PART}{state}" for state in ("cold", "warm"))
        rows = self.cold.rows(cold, beside.cold if beside else None) if self.cold.seconds else []
        rows += self.warm.rows(warm, beside.warm if beside else None)
        if self.resident is not None:
            rows.append(Row(f"{warm}: memory", "resident", self.resident, "MB"))
            if beside is not None and beside.resident is not None:
                more = self.resident - beside.resident
                rows.append(goal_row(f"{warm}: more memory", "resident", more, "MB", MORE_MEGABYTES))
        return rows


class Repository:
    """A repository of the sandbox elsewhere, and the dispatches that were sent for it."""

    def __init__(self, far: Remote, name: str, maker: Maker) -> None:
        self.far = far
        self.name = name
        self.maker = maker
        self.sent: list[Dispatch] = []

    async def dispatch(self, bot: Bot, series: Series) -> None:
        """Send one, wait until its commit and its check run are there, and add it to a series."""
        made = self.maker.make(1)
        await self.far.begin()
        (answer,) = await send(bot.webhook_url, made)
        seen = await self.far.until(1, 1, WAIT_SECONDS)
        series.seconds.append(seen.pushes[0].at - answer.sent)
        series.requests.append(seen.pushes[0].requests)
        series.listings.append(seen.listings)
        self.sent += made

    async def literal(self, sizes: Sizes, cold: int) -> Literal:
        """Measure `cold` times with a bot that has seen nothing, then with one that has seen one dispatch."""
        told = Literal()
        for _ in range(cold):
            async with self.far.bot(latency=sizes.latency) as bot:
                await self.dispatch(bot, told.cold)
        async with self.far.bot(latency=sizes.latency) as bot:
            await self.dispatch(bot, Series())
            for _ in range(sizes.warm):
                await self.dispatch(bot, told.warm)
            told.resident, told.peak = bot.resident(), bot.peak()
        await verify(self.far, self.name, self.sent, {})
        return told


async def measured(far: Remote, sizes: Sizes, say: Callable[[str], None]) -> list[Row]:
    """Measure in all three repositories."""
    small = await _made(far, "small", sizes.small)
    say(f"{SECTION}: {sizes.small} files")
    # The first one of all pays for what the sandbox loads when it is asked.
    await small.literal(sizes._replace(warm=0), 0)
    few = await small.literal(sizes, sizes.cold)
    rows = few.rows(f"{sizes.small} files") + _clone_rows(f"{sizes.small} files", await _clones(small, sizes), few)
    say(f"{SECTION}: {sizes.large:,} files")
    large = await _made(far, "large", sizes.large)
    many = await large.literal(sizes, sizes.cold)
    rows += many.rows(f"{sizes.large:,} files", few)
    say(f"{SECTION}: {sizes.large:,} files and a glob")
    rows += await _glob(large, sizes, many)
    say(f"{SECTION}: {sizes.megabytes} MB")
    heavy = await _made(far, "heavy", sizes.megabytes + sizes.small, sizes.megabytes)
    big = await heavy.literal(sizes, 0)
    rows += big.rows(f"{sizes.megabytes} MB")
    return rows + _clone_rows(f"{sizes.megabytes} MB", await _clones(heavy, sizes), big)


async def _made(far: Remote, name: str, files: int, megabytes: int = 0) -> Repository:
    full_name = f"size/{name}"
    payload = await far.make(full_name, Recipe(mappings(), files, megabytes))
    return Repository(far, full_name, Maker(payload, far.account.secret))


async def _glob(large: Repository, sizes: Sizes, literal: Literal) -> list[Row]:
    """Measure a glob that has to look everywhere: the first time, and when it is known what matches."""
    await large.far.commit(large.name, {MAPPING_PATH: mappings(GLOB)}, "Look everywhere")
    cold, warm = Series(), Series()
    async with large.far.bot(latency=sizes.latency) as bot:
        await large.dispatch(bot, cold)
        for _ in range(sizes.globs):
            await large.dispatch(bot, warm)
        peak = bot.peak()
    await verify(large.far, large.name, large.sent, {})
    name = f"{SECTION}{PART}{sizes.large:,} files{PART}"
    rows = cold.rows(f"{name}** cold") + warm.rows(f"{name}** warm")
    if peak is not None and literal.peak is not None:
        rows.append(goal_row(f"{name}**: more memory", "peak", peak - literal.peak, "MB", MORE_FOR_A_GLOB))
    return rows


async def _clones(repository: Repository, sizes: Sizes) -> list[float]:
    """Measure in the same repository what tools that clone do at least: seconds until the branch moved."""
    far = repository.far
    if others.git() is None:
        return []
    await far.quiet(sizes.latency)
    seconds = []
    for number in range(sizes.clones):
        await far.begin()
        began = time.monotonic()
        tag = f"2.0.{number}-dev"
        await others.cloned(far.folder, f"{far.account.url}/{repository.name}.git", far.token, tag)
        seen = await far.until(1, 0, WAIT_SECONDS)
        seconds.append(seen.pushes[0].at - began)
        tags, _ = await far.look(repository.name)
        if set(tags.values()) != {tag}:
            raise BenchError(f"{repository.name}: a clone pushed {tag}, and {tags} is there")
    return seconds


def _clone_rows(subject: str, clones: list[float], ours: Literal) -> list[Row]:
    name = f"{SECTION}{PART}{subject}{PART}clone"
    if not clones:
        return [Row(name, SKIPPED, "there is no git on the PATH", "")]
    times = statistics.median(clones) / ours.warm.p50
    return [*seconds_rows(name, clones), Row(f"{name}: times ours", "times ours", times, "")]
