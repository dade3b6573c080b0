"""The one way in which a change is made: decide, commit to each branch, look again where a branch moved."""

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
from bot.errors import Blocked, InputError, StaleHead, Transient, Unavailable
from bot.flows import ending, jobs
from bot.flows.decisions import Turn
from bot.flows.progress import Progress

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

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

# How often the rules are evaluated anew because the branch moved under us, before the delivery waits for its next turn.
EVALUATIONS = 8

# How many refusals in a row it takes to believe that the branch refuses everything: halving a batch of 100 takes 8.
BLOCKED_ATTEMPTS = 12

# After so many seconds no other branch is begun: what came meanwhile may go into the commits that are left to make.
SECONDS = 10.0

# Of CPU for one commit message.
MESSAGE_SECONDS = 10.0


async def apply(
    decider: Decider, repository: Repository, requests: Sequence[Request], journal: Journal | None = None
) -> Applied:
    """Decide and act on requests of one repository, in order.

    On each branch one commit carries all of them that change something there. What landed before something stopped the
    rest is in the answer, as it cannot be taken back. The `journal` is told before each commit what it is to be: after
    an answer that never came it is looked for, instead of made again.
    """
    application = _Application(decider, repository, journal)
    try:
        await application.run(requests)
    except Exception as error:  # noqa: BLE001 - handed to the caller, beside what had landed by then
        return application.progress.applied(requests, error)
    return application.progress.applied(requests)


class _Application:
    """One call of `apply`: what has ended so far, by delivery and branch."""

    def __init__(self, decider: Decider, repository: Repository, journal: Journal | None) -> None:
        self._decider = decider
        self._forge = decider.forge
        self._repository = repository
        self._journal = journal
        self.progress = Progress()
        # The deliveries of this call, and at which head of a branch their commits were looked for last.
        self._deliveries: set[str] = set()
        self._looked_at: dict[str, str] = {}
        self._refusals: Counter[str] = Counter()
        # What commits wrote that are to be looked at again, by branch: the inbox has only what is settled.
        self._wrote: dict[str, dict[Field, Writer]] = {}
        # Branches that answered as if there was nothing, once.
        self._gone: set[str] = set()
        self._slots = asyncio.Semaphore(self._forge.at_once)
        self._limited = False
        self._until = asyncio.get_running_loop().time() + SECONDS

    async def run(self, requests: Sequence[Request], only: str | None = None) -> None:
        """Commit what the rules say of `requests`, evaluated again as often as a branch moves under us."""
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
                # Below a turn that has its slot already, and hears of what passes.
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
        """End those whose commit was made although no answer said so, before anything is written again."""
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
        # Those whose turn it is go before those that fail again and again, for seconds maybe.
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
                # A limit would refuse the others too: it is no attempt of theirs.
                if error.retry_after is not None:
                    self._limited = True
                self.progress.fail(deliveries, error, branch)
                return set()

    async def _act(self, destination: Destination) -> set[str]:
        """Commit to one branch; return the deliveries for which the rules are to be evaluated again."""
        if destination.stopped is not None:
            raise destination.stopped
        if self._moved_since_looking(destination):
            return {one.request.delivery for one in destination.decisions}
        return await self._write(destination)

    async def _write(self, destination: Destination) -> set[str]:
        snapshot, deliveries = destination.snapshot, {one.request.delivery for one in destination.decisions}
        try:
            commit = await self._commit(destination)
        except StaleHead:
            return deliveries
        except Unavailable:
            # Only the branch may be gone since it was read. Reading again tells, and raises what concerns all.
            if snapshot.branch in self._gone:
                raise
            self._gone.add(snapshot.branch)
            return deliveries
        except Blocked as error:
            if not snapshot.fresh and any(decision.outcome is not None for decision in destination.decisions):
                return deliveries  # these must not end on what is only remembered
            await self._apart(destination, error)
            return set()
        if commit is None and not snapshot.fresh:
            # Only a commit shows that the branch is still as it was remembered.
            return deliveries
        if commit is not None:
            self._refusals[snapshot.branch] = 0
            self._wrote.setdefault(snapshot.branch, {}).update(ending.wrote(destination))
        # If it landed on another head than the one that the rules were evaluated on, look again what they say.
        settled = commit is None or commit.parent == snapshot.head
        await self._end([ending.outcome(one, destination, commit) for one in destination.decisions], settled=settled)
        return set() if settled else deliveries

    def _moved_since_looking(self, destination: Destination) -> bool:
        """Whether a commit that was looked for may have landed between looking and reading."""
        branch, head = destination.snapshot.branch, destination.snapshot.head
        doubtful = any(branch == one for decision in destination.decisions for one, _ in decision.request.intents)
        # A branch that is not there had nothing to look through.
        return doubtful and self._looked_at.get(branch) not in {"", head}

    async def _commit(self, destination: Destination) -> Commit | None:
        """Make one commit of all that may change something; None where nothing does."""
        changes = [
            (decision.request.delivery, decision.plan, decision.changeset)
            for decision in destination.decisions
            if decision.outcome is None and decision.plan is not None and decision.changeset is not None
        ]
        combined = combine(changeset for _, _, changeset in changes) if changes else None
        if combined is None:
            return None
        message = await self._message(changes, destination)
        if self._journal is None:
            return await self._forge.commit(self._repository, combined, message)
        fields = {delivery: ending.fields(changeset) for delivery, _, changeset in changes}
        await self._journal.intend(combined.branch, combined.base, fields)
        try:
            return await self._forge.commit(self._repository, combined, message)
        except (StaleHead, Blocked):
            # Certain not to have landed: nothing needs to be looked for, unless an earlier one on this base may have.
            certain = [one.request.delivery for one in destination.decisions if not _intended(one, combined)]
            await self._journal.withdraw(combined.branch, combined.base, certain)
            raise

    async def _message(self, changes: Sequence[tuple[str, Plan, Changeset]], destination: Destination) -> CommitMessage:
        # Of a hundred deliveries it takes long enough for a webhook to notice. The bytes of the files are not in it.
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
        """GitHub refused a commit: of one delivery it ends so, of several halve until only the refused ones stay out.

        Where the branch refuses all, each further attempt only costs quota: after BLOCKED_ATTEMPTS refusals with no
        commit between them those that are left count as blocked with the last ones.
        """
        decisions, branch = destination.decisions, destination.snapshot.branch
        self._refusals[branch] += 1
        waiting = [decision for decision in decisions if decision.outcome is None]
        if self._refusals[branch] > BLOCKED_ATTEMPTS:
            await self._end([ending.blocked(one, destination, error) for one in decisions])
            return
        if len(waiting) > 1:
            middle = decisions.index(waiting[len(waiting) // 2])
            parts = [decisions[:middle], decisions[middle:]]
        else:
            # Those behind the refused one were decided on what it would have written.
            middle = decisions.index(waiting[0])
            await self._end([ending.outcome(one, destination, None) for one in decisions[:middle]])
            await self._end([ending.blocked(waiting[0], destination, error)])
            parts = [decisions[middle + 1 :]]
        for part in filter(None, parts):
            await self.run([decision.request for decision in part], branch)

    async def _end(self, outcomes: Sequence[Outcome], *, settled: bool = True) -> None:
        """Note how deliveries ended on a branch; what is `settled` is not evaluated again."""
        ended = self.progress.end(outcomes, settled=settled)
        if settled and self._journal is not None and any(outcome.state == "committed" for outcome in ended):
            # An older delivery that is decided next, in this very call maybe, must see who wrote.
            await self._journal.record(ended)


def _without_bytes(changeset: Changeset) -> Changeset:
    files = {
        path: replace(change, before=change.before and b"", after=change.after and b"")
        for path, change in changeset.files.items()
    }
    return replace(changeset, files=files)


def _intended(decision: Decision, changeset: Changeset) -> bool:
    """Whether an earlier attempt began the same commit, and nobody knows how that went."""
    return (changeset.branch, changeset.base) in decision.request.intents
