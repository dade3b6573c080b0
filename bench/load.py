"""Dispatches sent straight to the bot as GitHub sends them, at planned times, and what became of each of them."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import time
import uuid
from contextlib import closing
from typing import TYPE_CHECKING, Any, NamedTuple

import aiohttp

from bench.program import BenchError, last_words
from bot.inbox.records import UNFINISHED, Query, Records
from bot.sandbox.webhooks import sign

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from bench.program import Bot
    from bench.remote import Remote

DISPATCH = "repository_dispatch"
# GitHub, too, has many senders; each connection is used again.
CONNECTIONS = 64
POLL_SECONDS = 0.25
ALL = 1_000_000


class Dispatch(NamedTuple):
    """One that is ready to be sent: its delivery id, the branch it is for, the tag it sets, and the bytes."""

    id: str
    branch: str
    tag: str
    body: bytes
    signature: str


class Answer(NamedTuple):
    """When a webhook was to be sent, was sent, and was answered: time.monotonic."""

    planned: float
    sent: float
    answered: float

    @property
    def seconds(self) -> float:
        """How long the answer took."""
        return self.answered - self.sent


class Maker:
    """Makes dispatches of one repository, each with a tag that was not there before."""

    def __init__(self, payload: Mapping[str, Any], secret: str) -> None:
        self._payload = payload
        self._secret = secret
        self.made: list[Dispatch] = []

    def make(self, count: int, branches: int = 0, more: Mapping[str, Any] | None = None) -> list[Dispatch]:
        """Make so many, on `branches` in turns, or on the default branch. Their ids tell their order.

        `more` are properties of the client payload beside the tag and the branch.
        """
        return [self._one(f"line-{number % branches}" if branches else "", more or {}) for number in range(count)]

    def _one(self, line: str, more: Mapping[str, Any]) -> Dispatch:
        tag = f"1.4.{len(self.made) + 1}-dev"
        client_payload = {"docker_image_tag": tag, "line": line, **more}
        body = json.dumps({**self._payload, "client_payload": client_payload}).encode()
        branch = line or self._payload["repository"]["default_branch"]
        self.made.append(Dispatch(str(uuid.uuid1()), branch, tag, body, sign(self._secret, body)))
        return self.made[-1]


async def send(url: str, dispatches: Sequence[Dispatch], rate: float | None = None) -> list[Answer]:
    """Send dispatches, `rate` a second or all at once; none waits for the answer to another. Give their answers.

    Raises BenchError for an answer other than 202.
    """
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=CONNECTIONS)) as session:
        began = time.monotonic()
        posts: list[asyncio.Task[Answer]] = []
        for number, dispatch in enumerate(dispatches):
            planned = began + number / rate if rate else began
            if (wait := planned - time.monotonic()) > 0:
                await asyncio.sleep(wait)
            posts.append(asyncio.create_task(_post(session, url, dispatch, planned)))
        try:
            return await asyncio.gather(*posts)
        finally:
            for post in posts:
                post.cancel()


async def _post(session: aiohttp.ClientSession, url: str, dispatch: Dispatch, planned: float) -> Answer:
    headers = {
        "Content-Type": "application/json",
        "X-GitHub-Delivery": dispatch.id,
        "X-GitHub-Event": DISPATCH,
        "X-Hub-Signature-256": dispatch.signature,
    }
    sent = time.monotonic()
    async with session.post(url, data=dispatch.body, headers=headers) as answer:
        said = await answer.text()
        if answer.status != 202:
            raise BenchError(f"a webhook was answered {answer.status}: {said}")
    return Answer(planned, sent, time.monotonic())


async def done(bot: Bot, seconds: float) -> dict[str, str]:
    """Wait until the bot has ended every dispatch; give those that are in no commit, by id, with the reason.

    Raises BenchError where one is left, or ended neither committed nor superseded.
    """
    try:
        async with asyncio.timeout(seconds):
            while left := _unfinished(bot.database):
                await asyncio.sleep(POLL_SECONDS)
    except TimeoutError:
        said = last_words(bot.database.parent)
        raise BenchError(f"{left} dispatches have not ended after {seconds:g} s; {said}") from None
    superseded = {}
    with closing(Records(bot.database)) as records:
        for record in records.list(Query(limit=ALL)):
            if record.event == DISPATCH and record.state != "committed":
                if record.state != "no_change" or "superseded: " not in record.reason:
                    raise BenchError(f"delivery {record.id} ended {record.state}: {record.reason}")
                superseded[record.id] = record.reason
    return superseded


def states(database: Path) -> dict[str, str]:
    """Give the state of each delivery by its id. That is asked by SQL alone: the bot may be of another version."""
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        return dict(connection.execute("SELECT id, state FROM deliveries"))


def _unfinished(database: Path) -> int:
    with closing(Records(database)) as records:
        return sum(one.event == DISPATCH for one in records.list(Query(UNFINISHED, limit=ALL)))


async def verify(far: Remote, name: str, sent: Sequence[Dispatch], superseded: Mapping[str, str]) -> None:
    """Make sure that each dispatch is in one commit or superseded, and the last of each branch in its file.

    Raises BenchError.
    """
    tags, trailers = await far.look(name)
    for dispatch in sent:
        found = trailers.pop(dispatch.id, 0)
        if found != (dispatch.id not in superseded):
            told = superseded.get(dispatch.id, "committed")
            raise BenchError(f"{name}: delivery {dispatch.id} is in {found} commits; the bot says: {told}")
    if trailers:
        raise BenchError(f"{name}: commits tell of deliveries that were not sent: {', '.join(trailers)}")
    for branch, tag in {dispatch.branch: dispatch.tag for dispatch in sent}.items():
        if tags.get(branch) != tag:
            raise BenchError(f"{name}: the last dispatch to {branch} set {tag}, and {tags.get(branch)} is there")
