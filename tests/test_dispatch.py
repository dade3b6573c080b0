"""From a dispatch to the commit and its report, through real HTTP and real git objects."""

from __future__ import annotations

from typing import TYPE_CHECKING

from running import running

if TYPE_CHECKING:
    from pathlib import Path

    from bot.sandbox import Sandbox

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
