"""The Contents API."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from sandbox_ends import b64

from bot.sandbox import EXECUTABLE, SUBMODULE

if TYPE_CHECKING:
    from sandbox_ends import Client

    from bot.sandbox import Repository

PATH = "/repos/acme/gitops/contents"
DEV = f"{PATH}/environments/dev/values.yaml"
RULE = "Repository rule violations found\n\nChanges must be made through a pull request.\n\n"


async def test_a_file_is_read_with_its_sha(client: Client, gitops: Repository) -> None:
    """Path, content and blob oid come together, at any ref."""
    first = gitops.head()
    gitops.commit({"README.md": "# Other\n"}, "change")
    for ref, text in (("", "# Other\n"), (f"?ref={first}", "# GitOps\n"), ("?ref=refs/heads/main", "# Other\n")):
        assert (await client("GET", f"{PATH}/README.md{ref}")).data["content"] == b64(text) + "\n"
    raw = await client("GET", f"{PATH}/README.md", headers={"Accept": "application/vnd.github.raw+json"})
    assert raw.raw == b"# Other\n"
    assert (await client("GET", f"{PATH}/nothing")).data["message"] == "Not Found"
    assert (await client("GET", f"{PATH}/README.md?ref=none")).data["message"] == "No commit found for the ref none"


async def test_a_directory_is_listed(client: Client, gitops: Repository) -> None:
    """The root and folders give their entries; a submodule passes for a file there."""
    modules = '[submodule "module"]\n\tpath = module\n\turl = https://example.com/module.git\n'
    gitops.commit({".gitmodules": modules, "module": "1" * 40}, "submodule", modes={"module": SUBMODULE})
    for path in (PATH, f"{PATH}/"):
        listed = (await client("GET", path)).data
        assert [(entry["path"], entry["type"]) for entry in listed] == [
            (".gitmodules", "file"),
            ("README.md", "file"),
            ("environments", "dir"),
            ("module", "file"),
        ]
    assert [entry["path"] for entry in (await client("GET", f"{PATH}/environments")).data] == [
        "environments/dev",
        "environments/prod",
    ]
    module = (await client("GET", f"{PATH}/module")).data
    assert (module["type"], module["submodule_git_url"]) == ("submodule", "https://example.com/module.git")


async def test_a_link_into_the_repository_is_followed(client: Client, gitops: Repository) -> None:
    """A link to a file answers that file's content; any other link describes itself."""
    gitops.symlink("environments/current.yaml", "dev/values.yaml")
    gitops.symlink("outside", "../../etc/passwd")
    followed = (await client("GET", f"{PATH}/environments/current.yaml")).data
    assert (followed["type"], followed["content"]) == ("file", b64("image:\n  tag: 1.0.0-dev\n") + "\n")
    described = (await client("GET", f"{PATH}/outside")).data
    assert (described["type"], described["target"]) == ("symlink", "../../etc/passwd")


async def test_a_large_file_comes_without_content(client: Client, gitops: Repository) -> None:
    """Above 1 MB the encoding is none and the content empty; the raw media type still gives all."""
    gitops.commit({"large": "x" * (2**20 + 1)}, "large")
    reply = (await client("GET", f"{PATH}/large")).data
    assert (reply["content"], reply["encoding"], reply["size"]) == ("", "none", 2**20 + 1)
    raw = await client("GET", f"{PATH}/large", headers={"Accept": "application/vnd.github.raw+json"})
    assert len(raw.raw) == 2**20 + 1


async def test_one_put_is_one_commit(client: Client, gitops: Repository) -> None:
    """A new file is 201, a changed one 200, with the commit and its parent; mode and other files stay."""
    gitops.commit({"run": "old"}, "executable", modes={"run": EXECUTABLE})
    parent = gitops.head()
    sha = (await client("GET", f"{PATH}/run")).data["sha"]
    changed = await client("PUT", f"{PATH}/run", {"message": "m", "content": b64("new"), "sha": sha})
    assert (changed.status, changed.data["commit"]["parents"][0]["sha"]) == (200, parent)
    assert (gitops.log()[0].paths, gitops.read("run")) == (("run",), b"new")
    entry = gitops.entry(gitops.tree_of(gitops.head()), "run")
    assert entry is not None
    assert entry.mode == EXECUTABLE
    new = await client("PUT", f"{PATH}/deep/er/file", {"message": "m", "content": b64("x"), "branch": "main"})
    assert (new.status, gitops.read("deep/er/file")) == (201, b"x")


async def test_people_are_taken_from_the_request(client: Client, gitops: Repository) -> None:
    """Without author the App's bot writes and GitHub commits; a given author stands in the commit."""
    await client("PUT", f"{PATH}/a", {"message": "m", "content": ""})
    bot = "pointsman[bot] <41898283+pointsman[bot]@users.noreply.github.com>"
    assert (gitops.log()[0].author, gitops.log()[0].committer) == (bot, "GitHub <noreply@github.com>")
    author = {"name": "build", "email": "build@internal"}
    await client("PUT", f"{PATH}/b", {"message": "m", "content": "", "author": author, "committer": author})
    assert (gitops.log()[0].author, gitops.log()[0].committer) == ("build <build@internal>",) * 2


@pytest.mark.parametrize(
    ("path", "change", "refusal"),
    [
        (DEV, {"sha": "0" * 40}, (409, f"environments/dev/values.yaml does not match {'0' * 40}")),
        (DEV, {}, (422, 'Invalid request.\n\n"sha" wasn\'t supplied.')),
        (f"{PATH}/new", {"sha": "0" * 40}, (409, f"new does not match {'0' * 40}")),
        (f"{PATH}/new", {"branch": "nothing"}, (404, "Branch nothing not found")),
        (f"{PATH}/new", {"content": "%"}, (422, "content is not valid Base64")),
        (f"{PATH}/new", {"message": None}, (422, "Validation Failed")),
        (f"{PATH}/a/.git/config", {}, (422, "path contains a malformed path component")),
        (f"{PATH}/a/GIT~1/config", {}, (422, "path contains a malformed path component")),
        (f"{PATH}/a/.g%E2%80%8Cit/config", {}, (422, "path contains a malformed path component")),
        (f"{PATH}/environments", {}, (422, "environments is not a file")),
    ],
)
async def test_a_put_that_does_not_fit_changes_nothing(
    client: Client, gitops: Repository, path: str, change: Any, refusal: tuple[int, str]
) -> None:
    """Each refusal has GitHub's status and sentence, and the head stays."""
    head = gitops.head()
    reply = await client("PUT", path, {"message": "m", "content": b64("x"), **change})
    assert ((reply.status, reply.data["message"]), gitops.head()) == (refusal, head)


async def test_a_moved_head_does_not_matter_to_the_right_sha(client: Client, gitops: Repository) -> None:
    """The blob's sha is the only precondition: another file's change in between is no conflict."""
    sha = (await client("GET", DEV)).data["sha"]
    moved = gitops.commit({"README.md": "# faster\n"}, "a person was faster")
    reply = await client("PUT", DEV, {"message": "m", "content": b64("x"), "sha": sha})
    assert (reply.status, reply.data["commit"]["parents"][0]["sha"]) == (200, moved)


async def test_a_ref_that_moves_meanwhile_is_a_conflict(
    client: Client, gitops: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the branch moves between the check and the ref update, the answer names both commits."""
    head, write = gitops.head(), gitops.write_commit

    def write_slowly(*arguments: Any) -> str:
        monkeypatch.undo()
        gitops.commit({"README.md": "# faster\n"}, "a person was faster")
        return write(*arguments)

    monkeypatch.setattr(gitops, "write_commit", write_slowly)
    reply = await client("PUT", f"{PATH}/new", {"message": "m", "content": b64("x")})
    assert (reply.status, reply.data["message"]) == (409, f"is at {gitops.head()} but expected {head}")
    assert gitops.log()[0].message == "a person was faster"


async def test_a_delete_takes_the_file_and_its_empty_folder(client: Client, gitops: Repository) -> None:
    """One file goes in one commit, with its folder if nothing else was there; the sha is demanded."""
    sha = (await client("GET", DEV)).data["sha"]
    assert (await client("DELETE", DEV, {"message": "m"})).status == 422
    assert (await client("DELETE", DEV, {"message": "m", "sha": "0" * 40})).status == 409
    assert (await client("DELETE", DEV, {"message": "m", "sha": sha})).status == 200
    assert gitops.log()[0].paths == ("environments/dev/values.yaml",)
    assert (await client("GET", f"{PATH}/environments/dev")).status == 404
    assert (await client("DELETE", DEV, {"message": "m", "sha": sha})).status == 404


async def test_a_protected_branch_takes_no_put(client: Client, gitops: Repository) -> None:
    """The rule is told in GitHub's words with 409."""
    gitops.protect()
    reply = await client("PUT", f"{PATH}/new", {"message": "m", "content": ""})
    assert (reply.status, reply.data["message"]) == (409, RULE)


async def test_an_empty_repository_begins_with_a_put(client: Client) -> None:
    """Without any commit there is nothing to read; the first file makes the default branch."""
    repo = client.sandbox.create_repository("acme/empty")
    path = "/repos/acme/empty/contents"
    assert (await client("GET", path)).data["message"] == "This repository is empty."
    assert (await client("GET", "/repos/acme/empty/commits")).status == 409
    assert (await client("PUT", f"{path}/a", {"message": "m", "content": b64("x")})).status == 201
    assert repo.read("a") == b"x"
