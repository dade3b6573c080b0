"""Races and rules by name: refusals of what would move a branch, which did not really move and has no such rule.

For races that are really lost there is `races.py`, for rules that are really there `rules.py`.
"""

from __future__ import annotations

from typing import Any

from bot.sandbox.preset_words import MUTATION, refuses, says
from bot.sandbox.races import CONTENTS, GRAPHQL, WORDINGS, Lost
from bot.sandbox.rules import Rule

_LOST = Lost("refs/heads/main", "2" * 40, "1" * 40)
_FILE = {"moves": True, "path": "/contents/"}
_REF = {"moves": True, "path": "/git/refs"}


def _race(name: str) -> dict[str, Any]:
    """Write the fault that tells of a race in one of the WORDINGS."""
    wording = WORDINGS[name]
    told = wording.told(_LOST)
    if wording.way == GRAPHQL:
        return {**MUTATION, "body": refuses(str(wording.kind), told)}
    return {**(_FILE if wording.way == CONTENTS else _REF), "status": wording.kind, "body": says(told)}


# Only words that can mean nothing else: of the others the head of the branch tells whether there was a race.
RACES: dict[str, dict[str, Any]] = {
    "stale": _race("file, 409"),
    "stale ref": _race("not a fast forward"),
    "stale graphql": _race("stale data"),
    "expected": _race("file, 422"),
    "expected, locked": _race("file, 423"),
    "expected ref": _race("expected, 422"),
    "expected graphql": _race("expected, unprocessable"),
    "expected graphql, untyped": _race("expected, untyped"),
}


def _rule(rule: Rule, way: str) -> dict[str, Any]:
    """Write the fault that refuses a way to write by a rule."""
    if way == GRAPHQL:
        return {**MUTATION, "body": refuses(*rule.graphql)}
    of_file = way == CONTENTS
    refused = rule.rest(of_file=of_file)
    return {**(_FILE if of_file else _REF), "status": refused.status, "body": says(refused.message)}


_PULL_REQUEST = Rule("pull request")
RULES: dict[str, dict[str, Any]] = {
    "rule": _rule(_PULL_REQUEST, CONTENTS),
    "rule ref": _rule(_PULL_REQUEST, "ref"),
    "rule graphql": _rule(_PULL_REQUEST, GRAPHQL),
    "classic rule graphql": _rule(Rule("pull request", classic=True), GRAPHQL),
}
