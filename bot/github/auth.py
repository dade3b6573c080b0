"""Installation tokens: narrowed to one repository and what a step needs, cached, one request in flight for each."""

from __future__ import annotations

import asyncio
import re
import time
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import gidgethub
from cachetools import TLRUCache
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from bot.github.answers import app_refusal, readable
from bot.github.client import REQUESTER, AppAPI

if TYPE_CHECKING:
    import aiohttp

# GitHub's tokens live for an hour; a request that starts with one must be able to end with it.
_SPARE_SECONDS = 300
# GitHub's tokens have 40 characters, or some hundred:
# https://docs.github.com/en/apps/creating-github-apps/authenticating-with-a-github-app/generating-an-installation-access-token-for-a-github-app
_TOKEN = re.compile(r"[!-~]{1,4096}")
# Of all tokens that are kept, with what a cache needs for each: about ten thousand of GitHub's.
_CACHE_BYTES, _ENTRY_BYTES = 8_000_000, 600


class Scope(NamedTuple):
    """What a token is good for: GitHub's permission names and levels on repositories of an installation.

    `repository` is an id, None for all that the installation covers.
    """

    installation: int
    repository: int | None
    permissions: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class _Token:
    text: str = field(repr=False)
    expires: float


def app_api(session: aiohttp.ClientSession, url: str, app_id: int | str, private_key: str) -> AppAPI:
    """Return the API at the REST address `url` as the App itself, whose id is its number or client id, its key PEM."""
    # Read once: checking the numbers of a key takes far longer than signing with it. gidgethub says str, and hands it
    # on to PyJWT, which takes either.
    key = cast("str", load_pem_private_key(private_key.encode(), password=None))
    return AppAPI(session, REQUESTER, app_id=str(app_id), private_key=key, base_url=url)


class Tokens:
    """Makes and keeps installation tokens for one App."""

    def __init__(self, api: AppAPI) -> None:
        self._api = api
        self._cache: TLRUCache[Scope, _Token] = TLRUCache(
            maxsize=_CACHE_BYTES,
            ttu=lambda _, token, __: token.expires - _SPARE_SECONDS,
            timer=time.time,
            getsizeof=lambda token: len(token.text) + _ENTRY_BYTES,
        )
        self._in_flight: dict[Scope, asyncio.Task[_Token]] = {}

    async def token(self, scope: Scope, refused: str | None = None) -> str:
        """Return a token for `scope`, another one than `refused`, which GitHub answered with 401.

        Raises Unavailable where the App is not installed, is suspended, or lacks a permission; Transient where GitHub
        does not take the App's own credentials: whoever runs the bot can fix that while deliveries wait.
        """
        cached = self._cache.get(scope)
        # Of several that were refused at once, one makes the new token and the others find it here.
        if cached is not None and cached.text != refused:
            return cached.text
        task = self._in_flight.get(scope)
        if task is None:
            task = asyncio.create_task(self._make(scope), name="installation token")
            self._in_flight[scope] = task
            task.add_done_callback(lambda _: self._in_flight.pop(scope, None))
        # Shielded: one caller that is cancelled must not take the token away from the others that wait for it.
        token = await asyncio.shield(task)
        self._cache[scope] = token
        return token.text

    async def _make(self, scope: Scope) -> _Token:
        narrowed: dict[str, object] = {"permissions": dict(scope.permissions)}
        if scope.repository is not None:
            narrowed["repository_ids"] = [scope.repository]
        try:
            answer = await self._api.post(f"/app/installations/{scope.installation}/access_tokens", data=narrowed)
        except gidgethub.HTTPException as error:
            raise app_refusal(error) from error
        with readable():
            return _token(answer)


def _token(answer: Any) -> _Token:
    text = answer["token"]
    if not _TOKEN.fullmatch(text):
        raise ValueError("what is sent back in a header must fit into one")
    return _Token(text, datetime.fromisoformat(answer["expires_at"]).timestamp())
