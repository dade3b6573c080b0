"""`GET /healthz` and `GET /readyz`, for the orchestrator that keeps the process running."""

from __future__ import annotations

import structlog
from aiohttp import web

log = structlog.get_logger(__name__)

routes = web.RouteTableDef()


class Health:
    """What the process knows of its own health. Background tasks (`web/watch.py`) note it, and `/readyz` shows it.

    The process is ready if deliveries can be stored. A degradation is only shown: one tenant can slow down every
    replica, and all of them would be taken out of service at once.
    """

    def __init__(self) -> None:
        # Why no delivery can be stored, None if they can.
        self._not_storable: str | None = "starting"
        self._stopping = False
        # A sentence for each degradation, by its name. Strangers may read the sentences, so they name no repository.
        self._degraded: dict[str, str] = {}

    @property
    def reason(self) -> str | None:
        """Why no delivery can be stored, None if they can."""
        return "stopping" if self._stopping else self._not_storable

    @property
    def degraded(self) -> dict[str, str]:
        """A sentence for each degradation, by its name."""
        return dict(self._degraded)

    def stored(self) -> None:
        """Note that a write to the database succeeded."""
        if self._not_storable not in {None, "starting"}:
            log.info("deliveries can be stored again")
        self._not_storable = None

    def not_stored(self, reason: str, error: str = "") -> None:
        """Note that a write failed. `reason` is shown to everybody, `error` is for the log."""
        if self._not_storable != reason:
            log.error("deliveries cannot be stored", reason=reason, error=error)
        self._not_storable = reason

    def stop(self) -> None:
        """Note that the process ends and takes no more webhooks."""
        self._stopping = True

    def degrade(self, name: str, sentence: str) -> None:
        """Note a degradation; the log says when it begins."""
        if name not in self._degraded:
            log.warning("degraded", what=name, reason=sentence)
        self._degraded[name] = sentence

    def recover(self, name: str) -> None:
        """Note that a degradation has ended; the log says so if there was one."""
        if self._degraded.pop(name, None) is not None:
            log.info("recovered", what=name)


HEALTH = web.AppKey("health", Health)


@routes.get("/healthz")
async def healthz(_: web.Request) -> web.Response:
    """Answer 200 as long as the event loop runs."""
    return web.json_response({"status": "ok"})


@routes.get("/readyz")
async def readyz(request: web.Request) -> web.Response:
    """Answer 200 if deliveries can be stored, else 503: then GitHub should reach another process."""
    health = request.app[HEALTH]
    if health.reason is not None:
        return web.json_response({"status": health.reason}, status=503)
    degraded = {"degraded": health.degraded} if health.degraded else {}
    return web.json_response({"status": "ok", **degraded})
