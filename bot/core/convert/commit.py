"""The commit that a workflow makes of the action's changes: its message and its author."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING

import regex

from bot.core import blade
from bot.core.convert.expression import Scope, as_template, fixed
from bot.core.convert.registry import is_on
from bot.core.convert.text import CommitEntry, Note
from bot.core.template import OPEN
from bot.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from bot.core.convert.workflow import Step, Workflow

DEFAULT_TEMPLATE = "chore: @if(isset($docker_image_tag))bumped docker image tag to {{ $docker_image_tag->value }}@endif"

# The actions that commit, and their inputs for message, author's name and author's address, the first one given.
_ACTIONS = {
    "EndBug/add-and-commit": (("message",), ("author_name", "committer_name"), ("author_email", "committer_email")),
    "stefanzweifel/git-auto-commit-action": (("commit_message",), ("commit_user_name",), ("commit_user_email",)),
}
# A command's words, quoted ones and continued lines too, up to what ends it.
_WORDS = r"""(?<words>(?:\\.|"(?:[^"\\]|\\.)*"|'[^']*'|\$\{\{(?:(?!\}\}).)*\}\}|[^\n;&|"'\\])*)"""
_GIT = r"(?:^|[\s;&|(])git\s+(?:-[cC]\s+\S+\s+)*"
_COMMIT = regex.compile(rf"{_GIT}commit\b{_WORDS}", regex.DOTALL)
_CONFIG = regex.compile(rf"{_GIT}config\s+(?:--?\w+\s+)*user\.(?<key>name|email)\s+{_WORDS}", regex.DOTALL)
_ADDRESS = regex.compile(r"\s*(?<name>[^<>]+?)\s*<(?<email>[^<>]+)>\s*")
_VARIABLE = regex.compile(r"\$\{?(\w+)\}?")


@dataclass(frozen=True, slots=True)
class _Found:
    """What a step says of the commit, as it is written there; empty where it says nothing."""

    step: Step
    message: str = ""
    name: str = ""
    email: str = ""
    blade: bool = False


def commit_of(workflow: Workflow, steps: Sequence[Step], variables: Mapping[str, str]) -> CommitEntry:
    """Return message and author: the action's own, else those of the first later step that commits.

    `steps` are those that use the action, `variables` those of the mapping file with their expressions.
    """
    outputs = frozenset(step.id for step in steps if step.id)
    first = workflow.steps.index(steps[0])
    candidates = [_own(step) for step in steps]
    candidates += [found for step in workflow.steps[first + 1 :] for found in _later(step)]
    there = [found for found in candidates if found]
    entry = CommitEntry()
    if not there:
        return entry
    found = there[0]
    _add_message(entry, found, Scope(found.step.env, outputs, variables))
    # `git config` may stand in another step than `git commit`.
    people = [found, *(_configured(step) for step in workflow.steps)]
    named = next((one for one in people if one.name or one.email), None)
    if named:
        _add_author(entry, named, Scope(named.step.env, outputs, variables))
    return entry


def _own(step: Step) -> _Found | None:
    """Return what a step of the action commits itself."""
    template = step.inputs.get("commit_template")
    if not is_on(step.inputs.get("commit")) and template is None:
        return None
    text = template.text if template is not None and template.text.strip() else DEFAULT_TEMPLATE
    return _Found(step, text, _input(step, "committer_name"), _input(step, "committer_email"), blade=True)


def _later(step: Step) -> Iterator[_Found]:
    """Yield what a step says that commits what others changed."""
    for action, inputs in _ACTIONS.items():
        if step.does(action):
            message, name, email = (next(filter(None, (_input(step, one) for one in names)), "") for names in inputs)
            author = _ADDRESS.fullmatch(_input(step, "commit_author"))
            yield _Found(step, message, *((author["name"], author["email"]) if author else (name, email)))
    for commit in _COMMIT.finditer(step.run):
        words = _split(commit["words"])
        author = _ADDRESS.fullmatch(" ".join(_values(words, "", "--author")))
        message = "\n\n".join(_values(words, "m", "--message"))
        yield _Found(step, message, *((author["name"], author["email"]) if author else ("", "")))


def _configured(step: Step) -> _Found:
    """Return the author that a step's `git config` sets."""
    words = {match["key"]: _split(match["words"]) for match in _CONFIG.finditer(step.run)}
    found = {key: _VARIABLE.sub(_by_env, values[0]) for key, values in words.items() if values}
    return _Found(step, name=found.get("name", ""), email=found.get("email", ""))


def _input(step: Step, name: str) -> str:
    return step.inputs[name].text.strip() if name in step.inputs else ""


def _split(words: str) -> list[str]:
    try:
        return shlex.split(words.replace("\\\n", " "), comments=True)
    except ValueError:
        return []


def _values(words: Sequence[str], short: str, option: str) -> list[str]:
    """Return what `-m text`, `-am text`, `-mtext`, `--message text` and `--message=text` say."""
    values = []
    for word, following in zip(words, [*words[1:], ""], strict=False):
        flag = regex.fullmatch(rf"-[a-zA-Z]*?{short}(?<rest>.*)", word, regex.DOTALL) if short else None
        if word == option or (flag and not flag["rest"] and not word.startswith("--")):
            values.append(following)
        elif word.startswith(f"{option}="):
            values.append(word.partition("=")[2])
        elif flag and not word.startswith("--"):
            values.append(flag["rest"])
    return values


def _add_message(entry: CommitEntry, found: _Found, scope: Scope) -> None:
    where = f"the step '{found.step.name}'"
    if not found.message:
        entry.notes.append(Note(f"{where} commits with no message that is known: the mappings' names make one."))
        return
    try:
        entry.message = _message(found, scope)
    except InputError as error:
        sentence = "; ".join(problem.sentence for problem in error.problems)
        entry.notes.append(Note(f"the message of {where} is left out, '{found.message}': {sentence}."))
        return
    entry.notes.append(Note(f"The message is that of {where}.", decide=False))
    if "{{" in entry.message.replace(OPEN, ""):
        entry.notes.append(Note("{{ without $ before it is text, in the workflow too: was ${{ meant?"))
    if OPEN in entry.message:
        sentence = (
            "what a dispatch lacks was empty in the workflow and is an error here: add | default('') where it may."
        )
        entry.notes.append(Note(sentence, decide=False))


def _message(found: _Found, scope: Scope) -> str:
    if found.blade and OPEN not in found.message:
        return blade.translate(found.message)
    if found.blade and regex.search(r"(?<!\$)\{\{|\{!!|\B@(?:if|isset|empty|unless)\b", found.message):
        raise InputError("it has both Blade and expressions of the workflow")
    message = found.message
    if found.step.run:
        if "$(" in message or "`" in message:
            raise InputError("only the run of the workflow can say what its command prints")
        message = _VARIABLE.sub(_by_env, message)
    return as_template(message, scope)


def _by_env(found: regex.Match[str]) -> str:
    return f"{OPEN} env.{found[1]} }}}}"


def _add_author(entry: CommitEntry, found: _Found, scope: Scope) -> None:
    where = f"the step '{found.step.name}'"
    try:
        name, email = fixed(found.name, scope), fixed(found.email, scope)
    except InputError as error:
        entry.notes.append(Note(f"the author that {where} sets is left out: {error}."))
        return
    if not name or not email:
        what = "name" if not name else "address"
        entry.notes.append(Note(f"the author that {where} sets is left out: it has no {what}."))
        return
    entry.author = (name, email)
    entry.notes.append(
        Note(
            f"The author is that of {where}. GitHub signs only commits without one.",
            decide=False,
        )
    )
