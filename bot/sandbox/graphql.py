"""GraphQL: graphql-core executes requests against GitHub's schema, cut to what is used here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from graphql import (
    ExecutionResult,
    FieldNode,
    GraphQLError,
    OperationDefinitionNode,
    default_field_resolver,
    execute_sync,
)

from bot.sandbox import costs
from bot.sandbox.answers import Answer, ApiError
from bot.sandbox.graphql_commit import commit_on_branch
from bot.sandbox.graphql_nodes import CommitNode, Node, QueryError, RefNode, RepositoryNode
from bot.sandbox.graphql_schema import UndefinedError, schema, understood
from bot.sandbox.objects import HEADS
from bot.sandbox.shapes import read_node_id, timestamp

if TYPE_CHECKING:
    from graphql import DocumentNode, GraphQLFormattedError, GraphQLResolveInfo

    from bot.sandbox.call import Call
    from bot.sandbox.costs import Cost
    from bot.sandbox.repository import Repository


def execute(call: Call) -> Answer:
    """Execute the request of a body with `query`, `variables` and `operationName`: always 200, errors inside."""
    query = call.body.get("query")
    if not isinstance(query, str) or not query.strip():
        raise ApiError(400, "A query attribute must be specified and must be a string.")
    without, variables = frozenset(call.sandbox.graphql_without), call.body.get("variables") or {}
    document, errors = understood(query, without)
    if document is None:
        return _answer(ExecutionResult(None, errors))
    cost = costs.measure(document, variables, call.body.get("operationName"))
    refused = costs.refusal(cost, call.sandbox.files_per_query)
    if refused:
        return _answer(_nothing(document, refused))
    call.sandbox.charge(call.grant, cost.points - 1)
    result = execute_sync(
        schema(without),
        document,
        Query(call, cost),
        context_value=call,
        variable_values=variables,
        operation_name=call.body.get("operationName"),
        field_resolver=_resolve,
        type_resolver=_type_name,
    )
    return _answer(result)


def _nothing(document: DocumentNode, error: QueryError) -> ExecutionResult:
    """Give the result of a request that was ended: its fields are null, and the error names the first of them."""
    operation = next(each for each in document.definitions if isinstance(each, OperationDefinitionNode))
    fields = [each for each in operation.selection_set.selections if isinstance(each, FieldNode)]
    names = [field.alias.value if field.alias else field.name.value for field in fields]
    error.path = names[:1]  # type: ignore[assignment]  # a list of names is one
    return ExecutionResult(dict.fromkeys(names), [error])


def _answer(result: ExecutionResult) -> Answer:
    body: dict[str, Any] = {}
    understood_it = not result.errors or (result.errors[0].path and not isinstance(result.errors[0], UndefinedError))
    if result.data is not None or understood_it:
        body["data"] = result.data
    if result.errors:
        body["errors"] = [_error(error) for error in result.errors]
    return Answer(200, body)


def _resolve(source: Any, info: GraphQLResolveInfo[Call], **arguments: Any) -> Any:
    """Let a field be a method or attribute under its name in Python's spelling."""
    if isinstance(source, dict):
        return default_field_resolver(source, info, **arguments)
    name = "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in info.field_name)
    value = getattr(source, name)
    return value(**arguments) if callable(value) else value


def _type_name(source: Node, _info: GraphQLResolveInfo[Call], _abstract: object) -> str:
    """Tell which type an object has where the schema says only GitObject or Node."""
    return source.kind


def _error(error: GraphQLError) -> dict[str, Any]:
    formatted: GraphQLFormattedError = error.formatted
    original = error.original_error
    kind = original.kind if isinstance(original, QueryError) else error.kind if isinstance(error, QueryError) else None
    body: dict[str, Any] = {"type": kind} if kind else {}
    for name in ("path", "extensions", "locations", "message"):
        if name in formatted:
            body[name] = formatted[name]
    return body


class Query:
    """The root of queries and mutations."""

    def __init__(self, call: Call, cost: Cost) -> None:
        self.call = call
        self.cost = cost

    def repository(self, owner: str, name: str) -> Node:
        """Give a repository, QueryError NOT_FOUND if it is not there for this caller."""
        return RepositoryNode(self.call, self._find(f"{owner}/{name}"))

    def _find(self, full_name: str) -> Repository:
        repo = self.call.sandbox.find_repository(full_name, former=True)
        if repo is None or not self.call.sandbox.reaches(self.call.grant, repo):
            raise QueryError("NOT_FOUND", f"Could not resolve to a Repository with the name '{full_name}'.")
        return repo

    def rate_limit(self) -> dict[str, Any]:
        """Tell the caller's limit, and what this request costs of it."""
        rate = self.call.sandbox.rate_report(self.call.grant)["graphql"]
        return {**rate, "cost": self.cost.points, "nodeCount": self.cost.nodes, "resetAt": timestamp(rate["reset"])}

    def create_commit_on_branch(self, input: dict[str, Any]) -> dict[str, Any]:  # noqa: A002 - GitHub's name
        """Make a commit of file changes on a branch that still is at the expected head."""
        repo, branch = self._branch(input["branch"])
        oid = commit_on_branch(self.call, repo, branch, input)
        return {
            "clientMutationId": input.get("clientMutationId"),
            "commit": CommitNode(self.call, repo, oid),
            "ref": RefNode(self.call, repo, HEADS + branch),
        }

    def _branch(self, asked: dict[str, Any]) -> tuple[Repository, str]:
        if asked.get("id"):
            try:
                kind, key = read_node_id(asked["id"])
                number, _, ref = key.partition(":")
                repo = self.call.sandbox.repository_by_id(int(number)) if kind == "Ref" else None
            except ValueError:
                repo = None
            if repo is None or not self.call.sandbox.reaches(self.call.grant, repo):
                raise QueryError("NOT_FOUND", f"Could not resolve to a node with the global id of '{asked['id']}'")
            return repo, ref.removeprefix(HEADS)
        if not asked.get("repositoryNameWithOwner") or not asked.get("branchName"):
            raise QueryError(
                "UNPROCESSABLE", "Branch must be given as an id or as repositoryNameWithOwner and branchName"
            )
        return self._find(asked["repositoryNameWithOwner"]), asked["branchName"].removeprefix(HEADS)
