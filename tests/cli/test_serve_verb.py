"""`pointsman serve`: how it starts, and why it does not."""

from __future__ import annotations

import json
import resource
import signal
import urllib.request
from typing import TYPE_CHECKING

import pytest
from program import Ran, port_in_use, run, started

from bot.sandbox import App

if TYPE_CHECKING:
    from pathlib import Path

KEY = App().private_key
GOOD = {
    "APP_ID": "1",
    "PRIVATE_KEY": KEY,
    "WEBHOOK_SECRET": "a secret of the tests",
    "HOST": "127.0.0.1",
    "PORT": "0",
    "ADMIN_PORT": "0",
}


def test_serve_without_settings_says_each_one_that_is_missing(tmp_path: Path) -> None:
    """One line for each variable that has no default, exit 2."""
    ran = run(tmp_path, "serve")
    assert (ran.code, ran.out) == (2, "")
    assert [line.partition(" is missing: ")[0] for line in ran.err.splitlines()] == [
        "APP_ID",
        "PRIVATE_KEY or PRIVATE_KEY_PATH",
        "WEBHOOK_SECRET or WEBHOOK_SECRET_PATH",
    ]


def test_serve_says_all_that_is_wrong_at_once_and_repeats_no_secret(tmp_path: Path) -> None:
    """Malformed variables have a line each, exit 2; the key and a password are not among what is said."""
    wrong = {"APP_ID": "one", "PRIVATE_KEY": "hunter2", "PORT": "http", "DATABASE_URL": "postgres://me:hunter3@db/x"}
    ran = run(tmp_path, "serve", **GOOD | wrong)
    assert (ran.code, ran.out) == (2, "")
    assert [line.partition(": ")[0] for line in ran.err.splitlines()] == list(wrong)
    assert "hunter" not in ran.err


def test_serve_says_that_its_port_is_in_use(tmp_path: Path) -> None:
    """One sentence that names the settings, exit 2, no traceback."""
    with port_in_use() as port:
        ran = run(tmp_path, "serve", **GOOD | {"PORT": str(port), "LOG_LEVEL": "error"})
    assert ran == Ran(2, "", f"HOST and PORT: cannot listen on 127.0.0.1:{port}: Address already in use\n")


def test_serve_says_that_its_admin_port_is_in_use(tmp_path: Path) -> None:
    """One sentence with the remedy, exit 2: another program of the machine may have 8081."""
    with port_in_use() as port:
        ran = run(tmp_path, "serve", **GOOD | {"ADMIN_PORT": str(port), "LOG_LEVEL": "error"})
    sentence = f"HOST and ADMIN_PORT: cannot listen on 127.0.0.1:{port}: Address already in use"
    assert ran == Ran(2, "", f"{sentence}; set ADMIN_PORT to a free port, 0 takes any\n")


@pytest.mark.parametrize("name", ["PORT", "ADMIN_PORT"])
def test_serve_has_not_started_before_both_ports_listen(name: str, tmp_path: Path) -> None:
    """Who waits for the line `started` can connect: a port in use is no start."""
    with port_in_use() as port:
        ran = run(tmp_path, "serve", **GOOD | {name: str(port), "LOG_FORMAT": "json"})
    assert ran.code == 2
    events = [json.loads(line)["event"] for line in ran.err.splitlines() if line.startswith("{")]
    assert events
    assert "started" not in events


def test_serve_logs_where_it_listens(tmp_path: Path) -> None:
    """Both addresses, with the ports that 0 became."""
    with started(tmp_path, "serve", **GOOD | {"LOG_FORMAT": "json"}) as program:
        line = json.loads(program.read_log_until("started").splitlines()[-1])
        for name in ("listening", "admin"):
            with urllib.request.urlopen(f"http://{line[name]}/healthz", timeout=5) as answer:
                assert answer.status == 200


def test_serve_says_that_the_limit_of_open_files_allows_fewer_connections(tmp_path: Path) -> None:
    """MAX_CONNECTIONS over what the system allows is a warning, and the cap stays below."""
    with started(tmp_path, "serve", **GOOD | {"LOG_FORMAT": "json", "MAX_CONNECTIONS": "100000"}) as program:
        lines = [json.loads(line) for line in program.read_log_until("started").splitlines()]
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft > 100_300:
        pytest.skip("this machine allows so many open files")
    assert lines[0]["event"].startswith("fewer connections than MAX_CONNECTIONS")
    assert lines[-1]["connections"] < soft


@pytest.mark.parametrize(
    ("variables", "sentence"),
    [
        ({"DATABASE_URL": "sqlite:///no/such/x.db"}, "DATABASE_URL: cannot open no/such/x.db: "),
        ({"DATABASE_URL": "sqlite:////"}, "DATABASE_URL: cannot open /: Is a directory"),
        ({"HOST": "203.0.113.1"}, "HOST and PORT: cannot listen on 203.0.113.1:0: Cannot assign requested address"),
    ],
)
def test_serve_says_what_it_cannot_open(variables: dict[str, str], sentence: str, tmp_path: Path) -> None:
    """A database or an address that cannot be had is one sentence, exit 2."""
    ran = run(tmp_path, "serve", **GOOD | variables | {"LOG_LEVEL": "error"})
    assert (ran.code, ran.out, ran.err.count("\n")) == (2, "", 1)
    assert ran.err.startswith(sentence)


def test_serve_says_what_is_wrong_with_its_mapping_file(tmp_path: Path) -> None:
    """MAPPINGS_FILE is checked at the start: every problem with its place, exit 2."""
    (tmp_path / "rules.yaml").write_text("version: 1\nmapings: []\nmappings: []\nregex: {}\n")
    ran = run(tmp_path, "serve", **GOOD | {"MAPPINGS_FILE": "rules.yaml", "LOG_LEVEL": "error"})
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.splitlines() == [
        "MAPPINGS_FILE rules.yaml:2:1: unknown key 'mapings'; did you mean 'mappings'?",
        "MAPPINGS_FILE rules.yaml:4:1: unknown key 'regex'; did you mean 'regexes'?",
    ]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_serve_ends_well_when_it_is_told_to(number: signal.Signals, tmp_path: Path) -> None:
    """SIGTERM of an orchestrator and Ctrl-C both exit 0, and the log has no error."""
    with started(tmp_path, "serve", **GOOD) as program:
        program.read_log_until("started")
        ran = program.end(number)
    assert (ran.code, ran.out) == (0, "")
    assert "[error" not in ran.err


def test_serve_takes_the_key_with_line_breaks_written_out_or_from_a_file(tmp_path: Path) -> None:
    """PRIVATE_KEY on one line with `\\n`, and PRIVATE_KEY_PATH: either starts the bot."""
    (tmp_path / "app.pem").write_text(KEY)
    ways = ({"PRIVATE_KEY": KEY.replace("\n", "\\n")}, {"PRIVATE_KEY": "", "PRIVATE_KEY_PATH": "app.pem"})
    for way in ways:
        with started(tmp_path, "serve", **GOOD | way) as program:
            assert "started" in program.read_log_until("started")
