"""Where the rules come from: the repository itself, its owner, or the server."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from bot.core import mapping_file, yaml
from bot.core.verdict import MAPPING_PATH
from bot.errors import InputError, Problem

if TYPE_CHECKING:
    from bot.core.mapping import MappingFile
    from bot.core.model import Repository
    from bot.core.snapshot import Snapshot
    from bot.ports import Forge


@dataclass(frozen=True, slots=True)
class MappingSource:
    """Where mappings come from, and within which `limits` they edit.

    The repository's own file, if `own`; where there is none, that of the owner's `.github` repository, if
    `organization`; where there is none, `text` (`name` is its path for messages); where that is None, `rules`.
    `path` is where the file of `text` or `rules` lies in the repository, if it does: no rule writes it.
    """

    own: bool = True
    organization: bool = False
    name: str = ""
    text: bytes | None = None
    rules: MappingFile | None = None
    path: str | None = None
    limits: yaml.Limits = yaml.LIMITS


async def read_rules(
    forge: Forge, repository: Repository, snapshot: Snapshot, source: MappingSource
) -> MappingFile | None:
    """Return the mapping file that holds for `repository`, whose default branch is `snapshot`; None where none does.

    Raises InputError with all that is wrong in it.
    """
    name, file = MAPPING_PATH, snapshot.files.get(MAPPING_PATH) if source.own else None
    if file is None and source.organization:
        name = f"{repository.owner}/.github/{MAPPING_PATH}"
        file = await forge.organization_file(repository, MAPPING_PATH)
    if file is None:
        name, data = source.name, source.text
        if data is None:
            return _at(source.path, source.rules) if source.rules else None
    elif file.data is None:
        # Going on to the next source would let other rules govern than the ones people see here.
        raise InputError(Problem("the mapping file must be an ordinary file of at most 4 MB, no link", name))
    else:
        data = file.data
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise InputError(Problem("the mapping file is not UTF-8", name)) from error
    rules = await asyncio.to_thread(mapping_file.parse, text, name)
    return _at(source.path, rules)


def _at(path: str | None, rules: MappingFile) -> MappingFile:
    """Return rules that leave their own mapping file alone, which is at `path` of the repository."""
    return replace(rules, protection=replace(rules.protection, mapping_path=path)) if path else rules
