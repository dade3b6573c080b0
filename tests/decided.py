"""Decisions made in memory: a mapping file and a payload in, plan, changeset and outcome out."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from bot.core import mapping_file
from bot.core.changeset import Changeset, NoChange, compute
from bot.core.meter import Meter
from bot.core.model import Repository
from bot.core.outcome import Commit, Outcome
from bot.core.plan import Plan, plan
from bot.core.snapshot import REGULAR, File, Snapshot
from bot.core.trigger import Dispatch

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bot.core.mapping import MappingFile

REPOSITORY = Repository(1, "acme/gitops", "main", 1)
HEAD = "1" * 40
PATH = "environments/dev/values.yaml"
MAPPINGS = """\
version: 1
mappings:
  - name: dev
    when: { tag: '.*-dev' }
    update:
      - files: environments/dev/values.yaml
        set: { image.tag: '${{ tag }}' }
"""


def planned(payload: Any, mappings: str = MAPPINGS, event_type: str = "update-gitops-repo") -> Plan:
    """Return the plan that a mapping file makes of a payload."""
    return planned_by(mapping_file.parse(mappings, ".github/pointsman.yaml"), payload, event_type)


def planned_by(rules: MappingFile, payload: Any, event_type: str = "update-gitops-repo") -> Plan:
    """Return the plan that a mapping file, read already, makes of a payload."""
    return plan(rules, Dispatch(REPOSITORY, event_type, payload))


def view(files: Mapping[str, str | bytes | File]) -> Snapshot:
    """Return a snapshot with these files, regular ones where only their content is given."""
    made = {path: content if isinstance(content, File) else _file(content) for path, content in files.items()}
    return Snapshot(REPOSITORY, "main", HEAD, MappingProxyType(made))


def _file(content: str | bytes) -> File:
    data = content.encode() if isinstance(content, str) else content
    return File(REGULAR, "", data, len(data))


def changed(
    files: Mapping[str, str | bytes | File], payload: Any, mappings: str = MAPPINGS
) -> tuple[Plan, Changeset | NoChange]:
    """Return the plan and what it does to these files."""
    made = planned(payload, mappings)
    return made, compute(made, view(files), Meter(lambda: 0.0))


def committed(payload: Any, mappings: str = MAPPINGS, content: str = "image: { tag: 1-dev }\n") -> Outcome:
    """Return the outcome of a dispatch that changed `PATH` and was committed."""
    made, change = changed({PATH: content}, payload, mappings)
    assert isinstance(change, Changeset)
    commit = Commit("2" * 40, "https://github.com/acme/gitops/commit/2", HEAD)
    return Outcome("d1", "committed", commit.url, HEAD, made, change, None, commit)
