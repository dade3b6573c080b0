"""Foreign JSON becomes one of a closed set of types, or a sentence."""

from __future__ import annotations

from typing import Any

import pytest

from bot.core.model import Repository
from bot.core.trigger import Dispatch, Ignored, parse, repository_id
from bot.errors import InputError

DISPATCH: dict[str, Any] = {
    "action": "update-gitops-repo",
    "branch": "main",
    "client_payload": {"docker_image_tag": "1.4.2-dev"},
    "repository": {"id": 7, "full_name": "acme/gitops", "default_branch": "main"},
    "sender": {"login": "octocat", "id": 1},
    "installation": {"id": 42},
}
OWN = {"sender": {"type": "Bot"}, "head_commit": {"message": "dev: 1\n\n* x\n\nPointsman-Delivery: a"}}


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
        ("push", OWN, "the App's own push"),
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


@pytest.mark.parametrize(
    "body",
    [
        {"sender": {"type": "User"}, "head_commit": OWN["head_commit"]},
        {"sender": OWN["sender"], "head_commit": {"message": "Pointsman-Delivery: a\n\nquoted above, not a trailer"}},
        {"sender": OWN["sender"], "head_commit": None},
        {"sender": "octocat", "head_commit": ["x"]},
    ],
)
def test_a_push_without_our_trailer_by_a_bot_is_not_our_own(body: Any) -> None:
    """A person's push, or a trailer that is only quoted, is a foreign push; garbled ones do no harm."""
    assert parse("push", body) == Ignored("nothing is done on the event 'push'")


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
