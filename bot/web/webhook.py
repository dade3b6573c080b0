"""`POST /webhook`: verify, store, answer, wake. The delivery itself is carried out in the background."""

from __future__ import annotations

from aiohttp import web

from bot.errors import Busy, InputError
from bot.flows.receive import Arrival
from bot.web.errors import answer_error
from bot.web.keys import BODIES, CLOCK, INTAKE, VERIFY_WEBHOOK

routes = web.RouteTableDef()


@routes.post("/webhook")
async def webhook(request: web.Request) -> web.Response:
    """Take one webhook of GitHub's.

    The answer is 202 with `{"delivery": …, "outcome": …}` (`pending`, `ignored` with its reason, or how a repeated
    delivery ended). Nothing is stored with any other answer: 401 without a valid signature, 400 if it is not a webhook
    of GitHub's, 503 if it can only be taken later, or an answer that `Bodies.read` raises.
    """
    async with request.app[BODIES].read(request) as body:
        return await _receive(request, body)


async def _receive(request: web.Request, body: bytes) -> web.Response:
    actor = request.app[VERIFY_WEBHOOK](request.headers, body)
    if actor is None:
        raise answer_error(401, "the signature in X-Hub-Signature-256 does not fit the body and WEBHOOK_SECRET")
    delivery_id, event = request.headers.get("X-GitHub-Delivery", ""), request.headers.get("X-GitHub-Event", "")
    try:
        arrival = Arrival(delivery_id, event, body, actor, request.app[CLOCK]())
        taken = await request.app[INTAKE].accept(arrival)
    except InputError as error:
        raise answer_error(400, str(error)) from error
    except Busy as error:
        # Not raised as an error, which would be logged each time: the intake logs it once an hour.
        return web.json_response({"error": str(error)}, status=503, headers={"Retry-After": "60"})
    answer = {"delivery": taken.delivery, "outcome": taken.state}
    return web.json_response({**answer, "reason": taken.reason} if taken.reason else answer, status=202)
