"""How far one call of `apply` has come: which deliveries have ended on which branches, and what keeps the others."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from bot.core.message import groups
from bot.errors import Transient, Unavailable

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from bot.core.mapping import Gathering
    from bot.core.message import Group
    from bot.core.outcome import Outcome
    from bot.flows.decisions import Decided, Request


@dataclass(frozen=True, slots=True)
class Applied:
    """How requests ended, one outcome for each branch."""

    outcomes: tuple[Outcome, ...]
    left: frozenset[str]
    """The deliveries that `stopped` kept from ending on every branch that they go to."""
    stopped: Exception | None
    """Transient, Unavailable, or an error that nobody expected; None if nothing is left."""
    later: frozenset[str]
    """The deliveries that were not begun on every branch: there was no time or room, or they are in `paced`."""
    gathering: Gathering | None
    """How the rules let requests gather from now on; None if no rules were read."""
    paced: frozenset[str]
    """The deliveries in `later` that wait for the rhythm of pushes."""
    groups: tuple[Group, ...] = ()
    """Which outcomes are said together, in one check run each."""
    fresh: tuple[Group, ...] = ()
    """The groups that the journal does not have yet."""


class Progress:
    """By delivery and branch. Where a delivery goes is known when the rules were evaluated."""

    def __init__(self) -> None:
        self.ended: dict[tuple[str, str], Outcome] = {}
        self._goes_to: dict[str, set[str]] = {}
        # The branches on which nothing more is to be done for a delivery, and on which nothing more is done now.
        self._settled: dict[str, set[str]] = {}
        self._unfinished: dict[str, set[str]] = {}
        self._failed: set[str] = set()
        self._reason: Transient | Unavailable | None = None
        self._gathering: Gathering | None = None
        self._paced: set[str] = set()
        self._noted: list[Group] = []

    def note(self, requests: Sequence[Request], decided: Decided) -> None:
        """Note where each request goes by this evaluation; by an earlier one it may have gone elsewhere."""
        if decided.gathering is not None:
            self._gathering = decided.gathering
        for delivery, branch in decided.later:
            self.leave([delivery], branch)
        goes_to = {request.delivery: {*self._unfinished.get(request.delivery, ())} for request in requests}
        for destination in decided.destinations:
            for decision in destination.decisions:
                goes_to[decision.request.delivery].add(destination.snapshot.branch)
        self._goes_to |= goes_to

    def rest(self, request: Request) -> Request:
        """Return what of a request is to be evaluated again."""
        settled, unfinished = (one.get(request.delivery, set()) for one in (self._settled, self._unfinished))
        return replace(request, ended=request.ended | settled | unfinished)

    def end(self, outcomes: Sequence[Outcome], *, settled: bool) -> list[Outcome]:
        """Note how deliveries ended on a branch, for good if `settled`; return what counts of each: a commit made."""
        for outcome in outcomes:
            key = (outcome.delivery, outcome.branch)
            earlier = self.ended.get(key)
            if earlier is None or earlier.state != "committed" or outcome.state == "committed":
                self.ended[key] = outcome
            if settled:
                self._settled.setdefault(outcome.delivery, set()).add(outcome.branch)
        return [self.ended[outcome.delivery, outcome.branch] for outcome in outcomes]

    def to_note(self, outcomes: Sequence[Outcome]) -> list[Group]:
        """Return which of these outcomes, which the journal notes together, are said together."""
        made = groups(outcomes, self._noted)
        self._noted += made
        return made

    def fail(self, deliveries: Iterable[str], error: Transient | Unavailable, branch: str | None = None) -> None:
        """Note what keeps deliveries from ending for now: on one branch, on which nothing more is done, or anywhere."""
        self._failed.update(deliveries)
        if branch is not None:
            self.leave(deliveries, branch)
        if self._reason is None or _pause(error) > _pause(self._reason):
            self._reason = error

    def leave(self, deliveries: Iterable[str], branch: str) -> None:
        """Do nothing more for deliveries on a branch in this call."""
        for delivery in deliveries:
            self._unfinished.setdefault(delivery, set()).add(branch)

    def pace(self, deliveries: Collection[str], branch: str) -> None:
        """Do nothing more for deliveries on a branch in this call: it is too early for another push."""
        self._paced.update(deliveries)
        self.leave(deliveries, branch)

    def left_out(self, branch: str) -> set[str]:
        """Return the deliveries for which nothing more is done on a branch in this call."""
        return {delivery for delivery, branches in self._unfinished.items() if branch in branches}

    def applied(self, requests: Sequence[Request], error: Exception | None = None) -> Applied:
        """Return how requests ended, in the order in which they did; `error` stopped all that did not."""
        unfinished = frozenset(one.delivery for one in requests if not self._has_ended(one.delivery))
        later = frozenset() if error else (unfinished & self._unfinished.keys()) - self._failed
        left = unfinished - later
        changed = Transient("the rules changed while they were carried out")
        stopped = error or ((self._reason or changed) if left else None)
        noted = {(one.delivery, one.branch) for group in self._noted for one in group.outcomes}
        fresh = groups([outcome for key, outcome in self.ended.items() if key not in noted], self._noted)
        return Applied(
            tuple(self.ended.values()),
            left,
            stopped,
            later,
            self._gathering,
            later & self._paced,
            (*self._noted, *fresh),
            tuple(fresh),
        )

    def _has_ended(self, delivery: str) -> bool:
        branches = self._goes_to.get(delivery)
        return branches is not None and all((delivery, branch) in self.ended for branch in branches)


def _pause(error: Transient | Unavailable) -> float:
    return error.retry_after or 0.0 if isinstance(error, Transient) else 0.0
