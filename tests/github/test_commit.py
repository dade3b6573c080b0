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
from bot.errors import Blocked, StaleHead, Transient, Unavailable
from bot.sandbox import EXECUTABLE

if TYPE_CHECKING:
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
