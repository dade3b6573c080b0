"""A webhook's bytes → a Delivery, whether GitHub sent the webhook or the sweep fetched it from GitHub's list."""

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

# A GUID. It becomes a trailer of a commit, so other characters must not get in.
_DELIVERY_ID = re.compile(r"[0-9A-Za-z-]{1,64}")
_EVENT = re.compile(r"[a-z_]{1,64}")


@dataclass(frozen=True, slots=True)
class Arrival:
    """A webhook as it came in."""

    id: str
    """The header `X-GitHub-Delivery`."""
    event: str
    """The header `X-GitHub-Event`."""
    body: bytes
    actor: Actor
    """Who is proven to have sent it, without the sender that the body names."""
    time: datetime
    """When the webhook arrived, or when GitHub sent it if the sweep fetched it (UTC)."""


@dataclass(frozen=True, slots=True)
class Received:
    """What to store of a webhook."""

    delivery: Delivery
    outcome: Outcome | None
    """How the delivery ended on arrival; None: it is pending."""
    account: Account | None
    """The account whose repository or installation it concerns; None if the body does not say."""


def read_webhook(arrival: Arrival) -> Received:
    """Return what to store of a webhook. Raises InputError if it is not a webhook of GitHub's: nothing is stored."""
    if not _DELIVERY_ID.fullmatch(arrival.id) or not _EVENT.fullmatch(arrival.event):
        raise InputError("the headers X-GitHub-Delivery (a GUID) and X-GitHub-Event are needed")
    try:
        payload: Mapping[str, Any] = read_body(arrival.body)
        check_ids(payload)
        body_digest = digest(payload)
    except BadBodyError as error:
        # The body is signed, so the delivery ends as `failed` with an answer of 202. With an answer of 400 GitHub would
        # list it as failed, and every sweep would fetch it again.
        check_ids(error.payload)
        # The actor stays without the sender that the body names: its login may be what is wrong with the body.
        delivery = _delivery(arrival, arrival.actor, error.payload)
        return Received(delivery, Outcome(arrival.id, "failed", str(error)), account(error.payload))
    delivery = _delivery(arrival, _named(arrival.actor, payload), payload)
    body = arrival.body if arrival.event == trigger.DISPATCH else trigger.essential(payload)
    delivery = replace(delivery, body=body, digest=body_digest)
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
    """Return the actor with the sender that the signed body names."""
    sender = payload.get("sender")
    if not isinstance(sender, dict):
        return actor
    login = sender.get("login")
    return replace(actor, login=login if isinstance(login, str) else "", id=sender.get("id"))
