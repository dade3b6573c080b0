"""`pointsman deliveries`."""

from __future__ import annotations

import asyncio
import io
import json
import sqlite3
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from program import Ran, pointsman, run
from rich.console import Console
from running import DATABASE, rows, running

from bot.cli.deliveries import print_table
from bot.core.message import CheckRun
from bot.core.model import Actor, Delivery, Repository
from bot.core.outcome import Commit, Outcome
from bot.core.report import PutOff, Report
from bot.inbox.records import Query, Records
from bot.inbox.sqlite import SQLiteInbox

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from bot.sandbox import Sandbox

NOW = datetime.now(UTC)
BODY = {"action": "update", "client_payload": {"tag": "1.4.2-dev"}, "repository": {"id": 7, "full_name": "acme/gitops"}}
FAILED, PENDING, WAITING, IGNORED = (
    f"{name}-cc78-11e3-81ab-4c9367dc0958" for name in ("fa11ed00", "9e4d1460", "3a171460", "16404ed0")
)
MAPPINGS = """\
version: 1
mappings: [{ name: app, update: [{ files: values.yaml, set: { image.tag: '${{ tag }}' } }] }]
"""
REASON = "values.yaml has no field image.tag\nand that is a sentence which no terminal of 80 columns has room for"


def delivery(name: str, age: timedelta = timedelta(), body: Any = BODY) -> Delivery:
    """Return a delivery that came in some time ago."""
    text = json.dumps(body).encode()
    return Delivery(name, "repository_dispatch", Actor("webhook", "octocat", 1), 123456789, text, NOW - age)


async def _fill(path: Path) -> None:
    with closing(SQLiteInbox(path)) as inbox:
        await inbox.add(delivery(FAILED, timedelta(days=4)))
        commit = Commit("c" * 40, "https://github.test/commit", "b" * 40)
        outcomes = [
            Outcome(FAILED, "committed", "one file", branch="main", commit=commit),
            Outcome(FAILED, "failed", REASON, branch="next"),
        ]
        run = CheckRun("d" * 40, "Pointsman dispatch", "failure", "Failed", "because", "", FAILED)
        report = Report(Repository(123456789, "acme/gitops", "main", 1), run, (FAILED,))
        await inbox.finish(outcomes, [FAILED], [report])
        (unsaid,) = await inbox.reports.of(123456789, [run.key])
        await inbox.reports.put_off([PutOff(unsaid, 900.0, "GitHub forbids it")])
        await inbox.add(delivery(PENDING, timedelta(hours=3)))
        await inbox.intend("next", "a" * 40, {PENDING: [("values.yaml", "image.tag")]})
        await inbox.add(delivery(WAITING, timedelta(hours=1)))
        await inbox.wait({WAITING: 600.0}, "the repository is archived")
        ignored = replace(delivery(IGNORED), target=0, event="ping")
        await inbox.add(ignored, Outcome(IGNORED, "ignored", "ping: the webhook works"))


@pytest.fixture
def database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A database with four deliveries, which a bot has open."""
    path = tmp_path / DATABASE
    monkeypatch.setenv("DATABASE_URL", f"sqlite:///{path}")
    asyncio.run(_fill(path))
    with closing(SQLiteInbox(path)):
        yield path


def listed(*options: str) -> list[str]:
    """Return the ids that `list` shows with these options."""
    ran = pointsman("deliveries", "list", "--format", "json", *options)
    assert (ran.code, ran.err) == (0, "")
    return [one["id"] for one in json.loads(ran.out)]


def state(path: Path, name: str) -> str:
    """Return how a delivery is."""
    return rows(path.parent)[name].state


@pytest.mark.parametrize(
    ("options", "ids"),
    [
        ([], [IGNORED, WAITING, PENDING, FAILED]),
        (["--limit", "1"], [IGNORED]),
        (["--state", "failed", "-s", "waiting"], [WAITING, FAILED]),
        (["--repository", "0"], [IGNORED]),
        (["--since", "2h"], [IGNORED, WAITING]),
        (["--since", "90m"], [IGNORED, WAITING]),
        (["--since", "3d"], [IGNORED, WAITING, PENDING]),
        (["--since", (NOW - timedelta(hours=3)).isoformat()], [IGNORED, WAITING, PENDING]),
        (["--since", (NOW - timedelta(days=5)).strftime("%Y-%m-%d")], [IGNORED, WAITING, PENDING, FAILED]),
        (["--since", "2026-01-01", "--state", "dead"], []),
    ],
)
@pytest.mark.usefixtures("database")
def test_list_shows_the_deliveries_that_are_asked_for(options: list[str], ids: list[str]) -> None:
    """By state, repository, age or time, and number, the last to arrive first."""
    assert listed(*options) == ids


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--state", "faild"], "is not one of pending, waiting, committed, no_change, "),
        (["--state", "faild"], "failed, dead; did you mean 'failed'?"),
        (["--since", "yesterday"], "'yesterday' is neither an age (90m, 2h, 3d) nor a time"),
        (["--since", "999999999d"], "'999999999d' is neither an age"),
        (["--since", "0001-01-01T00:00+14:00"], "is neither an age"),
        (["--repository", "acme/gitops"], "--repository"),
        (["--limit", "0"], "--limit"),
    ],
)  # fmt: skip
@pytest.mark.usefixtures("database")
def test_list_says_what_is_wrong_with_an_option(arguments: list[str], sentence: str) -> None:
    """Exit 2, with the nearest state."""
    ran = pointsman("deliveries", "list", *arguments)
    assert (ran.code, ran.out) == (2, "")
    assert sentence in " ".join(ran.err.replace("│", " ").split())


@pytest.mark.usefixtures("database")
def test_list_into_a_pipe_is_a_whole_line_for_each() -> None:
    """Nothing is cut, and a reason of several lines is one."""
    ran = pointsman("deliveries", "list")
    head, *lines = ran.out.splitlines()
    assert head.split() == ["ID", "Received", "Event", "Target", "State", "Reason"]
    assert [line.split()[0] for line in lines] == [IGNORED, WAITING, PENDING, FAILED]
    assert lines[-1].endswith(" ".join(f"main: committed: one file next: failed: {REASON}".split()))


def test_list_on_a_terminal_of_80_columns_is_a_line_for_each(database: Path) -> None:
    """Ids that can be given as they stand, and as much of the reason as there is room for."""
    out = io.StringIO()
    with closing(Records(database)) as records:
        print_table(Console(file=out, force_terminal=True, color_system=None, width=80), records.list(Query()))
    head, rule, *lines = out.getvalue().splitlines()
    assert head.split() == ["ID", "Received", "Event", "Target", "State", "Reason"]
    assert set(rule.strip()) == {"─"}
    assert [line.split()[0] for line in lines] == [name[:8] for name in (IGNORED, WAITING, PENDING, FAILED)]
    assert max(map(len, out.getvalue().splitlines())) <= 80
    assert lines[1].split(maxsplit=6)[1:6] == [
        *(NOW - timedelta(hours=1)).strftime("%m-%d %H:%M").split(), "repository_dispatch", "123456789", "waiting"
    ]  # fmt: skip
    assert lines[-1].rstrip().endswith("…")


@pytest.mark.usefixtures("database")
def test_list_of_nothing_says_so() -> None:
    """On standard error: what reads the lines has none."""
    assert pointsman("deliveries", "list", "--state", "dead") == Ran(0, "", "no delivery is like that\n")


@pytest.mark.usefixtures("database")
def test_show_has_the_effects_by_branch_and_the_body() -> None:
    """As text for people, by how the id begins."""
    ran = pointsman("deliveries", "show", FAILED[:8])
    assert (ran.code, ran.err) == (0, "")
    assert f"  delivery:   {FAILED}\n  event:      repository_dispatch by octocat\n" in ran.out
    assert f"\non main:\n  state:      committed, commit {'c' * 40}, " in ran.out
    assert "\non next:\n  state:      failed, " in ran.out
    assert json.loads(ran.out.partition("\nbody:\n")[2]) == BODY


@pytest.mark.usefixtures("database")
def test_show_has_what_was_begun() -> None:
    """A commit that may have landed, with what it writes where."""
    ran = pointsman("deliveries", "show", PENDING)
    begun = f"\nbegun on next, may have landed:\n  base:       {'a' * 40}\n  writes:     values.yaml: image.tag\n"
    assert begun in ran.out


@pytest.mark.usefixtures("database")
def test_show_has_what_is_still_to_be_said() -> None:
    """The check run, on which commit, and why the last attempt failed."""
    shown = pointsman("deliveries", "show", FAILED).out
    assert f"\ncheck run still to be made: Pointsman dispatch\n  head:       {'d' * 40}\n" in shown
    assert "\n  attempts:   1, the next is due\n" in shown
    assert "\n  reason:     GitHub forbids it\n" in shown
    (report,) = json.loads(pointsman("deliveries", "show", FAILED, "-f", "json").out)["reports"]
    assert (report["check_run"], report["attempts"]) == ("Pointsman dispatch", 1)
    assert "still to be made" not in pointsman("deliveries", "show", PENDING).out


@pytest.mark.usefixtures("database")
def test_show_has_when_what_waits_is_tried_again() -> None:
    """A delivery that GitHub refused is set aside for a while, and not until somebody acts."""
    shown = pointsman("deliveries", "show", WAITING).out
    following = json.loads(pointsman("deliveries", "show", WAITING, "-f", "json").out)["next_attempt"]
    assert f"\n  attempts:   0, the next at {following}\n  state:      waiting\n" in shown
    assert timedelta(minutes=5) < datetime.fromisoformat(following) - datetime.now(UTC) <= timedelta(minutes=10)


@pytest.mark.usefixtures("database")
def test_show_as_json_has_everything() -> None:
    """The same for programs."""
    shown = json.loads(pointsman("deliveries", "show", FAILED, "--format", "json").out)
    assert (shown["id"], shown["state"], shown["actor"], shown["body"]) == (FAILED, "failed", "octocat", BODY)
    assert [(one["branch"], one["state"], one["commit"]) for one in shown["effects"]] == [
        ("main", "committed", "c" * 40), ("next", "failed", None)
    ]  # fmt: skip
    begun = json.loads(pointsman("deliveries", "show", PENDING, "--format", "json").out)["intents"]
    assert begun == [{"branch": "next", "base": "a" * 40, "fields": [["values.yaml", "image.tag"]]}]
    assert json.loads(pointsman("deliveries", "show", IGNORED, "-f", "json").out)["body"] is None


async def test_of_githubs_body_what_concerns_the_dispatch_is_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The payload, and whom it concerns; in JSON there is all that is stored."""
    monkeypatch.setenv("DATABASE_URL", f"sqlite:///{tmp_path / DATABASE}")
    body = {"action": "x", "client_payload": {"tag": "1"}, "repository": {"id": 7, "teams_url": "https://x"}}
    with closing(SQLiteInbox(tmp_path / DATABASE)) as inbox:
        await inbox.add(delivery("d1-1", body=body))
        shown = json.loads(pointsman("deliveries", "show", "d1-1").out.partition("\nbody:\n")[2])
        whole = json.loads(pointsman("deliveries", "show", "d1-1", "--format", "json").out)["body"]
    assert (shown, whole) == ({**body, "repository": {"id": 7}}, body)


async def test_what_a_payload_holds_does_not_steer_the_terminal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Controls, and halves of characters, are shown as JSON spells them."""
    monkeypatch.setenv("DATABASE_URL", f"sqlite:///{tmp_path / DATABASE}")
    text = "\x1b]0;title\x07\x9b31m\x7f\ud800\U000e0001"
    with closing(SQLiteInbox(tmp_path / DATABASE)) as inbox:
        await inbox.add(delivery("d1-1", body={"client_payload": {"text": text}}))
        await inbox.postpone({"d1-1": 1.0}, "\x1b[31m\x9bred\r")
        shown = pointsman("deliveries", "show", "d1-1").out
        assert [char for char in shown if not char.isprintable() and char != "\n"] == []
        assert json.loads(shown.partition("\nbody:\n")[2]) == {"client_payload": {"text": text}}
        assert r"\u001b[31m\u009bred\u000d" in shown
        assert r"\u001b[31m\u009bred" in pointsman("deliveries", "list").out


def test_replay_and_drop_change_what_they_can_and_say_what_they_cannot(database: Path) -> None:
    """A line for each on one of the two outputs, and exit 1 if there was anything to refuse."""
    ran = pointsman("deliveries", "replay", FAILED[:8], PENDING, FAILED[:8], "--force")
    assert ran == Ran(1, f"{FAILED} is pending again\n", f"delivery {PENDING} is pending already\n")
    with closing(Records(database)) as records:
        assert records.show(FAILED).record.forced
    assert pointsman("deliveries", "drop", PENDING, WAITING) == Ran(
        0, f"{PENDING} is dropped\n{WAITING} is dropped\n", ""
    )
    assert [state(database, name) for name in (FAILED, PENDING, WAITING)] == ["pending", "dead", "dead"]
    ran = pointsman("deliveries", "drop", IGNORED)
    assert ran == Ran(1, "", f"delivery {IGNORED} has ended already, as 'ignored': nothing is left to drop\n")
    ran = pointsman("deliveries", "replay", IGNORED)
    assert (ran.code, ran.out) == (1, "")
    assert "nothing of its body is left: it cannot be replayed; redeliver it" in ran.err


@pytest.mark.parametrize("verb", ["show", "replay", "drop"])
@pytest.mark.usefixtures("database")
def test_an_unknown_id_is_refused_with_the_nearest(verb: str) -> None:
    """Exit 1, a sentence."""
    wrong = FAILED.replace("cc78", "cc87")
    sentence = f"there is no delivery '{wrong}'; did you mean '{FAILED}'?\n"
    assert pointsman("deliveries", verb, wrong) == Ran(1, "", sentence)


def test_a_locked_database_is_a_sentence(database: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who holds it for too long is not waited for for ever."""
    connect = sqlite3.connect

    def impatient(name: str, **more: Any) -> sqlite3.Connection:
        connection: sqlite3.Connection = connect(name, timeout=0.01, **more)
        return connection

    monkeypatch.setattr(sqlite3, "connect", impatient)
    with closing(connect(database, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        ran = pointsman("deliveries", "drop", PENDING)
    assert ran == Ran(1, "", f"DATABASE_URL: {database}: database is locked; try again\n")


def test_a_database_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    """As a program of its own: exit 2, a sentence, no file."""
    ran = run(tmp_path, "deliveries", "list")
    assert ran == Ran(2, "", "DATABASE_URL: there is no file pointsman.db; name the one that the bot uses\n")
    assert not (tmp_path / "pointsman.db").exists()


@pytest.mark.parametrize("verb", ["list", "show", "replay", "drop"])
def test_help_fits_80_columns_and_has_an_example(verb: str) -> None:
    """Each verb has one that can be copied from one line."""
    out = pointsman("deliveries", verb, "--help").out
    assert f" Example: pointsman deliveries {verb} " in out
    assert max(map(len, out.splitlines())) <= 80
    assert "…" not in out


async def test_a_running_bot_takes_up_what_is_replayed(sandbox: Sandbox, tmp_path: Path) -> None:
    """Within seconds, with nothing but the database between the two."""
    gitops = sandbox.create_repository("acme/gitops", {".github/pointsman.yaml": MAPPINGS, "values.yaml": "tag: old\n"})
    database = f"sqlite:///{tmp_path / DATABASE}"
    async with running(sandbox, tmp_path) as bot:
        name = await sandbox.dispatch("acme/gitops", "update", {"tag": "new"})
        assert await bot.ended(name) == "failed"
        gitops.commit({"values.yaml": "image: { tag: old }\n"}, "Fix it")
        ran = await asyncio.to_thread(run, tmp_path, "deliveries", "replay", str(name), DATABASE_URL=database)
        assert ran == Ran(0, f"{name} is pending again\n", "")
        assert await bot.ended(name) == "committed"
    assert gitops.read("values.yaml") == b"image: { tag: new }\n"
