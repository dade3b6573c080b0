"""The action's mappings as those of a mapping file."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import regex

from bot.core import dsl, glob, protected
from bot.core.convert.expression import Scope, as_template, fixed
from bot.core.convert.patterns import plain, whole
from bot.core.convert.registry import ALWAYS
from bot.core.convert.text import MappingEntry, Note, UpdateEntry
from bot.core.regexes import compile_pattern
from bot.core.suggest import did_you_mean
from bot.core.template import OPEN, Position
from bot.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from bot.core.convert.registry import Registry
    from bot.core.convert.workflow import Step, Text, Workflow

NEXT = "{NEXT_MAPPING}"

# Below a folder of such a name each environment has its own.
_ENVIRONMENTS = regex.compile(r"env|envs|environment|environments|overlays|stages|clusters")
_WORD = regex.compile(r"[A-Za-z0-9][\w.-]*")


class Mappings:
    """The mappings of all steps so far."""

    def __init__(self, workflow: Workflow, registry: Registry) -> None:
        self.workflow = workflow
        self.registry = registry
        self.entries: list[MappingEntry] = []

    def add(self, step: Step, on: tuple[str, ...]) -> list[Note]:
        """Convert the mappings of `step`, each listening to the event types `on`; return what became of others.

        Raises InputError with all problems of the mappings and of the regexes that they use.
        """
        text = step.inputs.get("mappings")
        if text is None or not text.text.strip():
            raise InputError(self.workflow.problem(step.loc, f"the step '{step.name}' has no 'mappings' to convert"))
        known = self.registry.add_variables(step)
        registered = self.registry.regexes_of(step)
        groups, warnings = self._expanded(text, step, registered)
        used = {name for group in groups for one in group for name in one.regexes}
        names = self.registry.add_regexes(step, registered, used, known)
        prefix, notes = self._prefix(step)
        notes += warnings
        for group in groups:
            when, when_notes, never = self._when(group, text, known)
            updates, update_notes = self._updates(group, text, names, prefix)
            left = " or ".join(dict.fromkeys(f"{one.variable}=={one.regex}" for one in group))
            if never or not updates:
                why = "its condition never holds" if never else "none of its regexes changes anything"
                notes.append(Note(f"the mapping {left} is left out: {why}."))
                continue
            name = dsl.unique(_name(updates) or left[:60], [entry.name for entry in self.entries])
            self.entries.append(MappingEntry(name, on, when, updates, (*when_notes, *update_notes)))
        return notes

    def _expanded(
        self, text: Text, step: Step, registered: dict[str, Text]
    ) -> tuple[list[tuple[dsl.Expanded, ...]], list[Note]]:
        """Read the DSL: for each mapping every matcher with every replacer; and what may not be meant."""
        patterns = {name: pattern.text for name, pattern in registered.items()}
        try:
            source = as_template(text.text, Scope(step.env, variables=self.registry.expressions))
            dsl.expand(source, patterns)
        except InputError as error:
            problems = [self.workflow.problem(text.loc, found.sentence, found.line) for found in error.problems]
            raise InputError(problems) from None
        groups = [dsl.expand(part, patterns) for part in source.split(NEXT)]
        warnings = dsl.mappings(source, patterns, {}, lambda _: Position(self.workflow.name)).warnings
        notes = [Note(f"in the mappings of the step '{step.name}', {warning.sentence}.") for warning in warnings]
        return [group for group in groups if group], notes

    def _prefix(self, step: Step) -> tuple[str, list[Note]]:
        """Return what every glob begins with: the folder that the action works in, below the root."""
        text = step.inputs.get("directory")
        if text is None:
            return "", []
        root = regex.compile(r"\s*\$\{\{\s*(?:github\.workspace|env\.GITHUB_WORKSPACE)\s*\}\}|\$GITHUB_WORKSPACE")
        try:
            directory = fixed(root.sub(".", text.text), Scope(step.env)).strip()
        except InputError as error:
            sentence = f"the step '{step.name}' works in a 'directory': {error}. Write it before each path."
            return "", [Note(sentence)]
        parts = [part for part in directory.split("/") if part not in {"", "."}]
        path = "/".join(regex.sub(r"[\\*?\[\]{}]", r"\\\g<0>", part) for part in parts)
        if path and (directory.startswith("/") or glob.check_path(path)):
            return "", [Note(f"the 'directory' {directory} leads out of the repository: correct each path.")]
        return f"{path}/" if path else "", []

    def _when(
        self, group: Sequence[dsl.Expanded], text: Text, known: frozenset[str]
    ) -> tuple[tuple[tuple[str, tuple[str, ...]], ...], list[Note], bool]:
        """Return the alternatives, (variable, patterns) each, notes on them, and whether none can ever hold."""
        alternatives: dict[str, list[str]] = {}
        notes: list[Note] = []
        always = False
        for variable, source in dict.fromkeys((one.variable, one.regex) for one in group):
            try:
                pattern = _condition_pattern(variable, source)
            except InputError as error:
                raise InputError(
                    [self.workflow.problem(text.loc, found.sentence) for found in error.problems]
                ) from None
            if variable in ALWAYS:
                always = always or bool(regex.search(pattern, "1"))
                continue
            made, widened = whole(pattern)
            alternatives.setdefault(variable, []).append(made)
            if widened:
                notes.append(
                    Note(
                        f"the action only searches {variable} for {pattern}, so this holds whatever stands around it: "
                        f"write '{pattern}' here if the whole value is meant."
                    )
                )
            if variable not in known:
                hint = did_you_mean(variable, known) or ""
                notes.append(Note(f"'{variable}' is no variable of the workflow{hint or ': send it in the payload.'}"))
        if always:
            return (), [], False
        return tuple((name, tuple(patterns)) for name, patterns in alternatives.items()), notes, not alternatives

    def _updates(
        self, group: Sequence[dsl.Expanded], text: Text, names: dict[str, str], prefix: str
    ) -> tuple[tuple[UpdateEntry, ...], list[Note]]:
        """Return the updates that change something, and notes on the others."""
        updates: list[UpdateEntry] = []
        left_out: list[Note] = []
        for path, regexes in dict.fromkeys((one.glob, one.regexes) for one in group):
            files = prefix + path
            refusal = glob.check_path(files) if OPEN not in files else None
            if refusal:
                raise InputError(self.workflow.problem(text.loc, refusal))
            kept = tuple(dict.fromkeys(names[name] for name in regexes if name in names))
            if kept:
                updates.append(UpdateEntry(files, kept, tuple(_notes_on_glob(files))))
            else:
                left_out.append(Note(f"no regex is left that would change {files}."))
        return tuple(updates), left_out


def _condition_pattern(variable: str, source: str) -> str:
    """Check the pattern of a matcher. Raises InputError where it is none."""
    if OPEN in source:
        raise InputError(
            f"the condition on '{variable}' has an expression in its pattern, {source}: patterns are fixed"
        )
    pattern = plain(source)
    compile_pattern(pattern, multiline=False)
    return pattern


def _notes_on_glob(path: str) -> list[Note]:
    notes = []
    if regex.search(r"(?<!\\)\([=!]", path):
        notes.append(
            Note("the action takes (=…) and (!…) for look-aheads, which paths do not have here: write it anew.")
        )
    if regex.search(r"(?:^|/)\*\*/", path):
        meant = regex.sub(r"(^|/)\*\*/", r"\1", path)
        notes.append(
            Note(f"**/ also stands for no folder, so {meant} is meant too, unlike in the action.", decide=False)
        )
    if path.startswith(".github/"):
        notes.append(Note("nothing below .github/ is ever changed: such a path ends as denied."))
    elif why := protected.refusal(path, protected.Protection()):
        notes.append(Note(f"{why}."))
    return notes


def _name(updates: Iterable[UpdateEntry]) -> str:
    """Name a mapping after the environments in its paths; empty where there are none."""
    return ", ".join(dict.fromkeys(name for update in updates for name in _environments(update.files)))


def _environments(path: str) -> list[str]:
    """`environments/dev/app/values.yaml` → dev; `**prod/values.yaml` → prod; `{dev,qa}/*.yaml` → dev, qa."""
    folders = path.split("/")[:-1]
    after = [following for folder, following in pairwise(folders) if _ENVIRONMENTS.fullmatch(folder)]
    for folder in [*after, *reversed(folders)]:
        if OPEN in folder or _ENVIRONMENTS.fullmatch(folder):
            continue
        words: list[str] = _WORD.findall(folder)
        if words and regex.fullmatch(r"[\w.*{},-]+", folder):
            return words
    return []
