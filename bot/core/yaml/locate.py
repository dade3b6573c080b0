"""Where every node of a YAML file stands, without constructing a value.

libyaml's event stream gives exact spans; aliases are never expanded and types never resolved, so a file costs what its
size says. The events are kept as they come, and nodes are made of them only on the way that a field path goes. Offsets
count code points of the text given; a byte order mark must have been taken off before.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from yaml import (
    AliasEvent,
    CollectionStartEvent,
    DocumentStartEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceStartEvent,
)

from bot.core.yaml.events import LIMITS, chunks, problem, span
from bot.errors import EditError

if TYPE_CHECKING:
    from collections.abc import Iterator

    import yaml

    from bot.core.yaml.events import Limits

STR_TAG = "tag:yaml.org,2002:str"


@dataclass(slots=True, eq=False)
class Node:
    """One node: `text[start:end]`, properties (`&anchor`, `!tag`) included; `event` is its index in the stream.

    The end of a block collection is the next token, after comments: only scalars and flow collections end exactly.
    """

    start: int
    end: int
    event: int
    anchor: str | None
    tag: str | None


@dataclass(slots=True, eq=False)
class Scalar(Node):
    """A scalar: its value as text, and its style (`''` plain, `'`, `"`, `|`, `>`)."""

    value: str
    style: str

    @property
    def empty(self) -> bool:
        """Whether nothing at all is written where the value would stand, as in `tag:`."""
        return not self.style and not self.value


@dataclass(slots=True, eq=False)
class Alias(Node):
    """An alias: `anchor` is the name it refers to."""


@dataclass(slots=True, eq=False)
class Collection(Node):
    """A mapping or a sequence; `close` is the index of the event that ends it."""

    flow: bool
    close: int
    _stream: Stream
    _nodes: list[Node] | None = None

    @property
    def nodes(self) -> list[Node]:
        """What stands directly in it, in order: items, or keys and values in turn."""
        if self._nodes is None:
            self._nodes = self._stream.below(self)
        return self._nodes


@dataclass(slots=True, eq=False)
class Sequence(Collection):
    """A sequence."""

    @property
    def items(self) -> list[Node]:
        """Its items in order."""
        return self.nodes


@dataclass(slots=True, eq=False)
class Mapping(Collection):
    """A mapping."""

    _pairs: list[tuple[Node, Node]] | None = None
    _named: dict[str, list[tuple[Node, Node]]] = field(default_factory=dict)

    @property
    def pairs(self) -> list[tuple[Node, Node]]:
        """Its keys and values in order; duplicate keys stay, and a key may be any node."""
        if self._pairs is None:
            self._pairs = list(zip(self.nodes[::2], self.nodes[1::2], strict=True))
        return self._pairs

    @property
    def known(self) -> bool:
        """Whether its pairs were made already."""
        return self._pairs is not None

    def named(self, name: str) -> list[tuple[Node, Node]]:
        """Return the pairs whose key is a scalar `name`, without making nodes of the others."""
        if name not in self._named:
            self._named[name] = self._stream.named(self, name)
        return self._named[name]


@dataclass(slots=True, eq=False)
class Document:
    """One document: its place in the file from 0, its root, and for each alias name the indexes of its events.

    `event` is the index of the event that begins it.
    """

    index: int
    root: Node
    aliases: dict[str, list[int]]
    event: int


@dataclass(eq=False)
class Stream:
    """The events of a file as libyaml gave them; `closes` leads from a collection's first event to its last.

    It keeps no node: they keep it, and in a circle the events would outlive the edit until Python looks for circles.
    """

    events: list[yaml.Event]
    closes: dict[int, int]

    def node(self, index: int) -> Node:
        """Make the node that begins with event `index`."""
        event = self.events[index]
        start, end = span(event)
        if isinstance(event, ScalarEvent):
            return Scalar(start, end, index, event.anchor, event.tag, event.value, event.style or "")
        if isinstance(event, AliasEvent):
            return Alias(start, end, index, event.anchor, None)
        if not isinstance(event, CollectionStartEvent):
            raise TypeError(f"{event} begins no node")  # a bug of ours
        made = Mapping if isinstance(event, MappingStartEvent) else Sequence
        close = self.closes[index]
        end = span(self.events[close])[1]
        return made(start, end, index, event.anchor, event.tag, bool(event.flow_style), close, self)

    def keys(self, node: Mapping) -> Iterator[str]:
        """Yield the keys of a mapping that are scalars."""
        at, closes = node.event + 1, self.closes
        while at < node.close:
            key = getattr(self.events[at], "value", None)
            if key is not None:
                yield key
            value = closes.get(at, at) + 1
            at = closes.get(value, value) + 1

    def named(self, node: Mapping, name: str) -> list[tuple[Node, Node]]:
        """Make the pairs of a mapping that have a scalar key `name`."""
        at, found, closes, events = node.event + 1, [], self.closes, self.events
        if node.known:
            return [(key, item) for key, item in node.pairs if isinstance(key, Scalar) and key.value == name]
        while at < node.close:
            value = closes.get(at, at) + 1
            if getattr(events[at], "value", None) == name:
                found.append((self.node(at), self.node(value)))
            at = closes.get(value, value) + 1
        return found

    def below(self, node: Collection) -> list[Node]:
        """Make the nodes that stand directly in a collection."""
        at, nodes, closes = node.event + 1, [], self.closes
        while at < node.close:
            nodes.append(self.node(at))
            at = closes.get(at, at) + 1
        return nodes


@dataclass(eq=False)
class Located:
    """A whole file: its documents with spans, and its events."""

    text: str
    documents: list[Document]
    stream: Stream
    limits: Limits
    memo: dict[object, Any] = field(default_factory=dict)
    """What was found out about it once and is asked for again."""

    @property
    def events(self) -> list[yaml.Event]:
        """The events of libyaml, in order."""
        return self.stream.events

    @cached_property
    def quote(self) -> str:
        """The quote that its quoted scalars use most, `"` if even."""
        styles = Counter(event.style for event in self.events if isinstance(event, ScalarEvent))
        return "'" if styles["'"] > styles['"'] else '"'

    @cached_property
    def line_break(self) -> str:
        """The line break that the text uses most; a line feed where it has none."""
        both = self.text.count("\r\n")
        lone = {"\n": self.text.count("\n") - both, "\r\n": both, "\r": self.text.count("\r") - both}
        return max(lone, key=lambda one: lone[one])


def locate(text: str, limits: Limits = LIMITS) -> Located:
    """Read the events of `text` (no byte order mark).

    Raises `EditError` where it is not YAML, or larger, deeper or in more documents than is edited.
    """
    events: list[yaml.Event] = []
    closes: dict[int, int] = {}
    opened: list[int] = []
    begun: list[int] = []
    aliases: list[dict[str, list[int]]] = []
    for chunk in chunks(text, limits):
        for index, event in enumerate(chunk, len(events)):
            kind = event.__class__
            if kind is ScalarEvent:
                continue
            if kind is MappingStartEvent or kind is SequenceStartEvent:
                opened.append(index)
                if len(opened) > limits.depth:
                    sentence = f"nested deeper than {limits.depth} levels; such a file is not edited"
                    raise problem(text, span(event)[0], sentence)
            elif kind is AliasEvent:
                aliases[-1].setdefault(getattr(event, "anchor", ""), []).append(index)
            elif kind is DocumentStartEvent:
                begun.append(index)
                aliases.append({})
                if len(begun) > limits.documents:
                    raise EditError(f"the file has more than {limits.documents:,} YAML documents; split it")
            elif opened:
                closes[opened.pop()] = index
        events += chunk
    stream = Stream(events, closes)
    documents = [
        Document(place, stream.node(start + 1), used, start)
        for place, (start, used) in enumerate(zip(begun, aliases, strict=True))
    ]
    return Located(text, documents, stream, limits)
