"""Values as YAML text in the manner of the file around them, and the events that the text must be read as."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

from bot.core.yaml.extent import column_of, own_start
from bot.core.yaml.locate import Mapping, Scalar, Sequence
from bot.core.yaml.quote import bare, needs_escapes, not_a_string, plain_ok, quoted
from bot.errors import EditError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bot.core import model
    from bot.core.model import Json
    from bot.core.yaml.events import Event
    from bot.core.yaml.locate import Located, Node
    from bot.core.yaml.walk import Match

_ENDS: dict[str, Event] = {
    "mapping": ("MappingEndEvent", None, None, None, None),
    "sequence": ("SequenceEndEvent", None, None, None, None),
}


@dataclass(frozen=True, slots=True)
class Habits:
    """How values are written at one place of a file: inside a flow collection, and as JSON.

    `compact` is without spaces after colons and commas.
    """

    located: Located
    flow: bool
    json: bool
    compact: bool = False


class Indents(NamedTuple):
    """How many columns a file indents what is below a key: a mapping, and the dashes of a list."""

    mapping: int
    sequence: int


def habits(located: Located, match: Match, *, json: bool = False) -> Habits:
    """Return how a value at `match` is written; JSON where `json` or where the nearest mapping around looks so."""
    text = located.text
    around = next((up.node for up in match.way() if up is not match and isinstance(up.node, Mapping)), None)
    key = around.nodes[0] if around is not None and around.flow else None
    json = json or (isinstance(key, Scalar) and key.style == '"')
    compact = json and key is not None and text[key.end : key.end + 1] == ":" and text[key.end + 1] not in " \t\r\n"
    return Habits(located, match.in_flow, json, compact)


def indents(located: Located) -> Indents:
    """Return the indentation that the file uses most; where it shows none, two columns, and as many for a list."""
    known: Indents | None = located.memo.get(Indents)
    if known is not None:
        return known
    mappings: Counter[int] = Counter()
    sequences: Counter[int] = Counter()
    for document in located.documents:
        for key, value in _pairs(document.root):
            if value.flow or not value.nodes:
                continue
            begins = value.nodes[0].start if isinstance(value, Mapping) else own_start(located, value)
            columns = column_of(located.text, begins) - column_of(located.text, key.start)
            (mappings if isinstance(value, Mapping) else sequences)[columns] += 1
    mapping = mappings.most_common(1)[0][0] if mappings else 2
    found = Indents(mapping, sequences.most_common(1)[0][0] if sequences else mapping)
    located.memo[Indents] = found
    return found


def scalar_event(value: model.Scalar, style: str = "", anchor: str | None = None, tag: str | None = None) -> Event:
    """Return what a scalar must be read as. Raises `EditError` for a string that some reader would not take for one."""
    text = value if isinstance(value, str) else bare(value)
    if isinstance(value, str) and not style and tag is None and not_a_string(value):
        raise EditError(f"{value!r} without quotes is no string to every reader, so the file stays as it is")
    return "scalar", text, style, anchor, tag


def written(value: str, style: str, habits: Habits) -> tuple[str, str]:
    """Write a string on one line, and say in which style: in quotes of `style`, plain where it may be, else quoted."""
    if habits.json:
        quote = '"'
    elif style in ("'", '"'):
        quote = style
    elif not style and plain_ok(value, flow=habits.flow):
        return value, ""
    else:
        quote = habits.located.quote
    new = quoted(value, quote)
    return new, new[0]


def inline(value: Json, habits: Habits) -> tuple[str, list[Event]]:
    """Write a value on one line; mappings and lists in flow style."""
    if isinstance(value, str):
        text, style = written(value, "", habits)
        return text, [scalar_event(value, style)]
    if not isinstance(value, dict | list):
        return bare(value), [scalar_event(value)]
    inner = replace(habits, flow=True)
    comma, colon = (",", ":") if habits.compact else (", ", ": ")
    if isinstance(value, list):
        parts = [inline(item, inner) for item in value]
        kind, text = "sequence", "[" + comma.join(text for text, _ in parts) + "]"
    else:
        pairs = [(inline(name, inner), inline(item, inner)) for name, item in value.items()]
        parts = [part for pair in pairs for part in pair]
        kind, text = "mapping", "{" + comma.join(f"{key[0]}{colon}{item[0]}" for key, item in pairs) + "}"
    below = [event for _, events in parts for event in events]
    return text, [(kind, True, None, None, None), *below, _ENDS[kind]]


class Lines:
    """Values as lines of block style, all their lines at a column of their own; the events gather in `events`."""

    def __init__(self, habits: Habits, indents: Indents) -> None:
        self.habits = habits
        self.indents = indents
        self.events: list[Event] = []

    def pair(self, name: str, value: Json, column: int) -> list[str]:
        """Write a key at `column` and its value."""
        key, events = inline(name, self.habits)
        self.events += events
        sequence = isinstance(value, list) and bool(value)
        below = column + (self.indents.sequence if sequence else self.indents.mapping)
        head, lines = self.value(value, below)
        return [" " * column + f"{key}:{head}", *lines]

    def item(self, value: Json, column: int) -> list[str]:
        """Write an item of a list whose dash is at `column`; a collection begins on the dash's line."""
        head, lines = self.value(value, column + 2)
        if not head:
            head, lines = f" {lines[0].lstrip(' ')}", lines[1:]
        return [" " * column + f"-{head}", *lines]

    def value(self, value: Json, column: int) -> tuple[str, list[str]]:
        """Write a value: what follows on the line of its key or dash, and the lines below, at `column`."""
        if isinstance(value, dict) and value:
            self.events.append(("mapping", False, None, None, None))
            lines = [line for name, item in value.items() for line in self.pair(name, item, column)]
            self.events.append(_ENDS["mapping"])
            return "", lines
        if isinstance(value, list) and value:
            self.events.append(("sequence", False, None, None, None))
            lines = [line for item in value for line in self.item(item, column)]
            self.events.append(_ENDS["sequence"])
            return "", lines
        if isinstance(value, str) and _as_literal(value):
            self.events.append(scalar_event(value, "|"))
            body = value.removesuffix("\n").split("\n")
            return " |" + "-" * (value[-1] != "\n"), [" " * column + line if line else "" for line in body]
        text, events = inline(value, self.habits)
        self.events += events
        return f" {text}", []


def _as_literal(value: str) -> bool:
    """Whether a new string is written as a literal block: several lines, none of which needs an escape."""
    body = value.removesuffix("\n")
    lines = body.split("\n")
    return (
        len(lines) > 1
        and bool(lines[0])
        and lines[0][0] not in " \t"
        and bool(lines[-1].strip(" \t"))
        and not any(line and not line.strip(" \t") for line in lines)
        and not needs_escapes(body.replace("\n", "").replace("\t", ""))
    )


def _pairs(root: Node) -> Iterator[tuple[Node, Mapping | Sequence]]:
    """Yield every key in a block mapping whose value is a collection, with that value."""
    waiting = [root]
    while waiting:
        node = waiting.pop()
        if isinstance(node, Mapping) and not node.flow:
            for key, value in node.pairs:
                if isinstance(value, Mapping | Sequence):
                    yield key, value
                    waiting.append(value)
        elif isinstance(node, Sequence) and not node.flow:
            waiting += node.items
