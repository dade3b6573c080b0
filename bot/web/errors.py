"""Errors as answers: JSON with one sentence, never a traceback."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING
from weakref import WeakSet

import structlog
from aiohttp import web

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

log = structlog.get_logger(__name__)

_BY_STATUS: dict[int, type[web.HTTPException]] = {
    400: web.HTTPBadRequest,
    401: web.HTTPUnauthorized,
    408: web.HTTPRequestTimeout,
    415: web.HTTPUnsupportedMediaType,
    503: web.HTTPServiceUnavailable,
}


# Whoever sets the webhook's URL without its path sees this on GitHub's page, among the App's deliveries.
_WRONG_PATH = "webhooks are taken at /webhook: set https://YOUR-HOST/webhook on the App's settings page"
# The applications that a webhook came to at a wrong path, for a warning each.
_warned = WeakSet[web.Application]()


def answer_error(status: int, sentence: str) -> web.HTTPException:
    """Return an exception that aiohttp answers with `status` and `{"error": sentence}`."""
    text = json.dumps({"error": sentence})
    if status == 413:
        return web.HTTPRequestEntityTooLarge(0, text=text, content_type="application/json")
    return _BY_STATUS[status](text=text, content_type="application/json")


@web.middleware
async def errors(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Log refused requests, and answer an unexpected error with a 500 that tells no details."""
    structlog.contextvars.clear_contextvars()
    try:
        return await handler(request)
    except web.HTTPException as error:
        # aiohttp's own have a plain text: no such route, method not allowed.
        reason = json.loads(error.text or "{}")["error"] if error.content_type == "application/json" else error.reason
        # Scanners on the internet ask for routes that do not exist.
        is_notable = error.status not in {404, 405}
        if error.status == 404 and _is_webhook(request):
            reason, is_notable = _WRONG_PATH, request.app not in _warned
            _warned.add(request.app)
        if error.status >= 400:
            level = log.warning if is_notable else log.info
            level("refused", method=request.method, path=request.path, status=error.status, reason=reason)
        # Not raised again: its traceback would keep the body in memory until the connection is closed.
        headers = {name: error.headers[name] for name in ("Allow",) if name in error.headers}
        return web.json_response({"error": reason}, status=error.status, headers=headers)
    except Exception:
        log.exception("unexpected error", method=request.method, path=request.path)
        return web.json_response({"error": "an unexpected error; the log has the details"}, status=500)


def _is_webhook(request: web.Request) -> bool:
    return request.method == "POST" and (request.path == "/" or "X-GitHub-Event" in request.headers)
