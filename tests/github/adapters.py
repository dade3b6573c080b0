"""The GitHub adapter on a sandbox, its traffic checked, without anything of the bot around it."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, NamedTuple

import aiohttp
from openapi import Checker
from running import named

from bot.compute.in_place import InPlace
from bot.github import GitHub
from bot.github.quota import Quota

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from bot.core.model import Repository as Named
    from bot.sandbox import Exchange, Repository, Sandbox


class Adapter(NamedTuple):
    """A forge, the repository as it knows it, and the sandbox that it speaks to."""

    forge: GitHub
    repository: Named
    sandbox: Sandbox

    def asked(self, since: int = 0) -> list[str]:
        """Return what was asked, tokens left out: a GraphQL operation by its name, else method and path."""
        return [_short(exchange) for exchange in list(self.sandbox.requests)[since:] if "/app/" not in exchange.path]


def _short(exchange: Exchange) -> str:
    path = exchange.path.removeprefix("/repos/acme/gitops/")
    recursive = "?recursive" if "recursive" in exchange.query else ""
    return exchange.operation or f"{exchange.method} {path}{recursive}"


@asynccontextmanager
async def adapter(sandbox: Sandbox, repository: Repository, *, prefix: str = "") -> AsyncIterator[Adapter]:
    """Make a forge for the sandbox; all of its requests must be as GitHub describes them."""
    checker = Checker()
    sandbox.observer = checker.observe
    async with aiohttp.ClientSession() as session:
        # The sandbox does not mind, and tests that commit often need not wait.
        quota = Quota(write_interval=0)
        forge = GitHub(session, sandbox.url + prefix, sandbox.app.id, sandbox.app.private_key, InPlace(), quota)
        yield Adapter(forge, named(sandbox, repository), sandbox)
    assert checker.found == []
