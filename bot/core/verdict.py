"""May this actor make this changeset? A tree of named results, not a boolean."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bot.core.model import Result

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bot.core.changeset import Changeset
    from bot.core.model import Actor

MAPPING_PATH = ".github/pointsman.yaml"

# Where GitHub looks for it:
# https://docs.github.com/en/repositories/managing-your-repositorys-settings-and-features/customizing-your-repository/about-code-owners
_CODEOWNERS = frozenset({"CODEOWNERS", ".github/CODEOWNERS", "docs/CODEOWNERS"})


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


def judge(actor: Actor, changeset: Changeset) -> Verdict:
    """Judge the actual changeset, not what was asked for.

    A verified dispatch may do what the mapping file says, as the reviewed file is the consent; what no door may touch
    stays untouched all the same.
    """
    proof = Result("the actor is proven", holds=True, why=f"{actor.login or 'somebody'}, by {_PROOFS[actor.via]}")
    paths = tuple(_untouchable(path) for path in sorted(changeset.files))
    untouched = Result("no path is one that nothing may touch", holds=all(path.holds for path in paths), children=paths)
    both = (proof, untouched)
    return Verdict(Result("the changeset may be made", holds=all(result.holds for result in both), children=both))


_PROOFS = {"webhook": "a signed webhook", "terminal": "sitting at the terminal"}


def _untouchable(path: str) -> Result:
    if path == MAPPING_PATH:
        why = f"{path} is the mapping file; people change it, in a pull request"
    elif path.startswith(".github/workflows/"):
        why = f"{path} is a workflow; people change it, in a pull request"
    elif path in _CODEOWNERS:
        why = f"{path} says who reviews what; people change it, in a pull request"
    elif path.startswith(".github/"):
        why = f"{path} is below .github/, where code that runs may be; people change it, in a pull request"
    else:
        return Result(path, holds=True, why="may change")
    return Result(path, holds=False, why=why)


def _objections(result: Result) -> Iterable[str]:
    if result.holds:
        return
    if not result.children:
        yield result.why or result.name
    for child in result.children:
        yield from _objections(child)
