"""What is to be said is said, once: whatever GitHub answers, and whenever the process ends."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

import pytest
from running import REFUSAL, draining, logged, named, rows
from test_restart import MAPPINGS, gitops, serving

from bot.core import trigger
from bot.flows import report as flow
from bot.inbox import reports as stored
from bot.sandbox.presets import PRESETS

if TYPE_CHECKING:
    from pathlib import Path

    from bot.sandbox import Exchange, Repository, Sandbox

NO_COMMIT = {**REFUSAL, "message": "No commit found for SHA: 1234"}
FORBIDDEN = {**REFUSAL, "message": "Resource not accessible by integration"}
POST: dict[str, Any] = {"method": "POST", "path": "/check-runs$"}


def like(sandbox: Sandbox, name: str) -> Repository:
    """Make a second repository like that of `gitops`."""
    return sandbox.create_repository(name, {".github/pointsman.yaml": MAPPINGS, "values.yaml": "image: { tag: old }\n"})


def said(sandbox: Sandbox, method: str) -> list[Exchange]:
    return [one for one in sandbox.requests if one.method == method and one.path.endswith("/check-runs")]


def texts(repository: Repository) -> list[tuple[str, str]]:
    """Return (title, "full" or "brief") of the check runs of the head."""
    runs = repository.check_runs(repository.head())
    return [(run["output"]["title"], "full" if run["output"]["text"] else "brief") for run in runs]


@pytest.mark.parametrize(
    ("fault", "why"),
    [
        pytest.param({"status": 422, "body": NO_COMMIT}, "No commit found for SHA", id="commit not replicated yet"),
        pytest.param({"status": 403, "body": FORBIDDEN}, "Resource not accessible", id="token not replicated yet"),
        pytest.param({"status": 404, "body": {**REFUSAL, "message": "Not Found"}}, "Not Found", id="404"),
        pytest.param({"status": 502, "body": REFUSAL}, "GitHub answered 502", id="502 before"),
        pytest.param({"status": 502, "body": REFUSAL, "after": True}, "GitHub answered 502", id="502 after"),
        pytest.param({"reset": True, "after": True}, "no connection to GitHub", id="reset after"),
        pytest.param({**PRESETS["malformed after"], "method": "POST"}, "cannot be read", id="garbled after"),
    ],
)
async def test_what_is_refused_once_is_said_later(sandbox: Sandbox, tmp_path: Path, fault: Any, why: str) -> None:
    """The commit stands at once, and in the end it has one check run with all details, not two."""
    repository = gitops(sandbox)
    sandbox.faults.add(**{**POST, **fault})
    async with draining(sandbox, tmp_path) as bench:
        sandbox.observer = None
        assert (await bench.dispatch(repository, {"tag": "new"})).state == "committed"
        ((name, attempts, reason),) = bench.unsaid()
        assert (name, attempts) == ("Pointsman commit", 1)
        assert why in reason
        await bench.say_again()
        assert bench.unsaid() == []
    assert texts(repository) == [("app: 1 file changed", "full")]


async def test_a_lost_answer_is_looked_for_and_a_refusal_is_not(sandbox: Sandbox, tmp_path: Path) -> None:
    """After a refusal it is certain that there is no check run; after a lost answer it is looked up first."""
    repository = gitops(sandbox)
    for fault, lookups in (({"status": 403, "body": FORBIDDEN}, 0), ({"reset": True}, 1)):
        sandbox.faults.add(**POST, **fault)
        async with draining(sandbox, tmp_path) as bench:
            await bench.dispatch(repository, {"tag": f"new{lookups}"})
            before = len(said(sandbox, "GET"))
            await bench.say_again()
            assert len(said(sandbox, "GET")) - before == lookups
        assert len(texts(repository)) == 1


async def test_a_pause_grows_until_it_is_a_quarter_of_an_hour(
    sandbox: Sandbox, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Two seconds first, as GitHub may not know the commit yet; a permission may be accepted hours later."""
    repository = gitops(sandbox)
    sandbox.faults.add(**POST, status=403, body=FORBIDDEN, times=None)
    async with draining(sandbox, tmp_path) as bench:
        await bench.dispatch(repository, {"tag": "new"})
        for _ in range(11):
            bench.worker._reporter._rests.succeed(named(sandbox, repository).installation)
            await bench.say_again()
        ((_, attempts, _),) = bench.unsaid()
    pauses = [one["pause"] for one in logged(capsys.readouterr().err) if one["event"] == "report later"]
    assert attempts == 12
    assert pauses == [2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 900.0, 900.0, 900.0]


async def test_a_batch_of_a_hundred_is_one_check_run(sandbox: Sandbox, tmp_path: Path) -> None:
    """Also if it is said again: the brief report, the whole one, and the one after the restart are the same."""
    repository = gitops(sandbox)
    sandbox.faults.add(**POST, reset=True, after=True)
    async with draining(sandbox, tmp_path) as bench:
        for number in range(100):
            await bench.store(repository, {"tag": f"v{number}"})
        await bench.drain(repository)
        assert len(bench.unsaid()) == 1
    async with draining(sandbox, tmp_path) as bench:
        await bench.say_again()
        assert bench.unsaid() == []
    assert texts(repository) == [("app: 1 file changed by 100 deliveries", "full")]


async def test_what_ended_for_the_same_reason_is_stored_as_one_check_run(sandbox: Sandbox, tmp_path: Path) -> None:
    """A dozen deliveries fail alike and are recorded some at a time: what is left of a crash names all of them."""
    repository = gitops(sandbox)
    async with draining(sandbox, tmp_path) as bench:

        async def nothing(*_: Any) -> None: ...

        bench.worker._reporter.say = nothing  # type: ignore[assignment,method-assign]
        names = [await bench.store(repository, {"other": 1}) for _ in range(12)]
        await bench.drain(repository)
        (state,) = {bench.row(name).state for name in names}
    async with draining(sandbox, tmp_path) as bench:
        await bench.say_again()
    (run,) = repository.check_runs(repository.head())
    assert state in {"failed", "no_change"}
    assert run["external_id"] == names[0]
    assert all(name in run["output"]["summary"] for name in names)


async def test_a_delivery_that_fails_on_two_branches_of_one_head_says_both(sandbox: Sandbox, tmp_path: Path) -> None:
    """On each of the branches another delivery commits, so that each is noted by itself."""
    wrong = "when: { kind: wrong }, update: [{ files: values.yaml, set: { NAME: x } }]"
    good = "when: { kind: good }, update: [{ files: values.yaml, set: { image.tag: '${{ tag }}' } }]"
    rules = [
        f"  - {{ name: {kind} {branch}, branch: {branch}, {rule.replace('NAME', branch)} }}\n"
        for branch in ("main", "staging")
        for kind, rule in (("wrong", wrong), ("good", good))
    ]
    files = {
        ".github/pointsman.yaml": "version: 1\nmappings:\n" + "".join(rules),
        "values.yaml": "image: { tag: old }\n",
    }
    repository = sandbox.create_repository("acme/gitops", files)
    repository.create_branch("staging")
    base = repository.head()
    async with draining(sandbox, tmp_path) as bench:
        failed = await bench.store(repository, {"kind": "wrong"})
        await bench.store(repository, {"kind": "good", "tag": "new"})
        await bench.drain(repository)
        assert bench.unsaid() == []
    runs = [run for run in repository.check_runs(base) if run["conclusion"] == "failure"]
    assert {run["name"] for run in runs} == {f"Pointsman dispatch {failed[:8]}{to}" for to in ("", " to staging")}
    assert all(any(f"on `{branch}`" in run["output"]["summary"] for run in runs) for branch in ("main", "staging"))


async def test_details_that_take_too_long_are_left_out(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The brief check run is said at once then."""
    repository = gitops(sandbox)
    monkeypatch.setattr(flow, "CPU_SECONDS", 0.0)
    async with draining(sandbox, tmp_path) as bench:
        await bench.dispatch(repository, {"tag": "new"})
        assert bench.unsaid() == []
    assert texts(repository) == [("app: 1 file changed", "brief")]


async def test_what_is_too_old_is_given_up(
    sandbox: Sandbox, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """After a day the log says what was not said, and why; the table is empty."""
    repository = gitops(sandbox)
    sandbox.faults.add(**POST, status=403, body=FORBIDDEN)
    async with draining(sandbox, tmp_path) as bench:
        delivery = await bench.store(repository, {"tag": "new"})
        await bench.drain(repository)
        bench.inbox._connection.execute("UPDATE reports SET created_at = ?", [int(time.time()) - 86_401])
        await bench.say_again()
        assert bench.unsaid() == []
    (event,) = [one for one in logged(capsys.readouterr().err) if one["event"] == "report lost"]
    assert (event["check_run"], event["head"], event["deliveries"]) == (
        "Pointsman commit",
        repository.head(),
        [delivery],
    )
    assert "Resource not accessible" in event["reason"]


async def test_a_repository_that_refuses_keeps_no_other_one_back(sandbox: Sandbox, tmp_path: Path) -> None:
    """Its check runs are tried one at a time, by turns; after a few refusals in a row it rests with all of them."""
    stubborn, other = gitops(sandbox), like(sandbox, "acme/other")
    sandbox.faults.add(**POST, status=403, body=FORBIDDEN, times=None, repository=stubborn.id)
    fault = sandbox.faults.add(**POST, status=422, body=NO_COMMIT, times=None, repository=other.id)
    async with draining(sandbox, tmp_path) as bench:
        for number in range(8):
            await bench.dispatch(stubborn, {"tag": f"v{number}"})
        await bench.dispatch(other, {"tag": "new"})
        fault.times = 0
        bench.worker._reporter._rests = type(bench.worker._reporter._rests)(flow.RETRY)
        before = len(said(sandbox, "POST"))
        await bench.say_again()
        assert texts(other) == [("app: 1 file changed", "full")]
        assert len(bench.unsaid()) == 8
        # Two that may be chance, one after which the repository rests, and the other repository's.
        assert len(said(sandbox, "POST")) - before <= 5


async def test_a_repository_that_refuses_for_hours_gives_the_others_their_turn(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    """It is tried first each time that its rest is over; its installation does not rest for it again."""
    stubborn, other = gitops(sandbox), like(sandbox, "acme/other")
    sandbox.faults.add(**POST, status=403, body=FORBIDDEN, times=None, repository=stubborn.id)
    sandbox.faults.add(**POST, status=422, body=NO_COMMIT, repository=other.id)
    async with draining(sandbox, tmp_path) as bench:
        for number in range(5):
            await bench.dispatch(stubborn, {"tag": f"v{number}"})
        await bench.dispatch(other, {"tag": "new"})
        rests = bench.worker._reporter._rests
        for _ in range(4):
            for who, (count, _) in list(rests._failed.items()):
                rests._failed[who] = count, 0.0
            await bench.say_again()
    assert texts(other) == [("app: 1 file changed", "full")]


async def test_the_table_is_bounded(
    sandbox: Sandbox, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a repository, and of an installation, the oldest are dropped with a warning."""
    monkeypatch.setattr(stored, "MOST_OF_TARGET", 3)
    monkeypatch.setattr(stored, "MOST_OF_INSTALLATION", 4)
    one, two = gitops(sandbox), like(sandbox, "acme/other")
    sandbox.faults.add(**POST, status=403, body=FORBIDDEN, times=None)
    async with draining(sandbox, tmp_path) as bench:
        for number in range(5):
            await bench.dispatch(one, {"tag": f"v{number}"})
        assert len(bench.unsaid()) == 3
        for number in range(2):
            await bench.dispatch(two, {"tag": f"v{number}"})
        assert len(bench.unsaid()) == 4
    events = [event for event in logged(capsys.readouterr().err) if event["event"] == "report lost"]
    assert len(events) == 3
    assert {event["reason"] for event in events} == {"too many check runs wait there"}


async def test_details_are_kept_as_far_as_there_is_room(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An installation whose check runs are refused with large diffs keeps them in brief."""
    repository = gitops(sandbox)
    monkeypatch.setattr(stored, "MOST_BYTES", 100)
    sandbox.faults.add(**POST, status=422, body=NO_COMMIT)
    async with draining(sandbox, tmp_path) as bench:
        await bench.dispatch(repository, {"tag": "new"})
        await bench.say_again()
    assert texts(repository) == [("app: 1 file changed", "brief")]


async def test_an_event_that_may_have_freed_it_ends_the_pause(sandbox: Sandbox, tmp_path: Path) -> None:
    """New permissions are accepted: what waits for a quarter of an hour is tried with the next look."""
    repository = gitops(sandbox)
    sandbox.faults.add(**POST, status=403, body=FORBIDDEN)
    async with draining(sandbox, tmp_path) as bench:
        await bench.dispatch(repository, {"tag": "new"})
        installation = named(sandbox, repository).installation
        await bench.worker.say_again()
        await bench.worker.settle()
        assert len(bench.unsaid()) == 1
        await bench.worker._hear(trigger.Freed(0, installation))
        await bench.worker.say_again()
        await bench.worker.settle()
        assert bench.unsaid() == []
    assert len(texts(repository)) == 1


# -- the process ends


async def made(repository: Repository) -> None:
    async with asyncio.timeout(15):
        while not repository.check_runs(repository.head()):
            await asyncio.sleep(0.05)
    await asyncio.sleep(1.0)


async def test_a_kill_between_commit_and_check_run_loses_nothing(sandbox: Sandbox, tmp_path: Path) -> None:
    """SIGKILL when the commit is there and its check run is not: the next start makes it, one."""
    repository = gitops(sandbox)
    asked, never = asyncio.Event(), asyncio.Event()

    async def hold() -> None:
        asked.set()
        await never.wait()

    sandbox.before(hold, **POST)
    async with serving(sandbox, tmp_path) as process:
        delivery = await sandbox.dispatch("acme/gitops", "x", {"tag": "new"})
        assert delivery is not None
        async with asyncio.timeout(15):
            await asked.wait()
        process.kill()
        await process.wait()
    sandbox.faults.clear()
    assert rows(tmp_path)[delivery].state == "committed"
    assert repository.check_runs() == []
    async with serving(sandbox, tmp_path):
        await made(repository)
    (run,) = repository.check_runs(repository.head())
    assert (run["conclusion"], run["external_id"]) == ("success", delivery)
    never.set()


async def test_a_kill_between_check_run_and_answer_makes_no_second_one(sandbox: Sandbox, tmp_path: Path) -> None:
    """SIGKILL when the check run is made and its answer is on the way: the next start finds it by its external_id."""
    repository = gitops(sandbox)
    sandbox.faults.add(**POST, delay=30.0, reset=True, after=True)
    async with serving(sandbox, tmp_path) as process:
        delivery = await sandbox.dispatch("acme/gitops", "x", {"tag": "new"})
        assert delivery is not None
        await made(repository)
        process.kill()
        await process.wait()
    before = len(said(sandbox, "POST"))
    async with serving(sandbox, tmp_path):
        async with asyncio.timeout(15):
            while not said(sandbox, "GET"):
                await asyncio.sleep(0.05)
        await asyncio.sleep(2.5)
    assert len(said(sandbox, "POST")) == before
    (run,) = repository.check_runs(repository.head())
    assert (run["external_id"], run["output"]["title"]) == (delivery, "app: 1 file changed")
