"""Limits: whether an answer says that one is reached, and for how many seconds nothing may be sent.

https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api#exceeding-the-rate-limit
https://docs.github.com/en/graphql/overview/rate-limits-and-query-limits-for-the-graphql-api
"""

from __future__ import annotations

import json
import re
import time
from typing import TYPE_CHECKING, Any

from bot.github.answers.reading import code_of, kind_of, seconds_of

if TYPE_CHECKING:
    from collections.abc import Mapping

# GitHub's own pauses end within the hour. If a proxy sends a header with a year, it must not stop us for so long.
_LONGEST_PAUSE = 86_400.0

# GitHub calls the same limit by several names. Its secondary limits say so by their sentence alone, and older servers
# call them abuse detection.
_SENTENCE = re.compile(
    r"secondary rate limit|rate limit (?:\w+ )?exceeded|exceeded (?:\w+ ){0,3}rate limit|abuse detection mechanism"
    r"|submitted too quickly|temporarily being throttled",
    re.IGNORECASE,
)
# A lost race, or a rule. In such sentences stand names and patterns that somebody chose, who must not stop everybody.
_RACE_OR_RULE = re.compile(
    r"does not match [0-9a-f]{40}|\bbut expected\b|rule violation|protected branch|branch protection", re.IGNORECASE
)
_KINDS = frozenset({"RATE_LIMITED", "RATE_LIMIT"})
# The types of a GraphQL error that has the name of a file, a repository or a rule.
_NAMING = frozenset({"NOT_FOUND", "STALE_DATA", "BRANCH_PROTECTION_RULE_VIOLATION"})
_CODES = frozenset({"graphql_rate_limit", "rate_limited", "rate_limit"})
# The sentence is at the beginning of a body, in so many characters. A body may have 256 kB.
_BEGINNING = 4096
# The statuses that come with such a sentence. The last one is for content that is made too fast.
_STATUSES = frozenset({400, 403, 409, 422})


def is_limited(status: int, headers: Mapping[str, str], body: bytes) -> bool:
    """Say whether the answer is that a limit is reached, by its status, headers, or the sentence of its body.

    GraphQL answers so with status 200 too. What only the errors in such an answer say is for `is_query_limited`.
    """
    if status == 429:
        return True
    used_up = seconds_of(headers.get("x-ratelimit-remaining")) == 0
    asked = "retry-after" in headers
    if status == 200 and (asked or used_up):
        errors = _errors(body)
        return bool(errors) and (asked or not any(kind_of(each) for each in errors))
    if status == 200:
        return _is_bare_sentence(body)
    if status == 403 and (asked or used_up):
        return True
    return status in _STATUSES and _says_limit(body.decode(errors="replace"))


def is_query_limited(error: Mapping[str, Any]) -> bool:
    """Say whether an error of a GraphQL answer is that a limit is reached, by its type, code or sentence."""
    kind = kind_of(error)
    if kind in _KINDS or code_of(error).lower() in _CODES:
        return True
    return kind not in _NAMING and _says_limit(str(error.get("message")))


def _says_limit(text: str) -> bool:
    return _SENTENCE.search(text, 0, _BEGINNING) is not None and _RACE_OR_RULE.search(text) is None


def _is_bare_sentence(body: bytes) -> bool:
    """Say whether a body has only the sentence of a limit. A commit, say, has a `message` too, which somebody chose."""
    # Few answers have a message, and only those are parsed here once more.
    if len(body) > _BEGINNING or b'"message"' not in body:
        return False
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        return False
    bare = isinstance(answer, dict) and answer.keys() <= {"message", "documentation_url"}
    return bare and _SENTENCE.search(str(answer.get("message"))) is not None


def _errors(body: bytes) -> list[Mapping[str, Any]]:
    try:
        errors = json.loads(body).get("errors")
    except (ValueError, AttributeError, RecursionError):
        return []
    return [each for each in errors if isinstance(each, dict)] if isinstance(errors, list) else []


def pause_of(headers: Mapping[str, str]) -> float | None:
    """Return the seconds for which GitHub wants no more requests, None if it does not say so; a day at most."""
    asked = retry_after(headers)
    reset = seconds_of(headers.get("x-ratelimit-reset"))
    if asked is not None or reset is None or seconds_of(headers.get("x-ratelimit-remaining")) != 0:
        return asked
    return min(max(reset - time.time(), 1.0), _LONGEST_PAUSE)


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Return the seconds after which a request may be sent again, None if GitHub does not say so; a day at most."""
    seconds = seconds_of(headers.get("retry-after"))
    return None if seconds is None else min(seconds, _LONGEST_PAUSE)
