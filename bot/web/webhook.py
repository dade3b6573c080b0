"""`POST /webhook`: verify, store, answer, wake. What a delivery asks for is done in the background."""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog
from aiohttp import web

from bot.errors import InputError
from bot.flows.receive import received
from bot.web.errors import answer_error
from bot.web.keys import BODIES, CLOCK, ENGINE, INBOX, VERIFY_WEBHOOK

if TYPE_CHECKING:
    from bot.core.model import Delivery
    from bot.core.outcome import Outcome

log = structlog.get_logger(__name__)

routes = web.RouteTableDef()


@routes.post("/webhook")
async def webhook(request: web.Request) -> web.Response:
    """Take one webhook of GitHub's.

    202 with `{"delivery": …, "outcome": …}` (`pending`, `ignored` with its reason, or how a repeated one ended);
    401 without a valid signature, 400 for what is no webhook, and what `Bodies.read` refuses: then nothing is stored.
    """
    async with request.app[BODIES].read(request) as body:
        return await _receive(request, body)


async def _receive(request: web.Request, body: bytes) -> web.Response:
    actor = request.app[VERIFY_WEBHOOK](request.headers, body)
    if actor is None:
        raise answer_error(401, "the signature in X-Hub-Signature-256 does not fit the body and WEBHOOK_SECRET")
    delivery_id, event = request.headers.get("X-GitHub-Delivery", ""), request.headers.get("X-GitHub-Event", "")
    try:
        delivery, outcome = received(delivery_id, event, body, actor, request.app[CLOCK]())
    except InputError as error:
        raise answer_error(400, str(error)) from error
    structlog.contextvars.bind_contextvars(delivery=delivery.id)
    return await _take(request.app, delivery, outcome)


async def _take(app: web.Application, delivery: Delivery, outcome: Outcome | None) -> web.Response:
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
