"""A cache bounded by bytes, in which an owner of many entries cannot push out those of an owner of few."""

from __future__ import annotations

import sys
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterator

K = TypeVar("K", bound="Hashable")
V = TypeVar("V")

# The memory of an entry beside its key and value: slots in two dictionaries, a tuple, a number.
ENTRY_BYTES = 300


def text_bytes(text: str | None) -> int:
    """Return how much memory a text takes."""
    return 0 if text is None else sys.getsizeof(text)


@dataclass(slots=True)
class _Share(Generic[K, V]):
    """The entries of one owner."""

    # Values with their weights. The one that was used last is at the end.
    entries: OrderedDict[K, tuple[V, int]] = field(default_factory=OrderedDict)
    weight: int = 0


class FairCache(Generic[K, V]):
    """Keeps values by key, for owners (installations, say), within `limit` bytes in all.

    `weigh` returns the bytes of a key and its value. If there is no room, the least recently used entry of the owner
    with the most bytes is removed. So an owner who is alone may use the whole cache, and an owner who fills it on
    purpose pushes out their own entries.
    """

    def __init__(self, limit: int, weigh: Callable[[K, V], int]) -> None:
        self.limit = limit
        self.weight = 0
        self._weigh = weigh
        self._shares: dict[Hashable, _Share[K, V]] = {}
        self._owners: dict[K, Hashable] = {}

    def __contains__(self, key: K) -> bool:
        return key in self._owners

    def __iter__(self) -> Iterator[K]:
        return iter(self._owners)

    def __len__(self) -> int:
        return len(self._owners)

    def get(self, key: K) -> V | None:
        """Return the value of a key, None if none is kept."""
        owner = self._owners.get(key)
        if owner is None:
            return None
        entries = self._shares[owner].entries
        entries.move_to_end(key)
        return entries[key][0]

    def put(self, owner: Hashable, key: K, value: V) -> bool:
        """Keep a value for `owner`, which must not be None, if there is room; return whether it is kept."""
        self.remove(key)
        weight = self._weigh(key, value) + ENTRY_BYTES
        if weight > self.limit or not self._make_room(owner, weight):
            return False
        share = self._shares.setdefault(owner, _Share())
        share.entries[key] = (value, weight)
        share.weight += weight
        self.weight += weight
        self._owners[key] = owner
        return True

    def remove(self, key: K) -> None:
        """Forget a value if it is kept."""
        owner = self._owners.pop(key, None)
        if owner is None:
            return
        share = self._shares[owner]
        _, weight = share.entries.pop(key)
        share.weight -= weight
        self.weight -= weight
        if not share.entries:
            del self._shares[owner]

    def _make_room(self, owner: Hashable, weight: int) -> bool:
        """Remove entries until `weight` more bytes fit. Return False if all others have fewer bytes than this owner."""
        while self.weight + weight > self.limit:
            largest = max(self._shares, key=lambda other: self._shares[other].weight)
            own = self._shares[owner].weight if owner in self._shares else 0
            if self._shares[largest].weight <= own + weight:
                if owner not in self._shares:
                    return False
                largest = owner
            self.remove(next(iter(self._shares[largest].entries)))
        return True
