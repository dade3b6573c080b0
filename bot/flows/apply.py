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
    from collections.abc import Sequence

    from bot.core.mapping import MappingFile, Person
    from bot.core.model import Actor, Repository
    from bot.core.outcome import Commit, State
    from bot.core.plan import Plan
    from bot.core.snapshot import Snapshot
    from bot.core.trigger import Dispatch
    from bot.ports import Forge

# How often the rules are evaluated anew because the branch moved under us, before the delivery waits for its next turn.
EVALUATIONS = 8

# How many refusals in a row it takes to believe that the branch refuses everything: halving a batch of 100 takes 8.
BLOCKED_ATTEMPTS = 12


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


@dataclass(frozen=True, slots=True)
class Applied:
    """How requests ended; where `stopped` is set, those without an outcome did not end, and it says why.

    `stopped` is Transient, Unavailable, or an error that nobody expected.
    """

    outcomes: tuple[Outcome, ...]
    stopped: Exception | None = None


async def apply(forge: Forge, repository: Repository, requests: Sequence[Request], source: MappingSource) -> Applied:
    """Decide and act on requests of one repository, in order; one commit carries all of them that change something.

    What landed before something stopped the rest is in the answer, as it cannot be taken back.
    """
    application = _Application(forge, repository, source)
    try:
        await application.run(requests)
    except Exception as error:  # noqa: BLE001 - handed to the caller, beside what had landed by then
        return Applied(application.outcomes(requests), error)
    return Applied(application.outcomes(requests))


class _Application:
    """One call of `apply`: what has ended so far."""

    def __init__(self, forge: Forge, repository: Repository, source: MappingSource) -> None:
        self._forge = forge
        self._repository = repository
        self._source = source
        self._ended: dict[str, Outcome] = {}
        self._blocked = 0

    def outcomes(self, requests: Sequence[Request]) -> tuple[Outcome, ...]:
        """Return the outcomes of those that ended, in the order of the requests."""
        return tuple(self._ended[request.delivery] for request in requests if request.delivery in self._ended)

    async def run(self, requests: Sequence[Request]) -> None:
        """Commit what the rules say of `requests`, evaluated again as often as the branch moves under us."""
        for _ in range(EVALUATIONS):
            decided = await decide(self._forge, self._repository, requests, self._source)
            try:
                commit = await self._commit(decided)
            except StaleHead:
                continue
            except Blocked as error:
                return await self._apart(decided, error)
            if commit is not None:
                self._blocked = 0
            for decision in decided.decisions:
                self._end(_outcome(decision, decided.snapshot.head, commit))
            if commit is None or commit.parent == decided.snapshot.head:
                return None
            # It landed on another head than the one that the rules were evaluated on: look again what they say.
        if not all(request.delivery in self._ended for request in requests):
            raise Transient(
                f"the branch moved {EVALUATIONS} times while the rules were evaluated; others write to it fast"
            )
        return None

    async def _commit(self, decided: Decided) -> Commit | None:
        """Make one commit of all that may change something; None where nothing does."""
        changes = [
            (decision.request.delivery, decision.plan, decision.changeset)
            for decision in decided.decisions
            if decision.outcome is None and decision.plan is not None and decision.changeset is not None
        ]
        combined = combine(changeset for _, _, changeset in changes) if changes else None
        if combined is None:
            return None
        return await self._forge.commit(self._repository, combined, commit_message(changes), decided.author)

    async def _apart(self, decided: Decided, error: Blocked) -> None:
        """GitHub refused a commit: of one delivery it ends so, of several halve until only the refused ones stay out.

        Where the branch refuses all, each further attempt only costs quota: after BLOCKED_ATTEMPTS refusals with no
        commit between them those that are left count as blocked with the last ones.
        """
        self._blocked += 1
        for decision in decided.decisions:
            if decision.outcome is not None:
                self._end(decision.outcome)
        waiting = [decision for decision in decided.decisions if decision.outcome is None]
        if len(waiting) == 1 or self._blocked > BLOCKED_ATTEMPTS:
            for decision in waiting:
                self._end(_outcome(decision, decided.snapshot.head, None, "blocked", str(error)))
            return
        middle = len(waiting) // 2
        await self.run([decision.request for decision in waiting[:middle]])
        await self.run([decision.request for decision in waiting[middle:]])

    def _end(self, outcome: Outcome) -> None:
        earlier = self._ended.get(outcome.delivery)
        if earlier is None or earlier.state != "committed" or outcome.state == "committed":
            self._ended[outcome.delivery] = outcome


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
    snapshot, plans = await _read(forge, snapshot, plans)
    decisions = await asyncio.to_thread(_decide, requests, plans, snapshot)
    return Decided(snapshot, tuple(decisions), rules.commit.author)


async def _read(
    forge: Forge, snapshot: Snapshot, plans: list[Plan | InputError]
) -> tuple[Snapshot, list[Plan | InputError]]:
    """Read the files of all plans; a plan whose globs are refused becomes the error, and alone."""
    globs = [glob for planned in plans if not isinstance(planned, InputError) for glob in planned.globs]
    if not globs:
        return snapshot, plans
    try:
        return await forge.read(snapshot, list(dict.fromkeys(globs))), plans
    except InputError:
        read: list[Plan | InputError] = []
        for planned in plans:
            try:
                if not isinstance(planned, InputError):
                    snapshot = await forge.read(snapshot, planned.globs)
                read.append(planned)
            except InputError as error:
                read.append(error)
        return snapshot, read


async def _rules(forge: Forge, repository: Repository, snapshot: Snapshot, source: MappingSource) -> MappingFile | None:
    name, file = MAPPING_PATH, snapshot.files.get(MAPPING_PATH) if source.own else None
    if file is None and source.organization:
        name = f"{repository.owner}/.github/{MAPPING_PATH}"
        file = await forge.organization_file(repository, MAPPING_PATH)
    if file is None:
        name, data = source.name, source.text
        if data is None:
            return None
    elif file.data is None:
        # Going on to the next source would let other rules govern than the ones people see here.
        raise InputError(Problem("the mapping file must be an ordinary file of at most 4 MB, no link", name))
    else:
        data = file.data
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


def _outcome(
    decision: Decision, head: str, commit: Commit | None, state: State = "committed", reason: str = ""
) -> Outcome:
    """Return how a decided request ended; without a commit "committed" means that later requests undid it."""
    if decision.outcome is not None:
        return decision.outcome
    if state == "committed":
        state = "committed" if commit is not None else "no_change"
        undone = "superseded: deliveries that came together undo each other"
        reason = (commit.url or "written") if commit is not None else undone
    return Outcome(
        decision.request.delivery, state, reason, head, decision.plan, decision.changeset, decision.verdict, commit
    )
