"""The ports that handlers get from the application."""

from __future__ import annotations

from aiohttp import web

from bot.ports import Clock, Engine, Inbox, VerifyWebhook

INBOX = web.AppKey("inbox", Inbox)  # type: ignore[type-abstract] # mypy wants a concrete class; a port has none
ENGINE = web.AppKey("engine", Engine)  # type: ignore[type-abstract] # as above
VERIFY_WEBHOOK = web.AppKey("verify_webhook", VerifyWebhook)  # type: ignore[type-abstract] # as above
CLOCK = web.AppKey("clock", Clock)  # type: ignore[type-abstract] # as above
