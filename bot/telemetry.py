"""Logs: structured, one line for each event, with the delivery it is about."""

from __future__ import annotations

import logging
import re
import sys
from typing import TYPE_CHECKING, Any

import structlog

if TYPE_CHECKING:
    from structlog.typing import EventDict, Processor

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
        structlog.processors.format_exc_info,
    ]
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, _masked(_renderer(log_format))],
    )
    handler = logging.StreamHandler(sys.stderr)
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


def _masked(render: Processor) -> Processor:
    """Replace whatever looks like a token or a private key: in the finished line, so wherever it came from."""

    def masked(logger: Any, method: str, event: EventDict) -> str:
        return _SECRETS.sub("***", str(render(logger, method, event)))

    return masked


def _renderer(log_format: str) -> Processor:
    if log_format == "json":
        return structlog.processors.JSONRenderer(ensure_ascii=False)
    if log_format == "logfmt":
        return structlog.processors.LogfmtRenderer(key_order=["timestamp", "level", "event"], drop_missing=True)
    return structlog.dev.ConsoleRenderer(
        colors=sys.stderr.isatty(),
        pad_event_to=0,
        exception_formatter=structlog.dev.plain_traceback,
    )
