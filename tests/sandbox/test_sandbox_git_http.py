"""Git by smart HTTP: what git itself can do with the sandbox, who may, and what is seen of it."""

from __future__ import annotations

import asyncio
import gzip
import os
import shutil
import sys
import time
from base64 import b64encode
from typing import TYPE_CHECKING, NamedTuple

import aiohttp
import pytest
from sandbox_ends import FORBIDDEN

from bot.sandbox.rules import PUSH_RULES

if TYPE_CHECKING:
    from pathlib import Path

    from sandbox_ends import Client, Receiver

    from bot.sandbox import Repository, Sandbox

needs_git = pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
pytestmark = needs_git

FETCH, PUSH = (
    "/acme/gitops.git/info/refs?service=git-upload-pack",
    "/acme/gitops.git/info/refs?service=git-receive-pack",
)
VALUES = "environments/dev/values.yaml"


class Ran(NamedTuple):
    """What a run of git left: its exit code, and all that it said."""

    code: int
    said: str


def basic(token: str, name: str = "x-access-token") -> str:
    """Return Basic credentials with a token as the password."""
    return f"Basic {b64encode(f'{name}:{token}'.encode()).decode()}"


class Git:
    """The git of this machine in a folder, with no configuration but its own; it sends `token` from the start."""

    def __init__(self, folder: Path, token: str = "") -> None:
        self.folder = folder
        self.token = token

    async def __call__(self, *arguments: str) -> Ran:
        """Run git to its end."""
        person = {f"GIT_{role}_{what}": "p@acme.org" for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
        variables = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1", "GIT_TERMINAL_PROMPT": "0"}
        header = ["-c", f"http.extraHeader=Authorization: {basic(self.token)}"] if self.token else []
        process = await asyncio.create_subprocess_exec(
            "git",
            *header,
            *arguments,
            cwd=self.folder,
            env={"PATH": os.environ["PATH"], "HOME": str(self.folder), "LC_ALL": "C", **person, **variables},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        out, _ = await process.communicate()
        return Ran(process.returncode or 0, out.decode())

    async def change(self, path: str, content: str) -> str:
        """Commit a file with new content; return the commit's oid."""
        (self.folder / path).write_text(content)
        assert await self("add", path) == (0, "")
        assert (await self("commit", "-qm", f"Change {path}")).code == 0
        return (await self("rev-parse", "HEAD")).said.strip()


async def cloned(sandbox: Sandbox, folder: Path, token: str, *options: str) -> Git:
    """Clone acme/gitops with these options of `git clone`."""
    ran = await Git(folder, token)("clone", "-q", *options, f"{sandbox.url}/acme/gitops.git", "work")
    assert ran == (0, "")
    return Git(folder / "work", token)


async def ask(sandbox: Sandbox, address: str, **options: object) -> tuple[int, str, str | None]:
    """Send a request without git; return status, text, and how the server wants to be asked."""
    method = "POST" if "data" in options else "GET"
    async with (
        aiohttp.ClientSession() as session,
        session.request(method, sandbox.url + address, **options) as answer,  # type: ignore[arg-type]  # headers, data
    ):
        return answer.status, await answer.text(errors="replace"), answer.headers.get("WWW-Authenticate")


async def test_a_clone_has_every_file_and_commit(sandbox: Sandbox, gitops: Repository, tmp_path: Path) -> None:
    """`git clone` brings the history, with the sandbox's own token for the user."""
    head = gitops.commit({"README.md": "# New\n"}, "Change the title")
    git = await cloned(sandbox, tmp_path, sandbox.user_token)
    assert (await git("log", "--format=%H")).said.split() == [entry.oid for entry in gitops.log()]
    assert (await git("rev-parse", "HEAD")).said.strip() == head
    assert (git.folder / "README.md").read_text() == "# New\n"


@pytest.mark.parametrize("options", [(), ("--depth", "1"), ("--filter=blob:none",)], ids=["full", "shallow", "partial"])
async def test_a_push_moves_the_branch(
    client: Client, gitops: Repository, tmp_path: Path, options: tuple[str, ...]
) -> None:
    """From a full, a shallow and a partial clone, with an installation's token."""
    gitops.commit({"README.md": "# New\n"}, "A second commit, so that a shallow clone lacks the first")
    git = await cloned(client.sandbox, tmp_path, client.token, *options)
    oid = await git.change(VALUES, "image:\n  tag: 1.0.1-dev\n")
    assert (await git("push", "-q")) == (0, "")
    assert (gitops.head(), gitops.read(VALUES)) == (oid, b"image:\n  tag: 1.0.1-dev\n")
    assert gitops.log()[0].paths == (VALUES,)


async def test_a_push_is_told_like_any_other(client: Client, receiver: Receiver, tmp_path: Path) -> None:
    """Branches that were made, moved and deleted each become a `push` event; a push that changes nothing does not."""
    git = await cloned(client.sandbox, tmp_path, client.sandbox.user_token)
    before = (await git("rev-parse", "HEAD")).said.strip()
    after = await git.change("README.md", "# New\n")
    for refs in (("HEAD:main", "HEAD:other"), ("HEAD:main",), (":other",)):
        assert (await git("push", "-q", "origin", *refs)).code == 0
    await client.sandbox.webhooks.drained()
    zero = "0" * 40
    assert [(payload["ref"], payload["before"], payload["after"]) for _, payload in receiver.events] == [
        ("refs/heads/main", before, after),
        ("refs/heads/other", zero, after),
        ("refs/heads/other", after, zero),
    ]
    assert {payload["pusher"]["name"] for _, payload in receiver.events} == {"octocat"}


async def test_a_protected_branch_refuses_a_push_and_no_other_does(
    sandbox: Sandbox, gitops: Repository, receiver: Receiver, tmp_path: Path
) -> None:
    """Git shows GitHub's sentence for the one branch; the other one of the same push moves, and is told."""
    gitops.protect()
    head = gitops.head()
    git = await cloned(sandbox, tmp_path, sandbox.user_token)
    oid = await git.change("README.md", "# New\n")
    ran = await git("push", "origin", "HEAD:main", "HEAD:other")
    assert ran.code == 1
    assert "GH013: Repository rule violations found for refs/heads/main." in ran.said
    assert "Changes must be made through a pull request." in ran.said
    assert gitops.branches() == {"main": head, "other": oid}
    await sandbox.webhooks.drained()
    assert [payload["ref"] for _, payload in receiver.events] == ["refs/heads/other"]


@pytest.mark.parametrize("kind", sorted(PUSH_RULES))
async def test_git_is_refused_what_push_rules_forbid(
    sandbox: Sandbox, gitops: Repository, tmp_path: Path, kind: str
) -> None:
    """It shows GitHub's sentence, on a new branch too; without such a file the push passes."""
    value, path, content = FORBIDDEN[kind]
    git = await cloned(sandbox, tmp_path, sandbox.user_token)
    gitops.restrict_pushes(kind, value)
    await git.change("other.yaml", "x")
    assert (await git("push", "-q", "origin", "HEAD:main")).code == 0
    head = gitops.head()
    (git.folder / path).parent.mkdir(exist_ok=True)
    await git.change(path, content)
    ran = await git("push", "origin", "HEAD:main", "HEAD:other")
    assert (ran.code, PUSH_RULES[kind] in ran.said, gitops.branches()) == (1, True, {"main": head})


async def test_a_push_of_a_person_has_no_signature(sandbox: Sandbox, gitops: Repository, tmp_path: Path) -> None:
    """A branch that wants signatures does not take it."""
    gitops.protect(kind="signatures")
    git = await cloned(sandbox, tmp_path, sandbox.user_token)
    await git.change("other.yaml", "x")
    ran = await git("push", "origin", "HEAD:main")
    assert (ran.code, "- Commits must have verified signatures." in ran.said) == (1, True)


async def test_a_push_that_is_behind_is_rejected(sandbox: Sandbox, gitops: Repository, tmp_path: Path) -> None:
    """Git's own compare-and-swap holds: a commit that came between is not lost."""
    git = await cloned(sandbox, tmp_path, sandbox.user_token)
    await git.change("README.md", "# New\n")
    head = gitops.commit({VALUES: "image:\n  tag: 2\n"}, "Faster")
    ran = await git("push", "-q")
    assert (ran.code, "fetch first" in ran.said, gitops.head()) == (1, True, head)


@pytest.mark.parametrize(
    ("address", "permissions", "status"),
    [
        (FETCH, {"contents": "read"}, 200),
        (PUSH, {"contents": "read"}, 403),
        (PUSH, {"contents": "write"}, 200),
        (FETCH, {"checks": "write"}, 403),
    ],
)
async def test_a_token_may_what_its_permissions_say(
    client: Client, address: str, permissions: dict[str, str], status: int
) -> None:
    """contents:read is for fetching, contents:write for pushing."""
    token = await client.new_token(permissions=permissions)
    answered, text, _ = await ask(client.sandbox, address, headers={"Authorization": basic(token)})
    denied = "Permission to acme/gitops.git denied to pointsman[bot].\n"
    assert (answered, text if status == 403 else denied) == (status, denied)


@pytest.mark.parametrize(
    ("authorization", "status", "sentence"),
    [
        ("", 401, "Repository not found.\n"),
        (basic("ghs_unknown"), 401, "Bad credentials\n"),
        ("Basic ?", 401, "These credentials are not in Base64.\n"),
        ("Bearer TOKEN", 401, "Repository not found.\n"),
    ],
)
async def test_without_a_good_token_nobody_gets_in(
    sandbox: Sandbox, gitops: Repository, authorization: str, status: int, sentence: str
) -> None:
    """401 with the challenge that lets git ask for credentials; a Bearer token counts for nothing here."""
    header = authorization.replace("TOKEN", sandbox.user_token)
    answer = await ask(sandbox, FETCH, headers={"Authorization": header} if header else {})
    assert answer == (status, sentence, 'Basic realm="GitHub"')
    assert sandbox.requests[-1].path == f"/{gitops.full_name}.git/info/refs"


async def test_what_the_token_does_not_reach_is_not_there(client: Client) -> None:
    """A private repository without the App, and one that does not exist, are the same 404."""
    client.sandbox.create_repository("globex/site", {"a": "b"}, installed=False)
    headers = {"Authorization": basic(client.token)}
    for name in ("globex/site", "acme/none"):
        answer = await ask(client.sandbox, f"/{name}.git/info/refs?service=git-upload-pack", headers=headers)
        assert answer == (404, "Repository not found.\n", None)


async def test_what_is_public_is_cloned_by_anybody_and_pushed_by_nobody(sandbox: Sandbox, tmp_path: Path) -> None:
    """Without credentials a public repository can be read, under its name without `.git` too, and not written."""
    sandbox.create_repository("globex/site", {"a": "b"}, private=False)
    assert await Git(tmp_path)("clone", "-q", f"{sandbox.url}/globex/site", "work") == (0, "")
    assert (tmp_path / "work" / "a").read_text() == "b"
    refused = await ask(sandbox, "/globex/site.git/info/refs?service=git-receive-pack")
    assert refused == (401, "No anonymous write access.\n", 'Basic realm="GitHub"')


async def test_a_packed_request_is_unpacked(sandbox: Sandbox, gitops: Repository) -> None:
    """Git packs longer requests with gzip: the answer to one is the answer to the same one unpacked."""
    command = b"0014command=ls-refs\n00010009peel\n0000"
    headers = {
        "Authorization": basic(sandbox.user_token),
        "Content-Type": "application/x-git-upload-pack-request",
        "Git-Protocol": "version=2",
    }
    address = "/acme/gitops.git/git-upload-pack"
    plain = await ask(sandbox, address, headers=headers, data=command)
    packed = await ask(sandbox, address, headers={**headers, "Content-Encoding": "gzip"}, data=gzip.compress(command))
    assert packed == plain
    assert f"{gitops.head()} refs/heads/main\n" in plain[1]


async def test_git_that_negotiates_long_gets_its_answer(sandbox: Sandbox, gitops: Repository, tmp_path: Path) -> None:
    """A fetch that has to name more than a kilobyte of commits, which git packs, brings the new one."""
    git = await cloned(sandbox, tmp_path, sandbox.user_token)
    for number in range(40):
        await git.change("README.md", f"# {number}\n")
    head = gitops.commit({VALUES: "image:\n  tag: 2\n"}, "Elsewhere")
    assert (await git("fetch", "-q")).code == 0
    assert (await git("rev-parse", "origin/main")).said.strip() == head


async def test_a_long_push_is_streamed(sandbox: Sandbox, gitops: Repository, tmp_path: Path) -> None:
    """Two megabytes that do not compress, which git sends in chunks, arrive."""
    git = await cloned(sandbox, tmp_path, sandbox.user_token)
    content = os.urandom(2_000_000)
    (git.folder / "blob").write_bytes(content)
    assert [(await git(*step)).code for step in (("add", "blob"), ("commit", "-qm", "m"), ("push", "-q"))] == [0, 0, 0]
    assert gitops.read("blob") == content


async def test_the_api_goes_on_where_a_push_ended(client: Client, gitops: Repository, tmp_path: Path) -> None:
    """Commits by both ways follow each other: what one made, the other builds on."""
    git = await cloned(client.sandbox, tmp_path, client.token)
    pushed = await git.change("README.md", "# New\n")
    assert (await git("push", "-q")).code == 0
    made = gitops.commit({VALUES: "image:\n  tag: 2\n"}, "By the API")
    assert (await git("pull", "-q")).code == 0
    assert (await git("log", "--format=%H", "-2")).said.split() == [made, pushed]


async def test_each_request_of_git_takes_its_time_and_is_recorded(client: Client, tmp_path: Path) -> None:
    """Latency counts for each, and method, path, query, status and whose token it was can be looked at."""
    client.sandbox.requests.clear()
    client.sandbox.latency = 0.05
    began = time.monotonic()
    await cloned(client.sandbox, tmp_path, client.token, "--depth", "1")
    assert time.monotonic() - began >= 0.05 * len(client.sandbox.requests)
    first = client.sandbox.requests[0]
    assert (first.method, first.path, first.query) == ("GET", FETCH.partition("?")[0], {"service": "git-upload-pack"})
    assert (first.status, first.installation, first.permissions["contents"]) == (200, 25669, "write")
    assert {exchange.path.rpartition("/")[2] for exchange in client.sandbox.requests} == {"refs", "git-upload-pack"}


async def test_faults_befall_git_too(sandbox: Sandbox, gitops: Repository) -> None:
    """A status instead of the answer, and a connection that is dropped."""
    headers = {"Authorization": basic(sandbox.user_token)}
    sandbox.faults.add(path=r"\.git/", status=503, body="Try again later.")
    assert await ask(sandbox, FETCH, headers=headers) == (503, "Try again later.\n", None)
    sandbox.faults.add(path=r"\.git/", reset=True)
    with pytest.raises(aiohttp.ClientError):  # a POST, as aiohttp sends a GET that was dropped once more
        await ask(sandbox, "/acme/gitops.git/git-upload-pack", headers=headers, data=b"0000")
    assert [exchange.status for exchange in sandbox.requests] == [503, 0]
    assert (await ask(sandbox, FETCH, headers=headers))[0] == 200
    assert gitops.log()[0].message == "Initial commit"


async def test_whoever_hangs_up_leaves_no_program_behind(
    sandbox: Sandbox, gitops: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A git that would answer for ever is ended when nobody listens any more."""
    forever = f"#!{sys.executable}\nimport os, sys\nprint('Content-Type: text/plain\\r\\n\\r', flush=True)\n"
    forever += f"open({str(tmp_path / 'pid')!r}, 'w').write(str(os.getpid()))\n"
    (tmp_path / "git").write_text(forever + "while True: sys.stdout.write('x' * 65536)\n")
    (tmp_path / "git").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    url, headers = sandbox.url + FETCH, {"Authorization": basic(sandbox.user_token)}
    async with aiohttp.ClientSession() as session, session.get(url, headers=headers) as answer:
        assert (await answer.content.readexactly(3), gitops.private) == (b"xxx", True)
    pid = int((tmp_path / "pid").read_text())
    async with asyncio.timeout(10):
        while True:
            try:
                os.kill(pid, 0)
            except ProcessLookupError:
                break
            await asyncio.sleep(0.02)


@pytest.mark.parametrize("installed", [False, True], ids=["no git", "a git without http-backend"])
async def test_a_machine_without_git_says_so(
    sandbox: Sandbox, gitops: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, installed: bool
) -> None:
    """501 with what is missing and where it comes from."""
    if installed:
        (tmp_path / "git").write_text("#!/bin/sh\nexit 1\n")
        (tmp_path / "git").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    status, sentence, _ = await ask(sandbox, FETCH, headers={"Authorization": basic(sandbox.user_token)})
    assert (status, "git http-backend" in sentence, sandbox.requests[-1].status) == (501, True, 501)
    assert ("git-daemon" in sentence, gitops.private) == (installed, True)


async def test_dumb_git_is_turned_away(sandbox: Sandbox, gitops: Repository) -> None:
    """Without the name of a service there is nothing to be had, as on GitHub."""
    headers = {"Authorization": basic(sandbox.user_token)}
    status, sentence, _ = await ask(sandbox, f"/{gitops.full_name}.git/info/refs", headers=headers)
    assert (status, "update your git" in sentence) == (403, True)


async def test_a_renamed_repository_is_cloned_and_pushed_to_under_its_old_name(
    sandbox: Sandbox, gitops: Repository, tmp_path: Path
) -> None:
    """As by GitHub's redirection, which git follows."""
    gitops.rename("deploy")
    git = await cloned(sandbox, tmp_path, sandbox.user_token)
    oid = await git.change("README.md", "# New\n")
    assert (await git("push", "-q")) == (0, "")
    assert (gitops.head(), gitops.full_name) == (oid, "acme/deploy")


async def test_an_archived_repository_is_cloned_and_not_pushed_to(
    sandbox: Sandbox, gitops: Repository, tmp_path: Path
) -> None:
    """Git shows GitHub's sentence, and the branch stays."""
    gitops.archive()
    git = await cloned(sandbox, tmp_path, sandbox.user_token)
    await git.change("README.md", "# New\n")
    ran = await git("push", "-q")
    assert ("This repository was archived so it is read-only." in ran.said, len(gitops.log())) == (True, 1)


async def test_a_person_can_be_faster_than_a_push(sandbox: Sandbox, gitops: Repository, tmp_path: Path) -> None:
    """What comes between git's look and its push is not lost."""
    git = await cloned(sandbox, tmp_path, sandbox.user_token)
    await git.change("README.md", "# New\n")
    gitops.commit_before_next_write({VALUES: "image:\n  tag: 2\n"}, "Faster")
    ran = await git("push", "-q")
    assert (ran.code, [entry.message for entry in gitops.log()]) == (1, ["Faster", "Initial commit"])


async def test_what_would_come_after_the_effect_passes_git_by(
    sandbox: Sandbox, gitops: Repository, tmp_path: Path
) -> None:
    """Its answer is on the way by then: a push arrives and says so."""
    git = await cloned(sandbox, tmp_path, sandbox.user_token)
    oid = await git.change("README.md", "# New\n")
    sandbox.faults.cause("reset after", times=None)
    assert (await git("push", "-q")) == (0, "")
    assert gitops.head() == oid
