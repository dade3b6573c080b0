"""Where every node of a YAML file stands, without constructing a value.

libyaml's event stream gives exact spans; aliases are never expanded and types never resolved, so a file costs what its
size says. Offsets count code points of the text given; a byte order mark must have been taken off before.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NoReturn, TypeAlias

import yaml

from bot.errors import EditError, Problem

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_BYTES = 4 * 1024 * 1024
MAX_DEPTH = 200  # libyaml is quadratic in the nesting: 100,000 brackets would take seconds
MAX_DOCUMENTS = 1_000
MAX_EVENTS = 500_000

STR_TAG = "tag:yaml.org,2002:str"

# What an event says, its place left out: kind, value or flow, style, anchor, tag.
Event: TypeAlias = tuple[str, object, object, str | None, str | None]


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
class Sequence(Node):
    """A sequence and its items in order."""

    flow: bool
    items: list[Node] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class Mapping(Node):
    """A mapping and its pairs in order; duplicate keys stay, and a key may be any node."""

    flow: bool
    pairs: list[tuple[Node, Node]] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class Document:
    """One document: its root, and for each alias name the offset where it is first used."""

    root: Node
    aliases: dict[str, int]


@dataclass(slots=True, eq=False)
class Located:
    """A whole file: documents with spans, the event stream, and the quote its quoted scalars use most (`"` if even)."""

    text: str
    documents: list[Document]
    events: list[Event]
    quote: str


def position(text: str, offset: int) -> tuple[int, int]:
    """Return the line and column of `offset`, both from 1; the column counts code points."""
    breaks = text.count("\n", 0, offset) + text.count("\r", 0, offset) - text.count("\r\n", 0, offset)
    start = max(text.rfind("\n", 0, offset), text.rfind("\r", 0, offset)) + 1
    return breaks + 1, offset - start + 1


def problem(text: str, offset: int, sentence: str) -> EditError:
    """Make an `EditError` that points at `offset`."""
    return EditError(Problem(sentence, None, *position(text, offset)))


def locate(text: str) -> Located:
    """Read the events of `text` (no byte order mark) into a light tree.

    Raises `EditError` where it is not YAML, or larger, deeper or in more documents than is edited.
    """
    builder = _Builder(text)
    for event in _read(text):
        builder.add(event)
    styles = [event[2] for event in builder.events if event[0] == "scalar"]
    quote = "'" if styles.count("'") > styles.count('"') else '"'
    return Located(text, builder.documents, builder.events, quote)


def events(text: str) -> list[Event]:
    """Read only what the events of `text` say; raises `EditError` where it is not YAML or too large."""
    return [_said(event) for event in _read(text)]


def _read(text: str) -> Iterator[yaml.Event]:
    """Yield libyaml's events one by one, so that whoever takes them can stop it."""
    _check_size(text)
    try:
        loader = yaml.CSafeLoader(text)
        try:
            while (event := loader.get_event()) is not None:
                yield event
        finally:
            loader.dispose()
    except yaml.YAMLError as error:
        _refuse(text, error)


def _said(event: yaml.Event) -> Event:
    """Strip an event of its place."""
    if isinstance(event, yaml.ScalarEvent):
        return "scalar", event.value, event.style or "", event.anchor, event.tag
    if isinstance(event, yaml.MappingStartEvent):
        return "mapping", event.flow_style, None, event.anchor, event.tag
    if isinstance(event, yaml.SequenceStartEvent):
        return "sequence", event.flow_style, None, event.anchor, event.tag
    if isinstance(event, yaml.AliasEvent):
        return "alias", None, None, event.anchor, None
    if isinstance(event, yaml.DocumentStartEvent):
        return "document", (event.explicit, event.version), event.tags, None, None
    return type(event).__name__, getattr(event, "explicit", None), None, None, None


class _Builder:
    """Puts events together; a stack instead of recursion, so that depth is bounded here and nowhere else."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.documents: list[Document] = []
        self.events: list[Event] = []
        self._aliases: dict[str, int] = {}
        self._open: list[Mapping | Sequence] = []
        self._keys: list[Node | None] = []  # for each open collection: the key still waiting for its value

    def add(self, event: yaml.Event) -> None:
        """Take the next event."""
        index = len(self.events)
        if index >= MAX_EVENTS:
            raise EditError(f"the file has more than {MAX_EVENTS} YAML nodes; split it")
        self.events.append(_said(event))
        start = event.start_mark.index if event.start_mark else 0
        end = event.end_mark.index if event.end_mark else 0
        if isinstance(event, yaml.ScalarEvent):
            self._place(Scalar(start, end, index, event.anchor, event.tag, event.value, event.style or ""))
        elif isinstance(event, yaml.MappingStartEvent):
            self._enter(Mapping(start, end, index, event.anchor, event.tag, bool(event.flow_style)))
        elif isinstance(event, yaml.SequenceStartEvent):
            self._enter(Sequence(start, end, index, event.anchor, event.tag, bool(event.flow_style)))
        elif isinstance(event, yaml.CollectionEndEvent):
            self._open.pop().end = end
            self._keys.pop()
        elif isinstance(event, yaml.AliasEvent):
            self._aliases.setdefault(event.anchor or "", start)
            self._place(Alias(start, end, index, event.anchor, None))
        elif isinstance(event, yaml.DocumentStartEvent):
            if len(self.documents) >= MAX_DOCUMENTS:
                raise EditError(f"the file has more than {MAX_DOCUMENTS} YAML documents; split it")
            self._aliases = {}

    def _enter(self, node: Mapping | Sequence) -> None:
        if len(self._open) >= MAX_DEPTH:
            raise problem(self.text, node.start, f"nested deeper than {MAX_DEPTH} levels; such a file is not edited")
        self._place(node)
        self._open.append(node)
        self._keys.append(None)

    def _place(self, node: Node) -> None:
        """Hang `node` where the stream is: root, next item, next key or that key's value."""
        if not self._open:
            self.documents.append(Document(node, self._aliases))
            return
        parent = self._open[-1]
        if isinstance(parent, Sequence):
            parent.items.append(node)
            return
        key = self._keys[-1]
        if key is None:
            self._keys[-1] = node
        else:
            parent.pairs.append((key, node))
            self._keys[-1] = None


def _check_size(text: str) -> None:
    """Refuse what is too large or not encodable, before libyaml sees it."""
    try:
        size = len(text.encode())
    except UnicodeEncodeError as error:
        sentence = "a lone surrogate is no text; save the file as UTF-8"
        raise problem(text, error.start, sentence) from None
    if size > MAX_BYTES:
        raise EditError(f"the file has {size} bytes, more than the {MAX_BYTES} that are edited; split it")


def _refuse(text: str, error: yaml.YAMLError) -> NoReturn:
    """Say libyaml's complaint with the place, and name the two usual causes."""
    if isinstance(error, yaml.reader.ReaderError):
        # Its position counts bytes in some releases: look for the character itself.
        code = error.character if isinstance(error.character, int) else ord(error.character)
        sentence = f"not YAML: the character U+{code:04X} is not allowed; remove it or escape it in double quotes"
        raise problem(text, max(text.find(chr(code)), 0), sentence) from None
    if not isinstance(error, yaml.MarkedYAMLError) or error.problem_mark is None:
        raise EditError(f"not YAML: {error}") from None
    offset = min(error.problem_mark.index, len(text))
    told = ", ".join(part for part in (error.context, error.problem) if part)
    # The line and the one before: libyaml often stumbles only after the template's line.
    start = text.rfind("\n", 0, max(text.rfind("\n", 0, offset), 0)) + 1
    hint = "mend the file"
    if "{{" in text[start : (text.find("\n", offset) + 1) or None]:
        hint = "this looks like a template (`{{`), which is no YAML before it is rendered; use a regex rule for it"
    raise problem(text, offset, f"not YAML: {told}; {hint}") from None
