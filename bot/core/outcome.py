"""How a delivery ended."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    from bot.core.changeset import Changeset
    from bot.core.plan import Plan
    from bot.core.verdict import Verdict
    from bot.errors import Problem

State: TypeAlias = Literal["committed", "no_change", "ignored", "denied", "held", "blocked", "failed", "dead"]


@dataclass(frozen=True, slots=True)
class Commit:
    """A commit on GitHub (or, in a plain folder, files written: then without an oid).

    `parent` is the commit it was really made on: the Contents API alone does not let us demand one.
    """

    oid: str
    url: str
    parent: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one delivery ended, and what was decided on the way as far as it got.

    `reason` is one sentence or several, a line each, for a person; `problems` are those of them that have a place in a
    file. `head` is the commit that the decision was made on, "" where none was read.
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
