"""What the flows and the front doors need of the world. Adapters implement these; `app.py` puts them together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeVar, TypeVarTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence
    from datetime import datetime

    from bot.core.changeset import Changeset
    from bot.core.glob import Glob
    from bot.core.mapping import Strategy
    from bot.core.message import CheckRun, CommitMessage
    from bot.core.meter import Budget, Meter
    from bot.core.model import Actor, Delivery, Held, Repository, Writer
    from bot.core.outcome import Commit, Landed, Outcome
    from bot.core.report import PutOff, Report, Unsaid
    from bot.core.snapshot import File, Snapshot


T = TypeVar("T")
Ts = TypeVarTuple("Ts")


class Compute(Protocol):
    """Runs the functions of `flows/jobs.py`, so that none of them holds up the event loop."""

    async def run(
        self,
        repository: Repository | None,
        budget: Budget,
        function: Callable[[Meter, *Ts], T],
        *args: *Ts,
    ) -> T:
        """Return `function(meter, *args)`, computed for `repository` (None: for no repository).

        Raises InputError if the budget is used up, Transient if the computation was stopped before that, and whatever
        the function raises.
        """


class Forge(Protocol):
    """The place where repositories live: GitHub, or a plain folder.

    Every method may raise Transient (try again later) or Unavailable (no retry helps before somebody acts).
    """

    @property
    def at_once(self) -> int:
        """How many branches of a repository may be written to at a time."""

    async def ready(self, repository: Repository) -> None:
        """Return when a commit could be made now, as far as limits say."""

    async def open(
        self, repository: Repository, paths: Sequence[str], branch: str = "", *, remembered: bool = False
    ) -> Snapshot:
        """Return the head of `branch` ("" is the default branch) with the files at `paths` as far as they exist.

        With `remembered` it may be what is known of the branch from before; the snapshot says which.
        Raises InputError where there is no such branch.
        """

    async def read(self, snapshot: Snapshot, globs: Sequence[Glob], budget: Budget) -> Snapshot:
        """Return `snapshot`, at the same commit, with every file that one of `globs` matches.

        Raises InputError when a glob matches too many files, or finding them uses `budget` up.
        """

    async def modes(self, snapshot: Snapshot, folders: Sequence[str] | None = None) -> Mapping[str, int]:
        """Return the Git mode of each path in these folders ("" is the root) of a commit; None: in all folders.

        A folder that is not there has no paths. If the commit has too many paths, only those in the root are returned.
        """

    async def organization_file(self, repository: Repository, path: str) -> File | None:
        """Return a file of the `.github` repository of the owner, None where there is none that we may read."""

    async def commit(
        self, repository: Repository, changeset: Changeset, message: CommitMessage, strategy: Strategy = "auto"
    ) -> Commit:
        """Make `changeset` one commit on its branch. Raises StaleHead and Blocked, and then nothing was written.

        After Transient it may have been: see `landed`. A `strategy` that cannot do it is Blocked too, TooManyFiles
        where it could with a part of the files.
        """

    async def landed(self, repository: Repository, branch: str, base: str) -> Landed:
        """Look for commits of ours on `branch` since `base`, by the deliveries in their trailers."""

    async def pushed(self, repository: Repository, branch: str, head: str) -> None:
        """Take the news that a branch moved to `head`, "" that it is gone. Raises nothing."""

    async def report(self, repository: Repository, check_run: CheckRun, at: datetime | None = None) -> None:
        """Create a check run of what ended `at` that time (UTC; None: now). After Transient it may be there."""

    async def reported(self, repository: Repository, check_run: CheckRun, at: datetime) -> bool:
        """Whether the check run of what ended `at` that time is there, by its name and external_id."""


class Journal(Protocol):
    """What a drain writes of its deliveries. Methods that write raise Fenced if a newer drain of the target began."""

    async def attempted(self, deliveries: Sequence[str], along: Sequence[str] = ()) -> None:
        """Count an attempt that begins; it does not count for those that are only taken along."""

    async def released(self, deliveries: Sequence[str], along: Sequence[str] = ()) -> None:
        """Take back that an attempt began."""

    async def postpone(self, pauses: Mapping[str, float], reason: str) -> None:
        """Note for how many seconds unfinished deliveries wait from now on, unless they do for longer, and why."""

    async def pace(self, target: int, reason: str, deliveries: Collection[str] | None = None) -> None:
        """Note why dispatches that are due wait for the next push: those given, or all."""

    async def wait(self, pauses: Mapping[str, float], reason: str) -> None:
        """Set unfinished deliveries aside for so many seconds, or until `resume`, and note why."""

    async def intend(self, branch: str, base: str, fields: Mapping[str, Sequence[tuple[str, str]]]) -> None:
        """Note that a commit is about to be made on `base`, and which (path, field) each delivery writes in it."""

    async def withdraw(self, branch: str, base: str, deliveries: Sequence[str]) -> None:
        """Note that the commit that was about to be made on `base` was not."""

    async def record(self, outcomes: Sequence[Outcome], reports: Sequence[Report] = ()) -> None:
        """Record how deliveries ended on branches; those who committed are the last to have written their fields.

        The `reports` of it are kept until they are said.
        """

    async def writers(
        self, target: int, branch: str, paths: Collection[str], besides: Collection[str] = ()
    ) -> Mapping[tuple[str, str], Writer]:
        """Return who wrote the fields of these files last, by path and field.

        Those whose commits may have landed count, other than `besides`: these are looked for.
        """

    async def finish(
        self, outcomes: Sequence[Outcome], deliveries: Sequence[str], reports: Sequence[Report] = ()
    ) -> None:
        """Record outcomes, and that these deliveries have ended on every branch; all or none.

        The `reports` of it are kept until they are said. Of the bodies of those that have ended only what the mappings
        used stays.
        """


class Reports(Protocol):
    """What is still to be said on GitHub; the journal keeps it with the outcomes."""

    async def of(self, target: int, keys: Collection[tuple[str, str, str]]) -> Sequence[Unsaid]:
        """Return the reports of a repository (its id) whose check runs have these keys."""

    async def installations(self) -> Sequence[int]:
        """Return the installations that have reports which are due; first whose is due for the longest time."""

    async def due(self, installation: int, after: int, limit: int) -> Sequence[Unsaid]:
        """Return reports that are due, the oldest of each repository: first those behind the repository `after`."""

    async def said(self, unsaid: Unsaid) -> None:
        """Forget a report that was said, unless another outcome took its place meanwhile."""

    async def put_off(self, failures: Sequence[PutOff]) -> None:
        """Let reports wait, and note why. Their details are kept as far as there is room."""

    async def rest(self, target: int, seconds: float, reason: str) -> None:
        """Let all reports of a repository wait for so long at least, and note why."""

    async def hurry(self, target: int = 0, installation: int = 0) -> None:
        """Let reports that failed be tried at once: of a repository, of an installation, or, without either, all."""

    async def give_up(self, before: datetime) -> None:
        """Drop the reports that were stored before a time, with a warning for each."""


class Inbox(Protocol):
    """The durable record of deliveries: a delivery is in it before it is answered."""

    @property
    def reports(self) -> Reports:
        """What is still to be said of deliveries."""

    async def add(self, delivery: Delivery, outcome: Outcome | None = None, *, listed: bool = False) -> bool:
        """Store a delivery, already finished if it comes with an outcome; False if its id is known.

        A body that came before under another id is held back, unless the delivery is `listed`: GitHub itself named it.
        Raises Busy if too many are held back already.
        """

    async def state(self, delivery: str) -> str | None:
        """Return `pending` or how the delivery ended; None where the id is unknown."""

    async def reason(self, delivery: Delivery) -> tuple[str, bool]:
        """Return why a delivery with this id and body is in its state ("": no reason), and whether its body is kept."""

    async def due(self, target: int) -> float | None:
        """Return in how many seconds the first unfinished delivery of a target is due, None where there is none."""

    async def pending(self, target: int, limit: int, skip: int = 0) -> Sequence[Delivery]:
        """Return at most `limit` unfinished deliveries of a target, after `skip` others: those that are due come first.

        They are in order of arrival.
        """

    async def targets(self) -> Sequence[int]:
        """Return the targets that have unfinished deliveries that are due."""

    async def begin(self, target: int) -> Journal:
        """Begin a drain of a target: what the drains before it still write is refused from now on."""

    async def resume(self, target: int = 0, installation: int = 0) -> Sequence[int]:
        """Make what waits for a repository or an installation pending again; return the targets.

        Without either: whatever waits, for its next attempt too.
        """

    async def reach(self, targets: Sequence[int], installation: int) -> None:
        """Note that repositories (ids) are reached by another installation than their deliveries came from."""

    async def reopen(self, delivery: Delivery) -> bool:
        """Make a delivery that did not do all it should pending again, with its body; False where it did.

        The branches on which nothing is left to do stay as they ended. False also for a body that came with another
        delivery.
        """


class Holds(Protocol):
    """The deliveries that the inbox holds back because their bodies came before under other ids."""

    async def held(self) -> Sequence[Held]:
        """Return the deliveries that are held back, in order of arrival."""

    async def hold(self, deliveries: Sequence[str], until: datetime) -> None:
        """Note when to look again at deliveries that are held back."""

    async def release(self, deliveries: Sequence[str]) -> None:
        """Let held deliveries go."""

    async def refuse(self, deliveries: Sequence[str], reason: str) -> None:
        """End held deliveries as `ignored`; nothing of their bodies stays."""


class KnownAccounts(Protocol):
    """The accounts that logins were found to mean."""

    async def accounts(self) -> Mapping[str, int]:
        """Return the ids of the accounts that logins (in lower case) were found to mean."""

    async def know_account(self, login: str, account: int) -> None:
        """Note which account a login (in lower case) means, for ever; the first one stays."""


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
