"""What the log looks like, and what never gets into it."""

from __future__ import annotations

import json
import logging
import re
from typing import TYPE_CHECKING, Any

import pytest
import structlog

from bot import telemetry

if TYPE_CHECKING:
    from collections.abc import Iterator

FORMATS = ["text", "json", "logfmt"]
TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z"
PEM = "-----BEGIN RSA PRIVATE KEY-----\nMIIBOgIBAAJBAK\n-----END RSA PRIVATE KEY-----\n"
SECRETS = [
    "ghs_" + "a1B2" * 9,
    "ghp_" + "x" * 36,
    "github_pat_" + "y" * 40,
    "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOjF9.c2ln-_w",
]


@pytest.fixture(autouse=True)
def logging_as_before() -> Iterator[None]:
    """Logging is the process's own: the next test has it back as it was."""
    root = logging.getLogger()
    before = (list(root.handlers), root.level)
    handlers, root.handlers[:] = before[0], []
    yield
    root.handlers[:], root.level = handlers, before[1]
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


@pytest.mark.parametrize(
    ("log_format", "line"),
    [
        ("text", rf"{TIME} \[info     \] received +delivery='a b' target=7\n"),
        ("json", rf'{{"delivery": "a b", "target": 7, "event": "received", "level": "info", "timestamp": "{TIME}"}}\n'),
        ("logfmt", rf'timestamp={TIME} level=info event=received delivery="a b" target=7\n'),
    ],
)
def test_an_event_is_one_line_on_standard_error(log_format: str, line: str, capsys: pytest.CaptureFixture[str]) -> None:
    """In each format a line has the time in UTC, the level, what happened, and the values."""
    telemetry.configure("info", log_format)
    structlog.get_logger("bot.test").info("received", delivery="a b", target=7)
    out, err = capsys.readouterr()
    assert out == ""
    assert re.fullmatch(line, err)


@pytest.mark.parametrize("log_format", FORMATS)
def test_libraries_log_in_the_same_format(log_format: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A line of the standard library's logging is rendered as ours are, but one for each HTTP request."""
    telemetry.configure("info", log_format)
    logging.getLogger("asyncio").warning("slow: %s seconds", 3)
    logging.getLogger("aiohttp.access").info("GET /")
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert "slow: 3 seconds" in err
    assert re.search(r"\[warning +\]|level=warning|\"level\": \"warning\"", err)


@pytest.mark.parametrize("log_format", FORMATS)
def test_values_bound_to_the_context_are_in_every_line(log_format: str, capsys: pytest.CaptureFixture[str]) -> None:
    """What is bound once, such as the delivery, is said of all that follows."""
    telemetry.configure("info", log_format)
    structlog.contextvars.bind_contextvars(delivery="d-1")
    structlog.get_logger("bot.test").info("one")
    logging.getLogger("aiohttp").error("two")
    assert capsys.readouterr().err.count("d-1") == 2


@pytest.mark.parametrize(("level", "expected"), [("debug", 4), ("info", 3), ("warning", 2), ("error", 1)])
def test_the_level_keeps_quiet_what_is_below_it(level: str, expected: int, capsys: pytest.CaptureFixture[str]) -> None:
    """LOG_LEVEL counts for us and for libraries alike."""
    telemetry.configure(level, "logfmt")
    log, library = structlog.get_logger("bot.test"), logging.getLogger("some.library")
    for name in ("debug", "info", "warning", "error"):
        getattr(log, name)("ours")
        getattr(library, name)("theirs")
    err = capsys.readouterr().err
    assert (err.count("event=ours"), err.count("event=theirs")) == (expected, expected)


@pytest.mark.parametrize("log_format", ["json", "logfmt"])
def test_an_exception_stays_on_the_line_of_its_event(log_format: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A collector of lines gets the whole traceback with the event that it belongs to."""
    telemetry.configure("info", log_format)
    error = ValueError("first\nsecond")
    structlog.get_logger("bot.test").error("it broke", delivery="d-1", exc_info=error)
    logging.getLogger("aiohttp.server").error("they broke", exc_info=error)
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 2
    assert [line.count("ValueError: first\\nsecond") for line in lines] == [1, 1]
    if log_format == "json":
        ours, theirs = map(json.loads, lines)
        assert ours["exception"].endswith("ValueError: first\nsecond")
        assert (ours["event"], ours["delivery"], theirs["event"]) == ("it broke", "d-1", "they broke")


@pytest.mark.parametrize("log_format", FORMATS)
@pytest.mark.parametrize("secret", [*SECRETS, PEM], ids=["installation", "classic", "fine-grained", "jwt", "pem"])
def test_secrets_are_masked_wherever_they_are(secret: str, log_format: str, capsys: pytest.CaptureFixture[str]) -> None:
    """In the event, a value, a list in a value, an exception as a value, a traceback, a library's arguments."""
    telemetry.configure("info", log_format)
    log = structlog.get_logger("bot.test")
    log.info(f"event {secret}")  # noqa: G004 - a mistake of ours, as it could be made
    log.info("event", value=f"a {secret} b", nested={"list": [secret]}, error=ValueError(secret), after="kept")
    log.error("event", exc_info=ValueError(secret))
    logging.getLogger("some.library").error("argument %s", secret)
    err = capsys.readouterr().err
    assert err.count("***") == 6
    assert "kept" in err
    assert secret not in err
    assert "MIIBOgIBAAJBAK" not in err
    if log_format == "json":
        assert len([json.loads(line) for line in err.splitlines()]) == 4


# What a terminal, or whatever cuts a log into lines, obeys; and what shows another text than there is.
STEERING = "\x1b\x07\r\x7f\x9b\x00\x0b\x0c\x85\u2028\u2029\u202e\u200b\ufeff"


@pytest.mark.parametrize("log_format", FORMATS)
def test_foreign_text_steers_nothing(log_format: str, capsys: pytest.CaptureFixture[str]) -> None:
    """In an event, a value, a list in a value, an error as a value, a library's arguments, a traceback, its cause."""
    telemetry.configure("info", log_format)
    text = f"{STEERING}\n2026-01-01T00:00:00Z [error    ] forged"
    log = structlog.get_logger("bot.test")
    log.info(text, value=text, nested={text: [text]}, error=ValueError(text), note=text)
    logging.getLogger("aiohttp.web").error("GET /%s", text)
    try:
        try:
            int(f"{text}x")
        except ValueError as error:
            error.add_note(text)
            raise ExceptionGroup(text, [KeyError(text), RuntimeError(text)]) from error
    except ExceptionGroup as error:
        log.exception("it broke", exc_info=error)
    err = capsys.readouterr().err
    assert [char for char in STEERING if char in err] == []
    assert "u202e" in err
    lines = err.removesuffix("\n").split("\n")
    assert len(lines) == 3 if log_format != "text" else len(lines) > 3
    assert [line for line in lines if line.lstrip(" |").startswith("2026-01-01")] == []
    if log_format == "json":
        assert json.loads(lines[0])["value"] == text


def test_a_traceback_keeps_its_lines_in_text(capsys: pytest.CaptureFixture[str]) -> None:
    """Frames are read line by line; what raised what stands above it, with the type and the message."""
    telemetry.configure("info", "text")

    def fail() -> None:
        try:
            int("x")
        except ValueError as error:
            raise RuntimeError("first\nsecond") from error

    try:
        fail()
    except RuntimeError as error:
        structlog.get_logger("bot.test").error("it broke", exc_info=error)
    lines = capsys.readouterr().err.splitlines()
    assert lines[1] == "Traceback (most recent call last):"
    assert [line for line in lines if line.startswith("  File ")] != []
    assert lines.index("RuntimeError: first\\nsecond") > lines.index("The above exception led to this one:") > 4


def test_what_only_resembles_a_secret_stays(capsys: pytest.CaptureFixture[str]) -> None:
    """Commit ids, GUIDs, tags and addresses are what a log is read for."""
    telemetry.configure("info", "logfmt")
    harmless = ["a" * 40, "5f0c7a52-8f1b-4b3c-9e55-1f4d2f7b9a10", "1.4.2-dev", "https://github.com/acme/gh_tool"]
    structlog.get_logger("bot.test").info("event", values=harmless)
    err = capsys.readouterr().err
    assert [text for text in harmless if text not in err] == []


# -- repetitions


def lines_of(capsys: pytest.CaptureFixture[str], event: str) -> list[dict[str, Any]]:
    """Return the lines in JSON that are about an event."""
    return [line for line in map(json.loads, capsys.readouterr().err.splitlines()) if line["event"] == event]


def configured() -> telemetry.LimitedHandler:
    """Log in JSON, and return the handler."""
    telemetry.configure("info", "json")
    (handler,) = logging.getLogger().handlers
    assert isinstance(handler, telemetry.LimitedHandler)
    return handler


def a_minute_later(handler: telemetry.LimitedHandler) -> None:
    """Let the windows of the handler be over."""
    for window in handler._windows.values():
        window.began -= 61


def test_a_line_that_repeats_is_left_out_and_counted(capsys: pytest.CaptureFixture[str]) -> None:
    """Ten of a kind in a minute; then a line says how many more there were, and ten others may come."""
    limited = configured()
    log = structlog.get_logger("bot.test")
    for number in range(1000):
        log.warning("refused", path=f"/{number}", method="GET", status=404)
    assert len(lines_of(capsys, "refused")) == 10
    a_minute_later(limited)
    log.warning("refused", path="/", method="GET", status=404)
    err = capsys.readouterr().err.splitlines()
    assert [json.loads(line)["event"] for line in err] == ["log lines left out", "refused"]
    said = json.loads(err[0])
    assert (said["lines"], said["like"], said["logger"], said["level"]) == (990, "refused", "bot.test", "warning")


def test_what_a_library_repeats_is_left_out_whatever_it_fills_in(capsys: pytest.CaptureFixture[str]) -> None:
    """The event loop's own lines have addresses of objects in them, and each a traceback."""
    configured()
    error = OSError(24, "Too many open files")
    for number in range(500):
        logging.getLogger("asyncio").error(
            "socket.accept() out of system resource\nsocket: <%s>", number, exc_info=error
        )
        logging.getLogger("aiohttp.server").error("Error handling request from %s", number)
    assert capsys.readouterr().err.count("\n") == 20


def test_errors_about_different_deliveries_are_all_there(capsys: pytest.CaptureFixture[str]) -> None:
    """As a value, as a list, or bound to the context, to our lines and to those of libraries."""
    configured()
    log = structlog.get_logger("bot.test")
    for number in range(50):
        log.error("unexpected error", delivery=f"d-{number}", exc_info=ValueError("x"))
        log.error("unexpected error", deliveries=["d" * 300, f"d-{number}"], exc_info=ValueError("x"))
        with structlog.contextvars.bound_contextvars(delivery=f"d-{number}"):
            log.error("failed")
            logging.getLogger("some.library").error("failed")
    assert capsys.readouterr().err.count("\n") == 200


def test_another_class_of_exception_is_another_kind(capsys: pytest.CaptureFixture[str]) -> None:
    """A bug that shows for the first time is not hidden behind another one that repeats."""
    configured()
    log = structlog.get_logger("bot.test")
    for _ in range(50):
        log.error("unexpected error", exc_info=ValueError("x"))
    log.error("unexpected error", exc_info=KeyError("x"))
    assert [line["exception"].splitlines()[-1] for line in lines_of(capsys, "unexpected error")][-2:] == [
        "ValueError: x",
        "KeyError: 'x'",
    ]


def test_kinds_of_lines_take_bounded_memory(capsys: pytest.CaptureFixture[str]) -> None:
    """However many deliveries have their lines: the oldest kinds are forgotten."""
    limited = configured()
    log = structlog.get_logger("bot.test")
    for number in range(5000):
        log.info("received", delivery=f"d-{number}")
    assert len(limited._windows) <= 2000
    assert len(lines_of(capsys, "received")) == 5000


def test_what_was_left_out_is_said_at_the_end(capsys: pytest.CaptureFixture[str]) -> None:
    """The process may end within the minute."""
    limited = configured()
    for _ in range(30):
        structlog.get_logger("bot.test").info("again")
    limited.close()
    assert [line["lines"] for line in lines_of(capsys, "log lines left out")] == [20]
