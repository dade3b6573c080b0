"""The words in which GitHub tells a writer that the branch moved meanwhile: it has many for the same thing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from bot.sandbox.answers import ApiError
from bot.sandbox.chance import dice

GRAPHQL, CONTENTS, REF = "graphql", "contents", "ref"


@dataclass(frozen=True, slots=True)
class Lost:
    """A race that was lost: the full name of the ref, where it is, and where the writer expected it."""

    ref: str
    head: str
    expected: str


class Wording(NamedTuple):
    """An answer to a lost race: for one way to write, a type of GraphQL or a status of REST, and the sentence."""

    way: str
    kind: str | int
    sentence: str

    def error(self, lost: Lost) -> ApiError:
        """Give the refusal by REST."""
        return ApiError(int(self.kind), self.told(lost))

    def told(self, lost: Lost) -> str:
        """Give the sentence for a race."""
        return self.sentence.format(ref=lost.ref, head=lost.head, expected=lost.expected)


_AT = "is at {head} but expected {expected}"
_REF_AT = "Ref {ref} " + _AT
# STALE_DATA is quoted in github.com/ministryofjustice/modernisation-platform/issues/11985, the ref of a mutation in
# github.com/babarot/gh-infra/pull/163 (its type is recorded nowhere), 409 of a file in
# github.com/PyGithub/PyGithub/issues/1787, 423 in github.com/philschatz/octokit.js/issues/63, the updates of a ref in
# github.com/actions/github-script/issues/455 and github.com/googleapis/repo-automation-bots/issues/4537.
WORDINGS = {
    "stale data": Wording(
        GRAPHQL, "STALE_DATA", 'Expected branch to point to "{expected}" but it did not.  Pull and try again.'
    ),
    "expected, unprocessable": Wording(GRAPHQL, "UNPROCESSABLE", _REF_AT),
    "expected, untyped": Wording(GRAPHQL, "", _REF_AT),
    "file, 409": Wording(CONTENTS, 409, _AT),
    "file, 422": Wording(CONTENTS, 422, _REF_AT),
    "file, 423": Wording(CONTENTS, 423, _AT),
    "file, update failed": Wording(CONTENTS, 422, "Reference update failed"),
    "file, cannot be updated": Wording(CONTENTS, 409, "Reference cannot be updated"),
    "not a fast forward": Wording(REF, 422, "Update is not a fast forward"),
    "update failed": Wording(REF, 422, "Reference update failed"),
    "cannot be updated": Wording(REF, 422, "Reference cannot be updated"),
    "expected, 422": Wording(REF, 422, _REF_AT),
    "expected, 409": Wording(REF, 409, _REF_AT),
    "expected, 423": Wording(REF, 423, _REF_AT),
}


class Races:
    """Chooses the words for races that are really lost.

    Without a choice the mutation answers STALE_DATA, a ref that it is not a fast forward, and the Contents API demands
    the file's blob alone. With one, the Contents API also refuses a branch that moved while its request was under way,
    whatever file that was about, as GitHub does with parallel requests.
    """

    def __init__(self) -> None:
        self._chosen: dict[str, list[Wording]] = {}
        self._dice = dice(0)

    def word(self, *names: str) -> None:
        """Tell lost races in these WORDINGS, which the dice choose among; in all of them if none is named.

        ValueError names those that there are.
        """
        unknown = set(names) - WORDINGS.keys()
        if unknown:
            raise ValueError(f"the sandbox has no wording {sorted(unknown)}: there are {list(WORDINGS)}")
        self._chosen.clear()
        for name in names or WORDINGS:
            self._chosen.setdefault(WORDINGS[name].way, []).append(WORDINGS[name])

    def seed(self, number: int) -> None:
        """Let the dice fall from now on as they always do for this number (0 at first)."""
        self._dice = dice(number)

    def heal(self) -> None:
        """Tell races as at first."""
        self._chosen.clear()

    def are_worded(self, way: str) -> bool:
        """Say whether words were chosen for a way."""
        return way in self._chosen

    def lost(self, way: str) -> Wording:
        """Give the words for a race that was lost by a way to write."""
        first = next(wording for wording in WORDINGS.values() if wording.way == way)
        choice = self._chosen.get(way, [first])
        return choice[0] if len(choice) == 1 else self._dice.choice(choice)
