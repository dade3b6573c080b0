"""A webhook's bytes → a Delivery: the same whether GitHub sent it or the sweep found it in GitHub's list."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from bot.core import trigger
from bot.core.body import BadBodyError, digest, read_body
from bot.core.ids import account, check_ids
from bot.core.model import Delivery
from bot.core.outcome import Outcome
from bot.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from bot.core.model import Account, Actor

# A GUID; it becomes a trailer of a commit, so nothing else may come in here.
_DELIVERY_ID = re.compile(r"[0-9A-Za-z-]{1,64}")
_EVENT = re.compile(r"[a-z_]{1,64}")


@dataclass(frozen=True, slots=True)
class Arrival:
    """A webhook as it came in."""

    # The headers `X-GitHub-Delivery` and `X-GitHub-Event`.
    id: str
    event: str
    # The JSON that came with them.
    body: bytes
    # Who is proven to have sent it; the sender that the body names is added.
    actor: Actor
    # When it came about (UTC).
    time: datetime


@dataclass(frozen=True, slots=True)
class Received:
    """What came in, understood as far as it takes to store it."""

    delivery: Delivery
    # How the delivery ended, if nothing is left to do for it; None: it is pending.
    outcome: Outcome | None
    # Whose it is; None if the body does not tell.
    account: Account | None


def read_webhook(arrival: Arrival) -> Received:
    """Return what to store of a webhook. Raises InputError for what is no webhook: nothing can be stored of it."""
    if not _DELIVERY_ID.fullmatch(arrival.id) or not _EVENT.fullmatch(arrival.event):
        raise InputError("the headers X-GitHub-Delivery (a GUID) and X-GitHub-Event are needed")
    try:
        payload: Mapping[str, Any] = read_body(arrival.body)
        check_ids(payload)
        told = digest(payload)
    except BadBodyError as error:
        # GitHub vouches for it, so it is answered with how it ended: refused, GitHub would list it as failed, and every
        # sweep would meet it again.
        check_ids(error.payload)
        # The sender's login may be what is wrong with it.
        delivery = _delivery(arrival, arrival.actor, error.payload)
        return Received(delivery, Outcome(arrival.id, "failed", str(error)), account(error.payload))
    delivery = _delivery(arrival, _named(arrival.actor, payload), payload)
    body = arrival.body if arrival.event == trigger.DISPATCH else trigger.essential(payload)
    delivery = replace(delivery, body=body, digest=told)
    return Received(delivery, _ended(delivery, payload), account(payload))


def _delivery(arrival: Arrival, actor: Actor, payload: Mapping[str, Any]) -> Delivery:
    return Delivery(
        id=arrival.id,
        event=arrival.event,
        actor=actor,
        target=trigger.repository_id(payload),
        body=b"",
        origin=trigger.created(arrival.id, arrival.time),
        installation=trigger.installation_id(payload),
    )


def _ended(delivery: Delivery, payload: Mapping[str, Any]) -> Outcome | None:
    try:
        understood = trigger.parse(delivery.event, payload)
    except InputError as error:
        return Outcome(delivery.id, "failed", str(error))
    if isinstance(understood, trigger.Ignored):
        return Outcome(delivery.id, "ignored", understood.reason)
    return None


def _named(actor: Actor, payload: Mapping[str, Any]) -> Actor:
    """Add the sender: GitHub says who it is in what it vouches for."""
    sender = payload.get("sender")
    if not isinstance(sender, dict):
        return actor
    login = sender.get("login")
    return replace(actor, login=login if isinstance(login, str) else "", id=sender.get("id"))
