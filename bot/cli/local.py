"""What `plan` and `apply` share: their options, and how a result is shown."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

import typer

from bot.printable import printable, printable_diff, printable_json, printable_line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from bot.core.changeset import Changeset
    from bot.core.model import Result
    from bot.core.outcome import Outcome
    from bot.core.plan import Plan
    from bot.errors import InputError, Problem
    from bot.flows.decisions import Decision


# What begins a line of a diff that is none of a file's.
_HEADS = ("+++", "---", "diff ", "new file ", "deleted file ")


class Format(StrEnum):
    """How a result is printed."""

    text = "text"
    json = "json"
    diff = "diff"


DirectoryOption: TypeAlias = Annotated[
    Path, typer.Option("--directory", "-d", help="The folder that stands for the repository.")
]
MappingsOption: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--mappings",
        "-m",
        metavar="FILE|DSL",
        help="The mapping file, or mappings in the action's DSL; default: .github/pointsman.yaml of the folder.",
    ),
]
RegexesOption: TypeAlias = Annotated[
    list[str] | None,
    typer.Option("--regex", "-r", metavar="NAME=PATTERN", help="A regex for mappings in the DSL; may be repeated."),
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
BranchOption: TypeAlias = Annotated[
    str,
    typer.Option(
        "--branch",
        "-b",
        metavar="NAME",
        help="The branch that the folder stands for; default: the default branch. What goes to another is left out.",
    ),
]
FormatOption: TypeAlias = Annotated[Format, typer.Option("--format", "-f", help="text, json, or a diff to pipe on.")]


@dataclass(frozen=True, slots=True)
class Shown:
    """A decision or an outcome, as far as it is printed."""

    state: str
    reason: str
    problems: tuple[Problem, ...] = ()
    plan: Plan | None = None
    changeset: Changeset | None = None
    commit: str = ""
    notes: tuple[str, ...] = ()

    @classmethod
    def of(cls, results: Sequence[Decision | Outcome], branch: str) -> Shown:
        """Return what is printed of the decisions (a dry run's) or outcomes of one request, one for each branch.

        The folder stands for `branch` ("" is the default branch); what goes to another is left out, and that is noted.
        """
        from bot.core.outcome import Outcome

        outcomes = [result if isinstance(result, Outcome) else result.outcome for result in results]
        others = [one.branch for one in outcomes if one is not None and one.branch not in {"", branch}]
        note = f"what goes to {', '.join(map(repr, others))} is left out: the folder stands for "
        note += f"'{branch}'" if branch else "the default branch; --branch names another"
        for result, outcome in zip(results, outcomes, strict=True):
            if outcome is None or outcome.branch not in others:
                shown = cls._one(result, outcome)
                return replace(shown, notes=(*shown.notes, note)) if others else shown
        return cls("no_change", note, plan=outcomes[0].plan if outcomes[0] else None)

    @classmethod
    def _one(cls, result: Decision | Outcome, outcome: Outcome | None) -> Shown:
        notes = result.changeset.notes if result.changeset else ()
        if outcome is None:
            return cls("planned", "", (), result.plan, result.changeset, notes=notes)
        state = "written" if outcome.state == "committed" else outcome.state
        oid = outcome.commit.oid if outcome.commit else ""
        return cls(state, outcome.reason, outcome.problems, outcome.plan, outcome.changeset, oid, notes)

    @property
    def exit_code(self) -> int:
        """0 where all went well or nothing was to do, 1 where it did not."""
        return 0 if self.state in {"planned", "written", "no_change"} else 1


def perform(run: Callable[[], int], output: Format) -> int:
    """Run, and return the exit code.

    An error before there is a result is raised on, but for JSON: whoever reads that reads standard output.
    """
    from bot.errors import InputError

    try:
        return run()
    except InputError as error:
        if output is not Format.json:
            raise
        refuse(error, output)
        return 1


def refuse(error: InputError, output: Format) -> None:
    """Say why nothing was tried: in JSON as a result, else on standard error."""
    if output is Format.json:
        show(Shown("failed", str(error), error.problems), output)
    else:
        typer.echo(printable(str(error)), err=True)


def warn(problems: Iterable[Problem]) -> None:
    """Say on standard error what works and may not be meant, each in a line with its place."""
    for problem in problems:
        typer.echo(printable(str(replace(problem, sentence=f"warning: {problem.sentence}"))), err=True)


def show(shown: Shown, output: Format) -> int:
    """Print, and return the exit code."""
    if output is Format.json:
        typer.echo(printable_json(_as_json(shown)))
    elif output is Format.diff:
        for diff in _diffs(shown):
            echo_diff(diff)
        if shown.exit_code:
            typer.echo(printable(shown.reason), err=True)
    else:
        _print(shown)
    return shown.exit_code


def echo_diff(text: str) -> None:
    """Print a diff to be applied, and say so if it cannot be."""
    safe = printable_diff(text)
    typer.echo(safe, nl=False)
    if safe != text:
        sentence = "warning: control characters or workflow commands are escaped in the diff, so it cannot be applied"
        typer.echo(sentence, err=True)


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
        "notes": list(shown.notes),
        **({"commit": shown.commit} if shown.commit else {}),
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

    # Foreign text is no markup and has no emoji codes, and it is not wrapped.
    console = Console(highlight=False, soft_wrap=True, emoji=False, markup=False)
    for matched in shown.plan.matched if shown.plan else ():
        mark, style = ("✔", "green") if matched.holds else ("✘", "dim")
        console.print(Text(printable_line(f"{mark} mapping '{matched.mapping}'"), style=style))
        for line in _lines(matched.result, 1):
            console.print(Text(printable_line(line), style="dim"))
    for text in _diffs(shown):
        console.print()
        print_diff(console, text)
    for note in shown.notes:
        console.print(Text(printable_line(f"• {note}")))
    style = "bold green" if shown.exit_code == 0 else "bold red"
    count = len(shown.changeset.files) if shown.changeset else 0
    files = f"{count} file{'' if count == 1 else 's'}"
    ends = {"planned": f"{files} would change", "written": f"{files} changed", "no_change": "nothing to change"}
    console.print(Text(f"\n{ends.get(shown.state, shown.state)}", style=style))
    if shown.commit:
        console.print(Text(f"  commit {shown.commit}"))
    if shown.reason and shown.state != "written":
        for line in shown.reason.split("\n"):
            console.print(Text(printable_line(f"  {line}")))


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
        style = "bold" if line.startswith(_HEADS) else styles.get(line[:1], "")
        console.print(Text(printable_line(line.removesuffix("\r")), style=style))
