"""The address of GitHub's API, and the proxy on the way to it. Nothing that may be a password is shown."""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import unquote, urlsplit, urlunsplit

_DEFAULT_PORTS = {"http": 80, "https": 443}
_API = "https://api.github.com"
# Enterprise Cloud with data residency:
# https://docs.github.com/en/enterprise-cloud@latest/admin/data-residency/network-details-for-ghecom
_RESIDENCY = ".ghe.com"
# https://docs.github.com/en/enterprise-server@latest/rest/using-the-rest-api/getting-started-with-the-rest-api
_SERVER_PATH = "/api/v3"

NO_PROXY_URL = (
    "this is not a URL such as http://proxy.example.com:3128 or http://USER:PASSWORD@proxy.example.com:3128; in USER "
    "and PASSWORD write @ as %40, : as %3A, / as %2F, # as %23, % as %25"
)
SOCKS = "this is a SOCKS proxy, and only HTTP proxies are used; name one, such as http://proxy.example.com:3128"


def api_url(text: str) -> str:
    """Read the address of the REST API, without a slash at its end."""
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        parts, port = urlsplit(""), None
    extra = parts.query or parts.fragment or "@" in parts.netloc
    if parts.scheme not in _DEFAULT_PORTS or not parts.hostname or extra or port == 0 or re.search(r"\s", text):
        raise ValueError(f"'{text}' is not a URL such as https://api.github.com or https://HOST/api/v3")
    return text.rstrip("/")


def api_problem(url: str, *, allows_http: bool) -> str | None:
    """Return why `url` (from `api_url`) cannot be the address of the REST API, with the right one; None if it can."""
    parts = urlsplit(url)
    scheme, host, path = parts.scheme, (parts.hostname or "").removesuffix("."), parts.path
    # A look-alike on this machine may have its API at any path.
    local = is_loopback(host)
    right = _right_url(url, host, allows_http=allows_http or local)
    is_server = path.endswith(_SERVER_PATH) and path == urlsplit(right).path
    if scheme == "http" and not local and not allows_http and is_server:
        return (
            f"'{url}' sends the App's tokens unencrypted: use {right}, or set GITHUB_API_ALLOW_HTTP=true if nobody can "
            "read them"
        )
    if _canonical(url) == _canonical(right):
        return None
    if re.search(r"/graphql$", path, re.IGNORECASE):
        what = "the address of the GraphQL API, which is found by that of the REST API"
    elif host in {"github.com", "www.github.com"} or (host.endswith(_RESIDENCY) and not host.startswith("api.")):
        what = "the website, not the REST API"
    else:
        what = "not the address of the REST API"
    return f"'{url}' is {what}: set {right}"


def _right_url(url: str, host: str, *, allows_http: bool) -> str:
    """Return what somebody who wrote `url` meant; `url` itself if nothing is wrong with it."""
    if host == "github.com" or host.endswith((".github.com", ".githubusercontent.com")):
        return _API
    if host.endswith(_RESIDENCY):
        return f"https://api.{host.removesuffix(_RESIDENCY).rpartition('.')[2]}{_RESIDENCY}"
    parts = urlsplit(url)
    if is_loopback(host):
        path = re.sub(r"(?i)/graphql$", "", parts.path)
        return urlunsplit((parts.scheme, parts.netloc, f"{path}/v3" if path.endswith("/api") else path, "", ""))
    scheme, netloc = parts.scheme, parts.netloc
    if scheme == "http" and not allows_http:
        scheme, netloc = "https", netloc.removesuffix(":80")
    # A proxy in front of a server may have it below another path.
    above = re.match(r"(?i)(?P<above>.*?)/api(?:/|$)", parts.path)
    return urlunsplit((scheme, netloc, f"{above['above'] if above else ''}{_SERVER_PATH}", "", ""))


def _canonical(url: str) -> tuple[str, str, int | None, str]:
    parts = urlsplit(url)
    host = (parts.hostname or "").removesuffix(".")
    return parts.scheme, host, parts.port or _DEFAULT_PORTS.get(parts.scheme), parts.path.rstrip("/")


def is_loopback(host: str) -> bool:
    """Say whether a host is this machine, so that nothing leaves it."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def proxy(text: str) -> str:
    """Read the URL of an HTTP proxy, with user and password if it has them; empty if none is named.

    `HOST:PORT` is taken as curl takes it, for http://HOST:PORT.
    """
    if not text:
        return ""
    url = text if "://" in text else f"http://{text}"
    try:
        parts = urlsplit(url)
        port, host = parts.port, parts.hostname
        # HTTP has the credentials in Latin-1: https://www.rfc-editor.org/rfc/rfc7617#section-2.1
        unquote(parts.username or "").encode("latin-1")
        unquote(parts.password or "").encode("latin-1")
    except ValueError:
        raise ValueError(NO_PROXY_URL) from None
    if parts.scheme.startswith("socks"):
        raise ValueError(SOCKS)
    extra = parts.path not in {"", "/"} or parts.query or parts.fragment or re.search(r"\s", url)
    if parts.scheme not in _DEFAULT_PORTS or not host or extra or port == 0 or not re.fullmatch(r"[\w.:-]+", host):
        raise ValueError(NO_PROXY_URL)
    return url


def proxy_address(url: str) -> str:
    """Return host and port of a proxy, for the log: the rest of its URL may be a password."""
    parts = urlsplit(url)
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    return f"{host}:{parts.port or _DEFAULT_PORTS[parts.scheme]}"


def is_direct(url: str, no_proxy: str) -> bool:
    """Say whether `no_proxy` (the text of NO_PROXY) excepts the host of `url` from the proxy, as curl has it.

    Its entries are separated by commas or blanks: `*` (all hosts), a host or domain with all hosts below it
    (`acme.com`, `.acme.com` or `*.acme.com`), an IP address, or a network such as `10.0.0.0/8`. With a port, as
    `acme.com:8443`, an entry means only that one.
    """
    parts = urlsplit(url)
    host = (parts.hostname or "").removesuffix(".").lower()
    port = parts.port or _DEFAULT_PORTS[parts.scheme]
    return any(_excepts(entry, host, port) for entry in re.split(r"[\s,]+", no_proxy.lower()) if entry)


def _excepts(entry: str, host: str, port: int) -> bool:
    if entry == "*":
        return True
    # Some write a URL.
    entry = re.sub(r"^[a-z]+://", "", entry)
    if network := _network(entry):
        return _is_in(host, network)
    entry = entry.rstrip("/")
    name, colon, wanted = entry.rpartition(":")
    if colon and wanted.isdigit() and (name.endswith("]") or ":" not in name):
        if int(wanted[:6]) != port:
            return False
        entry = name
    if network := _network(entry.strip("[]")):
        return _is_in(host, network)
    name = entry.removeprefix("*").strip(".")
    return bool(name) and (host == name or host.endswith(f".{name}"))


def _network(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network | None:
    try:
        return ipaddress.ip_network(text, strict=False)
    except ValueError:
        return None


def _is_in(host: str, network: ipaddress.IPv4Network | ipaddress.IPv6Network) -> bool:
    try:
        return ipaddress.ip_address(host) in network
    except ValueError:
        return False
