"""`GET /healthz` and `GET /readyz`, for whoever keeps the process running."""

from __future__ import annotations

import structlog
from aiohttp import web

from bot.web.keys import INBOX

log = structlog.get_logger(__name__)

routes = web.RouteTableDef()


@routes.get("/healthz")
async def healthz(_: web.Request) -> web.Response:
    """200 as long as the event loop turns."""
    return web.json_response({"status": "ok"})


@routes.get("/readyz")
async def readyz(request: web.Request) -> web.Response:
    """200 when deliveries can be stored, 503 when not: then GitHub should reach another process."""
    try:
        targets = await request.app[INBOX].targets()
    except Exception:
        log.exception("not ready")
        return web.json_response({"status": "the inbox does not answer"}, status=503)
    return web.json_response({"status": "ok", "targets_with_work": len(targets)})
