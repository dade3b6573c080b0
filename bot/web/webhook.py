"""`POST /webhook`: verify, store, answer, wake. What a delivery asks for is done in the background."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import structlog
from aiohttp import web

from bot.core import trigger
from bot.core.model import Delivery
from bot.core.outcome import Outcome
from bot.errors import InputError
from bot.web.errors import answer_error
from bot.web.keys import CLOCK, ENGINE, INBOX, VERIFY_WEBHOOK

if TYPE_CHECKING:
    from bot.core.model import Actor

log = structlog.get_logger(__name__)

# GitHub does not deliver more: https://docs.github.com/en/webhooks/webhook-events-and-payloads#payload-cap
MAX_BODY = 25 * 1024 * 1024

# A GUID; it becomes a trailer of a commit, so nothing else may come in here.
_DELIVERY_ID = re.compile(r"[0-9A-Za-z-]{1,64}")
_EVENT = re.compile(r"[a-z_]{1,64}")

routes = web.RouteTableDef()


@routes.post("/webhook")
async def webhook(request: web.Request) -> web.Response:
    """Take one webhook of GitHub's.

    202 with `{"delivery": …, "outcome": …}` (`pending`, `ignored` with its reason, or how a repeated one ended);
    401 without a valid signature, 400 for what is no webhook, 413 over MAX_BODY: then nothing is stored.
    """
    body = await _read(request)
    actor = request.app[VERIFY_WEBHOOK](request.headers, body)
    if actor is None:
        raise answer_error(401, "the signature in X-Hub-Signature-256 does not fit the body and WEBHOOK_SECRET")
    delivery_id, event = request.headers.get("X-GitHub-Delivery", ""), request.headers.get("X-GitHub-Event", "")
    if not _DELIVERY_ID.fullmatch(delivery_id) or not _EVENT.fullmatch(event):
        raise answer_error(400, "the headers X-GitHub-Delivery (a GUID) and X-GitHub-Event are needed")
    structlog.contextvars.bind_contextvars(delivery=delivery_id)
    payload = _payload(body)
    delivery = Delivery(
        id=delivery_id,
        event=event,
        actor=_named(actor, payload),
        target=trigger.repository_id(payload),
        body=body,
        origin=request.app[CLOCK](),
    )
    return await _take(request.app, delivery, payload)


async def _take(app: web.Application, delivery: Delivery, payload: dict[str, Any]) -> web.Response:
    outcome = None
    try:
        understood = trigger.parse(delivery.event, payload)
    except InputError as error:
        outcome = Outcome(delivery.id, "failed", str(error))
    else:
        if isinstance(understood, trigger.Ignored):
            outcome = Outcome(delivery.id, "ignored", understood.reason)
    if not await app[INBOX].add(delivery, outcome):
        return await _take_again(app, delivery)
    log.info(
        "received", event_name=delivery.event, target=delivery.target, outcome=outcome.state if outcome else "pending"
    )
    if outcome is None:
        app[ENGINE].wake(delivery.target)
        return _accepted(delivery.id, "pending")
    return _accepted(delivery.id, outcome.state, outcome.reason)


async def _take_again(app: web.Application, delivery: Delivery) -> web.Response:
    """Answer a redelivery: it wakes what is unfinished, and gives what ended without effect another try.

    Somebody asks for it, on GitHub's page or by its API, after mending what was wrong; GitHub never does so by itself.
    """
    reopened = await app[INBOX].reopen(delivery)
    state = await app[INBOX].state(delivery.id) or "pending"
    log.info("received again", event_name=delivery.event, state=state, reopened=reopened)
    if state == "pending":
        app[ENGINE].wake(delivery.target)
    return _accepted(delivery.id, state, "received before; taken up again" if reopened else "received before")


def _accepted(delivery: str, outcome: str, reason: str | None = None) -> web.Response:
    answer = {"delivery": delivery, "outcome": outcome}
    return web.json_response({**answer, "reason": reason} if reason else answer, status=202)


async def _read(request: web.Request) -> bytes:
    try:
        return await request.read()
    except web.HTTPRequestEntityTooLarge as error:
        raise answer_error(413, f"the body is larger than {MAX_BODY:,} bytes, GitHub's own limit") from error


def _payload(body: bytes) -> dict[str, Any]:
    try:
        payload = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise answer_error(400, "the body is not JSON; set the webhook's content type to application/json") from error
    if not isinstance(payload, dict):
        raise answer_error(400, "the body is not a JSON object")
    return payload


def _named(actor: Actor, payload: dict[str, Any]) -> Actor:
    """Add the sender: GitHub says who it is in what it signed."""
    sender = payload.get("sender")
    if not isinstance(sender, dict):
        return actor
    sender_id = sender.get("id")
    return replace(actor, login=str(sender.get("login", "")), id=sender_id if isinstance(sender_id, int) else None)
