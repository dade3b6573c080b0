"""What the flows and the front doors need of the world. Adapters implement these; `app.py` puts them together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from bot.core.changeset import Changeset
    from bot.core.glob import Glob
    from bot.core.message import CheckRun, CommitMessage
    from bot.core.model import Actor, Delivery, Repository
    from bot.core.outcome import Commit, Outcome
    from bot.core.snapshot import File, Snapshot


class Forge(Protocol):
    """The place where repositories live: GitHub, or a plain folder.

    Every method may raise Transient (try again later) or Unavailable (no retry helps before somebody acts).
    """

    async def open(self, repository: Repository, paths: Sequence[str], branch: str = "") -> Snapshot:
        """Return the head of `branch` ("" is the default branch) with the files at `paths` as far as they exist.

        Raises InputError where there is no such branch.
        """

    async def read(self, snapshot: Snapshot, globs: Sequence[Glob]) -> Snapshot:
        """Return `snapshot`, at the same commit, with every file that one of `globs` matches."""

    async def organization_file(self, repository: Repository, path: str) -> File | None:
        """Return a file of the `.github` repository of the owner, None where there is none that we may read."""

    async def commit(self, repository: Repository, changeset: Changeset, message: CommitMessage) -> Commit:
        """Make `changeset` one commit on its branch. Raises StaleHead and Blocked, and then nothing was written."""

    async def report(self, repository: Repository, check_run: CheckRun) -> None:
        """Create a check run."""


class Inbox(Protocol):
    """The durable record of deliveries: a delivery is in it before it is answered."""

    async def add(self, delivery: Delivery, outcome: Outcome | None = None) -> bool:
        """Store a delivery, already finished if it comes with an outcome; False if its id is known."""

    async def state(self, delivery: str) -> str | None:
        """Return `pending` or how the delivery ended; None where the id is unknown."""

    async def pending(self, target: int, limit: int) -> Sequence[Delivery]:
        """Return the unfinished deliveries of a target, oldest first, at most `limit`."""

    async def targets(self) -> Sequence[int]:
        """Return the targets that have unfinished deliveries."""

    async def attempted(self, deliveries: Sequence[str]) -> None:
        """Count an attempt that begins."""

    async def postpone(self, deliveries: Sequence[str], reason: str) -> None:
        """Note why unfinished deliveries wait."""

    async def reopen(self, delivery: Delivery) -> bool:
        """Make a delivery that did not do all it should pending again, with its body; False where it did.

        The branches on which nothing is left to do stay as they ended.
        """

    async def finish(self, outcomes: Sequence[Outcome], deliveries: Sequence[str]) -> None:
        """Record outcomes, and that these deliveries have ended on every branch; all or none.

        The bodies of those that have ended are dropped.
        """


class Engine(Protocol):
    """Schedules `drain(target)`."""

    def wake(self, target: int) -> None:
        """Say that there is work for `target`; returns at once."""


class VerifyWebhook(Protocol):
    """Proof of where a webhook comes from."""

    def __call__(self, headers: Mapping[str, str], body: bytes) -> Actor | None:
        """Return who sent it, None where the signature does not hold."""


class Clock(Protocol):
    """The time of day."""

    def __call__(self) -> datetime:
        """Return now, in UTC and aware of it."""
