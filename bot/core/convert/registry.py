"""The variables and regexes that a step of the action registers, as those of a mapping file.

Inputs, environment variables that end in `_VAR` and `_REGEX`, and those that `register_custom_…` lists, later ones
winning: https://github.com/dreitier/conditional-regex-search-and-replace-action#optional-arguments
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import regex

from bot.core.convert.expression import Scope, as_expression, fixed
from bot.core.convert.patterns import by_file, plain
from bot.core.convert.text import Entry, Note
from bot.core.regexes import compile_pattern
from bot.core.suggest import did_you_mean
from bot.core.trigger import PAYLOAD
from bot.errors import InputError, Problem

if TYPE_CHECKING:
    from bot.core.convert.workflow import Step, Text, Workflow

WELL_KNOWN = ("docker_image_tag", "git_tag", "git_branch")
ALWAYS = frozenset({"__always__", "__true__"})

_RESERVED = frozenset({"only", PAYLOAD})


@dataclass(slots=True)
class Registry:
    """What the steps so far have registered, as entries of a mapping file.

    `expressions` maps every variable that a dispatch can fill or the file lists to its expression.
    """

    workflow: Workflow
    variables: list[Entry] = field(default_factory=list)
    regexes: list[Entry] = field(default_factory=list)
    expressions: dict[str, str] = field(default_factory=dict)
    patterns: dict[str, str] = field(default_factory=dict)

    def add_variables(self, step: Step) -> frozenset[str]:
        """Register the variables of `step`; return their names."""
        found, notes = _found(step, "variables", "_VAR")
        for name, text in found.items():
            self._add_variable(name, text, step)
        self.variables += [Entry("", None, (note,)) for note in notes]
        return frozenset(found)

    def _add_variable(self, name: str, text: Text, step: Step) -> None:
        path = f"{PAYLOAD}.{name}"
        if not name.isidentifier() or name in _RESERVED:
            sentence = f"a variable cannot be called '{name}' here: register it under another name"
            self.variables.append(Entry(name, None, (Note(sentence),)))
            return
        notes: list[Note] = []
        try:
            made: str | None = as_expression(text.text, Scope(step.env))
        except InputError as error:
            made = None
            notes.append(Note(f"'{name}': {error}. Send it as {path}, or write here what it is."))
        before = self.expressions.setdefault(name, made or path)
        if before != (made or path):
            made = None
            notes.append(
                Note(
                    f"the step '{step.name}' sets '{name}' to '{text.text}', but a variable has one value in a mapping "
                    f"file, and another step came first: give one of them another name."
                )
            )
        elif any(entry.name == name for entry in self.variables):
            return
        if made is not None and name in WELL_KNOWN and PAYLOAD not in made:
            notes.append(
                Note(f"'{name}' is fixed in the workflow: remove this line to take it from the dispatch, as {path}.")
            )
        if notes or made != path:
            self.variables.append(Entry(name, None if made == path else made, tuple(notes)))

    def regexes_of(self, step: Step) -> dict[str, Text]:
        """Return the regexes that `step` registers, by name, as they are written; `add_regex` takes one of them."""
        found, notes = _found(step, "regexes", "_REGEX")
        self.regexes += [Entry("", None, (note,)) for note in notes]
        return found

    def add_regexes(
        self, step: Step, registered: dict[str, Text], used: set[str], known: frozenset[str]
    ) -> dict[str, str]:
        """Register the regexes of `step`: return what each is called in the mapping file; no name, not there.

        `used` are the names that its mappings use, `known` the variables that its groups may name.

        Raises InputError with all problems for patterns among `used` that are not valid.
        """
        names: dict[str, str] = {}
        problems: list[Problem] = []
        for name, text in registered.items():
            try:
                made, notes = _regex(fixed(text.text, Scope(step.env)), known)
            except InputError as error:
                sentence = f"the regex '{name}': {'; '.join(problem.sentence for problem in error.problems)}"
                if name in used:
                    problems.append(self.workflow.problem(text.loc, sentence))
                made, notes = None, [Note(f"{sentence}. No mapping uses it, so it is left out.")]
            if made is None:
                self.regexes.append(Entry(name, None, tuple(Note(f"'{name}': {note.sentence}") for note in notes)))
                continue
            names[name] = self._named(name, made)
            if names[name] not in self.patterns:
                self.patterns[names[name]] = made
                self.regexes.append(Entry(names[name], made, tuple(notes)))
        if problems:
            raise InputError(problems)
        return names

    def _named(self, name: str, pattern: str) -> str:
        """Return the name for a pattern: its own, with a number where another pattern has that."""
        candidate, count = name, 1
        while self.patterns.get(candidate, pattern) != pattern:
            count += 1
            candidate = f"{name}_{count}"
        return candidate


def is_on(text: Text | None) -> bool:
    """Whether an input that is 1 or nothing is set."""
    return text is not None and text.text.strip().lower() not in {"", "0", "false"}


def _found(step: Step, kind: str, suffix: str) -> tuple[dict[str, Text], list[Note]]:
    """Return what a step registers of a kind (`variables` with `_VAR`, `regexes` with `_REGEX`), as it is written."""
    found: dict[str, Text] = {}
    variables = kind == "variables"
    environment = {name.upper(): text for name, text in step.env.items()}
    for well_known in WELL_KNOWN:
        name = well_known if variables else f"{well_known}{suffix.lower()}"
        text = step.inputs.get(name) or environment.get(name.upper())
        if text and text.text.strip():
            found[name] = text
    if not is_on(step.inputs.get(f"skip-{kind}-autodetect")):
        for name, text in environment.items():
            if name.endswith(suffix) and name != suffix:
                found[(name.removesuffix(suffix) if variables else name).lower()] = text
    notes: list[Note] = []
    option = f"register_custom_{kind}"
    for listed in step.inputs[option].text.split(",") if option in step.inputs else ():
        name = listed.strip()
        if name.upper() in environment:
            found[name.lower()] = environment[name.upper()]
        elif name:
            hint = did_you_mean(name.lower(), {other.lower() for other in environment})
            notes.append(
                Note(
                    f"'{option}' of the step '{step.name}' lists '{name}', but its env has no {name.upper()}"
                    f"{hint or '.'}"
                )
            )
    return found, notes


def _regex(source: str, known: frozenset[str]) -> tuple[str | None, list[Note]]:
    """Translate a pattern that fills variables; None where it fills none. Raises InputError where it is not valid."""
    pattern, wrapped = by_file(plain(source))
    compiled = compile_pattern(pattern, multiline=True)
    slashes = len(source) > 1 and source.startswith("/") and source.endswith("/")
    if not compiled.groups:
        hint = "; a named group begins with (?<, not (<" if regex.search(r"\(<\w+>", source) else ""
        return None, [Note(f"the pattern {source} has no named group, so it changes nothing: it is left out{hint}.")]
    notes = []
    if slashes:
        notes.append(
            Note(
                "the slashes at its ends are part of the pattern, in the action too: take them away if files have none."
            )
        )
    if wrapped:
        notes.append(
            Note(
                "the action takes ^ and $ for the ends of the file, and (?-m:…) keeps that; take it away if the ends "
                "of a line are meant."
            )
        )
    notes += [
        Note(
            f"the group '{group}' is no variable of the workflow"
            f"{did_you_mean(group, known) or ': send it in the payload, or correct the name.'}"
        )
        for group in compiled.groups
        if group not in known
    ]
    return pattern, notes
