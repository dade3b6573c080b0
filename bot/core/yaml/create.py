"""What is missing, written where it belongs: keys into mappings, items into lists, either into what is empty.

In block style whole lines are added and no old one is touched; in flow style, and where `{}`, `[]` or null becomes a
collection, the one line on which it stands.
"""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from yaml import CollectionEndEvent, ScalarEvent

from bot.core.yaml.block import read
from bot.core.yaml.events import problem, span
from bot.core.yaml.locate import Collection, Mapping, Scalar, Sequence
from bot.core.yaml.quote import NULLS
from bot.core.yaml.splice import Splice
from bot.core.yaml.walk import Match
from bot.core.yaml.write import (
    PROPERTIES,
    Habits,
    Lines,
    column_of,
    dash_of,
    habits,
    indents,
    inline,
)

if TYPE_CHECKING:
    from bot.core.model import Json
    from bot.core.yaml.locate import Located, Node

# What stands before the first key or dash of a block collection: only then are its lines indented by spaces alone.
_INDENT = re.compile(r" *(?:- +)*")
_REST_OF_LINE = re.compile(r"[ \t]*(?:(?<=\s)#[^\r\n]*)?(?=[\r\n]|\Z)")
_COLON = re.compile(r"[ \t]*:[ \t]*")
_COMMA = re.compile(r"\s*,")


def insert_key(located: Located, match: Match, name: str, value: Json, *, json: bool) -> Splice:
    """Add a key behind the last one of the mapping that `match` leads to; the key must not be there yet.

    Raises `EditError` where that is not possible without touching what is there.
    """
    node = match.node
    if not isinstance(node, Mapping):
        raise TypeError(f"{node} is no mapping")  # a bug of ours
    if node.flow:
        return _into_flow(located, match, node, {name: value}, json=json)
    column = _column(located.text, node.nodes[0].start)
    lines = Lines(habits(located, match, json=json), indents(located))
    return _below(located, node, lines.pair(name, value, column), lines)


def insert_item(located: Located, match: Match, value: Json, *, json: bool) -> Splice:
    """Add an item behind the last one of the sequence that `match` leads to. Raises `EditError` as `insert_key`."""
    node = match.node
    if not isinstance(node, Sequence):
        raise TypeError(f"{node} is no sequence")  # a bug of ours
    if node.flow:
        return _into_flow(located, match, node, [value], json=json)
    column = _column(located.text, dash_of(located.text, node.start))
    lines = Lines(habits(located, match, json=json), indents(located))
    return _below(located, node, lines.item(value, column), lines)


def is_null(match: Match) -> bool:
    """Whether the node is a null that may become a collection: nothing, `null` or `~`, without anchor or tag."""
    node = match.node
    return isinstance(node, Scalar) and not node.style and node.value in NULLS and not (node.anchor or node.tag)


def fill(located: Located, match: Match, value: Json, *, json: bool) -> Splice:
    """Put a collection where null or an empty flow collection stands. Raises `EditError` as `insert_key`."""
    text, node = located.text, match.node
    how = habits(located, match, json=json)
    last = node.close + 1 if isinstance(node, Collection) else node.event + 1
    if how.flow or how.json or node.anchor or node.tag or not value:
        new, events = inline(value, how)
        properties = PROPERTIES.match(text, node.start, node.end)
        start = properties.end() if properties else node.start
        lead = " " if start == node.end and text[start - 1 : start] in {":", "-"} else ""
        _, *rest = events
        begin = (events[0][0], True, None, node.anchor, node.tag)
        return Splice(start, node.end, lead + new, node.event, last, (begin, *rest))
    lines = Lines(how, indents(located))
    start, end, new = _in_block(located, match, value, lines)
    return Splice(start, end, new, node.event, last, tuple(lines.events))


def begin(located: Located, value: Json, *, json: bool) -> Splice:
    """Write a collection into a file without any document: nothing is in it, or comments only."""
    text = located.text
    how = Habits(located, flow=False, json=json)
    lines = Lines(how, indents(located))
    if json:
        new, events = inline(value, how)
    else:
        new, events = located.line_break.join(lines.value(value, 0)[1]), lines.events
    lead = located.line_break if text and text[-1] not in "\r\n" else ""
    whole = (("document", (False, None), None, None, None), *events, ("DocumentEndEvent", False, None, None, None))
    return Splice(len(text), len(text), lead + new + located.line_break, 1, 1, whole)


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
    at = node.close if isinstance(node, Collection) else node.event
    while True:
        event = located.events[at]
        start, end = span(event)
        if not isinstance(event, CollectionEndEvent) or start < end:
            break
        at -= 1  # the end of a block collection has no characters of its own
    scalar = located.stream.node(at) if isinstance(event, ScalarEvent) else None
    if not isinstance(scalar, Scalar) or scalar.style not in ("|", ">"):
        return End(end)
    properties = PROPERTIES.match(located.text, scalar.start, scalar.end)
    block = read(located.text, properties.end() if properties else scalar.start, scalar)
    grows = not block.ended and block.chomping != "-"
    return End(block.after, behind=True, grows=grows) if block.chomping == "+" else End(block.end, grows=grows)


def line_end(text: str, offset: int) -> int:
    """Return where the line ends on which `offset` is. Raises `EditError` where more than a comment follows it."""
    rest = _REST_OF_LINE.match(text, offset)
    if rest is None:
        raise problem(text, offset, "more follows on this line, so what belongs below it has no place; break the line")
    return rest.end()


def line_start(text: str, offset: int) -> int:
    """Return where the line begins on which `offset` is."""
    return offset - column_of(text, offset)


def _column(text: str, offset: int) -> int:
    """Return the column of a block collection that begins at `offset`.

    Raises `EditError` where its lines cannot be indented by spaces alone.
    """
    start = line_start(text, offset)
    if not _INDENT.fullmatch(text, start, offset):
        shown = text[start:offset].strip()
        what = f"begins on its line behind {shown!r}" if shown else "is indented by tabs"
        raise problem(text, offset, f"the collection {what}, so nothing can be added to it; give it a line of its own")
    return offset - start


def _below(located: Located, node: Collection, written: list[str], lines: Lines) -> Splice:
    """Put lines behind what a block collection has."""
    text, eol = located.text, located.line_break
    end = content_end(located, node)
    if end.grows:
        sentence = "the file ends in a block scalar without a line break, which would become part of its value"
        raise problem(text, len(text), f"{sentence}; end the last line first")
    if end.behind:
        at, new = end.offset, eol.join(written) + eol
    else:
        at, new = line_end(text, end.offset), eol + eol.join(written)
    return Splice(at, at, new, node.close, node.close, tuple(lines.events))


def _in_block(located: Located, match: Match, value: Json, lines: Lines) -> tuple[int, int, str]:
    """Write a collection in block style where null, `{}` or `[]` stands: from where to where, and what."""
    text, node, eol = located.text, match.node, located.line_break
    parent = match.parent.node if match.parent else None
    end = line_end(text, node.end)
    below = lines.indents.sequence if isinstance(value, list) else lines.indents.mapping
    rest = text[node.end : end]
    if node.start < node.end and not text[line_start(text, node.start) : node.start].strip(" "):
        # On a line of its own: what comes in its place begins there, and a comment ends up behind it.
        written = lines.value(value, column_of(text, node.start))[1]
        return node.start, node.end, eol.join(written).lstrip(" ")
    if isinstance(parent, Mapping) and isinstance(match.key, Scalar):
        colon = _COLON.match(text, match.key.end, node.start)
        if colon is None or colon.end() != node.start:
            raise problem(text, node.start, f"{str(match)!r} has no value on the line of its key; write it there first")
        start, column = text.index(":", match.key.end) + 1, _column(text, match.key.start) + below
    elif isinstance(parent, Sequence):
        dash = text.rindex("-", 0, node.start)
        _column(text, dash)
        start, column = dash + 1, column_of(text, dash) + 2
    elif node.start == node.end:
        start = span(located.events[node.event - 1])[1]
        end, column = line_end(text, start), 0
        rest = text[start:end]
    else:
        raise problem(text, node.start, "the value stands behind `---`; give it a line of its own")
    written = lines.value(value, column)[1]
    if not rest.strip() and isinstance(parent, Sequence):
        return start, end, " " + eol.join(written).lstrip(" ")
    return start, end, (rest if rest.strip() else "") + eol + eol.join(written)


def _into_flow(located: Located, match: Match, node: Collection, added: Json, *, json: bool) -> Splice:
    """Add an item to a flow collection, on a line of its own where the last one has one too."""
    text, events = located.text, located.events
    close, closed = span(events[node.close])
    if closed == close:
        raise problem(text, node.start, "the mapping has no braces, so nothing can be added to it; write them first")
    if not node.nodes:
        _check_bare(text, node, close)
        return fill(located, match, added, json=json)
    how = habits(located, Match(node.nodes[-1], match), json=json)
    item, below = inline(added, how)
    item, sep = item[1:-1], "," if how.compact else ", "
    splice = partial(Splice, first=node.close, last=node.close, events=tuple(below[1:-1]))
    end = span(events[node.close - 1])[1]
    comma = _COMMA.match(text, end, close)
    after = comma.end() if comma else end
    begins = node.nodes[-2 if isinstance(node, Mapping) else -1].start
    indent = text[line_start(text, begins) : begins]
    if indent.strip(" \t") or "\n" not in text[after:close]:
        return splice(after, after, f"{sep[1:]}{item}," if comma else f"{sep}{item}")
    over = line_end(text, after)
    if comma:
        return splice(over, over, f"{located.line_break}{indent}{item},")
    return splice(end, over, f",{text[end:over]}{located.line_break}{indent}{item}")


def _check_bare(text: str, node: Collection, close: int) -> None:
    inner = text[text.index("{" if isinstance(node, Mapping) else "[", node.start) + 1 : close]
    if inner.strip():
        raise problem(text, node.start, "a comment stands in the empty collection; move it first")
