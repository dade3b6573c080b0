"""Reading a repository at one commit: what is asked of GitHub, and that nothing is read twice."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from adapters import adapter

from bot.core.glob import Glob, escape
from bot.core.meter import unlimited
from bot.core.snapshot import EXECUTABLE, MAX_FILE_BYTES, REGULAR, SUBMODULE, SYMLINK, File, Snapshot
from bot.errors import InputError, Transient, Unavailable
from bot.github.objects import blob_oid

if TYPE_CHECKING:
    from bot.sandbox import Repository, Sandbox

ODD = "apps/ü b%20c#d?e&f+{g}.yaml"
FILES = {
    "README.md": "# GitOps\n",
    "apps/shop/dev/values.yaml": "shop dev\n",
    "apps/shop/prod/values.yaml": "shop prod\n",
    "apps/till/prod/values.yaml": "till prod\n",
    "apps/till/prod/notes.txt": "notes\n",
    ODD: "odd\n",
    "docs/a/b/c/values.yaml": "docs\n",
    "environments/prod/values.yaml": "prod\n",
}


@pytest.fixture
def repository(sandbox: Sandbox) -> Repository:
    return sandbox.create_repository("acme/gitops", FILES)


def texts(snapshot: Snapshot) -> dict[str, str]:
    return {path: (file.data or b"").decode() for path, file in sorted(snapshot.files.items())}


BOTH = pytest.mark.parametrize("graphql", [True, False])


@BOTH
async def test_the_head_and_the_files_asked_for_are_read(
    sandbox: Sandbox, repository: Repository, graphql: bool
) -> None:
    """Those that exist, with their mode, blob and bytes; a folder is no file, nor is what lies below one."""
    sandbox.graphql = graphql
    paths = ["README.md", "absent", "apps", "apps/absent/x", "README.md/x", ODD]
    async with adapter(sandbox, repository) as (forge, named, _):
        snapshot = await forge.open(named, paths)
    assert (snapshot.branch, snapshot.head) == ("main", repository.head())
    assert texts(snapshot) == {"README.md": "# GitOps\n", ODD: "odd\n"}
    assert snapshot.files["README.md"] == File(REGULAR, blob_oid(b"# GitOps\n"), b"# GitOps\n", 9)


async def test_literal_paths_take_one_request_and_no_listing(sandbox: Sandbox, repository: Repository) -> None:
    """By GraphQL all of them at once, beside the head or at a commit."""
    async with adapter(sandbox, repository) as made:
        snapshot = await made.forge.open(made.repository, ["README.md", "apps/shop/dev/values.yaml"])
        await made.forge.read(snapshot, [Glob(escape(path)) for path in FILES], unlimited())
        assert made.asked() == ["Open", "Read"]


GLOBS = [
    (["apps/*/prod/values.yaml"], ["apps/shop/prod/values.yaml", "apps/till/prod/values.yaml"]),
    (["apps/shop/**"], ["apps/shop/dev/values.yaml", "apps/shop/prod/values.yaml"]),
    (["{apps/till,environments}/prod/*.yaml"], ["apps/till/prod/values.yaml", "environments/prod/values.yaml"]),
    (["**/prod/values.yaml", "README.md"],
     ["README.md", "apps/shop/prod/values.yaml", "apps/till/prod/values.yaml", "environments/prod/values.yaml"]),
    (["absent/**"], []),
    (["apps/?? b*"], []),
    (["apps/? b*"], [ODD]),
]  # fmt: skip


@BOTH
@pytest.mark.parametrize("case", GLOBS)
@pytest.mark.parametrize("limit", [100_000, 5])
async def test_a_glob_reads_what_it_matches(
    sandbox: Sandbox, repository: Repository, graphql: bool, case: tuple[list[str], list[str]], limit: int
) -> None:
    """By either API, and where GitHub cuts a listing the trees are walked: the same files."""
    globs, paths = case
    sandbox.graphql, sandbox.tree_limit = graphql, limit
    async with adapter(sandbox, repository) as (forge, named, _):
        snapshot = await forge.read(await forge.open(named, []), [Glob(glob) for glob in globs], unlimited())
    assert texts(snapshot) == {path: FILES[path] for path in sorted(paths)}


async def test_only_subtrees_that_can_match_are_listed(sandbox: Sandbox, repository: Repository) -> None:
    """`apps/shop/**`: the root, `apps`, and `apps/shop` with all below; nothing of docs or environments."""
    async with adapter(sandbox, repository) as made:
        snapshot = await made.forge.open(made.repository, [])
        await made.forge.read(snapshot, [Glob("apps/shop/**")], unlimited())
        trees = [asked for asked in made.asked() if "git/trees" in asked]
    shown = {repository.tree_of(repository.head()): "/", repository.head(): "/"}
    shown |= {
        entry.oid: entry.path
        for entry in repository.entries(repository.tree_of(repository.head()), recursive=True)
        if entry.type == "tree"
    }
    assert [shown[asked.split("/")[-1].removesuffix("?recursive")] for asked in trees] == ["/", "apps", "apps/shop"]
    assert [asked.endswith("?recursive") for asked in trees] == [False, False, True]


async def test_a_glob_from_the_root_is_one_listing(sandbox: Sandbox, repository: Repository) -> None:
    """`**/prod/values.yaml` could be anywhere: one recursive listing, then the files in one request."""
    async with adapter(sandbox, repository) as made:
        snapshot = await made.forge.open(made.repository, [])
        await made.forge.read(snapshot, [Glob("**/prod/values.yaml")], unlimited())
        assert made.asked() == ["Open", f"GET git/trees/{repository.head()}?recursive", "Read"]


async def test_a_listing_that_is_cut_is_walked_without_losing_a_file(sandbox: Sandbox, repository: Repository) -> None:
    """Each tree by itself, recursively again where it fits into one answer."""
    sandbox.tree_limit = 5
    async with adapter(sandbox, repository) as made:
        snapshot = await made.forge.open(made.repository, [])
        found = await made.forge.read(snapshot, [Glob("**/values.yaml")], unlimited())
    assert sorted(found.files) == sorted(path for path in FILES if path.endswith("/values.yaml"))


async def test_a_folder_that_cannot_be_listed_is_told(sandbox: Sandbox, repository: Repository) -> None:
    """A single folder beyond GitHub's bound: no half of it is taken for the whole."""
    sandbox.tree_limit = 2
    async with adapter(sandbox, repository) as (forge, named, _):
        with pytest.raises(InputError, match="too many entries for GitHub to list; name paths instead"):
            await forge.read(await forge.open(named, []), [Glob("**/values.yaml")], unlimited())


@BOTH
async def test_what_was_read_is_not_read_again(sandbox: Sandbox, repository: Repository, graphql: bool) -> None:
    """Blobs and trees are named by their content: after a commit only what changed is asked for."""
    sandbox.graphql = graphql
    async with adapter(sandbox, repository) as made:
        await made.forge.read(await made.forge.open(made.repository, []), [Glob("apps/**")], unlimited())
        before = len(sandbox.requests)
        await made.forge.read(await made.forge.open(made.repository, []), [Glob("apps/**")], unlimited())
        assert made.asked(before) == ["Open" if graphql else "GET git/ref/heads/main"]
        repository.commit({"apps/shop/dev/values.yaml": "new\n"}, "Change")
        before = len(sandbox.requests)
        snapshot = await made.forge.read(await made.forge.open(made.repository, []), [Glob("apps/**")], unlimited())
        assert texts(snapshot)["apps/shop/dev/values.yaml"] == "new\n"
        asked = made.asked(before)
    trees = [each for each in asked if "git/trees" in each]
    assert len(trees) == 2  # the root and `apps`, which both have new names
    files = [each for each in asked if each == "Read" or "git/blobs" in each]
    assert len(files) == 1


@BOTH
async def test_entries_that_are_no_files_come_without_bytes(
    sandbox: Sandbox, repository: Repository, graphql: bool
) -> None:
    """Links are not followed, submodules are not read; an executable file is one with its mode."""
    sandbox.graphql = graphql
    head = repository.head()
    entries = {"link": "README.md", "module": head, "run.sh": "#!/bin/sh\n"}
    repository.commit(entries, "Add", modes={"link": SYMLINK, "module": SUBMODULE, "run.sh": EXECUTABLE})
    async with adapter(sandbox, repository) as (forge, named, _):
        literal = await forge.open(named, ["link", "module", "run.sh"])
        globbed = await forge.read(await forge.open(named, []), [Glob("{link,module,run.sh}")], unlimited())
    assert literal.files == globbed.files
    assert literal.files["link"] == File(SYMLINK, blob_oid(b"README.md"), None, 9)
    assert literal.files["module"] == File(SUBMODULE, head)
    assert literal.files["run.sh"] == File(EXECUTABLE, blob_oid(b"#!/bin/sh\n"), b"#!/bin/sh\n", 10)


CONTENTS: list[Any] = [
    pytest.param(b"", id="empty"),
    pytest.param(b"\xef\xbb\xbfbom: 1\r\n", id="bom and crlf"),
    pytest.param(b"a\x00b", id="binary"),
    pytest.param(b"\xff\xfe", id="no utf-8"),
    pytest.param("é\n".encode() * 300_000, id="beyond GraphQL's bound"),
    pytest.param("\u2028\u0085 \U0001f600\n".encode(), id="separators"),
]


@BOTH
@pytest.mark.parametrize("content", CONTENTS)
async def test_every_byte_comes_as_it_is(
    sandbox: Sandbox, repository: Repository, graphql: bool, content: bytes
) -> None:
    """What GraphQL cuts, leaves out or could alter is read as a blob: a text counts only if its hash is the name."""
    sandbox.graphql = graphql
    repository.commit({"file": content}, "Add")
    async with adapter(sandbox, repository) as (forge, named, _):
        snapshot = await forge.open(named, ["file"])
    assert snapshot.files["file"].data == content


@BOTH
@pytest.mark.parametrize("glob", ["large.yaml", "large.*"])
async def test_a_file_beyond_the_bound_is_not_read(
    sandbox: Sandbox, repository: Repository, graphql: bool, glob: str
) -> None:
    """Its size is known, its bytes stay where they are."""
    sandbox.graphql = graphql
    content = b"#" * (MAX_FILE_BYTES + 1)
    repository.commit({"large.yaml": content}, "Add")
    async with adapter(sandbox, repository) as made:
        snapshot = await made.forge.read(await made.forge.open(made.repository, []), [Glob(glob)], unlimited())
        assert "git/blobs" not in str(made.asked())
    assert snapshot.files["large.yaml"] == File(REGULAR, blob_oid(content), None, len(content))


@BOTH
async def test_a_glob_over_too_many_files_is_refused_before_they_are_read(
    sandbox: Sandbox, repository: Repository, graphql: bool
) -> None:
    """Five hundred may change at once: one more is a mistake, which costs a listing and no more."""
    sandbox.graphql = graphql
    repository.commit({f"many/{i}.yaml": "a\n" for i in range(501)}, "Add")
    async with adapter(sandbox, repository) as made:
        snapshot = await made.forge.open(made.repository, [])
        with pytest.raises(InputError, match="matches 501 files; 500 at most may change at once"):
            await made.forge.read(snapshot, [Glob("many/*")], unlimited())
        assert not any(asked == "Read" or "git/blobs" in asked for asked in made.asked())


async def test_a_blob_that_is_not_what_it_is_called_is_not_taken(sandbox: Sandbox, repository: Repository) -> None:
    """Bytes that a proxy altered on the way are never edited and written back."""
    sandbox.graphql = False
    oid = blob_oid(b"# GitOps\n")
    url = f"{sandbox.url}/repos/acme/gitops/git/blobs/{oid}"
    body = {"sha": oid, "node_id": "x", "size": 1, "url": url, "content": "eA==", "encoding": "base64"}
    sandbox.faults.add(path="/git/blobs/", status=200, body=body)
    async with adapter(sandbox, repository) as (forge, named, _):
        with pytest.raises(Transient, match=f"GitHub sent other bytes than those of blob {oid}"):
            await forge.open(named, ["README.md"])
        assert texts(await forge.open(named, ["README.md"])) == {"README.md": "# GitOps\n"}


async def test_many_files_are_read_fifty_at_a_time(sandbox: Sandbox, repository: Repository) -> None:
    """One GraphQL request asks for fifty at most: GitHub bounds the work of one."""
    repository.commit({f"many/{i}.yaml": f"{i}\n" for i in range(120)}, "Add")
    async with adapter(sandbox, repository) as made:
        snapshot = await made.forge.read(await made.forge.open(made.repository, []), [Glob("many/*.yaml")], unlimited())
        assert made.asked().count("Read") == 3
        assert "git/blobs" not in str(made.asked())
    assert texts(snapshot) == {f"many/{i}.yaml": f"{i}\n" for i in range(120)}


async def test_a_file_that_github_reports_as_missing_is_missing(sandbox: Sandbox, repository: Repository) -> None:
    """An error NOT_FOUND for a file beside the data of the others is no error."""
    error = {"type": "NOT_FOUND", "path": ["repository", "ref", "target", "file1"], "message": "no"}
    target = {"oid": repository.head(), "file0": None, "file1": None}
    data = {"repository": {"ref": {"name": "main", "target": target}}}
    sandbox.faults.add(operation="Open", status=200, body={"data": data, "errors": [error]})
    async with adapter(sandbox, repository) as (forge, named, _):
        snapshot = await forge.open(named, ["a", "b"])
    assert (snapshot.head, dict(snapshot.files)) == (repository.head(), {})


async def test_an_empty_repository_is_told(sandbox: Sandbox) -> None:
    """There is no commit to decide on."""
    empty = sandbox.create_repository("acme/empty")
    async with adapter(sandbox, empty) as (forge, named, _):
        with pytest.raises(Unavailable, match="acme/empty is empty: it has no commit yet"):
            await forge.open(named, [])


@BOTH
async def test_a_default_branch_may_be_called_anything(sandbox: Sandbox, graphql: bool) -> None:
    """Slashes and characters that mean something in an address."""
    sandbox.graphql = graphql
    repository = sandbox.create_repository("acme/odd", {"README.md": "x"}, default_branch="release/1.x#2%25")
    async with adapter(sandbox, repository) as (forge, named, _):
        snapshot = await forge.open(named, ["README.md"])
    assert (snapshot.branch, snapshot.head) == ("release/1.x#2%25", repository.head())


@BOTH
async def test_the_organizations_file_is_read_where_there_is_one(
    sandbox: Sandbox, repository: Repository, graphql: bool
) -> None:
    """Of the owner's `.github` repository, by a token that may only read; None where either is missing."""
    sandbox.graphql = graphql
    async with adapter(sandbox, repository) as (forge, named, _):
        await forge.open(named, [])
        assert await forge.organization_file(named, "a.yaml") is None
        shared = sandbox.create_repository("acme/.github", {"README.md": "x"})
        assert await forge.organization_file(named, "a.yaml") is None
        shared.commit({"a.yaml": "version: 1\n"}, "Add")
        file = await forge.organization_file(named, "a.yaml")
        assert file is not None
        assert file.data == b"version: 1\n"
    assert "contents" in sandbox.requests[-1].permissions
    assert sandbox.requests[-1].permissions["contents"] == "read"


TOO_MUCH = [
    {"type": "RESOURCE_LIMITS_EXCEEDED", "message": "Resource limits for this query exceeded."},
    {"message": "x", "extensions": {"code": "RESOURCE_LIMITS_EXCEEDED"}},
    {"message": "Something went wrong while executing your query. This may be the result of a timeout."},
]


@pytest.mark.parametrize("error", TOO_MUCH)
@pytest.mark.parametrize("times", [1, 3, None])
async def test_files_that_are_too_much_for_one_query_are_asked_for_in_halves(
    sandbox: Sandbox, repository: Repository, error: dict[str, Any], times: int | None
) -> None:
    """Down to one; if even that is too much they are read by REST, and none is asked for by GraphQL again."""
    files = {f"many/{i}.yaml": f"{i}\n" for i in range(8)}
    repository.commit(files, "Add")
    body = {"data": {"repository": None}, "errors": [error]}
    async with adapter(sandbox, repository) as made:
        sandbox.faults.add(operation="Open", status=200, body=body)
        sandbox.faults.add(operation="Read", status=200, body=body, times=times)
        snapshot = await made.forge.open(made.repository, sorted(files))
        asked = made.asked()
    assert texts(snapshot) == files
    assert asked[:2] == ["Open", "Open"]
    # 8, then of the halves 4, 2 and 1.
    assert asked.count("Read") == {1: 3, 3: 7, None: 4}[times]
    assert any("git/blobs" in each for each in asked) == (times is None)


async def test_a_head_that_is_too_much_for_graphql_is_read_by_rest(sandbox: Sandbox, repository: Repository) -> None:
    """There is no smaller query."""
    body = {"data": {"repository": None}, "errors": [TOO_MUCH[0]]}
    async with adapter(sandbox, repository) as made:
        sandbox.faults.add(operation="Open", status=200, body=body, times=None)
        assert (await made.forge.open(made.repository, [])).head == repository.head()
        assert made.asked() == ["Open", "GET git/ref/heads/main"]


@pytest.mark.parametrize("code", ["undefinedField", "argumentNotAccepted", "undefinedType"])
@pytest.mark.parametrize("operation", ["Open", "Read"])
async def test_a_schema_that_lacks_a_field_is_read_by_rest(
    sandbox: Sandbox, repository: Repository, code: str, operation: str
) -> None:
    """It is remembered as a server without GraphQL is."""
    repository.commit({"a.yaml": "a\n"}, "Add")
    error = {"message": "Field 'file' doesn't exist on type 'Commit'", "extensions": {"code": code}}
    async with adapter(sandbox, repository) as made:
        sandbox.faults.add(operation=operation, status=200, body={"errors": [error]}, times=None)
        snapshot = await made.forge.open(made.repository, [])
        snapshot = await made.forge.read(snapshot, [Glob("a.yaml")], unlimited())
        assert texts(snapshot) == {"a.yaml": "a\n"}
        before = len(sandbox.requests)
        await made.forge.open(made.repository, ["a.yaml"])
        assert not {"Open", "Read"} & set(made.asked(before))
