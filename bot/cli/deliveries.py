"""`pointsman deliveries`: look at what the bot received and how it ended, take it up again, give it up."""

from __future__ import annotations

import re
import sys
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

import typer

from bot.printable import printable, printable_json, printable_line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from bot.inbox.records import Details, Record, Records

deliveries = typer.Typer(
    name="deliveries",
    help="Look at deliveries, take them up again, or give them up; works while the bot runs.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)

# As many characters of an id tell deliveries apart: they begin with a time.
_SHORT = 8
_UNITS = {"m": "minutes", "h": "hours", "d": "days"}


class Format(StrEnum):
    """How deliveries are printed."""

    text = "text"
    json = "json"


FormatOption: TypeAlias = Annotated[Format, typer.Option("--format", "-f", help="text, or all of it as JSON.")]
IdsArgument: TypeAlias = Annotated[list[str], typer.Argument(metavar="ID", help="Ids, or how they begin.")]


@deliveries.command("list")
def list_(
    states: Annotated[
        list[str] | None,
        typer.Option("--state", "-s", metavar="STATE", help="Only these: pending, waiting, an outcome; repeatable."),
    ] = None,
    repository: Annotated[
        int | None,
        typer.Option("--repository", "-r", metavar="ID", min=0, max=10**12, help="Only those of this repository."),
    ] = None,
    since: Annotated[
        str | None, typer.Option("--since", metavar="AGE|TIME", help="90m, 2h, 3d, or a time as ISO 8601 has it.")
    ] = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=1_000_000, help="How many at most.")] = 50,
    output: FormatOption = Format.text,
) -> None:
    """Show deliveries, a line each, the last to arrive first.

    Example: `pointsman deliveries list --state failed --state dead --since 3d`
    """
    from bot.inbox.records import Query

    query = Query(_states(states or []), repository, _since(since) if since else None, limit)
    with _records() as records:
        found = records.list(query)
    if output is Format.json:
        _print_json([asdict(record) for record in found])
    else:
        _print_list(found)


@deliveries.command()
def show(
    delivery: Annotated[str, typer.Argument(metavar="ID", help="Its id, or how it begins.")],
    output: FormatOption = Format.text,
) -> None:
    """Show all there is of a delivery: how it ended on each branch, what was begun, what is to be said.

    Example: `pointsman deliveries show 72d3162e`
    """
    with _records() as records:
        details = records.show(delivery)
    if output is Format.json:
        whole = asdict(details.record) | {"effects": [asdict(one) for one in details.effects]}
        whole |= {"intents": [asdict(one) for one in details.intents]}
        _print_json(whole | {"reports": [asdict(one) for one in details.reports], "body": _body(details.body)})
    else:
        _print_details(details)


@deliveries.command()
def replay(
    ids: IdsArgument,
    force: Annotated[
        bool, typer.Option("--force", help="Carry it out though a newer delivery wrote the same fields.")
    ] = False,
) -> None:
    """Take up again what has ended or waits, on all its branches; a running bot does it within seconds.

    Example: `pointsman deliveries replay 72d3162e --force`
    """
    _each(ids, lambda records, one: f"{records.replay(one, forced=force)} is pending again")


@deliveries.command()
def drop(ids: IdsArgument) -> None:
    """Give up what is pending or waits: it ends as `dead`. A commit that is under way may still land.

    Example: `pointsman deliveries drop 72d3162e`
    """
    _each(ids, lambda records, one: f"{records.drop(one)} is dropped")


def _each(ids: Sequence[str], change: Callable[[Records, str], str]) -> None:
    """Change one delivery after another; exit 1 where one of them was refused."""
    from bot.errors import InputError

    refused = False
    with _records(write=True) as records:
        for one in dict.fromkeys(ids):
            try:
                typer.echo(printable(change(records, one)))
            except InputError as error:
                sys.stderr.write(f"{printable(str(error))}\n")
                refused = True
    if refused:
        raise typer.Exit(1)


@contextmanager
def _records(*, write: bool = False) -> Iterator[Records]:
    """Open the database of DATABASE_URL; exits 2 where that cannot be, raises InputError where it fails later."""
    import sqlite3

    from bot import settings
    from bot.errors import InputError
    from bot.inbox.records import Records

    try:
        path = settings.database()
        records = Records(path, write=write)
    except InputError as error:
        sys.stderr.write(f"{printable(str(error))}\n")
        raise typer.Exit(2) from None
    try:
        yield records
    except sqlite3.Error as error:
        raise InputError(f"DATABASE_URL: {path}: {error}; try again") from error
    finally:
        records.close()


def _states(given: Sequence[str]) -> tuple[str, ...]:
    from typing import get_args

    from bot.core.outcome import State
    from bot.core.suggest import did_you_mean
    from bot.inbox.records import UNFINISHED

    known = (*UNFINISHED, *get_args(State))
    for state in given:
        if state not in known:
            sentence = f"'{state}' is not one of {', '.join(known)}{did_you_mean(state, known)}"
            raise typer.BadParameter(printable_line(sentence), param_hint="--state")
    return tuple(given)


def _since(text: str) -> datetime:
    try:
        if age := re.fullmatch(r"([0-9]{1,9})([mhd])", text):
            return datetime.now(UTC) - timedelta(**{_UNITS[age[2]]: int(age[1])})
        time = datetime.fromisoformat(text)
        return (time if time.tzinfo else time.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        sentence = f"'{text}' is neither an age (90m, 2h, 3d) nor a time (2026-11-21, 2026-11-21T10:00; UTC)"
        raise typer.BadParameter(printable_line(sentence), param_hint="--since") from None


def _print_list(records: Sequence[Record]) -> None:
    """Print a table as wide as the terminal; into a file or a pipe nothing is cut."""
    from rich.console import Console

    if not records:
        sys.stderr.write("no delivery is like that\n")
        return
    console = Console(highlight=False, emoji=False, markup=False)
    if console.is_terminal:
        print_table(console, records)
        return
    columns = (_COLUMNS, *(_row(record) for record in records))
    widths = [max(map(len, column)) for column in zip(*columns, strict=True)][:-1]
    for row in columns:
        typer.echo("  ".join([*map(str.ljust, row, widths), row[-1]]).rstrip())


def print_table(console: Any, records: Sequence[Record]) -> None:
    """Print deliveries on a rich `console`, a line each: short ids, and of the reasons what its width leaves."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    rows = []
    for record in records:
        name, when, *rest = _row(record)
        rows.append((name[:_SHORT], when[5:16].replace("T", " "), *rest))
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, padding=0)
    widths = [max(map(len, column)) for column in zip(_COLUMNS, *rows, strict=True)][:-1]
    room = max(len(_COLUMNS[-1]), console.width - sum(widths) - len(widths))
    for column, width in zip(_COLUMNS, (*widths, room), strict=True):
        table.add_column(column, no_wrap=True, overflow="ellipsis", width=width)
    for row in rows:
        table.add_row(*map(Text, row))
    console.print(table)


_COLUMNS = ("ID", "Received", "Event", "Target", "State", "Reason")


def _row(record: Record) -> tuple[str, ...]:
    reason = " ".join(record.reason.split())
    row = (record.id, record.origin, record.event, str(record.target), record.state, reason)
    return tuple(map(printable_line, row))


def _print_details(details: Details) -> None:
    record = details.record
    ended = f", {record.finished_at}" if record.finished_at else ""
    facts = {
        "delivery": record.id,
        "event": f"{record.event} by {record.actor or 'nobody named'}",
        "repository": f"{record.target or 'none'} (installation {record.installation or 'none'})",
        "received": record.origin,
        "attempts": ", ".join(
            [
                str(record.attempts),
                *([f"the next at {record.next_attempt}"] if record.next_attempt else []),
                *(["forced"] if record.forced else []),
            ]
        ),
        "state": f"{record.state}{ended}",
        "reason": record.reason or "none",
    }
    _print_facts(facts.items())
    for effect in details.effects:
        commit = f", commit {effect.commit}" if effect.commit else ""
        typer.echo(f"\n{printable_line(f'on {effect.branch}' if effect.branch else 'before any branch')}:")
        _print_facts((("state", f"{effect.state}{commit}, {effect.ended_at}"), ("reason", effect.reason)))
    for intent in details.intents:
        typer.echo(f"\nbegun on {printable_line(intent.branch)}, may have landed:")
        fields = "\n".join(f"{path}: {field}" for path, field in intent.fields)
        _print_facts((("base", intent.base), ("writes", fields)))
    for report in details.reports:
        typer.echo(f"\ncheck run still to be made: {printable_line(report.check_run)}")
        which = "next" if report.attempts else "first"
        attempts = f"{report.attempts}, the {which} {f'at {report.next_attempt}' if report.next_attempt else 'is due'}"
        _print_facts((("head", report.head), ("attempts", attempts), ("reason", report.reason or "none")))
    typer.echo("\nbody:" if details.body else "\nbody: nothing is left")
    if details.body:
        from bot.core.trigger import DISPATCH, trimmed

        # GitHub describes the repository on a hundred lines; in JSON all of them are there.
        _print_json(_body(trimmed(details.body, None) if record.event == DISPATCH else details.body))


def _print_facts(facts: Iterable[tuple[str, str]]) -> None:
    """Print names and texts, the lines of a text below each other."""
    for name, text in facts:
        typer.echo(f"  {name + ':':<12}" + printable(text).replace("\n", "\n" + " " * 14))


def _body(body: bytes) -> Any:
    """Return the JSON of a body, None if the body was dropped, or its text if it is not JSON that can be read."""
    from bot.core.body import read_body
    from bot.errors import InputError

    try:
        return read_body(body) if body else None
    except InputError:
        return body.decode(errors="replace")


def _print_json(value: Any) -> None:
    typer.echo(printable_json(value))
