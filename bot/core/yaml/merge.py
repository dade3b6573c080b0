"""A mapping merged into a mapping, key by key, as the fields that this sets and removes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.core.yaml.locate import Mapping, Scalar
from bot.core.yaml.operations import DocumentSelector, Merge, SetField, Unset
from bot.core.yaml.path import parse, spelt
from bot.core.yaml.target import creatable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bot.core.model import Json
    from bot.core.yaml.locate import Located, Node


def fields(located: Located, operation: Merge) -> list[SetField | Unset]:
    """Return the fields that a merge comes down to. Raises `EditError` where its path means none or many nodes.

    A list over an equal list comes to nothing, over another one to a `SetField` that is refused.
    """
    path = parse(operation.path)
    if not located.documents:
        return [SetField(operation.path, _without_nulls(operation.value), operation.document, create=True)]
    (target,) = creatable(located, path, operation.document, many=False)
    if target.missing:
        return [SetField(operation.path, _without_nulls(operation.value), operation.document, create=True)]
    return list(_below(target.path, target.match.node, operation.value, target.selector))


def _below(path: str, node: Node, value: Json, document: DocumentSelector) -> Iterator[SetField | Unset]:
    """Yield what makes `node` hold `value`."""
    if not isinstance(node, Mapping) or not isinstance(value, dict):
        yield SetField(path, _without_nulls(value), document, create=True)
        return
    below = {key.value: item for key, item in node.pairs if isinstance(key, Scalar)}
    for name, item in value.items():
        child = path + spelt(name)
        if item is None:
            yield Unset(child, document)
        elif name in below:
            yield from _below(child, below[name], item, document)
        else:
            yield SetField(child, _without_nulls(item), document, create=True)


def _without_nulls(value: Json) -> Json:
    """Leave out of mappings what null would remove: there is nothing yet."""
    if not isinstance(value, dict):
        return value
    return {name: _without_nulls(item) for name, item in value.items() if item is not None}
