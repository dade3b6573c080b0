"""Hints at what is near a path that is not there. They cost requests, so only a delivery that ends over it gets one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.core.meter import Budget
from bot.core.near_paths import mapping_file_hint
from bot.core.protected import MAPPING_PATH
from bot.errors import PointsmanError
from bot.flows import jobs

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bot.core.changeset import NoChange
    from bot.core.snapshot import Snapshot
    from bot.ports import Compute, Forge

# The CPU time for the hints of one delivery on one branch.
HINT_SECONDS = 2.0
# How many sentences get hints, and how many globs of each.
_MOST_SENTENCES, _MOST_GLOBS = 10, 3


async def with_hints(forge: Forge, compute: Compute, view: Snapshot, change: NoChange) -> Sequence[str]:
    """Return the reasons of `change`; to a reason that no file matches, add what is near.

    If no hint can be had, the reasons stay as they are, and nothing is raised.
    """
    # On a remembered head this is no end yet: it is decided again on a fresh one.
    if not change.unmatched or not view.fresh:
        return change.reasons
    asked = {sentence: globs[:_MOST_GLOBS] for sentence, globs in change.unmatched[:_MOST_SENTENCES]}
    globs = list(dict.fromkeys(glob for some in asked.values() for glob in some))
    try:
        modes = await forge.modes(view)
        told = await compute.run(view.repository, Budget(HINT_SECONDS, "the hints"), jobs.near, globs, modes)
    except PointsmanError:
        return change.reasons
    hints = dict(zip(globs, told, strict=True))
    return [reason + "".join(dict.fromkeys(hints[glob] for glob in asked.get(reason, ()))) for reason in change.reasons]


async def mapping_file(forge: Forge, snapshot: Snapshot) -> str:
    """Return a hint at a mapping file of another name in the repository; "" if there is none, or it cannot be read."""
    try:
        root = await forge.modes(snapshot, ("",))
        folders = [path for path in root if path.lower() == MAPPING_PATH.rpartition("/")[0]]
        return mapping_file_hint({*root, *(await forge.modes(snapshot, folders) if folders else ())})
    except PointsmanError:
        return ""
