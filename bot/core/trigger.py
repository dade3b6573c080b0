"""A stored webhook, understood: foreign JSON becomes one of a closed set of types here and nowhere else."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from bot.core.model import Repository
from bot.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bot.core.model import Json

TRAILER = "Pointsman-Delivery"


@dataclass(frozen=True, slots=True)
class Dispatch:
    """A `repository_dispatch`: an upstream workflow says that something is built.

    `event_type` is what the caller chose; "" (never from GitHub) meets every `on`. `payload` is the `client_payload`
    ({} where GitHub sends null).
    """

    repository: Repository
    event_type: str
    payload: Mapping[str, Json]


@dataclass(frozen=True, slots=True)
class Ignored:
    """Nothing to do, and why."""

    reason: str


Trigger: TypeAlias = Dispatch | Ignored


def parse(event: str, body: Mapping[str, Any]) -> Trigger:
    """Understand one webhook.

    `event` is the `X-GitHub-Event` header, `body` the JSON object that was received.
    Raises InputError where a `repository_dispatch` lacks what GitHub documents for it.
    """
    if event == "repository_dispatch":
        return _dispatch(body)
    if event == "push" and _is_own_push(body):
        return Ignored("the App's own push")
    if event == "ping":
        return Ignored("ping: the webhook works")
    return Ignored(f"nothing is done on the event '{event}'")


def _dispatch(body: Mapping[str, Any]) -> Trigger:
    installation = body.get("installation")
    if installation is None:
        return Ignored("not sent by an installation of the App: a repository's own webhook points here")
    try:
        repository = body["repository"]
        # GitHub puts the event type that the caller chose into `action`:
        # https://docs.github.com/en/webhooks/webhook-events-and-payloads#repository_dispatch
        trigger = Dispatch(
            repository=Repository(
                id=int(repository["id"]),
                full_name=str(repository["full_name"]),
                default_branch=str(repository["default_branch"]),
                installation=int(installation["id"]),
            ),
            event_type=str(body["action"]),
            payload=body.get("client_payload") or {},
        )
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(
            f"the repository_dispatch lacks or garbles a field that GitHub documents: {error!r}"
        ) from error
    if not isinstance(trigger.payload, dict):
        raise InputError("client_payload is not an object; send an object with one property per variable")
    try:
        json.dumps(trigger.payload, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        # JSON can spell a lone surrogate; UTF-8 cannot, so neither a file nor a commit could hold it.
        raise InputError("client_payload has half a character (a lone surrogate such as \\ud800): send text") from error
    return trigger


def _is_own_push(body: Mapping[str, Any]) -> bool:
    """Whether a bot pushed a commit that carries our trailer.

    Anybody can write a trailer, so this may only ever lead to doing nothing.
    """
    sender, head = body.get("sender"), body.get("head_commit")
    if not isinstance(sender, dict) or not isinstance(head, dict):
        return False
    last_paragraph = str(head.get("message", "")).rstrip().rpartition("\n\n")[2]
    return sender.get("type") == "Bot" and f"{TRAILER}:" in last_paragraph


def repository_id(body: Mapping[str, Any]) -> int:
    """Return the id of the repository that a webhook concerns, 0 where it concerns none."""
    repository = body.get("repository")
    value = repository.get("id") if isinstance(repository, dict) else None
    return value if isinstance(value, int) else 0
