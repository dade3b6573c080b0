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
    """A report that is still to be said, and its `id` in the inbox.

    `since` is when it was stored (UTC, whole seconds), `attempts` how often it was tried, `reason` why the last attempt
    failed. `doubtful`: a request may have been sent whose answer is not known, so the check run may be there.
    """

    id: int
    report: Report
    since: datetime
    attempts: int
    doubtful: bool
    reason: str

    @property
    def key(self) -> tuple[str, str, str]:
        """What tells its check run from the others of its repository."""
        return self.report.check_run.key


@dataclass(frozen=True, slots=True)
class PutOff:
    """A report that waits for `pause` more seconds, and why; `attempted` says that this was an attempt that failed.

    `check_run` is to be stored in place of the one that is; None keeps that one.
    """

    unsaid: Unsaid
    pause: float
    reason: str
    attempted: bool = True
    doubtful: bool = False
    check_run: CheckRun | None = None


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
    """What is to be said of outcomes that are recorded some at a time."""

    def __init__(self, repository: Repository, groups: Sequence[Group]) -> None:
        self._repository = repository
        self._groups = groups
        self._ended: set[str] = set()

    def of(self, deliveries: Collection[str]) -> list[Report]:
        """Return the reports that these deliveries change: they name those before that end in the same way too."""
        self._ended.update(deliveries)
        touched = [group for group in self._groups if any(outcome.delivery in deliveries for outcome in group.outcomes)]
        return brief_reports(self._repository, touched, self._ended)
