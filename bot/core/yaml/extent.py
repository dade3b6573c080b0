"""Where the text of a node and of its lines begins and ends."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from yaml import CollectionEndEvent, ScalarEvent

from bot.core.yaml.block import read
from bot.core.yaml.events import problem, span
from bot.core.yaml.locate import Collection, Scalar

if TYPE_CHECKING:
    from bot.core.yaml.locate import Located, Node

# What may stand before a node: anchors and tags, with comments between.
PROPERTIES = re.compile(r"(?:[&!]\S*\s+(?:#[^\r\n]*\s+)*)*")

_REST_OF_LINE = re.compile(r"[ \t]*(?:(?<=\s)#[^\r\n]*)?(?=[\r\n]|\Z)")
_BREAK = re.compile(r"\r\n?|\n")
_BLANK_LINES = re.compile(r"(?:[ \t]*(?:\r\n?|\n))*")
_COMMENT_LINE = re.compile(r"([ \t]*)#[^\r\n]*(?:\r\n?|\n|\Z)")


class End(NamedTuple):
    """Where a node's text ends.

    `behind` says that it is after the line break, which is part of a block scalar that keeps it (`|+`); `grows` that it
    is a block scalar at the end of the file whose value gets a line break as soon as one follows.
    """

    offset: int
    behind: bool = False
    grows: bool = False


def content_end(located: Located, node: Node) -> End:
    """Return where the last thing written in a node ends; comments after it are not part of it.

    Raises `EditError` for a block scalar whose end is not certain.
    """
    at = last_content(located, node.close if isinstance(node, Collection) else node.event)
    event = located.events[at]
    scalar = located.stream.node(at) if isinstance(event, ScalarEvent) else None
    if not isinstance(scalar, Scalar) or scalar.style not in ("|", ">"):
        return End(span(event)[1])
    block = read(located.text, own_start(located, scalar), scalar, whole=False)
    grows = not block.ended and block.chomping != "-"
    return End(block.after, behind=True, grows=grows) if block.chomping == "+" else End(block.end, grows=grows)


def last_content(located: Located, at: int) -> int:
    """Return the index of the last event up to `at` that has characters of its own."""
    while True:
        start, end = span(located.events[at])
        if not isinstance(located.events[at], CollectionEndEvent) or start < end:
            return at
        at -= 1  # the end of a block collection has none


def own_start(located: Located, node: Node) -> int:
    """Return where a node begins behind its anchor and tag: at its quote, bracket or dash."""
    properties = PROPERTIES.match(located.text, node.start, max(node.end, node.start))
    return properties.end() if properties else node.start


def column_of(text: str, offset: int) -> int:
    """Return how many code points stand before `offset` on its line."""
    return offset - line_start(text, offset)


def line_start(text: str, offset: int) -> int:
    """Return where the line begins on which `offset` is."""
    return max(text.rfind("\n", 0, offset), text.rfind("\r", 0, offset)) + 1


def line_end(text: str, offset: int) -> int:
    """Return where the line ends on which `offset` is. Raises `EditError` where more than a comment follows it."""
    rest = _REST_OF_LINE.match(text, offset)
    if rest is None:
        raise problem(text, offset, "more follows on this line, so what belongs below it has no place; break the line")
    return rest.end()


def next_line(text: str, offset: int) -> int:
    """Return where the line after the one that ends at `offset` begins."""
    found = _BREAK.match(text, offset)
    return found.end() if found else offset


def below_comments(text: str, offset: int, column: int) -> int:
    """Return where the comment lines end that stand at the line at `offset` and are indented deeper than `column`."""
    while True:
        blank = _BLANK_LINES.match(text, offset)
        comment = _COMMENT_LINE.match(text, blank.end() if blank else offset)
        if comment is None or len(comment[1]) <= column:
            return offset
        offset = comment.end()


def above_comments(text: str, start: int, column: int) -> int:
    """Return where the comment lines begin that stand right above the line at `start`, at `column`."""
    while start:
        above = line_start(text, start - (2 if text.endswith("\r\n", 0, start) else 1))
        comment = _COMMENT_LINE.match(text, above)
        if comment is None or len(comment[1]) != column:
            break
        start = above
    return start
