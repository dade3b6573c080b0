"""One process of the pool, seen from the bot: it is started, asked, and ended."""

from __future__ import annotations

import asyncio
import os
import struct
import sys
from contextlib import suppress

# Before each message, either way: how many bytes it has.
LENGTH = struct.Struct("!Q")
# Webhooks, health and the event loop come first: by so much a process of the pool gives way to them.
NICENESS = 10
# The bytes of an answer that may wait to be read.
_BUFFER = 1024 * 1024


class DiedError(Exception):
    """The process ended without an answer."""


class Process:
    """Answers one request at a time. One that failed to answer must be closed."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    @classmethod
    async def start(cls, memory: int) -> Process:
        """Start a process that may use `memory` bytes. Raises OSError if the system has no room for one."""
        # It gets nothing of the environment, where the App's key may be.
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
        to, answers = self._process.stdin, self._process.stdout
        if to is None or answers is None:
            raise DiedError
        try:
            to.write(LENGTH.pack(len(request)))
            to.write(request)
            await to.drain()
            (length,) = LENGTH.unpack(await answers.readexactly(LENGTH.size))
            return await answers.readexactly(length)
        except (ConnectionError, asyncio.IncompleteReadError) as error:
            raise DiedError from error

    def kill(self) -> None:
        """End the process at once, whatever it does."""
        with suppress(ProcessLookupError):
            self._process.kill()

    async def close(self) -> None:
        """End the process, and give back what it took of this one."""
        self.kill()
        if self._process.stdin is not None:
            self._process.stdin.close()
        if self._process.stdout is not None:
            while await self._process.stdout.read(_BUFFER):
                pass  # its pipe is closed when it was read to the end
        await self._process.wait()
