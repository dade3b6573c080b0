"""The nearest name, for every error about a name that is not there."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


def did_you_mean(name: str, names: Iterable[str]) -> str:
    """`; did you mean 'x'?` with the name that resembles `name` most, or an empty string where none does."""
    near = nearest(name, names)
    return f"; did you mean '{near}'?" if near else ""


def nearest(name: str, names: Iterable[str]) -> str | None:
    """Return the name that resembles `name` most, None where none does."""
    near = get_close_matches(name, sorted(set(names) - {name}), n=1, cutoff=0.6)
    return near[0] if near else None
