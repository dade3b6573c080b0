"""Logs: structured, one line for each event, with the delivery it is about."""

from __future__ import annotations

import logging
import re
import sys
import textwrap
import time
import traceback
from collections import OrderedDict
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple, TextIO

import structlog

from bot.printable import escape

if TYPE_CHECKING:
    from collections.abc import Iterator

    from structlog.typing import EventDict, ExcInfo, Processor

# The values of an event that have lines.
_LINES = frozenset({"exception", "stack"})

# The last line of defence: GitHub's tokens (https://github.blog/2021-04-05-behind-githubs-new-authentication-token-formats/),
# JWTs and PEM blocks. Nothing should ever bring one this far.
_SECRETS = re.compile(
    r"gh[a-z]_[A-Za-z0-9_.\-]{16,}|github_pat_\w{16,}|eyJ[\w-]+\.[\w-]+\.[\w-]+"
    r"|-----BEGIN [A-Z ]*PRIVATE KEY-----[^\"]*?-----END [A-Z ]*PRIVATE KEY-----"
)


def configure(level: str, log_format: str) -> None:
    """Send everything that is logged, by us and by libraries, to standard error.

    `level` is debug, info, warning or error; `log_format` is text, json or logfmt.
    """
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.ExceptionRenderer(_traceback)
        if log_format == "text"
        else structlog.processors.format_exc_info,
    ]
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, _masked(_renderer(log_format))],
    )
    handler = LimitedHandler()
    handler.setFormatter(formatter)
    logging.basicConfig(handlers=[handler], level=level.upper(), force=True)
    # Each request would be a line of its own beside ours about the same thing.
    logging.getLogger("aiohttp.access").setLevel(logging.WARNING)
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )


class LimitedHandler(logging.StreamHandler[TextIO]):
    """Writes lines to standard error, but not the same one again and again: it says how many were left out.

    Of each kind of line `most` are written in `seconds`. Lines are of one kind if logger, level, event, class of
    exception and all values are the same: an error about another delivery is another kind. Values that a stranger
    chooses do not count, nor does what a library fills into its message: else each request would be a kind of its own.
    """

    def __init__(self, most: int = 10, seconds: float = 60.0, kinds: int = 2_000) -> None:
        super().__init__(sys.stderr)
        self._most = most
        self._seconds = seconds
        # More of them are not kept, so that memory is bounded: then the oldest one starts over.
        self._kinds = kinds
        # In the order in which they began.
        self._windows: OrderedDict[_Kind, _Window] = OrderedDict()

    def emit(self, record: logging.LogRecord) -> None:
        """Write a line unless there were too many of its kind; logging holds the handler's lock meanwhile."""
        self._end_windows(record.created)
        window = self._windows.setdefault(_kind(record), _Window(record.created))
        window.lines += 1
        if window.lines <= self._most:
            super().emit(record)

    def close(self) -> None:
        """Say what was left out until now, if somebody still reads."""
        with self.lock or nullcontext():
            windows, self._windows = self._windows, OrderedDict()
            if not self.stream.closed:
                for kind, window in windows.items():
                    self._say_left_out(kind, window, time.time())
        super().close()

    def _end_windows(self, now: float) -> None:
        while self._windows:
            kind, window = next(iter(self._windows.items()))
            # If the clock was set back, a window would be open for as much longer.
            if 0 <= now - window.began < self._seconds and len(self._windows) < self._kinds:
                return
            del self._windows[kind]
            self._say_left_out(kind, window, now)

    def _say_left_out(self, kind: _Kind, window: _Window, now: float) -> None:
        if window.lines <= self._most:
            return
        record = logging.LogRecord(__name__, kind.level, __file__, 0, "", None, None)
        record.__dict__ |= {
            "msg": {
                "event": "log lines left out",
                "lines": window.lines - self._most,
                "like": kind.event,
                "logger": kind.logger,
                "level": logging.getLevelName(kind.level).lower(),
                "timestamp": datetime.fromtimestamp(now, UTC).isoformat().replace("+00:00", "Z"),
            },
            # structlog's formatter takes a record with these two for one of structlog's own.
            "_logger": None,
            "_name": "",
        }
        super().emit(record)


class _Kind(NamedTuple):
    """What lines have in common that say the same."""

    logger: str
    level: int
    event: str
    error: str
    # By name, hashed: a list of a hundred deliveries is long, and may differ in its last one only.
    values: tuple[tuple[str, int], ...]


@dataclass(slots=True)
class _Window:
    """When the first line of a kind came (seconds since the epoch), and how many have since."""

    began: float
    lines: int = 0


# What a stranger chooses, and what differs in each line.
_NOT_COMPARED = {"event", "level", "timestamp", "exception", "exc_info", "path", "method", "peer"}


def _kind(record: logging.LogRecord) -> _Kind:
    if isinstance(record.msg, dict):  # one of ours
        values = record.msg
        event = str(values.get("event"))
        # The last line of a traceback begins with the class.
        error = str(values.get("exception", "")).rstrip().rpartition("\n")[2].partition(":")[0].strip()
    else:
        values = structlog.contextvars.get_contextvars()
        # asyncio puts the addresses of objects into the lines after the first.
        event = str(record.msg).partition("\n")[0]
        error = getattr(record.exc_info[0], "__name__", "") if record.exc_info else ""
    compared = sorted((str(name), hash(str(value))) for name, value in values.items() if name not in _NOT_COMPARED)
    return _Kind(record.name, record.levelno, event[:200], error[:100], tuple(compared))


def _masked(render: Processor) -> Processor:
    """Replace whatever looks like a token or a private key: in the finished line, so wherever it came from."""

    def masked(logger: Any, method: str, event: EventDict) -> str:
        return _SECRETS.sub("***", str(render(logger, method, event)))

    return masked


def _renderer(log_format: str) -> Processor:
    """Return what makes the finished line: nothing foreign in it is a control character or begins another line."""
    if log_format == "json":
        # Escaped when it is JSON: whoever reads it gets every character back.
        return _escaped(structlog.processors.JSONRenderer(ensure_ascii=False))
    if log_format == "logfmt":
        return _escaped(
            structlog.processors.LogfmtRenderer(key_order=["timestamp", "level", "event"], drop_missing=True)
        )
    console = structlog.dev.ConsoleRenderer(
        colors=sys.stderr.isatty(),
        pad_event_to=0,
        exception_formatter=structlog.dev.plain_traceback,
    )

    # Escaped before it is rendered: the finished line may have the terminal's colours.
    def render(logger: Any, method: str, event: EventDict) -> str:
        return str(console(logger, method, {key: _shown(key, value) for key, value in event.items()}))

    return render


def _escaped(render: Processor) -> Processor:
    def escaped(logger: Any, method: str, event: EventDict) -> str:
        return escape(str(render(logger, method, event)))

    return escaped


def _shown(key: str, value: Any) -> Any:
    if value is None or isinstance(value, bool | int | float):
        return value
    text = value if isinstance(value, str) else repr(value)
    # Tracebacks have lines; the messages in them are escaped already.
    return escape(text, keep="\n") if key in _LINES else escape(text)


def _traceback(exc_info: ExcInfo) -> str:
    """Return a traceback in which each frame has its lines, and each message is one line, as are the notes of it.

    What a library quotes in its message may be foreign, and must not look like an event of its own.
    """
    return "\n".join(_told(exc_info[1], set()))


def _told(error: BaseException, told: set[int]) -> Iterator[str]:
    told.add(id(error))
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if cause is not None and id(cause) not in told:
        yield from _told(cause, told)
        yield "The above exception led to this one:"
    yield "Traceback (most recent call last):"
    yield "".join(traceback.format_tb(error.__traceback__)).rstrip("\n") or "  no frames"
    message = escape(str(error))
    yield f"{type(error).__qualname__}: {message}" if message else type(error).__qualname__
    yield from (escape(str(note)) for note in getattr(error, "__notes__", ()))
    for part in error.exceptions if isinstance(error, BaseExceptionGroup) else ():
        if id(part) not in told:
            yield from (textwrap.indent(line, "  | ") for line in _told(part, told))
