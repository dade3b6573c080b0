"""Checks requests and answers against GitHub's OpenAPI description (`tests/data/github-openapi.json.gz`).

problems = Checker()
sandbox.observer = problems.observe
...
assert [] == problems.found
"""

from __future__ import annotations

import gzip
import json
import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from openapi_core import Config, OpenAPI
from openapi_core.exceptions import OpenAPIError
from openapi_core.testing import MockRequest, MockResponse

if TYPE_CHECKING:
    from bot.sandbox import Exchange

DESCRIPTION = Path(__file__).parent / "data" / "github-openapi.json.gz"
HOST = "http://localhost"
# Path parameters that may hold slashes, which the description has as one segment: they end a path, all but one.
_TAILS = re.compile(
    r"^(/repos/[^/]+/[^/]+/(?:contents|branches|compare|commits|git/ref|git/refs|git/trees)/)(.+?)(/check-runs)?$"
)


@cache
def _description() -> tuple[dict[str, Any], OpenAPI]:
    data = json.loads(gzip.decompress(DESCRIPTION.read_bytes()))
    # The documented way not to check the description itself, which takes a second.
    config = Config(spec_validator_cls=None)  # type: ignore[arg-type]  # None is documented, but not in its types
    return data, OpenAPI.from_dict(data, config=config)


def _template(path: str) -> str | None:
    """Give the description's path that an encoded path is an instance of, the most literal one."""
    data, _ = _description()
    fitting = [name for name in data["paths"] if re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", name), path)]
    return min(fitting, key=lambda name: name.count("{"), default=None)


def validate(method: str, path: str, request_body: Any, status: int, response_body: Any) -> None:
    """Raise AssertionError unless an exchange is as GitHub describes it.

    `path` is without `/api/v3` and query; bodies are JSON data, None where there is none. The body of a request that
    GitHub refused (400 and above) may be anything. A refusal the description does not list must have GitHub's
    `message` and `documentation_url`. The operation must be among those of `tests/data/cut_openapi.py`.
    """
    data, openapi = _description()
    # The root of a repository's contents is an empty path, which no template fits.
    path = re.sub(r"^(/repos/[^/]+/[^/]+/contents)/?$", r"\1/.", path)
    encoded = _TAILS.sub(lambda found: found[1] + quote(found[2], safe="") + (found[3] or ""), path)
    template = _template(encoded)
    operation = data["paths"].get(template, {}).get(method.lower())
    assert operation is not None, f"{method} {path} is not in {DESCRIPTION.name}"
    text = json.dumps(request_body).encode() if request_body is not None else None
    request = MockRequest(HOST, method.lower(), encoded, data=text, content_type="application/json")
    if status >= 300 and str(status) not in operation["responses"]:
        assert {"message", "documentation_url"} <= set(response_body), f"{method} {path}: {status} {response_body}"
        return
    try:
        if status < 400:
            openapi.validate_request(request)
        content = b"" if response_body is None else json.dumps(response_body).encode()
        openapi.validate_response(request, MockResponse(content, status))
    except OpenAPIError as error:
        causes = getattr(error.__cause__, "schema_errors", None) or [error.__cause__ or error]
        told = "; ".join(f"{getattr(cause, 'json_path', '')} {getattr(cause, 'message', cause)}" for cause in causes)
        raise AssertionError(f"{method} {path} {status}: {type(error).__name__}: {told}") from error


class Checker:
    """An observer for a sandbox: collects what is not as described in `found`; GraphQL and raw bodies are let pass."""

    def __init__(self) -> None:
        self.found: list[str] = []
        self.checked = 0

    def observe(self, exchange: Exchange) -> None:
        """Check one exchange."""
        page = "html" in exchange.response_headers.get("content-type", "")
        raw = exchange.response_body is None and (exchange.status == 200 or page)
        if exchange.path.endswith("/graphql") or exchange.status in {0, 304} or raw or not _described(exchange.path):
            return
        self.checked += 1
        try:
            validate(exchange.method, exchange.path, exchange.request_body, exchange.status, exchange.response_body)
        except AssertionError as error:
            self.found.append(str(error))


def _described(path: str) -> bool:
    """Say whether the sandbox offers a path that the description knows: GitHub never described `/repositories/ID`."""
    return path.startswith(("/repos/", "/app", "/installation/", "/rate_limit"))
