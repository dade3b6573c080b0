"""Why there is no answer: the host, and what is wrong on the way to it.

No address is shown whole, as it may hold secrets.
"""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

import aiohttp

from bot.github.answers.reading import said
from bot.github.answers.wire import host, proxy_login

if TYPE_CHECKING:
    from collections.abc import Callable

_CAUSE_CHARACTERS = 200
_REFUSED = "connection refused"


def no_connection(error: aiohttp.ClientError, url: str) -> str:
    """Return the sentence for a request to `url` that got no answer."""
    where = host(url)
    for kind, say in _SENTENCES:
        if isinstance(error, kind):
            return f"no connection to GitHub: {say(error, where)}"
    return f"no connection to GitHub: {where}: {type(error).__name__}"


def _proxy_answer(error: aiohttp.ClientError, where: str) -> str:
    status = error.status if isinstance(error, aiohttp.ClientResponseError) else 0
    if status == 407:
        return proxy_login(where)
    return f"the proxy before {where} answered {status}: let it connect to that host"


def _proxy(error: aiohttp.ClientError, _: str) -> str:
    place = f" {said(error.host)[:100]}:{error.port}" if isinstance(error, aiohttp.ClientConnectorError) else ""
    return f"the proxy{place} cannot be reached ({_cause(error)}): look at HTTPS_PROXY"


def _certificate(error: aiohttp.ClientError, where: str) -> str:
    inner = error.certificate_error if isinstance(error, aiohttp.ClientConnectorCertificateError) else error
    cause = inner.verify_message if isinstance(inner, ssl.SSLCertVerificationError) else str(inner)
    remedy = "set SSL_CERT_FILE to a bundle that has its authority"
    if "mismatch" in cause.lower() or "not valid for" in cause.lower():
        remedy = "GITHUB_API_URL must have the name that is in the certificate"
    elif "expired" in cause.lower() or "not yet valid" in cause.lower():
        remedy = "renew it, or set the clock of this machine"
    return f"the certificate of {where} is not taken ({_short(cause)}): {remedy}"


def _tls(error: aiohttp.ClientError, where: str) -> str:
    cause = error.os_error if isinstance(error, aiohttp.ClientConnectorError) else error
    reason = getattr(cause, "reason", None) or str(cause)
    return f"{where} does not speak TLS as it should ({_short(reason)}): look at GITHUB_API_URL and at proxies"


def _unknown_name(_: aiohttp.ClientError, where: str) -> str:
    return f"the name {where} is not known here (DNS): look at GITHUB_API_URL and at this machine's name servers"


def _connector(error: aiohttp.ClientError, where: str) -> str:
    cause = _cause(error)
    remedy = ": nothing listens there, or a firewall is before it" if cause == _REFUSED else ""
    port = f":{error.port}" if isinstance(error, aiohttp.ClientConnectorError) and error.port else ""
    return f"{where}{port} cannot be reached ({cause}){remedy}"


def _cause(error: aiohttp.ClientError) -> str:
    inner: BaseException = error.os_error if isinstance(error, aiohttp.ClientConnectorError) else error
    if isinstance(inner, ConnectionRefusedError):
        return _REFUSED
    return _short(getattr(inner, "strerror", None) or type(inner).__name__)


def _short(text: object) -> str:
    return said(text)[:_CAUSE_CHARACTERS]


# The first that fits: a kind of error may be one of several.
_SENTENCES: tuple[tuple[type[aiohttp.ClientError], Callable[[aiohttp.ClientError, str], str]], ...] = (
    (aiohttp.ClientHttpProxyError, _proxy_answer),
    (aiohttp.ClientProxyConnectionError, _proxy),
    (aiohttp.ClientConnectorCertificateError, _certificate),
    (aiohttp.ClientConnectorSSLError, _tls),
    (aiohttp.ClientConnectorDNSError, _unknown_name),
    (aiohttp.ClientConnectorError, _connector),
    (aiohttp.ServerDisconnectedError, lambda _, where: f"{where} closed it before it had answered"),
    (aiohttp.ClientOSError, lambda error, where: f"{where} broke it off ({_cause(error)})"),
    (aiohttp.ClientPayloadError, lambda _, where: f"the answer of {where} is cut off"),
)
