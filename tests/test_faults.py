"""Whatever can go wrong with GitHub, told from the bot's side: what it says meanwhile, and how each delivery ends."""

from __future__ import annotations

import asyncio
import time
from contextlib import closing
from typing import TYPE_CHECKING, Any, NamedTuple

import aiohttp
import pytest
from running import DATABASE, Bench, Row, draining, rows, running
from written import AUTHOR, MAPPINGS, PATH, TWO, VALUE, gitops_with, tag, trailers

from bot.core.retry import Retry
from bot.inbox.records import Records
from bot.sandbox.presets import PRESETS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from bot.sandbox import Repository, Sandbox

# The three ways to write, by rules that lead there.
WAYS = {"graphql": MAPPINGS, "contents": AUTHOR, "git data": TWO}


class Story(NamedTuple):
    """What becomes of deliveries whose commit a fault strikes, `times` times (None: always).

    `meanwhile` is found in what the inbox says of them until the pause of so many seconds is over, "" where they end at
    once;
    `reason` is found in what it says of them in the end. `ways` are those that the fault concerns.
    """

    meanwhile: str = ""
    pause: float | None = None
    state: str = "committed"
    reason: str = "/acme/gitops/commit/"
    times: int | None = 1
    ways: Sequence[str] = tuple(WAYS)


def again(meanwhile: str, pause: float = 1.0) -> Story:
    """It did not take effect: once more after a pause."""
    return Story(meanwhile, pause)


def found(meanwhile: str) -> Story:
    """It took effect, and the answer is lost: looked for, and found."""
    return Story(meanwhile, 1.0, reason="(found after its answer was lost)")


def blocked(way: str, sentence: str) -> Story:
    """A rule of GitHub's refuses it each time: no attempt more, and its words with what to do."""
    reason = f"GitHub refuses the commit: {sentence}; let the App bypass the rule, or take the branch out of it"
    return Story(state="blocked", reason=reason, times=None, ways=(way,))


CLOSED = "no connection to GitHub: 127.0.0.1 closed it before it had answered"
CUT_OFF = "GitHub's answer cannot be read"
ELSEWHERE = "login.example.com"
NOT_THE_API = "this is not GitHub's API: 127.0.0.1 answered {} with HTML"
TOO_LARGE = "does not take so large a request (413)"
LIMITED = "a rate limit of GitHub's is reached"
PULL_REQUEST = "Changes must be made through a pull request"
RULE = f"Repository rule violations found: {PULL_REQUEST}"
# These demand the head, or the bytes, that were read; of a ref that is not forced GitHub only demands a fast-forward.
HEAD_OR_BLOB = ("graphql", "contents")
AT_ONCE = Story()
UNTIL_RESET = 900.0

STORIES = {
    "time-out before": again(CLOSED),
    "time-out after": found(CLOSED),
    "reset before": again(CLOSED),
    "reset after": found(CLOSED),
    "slow": AT_ONCE,
    "500": again("GitHub answered 500"),
    "502": again("GitHub answered 502"),
    "502 after": found("GitHub answered 502"),
    "503": again("GitHub answered 503"),
    "malformed": again(CUT_OFF),
    "malformed after": found(CUT_OFF),
    "empty": again(CUT_OFF),
    "empty after": found(CUT_OFF),
    # The token is renewed, the head read again: no attempt more.
    "bad credentials": AT_ONCE,
    "stale": AT_ONCE._replace(ways=["contents"]),
    "stale ref": AT_ONCE._replace(ways=["git data"]),
    "stale graphql": AT_ONCE._replace(ways=["graphql"]),
    "expected": AT_ONCE._replace(ways=["contents"]),
    "expected, locked": AT_ONCE._replace(ways=["contents"]),
    "expected ref": AT_ONCE._replace(ways=["git data"]),
    "expected graphql": AT_ONCE._replace(ways=["graphql"]),
    "expected graphql, untyped": AT_ONCE._replace(ways=["graphql"]),
    "rule": blocked("contents", RULE),
    "rule ref": blocked("git data", RULE),
    "rule graphql": blocked("graphql", RULE),
    "classic rule graphql": blocked("graphql", PULL_REQUEST),
    "secondary limit": again(LIMITED, 60.0),
    "secondary limit, no time": again(LIMITED, 60.0),
    "secondary limit graphql": again(LIMITED, 60.0)._replace(ways=["graphql"]),
    "secondary limit graphql, no time": again(LIMITED, 60.0)._replace(ways=["graphql"]),
    "secondary limit graphql, bare": again(LIMITED, 60.0)._replace(ways=["graphql"]),
    "limit at the token": again(LIMITED, 60.0),
    "limit at the token, no time": again(LIMITED, 60.0),
    "rate limit graphql": again(LIMITED, 60.0)._replace(ways=["graphql"]),
    "abuse": again(LIMITED, 60.0),
    "too quickly": again(LIMITED, 60.0)._replace(ways=["contents", "git data"]),
    "too many requests": again(LIMITED, 60.0),
    "too many requests, no time": again(LIMITED, 60.0),
    "primary limit": again(LIMITED, UNTIL_RESET),
    "primary limit graphql": again(LIMITED, UNTIL_RESET)._replace(ways=["graphql"]),
    "page 200": again(NOT_THE_API.format(200)),
    "page 403": again(NOT_THE_API.format(403)),
    "page 407": again("wants to know who asks (407)"),
    # It is not larger the next time: whoever sent the dispatch has to know.
    "page 413": Story(state="blocked", reason=TOO_LARGE, times=None),
    # Whether the branch went is looked at once, and then it passes.
    "406": AT_ONCE,
    "redirect 301": again(ELSEWHERE),
    "redirect 302": again(ELSEWHERE),
    "redirect 308": again(ELSEWHERE),
}

# Those that can befall any request. A request for reading is never too large, and 406 says that the address is wrong.
ANYWHERE = [
    name
    for name, preset in PRESETS.items()
    if not preset.keys() & {"path", "moves"} and name not in {"page 413", "406"}
]


def strike(sandbox: Sandbox, name: str, **properties: Any) -> None:
    """Cause a fault by its name, sooner than it comes on GitHub; the hourly limit renews after UNTIL_RESET seconds."""
    renewed = {"x-ratelimit-reset": str(int(time.time() + UNTIL_RESET))} if "primary" in name else {}
    delay = {"delay": 0.05} if PRESETS[name].get("delay") else {}
    sandbox.faults.cause(name, headers=renewed, **{**delay, **properties})


async def lose(bench: Bench, repository: Repository) -> str:
    """Let a dispatch be committed while GitHub's answer is lost; return the delivery."""
    strike(bench.sandbox, "502 after", moves=True)
    delivery = await bench.store(repository, {"tag": "2-dev"})
    assert await bench.drain(repository) == 1.0
    assert bench.row(delivery).state == "pending"
    return delivery


def test_every_fault_has_its_story() -> None:
    """A fault that the sandbox learns is told here, or this fails."""
    assert sorted(STORIES) == sorted(PRESETS)


# -- a fault at the write


@pytest.mark.parametrize(("name", "way"), [(name, way) for name, story in STORIES.items() for way in story.ways])
async def test_a_fault_at_the_write_ends_as_told(sandbox: Sandbox, tmp_path: Path, name: str, way: str) -> None:
    """Two dispatches go into one commit: each is in one trailer or in none, and inbox and check run say how it went."""
    story, repository = STORIES[name], gitops_with(sandbox, WAYS[way])
    strike(sandbox, name, moves="token" not in name, times=story.times)
    async with draining(sandbox, tmp_path) as bench:
        sent = [await bench.store(repository, {"tag": value}) for value in ("2-dev", "3-dev")]
        if story.meanwhile:
            assert await bench.drain(repository) == pytest.approx(story.pause, abs=10 if "primary" in name else 1e-6)
            assert [(row.state, row.attempts) for row in map(bench.row, sent)] == [("pending", 1)] * 2
            assert [story.meanwhile in bench.row(one).reason for one in sent] == [True] * 2
            bench.later()
        assert await bench.drain(repository) is None
        ended = [bench.row(one) for one in sent]
    assert [(row.state, row.attempts) for row in ended] == [(story.state, 2 if story.meanwhile else 1)] * 2
    assert [story.reason in row.reason for row in ended] == [True] * 2
    done = story.state == "committed"
    assert (tag(repository), trailers(repository)) == (("3-dev", sent) if done else ("1-dev", []))
    assert {row.commit for row in ended} == ({repository.head()} if done else {None})
    assert {run["conclusion"] for run in repository.check_runs(repository.head())} == {"success" if done else "failure"}


@pytest.mark.parametrize("way", WAYS)
async def test_a_commit_that_lands_after_nobody_waits_for_it_is_the_only_one(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    """No answer in time, and then GitHub makes it after all, while it is about to be made a second time."""
    repository = gitops_with(sandbox, WAYS[way])
    async with draining(sandbox, tmp_path) as bench:
        delivery = await bench.store(repository, {"tag": "2-dev"})
        strike(sandbox, "slow", moves=True, delay=0.6)
        with monkeypatch.context() as impatient:
            impatient.setattr("bot.github.client.TIMEOUT", aiohttp.ClientTimeout(total=0.2))
            assert await bench.drain(repository) == 1.0
        assert (tag(repository), "did not answer within 0 seconds" in bench.row(delivery).reason) == ("1-dev", True)
        strike(sandbox, "slow", moves=True, delay=0.6)
        assert await bench.drain(repository) is None
        row = bench.row(delivery)
    assert (row.state, row.commit) == ("committed", repository.head())
    assert (tag(repository), trailers(repository)) == ("2-dev", [delivery])


# -- a fault when a lost commit is looked for


@pytest.mark.parametrize("name", ANYWHERE)
async def test_a_fault_while_a_lost_commit_is_looked_for_makes_no_second_one(
    sandbox: Sandbox, tmp_path: Path, name: str
) -> None:
    """The branch is asked for, then what came to it: nothing is written before that is known, and then it is found."""
    story, repository = STORIES[name], gitops_with(sandbox)
    async with draining(sandbox, tmp_path) as bench:
        delivery = await lose(bench, repository)
        for path in ("/git/ref/heads/", "/compare/"):
            # A GET whose connection is dropped is sent again at once, by the client itself.
            strike(sandbox, name, method="GET", path=path, times=2 if PRESETS[name].get("reset") else 1)
        for least in (2.0, 4.0) if story.meanwhile else ():
            expected = pytest.approx(max(story.pause or 0.0, least), abs=10 if "primary" in name else 1e-6)
            assert await bench.drain(repository) == expected
            assert (bench.row(delivery).state, story.meanwhile in bench.row(delivery).reason) == ("pending", True)
            bench.later()
        assert await bench.drain(repository) is None
        row = bench.row(delivery)
    assert sandbox.faults.waiting == []
    assert (row.state, row.commit) == ("committed", repository.head())
    assert (tag(repository), trailers(repository)) == ("2-dev", [delivery])


async def test_a_delivery_given_up_after_its_commit_landed_is_found_when_replayed(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    """GitHub was away for all attempts: dead, and the operator takes it up again without fear of a second commit."""
    repository = gitops_with(sandbox)
    async with draining(sandbox, tmp_path, retry=Retry(attempts=3)) as bench:
        delivery = await lose(bench, repository)
        strike(sandbox, "503", path="/git/ref/heads/", times=2)
        assert [await bench.drain(repository) for _ in range(2)] == [2.0, None]
        assert bench.row(delivery)[:2] == ("dead", "given up after 3 attempts: GitHub answered 503")
        with closing(Records(tmp_path / DATABASE, write=True)) as records:
            assert records.replay(delivery[:8], forced=False) == delivery
        assert await bench.drain(repository) is None
        assert (bench.row(delivery).state, bench.row(delivery).commit) == ("committed", repository.head())
    assert (tag(repository), trailers(repository)) == ("2-dev", [delivery])


# -- others write


@pytest.mark.parametrize("way", WAYS)
async def test_what_a_person_commits_between_read_and_write_survives(
    sandbox: Sandbox, tmp_path: Path, way: str
) -> None:
    """The same file, another line: ours comes on top, at the first attempt."""
    repository = gitops_with(sandbox, WAYS[way])
    repository.commit_before_next_write({PATH: VALUE.replace("replicas: 1", "replicas: 9")})
    async with draining(sandbox, tmp_path) as bench:
        row = await bench.dispatch(repository, {"tag": "2-dev"})
    assert (row.state, row.attempts, row.commit) == ("committed", 1, repository.head())
    assert repository.read(PATH).decode() == "image: { tag: 2-dev }\nreplicas: 9\n"


@pytest.mark.parametrize("way", HEAD_OR_BLOB)
async def test_a_force_push_between_read_and_write_is_not_undone(sandbox: Sandbox, tmp_path: Path, way: str) -> None:
    """What was taken away stays away: our commit is on the head that is there now."""
    repository = gitops_with(sandbox, WAYS[way])
    first = repository.head()
    repository.commit({"README.md": "Taken back\n"}, "A person's mistake")
    sandbox.before(lambda: repository.force_push(first), moves=True)
    async with draining(sandbox, tmp_path) as bench:
        row = await bench.dispatch(repository, {"tag": "2-dev"})
    assert (row.state, row.attempts, row.commit) == ("committed", 1, repository.head())
    assert (tag(repository), len(repository.log())) == ("2-dev", 2)


@pytest.mark.parametrize("way", WAYS)
async def test_a_force_push_that_takes_our_commit_away_does_not_mislead_the_next(
    sandbox: Sandbox, tmp_path: Path, way: str
) -> None:
    """The branch as we remember it is no more: what is there is read, and the next value written to it."""
    repository = gitops_with(sandbox, WAYS[way])
    first = repository.head()
    async with draining(sandbox, tmp_path) as bench:
        assert (await bench.dispatch(repository, {"tag": "2-dev"})).state == "committed"
        repository.force_push(first)
        delivery = await bench.store(repository, {"tag": "3-dev"})
        assert await bench.drain(repository) is None
        assert bench.row(delivery)[:1] == ("committed",)
    assert (tag(repository), trailers(repository)) == ("3-dev", [delivery])


@pytest.mark.parametrize("way", WAYS)
async def test_a_force_push_that_takes_a_lost_commit_away_lets_it_be_made_again(
    sandbox: Sandbox, tmp_path: Path, way: str
) -> None:
    """Base and commit are gone: no trailer is found, and the value is written where it is not."""
    repository = gitops_with(sandbox, WAYS[way])
    first = repository.head()
    repository.commit({"README.md": "Taken back\n"}, "A person's mistake")
    async with draining(sandbox, tmp_path) as bench:
        delivery = await lose(bench, repository)
        repository.force_push(first)
        assert await bench.drain(repository) is None
        assert bench.row(delivery)[:1] == ("committed",)
    assert (tag(repository), trailers(repository)) == ("2-dev", [delivery])


# -- tokens


def revoke(sandbox: Sandbox) -> None:
    """End all tokens."""
    sandbox.revoke_tokens()


def expire(sandbox: Sandbox) -> None:
    """Let GitHub's clock say that the tokens have expired, which ours does not."""
    for grant in sandbox.tokens.values():
        if grant.kind == "installation":
            object.__setattr__(grant, "expires", time.time() - 1)


@pytest.mark.parametrize("happen", [revoke, expire])
@pytest.mark.parametrize("way", WAYS)
async def test_a_token_that_ends_between_read_and_write_is_renewed(
    sandbox: Sandbox, tmp_path: Path, way: str, happen: Callable[[Sandbox], None]
) -> None:
    """One refusal, one new token, one commit: no attempt more, and no pause."""
    repository = gitops_with(sandbox, WAYS[way])
    sandbox.before(lambda: happen(sandbox), moves=True)
    async with draining(sandbox, tmp_path) as bench:
        delivery = await bench.store(repository, {"tag": "2-dev"})
        assert await bench.drain(repository) is None
        assert (bench.row(delivery).state, bench.row(delivery).attempts) == ("committed", 1)
    assert [exchange.status for exchange in sandbox.requests].count(401) == 1
    assert (tag(repository), trailers(repository)) == ("2-dev", [delivery])


# -- webhooks


async def test_lost_and_doubled_webhooks_are_each_done_once(sandbox: Sandbox, tmp_path: Path) -> None:
    """Of eight dispatches some never arrive and some come twice: none is done twice, and the last has the last word."""
    repository = gitops_with(sandbox)
    sandbox.webhooks.lose(3, probability=0.5, event="repository_dispatch")
    sandbox.webhooks.double(3, probability=0.5, event="repository_dispatch")
    async with running(sandbox, tmp_path, SWEEP_INTERVAL="1") as bot:
        sent = [str(await sandbox.dispatch("acme/gitops", "x", {"tag": f"{number}-dev"})) for number in range(2, 10)]
        await sandbox.webhooks.drained()
        listed = [one for one in sandbox.webhooks.deliveries if one.event == "repository_dispatch"]
        assert [one.status_code for one in listed].count(502) == 3
        assert len(listed) == len(sent) + 3
        ended = [await bot.ended(delivery) for delivery in sent]
        kept = rows(tmp_path)
    assert {one for one, row in kept.items() if row.state in {"committed", "no_change"}} == set(sent)
    # What was late is no longer wanted where a newer value is there.
    assert all("superseded" in kept[one].reason for one in sent if kept[one].state == "no_change")
    assert tag(repository) == "9-dev"
    landed = [delivery for delivery, state in zip(sent, ended, strict=True) if state == "committed"]
    assert sorted(trailers(repository)) == sorted(landed)


# -- what an owner does


class Act(NamedTuple):
    """What an owner does to a repository or an installation, how they take it back, and what is said meanwhile."""

    happen: Callable[[Sandbox, Repository], object]
    fix: Callable[[Sandbox, Repository], object] | None
    said: str
    mappings: str = MAPPINGS


def grant(sandbox: Sandbox, level: str) -> None:
    """Let what is granted be less than what the App asks for, or let the owner accept the rest."""
    if level == "write":
        sandbox.installations["acme"].accept()
    else:
        sandbox.installations["acme"].permissions["contents"] = level


NOT_REACHED = "does not exist or is not accessible to the parent installation"
ACTS = {
    "suspended": Act(
        lambda sandbox, _: sandbox.installations["acme"].suspend(),
        lambda sandbox, _: sandbox.installations["acme"].unsuspend(),
        "This installation has been suspended; unsuspend the App's installation",
    ),
    "repository removed": Act(
        lambda sandbox, repository: sandbox.installations["acme"].remove(repository),
        lambda sandbox, repository: sandbox.installations["acme"].add(repository),
        NOT_REACHED,
    ),
    "permission lacking": Act(
        lambda sandbox, _: grant(sandbox, "read"),
        lambda sandbox, _: grant(sandbox, "write"),
        "The permissions requested are not granted to this installation",
    ),
    "archived": Act(
        lambda _, repository: repository.archive(),
        lambda _, repository: repository.unarchive(),
        "GitHub forbids it: Repository was archived so is read-only",
    ),
    "archived, by REST": Act(
        lambda _, repository: repository.archive(),
        lambda _, repository: repository.unarchive(),
        "GitHub forbids it: Repository was archived so is read-only; unarchive the repository",
        AUTHOR,
    ),
    "uninstalled": Act(
        lambda sandbox, _: sandbox.installations["acme"].delete(),
        lambda sandbox, _: sandbox.install("acme"),
        "Not Found: the App is not installed there, or the repository is gone",
    ),
    "transferred": Act(
        lambda _, repository: repository.transfer("elsewhere"),
        lambda sandbox, _: sandbox.install("elsewhere"),
        NOT_REACHED,
    ),
    "deleted": Act(lambda _, repository: repository.delete(), None, NOT_REACHED),
}


@pytest.mark.parametrize("name", ACTS)
async def test_what_an_owner_does_is_waited_out(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """It happens just before the bot asks for a token: waiting, with GitHub's words, until a webhook frees it."""
    monkeypatch.setattr("bot.app.LOOK_SECONDS", 0.05)
    monkeypatch.setattr("bot.worker.SOON", 1)  # a test need not see whether the refusal passes by itself
    act = ACTS[name]
    repository = gitops_with(sandbox, act.mappings)
    sandbox.before(lambda: act.happen(sandbox, repository), path="/access_tokens")
    async with running(sandbox, tmp_path) as bot:
        delivery = await sandbox.dispatch("acme/gitops", "x", {"tag": "2-dev"})
        assert await bot.ended(delivery) == "waiting"
        assert act.said in bot.row(delivery).reason
        await sandbox.webhooks.drained()
        if act.fix is None:
            return
        assert (tag(repository), trailers(repository)) == ("1-dev", [])
        act.fix(sandbox, repository)
        await freed(bot.row, delivery)
        assert await bot.ended(delivery) == "committed"
    assert (tag(repository), trailers(repository)) == ("2-dev", [delivery])


async def freed(row: Callable[[str | None], Row], delivery: str | None) -> None:
    """Wait until a delivery waits no more."""
    async with asyncio.timeout(5):
        while row(delivery).state == "waiting":
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("name", ["suspended", "repository removed"])
async def test_a_lost_commit_is_found_when_the_owner_lets_us_look(sandbox: Sandbox, tmp_path: Path, name: str) -> None:
    """It landed, its answer was lost, and then nothing may be read any more: waiting, and no second commit later."""
    act, repository = ACTS[name], gitops_with(sandbox)
    assert act.fix is not None
    async with draining(sandbox, tmp_path) as bench:
        delivery = await lose(bench, repository)
        act.happen(sandbox, repository)
        while await bench.drain(repository) is not None:
            assert bench.row(delivery).state == "pending"
        assert bench.row(delivery).state == "waiting"
        act.fix(sandbox, repository)
        assert await bench.inbox.resume(target=repository.id) == [repository.id]
        assert await bench.drain(repository) is None
        assert bench.row(delivery)[:1] == ("committed",)
        assert "(found after its answer was lost)" in bench.row(delivery).reason
    assert trailers(repository) == [delivery]


@pytest.mark.parametrize("moves", [False, True])
@pytest.mark.parametrize("way", WAYS)
async def test_a_repository_that_gets_another_name_is_found(
    sandbox: Sandbox, tmp_path: Path, way: str, moves: bool
) -> None:
    """Before the read or between read and write: what was sent under the old name is committed under the new one."""
    repository = gitops_with(sandbox, WAYS[way])
    sandbox.before(lambda: repository.rename("deploy"), moves=moves, path=None if moves else "/access_tokens")
    async with draining(sandbox, tmp_path) as bench:
        delivery = await bench.store(repository, {"tag": "2-dev"})
        assert await bench.drain(repository) is None
        row = bench.row(delivery)
    assert (row.state, row.attempts, row.commit) == ("committed", 1, repository.head())
    assert (repository.full_name, tag(repository), trailers(repository)) == ("acme/deploy", "2-dev", [delivery])
