"""Many dispatches at a time: how fast webhooks are answered, how few commits carry them, how soon all have landed."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from bench.files import mappings
from bench.fill import Recipe
from bench.load import Maker, done, send, verify
from bench.rows import PART, Row, goal_row, p99, seconds_rows

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from bench.load import Answer
    from bench.remote import Remote, Seen

SECTION = "load"
ANSWERS, COMMITS, SUPERSEDED, REFUSED = "answers", "commits", "superseded", "refused"
AFTER_FIRST, AFTER_LAST = "landed after the first", "landed after the last"
FILES = 10
# The last ones wait for their turn: GitHub wants a second between commits.
END_SECONDS = 120.0


class Burst(NamedTuple):
    """So many dispatches to one repository: how many a second (None: at once), to how many branches beside the default.

    `limits`: with GitHub's limits, and the bot's own default quotas. `rhythm`: the bot pushes in its default rhythm,
    else as fast as it can. `goals` are the most of a figure, by its name.
    """

    name: str
    dispatches: int
    rate: float | None
    branches: int
    limits: bool
    rhythm: bool
    goals: Mapping[str, float]


SERIES = {ANSWERS: 0.015, REFUSED: 0}
# By the default rhythm: three commits at once, then one in ten seconds.
IN_RHYTHM = {COMMITS: 5, REFUSED: 0, AFTER_LAST: 11}
SPREAD = {AFTER_FIRST: 8}
BURSTS = (
    Burst("200 a second for 5 s", 1000, 200, 0, limits=True, rhythm=False, goals=SERIES),
    Burst("100 a second for 10 s", 1000, 100, 0, limits=True, rhythm=False, goals={REFUSED: 0}),
    Burst("the same in rhythm", 1000, 100, 0, limits=True, rhythm=True, goals=IN_RHYTHM),
    Burst("1,000 to 200 branches", 1000, None, 200, limits=False, rhythm=False, goals=SPREAD),
)
QUICK = (
    Burst("20 at 100 a second", 20, 100, 0, limits=True, rhythm=True, goals={**SERIES, **IN_RHYTHM}),
    Burst("20 to 4 branches", 20, None, 4, limits=False, rhythm=False, goals=SPREAD),
)


async def measured(far: Remote, bursts: Sequence[Burst], say: Callable[[str], None]) -> list[Row]:
    """Measure one burst after the other."""
    rows: list[Row] = []
    for number, burst in enumerate(bursts):
        say(f"{SECTION}: {burst.name}")
        # Each has an account of its own: GitHub's limits are for each installation.
        rows += await _burst(far, f"load-{number}/gitops", burst)
    return rows


async def _burst(far: Remote, name: str, burst: Burst) -> list[Row]:
    payload = await far.make(name, Recipe(mappings(branches=bool(burst.branches)), FILES), burst.branches)
    dispatches = Maker(payload, far.account.secret).make(burst.dispatches, burst.branches)
    async with far.bot(limits=burst.limits, rhythm=burst.rhythm) as bot:
        await far.begin()
        answers = await send(bot.webhook_url, dispatches, burst.rate)
        superseded = await done(bot, END_SECONDS)
        seen = await far.until(1, 0, END_SECONDS)
    await verify(far, name, dispatches, superseded)
    return _rows(burst, answers, len(superseded), seen)


def _rows(burst: Burst, answers: list[Answer], superseded: int, seen: Seen) -> list[Row]:
    name = f"{SECTION}{PART}{burst.name}{PART}"
    landed = max(push.at for push in seen.pushes)
    taken = landed - min(answer.sent for answer in answers)
    figures: tuple[tuple[str, str, float, str], ...] = (
        ("sent late", "p99", p99([answer.sent - answer.planned for answer in answers]), "s"),
        (COMMITS, "count", len(seen.pushes), ""),
        (SUPERSEDED, "count", superseded, ""),
        (REFUSED, "count", seen.refused, ""),
        (AFTER_FIRST, "time", taken, "s"),
        # A commit before the last answer has nothing to wait for.
        (AFTER_LAST, "time", max(landed - max(answer.answered for answer in answers), 0.0), "s"),
        ("commits a second", "rate", len(seen.pushes) / taken, ""),
        ("dispatches a second", "rate", burst.dispatches / taken, ""),
    )
    return [
        *seconds_rows(f"{name}{ANSWERS}", [one.seconds for one in answers], most_p99=burst.goals.get(ANSWERS)),
        *(
            goal_row(f"{name}{state}", what, value, unit, burst.goals.get(state))
            for state, what, value, unit in figures
        ),
    ]
