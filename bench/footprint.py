"""What the bot takes of a machine: until it is ready, in memory while idle, for a dispatch, and until it has ended."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, NamedTuple

from bench import hostile
from bench.files import mappings
from bench.fill import Recipe
from bench.load import Maker, send
from bench.neighbours import FILES, MOST_STOP_SECONDS, STOP_SECONDS, Honest
from bench.processes import Family
from bench.rows import PART, Row, goal_row, seconds_rows

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from bench.program import Bot
    from bench.remote import Remote

SECTION = "footprint"
MOST_IDLE_MEGABYTES = 150
WAIT_SECONDS = 20.0
UNDER_WAY_SECONDS = 3.0


class Sizes(NamedTuple):
    """The amounts of this part: starts of the bot, warm dispatches, and hostile patterns that run when it is ended."""

    rounds: int = 5
    idle_seconds: float = 5.0
    latency: float = 0.05
    warm: int = 20
    patterns: int = 400
    repositories: int = 6


QUICK = Sizes(1, 0.5, 0.0, 3, 4, 2)


class Figures(NamedTuple):
    """What was measured of one bot, round by round."""

    ready: list[float]
    megabytes: list[float]
    processes: list[int]
    warm: list[float]
    stop: list[float]

    def rows(self, section: str) -> list[Row]:
        """Give them as rows; of the memory the least, as whatever disturbs a measurement adds to it."""
        rows = seconds_rows(f"{section}{PART}start to ready", self.ready)
        if self.megabytes:
            name = f"{section}{PART}idle{PART}"
            least = min(self.megabytes)
            rows.append(goal_row(f"{name}memory", "least", least, "MB", MOST_IDLE_MEGABYTES))
            rows.append(Row(f"{name}processes", "most", max(self.processes), ""))
        rows += seconds_rows(f"{section}{PART}a dispatch{PART}warm", self.warm)
        return rows + seconds_rows(f"{section}{PART}SIGTERM to exit{PART}idle", self.stop)


async def measured(far: Remote, sizes: Sizes, say: Callable[[str], None], checkouts: Mapping[str, Path]) -> list[Row]:
    """Measure the bot of each checkout, in turns; each stands under its section's name."""
    say(SECTION)
    figures = {section: Figures([], [], [], [], []) for section in checkouts}
    payload = await far.make("footprint/gitops", Recipe(mappings(), FILES))
    honest = Honest(far, "footprint/gitops", Maker(payload, far.account.secret))
    for _ in range(sizes.rounds):
        for section, checkout in checkouts.items():
            async with far.bot(latency=sizes.latency, checkout=checkout) as bot:
                await _round(bot, honest, sizes, figures[section])
    rows: list[Row] = []
    recipe = Recipe(hostile.patterns(sizes.patterns), FILES)
    payloads = [await far.make(f"patterns/gitops-{number}", recipe) for number in range(sizes.repositories)]
    makers = [Maker(payload, far.account.secret) for payload in payloads]
    for section, checkout in checkouts.items():
        rows += figures[section].rows(section)
        say(f"{section}: SIGTERM while patterns run")
        async with far.bot(latency=sizes.latency, checkout=checkout) as bot:
            rows += await _stop_under_patterns(bot, makers, section)
    return rows


async def _round(bot: Bot, honest: Honest, sizes: Sizes, figures: Figures) -> None:
    figures.ready.append(bot.ready_after)
    await asyncio.sleep(sizes.idle_seconds)
    family = Family(bot.process.pid)
    family.look()
    if family.megabytes is not None:
        figures.megabytes.append(family.megabytes)
        figures.processes.append(family.count)
    await honest.series(bot, 1, WAIT_SECONDS)
    figures.warm.extend((await honest.series(bot, sizes.warm, WAIT_SECONDS)).seconds)
    figures.stop.append(await bot.stop(STOP_SECONDS) or STOP_SECONDS)


async def _stop_under_patterns(bot: Bot, makers: list[Maker], section: str) -> list[Row]:
    """Send a dispatch for each repository whose patterns take long, and SIGTERM when all of them compute."""
    text = {"text": hostile.value(hostile.LONG)}
    await send(bot.webhook_url, [maker.make(1, more=text)[0] for maker in makers])
    await asyncio.sleep(UNDER_WAY_SECONDS)
    family = Family(bot.process.pid)
    family.look()
    seconds = await bot.stop(STOP_SECONDS) or STOP_SECONDS
    name = f"{section}{PART}SIGTERM to exit{PART}"
    rows = [goal_row(f"{name}under patterns", "seconds", seconds, "s", MOST_STOP_SECONDS)]
    if family.megabytes is not None:
        rows.append(goal_row(f"{name}processes left", "left", len(family.left()), "", 0))
    return rows
