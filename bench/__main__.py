"""Measure everything in one run, and print it as one table."""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from rich.console import Console

from bench import bursts, edit, fleet, footprint, neighbours, others, size
from bench.files import TARGET
from bench.notes import CLONE, NOTES, PEER, machine
from bench.program import CHECKOUT, BenchError
from bench.remote import remote
from bench.rows import (
    COLUMNS,
    EDIT_COLUMNS,
    FAR_COLUMNS,
    NEIGHBOURS_COLUMNS,
    PART,
    SKIPPED,
    Measure,
    Row,
    goal_row,
    measure_rows,
    seconds_rows,
    skipped,
    table,
    to_json,
)
from bench.world import SCENARIOS, World

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.world import Scenario, Watch

MAX_SECONDS = 1800.0
LATENCY = 0.05
IDLE_SECONDS = 1.0
MOST_START_SECONDS, MOST_MEGABYTES = 1.0, 90.0
# The most of literal paths: with the token in hand and nothing else known; of one by GraphQL, when the branch is known.
KNOWING_NOTHING = {"round trips": 3}
WARM = {"requests": 1, "p50 / latency": 1.4}
START, MEMORY, EDIT = "start-up", "memory", "the edit"
# The parts of a run, in the order in which they are measured.
PARTS = ("edit", "dispatch", "load", fleet.SECTION, "size", neighbours.SECTION, footprint.SECTION)


class Amount(NamedTuple):
    """How much is measured: scenarios, latencies (seconds), and how often each."""

    scenarios: tuple[Scenario, ...] = SCENARIOS
    latencies: tuple[float, ...] = (0.0, LATENCY)
    cold: int = 5
    warm: int = 30
    other: int = 5
    edit: edit.Sizes = edit.Sizes()
    bursts: tuple[bursts.Burst, ...] = bursts.BURSTS
    fleet: fleet.Sizes = fleet.Sizes()
    repositories: size.Sizes = size.Sizes()
    neighbours: neighbours.Sizes = neighbours.Sizes()
    footprint: footprint.Sizes = footprint.Sizes()


QUICK = Amount(
    SCENARIOS[:1],
    (0.0,),
    cold=1,
    warm=3,
    other=1,
    edit=edit.QUICK,
    bursts=bursts.QUICK,
    fleet=fleet.QUICK,
    repositories=size.QUICK,
    neighbours=neighbours.QUICK,
    footprint=footprint.QUICK,
)


class Bench:
    """One run: what it has measured by now is in `rows`."""

    def __init__(self, world: World, amount: Amount, arguments: argparse.Namespace) -> None:
        self.world = world
        self.amount = amount
        self.peer: Path = arguments.peer
        self.parts: Sequence[str] = arguments.only or PARTS
        self.before: Path | None = arguments.before
        self.rows: list[Row] = []
        self.ready_after: list[float] = []
        self.lines: dict[str, int] = {}
        self.console = Console(stderr=True, highlight=False)

    async def run(self) -> None:
        """Measure all there is, or the parts that are asked for."""
        editing = await self._edit() if "edit" in self.parts else []
        if "dispatch" in self.parts:
            for latency in self.amount.latencies:
                await self._latency(latency)
            await self._start_and_memory()
        await self._elsewhere()
        for name, count in self.lines.items():
            self.rows.append(Row(f"{EDIT}{PART}{name}", "lines changed", count, "line" if count == 1 else "lines"))
        self.rows += editing

    def _say(self, text: str) -> None:
        self.console.print(f"... {text}", style="dim")

    async def _edit(self) -> list[Row]:
        """Measure first what needs no sandbox, while there is little else in memory."""
        rows: list[Row] = []
        for measured in edit.measured(self.amount.edit):
            rows += measured
            self._say(measured[0].name.replace(PART, ": "))
            await asyncio.sleep(0)  # whoever wants to stop us may
        return rows

    # -- from dispatch to commit

    async def _latency(self, latency: float) -> None:
        """Measure everything that depends on how long GitHub takes."""
        section = f"{latency * 1000:g} ms latency"
        # The first of all requests pays for what the sandbox loads when it is asked.
        self.world.sandbox.latency = 0.0
        async with self.world.bot():
            for scenario in self.amount.scenarios:
                await self.world.dispatch(scenario)
        self.world.sandbox.latency = latency
        clone, peer = await self._clone(section), await self._peer(section)
        beside = {what: other for what, other in (("p50 / clone", clone), ("p50 / peer", peer)) if other}
        for scenario in self.amount.scenarios:
            self._say(f"{section}: {scenario.name}")
            name = f"{section}{PART}{scenario.name}{PART}"
            cold, in_hand, warm = (Measure(name + state) for state in ("cold", "cold*", "warm"))
            for _ in range(self.amount.cold):
                async with self.world.bot() as bot:
                    self.ready_after.append(bot.ready_after)
                    _add_cold(await self.world.dispatch(scenario), cold, in_hand)
            await self._warm(scenario, warm)
            nothing = KNOWING_NOTHING if scenario.promised else {}
            # The peer does one file only.
            fair = {what: other for what, other in beside.items() if other is clone or len(scenario.paths) == 1}
            # The promise of three round trips is for a token in hand.
            self.rows += measure_rows(cold, latency, fair, {})
            self.rows += measure_rows(in_hand, latency, fair, nothing) if scenario.promised else []
            self.rows += measure_rows(warm, latency, fair, WARM if scenario.promised and not scenario.author else {})
        for other in filter(None, (clone, peer)):
            self.rows += measure_rows(other, latency, {}, {})

    async def _warm(self, scenario: Scenario, warm: Measure) -> None:
        async with self.world.bot():
            await self.world.dispatch(scenario)
            for _ in range(self.amount.warm):
                warm.add(*(await self.world.dispatch(scenario)).cost())

    async def _elsewhere(self) -> None:
        """Measure what needs all that a processor can do: bot, sandbox and load each have a process of their own."""
        async with remote(self.world.folder) as far:
            if "load" in self.parts:
                self.rows += await bursts.measured(far, self.amount.bursts, self._say)
            if fleet.SECTION in self.parts:
                self.rows += await fleet.measured(far, self.amount.fleet, self._say)
            if "size" in self.parts:
                self.rows += await size.measured(far, self.amount.repositories, self._say)
            if neighbours.SECTION in self.parts:
                checkouts = self._checkouts(neighbours.SECTION)
                self.rows += await neighbours.measured(far, self.amount.neighbours, self._say, checkouts)
            if footprint.SECTION in self.parts:
                checkouts = self._checkouts(footprint.SECTION)
                self.rows += await footprint.measured(far, self.amount.footprint, self._say, checkouts)

    def _checkouts(self, section: str) -> dict[str, Path]:
        """Give the bots to measure by the name of the section that each stands under: this one, the one before it."""
        return {section: CHECKOUT} | ({f"{section}, before": self.before} if self.before else {})

    # -- beside others

    async def _clone(self, section: str) -> Measure | None:
        measure = Measure(f"{section}{PART}{CLONE}")
        if others.git() is None:
            self.rows.append(Row(measure.name, SKIPPED, "there is no git on the PATH", ""))
            return None
        self._say(f"{section}: {CLONE}")
        for _ in range(self.amount.other):
            measure.add(*await others.clone_and_push(self.world))
        return measure

    async def _peer(self, section: str) -> Measure | None:
        measure = Measure(f"{section}{PART}{PEER}")
        if not self.peer.exists():
            self.rows.append(
                Row(measure.name, SKIPPED, "not installed; make bench does that, --peer names another place", "")
            )
            return None
        self._say(f"{section}: {PEER}")
        for _ in range(self.amount.other):
            cost, lines = await others.peer(self.world, self.peer)
            measure.add(*cost)
            self.lines.setdefault(PEER, lines)
        return measure

    # -- the process itself

    async def _start_and_memory(self) -> None:
        """Measure start-up and memory, and on the way how many lines a dispatch changes."""
        self._say("start-up and memory")
        self.world.sandbox.latency = 0.0
        helps = [await self._help() for _ in range(self.amount.other)]
        scenario = self.amount.scenarios[0]
        async with self.world.bot() as bot:
            self.ready_after.append(bot.ready_after)
            await asyncio.sleep(IDLE_SECONDS)
            idle = bot.resident()
            repository = self.world.repository_of(scenario)
            before = repository.read(TARGET)
            for _ in range(self.amount.warm):
                await self.world.dispatch(scenario)
            self.lines = {"Pointsman": others.changed_lines(before, repository.read(TARGET)), **self.lines}
            used = bot.resident()
        self.rows += seconds_rows(f"{START}{PART}pointsman --help", helps, MOST_START_SECONDS)
        self.rows += seconds_rows(f"{START}{PART}pointsman serve{PART}ready", self.ready_after, MOST_START_SECONDS)
        name = f"{MEMORY}{PART}pointsman serve{PART}"
        if idle is None or used is None:
            self.rows.append(Row(name + "idle", SKIPPED, "this system has no /proc to read it from", ""))
            return
        self.rows.append(goal_row(name + "idle", "resident", idle, "MB", MOST_MEGABYTES))
        self.rows.append(Row(name + "used", f"resident after {self.amount.warm} dispatches", used, "MB"))

    async def _help(self) -> float:
        began = time.monotonic()
        await others.run([sys.executable, "-m", "bot", "--help"], self.world.folder, {"PYTHONPATH": str(CHECKOUT)})
        return time.monotonic() - began


def _add_cold(watch: Watch, cold: Measure, in_hand: Measure) -> None:
    if watch.token_at is None:
        raise BenchError("a bot that has just started asked for no token")
    cold.add(*watch.cost())
    in_hand.add(*watch.cost(since=watch.token_at))


def _tables(rows: list[Row]) -> list[tuple[dict[str, str], list[Row]]]:
    """Sort rows by the table that they stand in: its columns, its rows."""
    own = (
        (FAR_COLUMNS, (bursts.SECTION, fleet.SECTION, size.SECTION)),
        (NEIGHBOURS_COLUMNS, (neighbours.SECTION, footprint.SECTION)),
        (EDIT_COLUMNS, edit.SECTIONS),
    )
    tables = [(columns, [row for row in rows if row.name.startswith(sections)]) for columns, sections in own]
    tables.insert(0, (COLUMNS, [row for row in rows if not any(row in those for _, those in tables)]))
    return [(columns, those) for columns, those in tables if those]


async def measured(amount: Amount, arguments: argparse.Namespace) -> list[Row]:
    """Run everything in a temporary folder, and give the rows. Raises BenchError, TimeoutError after MAX_SECONDS."""
    task = asyncio.current_task()
    if task is not None:
        with suppress(NotImplementedError):  # Windows has no such signal
            asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    with tempfile.TemporaryDirectory(prefix="pointsman-bench-") as folder:
        world = World(Path(folder))
        await world.sandbox.start()
        try:
            async with asyncio.timeout(MAX_SECONDS):
                bench = Bench(world, amount, arguments)
                await bench.run()
        finally:
            await world.sandbox.stop()
    return bench.rows


def _checkout(text: str) -> Path:
    """Read the folder of a checkout. Raises ArgumentTypeError."""
    folder = Path(text).resolve()
    if not (folder / "bot").is_dir():
        raise argparse.ArgumentTypeError(f"'{text}' is no checkout of the project: it has no folder 'bot'")
    return folder


def main() -> int:
    """Read the arguments, measure, print; give the exit code: 0 even if a goal is missed, 1 if something broke."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the same rows to FILE")
    parser.add_argument("--quick", action="store_true", help="one scenario, a few times, without latency")
    parser.add_argument("--peer", type=Path, metavar="PROGRAM", default=others.PEER, help="gitops-image-replacer 1.1.2")
    parser.add_argument("--only", action="append", choices=PARTS, help="measure this part, and others so named")
    before = "another checkout, whose bot is measured too: in " + " and ".join(PARTS[-2:])
    parser.add_argument("--before", type=_checkout, metavar="DIR", help=before)
    arguments = parser.parse_args()
    began = time.monotonic()
    try:
        rows = asyncio.run(measured(QUICK if arguments.quick else Amount(), arguments))
    except BenchError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    except TimeoutError:
        sys.stderr.write(f"not done within {MAX_SECONDS:g} s: this machine is too busy to measure on\n")
        return 1
    except KeyboardInterrupt:
        return 130
    except asyncio.CancelledError:  # SIGTERM
        return 143
    if arguments.json:
        arguments.json.write_text(to_json(rows), encoding="utf-8")
    # In a file nothing tells how wide it may be.
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 110)
    console.print(f"[bold]Pointsman bench[/]: {machine()}; {time.monotonic() - began:.0f} s in all")
    for columns, those in _tables(rows):
        console.print(table(those, columns))
    for line in ("", *skipped(rows), *NOTES.splitlines()):
        console.print(line, style="dim", markup=False)
    return 0


if __name__ == "__main__":
    sys.exit(main())
