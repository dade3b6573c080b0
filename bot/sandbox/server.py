"""The HTTP service: who calls, what is found, faults, rate limits, ETags, and the record of every exchange."""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
import uuid
from functools import partial
from typing import TYPE_CHECKING, Any

from aiohttp import web

from bot.sandbox import asked, git_http, rest_app, rest_checks, rest_contents, rest_git, rest_repos, web_pages
from bot.sandbox.answers import ARCHIVED, Answer, ApiError, not_accessible, not_found
from bot.sandbox.app import Grant
from bot.sandbox.asked import Asked
from bot.sandbox.call import Call, Exchange, Route
from bot.sandbox.limits import RATE_DOCS, Limits
from bot.sandbox.objects import HEADS
from bot.sandbox.shapes import timestamp

if TYPE_CHECKING:
    from bot.sandbox.faults import Fault
    from bot.sandbox.sandbox import Sandbox

ENTERPRISE_PREFIX = "/api/v3"
MAX_BODY = 100 * 2**20
BY_NAME, BY_ID = "/repos/{owner}/{repo}", r"/repositories/{repository:\d+}"
ROUTES = (
    *rest_app.ROUTES,
    *rest_repos.ROUTES,
    *rest_git.ROUTES,
    *rest_contents.ROUTES,
    *rest_checks.ROUTES,
    *web_pages.ROUTES,
)


class Server:
    """Serves a sandbox with aiohttp."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self._runner: web.AppRunner | None = None
        self.limits = Limits(sandbox)

    async def start(self, host: str, port: int) -> str:
        """Listen; give the root URL. OSError if the address is taken."""
        app = web.Application(client_max_size=MAX_BODY)
        for route in ROUTES:
            for prefix in ("", ENTERPRISE_PREFIX):
                app.router.add_route(route.method, prefix + route.path, partial(self._handle, route))
                if route.path.startswith(BY_NAME):  # where a repository that was renamed is found
                    path = prefix + route.path.replace(BY_NAME, BY_ID)
                    app.router.add_route(route.method, path, partial(self._handle, route))
        for path in ("/graphql", "/api/graphql"):
            app.router.add_post(path, partial(self._handle, Route("POST", path, "token", self._graphql)))
        for method, path in git_http.PATHS:
            app.router.add_route(method, path, partial(git_http.handle, self))
        unknown = Route("*", "", "any", _unknown)
        app.router.add_route("*", "/{tail:.*}", partial(self._handle, unknown))
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        site = web.TCPSite(self._runner, host, port)
        try:
            await site.start()
        except OSError:
            await self.stop()
            raise
        return f"http://{host}:{self._runner.addresses[0][1]}"

    async def stop(self) -> None:
        """Stop listening."""
        if self._runner:
            await self._runner.cleanup()
            self._runner = None

    def _graphql(self, call: Call) -> Answer:
        if not self.sandbox.graphql:
            raise not_found()
        from bot.sandbox.graphql import execute  # noqa: PLC0415 - graphql-core takes a quarter of a second to import

        return execute(call)

    # -- one request

    async def _handle(self, route: Route, request: web.Request) -> web.StreamResponse:
        path = request.path.removeprefix(ENTERPRISE_PREFIX)
        raw = await request.read()
        data = _json(raw)
        asked = self.asked(request.method, path, data)
        with self.limits.under_way(self._caller(request)):
            return await self._answered(route, request, path, data, asked)

    def _caller(self, request: web.Request) -> int | None:
        """Give the installation whose token a request has, before anything else of it is looked at."""
        grant = self.sandbox.tokens.get(request.headers.get("Authorization", "").partition(" ")[2])
        return grant.installation if grant else None

    async def _answered(
        self, route: Route, request: web.Request, path: str, data: Any, asked: Asked
    ) -> web.StreamResponse:
        enterprise = request.path.startswith("/api/")
        head = self._head(asked)
        faults = await self.wait(asked)
        call = Call(
            self.sandbox,
            request.method,
            path,
            request.match_info,
            request.query,
            request.headers,
            data,
            self.sandbox.url + (ENTERPRISE_PREFIX if enterprise else ""),
            head=head,
        )
        answer = self._answer_with_faults(route, call, faults)
        await asyncio.sleep(sum(fault.delay for fault in faults if fault.after))
        response = self._response(call, answer or Answer(0), asked.operation)
        if answer is None and request.transport:
            request.transport.abort()
        return response

    def asked(self, method: str, path: str, data: Any) -> Asked:
        """Tell what a request is after, for faults; `data` is the body's JSON."""
        operation = asked.operation(data) if path.endswith("/graphql") else None
        repo = self.sandbox.find_repository(asked.repository(path, data), former=True)
        by_id = re.match(r"/repositories/(\d+)", path)
        number = repo.id if repo else int(by_id[1]) if by_id else None
        return Asked(method, path, operation, number, asked.moves(method, path, data), asked.branch(path, data))

    def _head(self, asked: Asked) -> str | None:
        """Give where a branch is that a request would move, as it arrives."""
        repo = self.sandbox.repository_by_id(asked.repository or 0) if asked.moves else None
        return repo.ref(HEADS + (asked.branch or repo.default_branch)) if repo else None

    async def wait(self, asked: Asked) -> list[Fault]:
        """Let a request take its time; give the faults that strike it, their callbacks run."""
        faults = self.sandbox.faults.take(asked)
        await asyncio.sleep(self.sandbox.latency + sum(fault.delay for fault in faults if not fault.after))
        for fault in faults:
            await fault.run_callback()
        return faults

    def record(self, exchange: Exchange) -> None:
        """Keep an exchange, and show it to the observer."""
        self.sandbox.requests.append(exchange)
        if self.sandbox.observer:
            self.sandbox.observer(exchange)

    def _answer_with_faults(self, route: Route, call: Call, faults: list[Fault]) -> Answer | None:
        """Give the answer, the one a fault puts in its place, or None where the connection is to be dropped."""
        for fault in faults:
            if not fault.after and fault.reset:
                return None
            if not fault.after and fault.status:
                return Answer(fault.status, fault.body, dict(fault.headers))
        answer = self._answer(route, call)
        for fault in faults:
            if fault.after and fault.reset:
                return None
            if fault.after and fault.status:
                answer = Answer(fault.status, fault.body, dict(fault.headers))
        return answer

    def _answer(self, route: Route, call: Call) -> Answer:
        try:
            call.grant = self.authenticate(call.headers.get("Authorization", ""))
            self.limits.count(call)
            self._authorize(route, call)
            answer = self.sandbox.lag.refusal(call, route.needs) or route.handler(call)
        except ApiError as error:
            answer = error.answer()
            if error.docs == RATE_DOCS and call.is_graphql:
                answer = Answer(200, {"errors": [{"type": "RATE_LIMITED", "message": error.message}]})
        return self._conditional(call, answer)

    # -- who calls

    def authenticate(self, authorization: str) -> Grant | None:
        """Give what an `Authorization` header proves, None if it is empty; ApiError 401 or 403 if it is no good."""
        scheme, _, credentials = authorization.partition(" ")
        if not scheme:
            return None
        if credentials.count(".") == 2:
            self.sandbox.app.verify(credentials, self.sandbox.clock())
            return Grant("app", self.sandbox.app.slug)
        grant = self.sandbox.tokens.get(credentials) if scheme.lower() in {"bearer", "token"} else None
        if grant is None or (grant.expires is not None and grant.expires <= self.sandbox.clock()):
            raise ApiError(401, "Bad credentials")
        installation = self.sandbox.installation_by_id(grant.installation) if grant.installation else None
        if installation and installation.suspended:
            raise ApiError(403, "This installation has been suspended")
        return grant

    def _authorize(self, route: Route, call: Call) -> None:
        if route.needs == "any":
            return
        if route.needs == "app":
            if call.grant is None or call.grant.kind != "app":
                raise ApiError(401, "A JSON web token could not be decoded")
            return
        if call.grant is None and route.needs.endswith(":read"):
            return  # what is public may be read by anyone; the rest is not found
        if call.caller.kind == "app":
            raise ApiError(401, "Requires authentication")
        if call.grant is None or route.needs == "token":
            return
        permission, _, level = route.needs.partition(":")
        if call.of_repository and level == "read" and not call.repo.private:
            return
        if not call.grant.allows(permission, level) or not self._holds(call):
            raise not_accessible(route.needs, call.grant)
        if call.of_repository and level == "write" and call.repo.archived:
            raise ApiError(403, ARCHIVED)

    def _holds(self, call: Call) -> bool:
        return not call.of_repository or self.sandbox.holds(call.grant, call.repo)

    # -- validators and the record

    def _conditional(self, call: Call, answer: Answer) -> Answer:
        """Give a successful GET its ETag; 304, which costs nothing, if the caller has it already."""
        if call.method != "GET" or answer.status != 200:
            return answer
        content = answer.body if isinstance(answer.body, bytes) else json.dumps(answer.body).encode()
        etag = f'"{hashlib.sha256(content).hexdigest()}"'
        if etag in re.findall(r'"[^"]*"', call.headers.get("If-None-Match", "")):
            self.limits.refund(call)
            answer = Answer(304, None, answer.headers)
        answer.headers["ETag"] = f"W/{etag}"
        return answer

    def _response(self, call: Call, answer: Answer, operation: str | None) -> web.Response:
        headers = {
            "x-github-request-id": str(uuid.uuid4()),
            "x-github-media-type": "github.v3; format=json",
            "x-github-api-version-selected": call.headers.get("X-GitHub-Api-Version", "2022-11-28"),
            **self.limits.headers(call),
            **answer.headers,
        }
        grant = call.grant or Grant("", "")
        if grant.expires is not None:
            headers["github-authentication-token-expiration"] = timestamp(grant.expires)
        is_json = answer.body is not None and not isinstance(answer.body, bytes)
        exchange = Exchange(
            call.method,
            call.path,
            operation,
            answer.status,
            grant.installation,
            grant.permissions,
            dict(call.query),
            call.data,
            answer.body if is_json else None,
            headers,
        )
        self.record(exchange)
        if isinstance(answer.body, bytes):
            return web.Response(status=answer.status, body=answer.body, headers=headers)
        body = None if answer.body is None else json.dumps(answer.body).encode()
        headers.setdefault("Content-Type", "application/json; charset=utf-8")
        return web.Response(status=answer.status or 500, body=body, headers=headers)


def _json(raw: bytes) -> Any:
    try:
        return json.loads(raw) if raw else None
    except ValueError:
        return None


def _unknown(_call: Call) -> Answer:
    raise not_found()
