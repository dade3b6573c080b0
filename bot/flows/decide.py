"""What is to be done for requests: read the rules and the files that they name, at one commit of each branch."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from bot.core.changeset import NoChange
from bot.core.meter import Budget
from bot.core.model import Writer
from bot.core.order import Order
from bot.core.outcome import Outcome
from bot.core.protected import MAPPING_PATH
from bot.core.rendered import Create
from bot.errors import InputError, TooMuchError, Transient
from bot.flows import hints, jobs
from bot.flows.decisions import BATCH, Decided, Decision, Destination, Request, Turn
from bot.flows.rules import RulesReader

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bot.core.glob import Glob
    from bot.core.model import Repository
    from bot.core.outcome import State
    from bot.core.plan import Edit, Plan
    from bot.core.snapshot import File, Snapshot
    from bot.flows.jobs import ReadRules
    from bot.flows.rules import MappingSource
    from bot.ports import Compute, Forge


# The CPU time for matching the globs of all deliveries that go to a branch together.
GLOB_SECONDS = 1.0

# How many branches are read and decided at a time.
BRANCHES = 8
# When the files that were read in a turn have more bytes together, no other branch is begun.
TURN_BYTES = 64_000_000


_Planned: TypeAlias = tuple["Request", "Plan"]


class Decider:
    """Decides requests: reads from `forge`, computes at `compute`, by the rules that `source` names."""

    def __init__(self, forge: Forge, compute: Compute, source: MappingSource) -> None:
        self.forge = forge
        self.compute = compute
        self.source = source
        self._rules = RulesReader(forge, compute, source)

    async def decide(self, repository: Repository, turn: Turn) -> Decided:
        """Read what the rules need and decide each request on the view the one before left, for each of its branches.

        The rules are those of the default branch, wherever a change goes. A branch on which a request has ended is left
        out, and with `turn.only` every other one is.
        """
        requests, only = turn.requests, turn.only
        default = await self.forge.open(repository, [MAPPING_PATH], remembered=not turn.fresh)
        # A request that ends before its branches are known ends on no branch.
        nowhere = replace(default, branch="")
        try:
            rules = await self._rules.read(repository, default)
        except InputError as error:
            return _all(nowhere, requests, "failed", error)
        if rules is None:
            sentence = f"no mapping file: {repository.full_name} has no {MAPPING_PATH} on '{default.branch}'"
            reason = InputError(sentence + await hints.mapping_file(self.forge, default))
            return _all(nowhere, requests, "ignored", reason)
        planned, ended, stopped = await self._plan(rules, requests, nowhere)
        branches = _branches(planned, default.branch)
        if only is not None:
            branches = {only: branches[only]} if only in branches else {}
        if not default.fresh and branches.keys() - {default.branch}:
            # A commit on another branch does not show whether the rules are still those of the default one.
            remembered, default = default, await self.forge.open(repository, [MAPPING_PATH])
            if default.head != remembered.head:
                return await self.decide(repository, replace(turn, fresh=True))
            nowhere = replace(default, branch="")
        later = tuple((request.delivery, branch) for branch, plans in branches.items() for request, _ in plans[BATCH:])
        decided = await self._decide_all(
            default, [_Branch(name, plans[:BATCH], turn) for name, plans in branches.items()]
        )
        made = [replace(destination, commit=rules.commit) for destination in decided if destination.decisions]
        later += tuple((one, destination.snapshot.branch) for destination in decided for one in destination.later)
        unplanned = [*([Destination(nowhere, tuple(ended))] if ended else []), *stopped]
        return Decided((*unplanned, *made), rules.gathering, later)

    async def _decide_all(self, default: Snapshot, branches: Sequence[_Branch]) -> Sequence[Destination]:
        """Read and decide branches, some at a time: they have nothing to do with each other.

        When what was read fills the memory that a turn may take, the rest is left for the next turn.
        """
        slots, sizes = asyncio.Semaphore(BRANCHES), list[int]()

        async def decide(to: _Branch) -> Sequence[Destination]:
            async with slots:
                if sum(sizes) > TURN_BYTES:
                    absent = replace(default, branch=to.name)
                    return [Destination(absent, (), later=tuple(request.delivery for request, _ in to.planned))]
                destinations = await self._contained(default, to)
                sizes.append(destinations[0].snapshot.size)
                return destinations

        return [destination for decided in await asyncio.gather(*map(decide, branches)) for destination in decided]

    async def _plan(
        self, rules: ReadRules, requests: Sequence[Request], nowhere: Snapshot
    ) -> tuple[list[_Planned], list[Decision], list[Destination]]:
        """Plan every request. Return the plans, the requests that ended without one, and those that were stopped."""
        planned: list[_Planned] = []
        ended: list[Decision] = []
        stopped: list[Destination] = []
        for request in requests:
            try:
                made = await self.compute.run(
                    nowhere.repository, request.budget, jobs.make_plan, rules.rules, request.dispatch
                )
            except InputError as error:
                ended.append(_ended(request, "failed", error, nowhere))
            except Transient as error:
                stopped.append(_stopped(request, error, nowhere))
            else:
                planned.append((request, made))
        return planned, ended, stopped

    async def _contained(self, default: Snapshot, to: _Branch) -> Sequence[Destination]:
        """Read and decide one branch; a passing error of this branch does not stop the other branches."""
        try:
            return await self._destination(default, to)
        except Transient as error:
            if error.retry_after is not None:
                raise
            absent = replace(default, branch=to.name)
            return [Destination(absent, tuple(Decision(request) for request, _ in to.planned), stopped=error)]

    async def _destination(self, default: Snapshot, to: _Branch) -> Sequence[Destination]:
        """Read what the plans for one branch name there, and decide them. A stopped request is returned by itself."""
        snapshot, branch, planned = default, to.name, to.planned
        literal: list[str] = []
        if branch != default.branch:
            named = (glob.literal for _, made in planned for glob in made.globs)
            literal = list(dict.fromkeys(path for path in named if path is not None))
            remembered = not to.turn.fresh
            try:
                snapshot = await self.forge.open(default.repository, literal, branch, remembered=remembered)
            except TooMuchError:  # for one or for all: they are read one by one below
                snapshot = await self.forge.open(default.repository, [], branch, remembered=remembered)
                literal.clear()
            except InputError as error:
                # Said at the head of the default branch, as this one is not there.
                absent = replace(default, branch=branch)
                return [Destination(absent, tuple(_ended(request, "failed", error, absent) for request, _ in planned))]
        snapshot, refused = await self._read(snapshot, planned, opened=bool(literal))
        # A delivery whose files fit into memory alone, but not beside those of the others, has its turn after them.
        later = [delivery for delivery, error in refused.items() if isinstance(error, _BesideOthersError)]
        to = to._replace(planned=[(request, made) for request, made in planned if request.delivery not in later])
        decisions, stopped = await self._decide(to, refused, snapshot)
        return [Destination(snapshot, tuple(decisions), later=tuple(later)), *stopped]

    async def _read(
        self, snapshot: Snapshot, planned: Sequence[_Planned], *, opened: bool
    ) -> tuple[Snapshot, dict[str, InputError]]:
        """Read the files of all plans. A plan whose files are refused is refused alone: why, by delivery.

        `opened` says that literal paths were read already.
        """

        def wanted(made: Plan) -> list[Glob]:
            return [glob for glob in made.globs if not opened or glob.literal is None]

        globs = list(dict.fromkeys(glob for _, made in planned for glob in wanted(made)))
        if not globs:
            return snapshot, {}
        # No delivery pays for the globs of others: if all together are too expensive, they are matched one by one.
        shared = planned[0][0].budget if len(planned) == 1 else Budget(GLOB_SECONDS, "matching the globs")
        try:
            return await self.forge.read(snapshot, globs, shared), {}
        except InputError:
            bare, refused = snapshot, dict[str, InputError]()
            for request, made in planned:
                try:
                    snapshot = await self.forge.read(snapshot, wanted(made), request.budget)
                except TooMuchError as error:
                    refused[request.delivery] = await self._too_much(error, bare, wanted(made), request)
                except InputError as error:
                    refused[request.delivery] = error
            return snapshot, refused

    async def _too_much(
        self, error: TooMuchError, bare: Snapshot, globs: Sequence[Glob], request: Request
    ) -> InputError:
        """Return why the files of a delivery cannot be read: by themselves, or beside those of others."""
        try:
            await self.forge.read(bare, globs, request.budget)
        except InputError as alone:
            return alone
        return _BesideOthersError(error.problems)

    async def _decide(
        self, to: _Branch, refused: Mapping[str, InputError], snapshot: Snapshot
    ) -> tuple[list[Decision], list[Destination]]:
        # A deleted file counts as written by the delivery that deleted it.
        paths = {*snapshot.files, *(glob.literal for _, made in to.planned for glob in made.globs if glob.literal)}
        writers = await to.turn.writers(snapshot.branch, paths) if to.turn.writers else {}
        decisions, stopped, view, order = list[Decision](), list[Destination](), snapshot, Order(writers)
        for request, made in to.planned:
            if request.delivery in refused:
                decisions.append(_ended(request, "failed", refused[request.delivery], snapshot, made))
                continue
            try:
                decision = await self._decide_one(request, made, view, order)
            except Transient as error:
                stopped.append(_stopped(request, error, snapshot))
                continue
            if decision.changeset is not None and decision.outcome is None:
                view = view.with_(decision.changeset)
                if request.origin is not None:
                    order.note(decision.changeset, Writer(request.delivery, request.origin))
            elif decision.outcome is not None and request.origin is not None:
                order.hold(decision.outcome.asked, Writer(request.delivery, request.origin))
            decisions.append(decision)
        return decisions, stopped

    async def _decide_one(self, request: Request, made: Plan, view: Snapshot, order: Order) -> Decision:
        needed = _needed(made, view)
        asked = jobs.Asked(
            request.delivery, request.actor, request.origin, request.forced, made, order.only(made, needed.files)
        )
        try:
            change = await self.compute.run(
                view.repository, request.budget, jobs.decide, asked, needed, self.source.limits
            )
        except InputError as error:
            return _ended(request, "failed", error, view, made)
        delivery, head, branch = request.delivery, view.head, view.branch
        if isinstance(change, NoChange):
            reasons = await hints.with_hints(self.forge, self.compute, view, change)
            reason, same = "\n".join(reasons), change.same
            return Decision(
                request, Outcome(delivery, "no_change", reason, head, made, branch=branch, asked=same), made
            )
        changeset, verdict = change.changeset, change.verdict
        if not verdict.allowed:
            reason = "\n".join(verdict.objections)
            outcome = Outcome(delivery, "denied", reason, head, made, verdict=verdict, branch=branch)
            return Decision(request, outcome, made, changeset, verdict)
        return Decision(request, None, made, changeset, verdict)


def _stopped(request: Request, error: Transient, view: Snapshot) -> Destination:
    """Return a request whose computing was stopped: its process died, say. The others do not wait for it."""
    return Destination(view, (Decision(request),), stopped=error)


def _all(nowhere: Snapshot, requests: Sequence[Request], state: State, error: InputError) -> Decided:
    return Decided((Destination(nowhere, tuple(_ended(request, state, error, nowhere) for request in requests)),))


def _ended(request: Request, state: State, error: InputError, view: Snapshot, plan: Plan | None = None) -> Decision:
    """Return the decision for a request that `error` ended: on the branch of `view`, "" before there is one."""
    outcome = Outcome(request.delivery, state, str(error), view.head, plan, problems=error.problems, branch=view.branch)
    return Decision(request, outcome, plan)


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


class _BesideOthersError(TooMuchError):
    """The files of a delivery fit into memory, but not beside those of the deliveries before it."""


class _Branch(NamedTuple):
    """What is planned for one branch, and in which turn."""

    name: str
    planned: Sequence[_Planned]
    turn: Turn


def _needed(made: Plan, view: Snapshot) -> Snapshot:
    """Return the part of a view that a plan may look at: less to hand over to where it is carried out."""
    files: Mapping[str, File] = view.files
    if all(glob.literal is not None for glob in made.globs):
        paths = dict.fromkeys(glob.literal for glob in made.globs if glob.literal in files)
        # A file that was created in this turn may be below the path of one to create.
        created = {file.literal for edit in made.edits if isinstance(edit.operation, Create) for file in edit.files}
        below = (path for path in files if created and any(str(one) in created for one in PurePosixPath(path).parents))
        files = {path: files[path] for path in (*paths, *below) if path is not None}
    return replace(view, files=dict(files))
