"""What the verbs that listen share."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from contextlib import suppress
from importlib.util import find_spec
from typing import TYPE_CHECKING

from bot.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path

    from bot.errors import PointsmanError


def require_sandbox() -> None:
    """Raise InputError with the remedy where the libraries of the extra `sandbox` are not installed."""
    missing = [name for name in ("dulwich", "graphql") if find_spec(name) is None]
    if missing:
        raise InputError(f"the sandbox needs {' and '.join(missing)}: pip install 'pointsman[sandbox]'")


def make_folder(directory: Path) -> None:
    """Make a folder where there is none. Raises InputError where that cannot be."""
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"--directory: cannot make the folder {directory}: {error.strerror}") from error


def end_on_sigterm() -> None:
    """Let SIGTERM cancel the task that calls this: it tidies up as on Ctrl-C, and `main` exits with 143."""
    task = asyncio.current_task()
    if task is not None:
        with suppress(NotImplementedError):  # Windows has no such signal
            asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)


def listen_error(port: int, error: OSError) -> PointsmanError:
    """Return the sentence for a port that cannot be listened on."""
    return InputError(f"cannot listen on port {port}: {listen_reason(error)}; name another one, 0 for any")


def listen_reason(error: OSError) -> str:
    """Return the system's words for why an address cannot be listened on; asyncio wraps them in its own."""
    if error.errno is None or isinstance(error, socket.gaierror):
        return str(error.strerror or error)
    return os.strerror(error.errno)
