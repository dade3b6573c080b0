"""Foreign JSON becomes one of a closed set of types, or a sentence."""

from __future__ import annotations

import json
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bot.core.ids import account, check_ids
from bot.core.model import Account, Repository
from bot.core.trigger import (
    Dispatch,
    Freed,
    Ignored,
    Push,
    created,
    essential,
    parse,
    repository_id,
    trimmed,
)
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
    told: dict[str, Any] = {listed: [{"id": 8}, {"id": 9}, {"name": "no id"}]} if listed else {}
    if event == "repository":
        told = {"repository": {"id": 7}}
    body = {"action": action, "installation": {"id": 42}, **told}
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
        ({"client_payload": []}, "client_payload is not an object"),
        ({"client_payload": [1]}, "client_payload is not an object"),
        ({"client_payload": "1.4.2-dev"}, "client_payload is not an object"),
    ],
)
def test_a_garbled_dispatch_is_refused_with_a_sentence(change: Any, sentence: str) -> None:
    """What GitHub documents and is not there is named, whatever stands in its place."""
    with pytest.raises(InputError, match=sentence):
        parse("repository_dispatch", {**DISPATCH, **change})


OTHERS: dict[str, Any] = {
    "issues": {"action": "created", "issue": {"id": 1}},
    "label": {"action": "edited", "label": {"id": 1}, "changes": {}},
    "star": {"action": "created", "starred_at": "2026-11-21T12:00:00Z"},
    "installation_repositories": {"action": "added", "repositories_added": [{"id": 8}], "repository_selection": "all"},
    "installation": {"action": "created", "repositories": [{"id": 8}]},
    "repository": {"action": "created"},
    "code_scanning_alert": {"action": "created", "ref": "refs/heads/main", "alert": {}, "after": "2" * 40},
    "create": {"ref": "refs/heads/main", "ref_type": "branch"},
    "repository_dispatch": {**DISPATCH, "action": "created", "ref": "refs/heads/main", "after": "2" * 40},
    "push": {"ref": "refs/heads/main", "after": "2" * 40, "before": "1" * 40, "commits": []},
}
COMMON = {key: DISPATCH[key] for key in ("repository", "installation", "sender")}


@pytest.mark.parametrize("kind", OTHERS)
@pytest.mark.parametrize(
    "event", ["repository_dispatch", "push", "installation", "installation_repositories", "repository"]
)
def test_a_body_of_another_event_does_nothing(event: str, kind: str) -> None:
    """`X-GitHub-Event` is not signed: whoever sends a captured body on may name it as he likes."""
    if event == kind:
        return
    body = {**COMMON, **OTHERS[kind]}
    if kind.startswith("installation"):
        del body["repository"]
    if event == "repository_dispatch":
        with pytest.raises(InputError, match="lacks or garbles a field"):
            parse(event, body)
    else:
        assert isinstance(parse(event, body), Ignored)


@pytest.mark.parametrize("number", [True, 1.5, -1, 0, 2**63, "7", [7], {"id": 7}])
@pytest.mark.parametrize("name", ["repository", "installation", "sender"])
def test_an_id_that_github_could_not_have_sent_is_refused(name: str, number: Any) -> None:
    """To Python true is an integer, and the database has 64 bits."""
    with pytest.raises(InputError, match=rf"the body's '{name}\.id' is not an id"):
        check_ids({**DISPATCH, name: {"id": number}})


@pytest.mark.parametrize("name", ["repository", "installation", "sender"])
def test_whom_a_webhook_concerns_is_an_object_or_absent(name: str) -> None:
    """A list or a text in its place is no webhook of GitHub's."""
    for wrong in ([], ["x"], "x", 7, True):
        with pytest.raises(InputError, match=f"the body's '{name}' is not an object"):
            check_ids({**DISPATCH, name: wrong})
    check_ids({**DISPATCH, name: None})
    check_ids({key: value for key, value in DISPATCH.items() if key != name})


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"repository": {"owner": {"id": 5, "login": "Acme"}}}, Account(5, "Acme")),
        ({"installation": {"account": {"id": 5, "login": "Acme"}}}, Account(5, "Acme")),
        (
            {"repository": {"owner": {"id": 5, "login": "a"}}, "installation": {"account": {"id": 6, "login": "b"}}},
            Account(5, "a"),
        ),
        ({"repository": {}, "installation": {"account": {"id": 6, "login": "b"}}}, None),
        ({"repository": {"owner": {"id": True, "login": "a"}}}, None),
        ({"installation": {"id": 6}}, None),
        ({}, None),
    ],
)
def test_the_account_of_a_webhook_owns_the_repository_or_installed_the_app(body: Any, expected: Account | None) -> None:
    """By both id and login; None if the body does not tell."""
    assert account(body) == expected


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


PUSH = {**OTHERS["push"], "commits": [{"id": "3" * 40, "message": "x" * 1000}], "after": "2" * 40}
HINTS: dict[str, Any] = {
    "push": {**COMMON, **PUSH, "repository": {**COMMON["repository"], "default_branch": "main"}},
    "installation": {"action": "created", "installation": {"id": 9}, "repositories": [{"id": 8, "name": "x"}]},
    "installation_repositories": {**OTHERS["installation_repositories"], "installation": {"id": 9}},
    "repository": {**COMMON, "action": "transferred", "changes": {"owner": {"from": {}}}},
    "issues": {**COMMON, **OTHERS["issues"]},
}


@pytest.mark.parametrize("event", HINTS)
def test_a_hint_is_stored_without_what_nobody_reads(event: str) -> None:
    """It is understood as the whole body was, and a push of a thousand commits waits as a few hundred bytes."""
    stored = essential(HINTS[event])
    assert parse(event, json.loads(stored)) == parse(event, HINTS[event])
    assert b"xxx" not in stored


@pytest.mark.parametrize("event", ["installation", "installation_repositories", "repository"])
def test_a_key_that_github_adds_makes_an_event_no_other(event: str) -> None:
    """GitHub adds keys without notice, and what waits for these events would wait for ever."""
    assert isinstance(parse(event, {**HINTS[event], "new_in_2030": {"id": 1}}), Freed)
