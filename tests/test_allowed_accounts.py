"""ALLOWED_ACCOUNTS: an App that is public can be installed by anybody, whose deliveries nobody asked for."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import aiohttp
from running import DATABASE, REFUSAL, logged, rows, running

from bot.inbox.sqlite import SQLiteInbox
from bot.sandbox.webhooks import sign

if TYPE_CHECKING:
    from pathlib import Path

    import pytest
    from running import Bot

    from bot.sandbox import Sandbox

NOWHERE = "http://127.0.0.1:9/webhook"
MAPPINGS = """\
version: 1
mappings: [{ name: a, update: [{ files: v.yaml, set: { tag: '${{ tag }}' } }] }]
"""
FILES = {
    ".github/pointsman.yaml": MAPPINGS,
    "v.yaml": "tag: old\n",
}


def said(capsys: pytest.CaptureFixture[str], event: str) -> list[dict[str, Any]]:
    return [line for line in logged(capsys.readouterr().err) if line["event"] == event]


async def test_a_strangers_deliveries_are_not_stored(
    sandbox: Sandbox, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """202 `ignored`, no row, no request, and one line in the log however many come; ours are done. By id and login."""
    ours = sandbox.create_repository("acme/gitops", FILES)
    also = sandbox.create_repository("octo/gitops", FILES)
    theirs = sandbox.create_repository("stranger/gitops", FILES)
    allowed = f"{sandbox.account_id('acme')}, OCTO"
    async with running(sandbox, tmp_path, ALLOWED_ACCOUNTS=allowed) as bot:
        for number in range(5):
            await sandbox.dispatch("stranger/gitops", "x", {"tag": f"{number}"})
        theirs.commit({"README.md": "#\n"}, "Push")
        sandbox.installations["stranger"].suspend()
        await sandbox.webhooks.drained()
        answers = [json.loads(sent.response_body) for sent in sandbox.webhooks.deliveries]
        assert {answer["outcome"] for answer in answers} == {"ignored"}
        assert "ALLOWED_ACCOUNTS does not name it" in answers[0]["reason"]
        assert rows(tmp_path) == {}
        for name in ("acme/gitops", "octo/gitops"):
            assert await bot.ended(await sandbox.dispatch(name, "x", {"tag": "new"})) == "committed"
    assert (ours.read("v.yaml"), also.read("v.yaml"), theirs.read("v.yaml")) == (
        b"tag: new\n",
        b"tag: new\n",
        b"tag: old\n",
    )
    (line,) = said(capsys, "ignored: not in ALLOWED_ACCOUNTS")
    assert (line["account"], line["id"]) == ("stranger", sandbox.account_id("stranger"))


async def test_without_a_list_everybody_is_served_and_the_start_says_so(
    sandbox: Sandbox, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The default; one line at the start."""
    sandbox.create_repository("stranger/gitops", FILES)
    async with running(sandbox, tmp_path) as bot:
        assert await bot.ended(await sandbox.dispatch("stranger/gitops", "x", {"tag": "new"})) == "committed"
    assert len(said(capsys, "ALLOWED_ACCOUNTS is empty: whoever installs the App is served")) == 1


async def test_the_sweep_stores_nothing_of_strangers_and_asks_once(sandbox: Sandbox, tmp_path: Path) -> None:
    """What came while the bot was down: one payload tells whose installation it is, and no more of it is fetched."""
    sandbox.create_repository("acme/gitops", FILES)
    sandbox.create_repository("stranger/gitops", FILES)
    sandbox.webhook_url = NOWHERE
    for number in range(4):
        await sandbox.dispatch("stranger/gitops", "x", {"tag": f"{number}"})
    missed = await sandbox.dispatch("acme/gitops", "x", {"tag": "new"})
    await sandbox.webhooks.drained()
    async with running(sandbox, tmp_path, ALLOWED_ACCOUNTS="acme", SWEEP_INTERVAL="1") as bot:
        assert await bot.ended(missed) == "committed"
        await asyncio.sleep(2.5)
        fetched = [one.path for one in sandbox.requests if one.path.startswith("/app/hook/deliveries/")]
    assert len(fetched) == 2
    assert next(row.state for row in rows(tmp_path).values()) == "committed"


async def test_a_login_means_the_account_that_had_it_first(sandbox: Sandbox, tmp_path: Path) -> None:
    """It is looked up once and kept: whoever gets the login after a rename, in any case of letters, is a stranger."""
    sandbox.create_repository("acme/gitops", FILES)
    async with running(sandbox, tmp_path, ALLOWED_ACCOUNTS="ACME") as bot:
        assert await bot.ended(await sandbox.dispatch("acme/gitops", "x", {"tag": "new"})) == "committed"
    before = rows(tmp_path)
    inbox = SQLiteInbox(tmp_path / DATABASE)
    assert await inbox.holds.accounts() == {"acme": sandbox.account_id("acme")}
    inbox._connection.execute("UPDATE accounts SET id = id + 1")  # as if another one had it then
    inbox.close()
    async with running(sandbox, tmp_path, ALLOWED_ACCOUNTS="acme", SWEEP_INTERVAL="0"):
        await sandbox.dispatch("acme/gitops", "x", {"tag": "newer"})
        await sandbox.webhooks.drained()
    assert rows(tmp_path).keys() == before.keys()


async def test_while_a_login_cannot_be_looked_up_nothing_is_lost(
    sandbox: Sandbox, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """GitHub is away at the start: 503, so that GitHub keeps the delivery, and the sweep fetches it later."""
    sandbox.create_repository("acme/gitops", FILES)
    away = sandbox.faults.add(path="^/app/installations$", status=503, body=REFUSAL, times=1)
    async with running(sandbox, tmp_path, ALLOWED_ACCOUNTS="acme", SWEEP_INTERVAL="1") as bot:
        assert away.spent
        early = await sandbox.dispatch("acme/gitops", "x", {"tag": "early"})
        await sandbox.webhooks.drained()
        assert sandbox.webhooks.deliveries[-1].status_code == 503
        assert rows(tmp_path) == {}
        assert await bot.ended(early, 15) == "committed"
    assert len(said(capsys, "ALLOWED_ACCOUNTS: logins cannot be looked up; again later")) == 1


async def test_a_login_without_installation_is_known_when_it_installs(
    sandbox: Sandbox, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Until then it is denied, and the start says so; then GitHub's list says which id it is."""
    async with running(sandbox, tmp_path, ALLOWED_ACCOUNTS="acme", SWEEP_INTERVAL="0") as bot:
        body = json.dumps(
            {
                "action": "x",
                "client_payload": {},
                "repository": {"id": 7, "owner": {"id": 99, "login": "acme"}},
                "installation": {"id": 42},
            }
        ).encode()
        assert (await send(sandbox, bot, body, "repository_dispatch"))["outcome"] == "ignored"
        # Neither does a captured body of whoever had the login before say which id it is.
        account = {"id": 99, "login": "acme"}
        installed = {"action": "created", "installation": {"id": 42, "account": account}, "repositories": []}
        assert (await send(sandbox, bot, json.dumps(installed).encode(), "installation"))["outcome"] == "ignored"
        sandbox.create_repository("acme/gitops", FILES, installed=False)
        installation = sandbox.install("acme")
        await sandbox.webhooks.drained()
        assert installation.account == "acme"
        assert await bot.ended(await sandbox.dispatch("acme/gitops", "x", {"tag": "new"})) == "committed"
    line = "ALLOWED_ACCOUNTS: the App is not installed on this account; nothing of it is taken until it is"
    assert [one["login"] for one in said(capsys, line)] == ["acme"]


async def test_an_installation_that_is_not_told_loses_nothing(sandbox: Sandbox, tmp_path: Path) -> None:
    """The App is installed while the bot runs, and that webhook is lost: the next one of the account is taken."""
    async with running(sandbox, tmp_path, ALLOWED_ACCOUNTS="acme", SWEEP_INTERVAL="0") as bot:
        sandbox.webhooks.lose(1, event="installation")
        sandbox.create_repository("acme/gitops", FILES, installed=False)
        sandbox.install("acme")
        assert await bot.ended(await sandbox.dispatch("acme/gitops", "x", {"tag": "new"})) == "committed"


async def test_a_body_that_tells_no_account_is_not_stored(sandbox: Sandbox, tmp_path: Path) -> None:
    """A ping, a body that cannot be read: with a list, only what proves whose it is comes in."""
    async with running(sandbox, tmp_path, ALLOWED_ACCOUNTS="1") as bot:
        for body in (b"{}", b'{"a":' * 2000 + b"1" + b"}" * 2000, b'{"installation": {"id": 1}}'):
            assert (await send(sandbox, bot, body, "ping"))["outcome"] == "ignored"
    assert rows(tmp_path) == {}


async def send(sandbox: Sandbox, bot: Bot, body: bytes, event: str) -> Any:
    headers = {
        "X-GitHub-Delivery": f"72d3162e-cc78-11e3-81ab-{len(body):012d}",
        "X-GitHub-Event": event,
        "X-Hub-Signature-256": sign(sandbox.app.webhook_secret, body),
    }
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{bot.url}/webhook", data=body, headers=headers) as response,
    ):
        assert response.status == 202
        return await response.json()
