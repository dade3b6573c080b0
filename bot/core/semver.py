"""Semantic versions and their ranges, as npm reads them: https://github.com/npm/node-semver#ranges."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import nodesemver  # type: ignore[import-untyped]  # has no type hints

from bot.errors import InputError

# npm's own limit for both; it also bounds how long the library's patterns may search.
MAX_LENGTH = 256


@dataclass(frozen=True, slots=True)
class Range:
    """A range such as `>=1.2 <2`, `~1.4`, `^2.0.0 || 3.x`; `source` is how it was written."""

    source: str
    _parsed: Any

    def check(self, text: str) -> tuple[bool, str]:
        """Say whether the version `text`, maybe with a `v` in front, is in the range, and add why if it is not plain.

        The reason continues a sentence that names the text; it is empty where comparing tells all.
        """
        version = _version(text)
        if version is None:
            return False, ", which is no semantic version such as 1.4.2"
        if self._parsed.test(version):
            return True, ""
        if any(all(comparator.test(version) for comparator in alternative) for alternative in self._parsed.set):
            release = f"{version.major}.{version.minor}.{version.patch}"
            return False, f", a pre-release, which only a range that names a pre-release of {release} takes"
        return False, ""


def parse(source: str) -> Range:
    """Read a range. Raises InputError where it is none, empty or longer than 256 characters."""
    text = " ".join(source.split())
    if not text:
        raise InputError("the range of versions is empty: write '*' for any version")
    if len(text) > MAX_LENGTH:
        raise InputError(f"the range of versions is {len(text)} characters long; {MAX_LENGTH} are the limit")
    try:
        # Its patterns take any script's digits for digits.
        parsed = nodesemver.make_range(text, False) if text.isascii() else None
    except ValueError:
        parsed = None
    if parsed is None:
        raise InputError(
            f"'{text[:80]}' is no range of versions; write it as npm does, such as '>=1.2 <2', '~1.4' or '^2'"
        )
    return Range(source, parsed)


def older(one: str, other: str) -> bool:
    """Whether `one` comes before `other` (https://semver.org/#spec-item-11); False where either is no version."""
    first, second = _version(one), _version(other)
    return first is not None and second is not None and bool(first.compare(second) < 0)


def _version(text: str) -> Any:
    """Parse a version, strictly; None where it is none."""
    if len(text) > MAX_LENGTH or not text.isascii() or text != text.strip():
        return None
    try:
        return nodesemver.make_semver(text, False)
    except ValueError:
        return None
