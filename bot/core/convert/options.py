"""What becomes of everything in the workflow that is neither a mapping, a variable, a regex nor the commit."""

from __future__ import annotations

from typing import TYPE_CHECKING

import regex

from bot.core.convert.registry import WELL_KNOWN, is_on
from bot.core.convert.text import Note
from bot.core.suggest import did_you_mean

if TYPE_CHECKING:
    from bot.core.convert.workflow import Step, Workflow

DISPATCH = "repository_dispatch"

# Converted elsewhere.
_CONVERTED = {
    "mappings",
    "directory",
    "register_custom_regexes",
    "register_custom_variables",
    "skip-regexes-autodetect",
    "skip-variables-autodetect",
    "commit",
    "commit_template",
    "committer_name",
    "committer_email",
    *WELL_KNOWN,
    *(f"{name}_regex" for name in WELL_KNOWN),
}
_OPTIONS = {
    "dump": (
        "only shows what it would do ('dump'), while these mappings change files: pointsman plan shows what a "
        "dispatch would do."
    ),
    "updated_file_suffix": (
        "means its result for other files ('updated_file_suffix'), while these mappings change the files themselves."
    ),
}
_GONE = {
    "if_no_match_fail": "fails when nothing changes: such a dispatch ends as no_change, in a neutral check run.",
    "if_well_known_vars_missing_fail": (
        "fails without an image tag, Git tag and branch: a condition on what is absent does not hold, and the check "
        "run says so."
    ),
}
_CONTINUES = regex.compile(
    r"(?:always|success)\(\)|!\s*cancelled\(\)|true|github\.event_name\s*==\s*'repository_dispatch'"
)
_ACTION = regex.compile(r"\(?\s*github\.event\.action\s*==\s*'(?<type>(?:[^']|'')+)'\s*\)?")


def notes_on(workflow: Workflow) -> list[Note]:
    """Say what of the workflow as a whole goes another way: what else starts it, what it checks out."""
    notes = []
    others = [event for event in workflow.events if event != DISPATCH]
    if DISPATCH not in workflow.events:
        by = f" but by {' and '.join(others)}" if others else ""
        notes.append(Note(f"the workflow is not started by {DISPATCH}{by}: let the upstream workflow send one."))
    elif others:
        notes.append(
            Note(f"the workflow also starts by {' and '.join(others)}: here only a dispatch counts.", decide=False)
        )
    for step in workflow.steps:
        if step.does("actions/checkout"):
            notes += _notes_on_checkout(step)
        if step.does("peter-evans/create-pull-request"):
            notes.append(Note(f"the step '{step.name}' opens a pull request: here the change is committed."))
    return notes


def _notes_on_checkout(step: Step) -> list[Note]:
    said = {
        "repository": "works on another repository, {}: the mapping file belongs there.",
        "ref": "works on '{}': here the change goes to the default branch, unless a mapping has a 'branch'.",
        "path": "puts the repository into the folder '{}': paths here begin at its root, so take that away from them.",
    }
    return [
        Note(f"the step '{step.name}' {sentence.format(step.inputs[name].text)}")
        for name, sentence in said.items()
        if name in step.inputs and step.inputs[name].text
    ]


def notes_on_options(step: Step) -> list[Note]:
    """Say what becomes of the inputs of the action that no mapping file has."""
    notes = [
        Note(f"the step '{step.name}' {sentence}", decide=decide)
        for options, decide in ((_OPTIONS, True), (_GONE, False))
        for name, sentence in options.items()
        if is_on(step.inputs.get(name))
    ]
    known = _CONVERTED | _OPTIONS.keys() | _GONE.keys()
    notes += [
        Note(
            f"the step '{step.name}' has an input '{name}', which the action does not know"
            f"{did_you_mean(name, known) or '.'}"
        )
        for name in step.inputs
        if name not in known
    ]
    if step.matrix:
        notes.append(
            Note(
                f"the step '{step.name}' runs once for each combination of its job's matrix, and a mapping once: send "
                "a dispatch for each, or a list and 'for_each'."
            )
        )
    return notes


def events_of(workflow: Workflow, step: Step) -> tuple[tuple[str, ...], list[Note]]:
    """Return the event types that a step runs on, none for all, and notes on what else its `if` asks for."""
    types = tuple(workflow.event_types)
    notes = []
    for condition in step.conditions:
        found = [_ACTION.fullmatch(part.strip()) for part in condition.split("||")]
        if all(found):
            named = tuple(match["type"].replace("''", "'") for match in found if match)
            types = tuple(kind for kind in named if kind in types) if types else named
            if not types:
                notes.append(
                    Note(f"the step '{step.name}' never runs: no event of the workflow is of type {named[0]}.")
                )
        elif not _CONTINUES.fullmatch(condition):
            notes.append(
                Note(f"the step '{step.name}' runs only if {condition}: if a dispatch can tell, say so under 'when'.")
            )
    return types, notes
