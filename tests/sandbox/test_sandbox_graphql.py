"""GraphQL: reads of several things at once, and createCommitOnBranch."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from sandbox_ends import b64

from bot.sandbox import EXECUTABLE, SUBMODULE

if TYPE_CHECKING:
    from sandbox_ends import Client

    from bot.sandbox import Repository

DEV = "environments/dev/values.yaml"
COMMIT = (
    "mutation Commit($input: CreateCommitOnBranchInput!) { createCommitOnBranch(input: $input) { commit { oid url } } }"
)


def change(head: str, *additions: tuple[str, str], **more: Any) -> dict[str, Any]:
    """Write a CreateCommitOnBranchInput for acme/gitops, main."""
    files = [{"path": path, "contents": b64(text)} for path, text in additions]
    return {
        "branch": {"repositoryNameWithOwner": "acme/gitops", "branchName": "main"},
        "expectedHeadOid": head,
        "message": {"headline": "by graphql"},
        "fileChanges": {"additions": files},
        **more,
    }


async def test_head_and_several_files_come_in_one_request(client: Client, gitops: Repository) -> None:
    """The head's oid and the texts of its files are read together, a missing file as null."""
    query = """query Read($path: String!) {
      repository(owner: "acme", name: "gitops") {
        id databaseId nameWithOwner isPrivate isArchived url
        defaultBranchRef { name prefix target { oid ... on Commit {
          dev: file(path: $path) { path name mode type oid size object { ... on Blob { text isBinary byteSize } } }
          missing: file(path: "nothing") { oid }
          history(first: 1) { totalCount nodes { messageHeadline messageBody author { name email } } }
          parents(first: 1) { nodes { oid } }
        } } }
        ref(qualifiedName: "nothing") { name }
      }
      rateLimit { limit cost }
    }"""
    reply = await client.graphql(query, path=DEV)
    repo = reply["data"]["repository"]
    assert (repo["databaseId"], repo["nameWithOwner"], repo["ref"]) == (gitops.id, "acme/gitops", None)
    target = repo["defaultBranchRef"]["target"]
    entry = gitops.entry(gitops.tree_of(gitops.head()), DEV)
    assert entry is not None
    text = gitops.read(DEV).decode()
    assert (target["oid"], target["missing"]) == (gitops.head(), None)
    assert target["dev"] == {
        "path": DEV,
        "name": "values.yaml",
        "mode": 0o100644,
        "type": "blob",
        "oid": entry.oid,
        "size": len(text),
        "object": {"text": text, "isBinary": False, "byteSize": len(text)},
    }
    assert target["history"]["nodes"][0]["messageHeadline"] == "Initial commit"
    assert target["parents"]["nodes"] == []
    assert reply["data"]["rateLimit"] == {"limit": 5000, "cost": 1}


async def test_trees_are_listed_by_expression_and_oid(client: Client, gitops: Repository) -> None:
    """REV:PATH and an oid lead to the same object; a submodule's entry has no object."""
    gitops.commit({"environments/module": "1" * 40}, "submodule", modes={"environments/module": SUBMODULE})
    query = """query Tree($expression: String, $oid: GitObjectID) {
      repository(owner: "acme", name: "gitops") {
        object(expression: $expression, oid: $oid) {
          __typename oid ... on Tree { entries { path type object { oid } } }
        }
      }
    }"""
    by_path = (await client.graphql(query, expression="main:environments"))["data"]["repository"]["object"]
    by_oid = (await client.graphql(query, oid=by_path["oid"]))["data"]["repository"]["object"]
    assert by_path == by_oid
    assert [(entry["path"], entry["type"]) for entry in by_oid["entries"]] == [
        ("dev", "tree"),
        ("module", "commit"),
        ("prod", "tree"),
    ]
    assert by_oid["entries"][1]["object"] is None
    for nothing in ("main:none", "none:a", "none"):
        assert (await client.graphql(query, expression=nothing))["data"]["repository"]["object"] is None


@pytest.mark.parametrize(
    ("content", "flags", "text"),
    [
        (b"\x00", (True, False), None),
        (b"\xff", (True, False), None),
        ("ä".encode(), (False, False), "ä"),
        (b"x" * (512 * 1024 + 1), (False, True), "x" * 512 * 1024),
    ],
)
async def test_binary_and_large_blobs_say_so(
    client: Client, gitops: Repository, content: bytes, flags: tuple[bool, bool], text: str | None
) -> None:
    """Text is null where there is none, and cut where it is long."""
    gitops.commit({"blob": content}, "blob")
    query = """{ repository(owner: "acme", name: "gitops") { object(expression: "HEAD:blob") {
      ... on Blob { isBinary isTruncated text } } } }"""
    blob = (await client.graphql(query))["data"]["repository"]["object"]
    assert blob == {"isBinary": flags[0], "isTruncated": flags[1], "text": text}


async def test_unknown_repositories_and_fields_are_errors_in_an_answer(client: Client) -> None:
    """The status is 200: NOT_FOUND beside the data, a field that is not there without any."""
    missing = await client.graphql('{ repository(owner: "acme", name: "nothing") { id } }')
    assert missing["data"] == {"repository": None}
    [error] = missing["errors"]
    assert (error["type"], error["path"], error["message"]) == (
        "NOT_FOUND",
        ["repository"],
        "Could not resolve to a Repository with the name 'acme/nothing'.",
    )
    wrong = await client.graphql("{ nothing }")
    assert ("data" in wrong, len(wrong["errors"])) == (False, 1)
    assert (await client("POST", "/graphql", {})).status == 400
    assert (await client("POST", "/graphql", {"query": "{ __typename }"}, token="")).status == 401


async def test_connections_want_a_bound(client: Client) -> None:
    """Without `first`, or with more than 100, GitHub gives nothing."""
    query = """{ repository(owner: "acme", name: "gitops") { object(expression: "HEAD") {
      ... on Commit { history%s { totalCount } } } } }"""
    kinds = [(await client.graphql(query % bound))["errors"][0]["type"] for bound in ("", "(first: 101)")]
    assert kinds == ["MISSING_PAGINATION_BOUNDARIES", "EXCESSIVE_PAGINATION"]


async def test_history_goes_on_after_a_cursor(client: Client, gitops: Repository) -> None:
    """Pages of a history join to the whole, for all paths or one."""
    for number in range(3):
        gitops.commit({"counter": str(number)}, f"number {number}")
    query = """query History($after: String, $path: String) { repository(owner: "acme", name: "gitops") {
      object(expression: "HEAD") { ... on Commit {
        history(first: 2, after: $after, path: $path) {
          nodes { message } pageInfo { hasNextPage endCursor }
        } } } } }"""

    async def page(**variables: Any) -> tuple[list[str], Any]:
        history = (await client.graphql(query, **variables))["data"]["repository"]["object"]["history"]
        return [node["message"] for node in history["nodes"]], history["pageInfo"]

    first, info = await page()
    second, end = await page(after=info["endCursor"])
    assert [*first, *second] == ["number 2", "number 1", "number 0", "Initial commit"]
    assert (info["hasNextPage"], end["hasNextPage"]) == (True, False)
    assert (await page(path="README.md"))[0] == ["Initial commit"]


async def test_one_mutation_commits_many_files(client: Client, gitops: Repository) -> None:
    """Additions and deletions make one commit of the bot on the expected head; modes are kept."""
    head = gitops.commit({"run": "old"}, "executable", modes={"run": EXECUTABLE})
    request = change(head, ("run", "new"), ("deep/er", "x"))
    request["fileChanges"]["deletions"] = [{"path": "README.md"}]
    request["message"] = {"headline": "head", "body": "body"}
    commit = (await client.graphql(COMMIT, input=request))["data"]["createCommitOnBranch"]["commit"]
    last = gitops.log()[0]
    assert (last.oid, last.parents, last.message) == (commit["oid"], (head,), "head\n\nbody")
    assert last.paths == ("README.md", "deep/er", "run")
    assert last.author == "pointsman[bot] <41898283+pointsman[bot]@users.noreply.github.com>"
    assert last.committer == "GitHub <noreply@github.com>"
    entry = gitops.entry(gitops.tree_of(last.oid), "run")
    assert entry is not None
    assert entry.mode == EXECUTABLE


async def test_a_branch_may_be_named_by_id(client: Client, gitops: Repository) -> None:
    """The id of a ref stands for repository and branch."""
    query = '{ repository(owner: "acme", name: "gitops") { ref(qualifiedName: "refs/heads/main") { id } } }'
    number = (await client.graphql(query))["data"]["repository"]["ref"]["id"]
    reply = await client.graphql(COMMIT, input=change(gitops.head(), ("a", "a"), branch={"id": number}))
    assert reply["data"]["createCommitOnBranch"]["commit"]["oid"] == gitops.head()


async def test_a_stale_head_is_told_as_stale_data(client: Client, gitops: Repository) -> None:
    """The error has GitHub's type and sentence, with its two spaces, and nothing is written."""
    stale = gitops.head()
    head = gitops.commit({"README.md": "# faster\n"}, "a person was faster")
    reply = await client.graphql(COMMIT, input=change(stale, ("a", "a")))
    [error] = reply["errors"]
    assert (reply["data"], error["type"]) == ({"createCommitOnBranch": None}, "STALE_DATA")
    assert error["message"] == f'Expected branch to point to "{stale}" but it did not.  Pull and try again.'
    assert gitops.head() == head


@pytest.mark.parametrize(
    ("classic", "kind", "message"),
    [
        (
            False,
            "UNPROCESSABLE",
            "Repository rule violations found\n\nChanges must be made through a pull request.\n\n",
        ),
        (True, "BRANCH_PROTECTION_RULE_VIOLATION", "Changes must be made through a pull request."),
    ],
)
async def test_a_protected_branch_takes_no_commit(
    client: Client, gitops: Repository, classic: bool, kind: str, message: str
) -> None:
    """Rulesets and classic rules are told by different types."""
    gitops.protect("main", classic=classic)
    [error] = (await client.graphql(COMMIT, input=change(gitops.head(), ("a", "a"))))["errors"]
    assert (error["type"], error["message"]) == (kind, message)


@pytest.mark.parametrize(
    ("more", "kind"),
    [
        ({"branch": {"repositoryNameWithOwner": "acme/nothing", "branchName": "main"}}, "NOT_FOUND"),
        ({"branch": {"repositoryNameWithOwner": "acme/gitops", "branchName": "nothing"}}, "NOT_FOUND"),
        ({"branch": {"id": "bm9uc2Vuc2U"}}, "NOT_FOUND"),
        ({"branch": {}}, "UNPROCESSABLE"),
        ({"fileChanges": {"deletions": [{"path": "nothing"}]}}, "UNPROCESSABLE"),
        ({"fileChanges": {"additions": [{"path": "a", "contents": "%"}]}}, "UNPROCESSABLE"),
        ({"fileChanges": {"additions": [{"path": "../a", "contents": ""}]}}, "UNPROCESSABLE"),
    ],
)
async def test_a_commit_that_cannot_be_is_refused(
    client: Client, gitops: Repository, more: dict[str, Any], kind: str
) -> None:
    """Each refusal has its type, and the head stays."""
    head = gitops.head()
    [error] = (await client.graphql(COMMIT, input=change(head, **more)))["errors"]
    assert (error["type"], gitops.head()) == (kind, head)


async def test_a_token_for_reading_does_not_commit(client: Client, gitops: Repository) -> None:
    """Without contents: write the mutation is FORBIDDEN; without contents nothing of them is read."""
    client.token = await client.new_token(permissions={"contents": "read"})
    [error] = (await client.graphql(COMMIT, input=change(gitops.head(), ("a", "a"))))["errors"]
    assert (error["type"], error["message"]) == ("FORBIDDEN", "Resource not accessible by integration")
    client.token = await client.new_token(permissions={"checks": "write"})
    reply = await client.graphql('{ repository(owner: "acme", name: "gitops") { id defaultBranchRef { name } } }')
    assert [error["type"] for error in reply["errors"]] == ["FORBIDDEN"]


async def test_of_two_writers_at_once_one_wins(client: Client, gitops: Repository) -> None:
    """Ten commits on the same head, sent together: one is made, nine are told that they are stale."""
    head = gitops.head()
    requests = (client.graphql(COMMIT, input=change(head, (f"file-{number}", "x"))) for number in range(10))
    replies = await asyncio.gather(*requests)
    kinds = sorted(reply["errors"][0]["type"] if "errors" in reply else "made" for reply in replies)
    assert kinds == ["STALE_DATA"] * 9 + ["made"]
    assert len(gitops.log()) == 2


async def test_graphql_can_be_missing(client: Client) -> None:
    """As on servers without it, the address is then not found."""
    client.sandbox.graphql = False
    assert (await client("POST", "/graphql", {"query": "{ __typename }"})).status == 404


async def test_an_older_schema_lacks_a_mutation_in_graphql_rubys_words(client: Client, gitops: Repository) -> None:
    """Its input type is not there either; what a field is not, is told the same way; queries are answered."""
    client.sandbox.graphql_without = {"createCommitOnBranch"}
    text = "mutation Commit($input: CreateCommitOnBranchInput!) { createCommitOnBranch(input: $input) { ref { id } } }"
    reply = await client.graphql(text, input=change(gitops.head(), ("a", "a")))
    missing = {"code": "undefinedField", "typeName": "Mutation", "fieldName": "createCommitOnBranch"}
    unknown = {
        "code": "variableRequiresValidType",
        "typeName": "CreateCommitOnBranchInput",
        "variableName": "input",
    }
    told = {error["message"]: (error["path"], error["extensions"]) for error in reply["errors"]}
    assert told == {
        "Field 'createCommitOnBranch' doesn't exist on type 'Mutation'": (
            ["mutation Commit", "createCommitOnBranch"],
            missing,
        ),
        "CreateCommitOnBranchInput isn't a defined input type (on $input)": (["mutation Commit"], unknown),
    }
    assert ("data" in reply, len(gitops.log())) == (False, 1)
    wrong = await client.graphql('{ repository(owner: "acme", name: "gitops") { nothing } }')
    assert wrong["errors"][0]["path"] == ["query", "repository", "nothing"]
    assert wrong["errors"][0]["message"] == "Field 'nothing' doesn't exist on type 'Repository'"
    assert (await client.graphql("{ __typename }"))["data"] == {"__typename": "Query"}
    client.sandbox.graphql_without = set()
    assert "errors" not in await client.graphql(text, input=change(gitops.head(), ("a", "a")))


async def test_enterprise_server_has_its_own_addresses(client: Client, gitops: Repository) -> None:
    """REST below /api/v3 and GraphQL at /api/graphql; links begin with the address that was asked."""
    client.prefix = "/api/v3"
    repo = (await client("GET", "/repos/acme/gitops")).data
    assert repo["url"] == f"{client.sandbox.url}/api/v3/repos/acme/gitops"
    client.prefix = "/api"
    reply = await client.graphql('{ repository(owner: "acme", name: "gitops") { databaseId } }')
    assert reply["data"]["repository"]["databaseId"] == gitops.id


async def test_a_history_is_followed_page_by_page(client: Client, gitops: Repository) -> None:
    """Each commit once, newest first, with the body in which trailers stand, its parent and who made it when."""
    for number in range(5):
        gitops.commit({"a": str(number)}, f"change {number}\n\nWhy.\n\nPointsman-Delivery: {number}")
    query = """query History($after: String) { repository(owner: "acme", name: "gitops") {
      defaultBranchRef { target { ... on Commit { history(first: 2, after: $after) {
        totalCount pageInfo { hasNextPage endCursor }
        nodes { oid message messageBody committedDate author { name email date } parents(first: 1) { nodes { oid } } }
      } } } } } }"""
    commits: list[dict[str, Any]] = []
    cursor, more = None, True
    while more:
        reply = (await client.graphql(query, after=cursor))["data"]["repository"]["defaultBranchRef"]["target"]
        page = reply["history"]
        commits += page["nodes"]
        cursor, more = page["pageInfo"]["endCursor"], page["pageInfo"]["hasNextPage"]
        assert page["totalCount"] == 6
    log = gitops.log()
    assert [commit["oid"] for commit in commits] == [entry.oid for entry in log]
    assert [commit["message"] for commit in commits] == [entry.message for entry in log]
    parents = [tuple(parent["oid"] for parent in commit["parents"]["nodes"]) for commit in commits]
    assert parents == [entry.parents for entry in log]
    assert commits[0]["messageBody"] == "Why.\n\nPointsman-Delivery: 4"
    assert commits[0]["committedDate"] == commits[0]["author"]["date"]
    assert commits[0]["author"]["email"] == "583231+octocat@users.noreply.github.com"
