"""Many repositories of many installations at a time: what it costs, and that each is pushed to in its rhythm."""

from __future__ import annotations

from collections import defaultdict
from contextlib import closing
from typing import TYPE_CHECKING, NamedTuple

from bench.files import mappings
from bench.fill import Recipe
from bench.load import ALL, DISPATCH, Maker, done, send, verify
from bench.processes import Family
from bench.rows import PART, Row, goal_row, p99, seconds_rows
from bot.core.rhythm import Rhythm
from bot.inbox.records import Query, Records

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from bench.remote import Push, Remote

SECTION = "fleet"
FILES = 10
# By GitHub's limits an installation may write 80 times a minute: some wait for minutes.
END_SECONDS = 600.0
# A push is counted when it is sent, and seen when it has landed.
JITTER_SECONDS = 1.0


class Sizes(NamedTuple):
    """How many dispatches in all, to how many repositories of how many installations, and in how many seconds."""

    dispatches: int = 10_000
    repositories: int = 1_000
    installations: int = 100
    seconds: float = 60.0


QUICK = Sizes(40, 8, 4, 1.0)


async def measured(far: Remote, sizes: Sizes, say: Callable[[str], None]) -> list[Row]:
    """Send dispatches to all repositories in turns, by the bot's default settings and with GitHub's limits."""
    say(f"{SECTION}: {sizes.repositories:,} repositories")
    names = [f"fleet-{number % sizes.installations}/gitops-{number}" for number in range(sizes.repositories)]
    makers = [Maker(await far.make(name, Recipe(mappings(), FILES)), far.account.secret) for name in names]
    dispatches = [makers[number % len(makers)].make(1)[0] for number in range(sizes.dispatches)]
    say(f"{SECTION}: {sizes.dispatches:,} dispatches in {sizes.seconds:g} s")
    async with far.bot(limits=True) as bot:
        family = Family(bot.process.pid)
        async with family.watched():
            await far.begin()
            answers = await send(bot.webhook_url, dispatches, sizes.dispatches / sizes.seconds)
            superseded = await done(bot, END_SECONDS)
            seconds = family.cpu()
        seen = await far.until(1, 0, END_SECONDS)
        with closing(Records(bot.database)) as records:
            ended = [one for one in records.list(Query(limit=ALL)) if one.event == DISPATCH]
    for name, maker in zip(names, makers, strict=True):
        await verify(far, name, maker.made, superseded)
    landed = max(push.at for push in seen.pushes)
    name = f"{SECTION}{PART}{sizes.dispatches:,} to {sizes.repositories:,}{PART}"
    figures: tuple[tuple[str, str, float | None, str, float | None], ...] = (
        ("sent late", "p99", p99([answer.sent - answer.planned for answer in answers]), "s", None),
        ("commits", "count", len(seen.pushes), "", None),
        ("refused", "count", seen.refused, "", 0),
        ("beyond the rhythm", "count", beyond(seen.pushes, Rhythm()), "", 0),
        ("landed after the last", "time", max(landed - max(answer.answered for answer in answers), 0.0), "s", None),
        ("CPU of a dispatch", "time", seconds and seconds / len(ended), "s", None),
        ("memory", "peak", family.peak, "MB", None),
    )
    return [
        *seconds_rows(f"{name}answers", [one.seconds for one in answers]),
        *(
            goal_row(f"{name}{state}", what, value, unit, most)
            for state, what, value, unit, most in figures
            if value is not None
        ),
    ]


def beyond(pushes: Sequence[Push], rhythm: Rhythm) -> int:
    """Count the pushes that came earlier than the rhythm of their repository allows."""
    by_repository: defaultdict[str, list[float]] = defaultdict(list)
    for push in pushes:
        by_repository[push.repository].append(push.at)
    early = 0
    for times in by_repository.values():
        lasting = float("-inf")
        for at in sorted(times):
            early += rhythm.wait(lasting, at) > JITTER_SECONDS
            lasting = rhythm.pushed(lasting, at)
    return early
