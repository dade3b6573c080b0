"""Files that come and go on GitHub: by each of the three ways to write, and how a snapshot knows folders."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from adapters import Adapter, adapter

from bot.core.changeset import Changeset, FileChange
from bot.core.glob import Glob
from bot.core.mapping import Person
from bot.core.message import CommitMessage
from bot.core.meter import unlimited
from bot.core.snapshot import REGULAR
from bot.errors import StaleHead
from bot.sandbox import EXECUTABLE

if TYPE_CHECKING:
    from bot.sandbox import Repository, Sandbox

AUTHOR = Person("build", "build@internal")
README, RUN, NEW, OTHER = "README.md", "run.sh", "apps/7/ü b%20c.yaml", "apps/7/values.yaml"
GIT_DATA = ["POST git/trees", "POST git/commits", "GET git/ref/heads/main", "PATCH git/refs/heads/main"]


async def changeset(made: Adapter, new: tuple[str, ...], gone: tuple[str, ...], edited: tuple[str, ...]) -> Changeset:
    """New files with their path in them, files that go, and files that become empty, on the head there is."""
    snapshot = await made.forge.open(made.repository, [*gone, *edited])
    files = {path: FileChange(path, None, f"{path}\n".encode(), REGULAR, "", ()) for path in new}
    for path, after in (*((path, None) for path in gone), *((path, b"") for path in edited)):
        file = snapshot.files[path]
        files[path] = FileChange(path, file.data, after, file.mode, file.oid, ())
    return Changeset(snapshot.branch, snapshot.head, files)


@pytest.fixture
def repository(sandbox: Sandbox, gitops: Repository) -> Repository:
    assert sandbox.url
    gitops.commit({RUN: "#!/bin/sh\n"}, "Add", modes={RUN: EXECUTABLE})
    return gitops


@pytest.mark.parametrize(
    "case",
    [
        (True, None, (NEW,), (), (), ["Commit"]),
        (True, None, (), (README, RUN), (), ["Commit"]),
        (True, None, (NEW, OTHER), (RUN,), (README,), ["Commit"]),
        (True, None, (NEW,), (README,), (RUN,), GIT_DATA),
        (True, AUTHOR, (NEW,), (), (), ["PUT contents/apps/7/ü b%20c.yaml"]),
        (True, AUTHOR, (), (README,), (), GIT_DATA),
        (True, AUTHOR, (NEW, OTHER), (RUN,), (README,), GIT_DATA),
        (False, None, (NEW,), (), (), ["PUT contents/apps/7/ü b%20c.yaml"]),
        (False, None, (), (RUN,), (), GIT_DATA),
        (False, None, (NEW,), (README,), (), GIT_DATA),
    ],
)
async def test_what_comes_and_goes_is_one_commit(sandbox: Sandbox, repository: Repository, case: Any) -> None:
    """By GraphQL where it can; one new file by the Contents API, whose answer to a deletion is not read; else by trees.

    New files are regular; a folder goes with the last of its files.
    """
    sandbox.graphql, author, new, gone, edited, asked = case
    async with adapter(sandbox, repository) as made:
        change = await changeset(made, new, gone, edited)
        before = len(sandbox.requests)
        commit = await made.forge.commit(made.repository, change, CommitMessage("m", "", author, author))
        assert made.asked(before) == asked
    entry = repository.log()[0]
    assert (commit.oid, commit.parent, entry.oid) == (repository.head(), change.base, repository.head())
    assert sorted(entry.paths) == sorted([*new, *gone, *edited])
    there = {each.path: each.mode for each in repository.entries(repository.tree_of(entry.oid), recursive=True)}
    assert [repository.read(path) for path in new] == [f"{path}\n".encode() for path in new]
    assert {there[path] for path in new} <= {REGULAR}
    assert set(gone) & set(there) == set()
    assert not edited or repository.read(edited[0]) == b""
    assert (RUN in there) == (RUN not in gone)


async def test_the_last_file_of_a_folder_takes_the_folder_along(sandbox: Sandbox, repository: Repository) -> None:
    """As in Git, by both ways that delete."""
    for graphql, path in ((True, "environments/dev/values.yaml"), (False, "environments/prod/values.yaml")):
        sandbox.graphql = graphql
        async with adapter(sandbox, repository) as made:
            change = await changeset(made, (), (path,), ())
            await made.forge.commit(made.repository, change, CommitMessage("m", ""))
        folder = path.rpartition("/")[0]
        assert repository.entry(repository.tree_of(repository.head()), folder) is None


@pytest.mark.parametrize(
    ("graphql", "write"),
    [(True, {"operation": "Commit"}), (False, {"method": "PUT"})],
)
async def test_a_file_that_somebody_else_made_meanwhile_is_a_stale_head(
    sandbox: Sandbox, repository: Repository, graphql: bool, write: Any
) -> None:
    """The rules are evaluated again on what is there now; nothing is overwritten."""
    sandbox.graphql = graphql
    async with adapter(sandbox, repository) as made:
        change = await changeset(made, (OTHER,), (), ())
        sandbox.before(lambda: repository.commit({OTHER: "theirs\n"}, "Foreign"), **write)
        with pytest.raises(StaleHead):
            await made.forge.commit(made.repository, change, CommitMessage("m", ""))
    assert repository.read(OTHER) == b"theirs\n"


@pytest.mark.parametrize("graphql", [True, False])
@pytest.mark.parametrize("opened", [True, False])
async def test_a_path_that_is_a_folder_is_known_as_one(
    sandbox: Sandbox, repository: Repository, graphql: bool, opened: bool
) -> None:
    """However it is asked for; what is no folder is not."""
    sandbox.graphql = graphql
    paths = ["environments", "environments/dev", "environments/dev/values.yaml", "nothing", f"{README}/x"]
    async with adapter(sandbox, repository) as made:
        snapshot = await made.forge.open(made.repository, paths if opened else [])
        if not opened:
            snapshot = await made.forge.read(snapshot, [Glob(path) for path in paths], unlimited())
    assert snapshot.folders == {"environments", "environments/dev"}
    assert set(snapshot.files) == {"environments/dev/values.yaml"}
