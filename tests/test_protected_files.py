"""Files that rules do not write, by the whole bot."""

from __future__ import annotations

from typing import TYPE_CHECKING

from running import draining, running

from bot.core.snapshot import SYMLINK

if TYPE_CHECKING:
    from pathlib import Path

    from bot.sandbox import Sandbox

FILE = ".github/pointsman.yaml"
CREATES = """\
version: 1
mappings:
  - name: a
    update: [{ files: '${{ path }}', create: 'on: push' }]
"""
PATHS = {
    ".GitHub/workflows/x.yml": "denied",
    ".github./workflows/x.yml": "denied",
    ".g\u200cithub/workflows/x.yml": "denied",
    "codeowners": "denied",
    ".gitmodules": "denied",
    ".gitattributes": "denied",
    ".gitlab-ci.yml": "denied",
    ".circleci/config.yml": "denied",
    "Jenkinsfile": "denied",
    "action.yml": "denied",
    ".husky/pre-commit": "denied",
    "git~1/hooks/pre-commit": "failed",
    ".git::$INDEX_ALLOCATION/config": "failed",
    ".g\u200cit/config": "failed",
    "apps/a\u202eb": "failed",
    "aux.yaml": "failed",
}


async def test_no_payload_creates_a_protected_file(sandbox: Sandbox, tmp_path: Path) -> None:
    """Each ends with a sentence in the check run, and the head stays."""
    repository = sandbox.create_repository("acme/gitops", {FILE: CREATES})
    async with draining(sandbox, tmp_path) as bench:
        for path, state in PATHS.items():
            row = await bench.dispatch(repository, {"path": path})
            assert (path, row.state) == (path, state)
            assert row.reason.isprintable()
    assert len(repository.log()) == 1
    runs = repository.check_runs(repository.head())
    assert len(runs) == len(PATHS)
    assert all(run["conclusion"] == "failure" for run in runs)


async def test_a_file_that_people_opened_changes_and_a_glob_passes_the_others_over(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    """One commit of what may change, with a note on the rest; links stay links."""
    rules = (
        "version: 1\nallow_files: ['ci/*.gitlab-ci.yml', '.github/x', link]\n"
        "mappings:\n  - name: a\n    update: [{ files: '**', regex: 'tag: (?<tag>.*)' }]\n"
    )
    text = "tag: 1\n"
    paths = ["Jenkinsfile", "ci/a.gitlab-ci.yml", ".gitlab-ci.yml", "a.yaml", ".GitHub/x", "codeowners"]
    files = {FILE: rules.replace(", '.github/x'", ""), **dict.fromkeys(paths, text)}
    repository = sandbox.create_repository("acme/gitops", files)
    repository.commit({"link": "a.yaml"}, "Link", modes={"link": SYMLINK})
    async with draining(sandbox, tmp_path) as bench:
        row = await bench.dispatch(repository, {"tag": "2"})
        assert row.state == "committed"
        assert sorted(repository.log()[0].paths) == ["a.yaml", "ci/a.gitlab-ci.yml"]
        (run,) = repository.check_runs(repository.head())
        assert "leaves a file out: .gitlab-ci.yml is a file on which GitLab acts by itself" in run["output"]["summary"]
        repository.commit({FILE: rules}, "Open what is never opened")
        row = await bench.dispatch(repository, {"tag": "3"})
    assert (row.state, "'allow_files' never opens .github/x" in row.reason) == ("failed", True)


async def test_allow_files_of_the_server_s_own_mapping_file_count(sandbox: Sandbox, tmp_path: Path) -> None:
    """As those of the repository do."""
    rules = tmp_path / "server.yaml"
    text = "version: 1\nallow_files: [.drone.yml]\nmappings:\n  - name: a\n    update:\n"
    rules.write_text(text + "      - { files: .drone.yml, set: { image: '${{ tag }}' } }\n")
    repository = sandbox.create_repository("acme/gitops", {".drone.yml": "image: a\n"})
    async with running(sandbox, tmp_path, MAPPINGS_FILE=str(rules)) as bot:
        assert await bot.ended(await sandbox.dispatch("acme/gitops", "any", {"tag": "b"})) == "committed"
    assert repository.read(".drone.yml") == b"image: b\n"
