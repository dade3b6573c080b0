"""Writing: a changeset becomes one commit by the cheapest way that can do it, or nothing is written."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from adapters import Adapter, adapter
from running import REFUSAL

from bot.core.changeset import Changeset, FileChange
from bot.core.mapping import Person
from bot.core.message import CommitMessage
from bot.errors import Blocked, StaleHead, TooManyFiles, Transient, Unavailable
from bot.sandbox import EXECUTABLE

if TYPE_CHECKING:
    from bot.core.mapping import Strategy
    from bot.sandbox import Repository, Sandbox

MESSAGE = CommitMessage("dev: 2", "* a\n\nPointsman-Delivery: d1")
AUTHOR = Person("build", "build@internal")
ONE, TWO, RUN, ODD = "README.md", "environments/dev/values.yaml", "run.sh", "apps/ü b%20c#d?e&f.yaml"
GIT_DATA = ["POST git/trees", "POST git/commits", "GET git/ref/heads/main", "PATCH git/refs/heads/main"]


def by(author: Person | None, committer: Person | None = None) -> CommitMessage:
    """The message, said by somebody."""
    return replace(MESSAGE, author=author, committer=committer or author)


async def changeset(made: Adapter, *paths: str) -> Changeset:
    """The change of each path to its bytes and one line more, on the head there is."""
    snapshot = await made.forge.open(made.repository, paths)
    files = {}
    for path, file in snapshot.files.items():
        assert file.data is not None
        files[path] = FileChange(path, file.data, file.data + "new é\r\n".encode(), file.mode, file.oid, ())
    return Changeset(snapshot.branch, snapshot.head, files)


@pytest.fixture
def repository(sandbox: Sandbox, gitops: Repository) -> Repository:
    assert sandbox.url
    gitops.commit({RUN: "#!/bin/sh\n", ODD: "odd\n"}, "Add", modes={RUN: EXECUTABLE})
    return gitops


@pytest.mark.parametrize(
    "case",
    [
        (True, None, (ONE,), ["Commit"]),
        (True, None, (ONE, TWO), ["Commit"]),
        (True, None, (RUN,), GIT_DATA),
        (True, None, (ONE, RUN), GIT_DATA),
        (True, AUTHOR, (ONE,), [f"PUT contents/{ONE}"]),
        (True, AUTHOR, (ODD,), [f"PUT contents/{ODD}"]),
        (True, AUTHOR, (ONE, TWO), GIT_DATA),
        (True, AUTHOR, (RUN,), GIT_DATA),
        (False, None, (ONE,), [f"PUT contents/{ONE}"]),
        (False, None, (ONE, ODD), GIT_DATA),
        (False, AUTHOR, (ONE, TWO, RUN), GIT_DATA),
    ],
)
@pytest.mark.parametrize("prefix", ["", "/api/v3"])
async def test_a_changeset_is_written_by_the_cheapest_way_that_can(
    sandbox: Sandbox, repository: Repository, case: tuple[bool, Person | None, tuple[str, ...], list[str]], prefix: str
) -> None:
    """GraphQL where nothing forbids it; Contents for one file; Git Data for the rest: always one commit of these bytes.

    Modes stay. Without an author the App's bot is it, with one it is the author and the committer.
    """
    sandbox.graphql, author, paths, asked = case
    async with adapter(sandbox, repository, prefix=prefix) as made:
        change = await changeset(made, *paths)
        before = len(sandbox.requests)
        commit = await made.forge.commit(made.repository, change, by(author))
        assert made.asked(before) == asked
    entry = repository.log()[0]
    assert (commit.oid, [commit.parent]) == (entry.oid, list(entry.parents))
    assert commit.parent == change.base
    assert commit.url == f"{sandbox.url}/acme/gitops/commit/{entry.oid}"
    assert entry.message == MESSAGE.text
    assert sorted(entry.paths) == sorted(paths)
    assert all(repository.read(path) == change.files[path].after for path in paths)
    modes = {each.path: each.mode for each in repository.entries(repository.tree_of(entry.oid), recursive=True)}
    assert modes[RUN] == EXECUTABLE
    name = "build <build@internal>" if author else sandbox.app.bot.name
    assert entry.author.startswith(name)
    assert entry.committer.startswith(name if author else "GitHub")


# The files, whether there is GraphQL, and the request that writes: each of the three ways without an author.
WAYS = [
    pytest.param(((ONE,), True, {"operation": "Commit"}), id="graphql"),
    pytest.param(((ONE,), False, {"method": "PUT"}), id="contents"),
    pytest.param(((ONE, TWO), False, {"method": "PATCH"}), id="git data"),
]


@pytest.mark.parametrize("way", WAYS)
async def test_a_branch_that_moved_is_a_stale_head(
    sandbox: Sandbox, repository: Repository, way: tuple[tuple[str, ...], bool, Any]
) -> None:
    """The same file changed under us: nothing is written, whatever the API calls it."""
    paths, sandbox.graphql, write = way
    async with adapter(sandbox, repository) as made:
        change = await changeset(made, *paths)
        sandbox.before(lambda: repository.commit({ONE: "foreign\n"}, "Foreign"), **write)
        with pytest.raises(StaleHead):
            await made.forge.commit(made.repository, change, MESSAGE)
    assert repository.log()[0].message == "Foreign"


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("classic", [True, False])
async def test_a_rule_of_githubs_blocks(
    sandbox: Sandbox, repository: Repository, way: tuple[tuple[str, ...], bool, Any], classic: bool
) -> None:
    """It has the statuses of a stale head, and is none: GitHub's sentence on one line, and what to do."""
    paths, sandbox.graphql, write = way
    head = repository.head()
    async with adapter(sandbox, repository) as made:
        change = await changeset(made, *paths)
        sandbox.before(lambda: repository.protect(classic=classic), **write)
        with pytest.raises(Blocked) as caught:
            await made.forge.commit(made.repository, change, MESSAGE)
    assert "Changes must be made through a pull request; let the App bypass the rule" in str(caught.value)
    assert str(caught.value).endswith("let the App bypass the rule, or take the branch out of it")
    assert "\n" not in str(caught.value)
    assert repository.head() == head


@pytest.mark.parametrize(
    ("status", "message", "expected"),
    [
        (409, "README.md does not match 3b18e512dba79e4c8300dd08aeb37f8e728b8dad", StaleHead),
        (409, "is at 6dcb09b5b57875f334f61aebed695e2e4193db5e but expected 553c2077f0edc3d5dc5d17262f6aa498e69d6f8e",
         StaleHead),
        (422, "Update is not a fast forward", StaleHead),
        (409, "Repository rule violations found\n\nSecret detected in content\n\n", Blocked),
        (422, "Protected branch update failed for refs/heads/main.", Blocked),
        (409, "At least 1 approving review is required by reviewers with write access.", Blocked),
        (422, "refusing to allow a GitHub App to create or update workflow without `workflows` permission", Blocked),
        (403, "Resource not accessible by integration", Unavailable),
        (404, "Not Found", Unavailable),
        (502, "Server Error", Transient),
    ],
)  # fmt: skip
async def test_answers_of_rest_are_told_apart_by_their_sentence(
    sandbox: Sandbox, repository: Repository, status: int, message: str, expected: type[Exception]
) -> None:
    """409 and 422 mean several things; only some of them are fixed by reading again."""
    sandbox.faults.add(method="PUT", status=status, body={**REFUSAL, "message": message})
    async with adapter(sandbox, repository) as made:
        with pytest.raises(expected):
            await made.forge.commit(made.repository, await changeset(made, ONE), by(AUTHOR))


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("STALE_DATA", StaleHead),
        ("UNPROCESSABLE", Blocked),
        ("BRANCH_PROTECTION_RULE_VIOLATION", Blocked),
        ("FORBIDDEN", Unavailable),
        ("NOT_FOUND", Unavailable),
        (None, Transient),
    ],
)
async def test_errors_of_the_mutation_are_told_apart_by_their_type(
    sandbox: Sandbox, repository: Repository, kind: str | None, expected: type[Exception]
) -> None:
    """GraphQL answers 200 to everything; its errors have a type."""
    error = {"message": "because", "path": ["createCommitOnBranch"]} | ({"type": kind} if kind else {})
    body = {"data": {"createCommitOnBranch": None}, "errors": [error]}
    sandbox.faults.add(operation="Commit", status=200, body=body)
    async with adapter(sandbox, repository) as made:
        with pytest.raises(expected, match="because"):
            await made.forge.commit(made.repository, await changeset(made, ONE), MESSAGE)


@pytest.mark.parametrize(
    ("message", "remedy"),
    [
        ("Repository rule violations found\n\nSecret detected in content\n\n", "look at the value"),
        ("Protected branch update failed for refs/heads/main.", "let the App bypass the rule"),
        ("refusing to allow a GitHub App to create or update workflow without `workflows` permission", "permission"),
    ],
)
async def test_a_refusal_names_a_remedy_that_fits(
    sandbox: Sandbox, repository: Repository, message: str, remedy: str
) -> None:
    """A secret is not fixed by bypassing a rule; what we do not know gets no advice but GitHub's sentence."""
    sandbox.faults.add(method="PUT", status=422, body={**REFUSAL, "message": message})
    async with adapter(sandbox, repository) as made:
        with pytest.raises(Blocked) as caught:
            await made.forge.commit(made.repository, await changeset(made, ONE), by(AUTHOR))
    assert ": ".join(message.split("\n\n")).rstrip(".: ") in str(caught.value)
    assert remedy in str(caught.value)


async def test_the_contents_api_tells_on_which_head_the_commit_landed(sandbox: Sandbox, repository: Repository) -> None:
    """Another file changed under us: its only precondition holds, so the parent is not the base."""
    async with adapter(sandbox, repository) as made:
        change = await changeset(made, ONE)
        sandbox.before(lambda: repository.commit({TWO: "foreign\n"}, "Foreign"), method="PUT")
        commit = await made.forge.commit(made.repository, change, by(AUTHOR))
    assert commit.parent == repository.log()[1].oid != change.base
    assert repository.read(TWO) == b"foreign\n"


async def test_a_branch_may_be_called_anything(sandbox: Sandbox) -> None:
    """Slashes and characters that mean something in an address, by each of the three ways."""
    name = "release/1.x#2%25"
    repository = sandbox.create_repository("acme/gitops", {ONE: "a\n", TWO: "b\n"}, default_branch=name)
    async with adapter(sandbox, repository) as made:
        for paths, author in (((ONE,), None), ((ONE,), AUTHOR), ((ONE, TWO), AUTHOR)):
            commit = await made.forge.commit(made.repository, await changeset(made, *paths), by(author))
            assert commit.oid == repository.head(name)


async def test_a_committer_alone_leaves_the_app_as_the_author(sandbox: Sandbox, repository: Repository) -> None:
    """Both are said as the mapping file has them, by each of the two ways that can; such commits are not signed."""
    committer = Person("Pointsman", "pointsman@internal")
    async with adapter(sandbox, repository) as made:
        for paths in ((ONE,), (ONE, TWO)):
            message = replace(MESSAGE, committer=committer)
            await made.forge.commit(made.repository, await changeset(made, *paths), message)
            entry = repository.log()[0]
            assert entry.committer.startswith("Pointsman <pointsman@internal>")
            assert entry.author.startswith(sandbox.app.bot.name)
        await made.forge.commit(made.repository, await changeset(made, ONE), by(AUTHOR, committer))
    entry = repository.log()[0]
    assert entry.author.startswith("build <build@internal>")
    assert entry.committer.startswith("Pointsman <pointsman@internal>")


@pytest.mark.parametrize(
    ("files", "lines", "author", "asked"),
    [
        pytest.param(3, 180_000, AUTHOR, ["POST git/blobs", *GIT_DATA], id="5 MB inline, the rest blob by blob"),
        pytest.param(6, 330_000, None, [*["POST git/blobs"] * 5, *GIT_DATA], id="over 20 MB not by GraphQL"),
    ],
)
async def test_contents_that_do_not_fit_into_one_request_go_blob_by_blob(  # noqa: PLR0913, PLR0917 - one column of the table each
    sandbox: Sandbox, repository: Repository, files: int, lines: int, author: Person | None, asked: list[str]
) -> None:
    """Of files of 2 MB the tree takes two inline, of 3.6 MB one; the bytes are the same, in one commit."""
    large = {f"large/{i}.yaml": f"# {i}\n" + "key: value\n" * lines for i in range(files)}
    repository.commit(large, "Large")
    async with adapter(sandbox, repository) as made:
        change = await changeset(made, *large)
        before = len(sandbox.requests)
        await made.forge.commit(made.repository, change, by(author))
        assert made.asked(before) == asked
    assert sorted(repository.log()[0].paths) == sorted(large)
    assert all(repository.read(path) == change.files[path].after for path in large)


# -- what the mapping file chooses


@pytest.mark.parametrize(
    ("strategy", "graphql", "author", "paths", "asked"),
    [
        ("auto", True, None, (ONE,), ["Commit"]),
        ("graphql", True, None, (ONE, TWO), ["Commit"]),
        ("contents", True, None, (ONE,), [f"PUT contents/{ONE}"]),
        ("contents", True, AUTHOR, (ODD,), [f"PUT contents/{ODD}"]),
        ("contents", False, None, (ONE,), [f"PUT contents/{ONE}"]),
        ("git-data", True, None, (ONE,), GIT_DATA),
        ("git-data", True, AUTHOR, (ONE, RUN), GIT_DATA),
        ("git-data", False, None, (ONE,), GIT_DATA),
    ],
)
async def test_a_commit_is_made_as_the_mapping_file_chooses(  # noqa: PLR0913, PLR0917 - one column of the table each
    sandbox: Sandbox,
    repository: Repository,
    strategy: Strategy,
    graphql: bool,
    author: Person | None,
    paths: tuple[str, ...],
    asked: list[str],
) -> None:
    """On a server with GraphQL and without, and again on what that commit left, with no request more."""
    sandbox.graphql = graphql
    async with adapter(sandbox, repository) as made:
        for _ in range(2):
            change = await changeset(made, *paths)
            before = len(sandbox.requests)
            commit = await made.forge.commit(made.repository, change, by(author), strategy)
            assert made.asked(before) == asked
            assert (commit.oid, commit.parent) == (repository.head(), change.base)
            assert all(repository.read(path) == change.files[path].after for path in paths)


async def test_the_contents_api_deletes_a_file_where_it_is_chosen(sandbox: Sandbox, repository: Repository) -> None:
    """One request, which names the blob that goes."""
    async with adapter(sandbox, repository) as made:
        change = await changeset(made, ONE)
        gone = replace(change, files={ONE: replace(change.files[ONE], after=None)})
        before = len(sandbox.requests)
        commit = await made.forge.commit(made.repository, gone, MESSAGE, "contents")
        assert made.asked(before) == [f"DELETE contents/{ONE}"]
    assert (commit.oid, commit.parent) == (repository.head(), change.base)
    assert ONE not in {entry.path for entry in repository.entries(repository.tree_of(commit.oid), recursive=True)}


@pytest.mark.parametrize(
    ("strategy", "graphql", "author", "paths", "kind", "sentence"),
    [
        (
            "graphql",
            False,
            None,
            (ONE,),
            Blocked,
            "this server has no createCommitOnBranch: use auto, contents or git-data",
        ),
        ("graphql", True, AUTHOR, (ONE,), Blocked, "createCommitOnBranch cannot set an author; use"),
        ("graphql", True, None, (RUN,), Blocked, "createCommitOnBranch knows no executable files; use .* for run.sh"),
        (
            "contents",
            True,
            None,
            (ONE, TWO),
            TooManyFiles,
            f"commits one file, and beside {ONE} this change has {TWO}; use",
        ),
        ("contents", False, None, (RUN,), Blocked, "the Contents API knows no executable files; use .* for run.sh"),
    ],
)
async def test_what_a_strategy_cannot_do_is_done_by_no_other_way(  # noqa: PLR0913, PLR0917 - one column of the table each
    sandbox: Sandbox,
    repository: Repository,
    strategy: Strategy,
    graphql: bool,
    author: Person | None,
    paths: tuple[str, ...],
    kind: type[Blocked],
    sentence: str,
) -> None:
    """A sentence with what to write instead; nothing is sent."""
    sandbox.graphql = graphql
    async with adapter(sandbox, repository) as made:
        change = await changeset(made, *paths)
        before = len(sandbox.requests)
        with pytest.raises(Blocked, match=sentence) as caught:
            await made.forge.commit(made.repository, change, by(author), strategy)
        assert made.asked(before) == []
    assert type(caught.value) is kind


async def test_a_committer_alone_cannot_go_by_the_contents_api(sandbox: Sandbox, repository: Repository) -> None:
    """To it the committer would be the author too."""
    async with adapter(sandbox, repository) as made:
        message = replace(MESSAGE, committer=AUTHOR)
        with pytest.raises(Blocked, match="makes the committer the author too"):
            await made.forge.commit(made.repository, await changeset(made, ONE), message, "contents")


# -- a refusal is a rule only where the branch did not move

REFUSED = [
    pytest.param(("graphql", {"operation": "Commit", "status": 200}), id="graphql"),
    pytest.param(("contents", {"method": "PUT"}), id="contents"),
    pytest.param(("git-data", {"method": "PATCH"}), id="git data"),
]
JSON = {"content-type": "application/json"}
UNKNOWN = ["Reference update failed", "Reference cannot be updated", "In words of the future"]


def _request(write: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in write.items() if key != "status"}


def refused(write: dict[str, Any], message: str) -> dict[str, Any]:
    """The fault that refuses a commit with these words."""
    if "operation" in write:
        error = {"type": "UNPROCESSABLE", "path": ["createCommitOnBranch"], "message": message}
        return {**write, "body": {"data": {"createCommitOnBranch": None}, "errors": [error]}}
    return {"status": 422, **write, "body": {**REFUSAL, "message": message}}


@pytest.mark.parametrize("graphql", [True, False])
@pytest.mark.parametrize("way", REFUSED)
@pytest.mark.parametrize("message", UNKNOWN)
async def test_a_refusal_on_a_branch_that_moved_is_a_stale_head(
    sandbox: Sandbox, repository: Repository, way: tuple[Strategy, dict[str, Any]], message: str, graphql: bool
) -> None:
    """In whatever words: the rules are evaluated again, and nothing ends."""
    strategy, write = way
    sandbox.graphql = graphql or strategy == "graphql"
    async with adapter(sandbox, repository) as made:
        change = await changeset(made, ONE)
        sandbox.before(lambda: repository.commit({TWO: "foreign\n"}, "Foreign"), **_request(write))
        sandbox.faults.add(**refused(write, message))
        with pytest.raises(StaleHead):
            await made.forge.commit(made.repository, change, MESSAGE, strategy)
    assert repository.log()[0].message == "Foreign"


@pytest.mark.parametrize("way", REFUSED)
@pytest.mark.parametrize("message", UNKNOWN)
async def test_a_refusal_on_a_branch_that_did_not_move_is_a_rule(
    sandbox: Sandbox,
    repository: Repository,
    monkeypatch: pytest.MonkeyPatch,
    way: tuple[Strategy, dict[str, Any]],
    message: str,
) -> None:
    """GitHub's words, after two looks at the head: the first may have come too early to see a push."""
    monkeypatch.setattr("bot.github.commit.LAG_SECONDS", 0.01)
    strategy, write = way
    async with adapter(sandbox, repository) as made:
        change = await changeset(made, ONE)
        sandbox.faults.add(**refused(write, message))
        with pytest.raises(Blocked, match=f"GitHub refuses the commit: {message}"):
            await made.forge.commit(made.repository, change, MESSAGE, strategy)
        assert made.asked()[-2:] == ["GET git/ref/heads/main"] * 2


@pytest.mark.parametrize("way", REFUSED)
async def test_a_refusal_on_a_branch_that_seems_not_to_have_moved_is_a_stale_head(
    sandbox: Sandbox, repository: Repository, monkeypatch: pytest.MonkeyPatch, way: tuple[Strategy, dict[str, Any]]
) -> None:
    """The words are unknown, and the server that tells the head hears of the foreign push a moment later."""
    monkeypatch.setattr("bot.github.commit.LAG_SECONDS", 0.01)
    strategy, write = way
    async with adapter(sandbox, repository) as made:
        change = await changeset(made, ONE)
        sandbox.faults.add(**refused(write, UNKNOWN[0]))
        # The Git Data API looks at the head once before it writes.
        looks = 2 if strategy == "git-data" else 1
        sandbox.before(lambda: repository.commit({TWO: "foreign\n"}, "Foreign"), path="/git/ref/", skip=looks)
        with pytest.raises(StaleHead):
            await made.forge.commit(made.repository, change, MESSAGE, strategy)
        assert made.asked()[-2:] == ["GET git/ref/heads/main"] * 2


@pytest.mark.parametrize("way", REFUSED)
@pytest.mark.parametrize(
    ("fault", "sentence"),
    [
        ({"status": 502}, "whether the branch moved cannot be read: GitHub answered 502"),
        ({"status": 403}, "whether the branch moved cannot be read: GitHub answered 403"),
        ({"status": 200, "body": b"[", "headers": JSON}, "whether the branch moved cannot be read: GitHub's answer"),
        ({"status": 429, "headers": {"retry-after": "60"}}, "a rate limit of GitHub's is reached"),
    ],
)
async def test_a_refusal_while_the_head_cannot_be_read_is_a_passing_fault(
    sandbox: Sandbox,
    repository: Repository,
    way: tuple[Strategy, dict[str, Any]],
    fault: dict[str, Any],
    sentence: str,
) -> None:
    """Nobody knows whether it was a rule."""
    strategy, write = way
    # The Git Data API looks at the head once before.
    skip = 1 if strategy == "git-data" else 0
    async with adapter(sandbox, repository) as made:
        change = await changeset(made, ONE)
        sandbox.faults.add(**refused(write, UNKNOWN[0]))
        sandbox.faults.add(method="GET", path="/git/ref/", skip=skip, **{"body": REFUSAL, **fault})
        with pytest.raises(Transient, match=sentence):
            await made.forge.commit(made.repository, change, MESSAGE, strategy)


@pytest.mark.parametrize("way", REFUSED)
async def test_a_lost_race_that_github_names_costs_no_look(
    sandbox: Sandbox, repository: Repository, way: tuple[Strategy, dict[str, Any]]
) -> None:
    """Its sentence is enough, with a type or without."""
    strategy, write = way
    async with adapter(sandbox, repository) as made:
        change = await changeset(made, ONE)
        sandbox.faults.add(**refused(write, f"Ref refs/heads/main is at {'1' * 40} but expected {'2' * 40}"))
        with pytest.raises(StaleHead):
            await made.forge.commit(made.repository, change, MESSAGE, strategy)
        assert made.asked()[-1] in {"Commit", f"PUT contents/{ONE}", "PATCH git/refs/heads/main"}


async def test_a_commit_that_is_too_large_for_a_proxy_is_refused(sandbox: Sandbox, repository: Repository) -> None:
    """Nothing of it was carried out, and the same again would be refused again."""
    async with adapter(sandbox, repository) as made:
        change = await changeset(made, ONE)
        page = {"status": 413, "body": b"<html>", "headers": {"content-type": "text/html"}}
        sandbox.faults.add(operation="Commit", **page)
        with pytest.raises(Blocked, match=r"does not take so large a request \(413\); change fewer or smaller files"):
            await made.forge.commit(made.repository, change, MESSAGE)


# -- the tree that a commit is based on


@pytest.mark.parametrize("graphql", [True, False])
async def test_a_tree_is_made_on_the_tree_of_the_base(sandbox: Sandbox, repository: Repository, graphql: bool) -> None:
    """GitHub documents a tree there, not a commit; it came with the head, also after commits of each way."""
    sandbox.graphql = graphql
    async with adapter(sandbox, repository) as made:
        for strategy in ("git-data", "contents", "git-data", "graphql" if graphql else "auto", "git-data"):
            change = await changeset(made, ONE)
            before, since = repository.tree_of(repository.head()), len(sandbox.requests)
            await made.forge.commit(made.repository, change, MESSAGE, strategy)
            sent = [one.request_body for one in list(sandbox.requests)[since:] if one.path.endswith("/git/trees")]
            assert [each["base_tree"] for each in sent] == ([before] if strategy == "git-data" else [])
            assert "GET git/commits" not in " ".join(made.asked(since))


async def test_a_base_whose_tree_is_not_known_is_read(sandbox: Sandbox, repository: Repository) -> None:
    """It was forgotten meanwhile, say."""
    async with adapter(sandbox, repository) as made:
        change = await changeset(made, ONE)
        made.forge._objects.roots = type(made.forge._objects.roots)(0, lambda *_: 1)
        before = len(sandbox.requests)
        await made.forge.commit(made.repository, change, MESSAGE, "git-data")
        assert made.asked(before) == [f"GET git/commits/{change.base}", *GIT_DATA]


# -- a server whose schema is older


def lacks(message: str, code: str | None) -> dict[str, Any]:
    """The error of a schema that lacks something."""
    return {"errors": [{"message": message, **({"extensions": {"code": code}} if code else {})}]}


NO_MUTATION = "Field 'createCommitOnBranch' doesn't exist on type 'Mutation'"


@pytest.mark.parametrize("code", ["undefinedField", None])
async def test_without_the_mutation_commits_go_by_rest_and_reads_by_graphql(
    sandbox: Sandbox, repository: Repository, code: str | None
) -> None:
    """It is remembered, as a server without GraphQL is."""
    sandbox.faults.add(operation="Commit", status=200, body=lacks(NO_MUTATION, code), times=None)
    async with adapter(sandbox, repository) as made:
        for asked in (["Commit", f"PUT contents/{ONE}"], [f"PUT contents/{ONE}"]):
            change = await changeset(made, ONE)
            before = len(sandbox.requests)
            await made.forge.commit(made.repository, change, MESSAGE)
            assert made.asked(before) == asked
        await made.forge.open(made.repository, [ONE])
        assert made.asked()[-1] == "Open"
        with pytest.raises(Blocked, match="this server has no createCommitOnBranch"):
            await made.forge.commit(made.repository, await changeset(made, ONE), MESSAGE, "graphql")
