"""The computations for deliveries that run outside of the event loop: pure functions of plain data.

Each takes a Meter first (`ports.Compute`). They run in another process, so arguments and results must be picklable.
"""

from __future__ import annotations

import pickle
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeAlias

from cachetools import LRUCache

from bot.core import mapping_file, message, near_paths
from bot.core import plan as planning
from bot.core.changeset import Changeset, NoChange, compute
from bot.core.model import Writer
from bot.core.snapshot import matching
from bot.core.verdict import judge
from bot.errors import InputError
from bot.flows.receive import read_webhook

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from datetime import datetime

    from bot.core.changeset import Span
    from bot.core.glob import Glob
    from bot.core.mapping import CommitSettings, Gathering, MappingFile
    from bot.core.message import CheckRun, CommitMessage, Group
    from bot.core.meter import Meter
    from bot.core.model import Actor
    from bot.core.order import Order
    from bot.core.plan import Edit, Plan
    from bot.core.snapshot import Snapshot
    from bot.core.trigger import Dispatch
    from bot.core.verdict import Verdict
    from bot.core.yaml import Limits
    from bot.flows.receive import Arrival, Received

# The mapping files that a process keeps in parsed form have at most this many characters together.
KEPT_CHARACTERS = 512 * 1024

# The edits of one delivery, with the values in them and how each mapping came out, have so many bytes at most.
PLAN_BYTES = 4_000_000


@dataclass(frozen=True, slots=True)
class RulesText:
    """A mapping file that is not parsed yet."""

    text: str
    name: str
    """Its path as people know it."""
    path: str | None = None
    """Its path in the repository if that is not MAPPING_PATH: rules must not write it."""


# A MappingFile has no text if it was made of the search-and-replace action's inputs.
Rules: TypeAlias = "RulesText | MappingFile"

# Mapping files by their text, with its length.
_parsed: LRUCache[RulesText, tuple[MappingFile, int]] = LRUCache(KEPT_CHARACTERS, getsizeof=lambda kept: kept[1])


@dataclass(frozen=True, slots=True)
class ReadRules:
    """A mapping file that was read without a problem."""

    rules: Rules
    commit: CommitSettings
    """Author and committer. The message is a part of the plan."""
    gathering: Gathering
    """How dispatches gather before they are carried out."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One delivery on one branch, with all that its decision depends on."""

    delivery: str
    actor: Actor
    origin: datetime | None
    forced: bool
    plan: Plan
    order: Order


@dataclass(frozen=True, slots=True)
class Change:
    """The changeset of a delivery on one branch, and whether it may be made."""

    changeset: Changeset
    verdict: Verdict


def nothing(meter: Meter) -> None:
    """Compute nothing. The pool runs this in a new process, which is ready when it answers."""
    del meter


def forget() -> None:
    """Forget the mapping files that were read."""
    _parsed.clear()


def read_rules(meter: Meter, rules: Rules) -> ReadRules:
    """Read a mapping file. Raises InputError with every problem in it."""
    file = _file(meter, rules)
    return ReadRules(rules, replace(file.commit, message=None), file.gathering)


def make_plan(meter: Meter, rules: Rules, dispatch: Dispatch) -> Plan:
    """Return what the rules say for a dispatch. Raises InputError."""
    made = planning.plan(_file(meter, rules), dispatch, meter)
    # The bot hands it on to every later step, on each branch, while others wait.
    with meter.charge("handing the plan on"):
        size = len(pickle.dumps(made, pickle.HIGHEST_PROTOCOL))
    if size > PLAN_BYTES:
        raise InputError(
            f"the mappings that hold ask for edits of {size:,} bytes together, and {PLAN_BYTES:,} are the limit: send "
            "fewer items or shorter values"
        )
    return made


def decide(meter: Meter, asked: Asked, view: Snapshot, limits: Limits) -> Change | NoChange:
    """Carry a plan out on a view of its branch, and judge the result. Raises InputError."""

    def objection(edit: Edit, path: str, span: Span) -> str | None:
        if asked.forced or asked.origin is None:
            return None
        return asked.order.objection(edit, path, span, Writer(asked.delivery, asked.origin))

    change = compute(asked.plan, view, meter, limits, objection)
    return change if isinstance(change, NoChange) else Change(change, judge(asked.actor, change, asked.plan.protection))


def receive(meter: Meter, arrival: Arrival) -> Received:
    """Return what to store of a webhook. Raises InputError if it is not a webhook of GitHub's."""
    with meter.charge("its JSON"):
        return read_webhook(arrival)


def match(meter: Meter, globs: Sequence[Glob], paths: Collection[str]) -> list[str]:
    """Return the paths that at least one glob matches, sorted. Raises InputError."""
    with meter.charge("matching the globs"):
        return matching(globs, paths)


def match_each(meter: Meter, globs: Sequence[Glob], paths: Collection[str]) -> list[list[str]]:
    """Return the matching paths of each glob, as `match` does. Raises InputError."""
    return [match(meter, [glob], paths) for glob in globs]


def enter(meter: Meter, globs: Sequence[Glob], folders: Collection[str]) -> list[str]:
    """Return the folders that may contain a file that a glob matches. Raises InputError."""
    entered = []
    for folder in folders:
        with meter.charge("matching the globs"):
            if any(glob.may_contain(folder) for glob in globs):
                entered.append(folder)
    return entered


def near(meter: Meter, globs: Sequence[Glob], modes: Mapping[str, int]) -> list[str]:
    """Return for each glob what is near that no file matches; `modes` are those of the commit's paths."""
    with meter.charge("the hints"):
        paths = near_paths.Paths(modes)
        return [paths.hint(glob) for glob in globs]


def write_message(
    meter: Meter, changes: Sequence[tuple[str, Plan, Changeset]], settings: CommitSettings
) -> CommitMessage:
    """Return the message of the commit that carries these changes."""
    with meter.charge("the commit message"):
        return message.commit_message(changes, settings)


def write_reports(meter: Meter, groups: Sequence[Group]) -> list[CheckRun]:
    """Return the check runs that say how deliveries ended, one for each group."""
    with meter.charge("the check runs"):
        return [message.check_run(group) for group in groups]


def lying_at(path: str | None, file: MappingFile) -> MappingFile:
    """Return rules that may not write the file at `path`, which they come from; None changes nothing."""
    return replace(file, protection=replace(file.protection, mapping_path=path)) if path else file


def _file(meter: Meter, rules: Rules) -> MappingFile:
    if not isinstance(rules, RulesText):
        return rules
    kept = _parsed.get(rules)
    if kept is None:
        with meter.charge("its YAML"):
            kept = lying_at(rules.path, mapping_file.parse(rules.text, rules.name, meter)), len(rules.text)
        _parsed[rules] = kept
    return kept[0]
