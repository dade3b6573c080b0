"""What is kept of a branch between one change and the next."""

from __future__ import annotations

import tracemalloc
from dataclasses import replace

from bot.compute.in_place import InPlace
from bot.core.changeset import Changeset
from bot.core.model import Repository
from bot.core.outcome import Commit
from bot.core.snapshot import Snapshot
from bot.github.objects import Objects
from bot.github.views import Views

REPOSITORY = Repository(7, "acme/gitops", "main", 1)
BEFORE, HEAD = "1" * 40, "2" * 40
MOST = 1000


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


def test_the_names_of_absent_files_are_bounded_by_bytes() -> None:
    """A payload chooses them: forty branches, each asked for 1,200 paths of 4 KB, are no 188 MB."""
    views = Views(Objects(), InPlace())
    tracemalloc.start()
    for number in range(40):
        branch = f"branch-{number}"
        for part in range(12):
            paths = [f"{'d' * 4000}/{number}/{part}/{path}.yaml" for path in range(100)]
            views.keep(Snapshot(REPOSITORY, branch, HEAD), paths)
            assert views.open(REPOSITORY, branch, paths) is not None
            del paths
    kept, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert kept < 40_000_000
    assert views._views.weight <= views._views.limit == 32_000_000


def test_a_branch_that_is_asked_for_too_much_is_read_each_time() -> None:
    """What does not fit into the bound of one branch is not kept, at once and not only at the next time."""
    views = Views(Objects(), InPlace())
    paths = [f"{'d' * 4000}/{path}.yaml" for path in range(1200)]
    views.keep(Snapshot(REPOSITORY, "main", HEAD), paths)
    assert views.open(REPOSITORY, "main", paths) is None
    assert views._views.weight < 10_000


def test_names_of_branches_count_too() -> None:
    """They come from payloads, as paths do."""
    views = Views(Objects(), InPlace())
    for number in range(20_000):
        views.keep(Snapshot(REPOSITORY, f"{'b' * 3000}{number}", HEAD), [])
    assert len(views._views) < 10_000
    assert views._views.weight <= 32_000_000


def test_one_installation_does_not_push_out_anothers_branches() -> None:
    """Who fills the cache pushes out their own; who has it alone may use all of it."""
    views = Views(Objects(), InPlace())
    other = replace(REPOSITORY, id=8, installation=2)
    views.keep(Snapshot(other, "main", HEAD), ["a.yaml"])
    for number in range(200):
        paths = [f"{'d' * 4000}/{number}/{path}.yaml" for path in range(100)]
        views.keep(Snapshot(REPOSITORY, f"branch-{number}", HEAD), paths)
    assert views._views.weight > 30_000_000
    assert views.open(other, "main", ["a.yaml"]) is not None
    assert views.get(REPOSITORY, "branch-0") is None
    assert views.get(REPOSITORY, "branch-199") is not None
