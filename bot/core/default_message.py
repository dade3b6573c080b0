"""The commit message if the mapping file has none: the names of the mappings, and each change."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.core.changeset import CREATED, DELETED
from bot.core.defuse import MAX_LINE, clean_message, one_line

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bot.core.changeset import Changeset, Span
    from bot.core.defuse import Piece

# https://git-scm.com/docs/git-commit#_discussion: GitHub cuts a longer headline
HEADLINE = 72
# How many changes the body lists.
_LISTED = 50


def default_message(changeset: Changeset) -> str:
    """Return headline and body. Paths, fields and values are foreign: the message is cleaned as a whole."""
    spans = [(path, span) for path, change in changeset.files.items() for span in change.spans]
    values = ", ".join(dict.fromkeys(_value(path, span) for path, span in spans))
    pieces: list[Piece] = [(f"{names(changeset.mappings)}: ", False), (values, True), ("\n", False)]
    for path, span in spans[:_LISTED]:
        pieces += [("\n* ", False), (path[:MAX_LINE], True), (": ", False), *_change(span)]
    return clean_message(pieces, HEADLINE)


def names(mappings: Iterable[str]) -> str:
    """Return the names of mappings on one line. They keep their effect, as people reviewed the mapping file."""
    return ", ".join(one_line(name) for name in mappings)


def _value(path: str, span: Span) -> str:
    """Return a change as the headline shows it: the new value if there is one."""
    if _is_file(span):
        return f"{path} {'created' if span.field == CREATED else 'deleted'}"
    return one_line(span.new[:MAX_LINE].strip("\"'")) or f"no {span.field}"


def _change(span: Span) -> list[Piece]:
    if _is_file(span):
        return [(span.field, False)]
    old, new = (one_line(text[:MAX_LINE]) or "(empty)" for text in (span.old, span.new))
    return [(f"{span.field[:MAX_LINE]} ", True), (old, True), (" -> ", False), (new, True)]


def _is_file(span: Span) -> bool:
    return span.field in {CREATED, DELETED} and not (span.old or span.new)


def shorten(text: str, most: int = HEADLINE) -> str:
    """Cut a text that has more characters than `most`."""
    return text if len(text) <= most else f"{text[: most - 1]}…"
