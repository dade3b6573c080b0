"""One installation's requests: what may go away by itself is told apart from what may not."""

from __future__ import annotations

import asyncio
import json
import time
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
from adapters import adapter
from running import REFUSAL

from bot.errors import Transient, Unavailable
from bot.github import client
from bot.github.answers import LIMITED
from bot.github.auth import app_api
from bot.github.limits import Cost
from bot.github.quota import Governor, Quota

if TYPE_CHECKING:
    from bot.sandbox import Repository, Sandbox


@pytest.mark.parametrize(
    "case",
    [
        ({"status": 500}, "GitHub answered 500", None),
        ({"status": 503, "headers": {"Retry-After": "7"}}, "GitHub answered 503", 7),
        ({"status": 502, "headers": {"Retry-After": "Wed, 21 Oct 2026 07:28:00 GMT"}}, "GitHub answered 502", None),
        # aiohttp sends a GET again by itself where a connection that was kept turns out to be closed.
        ({"reset": True, "times": 2}, "no connection to GitHub: 127.0.0.1 closed it before it had answered", None),
        ({"status": 429}, LIMITED, 60),
        ({"status": 403, "headers": {"Retry-After": "33"}}, LIMITED, 33),
        ({"status": 403, "body": {**REFUSAL, "message": "exceeded a secondary rate limit"}}, LIMITED, 60),
    ],
)
@pytest.mark.parametrize("graphql", [True, False])
async def test_what_may_go_away_is_transient(
    sandbox: Sandbox, gitops: Repository, graphql: bool, case: tuple[Any, str, float | None]
) -> None:
    """With the pause that the server asked for, by either API."""
    fault, sentence, pause = case
    sandbox.graphql = graphql
    async with adapter(sandbox, gitops) as (forge, repository, _):
        await forge.open(repository, [])
        sandbox.faults.add(path="graphql|/git/ref/", **{"body": REFUSAL, **fault})
        with pytest.raises(Transient, match=sentence) as caught:
            await forge.open(repository, [])
    assert caught.value.retry_after == (None if pause is None else pytest.approx(pause, abs=5))


async def test_a_primary_limit_ends_when_githubs_header_says_so(sandbox: Sandbox, gitops: Repository) -> None:
    """The header is a time of day; the pause is from now until then."""
    headers = {"x-ratelimit-remaining": "0", "x-ratelimit-reset": str(int(time.time()) + 120)}
    sandbox.faults.add(operation="Open", status=403, body=REFUSAL, headers=headers)
    async with adapter(sandbox, gitops) as (forge, repository, _):
        with pytest.raises(Transient, match=LIMITED) as caught:
            await forge.open(repository, [])
    assert caught.value.retry_after == pytest.approx(120, abs=5)


QUERY, MUTATION = "\n  query Open($a: Int) { a }", "\nmutation Commit($input: X!) { a }"
READS = Cost(42, points=1)
CREATES = Cost(42, points=5, writes=1)
LANDS = CREATES._replace(lands=True)
REPORTS = CREATES._replace(report=True)


@pytest.mark.parametrize(
    ("method", "path", "document", "expected"),
    [
        ("GET", "/repos/a/b/git/trees/c?recursive=1", "", READS),
        ("GET", "/repos/a/b/commits/c/check-runs", "", READS),
        ("POST", "/repos/a/b/git/blobs", "", CREATES),
        ("POST", "/repos/a/b/git/trees", "", CREATES),
        ("POST", "/repos/a/b/git/commits", "", CREATES),
        ("PATCH", "/repos/a/b/git/refs/heads/git/trees/x", "", LANDS),
        ("PUT", "/repos/a/b/contents/values.yaml", "", LANDS),
        ("DELETE", "/repos/a/b/contents/values.yaml", "", LANDS),
        ("POST", "/repos/a/b/check-runs", "", REPORTS),
        ("PATCH", "/repos/a/b/check-runs/7", "", REPORTS),
        ("POST", "/graphql", QUERY, READS),
        ("POST", "/graphql", "{ a }", READS),
        ("POST", "/graphql", MUTATION, LANDS),
        ("POST", "/graphql", "queryset { a }", LANDS),
        ("POST", "/graphql", "fragment F on X { a } query { ...F }", LANDS),
    ],
)
async def test_a_request_costs_what_github_counts_or_more(
    method: str, path: str, document: str, expected: Cost
) -> None:
    """Points by kind; a write is whatever may be one; a branch moves wherever that cannot be excluded."""
    async with aiohttp.ClientSession() as session:
        governor = Governor(Quota(), asyncio.get_running_loop())
        api = client.InstallationAPI(session, "https://api.github.com", no_token, governor, 42)
        body = json.dumps({"query": document, "variables": {"q": "query"}}).encode() if document else b""
        cost = api._cost(method, f"https://api.github.com{path}", body)
    assert cost == expected._replace(graphql=bool(document))


async def no_token(_: str | None) -> str:
    raise AssertionError


async def test_no_answer_in_time_is_transient(
    sandbox: Sandbox, gitops: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A request has an end, whatever the server does."""
    async with adapter(sandbox, gitops) as (forge, repository, _):
        await forge.open(repository, [])
        monkeypatch.setattr(client, "TIMEOUT", aiohttp.ClientTimeout(total=0.05))
        sandbox.faults.add(operation="Open", delay=0.5)
        with pytest.raises(Transient, match="GitHub did not answer within"):
            await forge.open(repository, [])


async def test_a_server_that_is_not_there_is_transient(sandbox: Sandbox, gitops: Repository) -> None:
    """Connection refused: the host and the cause, no address with secrets in it."""
    async with adapter(sandbox, gitops) as (forge, repository, _):
        await sandbox.stop()
        with pytest.raises(Transient, match=r"127\.0\.0\.1:\d+ cannot be reached \(connection refused\)"):
            await forge.open(repository, [])
        await sandbox.start()


@pytest.mark.parametrize(
    ("status", "message", "sentence"),
    [
        (403, "Resource not accessible by integration", "GitHub forbids it: .*accept the App's permissions"),
        (404, "Not Found", "the App is not installed there, or the repository is gone"),
        (
            403,
            "Repository was archived so is read-only.",
            "GitHub forbids it: Repository was archived so is read-only; unarchive the repository",
        ),
        (410, "Gone", "GitHub answered 410"),
        (
            451,
            "Repository access blocked",
            "GitHub forbids it: Repository access blocked; GitHub has closed the repository",
        ),
    ],
)
async def test_what_needs_a_person_is_unavailable(
    sandbox: Sandbox, gitops: Repository, status: int, message: str, sentence: str
) -> None:
    """GitHub's own words, and who has to do what."""
    sandbox.graphql = False
    async with adapter(sandbox, gitops) as (forge, repository, _):
        await forge.open(repository, [])
        sandbox.faults.add(path="/git/ref/", status=status, body={**REFUSAL, "message": message})
        with pytest.raises(Unavailable, match=sentence) as caught:
            await forge.open(repository, [])
    assert message.removesuffix(".") in str(caught.value)


@pytest.mark.parametrize(
    ("error", "expected", "sentence"),
    [
        ({"type": "FORBIDDEN", "message": "Resource not accessible"}, Unavailable, "Resource not accessible"),
        (
            {"type": "NOT_FOUND", "path": ["repository"], "message": "Could not resolve"},
            Unavailable,
            "Could not resolve",
        ),
        ({"type": "RATE_LIMITED", "message": "API rate limit exceeded"}, Transient, LIMITED),
        ({"message": "Something else went wrong."}, Transient, "GitHub's GraphQL API answered: Something else"),
    ],
)
async def test_errors_of_graphql_come_with_status_200(
    sandbox: Sandbox, gitops: Repository, error: Any, expected: type[Exception], sentence: str
) -> None:
    """Their type decides; one without a type is GitHub's own trouble."""
    sandbox.faults.add(operation="Open", status=200, body={"data": {"repository": None}, "errors": [error]})
    async with adapter(sandbox, gitops) as (forge, repository, _):
        with pytest.raises(expected, match=sentence):
            await forge.open(repository, [])


async def test_an_answer_that_is_no_json_is_transient(sandbox: Sandbox, gitops: Repository) -> None:
    """A proxy's page in between is no answer of GitHub's."""
    page = {"status": 200, "body": b"<html>", "headers": {"Content-Type": "text/html"}}
    sandbox.faults.add(operation="Open", **page)
    async with adapter(sandbox, gitops) as (forge, repository, _):
        with pytest.raises(
            Transient, match=r"this is not GitHub's API: 127\.0\.0\.1 answered 200 with HTML; something on the way"
        ):
            await forge.open(repository, [])


@pytest.mark.parametrize(("prefix", "graphql"), [("", "/graphql"), ("/api/v3", "/api/graphql")])
async def test_graphql_lies_beside_rest(sandbox: Sandbox, gitops: Repository, prefix: str, graphql: str) -> None:
    """On Enterprise Server at /api/graphql; on github.com at the root."""
    async with adapter(sandbox, gitops, prefix=prefix) as (forge, repository, _):
        snapshot = await forge.open(repository, [])
    assert snapshot.head == gitops.head()
    assert [request.path for request in sandbox.requests if request.operation] == [graphql]


async def test_graphql_is_asked_for_again_some_time(sandbox: Sandbox, gitops: Repository) -> None:
    """A 404 may have been that of a proxy: when the time is up and GraphQL is there, it is used."""
    sandbox.graphql = False
    async with adapter(sandbox, gitops) as made:
        await made.forge.open(made.repository, [])
        sandbox.graphql = True
        made.forge._no_graphql_until = time.monotonic()
        await made.forge.open(made.repository, [])
        assert made.asked()[-1] == "Open"


async def test_a_server_without_graphql_is_asked_once(sandbox: Sandbox, gitops: Repository) -> None:
    """An old Enterprise Server: its 404 is remembered for a while, REST is used meanwhile."""
    sandbox.graphql = False
    async with adapter(sandbox, gitops, prefix="/api/v3") as made:
        for _ in range(3):
            assert (await made.forge.open(made.repository, [])).head == gitops.head()
        assert made.asked() == ["Open", *["GET git/ref/heads/main"] * 3]


SECONDARY = "You have exceeded a secondary rate limit. Please wait a few minutes before you try again."
ABUSE = "You have triggered an abuse detection mechanism. Please wait a few minutes before you try again."
LIMITS: list[tuple[str, dict[str, Any]]] = [
    (
        "access_tokens",
        {"status": 403, "body": {**REFUSAL, "message": ABUSE}},
    ),
    ("access_tokens", {"status": 429, "body": REFUSAL}),
    ("/git/ref/", {"status": 403, "body": {**REFUSAL, "message": ABUSE}}),
    ("/git/ref/", {"status": 403, "body": {**REFUSAL, "message": SECONDARY}}),
    ("graphql", {"status": 403, "body": {**REFUSAL, "message": SECONDARY}}),
    ("graphql", {"status": 200, "body": {"errors": [{"message": SECONDARY}]}}),
    ("graphql", {"status": 200, "body": {"errors": [{"type": "RATE_LIMIT", "message": "x"}]}}),
    ("graphql", {"status": 200, "body": {"errors": [{"message": "x", "extensions": {"code": "graphql_rate_limit"}}]}}),
    ("graphql", {"status": 200, "body": {"errors": [{"message": "wait"}]}, "headers": {"retry-after": "60"}}),
]


@pytest.mark.parametrize(("path", "answer"), LIMITS)
async def test_after_a_limit_in_any_words_nothing_more_is_sent(
    sandbox: Sandbox, gitops: Repository, path: str, answer: dict[str, Any]
) -> None:
    """One pause for the installation, of a minute where GitHub does not say: for tokens, REST and GraphQL alike."""
    sandbox.graphql = path != "/git/ref/"
    async with adapter(sandbox, gitops) as (forge, repository, _):
        sandbox.faults.add(path=path, times=None, **answer)
        for _ in range(3):
            with pytest.raises(Transient, match=LIMITED) as caught:
                await forge.open(repository, [])
            assert caught.value.retry_after == pytest.approx(60, abs=5)
        assert [one.path.rpartition("/")[2] for one in sandbox.requests].count(path.strip("/")) <= 1
        assert len(sandbox.requests) <= 3


async def test_after_a_limit_the_apps_lists_are_not_asked_for(sandbox: Sandbox) -> None:
    """The App's own requests have no installation to pause, and must not go on either; tokens are not concerned."""
    async with aiohttp.ClientSession() as session:
        api = app_api(session, sandbox.url, sandbox.app.id, sandbox.app.private_key)
        sandbox.faults.add(status=403, body={**REFUSAL, "message": SECONDARY}, times=None)
        for _ in range(3):
            with pytest.raises(Transient, match=LIMITED) as caught:
                await api.page("/app/hook/deliveries")
            assert caught.value.retry_after == pytest.approx(60, abs=5)
    assert len(sandbox.requests) == 1
