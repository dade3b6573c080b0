"""Passing faults are retried and counted, lasting ones are told at once, and nothing holds the service up."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
from running import DATABASE, REFUSAL, draining, logged, running, within_the_hour

from bot.core.retry import Retry
from bot.inbox.records import Records

if TYPE_CHECKING:
    from pathlib import Path

    from bot.sandbox import Repository, Sandbox

MAPPINGS = """\
version: 1
mappings: [{ name: app, update: [{ files: values.yaml, set: { image.tag: '${{ tag }}' } }] }]
"""
RETRY = Retry(attempts=3, first=2.0, longest=8.0)


def gitops(sandbox: Sandbox, name: str = "acme/gitops", mappings: str = MAPPINGS) -> Repository:
    return sandbox.create_repository(name, {".github/pointsman.yaml": mappings, "values.yaml": "image: { tag: old }\n"})


LIMITED = "a rate limit of GitHub's is reached"
SECONDARY = {**REFUSAL, "message": "You have exceeded a secondary rate limit."}
# What happens, the reason that is logged, and the pause in seconds.
FAULTS = [
    pytest.param(({"status": 502, "body": REFUSAL}, "GitHub answered 502", 2.0), id="502"),
    pytest.param(
        ({"status": 503, "body": REFUSAL, "headers": {"Retry-After": "7"}}, "GitHub answered 503", 7.0), id="503"
    ),
    pytest.param(
        ({"reset": True}, "no connection to GitHub: 127.0.0.1 closed it before it had answered", 2.0), id="reset"
    ),
    pytest.param(({"status": 403, "body": REFUSAL, "headers": {"Retry-After": "33"}}, LIMITED, 33.0), id="retry-after"),
    pytest.param(({"status": 429, "body": REFUSAL}, LIMITED, 60.0), id="429"),
    pytest.param(({"status": 403, "body": SECONDARY}, LIMITED, 60.0), id="secondary"),
]


def waits(capsys: pytest.CaptureFixture[str]) -> list[tuple[str, float]]:
    """What was logged of waiting: the reason and the pause in seconds."""
    events = [event for event in logged(capsys.readouterr().err) if event["event"] == "again later"]
    return [(event["reason"], event["pause"]) for event in events]


@pytest.mark.parametrize(
    "where", [{"path": "access_tokens"}, {"operation": "Open"}, {"operation": "Read"}, {"operation": "Commit"}]
)
@pytest.mark.parametrize("fault", FAULTS)
async def test_a_passing_fault_is_counted_waited_for_and_then_it_is_done(
    sandbox: Sandbox, tmp_path: Path, capsys: pytest.CaptureFixture[str], where: Any, fault: tuple[Any, str, float]
) -> None:
    """At whatever request it happens: one attempt more, at least the pause that was asked for, then the commit."""
    repository = gitops(sandbox)
    properties, reason, pause = fault
    sandbox.faults.add(**where, **properties)
    async with draining(sandbox, tmp_path, retry=RETRY) as bench:
        delivery = await bench.store(repository, {"tag": "new"})
        assert await bench.drain(repository) == pytest.approx(pause)
        assert (bench.row(delivery).state, bench.row(delivery).attempts) == ("pending", 1)
        bench.later()
        assert await bench.drain(repository) is None
        assert (bench.row(delivery).state, bench.row(delivery).attempts) == ("committed", 2)
    ((said, seconds),) = waits(capsys)
    assert said == reason
    assert seconds == pytest.approx(pause)
    assert len(repository.log()) == 2


@pytest.mark.parametrize(("resource", "graphql"), [("graphql", True), ("core", False)])
async def test_a_primary_limit_is_waited_for_until_it_renews(
    sandbox: Sandbox, tmp_path: Path, capsys: pytest.CaptureFixture[str], resource: str, graphql: bool
) -> None:
    """REST says so with 403, GraphQL with 200 and an error; both say when: up to an hour later, never before."""
    await within_the_hour(sandbox)
    repository = gitops(sandbox)
    sandbox.graphql = graphql
    async with draining(sandbox, tmp_path, retry=RETRY) as bench:
        assert (await bench.dispatch(repository, {"tag": "new"})).state == "committed"
        sandbox.rate_limits[resource] = 1
        delivery = await bench.store(repository, {"tag": "newer"})
        left = 3600 - sandbox.clock() % 3600
        pause = await bench.drain(repository)
        assert pause == pytest.approx(left, abs=3)
        assert bench.row(delivery).state == "pending"
        assert waits(capsys) == [("a rate limit of GitHub's is reached", pause)]
        sandbox.rate_limits[resource] = 5000
        bench.later()
        assert await bench.drain(repository) is None
        assert bench.row(delivery).state == "committed"


async def test_a_delivery_without_attempts_left_is_dead(
    sandbox: Sandbox, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Three attempts with doubling pauses, then given up, with the number and the last reason in record and log."""
    repository = gitops(sandbox)
    sandbox.faults.add(operation="Open", status=500, body=REFUSAL, times=3)
    async with draining(sandbox, tmp_path, retry=RETRY) as bench:
        delivery = await bench.store(repository, {"tag": "new"})
        assert [await bench.drain(repository) for _ in range(3)] == [2.0, 4.0, None]
        row = bench.row(delivery)
        assert await bench.drain(repository) is None
    assert (row.state, row.reason) == ("dead", "given up after 3 attempts: GitHub answered 500")
    assert row.reason in [event.get("reason") for event in logged(capsys.readouterr().err)]


async def test_a_younger_delivery_keeps_its_own_count(sandbox: Sandbox, tmp_path: Path) -> None:
    """The old one has used its attempts, the last of them alone; the new one has not: only the old one is given up."""
    repository = gitops(sandbox)
    async with draining(sandbox, tmp_path, retry=RETRY) as bench:
        old = await bench.store(repository, {"tag": "old one"})
        sandbox.faults.add(operation="Open", status=500, body=REFUSAL, times=4)
        await bench.drain(repository)
        await bench.drain(repository)
        new = await bench.store(repository, {"tag": "new one"})
        assert await bench.drain(repository) == 0.0
        await bench.drain(repository)
        assert [bench.row(each).state for each in (old, new)] == ["dead", "pending"]
        await bench.drain(repository)
        assert bench.row(new).state == "committed"


# By the Git Data API, whose paths name the branch: faults can be meant for one of two.
BRANCHES = """\
version: 1
mappings: [{ name: app, branch: '${{ branch }}', update: [{ files: '*.yaml', set: { image.tag: '${{ tag }}' } }] }]
commit: { author: { name: build, email: build@internal } }
"""


def branches(sandbox: Sandbox, *names: str) -> Repository:
    repository = gitops(sandbox, mappings=BRANCHES)
    repository.commit({"more.yaml": "image: { tag: old }\n"}, "More")
    for name in names:
        repository.create_branch(name)
    return repository


async def test_what_waits_for_its_next_attempt_holds_nobody_up(sandbox: Sandbox, tmp_path: Path) -> None:
    """A branch that fails again and again: what comes for another one is done at once, at no attempt of the first."""
    repository = branches(sandbox, "stuck", "fine")
    async with draining(sandbox, tmp_path, retry=RETRY) as bench:
        stuck = await bench.store(repository, {"branch": "stuck", "tag": "new"})
        sandbox.faults.add(method="PATCH", path="/git/refs/heads/stuck", status=502, body=REFUSAL, times=2)
        assert await bench.worker.drain(repository.id) == 2.0
        assert 1.0 < (await bench.worker.drain(repository.id) or 0.0) <= 2.0
        fine = await bench.store(repository, {"branch": "fine", "tag": "new"})
        pause = await bench.worker.drain(repository.id)
        assert 0.0 < (pause or 0.0) <= 2.0
        assert (bench.row(fine).state, bench.row(fine).attempts) == ("committed", 1)
        assert (bench.row(stuck).state, bench.row(stuck).attempts) == ("pending", 1)
        assert await bench.drain(repository) is None
        assert bench.row(stuck).state == "committed"


async def test_a_branch_that_moves_goes_on_beside_one_that_fails(sandbox: Sandbox, tmp_path: Path) -> None:
    """Of two branches one meets a fault, the other one a foreign commit: that is evaluated again at once."""
    repository = branches(sandbox, "stuck", "moved")
    async with draining(sandbox, tmp_path, retry=RETRY) as bench:
        stuck = await bench.store(repository, {"branch": "stuck", "tag": "new"})
        moved = await bench.store(repository, {"branch": "moved", "tag": "new"})
        sandbox.faults.add(method="PATCH", path="/git/refs/heads/stuck", status=502, body=REFUSAL)
        sandbox.before(
            lambda: repository.commit({"theirs": "theirs"}, "Foreign", "moved"),
            method="PATCH",
            path="/git/refs/heads/moved",
        )
        assert await bench.drain(repository) == 2.0
        assert [bench.row(one).state for one in (stuck, moved)] == ["pending", "committed"]
        assert await bench.drain(repository) is None
        assert bench.row(stuck).state == "committed"


async def test_what_does_not_fit_into_a_commit_goes_into_the_next(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More go to one branch than fit: the rest keeps its attempts, and what goes to other branches need not wait."""
    monkeypatch.setattr("bot.flows.decide.BATCH", 100)
    repository = branches(sandbox, *(f"b{number}" for number in range(4)))
    async with draining(sandbox, tmp_path, retry=Retry(attempts=1)) as bench:
        await bench.dispatch(repository, {"branch": "b0", "tag": "first"})
        for number in range(1, 4):
            await bench.store(repository, {"branch": f"b{number}", "tag": "first"})
        assert await bench.drain(repository) is None
        sent = [await bench.store(repository, {"branch": "b0", "tag": f"v{number}"}) for number in range(130)]
        others = [await bench.store(repository, {"branch": f"b{number}", "tag": "last"}) for number in (1, 2, 3)]
        assert await bench.drain(repository) == 0.0
        assert [bench.row(one).state for one in (sent[99], *others)] == ["committed"] * 4
        assert (bench.row(sent[100]).state, bench.row(sent[100]).attempts) == ("pending", 0)
        assert await bench.drain(repository) is None
        assert {bench.row(one).state for one in sent} == {"committed"}
    assert repository.read("values.yaml", "b0") == b"image: { tag: v129 }\n"
    assert len(repository.log("b0")) == 2 + 1 + 2


async def test_an_answer_that_was_lost_makes_no_second_commit(sandbox: Sandbox, tmp_path: Path) -> None:
    """The commit was made, then the connection broke: the next attempt finds the value there."""
    repository = gitops(sandbox)
    sandbox.faults.add(operation="Commit", reset=True, after=True)
    async with draining(sandbox, tmp_path, retry=RETRY) as bench:
        delivery = await bench.store(repository, {"tag": "new"})
        assert await bench.drain(repository) == 2.0
        assert await bench.drain(repository) is None
        assert bench.row(delivery).attempts == 2
    assert len(repository.log()) == 2
    assert repository.read("values.yaml") == b"image: { tag: new }\n"


def suspend(sandbox: Sandbox, repository: Repository) -> None:
    installation = sandbox.installation_of(repository)
    assert installation is not None
    installation.suspended = True


def uninstall(sandbox: Sandbox, _: Repository) -> None:
    sandbox.installations.clear()


def remove(sandbox: Sandbox, repository: Repository) -> None:
    del sandbox.repositories[repository.full_name]


def deselect(_: Sandbox, repository: Repository) -> None:
    repository.installed = False


def forbid(sandbox: Sandbox, _: Repository) -> None:
    sandbox.app.permissions["contents"] = "read"


GONE = [
    pytest.param(suspend, "This installation has been suspended", id="suspended"),
    pytest.param(uninstall, "Not Found: the App is not installed there, or the repository is gone", id="uninstalled"),
    pytest.param(remove, "does not exist or is not accessible to the parent installation", id="gone"),
    pytest.param(deselect, "does not exist or is not accessible to the parent installation", id="deselected"),
    pytest.param(forbid, "The permissions requested are not granted to this installation", id="permission"),
]


@pytest.mark.parametrize("warm", [False, True])
@pytest.mark.parametrize(("happen", "said"), GONE)
async def test_what_only_a_person_can_mend_waits_with_githubs_words(
    sandbox: Sandbox, tmp_path: Path, happen: Any, said: str, warm: bool
) -> None:
    """It is tried for some seconds at most, whether we find out by asking for a token or with one in hand.

    What waits is taken up when something changed that it may have waited for.
    """
    repository = gitops(sandbox)
    async with draining(sandbox, tmp_path, retry=RETRY) as bench:
        if warm and happen is not forbid:  # a token in hand keeps the permissions it was made with
            assert (await bench.dispatch(repository, {"tag": "first"})).state == "committed"
            said = {suspend: said}.get(happen, "Could not resolve to a Repository")
            if happen is uninstall:
                said = "acme/gitops"
        payload = {"tag": "new"}
        delivery = await bench.store(repository, payload)
        happen(sandbox, repository)
        while await bench.drain(repository) is not None:
            assert bench.row(delivery).state == "pending"
        row = bench.row(delivery)
        assert await bench.inbox.resume(target=repository.id + 1) == []
        assert await bench.inbox.resume(target=repository.id) == [repository.id]
        assert bench.row(delivery).state == "pending"
    assert (row.state, row.attempts <= RETRY.attempts) == ("waiting", True)
    assert said in row.reason


async def test_a_body_that_is_not_understood_takes_no_neighbour_along(
    sandbox: Sandbox, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What only a bug of ours could have stored fails at once, as another attempt would; those beside it are done."""
    repository = gitops(sandbox)
    async with draining(sandbox, tmp_path) as bench:
        sent = [await bench.store(repository, {"tag": tag}) for tag in ("one", "two", "three")]
        bench.inbox._connection.execute("UPDATE deliveries SET body = x'2a' WHERE id = ?", [sent[1]])
        assert await bench.drain(repository) is None
        assert [bench.row(each).state for each in sent] == ["committed", "failed", "committed"]
        assert bench.row(sent[1]).reason == "an unexpected error; the log has the details"
    assert "JSONDecodeError" in capsys.readouterr().err


async def test_an_unexpected_error_is_tried_three_times(
    sandbox: Sandbox, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A bug does not go away: given up long before a fault of the network is, so that nothing waits behind it."""
    repository = gitops(sandbox)
    async with draining(sandbox, tmp_path) as bench:
        bench.has_bug(times=3)
        delivery = await bench.store(repository, {"tag": "new"})
        assert [await bench.drain(repository) for _ in range(3)] == [1.0, 2.0, None]
        row = bench.row(delivery)
    assert row.state == "dead"
    assert row.reason == "given up after 3 attempts: an unexpected error; the log has the details"
    assert "KeyError" in capsys.readouterr().err


async def test_an_answer_that_nobody_expects_is_a_passing_fault(sandbox: Sandbox, tmp_path: Path) -> None:
    """GraphQL that answers another shape is GitHub's trouble, or that of a proxy, and no bug of ours."""
    repository = gitops(sandbox)
    sandbox.faults.add(operation="Open", status=200, body={"data": {}})
    async with draining(sandbox, tmp_path) as bench:
        delivery = await bench.store(repository, {"tag": "new"})
        assert await bench.drain(repository) == 1.0
        assert bench.row(delivery)[:2] == ("pending", "GitHub's answer cannot be read")
        assert await bench.drain(repository) is None
        assert bench.row(delivery).state == "committed"


async def test_a_batch_that_meets_a_bug_is_taken_one_by_one(sandbox: Sandbox, tmp_path: Path) -> None:
    """At once: the deliveries beside the one that shows the bug are done."""
    repository = gitops(sandbox)
    async with draining(sandbox, tmp_path) as bench:
        bench.has_bug(times=1)
        sent = [await bench.store(repository, {"tag": tag}) for tag in ("one", "two")]
        assert [await bench.drain(repository) for _ in range(3)] == [0.0, 0.0, None]
        assert [bench.row(each).state for each in sent] == ["committed", "committed"]
    assert len(repository.log()) == 1 + 2


async def test_work_that_ends_the_process_each_time_is_given_up(sandbox: Sandbox, tmp_path: Path) -> None:
    """An attempt counts before it is made: a delivery that was taken up too often without an end is dead."""
    repository = gitops(sandbox)
    async with draining(sandbox, tmp_path, retry=RETRY) as bench:
        delivery = await bench.store(repository, {"tag": "new"})
        for _ in range(RETRY.attempts):
            await bench.inbox.attempted([delivery])
        assert await bench.drain(repository) is None
        row = bench.row(delivery)
    assert row.state == "dead"
    assert row.reason == f"given up after {RETRY.attempts} attempts: the process ended during the last one"
    assert len(repository.log()) == 1


async def test_what_may_end_the_process_is_taken_up_alone(sandbox: Sandbox, tmp_path: Path) -> None:
    """After two interrupted attempts in a row each is taken alone: the one to blame takes no other along."""
    repository = gitops(sandbox)
    async with draining(sandbox, tmp_path, retry=RETRY) as bench:
        sent = [await bench.store(repository, {"tag": tag}) for tag in ("one", "two")]
        for _ in range(2):
            await bench.inbox.attempted(sent)
        assert await bench.drain(repository) == 0.0
        assert [bench.row(each).state for each in sent] == ["committed", "pending"]
        assert await bench.drain(repository) is None
        assert [bench.row(each).state for each in sent] == ["committed", "committed"]


async def test_passing_faults_do_not_count_as_a_bug(sandbox: Sandbox, tmp_path: Path) -> None:
    """A delivery that waited for GitHub still has all its tries after an unexpected error."""
    repository = gitops(sandbox)
    async with draining(sandbox, tmp_path) as bench:
        delivery = await bench.store(repository, {"tag": "new"})
        sandbox.faults.add(operation="Open", status=502, body={"message": "?"}, times=3)
        assert [await bench.drain(repository) for _ in range(3)] == [1.0, 2.0, 4.0]
        bench.has_bug(times=1)
        assert await bench.drain(repository) == 1.0
        assert await bench.drain(repository) is None
        assert bench.row(delivery).state == "committed"


# -- the event loop stays free

ENDLESS = """\
version: 1
mappings: [{ name: app, update: [{ files: values.yaml, regex: '^(?<tag>(x|xx|x?y?)+)$' }] }]
"""


async def test_a_regex_without_end_is_stopped_while_the_service_answers(sandbox: Sandbox, tmp_path: Path) -> None:
    """It fails with a sentence; in the meantime others are answered, and other repositories get their commits."""
    slow, quick = gitops(sandbox, mappings=ENDLESS), gitops(sandbox, "acme/quick")
    slow.commit({"values.yaml": "x" * 60 + "!\n"}, "Fill")
    order: list[str] = []
    async with running(sandbox, tmp_path) as bot, aiohttp.ClientSession() as session:
        read = asyncio.Event()
        sandbox.before(read.set, operation="Read")
        stuck = await sandbox.dispatch("acme/gitops", "x", {"tag": "1"})
        await read.wait()

        async def end() -> None:
            assert await bot.ended(stuck) == "failed"
            order.append("stopped")

        ending = asyncio.create_task(end())
        other = await sandbox.dispatch("acme/quick", "x", {"tag": "new"})
        async with session.get(f"{bot.url}/healthz") as response:
            assert response.status == 200
            order.append("healthy")
        assert await bot.ended(other) == "committed"
        order.append("committed elsewhere")
        await ending
        assert "was stopped after 0.5 s: it backtracks without end" in bot.row(stuck).reason
    assert order == ["healthy", "committed elsewhere", "stopped"]
    assert quick.read("values.yaml") == b"image: { tag: new }\n"
    assert [run["conclusion"] for run in slow.check_runs()] == ["failure"]


async def test_a_deep_body_that_an_older_version_stored_takes_no_neighbour_along(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    """It was taken before the depth was bounded: it has failed with a sentence, those beside it are done."""
    repository = gitops(sandbox)
    async with draining(sandbox, tmp_path) as bench:
        sent = [await bench.store(repository, {"tag": tag}) for tag in ("one", "two", "three")]
        deep = b'{"a":' * 5_000 + b"1" + b"}" * 5_000
        bench.inbox._connection.execute("UPDATE deliveries SET body = ? WHERE id = ?", [deep, sent[1]])
        assert await bench.drain(repository) is None
        assert [bench.row(each).state for each in sent] == ["committed", "failed", "committed"]
        assert bench.row(sent[1]).reason.startswith("the body is nested more than 100 levels deep")
        records = Records(tmp_path / DATABASE)
        assert records.show(sent[1]).body == b""
        records.close()
