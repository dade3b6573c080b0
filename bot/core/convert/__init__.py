"""From a workflow with the search-and-replace action to a mapping file that does the same.

Exactly where that can be said; where a person must decide, a comment says what and why. The action:
https://github.com/dreitier/conditional-regex-search-and-replace-action
"""

from __future__ import annotations

from dataclasses import dataclass

from bot.core import mapping_file
from bot.core.convert import workflow as workflows
from bot.core.convert.commit import commit_of
from bot.core.convert.mappings import Mappings
from bot.core.convert.options import events_of, notes_on, notes_on_options
from bot.core.convert.registry import Registry
from bot.core.convert.text import DECIDE, Document, Note, write
from bot.errors import InputError, Problem

ACTION = "*/conditional-regex-search-and-replace-action"


@dataclass(frozen=True, slots=True)
class Converted:
    """The text of a mapping file, and how many of its comments a person must look at."""

    text: str
    decisions: int


def convert(text: str, name: str) -> Converted:
    """Convert the workflow `text`, whose path as the user knows it is `name`, with every step that uses the action.

    Raises InputError, with positions in the workflow: it is no workflow, no step of it uses the action, the mappings
    of one or a pattern that they use are not valid, or nothing is left of them.
    """
    workflow = workflows.read(text, name)
    steps = [step for step in workflow.steps if step.does(ACTION)]
    if not steps:
        raise InputError(
            Problem(
                "no step of this workflow uses dreitier/conditional-regex-search-and-replace-action, so there is "
                "nothing to convert",
                name,
            )
        )
    document = Document(notes=[Note(f"Converted from {name}; put it at .github/pointsman.yaml.", decide=False)])
    document.notes += notes_on(workflow)
    registry = Registry(workflow)
    mappings = Mappings(workflow, registry)
    for step in steps:
        on, notes = events_of(workflow, step)
        document.notes += [*notes, *notes_on_options(step)]
        document.notes += mappings.add(step, on)
    document.variables, document.regexes, document.mappings = registry.variables, registry.regexes, mappings.entries
    document.commit = commit_of(workflow, steps, registry.expressions)
    if not document.mappings:
        sentences = " ".join(note.sentence for note in document.notes if note.decide)
        raise InputError(workflow.problem(steps[0].loc, f"nothing is left to convert of this step: {sentences}"))
    made = write(document)
    try:
        mapping_file.parse(made, "the converted file")
    except InputError as error:
        raise InputError(f"this workflow cannot be converted, which is a fault of Pointsman's: {error}") from None
    return Converted(made, sum(line.lstrip().startswith(f"# {DECIDE}") for line in made.splitlines()))
