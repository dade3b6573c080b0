"""The one way in which a change is made: decide, commit to each branch, look again where a branch moved."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from bot.core.changeset import combine
from bot.core.message import commit_message
from bot.core.outcome import Outcome
from bot.errors import Blocked, StaleHead, Transient
from bot.flows.decide import Turn, decide

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from bot.core.changeset import Changeset
    from bot.core.model import Repository, Writer
    from bot.core.order import Field
    from bot.core.outcome import Commit, State
    from bot.flows.decide import Decided, Decision, Destination, MappingSource, Request
    from bot.ports import Forge, Journal

# How often the rules are evaluated anew because the branch moved under us, before the delivery waits for its next turn.
EVALUATIONS = 8

# How many refusals in a row it takes to believe that the branch refuses everything: halving a batch of 100 takes 8.
BLOCKED_ATTEMPTS = 12


@dataclass(frozen=True, slots=True)
class Applied:
    """How requests ended, one outcome for each branch.

    Where `stopped` is set, the deliveries in `left` did not end on every branch that they go to, and it says why:
    Transient, Unavailable, or an error that nobody expected. `window` is for how many seconds the rules let requests
    gather from now on, None where they were not read.
    """

    outcomes: tuple[Outcome, ...]
    left: tuple[str, ...] = ()
    stopped: Exception | None = None
    window: float | None = None


async def apply(
    forge: Forge,
    repository: Repository,
    requests: Sequence[Request],
    source: MappingSource,
    journal: Journal | None = None,
) -> Applied:
    """Decide and act on requests of one repository, in order.

    On each branch one commit carries all of them that change something there. What landed before something stopped the
    rest is in the answer, as it cannot be taken back. The `journal` is told before each commit what it is to be: after
    an answer that never came it is looked for, instead of made again.
    """
    application = _Application(forge, repository, source, journal)
    try:
        await application.run(requests)
    except Exception as error:  # noqa: BLE001 - handed to the caller, beside what had landed by then
        return Applied(application.outcomes, application.left(requests), error, application.window)
    if left := application.left(requests):
        changed = Transient("the rules changed while they were carried out")
        return Applied(application.outcomes, left, changed, application.window)
    return Applied(application.outcomes, window=application.window)


class _Application:
    """One call of `apply`: what has ended so far, by delivery and branch."""

    def __init__(self, forge: Forge, repository: Repository, source: MappingSource, journal: Journal | None) -> None:
        self._forge = forge
        self._repository = repository
        self._source = source
        self._journal = journal
        self._ended: dict[tuple[str, str], Outcome] = {}
        # Where each delivery goes, as far as that is known, and where nothing more is to be done for it.
        self._goes_to: dict[str, set[str]] = {}
        self._settled: dict[str, set[str]] = {}
        # At which head of a branch commits that may have landed were looked for last.
        self._looked_at: dict[str, str] = {}
        self._blocked = 0
        self.window: float | None = None

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
        fresh = False
        for _ in range(EVALUATIONS):
            requests = await self._without_landed(requests)
            turn = Turn(requests, only, fresh, self._writers)
            decided = await decide(self._forge, self._repository, turn, self._source)
            if decided.window is not None:
                self.window = decided.window
            if only is None:
                self._note(requests, decided)
            again: set[str] = set()
            passing: Transient | None = None
            for destination in decided.destinations:
                if only is None:
                    self._blocked = 0
                try:
                    again |= await self._act(destination)
                except Transient as error:
                    passing = error  # branches have nothing to do with each other
            if passing is not None:
                raise passing
            if not again:
                return
            fresh = True
            requests = [self._rest(request) for request in requests if request.delivery in again]
        if self.left(requests):
            raise Transient(
                f"the branch moved {EVALUATIONS} times while the rules were evaluated; others write to it fast"
            )

    def _rest(self, request: Request) -> Request:
        """Return what of a request is not settled yet."""
        return replace(request, ended=request.ended | self._settled.get(request.delivery, set()))

    async def _writers(self, branch: str, paths: Collection[str]) -> Mapping[Field, Writer]:
        return await self._journal.writers(self._repository.id, branch, paths) if self._journal else {}

    async def _without_landed(self, requests: Sequence[Request]) -> list[Request]:
        """End those whose commit was made although no answer said so, before anything is written again."""
        doubtful = sorted(
            {intent for request in requests for intent in request.intents if intent[0] not in request.ended}
        )
        for branch, base in doubtful:
            landed = await self._forge.landed(self._repository, branch, base)
            self._looked_at[branch] = landed.head
            found: list[Outcome] = []
            for request in requests:
                commit = landed.commits.get(request.delivery) if (branch, base) in request.intents else None
                if commit is not None:
                    reason = f"{commit.url or 'written'} (found after its answer was lost)"
                    found.append(Outcome(request.delivery, "committed", reason, base, commit=commit, branch=branch))
                    self._goes_to.setdefault(request.delivery, set()).add(branch)
            await self._end(found)
        return [self._rest(request) for request in requests]

    def _note(self, requests: Sequence[Request], decided: Decided) -> None:
        """Note where each request goes by this evaluation; by an earlier one it may have gone elsewhere."""
        goes_to: dict[str, set[str]] = {request.delivery: set() for request in requests}
        for destination in decided.destinations:
            for decision in destination.decisions:
                goes_to[decision.request.delivery].add(destination.snapshot.branch)
        self._goes_to |= goes_to

    async def _act(self, destination: Destination) -> set[str]:
        """Commit to one branch; return the deliveries for which the rules are to be evaluated again."""
        snapshot, deliveries = destination.snapshot, {one.request.delivery for one in destination.decisions}
        if self._moved_since_looking(destination):
            return deliveries
        try:
            commit = await self._commit(destination)
        except StaleHead:
            return deliveries
        except Blocked as error:
            await self._apart(destination, error)
            return set()
        if commit is None and not snapshot.fresh:
            # Only a commit shows that the branch is still as it was remembered.
            return deliveries
        if commit is not None:
            self._blocked = 0
        # If it landed on another head than the one that the rules were evaluated on, look again what they say.
        settled = commit is None or commit.parent == snapshot.head
        await self._end([_outcome(one, destination, commit) for one in destination.decisions], settled=settled)
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
        message = commit_message(changes, destination.commit)
        if self._journal is None:
            return await self._forge.commit(self._repository, combined, message)
        fields = {delivery: _fields(changeset) for delivery, _, changeset in changes}
        await self._journal.intend(combined.branch, combined.base, fields)
        try:
            return await self._forge.commit(self._repository, combined, message)
        except (StaleHead, Blocked):
            # Certain not to have landed: nothing needs to be looked for, unless an earlier one on this base may have.
            certain = [one.request.delivery for one in destination.decisions if not _intended(one, combined)]
            await self._journal.withdraw(combined.branch, combined.base, certain)
            raise

    async def _apart(self, destination: Destination, error: Blocked) -> None:
        """GitHub refused a commit: of one delivery it ends so, of several halve until only the refused ones stay out.

        Where the branch refuses all, each further attempt only costs quota: after BLOCKED_ATTEMPTS refusals with no
        commit between them those that are left count as blocked with the last ones.
        """
        self._blocked += 1
        decisions = destination.decisions
        waiting = [decision for decision in decisions if decision.outcome is None]
        if self._blocked > BLOCKED_ATTEMPTS:
            await self._end([_blocked(one, destination, error) for one in decisions])
            return
        if len(waiting) > 1:
            middle = decisions.index(waiting[len(waiting) // 2])
            parts = [decisions[:middle], decisions[middle:]]
        else:
            # Those behind the refused one were decided on what it would have written.
            middle = decisions.index(waiting[0])
            await self._end([_outcome(one, destination, None) for one in decisions[:middle]])
            await self._end([_blocked(waiting[0], destination, error)])
            parts = [decisions[middle + 1 :]]
        for part in filter(None, parts):
            await self.run([decision.request for decision in part], destination.snapshot.branch)

    async def _end(self, outcomes: Sequence[Outcome], *, settled: bool = True) -> None:
        """Note how deliveries ended on a branch; what is `settled` is not evaluated again."""
        for outcome in outcomes:
            key = (outcome.delivery, outcome.branch)
            earlier = self._ended.get(key)
            if earlier is None or earlier.state != "committed" or outcome.state == "committed":
                self._ended[key] = outcome
            if settled:
                self._settled.setdefault(outcome.delivery, set()).add(outcome.branch)
        if settled and self._journal is not None and any(outcome.state == "committed" for outcome in outcomes):
            # An older delivery that is decided next, in this very call maybe, must see who wrote.
            await self._journal.record([self._ended[outcome.delivery, outcome.branch] for outcome in outcomes])


def _fields(changeset: Changeset) -> list[tuple[str, str]]:
    """Return what a changeset writes: (path, field)."""
    return [(path, span.field) for path, change in changeset.files.items() for span in change.spans]


def _intended(decision: Decision, changeset: Changeset) -> bool:
    """Whether an earlier attempt began the same commit, and nobody knows how that went."""
    return (changeset.branch, changeset.base) in decision.request.intents


def _blocked(decision: Decision, destination: Destination, error: Blocked) -> Outcome:
    """Return the outcome for what was refused, or had nothing to change beside what was."""
    if decision.outcome is not None and decision.outcome.state == "no_change":
        decision = replace(decision, outcome=None)
    return _outcome(decision, destination, None, "blocked", str(error))


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
