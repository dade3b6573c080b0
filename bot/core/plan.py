"""What the mappings say for one trigger: which of them hold and why, and the edits they ask for."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from bot.core import glob
from bot.core.glob import Glob
from bot.core.mapping import RegexOperation
from bot.core.match import evaluate
from bot.core.model import Result
from bot.core.regexes import check_groups
from bot.core.template import Template, text_of
from bot.core.yaml import SetField
from bot.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from collections.abc import Mapping as Map

    from bot.core.mapping import Mapping, MappingFile, Operation, Update
    from bot.core.model import Json, Scalar
    from bot.core.regexes import Pattern
    from bot.core.trigger import Dispatch
    from bot.errors import Problem


@dataclass(frozen=True, slots=True)
class Substitute:
    """Fill the named groups of `patterns` with `values` (variable name → text)."""

    patterns: tuple[Pattern, ...]
    values: Map[str, str]


@dataclass(frozen=True, slots=True)
class SetFields:
    """Set fields of YAML, in order."""

    fields: tuple[SetField, ...]


@dataclass(frozen=True, slots=True)
class Edit:
    """One operation on the files that `files` name.

    `mapping` is the name of the mapping that asks for it, `branch` the short name of the destination, "" for the default
    branch.
    """

    mapping: str
    files: tuple[Glob, ...]
    operation: Substitute | SetFields
    branch: str = ""


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
    shows and a finished delivery keeps. `message` is the rendered `commit.message`, None where the file has none.
    """

    matched: tuple[MappingResult, ...]
    edits: tuple[Edit, ...]
    used: Map[str, str]
    message: str | None

    @property
    def globs(self) -> tuple[Glob, ...]:
        """Every glob that an edit names."""
        return tuple(file for edit in self.edits for file in edit.files)

    @property
    def branches(self) -> tuple[str, ...]:
        """The destinations of the edits in the order in which they first appear; "" is the default branch."""
        return tuple(dict.fromkeys(edit.branch for edit in self.edits))

    def on(self, branch: str) -> Plan:
        """Return the same plan with only the edits for `branch`."""
        return replace(self, edits=tuple(edit for edit in self.edits if edit.branch == branch))

    @property
    def holding(self) -> tuple[str, ...]:
        """The names of the mappings that hold."""
        return tuple(matched.mapping for matched in self.matched if matched.holds)


def plan(mapping_file: MappingFile, dispatch: Dispatch) -> Plan:
    """Evaluate every mapping of the file for one dispatch and render the edits of those that hold.

    Raises InputError with all problems: a variable that a template uses and the payload lacks, a path that is refused,
    a regex that exceeds its time.
    """
    variables = mapping_file.variables_from(dispatch.payload)
    matched: list[MappingResult] = []
    edits: list[Edit] = []
    problems: list[Problem] = []
    captured: dict[str, Json] = {}
    used: set[str] = set()
    for mapping in mapping_file.mappings:
        found = _match(mapping, dispatch.event_type, variables)
        matched.append(found)
        used |= mapping.when.names
        if not found.holds:
            continue
        scope = {**variables, **found.captures}
        captured |= found.captures
        for update in mapping.update:
            used |= _names(update)
            try:
                edits.append(_edit(mapping, update, scope))
            except InputError as error:
                problems.extend(
                    problem if problem.file else replace(problem, file=mapping_file.name, line=update.line)
                    for problem in error.problems
                )
    # As within its mapping, what a named group captured wins; of several mappings that hold, the later one's.
    scope = {**variables, **captured}
    message = None
    template = mapping_file.commit.message
    if template is not None and (edits or problems):
        used |= template.names
        try:
            message = template.render_message(scope)
        except InputError as error:
            problems.extend(error.problems)
    if problems:
        raise InputError(problems)
    return Plan(tuple(matched), tuple(edits), _texts(scope, used), message)


def _match(mapping: Mapping, event_type: str, variables: Map[str, Json]) -> MappingResult:
    if mapping.on is not None and event_type and event_type not in mapping.on:
        wanted = ", ".join(sorted(mapping.on))
        result = Result(f"on {wanted}", holds=False, why=f"the event type is '{event_type}'")
        return MappingResult(mapping.name, result, {}, {})
    found = evaluate(mapping.when, variables)
    values = _texts(variables, mapping.when.names) | dict(found.captures)
    return MappingResult(mapping.name, found.result, found.captures, values)


def _edit(mapping: Mapping, update: Update, scope: Map[str, Json]) -> Edit:
    files = tuple(_glob(template, scope) for template in update.files)
    return Edit(mapping.name, files, _operation(update.operation, scope))


def _operation(operation: Operation, scope: Map[str, Json]) -> Substitute | SetFields:
    if isinstance(operation, RegexOperation):
        values = _texts(scope, scope.keys())
        check_groups(operation.patterns, values)
        return Substitute(operation.patterns, values)
    return SetFields(
        tuple(SetField(path.render_field(scope), _value(value, scope)) for path, value in operation.fields)
    )


def _glob(template: Template, scope: Map[str, Json]) -> Glob:
    text = template.render_glob(scope)
    refusal = glob.check_path(text)
    if refusal is not None:
        raise InputError(template.position.problem(refusal))
    return Glob(text)


def _value(value: Template | Scalar, scope: Map[str, Json]) -> Scalar:
    if not isinstance(value, Template):
        return value
    result = value.evaluate(scope)
    if isinstance(result, (list, dict)):
        kind = "a list" if isinstance(result, list) else "an object"
        raise InputError(
            value.position.problem(f"'{value.source}' is {kind}; a field is set to a string, number, boolean or null")
        )
    return result


def _names(update: Update) -> set[str]:
    names = {name for template in update.files for name in template.names}
    operation = update.operation
    if isinstance(operation, RegexOperation):
        return names | {group for pattern in operation.patterns for group in pattern.groups}
    templates = [part for field in operation.fields for part in field if isinstance(part, Template)]
    return names | {name for template in templates for name in template.names}


def _texts(scope: Map[str, Json], names: Iterable[str]) -> dict[str, str]:
    """Return the text of those of the named variables that have one: lists, objects and null have none."""
    return {
        name: text_of(scope[name])
        for name in sorted(names)
        if scope.get(name) is not None and not isinstance(scope[name], (list, dict))
    }
