"""The SQLite file of the inbox: who may open it, how it is written, and which tables it has."""

from __future__ import annotations

import errno
import fcntl
import os
import sqlite3
import time
from contextlib import closing, contextmanager
from importlib import resources
from typing import TYPE_CHECKING

from bot.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MIGRATIONS = resources.files(__package__) / "migrations"

# Writers, and with them webhooks, wait while the log is emptied: no longer than this for somebody who reads.
_PATIENCE_SECONDS = 0.05

# Of 4 KB each.
_MOST_PAGES = 10_000

# A disk with less room than this counts as full: a few deliveries take as much.
_ROOM_BYTES = 1024 * 1024


def checkpoint(path: Path) -> bool:
    """Copy the write-ahead log of `path` to the file; to be called in a thread. Say whether the log is empty then.

    The log keeps every page that was written, and so the bodies of deliveries that ended, until it is emptied. Whoever
    reads the file meanwhile keeps it from being emptied, which is tried again at the next call.
    """
    with closing(sqlite3.connect(path, timeout=_PATIENCE_SECONDS)) as connection:
        # The bulk is copied beside the writers; then little is left to do while they wait.
        connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
        (busy, _, _) = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        return not busy


def probe(path: Path) -> None:
    """Write to the database as for a delivery, and see that the disk has room for more; to be called in a thread.

    Raises sqlite3.Error or OSError if deliveries cannot be stored. The write alone would not show a full disk: after a
    checkpoint SQLite writes over its log from the start, into space that it already has.
    """
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA synchronous = FULL")
        with transaction(connection):
            connection.execute("UPDATE probe SET written_at = ? WHERE id = 1", [time.time()])
    descriptor = os.open(_lock_file(path), os.O_RDWR | os.O_CREAT, 0o600)
    try:
        _set_space_aside(descriptor)
    finally:
        os.ftruncate(descriptor, 0)
        os.close(descriptor)


def connect(path: Path) -> sqlite3.Connection:
    """Open the file and bring it to the tables of this version. Raises InputError where that cannot be."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.row_factory = sqlite3.Row
    try:
        # Only a file without tables, and not yet in WAL mode, takes it: it can give space back then.
        connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
        # What was answered with 202 must survive a crash of the machine: FULL syncs the log at every commit,
        # https://sqlite.org/pragma.html#pragma_synchronous
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        forget_thoroughly(connection)
        # Whoever commits may have to wait for a checkpoint: only if `checkpoint` does not come often enough.
        connection.execute(f"PRAGMA wal_autocheckpoint = {_MOST_PAGES}")
        _migrate(connection, path)
    except (sqlite3.Error, InputError) as error:
        connection.close()
        if isinstance(error, InputError):
            raise
        raise InputError(f"DATABASE_URL: cannot open {path}: {error}") from error
    return connection


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """Commit what is written within the context as one, or roll it back if the context raises."""
    connection.execute("BEGIN IMMEDIATE")
    with connection:  # commits, or rolls back
        yield


def forget_thoroughly(connection: sqlite3.Connection) -> None:
    """Let what is deleted or made shorter be overwritten with zeros: a payload may hold what nobody should find.

    It stays in the write-ahead log until `checkpoint` empties that.
    """
    connection.execute("PRAGMA secure_delete = ON").fetchall()


def lock(path: Path) -> int:
    """Make the file where there is none, and keep other processes from draining it until the descriptor is closed.

    Raises InputError where another one does, or the file cannot be made.
    """
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        descriptor = os.open(_lock_file(path), os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise InputError(f"DATABASE_URL: cannot open {path}: {error.strerror}") from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(descriptor)
        raise InputError(f"DATABASE_URL: another process is using {path}; stop it, or name another file") from error
    return descriptor


def _set_space_aside(descriptor: int) -> None:
    """Let a file have as much space as must be free, without writing to it if the system can do so."""
    if hasattr(os, "posix_fallocate"):
        try:
            os.posix_fallocate(descriptor, 0, _ROOM_BYTES)
        except OSError as error:
            if error.errno not in {errno.EOPNOTSUPP, errno.EINVAL}:
                raise
        else:
            return
    os.pwrite(descriptor, bytes(_ROOM_BYTES), 0)


def _lock_file(path: Path) -> Path:
    return path.with_name(f"{path.name}.lock")


def _migrate(connection: sqlite3.Connection, path: Path) -> None:
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    files = sorted(MIGRATIONS.iterdir(), key=lambda file: file.name)
    if version > len(files):
        raise InputError(
            f"DATABASE_URL: {path} was made by a newer version of Pointsman; run that one, or name another file"
        )
    for number, file in enumerate(files[version:], start=version + 1):
        script = file.read_text(encoding="utf-8")
        connection.executescript(f"BEGIN;\n{script}\nPRAGMA user_version = {number};\nCOMMIT;")
