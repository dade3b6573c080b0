"""What is kept of a branch between one change and the next."""

from __future__ import annotations

from bot.compute.in_place import InPlace
from bot.core.changeset import Changeset
from bot.core.model import Repository
from bot.core.outcome import Commit
from bot.core.snapshot import Snapshot
from bot.github.objects import Objects
from bot.github.views import Views

REPOSITORY = Repository(7, "acme/gitops", "main", 1)
BEFORE, HEAD = "1" * 40, "2" * 40
# A thousand paths are kept, and one more may come until they are forgotten.
MOST = 1001


def asked_for(views: Views, paths: int) -> list[int]:
    """Ask for so many paths one by one, as payloads name them, none of them there; return how many were known then."""
    known = []
    for number in range(paths):
        path = f"previews/{number}.yaml"
        views.keep(Snapshot(REPOSITORY, "main", HEAD), [path])
        assert views.open(REPOSITORY, "main", [path]) is not None
        view = views.get(REPOSITORY, "main")
        assert view is not None
        known.append(len(view.entries))
    return known


def test_names_that_come_from_payloads_do_not_gather_for_ever() -> None:
    """All of them would be read again at each push; the last one is known whatever was forgotten."""
    known = asked_for(Views(Objects(), InPlace()), 3 * MOST)
    assert (max(known), known[:MOST]) == (MOST, list(range(1, MOST + 1)))


def test_a_branch_whose_paths_are_forgotten_knows_its_own_heads() -> None:
    """The push of a commit that we made before comes after that, and is no news."""
    views = Views(Objects(), InPlace())
    views.keep(Snapshot(REPOSITORY, "main", BEFORE), [])
    views.advance(REPOSITORY, Changeset("main", BEFORE, {}), Commit(HEAD, "", BEFORE))
    assert asked_for(views, MOST + 1)[-1] == 1
    assert [views.is_news(REPOSITORY, "main", head) for head in (BEFORE, HEAD, "3" * 40)] == [False, False, True]
