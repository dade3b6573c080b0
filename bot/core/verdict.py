"""May this actor make this changeset? A tree of named results, not a boolean."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bot.core.model import Result
from bot.core.protected import Protection, refusals
from bot.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bot.core.changeset import Changeset
    from bot.core.model import Actor


_PROOFS = {"webhook": "a signed webhook", "terminal": "sitting at the terminal"}


@dataclass(frozen=True, slots=True)
class Verdict:
    """The whole reasoning; `allowed` is its root."""

    result: Result

    @property
    def allowed(self) -> bool:
        """Whether the changeset may be made."""
        return self.result.holds

    @property
    def objections(self) -> tuple[str, ...]:
        """The sentences of the rules that do not hold."""
        return tuple(_objections(self.result))


def judge(actor: Actor, changeset: Changeset, protection: Protection | None = None) -> Verdict:
    """Judge the actual changeset, not what was asked for.

    A verified dispatch may do what the mapping file says, as the reviewed file is the consent; what `protection` keeps
    from rules stays untouched all the same.
    """
    proof = Result("the actor is proven", holds=True, why=f"{actor.login or 'somebody'}, by {_PROOFS[actor.via]}")
    both = (proof, _untouched(changeset, protection or Protection()))
    return Verdict(Result("the changeset may be made", holds=all(result.holds for result in both), children=both))


def _untouched(changeset: Changeset, protection: Protection) -> Result:
    name = "no path is one that nothing may touch"
    try:
        refused = refusals(changeset.files, protection)
    except InputError as error:  # the globs of `allow_files` take too long
        return Result(name, holds=False, why=str(error))
    paths = [
        Result(path, holds=path not in refused, why=refused.get(path, "may change")) for path in sorted(changeset.files)
    ]
    return Result(name, holds=not refused, children=tuple(paths))


def _objections(result: Result) -> Iterable[str]:
    if result.holds:
        return
    if not result.children:
        yield result.why or result.name
    for child in result.children:
        yield from _objections(child)
