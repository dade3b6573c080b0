"""Faults by name, by chance and by kind of request; foreign commits in between; tokens that end."""

from __future__ import annotations

import asyncio
import json
import time
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
from sandbox_ends import b64

from bot.sandbox import PRESETS, Fault, asked
from bot.sandbox.asked import Asked
from bot.sandbox.faults import Faults
from bot.sandbox.preset_foreign import FOREIGN
from bot.sandbox.preset_limits import LIMITS

if TYPE_CHECKING:
    from sandbox_ends import Client, Receiver

    from bot.sandbox import Repository

REPO = "/repos/acme/gitops"
README = f"{REPO}/contents/README.md"
PUT = ("PUT", f"{REPO}/contents/new", {"message": "m", "content": ""})
MUTATION = (
    "mutation Write($input: CreateCommitOnBranchInput!) { createCommitOnBranch(input: $input) { commit { oid } } }"
)


def commit_input(head: str, full_name: str = "acme/gitops") -> dict[str, Any]:
    """Write a CreateCommitOnBranchInput that adds the file `new`."""
    return {
        "branch": {"repositoryNameWithOwner": full_name, "branchName": "main"},
        "expectedHeadOid": head,
        "message": {"headline": "m"},
        "fileChanges": {"additions": [{"path": "new", "contents": b64("x")}]},
    }


# -- chance


def hits(faults: Faults, requests: int) -> list[bool]:
    """Say of each of so many requests whether a fault struck it."""
    return [bool(faults.take(Asked("GET", "/rate_limit"))) for _ in range(requests)]


def test_chance_falls_the_same_way_for_the_same_seed() -> None:
    """Two runs with one seed are alike, another seed differs, and about the asked part is hit."""
    runs = []
    for seed in (7, 7, 8):
        faults = Faults()
        faults.seed(seed)
        faults.add(times=None, probability=0.3)
        runs.append(hits(faults, 1000))
    assert runs[0] == runs[1] != runs[2]
    assert 250 < sum(runs[0]) < 350


def test_what_the_dice_spare_is_not_counted() -> None:
    """Of many requests exactly `times` are hit, after `skip` that pass; without a count it never ends."""
    faults = Faults()
    faults.add(times=5, skip=10, probability=0.5)
    struck = hits(faults, 100)
    assert (sum(struck), any(struck[:10]), faults.waiting) == (5, False, [])
    endless = faults.add(times=None)
    assert (hits(faults, 100), faults.waiting) == ([True] * 100, [endless])


def test_a_certain_fault_takes_nothing_of_the_dice() -> None:
    """Faults without a probability may come and go: what chance does to the others stays the same."""
    alone, beside = Faults(), Faults()
    beside.add(times=50)
    for faults in (alone, beside):
        faults.add(times=None, probability=0.5, status=500)
    struck = [[fault.status == 500 for fault in beside.take(Asked("GET", "/"))] for _ in range(100)]
    assert [any(each) for each in struck] == hits(alone, 100)


@pytest.mark.parametrize("probability", [-0.1, 1.1])
def test_a_probability_beyond_certain_is_refused(probability: float) -> None:
    """The number is named."""
    with pytest.raises(ValueError, match=f"between 0 and 1, not {probability}"):
        Fault(probability=probability)


@pytest.mark.parametrize(
    ("path", "data", "branch"),
    [
        ("/graphql", {"query": "mutation X { a }", "variables": {"input": {"branch": {"branchName": "b"}}}}, "b"),
        ("/graphql", {"query": "query X { a }", "variables": {"ref": "refs/heads/a/b"}}, "a/b"),
        ("/graphql", {"query": "query X { a }"}, None),
        ("/repos/o/n/contents/x.yaml", {"branch": "b", "content": ""}, "b"),
        ("/repos/o/n/git/refs/heads/a%20b/c", {"sha": "1"}, "a b/c"),
        ("/repos/o/n/git/ref/heads/b", None, "b"),
        ("/repos/o/n/git/trees", {"branch": "b"}, None),
    ],
)
def test_a_fault_can_be_meant_for_a_branch(path: str, data: object, branch: str | None) -> None:
    """Whatever a request names it by; one for another branch is spared."""
    assert asked.branch(path, data) == branch
    request = Asked("POST", path, branch=branch)
    assert Fault(branch=branch).matches(request)
    assert not Fault(branch="another").matches(request)


# -- names


@pytest.mark.parametrize(
    ("name", "status", "sentence"),
    [
        ("500", 500, "Server Error"),
        ("502", 502, "Server Error"),
        ("502 after", 502, "Server Error"),
        ("503", 503, "No server is currently available to service your request."),
        ("bad credentials", 401, "Bad credentials"),
        ("stale", 409, f"is at {'2' * 40} but expected {'1' * 40}"),
        ("rule", 409, "Repository rule violations found\n\nChanges must be made through a pull request.\n\n"),
    ],
)
async def test_a_named_fault_refuses_once_in_githubs_words(
    client: Client, gitops: Repository, name: str, status: int, sentence: str
) -> None:
    """Only `after` the commit is made; the next request is well."""
    head = gitops.head()
    client.sandbox.faults.cause(name)
    refused = await client(*PUT)
    assert (refused.status, refused.data["message"]) == (status, sentence)
    assert (gitops.head() != head) == name.endswith("after")
    assert (await client("GET", README)).status == 200


@pytest.mark.parametrize(
    ("name", "status", "sentence", "header"),
    [
        ("secondary limit", 403, "You have exceeded a secondary rate limit", ("retry-after", "60")),
        ("too many requests", 429, "You have exceeded a secondary rate limit", ("retry-after", "60")),
        ("primary limit", 403, "API rate limit exceeded", ("x-ratelimit-remaining", "0")),
    ],
)
async def test_a_named_limit_says_how_long_to_wait(
    client: Client, name: str, status: int, sentence: str, header: tuple[str, str]
) -> None:
    """By the header that GitHub has for that limit; the next request is well."""
    client.sandbox.faults.cause(name)
    refused = await client("GET", README)
    assert (refused.status, refused.data["message"][: len(sentence)]) == (status, sentence)
    assert (refused.headers[header[0]], int(refused.headers["x-ratelimit-reset"]) > time.time()) == (header[1], True)
    assert (await client("GET", README)).status == 200


@pytest.mark.parametrize(
    ("name", "sentence"), [("stale ref", "Update is not a fast forward"), ("rule ref", "Repository rule violations")]
)
async def test_a_ref_that_does_not_move_says_why(client: Client, gitops: Repository, name: str, sentence: str) -> None:
    """422 is the answer to a ref's update alone: what is stored before it is well."""
    client.sandbox.faults.cause(name)
    head = gitops.head()
    body = {"message": "m", "tree": gitops.tree_of(head), "parents": [head]}
    made = await client("POST", f"{REPO}/git/commits", body)
    moved = await client("PATCH", f"{REPO}/git/refs/heads/main", {"sha": made.data["sha"]})
    assert (made.status, moved.status, moved.data["message"][: len(sentence)]) == (201, 422, sentence)
    assert gitops.head() == head


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("stale graphql", "STALE_DATA"),
        ("rule graphql", "UNPROCESSABLE"),
        ("classic rule graphql", "BRANCH_PROTECTION_RULE_VIOLATION"),
    ],
)
async def test_a_mutation_is_refused_inside_an_answer(client: Client, gitops: Repository, name: str, kind: str) -> None:
    """The status is 200 and the error typed; queries pass by."""
    client.sandbox.faults.cause(name)
    head = gitops.head()
    assert (await client.graphql("{ __typename }"))["data"] == {"__typename": "Query"}
    reply = await client("POST", "/graphql", {"query": MUTATION, "variables": {"input": commit_input(head)}})
    [error] = reply.data["errors"]
    assert (reply.status, error["type"], reply.data["data"]) == (200, kind, {"createCommitOnBranch": None})
    assert gitops.head() == head


async def test_the_named_refusals_read_as_the_real_ones(client: Client, gitops: Repository) -> None:
    """What a protected branch and a foreign commit make the sandbox answer is what the presets say."""
    stale = gitops.head()
    head = gitops.commit({"README.md": "# faster\n"}, "a person was faster")
    real = (await client.graphql(MUTATION, input=commit_input(stale)))["errors"][0]
    named = PRESETS["stale graphql"]["body"]["errors"][0]
    assert (real["type"], real["message"]) == (named["type"], named["message"].replace("1" * 40, stale))
    gitops.protect()
    real = (await client.graphql(MUTATION, input=commit_input(head)))["errors"][0]
    named = PRESETS["rule graphql"]["body"]["errors"][0]
    assert (real["type"], real["message"]) == (named["type"], named["message"])
    refused = await client(*PUT)
    assert (refused.status, refused.data["message"]) == (409, PRESETS["rule"]["body"]["message"])


@pytest.mark.parametrize("name", sorted(LIMITS))
async def test_every_limit_is_refused_once_and_says_when_to_come_again_or_not(client: Client, name: str) -> None:
    """Those without a time have no header for one; the next request is well."""
    sandbox, named = client.sandbox, LIMITS[name]
    sandbox.faults.cause(name)
    if name.startswith("limit at the token"):
        asked = ("POST", "/app/installations/25669/access_tokens", None)
        refused = await client(*asked, token=client.jwt())
    elif named.get("path") == "/graphql$":
        refused = await client("POST", "/graphql", {"query": "{ __typename }"})
    else:
        refused = await client(*PUT)
    assert (refused.status, "data" in refused.data) == (named["status"], False)
    assert refused.headers.get("retry-after") == named.get("headers", {}).get("retry-after")
    assert sandbox.faults.waiting == []
    assert (await client("GET", README)).status == 200


@pytest.mark.parametrize("name", sorted(FOREIGN))
async def test_what_is_not_the_api_answers_before_it_is_reached(client: Client, gitops: Repository, name: str) -> None:
    """A page has the status of whoever made it, and nothing was written; a redirection leads elsewhere."""
    head = gitops.head()
    client.sandbox.faults.cause(name, times=None)
    url, body = client.sandbox.url + README, {"message": "m", "content": ""}
    async with client.session.put(url, json=body, allow_redirects=False) as response:
        text = await response.text()
    assert response.status == FOREIGN[name]["status"]
    assert ("<html>" in text) == name.startswith("page")
    assert ("location" in response.headers) == name.startswith("redirect")
    assert gitops.head() == head


async def test_a_limit_of_graphql_is_told_with_status_200(client: Client) -> None:
    """RATE_LIMITED, nothing remaining, and when the hour ends."""
    client.sandbox.faults.cause("primary limit graphql")
    assert (await client("GET", README)).status == 200
    reply = await client("POST", "/graphql", {"query": "{ __typename }"})
    assert (reply.status, reply.data["errors"][0]["type"]) == (200, "RATE_LIMITED")
    assert reply.headers["x-ratelimit-remaining"] == "0"
    assert int(reply.headers["x-ratelimit-reset"]) > time.time()


@pytest.mark.parametrize("name", ["time-out before", "time-out after", "reset before", "reset after"])
async def test_a_lost_answer_does_not_tell_whether_anything_happened(
    client: Client, gitops: Repository, name: str
) -> None:
    """The connection is dropped, a time-out's after a while; the branch has moved only `after`."""
    head, began = gitops.head(), time.monotonic()
    client.sandbox.faults.cause(name, **({"delay": 0.05} if name.startswith("time-out") else {}))
    with pytest.raises(aiohttp.ClientError):
        await client.graphql(MUTATION, input=commit_input(head))
    assert (gitops.head() != head) == name.endswith("after")
    assert time.monotonic() - began >= (0.05 if name.startswith("time-out") else 0)


async def test_the_effect_comes_before_the_delay_of_what_is_after(client: Client, gitops: Repository) -> None:
    """While a client still waits for its answer, others see what it did."""
    client.sandbox.faults.cause("slow", delay=1.0, after=True)
    waiting = asyncio.create_task(client(*PUT))
    async with asyncio.timeout(5):
        while len(gitops.log()) == 1:
            await asyncio.sleep(0.01)
    assert (await client("GET", f"{REPO}/contents/new")).status == 200
    assert not waiting.done()
    assert (await waiting).status == 201


@pytest.mark.parametrize("name", ["malformed", "malformed after"])
async def test_a_cut_off_body_has_status_200(client: Client, gitops: Repository, name: str) -> None:
    """It says that it is JSON, and is not."""
    head = gitops.head()
    client.sandbox.faults.cause(name)
    with pytest.raises(json.JSONDecodeError):
        await client.graphql(MUTATION, input=commit_input(head))
    assert (gitops.head() != head, client.sandbox.requests[-1].status) == (name.endswith("after"), 200)


async def test_a_slow_answer_is_right_all_the_same(client: Client) -> None:
    """It comes later, and what is asked for replaces what the name has."""
    began = time.monotonic()
    client.sandbox.faults.cause("slow", delay=0.05)
    assert (await client("GET", README)).status == 200
    assert time.monotonic() - began >= 0.05
    client.sandbox.faults.cause("secondary limit", headers={"retry-after": "1"}, status=429)
    reply = await client("GET", README)
    assert (reply.status, reply.headers["retry-after"]) == (429, "1")


@pytest.mark.parametrize(
    ("name", "hint"),
    [("secondary limits", "did you mean 'secondary limit'?"), ("xyz", "there are ['406', '500', '502'")],
)
def test_an_unknown_name_is_an_error_that_helps(name: str, hint: str) -> None:
    """The nearest name is told, or all of them."""
    with pytest.raises(ValueError, match="the sandbox has no fault") as error:
        Faults().cause(name)
    assert hint in str(error.value)


@pytest.mark.parametrize("name", sorted(PRESETS))
def test_every_name_makes_a_fault(name: str) -> None:
    """It can be aimed and counted as any other; what one caller changes stays with that one."""
    fault = Faults().cause(name, times=None, probability=0.5, headers={"x-own": "1"})
    assert (fault.times, fault.probability, fault.headers["x-own"]) == (None, 0.5, "1")
    assert "x-own" not in PRESETS[name].get("headers", {})


# -- aim


async def test_a_fault_can_be_for_one_repository(client: Client, gitops: Repository) -> None:
    """By REST, by id, by GraphQL's variables or its branch: only that repository's requests are hit."""
    other = client.sandbox.create_repository("acme/other", {"README.md": "# Other\n"})
    fault = client.sandbox.faults.cause("500", repository=other.id, times=None)
    query = "query Read($owner: String!, $name: String!) { repository(owner: $owner, name: $name) { id } }"
    for repo, status in ((gitops, 200), (other, 500)):
        asked = {"query": query, "variables": {"owner": "acme", "name": repo.name}}
        write = {"query": MUTATION, "variables": {"input": commit_input(repo.head(), repo.full_name)}}
        got = [
            (await client("GET", f"/repos/acme/{repo.name}")).status,
            (await client("GET", f"/repositories/{repo.id}")).status,
            (await client("POST", "/graphql", asked)).status,
            (await client("POST", "/graphql", write)).status,
        ]
        assert got == [status] * 4
    assert client.sandbox.faults.waiting == [fault]


@pytest.mark.parametrize("body", [None, [], {"variables": []}, {"query": "{ __typename }", "variables": {"input": 1}}])
async def test_a_fault_for_one_repository_minds_no_odd_body(client: Client, gitops: Repository, body: Any) -> None:
    """What names no repository in a way that GraphQL knows is another's."""
    client.sandbox.faults.cause("503", repository=gitops.id)
    assert (await client("POST", "/graphql", body)).status in {200, 400}


# -- what comes in between


async def test_a_person_is_faster_by_graphql(client: Client, gitops: Repository, receiver: Receiver) -> None:
    """The commit lands after the read and before the write, which is stale then; once."""
    head = (await client("GET", f"{REPO}/git/ref/heads/main")).data["object"]["sha"]
    fault = gitops.commit_before_next_write({"README.md": "# Theirs\n"})
    reply = await client.graphql(MUTATION, input=commit_input(head))
    assert (reply["errors"][0]["type"], fault.times) == ("STALE_DATA", 0)
    assert [entry.message for entry in gitops.log()] == ["A person was faster", "Initial commit"]
    assert "errors" not in await client.graphql(MUTATION, input=commit_input(gitops.head()))
    await client.sandbox.webhooks.drained()
    assert [payload["sender"]["login"] for _, payload in receiver.events] == ["octocat", "pointsman[bot]"]


async def test_a_person_is_faster_by_rest(client: Client, gitops: Repository) -> None:
    """The same file is a conflict, another file is committed on top, a ref does not fast-forward."""
    sha = (await client("GET", README)).data["sha"]
    gitops.commit_before_next_write({"README.md": "# Theirs\n"}, "same file")
    assert (await client("PUT", README, {"message": "m", "content": "", "sha": sha})).status == 409
    gitops.commit_before_next_write({"other": "theirs"}, "other file")
    assert (await client(*PUT)).status == 201
    assert [entry.message for entry in gitops.log()][:3] == ["m", "other file", "same file"]
    head = gitops.head()
    gitops.commit_before_next_write({"third": "theirs"}, "third file")
    body = {"message": "m", "tree": gitops.tree_of(head), "parents": [head]}
    made = (await client("POST", f"{REPO}/git/commits", body)).data["sha"]
    moved = await client("PATCH", f"{REPO}/git/refs/heads/main", {"sha": made})
    assert (moved.status, moved.data["message"]) == (422, "Update is not a fast forward")


async def test_a_foreign_commit_waits_for_its_own_repository_and_branch(client: Client, gitops: Repository) -> None:
    """A write to another repository does not bring it, and it may land on a branch of its own."""
    client.sandbox.create_repository("acme/other", {"a": "b"})
    gitops.commit_before_next_write({"a": "b"}, "m", "side")
    await client("PUT", "/repos/acme/other/contents/new", {"message": "m", "content": ""})
    assert set(gitops.branches()) == {"main"}
    await client(*PUT)
    assert set(gitops.branches()) == {"main", "side"}


async def test_a_branch_is_forced_to_any_commit(client: Client, gitops: Repository, receiver: Receiver) -> None:
    """Back, and to a commit beside: the push says forced, and a stale writer is told."""
    first = gitops.head()
    second = gitops.commit({"a": "a"}, "second")
    beside = gitops.commit({"b": "b"}, "beside", "side")
    gitops.force_push(first)
    gitops.force_push(beside)
    assert (gitops.head(), [entry.oid for entry in gitops.log()]) == (beside, [beside])
    assert (await client.graphql(MUTATION, input=commit_input(second)))["errors"][0]["type"] == "STALE_DATA"
    await client.sandbox.webhooks.drained()
    told = [(load["ref"], load["before"], load["after"], load["forced"]) for _, load in receiver.events[-2:]]
    assert told == [("refs/heads/main", second, first, True), ("refs/heads/main", first, beside, True)]
    with pytest.raises(KeyError, match="has no commit nothing"):
        gitops.force_push("nothing")
    with pytest.raises(KeyError, match="has no branch 'none'"):
        gitops.force_push(first, "none")


async def test_revoked_tokens_are_bad_credentials_and_new_ones_are_good(client: Client) -> None:
    """REST and GraphQL answer 401 at the next use; the user's token is not the App's."""
    client.sandbox.revoke_tokens()
    for method, path in (("GET", README), ("POST", "/graphql")):
        reply = await client(method, path, {"query": "{ __typename }"} if method == "POST" else None)
        assert (reply.status, reply.data["message"]) == (401, "Bad credentials")
    assert (await client("GET", README, token=client.sandbox.user_token)).status == 200
    client.token = await client.new_token()
    assert (await client("GET", README)).status == 200
