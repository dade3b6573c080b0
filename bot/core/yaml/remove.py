"""A key or a list item taken away, with its line and the comment lines that are its own; nothing else goes."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from bot.core.yaml.create import content_end, line_end, line_start
from bot.core.yaml.events import problem, span
from bot.core.yaml.explain import place
from bot.core.yaml.locate import Collection, Mapping, Node, Scalar
from bot.core.yaml.splice import Splice, check_way
from bot.core.yaml.walk import Match
from bot.core.yaml.write import PROPERTIES, column_of, dash_of

if TYPE_CHECKING:
    from bot.core.yaml.events import Event
    from bot.core.yaml.locate import Document, Located

_BREAK = re.compile(r"\r\n?|\n")
_SPACE_AND_COMMENTS = re.compile(r"(?:\s|#[^\r\n]*)*")
_BLANKS = re.compile(r"[ \t]*(?:(?:\r\n?|\n)[ \t]*)*")
_COMMENT_LINE = re.compile(r"([ \t]*)#[^\r\n]*(?:\r\n?|\n|\Z)")
_BLANK_LINES = re.compile(r"(?:[ \t]*(?:\r\n?|\n))*")
_FIRST_KEY_OF_ITEM = re.compile(r" *(?:- +)+")


def remove(located: Located, document: Document, match: Match) -> Splice:
    """How the node that `match` leads to goes: with its key in a mapping, with its dash in a list.

    The last one leaves `{}` or `[]` behind. Comment lines right above it, at its column, are its own, but for those at
    the top of the document, and so are those right below it that are indented deeper. Raises `EditError` where more
    than that would change.
    """
    text, node = located.text, match.node
    if match.parent is None:
        raise problem(text, node.start, "the path means the whole document; name a key in it, or delete the file")
    check_way(located, document, match)
    first = match.key.event if isinstance(match.key, Node) else node.event
    last = (node.close if isinstance(node, Collection) else node.event) + 1
    for event in located.events[first:last]:
        anchor = getattr(event, "anchor", None)
        if anchor in document.aliases and span(event)[0] != document.aliases[anchor]:
            used = place(text, document.aliases[anchor])
            sentence = f"&{anchor} is anchored here and aliased elsewhere (at {used})"
            raise problem(text, span(event)[0], f"{sentence}; write the value out at the alias first")
    parent = match.parent.node
    if not isinstance(parent, Collection):
        raise TypeError(f"{parent} is no collection")  # a bug of ours
    if parent.flow:
        return _from_flow(located, match, parent, (first, last))
    if (first, last) == (parent.event + 1, parent.close):
        return _emptied(located, document, match, parent)
    start, end = _lines(located, document, match)
    return Splice(start, end, "", first, last, (), old=_source(located, match), at=_begin(located, match))


def _source(located: Located, match: Match) -> str:
    """Return the source of the value that goes, in one line where it is a scalar."""
    return located.text[match.node.start : content_end(located, match.node).offset]


def _begin(located: Located, match: Match) -> int:
    """Return where the key begins, or the dash of the item."""
    if isinstance(match.key, Node):
        return match.key.start
    parent = match.parent.node if match.parent else None
    if not isinstance(parent, Collection) or not isinstance(match.key, int):
        raise TypeError(f"{match} is no item")  # a bug of ours
    if match.key == 0:
        return dash_of(located.text, parent.start)
    before = content_end(located, parent.nodes[match.key - 1]).offset
    found = _SPACE_AND_COMMENTS.match(located.text, before)
    return found.end() if found else before


def _lines(located: Located, document: Document, match: Match) -> tuple[int, int]:
    """Return from where to where the lines of a key or item go; from its own text on where a dash stands before it."""
    text, begin = located.text, _begin(located, match)
    start, end = line_start(text, begin), _end(located, match, column_of(text, begin))
    if text[start:begin].strip(" "):
        if not _FIRST_KEY_OF_ITEM.fullmatch(text, start, begin):
            shown = text[start:begin].strip()
            raise problem(text, begin, f"it stands behind {shown!r} on its line; give it a line of its own first")
        blanks = _BLANKS.match(text, end)
        return begin, blanks.end() if blanks else end
    start = _own_comments(located, document, match, start)
    if end == len(text) and text[-1] not in "\r\n" and start and not _is_block(located, match):
        # The last line stays without a line break, so the one before it goes.
        start -= 2 if text.endswith("\r\n", 0, start) else 1
    return start, end


def _end(located: Located, match: Match, column: int) -> int:
    """Return where the line after the value begins, comment lines below that are indented deeper skipped."""
    text = located.text
    end = content_end(located, match.node)
    at = end.offset
    if not end.behind:
        at = line_end(text, at)
        found = _BREAK.match(text, at)
        at = found.end() if found else at
    while True:
        blank = _BLANK_LINES.match(text, at)
        comment = _COMMENT_LINE.match(text, blank.end() if blank else at)
        if comment is None or len(comment[1]) <= column:
            return at
        at = comment.end()


def _own_comments(located: Located, document: Document, match: Match, start: int) -> int:
    """Return where the comment lines begin that stand right above the line at `start`, at the same column."""
    text, own = located.text, start
    begin = _begin(located, match)
    opened, top = span(located.events[document.event])
    if opened == top:  # nothing marks its beginning: it is where the one before, or the file, leaves off
        top = span(located.events[document.event - 1])[1]
    while own:
        above = line_start(text, own - (2 if text.endswith("\r\n", 0, own) else 1))
        comment = _COMMENT_LINE.match(text, above)
        if comment is None or len(comment[1]) != begin - start:
            break
        own = above
    first = match.parent is not None and match.parent.parent is None and begin == _first(located, match)
    # What stands at the top of a document is about the document.
    return start if first and not text[top:own].strip() else own


def _first(located: Located, match: Match) -> int:
    """Return where the first key or dash of the collection around begins."""
    parent = match.parent.node if match.parent else None
    if isinstance(parent, Mapping):
        return parent.nodes[0].start
    return _begin(located, Match(match.node, match.parent, 0))


def _is_block(located: Located, match: Match) -> bool:
    """Whether a block scalar stands before it, which needs its line break."""
    first = match.key.event if isinstance(match.key, Node) else match.node.event
    return getattr(located.events[first - 1], "style", None) in ("|", ">")


def _emptied(located: Located, document: Document, match: Match, parent: Collection) -> Splice:
    """Leave `{}` or `[]` of a block collection whose only key or item goes."""
    text, up = located.text, match.parent
    kind, empty = ("mapping", "{}") if isinstance(parent, Mapping) else ("sequence", "[]")
    events: tuple[Event, ...] = (
        (kind, True, None, parent.anchor, parent.tag),
        (f"{kind.title()}EndEvent", None, None, None, None),
    )
    begin, key = _begin(located, match), up.key if up else None
    old = _source(located, match)
    end = content_end(located, match.node)
    colon = (
        re.compile(r"[ \t]*:(?=[ \t]*(?:#[^\r\n]*)?[\r\n])").match(text, key.end) if isinstance(key, Scalar) else None
    )
    if colon is None or parent.anchor or parent.tag:
        # A block scalar that keeps the line breaks behind it goes with them.
        new = empty + located.line_break * (end.behind and not end.grows)
        return Splice(begin, end.offset, new, parent.event, parent.close + 1, events, old=old, at=begin)
    start = _own_comments(located, document, match, line_start(text, begin))
    after = _end(located, match, column_of(text, begin))
    kept = text[colon.end() : start]
    if after == len(text) and text[-1] not in "\r\n":
        kept = kept.rstrip("\r\n")
    return Splice(colon.end(), after, f" {empty}{kept}", parent.event, parent.close + 1, events, old=old, at=begin)


def _from_flow(located: Located, match: Match, parent: Collection, events: tuple[int, int]) -> Splice:
    """Take a pair or item out of a flow collection, with one comma."""
    text, stream = located.text, located.events
    first, last = events
    start = match.key.start if isinstance(match.key, Node) else match.node.start
    end = span(stream[last - 1])[1]
    close, closed = span(stream[parent.close])
    if close == closed:
        raise problem(text, start, "the mapping has no braces; write them first")
    if last != parent.close:
        end = span(stream[last])[0]
    elif first != parent.event + 1:
        start = span(stream[first - 1])[1]
    else:
        properties = PROPERTIES.match(text, parent.start)
        start, end = (properties.end() if properties else parent.start) + 1, close
    if "#" in text[start : match.node.start] or "#" in text[span(stream[last - 1])[1] : end]:
        raise problem(text, start, "a comment beside it would go too; move it first")
    return Splice(start, end, "", first, last, (), old=_source(located, match), at=_begin(located, match))
