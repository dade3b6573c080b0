"""One installation's access to the API, with what can go wrong told apart once for all callers."""

from __future__ import annotations

import io
import time
from typing import TYPE_CHECKING, Any

import aiohttp
import gidgethub
from gidgethub.aiohttp import GitHubAPI

from bot.errors import PointsmanError, Transient, Unavailable

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

REQUESTER = "pointsman"
# A write that GitHub answers at all, it answers in less: it ends requests after 10 s,
# https://docs.github.com/en/rest/using-the-rest-api/troubleshooting-the-rest-api#timeouts
TIMEOUT = aiohttp.ClientTimeout(total=30, connect=10)

UNREADABLE = "GitHub's answer cannot be read"
LIMITED = "a rate limit of GitHub's is reached"
# Where GitHub does not say how long:
# https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api#exceeding-the-rate-limit
_DEFAULT_PAUSE = 60.0
_CHUNKED_BYTES = 1_000_000


class NoGraphQL(Transient):
    """The server has no GraphQL API: the next attempt goes without."""


class InstallationAPI(GitHubAPI):
    """gidgethub's API with a token that renews itself, for a server at `url` (`https://HOST/api/v3` on Enterprise).

    Besides gidgethub's exceptions for 4xx, every method raises Transient (no connection, time-out, 5xx, a rate limit)
    and Unavailable (suspended); `query` raises NoGraphQL where the server has none.
    """

    def __init__(self, session: aiohttp.ClientSession, url: str, token: Callable[[str | None], Awaitable[str]]) -> None:
        super().__init__(session, REQUESTER, base_url=url)
        self._token = token
        # gidgethub's graphql() does not look at base_url; Enterprise Server has GraphQL beside /api/v3:
        # https://docs.github.com/en/enterprise-server@latest/graphql/guides/forming-calls-with-graphql#the-graphql-endpoint
        self._graphql_url = url.removesuffix("/").removesuffix("/v3") + "/graphql"

    async def query(self, document: str, **variables: object) -> Any:
        """Return the `data` of a GraphQL answer. Raises gidgethub.QueryError with the whole answer for its errors."""
        try:
            return await self.graphql(document, endpoint=self._graphql_url, **variables)
        except gidgethub.QueryError as error:
            pause = self._primary_limit(error.response["errors"])
            if pause is not None:
                raise Transient(LIMITED, pause) from error
            raise
        except gidgethub.GraphQLResponseTypeError as error:
            raise Transient("GitHub's GraphQL API answered something that is not JSON") from error
        except gidgethub.BadGraphQLRequest as error:
            raise refusal(int(error.status_code), str(error)) from error
        except (gidgethub.GraphQLException, ValueError) as error:  # cut off, or neither data nor errors
            raise Transient(UNREADABLE) from error

    def _primary_limit(self, errors: Sequence[Mapping[str, Any]]) -> float | None:
        """Return the seconds until a limit renews that GraphQL reports, which it does with status 200.

        https://docs.github.com/en/graphql/overview/rate-limits-and-query-limits-for-the-graphql-api
        """
        if all(error.get("type") != "RATE_LIMITED" for error in errors):
            return None
        if self.rate_limit is None or self.rate_limit.remaining:
            return _DEFAULT_PAUSE
        return max(self.rate_limit.reset_datetime.timestamp() - time.time(), 1.0)

    async def _request(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes = b""
    ) -> tuple[int, Mapping[str, str], bytes]:
        token = await self._token(None)
        answered = await self._send(method, url, headers, body, token)
        if answered[0] == 401:  # revoked, or expired by a clock that differs from ours
            answered = await self._send(method, url, headers, body, await self._token(token))
        if answered[0] == 404 and url == self._graphql_url:
            raise NoGraphQL(f"no GraphQL at {url}")
        return answered

    async def _send(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes, token: str
    ) -> tuple[int, Mapping[str, str], bytes]:
        return await send(self._session, method, url, {**headers, "authorization": f"Bearer {token}"}, body)


class AppAPI(GitHubAPI):
    """gidgethub's API as the App itself (a JWT instead of a token); raises as InstallationAPI does."""

    async def _request(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes = b""
    ) -> tuple[int, Mapping[str, str], bytes]:
        return await send(self._session, method, url, headers, body)


async def send(
    session: aiohttp.ClientSession, method: str, url: str, headers: Mapping[str, str], body: bytes
) -> tuple[int, Mapping[str, str], bytes]:
    """Send one request and return (status, headers, body); what may go away by itself is raised as Transient."""
    # aiohttp sends bytes in one piece, however many, and the event loop waits; a stream goes in chunks.
    data = io.BytesIO(body) if len(body) > _CHUNKED_BYTES else body
    try:
        async with session.request(method, url, headers=headers, data=data, timeout=TIMEOUT) as response:
            status, answer_headers, answer = response.status, response.headers, await response.read()
    except TimeoutError as error:
        raise Transient(f"GitHub did not answer within {TIMEOUT.total:.0f} seconds") from error
    except aiohttp.ClientError as error:
        raise Transient(f"no connection to GitHub: {type(error).__name__}") from error
    if status >= 500:
        raise Transient(f"GitHub answered {status}", _seconds(answer_headers.get("retry-after")))
    pause = _limited(status, answer_headers, answer)
    if pause is not None:
        raise Transient(LIMITED, pause)
    return status, answer_headers, answer


def _limited(status: int, headers: Mapping[str, str], body: bytes) -> float | None:
    """Return the seconds to wait where the answer says that a limit is reached.

    https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api#exceeding-the-rate-limit
    """
    if status not in {403, 429}:
        return None
    retry_after = _seconds(headers.get("retry-after"))
    if retry_after is not None:
        return retry_after
    if headers.get("x-ratelimit-remaining") == "0":
        reset = _seconds(headers.get("x-ratelimit-reset"))
        return max(reset - time.time(), 1.0) if reset is not None else _DEFAULT_PAUSE
    return _DEFAULT_PAUSE if status == 429 or b"secondary rate limit" in body else None


def _seconds(value: str | None) -> float | None:
    try:
        return float(value) if value is not None else None
    except ValueError:
        return None


class NotFound(Unavailable):
    """GitHub answers 404: not there, or not for us."""


def refusal(status: int, sentence: str) -> PointsmanError:
    """Return the error for a 4xx answer that is not about the content of a commit."""
    if status == 401:
        return Unavailable(f"GitHub refuses our token: {sentence}")
    if status == 403 and "archived" in sentence:
        return Unavailable(f"GitHub forbids it: {sentence}")
    if status == 403:
        return Unavailable(f"GitHub forbids it: {sentence}; accept the App's permissions, or unsuspend it")
    if status == 409 and "empty" in sentence:  # https://docs.github.com/en/rest/git/refs#get-a-reference
        return NotFound(f"GitHub answers: {sentence} There is no commit yet")
    if status == 404:
        return NotFound(f"GitHub answers {sentence}: the App is not installed there, or the repository is gone")
    return Unavailable(f"GitHub answered {status}: {sentence}")


def query_error(error: Mapping[str, Any]) -> Transient | Unavailable:
    """Return what a GraphQL error means that is not about the content of a commit."""
    kind, sentence = error.get("type"), str(error.get("message"))
    if kind == "NOT_FOUND":
        return NotFound(f"GitHub answers: {sentence}; install the App there, or mend the name")
    if kind in {"FORBIDDEN", "INSUFFICIENT_SCOPES"}:
        return Unavailable(f"GitHub forbids it: {sentence}; accept the App's permissions, or unsuspend it")
    return Transient(f"GitHub's GraphQL API answered: {sentence}")
