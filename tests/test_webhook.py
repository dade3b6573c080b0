"""The front door: what is refused, what is stored, and what is answered."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from io import BytesIO
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
from running import DATABASE, Row, logged, rows, running

from bot.core.model import Actor, Delivery
from bot.identity.webhook import WebhookSecret
from bot.inbox.records import Records
from bot.sandbox.events import dispatch_payload
from bot.web import keys
from bot.web.body import MAX_BODY

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping
    from pathlib import Path

    from running import Bot

    from bot.sandbox import Repository, Sandbox

ID = "72d3162e-cc78-11e3-81ab-4c9367dc0958"
RULE = "mappings: [{name: a, update: [{files: README.md, regex: '(?<tag>#)'}]}]"


def signature(secret: str, body: bytes) -> str:
    return "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def headers(sandbox: Sandbox, body: bytes, **changed: str | None) -> dict[str, str]:
    """The headers of a webhook; `changed` ones replace or, where None, remove: X_GitHub_Event is X-GitHub-Event."""
    good: dict[str, str | None] = {
        "Content-Type": "application/json",
        "X-GitHub-Delivery": ID,
        "X-GitHub-Event": "ping",
        "X-Hub-Signature-256": signature(sandbox.app.webhook_secret, body),
    }
    good |= {name.replace("_", "-"): value for name, value in changed.items()}
    return {name: value for name, value in good.items() if value is not None}


async def post(bot: Bot, body: Any, sent: Mapping[str, str]) -> tuple[int, Any]:
    async with (
        aiohttp.ClientSession() as session,
        session.post(
            f"{bot.url}/webhook", data=BytesIO(body) if isinstance(body, bytes) else body, headers=sent
        ) as response,
    ):
        assert response.content_type == "application/json"
        return response.status, await response.json()


# -- the proof


@pytest.mark.parametrize(
    ("secret", "body", "digest"),
    [
        (
            "It's a Secret to Everybody",
            b"Hello, World!",
            "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17",
        ),
        ("mysecret", b'{"action":"published"}', "e1e205e84edced57c16c204efd13eded4b5632b474fe6954fc58ab7a86b515bd"),
        ("mysecret", b"", "9074a74de0f34ece3f046403ae88d2eea400281da0ed6ebfa76c949016fa672d"),
    ],
)
def test_published_signatures_hold(secret: str, body: bytes, digest: str) -> None:
    """The first vector is GitHub's own; a body with one byte more does not hold."""
    verify = WebhookSecret(secret)
    assert verify({"X-Hub-Signature-256": f"sha256={digest}"}, body) == Actor("webhook", "")
    assert verify({"X-Hub-Signature-256": f"sha256={digest}"}, body + b" ") is None


def test_the_secret_is_not_in_the_repr() -> None:
    """Whoever prints the verifier learns nothing."""
    assert "mysecret" not in repr(WebhookSecret("mysecret"))


def test_while_a_secret_is_rotated_both_hold() -> None:
    """GitHub signs with the old secret until its page has the new one; no third one holds, nor both as one."""
    verify = WebhookSecret("the new secret", "the old secret")
    for secret in ("the new secret", "the old secret"):
        assert verify({"X-Hub-Signature-256": signature(secret, b"{}")}, b"{}") == Actor("webhook", "")
    for secret in ("", "the newest secret", "the new secret\nthe old secret"):
        assert verify({"X-Hub-Signature-256": signature(secret, b"{}")}, b"{}") is None


async def test_the_bot_takes_two_secrets_and_logs_how_many(
    sandbox: Sandbox, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A webhook with either is taken, and the line of the start has their number."""
    secrets = ("a secret of tomorrow", sandbox.app.webhook_secret)
    async with running(sandbox, tmp_path, WEBHOOK_SECRET="\n".join(secrets)) as bot:
        for number, secret in enumerate(secrets):
            sent = headers(sandbox, b"{}", X_GitHub_Delivery=f"{number}", X_Hub_Signature_256=signature(secret, b"{}"))
            assert (await post(bot, b"{}", sent))[0] == 202
    (begun,) = (line for line in logged(capsys.readouterr().err) if line["event"] == "started")
    assert begun["webhook_secrets"] == 2


def sha1(secret: str, body: bytes) -> str:
    return "sha1=" + hmac.new(secret.encode(), body, hashlib.sha1).hexdigest()


@pytest.mark.parametrize(
    "forge",
    [
        lambda _secret, _body: None,
        lambda _secret, _body: "",
        lambda _secret, body: signature("another secret", body),
        lambda secret, body: signature(secret, body + b" "),
        lambda secret, body: signature(secret, body).upper(),
        lambda secret, body: "sha256=" + signature(secret, body)[7:].upper(),
        lambda secret, body: signature(secret, body)[7:],
        lambda secret, body: signature(secret, body)[:-1],
        lambda secret, body: signature(secret, body).replace("sha256", "sha1"),
        sha1,
        lambda _secret, _body: "sha256=é\udcff",
    ],
)
async def test_without_a_valid_signature_nothing_is_stored(sandbox: Sandbox, tmp_path: Path, forge: Any) -> None:
    """Missing, empty, another secret's, another body's, upper case, cut, SHA-1 or no ASCII: 401."""
    body = b"{}"
    async with running(sandbox, tmp_path) as bot:
        sent = headers(sandbox, body, X_Hub_Signature_256=forge(sandbox.app.webhook_secret, body))
        status, answer = await post(bot, body, sent)
    assert status == 401
    assert answer["error"] in {
        "the signature in X-Hub-Signature-256 does not fit the body and WEBHOOK_SECRET",
        "X-Hub-Signature-256 is missing or malformed; set the webhook's secret on the App's settings page",
    }
    assert rows(tmp_path) == {}


# -- the body


async def pieces(size: int) -> AsyncIterator[bytes]:
    for _ in range(size // 2**20 + 1):
        yield b" " * 2**20


@pytest.mark.parametrize("chunked", [True, False])
async def test_a_body_over_the_bound_is_not_taken(sandbox: Sandbox, tmp_path: Path, chunked: bool) -> None:
    """25 MiB are GitHub's own limit: more is 413, whether its size is announced or not."""
    body = pieces(MAX_BODY) if chunked else b" " * (MAX_BODY + 1)
    async with running(sandbox, tmp_path) as bot:
        status, answer = await post(bot, body, headers(sandbox, b""))
        assert (status, answer["error"]) == (413, "the body is larger than 26,214,400 bytes, GitHub's own limit")
        assert (await post(bot, b"{}", headers(sandbox, b"{}")))[0] == 202
    assert list(rows(tmp_path)) == [ID]


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        (b"", "the body is not JSON"),
        (b"payload=%7B%7D", "the body is not JSON; set the webhook's content type to application/json"),
        (b"\xff\xfe", "the body is not JSON"),
        (b'{"a": NaN}', "the body is not JSON"),
        (b'{"a": -Infinity}', "the body is not JSON"),
        (b"[" * 2_000_000, "the body is not a JSON object"),
        (b"[]", "the body is not a JSON object"),
        (b'"text"', "the body is not a JSON object"),
        (b"null", "the body is not a JSON object"),
    ],
    ids=["empty", "form", "binary", "nan", "infinity", "nested array", "array", "string", "null"],
)
async def test_what_is_no_json_object_is_refused(sandbox: Sandbox, tmp_path: Path, body: bytes, sentence: str) -> None:
    """Even when it is signed; megabytes of nesting do not bring the process down."""
    async with running(sandbox, tmp_path) as bot:
        status, answer = await post(bot, body, headers(sandbox, body))
        assert status == 400
        assert answer["error"].startswith(sentence)
        assert (await post(bot, b"{}", headers(sandbox, b"{}")))[0] == 202
    assert list(rows(tmp_path)) == [ID]


def nested(levels: int) -> bytes:
    """The body of a dispatch whose client_payload is that deep."""
    whom = '"repository": {"id": 7, "full_name": "acme/gitops", "default_branch": "main"}, "installation": {"id": 42}'
    payload = '{"a":' * (levels - 1) + "{}" + "}" * (levels - 1)
    return f'{{"action": "x", "branch": "main", {whom}, "client_payload": {payload}}}'.encode()


DEEP = "the body is nested more than 100 levels deep"


@pytest.mark.parametrize(
    ("body", "sentence", "target"),
    [
        (nested(100), DEEP, 7),
        (nested(900), DEEP, 7),
        (nested(966), DEEP, None),
        (nested(1500), DEEP, 0),
        (nested(500_000), DEEP, 0),
        (b'{"a": ' + b"1" * 5000 + b"}", "the body has an integer of thousands of digits", 0),
        (b'{"a": 1, "a": 2}', "the body has an object with the same key twice", 0),
        (b'{"repository": {"id": 7}, "a": 1e999}', "the body has a number beyond 1.8e308", 7),
        (b'{"repository": {"id": 7}, "sender": {"id": 1, "login": "\\ud800"}}', "the body has half a character", 7),
    ],
    ids=["100", "900", "966", "1500", "500000", "digits", "keys", "float", "surrogate"],
)
async def test_a_signed_body_that_nobody_should_work_on_has_failed_at_once(
    sandbox: Sandbox, tmp_path: Path, body: bytes, sentence: str, target: int | None
) -> None:
    """GitHub vouches for it, so it is stored as failed: refused, it would be listed as missed for three days."""
    async with running(sandbox, tmp_path) as bot:
        status, answer = await post(bot, body, headers(sandbox, body, X_GitHub_Event="repository_dispatch"))
        assert (status, answer["outcome"]) == (202, "failed")
        assert answer["reason"].startswith(sentence)
        # Redelivered, it has failed all the same.
        again = await post(bot, body, headers(sandbox, body, X_GitHub_Event="repository_dispatch"))
        reason = f"received before: {answer['reason']}"
        assert again == (202, {"delivery": ID, "outcome": "failed", "reason": reason})
        row = bot.row(ID)
    assert (row.state, row.body) == ("failed", b"")
    with closing(sqlite3.connect(tmp_path / DATABASE)) as connection:
        stored = connection.execute("SELECT target FROM deliveries").fetchone()[0]
    assert target is None or stored == target


async def test_a_body_with_a_hundred_levels_is_taken(sandbox: Sandbox, tmp_path: Path) -> None:
    """The bound itself is not beyond the bound."""
    body = nested(99)
    async with running(sandbox, tmp_path) as bot:
        answer = await post(bot, body, headers(sandbox, body, X_GitHub_Event="repository_dispatch"))
    assert answer == (202, {"delivery": ID, "outcome": "pending"})


@pytest.mark.parametrize("value", ["9223372036854775808", "1" + "0" * 400, "true", "1.5", "-1", '"7"', "[]", "{}"])
@pytest.mark.parametrize("name", ["repository", "installation", "sender"])
@pytest.mark.parametrize("event", ["repository_dispatch", "check_run"])
async def test_an_id_that_github_could_not_have_sent_is_400(
    sandbox: Sandbox, tmp_path: Path, event: str, name: str, value: str
) -> None:
    """Whatever the event: a sentence, and nothing is stored."""
    whom: dict[str, Any] = {"repository": {"id": 7}, "installation": {"id": 42}, "sender": {"id": 1, "login": "o"}}
    body = json.dumps({"action": "x", **whom, name: {"id": "HERE"}}).replace('"HERE"', value).encode()
    async with running(sandbox, tmp_path) as bot:
        status, answer = await post(bot, body, headers(sandbox, body, X_GitHub_Event=event))
    assert (status, answer["error"].partition(":")[0]) == (
        400,
        f"the body's '{name}.id' is not an id as GitHub has them",
    )
    assert rows(tmp_path) == {}


@pytest.mark.parametrize(
    "changed",
    [
        {"X_GitHub_Delivery": None},
        {"X_GitHub_Delivery": ""},
        {"X_GitHub_Delivery": "a b"},
        {"X_GitHub_Delivery": "a" * 65},
        {"X_GitHub_Delivery": "a: b"},
        {"X_GitHub_Event": None},
        {"X_GitHub_Event": "Push"},
        {"X_GitHub_Event": "push;"},
    ],
)
async def test_without_good_headers_nothing_is_stored(sandbox: Sandbox, tmp_path: Path, changed: Any) -> None:
    """The delivery id becomes a trailer of a commit: nothing but a GUID may come in."""
    async with running(sandbox, tmp_path) as bot:
        status, answer = await post(bot, b"{}", headers(sandbox, b"{}", **changed))
    assert (status, answer["error"]) == (400, "the headers X-GitHub-Delivery (a GUID) and X-GitHub-Event are needed")
    assert rows(tmp_path) == {}


# -- what is stored, and the answer


@pytest.mark.parametrize(
    ("event", "payload", "reason"),
    [
        ("ping", {"zen": "Keep it logically awesome."}, "ping: the webhook works"),
        ("check_suite", {"action": "completed"}, "nothing is done on the event 'check_suite'"),
        ("push", {"ref": "refs/tags/v1"}, "a push to no branch, or not for an installation of the App"),
        (
            "repository_dispatch",
            {"action": "x", "client_payload": {}},
            "not sent by an installation of the App: a repository's own webhook points here",
        ),
    ],
)
async def test_events_without_work_leave_only_their_id(
    sandbox: Sandbox, tmp_path: Path, event: str, payload: Any, reason: str
) -> None:
    """202 with the reason; the body is not kept."""
    body = json.dumps(payload).encode()
    async with running(sandbox, tmp_path) as bot:
        answer = await post(bot, body, headers(sandbox, body, X_GitHub_Event=event))
    assert answer == (202, {"delivery": ID, "outcome": "ignored", "reason": reason})
    assert rows(tmp_path) == {ID: Row("ignored", reason, 0, None, b"")}


async def test_a_garbled_dispatch_has_failed_at_once(sandbox: Sandbox, tmp_path: Path) -> None:
    """Signed, but not what GitHub documents: stored as failed with a sentence, never tried."""
    body = b'{"action": "x", "installation": {"id": 1}, "repository": {"id": 1}}'
    async with running(sandbox, tmp_path) as bot:
        status, answer = await post(bot, body, headers(sandbox, body, X_GitHub_Event="repository_dispatch"))
    assert (status, answer["outcome"]) == (202, "failed")
    assert "lacks or garbles a field that GitHub documents" in answer["reason"]
    assert rows(tmp_path)[ID].state == "failed"


def dispatch_of(sandbox: Sandbox, repository: Repository) -> bytes:
    return json.dumps(dispatch_payload(sandbox, repository, "octocat", "x", {"tag": "1"})).encode()


async def test_a_finished_delivery_that_comes_again_is_not_done_again(
    sandbox: Sandbox, gitops: Repository, tmp_path: Path
) -> None:
    """The same id is answered with how it ended and why, and with the command that runs it again."""
    body = dispatch_of(sandbox, gitops)
    sent = headers(sandbox, body, X_GitHub_Event="repository_dispatch")
    async with running(sandbox, tmp_path) as bot:
        assert await post(bot, body, sent) == (202, {"delivery": ID, "outcome": "pending"})
        assert await bot.ended(ID) == "ignored"  # the repository has no mapping file
        asked = len(sandbox.requests)
        again = await post(bot, body, sent)
        why = "no mapping file: acme/gitops has no .github/pointsman.yaml on 'main'"
        reason = f"received before: {why}; 'pointsman deliveries replay {ID}' runs it again"
        assert again == (202, {"delivery": ID, "outcome": "ignored", "reason": reason})
        assert len(sandbox.requests) == asked
        # Who only knows the id learns nothing of the repository.
        other = body.replace(b'"1"', b'"2"')
        sent = headers(sandbox, other, X_GitHub_Event="repository_dispatch")
        assert (await post(bot, other, sent))[1]["reason"] == "received before"
    assert list(rows(tmp_path)) == [ID]


async def test_a_redelivery_of_what_changed_nothing_says_how_to_run_it_again(
    sandbox: Sandbox, gitops: Repository, tmp_path: Path
) -> None:
    """The rules were fixed meanwhile: the command of the answer makes the commit. Without a body it is a dispatch."""
    gitops.commit({".github/pointsman.yaml": f"version: 1\n{RULE}".replace("#", "nothing")}, "Map")
    body = dispatch_of(sandbox, gitops)
    sent = headers(sandbox, body, X_GitHub_Event="repository_dispatch")
    async with running(sandbox, tmp_path) as bot:
        await post(bot, body, sent)
        assert await bot.ended(ID) == "no_change"
        why = "received before: mapping 'a': the regex matches nothing in README.md"
        answer = (await post(bot, body, sent))[1]
        assert answer["reason"] == f"{why}; 'pointsman deliveries replay {ID}' runs it again"
        gitops.commit({".github/pointsman.yaml": f"version: 1\n{RULE}"}, "Fix")
        with closing(Records(tmp_path / DATABASE, write=True)) as records:
            assert records.replay(ID, forced=False) == ID
        assert await bot.ended(ID) == "committed"
        assert (await post(bot, body, sent))[1]["reason"].endswith(f"/acme/gitops/commit/{gitops.head()}")
        with closing(sqlite3.connect(tmp_path / DATABASE)) as connection:
            connection.execute("UPDATE deliveries SET state = 'no_change', reason = 'gone', body = x''")
            connection.commit()
        reason = "received before: gone; its payload is not kept: dispatch again to run it"
        assert (await post(bot, body, sent))[1]["reason"] == reason


async def test_a_pending_delivery_that_comes_again_is_done_once(
    sandbox: Sandbox, gitops: Repository, tmp_path: Path
) -> None:
    """The second one finds the first under way: one row, one commit."""
    gitops.commit(
        {".github/pointsman.yaml": f"version: 1\n{RULE}\n"},
        "Map",
    )
    body = dispatch_of(sandbox, gitops)
    sent = headers(sandbox, body, X_GitHub_Event="repository_dispatch")
    arrived, go = asyncio.Event(), asyncio.Event()

    async def hold() -> None:
        arrived.set()
        await go.wait()

    sandbox.before(hold, operation="Open")
    async with running(sandbox, tmp_path) as bot:
        assert (await post(bot, body, sent))[1]["outcome"] == "pending"
        await arrived.wait()
        assert await post(bot, body, sent) == (
            202,
            {"delivery": ID, "outcome": "pending", "reason": "received before"},
        )
        go.set()
        assert await bot.ended(ID) == "committed"
    assert [entry.message.splitlines()[-1] for entry in gitops.log()][:2] == [f"Pointsman-Delivery: {ID}", "Map"]


async def test_a_redelivery_gives_what_failed_another_try(sandbox: Sandbox, gitops: Repository, tmp_path: Path) -> None:
    """Somebody fixed the mapping file and pressed the button on GitHub's page: the same id, a commit this time."""
    gitops.commit({".github/pointsman.yaml": "version: 2\n"}, "Break")
    body = dispatch_of(sandbox, gitops)
    sent = headers(sandbox, body, X_GitHub_Event="repository_dispatch")
    async with running(sandbox, tmp_path) as bot:
        await post(bot, body, sent)
        assert await bot.ended(ID) == "failed"
        gitops.commit({".github/pointsman.yaml": f"version: 1\n{RULE}\n"}, "Fix")
        answer = await post(bot, body, sent)
        assert answer == (202, {"delivery": ID, "outcome": "pending", "reason": "received before; taken up again"})
        assert await bot.ended(ID) == "committed"
    assert f"Pointsman-Delivery: {ID}" in gitops.log()[0].message


async def test_a_redelivery_takes_up_what_waits(sandbox: Sandbox, gitops: Repository, tmp_path: Path) -> None:
    """A repeated delivery that is still pending wakes its target: GitHub's button helps."""
    body = dispatch_of(sandbox, gitops)
    sent = headers(sandbox, body, X_GitHub_Event="repository_dispatch")
    delivery = Delivery(ID, "repository_dispatch", Actor("webhook", ""), gitops.id, body, datetime.now(UTC))
    async with running(sandbox, tmp_path) as bot:
        assert await bot.application[keys.INBOX].add(delivery)
        answer = await post(bot, body, sent)
        assert answer == (202, {"delivery": ID, "outcome": "pending", "reason": "received before"})
        assert await bot.ended(ID) == "ignored"


# -- the rest of the house


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        ("GET", "/healthz", (200, {"status": "ok"})),
        ("GET", "/readyz", (200, {"status": "ok"})),
        ("GET", "/nothing/here", (404, {"error": "Not Found"})),
        ("GET", "/webhook", (405, {"error": "Method Not Allowed"})),
        ("POST", "/healthz", (405, {"error": "Method Not Allowed"})),
    ],
)
async def test_every_answer_is_json(
    sandbox: Sandbox, tmp_path: Path, method: str, path: str, expected: tuple[int, dict[str, str]]
) -> None:
    """Health, readiness, and what is not there."""
    async with (
        running(sandbox, tmp_path) as bot,
        aiohttp.ClientSession() as session,
        session.request(method, bot.url + path) as response,
    ):
        assert (response.status, await response.json()) == expected


async def test_a_webhook_to_a_wrong_path_is_told_the_right_one(
    sandbox: Sandbox, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The page of the App on GitHub shows the answer; the log has one warning, however many such webhooks come."""
    paths = ["/", "/", "/webhook/", "/webhooks", "/api/github"]
    async with running(sandbox, tmp_path) as bot, aiohttp.ClientSession() as session:
        for path in paths:
            async with session.post(bot.url + path, data=b"{}", headers=headers(sandbox, b"{}")) as response:
                sentence = "webhooks are taken at /webhook: set https://YOUR-HOST/webhook on the App's settings page"
                assert (response.status, await response.json()) == (404, {"error": sentence})
        async with session.post(f"{bot.url}/", data=b"{}") as response:
            assert (await response.json())["error"] == sentence
        async with session.post(f"{bot.url}/nothing", data=b"{}") as response:
            assert await response.json() == {"error": "Not Found"}
    lines = logged(capsys.readouterr().err)
    warned = [line for line in lines if line["event"] == "refused" and line["level"] == "warning"]
    assert [(line["path"], line["status"], line["reason"]) for line in warned] == [("/", 404, sentence)]
    assert rows(tmp_path) == {}


async def test_an_unexpected_error_is_answered_with_500(sandbox: Sandbox, tmp_path: Path) -> None:
    """An inbox that fails is 500 from /webhook, so that GitHub counts the delivery as failed; /healthz stays."""
    async with running(sandbox, tmp_path) as bot, aiohttp.ClientSession() as session:
        inbox: Any = bot.application[keys.INBOX]
        inbox._connection.execute("ALTER TABLE deliveries RENAME TO gone")
        status, answer = await post(bot, b"{}", headers(sandbox, b"{}"))
        assert (status, answer) == (500, {"error": "an unexpected error; the log has the details"})
        async with session.get(f"{bot.url}/healthz") as response:
            assert response.status == 200
