"""Limits by name. Where no source is named, docs.github.com has the words.

https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api
https://docs.github.com/en/graphql/overview/rate-limits-and-query-limits-for-the-graphql-api
"""

from __future__ import annotations

from typing import Any

from bot.sandbox.preset_words import GRAPHQL, says

SECONDARY_LIMIT = (
    "You have exceeded a secondary rate limit. Please wait a few minutes before you try again. If you reach out to "
    "GitHub Support for help, please include the request ID."
)
PRIMARY_LIMIT = "API rate limit exceeded for installation ID 25669."
# Older servers: github.com/octokit/plugin-throttling.js/issues/438
ABUSE = "You have triggered an abuse detection mechanism. Please wait a few minutes before you try again."
NOTHING_LEFT = {"x-ratelimit-remaining": "0", "x-ratelimit-used": "5000"}
A_MINUTE = {"retry-after": "60"}
_IN_AN_ANSWER: dict[str, Any] = {**GRAPHQL, "status": 200}
_TOKEN = {"path": "/access_tokens$"}
_TOO_QUICKLY = {
    **says("Validation Failed"),
    "errors": [{"resource": "Commit", "code": "custom", "field": "base", "message": "was submitted too quickly"}],
}


def _errors(**error: str) -> dict[str, Any]:
    return {"errors": [error]}


LIMITS: dict[str, dict[str, Any]] = {
    "secondary limit": {"status": 403, "body": says(SECONDARY_LIMIT), "headers": A_MINUTE},
    "secondary limit, no time": {"status": 403, "body": says(SECONDARY_LIMIT)},
    "too many requests": {"status": 429, "body": says(SECONDARY_LIMIT), "headers": A_MINUTE},
    "too many requests, no time": {"status": 429, "body": says(SECONDARY_LIMIT)},
    "abuse": {"status": 403, "body": says(ABUSE)},
    # https://docs.github.com/en/rest/using-the-rest-api/best-practices-for-using-the-rest-api has it for what is made.
    "too quickly": {"moves": True, "path": "/contents/|/git/refs", "status": 422, "body": _TOO_QUICKLY},
    # The reset is in every answer: the end of the hour.
    "primary limit": {"status": 403, "body": says(PRIMARY_LIMIT), "headers": NOTHING_LEFT},
    "primary limit graphql": {
        **_IN_AN_ANSWER,
        "body": _errors(type="RATE_LIMITED", message=PRIMARY_LIMIT),
        "headers": NOTHING_LEFT,
    },
    # github.com/yanyongyu/githubkit/issues/271 quotes it, with a message in the past; something may remain.
    "rate limit graphql": {
        **_IN_AN_ANSWER,
        "body": _errors(
            type="RATE_LIMIT",
            code="graphql_rate_limit",
            message="API rate limit already exceeded for installation ID 25669.",
        ),
    },
    # github.com/graphql-hive/console/issues/861: a secondary limit may come with status 200 too.
    "secondary limit graphql": {**_IN_AN_ANSWER, "body": _errors(message=SECONDARY_LIMIT), "headers": A_MINUTE},
    "secondary limit graphql, no time": {**_IN_AN_ANSWER, "body": _errors(message=SECONDARY_LIMIT)},
    "secondary limit graphql, bare": {**_IN_AN_ANSWER, "body": says(SECONDARY_LIMIT)},
    "limit at the token": {**_TOKEN, "status": 403, "body": says(SECONDARY_LIMIT), "headers": A_MINUTE},
    "limit at the token, no time": {**_TOKEN, "status": 429, "body": says(SECONDARY_LIMIT)},
}
