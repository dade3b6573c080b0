"""GitHub's own list of the deliveries to the App: what it says, and in which order it is gone through."""

from __future__ import annotations

from dataclasses import dataclass, field
from http import HTTPStatus
from itertools import zip_longest
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Collection, Sequence
    from datetime import datetime


@dataclass(frozen=True, slots=True)
class Listed:
    """One attempt at a delivery, as GitHub lists it.

    `id` is the attempt's own, `guid` the `X-GitHub-Delivery`, which a redelivery shares; `delivered_at` is when GitHub
    sent it (UTC), `status` the HTTP status that it was answered with (0: none yet). `installation` and `repository` are
    ids, 0 for none. `page` is where the page of the list is that has it.
    """

    id: int
    guid: str
    event: str
    delivered_at: datetime
    status: int
    redelivery: bool
    installation: int
    repository: int
    page: str = field(default="", compare=False)

    @property
    def answered(self) -> bool:
        """Whether somebody took it: an answer is given when the delivery is stored."""
        return HTTPStatus.OK <= self.status < HTTPStatus.MULTIPLE_CHOICES


class Deliveries(Protocol):
    """GitHub's list of the App's deliveries. Both methods may raise Transient and Unavailable."""

    def since(self, time: datetime, page: str = "") -> AsyncGenerator[Listed, None]:
        """Yield the attempts made since `time` (UTC), the newest first; with `page` those from there on."""

    async def payload(self, listed_id: int) -> dict[str, Any]:
        """Return the JSON object that an attempt sent. Raises Unreadable if it is not one."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """A part of the list: what was sent since a time, from a page on ("" is the first one)."""

    since: datetime
    page: str = ""
    # GUIDs that newer parts of the list have as taken: a redelivery is far from the first attempt.
    answered: frozenset[str] = frozenset()


def in_turn(missed: Sequence[Listed], last: Collection[int] = ()) -> list[Listed]:
    """Return deliveries so that each installation has one in turn, from its oldest; those in `last` come last.

    One account may have been sent a thousand while the bot was down: another one's must not wait behind them.
    """
    queues: dict[int, list[Listed]] = {}
    for listed in missed:
        queues.setdefault(listed.installation, []).append(listed)
    healthy = [queue for installation, queue in queues.items() if installation not in last]
    failing = [queue for installation, queue in queues.items() if installation in last]
    return [
        listed
        for group in (healthy, failing)
        for round_ in zip_longest(*group)
        for listed in round_
        if listed is not None
    ]
