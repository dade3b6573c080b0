"""A signed body that comes again under another delivery id: acted on only if GitHub's own list has that delivery."""

from __future__ import annotations

import asyncio
import json
import uuid
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
from running import DATABASE, REFUSAL, Bot, logged, rows, running

from bot.core.body import digest
from bot.core.model import Actor, Delivery
from bot.flows import replay
from bot.flows.replay import ReplayCheck
from bot.github.auth import app_api
from bot.github.deliveries import DeliveryList
from bot.inbox import holds
from bot.inbox.records import Records, retain
from bot.inbox.sqlite import SQLiteInbox
from bot.sandbox.webhooks import sign
from bot.web import keys

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from bot.sandbox import Repository, Sandbox

MAPPINGS = """\
version: 1
mappings: [{ name: app, update: [{ files: values.yaml, set: { image.tag: '${{ tag }}' } }] }]
"""


@pytest.fixture
def repository(sandbox: Sandbox) -> Repository:
    """A repository whose dispatches set a tag."""
    files = {".github/pointsman.yaml": MAPPINGS, "values.yaml": "image: { tag: old }\n"}
    return sandbox.create_repository("acme/gitops", files)


@pytest.fixture
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let what is held back be looked for within a second instead of a minute."""
    monkeypatch.setattr(holds, "FIRST_LOOK_SECONDS", 0.0)
    monkeypatch.setattr(replay, "PATIENCE", timedelta(seconds=1))
    monkeypatch.setattr(replay, "SHORTEST_PAUSE", timedelta(0))
    monkeypatch.setattr(replay, "PAUSE", timedelta(0))
    monkeypatch.setattr(replay, "LONGEST_AWAY", timedelta(seconds=1))


def captured(sandbox: Sandbox, guid: str | None) -> bytes:
    """The bytes that GitHub sent for a delivery."""
    payload = next(sent.payload for sent in sandbox.webhooks.deliveries if sent.guid == guid)
    return json.dumps(payload, separators=(",", ":")).encode()


async def send(
    sandbox: Sandbox, bot: Bot, body: bytes, guid: str | None = None, event: str = "repository_dispatch"
) -> tuple[int, Any]:
    """Send captured bytes with their signature, under a new id unless one is given."""
    headers = {
        "X-GitHub-Delivery": guid or str(uuid.uuid1()),
        "X-GitHub-Event": event,
        "X-Hub-Signature-256": sign(sandbox.app.webhook_secret, body),
    }
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{bot.url}/webhook", data=body, headers=headers) as response,
    ):
        return response.status, await response.json()


async def deployed(sandbox: Sandbox, bot: Bot, *tags: str) -> bytes:
    """Dispatch these tags one after the other; return the body of the first one."""
    guids = []
    for tag in tags:
        guid = await sandbox.dispatch("acme/gitops", "x", {"tag": tag})
        assert await bot.ended(guid) == "committed"
        guids.append(guid)
    return captured(sandbox, guids[0])


@pytest.mark.usefixtures("soon")
async def test_a_captured_body_under_another_id_does_not_roll_production_back(
    sandbox: Sandbox, repository: Repository, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """GitHub's list does not have the id: `ignored: replay`, a warning, no commit, and nothing of the body stays."""
    async with running(sandbox, tmp_path) as bot:
        body = await deployed(sandbox, bot, "1.0", "2.0")
        status, answer = await send(sandbox, bot, body)
        assert (status, answer["outcome"]) == (202, "pending")
        assert await bot.ended(answer["delivery"]) == "ignored"
        row = bot.row(answer["delivery"])
    assert repository.read("values.yaml") == b'image: { tag: "2.0" }\n'
    assert (row.reason.startswith("replay: "), row.body, row.attempts) == (True, b"", 0)
    warned = [line for line in logged(capsys.readouterr().err) if line["event"] == "ignored: replay"]
    assert [(line["level"], line["delivery"]) for line in warned] == [("warning", answer["delivery"])]


@pytest.mark.usefixtures("soon")
async def test_a_body_written_differently_is_the_same_body(
    sandbox: Sandbox, repository: Repository, tmp_path: Path
) -> None:
    """The webhook is lost, the sweep stores what GitHub's list has, and then the captured bytes are sent."""
    async with running(sandbox, tmp_path, SWEEP_INTERVAL="1") as bot:
        sandbox.webhooks.lose(1, event="repository_dispatch")
        lost = await sandbox.dispatch("acme/gitops", "x", {"tag": "1.0", "weight": 1.10, "é": "\u2028"})
        assert await bot.ended(lost) == "committed"
        await deployed(sandbox, bot, "2.0")
        _, answer = await send(sandbox, bot, captured(sandbox, lost))
        assert await bot.ended(answer["delivery"]) == "ignored"
    assert repository.read("values.yaml") == b'image: { tag: "2.0" }\n'


@pytest.mark.usefixtures("soon")
async def test_a_dispatch_that_is_sent_twice_is_done_twice(
    sandbox: Sandbox, repository: Repository, tmp_path: Path
) -> None:
    """The same body within a second, and GitHub's list has both ids: the second one is acted on as well."""
    async with running(sandbox, tmp_path) as bot:
        sandbox.faults.add(path="^/graphql$", status=502, body=REFUSAL, times=1)
        first = await sandbox.dispatch("acme/gitops", "x", {"tag": "1.0"})
        second = await sandbox.dispatch("acme/gitops", "x", {"tag": "1.0"})
        await sandbox.webhooks.drained()
        assert captured(sandbox, first) == captured(sandbox, second)
        assert {await bot.ended(first), await bot.ended(second)} <= {"committed", "no_change"}
    assert repository.read("values.yaml") == b'image: { tag: "1.0" }\n'


@pytest.mark.usefixtures("soon")
async def test_while_the_list_is_out_of_reach_a_replay_waits(
    sandbox: Sandbox, repository: Repository, tmp_path: Path
) -> None:
    """It is neither acted on nor ended, by no redelivery and no wake; once the list is back it is ignored."""
    async with running(sandbox, tmp_path) as bot:
        body = await deployed(sandbox, bot, "1.0", "2.0")
        away = sandbox.faults.add(path="^/app/hook/deliveries", status=503, body=REFUSAL, times=None)
        _, answer = await send(sandbox, bot, body)
        for _ in range(3):
            await asyncio.sleep(0.5)
            again = await send(sandbox, bot, body, answer["delivery"])
            assert again[1]["outcome"] == "pending"
        await bot.application[keys.INBOX].resume()
        await asyncio.sleep(0.5)
        assert bot.row(answer["delivery"]).state == "pending"
        away.times = 0
        assert await bot.ended(answer["delivery"]) == "ignored"
    assert repository.read("values.yaml") == b'image: { tag: "2.0" }\n'


@pytest.mark.usefixtures("soon", "repository")
async def test_an_id_that_github_listed_with_another_event_does_not_count(sandbox: Sandbox, tmp_path: Path) -> None:
    """The captured body of a dispatch under the id of a delivery that was of another event, and never came."""
    async with running(sandbox, tmp_path) as bot:
        body = await deployed(sandbox, bot, "1.0", "2.0")
        sandbox.webhooks.lose(1, event="push")
        sandbox.repository("acme/gitops").commit({"README.md": "# New\n"}, "Push")
        await sandbox.webhooks.drained()
        (lost,) = [sent.guid for sent in sandbox.webhooks.deliveries if sent.status_code == 502]
        await send(sandbox, bot, body, lost)
        assert await bot.ended(lost) == "ignored"
        assert bot.row(lost).reason.startswith("replay: ")


@pytest.mark.usefixtures("soon")
async def test_a_captured_body_under_the_id_of_one_that_failed_changes_nothing(
    sandbox: Sandbox, repository: Repository, tmp_path: Path
) -> None:
    """A redelivery gives what failed another try, but only with its own body: check runs show such ids to everybody."""
    async with running(sandbox, tmp_path) as bot:
        body = await deployed(sandbox, bot, "1.0", "2.0")
        failed = await sandbox.dispatch("acme/gitops", "x", {"tag": ["no text"]})
        assert await bot.ended(failed) == "failed"
        assert (await send(sandbox, bot, body, failed))[1]["outcome"] == "failed"
        assert (await send(sandbox, bot, captured(sandbox, failed), failed))[1]["outcome"] == "pending"
    assert repository.read("values.yaml") == b'image: { tag: "2.0" }\n'


async def test_what_was_forgotten_is_known_by_its_body(
    sandbox: Sandbox, repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """RETENTION_DAYS later the very same request, id and all, is a replay: its body is kept for longer."""
    for name, value in (("PATIENCE", 0), ("SHORTEST_PAUSE", 0), ("PAUSE", 0)):
        monkeypatch.setattr(replay, name, timedelta(seconds=value))
    monkeypatch.setattr(holds, "FIRST_LOOK_SECONDS", 0.0)
    async with running(sandbox, tmp_path) as bot:
        body = await deployed(sandbox, bot, "1.0", "2.0")
        guid = next(iter(rows(tmp_path)))
        while any(row.state == "pending" for row in rows(tmp_path).values()):
            await asyncio.sleep(0.01)  # a push
        assert await retain(tmp_path / DATABASE, 0, 365) > 0
        assert rows(tmp_path) == {}
        sandbox.webhooks.deliveries.clear()  # GitHub forgets as well, after three days
        assert (await send(sandbox, bot, body, guid))[1]["outcome"] == "pending"
        assert await bot.ended(guid) == "ignored"
        assert await retain(tmp_path / DATABASE, 0, 0) > 0
        assert (await send(sandbox, bot, body, guid))[1]["outcome"] == "pending"
        assert await bot.ended(guid) == "committed"  # a year later, as REPLAY_DAYS says
    assert repository.read("values.yaml") == b'image: { tag: "1.0" }\n'


async def test_a_flood_of_replays_is_bounded(sandbox: Sandbox, repository: Repository, tmp_path: Path) -> None:
    """Ten of a body are held back; the others get 503 and leave nothing: a real one among them the sweep fetches."""
    async with running(sandbox, tmp_path, SWEEP_INTERVAL="0") as bot:
        body = await deployed(sandbox, bot, "1.0", "2.0")
        await sandbox.webhooks.drained()  # the push of the last commit
        before = len(rows(tmp_path))
        asked = len(sandbox.requests)
        answers = [await send(sandbox, bot, body) for _ in range(40)]
        assert [status for status, _ in answers].count(202) == 10
        assert answers[-1][0] == 503
        assert answers[-1][1]["error"].startswith("too many deliveries with a body that came before")
        assert len(rows(tmp_path)) == before + 10
        await asyncio.sleep(3.5)
        looks = [one for one in list(sandbox.requests)[asked:] if one.path.startswith("/app/hook/deliveries")]
        assert 1 <= len(looks) <= 2  # one look serves all
    assert repository.read("values.yaml") == b'image: { tag: "2.0" }\n'


async def test_one_installation_cannot_take_all_places_of_what_is_held_back(
    sandbox: Sandbox, repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """GitHub's list is away; somebody repeats many dispatches, and one of another installation is held all the same."""
    monkeypatch.setattr(holds, "MOST_HELD_OF_INSTALLATION", 12)
    sandbox.create_repository("mallory/gitops", {"values.yaml": "image: { tag: old }\n"})
    async with running(sandbox, tmp_path, SWEEP_INTERVAL="0") as bot:
        sandbox.faults.add(path="^/app/hook/deliveries", status=502, body=REFUSAL)
        body = await deployed(sandbox, bot, "1.0")
        for tag in ("a", "b"):
            for _ in range(11):
                await sandbox.dispatch("mallory/gitops", "x", {"tag": tag})
        await sandbox.webhooks.drained()
        statuses = [sent.status_code for sent in sandbox.webhooks.deliveries if sent.repository is not repository]
        assert statuses.count(503) == 8  # 2 were new, 10 of `a` and 2 of `b` are held
        assert (await send(sandbox, bot, body))[1]["outcome"] == "pending"
    assert repository.read("values.yaml") == b'image: { tag: "1.0" }\n'


async def test_a_flood_of_what_has_no_effect_leaves_one_row(
    sandbox: Sandbox, repository: Repository, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A captured body that ends on arrival is stored and logged once, whatever id and event name it comes under."""
    async with running(sandbox, tmp_path) as bot:
        guid = await sandbox.dispatch(repository.full_name, "x", {"tag": "1.0"})
        assert await bot.ended(guid) == "committed"
        await sandbox.webhooks.drained()
        before = len(rows(tmp_path))
        bodies = (
            (json.dumps({"action": "created", "installation": {"id": 1}}).encode(), "ignored"),
            (captured(sandbox, guid), "ignored"),
            (b'{"a": "\\ud800"}', "failed"),
            (b'{"a": ' + b"[" * 5000 + b"]" * 5000 + b"}", "failed"),
        )
        capsys.readouterr()
        for body, outcome in bodies:
            for number in range(20):
                status, answer = await send(sandbox, bot, body, event=f"check_{chr(ord('a') + number)}")
                assert (status, answer["outcome"]) == (202, outcome)
    assert len(rows(tmp_path)) == before + len(bodies)
    assert sum(line["event"] == "received" for line in logged(capsys.readouterr().err)) == len(bodies)


async def test_an_operator_cannot_let_a_held_one_go_by_mistake(
    sandbox: Sandbox, repository: Repository, tmp_path: Path
) -> None:
    """`deliveries replay` refuses it, with --force too, and says why; `drop` ends it."""
    assert repository.full_name == "acme/gitops"
    async with running(sandbox, tmp_path) as bot:
        body = await deployed(sandbox, bot, "1.0", "2.0")
        _, answer = await send(sandbox, bot, body)
        records = Records(tmp_path / DATABASE, write=True)
        for forced in (False, True):
            with pytest.raises(Exception, match="is held: the same body came as delivery"):
                records.replay(answer["delivery"], forced=forced)
        records.drop(answer["delivery"])
        records.close()
        assert bot.row(answer["delivery"]).state == "dead"
        inbox: Any = bot.application[keys.INBOX]
        assert await inbox.holds.held() == []


# -- the look, by a clock of the test's own


class Woken(list[int]):
    """An engine that only remembers which targets it should drain."""

    def wake(self, target: int) -> None:
        self.append(target)


@asynccontextmanager
async def looking(
    sandbox: Sandbox, folder: Path
) -> AsyncIterator[tuple[SQLiteInbox, ReplayCheck, list[datetime], Woken]]:
    inbox, now, woken = SQLiteInbox(folder / DATABASE), [datetime.now(UTC)], Woken()
    try:
        async with aiohttp.ClientSession() as session:
            deliveries = DeliveryList(app_api(session, sandbox.url, sandbox.app.id, sandbox.app.private_key))
            yield inbox, ReplayCheck(deliveries, inbox.holds, woken, lambda: now[0]), now, woken
    finally:
        inbox.close()


def delivery(name: str, body: Any) -> Delivery:
    actor = Actor("webhook", "octocat")
    raw = json.dumps(body).encode()
    return Delivery(name, "repository_dispatch", actor, 7, raw, datetime.now(UTC), digest=digest(body))


async def test_not_listed_counts_only_after_looks_over_a_minute(sandbox: Sandbox, tmp_path: Path) -> None:
    """GitHub lists a delivery some time after it was answered: one look that does not find it proves nothing."""
    async with looking(sandbox, tmp_path) as (inbox, check, now, woken):
        await inbox.add(delivery("a", {}))
        await inbox.add(delivery("b", {}))
        started, looks = now[0], 0
        while await inbox.holds.held():
            asked = len(sandbox.requests)
            await check.look()
            looks += len(sandbox.requests) - asked
            now[0] += timedelta(seconds=1)
        assert timedelta(seconds=60) <= now[0] - started <= timedelta(seconds=90)
        assert 5 <= looks <= 12
        assert (await inbox.state("a"), await inbox.state("b"), woken) == ("pending", "ignored", [])


async def test_a_list_that_was_away_for_hours_decides_nothing_at_its_first_answer(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    """The pauses between looks grow to five minutes; the minute counts from the first look that got an answer."""
    async with looking(sandbox, tmp_path) as (inbox, check, now, _):
        await inbox.add(delivery("a", {}))
        await inbox.add(delivery("b", {}))
        away = sandbox.faults.add(path="^/app/hook/deliveries", status=503, body=REFUSAL, times=None)
        for _ in range(7200):
            now[0] += timedelta(seconds=1)
            await check.look()
        assert len(sandbox.requests) < 40
        away.times = 0
        asked = len(sandbox.requests)
        while len(sandbox.requests) == asked:
            now[0] += timedelta(seconds=1)
            await check.look()
        assert [one.delivery for one in await inbox.holds.held()] == ["b"]


async def test_what_the_sweep_found_is_never_held_back(tmp_path: Path) -> None:
    """It comes from that very list; and its body counts as one that came."""
    inbox = SQLiteInbox(tmp_path / DATABASE)
    try:
        assert await inbox.add(delivery("a", {}))
        assert await inbox.add(delivery("b", {}), listed=True)
        assert await inbox.add(delivery("c", {"other": 1}), listed=True)
        assert await inbox.add(delivery("d", {"other": 1}))
        assert [one.id for one in await inbox.pending(7, 10)] == ["a", "b", "c"]
        assert [one.delivery for one in await inbox.holds.held()] == ["d"]
        assert await inbox.targets() == [7]
        await inbox.holds.release(["d"])
        assert [one.id for one in await inbox.pending(7, 10)] == ["a", "b", "c", "d"]
    finally:
        inbox.close()
