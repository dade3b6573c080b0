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
    """Verifies webhooks with the App's webhook secret; never shows it."""

    def __init__(self, secret: str) -> None:
        self._secret = secret.encode()

    def __call__(self, headers: Mapping[str, str], body: bytes) -> Actor | None:
        """Return the actor of a webhook whose `X-Hub-Signature-256` holds, else None.

        The header is `sha256=` and 64 lower-case hex digits, compared in constant time. Who pressed what is in the
        payload, signed with it; the proof is that GitHub says so.
        """
        given = headers.get("X-Hub-Signature-256", "")
        expected = "sha256=" + hmac.new(self._secret, body, hashlib.sha256).hexdigest()
        if not hmac.compare_digest(given.encode(errors="surrogateescape"), expected.encode()):
            return None
        return Actor(via="webhook", login="")
