"""Editing YAML: the value meant is spliced in, every other character stays.

Nothing outside this package imports anything but what stands here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bot.core.yaml.explain import many_matches, no_match
from bot.core.yaml.locate import locate, position
from bot.core.yaml.path import parse
from bot.core.yaml.splice import apply, check_keys, check_scalar, replace
from bot.core.yaml.verify import check_filled, verify
from bot.core.yaml.walk import find
from bot.errors import EditError, Problem

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bot.core.model import Scalar
    from bot.core.yaml.locate import Document, Located
    from bot.core.yaml.splice import Splice
    from bot.core.yaml.walk import Match

__all__ = ["Edited", "FieldChange", "SetField", "check_filled", "set_fields"]

_BOM = "\ufeff"


@dataclass(frozen=True, slots=True)
class SetField:
    """One scalar to replace: the value at field path `path` becomes `value`, which keeps its JSON type.

    `document` is the index of the document in the file, from 0; None looks for the path in all of them.
    """

    path: str
    value: Scalar
    document: int | None = None


@dataclass(frozen=True, slots=True)
class FieldChange:
    """One scalar that changed: where it stands (from 1), and its source text before and after, quotes included."""

    path: str
    line: int
    column: int
    old: str
    new: str


@dataclass(frozen=True, slots=True)
class Edited:
    """The text after the edit, and what changed, in the file's order; without changes the text is the one given."""

    text: str
    changes: tuple[FieldChange, ...]


def set_fields(text: str, fields: Sequence[SetField]) -> Edited:
    """Set scalars that exist; nothing is created.

    `text` is the decoded file; a byte order mark in front is kept. Each path must mean exactly one scalar. Raises
    `EditError` with every problem found, in which case nothing is edited.
    """
    mark = _BOM if text.startswith(_BOM) else ""
    located = locate(text.removeprefix(_BOM))
    problems: list[Problem] = []
    planned: dict[int, tuple[SetField, Splice | None]] = {}
    for field in fields:
        try:
            event, splice = _plan(located, field)
            _check_agreement(field, planned.get(event))
            planned[event] = (field, splice)
        except EditError as error:
            problems += error.problems
    if problems:
        raise EditError(problems)
    made = sorted(((splice, field) for field, splice in planned.values() if splice), key=lambda one: one[0].start)
    if not made:
        return Edited(text, ())
    splices = [splice for splice, _ in made]
    result = apply(located.text, splices)
    verify(located, result, splices)
    return Edited(mark + result, tuple(_change(located.text, splice, field) for splice, field in made))


def _plan(located: Located, field: SetField) -> tuple[int, Splice | None]:
    """Find the event of the scalar that the field means, and its splice (None: it has the value already)."""
    value: object = field.value  # comes from a payload: JSON has mappings and lists too
    if not isinstance(value, str | int | float | None):
        kind = "mapping" if isinstance(value, dict) else "list"
        raise EditError(f"the new value of {field.path!r} is a {kind}; only a scalar can replace a scalar")
    document, match = _target(located, field)
    node = check_scalar(located, document, match)
    return node.event, replace(located, match, node, field.value)


def _target(located: Located, field: SetField) -> tuple[Document, Match]:
    """Find the one node that the field's path means, and its document."""
    parsed = parse(field.path)
    documents = located.documents
    if field.document is not None:
        if not 0 <= field.document < len(documents):
            count = len(documents)
            raise EditError(f"the file has no document {field.document}; it has {count}, counted from 0")
        documents = [documents[field.document]]
    found = [(document, match) for document in documents for match in find(document.root, parsed)]
    if not found:
        raise no_match(located, documents, field.path, parsed)
    if len(found) > 1:
        for _, match in found[:2]:
            check_keys(located, match)
        raise many_matches(located, field.path, [match for _, match in found])
    return found[0]


def _check_agreement(field: SetField, other: tuple[SetField, Splice | None] | None) -> None:
    """Refuse two values for one scalar; the same value twice is one edit."""
    if other is not None and (type(other[0].value), other[0].value) != (type(field.value), field.value):
        raise EditError(
            f"{other[0].path!r} and {field.path!r} mean the same value but set it to {other[0].value!r} "
            f"and {field.value!r}; keep one"
        )


def _change(text: str, splice: Splice, field: SetField) -> FieldChange:
    old, new = text[splice.start : splice.end], splice.new
    return FieldChange(field.path, *position(text, splice.start), old, new if old else new.lstrip(" "))
