"""What a GraphQL request costs before it is executed: points, nodes, and the files that it asks for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from graphql import (
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    IntValueNode,
    OperationDefinitionNode,
    VariableNode,
)

from bot.sandbox.graphql_nodes import QueryError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from graphql import DocumentNode

# https://docs.github.com/en/graphql/overview/rate-limits-and-query-limits-for-the-graphql-api
MOST_NODES = 500_000
REQUESTS_A_POINT = 100


class Cost(NamedTuple):
    """What a request may cost at most: requests to fulfil its connections, nodes that it may get, files in it."""

    requests: int = 0
    nodes: int = 0
    files: int = 0

    @property
    def points(self) -> int:
        """What it takes of the hourly limit: a point for each hundred requests, rounded, and one at least."""
        return max(1, int(self.requests / REQUESTS_A_POINT + 0.5))


def measure(document: DocumentNode, variables: Mapping[str, Any], name: str | None) -> Cost:
    """Give the cost of an operation of a document, the only one if it has no name."""
    operations = [each for each in document.definitions if isinstance(each, OperationDefinitionNode)]
    fragments = {each.name.value: each for each in document.definitions if isinstance(each, FragmentDefinitionNode)}
    chosen = [each for each in operations if name is None or (each.name and each.name.value == name)]
    return _of(chosen[0], _Reading(variables, fragments), 1) if chosen else Cost()


class _Reading(NamedTuple):
    variables: Mapping[str, Any]
    fragments: Mapping[str, FragmentDefinitionNode]


def _of(node: Any, reading: _Reading, times: int) -> Cost:
    """Add up what stands below a node that is fulfilled so many times."""
    total = Cost()
    for inner in node.selection_set.selections if node.selection_set else ():
        below, own = inner, Cost()
        each = times
        if isinstance(inner, FragmentSpreadNode):
            below = reading.fragments[inner.name.value]
        elif isinstance(inner, FieldNode):
            first = _bound(inner, reading.variables)
            if first is not None:
                each, own = times * first, Cost(times, times * first)
            elif inner.arguments and inner.name.value in {"file", "object"}:
                own = Cost(files=times)
        total = _sum(total, own, _of(below, reading, each))
    return total


def _sum(*costs: Cost) -> Cost:
    return Cost(*(sum(parts) for parts in zip(*costs, strict=True)))


def _bound(field: FieldNode, variables: Mapping[str, Any]) -> int | None:
    """Give the `first` or `last` of a connection, None where a field has none."""
    for argument in field.arguments or ():
        if argument.name.value in {"first", "last"}:
            value = argument.value
            if isinstance(value, IntValueNode):
                return int(value.value)
            given = variables.get(value.name.value) if isinstance(value, VariableNode) else None
            return given if isinstance(given, int) else None
    return None


def refusal(cost: Cost, most_files: int | None) -> QueryError | None:
    """Give the error of a request that asks for too much, None if it may be executed.

    github.com/yoshi389111/github-profile-3d-contrib/issues/163 quotes the second.
    """
    if cost.nodes > MOST_NODES:
        return QueryError(
            "MAX_NODE_LIMIT_EXCEEDED",
            f"This query requests up to {cost.nodes:,} possible nodes "
            f"which exceeds the maximum limit of {MOST_NODES:,}.",
        )
    if most_files is not None and cost.files > most_files:
        return QueryError("RESOURCE_LIMITS_EXCEEDED", "Resource limits for this query exceeded.")
    return None
