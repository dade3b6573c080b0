"""Both ends of the sandbox's wire: a client that speaks to it, a receiver of its webhooks."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import jwt

if TYPE_CHECKING:
    from collections.abc import Mapping

    import aiohttp

    from bot.sandbox import Sandbox

FILES = {
    "README.md": "# GitOps\n",
    "environments/dev/values.yaml": "image:\n  tag: 1.0.0-dev\n",
    "environments/prod/values.yaml": "image:\n  tag: 1.0.0-stable\n",
}

_SECRET = "key: ghp_" + "a1B2" * 9 + "\n"
# What each push rule is told to forbid, and a file that it forbids so.
FORBIDDEN: dict[str, tuple[str | int, str, str]] = {
    "file path": ("secrets/*", "secrets/a.yaml", "x"),
    "file extension": ("pem", "key.pem", "x"),
    "file size": (10, "large.yaml", "x" * 11),
    "secret scanning": ("", "values.yaml", _SECRET),
}


def b64(content: str | bytes) -> str:
    """Write content as the API wants it."""
    return base64.b64encode(content.encode() if isinstance(content, str) else content).decode()


@dataclass
class Reply:
    """An answer: `data` is its JSON, None where it is none."""

    status: int
    data: Any
    headers: Mapping[str, str]
    raw: bytes


@dataclass
class Client:
    """Speaks HTTP to a sandbox: to all requests but those with `token=`, `token` is added."""

    sandbox: Sandbox
    session: aiohttp.ClientSession
    token: str = ""
    prefix: str = ""

    def jwt(self, **claims: Any) -> str:
        """Make the App's JSON web token; claims replace the right ones."""
        now = int(self.sandbox.clock())
        good = {"iss": str(self.sandbox.app.id), "iat": now - 60, "exp": now + 540}
        return jwt.encode({**good, **claims}, self.sandbox.app.private_key, "RS256")

    async def __call__(self, method: str, path: str, body: Any = None, **options: Any) -> Reply:
        """Send a request; options are `token` and `headers`."""
        token = options.get("token", self.token)
        headers = ({"Authorization": f"Bearer {token}"} if token else {}) | options.get("headers", {})
        url = self.sandbox.url + self.prefix + path
        async with self.session.request(method, url, json=body, headers=headers) as response:
            raw = await response.read()
            is_json = raw and "json" in response.headers.get("Content-Type", "")
            return Reply(response.status, json.loads(raw) if is_json else None, response.headers, raw)

    async def new_token(self, **narrowed: Any) -> str:
        """Get an installation token of the first installation."""
        number = next(iter(self.sandbox.installations.values())).id
        reply = await self("POST", f"/app/installations/{number}/access_tokens", narrowed or None, token=self.jwt())
        token: str = reply.data["token"]
        return token

    async def graphql(self, query: str, **variables: Any) -> Any:
        """Send a GraphQL request; give the body."""
        return (await self("POST", "/graphql", {"query": query, "variables": variables})).data


@dataclass
class Receiver:
    """The App's side of webhooks: what came, as (headers, raw body), and what to answer."""

    url: str
    status: int = 202
    received: list[tuple[dict[str, str], bytes]] = field(default_factory=list)

    @property
    def events(self) -> list[tuple[str, Any]]:
        """Give what came as (event, payload)."""
        return [(headers["X-GitHub-Event"], json.loads(body)) for headers, body in self.received]
