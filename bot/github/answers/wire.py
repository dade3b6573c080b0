"""Answers that say by their status, headers or form what they mean: trouble, limits, or somebody on the way."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from yarl import URL

from bot.errors import Transient
from bot.github.answers.kinds import LIMITED, Limited, RequestTooLarge
from bot.github.answers.pauses import is_limited, pause_of, retry_after
from bot.github.answers.reading import said

if TYPE_CHECKING:
    from collections.abc import Mapping

_JSON = re.compile(r"application/(?:[\w.-]+\+)?json\b", re.IGNORECASE)
_HOST_CHARACTERS = 100


def fault(url: str, status: int, headers: Mapping[str, str], body: bytes) -> Transient | None:
    """Return the error that an answer from `url` is for every caller, None if it is an answer of GitHub's to read."""
    if status >= 500:
        # GitHub's own page for this is HTML.
        return Transient(f"GitHub answered {status}", retry_after(headers))
    if is_limited(status, headers, body):
        return Limited(LIMITED, pause_of(headers))
    if status == 407:
        return Transient(proxy_login(host(url)))
    if status == 413:
        return RequestTooLarge(f"{host(url)}, or a proxy before it, does not take so large a request (413)")
    return _page(url, status, headers, body)


def _page(url: str, status: int, headers: Mapping[str, str], body: bytes) -> Transient | None:
    """Return the error for an answer that is no JSON, None if it is."""
    # A server without GraphQL may answer with a page, and so may one whose REST API is elsewhere.
    if status == 406 or (status == 404 and URL(url).path.endswith("/graphql")):
        return None
    form = headers.get("content-type", "")
    if body and form and not _JSON.match(form.strip()):
        shown = "HTML" if "html" in form.lower() else said(form.partition(";")[0])[:50]
        return Transient(
            f"this is not GitHub's API: {host(url)} answered {status} with {shown}; something on the way (a proxy, a "
            "firewall, a login page) answers, or GITHUB_API_URL is not the API's own address"
        )
    return None


def proxy_login(name: str) -> str:
    """Return the sentence for a 407 of the proxy on the way to the host `name`."""
    return f"the proxy before {name} wants to know who asks (407): put user and password into HTTPS_PROXY"


def host(url: str) -> str:
    """Return the host of an address for a sentence."""
    try:
        name = URL(url).host
    except ValueError:
        name = None
    return name[:_HOST_CHARACTERS] if name else "an unknown host"
