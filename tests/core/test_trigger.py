"""Foreign JSON becomes one of a closed set of types, or a sentence."""

from __future__ import annotations

import json
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bot.core.model import Repository
from bot.core.trigger import Dispatch, Freed, Ignored, Push, created, parse, repository_id, trimmed
from bot.errors import InputError

DISPATCH: dict[str, Any] = {
    "action": "update-gitops-repo",
    "branch": "main",
    "client_payload": {"docker_image_tag": "1.4.2-dev"},
    "repository": {"id": 7, "full_name": "acme/gitops", "default_branch": "main"},
    "sender": {"login": "octocat", "id": 1},
    "installation": {"id": 42},
}


def test_a_repository_dispatch_becomes_a_dispatch() -> None:
    """Event type, payload and the repository with its installation are taken from where GitHub puts them."""
    assert parse("repository_dispatch", DISPATCH) == Dispatch(
        Repository(7, "acme/gitops", "main", 42), "update-gitops-repo", {"docker_image_tag": "1.4.2-dev"}
    )


def test_a_null_payload_is_an_empty_one() -> None:
    """GitHub sends null where the caller gave no client_payload."""
    trigger = parse("repository_dispatch", {**DISPATCH, "client_payload": None})
    assert isinstance(trigger, Dispatch)
    assert trigger.payload == {}


@pytest.mark.parametrize(
    ("event", "body", "reason"),
    [
        ("ping", {"zen": "Keep it logically awesome."}, "ping: the webhook works"),
        ("push", {"ref": "refs/tags/v1"}, "a push to no branch, or not for an installation of the App"),
        ("push", {"ref": "refs/heads/x"}, "a push to no branch, or not for an installation of the App"),
        ("push", {"ref": "refs/heads/x", "installation": {}}, "the push lacks what GitHub documents"),
        ("installation", {"action": "deleted"}, "nothing is done on the event 'installation'"),
        ("check_run", {}, "nothing is done on the event 'check_run'"),
        (
            "repository_dispatch",
            {key: value for key, value in DISPATCH.items() if key != "installation"},
            "not sent by an installation of the App: a repository's own webhook points here",
        ),
    ],
)
def test_what_is_not_ours_is_ignored_with_a_reason(event: str, body: Any, reason: str) -> None:
    """Each event without work for us says why."""
    assert parse(event, body) == Ignored(reason)


@pytest.mark.parametrize(("deleted", "head"), [(False, "2" * 40), (True, "")])
def test_a_push_says_where_a_branch_is(deleted: bool, head: str) -> None:
    """Whoever pushed: the branch by its short name, and no head where it is gone."""
    common = {key: DISPATCH[key] for key in ("repository", "installation")}
    body = {**common, "ref": "refs/heads/a/b", "after": "2" * 40, "deleted": deleted}
    dispatch = parse("repository_dispatch", DISPATCH)
    assert isinstance(dispatch, Dispatch)
    assert parse("push", body) == Push(dispatch.repository, "a/b", head)


@pytest.mark.parametrize(
    ("event", "action", "expected"),
    [
        ("installation", "created", Freed(0, 42, (8, 9), 42)),
        ("installation", "unsuspend", Freed(0, 42, (), 42)),
        ("installation", "new_permissions_accepted", Freed(0, 42, (), 42)),
        ("installation_repositories", "added", Freed(0, 42, (8, 9), 42)),
        ("repository", "renamed", Freed(7, 0, (7,), 42)),
        ("repository", "transferred", Freed(7, 0, (7,), 42)),
        ("repository", "unarchived", Freed(7, 0, (7,), 42)),
    ],
)
def test_what_frees_deliveries_says_which(event: str, action: str, expected: Freed) -> None:
    """Those of a repository, or all of an installation; and which repositories are that installation's now."""
    listed = {"created": "repositories", "added": "repositories_added"}.get(action)
    told = {listed: [{"id": 8}, {"id": 9}, {"name": "no id"}]} if listed else {}
    body = {"action": action, "repository": {"id": 7}, "installation": {"id": 42}, **told}
    assert parse(event, body) == expected


@pytest.mark.parametrize(
    ("properties", "left"),
    [(None, {"tag": "1", "b": 2}), (frozenset({"tag"}), {"tag": "1"}), (frozenset(), {})],
)
def test_a_trimmed_body_is_understood_as_the_whole(properties: frozenset[str] | None, left: Any) -> None:
    """What is left of it is whom it concerns, and the properties that were used."""
    body = {**DISPATCH, "client_payload": {"tag": "1", "b": 2}, "organization": {"login": "acme"}}
    kept = json.loads(trimmed(json.dumps(body).encode(), properties))
    whole = parse("repository_dispatch", {**body, "client_payload": left})
    assert parse("repository_dispatch", kept) == whole
    assert "organization" not in kept


def test_a_body_that_is_no_webhook_leaves_nothing() -> None:
    """What cannot be read is not kept."""
    assert trimmed(b"\xff", None) == b""
    assert trimmed(b"[]", None) == b""


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"repository": None}, "lacks or garbles a field"),
        ({"repository": {"id": 7}}, "'full_name'"),
        ({"repository": {**DISPATCH["repository"], "id": "seven"}}, "seven"),
        ({"installation": "42"}, "lacks or garbles a field"),
        ({"client_payload": [1]}, "client_payload is not an object"),
        ({"client_payload": "1.4.2-dev"}, "client_payload is not an object"),
    ],
)
def test_a_garbled_dispatch_is_refused_with_a_sentence(change: Any, sentence: str) -> None:
    """What GitHub documents and is not there is named, whatever stands in its place."""
    with pytest.raises(InputError, match=sentence):
        parse("repository_dispatch", {**DISPATCH, **change})


@pytest.mark.parametrize("payload", [{"tag": "1\ud800-dev"}, {"tag\udfff": "1"}, {"deep": [{"tag": "\ud800"}]}])
def test_half_a_character_is_refused(payload: Any) -> None:
    r"""JSON can spell a lone surrogate (`\ud800`), which is no text that a file or a commit could hold."""
    with pytest.raises(InputError, match="half a character"):
        parse("repository_dispatch", {**DISPATCH, "client_payload": payload})


@pytest.mark.parametrize(
    ("body", "expected"),
    [({"repository": {"id": 7}}, 7), ({}, 0), ({"repository": None}, 0), ({"repository": {"id": "7"}}, 0)],
)
def test_the_repository_of_a_webhook_is_its_id_or_zero(body: Any, expected: int) -> None:
    """Whatever the event, its target is the repository's id; zero where it concerns none."""
    assert repository_id(body) == expected


RECEIVED = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("delivery", "origin"),
    [
        ("f8c4b800-c6d1-11f1-8000-0242ac120002", None),
        ("not-a-guid", RECEIVED),
        ("0b989ba4-242f-4be5-81e1-c7b6966d2516", RECEIVED),
        ("72d3162e-cc78-11e3-81ab-4c9367dc0958", RECEIVED),
        ("ffffffff-ffff-1fff-8000-000000000000", RECEIVED),
    ],
)
def test_a_delivery_tells_when_it_came_about(delivery: str, origin: datetime | None) -> None:
    """By the time in its GUID, if that can be: not of version 4, not years ago, not in the future."""
    if origin is None:
        made = uuid.UUID(fields=(*uuid.UUID(delivery).fields[:2], 0x11F1, 0x80, 0, 0x0242AC120002))
        stamped = datetime(1582, 10, 15, tzinfo=UTC) + timedelta(microseconds=made.time // 10)
        assert created(str(made), stamped + timedelta(seconds=30)) == stamped
        assert created(str(made), stamped - timedelta(seconds=30)) == stamped
        assert created(str(made), stamped + timedelta(days=4)) == stamped + timedelta(days=4)
        return
    assert created(delivery, RECEIVED) == origin
