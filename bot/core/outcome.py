"""How a delivery ended."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bot.core.changeset import Changeset
    from bot.core.plan import Plan
    from bot.core.verdict import Verdict
    from bot.errors import Problem

State: TypeAlias = Literal["committed", "no_change", "ignored", "denied", "held", "blocked", "failed", "dead"]

# In characters. A reason is stored, logged and shown, and payloads choose what it quotes.
MAX_REASON = 16_000
# As many of them are left for the sentence that says how many are missing.
_NOTE = 100

# Of several branches the one that most needs somebody's eyes says how the delivery ended.
_URGENCY: tuple[State, ...] = ("dead", "failed", "blocked", "denied", "held", "committed", "no_change", "ignored")


@dataclass(frozen=True, slots=True)
class Commit:
    """A commit on GitHub (or, in a plain folder, files written: then without an oid).

    `parent` is the commit it was really made on: the Contents API alone does not let us demand one.
    """

    oid: str
    url: str
    parent: str


@dataclass(frozen=True, slots=True)
class Landed:
    """What is on a branch at `head` since a base commit: for each delivery in a trailer of ours, its commit.

    `whole` says that all commits since the base were looked at; it is False where the base is no ancestor any more.
    """

    head: str
    commits: Mapping[str, Commit]
    whole: bool = True


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one delivery ended on one branch, and what was decided on the way as far as it got.

    `reason` is one sentence or several, a line each, for a person; `problems` are those of them that have a place in a
    file. `head` is the commit that the decision was made on, "" where none was read; `branch` is "" where it ended
    before any branch was looked at. `asked` are (path, field) that were there as the delivery wanted them, or came out
    so by what others wrote with it. `waited` says how long it waited for the rhythm of pushes, and why.
    """

    delivery: str
    state: State
    reason: str
    head: str = ""
    plan: Plan | None = None
    changeset: Changeset | None = None
    verdict: Verdict | None = None
    commit: Commit | None = None
    problems: tuple[Problem, ...] = ()
    branch: str = ""
    asked: tuple[tuple[str, str], ...] = ()
    waited: str = ""

    def __post_init__(self) -> None:
        """Cut a reason that nobody would read to its end."""
        object.__setattr__(self, "reason", _cut(self.reason))


def summary(effects: Sequence[tuple[str, State, str]]) -> tuple[State, str]:
    """Return how a delivery ended as a whole, and why: out of (branch, state, reason) of each of its effects."""
    state = min((state for _, state, _ in effects), key=_URGENCY.index)
    if len(effects) == 1:
        return state, effects[0][2]
    return state, _cut("\n".join(f"{branch or 'all'}: {one}: {reason}" for branch, one, reason in effects))


def _cut(reason: str) -> str:
    if len(reason) <= MAX_REASON:
        return reason
    kept = reason[: MAX_REASON - _NOTE]
    return f"{kept}…\n{len(reason) - len(kept):,} more characters are left out"
