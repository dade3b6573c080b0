"""Refusals of access: GitHub answers 4xx, or an error of GraphQL, and the sentence says who has to do what.

https://docs.github.com/en/rest/using-the-rest-api/troubleshooting-the-rest-api
"""

from __future__ import annotations

import re
import time
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from bot.errors import Transient, Unavailable
from bot.github.answers.kinds import LIMITED, Limited, NoField, NotFound, QueryTooLarge
from bot.github.answers.pauses import is_query_limited
from bot.github.answers.reading import code_of, kind_of, said

if TYPE_CHECKING:
    from collections.abc import Mapping

    import gidgethub

    from bot.errors import PointsmanError


class _Case(NamedTuple):
    """What words of GitHub's mean."""

    words: re.Pattern[str]
    remedy: str
    certain: bool = True
    """The refusal does not pass by itself within seconds."""


def _case(words: str, remedy: str, *, certain: bool = True) -> _Case:
    return _Case(re.compile(words, re.IGNORECASE), remedy, certain)


# What GitHub says of access, whatever status or type it comes with.
_CASES = (
    _case(r"installation has been suspended|account (?:was|has been) suspended", "unsuspend the App's installation"),
    _case(r"(?:was|is|has been) archived", "unarchive the repository"),
    _case(
        r"IP allow list|IP address is not permitted",
        "add the address of this server to the organization's IP allow list",
    ),
    _case(
        r"SAML|single sign-on|\bSSO\b",
        "an owner of the organization must let the App in by its single sign-on",
    ),
    _case(
        r"access blocked|\bDMCA\b|repository (?:is )?unavailable|repository (?:is|has been) disabled",
        "GitHub has closed the repository: its owner must turn to GitHub's support",
    ),
    _case(r"OAuth App access restrictions", "an owner of the organization must approve the App"),
    _case(r"user-agent", "a proxy on the way takes the User-Agent header away: let it pass", certain=False),
    # A new token is refused so for some seconds too, until all of GitHub's servers know what it may do.
    _case(
        r"not accessible by|permissions requested are not granted|must have (?:push|admin|write)"
        r"|permission to \S+ denied|write access to repository not granted",
        "accept the App's permissions",
        certain=False,
    ),
    _case(
        r"not accessible to the parent installation",
        "add the repository to the App's installation",
        certain=False,
    ),
)
_UNKNOWN = "look at the App's permissions and at the policies of the organization"

# The types of a GraphQL error that forbids something.
_FORBIDDEN = frozenset({"FORBIDDEN", "INSUFFICIENT_SCOPES"})

# The codes of GraphQL errors that compare a request with the schema. GitHub answers them before it does anything.
_SCHEMA_CODES = frozenset(
    {
        "undefinedField",
        "undefinedType",
        "undefinedDirective",
        "argumentNotAccepted",
        "argumentLiteralsIncompatible",
        "fragmentOnNonCompositeType",
        "missingRequiredArguments",
        "missingRequiredInputObjectAttribute",
        "selectionMismatch",
        "variableMismatch",
        "variableRequiresValidType",
    }
)
_SCHEMA_WORDS = re.compile(
    r"^(?:Field '[^']+' doesn't (?:exist on type|accept argument)|Cannot query field"
    r"|\S+ isn't a defined input type|No such type )",
)
_TOO_LARGE_KINDS = frozenset({"RESOURCE_LIMITS_EXCEEDED", "MAX_NODE_LIMIT_EXCEEDED"})
_TOO_LARGE_WORDS = re.compile(
    r"resource limits? (?:for this query )?exceeded|something went wrong while executing your query"
    r"|respond to your request in time|query (?:has )?timed out|timeout on",
    re.IGNORECASE,
)

# https://docs.github.com/en/apps/creating-github-apps/authenticating-with-a-github-app/generating-a-json-web-token-jwt-for-a-github-app
_CLOCK = re.compile(r"'(?:issued at|expiration(?: time)?)' claim|\('(?:iat|exp)'\)", re.IGNORECASE)


def access_refusal(sentence: str, headers: Mapping[str, str] | None = None) -> Unavailable | None:
    """Return the error for a sentence that says why we are not let in, None if it does not.

    https://docs.github.com/en/rest/using-the-rest-api/troubleshooting-the-rest-api#resource-not-accessible
    """
    case = next((case for case in _CASES if case.words.search(sentence)), None)
    if case is None:
        return None
    needed = said((headers or {}).get("x-accepted-github-permissions", ""))[:200]
    remedy = f"{case.remedy} (it needs {needed})" if needed and "permissions" in case.remedy else case.remedy
    return Unavailable(f"GitHub forbids it: {_end(sentence)}; {remedy}", certain=case.certain)


def refusal(status: int, sentence: str, headers: Mapping[str, str] | None = None) -> PointsmanError:
    """Return the error for a 4xx answer of the REST API that is not about the content of a commit."""
    sentence = said(sentence)
    if status == 401:
        return Transient(f"GitHub refuses our token: {sentence}")
    if status == 404 or is_empty(status, sentence):
        return _not_found(status, sentence)
    if status == 406:
        return Unavailable(
            f"GitHub answered 406: {_end(sentence)}; GITHUB_API_URL must be the API's own address, on Enterprise "
            "Server https://HOST/api/v3"
        )
    if status == 422 and "No commit found" in sentence:  # it was made a second ago
        return Transient(f"GitHub answered 422: {_end(sentence)}; not all of its servers know the commit yet")
    return access_refusal(sentence, headers) or _unknown(status, sentence)


def is_empty(status: int, sentence: str) -> bool:
    """Say whether a repository without a commit is the reason: https://docs.github.com/en/rest/git/refs#get-a-reference."""
    return status == 409 and "empty" in sentence


def _not_found(status: int, sentence: str) -> NotFound:
    if status == 409:
        return NotFound(f"GitHub answers: {sentence} There is no commit yet")
    return NotFound(f"GitHub answers {sentence}: the App is not installed there, or the repository is gone")


def _unknown(status: int, sentence: str) -> Unavailable:
    if status == 403:
        return Unavailable(f"GitHub forbids it: {_end(sentence)}; {_UNKNOWN}")
    return Unavailable(f"GitHub answered {status}: {sentence}")


def app_refusal(error: gidgethub.HTTPException, now: float | None = None) -> PointsmanError:
    """Return the error for a 4xx answer to the App itself; `now` is the time here, in seconds since 1970."""
    sentence = said(error)
    if error.status_code == 401 or "Integration not found" in sentence:
        if _CLOCK.search(sentence):
            remedy = _clock_remedy(error.headers.get("date"), time.time() if now is None else now)
        else:
            remedy = "compare APP_ID and PRIVATE_KEY with its page"
        return Transient(f"GitHub does not take the App's credentials: {_end(sentence)}; {remedy}")
    return refusal(int(error.status_code), sentence, error.headers)


def _clock_remedy(date: str | None, now: float) -> str:
    """Say how far the clock here is from GitHub's, which is in the `date` header of its answers."""
    try:
        ahead = round(now - parsedate_to_datetime(date or "").timestamp())
    except (ValueError, TypeError, OverflowError):
        ahead = 0
    if abs(ahead) < 2:
        return "the clock of this machine differs from GitHub's: set it"
    return f"the clock of this machine is {abs(ahead):,} s {'ahead of' if ahead > 0 else 'behind'} GitHub's: set it"


def query_error(error: Mapping[str, Any]) -> Transient | Unavailable:
    """Return what an error of a GraphQL answer means that is not about the content of a commit."""
    kind, sentence = kind_of(error), said(error.get("message"))
    if kind == "NOT_FOUND":
        return NotFound(f"GitHub answers: {sentence}; install the App there, or fix the name")
    if is_query_limited(error):
        return Limited(LIMITED)
    if code_of(error) in _SCHEMA_CODES or _SCHEMA_WORDS.search(sentence):
        return NoField(f"the GraphQL API of the server lacks what is needed: {sentence}")
    if {kind, code_of(error).upper()} & _TOO_LARGE_KINDS or _TOO_LARGE_WORDS.search(sentence):
        return QueryTooLarge(f"GitHub's GraphQL API answered: {sentence}")
    forbidden = access_refusal(sentence) or (_unknown(403, sentence) if kind in _FORBIDDEN else None)
    return forbidden or Transient(f"GitHub's GraphQL API answered: {sentence}")


def _end(sentence: str) -> str:
    """Return a sentence without its full stop, so that it can go on."""
    return sentence.strip().removesuffix(".")
