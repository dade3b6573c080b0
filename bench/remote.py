"""The sandbox in a process of its own (bench/far.py), as the bench sees it."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any, NamedTuple

from bench.far import LINE_BYTES
from bench.files import TARGET, tag_in
from bench.program import CHECKOUT, NO_RHYTHM, UNLIMITED, Account, BenchError, ended, last_words, serving

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping
    from pathlib import Path

    from bench.fill import Recipe
    from bench.program import Bot

MODULE = ("-m", "bench.far")
END_SECONDS = 5.0


class Push(NamedTuple):
    """A branch that moved: when (time.monotonic), its how manieth commit that was, and the requests until then."""

    at: float
    repository: str
    branch: str
    commits: int
    requests: int


class Seen(NamedTuple):
    """What the sandbox saw: pushes, requests (when each was answered, what it was), how many it or GitHub refuses."""

    pushes: tuple[Push, ...]
    requests: tuple[tuple[float, str], ...]
    refused: int

    @property
    def listings(self) -> int:
        """How many requests listed a tree, until the last push."""
        return sum("/git/trees/" in what for _, what in self.requests[: self.pushes[-1].requests])


class Remote:
    """A sandbox elsewhere: one command at a time. All raise BenchError where it cannot do what it is told."""

    def __init__(self, process: asyncio.subprocess.Process, folder: Path, hello: Mapping[str, Any]) -> None:
        self._process = process
        self.folder = folder
        self.token: str = hello["token"]
        self.account = Account(hello["url"], hello["app"], hello["key"], hello["secret"])

    @asynccontextmanager
    async def bot(
        self, *, limits: bool = False, rhythm: bool = False, latency: float = 0.0, checkout: Path = CHECKOUT
    ) -> AsyncIterator[Bot]:
        """Start the bot of a checkout, which the sandbox answers after `latency` seconds and tells of pushes.

        With `limits` the sandbox refuses what GitHub would refuse, and the bot has its own default quotas: else neither
        of them knows a limit. With `rhythm` the bot pushes in its default rhythm.
        """
        settings = {**({} if limits else UNLIMITED), **({} if rhythm else NO_RHYTHM)}
        async with serving(self.folder, self.account, settings, checkout) as bot:
            await self._ask("set", latency=latency, limits=limits, webhook_url=bot.webhook_url)
            try:
                yield bot
            finally:
                await self.quiet()

    async def quiet(self, latency: float = 0.0) -> None:
        """Let there be no bot."""
        await self._ask("set", latency=latency, limits=False, webhook_url=None)

    async def make(self, name: str, recipe: Recipe, branches: int = 0) -> dict[str, Any]:
        """Make the repository OWNER/NAME, and give the body of its dispatch, which has no client payload yet.

        With `branches` it has so many beside the default one: line-0, line-1 and so on.
        """
        made: dict[str, Any] = await self._ask("make", name=name, branches=branches, **recipe._asdict())
        return made

    async def commit(self, name: str, files: Mapping[str, str], message: str) -> None:
        """Commit files as a person would."""
        await self._ask("commit", name=name, files=files, message=message)

    async def begin(self) -> None:
        """Forget what was seen before."""
        await self._ask("begin")

    async def until(self, pushes: int, reports: int, seconds: float) -> Seen:
        """Wait until so many branches moved and check runs came since the beginning."""
        try:
            told = await self._ask("until", pushes=pushes, reports=reports, seconds=seconds)
        except BenchError as error:
            raise BenchError(f"{error}; {last_words(self.folder)}") from None
        moved = tuple(Push(**push) for push in told["pushes"])
        return Seen(moved, tuple((when, what) for when, what in told["requests"]), told["refused"])

    async def landed(self, name: str, seconds: float) -> float | None:
        """Wait until a branch of OWNER/NAME moved since the beginning and a check run came there.

        Give when the branch moved (time.monotonic), None if that takes longer than `seconds`.
        """
        moved: float | None = await self._ask("landed", name=name, seconds=seconds)
        return moved

    async def look(self, name: str) -> tuple[dict[str, str], dict[str, int]]:
        """Give the tag in the file on each branch, and in how many commits each delivery is a trailer."""
        told = await self._ask("look", name=name, path=TARGET)
        return {branch: tag_in(text.encode()) for branch, text in told["files"].items()}, told["trailers"]

    async def _ask(self, command: str, **arguments: Any) -> Any:
        stdin, stdout = self._process.stdin, self._process.stdout
        if stdin is None or stdout is None:
            raise BenchError("the sandbox was started without pipes")
        stdin.write(json.dumps({"do": command, **arguments}).encode() + b"\n")
        answer = await _line(stdout)
        if isinstance(answer, dict) and "error" in answer:
            raise BenchError(f"{command}: {answer['error']}")
        return answer


@asynccontextmanager
async def remote(folder: Path) -> AsyncIterator[Remote]:
    """Start a sandbox in `folder`; end it afterwards. It ends by itself, too, should this process be gone."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, *MODULE, str(folder / "far")),
        cwd=CHECKOUT,
        env={"PATH": os.environ.get("PATH", os.defpath)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        limit=LINE_BYTES,
    )
    try:
        if process.stdout is None:
            raise BenchError("the sandbox was started without pipes")
        yield Remote(process, folder, await _line(process.stdout))
    finally:
        if process.stdin is not None:
            process.stdin.close()
        with suppress(TimeoutError):
            async with asyncio.timeout(END_SECONDS):
                await process.wait()
        await ended(process)


async def _line(stdout: asyncio.StreamReader) -> Any:
    line = await stdout.readline()
    if not line:
        raise BenchError("the sandbox's process ended; what it said stands above")
    return json.loads(line)
