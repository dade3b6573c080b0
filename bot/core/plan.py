"""What the mappings say for one trigger: which of them hold and why, and the edits they ask for."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

from bot.core import places
from bot.core.filters import type_name
from bot.core.glob import Glob
from bot.core.mapping import ITEM, CreateOperation, names_in
from bot.core.match import evaluate
from bot.core.model import Result
from bot.core.protected import Protection
from bot.core.rendered import Create, render, texts
from bot.core.shown import json_shown, quoted
from bot.core.suggest import Hints
from bot.core.template import UndefinedError
from bot.core.trigger import PAYLOAD
from bot.errors import InputError, Problem

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from collections.abc import Mapping as Map

    from bot.core.mapping import Mapping, MappingFile, Update
    from bot.core.meter import Meter
    from bot.core.model import Json
    from bot.core.rendered import Rendered
    from bot.core.template import Template
    from bot.core.trigger import Dispatch

# Each item has conditions of its own, and each of their patterns half a second.
MAX_ITEMS = 100

# A plan with so many edits that fail is given up: a payload may name a thousand items, each with the same mistake.
MAX_REFUSALS = 50

# The edits of a plan name so many files at most, with the folders of those that they create: each of them is read.
MAX_PATHS = 10_000

# Of all mappings and items together so many results of conditions are told. A check run has room for fewer.
MAX_RESULTS = 5_000


class TooManyPathsError(InputError):
    """The edits of a plan name more files and folders than anybody needs; no further ones are planned."""


@dataclass(frozen=True, slots=True)
class Edit:
    """One operation on the files that `files` name.

    `mapping` is the name of the mapping that asks for it, `branch` the short name of the destination, "" for the
    default branch. Files to create are named by literal paths. With `order` it replaces no value by an older version.
    What is `urgent` does not wait for the rhythm of pushes.
    """

    mapping: str
    files: tuple[Glob, ...]
    operation: Rendered
    branch: str = ""
    order: Literal["semver"] | None = None
    urgent: bool = False


@dataclass(frozen=True, slots=True)
class MappingResult:
    """How one mapping came out for this trigger.

    `captures` are the variables that its named groups made; `values` those and the ones that its conditions look at, as
    text.
    """

    mapping: str
    result: Result
    captures: Map[str, str]
    values: Map[str, str]

    @property
    def holds(self) -> bool:
        """Whether all its conditions hold."""
        return self.result.holds


@dataclass(frozen=True, slots=True)
class Plan:
    """Edits in the order in which they apply, and how every mapping came out.

    `used` are the variables that conditions, templates and regexes of the mappings that hold looked at: what a report
    shows. `properties` are those of the payload that it was made of, which a finished delivery keeps; None for all.
    `message` is the rendered `commit.message`, None where the file has none. `protection` is which files the edits
    leave alone.
    """

    matched: tuple[MappingResult, ...]
    edits: tuple[Edit, ...]
    used: Map[str, str]
    message: str | None
    properties: frozenset[str] | None = None
    protection: Protection = field(default_factory=Protection)

    @property
    def globs(self) -> tuple[Glob, ...]:
        """Every glob that an edit names, and the folders in which files are created: a file may be in their place."""
        return tuple(file for edit in self.edits for file in (*edit.files, *_above(edit)))

    @property
    def urgent(self) -> bool:
        """Whether any edit is urgent."""
        return any(edit.urgent for edit in self.edits)

    @property
    def holding(self) -> tuple[str, ...]:
        """The names of the mappings that hold."""
        return tuple(matched.mapping for matched in self.matched if matched.holds)


def plan(mapping_file: MappingFile, dispatch: Dispatch, meter: Meter | None = None) -> Plan:
    """Evaluate every mapping of the file for one dispatch and render the edits of those that hold.

    What each mapping costs is charged to `meter`.

    Raises InputError with all problems: a variable that a template uses and the payload lacks, a path or branch that is
    refused, a regex that exceeds its time, more than 100 items for a `for_each`.
    """
    variables = mapping_file.variables_from(dispatch.payload)
    making = _Making(mapping_file.name, dispatch)
    matched = []
    for mapping in mapping_file.mappings:
        with meter.charge(f"mapping '{mapping.name}'") if meter else nullcontext():
            matched.append(making.match(mapping, variables))
    # As within its mapping, what a named group captured wins; of several mappings that hold, the later one's.
    scope = {**variables, **making.captured}
    message = None
    template = mapping_file.commit.message
    if template is not None and (making.edits or making.problems):
        making.used |= template.names
        try:
            message = template.render_message(scope)
        except InputError as error:
            making.note(error)
    if making.problems:
        raise InputError(list(making.problems))
    properties = _properties(mapping_file, making.used)
    used = texts(scope, making.used)
    return Plan(tuple(matched), tuple(making.edits), used, message, properties, mapping_file.protection)


def _properties(mapping_file: MappingFile, used: set[str]) -> frozenset[str] | None:
    """Return the properties of the payload that the used variables come from, None where it is used as a whole."""
    names = set(used)
    for name, expression in reversed(mapping_file.variables):
        if any(one.partition(".")[0] == name for one in names):
            names |= expression.names
    if PAYLOAD in names:
        return None
    return frozenset(name.removeprefix(f"{PAYLOAD}.").partition(".")[0] for name in names)


@dataclass(slots=True)
class _Making:
    """A plan in the making: what the mappings that were looked at ask for.

    problems: each once, in order.
    hints, reasons: how many problems, and how many reasons of conditions, still get a suggestion.
    refusals: how many errors were noted so far.
    paths: how many files and folders the edits name.
    results: how many results of conditions are still told.
    """

    name: str
    dispatch: Dispatch
    edits: list[Edit] = field(default_factory=list)
    problems: dict[Problem, None] = field(default_factory=dict)
    captured: dict[str, Json] = field(default_factory=dict)
    used: set[str] = field(default_factory=set)
    hints: Hints = field(default_factory=Hints)
    reasons: Hints = field(default_factory=Hints)
    refusals: int = 0
    paths: int = 0
    results: int = MAX_RESULTS

    def note(self, error: InputError, line: int | None = None) -> None:
        """Keep the problems of an error; those without a place are at `line` of the mapping file.

        Raises InputError with all of them if they are so many that nobody needs more.
        """
        if isinstance(error, UndefinedError) and not self.hints.take():
            error.drop_hint()
        placed = (one if one.file else replace(one, file=self.name, line=line) for one in error.problems)
        self.problems |= dict.fromkeys(placed)
        self.refusals += 1
        if self.refusals >= MAX_REFUSALS:
            more = Problem(
                f"these are the problems of the first {MAX_REFUSALS} edits that fail: more may follow", self.name
            )
            raise InputError([*self.problems, more])

    def match(self, mapping: Mapping, variables: Map[str, Json]) -> MappingResult:
        """Evaluate a mapping, and add the edits that follow."""
        event_type = self.dispatch.event_type
        if mapping.on is not None and event_type and event_type not in mapping.on:
            wanted = ", ".join(sorted(mapping.on))
            result = Result(f"on {wanted}", holds=False, why=f"the event type is {quoted(event_type)}")
            return MappingResult(mapping.name, result, {}, {})
        if mapping.for_each is not None:
            return self._match_each(mapping, mapping.for_each, variables)
        found = evaluate(mapping.when, variables, self.reasons)
        if found.result.holds:
            self._add(mapping, {**variables, **found.captures}, found.captures)
        self.used |= _names(mapping, holds=found.result.holds)
        values = texts(variables, mapping.when.names) | dict(found.captures)
        return MappingResult(mapping.name, self._told(found.result), found.captures, values)

    def _match_each(self, mapping: Mapping, for_each: Template, variables: Map[str, Json]) -> MappingResult:
        """Evaluate a mapping for each item. What differs from item to item is in the tree, not among the values."""
        items, why = self._items(for_each, variables)
        children: list[Result] = []
        captures: dict[str, str] = {}
        for index, item in enumerate(items):
            scope = {**variables, ITEM: item}
            found = evaluate(mapping.when, scope, self.reasons)
            children.append(replace(found.result, name=f"item {index}: {json_shown(item)}"))
            if found.result.holds:
                captures |= found.captures
                self._add(mapping, {**scope, **found.captures}, found.captures)
        holds = any(child.holds for child in children)
        result = self._told(Result(f"for each of {for_each.source}", holds, why, tuple(children)))
        own = mapping.when.captures | {ITEM}
        shared = {name for name in _names(mapping, holds=holds) if name.partition(".")[0] not in own}
        self.used |= shared
        return MappingResult(mapping.name, result, captures, texts(variables, shared & mapping.when.names))

    def _told(self, result: Result) -> Result:
        """Return a result with as many of those below it as are still told."""
        children = result.children[: self.results]
        rest = len(result.children) - len(children)
        self.results -= len(children)
        told = [self._told(child) for child in children]
        if told and rest:
            told.append(Result(f"{rest:,} more", result.holds, "too many to be told"))
        return replace(result, children=tuple(told))

    def _items(self, for_each: Template, variables: Map[str, Json]) -> tuple[list[Json], str]:
        """Return the items that a mapping runs for, and why there are none where there are none."""
        try:
            value = for_each.evaluate(variables)
        except UndefinedError as error:
            if not self.reasons.take():
                error.drop_hint()
            return [], "; ".join(problem.sentence for problem in error.problems)
        if isinstance(value, dict):
            value = [{"key": key, "value": item} for key, item in value.items()]
            empty = "it is an empty object"
        elif isinstance(value, list):
            empty = "it is an empty list"
        else:
            return [], f"it is {type_name(value)}, neither a list nor an object"
        if len(value) > MAX_ITEMS:
            sentence = f"'{for_each.source}' has {len(value)} items; a mapping runs for {MAX_ITEMS} at most"
            raise InputError(for_each.position.problem(sentence))
        return value, "" if value else empty

    def _add(self, mapping: Mapping, scope: Map[str, Json], captures: Map[str, str]) -> None:
        """Add the edits of a mapping that holds, or what is wrong with them."""
        self.captured |= captures
        branch = ""
        if mapping.branch is not None:
            try:
                branch = places.render_branch(mapping.branch, scope, self.dispatch.repository.default_branch)
            except InputError as error:
                self.note(error)
        for update in mapping.update:
            try:
                files = places.render_files(update, scope)
                self._count(mapping, update, files)
                made = render(update.operation, scope)
                self.edits.append(Edit(mapping.name, files, made, branch, mapping.order, mapping.urgent))
            except TooManyPathsError:
                raise
            except InputError as error:
                self.note(error, update.line)

    def _count(self, mapping: Mapping, update: Update, files: Sequence[Glob]) -> None:
        """Count what the files of an edit lead to. Raises TooManyPathsError when the plan names too many."""
        creates = isinstance(update.operation, CreateOperation)
        self.paths += sum(1 + (creates and file.pattern.count("/")) for file in files)
        if self.paths > MAX_PATHS:
            raise TooManyPathsError(
                Problem(
                    f"the edits up to here, of mapping '{mapping.name}', name more than {MAX_PATHS:,} files and "
                    "folders: use globs, or send fewer items",
                    self.name,
                    update.line,
                )
            )


def _above(edit: Edit) -> list[Glob]:
    """Return the folders of the files that an edit creates, as literal paths."""
    if not isinstance(edit.operation, Create):
        return []
    paths = [file.literal for file in edit.files if file.literal is not None]
    return [Glob.of(folder) for folder in dict.fromkeys(folder for path in paths for folder in _folders(path))]


def _folders(path: str) -> Iterator[str]:
    """Yield the folders that a file is in, the nearest first."""
    while folder := path.rpartition("/")[0]:
        yield folder
        path = folder


def _names(mapping: Mapping, *, holds: bool) -> set[str]:
    """Return the variables that a mapping looks at: those of its edits too where it holds."""
    names = mapping.when.names | names_in(mapping.for_each)
    return set(names | names_in(mapping.branch, mapping.update) if holds else names)
