"""A GitHub Actions workflow, as far as a conversion needs it: what starts it, and its steps with their environment."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import regex

from bot.core import mapping_source
from bot.errors import InputError, Problem

if TYPE_CHECKING:
    from bot.core.mapping_source import Loc, Source


class Text(NamedTuple):
    """A scalar as it is written, and where."""

    text: str
    loc: Loc


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a job.

    `name` is how a sentence calls it. `inputs` is its `with`, names in lower case as GitHub reads them; `env` what its
    environment holds: the workflow's, the job's and its own, later ones winning. `conditions` are the `if` of its job
    and its own, without `${{ }}`; `matrix` says that its job runs once for each combination of one.
    """

    name: str
    loc: Loc
    id: str
    uses: str
    run: str
    inputs: dict[str, Text]
    env: dict[str, Text]
    conditions: tuple[str, ...]
    matrix: bool

    def does(self, action: str) -> bool:
        """Whether it uses this action, `owner/name`, whatever its version; `*` as owner is any."""
        owner, _, name = action.partition("/")
        owners = r"[\w.-]+" if owner == "*" else regex.escape(owner)
        return bool(regex.fullmatch(f"{owners}/{regex.escape(name)}(?:@.*)?", self.uses.strip(), regex.IGNORECASE))


@dataclass(slots=True)
class Workflow:
    """A workflow. `events` has what starts it, each with its settings; `steps` are in order, job by job."""

    text: str
    source: Source
    events: dict[str, Any]
    steps: list[Step] = field(default_factory=list)

    @property
    def name(self) -> str:
        """Its path as the user knows it."""
        return self.source.name

    def problem(self, loc: Loc, sentence: str, line: int | None = None) -> Problem:
        """Make a Problem at the value at `loc`, or in that line of it (from 1) where lines are kept: after a `|`."""
        position = self.source.position(loc)
        if line is not None and position.line is not None and position.column is not None:
            written = self.text.splitlines()[position.line - 1][position.column - 1 :]
            if written.startswith("|"):
                return Problem(sentence, position.file, position.line + line)
        return position.problem(sentence)

    @property
    def event_types(self) -> list[str]:
        """The types of `repository_dispatch` that it listens to; none where it takes all of them, or no dispatch."""
        settings = self.events.get("repository_dispatch")
        types = settings.get("types") if isinstance(settings, dict) else None
        return [str(kind) for kind in (types if isinstance(types, list) else [types]) if kind is not None]


def read(text: str, name: str) -> Workflow:
    """Read the workflow `text`; `name` is its path as the user knows it.

    Raises InputError where it is no YAML or has no jobs. Keys that a conversion does not need are not looked at.
    """
    if not regex.search(r"^[ \t]*[^\s#]", text, regex.MULTILINE):
        raise InputError(Problem("the workflow is empty", name))
    # Of the problems that do not stop the reader the most are about numbers, which are taken as they are written here.
    source = mapping_source.read(text, name)
    data = source.data
    jobs = data.get("jobs") if isinstance(data, dict) else None
    if not isinstance(jobs, dict):
        raise InputError(Problem("this is no workflow: it has no 'jobs:' with jobs by their names", name))
    workflow = Workflow(text, source, _events(data.get("on")))
    for job_name, job in jobs.items():
        steps = job.get("steps") if isinstance(job, dict) else None
        for index, step in enumerate(steps if isinstance(steps, list) else []):
            if isinstance(step, dict):
                workflow.steps.append(_step(source, step, ("jobs", job_name, "steps", index)))
    return workflow


def _events(on: Any) -> dict[str, Any]:
    """`on:` as a mapping, whichever of its three forms it has."""
    if isinstance(on, dict):
        return on
    return {str(event): None for event in (on if isinstance(on, list) else [on]) if event is not None}


def _step(source: Source, data: dict[str, Any], loc: Loc) -> Step:
    job_loc = loc[:2]
    job = source.data["jobs"][job_loc[1]]
    strategy = job.get("strategy")
    conditions = [_text(source, (*place, "if")) for place in (job_loc, loc)]
    env = _texts(source, source.data, ()) | _texts(source, job, job_loc) | _texts(source, data, loc)
    return Step(
        name=_text(source, (*loc, "name")) or _text(source, (*loc, "uses")) or f"step {int(loc[3]) + 1} of '{loc[1]}'",
        loc=loc,
        id=_text(source, (*loc, "id")),
        uses=_text(source, (*loc, "uses")) if isinstance(data.get("uses"), str) else "",
        run=_text(source, (*loc, "run")),
        inputs={name.lower(): text for name, text in _texts(source, data, loc, "with").items()},
        env=env,
        conditions=tuple(_bare(text) for text in conditions if text),
        matrix=isinstance(strategy, dict) and "matrix" in strategy,
    )


def _text(source: Source, loc: Loc) -> str:
    return source.scalars.get(loc, "")


def _texts(source: Source, data: dict[str, Any], loc: Loc, key: str = "env") -> dict[str, Text]:
    """Return the scalars of the mapping at `key` of `data`, which is at `loc`, by their names."""
    values = data.get(key)
    places = [(name, (*loc, key, name)) for name in values] if isinstance(values, dict) else []
    return {name: Text(source.scalars[place], place) for name, place in places if place in source.scalars}


def _bare(condition: str) -> str:
    found = regex.fullmatch(r"\s*\$\{\{((?:(?!\}\}).)*)\}\}\s*", condition, regex.DOTALL)
    return (found[1] if found else condition).strip()
