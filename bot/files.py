"""Reading a file that somebody named: regular files only, and no more than a bound."""

from __future__ import annotations

import errno
import os
import stat
from typing import TYPE_CHECKING, BinaryIO

from bot.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path

# The largest file that is read from a repository too.
MOST_BYTES = 4_000_000


def open_regular(path: Path) -> BinaryIO:
    """Open a file for reading. Raises InputError if it is not a regular file, and OSError, for a folder too.

    Reading a named pipe waits until somebody writes to it, and reading a device may never end.
    """
    _check(path.stat().st_mode)
    # Somebody may have put a pipe in its place since the check. O_NONBLOCK keeps `open` from waiting for a writer.
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    stream = os.fdopen(descriptor, "rb")
    try:
        _check(os.fstat(descriptor).st_mode)
    except (InputError, OSError):
        stream.close()
        raise
    return stream


def read_bytes(path: Path, most: int = MOST_BYTES) -> bytes:
    """Return the bytes of a regular file. Raises OSError, and InputError if it is not regular or too large."""
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
