"""A stored webhook, understood: foreign JSON becomes one of a closed set of types here and nowhere else."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeAlias
from uuid import UUID

from bot.core.body import read_body
from bot.core.ids import id_of, is_id, read_id, read_text
from bot.core.model import Repository
from bot.core.webhook_keys import KEYS_OF_EVENTS
from bot.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bot.core.model import Json

TRAILER = "Pointsman-Delivery"
PAYLOAD = "client_payload"

# The objects of a body that say whom it concerns, and which of their properties are stored.
_KEPT = {
    "repository": ("id", "full_name", "default_branch"),
    "installation": ("id",),
    "sender": ("login", "id", "type"),
}


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


@dataclass(frozen=True, slots=True)
class Push:
    """A branch moved to the commit `head`, "" where it is gone: a hint, it may come late."""

    repository: Repository
    branch: str
    head: str


@dataclass(frozen=True, slots=True)
class Freed:
    """Something changed that deliveries may wait for: of one repository (its id), or of all of an installation.

    The repositories `reached` (ids) are those of the installation `by` now: after a transfer, or when the App was
    installed anew, it is another one than the deliveries came from.
    """

    repository: int
    installation: int
    reached: tuple[int, ...] = ()
    by: int = 0


Trigger: TypeAlias = Dispatch | Push | Freed | Ignored

DISPATCH = "repository_dispatch"
INSTALLATION = "installation"
# After these what GitHub refused before may go: https://docs.github.com/en/webhooks/webhook-events-and-payloads
_FREEING = {
    "installation": {"created", "unsuspend", "new_permissions_accepted"},
    "installation_repositories": {"added"},
    "repository": {"renamed", "transferred", "unarchived", "edited", "created"},
}
_OWN_KEYS = {
    "installation": frozenset[str](),
    "installation_repositories": frozenset[str](),
    "repository": frozenset({"repository", "changes"}),
}
_NEEDED = {
    "installation": "installation",
    "installation_repositories": "repositories_added",
    "repository": "repository",
}
_HEADS = "refs/heads/"
_OID = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")

# https://www.rfc-editor.org/rfc/rfc9562#name-uuid-version-1
_UUID_EPOCH = datetime(1582, 10, 15, tzinfo=UTC)
_KEPT_BY_GITHUB = timedelta(days=3, hours=1)
_SKEW = timedelta(minutes=5)


def parse(event: str, body: Mapping[str, Any]) -> Trigger:
    """Understand one webhook.

    `event` is the `X-GitHub-Event` header, `body` the JSON object that was received.
    Raises InputError where a `repository_dispatch` lacks what GitHub documents for it.
    """
    if event == DISPATCH:
        return _dispatch(body)
    if event == "push":
        return _push(body)
    action = body.get("action")
    if isinstance(action, str) and action in _FREEING.get(event, set()):
        if _NEEDED[event] not in body or body.keys() & KEYS_OF_EVENTS - _OWN_KEYS[event]:
            return Ignored(f"the body is not that of the event '{event}'")
        # An installation's event says which repositories, but those that wait may be others of it, renamed since.
        repository = repository_id(body) if event == "repository" else 0
        by = installation_id(body)
        return Freed(repository, 0 if repository else by, (repository,) if repository else _reached(body), by)
    if event == "ping":
        return Ignored("ping: the webhook works")
    return Ignored(f"nothing is done on the event '{event}'")


def _reached(body: Mapping[str, Any]) -> tuple[int, ...]:
    """Return the repositories (ids) that an installation's event says it reaches."""
    listed = body.get("repositories") or body.get("repositories_added")
    rows = listed if isinstance(listed, list) else []
    return tuple(row["id"] for row in rows if isinstance(row, dict) and is_id(row.get("id")))


def _push(body: Mapping[str, Any]) -> Push | Ignored:
    """Understand a push; what is no branch of a repository of ours, or is not as documented, concerns us not."""
    ref = str(body.get("ref", ""))
    if not ref.startswith(_HEADS) or not isinstance(body.get("installation"), dict):
        return Ignored("a push to no branch, or not for an installation of the App")
    if "action" in body:
        # A push is the only event with a branch's full name that has no action.
        return Ignored("the body is not that of the event 'push'")
    after = body.get("after")
    try:
        repository = _repository(body)
    except (KeyError, TypeError, ValueError):
        return Ignored("the push lacks what GitHub documents")
    if not isinstance(after, str) or not _OID.fullmatch(after):
        return Ignored("the push lacks what GitHub documents")
    return Push(repository, ref.removeprefix(_HEADS), "" if body.get("deleted") else after)


def _repository(body: Mapping[str, Any]) -> Repository:
    """Return the repository of a webhook. Raises KeyError, TypeError or ValueError if the body does not say it."""
    repository = body["repository"]
    return Repository(
        id=read_id(repository["id"]),
        full_name=read_text(repository["full_name"]),
        default_branch=read_text(repository["default_branch"]),
        installation=read_id(body["installation"]["id"]),
    )


def _dispatch(body: Mapping[str, Any]) -> Trigger:
    if body.get("installation") is None:
        return Ignored("not sent by an installation of the App: a repository's own webhook points here")
    try:
        # GitHub puts the event type that the caller chose into `action`:
        # https://docs.github.com/en/webhooks/webhook-events-and-payloads#repository_dispatch
        trigger = Dispatch(
            repository=_repository(body),
            event_type=read_text(body["action"]),
            # GitHub always sends the key, with null if the caller gave no payload: the body of another event, sent on
            # under this one's name, has none.
            payload={} if body[PAYLOAD] is None else body[PAYLOAD],
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


def essential(body: Mapping[str, Any]) -> bytes:
    """Return what a hint (anything but a dispatch) is stored as: `parse` understands it as it does the whole `body`.

    A push has all of its commits in its body, up to 25 MB, and a hundred of them may wait at a time.
    """
    kept: dict[str, Any] = {key: body[key] for key in ("action", "ref", "after", "deleted") if key in body}
    kept |= _parties(body)
    for key in ("repositories", "repositories_added"):
        if isinstance(body.get(key), list):
            kept[key] = [{"id": row["id"]} for row in body[key] if isinstance(row, dict) and is_id(row.get("id"))]
    return json.dumps(kept, ensure_ascii=False).encode("utf-8", "surrogatepass")


def trimmed(body: bytes, properties: frozenset[str] | None) -> bytes:
    """Return what stays of a stored body: whom it concerns, and of the `client_payload` these properties (None: all).

    It is understood as the whole body is.
    """
    try:
        payload = read_body(body)
    except InputError:
        return b""
    kept: dict[str, Any] = {key: payload[key] for key in ("action", PAYLOAD) if key in payload}
    kept |= _parties(payload)
    values = kept.get(PAYLOAD)
    if properties is not None and isinstance(values, dict):
        kept[PAYLOAD] = {name: value for name, value in values.items() if name in properties}
    return json.dumps(kept, ensure_ascii=False).encode("utf-8", "surrogatepass")


def _parties(body: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the objects of a body that say whom it concerns, each with the properties that are kept of it."""
    return {
        key: {name: body[key][name] for name in fields if name in body[key]}
        for key, fields in _KEPT.items()
        if isinstance(body.get(key), dict)
    }


def installation_id(body: Mapping[str, Any]) -> int:
    """Return the id of the installation that a webhook comes from, 0 where it comes from none."""
    return id_of(body, "installation")


def repository_id(body: Mapping[str, Any]) -> int:
    """Return the id of the repository that a webhook concerns, 0 where it concerns none."""
    return id_of(body, "repository")


def created(delivery: str, received: datetime) -> datetime:
    """Return when a delivery came about: by its GUID, where that tells it, else when it was received (UTC).

    GitHub's GUIDs are UUIDs of version 1, which begin with a time
    (https://docs.github.com/en/webhooks/webhook-events-and-payloads#delivery-headers shows one). It is the same however
    late the delivery arrives, and in GitHub's own list. The header is not signed: a time that is further from the
    receipt than clocks may differ, or GitHub keeps deliveries, counts for nothing.
    """
    try:
        guid = UUID(delivery)
    except ValueError:
        return received
    if guid.version != 1:
        return received
    try:
        stamped = _UUID_EPOCH + timedelta(microseconds=guid.time // 10)
    except OverflowError:
        return received
    return stamped if received - _KEPT_BY_GITHUB <= stamped <= received + _SKEW else received
