"""The program as people run it: in a process of its own, with an environment of its own."""

from __future__ import annotations

import io
import os
import signal
import socket
import subprocess
import sys
import threading
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING

import pytest

from bot import cli

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class Ran:
    """What a run left: exit code, standard output, standard error."""

    code: int
    out: str
    err: str


def pointsman(*arguments: object) -> Ran:
    """Run `pointsman` with `arguments` in this process, where many runs are wanted, on a terminal of 80 columns."""
    code: object = 0
    out, err = io.StringIO(newline=""), io.StringIO(newline="")
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
        patch.setattr(sys, "argv", ["pointsman", *map(str, arguments)])
        patch.setenv("COLUMNS", "80")
        try:
            cli.main()
        except SystemExit as end:
            code = end.code
    assert isinstance(code, int)
    return Ran(code, out.getvalue(), err.getvalue())


def environment(folder: Path, **variables: str) -> dict[str, str]:
    """Return an environment with nothing of ours in it: its own temporary folder, and no git on its PATH."""
    temporary = folder / "temporary"
    temporary.mkdir(exist_ok=True)
    return {"PATH": str(temporary), "TMPDIR": str(temporary), "COLUMNS": "80", **variables}


def run(folder: Path, *arguments: str, **variables: str) -> Ran:
    """Run `pointsman` with `arguments` in `folder` to its end."""
    ended = subprocess.run(
        [sys.executable, "-m", "bot", *arguments],
        cwd=folder,
        env=environment(folder, **variables),
        capture_output=True,
        check=False,
        timeout=SECONDS,
    )
    return Ran(ended.returncode, ended.stdout.decode(), ended.stderr.decode())


class Started:
    """A running program. Whatever is awaited of it is awaited for at most SECONDS."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.out = self.err = ""

    def read_until(self, text: str) -> str:
        """Read standard output up to the line that has `text` in it, and return it; fails where it ends without."""
        self.out = self._read(self._process.stdout, text)
        return self.out

    def read_log_until(self, text: str) -> str:
        """Do the same with standard error."""
        self.err = self._read(self._process.stderr, text)
        return self.err

    def _read(self, stream: IO[str] | None, text: str) -> str:
        assert stream is not None
        read = ""
        while text not in read:
            line = stream.readline()
            assert line, f"ended without {text!r}: {read}{self._process.communicate()}"
            read += line
        return read

    def end(self, number: signal.Signals) -> Ran:
        """Send a signal, and wait for the end."""
        self._process.send_signal(number)
        out, err = self._process.communicate(timeout=SECONDS)
        return Ran(self._process.returncode, self.out + out, self.err + err)


@contextmanager
def started(folder: Path, *arguments: str, **variables: str) -> Iterator[Started]:
    """Start `pointsman` with `arguments` in `folder`; it is killed if it is still there in the end."""
    # A shell starts what it puts into the background without Ctrl-C, and that is inherited.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    with subprocess.Popen(
        [sys.executable, "-m", "bot", *arguments],
        cwd=folder,
        env=environment(folder, **variables),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        guard = threading.Timer(SECONDS, process.kill)
        guard.start()
        try:
            yield Started(process)
        finally:
            guard.cancel()
            process.kill()


@contextmanager
def port_in_use() -> Iterator[int]:
    """Listen on a port of this machine, and give its number."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@contextmanager
def unprivileged() -> Iterator[None]:
    """Let permissions count, as they do not for root: as somebody else meanwhile."""
    root = os.geteuid() == 0
    if root:
        os.seteuid(65534)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)
