"""What a handler gives back: an answer, or an error in GitHub's form."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bot.sandbox.app import Grant

DOCS = "https://docs.github.com/rest"


@dataclass
class Answer:
    """A response: `body` is JSON data, bytes with a `content-type` among the headers, or None for no body."""

    status: int = 200
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)


class ApiError(Exception):
    """A refusal: status, GitHub's message, and where it has them the `errors` of a validation, and headers."""

    def __init__(
        self,
        status: int,
        message: str,
        errors: list[Any] | None = None,
        *,
        docs: str = DOCS,
        headers: dict[str, str] | None = None,
    ) -> None:
        self.status = status
        self.message = message
        self.errors = errors
        self.docs = docs
        self.headers = headers or {}
        super().__init__(message)

    def answer(self) -> Answer:
        """Give the response that says so: `message`, `errors?`, `documentation_url`, `status` (a string)."""
        body: dict[str, Any] = {"message": self.message}
        if self.errors is not None:
            body["errors"] = self.errors
        if "Location" in self.headers:
            body["url"] = self.headers["Location"]
        body |= {"documentation_url": self.docs, "status": str(self.status)}
        return Answer(self.status, body, dict(self.headers))

    @classmethod
    def moved(cls, method: str, address: str) -> ApiError:
        """Give the redirection to where a renamed repository is: 301 for reading, 307 for all else.

        github.com/18F/charlie/pull/85 quotes the 307, whose message is that of a 301.
        """
        status = 301 if method in {"GET", "HEAD"} else 307
        docs = "https://docs.github.com/rest/guides/best-practices-for-using-the-rest-api#follow-redirects"
        return cls(status, "Moved Permanently", docs=docs, headers={"Location": address})


def not_found() -> ApiError:
    """Give GitHub's answer for what is not there, or not for this caller."""
    return ApiError(404, "Not Found")


def not_accessible(needs: str, grant: Grant | None) -> ApiError:
    """Give the refusal of a token that lacks a permission, with the one that it needs (`contents:write`).

    https://docs.github.com/en/rest/using-the-rest-api/troubleshooting-the-rest-api#resource-not-accessible
    """
    is_user = grant is not None and grant.kind == "user"
    headers = {"x-accepted-github-permissions": needs.replace(":", "=")}
    if is_user and needs == "checks:write":  # https://docs.github.com/en/rest/checks/runs
        return ApiError(403, "You must authenticate via a GitHub App.", headers=headers)
    kind = "personal access token" if is_user else "integration"
    return ApiError(403, f"Resource not accessible by {kind}", headers=headers)


def invalid(resource: str, field_name: str, code: str = "invalid", message: str | None = None) -> ApiError:
    """Give the 422 of a request whose `field_name` GitHub does not take."""
    error = {"resource": resource, "field": field_name, "code": code}
    if message:
        error["message"] = message
    return ApiError(422, "Validation Failed", [error])


ARCHIVED = "Repository was archived so is read-only."
