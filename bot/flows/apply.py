"""The one way in which a change is made: decide, commit to each branch, look again where a branch moved."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from bot.core.changeset import combine
from bot.core.message import commit_message
from bot.core.outcome import Outcome
from bot.errors import Blocked, StaleHead, Transient
from bot.flows.decide import decide

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bot.core.model import Repository
    from bot.core.outcome import Commit, State
    from bot.flows.decide import Decided, Decision, Destination, MappingSource, Request
    from bot.ports import Forge

# How often the rules are evaluated anew because the branch moved under us, before the delivery waits for its next turn.
EVALUATIONS = 8

# How many refusals in a row it takes to believe that the branch refuses everything: halving a batch of 100 takes 8.
BLOCKED_ATTEMPTS = 12


@dataclass(frozen=True, slots=True)
class Applied:
    """How requests ended, one outcome for each branch.

    Where `stopped` is set, the deliveries in `left` did not end on every branch that they go to, and it says why:
    Transient, Unavailable, or an error that nobody expected.
    """

    outcomes: tuple[Outcome, ...]
    left: tuple[str, ...] = ()
    stopped: Exception | None = None


async def apply(forge: Forge, repository: Repository, requests: Sequence[Request], source: MappingSource) -> Applied:
    """Decide and act on requests of one repository, in order.

    On each branch one commit carries all of them that change something there. What landed before something stopped the
    rest is in the answer, as it cannot be taken back.
    """
    application = _Application(forge, repository, source)
    try:
        await application.run(requests)
    except Exception as error:  # noqa: BLE001 - handed to the caller, beside what had landed by then
        return Applied(application.outcomes, application.left(requests), error)
    if left := application.left(requests):
        return Applied(application.outcomes, left, Transient("the rules changed while they were carried out"))
    return Applied(application.outcomes)


class _Application:
    """One call of `apply`: what has ended so far, by delivery and branch."""

    def __init__(self, forge: Forge, repository: Repository, source: MappingSource) -> None:
        self._forge = forge
        self._repository = repository
        self._source = source
        self._ended: dict[tuple[str, str], Outcome] = {}
        # Where each delivery goes, as far as that is known, and where nothing more is to be done for it.
        self._goes_to: dict[str, set[str]] = {}
        self._settled: dict[str, set[str]] = {}
        self._blocked = 0

    @property
    def outcomes(self) -> tuple[Outcome, ...]:
        """Return how requests ended, in the order in which they did."""
        return tuple(self._ended.values())

    def left(self, requests: Sequence[Request]) -> tuple[str, ...]:
        """Return the deliveries that did not end on every branch."""
        return tuple(
            request.delivery
            for request in requests
            if request.delivery not in self._goes_to
            or any((request.delivery, branch) not in self._ended for branch in self._goes_to[request.delivery])
        )

    async def run(self, requests: Sequence[Request], only: str | None = None) -> None:
        """Commit what the rules say of `requests`, evaluated again as often as a branch moves under us."""
        for _ in range(EVALUATIONS):
            decided = await decide(self._forge, self._repository, requests, self._source, only)
            if only is None:
                self._note(requests, decided)
            moved: set[str] = set()
            for destination in decided.destinations:
                if only is None:
                    self._blocked = 0
                moved |= await self._act(destination)
            if not moved:
                return
            requests = [
                replace(request, ended=request.ended | self._settled.get(request.delivery, set()))
                for request in requests
                if request.delivery in moved
            ]
        if self.left(requests):
            raise Transient(
                f"the branch moved {EVALUATIONS} times while the rules were evaluated; others write to it fast"
            )

    def _note(self, requests: Sequence[Request], decided: Decided) -> None:
        """Note where each request goes by this evaluation; by an earlier one it may have gone elsewhere."""
        goes_to: dict[str, set[str]] = {request.delivery: set() for request in requests}
        for destination in decided.destinations:
            for decision in destination.decisions:
                goes_to[decision.request.delivery].add(destination.snapshot.branch)
        self._goes_to |= goes_to

    async def _act(self, destination: Destination) -> set[str]:
        """Commit to one branch; return the deliveries for which the rules are to be evaluated again."""
        deliveries = {decision.request.delivery for decision in destination.decisions}
        try:
            commit = await self._commit(destination)
        except StaleHead:
            return deliveries
        except Blocked as error:
            await self._apart(destination, error)
            return set()
        if commit is not None:
            self._blocked = 0
        # If it landed on another head than the one that the rules were evaluated on, look again what they say.
        settled = commit is None or commit.parent == destination.snapshot.head
        for decision in destination.decisions:
            self._end(_outcome(decision, destination, commit), settled=settled)
        return set() if settled else deliveries

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
        message = commit_message(changes, destination.commit)
        return await self._forge.commit(self._repository, combined, message)

    async def _apart(self, destination: Destination, error: Blocked) -> None:
        """GitHub refused a commit: of one delivery it ends so, of several halve until only the refused ones stay out.

        Where the branch refuses all, each further attempt only costs quota: after BLOCKED_ATTEMPTS refusals with no
        commit between them those that are left count as blocked with the last ones.
        """
        self._blocked += 1
        for decision in destination.decisions:
            if decision.outcome is not None:
                self._end(decision.outcome)
        waiting = [decision for decision in destination.decisions if decision.outcome is None]
        if len(waiting) == 1 or self._blocked > BLOCKED_ATTEMPTS:
            for decision in waiting:
                self._end(_outcome(decision, destination, None, "blocked", str(error)))
            return
        middle = len(waiting) // 2
        for half in (waiting[:middle], waiting[middle:]):
            await self.run([decision.request for decision in half], destination.snapshot.branch)

    def _end(self, outcome: Outcome, *, settled: bool = True) -> None:
        key = (outcome.delivery, outcome.branch)
        earlier = self._ended.get(key)
        if earlier is None or earlier.state != "committed" or outcome.state == "committed":
            self._ended[key] = outcome
        if settled:
            self._settled.setdefault(outcome.delivery, set()).add(outcome.branch)


def _outcome(
    decision: Decision, destination: Destination, commit: Commit | None, state: State = "committed", reason: str = ""
) -> Outcome:
    """Return how a decided request ended; without a commit "committed" means that later requests undid it."""
    if decision.outcome is not None:
        return decision.outcome
    if state == "committed":
        state = "committed" if commit is not None else "no_change"
        undone = "superseded: deliveries that came together undo each other"
        reason = (commit.url or "written") if commit is not None else undone
    return Outcome(
        decision.request.delivery,
        state,
        reason,
        destination.snapshot.head,
        decision.plan,
        decision.changeset,
        decision.verdict,
        commit,
        branch=destination.snapshot.branch,
    )
