"""Fields turned into splices: all that one reading of the file can carry out."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, TypeAlias

from bot.core.yaml import create, nested
from bot.core.yaml.agree import agree, built
from bot.core.yaml.events import position, problem
from bot.core.yaml.explain import KINDS, place
from bot.core.yaml.locate import Collection, Mapping, Scalar, Sequence
from bot.core.yaml.operations import FieldChange, SetField, Unset
from bot.core.yaml.path import steps
from bot.core.yaml.quote import holds
from bot.core.yaml.remove import Removal, removal
from bot.core.yaml.splice import check_scalar, check_way
from bot.core.yaml.splice import replace as replace_scalar
from bot.core.yaml.target import MissingError, creatable, targets
from bot.core.yaml.write import Habits, habits, inline
from bot.errors import EditError, raise_all

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from bot.core.model import Json
    from bot.core.yaml.locate import Located, Node
    from bot.core.yaml.operations import Edited
    from bot.core.yaml.path import FieldPath, Step
    from bot.core.yaml.splice import Splice
    from bot.core.yaml.target import Target
    from bot.core.yaml.walk import Match

Field: TypeAlias = SetField | Unset


@dataclass(frozen=True, slots=True)
class Asked:
    """A field, its path parsed, and the path as the user wrote it."""

    field: Field
    path: FieldPath
    shown: str


@dataclass(slots=True)
class _Inside:
    """What to do inside of a scalar that is YAML itself."""

    match: Match
    node: Scalar
    shown: str
    fields: list[Field] = field(default_factory=list)


@dataclass(slots=True)
class _Added:
    """What is to be written into a collection, or in place of nothing: the ways to the values, and what they are."""

    match: Match | None
    parts: list[tuple[list[Step], Json]] = field(default_factory=list)
    fields: list[tuple[str, Json]] = field(default_factory=list)


class Round:
    """What is done on `located` at once; `edit` is for what goes on inside of a scalar.

    `splices` come with what they change; `removals` are left for the text that they make.
    """

    def __init__(self, located: Located, edit: Callable[..., Edited], *, json: bool) -> None:
        self.located = located
        self.json = json
        self.removals: list[Removal] = []
        self._same: list[str] = []
        self._edit = edit
        self._set: dict[int, tuple[SetField, Splice | None, str]] = {}  # by event
        self._inside: dict[int, _Inside] = {}  # by event of the scalar
        self._added: dict[int, _Added] = {}  # by event of the collection or null, -1 for a file without a document

    def plan(self, asked: Iterable[Asked]) -> list[Asked]:
        """Plan what can be done, and return what means nothing as long as other fields did not create it.

        Raises `EditError` with all problems found.
        """
        missing: list[Asked] = []
        refused: list[EditError] = []
        for one in asked:
            try:
                self._plan(one)
            except MissingError as error:
                refused.append(error)
                missing.append(one)
            except EditError as error:
                refused.append(error)
        raise_all([error for error in refused if not (self._added and isinstance(error, MissingError))])
        return missing

    @property
    def same(self) -> list[str]:
        """Return the fields that are there already as asked for."""
        return [*self._same, *(path for _, splice, path in self._set.values() if splice is None)]

    def splices(self) -> list[tuple[Splice, list[FieldChange]]]:
        """Return the splices of all that was planned. Raises `EditError` with all problems found."""
        refused: list[EditError] = []
        made: list[tuple[Splice, list[FieldChange]]] = [
            (splice, [self._changed(splice, path)]) for _, splice, path in self._set.values() if splice is not None
        ]
        for added in self._added.values():
            try:
                splice = self._write(added)
                made.append((splice, [self._changed(splice, path, value) for path, value in added.fields]))
            except EditError as error:
                refused.append(error)
        for inside in self._inside.values():
            try:
                made += self._write_inside(inside)
            except EditError as error:
                refused.append(error)
        raise_all(refused)
        return sorted(made, key=lambda one: (one[0].start, one[0].end, one[0].first))

    def _plan(self, one: Asked) -> None:
        located, path, asked = self.located, one.path, one.field
        if isinstance(asked, Unset):
            self._plan_removal(one, asked)
            return
        if asked.create and not located.documents:
            self._add(None, (_way(one, steps(path, path.segments)), asked.value), one, asked)
            return
        find = creatable if asked.create else targets
        for target in find(located, path, asked.document, many=asked.many):
            if path.inner:
                self._plan_inside(one, target)
            elif target.missing or path.append or isinstance(asked.value, dict | list):
                self._plan_addition(one, asked, target)
            else:
                self._plan_scalar(one, asked, target)

    def _plan_removal(self, one: Asked, asked: Unset) -> None:
        if one.path.append:
            raise EditError(f"field path {one.path.text!r} appends an item; name the item to remove by its index")
        try:
            found = targets(self.located, one.path, asked.document, many=asked.many)
        except MissingError:
            return  # done already
        for target in found:
            if one.path.inner:
                self._plan_inside(one, target)
            else:
                self.removals.append(removal(self.located, target.document, target.match, one.shown))

    def _plan_scalar(self, one: Asked, asked: SetField, target: Target) -> None:
        document, match, *_ = target
        event, value = match.node.event, asked.value
        if event in self._set:
            agree(self._set[event][0], asked)
            return
        if isinstance(value, dict | list):
            raise TypeError("only a scalar replaces a scalar")  # a bug of ours
        scalar = check_scalar(self.located, document, match)
        splice = replace_scalar(self.located, scalar, value, habits(self.located, match, json=self.json))
        self._set[event] = asked, splice, one.shown

    def _plan_inside(self, one: Asked, target: Target) -> None:
        document, match, missing = target
        if missing or one.path.inner is None:
            raise EditError(f"there is no text at {one.path.outer!r} to go on in; create it first")
        node = check_scalar(self.located, document, match)
        shown = one.shown.removesuffix(one.path.inner).rstrip(" |")
        inside = self._inside.setdefault(node.event, _Inside(match, node, shown))
        inside.fields.append(replace(one.field, path=one.path.inner, document=None))

    def _plan_addition(self, one: Asked, asked: SetField, target: Target) -> None:
        """Plan what is written where nothing is: below the node where the path stops, or in place of an empty one."""
        document, match, missing = target
        node, value, append = match.node, asked.value, one.path.append
        if not missing and (_has(node, value) if append else _holds(node, value)):
            self._same.append(one.shown)
            return
        check_way(self.located, document, match)
        if missing:
            self._check_stop(match, missing[0])
            self._add(match, (_way(one, missing), value), one, asked)
        elif append and (isinstance(node, Sequence) or create.is_null(match)):
            self._add(match, ([None], value), one, asked)
        elif asked.create and not append and (create.is_null(match) or _is_empty(node, value)):
            self._add(match, ([], value), one, asked)
        elif append:
            sentence = f"expected a list to append to, got {KINDS[type(node)]} (at {self._at(node)})"
            raise problem(self.located.text, node.start, sentence)
        else:
            kind = "mapping" if isinstance(value, dict) else "list"
            sentence = f"the new value is a {kind}, which is written only where nothing is; set its fields one by one"
            raise problem(self.located.text, node.start, sentence)

    def _check_stop(self, match: Match, step: Step) -> None:
        """Refuse to go through what cannot have a key, or an item."""
        node = match.node
        fits = isinstance(step, str | int) if isinstance(node, Mapping) else not isinstance(step, str)
        if not create.is_null(match) and not (isinstance(node, Collection) and fits):
            sentence = f"creating path: unexpected node of kind {KINDS[type(node)]} (at {self._at(node)})"
            raise problem(self.located.text, node.start, sentence)

    def _add(self, match: Match | None, part: tuple[list[Step], Json], one: Asked, asked: SetField) -> None:
        event = match.node.event if match else -1
        added = self._added.setdefault(event, _Added(match))
        added.parts.append(part)
        added.fields.append((one.shown, asked.value))

    def _write(self, added: _Added) -> Splice:
        """Write all that comes into one place in one piece."""
        located, match = self.located, added.match
        if match is None:
            return create.begin(located, built(added.parts), json=self.json)
        if match.node.event in self._set:
            at = self._at(match.node)
            raise problem(located.text, match.node.start, f"a value is set here (at {at}) and one below it created")
        value = built(added.parts)
        if not isinstance(match.node, Collection) or any(not steps for steps, _ in added.parts):
            return create.fill(located, match, value, json=self.json)
        if isinstance(value, dict) and isinstance(match.node, Mapping):
            return create.insert_keys(located, match, value, json=self.json)
        if isinstance(value, list) and isinstance(match.node, Sequence):
            return create.insert_items(located, match, value, json=self.json)
        raise problem(located.text, match.node.start, "both keys and items would be created here; keep one kind")

    def _write_inside(self, inside: _Inside) -> list[tuple[Splice, list[FieldChange]]]:
        located, node = self.located, inside.node
        if node.event in self._set:
            raise problem(located.text, node.start, "the text is set and edited inside at once; do one of them")
        try:
            result = self._edit(node.value, inside.fields, limits=located.limits)
        except EditError as error:
            raise EditError(nested.moved(located, node, error)) from None
        self._same += [f"{inside.shown} | {path}" for path in result.same]
        if not result.changes:
            return []
        changes = [
            replace(change, path=f"{inside.shown} | {change.path}", line=line, column=column)
            for change in result.changes
            for line, column in [nested.place_of(located, node, change.line, change.column)]
        ]
        splice = nested.replace_inner(located, inside.match, node, result.text, json=self.json)
        return [(splice, changes)] if splice else []

    def _changed(self, splice: Splice, path: str, value: Json = None) -> FieldChange:
        """Say where a value stood, or where it is written, which is below the line where it is spliced in."""
        line, column = position(self.located.text, splice.start)
        if splice.shown:
            return FieldChange(path, line, column, splice.old, splice.shown)
        written = splice.new.lstrip(",\r\n")
        if splice.new.startswith(("\n", "\r", ",\n", ",\r")):
            line += 1
            column = 1
        column += len(written) - len(written.lstrip(" \t"))
        return FieldChange(path, line, column, "", inline(value, Habits(self.located, flow=False, json=self.json))[0])

    def _at(self, node: Node) -> str:
        return place(self.located.text, node.start)


def _way(one: Asked, missing: list[Step]) -> list[Step]:
    """Return the way to a new value: at its end a new item where the path appends."""
    return [*missing, None] if one.path.append else missing


def removed_changes(located: Located, removals: Iterable[Removal]) -> list[FieldChange]:
    """Say what goes and where it stands, for each removal."""
    changes = []
    for one in removals:
        key, node = located.stream.node(one.first), located.stream.node(one.node)
        changes.append(FieldChange(one.path, *position(located.text, key.start), create.source(located, node), ""))
    return changes


def _has(node: Node, value: Json) -> bool:
    return isinstance(node, Sequence) and any(_holds(item, value) for item in node.items)


def _is_empty(node: Node, value: Json) -> bool:
    """Whether the node is an empty collection of the value's kind, which is as good as nothing."""
    return isinstance(node, Collection) and not node.nodes and isinstance(node, Mapping) == isinstance(value, dict)


def _holds(node: Node, value: Json) -> bool:
    """Whether the node already is the value, for every reader; an alias never is."""
    if isinstance(node, Scalar):
        return not isinstance(value, dict | list) and holds(node, value)
    if isinstance(node, Sequence) and isinstance(value, list):
        return len(node.items) == len(value) and all(map(_holds, node.items, value))
    if isinstance(node, Mapping) and isinstance(value, dict):
        below = {key.value: item for key, item in node.pairs if isinstance(key, Scalar)}
        return (
            len(node.pairs) == len(value)
            and below.keys() == value.keys()
            and all(_holds(below[name], item) for name, item in value.items())
        )
    return False
