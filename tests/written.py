"""A repository whose dispatches set one tag, the rules for each way to write it, and what was written in the end."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bot.sandbox import Repository, Sandbox

PATH, OTHER = "values.yaml", "other.yaml"
VALUE = "image: { tag: 1-dev }\nreplicas: 1\n"
NOON = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)

# By GraphQL, by the Contents API, and by the Git Data API.
MAPPINGS = """\
version: 1
mappings:
  - name: app
    update:
      - { files: values.yaml, set: { image.tag: '${{ tag }}' } }
"""
AUTHOR = MAPPINGS + "commit: { author: { name: build, email: build@internal } }\n"
TWO = AUTHOR.replace("files: values.yaml", "files: '*.yaml'")


def gitops_with(sandbox: Sandbox, mappings: str = MAPPINGS) -> Repository:
    """Return acme/gitops with two files that say `1-dev`."""
    files = {".github/pointsman.yaml": mappings, PATH: VALUE, OTHER: VALUE}
    return sandbox.create_repository("acme/gitops", files)


def tag(repository: Repository) -> str:
    """Return what the file says."""
    return repository.read(PATH).decode().partition("tag: ")[2].partition(" ")[0].strip('"')


def trailers_of(message: str) -> list[str]:
    """Return the delivery ids in the last paragraph of a commit message."""
    return re.findall(r"^Pointsman-Delivery: (\S+)$", message.rpartition("\n\n")[2], re.MULTILINE)


def trailers(repository: Repository, branch: str | None = None) -> list[str]:
    """Return those of all commits of a branch, the default one if None, oldest first."""
    return [one for entry in reversed(repository.log(branch)) for one in trailers_of(entry.message)]
