"""What is missing, written where it belongs: keys into mappings, items into lists, either into what is empty.

In block style whole lines are added and no old one is touched; in flow style, and where `{}`, `[]` or null becomes a
collection, the one line on which it stands.
"""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING

from bot.core.yaml.events import problem, span
from bot.core.yaml.extent import below_comments, column_of, content_end, line_end, line_start, next_line, own_start
from bot.core.yaml.locate import Collection, Mapping, Scalar, Sequence
from bot.core.yaml.quote import NULLS
from bot.core.yaml.splice import Splice
from bot.core.yaml.walk import Match
from bot.core.yaml.write import Habits, Lines, habits, indents, inline

if TYPE_CHECKING:
    from bot.core.model import Json
    from bot.core.yaml.locate import Located, Node

# What stands before the first key or dash of a block collection: only then are its lines indented by spaces alone.
_INDENT = re.compile(r" *(?:- +)*")
_COLON = re.compile(r"[ \t]*:[ \t]*")
_COMMA = re.compile(r"\s*,")


def insert_keys(located: Located, match: Match, added: dict[str, Json], *, json: bool) -> Splice:
    """Add keys behind the last one of the mapping that `match` leads to; they must not be there yet.

    Raises `EditError` where that is not possible without touching what is there.
    """
    node = match.node
    if not isinstance(node, Mapping):
        raise TypeError(f"{node} is no mapping")  # a bug of ours
    if node.flow:
        return _into_flow(located, match, node, added, json=json)
    column = _column(located.text, _begins(located, node))
    lines = Lines(habits(located, match, json=json), indents(located))
    written = [line for name, value in added.items() for line in lines.pair(name, value, column)]
    return _below(located, node, written, lines)


def insert_items(located: Located, match: Match, added: list[Json], *, json: bool) -> Splice:
    """Add items behind the last one of the sequence that `match` leads to. Raises `EditError` as `insert_keys`."""
    node = match.node
    if not isinstance(node, Sequence):
        raise TypeError(f"{node} is no sequence")  # a bug of ours
    if node.flow:
        return _into_flow(located, match, node, added, json=json)
    column = _column(located.text, _begins(located, node))
    lines = Lines(habits(located, match, json=json), indents(located))
    return _below(located, node, [line for value in added for line in lines.item(value, column)], lines)


def is_null(match: Match) -> bool:
    """Whether the node is a null that may become a collection: nothing, `null` or `~`, without anchor or tag."""
    node = match.node
    return isinstance(node, Scalar) and not node.style and node.value in NULLS and not (node.anchor or node.tag)


def fill(located: Located, match: Match, value: Json, *, json: bool) -> Splice:
    """Put a collection where null or an empty flow collection stands. Raises `EditError` as `insert_keys`."""
    text, node = located.text, match.node
    how = habits(located, match, json=json)
    last = node.close + 1 if isinstance(node, Collection) else node.event + 1
    if how.flow or how.json or node.anchor or node.tag or not value:
        new, events = inline(value, how)
        start = own_start(located, node)
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


def source(located: Located, node: Node) -> str:
    """Return how a value is written, without comments behind it."""
    return located.text[node.start : content_end(located, node).offset]


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
        return Splice(end.offset, end.offset, eol.join(written) + eol, node.close, node.close, tuple(lines.events))
    at = line_end(text, end.offset)
    # Comment lines that are indented deeper are about what is there.
    after = below_comments(text, next_line(text, at), _column(text, _begins(located, node)))
    if after > next_line(text, at):
        at = len(text[:after].removesuffix("\n").removesuffix("\r")) if text[after - 1] in "\r\n" else after
    # The line break that follows stays behind the new lines, so theirs are like it.
    eol = text[at : next_line(text, at)] or eol
    return Splice(at, at, eol + eol.join(written), node.close, node.close, tuple(lines.events))


def _begins(located: Located, node: Collection) -> int:
    """Return where the first key or dash is."""
    return node.nodes[0].start if isinstance(node, Mapping) else own_start(located, node)


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
    parts: list[Json] = [{name: value} for name, value in added.items()] if isinstance(added, dict) else [added]
    if isinstance(added, list):
        parts = [[value] for value in added]
    written = [inline(part, how) for part in parts]
    items, sep = [text[1:-1] for text, _ in written], "," if how.compact else ", "
    events_of = tuple(event for _, below in written for event in below[1:-1])
    splice = partial(Splice, first=node.close, last=node.close, events=events_of)
    end = span(events[node.close - 1])[1]
    comma = _COMMA.match(text, end, close)
    after = comma.end() if comma else end
    begins = node.nodes[-2 if isinstance(node, Mapping) else -1].start
    indent = text[line_start(text, begins) : begins]
    if indent.strip(" \t") or "\n" not in text[after:close]:
        item = sep.join(items)
        return splice(after, after, f"{sep[1:]}{item}," if comma else f"{sep}{item}")
    over = line_end(text, after)
    lead = located.line_break + indent
    if comma:
        return splice(over, over, "".join(f"{lead}{item}," for item in items))
    return splice(end, over, f",{text[end:over]}{lead}" + f",{lead}".join(items))


def _check_bare(text: str, node: Collection, close: int) -> None:
    inner = text[text.index("{" if isinstance(node, Mapping) else "[", node.start) + 1 : close]
    if inner.strip():
        raise problem(text, node.start, "a comment stands in the empty collection; move it first")
