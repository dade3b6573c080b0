"""The one way in which a change is made: decide, commit to each branch, and decide again if a branch moved."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

import structlog

from bot.core.changeset import combine
from bot.core.message import brief_message
from bot.core.meter import Budget
from bot.core.outcome import Outcome
from bot.core.report import brief_reports
from bot.core.rhythm import Rhythm
from bot.errors import Blocked, InputError, StaleHead, Transient, Unavailable
from bot.flows import ending, jobs
from bot.flows.decisions import Turn
from bot.flows.pace import Pace
from bot.flows.progress import Progress

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from bot.core.changeset import Changeset
    from bot.core.message import CommitMessage
    from bot.core.model import Repository, Writer
    from bot.core.order import Field
    from bot.core.outcome import Commit
    from bot.core.plan import Plan
    from bot.flows.decide import Decider
    from bot.flows.decisions import Decision, Destination, Request
    from bot.flows.progress import Applied
    from bot.ports import Journal

log = structlog.get_logger(__name__)

# How often the rules are evaluated before a delivery waits for its next attempt. Each time somebody else's commit came
# between reading the branch and writing to it.
EVALUATIONS = 8

# After so many refusals in a row the branch is taken to refuse everything. Halving a batch of 1,000 takes 11.
BLOCKED_ATTEMPTS = 15

# After this time no other branch is begun. Dispatches that arrived meanwhile can go into the commits that are left.
SECONDS = 10.0

# So many fields are noted at a time, of one delivery at least: others must not wait until all of a batch are.
NOTED_FIELDS = 1_000

# The CPU time for one commit message.
MESSAGE_SECONDS = 10.0


async def apply(
    decider: Decider,
    repository: Repository,
    requests: Sequence[Request],
    journal: Journal | None = None,
    pace: Pace | None = None,
) -> Applied:
    """Decide and act on requests of one repository, in order.

    Each branch gets one commit, which carries all requests that change something there. If an error stops the rest, the
    result has the commits that landed before, as they cannot be taken back. Each commit is noted in the `journal`
    before it is made: if GitHub's answer never comes, the next attempt looks for the commit before it makes one. When
    `pace` says that it is too early for another push, only what is urgent is committed.
    """
    application = _Application(decider, repository, journal, pace or Pace(Rhythm(0.0)))
    try:
        await application.run(requests)
    except Exception as error:  # noqa: BLE001 - the caller gets it beside the outcomes so far
        return application.progress.applied(requests, error)
    return application.progress.applied(requests)


class _Application:
    """One call of `apply`: what has ended so far, by delivery and branch."""

    def __init__(self, decider: Decider, repository: Repository, journal: Journal | None, pace: Pace) -> None:
        self._decider = decider
        self._forge = decider.forge
        self._repository = repository
        self._journal = journal
        self._pace = pace
        self.progress = Progress()
        # The deliveries of this call.
        self._deliveries: set[str] = set()
        # By branch, the head at which commits of theirs were looked for last.
        self._looked_at: dict[str, str] = {}
        self._refusals: Counter[str] = Counter()
        # Fields written by commits whose deliveries are evaluated again, by branch. The inbox has only settled ones.
        self._wrote: dict[str, dict[Field, Writer]] = {}
        # Branches for which GitHub answered once that there is nothing.
        self._gone: set[str] = set()
        self._slots = asyncio.Semaphore(self._forge.at_once)
        self._limited = False
        self._until = asyncio.get_running_loop().time() + SECONDS

    async def run(self, requests: Sequence[Request], only: str | None = None) -> None:
        """Commit what the rules say of `requests`, and evaluate them again when a branch moved meanwhile."""
        fresh = False
        self._deliveries.update(request.delivery for request in requests)
        for _ in range(EVALUATIONS):
            requests = await self._without_landed(requests)
            turn = Turn(requests, only, fresh, self._writers)
            decided = await self._decider.decide(self._repository, turn)
            if only is None:
                self.progress.note(requests, decided)
                again = await self._act_on_all(decided.destinations)
            else:
                # `_apart` called this within the slot of the branch, and `_in_turn` handles a Transient.
                again = set().union(*[await self._act(destination) for destination in decided.destinations])
            if not again:
                return
            fresh = True
            requests = [self.progress.rest(request) for request in requests if request.delivery in again]
        reason = f"the branch moved {EVALUATIONS} times while the rules were evaluated; others write to it fast"
        self.progress.fail([request.delivery for request in requests], Transient(reason))

    async def _writers(self, branch: str, paths: Collection[str]) -> Mapping[Field, Writer]:
        if self._journal is None:
            return {}
        besides = self._deliveries - self.progress.left_out(branch)
        known = await self._journal.writers(self._repository.id, branch, paths, besides)
        return {**known, **self._wrote.get(branch, {})}

    async def _without_landed(self, requests: Sequence[Request]) -> list[Request]:
        """Look for commits whose answer never came. End the requests whose commit landed, and return the others."""
        doubtful = sorted(
            {intent for request in requests for intent in request.intents if intent[0] not in request.ended}
        )
        for branch, base in doubtful:
            begun = [request for request in requests if (branch, base) in request.intents]
            try:
                landed = await self._forge.landed(self._repository, branch, base)
            except Transient as error:
                if error.retry_after is not None:
                    raise  # it would meet the other branches too
                self.progress.fail([request.delivery for request in begun], error, branch)
                continue
            self._looked_at[branch] = landed.head
            found: list[Outcome] = []
            for request in begun:
                commit = landed.commits.get(request.delivery)
                if commit is not None:
                    reason = f"{commit.url or 'written'} (found after its answer was lost)"
                    found.append(Outcome(request.delivery, "committed", reason, base, commit=commit, branch=branch))
            await self._end(found)
        return [self.progress.rest(request) for request in requests]

    async def _act_on_all(self, destinations: Sequence[Destination]) -> set[str]:
        """Commit to branches, which have nothing to do with each other; return the deliveries to evaluate again."""
        # A branch whose requests all wait for their next attempt goes last: it may fail again, after seconds.
        turns = sorted(destinations, key=lambda one: all(decision.request.along for decision in one.decisions))
        acted = await asyncio.gather(*map(self._in_turn, turns), return_exceptions=True)
        for result in acted:
            if isinstance(result, BaseException):
                raise result
        return {delivery for result in acted if not isinstance(result, BaseException) for delivery in result}

    async def _in_turn(self, destination: Destination) -> set[str]:
        branch, deliveries = destination.snapshot.branch, [one.request.delivery for one in destination.decisions]
        async with self._slots:
            late = asyncio.get_running_loop().time() > self._until and self.progress.ended
            if late or self._limited:
                self.progress.leave(deliveries, branch)
                return set()
            try:
                return await self._act(destination)
            except Transient as error:
                # A limit would refuse the other branches too. They are left, which does not count as an attempt.
                if error.retry_after is not None:
                    self._limited = True
                self.progress.fail(deliveries, error, branch)
                return set()

    async def _act(self, destination: Destination) -> set[str]:
        """Commit to one branch; return the deliveries for which the rules are to be evaluated again."""
        if destination.stopped is not None:
            raise destination.stopped
        deliveries = {one.request.delivery for one in destination.decisions}
        if self._moved_since_looking(destination):
            return deliveries
        if self._is_too_early(destination):
            self.progress.pace(deliveries, destination.snapshot.branch)
            return set()
        return await self._write(destination)

    def _is_too_early(self, destination: Destination) -> bool:
        """Whether there is something to commit, and it has to wait for the rhythm of pushes."""
        writing = [decision for decision in destination.decisions if decision.outcome is None]
        urgent = any(one.plan is not None and one.plan.urgent for one in writing)
        # What was committed on another head than it was decided on is to be completed now: it counts as ended.
        branch = destination.snapshot.branch
        begun = any((one.request.delivery, branch) in self.progress.ended for one in writing)
        return bool(writing) and not urgent and not begun and self._pace.wait(self._repository.id) > 0

    async def _write(self, destination: Destination) -> set[str]:
        snapshot, deliveries = destination.snapshot, {one.request.delivery for one in destination.decisions}
        try:
            commit = await self._commit(destination)
        except StaleHead:
            return deliveries
        except Unavailable as error:
            return self._refused(destination, error)
        except Blocked as error:
            if not snapshot.fresh and any(decision.outcome is not None for decision in destination.decisions):
                return deliveries  # what is only remembered must not end a delivery
            await self._apart(destination, error)
            return set()
        if commit is None and not snapshot.fresh:
            # Without a commit nothing shows that the branch is still as it was remembered.
            return deliveries
        if commit is not None:
            self._refusals[snapshot.branch] = 0
            self._wrote.setdefault(snapshot.branch, {}).update(ending.wrote(destination))
        # If the commit landed on another head than the rules were evaluated on, evaluate them again.
        settled = commit is None or commit.parent == snapshot.head
        await self._end([ending.outcome(one, destination, commit) for one in destination.decisions], settled=settled)
        return set() if settled else deliveries

    def _refused(self, destination: Destination, error: Unavailable) -> set[str]:
        """Return the deliveries to evaluate again if GitHub does not let us write to a branch: all, the first time.

        Perhaps only this branch is gone since it was read. Reading it again shows that, or raises an error that
        concerns all branches. If it can be read, it is this branch that we may not write to.
        """
        branch, deliveries = destination.snapshot.branch, {one.request.delivery for one in destination.decisions}
        if branch in self._gone:
            self.progress.fail(deliveries, error, branch)
            return set()
        self._gone.add(branch)
        return deliveries

    def _moved_since_looking(self, destination: Destination) -> bool:
        """Whether a commit that was looked for may have landed between looking and reading."""
        branch, head = destination.snapshot.branch, destination.snapshot.head
        doubtful = any(branch == one for decision in destination.decisions for one, _ in decision.request.intents)
        # A branch that is not there had nothing to look through.
        return doubtful and self._looked_at.get(branch) not in {"", head}

    async def _commit(self, destination: Destination) -> Commit | None:
        """Make one commit of all changes that are allowed; return None if there are none."""
        changes = [
            (decision.request.delivery, decision.plan, decision.changeset)
            for decision in destination.decisions
            if decision.outcome is None and decision.plan is not None and decision.changeset is not None
        ]
        combined = combine(changeset for _, _, changeset in changes) if changes else None
        if combined is None:
            return None
        # Counted before anything is waited for: branches are written to at the same time.
        seconds = self._pace.pushing(self._repository.id)
        try:
            message = await self._message(changes, destination)
            return await self._commit_noted(destination, combined, message)
        except (StaleHead, Blocked, Unavailable):
            self._pace.take_back(self._repository.id, seconds)
            raise

    async def _commit_noted(self, destination: Destination, combined: Changeset, message: CommitMessage) -> Commit:
        """Make a commit that is noted before, and no longer when it is certain that GitHub refused it."""
        if self._journal is None:
            return await self._forge.commit(self._repository, combined, message, destination.commit.strategy)
        fields = {
            one.request.delivery: ending.fields(one.changeset)
            for one in destination.decisions
            if one.outcome is None and one.changeset is not None
        }
        await self._journal.intend(combined.branch, combined.base, fields)
        try:
            return await self._forge.commit(self._repository, combined, message, destination.commit.strategy)
        except (StaleHead, Blocked, Unavailable):
            # It is certain that this commit did not land. Only an earlier one on the same base may have: keep its note.
            certain = [one.request.delivery for one in destination.decisions if not _intended(one, combined)]
            await self._journal.withdraw(combined.branch, combined.base, certain)
            raise

    async def _message(self, changes: Sequence[tuple[str, Plan, Changeset]], destination: Destination) -> CommitMessage:
        # For a hundred deliveries this takes so long that webhooks would be answered late. It needs no bytes of files.
        light = [(delivery, plan, _without_bytes(changeset)) for delivery, plan, changeset in changes]
        budget = Budget(MESSAGE_SECONDS, "the commit message")
        compute, settings = self._decider.compute, destination.commit
        try:
            return await compute.run(self._repository, budget, jobs.write_message, light, settings)
        except InputError as error:
            # One delivery of a hundred made it too expensive. The others must not wait for a better message.
            log.warning("commit message left out", branch=destination.snapshot.branch, reason=str(error))
            return brief_message([delivery for delivery, _, _ in changes], settings)

    async def _apart(self, destination: Destination, error: Blocked) -> None:
        """Find the deliveries for which GitHub refused a commit: try each half alone until only those are left out.

        If the branch refuses everything, each further attempt only costs quota. So after BLOCKED_ATTEMPTS refusals with
        no commit between them all remaining deliveries end as `blocked`; or wait for their next attempt, if what was
        refused is something in the commit: it may be that of one of them only.
        """
        decisions, branch = destination.decisions, destination.snapshot.branch
        self._refusals[branch] += 1
        waiting = [decision for decision in decisions if decision.outcome is None]
        if self._refusals[branch] > BLOCKED_ATTEMPTS:
            if error.of_part and len(waiting) > 1:
                reason = Transient(f"{error}; which of {len(waiting)} deliveries it is will be tried later")
                self.progress.fail([one.request.delivery for one in decisions], reason, branch)
                return
            await self._end([ending.blocked(one, destination, error) for one in decisions])
            return
        if len(waiting) > 1:
            middle = decisions.index(waiting[len(waiting) // 2])
            parts = [decisions[:middle], decisions[middle:]]
        else:
            # The deliveries after the refused one were decided on a view that had its changes: decide them again.
            middle = decisions.index(waiting[0])
            await self._end([ending.outcome(one, destination, None) for one in decisions[:middle]])
            await self._end([ending.blocked(waiting[0], destination, error)])
            parts = [decisions[middle + 1 :]]
        for part in filter(None, parts):
            await self.run([decision.request for decision in part], branch)

    async def _end(self, outcomes: Sequence[Outcome], *, settled: bool = True) -> None:
        """Note how deliveries ended on a branch. If they are not `settled`, they are evaluated again."""
        ended = self.progress.end(outcomes, settled=settled)
        if settled and self._journal is not None and any(outcome.state == "committed" for outcome in ended):
            # The next decision, maybe in this very call, may be of an older delivery: it must see who wrote last.
            # What is said is true of all of them: those that a crash keeps from being noted are found by their commit.
            reports = brief_reports(self._repository, self.progress.to_note(ended))
            for part in _parts(ended):
                await self._journal.record(part, reports)
                reports = []
                await asyncio.sleep(0)


def _parts(outcomes: Sequence[Outcome]) -> Iterator[Sequence[Outcome]]:
    """Yield outcomes so many at a time that they write about NOTED_FIELDS."""
    start = written = 0
    for end, outcome in enumerate(outcomes, 1):
        written += 1 + (len(ending.fields(outcome.changeset)) if outcome.changeset is not None else 0)
        if written >= NOTED_FIELDS or end == len(outcomes):
            yield outcomes[start:end]
            start, written = end, 0


def _without_bytes(changeset: Changeset) -> Changeset:
    files = {
        path: replace(change, before=change.before and b"", after=change.after and b"")
        for path, change in changeset.files.items()
    }
    return replace(changeset, files=files)


def _intended(decision: Decision, changeset: Changeset) -> bool:
    """Whether an earlier attempt began a commit on the same base, which may have landed."""
    return (changeset.branch, changeset.base) in decision.request.intents
