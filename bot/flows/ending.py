"""How decided requests ended on a branch, by what became of its commit."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from bot.core.model import Writer
from bot.core.outcome import Outcome

if TYPE_CHECKING:
    from bot.core.changeset import Changeset
    from bot.core.order import Field
    from bot.core.outcome import Commit, State
    from bot.errors import Blocked
    from bot.flows.decisions import Decision, Destination


def fields(changeset: Changeset) -> list[tuple[str, str]]:
    """Return what a changeset writes: (path, field)."""
    return [(path, span.field) for path, change in changeset.files.items() for span in change.spans]


def wrote(destination: Destination) -> dict[Field, Writer]:
    """Return who wrote what in a commit."""
    return {
        field: Writer(decision.request.delivery, decision.request.origin)
        for decision in destination.decisions
        if decision.outcome is None and decision.changeset is not None and decision.request.origin is not None
        for field in fields(decision.changeset)
    }


def _asked(decision: Decision, state: State) -> tuple[Field, ...]:
    """Return the fields that are in the end as a delivery wanted them, though no commit of its own tells."""
    if decision.changeset is None or state not in {"committed", "no_change"}:
        return ()
    return (*decision.changeset.same, *(fields(decision.changeset) if state == "no_change" else ()))


def blocked(decision: Decision, destination: Destination, error: Blocked) -> Outcome:
    """Return the outcome for what was refused, or had nothing to change beside what was."""
    if decision.outcome is not None and decision.outcome.state == "no_change":
        decision = replace(decision, outcome=None)
    return outcome(decision, destination, None, "blocked", str(error))


def outcome(
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
        asked=_asked(decision, state),
    )
