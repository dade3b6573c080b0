"""Where decisions are computed: in processes that can be stopped, or in place for people at their own terminal."""

from __future__ import annotations

from bot.compute.in_place import InPlace
from bot.compute.pool import Pool

__all__ = ["InPlace", "Pool"]
