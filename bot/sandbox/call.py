"""One request as a handler sees it, the table of routes a handler is found by, and what is kept of an exchange."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias
from urllib.parse import quote, urlencode

from bot.sandbox.answers import Answer, ApiError, invalid, not_found
from bot.sandbox.shapes import Shapes

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from bot.sandbox.app import Grant
    from bot.sandbox.repository import Repository
    from bot.sandbox.sandbox import Sandbox


@dataclass
class Call:
    """A request: `params` come out of the path, `query` after it, `data` is the body's JSON; `api` the root address.

    `head` is where the branch was that it would move, when it came; `seen` what it has read of refs.
    """

    sandbox: Sandbox
    method: str
    path: str
    params: Mapping[str, str]
    query: Mapping[str, str]
    headers: Mapping[str, str]
    data: Any
    api: str
    grant: Grant | None = None
    head: str | None = None
    seen: dict[tuple[int, str], str | None] = field(default_factory=dict)
    shapes: Shapes = field(init=False)

    def __post_init__(self) -> None:
        self.shapes = Shapes(self.sandbox, self.api)

    @property
    def body(self) -> dict[str, Any]:
        """The body, which must be a JSON object: ApiError 400 if it is not."""
        if not isinstance(self.data, dict):
            raise ApiError(400, "Problems parsing JSON" if self.data is None else "Body should be a JSON object")
        return self.data

    def text(self, name: str, resource: str) -> str:
        """Give a string the body must have, ApiError 422 if it has not."""
        value = self.body.get(name)
        if not isinstance(value, str):
            raise invalid(resource, name, "missing_field" if value is None else "invalid")
        return value

    @property
    def caller(self) -> Grant:
        """What the caller proved, ApiError 401 if nothing."""
        if self.grant is None:
            raise ApiError(401, "Requires authentication")
        return self.grant

    @property
    def is_graphql(self) -> bool:
        """Whether it goes to GraphQL."""
        return self.path.endswith("/graphql")

    @property
    def is_mutation(self) -> bool:
        """Whether it is a mutation of GraphQL."""
        return self.is_graphql and is_mutation(self.data)

    @property
    def of_repository(self) -> bool:
        """Whether the path names a repository."""
        return "repo" in self.params or "repository" in self.params

    @property
    def repo(self) -> Repository:
        """The repository the path names.

        ApiError 404 if it is not there for this caller, the redirection to its id if it was renamed.
        """
        if "repository" in self.params:
            repo = self.sandbox.repository_by_id(int(self.params["repository"]))
        else:
            repo = self.sandbox.find_repository(self.name, former=True)
        if repo is None or not self.sandbox.reaches(self.grant, repo):
            raise not_found()
        self.follow(repo)
        return repo

    @property
    def name(self) -> str:
        """The OWNER/NAME in the path."""
        return f"{self.params['owner']}/{self.params['repo']}"

    def follow(self, repo: Repository) -> None:
        """Raise the redirection to a repository's id where the path has a name that it had before."""
        if "repo" in self.params and self.name.lower() != repo.full_name.lower():
            rest = quote(self.path.removeprefix(f"/repos/{self.name}"))
            query = "?" + urlencode(self.query) if self.query else ""
            raise ApiError.moved(self.method, f"{self.api}/repositories/{repo.id}{rest}{query}")

    def url(self, suffix: str) -> str:
        """Give the address of something of the repository: `suffix` begins with a slash."""
        return f"{self.api}/repos/{self.repo.full_name}{suffix}"

    def page(self, items: list[Any], default: int = 30) -> tuple[list[Any], dict[str, str]]:
        """Give the page of `items` asked for by `per_page` and `page`, and the `Link` header to the next."""
        size = min(_number(self.query.get("per_page"), default), 100) or default
        number = max(_number(self.query.get("page"), 1), 1)
        start = (number - 1) * size
        headers = {}
        if start + size < len(items):
            rest = "".join(f"&{key}={value}" for key, value in self.query.items() if key not in {"page", "per_page"})
            base = f"{self.api}{quote(self.path)}?per_page={size}{rest}"
            last = -(-len(items) // size)
            headers["Link"] = f'<{base}&page={number + 1}>; rel="next", <{base}&page={last}>; rel="last"'
        return items[start : start + size], headers


def is_mutation(data: Any) -> bool:
    """Say whether a GraphQL request's body is a mutation."""
    return isinstance(data, dict) and re.match(r"\s*mutation\b", str(data.get("query"))) is not None


def _number(text: str | None, default: int) -> int:
    return int(text) if text and text.isdecimal() else default


if TYPE_CHECKING:
    Handler: TypeAlias = Callable[[Call], Answer]


@dataclass(frozen=True)
class Route:
    """A method and a path in aiohttp's notation, who may call it, and what answers.

    `needs` is "app" (the App's JWT), "token" (any token), "any" (nobody in particular), or a permission and level such
    as "contents:write".
    """

    method: str
    path: str
    needs: str
    handler: Handler


@dataclass(frozen=True)
class Exchange:
    """A request and its answer: bodies are JSON data where they are JSON, else None.

    `path` is without `/api/v3` and query, `operation` the name of a GraphQL operation; `installation` and
    `permissions` are those of the caller's token. A connection that was dropped has status 0.
    """

    method: str
    path: str
    operation: str | None
    status: int
    installation: int | None = None
    permissions: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)
    request_body: Any = None
    response_body: Any = None
    response_headers: Mapping[str, str] = field(default_factory=dict)
