"""Where `pointsman serve` takes the mapping file from."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from running import running

if TYPE_CHECKING:
    from pathlib import Path

    from bot.sandbox import Sandbox

RULES = """\
version: 1
mappings:
  - name: one
    update:
      - files: values.yaml
        set: { tag: %s }
"""
FILE = ".github/pointsman.yaml"


def rules(name: str) -> str:
    """Return a mapping file that sets the tag to `name`; one called broken has a misspelt key."""
    return (RULES % name).replace("update", "updaet" if name == "broken" else "update")


@pytest.mark.parametrize(
    ("own", "organization", "server", "allowed", "state", "tag"),
    [
        ("own", "organization", "server", True, "committed", "own"),
        ("", "organization", "server", True, "committed", "organization"),
        ("", "organization", "", True, "committed", "organization"),
        ("", "organization", "server", False, "committed", "server"),
        ("", "", "server", True, "committed", "server"),
        ("", "", "server", False, "committed", "server"),
        ("", "organization", "", False, "ignored", "old"),
        ("", "", "", True, "ignored", "old"),
        ("broken", "organization", "server", True, "failed", "old"),
        ("", "broken", "server", True, "failed", "old"),
    ],
)
async def test_the_nearest_mapping_file_governs(  # noqa: PLR0913 - one column of the table each
    own: str,
    organization: str,
    server: str,
    *,
    allowed: bool,
    state: str,
    tag: str,
    sandbox: Sandbox,
    tmp_path: Path,
) -> None:
    """The repository's own, else with ORG_MAPPINGS the owner's, else MAPPINGS_FILE; a broken one is not passed over."""
    files = {"values.yaml": "tag: old\n"} | ({FILE: rules(own)} if own else {})
    repository = sandbox.create_repository("acme/gitops", files)
    if organization:
        sandbox.create_repository("acme/.github", {FILE: rules(organization)})
    variables = {"ORG_MAPPINGS": str(allowed).lower()}
    if server:
        (tmp_path / "server.yaml").write_text(rules(server))
        variables["MAPPINGS_FILE"] = str(tmp_path / "server.yaml")
    async with running(sandbox, tmp_path, **variables) as bot:
        delivery = await sandbox.dispatch("acme/gitops", "any", {})
        assert await bot.ended(delivery) == state
    assert repository.read("values.yaml") == f"tag: {tag}\n".encode()
