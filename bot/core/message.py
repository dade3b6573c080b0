"""Every sentence that Pointsman says: commit messages and check runs."""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, TypeAlias

from bot.core import diff
from bot.core.changeset import overwritten
from bot.core.default_message import default_message, names, shorten
from bot.core.defuse import one_line
from bot.core.protected import MAPPING_PATH
from bot.core.shown import value_shown, visible
from bot.core.trigger import TRAILER
from bot.printable import escape

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from bot.core.changeset import Changeset
    from bot.core.mapping import CommitSettings, Person
    from bot.core.model import Result
    from bot.core.outcome import Outcome, State
    from bot.core.plan import Plan

Conclusion: TypeAlias = Literal["success", "neutral", "failure"]

# https://docs.github.com/en/rest/checks/runs#create-a-check-run: 65,535 characters, 50 annotations a request
MAX_OUTPUT = 65_535
MAX_ANNOTATIONS = 50
# The lines of a commit message beside its trailers, each for one update.
MAX_ENTRIES = 100
# In characters. GitHub does not document how long titles and names may be: these are about what its pages show.
MAX_TITLE, MAX_NAME = 120, 120

# A brief check run is stored with each outcome. Its texts are bounded in characters of the reason, and in deliveries.
BRIEF_REASON, BRIEF_DELIVERIES = 1_000, 100
BRIEF = "This is all: the details could not be written before the bot had to go on without them."


@dataclass(frozen=True, slots=True)
class CommitMessage:
    """A headline without line breaks, and a body whose last paragraph is the trailers; and who says it.

    `author` and `committer` None mean the App itself.
    """

    headline: str
    body: str
    author: Person | None = None
    committer: Person | None = None

    @property
    def text(self) -> str:
        """Headline and body as Git stores them."""
        return f"{self.headline}\n\n{self.body}" if self.body else self.headline


@dataclass(frozen=True, slots=True)
class Annotation:
    """A sentence at a line (from 1) of a file."""

    path: str
    line: int
    sentence: str


@dataclass(frozen=True, slots=True)
class CheckRun:
    """An Outcome said back on a commit. `summary` and `text` are Markdown."""

    head: str
    name: str
    conclusion: Conclusion
    title: str
    summary: str
    text: str
    external_id: str
    annotations: tuple[Annotation, ...] = ()

    @property
    def key(self) -> tuple[str, str, str]:
        """What tells it from the other check runs of its repository."""
        return self.head, self.name, self.external_id


@dataclass(frozen=True, slots=True)
class Group:
    """Outcomes, at least one, that one check run on `head` says."""

    head: str
    name: str
    outcomes: tuple[Outcome, ...]

    @property
    def external_id(self) -> str:
        """The delivery by which the check run is known."""
        return self.outcomes[0].delivery

    @property
    def key(self) -> tuple[str, str, str]:
        """What tells its check run from the others of its repository."""
        return self.head, self.name, self.external_id


def commit_message(changes: Sequence[tuple[str, Plan, Changeset]], settings: CommitSettings) -> CommitMessage:
    """Return the message of the commit that carries these changes: (delivery id, its plan, its changeset) each.

    A change at the terminal has no delivery: its id is "", and it leaves no trailer.
    """
    trailers = "\n".join(f"{TRAILER}: {delivery}" for delivery, _, _ in changes if delivery)
    messages = [plan.message or default_message(changeset) for _, plan, changeset in changes]
    if len(messages) == 1:
        headline, _, rest = messages[0].partition("\n")
        body = "\n\n".join(part for part in (rest.strip(), trailers) if part)
    else:
        mappings = dict.fromkeys(name for _, _, changeset in changes for name in changeset.mappings)
        headline = shorten(f"{len(messages)} updates: {names(mappings)}")
        over = overwritten([changeset for _, _, changeset in changes])
        body = f"{_entries(messages, over)}\n\n{trailers}"
    return CommitMessage(headline, body, settings.author, settings.committer)


def _entries(messages: Sequence[str], over: Sequence[bool]) -> str:
    """Return a line for each update; of very many only those whose values stay, as far as there is room."""
    chosen = list(range(len(messages)))
    if len(chosen) > MAX_ENTRIES:
        chosen = [index for index in chosen if not over[index]][:MAX_ENTRIES]
    lines = [f"* {messages[index].partition(chr(10))[0]}{' (superseded below)' * over[index]}" for index in chosen]
    left = len(messages) - len(chosen)
    return "\n".join([*lines, *([f"* {left:,} more, by the ids below"] if left else [])])


def brief_message(deliveries: Sequence[str], settings: CommitSettings) -> CommitMessage:
    """Return a message that only says which deliveries a commit carries, by their ids."""
    count = "1 update" if len(deliveries) == 1 else f"{len(deliveries)} updates"
    trailers = "\n".join(f"{TRAILER}: {delivery}" for delivery in deliveries if delivery)
    return CommitMessage(count, trailers, settings.author, settings.committer)


def groups(outcomes: Sequence[Outcome], before: Sequence[Group] = ()) -> list[Group]:
    """Return which outcomes are said together: those of one commit, and those that ended alike on one head.

    None has the key of a group that was made `before`. What was ignored, or ended before a commit was read that could
    carry the answer, is only logged.
    """
    found: dict[tuple[str, str], list[Outcome]] = {}
    for outcome in outcomes:
        if outcome.commit is not None:
            found.setdefault((outcome.commit.oid, ""), []).append(outcome)
        elif outcome.state != "ignored" and outcome.head:
            found.setdefault((outcome.head, f"{outcome.state}: {outcome.reason}"), []).append(outcome)
    made = [Group(head, _name(group[0]), tuple(group)) for (head, _), group in found.items()]
    same = Counter((group.head, group.name) for group in made if _conclusion(group) == "failure")
    keys = Counter(group.key for group in (*before, *made))
    return [
        replace(group, name=_bounded(f"{group.name} to {one_line(group.outcomes[0].branch)}"))
        if same[group.head, group.name] > 1 or keys[group.key] > 1
        else group
        for group in made
    ]


_CONCLUSIONS: dict[State, Conclusion] = {"committed": "success", "no_change": "neutral", "held": "neutral"}

_TITLES: dict[State, str] = {
    "no_change": "Nothing to change",
    "denied": "Denied: nothing was written",
    "held": "Held back: nothing was written",
    "blocked": "Blocked by a rule of this repository: nothing was written",
    "failed": "Failed: nothing was written",
    "dead": "Given up: nothing was written",
}


def check_run(group: Group) -> CheckRun:
    """Return all that is to be said of a group. Diffs of large files take a while."""
    first = group.outcomes[0]
    deliveries = "\n\n".join(_delivery(outcome) for outcome in group.outcomes)
    return CheckRun(
        head=group.head,
        name=group.name,
        conclusion=_conclusion(group),
        title=_title(group.outcomes),
        summary=_cut("\n\n".join(part for part in (_why(first.state, first.reason), deliveries) if part)),
        text=_cut(_diffs(group.outcomes)),
        external_id=group.external_id,
        annotations=_annotations(first),
    )


def brief_check_run(group: Group, deliveries: Collection[str] | None = None) -> CheckRun:
    """Return a check run that says in short how the outcomes of a group ended: those of `deliveries` (None: all).

    It takes a moment, however large the changes are. It is the same check run as the whole one: head, name and
    external_id are equal.
    """
    first = group.outcomes[0]
    ended = [one for one in group.outcomes if deliveries is None or one.delivery in deliveries]
    listed = [f"* delivery {code(one.delivery)}{_on(one)}" for one in ended[:BRIEF_DELIVERIES]]
    if len(ended) > len(listed):
        listed.append(f"* and {len(ended) - len(listed):,} more")
    reason = first.reason if len(first.reason) <= BRIEF_REASON else f"{first.reason[:BRIEF_REASON]}…"
    parts = (_why(first.state, reason), "\n".join(listed), BRIEF)
    return CheckRun(
        head=group.head,
        name=group.name,
        conclusion=_conclusion(group),
        title=_title(group.outcomes),
        summary="\n\n".join(part for part in parts if part),
        text="",
        external_id=group.external_id,
    )


def _conclusion(group: Group) -> Conclusion:
    return _CONCLUSIONS.get(group.outcomes[0].state, "failure")


def _title(outcomes: Sequence[Outcome]) -> str:
    state = outcomes[0].state
    return _committed_title(outcomes) if state == "committed" else _TITLES[state]


def _why(state: State, reason: str) -> str:
    return "" if state == "committed" else _sentences(reason.splitlines())


def _name(outcome: Outcome) -> str:
    """Return a name under which nothing is hidden: of the checks of one name a commit shows only the latest."""
    if outcome.state == "committed":
        return "Pointsman commit"
    if _CONCLUSIONS.get(outcome.state) == "neutral":
        return "Pointsman dispatch"
    return f"Pointsman dispatch {outcome.delivery[:8]}"


def _annotations(outcome: Outcome) -> tuple[Annotation, ...]:
    annotations = [
        Annotation(problem.file, problem.line, escape(problem.sentence))
        for problem in outcome.problems
        # Of other files it is not sure that this repository has them: the mapping file may be the organization's.
        if problem.file == MAPPING_PATH and problem.line is not None
    ]
    return tuple(annotations[:MAX_ANNOTATIONS])


def _committed_title(group: Sequence[Outcome]) -> str:
    by = "" if len(group) == 1 else f" by {len(group)} deliveries"
    changesets = [outcome.changeset for outcome in group if outcome.changeset is not None]
    if not changesets:
        return f"Committed{by}"
    mappings = dict.fromkeys(name for changeset in changesets for name in changeset.mappings)
    paths = {path for changeset in changesets for path in changeset.files}
    files = "1 file" if len(paths) == 1 else f"{len(paths)} files"
    count = f": {files} changed{by}"
    return f"{_at_a_word(names(mappings), MAX_TITLE - len(count))}{count}"


def _at_a_word(text: str, most: int) -> str:
    """Cut a text that has more characters than `most` behind a word, or within a word that is longer than that."""
    if len(text) <= most:
        return text
    kept = text[: most - 1]
    if not text[most - 1].isspace():
        kept = kept.rpartition(" ")[0] or kept
    return f"{kept.rstrip(' ,')}…"


def _bounded(name: str) -> str:
    """Cut a name that is too long. A digest of all of it keeps apart what begins alike."""
    if len(name) <= MAX_NAME:
        return name
    digest = hashlib.sha256(name.encode(errors="replace")).hexdigest()[:8]
    return f"{name[: MAX_NAME - len(digest) - 2]}… {digest}"


def _on(outcome: Outcome) -> str:
    return f" on {code(outcome.branch)}" if outcome.branch else ""


def _delivery(outcome: Outcome) -> str:
    lines = [f"#### Delivery {code(outcome.delivery)}{_on(outcome)}"]
    if outcome.waited:
        lines += [f"It {outcome.waited}."]
    if outcome.commit is not None and outcome.changeset is None:
        lines += ["GitHub's answer to this commit was lost, and it was found on the branch later: it has the changes."]
    if outcome.plan is not None:
        lines += [_mappings(outcome.plan)]
        if outcome.plan.used:
            values = ((name, value_shown(value)) for name, value in outcome.plan.used.items())
            lines += ["| variable | value |\n| --- | --- |\n" + _rows(values)]
    if outcome.changeset is not None:
        spans = [
            (f"{path}:{span.line}", span.field, span.old, span.new)
            for path, change in outcome.changeset.files.items()
            for span in change.spans
        ]
        if spans:
            lines += ["| where | what | old | new |\n| --- | --- | --- | --- |\n" + _rows(spans)]
        lines += [_sentences(outcome.changeset.notes)]
    if outcome.verdict is not None and not outcome.verdict.allowed:
        lines += ["\n".join(_conditions(outcome.verdict.result, depth=0))]
    return "\n\n".join(line for line in lines if line)


def _sentences(sentences: Iterable[str]) -> str:
    """Return a list of sentences as they stand in the log: they quote globs and values, which are no markup."""
    return "\n".join(f"* {code(sentence)}" for sentence in sentences)


def _mappings(plan: Plan) -> str:
    lines = []
    for matched in plan.matched:
        lines.append(f"* {_mark(matched.result)} mapping {code(matched.mapping)}")
        # The root says only that all its children must hold, which goes without saying.
        parts = matched.result.children or ((matched.result,) if matched.result.why else ())
        lines += [line for part in parts for line in _conditions(part, depth=1)]
    return "\n".join(lines)


def _conditions(result: Result, depth: int) -> list[str]:
    line = f"{'  ' * depth}* {_mark(result)} {code(result.name)}"
    lines = [f"{line}: {code(result.why)}" if result.why else line]
    return [*lines, *(below for child in result.children for below in _conditions(child, depth + 1))]


def _mark(result: Result) -> str:
    return "✅" if result.holds else "⬜"


def _diffs(group: Sequence[Outcome]) -> str:
    """Return the diffs of a group, as many as there is room for, and the one that is cut."""
    diffs: list[str] = []
    room = MAX_OUTPUT
    for outcome in group:
        for change in outcome.changeset.files.values() if outcome.changeset else ():
            if room >= 0:
                diffs.append(_fenced(diff.unified(change)))
                room -= len(diffs[-1])
    return "\n".join(diffs)


def _rows(rows: Iterable[Iterable[str]]) -> str:
    return "\n".join("| " + " | ".join(code(cell).replace("|", "\\|") for cell in row) + " |" for row in rows)


def code(text: str) -> str:
    """Return foreign text as a Markdown code span: nothing in it is markup, whatever it holds.

    What cannot be seen in it is written as escapes. Nothing is no span, so that no text looks like it.
    """
    if not text:
        return "(empty)"
    text = visible(text)
    ticks = _ticks(text, 1)
    space = " " if text.startswith("`") or text.endswith("`") else ""
    return f"{ticks}{space}{text}{space}{ticks}"


def _fenced(text: str) -> str:
    ticks = _ticks(text, 3)
    return f"{ticks}diff\n{text}{ticks}\n"


def _ticks(text: str, least: int) -> str:
    """Return more backticks than `text` has anywhere in a row."""
    ticks = "`" * least
    while ticks in text:
        ticks += "`"
    return ticks


def _cut(text: str) -> str:
    """Cut at a line so that the limit holds, in bytes to be safe; a fence that was open is closed."""
    if len(text.encode()) <= MAX_OUTPUT:
        return text
    end = "\n… cut: the commit has the rest\n"
    spare = max((len(fence) for fence in _fences(text)), default=0) + 1
    kept = text.encode()[: max(MAX_OUTPUT - len(end.encode()) - spare, 0)].decode(errors="ignore").rpartition("\n")[0]
    fences = _fences(kept)
    close = f"\n{fences[-1]}" if len(fences) % 2 else ""
    return f"{kept}{close}{end}"


def _fences(text: str) -> list[str]:
    """Return the fences that open and close code blocks: no line of a diff begins with a backtick."""
    return [line.removesuffix("diff") for line in text.split("\n") if line.startswith("```")]
