"""Keys and list items taken away, with their lines and the comment lines that are their own; nothing else goes."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from bot.core.yaml.events import problem, span
from bot.core.yaml.explain import place
from bot.core.yaml.extent import (
    above_comments,
    below_comments,
    column_of,
    content_end,
    last_content,
    line_end,
    line_start,
    next_line,
    own_start,
)
from bot.core.yaml.locate import Alias, Collection, Mapping, Node, Scalar
from bot.core.yaml.splice import Splice, check_way

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from bot.core.yaml.events import Event
    from bot.core.yaml.locate import Document, Located
    from bot.core.yaml.walk import Match

_SPACE_AND_COMMENTS = re.compile(r"(?:\s|#[^\r\n]*)*")
_BLANKS = re.compile(r"[ \t]*(?:(?:\r\n?|\n)[ \t]*)*")
_FIRST_KEY_OF_ITEM = re.compile(r" *(?:- +)+")
_COLON_ALONE = re.compile(r"[ \t]*:(?=[ \t]*(?:#[^\r\n]*)?[\r\n])")


@dataclass(frozen=True, slots=True)
class Removal:
    """One key or item to take away, by the indexes of its events.

    `first` is its key's or its own, `node` its value's; `parent` is the collection it is in, `holder` the key of that
    collection, None where it has none. `path` is what the user called it.
    """

    document: int
    parent: int
    holder: int | None
    first: int
    node: int
    path: str

    def moved(self, to: Callable[[int], int]) -> Removal:
        """Return the same in a text whose events have other indexes."""
        holder = None if self.holder is None else to(self.holder)
        return replace(self, parent=to(self.parent), holder=holder, first=to(self.first), node=to(self.node))


def removal(located: Located, document: Document, match: Match, path: str) -> Removal:
    """Return what to take away where `match` leads. Raises `EditError` where more than that would change."""
    node, parent = match.node, match.parent
    if parent is None:
        raise problem(
            located.text, node.start, "the path means the whole document; name a key in it, or delete the file"
        )
    check_way(located, document, match, above=True)
    first = match.key.event if isinstance(match.key, Node) else node.event
    last = (node.close if isinstance(node, Collection) else node.event) + 1
    _check_aliases(located, document, first, last)
    holder = parent.key.event if isinstance(parent.key, Node) else None
    return Removal(document.index, parent.node.event, holder, first, node.event, path)


def remove(located: Located, removals: Iterable[Removal]) -> list[tuple[Splice, list[Removal]]]:
    """How all of these go: a key with its value, an item with its dash; what loses all becomes `{}` or `[]`.

    Comment lines right above one, at its column, are its own, but for those at the top of the document, and so are
    those right below it that are indented deeper. Raises `EditError` where more than that would change.
    """
    groups: dict[int, list[Removal]] = defaultdict(list)
    end = 0
    for one in sorted(removals, key=lambda one: (one.first, -_last(located, one.node))):
        # What is in something that goes goes with it, and the same one twice goes once.
        if one.first >= end:
            groups[one.parent].append(one)
            end = _last(located, one.node)
    made: list[tuple[Splice, list[Removal]]] = []
    for event, group in groups.items():
        parent = located.stream.node(event)
        if not isinstance(parent, Collection):
            raise TypeError(f"{parent} is no collection")  # a bug of ours
        count = len(parent.pairs) if isinstance(parent, Mapping) else len(parent.nodes)
        if parent.flow:
            made += _from_flow(located, parent, group, everything=len(group) == count)
        elif len(group) == count:
            made.append((_emptied(located, parent, group), group))
        else:
            made += _from_block(located, parent, group)
    return _ended(located, made) if made else made


def _last(located: Located, event: int) -> int:
    return located.stream.closes.get(event, event) + 1


def _check_aliases(located: Located, document: Document, first: int, last: int) -> None:
    """Refuse to take an anchor away from under an alias that stays."""
    for index in range(first, last):
        event = located.events[index]
        anchor = getattr(event, "anchor", None)
        if anchor is None or isinstance(located.stream.node(index), Alias) or anchor not in document.aliases:
            continue
        used = next((at for at in document.aliases[anchor] if not first <= at < last), None)
        if used is not None:
            at = place(located.text, span(located.events[used])[0])
            sentence = f"&{anchor} is anchored here and aliased elsewhere (at {at})"
            raise problem(located.text, span(event)[0], f"{sentence}; write the value out at the alias first")


def _edges(located: Located, one: Removal) -> tuple[int, int]:
    """Return from where to where a key or item and its value stand."""
    events = located.events
    return span(events[one.first])[0], span(events[_last(located, one.node) - 1])[1]


def _begin(located: Located, parent: Collection, first: int) -> int:
    """Return where the key begins, or the dash of the item."""
    if isinstance(parent, Mapping):
        return span(located.events[first])[0]
    if first == parent.event + 1:
        return own_start(located, parent)
    before = next(item for item in parent.nodes if _last(located, item.event) == first)
    found = _SPACE_AND_COMMENTS.match(located.text, content_end(located, before).offset)
    return found.end() if found else 0


def _from_block(located: Located, parent: Collection, group: Sequence[Removal]) -> list[tuple[Splice, list[Removal]]]:
    """Take lines out of a block collection; what meets goes in one piece."""
    text = located.text
    pieces: list[tuple[Splice, list[Removal]]] = []
    for one in group:
        begin, last = _begin(located, parent, one.first), _last(located, one.node)
        behind_dash = bool(text[line_start(text, begin) : begin].strip(" "))
        start = begin if behind_dash else _own_start(located, parent, one, begin)
        end = _end(located, located.stream.node(one.node), column_of(text, begin))
        previous = pieces[-1][0] if pieces else None
        if (
            previous is not None
            and previous.last == one.first
            and start <= previous.end + (begin - line_start(text, begin))
        ):
            whole = replace(previous, end=end, last=last)
            pieces[-1] = whole, [*pieces[-1][1], one]
            continue
        if behind_dash and not _FIRST_KEY_OF_ITEM.fullmatch(text, line_start(text, begin), begin):
            shown = text[line_start(text, begin) : begin].strip()
            raise problem(text, begin, f"it stands behind {shown!r} on its line; give it a line of its own first")
        pieces.append((Splice(start, end, "", one.first, last, ()), [one]))
    return [(_tidied(located, splice), ones) for splice, ones in pieces]


def _tidied(located: Located, splice: Splice) -> Splice:
    """Leave the dash that stands before it to the next key."""
    text, start = located.text, splice.start
    if text[line_start(text, start) : start].strip(" "):
        blanks = _BLANKS.match(text, splice.end)
        return replace(splice, end=blanks.end() if blanks else splice.end)
    return splice


def _ended(located: Located, made: list[tuple[Splice, list[Removal]]]) -> list[tuple[Splice, list[Removal]]]:
    """Leave the end of a file without a last line break as it is: the break before what goes there goes too."""
    text = located.text
    made = sorted(made, key=lambda one: (one[0].start, one[0].end))
    if not text or text[-1] in "\r\n" or made[-1][0].end < len(text) or made[-1][0].new:
        return made
    first = len(made) - 1
    while first and made[first - 1][0].end == made[first][0].start:
        first -= 1
    splice, ones = made[first]
    before = located.events[last_content(located, splice.first - 1)]
    start = splice.start
    if start == line_start(text, start) > 0 and getattr(before, "style", None) not in ("|", ">"):
        start -= 2 if text.endswith("\r\n", 0, start) else 1
    made[first] = replace(splice, start=start), ones
    return made


def _own_start(located: Located, parent: Collection, one: Removal, begin: int) -> int:
    """Return where its comment lines above begin, its line where it has none."""
    text = located.text
    start = line_start(text, begin)
    own = above_comments(text, start, begin - start)
    document = located.documents[one.document]
    opened, top = span(located.events[document.event])
    if opened == top:  # nothing marks its beginning: it is where the one before, or the file, leaves off
        top = span(located.events[document.event - 1])[1]
    # What stands at the top of a document is about the document.
    at_top = parent.event == document.root.event and one.first == parent.event + 1
    return start if at_top and not text[top:own].strip() else own


def _end(located: Located, node: Node, column: int) -> int:
    """Return where the line after the value begins, comment lines below that are indented deeper skipped."""
    end = content_end(located, node)
    at = end.offset if end.behind else next_line(located.text, line_end(located.text, end.offset))
    return below_comments(located.text, at, column)


def _emptied(located: Located, parent: Collection, group: Sequence[Removal]) -> Splice:
    """Leave `{}` or `[]` of a block collection that loses all."""
    text, one = located.text, group[0]
    kind, empty = ("mapping", "{}") if isinstance(parent, Mapping) else ("sequence", "[]")
    events: tuple[Event, ...] = (
        (kind, True, None, parent.anchor, parent.tag),
        (f"{kind.title()}EndEvent", None, None, None, None),
    )
    begin = _begin(located, parent, one.first)
    end = content_end(located, parent)
    holder = located.stream.node(one.holder) if one.holder is not None else None
    colon = _COLON_ALONE.match(text, holder.end) if isinstance(holder, Scalar) else None
    if colon is None or parent.anchor or parent.tag:
        if holder is not None and not column_of(text, begin):
            raise problem(text, begin, "nothing but an anchor or tag would be left; remove the key above it instead")
        # A block scalar that keeps the line breaks behind it goes with them.
        new = empty + located.line_break * (end.behind and not end.grows)
        return Splice(begin, end.offset, new, parent.event, parent.close + 1, events)
    start = above_comments(text, line_start(text, begin), column_of(text, begin))
    after = _end(located, parent, column_of(text, begin))
    kept = text[colon.end() : start]
    if after == len(text) and text[-1] not in "\r\n":
        kept = kept.rstrip("\r\n")
    return Splice(colon.end(), after, f" {empty}{kept}", parent.event, parent.close + 1, events)


def _from_flow(
    located: Located, parent: Collection, group: Sequence[Removal], *, everything: bool
) -> list[tuple[Splice, list[Removal]]]:
    """Take pairs or items out of a flow collection, neighbours in one piece, each with one comma."""
    text, stream = located.text, located.events
    close, closed = span(stream[parent.close])
    if close == closed:
        raise problem(text, parent.start, "the mapping has no braces; write them first")
    runs: list[list[Removal]] = []
    for one in group:
        if runs and _last(located, runs[-1][-1].node) == one.first:
            runs[-1].append(one)
        else:
            runs.append([one])
    made = []
    for run in runs:
        first, last = run[0].first, _last(located, run[-1].node)
        start, end = span(stream[first])[0], span(stream[last - 1])[1]
        if everything:
            start, end = own_start(located, parent) + 1, close
        elif last != parent.close:
            end = span(stream[last])[0]
        else:
            start = span(stream[first - 1])[1]
        edges = [start, *(at for one in run for at in _edges(located, one)), end]
        if any("#" in text[left:right] for left, right in zip(edges[::2], edges[1::2], strict=True)):
            raise problem(text, start, "a comment beside it would go too; move it first")
        made.append((Splice(start, end, "", first, last, ()), run))
    return made
