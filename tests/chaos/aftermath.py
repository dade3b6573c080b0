"""What is left after the storm, by the git history alone; the bot's own record is only compared with it."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from running import rows
from storm import MORE, VALUES
from written import trailers_of

if TYPE_CHECKING:
    from storm import Sent, Storm

    from bot.sandbox import Repository

_TAG = re.compile(r"^image: \{ tag: (\d+) \}", re.MULTILINE)


class Entry(NamedTuple):
    """A commit: the deliveries in the trailers of its last paragraph, the paths it changes, and the value after it."""

    oid: str
    deliveries: tuple[str, ...]
    paths: tuple[str, ...]
    value: int


@dataclass
class Aftermath:
    """Counts to be printed, and a sentence for everything that is wrong."""

    counts: dict[str, object] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        width = max(map(len, self.counts))
        lines = [f"  {name:<{width}}  {value}" for name, value in self.counts.items()]
        return "\n".join([*lines, *(f"  WRONG: {sentence}" for sentence in self.wrong)])


def history(repository: Repository, branch: str) -> list[Entry]:
    """Return the commits of a branch since the first one, oldest first."""
    entries = []
    for one in reversed(repository.log(branch)[:-1]):
        tree = repository.tree_of(one.oid)
        blob = repository.entry(tree, VALUES)
        assert blob is not None
        text = repository.blob(blob.oid).decode()
        found = _TAG.search(text)
        assert found is not None, text
        entries.append(Entry(one.oid, tuple(trailers_of(one.message)), tuple(one.paths), int(found[1])))
    return entries


def assess(storm: Storm) -> Aftermath:
    """Look at every branch, and at every dispatch that was sent."""
    after = Aftermath()
    on_branch: dict[str, list[Sent]] = defaultdict(list)
    for one in storm.sent:
        on_branch[one.branch].append(one)
    landed: Counter[str] = Counter()
    ours = theirs = superseded = 0
    for branch, home in storm.homes.items():
        entries = history(home, branch)
        here = Counter(delivery for entry in entries for delivery in entry.deliveries)
        landed += here
        ours += sum(bool(entry.deliveries) for entry in entries)
        theirs += sum(not entry.deliveries for entry in entries)
        superseded += _look_at_dispatches(after, on_branch[branch], here)
        _look_at_commits(after, branch, entries)
        _look_at_files(after, storm, branch, on_branch[branch])
    after.counts = {
        "dispatches": len(storm.sent),
        "in one commit": sum(times == 1 for times in landed.values()),
        "superseded": superseded,
        "lost": sum(not landed[one.delivery] for one in storm.sent) - superseded,
        "doubled": sum(times > 1 for times in landed.values()),
        "commits of ours": ours,
        "foreign commits": theirs,
    }
    _compare_records(after, storm, landed)
    return after


def _look_at_commits(after: Aftermath, branch: str, entries: list[Entry]) -> None:
    value = 0
    for entry in entries:
        if not entry.paths:
            after.wrong.append(f"{branch}: commit {entry.oid} is empty")
        if entry.value < value:
            after.wrong.append(f"{branch}: commit {entry.oid} takes {value} back to {entry.value}")
        value = entry.value


def _look_at_dispatches(after: Aftermath, sent: list[Sent], here: Counter[str]) -> int:
    """Every dispatch of a branch is in exactly one commit of it, or one with a later value is; return these."""
    superseded = 0
    highest = max((one.value for one in sent if here[one.delivery]), default=0)
    for one in sent:
        if here[one.delivery] > 1:
            after.wrong.append(f"{one.branch}: delivery {one.delivery} is in {here[one.delivery]} commits")
        elif not here[one.delivery] and highest > one.value:
            superseded += 1
        elif not here[one.delivery]:
            after.wrong.append(
                f"{one.branch}: delivery {one.delivery} with {one.value} is in no commit, nor a later one"
            )
    return superseded


def _look_at_files(after: Aftermath, storm: Storm, branch: str, sent: list[Sent]) -> None:
    home, files = storm.homes[branch], {}
    for path in (VALUES, MORE):
        files[path] = home.read(path, branch).decode()
    last = max((one.value for one in sent), default=0)
    both = home.full_name.endswith("git-data")
    for path, text in files.items():
        expected = f"image: {{ tag: {last if path == VALUES or both else 0} }}   # set by dispatches\n"
        expected += f"note: {storm.notes[branch] if path == VALUES else 0}   # set by people\n"
        if text != expected:
            after.wrong.append(f"{branch}: {path} is {text!r} and not {expected!r}")


def _compare_records(after: Aftermath, storm: Storm, landed: Counter[str]) -> None:
    """What the bot says of each dispatch must be what git shows."""
    known = rows(storm.folder)
    for one in storm.sent:
        row = known.get(one.delivery)
        said = (row.state, "superseded" in row.reason) if row else ("absent", False)
        expected = ("committed", False) if landed[one.delivery] else ("no_change", True)
        if said != expected:
            reason = row.reason if row else ""
            after.wrong.append(f"{one.branch}: the record of {one.delivery} says {said}, not {expected}: {reason}")
    for text in ("Traceback", "unexpected error", '"level": "error"'):
        if text in storm.said():
            after.wrong.append(f"the bot said {text!r}")
