"""Git by smart HTTP, as git-scm.com's "http-protocol" has it: `git http-backend`, run as a CGI program, answers.

What is refused is refused in plain text, which git shows after `remote:`.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import os
import shutil
from asyncio.subprocess import PIPE
from contextlib import suppress
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from aiohttp import web
from dulwich.errors import HangupException
from dulwich.protocol import Protocol

from bot.sandbox import git_hook
from bot.sandbox.answers import ApiError
from bot.sandbox.app import Grant
from bot.sandbox.call import Exchange
from bot.sandbox.objects import ZERO
from bot.sandbox.repository import Push

if TYPE_CHECKING:
    from asyncio.subprocess import Process

    from bot.sandbox.repository import Repository
    from bot.sandbox.server import Server

Stream = TypeVar("Stream")

READ, WRITE = "git-upload-pack", "git-receive-pack"
PATHS = (
    ("GET", "/{owner}/{repo}/info/refs"),
    ("POST", f"/{{owner}}/{{repo}}/{{service:{READ}|{WRITE}}}"),
)
# GitHub serves partial clones and any object by its name. Nothing may repack what dulwich has open.
OPTIONS = ("uploadpack.allowFilter=true", "uploadpack.allowAnySHA1InWant=true", "receive.autogc=false")
# The refs that a push moves stand at its beginning: this is room for thousands.
COMMANDS_KEPT = 2**20
CHUNK = 2**16


async def handle(server: Server, request: web.Request) -> web.StreamResponse:
    """Answer one request of git's, with the sandbox's latency, recorded as an Exchange without bodies.

    A push is told as any other change of a branch. Faults that come `after` the effect are not for git: its answer is
    on the way by then.
    """
    grant: Grant | None = None
    try:
        await _suffer(server, request)
        grant = server.authenticate(_token(request.headers.get("Authorization", "")))
        repo = _admit(server, request, grant)
        backend = await _start(repo, request, grant)
        return await _answer(server, request, repo, grant, backend)
    except ApiError as error:
        _record(server, request, error.status, grant)
        headers = {"WWW-Authenticate": 'Basic realm="GitHub"'} if error.status == 401 else {}
        return web.Response(status=error.status or 500, text=error.message + "\n", headers=headers)


async def _answer(
    server: Server, request: web.Request, repo: Repository, grant: Grant | None, backend: Process
) -> web.StreamResponse:
    """Let the program answer, and tell what was pushed."""
    commands = bytearray()
    feeding = asyncio.create_task(_feed(backend, request, commands))
    stdout = _pipe(backend.stdout)
    try:
        status, headers = await _head(stdout)
        _record(server, request, status, grant)
        response = web.StreamResponse(status=status, headers=headers)
        await response.prepare(request)
        while chunk := await stdout.read(CHUNK):
            await response.write(chunk)
    finally:
        # Whoever asked may be gone: what was pushed by then is pushed.
        feeding.cancel()
        if not stdout.at_eof():
            with suppress(ProcessLookupError):
                backend.kill()
        await asyncio.gather(backend.wait(), feeding, return_exceptions=True)
        _tell(repo, bytes(commands), grant.login if grant else "")
    await response.write_eof()
    return response


# -- who may


async def _suffer(server: Server, request: web.Request) -> None:
    """Wait for the latency and for what befalls this request; ApiError, of status 0 where the connection is dropped."""
    found = await server.wait(server.asked(request.method, request.path, None))
    for fault in (fault for fault in found if not fault.after):
        if fault.reset and request.transport:
            request.transport.abort()
        if fault.reset or fault.status:
            raise ApiError(0 if fault.reset else fault.status or 0, str(fault.body or ""))


def _token(authorization: str) -> str:
    """Give the token of Basic credentials as the API wants it: it is the password, and the name is `x-access-token`.

    As on GitHub any other name will do; docs.github.com, "Authenticating as a GitHub App installation".
    """
    scheme, _, credentials = authorization.partition(" ")
    if scheme.lower() != "basic":
        return ""
    try:
        return "token " + base64.b64decode(credentials, validate=True).decode().partition(":")[2]
    except (binascii.Error, UnicodeDecodeError):
        raise ApiError(401, "These credentials are not in Base64.") from None


def _admit(server: Server, request: web.Request, grant: Grant | None) -> Repository:
    """Give the repository that a request may have its service of: contents:read to fetch, contents:write to push."""
    sandbox, service = server.sandbox, _service(request)
    if service not in {READ, WRITE}:
        raise ApiError(403, "Git's dumb HTTP protocol is not offered here: update your git.")
    full_name = f"{request.match_info['owner']}/{request.match_info['repo'].removesuffix('.git')}"
    repo = sandbox.find_repository(full_name, former=True)  # GitHub redirects git, which follows
    if repo is None or not sandbox.reaches(grant, repo):
        raise ApiError(404 if grant else 401, "Repository not found.")
    level = "write" if service == WRITE else "read"
    if level == "read" and not repo.private:
        return repo
    if grant is None:
        raise ApiError(401, "No anonymous write access.")
    if not grant.allows("contents", level) or not sandbox.holds(grant, repo):
        raise ApiError(403, f"Permission to {repo.full_name}.git denied to {grant.login}.")
    if level == "write" and repo.archived:
        raise ApiError(403, "This repository was archived so it is read-only.")
    return repo


def _service(request: web.Request) -> str:
    return request.match_info.get("service") or request.query.get("service", "")


def _record(server: Server, request: web.Request, status: int, grant: Grant | None) -> None:
    known = grant or Grant("", "")
    exchange = Exchange(request.method, request.path, None, status, known.installation, known.permissions)
    server.record(replace(exchange, query=dict(request.query)))


# -- the program


async def _start(repo: Repository, request: web.Request, grant: Grant | None) -> Process:
    """Start `git http-backend`; ApiError 501 where there is no git."""
    git = shutil.which("git")
    if git is None:
        raise ApiError(
            501, "The sandbox serves git by `git http-backend`, and there is no git on its PATH: install it."
        )
    environment = {
        "PATH": str(Path(git).parent),
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_HTTP_EXPORT_ALL": "1",
        "GIT_PROJECT_ROOT": str(repo.path.resolve()),
        "GIT_PROTOCOL": request.headers.get("Git-Protocol", ""),
        "PATH_INFO": f"/{request.match_info.get('service', 'info/refs')}",
        "REQUEST_METHOD": request.method,
        "QUERY_STRING": request.query_string,
        # No CONTENT_LENGTH and no encoding: aiohttp has unpacked the body by then.
        "CONTENT_TYPE": request.headers.get("Content-Type", ""),
        "REMOTE_USER": grant.login if grant else "",
        **git_hook.environment(repo),
    }
    options = [part for option in OPTIONS for part in ("-c", option)]
    return await asyncio.create_subprocess_exec(
        git, *options, "http-backend", stdin=PIPE, stdout=PIPE, env=environment, limit=CHUNK
    )


async def _feed(backend: Process, request: web.Request, commands: bytearray) -> None:
    """Give the program the body; keep its beginning in `commands`."""
    stdin = _pipe(backend.stdin)
    with suppress(BrokenPipeError, ConnectionResetError):  # it has read what it wants
        async for chunk in request.content.iter_any():
            commands += chunk[: COMMANDS_KEPT - len(commands)]
            stdin.write(chunk)
            await stdin.drain()
        stdin.close()


async def _head(stdout: asyncio.StreamReader) -> tuple[int, dict[str, str]]:
    """Give status and headers of the program's answer; ApiError 501 where there is none."""
    try:
        text = (await stdout.readuntil(b"\r\n\r\n")).decode()
    except asyncio.IncompleteReadError:
        sentence = "`git http-backend` gave no answer: is it installed? Some systems have it in the package git-daemon."
        raise ApiError(501, sentence) from None
    headers = dict(line.split(": ", 1) for line in text.strip().split("\r\n"))
    return int(headers.pop("Status", "200").split()[0]), headers


def _pipe(stream: Stream | None) -> Stream:
    if stream is None:
        raise RuntimeError("git http-backend was started without pipes")
    return stream


def _tell(repo: Repository, commands: bytes, login: str) -> None:
    """Tell each ref that now is where a push wanted it; `commands` is how the push began.

    The form is that of git-scm.com's "pack-protocol": `OLD NEW REF`, the capabilities after the first.
    """
    if repo.on_push is None:
        return
    with suppress(HangupException):  # fewer than what was sent, or no push
        for line in Protocol(BytesIO(commands).read, lambda _: None).read_pkt_seq():
            before, _, rest = line.partition(b"\0")[0].decode().strip().partition(" ")
            after, _, ref = rest.partition(" ")
            if ref.startswith("refs/") and before != after and (repo.ref(ref) or ZERO) == after:
                repo.on_push(repo, Push(ref, before, after, login))
