"""How much of a repository is held in memory at a time, and that nobody loses by it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from running import draining

if TYPE_CHECKING:
    from pathlib import Path

    from bot.sandbox import Repository, Sandbox

MAPPINGS = """\
version: 1
mappings:
  - name: folder
    branch: %s
    update: [{ files: %s, regex: '^tag: (?<tag>.*)' }]
"""
GLOB = "'${{ folder }}/*.yaml'"
PATHS = str([f"${{{{ folder }}}}/{number}.yaml" for number in range(9)])
LARGE = b"tag: old\n" + b"# padding\n" * 390_000


def gitops(sandbox: Sandbox, branch: str, named: str) -> Repository:
    """Make a repository of two folders, either of which fits into memory, and one that does not."""
    names = [*(f"{folder}/{number}.yaml" for folder in ("left", "right") for number in range(5))]
    names += [f"all/{number}.yaml" for number in range(9)]
    files = {name: LARGE.replace(b"padding", name.encode()[:7].ljust(7), 1) for name in names}
    repository = sandbox.create_repository(
        "acme/gitops", {".github/pointsman.yaml": MAPPINGS % (branch, named), **files}
    )
    repository.create_branch("live")
    return repository


@pytest.mark.parametrize(("branch", "named"), [("main", GLOB), ("live", PATHS)])
async def test_what_does_not_fit_into_memory_fails_and_takes_nobody_along(
    branch: str, named: str, sandbox: Sandbox, tmp_path: Path
) -> None:
    """Deliveries that fit alone but not together follow one another; one that does not fit alone fails."""
    repository = gitops(sandbox, branch, named)
    async with draining(sandbox, tmp_path) as bench:
        sent = [await bench.store(repository, {"folder": name, "tag": "new"}) for name in ("left", "all", "right")]
        while await bench.drain(repository) is not None:
            pass
        states = [bench.row(delivery) for delivery in sent]
    assert [row.state for row in states] == ["committed", "failed", "committed"], [row.reason for row in states]
    assert f"the files that are named on '{branch}' have 35,1" in states[1].reason
    assert "32,000,000 may be read at a time: name fewer or smaller files" in states[1].reason
    for folder, start in (("left", b"tag: new\n"), ("right", b"tag: new\n"), ("all", b"tag: old\n")):
        assert repository.read(f"{folder}/1.yaml", branch)[:9] == start
