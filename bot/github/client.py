"""The API as one installation and as the App; errors of connections and limits are sorted here for all callers."""

from __future__ import annotations

import asyncio
import io
import re
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import aiohttp
import gidgethub
from gidgethub import sansio
from gidgethub.aiohttp import GitHubAPI

from bot.errors import Transient
from bot.github import transport
from bot.github.answers import (
    LIMITED,
    UNREADABLE,
    Limited,
    NoGraphQL,
    errors_of,
    fault,
    host,
    is_query_limited,
    no_connection,
    pause_of,
    readable,
    seconds_of,
)
from bot.github.limits import Cost, Pause
from bot.github.waiting import turn_refusal

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping
    from contextlib import AbstractAsyncContextManager

    from bot.github.quota import Governor

T = TypeVar("T")

REQUESTER = "pointsman"
# A write that GitHub answers at all, it answers in less: it ends requests after 10 s,
# https://docs.github.com/en/rest/using-the-rest-api/troubleshooting-the-rest-api#timeouts
TIMEOUT = aiohttp.ClientTimeout(total=30, connect=10)

_CHUNKED_BYTES = 1_000_000

# The points of a request that reads and of one that writes, of both APIs:
# https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api#calculating-points-for-the-secondary-rate-limit
_READ_POINTS, _WRITE_POINTS = 1, 5
# A GraphQL document that is surely a query. All others count as writes.
_QUERY = re.compile(rb'\s*\{\s*"query":\s*"(?:\\n|\s)*(?:query\b|\{)')
# The paths of the Git Data API that make objects, which are on no branch yet.
_OBJECTS = re.compile(r"/git/(?:blobs|trees|commits)$")


class _API(GitHubAPI):
    """gidgethub's API for aiohttp, where an answer that cannot be read is Transient: what was asked for may be done."""

    async def _make_request(self, *args: Any, **kwargs: Any) -> tuple[Any, str | None, int]:
        with readable():
            data, more, status = await super()._make_request(*args, **kwargs)
        return data, transport.next_page(self.base_url, more) if more else None, status

    async def page(self, url: str) -> tuple[Any, str | None]:
        """Return one page of a list, and the address of the next, which is within the API; None if it is the last."""
        data, more, _ = await self._make_request("GET", url, None, b"", sansio.accept_format())
        return data, more

    async def take_away(self, url: str, data: Any) -> Any:
        """Send a DELETE with a body, and return that of the answer, which gidgethub's `delete` does not."""
        answer, _, _ = await self._make_request("DELETE", url, None, data, sansio.accept_format())
        return answer


class InstallationAPI(_API):
    """gidgethub's API with a token that renews itself, for a server at `url` (`https://HOST/api/v3` on Enterprise).

    Besides gidgethub's exceptions for 4xx, every method raises Transient (no connection, time-out, 5xx, a rate limit,
    no turn in time, an unreadable answer, a page of a proxy); `query` raises NoGraphQL where there is none.
    """

    def __init__(
        self,
        session: aiohttp.ClientSession,
        url: str,
        token: Callable[[str | None], Awaitable[str]],
        governor: Governor,
        repository: int | None = None,
    ) -> None:
        super().__init__(session, REQUESTER, base_url=url)
        self._token = token
        self.governor = governor
        self._repository = repository
        # gidgethub's graphql() does not look at base_url; Enterprise Server has GraphQL beside /api/v3:
        # https://docs.github.com/en/enterprise-server@latest/graphql/guides/forming-calls-with-graphql#the-graphql-endpoint
        self._graphql_url = url.removesuffix("/").removesuffix("/v3") + "/graphql"

    async def query(self, document: str, **variables: object) -> Any:
        """Return the `data` of a GraphQL answer. Raises gidgethub.QueryError with the whole answer for its errors."""
        try:
            with readable():
                data = await self.graphql(document, endpoint=self._graphql_url, **variables)
            self.governor.succeeded()
        except gidgethub.QueryError as error:
            # A limit comes with status 200. The hourly one also comes with headers, which `_note` has obeyed already:
            # https://docs.github.com/en/graphql/overview/rate-limits-and-query-limits-for-the-graphql-api
            if any(map(is_query_limited, errors_of(error))):
                known = self.governor.state().paused_for
                raise Limited(LIMITED, known or self.governor.limited(None, LIMITED)) from error
            self.governor.succeeded()
            raise
        except gidgethub.BadGraphQLRequest as error:
            raise gidgethub.BadRequest(error.status_code, str(error)) from error
        except gidgethub.GraphQLException as error:  # neither data nor errors, or no content type
            raise Transient(UNREADABLE) from error
        return data

    async def _request(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes = b""
    ) -> tuple[int, Mapping[str, str], bytes]:
        token, answered = await self._send(method, url, headers, body)
        if answered[0] == 401:  # the token was revoked, or has expired by GitHub's clock
            _, answered = await self._send(method, url, headers, body, token)
        if answered[0] == 404 and url == self._graphql_url:
            raise NoGraphQL(f"no GraphQL at {url}")
        return answered

    async def _send(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes, refused: str | None = None
    ) -> tuple[str, tuple[int, Mapping[str, str], bytes]]:
        """Send one request when its turn comes; return its token, which is another one than `refused`, and the answer.

        Tokens are asked for within the turn: in a pause nothing at all is sent for the installation. They count in none
        of its limits (the App makes them), but a limit that refuses one stops the installation that it was for.
        """
        cost = self._cost(method, url, body)
        async with self.governor.slot(cost):
            token = await self._obeyed(self._token(refused))
            self.governor.check()
            signed = {**headers, "authorization": f"Bearer {token}"}
            sent = send(
                self._session, self.base_url, HTTPRequest(method, url, signed, body), self.governor.large_answer
            )
            answered = await self._obeyed(sent)
            self._note(answered[0], answered[1], graphql=cost.graphql)
            return token, answered

    async def _obeyed(self, answer: Awaitable[T]) -> T:
        """Return the answer of a request. If GitHub asks for a pause, the governor knows of it before any caller."""
        try:
            return await answer
        except Transient as error:
            if isinstance(error, Limited) or error.retry_after is not None:
                error.retry_after = self.governor.limited(error.retry_after, str(error))
            raise

    def _cost(self, method: str, url: str, body: bytes) -> Cost:
        """Return what a request uses.

        GitHub does not say which requests it counts as content creation. Here all that may change something count.
        """
        graphql = url == self._graphql_url
        if _QUERY.match(body) if graphql else method == "GET":
            return Cost(self._repository, graphql, _READ_POINTS)
        path = url.partition("?")[0]
        report = path.endswith("/check-runs") or "/check-runs/" in path
        lands = not report and not _OBJECTS.search(path)
        return Cost(self._repository, graphql, _WRITE_POINTS, writes=1, lands=lands, report=report)

    def _note(self, status: int, headers: Mapping[str, str], *, graphql: bool) -> None:
        """Tell the governor what an answer says of the hourly limit."""
        remaining = seconds_of(headers.get("x-ratelimit-remaining"))
        if remaining is not None:
            self.governor.note_remaining(int(remaining), graphql=graphql)
            pause = pause_of(headers)
            if pause is not None:
                self.governor.limited(pause, LIMITED)
        # The status of a GraphQL answer does not say whether it succeeded.
        if status < 400 and not graphql:
            self.governor.succeeded()


class AppAPI(_API):
    """gidgethub's API as the App itself (a JWT instead of a token); raises as InstallationAPI does.

    A limit that refuses a token is a matter of the installation that it is for. Any other one stops the App's lists.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._pause = Pause()

    async def _request(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes = b""
    ) -> tuple[int, Mapping[str, str], bytes]:
        request = HTTPRequest(method, url, headers, body)
        if url.endswith("/access_tokens"):
            return await send(self._session, self.base_url, request)
        now = asyncio.get_running_loop().time
        if self._pause.until > now():
            raise turn_refusal(self._pause.until - now(), self._pause.reason)
        try:
            answered = await send(self._session, self.base_url, request)
        except Limited as error:
            self._pause.begin(now(), error.retry_after, str(error))
            error.retry_after = self._pause.until - now()
            raise
        self._pause.succeeded(now())
        return answered


class HTTPRequest(NamedTuple):
    """A request as it is sent; `headers` have the token."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes


async def send(
    session: aiohttp.ClientSession,
    base: str,
    request: HTTPRequest,
    large: Callable[[], AbstractAsyncContextManager[None]] = nullcontext,
) -> tuple[int, Mapping[str, str], bytes]:
    """Send one request and return (status, headers, body). Raises Transient for faults that may pass.

    A redirect is followed within the REST API at `base`, with the same method and body. `large` is entered before much
    memory is used.
    """
    for _ in range(transport.MOST_REDIRECTS + 1):
        status, headers, body = await _send_once(session, request, large)
        if not 300 <= status < 400:
            break
        request = request._replace(url=transport.redirected(base, request.url, status, headers))
    else:
        raise Transient(f"GitHub redirects more than {transport.MOST_REDIRECTS} times")
    wrong = fault(request.url, status, headers, body)
    if wrong is not None:
        raise wrong
    return status, headers, body


async def _send_once(
    session: aiohttp.ClientSession, request: HTTPRequest, large: Callable[[], AbstractAsyncContextManager[None]]
) -> tuple[int, Mapping[str, str], bytes]:
    method, url, headers, body = request
    # aiohttp sends bytes in one piece, however many, while the event loop stands still. A stream goes in chunks.
    data = io.BytesIO(body) if len(body) > _CHUNKED_BYTES else body
    middlewares = () if method == "GET" else (_once,)
    try:
        async with (
            asyncio.timeout(TIMEOUT.total),
            session.request(
                method,
                url,
                headers=headers,
                data=data,
                timeout=TIMEOUT,
                middlewares=middlewares,
                allow_redirects=False,
            ) as response,
        ):
            status = response.status
            try:
                answer = await transport.read(response, transport.bound(url, status), large)
            except transport.TooLarge:
                # For an error the status says enough.
                if status < 300:
                    raise
                answer = b""
            return status, response.headers, answer
    except TimeoutError as error:
        raise Transient(f"GitHub did not answer within {TIMEOUT.total:.0f} seconds: {host(url)}") from error
    except aiohttp.ClientError as error:
        raise Transient(no_connection(error, url)) from error


async def _once(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    """Send a write only once: aiohttp would send a PUT again by itself when its connection breaks.

    The first PUT makes the commit and the connection breaks. The second one gets a 409, as if there were no commit.
    """
    try:
        return await handler(request)
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
        raise Transient(no_connection(error, str(request.url))) from error
