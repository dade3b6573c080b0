"""The text of a mapping file as plain data, with the position of every key and value.

YAML 1.2 (so `on:` is a word, not a boolean), one document, bounded in size, depth and number of nodes. Anchors and
aliases work; the bounds hold after they are followed. The keys of the data are always text.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

from ruamel.yaml import YAML
from ruamel.yaml.composer import Composer
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, ScalarNode, SequenceNode

from bot.core.template import Position
from bot.errors import InputError, Problem

if TYPE_CHECKING:
    from ruamel.yaml.nodes import Node

# Of the file, and of all its values after aliases are followed. The worst such file takes three seconds of CPU; real
# ones have a few KB.
MAX_CHARACTERS = 256 * 1024
MAX_DEPTH = 20
MAX_NODES = 20_000

Loc: TypeAlias = tuple[int | str, ...]


@dataclass(slots=True)
class Source:
    """Plain data and where each piece of it stands.

    `keys` and `values` hold positions by location, which is the path of keys and indices from the root; `scalars` the
    text of each scalar as written. `problems` are those of this stage: duplicate keys, numbers that YAML would change.
    """

    name: str
    data: Any = None
    keys: dict[Loc, Position] = field(default_factory=dict)
    values: dict[Loc, Position] = field(default_factory=dict)
    scalars: dict[Loc, str] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def position(self, loc: Loc, *, key: bool = False) -> Position:
        """Find the position of a value, or of its `key`; of the nearest thing around it where it is not there."""
        if key and loc in self.keys:
            return self.keys[loc]
        while loc and loc not in self.values:
            loc = loc[:-1]
        return self.values.get(loc, Position(self.name))


def read(text: str, name: str) -> Source:
    """Read a mapping file. Raises InputError where it is no YAML, empty or too large: nothing else is known then."""
    if len(text) > MAX_CHARACTERS:
        raise InputError(Problem(f"the mapping file is longer than {MAX_CHARACTERS:,} characters", name))
    yaml = YAML(typ="safe", pure=True)
    yaml.Composer = _Composer
    try:
        root = yaml.compose(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        context = f" ({error.context})" if error.context else ""
        position = Position(name, mark.line + 1, mark.column + 1) if mark else Position(name)
        hint = (
            "; inside { } and [ ] quote an expression: '${{ … }}'" if mark and "${{" in _line(text, mark.line) else ""
        )
        raise InputError(position.problem(f"this is not YAML: {error.problem}{context}{hint}")) from None
    except (YAMLError, ValueError) as error:
        first_line = str(error).strip().partition("\n")[0]
        raise InputError(Problem(f"this is not YAML: {first_line}", name)) from None
    except _TooManyError as error:
        raise InputError(Position(name, error.line).problem(_MANY)) from None
    except RecursionError:
        raise InputError(Problem(f"the mapping file is nested more than {MAX_DEPTH} deep", name)) from None
    if root is None:
        raise InputError(Problem("the mapping file is empty: it needs at least 'version: 1' and 'mappings:'", name))
    source = Source(name)
    source.data = _Walk(source).walk(root, ())
    return source


def _line(text: str, number: int) -> str:
    return "".join(text.splitlines()[number : number + 1])


_MANY = f"the mapping file has more than {MAX_NODES:,} values, aliases included"


class _TooManyError(Exception):
    """There are too many nodes, the last one in `line`."""

    def __init__(self, line: int) -> None:
        super().__init__()
        self.line = line


class _Composer(Composer):
    """Stops as soon as there are more keys and values than there may be: to compose them all takes seconds."""

    composed = 0

    def compose_node(self, parent: Any, index: Any) -> Any:
        self.composed += 1
        if self.composed > 2 * MAX_NODES + 1:
            raise _TooManyError(self.parser.peek_event().start_mark.line + 1)
        return super().compose_node(parent, index)


class _Walk:
    """One walk over the composed tree. Counts what it visits, so that aliases of aliases cannot multiply."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.visited = 0
        self.characters = 0

    def walk(self, node: Node, loc: Loc) -> Any:
        position = Position(self.source.name, node.start_mark.line + 1, node.start_mark.column + 1)
        self.visited += 1
        if self.visited > MAX_NODES:
            raise InputError(position.problem(_MANY))
        if len(loc) > MAX_DEPTH:
            raise InputError(position.problem(f"the mapping file is nested more than {MAX_DEPTH} deep"))
        self.source.values[loc] = position
        if isinstance(node, MappingNode):
            return self._mapping(node, loc)
        if isinstance(node, SequenceNode):
            return [self.walk(item, (*loc, index)) for index, item in enumerate(node.value)]
        self.characters += len(node.value)
        if self.characters > MAX_CHARACTERS:
            sentence = f"the values up to here have more than {MAX_CHARACTERS:,} characters, aliases included"
            raise InputError(position.problem(sentence))
        self.source.scalars[loc] = node.value
        return self._scalar(node, position)

    def _mapping(self, node: MappingNode, loc: Loc) -> dict[str, Any]:
        data: dict[str, Any] = {}
        for key_node, value_node in node.value:
            position = Position(self.source.name, key_node.start_mark.line + 1, key_node.start_mark.column + 1)
            if not isinstance(key_node, ScalarNode):
                self.source.problems.append(position.problem("a key must be a word, not a list or a mapping"))
                continue
            key = key_node.value
            if key in data:
                first = self.source.keys[*loc, key].line
                self.source.problems.append(position.problem(f"the key '{key}' is there twice, first in line {first}"))
                continue
            self.source.keys[*loc, key] = position
            data[key] = self.walk(value_node, (*loc, key))
        return data

    def _scalar(self, node: Node, position: Position) -> Any:
        kind, text = str(node.tag).rpartition(":")[2], node.value
        match kind:
            case "null":
                return None
            case "bool":
                return text.lower() == "true"
            case "int" | "float":
                return self._number(kind, text, position)
        if kind not in {"str", "null", "bool", "int", "float", "timestamp"}:
            self.source.problems.append(position.problem(f"the tag {node.tag} means nothing here: leave it out"))
        # Dates too: YAML 1.2's core schema knows none, and a tag such as 2024-01-02 is text to everybody.
        return text

    def _number(self, kind: str, text: str, position: Position) -> float | str:
        """Refuse a number that would come out otherwise than it was written: 1.10 as 1.1, 010 as 10, 1e3 as 1000.0."""
        try:
            number = float(text) if kind == "float" else int(text, 10 if text.lstrip("+-").isdigit() else 0)
        except ValueError:  # .inf, 1:30 and the like: text to everybody but YAML
            return text
        if str(number) != text:
            sentence = f"the number {text} would be read as {number}: quote it, '{text}', to mean this text"
            self.source.problems.append(position.problem(sentence))
        return number
