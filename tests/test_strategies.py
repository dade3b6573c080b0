"""`commit.strategy`, from the dispatch to the commit: the chosen way is taken, or the delivery says why not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from running import REFUSAL, draining
from written import MAPPINGS, OTHER, PATH, gitops_with, tag, trailers

if TYPE_CHECKING:
    from pathlib import Path

    from bot.sandbox import Sandbox

STRATEGIES = ["graphql", "contents", "git-data"]
# Each dispatch changes the file that it names.
NAMED = MAPPINGS.replace("files: values.yaml", "files: '${{ file }}'")
BOTH = MAPPINGS.replace("files: values.yaml", "files: '*.yaml'")


def chosen(strategy: str, mappings: str = MAPPINGS) -> str:
    """The rules, with a way to commit."""
    return mappings + f"commit: {{ strategy: {strategy} }}\n"


def writes(sandbox: Sandbox) -> list[str]:
    """What was asked that may change a branch."""
    asked = [
        one.operation or f"{one.method} {one.path.rpartition('/repos/acme/gitops/')[2]}" for one in sandbox.requests
    ]
    return [each for each in asked if each.startswith(("Commit", "PUT contents", "DELETE contents", "PATCH git/refs"))]


async def test_one_file_goes_by_the_contents_api_alone(sandbox: Sandbox, tmp_path: Path) -> None:
    """On a server with GraphQL too; dispatches for the file that came together share the commit."""
    repository = gitops_with(sandbox, chosen("contents"))
    async with draining(sandbox, tmp_path) as bench:
        sent = [await bench.store(repository, {"tag": value}) for value in ("2-dev", "3-dev")]
        assert await bench.drain(repository) is None
        assert [bench.row(one).state for one in sent] == ["committed"] * 2
    assert (tag(repository), trailers(repository)) == ("3-dev", sent)
    assert writes(sandbox) == [f"PUT contents/{PATH}"]


async def test_several_files_go_in_commits_of_their_own(sandbox: Sandbox, tmp_path: Path) -> None:
    """By the Contents API, as the mapping file wants it: nothing that fits alone is refused for what came with it."""
    repository = gitops_with(sandbox, chosen("contents", NAMED))
    async with draining(sandbox, tmp_path) as bench:
        sent = [await bench.store(repository, {"tag": "2-dev", "file": file}) for file in (PATH, OTHER)]
        assert await bench.drain(repository) is None
        assert [bench.row(one).state for one in sent] == ["committed"] * 2
    assert sorted(trailers(repository)) == sorted(sent)
    assert sorted(writes(sandbox)) == [f"PUT contents/{OTHER}", f"PUT contents/{PATH}"]


@pytest.mark.parametrize(
    "case",
    [
        ("contents", BOTH, True, "which commits one file, and beside"),
        ("graphql", MAPPINGS, False, "this server has no createCommitOnBranch: use auto, contents or git-data"),
    ],
)
async def test_what_cannot_be_done_so_ends_blocked_with_what_to_do(
    sandbox: Sandbox, tmp_path: Path, case: tuple[str, str, bool, str]
) -> None:
    """Nothing is written, and the check run says it."""
    strategy, mappings, sandbox.graphql, sentence = case
    repository = gitops_with(sandbox, chosen(strategy, mappings))
    async with draining(sandbox, tmp_path) as bench:
        row = await bench.dispatch(repository, {"tag": "2-dev"})
    assert (row.state, sentence in row.reason, writes(sandbox)) == ("blocked", True, [])
    (run,) = repository.check_runs(repository.head())
    assert sentence in run["output"]["summary"] + (run["output"]["text"] or "")


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("message", ["Reference update failed", f"Ref refs/heads/main is at {'1' * 40} but expected 2"])
async def test_a_lost_race_in_other_words_is_decided_again(
    sandbox: Sandbox, tmp_path: Path, strategy: str, message: str
) -> None:
    """Somebody else's commit came between, and GitHub says it as it says a rule: no update is lost."""
    repository = gitops_with(sandbox, chosen(strategy))
    write: dict[str, Any] = {"moves": True, "status": 422, "body": {**REFUSAL, "message": message}}
    if strategy == "graphql":
        error = {"type": "UNPROCESSABLE", "path": ["createCommitOnBranch"], "message": message}
        write |= {"status": 200, "body": {"data": {"createCommitOnBranch": None}, "errors": [error]}}
    sandbox.faults.add(callback=lambda: repository.commit({"people.md": "hello\n"}, "Foreign"), **write)
    async with draining(sandbox, tmp_path) as bench:
        row = await bench.dispatch(repository, {"tag": "2-dev"})
    assert (row.state, tag(repository), row.attempts) == ("committed", "2-dev", 1)
    assert repository.read("people.md") == b"hello\n"
