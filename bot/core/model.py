"""The nouns that several decisions share. Plain frozen data; where each comes from is in `docs/architecture.md`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Self, TypeAlias

if TYPE_CHECKING:
    from datetime import datetime

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"
Scalar: TypeAlias = bool | int | float | str | None


class Number(float):
    """A number with a fraction or an exponent, as it was written: `1.10` stays `1.10` where it is rendered or set.

    `Number("1.10")` equals 1.1, hashes and counts as it does; `str` gives the text, `json.dumps` the float. Raises
    ValueError for a text that `float` does not read.
    """

    written: str

    def __new__(cls, written: str) -> Self:
        """Read the text of a number and keep it."""
        number = super().__new__(cls, written)
        number.written = written
        return number

    def __str__(self) -> str:
        return self.written

    def __getnewargs__(self) -> tuple[str]:  # type: ignore[override]  # what __new__ takes here is the text
        return (self.written,)


@dataclass(frozen=True, slots=True)
class Repository:
    """A repository on GitHub. Keyed by `id`: names change."""

    id: int
    full_name: str
    default_branch: str
    installation: int

    @property
    def owner(self) -> str:
        """The part of `full_name` before the slash."""
        return self.full_name.partition("/")[0]

    @property
    def name(self) -> str:
        """The part of `full_name` after the slash."""
        return self.full_name.partition("/")[2]


@dataclass(frozen=True, slots=True)
class Actor:
    """Who asks, proven. Only `identity/` (and the command line, for its own user) makes one.

    `via` is the proof: a webhook's verified signature, or the operator at the terminal.
    """

    via: Literal["webhook", "terminal"]
    login: str
    id: int | None = None


@dataclass(frozen=True, slots=True)
class Account:
    """A user or an organization on GitHub. Known by its `id`: logins change, and are given to others."""

    id: int
    login: str


@dataclass(frozen=True, slots=True)
class Delivery:
    """One request, stored before it is answered.

    `id` is the `X-GitHub-Delivery` GUID, `event` the `X-GitHub-Event` name, `body` the raw JSON as received,
    `target` the id of the repository it concerns, `origin` when it was received (UTC), `attempts` how often it was
    taken up, `interrupted` how often in a row the process ended over it, `waits` how often in a row it was set aside
    because GitHub refused it, `ended` the branches on which it has ended.
    `wait` is how many seconds are left until it is to be tried again, 0 if it is due; `paced_since` is since when it
    waits for the rhythm of pushes (seconds since the epoch), None if it does not. `seq` rises in order of arrival.
    `installation` is the id of the App's installation (0: none). `digest` is that of the body as it was received
    (`core/body.py`), None for what came before digests were kept. `intents` are (branch, base commit) of commits that
    were begun for it and may have landed. `forced`: it is carried out though a newer one wrote the same fields.
    """

    id: str
    event: str
    actor: Actor
    target: int
    body: bytes
    origin: datetime
    attempts: int = 0
    interrupted: int = 0
    waits: int = 0
    ended: frozenset[str] = frozenset()
    installation: int = 0
    intents: frozenset[tuple[str, str]] = frozenset()
    forced: bool = False
    wait: float = 0.0
    paced_since: float | None = None
    seq: int = field(default=0, compare=False)
    digest: bytes | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Held:
    """A delivery that is pending, but held back: its body came before, under another id.

    `since` is when it was received, `until` when to look again whether it may go (both UTC).
    """

    delivery: str
    event: str
    target: int
    since: datetime
    until: datetime


@dataclass(frozen=True, slots=True)
class Writer:
    """Which delivery wrote a field last, and when that one came about (UTC)."""

    delivery: str
    origin: datetime


@dataclass(frozen=True, slots=True)
class Result:
    """One named condition or rule and how it came out: a tree whose inner nodes combine their children.

    `name` is the condition as a person would say it (`docker_image_tag matches .*-dev`), `why` the fact that decided
    it (`it is '1.4.2-stable'`). Check run, dry run and JSON derive from the same tree.
    """

    name: str
    holds: bool
    why: str = ""
    children: tuple[Result, ...] = ()

    @property
    def decisive(self) -> tuple[Result, ...]:
        """The facts that made it come out so: the leaves below it that came out as all above them did."""
        below = [leaf for child in self.children if child.holds == self.holds for leaf in child.decisive]
        return tuple(below) or (self,)
