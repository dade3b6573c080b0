"""From a dispatch to the commit and its report, through real HTTP and real git objects."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from running import REFUSAL, draining, logged, rows, running

from bot.flows.rules import MappingSource
from bot.sandbox import SUBMODULE, SYMLINK

if TYPE_CHECKING:
    from pathlib import Path

    from bot.sandbox import Repository, Sandbox

MAPPINGS = """\
version: 1
mappings:
  - name: dev
    when: { docker_image_tag: '.*-dev' }
    update:
      - files: environments/dev/values.yaml
        set:
          image.tag: ${{ docker_image_tag }}
"""
VALUES = 'image:\n  repository: ghcr.io/acme/shop # the shop\n  tag: "1.4.1-dev" # set by pointsman\n'

ARTICLE = """\
version: 1
regexes:
  image_tag: 'imageTag: "(?<docker_image_tag>.*)"'
mappings:
  - name: dev
    on: update-gitops-repo
    when: { docker_image_tag: '.*-dev' }
    update:
      - { files: environments/dev/values.yaml, regex: image_tag }
  - name: prod
    on: update-gitops-repo
    when: { docker_image_tag: '.*-stable' }
    update:
      - { files: '**/prod/values.yaml', regex: image_tag }
commit:
  message: "Branch ${{ git_branch }} led to updated Docker image '${{ docker_image_tag }}': ${{ commit_message }}"
  author: { name: build, email: build@internal }
"""
FILES = {
    "environments/dev/values.yaml": 'imageTag: "1.4.1-dev"\n',
    "environments/prod/values.yaml": 'imageTag: "1.4.0-stable"\n',
    "shop/prod/values.yaml": '# the shop\nimageTag: "1.4.0-stable"\n',
    "shop/prod/other.yaml": 'imageTag: "1.4.0-stable"\n',
}
PAYLOAD = {"git_branch": "main", "docker_image_tag": "1.4.2-stable", "commit_message": "Add a shop"}


def gitops_with(sandbox: Sandbox, mappings: str | None, files: dict[str, str] | None = None) -> Repository:
    own = {".github/pointsman.yaml": mappings} if mappings is not None else {}
    return sandbox.create_repository("acme/gitops", {"README.md": "# GitOps\n", **own, **(files or {})})


def one_update(files: str, operation: str = "set: { image.tag: '${{ tag }}' }") -> str:
    return f"version: 1\nmappings:\n  - name: app\n    update:\n      - files: {files}\n        {operation}\n"


async def test_a_dispatch_ends_as_one_commit_of_the_tag_alone(sandbox: Sandbox, tmp_path: Path) -> None:
    """A signed repository_dispatch changes one value of one file in one commit, and a check run says why."""
    repository = sandbox.create_repository(
        "acme/gitops", {".github/pointsman.yaml": MAPPINGS, "environments/dev/values.yaml": VALUES}
    )
    base = repository.head()
    async with running(sandbox, tmp_path) as bot:
        delivery = await sandbox.dispatch("acme/gitops", "update-gitops-repo", {"docker_image_tag": "1.4.2-dev"})
        assert await bot.ended(delivery) == "committed"
    commit = repository.log()[0]
    assert list(commit.parents) == [base]
    assert list(commit.paths) == ["environments/dev/values.yaml"]
    assert repository.read("environments/dev/values.yaml").decode() == VALUES.replace("1.4.1", "1.4.2")
    assert f"Pointsman-Delivery: {delivery}" in commit.message
    (check_run,) = repository.check_runs(commit.oid)
    assert check_run["conclusion"] == "success"


async def test_a_server_without_graphql_gets_the_commit_by_its_contents_api(sandbox: Sandbox, tmp_path: Path) -> None:
    """GITHUB_API_URL may be any server: asked once for GraphQL, it is read and written by REST from then on."""
    sandbox.graphql = False
    files = {".github/pointsman.yaml": MAPPINGS, "environments/dev/values.yaml": VALUES}
    repository = sandbox.create_repository("acme/gitops", files)
    async with running(sandbox, tmp_path, GITHUB_API_URL=f"{sandbox.url}/api/v3") as bot:
        for tag in ("1.4.2-dev", "1.4.3-dev"):
            delivery = await sandbox.dispatch("acme/gitops", "update-gitops-repo", {"docker_image_tag": tag})
            assert await bot.ended(delivery) == "committed"
    assert repository.read("environments/dev/values.yaml").decode() == VALUES.replace("1.4.1", "1.4.3")
    asked = [(exchange.method, exchange.path) for exchange in sandbox.requests]
    assert sum(path.endswith("/graphql") for _, path in asked) == 1
    assert asked.count(("PUT", "/repos/acme/gitops/contents/environments/dev/values.yaml")) == 2


# -- the scene the App was made for


async def test_a_stable_tag_reaches_every_prod_file_with_the_message_and_author_of_the_rules(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    """Two mappings, a regex, a message of the payload's parts, an author: one commit of the two files meant."""
    repository = gitops_with(sandbox, ARTICLE, FILES)
    async with running(sandbox, tmp_path) as bot:
        delivery = await sandbox.dispatch("acme/gitops", "update-gitops-repo", PAYLOAD)
        assert await bot.ended(delivery) == "committed"
    commit = repository.log()[0]
    assert commit.message == (
        "Branch main led to updated Docker image '1.4.2-stable': Add a shop\n\n" + f"Pointsman-Delivery: {delivery}"
    )
    assert commit.author == commit.committer == "build <build@internal>"
    assert list(commit.paths) == ["environments/prod/values.yaml", "shop/prod/values.yaml"]
    for path in commit.paths:
        assert repository.read(path).decode() == FILES[path].replace("1.4.0", "1.4.2")


async def test_a_dev_tag_reaches_the_dev_file_alone(sandbox: Sandbox, tmp_path: Path) -> None:
    """The other mapping does not hold, and the check run says why not."""
    repository = gitops_with(sandbox, ARTICLE, FILES)
    async with draining(sandbox, tmp_path) as bench:
        row = await bench.dispatch(repository, {**PAYLOAD, "docker_image_tag": "1.4.2-dev"})
    assert (row.state, row.commit) == ("committed", repository.head())
    assert list(repository.log()[0].paths) == ["environments/dev/values.yaml"]
    (run,) = repository.check_runs(repository.head())
    assert "* ⬜ mapping `prod`" in run["output"]["summary"]


async def test_a_typo_in_a_group_fails_before_anything_is_written(sandbox: Sandbox, tmp_path: Path) -> None:
    """`git_brach` names no variable: failed, with the name that was meant, on the head; no commit."""
    mappings = ARTICLE.replace('"(?<docker_image_tag>.*)"', '"(?<docker_image_tag>.*)" # (?<git_brach>.*)')
    repository = gitops_with(sandbox, mappings, FILES)
    head = repository.head()
    async with draining(sandbox, tmp_path) as bench:
        row = await bench.dispatch(repository, PAYLOAD)
    assert row.state == "failed"
    assert "has a group 'git_brach', which is no variable; did you mean 'git_branch'?" in row.reason
    assert repository.head() == head
    (run,) = repository.check_runs(head)
    assert (run["conclusion"], run["output"]["title"]) == ("failure", "Failed: nothing was written")
    assert all(f"`{line}`" in run["output"]["summary"] for line in row.reason.splitlines())


async def test_another_event_type_meets_no_mapping(sandbox: Sandbox, tmp_path: Path) -> None:
    """`on:` chooses among event types: neutral, and the reason is told."""
    repository = gitops_with(sandbox, ARTICLE, FILES)
    async with draining(sandbox, tmp_path) as bench:
        row = await bench.dispatch(repository, PAYLOAD, "deploy")
    assert (row.state, row.reason) == ("no_change", "no mapping holds")
    (run,) = repository.check_runs()
    assert "`on update-gitops-repo`: `the event type is 'deploy'`" in run["output"]["summary"]


# -- what fails, and what has nothing to do

TYPOS = """\
version: 2
mapings: []
mappings:
  - name: a
    when: { tag: '(' }
    update: [{ files: /etc/passwd, set: { a: '${{ 1 + }}' } }]
"""
ANY = "environments/dev/values.yaml"
LFS = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n"
VALUE = "image: { tag: 1 }\n"


@pytest.mark.parametrize(
    "case",
    [
        (one_update(ANY, "set: { image.tag: '${{ tga }}' }"), {"tag": "2"}, "failed", "did you mean 'tag'?"),
        (one_update("'${{ dir }}/values.yaml'"), {"tag": "2", "dir": "/etc"}, "failed", "is absolute"),
        (one_update("'${{ dir }}/values.yaml'"), {"tag": "2", "dir": "../x"}, "failed", "has a '.' or '..' as a part"),
        (one_update("'${{ dir }}/config'"), {"tag": "2", "dir": ".git"}, "failed", "leads into .git"),
        (one_update("'${{ dir }}/x'"), {"tag": "2", "dir": "a\x07b"}, "failed", "has a control character"),
        (one_update(".git/config"), {"tag": "2"}, "failed", "leads into .git"),
        (one_update(ANY, "set: { image.tag: '${{ tag }}' }"), {"tag": ["2"]}, "failed", "is a list"),
        (one_update(".github/pointsman.yaml", "set: { version: 1.0 }"), {}, "denied", "is the mapping file"),
        (one_update(".github/workflows/a.yml"), {"tag": "2"}, "denied", "is a workflow"),
        (one_update("CODEOWNERS", "regex: '(?<tag>\\*)'"), {"tag": "2"}, "denied", "says who reviews what"),
        (one_update("link.yaml"), {"tag": "2"}, "failed", "link.yaml is a symbolic link, which is never written"),
        (one_update("module"), {"tag": "2"}, "failed", "module is a submodule, which is never written"),
        (one_update("lfs.yaml"), {"tag": "2"}, "failed", "lfs.yaml is a Git LFS pointer, which is never written"),
        (one_update("list.yaml"), {"tag": "2"}, "failed", "list.yaml"),
        (one_update("'absent/**'"), {"tag": "2"}, "no_change", "mapping 'app': no file matches 'absent/**'"),
        (one_update("absent.yaml"), {"tag": "2"}, "no_change", "mapping 'app': no file matches 'absent.yaml'"),
        (
            one_update(ANY, "regex: 'x(?<tag>y)'"),
            {"tag": "2"},
            "no_change",
            "the regex matches nothing in environments",
        ),
        (one_update(ANY), {"tag": 1}, "no_change", "mapping 'app': the value is there already in environments"),
        (MAPPINGS, {"docker_image_tag": "1-prod"}, "no_change", "no mapping holds"),
        (MAPPINGS, None, "no_change", "no mapping holds"),
    ],
)
async def test_what_writes_nothing_says_why_in_log_record_and_check_run(
    sandbox: Sandbox, tmp_path: Path, capsys: pytest.CaptureFixture[str], case: tuple[str, Any, str, str]
) -> None:
    """One sentence, the same at each of the three places; failures are failures, nothing to do is neutral."""
    mappings, payload, state, sentence = case
    files = {
        ANY: VALUE,
        ".github/workflows/a.yml": VALUE,
        "CODEOWNERS": "* @acme\n",
        "lfs.yaml": LFS,
        "list.yaml": "[]",
    }
    repository = gitops_with(sandbox, mappings, files)
    oid = repository.head()
    repository.commit({"link.yaml": ANY, "module": oid}, "Link", modes={"link.yaml": SYMLINK, "module": SUBMODULE})
    head = repository.head()
    async with draining(sandbox, tmp_path) as bench:
        row = await bench.dispatch(repository, payload)
    assert row.state == state
    assert sentence in row.reason
    assert repository.head() == head
    (run,) = repository.check_runs(head)
    assert run["conclusion"] == ("neutral" if state == "no_change" else "failure")
    assert all(f"* `{line}`" in run["output"]["summary"] for line in row.reason.splitlines())
    (event,) = [event for event in logged(capsys.readouterr().err) if event["event"] == state]
    assert event["reason"] == row.reason


async def test_every_problem_of_a_mapping_file_is_told_at_its_line(sandbox: Sandbox, tmp_path: Path) -> None:
    """All at once, each as an annotation of the mapping file."""
    repository = gitops_with(sandbox, TYPOS)
    async with draining(sandbox, tmp_path) as bench:
        row = await bench.dispatch(repository, {"tag": "1"})
    assert row.state == "failed"
    problems = row.reason.splitlines()
    assert [problem.split(":")[:2] for problem in problems] == [
        [".github/pointsman.yaml", line] for line in ("1", "2", "5", "6", "6")
    ]
    assert "did you mean 'mappings'?" in problems[1]
    (run,) = repository.check_runs()
    annotations = run["output"]["annotations"]
    assert [(each["path"], each["start_line"]) for each in annotations] == [
        (".github/pointsman.yaml", line) for line in (1, 2, 5, 6, 6)
    ]
    assert [f"{each['message']}" in problem for each, problem in zip(annotations, problems, strict=True)] == [True] * 5


async def test_a_mapping_file_that_is_no_text_fails(sandbox: Sandbox, tmp_path: Path) -> None:
    """Bytes that are not UTF-8 are said to be so."""
    repository = gitops_with(sandbox, "version: 1\n")
    repository.commit({".github/pointsman.yaml": b"version: \xff\n"}, "Break")
    async with draining(sandbox, tmp_path) as bench:
        row = await bench.dispatch(repository, {})
    assert (row.state, row.reason) == ("failed", ".github/pointsman.yaml: the mapping file is not UTF-8")


async def test_a_mapping_file_that_is_a_link_fails(sandbox: Sandbox, tmp_path: Path) -> None:
    """Other rules must not govern than those people see in its place."""
    repository = gitops_with(sandbox, None, {"rules.yaml": MAPPINGS})
    repository.symlink(".github/pointsman.yaml", "../rules.yaml")
    async with draining(sandbox, tmp_path, source=MappingSource(text=MAPPINGS.encode())) as bench:
        row = await bench.dispatch(repository, {})
    assert row.state == "failed"
    assert row.reason.startswith(".github/pointsman.yaml: the mapping file must be an ordinary file")


async def test_without_a_mapping_file_nothing_is_said_on_github(
    sandbox: Sandbox, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The App is installed on whole organizations: the reason is in the log alone."""
    repository = gitops_with(sandbox, None)
    async with draining(sandbox, tmp_path) as bench:
        row = await bench.dispatch(repository, {})
    assert row.state == "ignored"
    assert row.reason == "no mapping file: acme/gitops has no .github/pointsman.yaml on 'main'"
    assert repository.check_runs() == []
    assert row.reason in [event.get("reason") for event in logged(capsys.readouterr().err)]


@pytest.mark.parametrize(("organization", "tag"), [(True, "from the organization"), (False, "from the server")])
async def test_other_mapping_files_apply_where_there_is_no_own_one(
    sandbox: Sandbox, tmp_path: Path, organization: bool, tag: str
) -> None:
    """The owner's `.github` repository only if it was set so, then the server's own file."""
    mappings = one_update(ANY, "set: { image.tag: '@' }")
    sandbox.create_repository(
        "acme/.github", {".github/pointsman.yaml": mappings.replace("@", "from the organization")}
    )
    repository = gitops_with(sandbox, None, {ANY: VALUE})
    server = mappings.replace("@", "from the server").encode()
    source = MappingSource(organization=organization, name="/etc/mappings.yaml", text=server)
    async with draining(sandbox, tmp_path, source=source) as bench:
        row = await bench.dispatch(repository, {})
    assert row.state == "committed"
    assert tag in repository.read(ANY).decode()


async def test_the_own_mapping_file_comes_first(sandbox: Sandbox, tmp_path: Path) -> None:
    """Neither the organization nor the server overrides what a repository says of itself."""
    mappings = one_update(ANY, "set: { image.tag: '@' }")
    sandbox.create_repository("acme/.github", {".github/pointsman.yaml": mappings})
    repository = gitops_with(sandbox, mappings.replace("@", "own"), {ANY: VALUE})
    async with draining(sandbox, tmp_path, source=MappingSource(organization=True, text=b"version: 9")) as bench:
        assert (await bench.dispatch(repository, {})).state == "committed"
    assert b"own" in repository.read(ANY)


# -- what no log may show


async def test_no_secret_leaves_the_process(
    sandbox: Sandbox, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Tokens, key, webhook secret and Authorization are in no log (at debug level), record, commit or report."""
    from running import environment

    from bot import settings

    repository = gitops_with(sandbox, ARTICLE, FILES)
    async with running(sandbox, tmp_path) as bot:
        first = await sandbox.dispatch("acme/gitops", "update-gitops-repo", PAYLOAD)
        assert await bot.ended(first) == "committed"
        sandbox.tokens.clear()
        # No retry within seconds helps.
        suspended = {**REFUSAL, "message": "This installation has been suspended"}
        sandbox.faults.add(path="access_tokens", status=403, body=suspended, times=9)
        second = await sandbox.dispatch("acme/gitops", "update-gitops-repo", {**PAYLOAD, "docker_image_tag": "3-dev"})
        assert await bot.ended(second) == "waiting"
    told = capsys.readouterr().err + repr(rows(tmp_path)) + repr(repository.log()) + repr(repository.runs)
    told += repr(settings.load(environment(sandbox, tmp_path)))
    key = [line for line in sandbox.app.private_key.splitlines() if len(line) > 20 and "KEY" not in line]
    secrets = [*key, sandbox.app.webhook_secret, "ghs_", "earer ", "BEGIN", "eyJ", "uthorization:"]
    assert [secret for secret in secrets if secret in told] == []
    data = (tmp_path / "pointsman.db").read_bytes()
    assert [secret for secret in secrets if secret.encode() in data] == []
