"""The bench in its short form: what it counts, what it writes, what it leaves. How long things take is not judged."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import jsonschema
import pytest

if TYPE_CHECKING:
    from bench.load import Maker
    from bench.remote import Remote

ROOT = Path(__file__).parents[1]
PEER = ROOT / ".venv-bench" / "bin" / "gitops-image-replacer"
SECONDS = 150
PROC = Path("/proc/self/stat").exists()
SCHEMA = {
    "type": "array",
    "minItems": 1,
    "items": {
        "type": "object",
        "properties": {
            "name": {"type": "string", "pattern": "^[^/]+ / [^/]+( / [^/]+)?$"},
            "what": {"type": "string", "minLength": 1},
            "value": {"type": ["number", "string"]},
            "unit": {"enum": ["", "s", "MB", "MB/s", "line", "lines"]},
            "goal": {"type": ["string", "null"], "pattern": "^[<>]= [0-9.]+$"},
            "met": {"type": ["boolean", "null"]},
        },
        "required": ["name", "what", "value", "unit", "goal", "met"],
        "additionalProperties": False,
    },
}


class Ran(NamedTuple):
    """What a run left: exit code, standard output, standard error, the rows, the names in its temporary folder."""

    code: int
    out: str
    err: str
    rows: list[dict[str, Any]]
    left: list[str]

    def value(self, name: str, what: str) -> Any:
        """Return one figure."""
        return next(row["value"] for row in self.rows if (row["name"], row["what"]) == (name, what))

    def whats(self, name: str) -> set[str]:
        """Return which figures there are of something."""
        return {row["what"] for row in self.rows if row["name"] == name}


def bench(folder: Path, *arguments: str) -> Ran:
    """Run the short form in a process of its own, on a terminal of 100 columns."""
    temporary, file = folder / "temporary", folder / "rows.json"
    temporary.mkdir()
    ended = subprocess.run(
        [sys.executable, "-m", "bench", "--quick", "--json", str(file), *arguments],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "TMPDIR": str(temporary), "COLUMNS": "100"},
        capture_output=True,
        text=True,
        check=False,
        timeout=SECONDS,
    )
    rows = json.loads(file.read_text()) if file.exists() else []
    return Ran(ended.returncode, ended.stdout, ended.stderr, rows, [path.name for path in temporary.iterdir()])


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    """One run for all that is asked of it."""
    ran = bench(tmp_path_factory.mktemp("bench"))
    assert ran.code == 0, ran.err
    return ran


def test_the_rows_are_as_described_and_none_comes_twice(ran: Ran) -> None:
    """A list of objects with name, what, value, unit, goal and met."""
    jsonschema.validate(ran.rows, SCHEMA)
    assert len({(row["name"], row["what"]) for row in ran.rows}) == len(ran.rows)


def test_a_literal_path_costs_three_requests_and_the_token_one(ran: Ran) -> None:
    """With the token in hand three at most, though nothing else is known; one more without; never more when warm."""
    cold, in_hand, warm = (
        ran.value(f"0 ms latency / 1 file, GraphQL / {state}", "requests") for state in ("cold", "cold*", "warm")
    )
    assert cold == in_hand + 1
    assert 1 <= warm <= in_hand <= 3


@pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
def test_a_clone_costs_more_requests_than_a_dispatch(ran: Ran) -> None:
    """Refs, objects and the push each ask at least once, and ours is divided by what that takes."""
    clone = "0 ms latency / git clone, edit, push"
    assert ran.whats(clone) == {"n", "min", "p50", "p99", "requests"}
    assert ran.value(clone, "requests") >= 4
    ours = "0 ms latency / 1 file, GraphQL / warm"
    assert ran.value(ours, "p50 / clone") == ran.value(ours, "p50") / ran.value(clone, "p50")


def test_the_peer_is_measured_where_it_is_installed(ran: Ran) -> None:
    """Its figures stand beside ours; where it is not there, a sentence says how to get it."""
    peer = "0 ms latency / gitops-image-replacer"
    measured = {"n", "min", "p50", "p99", "requests"}
    assert ran.whats(peer) == (measured if PEER.exists() else {"skipped"})
    assert ("not installed; make bench does that" in ran.out) is not PEER.exists()


def test_one_line_of_the_file_changes(ran: Ran) -> None:
    """Of a file that names another image whose name begins alike."""
    assert ran.value("the edit / Pointsman", "lines changed") == 1


def test_the_edit_is_measured_beside_what_writes_a_file_anew(ran: Ran) -> None:
    """On the same file ours, ruamel.yaml and PyYAML, each divided by ours; a regex and globs too."""
    for text, least in (("32 KB of values", 45), ("31 KB of dense", 25)):
        ours, theirs = f"editing {text} / Pointsman", [f"editing {text} / {name}" for name in ("ruamel.yaml", "PyYAML")]
        assert ran.whats(ours) == {"n", "min", "p50", "p99", "bytes an event", "speed"}
        assert least <= ran.value(ours, "bytes an event") <= least + 10
        for name in theirs:
            assert ran.value(name, "times ours") == ran.value(name, "p50") / ran.value(ours, "p50")
    assert ran.value("editing 32 KB of values / a regex, 12 matches", "speed") > 0
    assert {row["name"] for row in ran.rows if row["name"].startswith("globs")} == {
        f"globs over 10,000 paths / {count} / {state}" for count in ("1 glob", "50 globs") for state in ("cold", "warm")
    }


def test_start_up_and_memory_have_goals_and_say_whether_they_are_met(ran: Ran) -> None:
    """Every goal is a bound on its value, from above or from below, and met if the value is within it."""
    goals = [row for row in ran.rows if row["goal"]]
    names = {row["name"] for row in goals}
    assert {"start-up / pointsman --help", "start-up / pointsman serve / ready"} <= names
    assert ("memory / pointsman serve / idle" in names) is Path("/proc/self/status").exists()
    assert {"editing 32 KB of values / Pointsman", "editing 32 KB of values / ruamel.yaml"} <= names
    for row in goals:
        sign, bound = row["goal"].split()
        assert row["met"] is (row["value"] <= float(bound) if sign == "<=" else row["value"] >= float(bound))


def test_dispatches_that_come_together_share_commits(ran: Ran) -> None:
    """Of 20 to one branch a second apart at least, of 20 to four branches one for each at least; none is refused."""
    together, spread = "load / 20 at 100 a second", "load / 20 to 4 branches"
    assert ran.value(f"{together} / answers", "n") == ran.value(f"{spread} / answers", "n") == 20
    assert 1 <= ran.value(f"{together} / commits", "count") <= 5
    assert 4 <= ran.value(f"{spread} / commits", "count") <= 20
    assert ran.value(f"{together} / refused", "count") == 0
    assert 0 < ran.value(f"{spread} / landed after the first", "time") < SECONDS


def test_a_literal_path_costs_the_same_in_a_larger_repository(ran: Ran) -> None:
    """As many requests, and none for a tree; a glob does ask for one, once."""
    small, large = "repository size / 10 files", "repository size / 200 files"
    for state in ("cold", "warm"):
        assert ran.value(f"{large} / {state}", "requests") == ran.value(f"{small} / {state}", "requests")
        assert ran.value(f"{large} / {state}: listings", "count") == 0
    assert ran.value(f"{large} / ** cold: listings", "count") == 1
    assert ran.value(f"{large} / ** warm: listings", "count") == 0
    memory = {f"{large} / warm: more memory", f"{large} / **: more memory"}
    assert (memory <= {row["name"] for row in ran.rows}) is Path("/proc/self/status").exists()


def test_hostile_neighbours_are_measured_beside_quiet_ones(ran: Ran) -> None:
    """As many dispatches as when all is quiet, how they ended, the ratio of both, and what became of the attackers."""
    for state in ("quiet", "all attackers"):
        assert ran.whats(f"neighbours / {state} / dispatches") == {"n", "min", "p50", "p99", "max"}
        assert ran.value(f"neighbours / {state} / how they ended", "committed") == 5
        assert ran.value(f"neighbours / {state} / healthz", "n") > 0
    quiet, attacked = (ran.value(f"neighbours / {state} / dispatches", "p50") for state in ("quiet", "all attackers"))
    assert ran.value("neighbours / all attackers / times quiet", "p50 / quiet") == attacked / quiet
    for kind in ("patterns", "mapping file", "branches", "globs", "payload"):
        n, *ends = (
            ran.value(f"neighbours / all attackers / by {kind}", what)
            for what in ("n", "committed", "failed", "pending")
        )
        assert n == sum(ends) > 0
    assert ran.value("neighbours / all attackers / SIGTERM to exit", "seconds") > 0


def test_the_bot_of_another_checkout_is_measured_beside_ours(tmp_path: Path) -> None:
    """With --before all figures of the part stand twice, and --only leaves other parts out."""
    ran = bench(tmp_path, "--only", "footprint", "--before", str(ROOT))
    assert ran.code == 0, ran.err
    figures = {(row["name"].partition(" / ")[2], row["what"]) for row in ran.rows}
    assert {row["name"].partition(" / ")[0] for row in ran.rows} == {"footprint", "footprint, before"}
    assert len(ran.rows) == 2 * len(figures)
    assert ("start to ready", "p50") in figures
    assert (("idle / memory", "least") in figures) is Path("/proc/self/status").exists()


def test_a_folder_without_a_bot_is_no_checkout(tmp_path: Path) -> None:
    """A sentence and exit 2, before anything is measured."""
    ran = bench(tmp_path, "--before", str(tmp_path))
    assert (ran.code, ran.rows) == (2, [])
    assert f"'{tmp_path}' is no checkout of the project: it has no folder 'bot'" in " ".join(ran.err.split())


@pytest.mark.usefixtures("importable")
async def test_the_processes_of_a_bot_are_found_with_their_memory() -> None:
    """Children and grandchildren count while they run, and not any more when they have ended."""
    from bench.processes import Family

    code = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'print(1, flush=True); input()'])"
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", code, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdin is not None
    assert process.stdout is not None
    await process.stdout.readline()
    family = Family(process.pid)
    family.look()
    assert (family.count, len(family.left())) == ((2, 2) if PROC else (0, 0))
    assert family.megabytes is None or 5 < family.megabytes < 100
    process.stdin.close()
    await process.wait()
    assert family.left() == set()


@pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
def test_a_clone_is_measured_beside_ours_in_the_same_repository(ran: Ran) -> None:
    """In the small one, and in the one of large files; its time is divided by ours when warm."""
    for subject in ("10 files", "1 MB"):
        name = f"repository size / {subject}"
        times = ran.value(f"{name} / clone", "p50") / ran.value(f"{name} / warm", "p50")
        assert ran.value(f"{name} / clone: times ours", "times ours") == times


def test_the_table_says_the_same_in_100_columns(ran: Ran) -> None:
    """Each section and subject of the rows has its line, after one with the machine's facts."""
    lines = ran.out.splitlines()
    assert lines[0].startswith(f"Pointsman bench: {os.cpu_count()} cores, ")
    assert max(map(len, lines)) <= 100
    parts = {part for row in ran.rows for part in row["name"].split(" / ")[:2]}
    assert [part for part in sorted(parts) if not any(line.startswith(part) for line in lines)] == []


def test_nothing_is_left_behind(ran: Ran) -> None:
    """The temporary folder is removed."""
    assert ran.left == []


def test_what_breaks_is_said_and_ends_with_1(tmp_path: Path) -> None:
    """A peer that fails is no missed goal: no rows, the program's name and exit code, nothing left behind."""
    failing = tmp_path / "failing"
    failing.write_text("#!/bin/sh\necho no such option\nexit 3\n")
    failing.chmod(0o755)
    broken = bench(tmp_path, "--peer", str(failing))
    assert (broken.code, broken.out, broken.rows, broken.left) == (1, "", [], [])
    assert f"{failing} --config" in broken.err
    assert "ended with 3:\nno such option" in broken.err


@pytest.fixture
def importable(monkeypatch: pytest.MonkeyPatch) -> None:
    """The bench is no installed package."""
    monkeypatch.syspath_prepend(ROOT)


async def repository(far: Remote, rules: str | None = None) -> Maker:
    """Make acme/gitops in a sandbox elsewhere; give what makes its dispatches."""
    from bench.files import mappings
    from bench.fill import Recipe
    from bench.load import Maker

    payload = await far.make("acme/gitops", Recipe(rules or mappings(), 10))
    return Maker(payload, far.account.secret)


@pytest.mark.usefixtures("importable")
@pytest.mark.parametrize(
    ("commits", "tag", "sentence"),
    [
        ([0], "1.4.1-dev", None),
        ([], "1.4.1-dev", "is in 0 commits; the bot says: committed"),
        ([0, 0], "1.4.1-dev", "is in 2 commits"),
        ([0, 1], "1.4.1-dev", "not sent"),
        ([0], "1.4.7-dev", "set 1.4.1-dev, and 1.4.7-dev is there"),
    ],
)
async def test_what_is_lost_or_doubled_is_no_figure(
    tmp_path: Path, commits: list[int], tag: str, sentence: str | None
) -> None:
    """Each dispatch must be in one commit, no commit tell of another one, and the last tag be in the file."""
    from bench.files import TARGET, target
    from bench.load import verify
    from bench.program import BenchError
    from bench.remote import remote

    async with remote(tmp_path) as far:
        dispatch, other = (await repository(far)).make(2)
        for number in commits:
            message = f"Set a tag\n\nPointsman-Delivery: {(dispatch, other)[number].id}"
            await far.commit("acme/gitops", {TARGET: target("changed").decode().replace("1.4.0-dev", tag)}, message)
        if sentence is None:
            await verify(far, "acme/gitops", [dispatch], {})
            return
        with pytest.raises(BenchError, match=sentence):
            await verify(far, "acme/gitops", [dispatch], {})


@pytest.mark.usefixtures("importable")
async def test_a_dispatch_that_fails_is_no_figure(tmp_path: Path) -> None:
    """What ended neither committed nor superseded ends the run, with how it did."""
    from bench.load import done, send
    from bench.program import BenchError
    from bench.remote import remote

    async with remote(tmp_path) as far:
        dispatches = (await repository(far, "version: 2\n")).make(1)
        async with far.bot() as bot:
            await send(bot.webhook_url, dispatches)
            with pytest.raises(BenchError, match=f"delivery {dispatches[0].id} ended failed"):
                await done(bot, 20)


@pytest.mark.usefixtures("importable")
@pytest.mark.parametrize(
    ("counted", "over"),
    [
        ([(0.0, 5)] * 180, 0),
        ([(0.0, 5)] * 180 + [(59.0, 1)], 1),
        ([(0.0, 5)] * 180 + [(60.0, 5)] * 180, 0),
    ],
)
def test_points_are_those_of_the_last_minute(counted: list[tuple[float, int]], over: int) -> None:
    """Of 900 points a minute the request that makes it more counts, and what is a minute old does not."""
    from bench.far import REST_POINTS, beyond

    assert beyond(counted, REST_POINTS) == over


async def test_the_sandbox_elsewhere_ends_with_who_started_it(tmp_path: Path) -> None:
    """When its standard input is closed, as it is when the bench is killed, and though a command is under way."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bench.far", str(tmp_path)), cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdin is not None
    assert process.stdout is not None
    assert json.loads(await process.stdout.readline())["url"].startswith("http://127.0.0.1:")
    process.stdin.write(b'{"do": "until", "pushes": 1, "reports": 0, "seconds": 60}\n')
    await process.stdin.drain()
    process.stdin.close()
    assert await asyncio.wait_for(process.wait(), 20) == 0
