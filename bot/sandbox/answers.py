"""What a handler gives back: an answer, or an error in GitHub's form."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

DOCS = "https://docs.github.com/rest"


@dataclass
class Answer:
    """A response: `body` is JSON data, bytes with a `content-type` among the headers, or None for no body."""

    status: int = 200
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)


class ApiError(Exception):
    """A refusal: status, GitHub's message, and where it has them the `errors` of a validation."""

    def __init__(self, status: int, message: str, errors: list[Any] | None = None, docs: str = DOCS) -> None:
        self.status = status
        self.message = message
        self.errors = errors
        self.docs = docs
        super().__init__(message)

    def answer(self) -> Answer:
        """Give the response that says so: `message`, `errors?`, `documentation_url`, `status` (a string)."""
        body: dict[str, Any] = {"message": self.message}
        if self.errors is not None:
            body["errors"] = self.errors
        body |= {"documentation_url": self.docs, "status": str(self.status)}
        return Answer(self.status, body)


def not_found() -> ApiError:
    """Give GitHub's answer for what is not there, or not for this caller."""
    return ApiError(404, "Not Found")


def invalid(resource: str, field_name: str, code: str = "invalid", message: str | None = None) -> ApiError:
    """Give the 422 of a request whose `field_name` GitHub does not take."""
    error = {"resource": resource, "field": field_name, "code": code}
    if message:
        error["message"] = message
    return ApiError(422, "Validation Failed", [error])


# "Repository rule violations found" as the answer to a ref update and to a Contents write:
# github.com/satisfactory-factories/application/issues/67 quotes it for refs; the blank lines are GitHub's.
RULE_VIOLATION = "Repository rule violations found\n\nChanges must be made through a pull request.\n\n"
