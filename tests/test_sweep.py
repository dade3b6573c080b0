"""Webhooks that never arrived are found in GitHub's own list, and carried out as if they had."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, NamedTuple

import aiohttp
import pytest
from running import DATABASE, REFUSAL, logged, rows, running

from bot import telemetry
from bot.compute.in_place import InPlace
from bot.core.model import Actor, Delivery
from bot.errors import Transient, Unavailable
from bot.flows import sweep
from bot.flows.intake import Intake
from bot.flows.listed import Listed, in_turn
from bot.flows.sweep import Sweep
from bot.github import deliveries
from bot.github.auth import app_api
from bot.github.deliveries import DeliveryList
from bot.inbox.sqlite import SQLiteInbox

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from pathlib import Path

    from bot.sandbox import Repository, Sandbox

JSON = "application/json"
NOWHERE = "http://127.0.0.1:9/webhook"
MAPPINGS = """\
version: 1
mappings: [{ name: app, update: [{ files: values.yaml, set: { image.tag: '${{ tag }}' } }] }]
"""


class Woken(list[int]):
    """An engine that only remembers which targets it should drain."""

    def wake(self, target: int) -> None:
        self.append(target)


class Night(NamedTuple):
    """A sweep over the sandbox's list into a real inbox, made to go when the test says so; `now` is its time."""

    sandbox: Sandbox
    inbox: SQLiteInbox
    woken: Woken
    sweep: Sweep
    now: list[datetime]

    async def lost(self, *tags: str) -> list[str]:
        """Send dispatches that nobody gets; return their GUIDs."""
        self.sandbox.webhook_url = NOWHERE
        guids = [await self.sandbox.dispatch("acme/gitops", "x", {"tag": tag}) for tag in tags]
        await self.sandbox.webhooks.drained()
        return [guid for guid in guids if guid]

    def sent_at(self, *times: datetime) -> None:
        """Let GitHub's deliveries have been sent at these times, from the oldest."""
        for sent, time in zip(self.sandbox.webhooks.deliveries, times, strict=True):
            sent.delivered_at = time.timestamp()

    def fetched(self) -> list[str]:
        """Return the requests made for one delivery each."""
        paths = [exchange.path for exchange in self.sandbox.requests]
        return [path for path in paths if path.startswith("/app/hook/deliveries/")]


@asynccontextmanager
async def sweeping(sandbox: Sandbox, folder: Path) -> AsyncIterator[Night]:
    telemetry.configure("debug", "json")
    inbox, woken, now = SQLiteInbox(folder / DATABASE), Woken(), [datetime.now(UTC)]
    try:
        async with aiohttp.ClientSession() as session:
            listed = DeliveryList(app_api(session, sandbox.url, sandbox.app.id, sandbox.app.private_key))
            intake = Intake(inbox, woken, InPlace())
            yield Night(sandbox, inbox, woken, Sweep(listed, inbox, intake, lambda: now[0]), now)
    finally:
        inbox.close()


@pytest.fixture
async def night(sandbox: Sandbox, gitops: Repository, tmp_path: Path) -> AsyncIterator[Night]:
    """A sweep by hand, with the repository acme/gitops."""
    assert gitops.full_name == "acme/gitops"
    async with sweeping(sandbox, tmp_path) as made:
        yield made


def ago(**time: int) -> datetime:
    return datetime.now(UTC).replace(microsecond=0) - timedelta(**time)


# -- the bot, as it runs


def mapped(sandbox: Sandbox) -> Repository:
    return sandbox.create_repository(
        "acme/gitops", {".github/pointsman.yaml": MAPPINGS, "values.yaml": "image: { tag: old }\n"}
    )


async def test_a_sweep_at_the_start_finds_what_was_sent_while_the_bot_was_down(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    """Two dispatches came while nobody listened: both are carried out, and the later one has the last word."""
    repository = mapped(sandbox)
    sandbox.webhook_url = NOWHERE
    missed = [await sandbox.dispatch("acme/gitops", "x", {"tag": tag}) for tag in ("one", "two")]
    await sandbox.webhooks.drained()
    async with running(sandbox, tmp_path, SWEEP_INTERVAL="0") as bot:
        assert {await bot.ended(guid) for guid in missed} <= {"committed", "no_change"}
    assert repository.read("values.yaml") == b"image: { tag: two }\n"
    assert list(rows(tmp_path))[:2] == missed


async def test_a_webhook_lost_on_the_way_comes_by_the_next_sweep(sandbox: Sandbox, tmp_path: Path) -> None:
    """The bot runs, one of two webhooks never reaches it, and a second later it is carried out all the same."""
    repository = mapped(sandbox)
    async with running(sandbox, tmp_path, SWEEP_INTERVAL="1") as bot:
        assert await bot.ended(await sandbox.dispatch("acme/gitops", "x", {"tag": "heard"})) == "committed"
        await asyncio.sleep(1.1)  # GitHub lists whole seconds: what is heard within the same one counts as newer
        sandbox.webhooks.lose(1, event="repository_dispatch")
        lost = await sandbox.dispatch("acme/gitops", "x", {"tag": "lost"})
        assert await bot.ended(lost) == "committed"
    assert repository.read("values.yaml") == b"image: { tag: lost }\n"
    assert len(repository.log()) == 3


async def test_a_bot_goes_on_while_the_list_cannot_be_had(
    sandbox: Sandbox, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every sweep fails with a warning, webhooks are taken as ever, and once GitHub is back the lost one is found."""
    mapped(sandbox)
    away = sandbox.faults.add(path="^/app/hook/deliveries", status=503, body=REFUSAL, times=None)
    async with running(sandbox, tmp_path, SWEEP_INTERVAL="1") as bot:
        sandbox.webhooks.lose(1, event="repository_dispatch")
        lost = await sandbox.dispatch("acme/gitops", "x", {"tag": "lost"})
        assert await bot.ended(await sandbox.dispatch("acme/gitops", "x", {"tag": "heard"})) == "committed"
        assert lost not in rows(tmp_path)
        away.times = 0
        assert await bot.ended(lost) in {"committed", "no_change"}
    said = [line for line in logged(capsys.readouterr().err) if line["event"] == "sweep failed; again later"]
    assert {(line["level"], line["reason"], line["pause"]) for line in said} == {("warning", "GitHub answered 503", 1)}


# -- what is taken


async def test_what_is_lost_is_stored_as_the_webhook_would_with_githubs_time(night: Night, gitops: Repository) -> None:
    """Event, sender, target, installation and payload are those of the webhook, the origin is when GitHub sent it."""
    (guid,) = await night.lost("new")
    sent_at = ago(hours=30)
    night.sent_at(sent_at)
    (sent,) = night.sandbox.webhooks.deliveries
    assert await night.sweep.once()
    (stored,) = await night.inbox.pending(gitops.id, 10)
    assert (stored.id, stored.event, stored.target, stored.origin) == (guid, "repository_dispatch", gitops.id, sent_at)
    sender = sent.payload["sender"]
    assert stored.actor == Actor("webhook", sender["login"], sender["id"])
    assert stored.installation == sent.installation
    assert json.loads(stored.body) == sent.payload
    assert night.woken == [gitops.id]


async def test_the_lost_are_stored_from_the_oldest(night: Night, gitops: Repository) -> None:
    """GitHub lists the newest first; what waits is taken up in the order of arrival."""
    guids = await night.lost("one", "two", "three")
    await night.sweep.once()
    assert [delivery.id for delivery in await night.inbox.pending(gitops.id, 10)] == guids


async def test_nothing_is_fetched_twice(night: Night) -> None:
    """A second sweep looks at the same list and asks for no payload again; nor does one of another process."""
    await night.lost("one", "two")
    assert await night.sweep.once()
    assert len(night.fetched()) == 2
    assert await night.sweep.once()
    async with aiohttp.ClientSession() as session:
        deliveries = DeliveryList(
            app_api(session, night.sandbox.url, night.sandbox.app.id, night.sandbox.app.private_key)
        )
        assert await Sweep(deliveries, night.inbox, night.sweep._intake, lambda: night.now[0]).once()
    assert len(night.fetched()) == 2


async def test_a_doubled_one_is_stored_once_with_the_time_of_the_first(night: Night, gitops: Repository) -> None:
    """Sent twice and lost twice, then redelivered in vain: one delivery, one payload fetched."""
    night.sandbox.webhooks.double(1)
    (guid,) = await night.lost("new")
    night.sandbox.webhooks.send_again(night.sandbox.webhooks.deliveries[0])
    await night.sandbox.webhooks.drained()
    first = ago(hours=3)
    night.sent_at(first, ago(hours=2), ago(hours=1))
    assert await night.sweep.once()
    assert [(one.id, one.origin) for one in await night.inbox.pending(gitops.id, 10)] == [(guid, first)]
    assert len(night.fetched()) == 1


async def test_one_that_the_webhook_takes_meanwhile_is_no_error(night: Night, gitops: Repository) -> None:
    """It arrives between list and payload: stored once, with the time of the webhook, and woken by nobody else."""
    (guid,) = await night.lost("new")
    origin = ago(minutes=1)
    delivery = Delivery(guid, "repository_dispatch", Actor("webhook", "octocat"), gitops.id, b"{}", origin)

    async def arrive() -> None:
        assert await night.inbox.add(delivery)

    night.sandbox.before(arrive, path=r"^/app/hook/deliveries/\d")
    assert await night.sweep.once()
    assert [one.origin for one in await night.inbox.pending(gitops.id, 10)] == [origin]
    assert night.woken == []


@pytest.mark.parametrize(("status", "taken"), [(0, 1), (200, 0), (202, 0), (301, 1), (401, 1), (500, 1), (504, 1)])
async def test_only_what_nobody_took_is_taken(night: Night, gitops: Repository, status: int, taken: int) -> None:
    """A delivery that was answered with 2xx was done, though a new database knows nothing of it."""
    await night.lost("new")
    night.sandbox.webhooks.deliveries[0].status_code = status
    assert await night.sweep.once()
    assert len(await night.inbox.pending(gitops.id, 10)) == taken


async def test_a_redelivery_that_was_taken_counts_for_the_first_attempt(night: Night, gitops: Repository) -> None:
    """The first attempt is listed as failed for ever; the second one's answer says that all is well."""
    await night.lost("new")
    night.sandbox.webhooks.send_again(night.sandbox.webhooks.deliveries[0])
    await night.sandbox.webhooks.drained()
    night.sandbox.webhooks.deliveries[1].status_code = 202
    assert await night.sweep.once()
    assert (list(await night.inbox.pending(gitops.id, 10)), night.fetched()) == ([], [])


async def test_events_that_only_hint_are_left_out(night: Night, gitops: Repository) -> None:
    """A lost push is not fetched; a lost rename and an unsuspended installation may free what waits, and are."""
    night.sandbox.webhook_url = NOWHERE
    gitops.commit({"README.md": "# Pushed\n"}, "Push")
    installation = night.sandbox.installation_of(gitops)
    assert installation is not None
    installation.suspend()
    installation.unsuspend()
    await night.sandbox.webhooks.drained()
    assert [sent.event for sent in night.sandbox.webhooks.deliveries] == ["push", "installation", "installation"]
    assert await night.sweep.once()
    assert len(night.fetched()) == 2


# -- how far it looks, and how much it takes


async def test_a_sweep_looks_back_three_days_and_the_next_one_to_the_last(night: Night, gitops: Repository) -> None:
    """Older ones GitHub no longer has; what a complete sweep saw is not looked at again, ten minutes aside."""
    _, seen = await night.lost("too old", "old")
    night.sent_at(ago(days=3, minutes=1), ago(days=2, hours=23))
    assert await night.sweep.once()
    assert [one.id for one in await night.inbox.pending(gitops.id, 10)] == [seen]
    _, late = await night.lost("hidden", "late")
    night.sent_at(ago(days=3), ago(days=2), ago(minutes=11), ago(minutes=9))
    assert await night.sweep.once()
    assert [one.id for one in await night.inbox.pending(gitops.id, 10)] == [seen, late]


async def test_a_sweep_takes_a_bounded_number_and_the_next_one_the_rest(
    night: Night, gitops: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The oldest first; it is not complete, so that the next one looks as far back."""
    monkeypatch.setattr(sweep, "MOST_FETCHED", 2)
    guids = await night.lost("one", "two", "three")
    night.sent_at(ago(days=2), ago(days=1), ago(hours=5))
    assert not await night.sweep.once()
    assert [one.id for one in await night.inbox.pending(gitops.id, 10)] == guids[:2]
    assert await night.sweep.once()
    assert [one.id for one in await night.inbox.pending(gitops.id, 10)] == guids


async def test_a_sweep_looks_at_a_bounded_number_and_the_next_ones_at_the_rest(
    night: Night, gitops: Repository, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Somebody pushes thousands of branches while the bot is away: what others were sent before is found."""
    monkeypatch.setattr(sweep, "MOST_LISTED", 2)
    monkeypatch.setattr(deliveries, "_LIST", "/app/hook/deliveries?per_page=1")
    guids = await night.lost("one", "two")
    for number in range(3):
        gitops.commit({"README.md": f"{number}\n"}, "Push")
    await night.sandbox.webhooks.drained()
    night.sent_at(*(ago(hours=hours) for hours in (20, 19, 18, 17, 16)))
    assert not await night.sweep.once()
    assert await night.inbox.pending(gitops.id, 10) == []
    assert "many deliveries for one sweep; older ones are left for the next" in caplog.text
    assert not await night.sweep.once()
    assert [one.id for one in await night.inbox.pending(gitops.id, 10)] == guids[1:]
    assert await night.sweep.once()
    assert [one.id for one in await night.inbox.pending(gitops.id, 10)] == guids[::-1]
    asked = len(night.sandbox.requests)
    assert await night.sweep.once()
    assert len(night.sandbox.requests) == asked + 1


async def test_a_redelivery_far_from_its_first_attempt_counts(
    night: Night, gitops: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was taken, and forgotten since; the sweep that comes to the first attempt does not do it again."""
    monkeypatch.setattr(sweep, "MOST_LISTED", 1)
    monkeypatch.setattr(deliveries, "_LIST", "/app/hook/deliveries?per_page=1")
    await night.lost("one", "two")
    first, second = night.sandbox.webhooks.deliveries
    again = replace(first, id=second.id + 1, redelivery=True, status_code=202)
    night.sandbox.webhooks.deliveries.append(again)
    night.sent_at(ago(hours=3), ago(hours=2), ago(hours=1))
    while not await night.sweep.once():
        pass
    assert [one.id for one in await night.inbox.pending(gitops.id, 10)] == [second.guid]


# -- GitHub away


async def test_one_payload_that_cannot_be_had_keeps_back_no_other(night: Night, gitops: Repository) -> None:
    """The others are taken, and the next sweep takes it, as long ago as it was sent."""
    broken, fine = await night.lost("broken", "fine")
    night.sent_at(ago(days=2), ago(days=1))
    night.sandbox.faults.add(path=r"^/app/hook/deliveries/\d", status=502, body=REFUSAL)
    assert not await night.sweep.once()
    assert [one.id for one in await night.inbox.pending(gitops.id, 10)] == [fine]
    assert await night.sweep.once()
    assert {one.id for one in await night.inbox.pending(gitops.id, 10)} == {fine, broken}


@pytest.mark.parametrize(
    ("fault", "asked"),
    [({"status": 503, "body": REFUSAL}, 3), ({"status": 429, "body": REFUSAL, "headers": {"retry-after": "0.2"}}, 1)],
)
async def test_a_sweep_ends_where_github_is_away_or_wants_a_pause(
    night: Night, fault: dict[str, Any], asked: int
) -> None:
    """After three refusals, or at once where GitHub says for how long; the next sweep takes all."""
    guids = await night.lost("1", "2", "3", "4", "5")
    away = night.sandbox.faults.add(path=r"^/app/hook/deliveries/\d", times=None, **fault)
    with pytest.raises(Transient):
        await night.sweep.once()
    assert len(night.fetched()) == asked
    away.times = 0
    await asyncio.sleep(0.2)  # in a pause nothing is sent
    assert await night.sweep.once()
    assert [await night.inbox.state(guid) for guid in guids] == ["pending"] * 5


async def test_a_payload_that_is_gone_is_given_up(night: Night, gitops: Repository) -> None:
    """GitHub forgot it between list and payload: the sweep is complete without it."""
    _, fine = await night.lost("gone", "fine")
    night.sandbox.faults.add(path=r"^/app/hook/deliveries/\d", status=404, body=REFUSAL)
    assert await night.sweep.once()
    assert [one.id for one in await night.inbox.pending(gitops.id, 10)] == [fine]


async def pauses(night: Night, interval: float, monkeypatch: pytest.MonkeyPatch, most: int) -> Sequence[float]:
    """Let a sweep run until it ends or has paused `most` times; return the seconds of each pause."""
    slept: list[float] = []

    async def note(seconds: float) -> None:
        slept.append(seconds)
        if len(slept) == most:
            raise asyncio.CancelledError

    with monkeypatch.context() as patched:
        patched.setattr(sweep, "asyncio", SimpleNamespace(sleep=note))
        try:
            await night.sweep.run(interval)
        except asyncio.CancelledError:
            assert len(slept) == most
    return slept


async def raising(error: Exception) -> bool:
    raise error


@pytest.mark.parametrize(
    ("error", "pause"),
    [
        (Transient("away"), 30),
        (Transient("wait", 20.0), 30),
        (Transient("wait", 90.0), 90),
        (Unavailable("no list here"), 30),
        (RuntimeError("a bug"), 30),
    ],
    ids=repr,
)
async def test_a_failed_sweep_is_followed_by_another(
    night: Night, monkeypatch: pytest.MonkeyPatch, error: Exception, pause: float
) -> None:
    """Nothing comes out of it; the next one comes after the interval, or when GitHub allows it."""
    monkeypatch.setattr(night.sweep, "once", lambda: raising(error))
    assert await pauses(night, 30, monkeypatch, 2) == [pause, pause]


async def test_without_an_interval_there_is_one_sweep_that_gets_through(
    night: Night, gitops: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    """0 is only at the start: it is tried again after five minutes while GitHub is away, and then it ends."""
    (guid,) = await night.lost("new")
    night.sandbox.faults.add(path="^/app/hook/deliveries$", status=503, body=REFUSAL)
    assert await pauses(night, 0, monkeypatch, 5) == [300]
    assert [one.id for one in await night.inbox.pending(gitops.id, 10)] == [guid]


# -- one delivery is not the others' fault


def deep(levels: int) -> Any:
    """A value that is that deep."""
    value: Any = {}
    for _ in range(levels):
        value = {"a": value}
    return value


@pytest.mark.parametrize(
    "poison",
    [
        pytest.param({"client_payload": deep(120)}, id="120 levels"),
        pytest.param({"client_payload": deep(880)}, id="880 levels"),
        pytest.param({"client_payload": {"n": float("inf")}}, id="infinity"),
        pytest.param({"client_payload": {"n": "\ud800"}}, id="surrogate"),
        pytest.param({"repository": {"id": 2**63}}, id="id beyond 64 bits"),
        pytest.param({"installation": {"id": True}}, id="id true"),
        pytest.param({"sender": {"id": 2**80}}, id="sender beyond 64 bits"),
        pytest.param({"repository": ["x"]}, id="repository a list"),
    ],
)
async def test_whatever_one_delivery_holds_the_others_are_taken(night: Night, gitops: Repository, poison: Any) -> None:
    """It ends as failed, or is missed for good: the next sweep does not meet it again, nor does one after a restart."""
    bad, fine = await night.lost("bad", "fine")
    night.sandbox.webhooks.deliveries[0].payload |= poison
    assert await night.sweep.once()
    assert [one.id for one in await night.inbox.pending(gitops.id, 10)] == [fine]
    assert await night.inbox.state(bad) == "failed"
    again = Sweep(night.sweep._deliveries, night.inbox, night.sweep._intake, lambda: night.now[0])
    asked = len(night.fetched())
    assert await again.once()
    assert len(night.fetched()) == asked


@pytest.mark.parametrize("text", ['{"a":' * 3000 + "1" + "}" * 3000, "1" * 5000, "no JSON", "null", '"text"'])
async def test_a_payload_that_cannot_be_read_is_given_up_after_three_sweeps(
    night: Night, gitops: Repository, text: str
) -> None:
    """GitHub's answer may have been garbled on the way; the others are taken each time."""
    bad, fine = await night.lost("bad", "fine")
    first = night.sandbox.webhooks.deliveries[0]
    raw = f'{{"id": {first.id}, "request": {{"payload": {text}}}}}'.encode()
    night.sandbox.faults.add(
        path=rf"^/app/hook/deliveries/{first.id}$", status=200, body=raw, times=None, headers={"content-type": JSON}
    )
    for left in (False, False, True):
        assert await night.sweep.once() is left
        assert [one.id for one in await night.inbox.pending(gitops.id, 10)] == [fine]
    assert await night.inbox.state(bad) == "failed"
    assert await night.sweep.once()
    assert len(night.fetched()) == 4


async def test_an_account_with_a_thousand_keeps_no_other_back(
    night: Night, gitops: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Installations take turns, each from its oldest: the bound of one sweep is shared."""
    monkeypatch.setattr(sweep, "MOST_FETCHED", 4)
    flood = await night.lost("1", "2", "3", "4", "5", "6")
    other = night.sandbox.create_repository("other/gitops", {"README.md": "#"})
    theirs = [await night.sandbox.dispatch("other/gitops", "x", {"tag": tag}) for tag in "ab"]
    await night.sandbox.webhooks.drained()
    assert not await night.sweep.once()
    assert [one.id for one in await night.inbox.pending(gitops.id, 10)] == flood[:2]
    assert [one.id for one in await night.inbox.pending(other.id, 10)] == theirs


async def test_an_account_whose_payloads_fail_stops_no_other(night: Night, gitops: Repository) -> None:
    """Three of it are tried, and in the next sweep it comes last."""
    await night.lost("1", "2", "3", "4", "5", "6")
    bad = [sent.id for sent in night.sandbox.webhooks.deliveries]
    other = night.sandbox.create_repository("other/gitops", {"README.md": "#"})
    theirs = [await night.sandbox.dispatch("other/gitops", "x", {"tag": str(tag)}) for tag in range(9)]
    await night.sandbox.webhooks.drained()
    broken = "|".join(map(str, bad))
    night.sandbox.faults.add(path=rf"^/app/hook/deliveries/({broken})$", status=502, body=REFUSAL, times=None)
    assert not await night.sweep.once()
    assert [one.id for one in await night.inbox.pending(other.id, 20)] == theirs
    assert await night.inbox.pending(gitops.id, 10) == []
    assert len(night.fetched()) == 3 + 9
    assert in_turn(
        [entry(1, installation=1), entry(2, installation=2), entry(3, installation=1)], night.sweep._failing | {1}
    ) == [entry(2, installation=2), entry(1, installation=1), entry(3, installation=1)]


def entry(number: int, installation: int) -> Listed:
    when = datetime(2026, 11, 21, tzinfo=UTC)
    return Listed(number, str(number), "push", when, 502, False, installation, 7)


async def test_an_inbox_that_cannot_store_gives_nothing_up(night: Night, gitops: Repository) -> None:
    """A full disk is not the fault of what was missed: it is taken when there is room again."""
    (guid,) = await night.lost("new")
    connection = night.inbox._connection
    connection.execute("PRAGMA query_only = ON")
    for _ in range(5):
        assert not await night.sweep.once()
    connection.execute("PRAGMA query_only = OFF")
    assert await night.sweep.once()
    assert [one.id for one in await night.inbox.pending(gitops.id, 10)] == [guid]
