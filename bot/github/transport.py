"""Bounds for GitHub's answers: how many bytes one may have, and to which addresses it may send us."""

from __future__ import annotations

import re
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

from yarl import URL

from bot.errors import Transient, Unreadable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from contextlib import AbstractAsyncContextManager

    import aiohttp

# Bytes after decompression. A file that is edited has 4 MB at most: 5.5 MB as base64 in JSON.
ANSWER_BYTES = 8_000_000
# An answer with the texts of fifty files. If it is larger, the files are asked for again in halves.
GRAPHQL_BYTES = 16_000_000
# GitHub lists 100,000 entries of a tree at most, 300 bytes of JSON each; a webhook's payload has 25 MB at most:
# https://docs.github.com/en/rest/git/trees#get-a-tree, https://docs.github.com/en/webhooks/webhook-events-and-payloads
LARGE_ANSWER_BYTES = 32_000_000
# A sentence, and which fields are wrong.
ERROR_BYTES = 256_000
_LARGE = re.compile(r"/git/trees/|/compare/|/app/hook/deliveries/\d")

# A larger answer needs one of the few places for large answers.
SMALL_BYTES = 1_000_000

# GitHub answers for a renamed repository with one redirect; a second rename may add another.
MOST_REDIRECTS = 3
REDIRECTS = frozenset({301, 302, 307, 308})


class TooLarge(Unreadable):
    """An answer has more bytes than an answer of its kind may have."""


def bound(url: str, status: int) -> int:
    """Return how many bytes an answer with this status may have."""
    if status >= 300:
        return ERROR_BYTES
    path = URL(url).path
    if path.endswith("/graphql"):
        return GRAPHQL_BYTES
    return LARGE_ANSWER_BYTES if _LARGE.search(path) else ANSWER_BYTES


def same_api(base: str, url: str) -> URL | None:
    """Return `url` if it is an address of the REST API at `base`, where the same token may be sent, else None.

    Scheme, host and port must be the same, and the path must be below that of `base`.
    """
    try:
        api, target = URL(base), URL(base).join(URL(url))
        origins = {(address.scheme, address.host, address.port) for address in (api, target)}
    except ValueError:
        return None
    inside = target.path.startswith(api.path.removesuffix("/") + "/")
    # A server may take %2F or a backslash for a slash. Then `..` behind one would lead out of the API.
    dots = ".." in re.split(r"[/\\]", target.path)
    return target if len(origins) == 1 and inside and not dots and target.user is None else None


def redirected(base: str, url: str, status: int, headers: Mapping[str, str]) -> str:
    """Return the address that an answer redirects to.

    Raises Transient if it is not within the API at `base`, or if the status says not to send the same there.

    GitHub redirects to where a renamed repository is now:
    https://docs.github.com/en/rest/using-the-rest-api/best-practices-for-using-the-rest-api#follow-redirects
    """
    location = headers.get("location", "")
    try:
        target = URL(url).join(URL(location))
    except ValueError:
        target = URL()
    followed = same_api(base, str(target)) if location and same_api(base, url) else None
    if followed is None or status not in REDIRECTS:
        raise Transient(_elsewhere(f"GitHub's API redirects ({status})", target if location else URL(), base))
    return str(followed)


def next_page(base: str, url: str) -> str:
    """Return the address of the next page. Raises Transient if it is not within the API at `base`."""
    target = same_api(base, url)
    if target is None:
        try:
            elsewhere = URL(url)
        except ValueError:
            elsewhere = URL()
        raise Transient(_elsewhere("a list of GitHub's API goes on", elsewhere, base))
    return str(target)


def _elsewhere(subject: str, target: URL, base: str) -> str:
    # The error names only the host of a foreign address: the rest may be very long, or hold a secret.
    where = (target.host or "an unknown place")[:100]
    api = URL(base)
    if target.host == api.host and target.scheme != api.scheme:
        where = f"{target.scheme}://{where}"[:110]
    elif target.host == api.host:
        where = f"another part of {where}"
    return f"{subject} at {where}, where nothing is sent; GITHUB_API_URL must be the API's own address"


async def read(
    response: aiohttp.ClientResponse, limit: int, large: Callable[[], AbstractAsyncContextManager[None]]
) -> bytes:
    """Return the body of an answer, inflated piece by piece. Raises TooLarge beyond `limit` bytes.

    `large()` is entered before more than SMALL_BYTES are held; only a few of these contexts are open at a time.
    """
    body = bytearray()
    async with AsyncExitStack() as stack:
        is_large = False
        async for chunk in response.content.iter_any():
            body += chunk
            if len(body) > limit:
                # Closing the connection keeps aiohttp from reading the rest to use the connection again.
                response.close()
                raise TooLarge(f"an answer of GitHub's has more than {limit:,} bytes")
            if len(body) > SMALL_BYTES and not is_large:
                is_large = True
                await stack.enter_async_context(large())
        return bytes(body)
