"""Hints for what is not there, from the dispatch to the reason: by GraphQL, by REST alone, and in a local folder."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from running import REFUSAL, draining

from bot.sandbox import SYMLINK

if TYPE_CHECKING:
    from pathlib import Path

    from bot.sandbox import Repository, Sandbox

LOOKS = "It looks the same, but its accents are other characters: copy the name from the repository"
VALUES = "image: { tag: old }\n"


def gitops(sandbox: Sandbox, files: str) -> Repository:
    mappings = (
        f"version: 1\nmappings: [{{name: a, update: [{{files: '{files}', set: {{image.tag: '${{{{ tag }}}}'}}}}]}}]\n"
    )
    own = {".github/pointsman.yaml": mappings, "Envs/dev/values.yaml": VALUES, "Mu\u0308ller/values.yaml": VALUES}
    repository = sandbox.create_repository("acme/gitops", own)
    repository.commit({"link": b"Envs/dev"}, "Link", modes={"link": SYMLINK})
    return repository


@pytest.mark.parametrize("graphql", [True, False])
@pytest.mark.parametrize(
    ("files", "hint"),
    [
        ("envs/dev/values.yaml", "did you mean 'Envs/dev/values.yaml'? Upper and lower case differ"),
        ("envs/*/values.yaml", "did you mean 'Envs'? Upper and lower case differ"),
        (
            "M\u00fcller/values.yaml",
            rf"did you mean 'Mu\u0308ller/values.yaml'? {LOOKS}",
        ),
        ("link/values.yaml", "'link' is a symbolic link, which is not followed: name the path that it leads to"),
        (
            "Envs/${{ env }}/values.yaml",
            "the * in it stands for itself: only the text of the mapping file has wildcards",
        ),
    ],
)
async def test_no_file_matches_and_the_reason_says_what_is_there(
    sandbox: Sandbox, tmp_path: Path, graphql: bool, files: str, hint: str
) -> None:
    """The reason in the inbox and in the check run is the same; the paths of a commit are asked for once."""
    sandbox.graphql = graphql
    repository = gitops(sandbox, files)
    async with draining(sandbox, tmp_path) as bench:
        row = await bench.dispatch(repository, {"tag": "new", "env": "*"})
        assert row.state == "no_change"
        assert row.reason.endswith(f"'; {hint}")
        (run,) = repository.check_runs(repository.head())
        assert row.reason in run["output"]["summary"]
        asked = len([one for one in sandbox.requests if "/git/trees/" in one.path])
        await bench.dispatch(repository, {"tag": "newer", "env": "*"})
        assert len([one for one in sandbox.requests if "/git/trees/" in one.path]) == asked


async def test_without_the_listing_the_reason_stays_as_it_is(sandbox: Sandbox, tmp_path: Path) -> None:
    """A hint is never worth a failure."""
    repository = gitops(sandbox, "envs/dev/values.yaml")
    sandbox.faults.add(path=r"/git/trees/", status=500, body=REFUSAL)
    async with draining(sandbox, tmp_path) as bench:
        row = await bench.dispatch(repository, {"tag": "new"})
    assert (row.state, row.reason) == ("no_change", "mapping 'a': no file matches 'envs/dev/values.yaml'")


@pytest.mark.parametrize("path", [".github/pointsman.yml", "pointsman.yaml", ".GitHub/Pointsman.yaml"])
async def test_a_mapping_file_of_another_name_is_named(sandbox: Sandbox, tmp_path: Path, path: str) -> None:
    """The delivery is ignored as before, and its reason has the file to rename."""
    repository = sandbox.create_repository("acme/gitops", {path: "version: 1\n"})
    async with draining(sandbox, tmp_path) as bench:
        row = await bench.dispatch(repository, {"tag": "new"})
    why = "no mapping file: acme/gitops has no .github/pointsman.yaml on 'main'"
    assert row.state == "ignored"
    assert row.reason == f"{why}; there is '{path}': rename it to .github/pointsman.yaml"


async def test_a_tree_that_is_too_large_is_asked_for_once(sandbox: Sandbox, tmp_path: Path) -> None:
    """GitHub sends megabytes of a tree that it cuts: other deliveries that match nothing at this commit need none."""
    sandbox.tree_limit = 4
    repository = gitops(sandbox, "envs/${{ env }}/values.yaml")
    async with draining(sandbox, tmp_path) as bench:
        for number in range(5):
            last = await bench.store(repository, {"tag": "new", "env": f"env-{number}"})
        await bench.drain(repository)
        assert bench.row(last).state == "no_change"
    assert len([one for one in sandbox.requests if "recursive" in one.query]) == 1
