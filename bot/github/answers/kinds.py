"""The errors that answers of GitHub mean, as far as the adapter itself tells them apart."""

from __future__ import annotations

from bot.errors import Transient, Unavailable

LIMITED = "a rate limit of GitHub's is reached"


class NotFound(Unavailable):
    """GitHub answers 404: not there, or not for us."""


class Limited(Transient):
    """GitHub refuses a request because of a limit; without `retry_after` it did not say for how long."""


class NoGraphQL(Transient):
    """The server has no GraphQL API, or not all of it that is needed: it goes on without."""


class NoField(NoGraphQL):
    """The schema of the server lacks a field, an argument or a type of the request: nothing of it was carried out."""


class QueryTooLarge(Transient):
    """A GraphQL query needs more work than the server does for one: its parts may be asked for one by one."""


class RequestTooLarge(Transient):
    """The body of a request is larger than the server, or a proxy before it, takes: nothing of it was carried out."""
