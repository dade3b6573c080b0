"""What `plan` and `apply` share: their options, and how a result is shown."""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

import typer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from bot.core.changeset import Changeset
    from bot.core.model import Json, Result
    from bot.core.outcome import Outcome
    from bot.core.plan import Plan
    from bot.directory import Directory
    from bot.errors import Problem
    from bot.flows.decide import Decision, MappingSource, Request


class Format(StrEnum):
    """How a result is printed."""

    text = "text"
    json = "json"
    diff = "diff"


DirectoryOption: TypeAlias = Annotated[
    Path, typer.Option("--directory", "-d", help="The folder that stands for the repository.")
]
MappingsOption: TypeAlias = Annotated[
    Path | None,
    typer.Option("--mappings", "-m", help="The mapping file; default: .github/pointsman.yaml of the folder."),
]
VariablesOption: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--var", "-v", metavar="NAME=VALUE", help="A property of the client payload, a text; may be repeated."
    ),
]
PayloadOption: TypeAlias = Annotated[
    str, typer.Option("--payload", "-p", metavar="JSON", help="The client payload, a JSON object; --var adds to it.")
]
EventTypeOption: TypeAlias = Annotated[
    str, typer.Option("--event-type", "-e", help="The event type; without one, every mapping's 'on' is met.")
]
FormatOption: TypeAlias = Annotated[Format, typer.Option("--format", "-f", help="text, json, or a diff to pipe on.")]


@dataclass(frozen=True, slots=True)
class Shown:
    """A decision or an outcome, as far as it is printed."""

    state: str
    reason: str
    problems: tuple[Problem, ...]
    plan: Plan | None
    changeset: Changeset | None

    @classmethod
    def of(cls, result: Decision | Outcome) -> Shown:
        """Return what is printed of a decision (a dry run's) or of an outcome."""
        from bot.core.outcome import Outcome

        outcome = result if isinstance(result, Outcome) else result.outcome
        if outcome is None:
            return cls("planned", "", (), result.plan, result.changeset)
        state = "written" if outcome.state == "committed" else outcome.state
        return cls(state, outcome.reason, outcome.problems, outcome.plan, outcome.changeset)

    @property
    def exit_code(self) -> int:
        """0 where all went well or nothing was to do, 1 where it did not."""
        return 0 if self.state in {"planned", "written", "no_change"} else 1


def prepare(
    directory: Path, mappings: Path | None, payload: str, variables: list[str] | None, event_type: str
) -> tuple[Directory, Request, MappingSource]:
    """Return the folder as a Forge, the request, and where its mappings come from."""
    from bot.cli.files import read_text
    from bot.core.trigger import Dispatch
    from bot.core.verdict import MAPPING_PATH
    from bot.directory import Directory, operator
    from bot.errors import InputError
    from bot.flows.decide import MappingSource, Request

    properties = _payload(payload, variables or [])
    source = MappingSource()
    try:
        forge = Directory(directory)
        if mappings is not None:
            source = MappingSource(own=False, name=str(mappings), text=read_text(mappings).encode())
        elif not (directory / MAPPING_PATH).is_file():
            raise InputError(f"there is no mapping file {directory / MAPPING_PATH}; name one with --mappings")
    except PermissionError as error:
        raise InputError(f"cannot read {error.filename}: {error.strerror}") from error
    request = Request("local", operator(), Dispatch(forge.repository, event_type, properties))
    return forge, request, source


def perform(make: Callable[[], Decision | Outcome], output: Format) -> int:
    """Make a decision or an outcome, print it, and return the exit code.

    An error before there is one is raised on, but for JSON: whoever reads that reads standard output, and errors in it.
    """
    from bot.errors import InputError

    try:
        shown = Shown.of(make())
    except InputError as error:
        if output is not Format.json:
            raise
        shown = Shown("failed", str(error), error.problems, None, None)
    return show(shown, output)


def _payload(text: str, variables: list[str]) -> dict[str, Json]:
    from bot.errors import InputError

    try:
        payload = json.loads(text)
    except (ValueError, RecursionError):
        payload = None
    if not isinstance(payload, dict):
        raise InputError('--payload: this is no JSON object; write it as \'{"docker_image_tag": "1.4.2-dev"}\'')
    for variable in variables:
        name, equals, value = variable.partition("=")
        if not equals or not name:
            raise InputError(f"--var {variable}: write NAME=VALUE")
        payload[name] = value
    return payload


def show(shown: Shown, output: Format) -> int:
    """Print, and return the exit code."""
    if output is Format.json:
        typer.echo(json.dumps(_as_json(shown), indent=2, ensure_ascii=False))
    elif output is Format.diff:
        for diff in _diffs(shown):
            typer.echo(diff, nl=False)
        if shown.exit_code:
            typer.echo(shown.reason, err=True)
    else:
        _print(shown)
    return shown.exit_code


def _diffs(shown: Shown) -> Iterator[str]:
    from bot.core import diff

    if shown.changeset is not None:
        for change in shown.changeset.files.values():
            yield diff.unified(change)


def _as_json(shown: Shown) -> dict[str, Any]:
    mappings = shown.plan.matched if shown.plan else ()
    changes = shown.changeset.files.values() if shown.changeset else ()
    return {
        "state": shown.state,
        "reason": shown.reason,
        "mappings": [
            {
                "name": matched.mapping,
                "matched": matched.holds,
                "why": "; ".join(_said(result) for result in matched.result.decisive),
                "conditions": [_tree(matched.result)],
                "values": dict(matched.values),
            }
            for matched in mappings
        ],
        "variables": dict(shown.plan.used) if shown.plan else {},
        "files": [
            {
                "path": change.path,
                "edits": [
                    {
                        "mapping": span.mapping,
                        "field": span.field,
                        "line": span.line,
                        "column": span.column,
                        "old": span.old,
                        "new": span.new,
                    }
                    for span in change.spans
                ],
                "diff": diff,
            }
            for change, diff in zip(changes, _diffs(shown), strict=True)
        ],
        "notes": list(shown.changeset.notes) if shown.changeset else [],
        "errors": [
            {"sentence": problem.sentence, "file": problem.file, "line": problem.line, "column": problem.column}
            for problem in shown.problems
        ],
    }


def _said(result: Result) -> str:
    return f"{result.name}: {result.why}" if result.why else result.name


def _tree(result: Result) -> dict[str, Any]:
    tree: dict[str, Any] = {"name": result.name, "holds": result.holds, "why": result.why}
    return {**tree, "children": [_tree(child) for child in result.children]} if result.children else tree


def _print(shown: Shown) -> None:
    from rich.console import Console
    from rich.text import Text

    # Foreign text is printed as it is: never as markup, never wrapped, no emoji codes.
    console = Console(highlight=False, soft_wrap=True, emoji=False, markup=False)
    for matched in shown.plan.matched if shown.plan else ():
        mark, style = ("✔", "green") if matched.holds else ("✘", "dim")
        console.print(Text(f"{mark} mapping '{matched.mapping}'", style=style))
        for line in _lines(matched.result, 1):
            console.print(Text(line, style="dim"))
    for text in _diffs(shown):
        console.print()
        print_diff(console, text)
    for note in shown.changeset.notes if shown.changeset else ():
        console.print(Text(f"• {note}"))
    style = "bold green" if shown.exit_code == 0 else "bold red"
    count = len(shown.changeset.files) if shown.changeset else 0
    files = f"{count} file{'' if count == 1 else 's'}"
    ends = {"planned": f"{files} would change", "written": f"{files} changed", "no_change": "nothing to change"}
    console.print(Text(f"\n{ends.get(shown.state, shown.state)}", style=style))
    if shown.reason and shown.state != "written":
        for line in shown.reason.splitlines():
            console.print(Text(f"  {line}"))


def _lines(result: Result, depth: int) -> Iterator[str]:
    state = "holds" if result.holds else "does not hold"
    yield f"{'  ' * depth}{result.name}: {state}{f', {result.why}' if result.why else ''}"
    for child in result.children:
        yield from _lines(child, depth + 1)


def print_diff(console: Any, text: str) -> None:
    """Print a unified diff in the colours that `git diff` has."""
    from rich.text import Text

    styles = {"+": "green", "-": "red", "@": "cyan"}
    # Not splitlines(): to YAML some of the characters that it splits at are text.
    for line in text.removesuffix("\n").split("\n"):
        style = "bold" if line.startswith(("+++", "---")) else styles.get(line[:1], "")
        console.print(Text(line, style=style))
