"""The bench in its short form: what it counts, what it writes, what it leaves. How long things take is not judged."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import jsonschema
import pytest

ROOT = Path(__file__).parents[1]
PEER = ROOT / ".venv-bench" / "bin" / "gitops-image-replacer"
SECONDS = 60
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
