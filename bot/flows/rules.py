"""Where the rules come from: the repository itself, its owner, or the server."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cachetools import TTLCache

from bot.core import yaml
from bot.core.meter import Budget
from bot.core.protected import MAPPING_PATH
from bot.errors import InputError, Problem
from bot.flows import jobs
from bot.flows.jobs import RulesText

if TYPE_CHECKING:
    from bot.core.mapping import MappingFile
    from bot.core.model import Repository
    from bot.core.snapshot import Snapshot
    from bot.flows.jobs import ReadRules, Rules
    from bot.ports import Compute, Forge

# After this time a mapping file is read anew: it may have been refused for a passing reason, such as a busy machine.
KEPT_SECONDS = 600.0
# The remembered mapping files have at most this many characters together.
KEPT_CHARACTERS = 16_000_000


@dataclass(frozen=True, slots=True)
class CpuSeconds:
    """How many seconds of CPU may be spent."""

    delivery: float = float("inf")
    """On one delivery, over all branches and evaluations: DELIVERY_CPU_SECONDS."""
    mapping_file: float = float("inf")
    """On reading one mapping file: MAPPINGS_CPU_SECONDS."""


@dataclass(frozen=True, slots=True)
class MappingSource:
    """Where mappings come from, and within which limits they are carried out.

    The first of these that exists holds: the repository's own file, the owner's file, `text`, `rules`.
    """

    own: bool = True
    """Whether the repository's own mapping file is looked for."""
    organization: bool = False
    """Whether the mapping file of the owner's `.github` repository is looked for."""
    name: str = ""
    """The path of `text` as messages show it."""
    text: bytes | None = None
    """The server's or the command line's mapping file."""
    rules: MappingFile | None = None
    """Rules that were never a file, or are read already."""
    path: str | None = None
    """The path of `text` or `rules` in the repository if they are a file of it: no rule may write that file."""
    limits: yaml.Limits = yaml.LIMITS
    seconds: CpuSeconds = field(default_factory=CpuSeconds)

    def budget(self) -> Budget:
        """Return the budget of one delivery."""
        return Budget(self.seconds.delivery, "the delivery", "DELIVERY_CPU_SECONDS")


class RulesReader:
    """Reads the mapping file that holds for a repository, and remembers the result for each text."""

    def __init__(self, forge: Forge, compute: Compute, source: MappingSource) -> None:
        self._forge = forge
        self._compute = compute
        self._source = source
        self._known: TTLCache[RulesText, tuple[ReadRules | InputError, int]] = TTLCache(
            KEPT_CHARACTERS, KEPT_SECONDS, time.monotonic, getsizeof=lambda kept: kept[1]
        )

    async def read(self, repository: Repository, snapshot: Snapshot) -> ReadRules | None:
        """Return the rules for `repository`, whose default branch is `snapshot`; None if there are none.

        Raises InputError with every problem in them.
        """
        rules = await self._find(repository, snapshot)
        if not isinstance(rules, RulesText):
            return None if rules is None else await self._compute_read(repository, rules)
        kept = self._known.get(rules)
        if kept is None:
            kept = await self._read(repository, rules), len(rules.text) + len(rules.name)
            self._known[rules] = kept
        if isinstance(kept[0], InputError):
            raise InputError(kept[0].problems)
        return kept[0]

    async def _read(self, repository: Repository, rules: RulesText) -> ReadRules | InputError:
        try:
            return await self._compute_read(repository, rules)
        except InputError as error:
            return error

    async def _compute_read(self, repository: Repository, rules: Rules) -> ReadRules:
        budget = Budget(self._source.seconds.mapping_file, "the mapping file", "MAPPINGS_CPU_SECONDS")
        return await self._compute.run(repository, budget, jobs.read_rules, rules)

    async def _find(self, repository: Repository, snapshot: Snapshot) -> Rules | None:
        """Return the rules that hold, not yet parsed."""
        name, file = MAPPING_PATH, snapshot.files.get(MAPPING_PATH) if self._source.own else None
        if file is None and self._source.organization:
            name = f"{repository.owner}/.github/{MAPPING_PATH}"
            file = await self._forge.organization_file(repository, MAPPING_PATH)
        if file is None:
            name, data = self._source.name, self._source.text
            if data is None:
                return jobs.lying_at(self._source.path, self._source.rules) if self._source.rules else None
        elif file.data is None:
            # The next source is not taken instead: other rules would hold than those that people see in the repository.
            raise InputError(Problem("the mapping file must be an ordinary file of at most 4 MB, no link", name))
        else:
            data = file.data
        try:
            return RulesText(data.decode(), name, self._source.path)
        except UnicodeDecodeError as error:
            raise InputError(Problem("the mapping file is not UTF-8", name)) from error
