"""What is kept of GitHub's objects is bounded by bytes, keys and all, and shared fairly."""

from __future__ import annotations

import tracemalloc

import pytest

from bot.github.cache import ENTRY_BYTES, FairCache
from bot.github.objects import Entry, Objects


def cache(limit: int) -> FairCache[str, int]:
    """Return a cache of numbers which each weigh what they say, for so many bytes beside what entries need."""
    return FairCache(limit, lambda _, value: value - ENTRY_BYTES)


def test_the_entry_that_was_used_last_goes_last() -> None:
    """By one owner: the one that nobody asked for the longest time makes room."""
    numbers = cache(10)
    for key in "abc":
        assert numbers.put(1, key, 3)
    assert numbers.get("a") == 3
    assert numbers.put(1, "d", 3)
    assert (sorted(numbers), numbers.weight, len(numbers)) == (["a", "c", "d"], 9, 3)
    assert numbers.get("b") is None


def test_what_would_not_fit_at_all_is_not_kept_and_nothing_goes_for_it() -> None:
    """Nor is the older value of its key."""
    numbers = cache(10)
    assert numbers.put(1, "a", 4)
    assert numbers.put(1, "b", 4)
    assert not numbers.put(1, "b", 11)
    assert (sorted(numbers), numbers.weight) == (["a"], 4)
    numbers.remove("a")
    numbers.remove("a")
    assert (sorted(numbers), numbers.weight) == ([], 0)


def test_who_has_most_makes_room() -> None:
    """For others who have less: so all get the same in the end."""
    numbers = cache(12)
    for key in range(12):
        assert numbers.put("hog", f"hog {key}", 1)
    for key in range(20):
        assert numbers.put("small", f"small {key}", 1)
    assert sum(key.startswith("hog") for key in numbers) == 6
    assert numbers.put("third", "third", 1)
    assert numbers.weight == 12


def test_an_entry_that_is_more_than_others_have_takes_nothing_of_theirs() -> None:
    """It is kept as long as there is room, and no longer."""
    numbers = cache(12)
    for owner in range(6):
        assert numbers.put(owner, f"{owner}", 2)
    assert not numbers.put("large", "large", 8)
    assert len(numbers) == 6
    numbers.remove("0")
    numbers.remove("1")
    assert numbers.put("large", "large", 4)
    assert numbers.put(0, "0", 2)
    assert "large" not in numbers


def test_the_value_of_a_key_belongs_to_whoever_kept_it_last() -> None:
    """And counts once."""
    numbers = cache(10)
    numbers.put(1, "a", 4)
    numbers.put(2, "a", 6)
    assert (numbers.get("a"), numbers.weight, len(numbers)) == (6, 6, 1)


def test_patterns_of_globs_are_no_keys_as_long_as_they_are() -> None:
    """They may come from payloads: 2,000 results of nothing, each for 50 KB of patterns, were 97 MB."""
    objects = Objects().of(1)
    tracemalloc.start()
    for number in range(2000):
        patterns = [f"{'p' * 1000}{number}-{pattern}/*.yaml" for pattern in range(50)]
        objects.keep_matches("1" * 40, patterns, {})
        assert objects.find_matches("1" * 40, patterns[::-1]) == {}
        assert objects.find_matches("2" * 40, patterns) is None
        assert objects.find_matches("1" * 40, patterns[1:]) is None
        del patterns
    kept, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert kept < 4_000_000


@pytest.mark.parametrize("name", ["blobs", "trees", "matches"])
def test_all_that_is_kept_is_about_as_large_as_it_says(name: str) -> None:
    """Whatever it consists of: long paths and short ones, other alphabets, empty results."""
    objects = Objects(blob_bytes=5_000_000, tree_bytes=5_000_000, match_bytes=5_000_000)
    own = objects.of(1)
    tracemalloc.start()
    for number in range(30_000):
        oid = f"{number:040x}"
        paths = [f"{'é' if number % 2 else 'd' * (number % 300)}/\u4e2d{number}-{path}" for path in range(number % 5)]
        listing = {path: Entry(0o100644, f"{number}{path}"[:40], 10_000 + number) for path in paths}
        if name == "blobs":
            own.keep_blob(oid, bytes(number % 1000))
        elif name == "trees":
            own.keep_tree(oid, listing)
        else:
            own.keep_matches(oid, paths, listing)
    kept, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    weight = (objects.blobs.weight, objects.trees.weight, objects.matches.weight)
    assert max(weight) > 4_900_000
    assert 0.4 * max(weight) < kept < 1.3 * max(weight)


def test_a_repository_that_is_walked_does_not_push_out_anothers_trees() -> None:
    """One with thousands of folders makes room for its own."""
    objects = Objects(tree_bytes=1_000_000)
    objects.of(2).keep_tree("small", {"a": Entry(0o100644, "1" * 40, 1)})
    for number in range(5000):
        objects.of(1).keep_tree(f"{number}", {f"{path}": Entry(0o100644, "1" * 40, 1) for path in range(10)})
    assert objects.trees.get("small") is not None
