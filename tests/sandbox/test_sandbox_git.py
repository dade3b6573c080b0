"""The Git Data API: refs, trees, blobs, commits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest
from sandbox_ends import b64

from bot.sandbox import EXECUTABLE, SUBMODULE, SYMLINK

if TYPE_CHECKING:
    from sandbox_ends import Client

    from bot.sandbox import Repository

REPO = "/repos/acme/gitops"


async def commit_by_api(client: Client, base: str, entries: list[Any], **more: Any) -> str:
    """Make tree and commit on top of `base`; give the commit's oid. No ref moves."""
    base_tree = (await client("GET", f"{REPO}/git/commits/{base}")).data["tree"]["sha"]
    tree = (await client("POST", f"{REPO}/git/trees", {"base_tree": base_tree, "tree": entries})).data["sha"]
    body = {"message": "by api", "tree": tree, "parents": [base], **more}
    oid: str = (await client("POST", f"{REPO}/git/commits", body)).data["sha"]
    return oid


async def test_four_steps_commit_several_files(client: Client, gitops: Repository) -> None:
    """Blob, tree, commit and ref update make one commit with just the changes asked for."""
    head = gitops.head()
    blob = (await client("POST", f"{REPO}/git/blobs", {"content": b64(b"\x00\xff"), "encoding": "base64"})).data["sha"]
    entries = [
        {"path": "binary", "mode": "100644", "type": "blob", "sha": blob},
        {"path": "run.sh", "mode": "100755", "type": "blob", "content": "#!/bin/sh\n"},
        {"path": "environments/dev/values.yaml", "mode": "100644", "type": "blob", "sha": None},
    ]
    oid = await commit_by_api(client, head, entries)
    moved = await client("PATCH", f"{REPO}/git/refs/heads/main", {"sha": oid, "force": False})
    assert (moved.status, moved.data["object"]["sha"], gitops.head()) == (200, oid, oid)
    assert gitops.log()[0].paths == ("binary", "environments/dev/values.yaml", "run.sh")
    assert gitops.read("binary") == b"\x00\xff"
    listed = (await client("GET", f"{REPO}/git/trees/main?recursive=1")).data["tree"]
    modes = {entry["path"]: entry["mode"] for entry in listed}
    assert modes == {
        "README.md": "100644",
        "binary": "100644",
        "environments": "040000",
        "environments/prod": "040000",
        "environments/prod/values.yaml": "100644",
        "run.sh": "100755",
    }


async def test_a_commit_without_people_is_the_apps_and_verified(client: Client, gitops: Repository) -> None:
    """The bot is the author and GitHub the committer, unless the request names a person."""
    head = gitops.head()
    entry = {"path": "a", "mode": "100644", "type": "blob", "content": "a"}
    own = (await client("GET", f"{REPO}/git/commits/{await commit_by_api(client, head, [entry])}")).data
    bot = "41898283+pointsman[bot]@users.noreply.github.com"
    assert (own["author"]["email"], own["committer"]["email"]) == (bot, "noreply@github.com")
    assert own["verification"]["verified"] is True
    person = {"name": "build", "email": "build@internal", "date": "2026-01-02T03:04:05Z"}
    oid = await commit_by_api(client, head, [entry], author=person)
    given = (await client("GET", f"{REPO}/git/commits/{oid}")).data
    assert (given["author"], given["committer"]["name"]) == (person, "build")
    assert given["verification"]["verified"] is False


async def test_a_ref_moves_only_forward_unless_forced(client: Client, gitops: Repository) -> None:
    """A commit beside the head is no fast forward: 422, and the branch stays."""
    base = gitops.head()
    entry = {"path": "a", "mode": "100644", "type": "blob", "content": "a"}
    beside = await commit_by_api(client, base, [entry])
    ahead = gitops.commit({"README.md": "# moved\n"}, "a person was faster")
    refused = await client("PATCH", f"{REPO}/git/refs/heads/main", {"sha": beside})
    assert (refused.status, refused.data["message"]) == (422, "Update is not a fast forward")
    assert gitops.head() == ahead
    assert (await client("PATCH", f"{REPO}/git/refs/heads/main", {"sha": beside, "force": True})).status == 200
    assert gitops.head() == beside


@pytest.mark.parametrize(
    ("request_line", "body", "message"),
    [
        ("POST refs", {"ref": "refs/heads/main", "sha": "HEAD"}, "Reference already exists"),
        ("POST refs", {"ref": "refs/heads/new", "sha": "0" * 40}, "Object does not exist"),
        ("POST refs", {"ref": "main", "sha": "HEAD"}, "Reference name must start with 'refs/' and contain"),
        ("PATCH refs/heads/nothing", {"sha": "HEAD"}, "Reference does not exist"),
        ("PATCH refs/heads/main", {"sha": "0" * 40}, "Object does not exist"),
        ("POST trees", {"tree": []}, "Invalid tree info"),
        ("POST trees", {"base_tree": "HEAD", "tree": [{"path": "a", "content": ""}]}, "Invalid base_tree"),
        ("POST trees", {"base_tree": "main", "tree": [{"path": "a", "content": ""}]}, "Invalid base_tree"),
        ("POST trees", {"base_tree": "0" * 40, "tree": [{"path": "a", "content": ""}]}, "Invalid base_tree"),
        ("POST trees", {"tree": [{"path": "a/../b", "mode": "100644", "content": ""}]}, "tree.path contains a"),
        ("POST trees", {"tree": [{"path": "a", "mode": "7", "content": ""}]}, "tree.mode is not a valid mode"),
        ("POST trees", {"tree": [{"path": "a", "mode": "100644", "sha": "0" * 40}]}, "tree.sha is not a valid sha"),
        ("POST trees", {"tree": [{"path": "a", "mode": "100644", "sha": None}]}, "GitRPC::BadObjectState"),
        ("POST commits", {"message": "m", "tree": "0" * 40}, "Tree SHA does not exist"),
        ("POST blobs", {"content": "%", "encoding": "base64"}, "content is not valid Base64"),
        ("POST blobs", {}, "Validation Failed"),
    ],
)
async def test_what_git_cannot_do_is_refused(
    client: Client, gitops: Repository, request_line: str, body: Any, message: str
) -> None:
    """Each request git has no answer to is a 422 with GitHub's sentence; HEAD stands for the head's oid."""
    body = {name: gitops.head() if value == "HEAD" else value for name, value in body.items()}
    method, path = request_line.split()
    reply = await client(method, f"{REPO}/git/{path}", body)
    assert (reply.status, reply.data["message"][: len(message)]) == (422, message)


MALFORMED = [".git/a", "a/git~1/b", ".git /a", ".GIT.", "a//b", "../a", ".g\u200cit/a"]


@pytest.mark.parametrize("path", MALFORMED)
async def test_what_a_file_system_takes_for_git_is_no_path(client: Client, gitops: Repository, path: str) -> None:
    """No way to write takes a path that is `.git` to Windows or macOS."""
    head, quoted = gitops.head(), quote(path)
    tree = [{"path": path, "mode": "100644", "type": "blob", "content": "x"}]
    made = await client("POST", f"{REPO}/git/trees", {"base_tree": gitops.tree_of(head), "tree": tree})
    assert (made.status, made.data["message"]) == (422, "tree.path contains a malformed path component")
    if "//" not in path and ".." not in path:  # a client would make another path of these
        put = await client("PUT", f"{REPO}/contents/{quoted}", {"message": "m", "content": b64("x")})
        assert (put.status, put.data["message"]) == (422, "path contains a malformed path component")
    asked = {
        "branch": {"repositoryNameWithOwner": "acme/gitops", "branchName": "main"},
        "expectedHeadOid": head,
        "message": {"headline": "m"},
        "fileChanges": {"additions": [{"path": path, "contents": b64("x")}]},
    }
    query = "mutation M($i: CreateCommitOnBranchInput!) { createCommitOnBranch(input: $i) { commit { oid } } }"
    [error] = (await client.graphql(query, i=asked))["errors"]
    assert (error["type"], "malformed" in error["message"]) == ("UNPROCESSABLE", True)
    assert gitops.head() == head


async def test_nothing_lies_below_a_submodule(client: Client, gitops: Repository) -> None:
    """REST says that it is not found, and GraphQL that it is null."""
    gitops.commit({"sub": "1" * 40}, "a submodule", modes={"sub": SUBMODULE})
    assert (await client("GET", f"{REPO}/contents/sub/a")).status == 404
    query = '{ repository(owner: "acme", name: "gitops") { defaultBranchRef { target { ... on Commit { FILE } } } } }'
    reply = await client.graphql(query.replace("FILE", 'file(path: "sub/a") { oid }'))
    assert reply["data"]["repository"]["defaultBranchRef"]["target"] == {"file": None}
    below = await client.graphql(
        '{ repository(owner: "acme", name: "gitops") { object(expression: "main:sub/a") { id } } }'
    )
    assert below["data"] == {"repository": {"object": None}}


async def test_a_branch_is_made_and_read(client: Client, gitops: Repository) -> None:
    """A new ref is there by ref, in the list of branches and by name, slashes in it or not."""
    body = {"ref": "refs/heads/feature/one", "sha": gitops.head()}
    assert (await client("POST", f"{REPO}/git/refs", body)).status == 201
    assert (await client("GET", f"{REPO}/git/ref/heads/feature/one")).data["object"]["sha"] == gitops.head()
    assert [branch["name"] for branch in (await client("GET", f"{REPO}/branches")).data] == ["feature/one", "main"]
    assert (await client("GET", f"{REPO}/branches/feature%2Fone")).data["commit"]["sha"] == gitops.head()
    assert (await client("GET", f"{REPO}/branches/nothing")).data["message"] == "Branch not found"
    assert (await client("GET", f"{REPO}/git/ref/heads/nothing")).status == 404


async def test_a_protected_branch_takes_no_ref_update(client: Client, gitops: Repository) -> None:
    """The rule is told in GitHub's words with 422, as the ref update answers it."""
    gitops.protect("main")
    oid = await commit_by_api(client, gitops.head(), [{"path": "a", "mode": "100644", "type": "blob", "content": "a"}])
    reply = await client("PATCH", f"{REPO}/git/refs/heads/main", {"sha": oid})
    message = "Repository rule violations found\n\nChanges must be made through a pull request.\n\n"
    assert (reply.status, reply.data["message"]) == (422, message)
    assert (await client("GET", f"{REPO}/branches/main")).data["protected"] is True


async def test_a_long_tree_is_truncated(client: Client, gitops: Repository) -> None:
    """Beyond the limit the listing is cut and says so."""
    client.sandbox.tree_limit = 3
    reply = (await client("GET", f"{REPO}/git/trees/{gitops.head()}?recursive=1")).data
    assert (len(reply["tree"]), reply["truncated"]) == (3, True)
    top = (await client("GET", f"{REPO}/git/trees/main")).data
    assert ([entry["path"] for entry in top["tree"]], top["truncated"]) == (["README.md", "environments"], False)
    assert (await client("GET", f"{REPO}/git/trees/{'0' * 40}")).status == 404


async def test_blobs_come_in_base64_or_raw(client: Client, gitops: Repository) -> None:
    """Both media types give the same bytes."""
    listed = (await client("GET", f"{REPO}/git/trees/main")).data["tree"]
    oid = next(entry["sha"] for entry in listed if entry["path"] == "README.md")
    assert (await client("GET", f"{REPO}/git/blobs/{oid}")).data["content"] == b64("# GitOps\n") + "\n"
    raw = await client("GET", f"{REPO}/git/blobs/{oid}", headers={"Accept": "application/vnd.github.raw+json"})
    assert raw.raw == gitops.read("README.md")
    assert (await client("GET", f"{REPO}/git/blobs/{gitops.head()}")).status == 404


async def test_every_mode_is_kept(client: Client, gitops: Repository) -> None:
    """Links, submodules and executables are listed as git has them."""
    modes = {"link": SYMLINK, "module": SUBMODULE, "run": EXECUTABLE}
    gitops.commit({"link": "README.md", "module": "1" * 40, "run": "x"}, "all kinds", modes=modes)
    gitops.commit({"run": "y"}, "the mode stays")
    listed = (await client("GET", f"{REPO}/git/trees/main")).data["tree"]
    assert [(entry["path"], entry["mode"], entry["type"]) for entry in listed] == [
        ("README.md", "100644", "blob"),
        ("environments", "040000", "tree"),
        ("link", "120000", "blob"),
        ("module", "160000", "commit"),
        ("run", "100755", "blob"),
    ]
