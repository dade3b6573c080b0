"""What is asked for and what is decided, as it is handed on from one step of the flow to the next."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bot.core.mapping import CommitSettings
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
    budget: Budget = field(default_factory=unlimited, compare=False)
    """What may be spent on computing for it, over all branches and evaluations of one attempt."""


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
    later: tuple[str, ...] = ()
    """The deliveries that are not decided yet, as their files did not fit into memory beside the others."""


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
