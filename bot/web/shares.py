"""Bounded amounts (connections, bytes of bodies) of which one peer may hold only a part."""

from __future__ import annotations

from collections import Counter
from ipaddress import IPv4Address, IPv6Address, ip_address


class Shares:
    """Counts the amounts that are held, in all and by each peer. An amount that would exceed a bound is refused."""

    def __init__(self, most: int, most_of_peer: int) -> None:
        self.most = most
        self.most_of_peer = most_of_peer
        self.held = 0
        # Has only peers that hold something.
        self._by_peer: Counter[str] = Counter()

    def has_room(self, peer: str, amount: int = 1) -> bool:
        """Whether `peer` could take `amount` now."""
        return self.held + amount <= self.most and self._by_peer[peer] + amount <= self.most_of_peer

    def take(self, peer: str, amount: int = 1) -> bool:
        """Let `peer` hold `amount` more. Return False, and change nothing, if there is no room."""
        if not self.has_room(peer, amount):
            return False
        self.held += amount
        self._by_peer[peer] += amount
        return True

    def give_back(self, peer: str, amount: int = 1) -> None:
        """Take back `amount` of what `peer` holds."""
        self.held -= amount
        self._by_peer[peer] -= amount
        if not self._by_peer[peer]:
            del self._by_peer[peer]


def peer_of(address: str | None) -> str:
    """Return what counts as one peer: an IPv4 address, or the /64 network of an IPv6 address.

    Whoever has one IPv6 address usually has the 2^64 others of its network. Headers such as X-Forwarded-For do not
    count: anybody can write them.
    """
    try:
        parsed: IPv4Address | IPv6Address = ip_address(address or "")
    except ValueError:
        return address or ""
    if isinstance(parsed, IPv4Address):
        return str(parsed)
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return f"{int(parsed) >> 64:016x}::/64"
