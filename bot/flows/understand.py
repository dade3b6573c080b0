"""Stored deliveries → what they ask for."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, TypeAlias

import structlog

from bot.core import trigger
from bot.core.model import Number
from bot.core.outcome import Outcome
from bot.errors import InputError
from bot.flows.decisions import Request

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bot.core.model import Delivery

News: TypeAlias = trigger.Push | trigger.Freed

log = structlog.get_logger(__name__)


def understand(deliveries: Sequence[Delivery]) -> tuple[list[Request], list[Outcome], list[News]]:
    """Return what asks for something, how the rest ended, and what it brought news of."""
    requests: list[Request] = []
    outcomes: list[Outcome] = []
    heard: list[News] = []
    for delivery in deliveries:
        try:
            match trigger.parse(delivery.event, json.loads(delivery.body, parse_float=Number)):
                case trigger.Dispatch() as dispatch:
                    requests.append(_request(delivery, dispatch))
                case trigger.Ignored(reason):
                    outcomes.append(Outcome(delivery.id, "ignored", reason))
                case trigger.Push() | trigger.Freed() as news:
                    heard.append(news)
                    outcomes.append(Outcome(delivery.id, "ignored", f"heard: {delivery.event}"))
        except InputError as error:
            outcomes.append(Outcome(delivery.id, "failed", str(error)))
        except Exception:
            # It was understood when it came in, so this is a bug of ours, and pure: another attempt would show it too.
            log.exception("unexpected error", delivery=delivery.id)
            outcomes.append(Outcome(delivery.id, "failed", "an unexpected error; the log has the details"))
    return requests, outcomes, heard


def _request(delivery: Delivery, dispatch: trigger.Dispatch) -> Request:
    # By the inbox, as the repository may have come to another installation since.
    installation = delivery.installation or dispatch.repository.installation
    return Request(
        delivery.id,
        delivery.actor,
        replace(dispatch, repository=replace(dispatch.repository, installation=installation)),
        delivery.ended,
        origin=delivery.origin,
        forced=delivery.forced,
        intents=delivery.intents,
        along=bool(delivery.wait),
    )
