"""A webhook's bytes → a Delivery: the same whether GitHub sent it or the sweep found it in GitHub's list."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from bot.core import trigger
from bot.core.model import Delivery
from bot.core.outcome import Outcome
from bot.errors import InputError

if TYPE_CHECKING:
    from datetime import datetime

    from bot.core.model import Actor

# A GUID; it becomes a trailer of a commit, so nothing else may come in here.
_DELIVERY_ID = re.compile(r"[0-9A-Za-z-]{1,64}")
_EVENT = re.compile(r"[a-z_]{1,64}")


def received(
    delivery_id: str, event: str, body: bytes, actor: Actor, origin: datetime
) -> tuple[Delivery, Outcome | None]:
    """Return what to store: the delivery, and how it ended where nothing is left to do for it (None: it is pending).

    `delivery_id` and `event` are the headers `X-GitHub-Delivery` and `X-GitHub-Event`, `body` the JSON that came with
    them, `actor` who is proven to have sent it; the sender that the body names is added. `origin` is when it came
    about (UTC). Raises InputError for what is no webhook: nothing can be stored of it.
    """
    if not _DELIVERY_ID.fullmatch(delivery_id) or not _EVENT.fullmatch(event):
        raise InputError("the headers X-GitHub-Delivery (a GUID) and X-GitHub-Event are needed")
    payload = _payload(body)
    delivery = Delivery(
        id=delivery_id,
        event=event,
        actor=_named(actor, payload),
        target=trigger.repository_id(payload),
        body=body,
        origin=trigger.created(delivery_id, origin),
        installation=trigger.installation_id(payload),
    )
    return delivery, _ended(delivery, payload)


def _ended(delivery: Delivery, payload: dict[str, Any]) -> Outcome | None:
    try:
        understood = trigger.parse(delivery.event, payload)
    except InputError as error:
        return Outcome(delivery.id, "failed", str(error))
    if isinstance(understood, trigger.Ignored):
        return Outcome(delivery.id, "ignored", understood.reason)
    return None


def _payload(body: bytes) -> dict[str, Any]:
    try:
        payload = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise InputError("the body is not JSON; set the webhook's content type to application/json") from error
    if not isinstance(payload, dict):
        raise InputError("the body is not a JSON object")
    return payload


def _named(actor: Actor, payload: dict[str, Any]) -> Actor:
    """Add the sender: GitHub says who it is in what it vouches for."""
    sender = payload.get("sender")
    if not isinstance(sender, dict):
        return actor
    sender_id = sender.get("id")
    return replace(actor, login=str(sender.get("login", "")), id=sender_id if isinstance(sender_id, int) else None)
