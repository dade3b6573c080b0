"""The proof of a webhook: GitHub's HMAC over the raw body.

https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries
"""

from __future__ import annotations

import hashlib
import hmac
from typing import TYPE_CHECKING

from bot.core.model import Actor

if TYPE_CHECKING:
    from collections.abc import Mapping


class WebhookSecret:
    """Verifies webhooks with the App's webhook secret; never shows it. While it is rotated there are two."""

    def __init__(self, *secrets: str) -> None:
        self._secrets = tuple(secret.encode() for secret in secrets)

    def __call__(self, headers: Mapping[str, str], body: bytes) -> Actor | None:
        """Return the actor of a webhook whose `X-Hub-Signature-256` holds with one of the secrets, else None.

        The header is `sha256=` and 64 lower-case hex digits, compared in constant time. Who pressed what is in the
        payload, signed with it; the proof is that GitHub says so.
        """
        given = headers.get("X-Hub-Signature-256", "").encode(errors="surrogateescape")
        # Each is compared, so that the time does not tell which one holds.
        holds = [hmac.compare_digest(given, _signature(secret, body)) for secret in self._secrets]
        return Actor(via="webhook", login="") if any(holds) else None


def _signature(secret: bytes, body: bytes) -> bytes:
    return f"sha256={hmac.new(secret, body, hashlib.sha256).hexdigest()}".encode()
