"""The service around the resources: validators, limits, faults, what is recorded, pages, and memory across restarts."""

from __future__ import annotations

import asyncio
import json
import stat
import threading
import time
from typing import TYPE_CHECKING

import aiohttp
import pytest
from openapi import validate

from bot.sandbox import Fault, Sandbox
from bot.sandbox.rules import Rule

if TYPE_CHECKING:
    from pathlib import Path

    from sandbox_ends import Client, Receiver

    from bot.sandbox import Repository

README = "/repos/acme/gitops/contents/README.md"


async def test_an_unchanged_answer_is_304_and_free(client: Client, gitops: Repository) -> None:
    """With its ETag a GET is answered 304 without a body, and no request is counted, until the content changes."""
    first = await client("GET", README)
    again = await client("GET", README, headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status, again.raw) == (304, b"")
    assert again.headers["x-ratelimit-used"] == first.headers["x-ratelimit-used"]
    gitops.commit({"README.md": "# New\n"}, "change")
    assert (await client("GET", README, headers={"If-None-Match": first.headers["ETag"]})).status == 200


async def test_each_answer_tells_the_limit(client: Client) -> None:
    """Requests count down, REST and GraphQL apart; asking for the limit is free."""
    one, two = await client("GET", README), await client("GET", "/repos/acme/gitops/contents/nothing")
    assert int(two.headers["x-ratelimit-used"]) == int(one.headers["x-ratelimit-used"]) + 1
    await client.graphql("{ __typename }")
    limits = (await client("GET", "/rate_limit")).data["resources"]
    assert (limits["core"]["used"], limits["graphql"]["used"]) == (int(two.headers["x-ratelimit-used"]), 1)
    names = {"limit", "remaining", "used", "reset", "resource"}
    assert {name for name in names if f"x-ratelimit-{name}" in two.headers} == names


async def test_beyond_the_limit_nothing_is_answered_until_the_hour_ends(client: Client) -> None:
    """REST says so with 403, GraphQL inside an answer; the next hour begins anew."""
    sandbox, began = client.sandbox, time.time()
    sandbox.rate_limits = {"core": 0, "graphql": 0}
    refused = await client("GET", README)
    assert (refused.status, refused.headers["x-ratelimit-remaining"]) == (403, "0")
    assert refused.data["message"] == "API rate limit exceeded for installation ID 25669."
    assert (await client.graphql("{ __typename }"))["errors"][0]["type"] == "RATE_LIMITED"
    sandbox.rate_limits["core"] = 1
    assert [(await client("GET", README)).status for _ in range(2)] == [200, 403]
    sandbox.clock = lambda: began + 3600
    client.token = await client.new_token()
    assert (await client("GET", README)).status == 200


async def test_what_is_not_there_is_not_found_in_githubs_words(client: Client) -> None:
    """An unknown address and an unknown method are both 404."""
    client.sandbox.observer = None  # what does not exist is not described
    for method, path in (("GET", "/nothing/at/all"), ("DELETE", "/repos/acme/gitops"), ("GET", "/repos/acme/none")):
        reply = await client(method, path)
        assert (reply.status, reply.data["message"], reply.data["status"]) == (404, "Not Found", "404")
        assert reply.data["documentation_url"].startswith("https://docs.github.com/")


async def test_a_fault_comes_instead_or_afterwards(client: Client, gitops: Repository) -> None:
    """Before the effect nothing happens; after it the commit is made though the answer is lost."""
    put = ("PUT", "/repos/acme/gitops/contents/new", {"message": "m", "content": ""})
    head, bad = gitops.head(), {"message": "Bad", "documentation_url": "https://docs.github.com/rest"}
    client.sandbox.faults.add(method="PUT", path="/contents/", status=502, body=bad, headers={"x-a": "b"})
    lost = await client(*put)
    assert (lost.status, lost.data, lost.headers["x-a"], gitops.head()) == (502, bad, "b", head)
    client.sandbox.faults.add(method="PUT", status=502, body=bad, after=True)
    assert (await client(*put)).status == 502
    assert gitops.log()[0].parents == (head,)


async def test_a_connection_can_be_dropped(client: Client, gitops: Repository) -> None:
    """The caller sees no answer, before or after the effect, and the request is on record without a status."""
    body = {"ref": "refs/heads/new", "sha": gitops.head()}
    for after, branches in ((False, {"main"}), (True, {"main", "new"})):
        client.sandbox.faults.add(path="/git/refs", reset=True, after=after)
        with pytest.raises(aiohttp.ClientError):
            await client("POST", "/repos/acme/gitops/git/refs", body)
        assert set(gitops.branches()) == branches
        assert client.sandbox.requests[-1].status == 0


async def test_a_fault_lasts_as_often_as_it_says(client: Client) -> None:
    """`times` requests are hit, by GraphQL operation too; what was not needed can be forgotten."""
    client.sandbox.faults.add(operation="Read", times=2, status=500)
    named = {"query": "query Read { __typename }"}
    assert [(await client("POST", "/graphql", named)).status for _ in range(3)] == [500, 500, 200]
    client.sandbox.faults.add(status=500)
    client.sandbox.faults.clear()
    assert (await client("GET", README)).status == 200
    with pytest.raises(TypeError, match="statsu"):
        client.sandbox.faults.add(statsu=500)


async def test_something_can_happen_just_before_a_request(client: Client, gitops: Repository) -> None:
    """A foreign commit slips in between a client's read and its write, by function or coroutine."""
    sha = (await client("GET", README)).data["sha"]
    client.sandbox.before(lambda: gitops.commit({"README.md": "# faster\n"}, "a person"), method="PUT")
    assert (await client("PUT", README, {"message": "m", "content": "", "sha": sha})).status == 409
    seen = []

    async def look() -> None:
        await asyncio.sleep(0)
        seen.append("looked")

    fault = client.sandbox.before(look, path="README")
    await client("GET", README)
    assert (seen, fault, fault.times) == (["looked"], Fault(path="README", callback=look, times=0), 0)


async def test_latency_and_delay_take_time(client: Client) -> None:
    """Both are seconds, and add up."""
    client.sandbox.latency = 0.05
    client.sandbox.faults.add(delay=0.05)
    began = time.monotonic()
    await client("GET", README)
    assert time.monotonic() - began >= 0.1


async def test_requests_are_recorded(client: Client) -> None:
    """Method, path without prefix, operation, query and bodies of each request can be looked at."""
    client.prefix = "/api/v3"
    await client("GET", f"{README}?ref=main")
    last = client.sandbox.requests[-1]
    assert (last.method, last.path, last.query, last.status) == ("GET", README, {"ref": "main"}, 200)
    assert last.response_body["path"] == "README.md"
    client.prefix = ""
    await client.graphql("query Named { __typename }")
    assert client.sandbox.requests[-1].operation == "Named"


async def test_links_lead_to_readable_pages(client: Client, gitops: Repository) -> None:
    """Repository, commit, file, folder and check run are shown as text without credentials."""
    oid = gitops.commit({"README.md": "# Changed\n"}, "Change the title\n\nBecause.")
    run = await client("POST", "/repos/acme/gitops/check-runs", {"name": "n", "head_sha": oid, "conclusion": "success"})
    pages = {
        "/acme/gitops": f"{oid[:10]}  Change the title\n",
        f"/acme/gitops/commit/{oid}": "modified README.md\n@@ -1 +1 @@\n-# GitOps\n+# Changed\n",
        "/acme/gitops/blob/main/README.md": "# Changed\n",
        "/acme/gitops/tree/main/environments": "dev\nprod\n",
        f"/acme/gitops/runs/{run.data['id']}": "n: success\n",
    }
    for path, text in pages.items():
        page = await client("GET", path, token="")
        assert (page.status, page.headers["Content-Type"]) == (200, "text/plain; charset=utf-8")
        assert text in page.raw.decode()
    for path in ("/acme/none", "/acme/gitops/commit/none", "/acme/gitops/blob/none/a", "/acme/gitops/runs/1"):
        assert (await client("GET", path, token="")).status == 404


async def test_a_restart_finds_everything_again(tmp_path: Path, receiver: Receiver) -> None:
    """Ids, commits, protection, installations, the App and the user's token are there after a restart."""
    first = Sandbox(tmp_path / "kept")
    made = first.create_repository("acme/gitops", {"a": "b"}, "trunk", private=False)
    first.create_repository("globex/site", installed=False)
    made.protect(classic=True)
    made.restrict_pushes("file size", 9)
    first.close()
    again = Sandbox(tmp_path / "kept")
    repo = again.find_repository("acme/gitops")
    assert repo is not None
    kept = (repo.id, repo.head(), repo.protected, repo.private)
    assert kept == (made.id, made.head(), {"trunk": [Rule("pull request", classic=True)]}, False)
    assert repo.push_rules == [Rule("file size", value=9)]
    assert (again.app, again.user_token, again.installations) == (first.app, first.user_token, first.installations)
    again.webhook_url = receiver.url
    await again.start()
    assert await again.dispatch("globex/site", "update") is None
    assert await again.dispatch("acme/gitops", "update") is not None
    await again.stop()
    assert [payload["action"] for _, payload in receiver.events] == ["update"]
    mode = (tmp_path / "kept" / "sandbox.json").stat().st_mode
    assert stat.S_IMODE(mode) == 0o600


async def test_a_taken_port_is_an_error_and_leaves_nothing(sandbox: Sandbox, tmp_path: Path) -> None:
    """Starting on a port in use raises OSError; the sandbox can start elsewhere afterwards."""
    other = Sandbox(tmp_path / "other", app=sandbox.app)
    with pytest.raises(OSError, match="in use"):
        await other.start(port=int(sandbox.url.rpartition(":")[2]))
    assert (await other.start()).startswith("http://127.0.0.1:")
    await other.stop()


def test_the_python_face_refuses_what_cannot_be(tmp_path: Path) -> None:
    """A second repository of a name, a branch that is there, a branch or file that is not: each is named."""
    sandbox = Sandbox(tmp_path)
    repo = sandbox.create_repository("acme/gitops", {"a": "b"})
    with pytest.raises(ValueError, match="already has a repository 'Acme/gitops'"):
        sandbox.create_repository("Acme/gitops")
    with pytest.raises(ValueError, match="already has a branch 'main'"):
        repo.create_branch("main")
    with pytest.raises(KeyError, match=r"no branch 'none'; it has \['main'\]"):
        repo.head("none")
    with pytest.raises(KeyError, match="no file 'none' on main"):
        repo.read("none")
    sandbox.close()


def test_a_ref_moves_for_one_of_many(tmp_path: Path) -> None:
    """Of eight threads that move the same branch from the same commit, one succeeds."""
    sandbox = Sandbox(tmp_path)
    repo = sandbox.create_repository("acme/gitops", {"a": "b"})
    head, moved = repo.head(), []
    person = repo.commit_object(head)
    assert person.parents == []
    oids = [repo.commit({"a": str(number)}, "m", f"branch-{number}") for number in range(8)]
    barrier = threading.Barrier(8)

    def move(oid: str) -> None:
        barrier.wait()
        moved.append(repo.move("refs/heads/main", head, oid, "octocat"))

    threads = [threading.Thread(target=move, args=(oid,)) for oid in oids]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (moved.count(True), repo.head() in oids) == (1, True)
    sandbox.close()


@pytest.mark.parametrize(
    ("body", "status", "answer"),
    [
        ({"ref": "refs/heads/a"}, 201, {"ref": "refs/heads/a"}),
        ({"ref": "refs/heads/a", "sha": "1"}, 201, {"ref": "refs/heads/a"}),
        ({"ref": "refs/heads/a", "sha": "1"}, 400, {"error": "no message"}),
    ],
)
def test_the_description_tells_wrong_exchanges(body: object, status: int, answer: object) -> None:
    """A request without its sha, an answer without its object, an error without its message are noticed."""
    with pytest.raises(AssertionError, match="POST /repos/acme/gitops/git/refs"):
        validate("POST", "/repos/acme/gitops/git/refs", body, status, answer)


def test_the_state_file_holds_no_more_than_needed(tmp_path: Path) -> None:
    """What is remembered beside the repositories is the App, the user's token, how many were made and the lists."""
    Sandbox(tmp_path).close()
    state = json.loads((tmp_path / "sandbox.json").read_text())
    assert set(state) == {"app", "born", "user_token", "made", "installations", "repositories"}
