"""The GraphQL schema, whole or without what an older server lacks, and its refusals in GraphQL-Ruby's words."""

from __future__ import annotations

import re
from functools import cache, lru_cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from graphql import FieldNode, GraphQLError, GraphQLSchema, OperationDefinitionNode, build_schema, parse, validate

if TYPE_CHECKING:
    from collections.abc import Iterator

    from graphql import DocumentNode, Node

_FIELD = re.compile(r"Cannot query field '(\w+)' on type '(\w+)'")
_TYPE = re.compile(r"Unknown type '(\w+)'")


class UndefinedError(GraphQLError):
    """What the schema does not have: GitHub tells it with a path and `extensions`, and no `type`."""


@cache
def schema(without: frozenset[str] = frozenset()) -> GraphQLSchema:
    """Give the schema less the fields of queries and mutations of these names, with the input types of the latter."""
    text = files("bot.sandbox").joinpath("schema.graphql").read_text()
    # A root type may be left without fields, which is no valid schema.
    made = build_schema(text, assume_valid=True)
    for root in (made.query_type, made.mutation_type):
        for name in without & (root.fields.keys() if root else set()):
            if root:
                del root.fields[name]
            made.type_map.pop(f"{name[0].upper()}{name[1:]}Input", None)
    return made


@lru_cache(256)
def understood(query: str, without: frozenset[str]) -> tuple[DocumentNode | None, list[GraphQLError]]:
    """Parse a request and compare it with the schema: the better part of the work, and clients ask the same again."""
    try:
        document = parse(query)
    except GraphQLError as error:
        return None, [error]
    errors = [_reworded(document, error) for error in validate(schema(without), document)]
    return (None, errors) if errors else (document, [])


def _reworded(document: DocumentNode, error: GraphQLError) -> GraphQLError:
    """Say what is undefined as GraphQL-Ruby does, with which GitHub is written.

    https://github.com/rmosolgo/graphql-ruby/tree/master/lib/graphql/static_validation/rules
    """
    node = error.nodes[0] if error.nodes else None
    path = next((path for found, path in _paths(document) if found is node), None)
    if field := _FIELD.match(error.message):
        told = {"code": "undefinedField", "typeName": field[2], "fieldName": field[1]}
        return UndefinedError(
            f"Field '{field[1]}' doesn't exist on type '{field[2]}'", node, path=path, extensions=told
        )
    if kind := _TYPE.match(error.message):
        named = re.search(rf"\$(\w+)\s*:\s*\[*{kind[1]}\b", node.loc.source.body if node and node.loc else "")
        variable = named[1] if named else ""
        told = {"code": "variableRequiresValidType", "typeName": kind[1], "variableName": variable}
        start = next(_paths(document))[1][:1]
        message = f"{kind[1]} isn't a defined input type (on ${variable})"
        return UndefinedError(message, node, path=start, extensions=told)
    return error


def _paths(document: DocumentNode) -> Iterator[tuple[Node, list[str | int]]]:
    """Give each operation and field of a document with where it stands: `["mutation Commit", "createCommit"]`."""
    for definition in document.definitions:
        kind = definition.operation.value if isinstance(definition, OperationDefinitionNode) else "fragment"
        name = getattr(definition, "name", None)
        yield from _below(definition, [f"{kind} {name.value}" if name else kind])


def _below(node: Any, path: list[str | int]) -> Iterator[tuple[Node, list[str | int]]]:
    yield node, path
    for inner in node.selection_set.selections if getattr(node, "selection_set", None) else ():
        step = [inner.alias.value if inner.alias else inner.name.value] if isinstance(inner, FieldNode) else []
        yield from _below(inner, [*path, *step])
