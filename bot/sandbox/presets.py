"""Faults by name, in GitHub's own words: `sandbox.faults.cause("secondary limit")`.

Where no source is named, docs.github.com has the words: "Rate limits for the REST API", "Troubleshooting the REST API".
"""

from __future__ import annotations

from typing import Any

from bot.sandbox.answers import DOCS
from bot.sandbox.rules import Rule

# Long enough for a client to be seen waiting, short enough for a test.
PAUSE = 0.2
EARLIER, LATER = "1" * 40, "2" * 40
SECONDARY_LIMIT = (
    "You have exceeded a secondary rate limit. Please wait a few minutes before you try again. If you reach out to "
    "GitHub Support for help, please include the request ID."
)
PRIMARY_LIMIT = "API rate limit exceeded for installation ID 25669."
NOTHING_LEFT = {"x-ratelimit-remaining": "0", "x-ratelimit-used": "5000"}
# The beginning of what either API might answer.
CUT_OFF = b'{"data": {"repository": {"nameWithOwner": "acme/git'
JSON = {"content-type": "application/json; charset=utf-8"}

RULE_VIOLATION = Rule("pull request").violation

_GRAPHQL = {"path": "/graphql$"}
_MUTATION: dict[str, Any] = {**_GRAPHQL, "moves": True, "status": 200}


def _says(message: str) -> dict[str, str]:
    return {"message": message, "documentation_url": DOCS}


def _refuses(kind: str, message: str) -> dict[str, Any]:
    error = {"type": kind, "path": ["createCommitOnBranch"], "message": message}
    return {"data": {"createCommitOnBranch": None}, "errors": [error]}


# Properties of `Fault`, by name. Those that concern what is written strike only what would move a branch. Some clients,
# aiohttp's among them, send a GET or PUT again at once when its connection is dropped: two `times` get through to them.
PRESETS: dict[str, dict[str, Any]] = {
    "time-out before": {"reset": True, "delay": PAUSE},
    "time-out after": {"reset": True, "delay": PAUSE, "after": True},
    "reset before": {"reset": True},
    "reset after": {"reset": True, "after": True},
    "slow": {"delay": PAUSE},
    "500": {"status": 500, "body": _says("Server Error")},
    "502": {"status": 502, "body": _says("Server Error")},
    "502 after": {"status": 502, "body": _says("Server Error"), "after": True},
    "503": {
        "status": 503,
        "body": {**_says("No server is currently available to service your request."), "code": "unavailable"},
    },
    "malformed": {"status": 200, "body": CUT_OFF, "headers": JSON},
    "malformed after": {"status": 200, "body": CUT_OFF, "headers": JSON, "after": True},
    "bad credentials": {"status": 401, "body": _says("Bad credentials")},
    # github.com/PyGithub/PyGithub/issues/1787 quotes it, oids and all.
    "stale": {
        "method": "PUT",
        "path": "/contents/",
        "status": 409,
        "body": _says(f"is at {LATER} but expected {EARLIER}"),
    },
    "stale ref": {
        "method": "PATCH",
        "path": "/git/refs/",
        "status": 422,
        "body": _says("Update is not a fast forward"),
    },
    "stale graphql": {
        **_MUTATION,
        "body": _refuses("STALE_DATA", f'Expected branch to point to "{EARLIER}" but it did not.  Pull and try again.'),
    },
    "rule": {"moves": True, "path": "/contents/", "status": 409, "body": _says(RULE_VIOLATION)},
    "rule ref": {"moves": True, "path": "/git/refs", "status": 422, "body": _says(RULE_VIOLATION)},
    "rule graphql": {**_MUTATION, "body": _refuses("UNPROCESSABLE", RULE_VIOLATION)},
    "classic rule graphql": {
        **_MUTATION,
        "body": _refuses("BRANCH_PROTECTION_RULE_VIOLATION", "Changes must be made through a pull request."),
    },
    "secondary limit": {"status": 403, "body": _says(SECONDARY_LIMIT), "headers": {"retry-after": "60"}},
    "too many requests": {"status": 429, "body": _says(SECONDARY_LIMIT), "headers": {"retry-after": "60"}},
    # The reset is in every answer: the end of the hour.
    "primary limit": {"status": 403, "body": _says(PRIMARY_LIMIT), "headers": NOTHING_LEFT},
    "primary limit graphql": {
        **_GRAPHQL,
        "status": 200,
        "body": {"errors": [{"type": "RATE_LIMITED", "message": PRIMARY_LIMIT}]},
        "headers": NOTHING_LEFT,
    },
}
