"""The braces of globs: `a{b,c}` is `ab` and `ac`, expanded first, as a shell does."""

from __future__ import annotations

from typing import TYPE_CHECKING

import regex

from bot.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_LENGTH = 4096
MAX_ALTERNATIVES = 256
# In characters, of all alternatives together.
MAX_EXPANDED = 64 * 1024
MAX_DEPTH = 10

# What braces are made of; a class is one piece, so that `{a,[,]}` has two alternatives.
_PIECE = regex.compile(r"\\.|\[[!^]?\]?(?:\\.|[^\]\\])*+\]?|[^\\\[{},]+|.", regex.DOTALL)
_CLASS = regex.compile(r"\[[!^]?\]?(?:\\.|[^\]\\])*+\]", regex.DOTALL)


def expand(glob: str) -> list[str]:
    """`a{b,c}` → `ab`, `ac`: every combination, in order. Escapes and classes stay as they are."""
    if len(glob) > MAX_LENGTH:
        raise InputError(f"the glob {glob[:60]!r}… is {len(glob)} characters long; {MAX_LENGTH} are the limit")
    pieces = _PIECE.findall(glob)
    if any(piece.startswith("[") and not _CLASS.fullmatch(piece) for piece in pieces):
        raise InputError(f"the glob {glob!r} opens a class with [ and never closes it; write \\[ for the character")
    alternatives, end = _sequence(iter(pieces), glob, 0)
    if end == "}":
        raise InputError(f"the glob {glob!r} has a }} without its {{; write \\}} for the character")
    return alternatives


def _sequence(pieces: Iterator[str], glob: str, depth: int) -> tuple[list[str], str]:
    """Alternatives up to the `}` that ends this level, or the end of the glob; and which of both it was."""
    if depth > MAX_DEPTH:
        raise InputError(f"the glob {glob!r} nests braces more than {MAX_DEPTH} deep")
    done: list[str] = []
    heads = [""]
    for piece in pieces:
        if piece == "{":
            inner, end = _sequence(pieces, glob, depth + 1)
            if not end:
                raise InputError(f"the glob {glob!r} opens a {{ and never closes it; write \\{{ for the character")
            _check_count(len(heads) * len(inner) + len(done), glob)
            heads = [head + tail for head in heads for tail in inner]
            _check_count(len(heads), glob, sum(map(len, heads)))
        elif piece == "}":
            return done + heads, "}"
        elif piece == "," and depth:
            done += heads
            _check_count(len(done), glob)
            heads = [""]
        else:
            heads = [head + piece for head in heads]
            _check_count(len(heads), glob, sum(map(len, heads)))
    return done + heads, ""


def _check_count(count: int, glob: str, characters: int = 0) -> None:
    if characters > MAX_EXPANDED:
        raise InputError(
            f"the glob {glob[:60]!r}… has braces for more than {MAX_EXPANDED:,} characters of alternatives; use * or a "
            "list"
        )
    if count > MAX_ALTERNATIVES:
        raise InputError(f"the glob {glob!r} has braces for more than {MAX_ALTERNATIVES} alternatives; use * or a list")
