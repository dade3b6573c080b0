"""The one way from requests to a commit. Every front door enters here; a dry run is the same, stopped before acting."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bot.core import mapping_file
from bot.core.changeset import Changeset, NoChange, combine, compute
from bot.core.message import commit_message
from bot.core.outcome import Outcome
from bot.core.plan import plan
from bot.core.verdict import MAPPING_PATH, Verdict, judge
from bot.errors import Blocked, InputError, Problem, StaleHead, Transient

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bot.core.mapping import MappingFile, Person
    from bot.core.model import Actor, Repository
    from bot.core.outcome import Commit, State
    from bot.core.plan import Plan
    from bot.core.snapshot import Snapshot
    from bot.core.trigger import Dispatch
    from bot.ports import Forge

# How often the rules are evaluated anew because the branch moved under us, before the delivery waits for its next turn.
EVALUATIONS = 8


@dataclass(frozen=True, slots=True)
class Request:
    """One delivery that may lead to a change: its id, who asks, and for what."""

    delivery: str
    actor: Actor
    dispatch: Dispatch


@dataclass(frozen=True, slots=True)
class MappingSource:
    """Where mappings come from.

    The repository's own file, if `own`; where there is none, that of the owner's `.github` repository, if
    `organization`; where there is none, `text` (`name` is its path for messages).
    """

    own: bool = True
    organization: bool = False
    name: str = ""
    text: bytes | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """What is to be done for one request: its plan, changeset and verdict, or how it ended without."""

    request: Request
    outcome: Outcome | None = None
    plan: Plan | None = None
    changeset: Changeset | None = None
    verdict: Verdict | None = None


@dataclass(frozen=True, slots=True)
class Decided:
    """Decisions on one snapshot, in the order of the requests."""

    snapshot: Snapshot
    decisions: tuple[Decision, ...]
    author: Person | None = None


async def apply(
    forge: Forge, repository: Repository, requests: Sequence[Request], source: MappingSource
) -> list[Outcome]:
    """Decide and act on requests of one repository, in order; one commit carries all of them that change something.

    Returns an outcome for each request. Raises Transient or Unavailable where GitHub could not be asked: then nothing
    is known to be done, and the same requests may be given again.
    """
    landed: dict[str, Outcome] = {}
    for _ in range(EVALUATIONS):
        decided = await decide(forge, repository, requests, source)
        try:
            outcomes, on_base = await _act(forge, repository, decided)
        except StaleHead:
            continue
        except Blocked as error:
            outcomes, on_base = await _apart(forge, repository, decided, source, error), True
        outcomes = [
            outcome if outcome.state == "committed" else landed.get(outcome.delivery, outcome) for outcome in outcomes
        ]
        if on_base:
            return outcomes
        # The commit landed, on another head than the one that the rules were evaluated on: look again what they say.
        landed |= {outcome.delivery: outcome for outcome in outcomes if outcome.state == "committed"}
    raise Transient(f"the branch moved {EVALUATIONS} times while the rules were evaluated; others write to it fast")


async def decide(forge: Forge, repository: Repository, requests: Sequence[Request], source: MappingSource) -> Decided:
    """Read what the rules need, at one commit, and decide each request on the view the one before left."""
    snapshot = await forge.open(repository, [MAPPING_PATH])
    try:
        rules = await _rules(forge, repository, snapshot, source)
    except InputError as error:
        return _all(snapshot, requests, "failed", error)
    if rules is None:
        reason = InputError(f"no mapping file: {repository.full_name} has no {MAPPING_PATH} on '{snapshot.branch}'")
        return _all(snapshot, requests, "ignored", reason)
    # Regexes run for as long as their budget lets them; the event loop must not wait for that.
    plans = await asyncio.to_thread(_plan, rules, requests)
    globs = [glob for planned in plans if not isinstance(planned, InputError) for glob in planned.globs]
    if globs:
        snapshot = await forge.read(snapshot, list(dict.fromkeys(globs)))
    decisions = await asyncio.to_thread(_decide, requests, plans, snapshot)
    return Decided(snapshot, tuple(decisions), rules.commit.author)


async def _rules(forge: Forge, repository: Repository, snapshot: Snapshot, source: MappingSource) -> MappingFile | None:
    name, file = MAPPING_PATH, snapshot.files.get(MAPPING_PATH)
    data = file.data if file is not None and source.own else None
    if data is None and source.organization:
        name = f"{repository.owner}/.github/{MAPPING_PATH}"
        data = await forge.organization_file(repository, MAPPING_PATH)
    if data is None:
        name, data = source.name, source.text
    if data is None:
        return None
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise InputError(Problem("the mapping file is not UTF-8", name)) from error
    return await asyncio.to_thread(mapping_file.parse, text, name)


def _plan(rules: MappingFile, requests: Sequence[Request]) -> list[Plan | InputError]:
    plans: list[Plan | InputError] = []
    for request in requests:
        try:
            plans.append(plan(rules, request.dispatch))
        except InputError as error:
            plans.append(error)
    return plans


def _decide(requests: Sequence[Request], plans: Sequence[Plan | InputError], snapshot: Snapshot) -> list[Decision]:
    decisions, view = [], snapshot
    for request, planned in zip(requests, plans, strict=True):
        decision = _decide_one(request, planned, view)
        if decision.changeset is not None and decision.outcome is None:
            view = view.with_(decision.changeset)
        decisions.append(decision)
    return decisions


def _decide_one(request: Request, planned: Plan | InputError, view: Snapshot) -> Decision:
    def ended(state: State, reason: str, problems: tuple[Problem, ...] = ()) -> Decision:
        known = planned if not isinstance(planned, InputError) else None
        return Decision(request, Outcome(request.delivery, state, reason, view.head, known, problems=problems))

    if isinstance(planned, InputError):
        return ended("failed", str(planned), planned.problems)
    try:
        change = compute(planned, view, time.monotonic)
    except InputError as error:
        return ended("failed", str(error), error.problems)
    if isinstance(change, NoChange):
        return ended("no_change", "\n".join(change.reasons))
    verdict = judge(request.actor, change)
    if not verdict.allowed:
        outcome = Outcome(
            request.delivery, "denied", "\n".join(verdict.objections), view.head, planned, verdict=verdict
        )
        return Decision(request, outcome, planned, change, verdict)
    return Decision(request, None, planned, change, verdict)


def _all(snapshot: Snapshot, requests: Sequence[Request], state: State, error: InputError) -> Decided:
    outcomes = [
        Outcome(request.delivery, state, str(error), snapshot.head, problems=error.problems) for request in requests
    ]
    return Decided(snapshot, tuple(map(Decision, requests, outcomes)))


async def _act(forge: Forge, repository: Repository, decided: Decided) -> tuple[list[Outcome], bool]:
    """Commit what was decided; the second of the pair says whether the commit is on the base it was decided on."""
    changes = [
        (decision.request.delivery, decision.plan, decision.changeset)
        for decision in decided.decisions
        if decision.outcome is None and decision.plan is not None and decision.changeset is not None
    ]
    combined = combine(changeset for _, _, changeset in changes) if changes else None
    commit = None
    if combined is not None:
        commit = await forge.commit(repository, combined, commit_message(changes), decided.author)
    on_base = commit is None or combined is None or commit.parent == combined.base
    return [_outcome(decision, decided.snapshot.head, commit) for decision in decided.decisions], on_base


def _outcome(decision: Decision, head: str, commit: Commit | None) -> Outcome:
    if decision.outcome is not None:
        return decision.outcome
    state: State = "committed" if commit is not None else "no_change"
    reason = (
        commit.url or "written" if commit is not None else "superseded: deliveries that came together undo each other"
    )
    return Outcome(
        decision.request.delivery,
        state,
        reason,
        head,
        decision.plan,
        decision.changeset,
        decision.verdict,
        commit,
    )


async def _apart(
    forge: Forge, repository: Repository, decided: Decided, source: MappingSource, error: Blocked
) -> list[Outcome]:
    """GitHub refused a commit of several deliveries: halve it until only the refused ones stay out."""
    waiting = [decision for decision in decided.decisions if decision.outcome is None]
    if len(waiting) == 1:
        return [
            decision.outcome
            or Outcome(
                decision.request.delivery,
                "blocked",
                str(error),
                decided.snapshot.head,
                decision.plan,
                decision.changeset,
                decision.verdict,
            )
            for decision in decided.decisions
        ]
    done: Mapping[str, Outcome] = {
        decision.request.delivery: decision.outcome for decision in decided.decisions if decision.outcome is not None
    }
    middle = len(waiting) // 2
    for half in (waiting[:middle], waiting[middle:]):
        outcomes = await apply(forge, repository, [decision.request for decision in half], source)
        done = {**done, **{outcome.delivery: outcome for outcome in outcomes}}
    return [done[decision.request.delivery] for decision in decided.decisions]
