"""The parts that preset answers are made of."""

from __future__ import annotations

from typing import Any

from bot.sandbox.answers import DOCS

JSON = {"content-type": "application/json; charset=utf-8"}
# The beginning of what either API might answer.
CUT_OFF = b'{"data": {"repository": {"nameWithOwner": "acme/git'
GRAPHQL = {"path": "/graphql$"}
MUTATION: dict[str, Any] = {**GRAPHQL, "moves": True, "status": 200}


def says(message: str) -> dict[str, str]:
    """Write the body of a refusal by REST."""
    return {"message": message, "documentation_url": DOCS}


def refuses(kind: str, message: str) -> dict[str, Any]:
    """Write the body of a refusal of the mutation; without a type where `kind` is empty."""
    told = {"type": kind} if kind else {}
    error = {**told, "path": ["createCommitOnBranch"], "message": message}
    return {"data": {"createCommitOnBranch": None}, "errors": [error]}
