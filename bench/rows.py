"""What was measured as rows, the same for people (one table) and for programs (JSON)."""

from __future__ import annotations

import json
import math
import statistics
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING

from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

# What parts a row's name: section, subject, and where there is one the state it was measured in.
PART = " / "
# What is measured of a dispatch, as a column of the table: its heading.
COLUMNS = {
    "n": "n",
    "min": "min",
    "p50": "p50",
    "p99": "p99",
    "requests": "requests",
    "round trips": "round\ntrips",
    "p50 / latency": "p50 /\nlatency",
    "p50 / clone": "p50 /\nclone",
    "p50 / peer": "p50 /\npeer",
}
# The same for what is measured without a dispatch.
EDIT_COLUMNS = {
    "n": "n",
    "min": "min",
    "p50": "p50",
    "p99": "p99",
    "bytes an event": "bytes an\nevent",
    "speed": "speed",
    "times ours": "times\nours",
}
# The same for many dispatches at a time, and for repositories of several sizes.
FAR_COLUMNS = {"n": "n", "min": "min", "p50": "p50", "p99": "p99", "requests": "requests"}
# The columns of the parts "neighbours" and "footprint".
NEIGHBOURS_COLUMNS = {
    "n": "n",
    "min": "min",
    "p50": "p50",
    "p99": "p99",
    "max": "max",
    "committed": "com-\nmitted",
    "failed": "failed",
    "pending": "pend-\ning",
}
SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Row:
    """One figure: `name` is what was measured (SECTION / SUBJECT / STATE), `what` which figure of it.

    `goal` is written as `<= 3` or `>= 25`, `met` whether it is reached; both None where there is none. A `what` of
    "skipped" has a sentence as its value.
    """

    name: str
    what: str
    value: float | str
    unit: str
    goal: str | None = None
    met: bool | None = None


@dataclass(slots=True)
class Measure:
    """The same thing, measured several times: seconds until the branch moved, requests until then, round trips."""

    name: str
    seconds: list[float] = field(default_factory=list)
    requests: list[int] = field(default_factory=list)
    trips: list[int] = field(default_factory=list)

    def add(self, seconds: float, requests: int, trips: int) -> None:
        """Add one more of it."""
        self.seconds.append(seconds)
        self.requests.append(requests)
        self.trips.append(trips)

    @property
    def p50(self) -> float:
        """The median, in seconds."""
        return statistics.median(self.seconds)


def goal_row(name: str, what: str, value: float, unit: str, most: float | None) -> Row:
    """Give a row whose value should be at most `most`; without goal for None."""
    if most is None:
        return Row(name, what, value, unit)
    return Row(name, what, value, unit, f"<= {most:g}", value <= most)


def least_row(name: str, what: str, value: float, unit: str, least: float | None) -> Row:
    """Give a row whose value should be at least `least`; without goal for None."""
    if least is None:
        return Row(name, what, value, unit)
    return Row(name, what, value, unit, f">= {least:g}", value >= least)


def seconds_rows(
    name: str, seconds: Sequence[float], most: float | None = None, *, most_p99: float | None = None
) -> list[Row]:
    """Give n, min, p50 and p99, the value that 99 % do not exceed: below 100 it is the largest. `most` is of p50."""
    ordered = sorted(seconds)
    return [
        Row(name, "n", len(ordered), ""),
        Row(name, "min", ordered[0], "s"),
        goal_row(name, "p50", statistics.median(ordered), "s", most),
        goal_row(name, "p99", p99(seconds), "s", most_p99),
    ]


def p99(values: Sequence[float]) -> float:
    """Give the value that 99 % do not exceed, which below 100 of them is the largest."""
    return sorted(values)[math.ceil(len(values) * 0.99) - 1]


def measure_rows(
    measure: Measure, latency: float, beside: Mapping[str, Measure], goals: Mapping[str, float]
) -> list[Row]:
    """Give all that is known of a measure; `beside` are those that its p50 is divided by, by their name in `COLUMNS`.

    Of requests and round trips the most that any of its runs took. `goals` are the most of a figure, by its name.
    """
    name = measure.name
    requests = goal_row(name, "requests", max(measure.requests), "", goals.get("requests"))
    rows = [*seconds_rows(name, measure.seconds), requests]
    if latency:
        rows.append(goal_row(name, "round trips", max(measure.trips), "", goals.get("round trips")))
        rows.append(goal_row(name, "p50 / latency", measure.p50 / latency, "", goals.get("p50 / latency")))
    rows += [Row(name, what, measure.p50 / other.p50, "") for what, other in beside.items()]
    return rows


def to_json(rows: Iterable[Row]) -> str:
    """Write rows as a JSON list of objects with the fields of Row."""
    return json.dumps([asdict(row) for row in rows], indent=1) + "\n"


def table(rows: Sequence[Row], columns: Mapping[str, str]) -> Table:
    """Give the table: a line for each name, a column for each figure that has a heading in `columns`."""
    made = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False, collapse_padding=True)
    made.add_column("", no_wrap=True)
    made.add_column("", no_wrap=True, style="dim")
    for heading in columns.values():
        made.add_column(heading, justify="right", no_wrap=True, vertical="bottom")
    made.add_column("goal", vertical="bottom")
    section = subject = ""
    for name in dict.fromkeys(row.name for row in rows):
        parts = [*name.split(PART), ""]
        if parts[0] != section:
            section, subject = parts[0], ""
            made.add_row()
            made.add_row(f"[bold]{section}[/]")
        figures = [row for row in rows if row.name == name]
        made.add_row(parts[1] if parts[1] != subject else "", parts[2], *_cells(figures, columns), _goal(figures))
        subject = parts[1]
    return made


def skipped(rows: Iterable[Row]) -> list[str]:
    """Give a sentence for each thing that was not measured."""
    return list(
        dict.fromkeys(f"{row.name.split(PART)[1]}: skipped: {row.value}" for row in rows if row.what == SKIPPED)
    )


def _cells(figures: Sequence[Row], columns: Mapping[str, str]) -> list[str]:
    """Write the figures of one name; one that has no column of its own stands where p50 does."""
    cells = {row.what if row.what in columns else "p50": _written(row) for row in figures}
    return [cells.get(what, "") for what in columns]


def _written(row: Row) -> str:
    if isinstance(row.value, str):
        return row.what
    if row.unit == "s":
        if row.value >= 1:
            return f"{row.value:.2f} s"
        milliseconds = row.value * 1000
        return f"{milliseconds:.1f} ms" if milliseconds < 10 else f"{milliseconds:.0f} ms"
    if isinstance(row.value, int):
        return f"{row.value} {row.unit}".strip()
    digits = 2 if row.value < 2 else 1 if row.value < 100 else 0
    return f"{row.value:.{digits}f} {row.unit}".strip()


def _goal(figures: Sequence[Row]) -> str:
    written = [
        f"{row.goal} [green]met[/]" if row.met else f"{row.goal} [red]missed[/]"
        for row in figures
        if row.goal is not None
    ]
    return ", ".join(written)
