"""One process of the pool, seen from the bot: it is started, asked, and ended."""

from __future__ import annotations

import asyncio
import os
import struct
import sys
from contextlib import suppress

# Each message in either direction begins with its length in bytes.
LENGTH = struct.Struct("!Q")
# The niceness of a process of the pool: the bot itself, with webhooks and health checks, gets the CPU first.
NICENESS = 10
# How many bytes of an answer are buffered before they are read.
_BUFFER = 1024 * 1024


class DiedError(Exception):
    """The process ended without an answer."""


class Process:
    """Answers one request at a time. After a failed `ask` the process must be closed."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    @classmethod
    async def start(cls, memory: int) -> Process:
        """Start a process that may use `memory` bytes. Raises OSError if the system has no room for one."""
        # The process gets no other variables: the bot's environment may hold the App's key.
        environment = {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-c",
            # It gives way to the bot from its first moment on: it is started when the bot itself starts.
            f"import os; os.nice({NICENESS}); from bot.compute import child; child.serve({memory})",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            env=environment,
            limit=_BUFFER,
            # Ctrl-C reaches every process of the terminal's group; the bot itself decides when this one ends.
            start_new_session=True,
        )
        return cls(process)

    async def ask(self, request: bytes) -> bytes:
        """Send a request and return the answer. Raises DiedError."""
        requests, answers = self._process.stdin, self._process.stdout
        if requests is None or answers is None:
            raise DiedError
        try:
            requests.write(LENGTH.pack(len(request)))
            requests.write(request)
            await requests.drain()
            (length,) = LENGTH.unpack(await answers.readexactly(LENGTH.size))
            return await answers.readexactly(length)
        except (ConnectionError, asyncio.IncompleteReadError) as error:
            raise DiedError from error

    def kill(self) -> None:
        """Kill the process."""
        with suppress(ProcessLookupError):
            self._process.kill()

    async def close(self) -> None:
        """Kill the process, close its pipes and wait for its end."""
        self.kill()
        if self._process.stdin is not None:
            self._process.stdin.close()
        if self._process.stdout is not None:
            while await self._process.stdout.read(_BUFFER):
                pass  # asyncio closes a pipe when it was read to the end
        await self._process.wait()
