"""Requests and decisions, as one step of the flow hands them to the next."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bot.core.mapping import CommitSettings, Gathering
from bot.core.meter import unlimited

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
    from datetime import datetime

    from bot.core.changeset import Changeset
    from bot.core.meter import Budget
    from bot.core.model import Actor, Writer
    from bot.core.order import Field
    from bot.core.outcome import Outcome
    from bot.core.plan import Plan
    from bot.core.snapshot import Snapshot
    from bot.core.trigger import Dispatch
    from bot.core.verdict import Verdict
    from bot.errors import Transient

# The most deliveries in one commit: as many as come in ten seconds at a hundred a second. Its message is 100 KB then.
BATCH = 1_000


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
    budget: Budget = field(default_factory=unlimited, compare=False)
    """The CPU time of one attempt, over all branches and evaluations."""


@dataclass(frozen=True, slots=True)
class Turn:
    """One evaluation of the rules: the requests to decide, in order."""

    requests: Sequence[Request]
    only: str | None = None
    """The one branch to decide for; None: all branches that the requests go to."""
    fresh: bool = False
    """Whether the heads of branches must be read anew, instead of taken from memory."""
    writers: Callable[[str, Collection[str]], Awaitable[Mapping[Field, Writer]]] | None = None
    """Returns who wrote each field last, given a branch and paths."""


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
    later: tuple[str, ...] = ()
    """The deliveries that are not decided yet, as their files did not fit into memory beside the others."""


@dataclass(frozen=True, slots=True)
class Decided:
    """The decisions for all branches that requests go to, the default branch first."""

    destinations: tuple[Destination, ...]
    gathering: Gathering | None = None
    """How dispatches gather by the rules; None if no rules were read."""
    later: tuple[tuple[str, str], ...] = ()
    """(delivery, branch) that are not decided yet: more than BATCH go there, or their files need too much memory."""

    @property
    def decisions(self) -> tuple[Decision, ...]:
        """The decisions for all branches, branch by branch."""
        return tuple(decision for destination in self.destinations for decision in destination.decisions)
