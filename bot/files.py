"""Reading a file that somebody named: a regular one, and not more of it than is wanted."""

from __future__ import annotations

import errno
import os
import stat
from typing import TYPE_CHECKING, BinaryIO

from bot.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path

# A mapping file, a workflow: GitHub's API gives out no larger ones as text that we would read.
MOST_BYTES = 4_000_000


def open_regular(path: Path) -> BinaryIO:
    """Open a file for reading. Raises InputError if it is not a regular one, and OSError, for a folder too.

    A named pipe has no end until somebody writes to it and a device may have none at all: neither is opened.
    """
    _check(path.stat().st_mode)
    # Another file may have come in its place since: a pipe would be waited for here.
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    stream = os.fdopen(descriptor, "rb")
    try:
        _check(os.fstat(descriptor).st_mode)
    except (InputError, OSError):
        stream.close()
        raise
    return stream


def read_bytes(path: Path, most: int = MOST_BYTES) -> bytes:
    """Return what is in a regular file of at most so many bytes. Raises InputError for another one, and OSError."""
    with open_regular(path) as stream:
        data = stream.read(most + 1)
    if len(data) > most:
        raise InputError(f"it has more than {most:,} bytes")
    return data


def _check(mode: int) -> None:
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    if not stat.S_ISREG(mode):
        raise InputError("it is no regular file")
