"""The keys by which handlers get their dependencies from the application."""

from __future__ import annotations

from aiohttp import web

from bot.flows.intake import Intake
from bot.ports import Clock, Inbox, VerifyWebhook
from bot.web.body import Bodies

INBOX = web.AppKey("inbox", Inbox)
INTAKE = web.AppKey("intake", Intake)
VERIFY_WEBHOOK = web.AppKey("verify_webhook", VerifyWebhook)
BODIES = web.AppKey("bodies", Bodies)
CLOCK = web.AppKey("clock", Clock)
