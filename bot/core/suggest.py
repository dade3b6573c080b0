"""The nearest name, for errors about an unknown name.

Names come from payloads and mapping files, so whoever writes those chooses how many there are and how long they are:
the cost of a suggestion is bounded, and only the first few errors get one.
"""

from __future__ import annotations

from difflib import get_close_matches
from heapq import nsmallest
from itertools import islice, takewhile
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

# A longer name is not compared.
MAX_LENGTH = 64
# How many names are looked at. Of these, the MAX_COMPARED that begin and end most alike are compared letter by letter.
MAX_NAMES = 2_000
MAX_COMPARED = 50
# How many errors of one mapping file or one plan get a suggestion.
MAX_HINTS = 20


class Hints:
    """Makes suggestions as `did_you_mean` does for the first errors, and none for the others."""

    def __init__(self, left: int = MAX_HINTS) -> None:
        self._left = left

    def did_you_mean(self, name: str, names: Iterable[str]) -> str:
        """Return a suggestion, or an empty string if no name is near or the suggestions are used up."""
        return did_you_mean(name, names) if self.take() else ""

    def take(self) -> bool:
        """Say whether one more error gets a suggestion, and count it."""
        self._left -= 1
        return self._left >= 0


def listed(names: Collection[str]) -> str:
    """Return the names for a sentence: fifty, each cut if it is long, and how many more there are."""
    shown = [name if len(name) <= MAX_LENGTH else f"{name[:MAX_LENGTH]}…" for name in islice(names, MAX_COMPARED)]
    more = f" and {len(names) - len(shown)} more" if len(names) > len(shown) else ""
    return f"{', '.join(shown) or 'none'}{more}"


def did_you_mean(name: str, names: Iterable[str]) -> str:
    """`; did you mean 'x'?` with the name that resembles `name` most, or an empty string if none does."""
    near = nearest(name, names)
    return f"; did you mean '{near}'?" if near else ""


def nearest(name: str, names: Iterable[str]) -> str | None:
    """Return the name that resembles `name` most, None if none does."""
    if not 0 < len(name) <= MAX_LENGTH:
        return None
    # Names whose lengths differ more have too few letters in common to be near.
    least, most = len(name) * 3 // 7, min(len(name) * 7 // 3 + 1, MAX_LENGTH)
    fitting = {other for other in islice(names, MAX_NAMES) if least <= len(other) <= most} - {name}
    compared = nsmallest(MAX_COMPARED, fitting, key=lambda other: (-_alike(name, other), other))
    near = get_close_matches(name, sorted(compared), n=1, cutoff=0.6)
    return near[0] if near else None


def _alike(one: str, other: str) -> int:
    """Count the letters that two names have in common at their beginning and at their end."""
    return _shared(one, other) + _shared(one[::-1], other[::-1])


def _shared(one: str, other: str) -> int:
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False)))
