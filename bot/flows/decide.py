"""What is to be done for requests: read the rules and the files that they name, at one commit of each branch."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from bot.core.changeset import NoChange, compute
from bot.core.mapping import CommitSettings
from bot.core.model import Writer
from bot.core.order import Order
from bot.core.outcome import Outcome
from bot.core.plan import plan
from bot.core.verdict import MAPPING_PATH, judge
from bot.errors import InputError, Transient
from bot.flows.rules import read_rules

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
    from datetime import datetime

    from bot.core.changeset import Changeset, Span
    from bot.core.glob import Glob
    from bot.core.mapping import MappingFile
    from bot.core.model import Actor, Repository
    from bot.core.order import Field
    from bot.core.outcome import State
    from bot.core.plan import Edit, Plan
    from bot.core.snapshot import Snapshot
    from bot.core.trigger import Dispatch
    from bot.core.verdict import Verdict
    from bot.core.yaml import Limits
    from bot.flows.rules import MappingSource
    from bot.ports import Forge


# One commit message and one check run still say everything about this many.
BATCH = 100


@dataclass(frozen=True, slots=True)
class Request:
    """One delivery that may lead to a change: its id, who asks, for what, and the branches on which it has ended.

    `origin` is when it came about, None where order does not matter; `forced`: whoever wrote the same before.
    `intents` are (branch, base) of commits begun for it that may have landed. `along`: it is not its turn, but may go
    with others.
    """

    delivery: str
    actor: Actor
    dispatch: Dispatch
    ended: frozenset[str] = frozenset()
    origin: datetime | None = None
    forced: bool = False
    intents: frozenset[tuple[str, str]] = frozenset()
    along: bool = False


@dataclass(frozen=True, slots=True)
class Turn:
    """Requests to decide, in order: on the branch `only` where that is given, on `fresh` heads if they must be.

    `writers` tells who wrote the fields of files last, by the branch and the paths.
    """

    requests: Sequence[Request]
    only: str | None = None
    fresh: bool = False
    writers: Callable[[str, Collection[str]], Awaitable[Mapping[Field, Writer]]] | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """What is to be done for one request on one branch: plan (of that branch), changeset, verdict, or how it ended."""

    request: Request
    outcome: Outcome | None = None
    plan: Plan | None = None
    changeset: Changeset | None = None
    verdict: Verdict | None = None


@dataclass(frozen=True, slots=True)
class Destination:
    """Decisions on one snapshot of a branch, in the order of the requests; none is decided where it was `stopped`."""

    snapshot: Snapshot
    decisions: tuple[Decision, ...]
    commit: CommitSettings = field(default_factory=CommitSettings)
    stopped: Transient | None = None


@dataclass(frozen=True, slots=True)
class Decided:
    """The decisions for all branches that requests go to, the default one first; the window of the rules, if any.

    `later` are (delivery, branch) that are not decided yet: more than BATCH go to that branch.
    """

    destinations: tuple[Destination, ...]
    window: float | None = None
    later: tuple[tuple[str, str], ...] = ()

    @property
    def decisions(self) -> tuple[Decision, ...]:
        """All of them, branch by branch."""
        return tuple(decision for destination in self.destinations for decision in destination.decisions)


_Planned: TypeAlias = tuple["Request", "Plan"]


async def decide(forge: Forge, repository: Repository, turn: Turn, source: MappingSource) -> Decided:
    """Read what the rules need and decide each request on the view the one before left, for each branch it goes to.

    The rules are those of the default branch, wherever a change goes. A branch on which a request has ended is left
    out, and with `turn.only` every other one is.
    """
    requests, only = turn.requests, turn.only
    default = await forge.open(repository, [MAPPING_PATH], remembered=not turn.fresh)
    # What ends before it is known where a request goes has ended on no branch.
    nowhere = replace(default, branch="")
    try:
        rules = await read_rules(forge, repository, default, source)
    except InputError as error:
        return _all(nowhere, requests, "failed", error)
    if rules is None:
        reason = InputError(f"no mapping file: {repository.full_name} has no {MAPPING_PATH} on '{default.branch}'")
        return _all(nowhere, requests, "ignored", reason)
    # Regexes run for as long as their budget lets them; the event loop must not wait for that.
    planned, failed = await asyncio.to_thread(_plan, rules, requests, nowhere)
    branches = _branches(planned, default.branch)
    if only is not None:
        branches = {only: branches[only]} if only in branches else {}
    if not default.fresh and branches.keys() - {default.branch}:
        # A commit on another branch does not show whether the rules are still those of the default one.
        remembered, default = default, await forge.open(repository, [MAPPING_PATH])
        if default.head != remembered.head:
            return await decide(forge, repository, replace(turn, fresh=True), source)
        nowhere = replace(default, branch="")
    later = tuple((request.delivery, branch) for branch, plans in branches.items() for request, _ in plans[BATCH:])
    # Branches have nothing to do with each other, so they are read at the same time.
    destinations = await asyncio.gather(
        *(
            _contained(forge, default, _Branch(branch, plans[:BATCH], turn, source.limits))
            for branch, plans in branches.items()
        )
    )
    made = (replace(destination, commit=rules.commit) for destination in destinations)
    return Decided((*([Destination(nowhere, tuple(failed))] if failed else []), *made), rules.window, later)


def _all(nowhere: Snapshot, requests: Sequence[Request], state: State, error: InputError) -> Decided:
    return Decided((Destination(nowhere, tuple(_ended(request, state, error, nowhere) for request in requests)),))


def _ended(request: Request, state: State, error: InputError, view: Snapshot, plan: Plan | None = None) -> Decision:
    """Return the decision for a request that `error` ended: on the branch of `view`, "" before there is one."""
    outcome = Outcome(request.delivery, state, str(error), view.head, plan, problems=error.problems, branch=view.branch)
    return Decision(request, outcome, plan)


def _plan(rules: MappingFile, requests: Sequence[Request], nowhere: Snapshot) -> tuple[list[_Planned], list[Decision]]:
    """Plan every request; those that cannot be have ended."""
    planned: list[_Planned] = []
    failed: list[Decision] = []
    for request in requests:
        try:
            planned.append((request, plan(rules, request.dispatch)))
        except InputError as error:
            failed.append(_ended(request, "failed", error, nowhere))
    return planned, failed


def _branches(planned: Sequence[_Planned], default: str) -> dict[str, list[_Planned]]:
    """Sort the plans by the branches that they go to, each with its edits only, the default branch first.

    A plan without edits is one for the default branch: there it says that nothing is to be done.
    """
    branches: dict[str, list[_Planned]] = {default: []}
    for request, made in planned:
        # An edit for the default branch by its name and one without a branch have the same destination.
        edits: dict[str, list[Edit]] = {edit.branch or default: [] for edit in made.edits} or {default: []}
        for edit in made.edits:
            edits[edit.branch or default].append(edit)
        for branch, own in edits.items():
            if branch not in request.ended:
                branches.setdefault(branch, []).append((request, replace(made, edits=tuple(own))))
    return {branch: plans for branch, plans in branches.items() if plans}


class _Branch(NamedTuple):
    """What is planned for one branch, and how to decide it."""

    name: str
    planned: Sequence[_Planned]
    turn: Turn
    limits: Limits


async def _contained(forge: Forge, default: Snapshot, to: _Branch) -> Destination:
    """Read and decide one branch; what passes for it alone is not in the way of the others."""
    try:
        return await _destination(forge, default, to)
    except Transient as error:
        if error.retry_after is not None:
            raise
        absent = replace(default, branch=to.name)
        return Destination(absent, tuple(Decision(request) for request, _ in to.planned), stopped=error)


async def _destination(forge: Forge, default: Snapshot, to: _Branch) -> Destination:
    """Read what the plans for one branch name there, and decide them."""
    snapshot, branch, planned = default, to.name, to.planned
    if branch != default.branch:
        literal = dict.fromkeys(glob.literal for _, made in planned for glob in made.globs if glob.literal is not None)
        try:
            snapshot = await forge.open(default.repository, list(literal), branch, remembered=not to.turn.fresh)
        except InputError as error:
            # Said at the head of the default branch, as this one is not there.
            absent = replace(default, branch=branch)
            return Destination(absent, tuple(_ended(request, "failed", error, absent) for request, _ in planned))
    snapshot, refused = await _read(forge, snapshot, planned, opened=branch != default.branch)
    return Destination(snapshot, tuple(await _decide(to, refused, snapshot)))


async def _read(
    forge: Forge, snapshot: Snapshot, planned: Sequence[_Planned], *, opened: bool
) -> tuple[Snapshot, dict[str, InputError]]:
    """Read the files of all plans; where a glob is refused, its plan is, by delivery, and alone.

    `opened` says that literal paths were read already.
    """

    def wanted(made: Plan) -> list[Glob]:
        return [glob for glob in made.globs if not opened or glob.literal is None]

    globs = list(dict.fromkeys(glob for _, made in planned for glob in wanted(made)))
    if not globs:
        return snapshot, {}
    try:
        return await forge.read(snapshot, globs), {}
    except InputError:
        refused: dict[str, InputError] = {}
        for request, made in planned:
            try:
                snapshot = await forge.read(snapshot, wanted(made))
            except InputError as error:
                refused[request.delivery] = error
        return snapshot, refused


async def _decide(to: _Branch, refused: Mapping[str, InputError], snapshot: Snapshot) -> list[Decision]:
    # A file that is gone was written too, by who deleted it.
    paths = {*snapshot.files, *(glob.literal for _, made in to.planned for glob in made.globs if glob.literal)}
    writers = await to.turn.writers(snapshot.branch, paths) if to.turn.writers else {}
    decisions, view, order = [], snapshot, Order(writers)
    for request, made in to.planned:
        if request.delivery in refused:
            decisions.append(_ended(request, "failed", refused[request.delivery], snapshot, made))
            continue
        # One at a time: the event loop gets its turn after each.
        decision = await asyncio.to_thread(_decide_one, request, made, view, order, to.limits)
        if decision.changeset is not None and decision.outcome is None:
            view = view.with_(decision.changeset)
            if request.origin is not None:
                order.note(decision.changeset, Writer(request.delivery, request.origin))
        elif decision.outcome is not None and request.origin is not None:
            order.hold(decision.outcome.asked, Writer(request.delivery, request.origin))
        decisions.append(decision)
    return decisions


def _decide_one(request: Request, made: Plan, view: Snapshot, order: Order, limits: Limits) -> Decision:
    def objection(edit: Edit, path: str, span: Span) -> str | None:
        if request.forced or request.origin is None:
            return None
        return order.objection(edit, path, span, Writer(request.delivery, request.origin))

    try:
        change = compute(made, view, time.monotonic, limits, objection)
    except InputError as error:
        return _ended(request, "failed", error, view, made)
    if isinstance(change, NoChange):
        reason, asked = "\n".join(change.reasons), change.same
        outcome = Outcome(request.delivery, "no_change", reason, view.head, made, branch=view.branch, asked=asked)
        return Decision(request, outcome, made)
    verdict = judge(request.actor, change, made.protection)
    if not verdict.allowed:
        reason = "\n".join(verdict.objections)
        outcome = Outcome(request.delivery, "denied", reason, view.head, made, verdict=verdict, branch=view.branch)
        return Decision(request, outcome, made, change, verdict)
    return Decision(request, None, made, change, verdict)
