"""GraphQL: graphql-core executes requests against GitHub's schema, cut to what is used here."""

from __future__ import annotations

from functools import cache, lru_cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from graphql import (
    ExecutionResult,
    GraphQLError,
    GraphQLSchema,
    build_schema,
    default_field_resolver,
    execute_sync,
    parse,
    validate,
)

from bot.sandbox.answers import Answer, ApiError
from bot.sandbox.graphql_commit import commit_on_branch
from bot.sandbox.graphql_nodes import CommitNode, Node, QueryError, RefNode, RepositoryNode
from bot.sandbox.objects import HEADS
from bot.sandbox.shapes import read_node_id, timestamp

if TYPE_CHECKING:
    from graphql import DocumentNode, GraphQLFormattedError, GraphQLResolveInfo

    from bot.sandbox.call import Call
    from bot.sandbox.repository import Repository


def execute(call: Call) -> Answer:
    """Execute the request of a body with `query`, `variables` and `operationName`: always 200, errors inside."""
    query = call.body.get("query")
    if not isinstance(query, str) or not query.strip():
        raise ApiError(400, "A query attribute must be specified and must be a string.")
    document, errors = _understood(query)
    if document is None:
        result = ExecutionResult(None, errors)
    else:
        result = execute_sync(
            _schema(),
            document,
            Query(call),
            context_value=call,
            variable_values=call.body.get("variables") or {},
            operation_name=call.body.get("operationName"),
            field_resolver=_resolve,
            type_resolver=_type_name,
        )
    body: dict[str, Any] = {}
    if result.data is not None or not result.errors or result.errors[0].path:
        body["data"] = result.data
    if result.errors:
        body["errors"] = [_error(error) for error in result.errors]
    return Answer(200, body)


@lru_cache(256)
def _understood(query: str) -> tuple[DocumentNode | None, list[GraphQLError]]:
    """Parse a request and compare it with the schema: the better part of the work, and clients ask the same again."""
    try:
        document = parse(query)
    except GraphQLError as error:
        return None, [error]
    errors = validate(_schema(), document)
    return (None, errors) if errors else (document, [])


@cache
def _schema() -> GraphQLSchema:
    return build_schema(files("bot.sandbox").joinpath("schema.graphql").read_text())


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
    for name in ("path", "locations", "message"):
        if name in formatted:
            body[name] = formatted[name]
    return body


class Query:
    """The root of queries and mutations."""

    def __init__(self, call: Call) -> None:
        self.call = call

    def repository(self, owner: str, name: str) -> Node:
        """Give a repository, QueryError NOT_FOUND if it is not there for this caller."""
        return RepositoryNode(self.call, self._find(f"{owner}/{name}"))

    def _find(self, full_name: str) -> Repository:
        repo = self.call.sandbox.find_repository(full_name, former=True)
        if repo is None or not self.call.sandbox.reaches(self.call.grant, repo):
            raise QueryError("NOT_FOUND", f"Could not resolve to a Repository with the name '{full_name}'.")
        return repo

    def rate_limit(self) -> dict[str, Any]:
        """Tell the caller's limit; a request costs one point here."""
        rate = self.call.sandbox.rate_report(self.call.grant)["graphql"]
        return {**rate, "cost": 1, "nodeCount": 0, "resetAt": timestamp(rate["reset"])}

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
