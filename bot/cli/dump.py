"""`pointsman apply --dump`: what mappings in the action's DSL make of variables and files, without changing any."""

from __future__ import annotations

import asyncio
import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import typer

from bot.cli import local
from bot.printable import printable, printable_json

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from bot.cli.request import Asked
    from bot.core.dsl import Expanded
    from bot.core.model import Json
    from bot.directory import Directory


@dataclass(frozen=True, slots=True)
class Row:
    """One condition with one glob. `value` is None where there is no such variable, and then nothing matches."""

    variable: str
    value: str | None
    regex: str
    matches: bool
    glob: str
    regexes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Dump:
    """Variables and regexes by name, the paths that each glob means, and every condition with every glob."""

    variables: Mapping[str, str]
    regexes: Mapping[str, str]
    globs: Mapping[str, Sequence[str]]
    mappings: tuple[Row, ...]


def collect(asked: Asked, forge: Directory, properties: Mapping[str, Json], given: Mapping[str, str]) -> Dump:
    """Return what there is. Raises InputError for mappings that are not in the DSL, and for every problem of theirs."""
    from bot.core import dsl
    from bot.core.trigger import PAYLOAD
    from bot.errors import InputError

    regexes = asked.dsl_regexes(given)
    if regexes is None:
        sentence = (
            f"--dump is for mappings in the action's DSL; those of the file {asked.file()} are for `pointsman plan`"
        )
        raise InputError(sentence)
    text = asked.mappings or ""
    rules = dsl.mapping_file(text, regexes, "--mappings")
    local.warn(rules.warnings)
    variables = rules.variables_from(properties)
    rows = tuple(_row(one, variables) for one in dsl.expand(text, regexes))
    shown = {name: _text(value) for name, value in variables.items() if name != PAYLOAD}
    return Dump(shown, regexes, asyncio.run(_files(forge, dict.fromkeys(row.glob for row in rows))), rows)


def _row(one: Expanded, variables: Mapping[str, Json]) -> Row:
    from bot.core.match import Condition, SearchTest, evaluate
    from bot.core.regexes import compile_pattern
    from bot.core.template import Position

    if one.variable not in variables:
        return Row(one.variable, None, one.regex, matches=False, glob=one.glob, regexes=one.regexes)
    test = SearchTest(one.variable, compile_pattern(one.regex, multiline=False), Position("--mappings"))
    holds = evaluate(Condition((test,)), variables).result.holds
    return Row(one.variable, _text(variables[one.variable]), one.regex, holds, one.glob, one.regexes)


async def _files(forge: Directory, patterns: Iterable[str]) -> dict[str, Sequence[str]]:
    """Return the paths that each glob means: those that may be written."""
    from bot.core.changeset import unwritable
    from bot.core.glob import Glob
    from bot.core.meter import unlimited
    from bot.core.protected import Protection, refusals
    from bot.core.snapshot import matching

    globs = [Glob(pattern) for pattern in patterns]
    snapshot = await forge.read(await forge.open(forge.repository, []), globs, unlimited())
    closed = refusals(snapshot.files, Protection())
    writable = [path for path, file in snapshot.files.items() if path not in closed and unwritable(path, file) is None]
    return {glob.pattern: matching([glob], writable) for glob in globs}


def _text(value: Json) -> str:
    from bot.core.template import text_of

    return json.dumps(value, ensure_ascii=False) if value is None or isinstance(value, list | dict) else text_of(value)


def show(dump: Dump, output: local.Format) -> None:
    """Print four tables, or the same as JSON."""
    if output is local.Format.json:
        typer.echo(printable_json(asdict(dump)))
        return
    from rich.console import Console

    console = Console(highlight=False, emoji=False, markup=False)
    if not console.is_terminal:
        # Nobody's window is this wide: a line of a file or a log is one row, to be searched.
        console = Console(highlight=False, emoji=False, markup=False, width=10_000)
        # A cell that is longer goes on in a line of its own, where a workflow would obey it.
        with console.capture() as capture:
            print_tables(console, dump)
        typer.echo(printable(capture.get()), nl=False)
        return
    print_tables(console, dump)


def print_tables(console: Any, dump: Dump) -> None:
    """Print the tables, cells folded to the width of a rich `console`: nothing in them is cut off."""
    _print(console, "Variables", ("Name", "Value"), dump.variables.items())
    _print(console, "Regexes", ("Name", "Pattern"), dump.regexes.items())
    globs = ((glob, "\n".join(paths) or "(no file)") for glob, paths in dump.globs.items())
    _print(console, "Files", ("Glob", "Files that it matches"), globs)
    rows = (
        (
            row.variable,
            "(not defined)" if row.value is None else row.value,
            row.regex,
            "Yes" if row.matches else "No",
            row.glob,
            ", ".join(row.regexes),
        )
        for row in dump.mappings
    )
    columns = ("Variable", "Variable value", "must match", "Match successful?", "Glob", "Replacers")
    _print(console, "Mappings", columns, rows)


def _print(console: Any, title: str, columns: Iterable[str], rows: Iterable[Iterable[str]]) -> None:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    # Lines between columns would take what the longest of the tables needs for its words at 80 columns.
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0))
    for column in columns:
        # Headings break at spaces only, and so do most names.
        table.add_column(column, overflow="fold", min_width=max(map(len, column.split())))
    for row in rows:
        table.add_row(*(Text(printable(cell)) for cell in row))
    console.print(Text(f"{title}:", style="bold"))
    console.print(table)
    console.print()
