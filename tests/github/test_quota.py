"""The quota governor: who may send when, on a clock that moves when the test says so."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
from adapters import adapter
from running import REFUSAL, named, within_the_hour

from bot.compute.in_place import InPlace
from bot.core.changeset import Changeset, FileChange
from bot.core.mapping import Person
from bot.core.message import CheckRun, CommitMessage
from bot.errors import Transient
from bot.github import GitHub
from bot.github.limits import Cost
from bot.github.quota import Governor, Quota, State

if TYPE_CHECKING:
    from collections.abc import Callable

    from bot.core.model import Repository as Named
    from bot.sandbox import Repository, Sandbox

READ = Cost(1)
QUERY = Cost(1, graphql=True)
WRITE = Cost(1, points=5, writes=1, lands=True)
OBJECT = Cost(1, points=5, writes=1)
REPORT = Cost(1, points=5, writes=1, report=True)
OFF = Quota(0, 0, 0, 0, 0, 0, 10_000)
LIMITED = "a rate limit of GitHub's is reached"


class Alarm:
    def __init__(self, at: float, callback: Callable[[], None]) -> None:
        self.at = at
        self.callback = callback
        self.cancelled = False

    def cancel(self) -> None:
        self.cancelled = True


class Clock:
    """The part of an event loop that a governor uses; time passes only in `to`."""

    def __init__(self) -> None:
        self.now = 0.0
        self.alarms: list[Alarm] = []

    def time(self) -> float:
        return self.now

    def call_later(self, delay: float, callback: Callable[[], None], /) -> Alarm:
        assert delay > 0
        self.alarms.append(Alarm(self.now + delay, callback))
        return self.alarms[-1]

    def waiting(self) -> list[Alarm]:
        self.alarms = sorted((alarm for alarm in self.alarms if not alarm.cancelled), key=lambda alarm: alarm.at)
        return self.alarms

    async def to(self, now: float) -> None:
        """Let time pass until `now`, and everybody do what is to be done on the way."""
        await settle()
        while self.waiting() and self.alarms[0].at <= now:
            alarm = self.alarms.pop(0)
            self.now = alarm.at
            alarm.callback()
            await settle()
        self.now = now


async def settle() -> None:
    """Let every task run until it waits for something."""
    for _ in range(20):
        await asyncio.sleep(0)


class Traffic:
    """Requests through one governor, and what became of them: `sent` has name and time of each, in order."""

    def __init__(self, quota: Quota) -> None:
        self.clock = Clock()
        self.governor = Governor(quota, self.clock)
        self.sent: list[tuple[str, float]] = []
        self.refused: dict[str, Transient] = {}
        self.tasks: dict[str, asyncio.Task[None]] = {}

    async def _send(self, name: str, cost: Cost, seconds: float) -> None:
        try:
            async with self.governor.slot(cost):
                self.sent.append((name, round(self.clock.now, 1)))
                if seconds:
                    done = asyncio.Event()
                    self.clock.call_later(seconds, done.set)
                    await done.wait()
        except Transient as error:
            self.refused[name] = error

    def ask(self, name: str, cost: Cost, seconds: float = 0.0) -> None:
        """Begin a request that takes `seconds` once it is sent."""
        self.tasks[name] = asyncio.create_task(self._send(name, cost, seconds))

    async def asked(self, name: str, cost: Cost, seconds: float = 0.0) -> None:
        """Begin a request, and let it come as far as it can now."""
        self.ask(name, cost, seconds)
        await settle()

    def times(self) -> list[float]:
        return [at for _, at in self.sent]

    def names(self) -> list[str]:
        return [name for name, _ in self.sent]


WINDOWS = [
    pytest.param(Quota(writes_minute=3, write_interval=0, patience=9999), WRITE, [0, 0, 0, 60, 60, 60, 120], id="min"),
    pytest.param(Quota(writes_hour=2, write_interval=0, patience=9999), OBJECT, [0, 0, 3600, 3600, 7200], id="hour"),
    pytest.param(Quota(rest_points=3, patience=9999), READ, [0, 0, 0, 60, 60], id="REST reads cost 1"),
    pytest.param(Quota(rest_points=12, write_interval=0, patience=999), WRITE, [0, 0, 60, 60], id="REST writes cost 5"),
    pytest.param(Quota(graphql_points=2, patience=9999), QUERY, [0, 0, 60, 60, 120], id="queries cost 1"),
    pytest.param(Quota(graphql_points=1, rest_points=9, patience=9999), READ, [0] * 9 + [60], id="apart"),
    pytest.param(Quota(rest_points=3, write_interval=0, patience=999), WRITE, [0, 60, 120], id="more than the limit"),
    pytest.param(Quota(patience=9999), WRITE, [0, 1, 2, 3], id="a second between commits to one repository"),
    pytest.param(Quota(write_interval=0.5, patience=9999), WRITE, [0, 0.5, 1, 1.5], id="half a second"),
    pytest.param(Quota(patience=9999), OBJECT, [0, 0, 0], id="objects are parts of one commit"),
    pytest.param(Quota(patience=9999), REPORT, [0, 0, 0], id="check runs are no commits"),
    pytest.param(Quota(writes_minute=4, patience=9999), REPORT, [0, 0, 0, 60], id="check runs leave a quarter"),
    pytest.param(Quota(writes_minute=1, patience=9999), REPORT, [0, 60], id="of one there is no quarter"),
    pytest.param(OFF, WRITE, [0] * 300, id="no limits"),
]


@pytest.mark.parametrize(("quota", "cost", "expected"), WINDOWS)
async def test_each_limit_lets_as_many_go_as_it_says(quota: Quota, cost: Cost, expected: list[float]) -> None:
    """Asked for all at once: what goes when, in the order in which it was asked for."""
    traffic = Traffic(quota)
    for number in range(len(expected)):
        traffic.ask(str(number), cost)
    await traffic.clock.to(9000)
    assert traffic.sent == [(str(number), at) for number, at in enumerate(expected)]


async def test_a_window_slides() -> None:
    """Each place is free again a minute after its own use, not at the turn of a minute."""
    traffic = Traffic(Quota(writes_minute=3, write_interval=0, patience=100))
    for at in (0, 20, 40):
        await traffic.clock.to(at)
        await traffic.asked(str(at), WRITE)
    for number in range(4):
        traffic.ask(f"late {number}", WRITE)
    await traffic.clock.to(200)
    assert traffic.times() == [0, 20, 40, 60, 80, 100, 120]


async def test_at_once_only_as_many_as_the_limit_says() -> None:
    """A place is free when an answer has come, whatever came."""
    traffic = Traffic(Quota(concurrent=2, patience=100))
    for number, seconds in enumerate((5, 3, 1, 0)):
        traffic.ask(str(number), READ, seconds)
    await traffic.clock.to(0.5)
    assert (traffic.governor.state().in_flight, traffic.governor.state().waiting) == (2, 2)
    await traffic.clock.to(50)
    assert traffic.sent == [("0", 0), ("1", 0), ("2", 3), ("3", 4)]
    assert traffic.governor.state().in_flight == 0


async def test_an_objects_commit_waits_but_makes_no_other_object_wait() -> None:
    """Blob, tree and commit right away; what moves the branch begins the second, for the next commit's first object."""
    traffic = Traffic(Quota())
    for name, cost in (("tree", OBJECT), ("commit", OBJECT), ("ref", WRITE), ("next tree", OBJECT), ("read", READ)):
        traffic.ask(name, cost)
    await traffic.clock.to(5)
    assert traffic.sent == [("tree", 0), ("commit", 0), ("ref", 0), ("next tree", 1), ("read", 1)]


# What was used before, who asks, the wait in seconds, and the sentence.
IMPATIENT = [
    (Quota(writes_minute=2, write_interval=0), [WRITE] * 2, WRITE, 60, "2 writes a minute are used up: again in 60 s"),
    (Quota(writes_hour=1, write_interval=0), [WRITE], WRITE, 3600, "1 writes an hour are used up: again in 3600 s"),
    (Quota(rest_points=1000), [READ] * 1000, READ, 60, "1,000 REST points a minute are used up: again in 60 s"),
    (Quota(graphql_points=1), [QUERY], QUERY, 60, "1 GraphQL points a minute are used up: again in 60 s"),
    (Quota(write_interval=30), [WRITE], WRITE, 30, "commits to one repository are 30 s apart: again in 30 s"),
    (Quota(patience=0), [WRITE], WRITE, 1, "commits to one repository are 1 s apart: again in 1 s"),
]


@pytest.mark.parametrize(("quota", "before", "cost", "wait", "sentence"), IMPATIENT)
async def test_who_would_wait_for_too_long_is_told_at_once(
    quota: Quota, before: list[Cost], cost: Cost, wait: float, sentence: str
) -> None:
    """With the reason and the seconds: nobody sits on a delivery for longer than the quota's patience."""
    traffic = Traffic(quota)
    for number, each in enumerate(before):
        traffic.ask(str(number), each)
    await traffic.asked("late", cost)
    assert len(traffic.sent) == len(before)
    assert (str(traffic.refused["late"]), traffic.refused["late"].retry_after) == (sentence, wait)
    assert traffic.governor.state().waiting == 0
    assert traffic.clock.waiting() == []


async def test_those_who_wait_count_for_who_comes_later() -> None:
    """A second each: the eleventh in the queue would wait for more than ten seconds, and is told when it asks."""
    traffic = Traffic(Quota())
    for number in range(13):
        traffic.ask(str(number), WRITE)
    await settle()
    assert {name: error.retry_after for name, error in traffic.refused.items()} == {"10": 10, "11": 10, "12": 10}
    await traffic.clock.to(20)
    assert traffic.times() == list(range(10))


async def test_a_wait_may_span_several_windows() -> None:
    """One a minute: the third of three would go in two, which is said when it asks."""
    traffic = Traffic(Quota(writes_minute=1, write_interval=0, patience=100))
    for number in range(3):
        traffic.ask(str(number), WRITE)
    await settle()
    assert {name: error.retry_after for name, error in traffic.refused.items()} == {"2": 120}


async def test_patience_ends_also_where_nobody_could_know() -> None:
    """How long requests take is not known before: after ten seconds without a turn it is said."""
    traffic = Traffic(Quota(concurrent=1))
    traffic.ask("slow", READ, 30)
    await traffic.asked("next", READ)
    await traffic.clock.to(9.9)
    assert traffic.refused == {}
    await traffic.clock.to(10.1)
    assert str(traffic.refused["next"]) == "too many requests to GitHub are under way: again in 1 s"
    assert traffic.governor.state().waiting == 0


# What GitHub says (seconds, or None where it does not), when, and until when nothing is sent.
PAUSES = [
    ([(0, 33)], 33),
    ([(0, None)], 60),
    ([(0, None), (1, None), (2, None)], 60),  # answers to requests sent together are one refusal
    ([(0, None), (60, None)], 180),
    ([(0, None), (60, None), (180, None)], 420),
    ([(0, None), (70, "success"), (80, None)], 140),
    ([(0, None), (30, "success"), (60, None)], 180),  # that request was sent before the pause
    ([(0, 100), (5, 10)], 100),
    ([(0, 10), (5, 100)], 105),
    ([(0, 5), (1, None)], 61),
    ([(0, 0)], 0),
]


@pytest.mark.parametrize(("events", "until"), PAUSES)
async def test_a_pause_lasts_as_long_as_github_wants(events: list[tuple[float, Any]], until: float) -> None:
    """Without a length it is a minute, and doubles with each repeat until something succeeds."""
    traffic = Traffic(OFF)
    for at, said in events:
        await traffic.clock.to(at)
        if said == "success":
            traffic.governor.succeeded()
        else:
            traffic.governor.limited(said, LIMITED)
    assert traffic.governor.state().paused_for == until - traffic.clock.now
    for cost in (READ, QUERY, WRITE, REPORT):
        traffic.ask(str(cost), cost)
    await traffic.clock.to(until + 1)
    assert traffic.times() == [until] * 4


async def test_a_pause_never_grows_beyond_an_hour() -> None:
    """By then the longest of GitHub's limits has renewed."""
    traffic = Traffic(OFF)
    for _ in range(20):
        await traffic.clock.to(traffic.clock.now + traffic.governor.limited(None, LIMITED))
    assert traffic.governor.limited(None, LIMITED) == 3600


async def test_a_pause_stops_those_who_wait() -> None:
    """Whoever would lose patience in it is told at once, with GitHub's reason; who has it waits; nothing is sent."""
    traffic = Traffic(Quota(write_interval=5))
    traffic.ask("0", WRITE)
    await traffic.asked("1", WRITE)
    await traffic.clock.to(4)
    traffic.governor.limited(33, LIMITED)
    await traffic.asked("2", READ)
    await traffic.clock.to(28)
    await traffic.asked("3", READ)
    await traffic.clock.to(50)
    assert {name: (str(error), error.retry_after) for name, error in traffic.refused.items()} == {
        "1": (f"{LIMITED}: again in 33 s", 33),
        "2": (f"{LIMITED}: again in 33 s", 33),
    }
    assert traffic.sent == [("0", 0), ("3", 37)]


async def test_a_slot_that_a_pause_overtook_sends_nothing() -> None:
    """It was given before GitHub said so: its request is stopped right before it goes."""
    traffic = Traffic(Quota())
    async with traffic.governor.slot(READ):
        traffic.governor.check()
        traffic.governor.limited(20, LIMITED)
        with pytest.raises(Transient, match=f"{LIMITED}: again in 20 s") as caught:
            traffic.governor.check()
    assert caught.value.retry_after == 20


async def test_installations_do_not_wait_for_each_other() -> None:
    """A pause and a used up window are those of one governor."""
    one, other = Traffic(Quota(writes_minute=1)), Traffic(Quota(writes_minute=1))
    one.governor.limited(None, LIMITED)
    await one.asked("a", WRITE)
    await other.asked("b", WRITE)
    assert (one.names(), other.names()) == ([], ["b"])


async def test_commits_and_reads_go_before_reports() -> None:
    """Whoever asked first, a free place is for what a commit needs."""
    traffic = Traffic(Quota(concurrent=1, patience=100))
    traffic.ask("under way", READ, 1)
    for name, cost in (("report", REPORT._replace(repository=2)), ("read", READ), ("commit", WRITE)):
        await traffic.asked(name, cost)
    await traffic.clock.to(10)
    assert traffic.names() == ["under way", "read", "commit", "report"]


async def test_a_report_leaves_the_last_places_to_commits_that_wait() -> None:
    """Two commits wait for their second, two places are left, a quarter would be one: the report has to wait."""
    traffic = Traffic(Quota(writes_minute=4, patience=100))
    for repository in (1, 2):
        for number in range(2):
            traffic.ask(f"{repository}.{number}", WRITE._replace(repository=repository))
    await traffic.asked("report", REPORT)
    assert traffic.names() == ["1.0", "2.0"]
    await traffic.clock.to(59)
    assert traffic.names() == ["1.0", "2.0", "1.1", "2.1"]
    await traffic.clock.to(61)
    assert traffic.sent[4:] == [("report", 60)]


async def test_reports_leave_a_quarter_of_every_limit() -> None:
    """However many there are: a commit that comes then finds a place, points and room in its windows."""
    for quota in (Quota(concurrent=8), Quota(rest_points=40), Quota(writes_hour=8), Quota(writes_minute=8)):
        traffic = Traffic(quota)
        for number in range(20):
            traffic.ask(str(number), REPORT._replace(repository=number), 5)
        await settle()
        assert len(traffic.sent) == 6
        await traffic.asked("commit", WRITE)
        assert traffic.names()[6:] == ["commit"]
        await traffic.clock.to(11)


async def test_repositories_take_turns() -> None:
    """Ten requests of one, asked first, keep two of another waiting for two turns only; each has its own order."""
    traffic = Traffic(Quota(concurrent=1, patience=1000))
    for number in range(10):
        traffic.ask(f"noisy {number}", READ, 1)
    await settle()
    for number in range(2):
        traffic.ask(f"quiet {number}", READ._replace(repository=2), 1)
    await traffic.clock.to(100)
    noisy = [f"noisy {number}" for number in range(10)]
    assert traffic.names() == [*noisy[:1], "quiet 0", noisy[1], "quiet 1", *noisy[2:]]


async def test_what_is_left_over_adds_up_for_a_large_request() -> None:
    """A write of five points is not starved by reads of one that come all the time."""
    traffic = Traffic(Quota(rest_points=6, patience=1000))
    for number in range(6):
        await traffic.clock.to(number)
        await traffic.asked(f"read {number}", READ._replace(repository=number))
    traffic.ask("write", WRITE._replace(repository=77))
    for number in range(6, 12):
        traffic.ask(f"read {number}", READ._replace(repository=number))
    await traffic.clock.to(64.5)
    assert traffic.sent[6:] == [("write", 64)]
    await traffic.clock.to(200)
    assert len(traffic.sent) == 13


async def test_who_is_cancelled_while_waiting_frees_the_place() -> None:
    """The one behind it goes when it would have gone, and nothing stays behind."""
    traffic = Traffic(Quota())
    for number in range(3):
        traffic.ask(str(number), WRITE)
    await settle()
    traffic.tasks["1"].cancel()
    await traffic.clock.to(5)
    assert traffic.sent == [("0", 0), ("2", 1)]
    assert traffic.governor.state() == State(2, 2, 0, 0, 0.0, {})
    assert traffic.clock.waiting() == []


async def test_who_is_cancelled_with_a_turn_that_just_came_gives_it_back() -> None:
    """Between the turn and the request lies a step of the event loop: window, place and second are for the next."""
    traffic = Traffic(Quota(writes_minute=2, concurrent=1, patience=100))
    traffic.ask("0", WRITE, 2)
    await traffic.asked("1", WRITE)
    await traffic.asked("2", WRITE)
    (alarm, *_) = [each for each in traffic.clock.waiting() if each.at == 2]
    traffic.clock.alarms.remove(alarm)
    traffic.clock.now = 2
    alarm.callback()
    while traffic.governor.state().writes_minute == 1:
        await asyncio.sleep(0)
    traffic.tasks["1"].cancel()
    await settle()
    assert traffic.sent == [("0", 0), ("2", 2)]
    assert (traffic.governor.state().writes_minute, traffic.governor.state().in_flight) == (2, 0)


async def test_who_is_cancelled_in_the_step_in_which_its_turn_comes_gives_it_back() -> None:
    """The one before it, which gives the turn on, ends well; the one behind it goes."""
    traffic = Traffic(Quota(concurrent=1, patience=100))
    traffic.ask("0", READ, 2)
    await traffic.asked("1", READ)
    await traffic.asked("2", READ)
    traffic.clock.now = 2
    traffic.clock.waiting()[0].callback()
    traffic.tasks["1"].cancel()
    await settle()
    await traffic.tasks["0"]
    assert traffic.sent == [("0", 0), ("2", 2)]
    assert (traffic.governor.state().waiting, traffic.governor.state().in_flight) == (0, 0)


async def test_who_is_cancelled_in_the_step_in_which_a_pause_begins_is_not_told() -> None:
    """It does not listen any more, and whoever met the pause must not fail for it."""
    traffic = Traffic(Quota(concurrent=1, patience=100))
    traffic.ask("0", READ, 2)
    await traffic.asked("1", READ)
    traffic.tasks["1"].cancel()
    assert traffic.governor.limited(600, LIMITED) == 600
    await settle()
    assert (traffic.refused, traffic.governor.state().waiting) == ({}, 0)


async def test_who_is_cancelled_while_sending_frees_the_place_but_has_sent() -> None:
    """What went out counts, however it ended."""
    traffic = Traffic(Quota(concurrent=1))
    traffic.ask("0", WRITE, 50)
    await traffic.asked("1", READ)
    traffic.tasks["0"].cancel()
    await settle()
    assert traffic.names() == ["0", "1"]
    assert (traffic.governor.state().writes_minute, traffic.governor.state().in_flight) == (1, 0)


async def ready(traffic: Traffic, repository: int = 1) -> float | str:
    """Wait until a commit could begin; return when that was, or why it was refused."""
    task = asyncio.create_task(traffic.governor.ready(repository))
    await traffic.clock.to(traffic.clock.now)
    while not task.done():
        await traffic.clock.to(traffic.clock.waiting()[0].at)
    error = task.exception()
    return str(error) if error else round(traffic.clock.now, 1)


@pytest.mark.parametrize(
    ("quota", "before", "repository", "expected"),
    [
        (Quota(), [], 1, 0),
        (Quota(), [WRITE], 1, 1),
        (Quota(), [WRITE], 2, 0),
        (Quota(), [REPORT], 1, 0),
        (Quota(write_interval=20), [WRITE], 1, "commits to one repository are 20 s apart: again in 20 s"),
        (Quota(writes_minute=4), [OBJECT] * 1, 1, 0),
        (Quota(writes_minute=4), [OBJECT] * 2, 1, "4 writes a minute are used up: again in 60 s"),
        (Quota(writes_minute=1), [OBJECT] * 1, 1, "1 writes a minute are used up: again in 60 s"),
        (Quota(writes_minute=1), [], 1, 0),
        (OFF, [WRITE] * 500, 1, 0),
    ],
)
async def test_a_repository_is_ready_when_a_commit_could_begin(
    quota: Quota, before: list[Cost], repository: int, expected: float | str
) -> None:
    """Its second has passed, and there is room for a commit by the costliest ordinary way; nothing is used up."""
    traffic = Traffic(quota)
    for number, cost in enumerate(before):
        await traffic.asked(str(number), cost)
    used = traffic.governor.state()
    assert await ready(traffic, repository) == expected
    assert traffic.governor.state() == used


async def test_who_waits_to_be_ready_holds_no_write_up() -> None:
    """It wants room for a whole commit; a write that is a part of one needs less, and goes."""
    traffic = Traffic(Quota(writes_minute=4, patience=100))
    for number in range(2):
        await traffic.asked(str(number), OBJECT)
    waiting = asyncio.create_task(traffic.governor.ready(2))
    await settle()
    await traffic.asked("write", WRITE._replace(repository=3))
    assert (traffic.names()[2:], waiting.done()) == (["write"], False)
    await traffic.clock.to(61)
    assert waiting.done()


async def test_a_repository_is_not_ready_in_a_pause() -> None:
    """Of up to ten seconds it waits for the end, of a longer one it says when."""
    traffic = Traffic(Quota())
    traffic.governor.limited(8, LIMITED)
    assert await ready(traffic) == 8
    traffic.governor.limited(12, LIMITED)
    assert await ready(traffic) == f"{LIMITED}: again in 12 s"


async def test_the_state_says_what_is_used_and_who_waits() -> None:
    """For metrics: windows, waiting, in flight, pause and what GitHub says is left."""
    traffic = Traffic(Quota())
    traffic.ask("0", WRITE, 100)
    await traffic.asked("1", WRITE)
    traffic.governor.note_remaining(4998, graphql=False)
    traffic.governor.note_remaining(17, graphql=True)
    assert traffic.governor.state() == State(1, 1, 1, 1, 0.0, {"core": 4998, "graphql": 17})
    await traffic.clock.to(70)
    traffic.governor.limited(5, LIMITED)
    assert traffic.governor.state() == State(0, 2, 0, 1, 5.0, {"core": 4998, "graphql": 17})


# -- over HTTP ----------------------------------------------------------------------------------------------------

AUTHOR = Person("build", "build@internal")
ONE, TWO = "README.md", "environments/dev/values.yaml"


async def commit(
    forge: GitHub, repository: Named, paths: tuple[str, ...] = (ONE,), author: Person | None = None
) -> None:
    """Add a line to each path, in one commit."""
    snapshot = await forge.open(repository, paths)
    files = {
        path: FileChange(path, file.data, (file.data or b"") + b"more\n", file.mode, file.oid, ())
        for path, file in snapshot.files.items()
    }
    changeset = Changeset(snapshot.branch, snapshot.head, files)
    await forge.commit(repository, changeset, CommitMessage("dev: 2", "* a", author=author, committer=author))


async def report(forge: GitHub, repository: Named, head: str) -> None:
    await forge.report(repository, CheckRun(head, "Pointsman", "success", "Done", "* a", "", "d1"))


def state(forge: GitHub, repository: Named) -> State:
    return forge.quota()[repository.installation]


@pytest.mark.parametrize(
    ("case", "writes"),
    [
        ((True, (ONE, TWO), None), 1),
        ((True, (ONE,), AUTHOR), 1),
        ((True, (ONE, TWO), AUTHOR), 3),
        ((False, (ONE,), None), 1),
        ((False, (ONE, TWO), None), 3),
    ],
)
async def test_every_request_that_may_write_is_counted(
    sandbox: Sandbox, gitops: Repository, case: tuple[bool, tuple[str, ...], Person | None], writes: int
) -> None:
    """A mutation is one write, a file by the Contents API too, and a tree, a commit and a branch three; reads none."""
    sandbox.graphql, paths, author = case
    async with adapter(sandbox, gitops) as (forge, repository, _):
        await forge.open(repository, [ONE, TWO])
        assert (state(forge, repository).writes_minute, state(forge, repository).in_flight) == (0, 0)
        await commit(forge, repository, paths, author)
        assert (state(forge, repository).writes_minute, state(forge, repository).writes_hour) == (writes, writes)
        await report(forge, repository, gitops.head())
        assert state(forge, repository).writes_minute == writes + 1


async def test_what_github_says_is_left_is_known(sandbox: Sandbox, gitops: Repository) -> None:
    """By its headers, of REST and GraphQL apart; requests of the App itself are not the installation's."""
    async with adapter(sandbox, gitops) as (forge, repository, _):
        await commit(forge, repository)
        await report(forge, repository, gitops.head())
        assert state(forge, repository).remaining == {"graphql": 4998, "core": 4999}


PAUSING = [
    pytest.param({"status": 403, "headers": {"Retry-After": "33"}}, 33, id="retry-after"),
    pytest.param({"status": 429}, 60, id="429"),
    pytest.param({"status": 403, "body": {**REFUSAL, "message": "a secondary rate limit"}}, 60, id="secondary"),
    pytest.param({"status": 503, "headers": {"Retry-After": "44"}}, 44, id="503"),
    pytest.param({"status": 429, "headers": {"Retry-After": "nan"}}, 60, id="no number"),
    pytest.param({"status": 429, "headers": {"Retry-After": "-5"}}, 60, id="no length of time"),
    pytest.param(
        {"status": 403, "headers": {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "?"}}, 60, id="no time"
    ),
    pytest.param(
        {"status": 200, "body": {"data": None, "errors": [{"type": "RATE_LIMITED", "message": "limit"}]}},
        60,
        id="query",
    ),
]


@pytest.mark.parametrize(("fault", "pause"), PAUSING)
async def test_nothing_is_sent_in_a_pause_but_by_others(
    sandbox: Sandbox, gitops: Repository, fault: Any, pause: float
) -> None:
    """No request, no token, of no repository of the installation; another installation goes on."""
    second = sandbox.create_repository("acme/second", {ONE: "x\n"})
    other = sandbox.create_repository("umbrella/gitops", {ONE: "x\n"})
    sandbox.faults.add(operation="Open", **{"body": REFUSAL, **fault})
    async with adapter(sandbox, gitops) as (forge, repository, _):
        with pytest.raises(Transient):
            await forge.open(repository, [])
        before = len(sandbox.requests)
        for call in (
            forge.open(repository, []),
            forge.open(named(sandbox, second), []),
            report(forge, repository, gitops.head()),
            forge.ready(repository),
            forge.organization_file(repository, ONE),
        ):
            with pytest.raises(Transient, match=r": again in [0-9]+ s") as caught:
                await call
            assert caught.value.retry_after == pytest.approx(pause, abs=3)
        assert len(sandbox.requests) == before
        assert state(forge, repository).paused_for == pytest.approx(pause, abs=3)
        await commit(forge, named(sandbox, other))
        assert state(forge, named(sandbox, other)).paused_for == 0


@pytest.mark.parametrize("where", [{"path": "access_tokens"}, {"path": "check-runs"}, {"operation": "Commit"}])
async def test_any_request_can_begin_a_pause(sandbox: Sandbox, gitops: Repository, where: dict[str, str]) -> None:
    """A refused token too: it was asked for because of this installation."""
    sandbox.faults.add(**where, status=429, body=REFUSAL)
    async with adapter(sandbox, gitops) as (forge, repository, _):
        with pytest.raises(Transient, match=LIMITED):  # noqa: PT012 - whichever of the two meets the fault
            await commit(forge, repository)
            await report(forge, repository, gitops.head())
        assert state(forge, repository).paused_for == pytest.approx(60, abs=3)


async def test_the_last_request_of_the_hour_begins_the_pause(sandbox: Sandbox, gitops: Repository) -> None:
    """GitHub answers it and says that none is left: the next one is not sent to be refused."""
    await within_the_hour(sandbox)
    async with adapter(sandbox, gitops) as made:
        await made.forge.open(made.repository, [])
        sandbox.rate_limits["graphql"] = 2
        await made.forge.open(made.repository, [])
        with pytest.raises(Transient, match=LIMITED) as caught:
            await made.forge.open(made.repository, [])
        assert made.asked() == ["Open", "Open"]
        assert caught.value.retry_after == pytest.approx(3600 - sandbox.clock() % 3600, abs=3)


async def test_a_short_pause_is_waited_for(sandbox: Sandbox, gitops: Repository) -> None:
    """By the real event loop: the request that comes then is sent after it."""
    loop = asyncio.get_running_loop()
    sandbox.faults.add(operation="Open", status=403, body=REFUSAL, headers={"Retry-After": "0.2"})
    async with adapter(sandbox, gitops) as (forge, repository, _):
        with pytest.raises(Transient, match=LIMITED):
            await forge.open(repository, [])
        began = loop.time()
        await asyncio.gather(forge.ready(repository), forge.open(repository, []))
        assert 0.1 < loop.time() - began < 5


async def test_limits_without_a_length_double_until_github_does_something(
    sandbox: Sandbox, gitops: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A minute, two, and after a success a minute again; errors of GraphQL that are no limits are answers too."""
    clock = Clock()
    async with adapter(sandbox, gitops) as (forge, repository, _):
        monkeypatch.setattr("bot.github.forge.asyncio", SimpleNamespace(get_running_loop=lambda: clock))
        pauses = []
        for times in (2, 1):
            sandbox.faults.add(operation="Open", status=429, body=REFUSAL, times=times)
            for _ in range(times):
                with pytest.raises(Transient, match=LIMITED) as caught:
                    await forge.open(repository, [])
                pauses.append(caught.value.retry_after)
                clock.now += 1000
            sandbox.faults.add(operation="Open", status=200, body={"data": None, "errors": [{"message": "oh"}]})
            with pytest.raises(Transient, match="oh"):
                await forge.open(repository, [])
        await forge.open(repository, [])
        assert pauses == [60, 120, 60]


async def test_a_token_that_comes_in_a_pause_is_not_used(sandbox: Sandbox, gitops: Repository) -> None:
    """It was asked for before: the request that it is for stays here."""
    second = sandbox.create_repository("acme/second", {ONE: "x\n"})
    async with adapter(sandbox, gitops) as made:
        await made.forge.open(made.repository, [])
        sandbox.faults.add(path="access_tokens", delay=0.3)
        late = asyncio.create_task(made.forge.open(named(sandbox, second), []))
        await asyncio.sleep(0.05)
        sandbox.faults.add(operation="Open", status=429, body=REFUSAL)
        with pytest.raises(Transient, match=LIMITED):
            await made.forge.open(made.repository, [])
        with pytest.raises(Transient, match=f"{LIMITED}: again in 60 s"):
            await late
        assert made.asked() == ["Open", "Open"]


async def test_governors_are_bounded(sandbox: Sandbox, gitops: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    """The installation that was not heard of for the longest time is forgotten."""
    monkeypatch.setattr("bot.github.forge._KEPT", 2)
    async with adapter(sandbox, gitops) as (forge, repository, _):
        for installation in (1, 2, 1, 3):
            await forge.ready(replace(repository, installation=installation))
        assert sorted(forge.quota()) == [1, 3]
        # Whatever speaks for an installation then is bound to the governor that there is.
        await forge.open(repository, [])
        await forge.ready(replace(repository, installation=1))
        await forge.ready(replace(repository, installation=3))
        await forge.open(repository, [])
        assert state(forge, repository).remaining == {"graphql": 4998}


@pytest.mark.parametrize("quota", [Quota(), Quota(patience=0)])
async def test_commits_to_one_repository_are_a_second_apart(sandbox: Sandbox, gitops: Repository, quota: Quota) -> None:
    """With the limits that hold where nothing is set: the second waits, or is told if there is no patience."""
    async with aiohttp.ClientSession() as session:
        forge = GitHub(session, sandbox.url, sandbox.app.id, sandbox.app.private_key, InPlace(), quota)
        repository = named(sandbox, gitops)
        began = time.monotonic()
        await commit(forge, repository)
        if quota.patience:
            await commit(forge, repository)
            assert 1 <= time.monotonic() - began < 9
        else:
            with pytest.raises(Transient, match="commits to one repository are 1 s apart: again in 1 s"):
                await commit(forge, repository)
    assert len(gitops.log()) == (3 if quota.patience else 2)
