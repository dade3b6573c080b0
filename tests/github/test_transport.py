"""What GitHub answers is believed only as far as it must be: where it sends us, how large it is, what shape it has."""

from __future__ import annotations

import asyncio
import json
import tracemalloc
import zlib
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, Any

import aiohttp
import gidgethub
import pytest
from adapters import adapter
from aiohttp import web
from running import REFUSAL, named
from test_deliveries import EVER, all_since, listing, lose

from bot.compute.in_place import InPlace
from bot.core.changeset import Changeset, FileChange
from bot.core.glob import Glob
from bot.core.message import CommitMessage
from bot.core.meter import unlimited
from bot.core.snapshot import REGULAR
from bot.errors import InputError, Transient, Unavailable, Unreadable
from bot.github import transport
from bot.github.auth import app_api
from bot.github.client import InstallationAPI
from bot.github.forge import LARGE_ANSWERS, LARGE_ANSWERS_EACH, GitHub
from bot.github.installations import InstallationList
from bot.github.quota import Governor, Quota
from bot.github.semaphore import FairSemaphore

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from bot.sandbox import Repository, Sandbox

JSON = {"Content-Type": "application/json; charset=utf-8"}
MEGABYTE = 1_000_000


class Elsewhere:
    """Another host, which keeps what is sent to it."""

    def __init__(self) -> None:
        self.url = ""
        self.received: list[tuple[str, str, dict[str, str], bytes]] = []


@asynccontextmanager
async def serving(answer: Callable[[web.Request], Awaitable[web.StreamResponse]]) -> AsyncIterator[str]:
    """Let a server of its own `answer` every request, and give its URL."""
    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    await runner.cleanup()


@pytest.fixture
async def elsewhere() -> AsyncIterator[Elsewhere]:
    """A host that nothing may be sent to."""
    host = Elsewhere()

    async def receive(request: web.Request) -> web.Response:
        host.received.append((request.method, request.path, dict(request.headers), await request.read()))
        return web.json_response([])

    async with serving(receive) as host.url:
        yield host


@asynccontextmanager
async def forge_of(sandbox: Sandbox, prefix: str = "") -> AsyncIterator[GitHub]:
    """A forge whose traffic need not be as GitHub describes it."""
    async with aiohttp.ClientSession() as session:
        yield GitHub(session, sandbox.url + prefix, sandbox.app.id, sandbox.app.private_key, InPlace())


# -- where it sends us


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("path", ["access_tokens", "/git/ref/", "graphql", "/app/hook/deliveries"])
async def test_no_redirect_leads_to_another_host(
    sandbox: Sandbox, gitops: Repository, elsewhere: Elsewhere, path: str, status: int
) -> None:
    """Neither a token nor a body is sent there, and the sentence says where it would have gone."""
    sandbox.graphql = path == "graphql"
    async with adapter(sandbox, gitops) as (forge, repository, _):
        if path != "access_tokens":
            await forge.open(repository, [])
        location = {"Location": f"{elsewhere.url}/repos/acme/gitops?token=hunter2"}
        sandbox.faults.add(path=path, status=status, body=REFUSAL, headers=location, times=None)
        asked = all_since(forge.deliveries, EVER) if "hook" in path else forge.open(repository, [])
        with pytest.raises(Transient) as caught:
            await asked
    assert elsewhere.received == []
    assert "hunter2" not in str(caught.value)
    assert status == 303 or "127.0.0.1" in str(caught.value)


@pytest.mark.parametrize(
    "location",
    [
        "/graphql",
        "/repos/acme/gitops/git/ref/heads/main",
        "/api/v4/repos/acme/gitops/git/ref/heads/main",
        "/api/v3/../../login",
        "/api/v3/%2e%2e/%2e%2e/login",
        "/api/v3/x%2f..%2f..%2f..%2flogin",
        "/api/v3/..\\..\\login",
        "//127.0.0.1:9/api/v3/x",
        "http://me:pw@{host}/api/v3/x",
        "https://{host}/api/v3/x",
        "http://{host}:1/api/v3/x",
        "http://[::1",
        "http://exa mple\\@x/",
        "javascript:alert(1)",
        "",
    ],
)
async def test_a_redirect_stays_within_the_api(sandbox: Sandbox, gitops: Repository, location: str) -> None:
    """Scheme, host, port and the path of the API stay as they are set, however the address is written."""
    sandbox.graphql = False
    async with forge_of(sandbox, "/api/v3") as forge:
        repository = named(sandbox, gitops)
        await forge.open(repository, [])
        since = len(sandbox.requests)
        target = location.format(host=sandbox.url.removeprefix("http://"))
        sandbox.faults.add(path="/git/ref/", status=301, body=REFUSAL, headers={"Location": target})
        with pytest.raises(Transient, match="where nothing is sent"):
            await forge.open(repository, [])
        assert [exchange.status for exchange in list(sandbox.requests)[since:]] == [301]


@pytest.mark.parametrize("status", [301, 302, 307, 308])
async def test_a_redirect_within_the_api_keeps_method_and_body(
    sandbox: Sandbox, gitops: Repository, status: int
) -> None:
    """A POST that became a GET would not be found: the App would seem not to be installed."""
    installation = sandbox.installation_of(gitops)
    assert installation is not None
    location = {"Location": f"/app/installations/{installation.id}/access_tokens"}
    async with adapter(sandbox, gitops) as (forge, repository, _):
        sandbox.faults.add(path="access_tokens", status=status, body=REFUSAL, headers=location)
        assert (await forge.open(repository, [])).head == gitops.head()
    asked = [one for one in sandbox.requests if "access_tokens" in one.path]
    assert [(one.method, one.status) for one in asked] == [("POST", status), ("POST", 201)]
    assert asked[1].request_body == asked[0].request_body is not None


async def test_a_renamed_repository_is_read_and_written_where_it_is(sandbox: Sandbox, gitops: Repository) -> None:
    """GitHub answers for the old name with the address by id; a commit is made once."""
    sandbox.graphql = False
    async with adapter(sandbox, gitops) as (forge, repository, _):
        gitops.rename("acme/moved")
        snapshot = await forge.open(repository, ["README.md"])
        file = snapshot.files["README.md"]
        files = {"README.md": FileChange("README.md", file.data, b"# Moved\n", REGULAR, file.oid, ())}
        await forge.commit(repository, Changeset("main", snapshot.head, files), CommitMessage("Move", ""))
    assert gitops.read("README.md") == b"# Moved\n"
    assert len(gitops.log()) == 2


async def test_redirects_in_a_circle_end(sandbox: Sandbox, gitops: Repository) -> None:
    """After three of them, with an error that goes away if the circle does."""
    sandbox.graphql = False
    async with adapter(sandbox, gitops) as (forge, repository, _):
        await forge.open(repository, [])
        since = len(sandbox.requests)
        here = {"Location": f"/repos/{gitops.full_name}/git/ref/heads/main"}
        sandbox.faults.add(path="/git/ref/", status=302, body=REFUSAL, headers=here, times=None)
        with pytest.raises(Transient, match="redirects more than 3 times"):
            await forge.open(repository, [])
        assert len(sandbox.requests) - since == 4


@pytest.mark.usefixtures("gitops")
@pytest.mark.parametrize("more", ["{elsewhere}/app/hook/deliveries?cursor=2", "https://{host}/app/hook/deliveries"])
async def test_the_next_page_is_on_the_same_server(sandbox: Sandbox, elsewhere: Elsewhere, more: str) -> None:
    """The App's JWT is the whole App: no Link header may take it elsewhere."""
    await lose(sandbox, 1)
    host = sandbox.url.removeprefix("http://")
    link = {"Link": f'<{more.format(elsewhere=elsewhere.url, host=host)}>; rel="next"', **JSON}
    sandbox.faults.add(path="/app/hook/deliveries$", status=200, body=[], headers=link)
    async with listing(sandbox) as deliveries:
        with pytest.raises(Transient, match=r"a list of GitHub's API goes on at .*127\.0\.0\.1, where nothing is sent"):
            await all_since(deliveries, EVER)
    assert elsewhere.received == []


@pytest.mark.usefixtures("gitops")
async def test_the_next_page_of_installations_is_on_the_same_server(sandbox: Sandbox, elsewhere: Elsewhere) -> None:
    """It is read with the App's JWT too, and has as many pages as there may be installations."""
    link = {"Link": f'<{elsewhere.url}/app/installations?page=2>; rel="next"', **JSON}
    sandbox.faults.add(path="/app/installations$", status=200, body=[], headers=link)
    here = {"Link": f'<{sandbox.url}/app/installations?page=2>; rel="next"', **JSON}
    sandbox.faults.add(path="/app/installations$", status=200, body=[], headers=here, times=None)
    async with aiohttp.ClientSession() as session:
        listed = InstallationList(app_api(session, sandbox.url, sandbox.app.id, sandbox.app.private_key))
        with pytest.raises(Transient, match="where nothing is sent"):
            assert [account async for account in listed.accounts()] == []
        since = len(sandbox.requests)
        assert [account async for account in listed.accounts()] == []
    assert len(sandbox.requests) - since == 101
    assert elsewhere.received == []


async def test_a_list_without_an_end_has_one(sandbox: Sandbox) -> None:
    """Pages that are empty or lead in a circle are not asked for for ever."""
    link = {"Link": f'<{sandbox.url}/app/hook/deliveries?cursor=1>; rel="next"', **JSON}
    sandbox.faults.add(path="/app/hook/deliveries$", status=200, body=[], headers=link, times=None)
    async with listing(sandbox) as deliveries:
        with pytest.raises(Transient, match="has no end after 100 pages"):
            await all_since(deliveries, EVER)


# -- how large it is


class Stream:
    """A server that answers everything with `megabytes` of no JSON; `sent` is how many bytes of it were sent."""

    def __init__(self) -> None:
        self.url = ""
        self.status = 200
        self.megabytes = 300
        self.gzipped = False
        self.sent = 0

    async def answer(self, request: web.Request) -> web.StreamResponse:
        headers = {**JSON, **({"Content-Encoding": "gzip"} if self.gzipped else {})}
        response = web.StreamResponse(status=self.status, headers=headers)
        await response.prepare(request)
        packer = zlib.compressobj(9, zlib.DEFLATED, 31)
        for _ in range(self.megabytes * 10):
            chunk = b"a" * (MEGABYTE // 10)
            piece = packer.compress(chunk) if self.gzipped else chunk
            if piece:
                await response.write(piece)
                self.sent += len(piece)
        if self.gzipped:
            await response.write(packer.flush())
        return response


@pytest.fixture
async def stream() -> AsyncIterator[Stream]:
    """A server that has no end of an answer."""
    stream = Stream()
    async with serving(stream.answer) as stream.url:
        yield stream


@pytest.mark.parametrize(("status", "gzipped"), [(200, False), (200, True), (302, True), (404, False), (503, True)])
@pytest.mark.parametrize(
    ("path", "limit"),
    [
        ("/repos/a/b", transport.ANSWER_BYTES),
        ("/graphql", transport.GRAPHQL_BYTES),
        ("/repos/a/b/git/trees/c", transport.LARGE_ANSWER_BYTES),
    ],
)
async def test_an_answer_has_a_largest_size(
    stream: Stream, path: str, limit: int, *, gzipped: bool, status: int
) -> None:
    """Of 300 MB no more is read, or inflated, than until the limit; of an error much less."""
    stream.status, stream.gzipped = status, gzipped
    limit = limit if status == 200 else transport.ERROR_BYTES
    async with aiohttp.ClientSession() as session:
        governor = Governor(Quota(), asyncio.get_running_loop())
        api = InstallationAPI(session, stream.url, some_token, governor)
        tracemalloc.start()
        try:
            with pytest.raises((Transient, gidgethub.HTTPException)) as caught:
                await api.getitem(path)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    # The body, what doubles it while it grows, and what both ends have in their buffers.
    assert peak < 2.5 * limit + 5 * MEGABYTE
    assert stream.sent < limit + 10 * MEGABYTE
    if status == 200:
        assert str(caught.value) == f"an answer of GitHub's has more than {limit:,} bytes"


async def test_files_that_make_an_answer_too_large_are_read_in_parts(
    sandbox: Sandbox, gitops: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fifty large files are asked for in one request; what its answer may not hold comes in halves."""
    files = {f"env/{number}.yaml": f"a: {'x' * 10_000}{number}\n" for number in range(40)}
    gitops.commit(files, "Add")
    monkeypatch.setattr(transport, "GRAPHQL_BYTES", 150_000)
    async with adapter(sandbox, gitops) as (forge, repository, _):
        snapshot = await forge.open(repository, sorted(files))
        assert {path: file.data for path, file in snapshot.files.items()} == {
            path: text.encode() for path, text in files.items()
        }
        snapshot = await forge.read(await forge.open(repository, ["README.md"]), [Glob("env/*.yaml")], unlimited())
        assert files.keys() <= snapshot.files.keys()
    # One by one would be forty.
    assert len([one for one in sandbox.requests if one.operation == "Read"]) < 20


async def test_a_tree_that_is_too_large_is_read_folder_by_folder(
    sandbox: Sandbox, gitops: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As one that GitHub itself cuts off is."""
    gitops.commit({f"env/{folder}/{n}.yaml": "a: 1\n" for folder in range(20) for n in range(10)}, "Add")
    monkeypatch.setattr(transport, "LARGE_ANSWER_BYTES", 9_000)
    async with adapter(sandbox, gitops) as (forge, repository, _):
        snapshot = await forge.read(await forge.open(repository, []), [Glob("env/**/*.yaml")], unlimited())
    assert len(snapshot.files) == 200


async def test_few_large_answers_are_read_at_a_time(stream: Stream) -> None:
    """Their number times their size is memory: of one installation two, of all four; small ones need not wait."""
    stream.megabytes = 3
    places = FairSemaphore(LARGE_ANSWERS, LARGE_ANSWERS_EACH, "many are read")
    held: list[tuple[int, int]] = []

    @asynccontextmanager
    async def large(installation: int) -> AsyncIterator[None]:
        async with places.acquire(installation, 30.0):
            held.append((places._held[installation], places._held.total()))
            yield

    async def ask(installation: int) -> None:
        governor = Governor(Quota(), asyncio.get_running_loop(), large_answer=partial(large, installation))
        api = InstallationAPI(session, stream.url, some_token, governor)
        with suppress(Transient):
            await api.getitem("/x")

    async with aiohttp.ClientSession() as session:
        await asyncio.gather(*(ask(installation) for installation in (1, 2, 3) for _ in range(5)))
        assert len(held) == 15
        assert (max(each for each, _ in held), max(every for _, every in held)) == (2, 4)
        stream.megabytes = 0
        await ask(1)
        assert len(held) == 15


async def some_token(_: str | None) -> str:
    return "token"


# -- what shape it has

DEEP = b'{"a":' * 100_000 + b"1" + b"}" * 100_000
ODD: list[tuple[bytes, dict[str, str]]] = [
    (b"[" * 100_000 + b"]" * 100_000, JSON),
    (DEEP, JSON),
    (b'{"object": {"sha": ' + b"9" * 5000 + b"}}", JSON),
    (b'{"data": {"repository": {"ref": ' + b"9" * 5000 + b"}}}", JSON),
    (b"\xff\xfe{}", JSON),
    (b"{}", {"Content-Type": "application/json; charset=no-such-charset"}),
    (b"{}", {"Content-Type": "application/json; charset=idna"}),
    (b"<html>", {"Content-Type": "text/html"}),
    (b"not json", JSON),
    (b"", JSON),
    (b"[]", JSON),
    (b"null", JSON),
    (b"true", JSON),
    (b'"text"', JSON),
    (b"NaN", JSON),
    (b"1e999", JSON),
    (b"{}", JSON),
    (b'{"data": null}', JSON),
    (b'{"data": []}', JSON),
    (b'{"data": {"repository": []}}', JSON),
    (b'{"data": {"repository": {"ref": 1}}}', JSON),
    (b'{"data": {"repository": {"ref": {"name": 1, "target": null}}}}', JSON),
    (b'{"data": {"repository": {"ref": {"name": "main", "target": {"oid": "../.."}}}}}', JSON),
    (b'{"errors": null}', JSON),
    (b'{"errors": 5}', JSON),
    (b'{"errors": []}', JSON),
    (b'{"errors": [null]}', JSON),
    (b'{"errors": [{"message": {"a": 1}}]}', JSON),
    (b'{"errors": [{"type": []}]}', JSON),
    (b'{"object": null}', JSON),
    (b'{"object": {"sha": 7}}', JSON),
    (b'{"object": {"sha": "\\ud800"}}', JSON),
    (b"{}", {**JSON, "X-RateLimit-Remaining": "many", "X-RateLimit-Limit": "5", "X-RateLimit-Reset": "soon"}),
    (b"{}", {**JSON, "X-RateLimit-Remaining": "1", "X-RateLimit-Limit": "5", "X-RateLimit-Reset": "9" * 30}),
    (b"{}", {**JSON, "Content-Encoding": "gzip"}),
]


@pytest.mark.parametrize(("body", "headers"), ODD, ids=[str(number) for number in range(len(ODD))])
@pytest.mark.parametrize("path", ["graphql", "/git/ref/", "access_tokens"])
async def test_an_answer_that_cannot_be_read_is_transient(
    sandbox: Sandbox, gitops: Repository, path: str, body: bytes, headers: dict[str, str]
) -> None:
    """Whatever comes with status 200: a sentence, and no crash that would count as a bug of ours."""
    sandbox.graphql = path == "graphql"
    async with forge_of(sandbox) as forge:
        repository = named(sandbox, gitops)
        if path != "access_tokens":
            await forge.open(repository, [])
        sandbox.faults.add(path=path, status=200, body=body, headers=headers)
        with pytest.raises(Transient) as caught:
            await forge.open(repository, [], "main")
    assert str(caught.value)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 418, 422, 499, 600, 999])
@pytest.mark.parametrize(
    "body",
    [b"[]", b'"x"', b"{}", b'{"message": null}', b'{"message": {"a": 1}, "errors": 5}', b'{"errors": [1]}', DEEP, b""],
    ids=range(8),
)
async def test_a_refusal_that_cannot_be_read_has_a_sentence(
    sandbox: Sandbox, gitops: Repository, status: int, body: bytes
) -> None:
    """By its status, if that is one."""
    sandbox.graphql = False
    async with forge_of(sandbox) as forge:
        repository = named(sandbox, gitops)
        await forge.open(repository, [])
        sandbox.faults.add(path="/git/ref/", status=status, body=body, headers=JSON, times=2)
        with pytest.raises((Transient, Unavailable, InputError)) as caught:
            await forge.open(repository, [], "main")
    assert str(caught.value)


async def test_what_github_says_is_as_long_as_a_person_reads(sandbox: Sandbox, gitops: Repository) -> None:
    """It is stored, logged and shown: cut, and without what moves a terminal's cursor or is half a character."""
    sandbox.graphql = False
    async with forge_of(sandbox) as forge:
        repository = named(sandbox, gitops)
        await forge.open(repository, [])
        text = "no\x1b[2J\ud800 " + "a" * 100_000
        sandbox.faults.add(path="/git/ref/", status=410, body=json.dumps({"message": text}).encode(), headers=JSON)
        with pytest.raises(Unavailable) as caught:
            await forge.open(repository, [])
    assert len(str(caught.value)) < 1200
    assert str(caught.value).startswith("GitHub answered 410: no [2J  aaa")


@pytest.mark.parametrize("seconds", ["31536000", "1e300", "9" * 400])
async def test_no_header_stops_an_installation_for_more_than_a_day(
    sandbox: Sandbox, gitops: Repository, seconds: str
) -> None:
    """GitHub's own pauses end within the hour."""
    async with forge_of(sandbox) as forge:
        repository = named(sandbox, gitops)
        await forge.open(repository, [])
        sandbox.faults.add(operation="Open", status=403, body=REFUSAL, headers={"Retry-After": seconds})
        with pytest.raises(Transient) as caught:
            await forge.open(repository, [])
    assert caught.value.retry_after is not None
    assert caught.value.retry_after <= 86_400


@pytest.mark.usefixtures("gitops")
async def test_a_payload_that_nobody_can_read_is_said_to_be_so(sandbox: Sandbox) -> None:
    """Asking for it again may give the same: it must not keep the sweep from what comes after it."""
    await lose(sandbox, 1)
    (sent,) = sandbox.webhooks.deliveries
    async with forge_of(sandbox) as forge:
        for body, sentence in ((DEEP, "nested too deep"), (b"9" * 5000, "a number that is too long"), (b"[", "read")):
            sandbox.faults.add(path=r"/deliveries/\d", status=200, body=body, headers=JSON)
            with pytest.raises(Unreadable, match=sentence):
                await forge.deliveries.payload(sent.id)


@pytest.mark.parametrize("token", ["a\r\nX-Evil: 1", "", "x" * 10_000, "é", 5, None])
async def test_a_token_is_one_that_fits_into_a_header(sandbox: Sandbox, gitops: Repository, token: Any) -> None:
    """And not so long that the cache of tokens would be full of it."""
    answer = {"token": token, "expires_at": "2099-01-01T00:00:00Z"}
    sandbox.faults.add(path="access_tokens", status=201, body=answer, headers=JSON)
    async with forge_of(sandbox) as forge:
        with pytest.raises(Transient):
            await forge.open(named(sandbox, gitops), [])
