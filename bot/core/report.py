"""What is to be said on GitHub, as it is stored until it is said."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bot.core.message import brief_check_run

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence
    from datetime import datetime

    from bot.core.message import CheckRun, Group
    from bot.core.model import Repository


@dataclass(frozen=True, slots=True)
class Report:
    """A check run that is to be made in `repository`, and the deliveries (ids) whose outcomes it says."""

    repository: Repository
    check_run: CheckRun
    deliveries: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Unsaid:
    """A report that is still to be said."""

    id: int
    """Its row in the inbox."""
    report: Report
    since: datetime
    """When it was stored (UTC, whole seconds)."""
    attempts: int
    """How often it was tried."""
    doubtful: bool
    """A request may have been sent whose answer is not known: the check run may be there."""
    reason: str
    """Why the last attempt failed; "" if none did."""

    @property
    def key(self) -> tuple[str, str, str]:
        """What tells its check run from the others of its repository."""
        return self.report.check_run.key


@dataclass(frozen=True, slots=True)
class PutOff:
    """A report that could not be made now."""

    unsaid: Unsaid
    pause: float
    """The seconds until it is tried again."""
    reason: str
    attempted: bool = True
    """Whether an attempt failed, or it had no turn."""
    doubtful: bool = False
    """A request was sent whose answer is not known: the check run may be there."""
    check_run: CheckRun | None = None
    """The check run to store instead of the brief one, if there is room; None keeps what is stored."""


def brief_reports(
    repository: Repository, groups: Iterable[Group], ended: Collection[str] | None = None
) -> list[Report]:
    """Return brief reports of groups, which name the deliveries that have `ended` (None: all)."""
    reports = []
    for group in groups:
        about = dict.fromkeys(one.delivery for one in group.outcomes if ended is None or one.delivery in ended)
        if about:
            reports.append(Report(repository, brief_check_run(group, ended), tuple(about)))
    return reports


class Telling:
    """Makes the brief reports of outcomes that are recorded a few deliveries at a time."""

    def __init__(self, repository: Repository, groups: Sequence[Group]) -> None:
        self._repository = repository
        self._groups = groups
        self._ended: set[str] = set()

    def of(self, deliveries: Collection[str]) -> list[Report]:
        """Return the reports of these deliveries, which also name the deliveries of their groups that came before."""
        self._ended.update(deliveries)
        touched = [group for group in self._groups if any(outcome.delivery in deliveries for outcome in group.outcomes)]
        return brief_reports(self._repository, touched, self._ended)
