"""Fields turned into splices, as many as one reading of the file can carry out."""

from __future__ import annotations

import reprlib
from bisect import bisect
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeAlias

from bot.core.yaml import create, nested
from bot.core.yaml.events import position, problem
from bot.core.yaml.explain import KINDS, place
from bot.core.yaml.locate import Mapping, Scalar, Sequence
from bot.core.yaml.operations import FieldChange, SetField, Unset
from bot.core.yaml.path import parse, steps
from bot.core.yaml.quote import holds
from bot.core.yaml.remove import remove
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
    """A field, its path parsed, and the path as the user wrote it; `inner` is what to do in the scalar it leads to."""

    field: Field
    path: FieldPath
    shown: str
    inner: tuple[Field, ...] = ()


class Round:
    """What can be done on `located` at once; the rest waits for the text that this leaves.

    `splices` are in the file's order, `changes` in the order of the fields.
    """

    def __init__(self, located: Located, edit: Callable[..., Edited], *, json: bool) -> None:
        self.located = located
        self.json = json
        self._edit = edit  # for what goes on inside of a scalar
        self.splices: list[Splice] = []
        self.changes: list[FieldChange] = []
        self._gone: dict[int, set[int]] = {}  # by event of a collection: what of it is removed
        self._meant: dict[int, SetField] = {}  # by event: what is set already, or is so

    def plan(self, asked: Iterable[Asked]) -> list[Asked]:
        """Plan what can be done now and return the rest. Raises `EditError` with all problems found."""
        left: list[Asked] = []
        refused: list[EditError] = []
        creates = False
        for one in asked:
            try:
                found = self._targets(one)
                if not self._add(one, found):
                    left += [_concrete(one, target) for target in found]
                elif isinstance(one.field, SetField):
                    creates = creates or one.field.create
            except MissingError as error:
                refused.append(error)
                left.append(one)
            except EditError as error:
                refused.append(error)
        # What is missing may be there once what others create is written.
        raise_all([error for error in refused if not (creates and self.splices and isinstance(error, MissingError))])
        return left

    def _targets(self, one: Asked) -> list[Target]:
        field = one.field
        find = creatable if isinstance(field, SetField) and field.create else targets
        return find(self.located, one.path, field.document, many=field.many)

    def _add(self, one: Asked, found: list[Target]) -> bool:
        """Take the splices of a field, all or none: none where one of them touches what is taken already."""
        made: list[tuple[Splice, list[FieldChange]]] = []
        if not found:
            made.append(self._begun(one))
        for target in found:
            splice, changes = self._inside(one, target) if one.inner else self._one(one, target)
            if splice is not None:
                made.append((splice, changes))
        if isinstance(one.field, Unset) and not one.inner and not self._leaves_one(found):
            return False
        splices = list(self.splices)
        for splice, _ in made:
            at = bisect(splices, (splice.first, splice.last), key=lambda other: (other.first, other.last))
            if at and splices[at - 1] == splice:
                continue
            if (at and _touch(splices[at - 1], splice)) or (at < len(splices) and _touch(splice, splices[at])):
                return False
            splices.insert(at, splice)
        new = [change for splice, changes in made if splice not in self.splices for change in changes]
        self.splices, self.changes = splices, self.changes + new
        return True

    def _leaves_one(self, found: list[Target]) -> bool:
        """Count what is removed from each collection; the last one left goes by itself, as it leaves `{}` or `[]`."""
        gone = {event: set(nodes) for event, nodes in self._gone.items()}
        for target in found:
            parent = target.match.parent
            if parent is not None and isinstance(parent.node, Mapping | Sequence):
                nodes = gone.setdefault(parent.node.event, set())
                nodes.add(target.match.node.event)
                count = len(parent.node.pairs if isinstance(parent.node, Mapping) else parent.node.items)
                if len(nodes) == count > 1:
                    return False
        self._gone = gone
        return True

    def _begun(self, one: Asked) -> tuple[Splice, list[FieldChange]]:
        """Begin a file that has no document."""
        value = one.field.value if isinstance(one.field, SetField) else None
        path = one.path
        splice = create.begin(
            self.located, _built(steps(path, path.segments), [value] if path.append else value), json=self.json
        )
        return splice, [self._change(splice, one.shown, value)]

    def _one(self, one: Asked, target: Target) -> tuple[Splice | None, list[FieldChange]]:
        document, match, missing, *_ = target
        field, node = one.field, match.node
        if isinstance(field, Unset):
            splice = remove(self.located, document, match)
            return splice, [FieldChange(one.shown, *position(self.located.text, splice.at or 0), splice.old, "")]
        if not missing and not one.path.append:
            _agree(self._meant.setdefault(node.event, field), field)
            if not isinstance(field.value, dict | list):
                scalar = check_scalar(self.located, document, match)
                replaced = replace_scalar(
                    self.located, scalar, field.value, habits(self.located, match, json=self.json)
                )
                return replaced, [self._change(replaced, one.shown)] if replaced else []
        added = self._added(target, field, append=one.path.append)
        return added, [self._change(added, one.shown, field.value)] if added else []

    def _inside(self, one: Asked, target: Target) -> tuple[Splice | None, list[FieldChange]]:
        """Do what is asked inside of a scalar that is YAML itself."""
        document, match, missing, *_ = target
        if missing:
            raise EditError(f"there is no text at {one.path.outer!r} to go on in; create it first")
        located, node = self.located, check_scalar(self.located, document, match)
        try:
            result = self._edit(node.value, one.inner, limits=located.limits)
        except MissingError as error:
            raise MissingError(nested.moved(located, node, error)) from None
        except EditError as error:
            raise EditError(nested.moved(located, node, error)) from None
        if not result.changes:
            return None, []
        changes = [
            replace(change, path=f"{one.path.outer} | {change.path}", line=line, column=column)
            for change in result.changes
            for line, column in [nested.place_of(located, node, change.line, change.column)]
        ]
        return nested.replace_inner(located, match, node, result.text, json=self.json), changes

    def _added(self, target: Target, field: SetField, *, append: bool) -> Splice | None:
        """How something is written that is not there; None where it is there already."""
        document, match, missing, *_ = target
        located, node, value = self.located, match.node, field.value
        if not missing and (_holds(node, value) if not append else _has(node, value)):
            return None
        whole = [value] if append else value
        if missing:
            check_way(located, document, match)
            return self._created(match, missing, whole)
        if append and isinstance(node, Sequence):
            check_way(located, document, match)
            return create.insert_item(located, match, value, json=self.json)
        if (append or field.create) and create.is_null(match):
            check_way(located, document, match)
            return create.fill(located, match, whole, json=self.json)
        if append:
            at = place(located.text, node.start)
            raise problem(located.text, node.start, f"expected a list to append to, got {KINDS[type(node)]} (at {at})")
        kind = "mapping" if isinstance(value, dict) else "list"
        sentence = f"the new value is a {kind}, which is written only where nothing is; set its fields one by one"
        raise problem(located.text, node.start, sentence)

    def _created(self, match: Match, missing: list[Step], value: Json) -> Splice:
        """Write what is missing of a path below the node where it stops."""
        located, node, step = self.located, match.node, missing[0]
        if create.is_null(match):
            return create.fill(located, match, _built(missing, value), json=self.json)
        if isinstance(node, Mapping) and not isinstance(step, dict):
            return create.insert_key(located, match, str(step), _built(missing[1:], value), json=self.json)
        if isinstance(node, Sequence) and not isinstance(step, str):
            item = _item(step, _built(missing[1:], value)) if isinstance(step, dict) else _built(missing[1:], value)
            return create.insert_item(located, match, item, json=self.json)
        at = place(located.text, node.start)
        raise problem(located.text, node.start, f"creating path: unexpected node of kind {KINDS[type(node)]} (at {at})")

    def _change(self, splice: Splice, path: str, value: Json = None) -> FieldChange:
        """Say where a value stood, or where it is written, which is below the line where it is spliced in."""
        line, column = position(self.located.text, splice.start)
        added = splice.new.lstrip("\r\n")
        if splice.shown:
            return FieldChange(path, line, column, splice.old, splice.shown)
        if added != splice.new:
            line, column = line + 1, len(added) - len(added.lstrip(" ")) + 1
        return FieldChange(path, line, column, "", inline(value, Habits(self.located, flow=False, json=self.json))[0])


def agree(fields: Iterable[SetField]) -> None:
    """Raise `EditError` for two values for one path; the same value twice is one edit."""
    seen: dict[object, SetField] = {}
    for field in fields:
        if not field.path.endswith("[+]"):
            _agree(seen.setdefault((field.path, field.document), field), field)


def _agree(one: SetField, other: SetField) -> None:
    if (type(one.value), one.value) != (type(other.value), other.value):
        first, second = (reprlib.repr(field.value) for field in (one, other))
        raise EditError(
            f"{one.path!r} and {other.path!r} mean the same value but set it to {first} and {second}; keep one"
        )


def _concrete(one: Asked, target: Target) -> Asked:
    """Name what was found by a path that means it whatever other fields change before its turn."""
    path = target.path + ("[+]" if one.path.append else "")
    field = replace(one.field, path=path, document=target.selector, many=False)
    return replace(one, field=field, path=replace(parse(path), inner=one.path.inner, outer=one.path.outer))


def _touch(one: Splice, other: Splice) -> bool:
    """Whether two splices, in the file's order, meet: then the second is planned on the text that the first leaves."""
    return one.last > other.first or one.end > other.start or (one.first, one.start) == (other.first, other.start)


def _built(missing: list[Step], value: Json) -> Json:
    """Wrap a value in what is missing of the way to it."""
    for step in reversed(missing):
        if isinstance(step, str):
            value = {step: value}
        elif isinstance(step, dict):
            value = [_item(step, value)]
        elif step == 0:
            value = [value]
        else:
            raise EditError(f"creating path: a new list begins with [0], not [{step}]")
    return value


def _item(fields: dict[str, Json], value: Json) -> Json:
    """Put the fields that a filter asks for into the item that it finds nothing of."""
    if not isinstance(value, dict):
        raise EditError("a filter creates an item with fields; name the field of it that is set")
    return {**fields, **value}


def _has(node: Node, value: Json) -> bool:
    return isinstance(node, Sequence) and any(_holds(item, value) for item in node.items)


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
