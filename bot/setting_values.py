"""Readers of settings: text in, value out. Each raises ValueError with a sentence that says what is wrong."""

from __future__ import annotations

import ipaddress
import re
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import urlsplit

from bot.errors import InputError
from bot.files import read_bytes

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

# A shorter secret can be guessed: somebody captures one webhook and tries secrets until its signature fits.
_SECRET_CHARACTERS = 16
# A key of 16,384 bits has 13 KB.
_KEY_BYTES = 65_536
# https://docs.github.com/en/enterprise-cloud@latest/admin/managing-iam/iam-configuration-reference/username-considerations-for-external-authentication
_LOGIN = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_-]{0,98}[A-Za-z0-9_])?")


def app_id(text: str) -> int:
    """Read the id of the App."""
    if not _is_number(text, 18):
        raise ValueError(f"'{text}' is not a number; the App's settings page shows its App ID")
    return int(text)


def webhook_secret(text: str) -> str:
    """Read the secret of webhooks. Raises ValueError if it is so short that it can be guessed."""
    if len(text) < _SECRET_CHARACTERS:
        raise ValueError(
            f"this has fewer than {_SECRET_CHARACTERS} characters and can be guessed; make one with "
            "'openssl rand -hex 32', and set the same on the App's settings page"
        )
    return text


def accounts(text: str) -> frozenset[int | str]:
    """Read ids and logins of accounts; logins in lower case."""
    accounts: set[int | str] = set()
    for name in filter(None, (part.strip() for part in text.split(","))):
        if _is_number(name, 18) and int(name):
            accounts.add(int(name))
        elif not name.isdigit() and _LOGIN.fullmatch(name):
            accounts.add(name.lower())
        else:
            raise ValueError(f"'{name}' is neither the id of an account nor a login; separate them by commas")
    return frozenset(accounts)


def private_key(text: str) -> str:
    """Read an RSA key in PEM format; empty if there is none."""
    if not text:
        return ""
    # Some hosting platforms only take variables of one line, so line breaks are written as \n.
    key = text.replace("\\n", "\n")
    if "-----BEGIN" not in key or "PRIVATE KEY-----" not in key:
        raise ValueError("this is no private key in PEM format (-----BEGIN … PRIVATE KEY-----)")
    # These imports take 60 ms, and only `serve` needs them.
    from cryptography.exceptions import UnsupportedAlgorithm  # noqa: PLC0415 - see above
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey  # noqa: PLC0415 - see above
    from cryptography.hazmat.primitives.serialization import load_pem_private_key  # noqa: PLC0415 - see above

    try:
        rsa = isinstance(load_pem_private_key(key.encode(), password=None), RSAPrivateKey)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise ValueError("this private key cannot be read; download a new one from the App's settings page") from None
    if not rsa:
        raise ValueError("this is no RSA key, which GitHub's are; download one from the App's settings page")
    return key + "\n" if not key.endswith("\n") else key


def private_key_path(text: str) -> str:
    """Read the key in a file; empty if none is named."""
    if not text:
        return ""
    try:
        key = read_bytes(Path(text), _KEY_BYTES).decode()
    except InputError as error:
        raise ValueError(f"cannot read '{text}': {error}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"cannot read '{text}': {getattr(error, 'strerror', 'not a text')}") from None
    if not key.strip():
        raise ValueError(f"'{text}' is empty")
    return private_key(key)


def api_url(text: str) -> str:
    """Read the address of the REST API, without a slash at its end."""
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        parts, port = urlsplit(""), None
    extra = parts.query or parts.fragment or "@" in parts.netloc
    if parts.scheme not in {"http", "https"} or not parts.hostname or extra or port == 0 or re.search(r"\s", text):
        raise ValueError(f"'{text}' is not a URL such as https://api.github.com or https://HOST/api/v3")
    return text.rstrip("/")


def is_exposed(url: str) -> bool:
    """Say whether requests to a URL leave this machine unencrypted."""
    parts = urlsplit(url)
    if parts.scheme == "https":
        return False
    try:
        return not ipaddress.ip_address(parts.hostname or "").is_loopback
    except ValueError:
        return parts.hostname != "localhost"


def port(text: str) -> int:
    """Read a port to listen on."""
    if not _is_number(text, 5) or int(text) > 65535:
        raise ValueError(f"'{text}' is not a port from 0 (any) to 65535")
    return int(text)


def database(text: str) -> Path:
    """Read the file of the database."""
    scheme, separator, path = text.partition(":///")
    if scheme != "sqlite" or not separator or not path:
        # The rest of a URL may hold a password.
        given = f"'{text.partition('://')[0]}://…'" if "://" in text else "this"
        raise ValueError(
            f"{given} is not sqlite:///FILE (relative) or sqlite:////FILE (absolute); "
            "PostgreSQL comes in a later version"
        )
    if path.startswith(":"):
        raise ValueError(f"'{text}' keeps nothing; name a file")
    return Path(path)


def file(text: str) -> Path | None:
    """Read the path of an existing file; None if none is named."""
    if not text:
        return None
    path = Path(text)
    if not path.is_file():
        raise ValueError(f"there is no file '{text}'")
    return path


def flag(text: str) -> bool:
    """Read a yes or no."""
    if text.lower() not in {"true", "false", "1", "0", "yes", "no"}:
        raise ValueError(f"'{text}' is neither true nor false")
    return text.lower() in {"true", "1", "yes"}


def at_most(limit: int, least: int = 1) -> Callable[[str], int]:
    """Return a reader of whole numbers from `least` to `limit`."""

    def read(text: str) -> int:
        if not _is_number(text) or not least <= int(text) <= limit:
            off = "" if least else " (no limit)"
            raise ValueError(f"'{text}' is not a number from {least}{off} to {limit:,}, without separators")
        return int(text)

    return read


def optional(read: Callable[[str], T]) -> Callable[[str], T | None]:
    """Return a reader that calls `read`, and reads an empty text as None."""
    return lambda text: read(text) if text else None


def seconds(text: str) -> float:
    """Read a short time in seconds."""
    if not re.fullmatch(r"[0-9]{1,2}(\.[0-9]{1,3})?", text) or float(text) > 60:
        raise ValueError(f"'{text}' is not a number of seconds from 0 to 60, such as 1 or 0.5")
    return float(text)


def interval(text: str) -> int:
    """Read a pause in seconds."""
    if not _is_number(text) or int(text) > 86_400:
        raise ValueError(f"'{text}' is not a number of seconds from 0 (only at the start) to 86400")
    return int(text)


def one_of(*allowed: str) -> Callable[[str], str]:
    """Return a reader of one of these words, in either case."""

    def read(text: str) -> str:
        if text.lower() not in allowed:
            raise ValueError(f"'{text}' is not one of {', '.join(allowed)}")
        return text.lower()

    return read


def _is_number(text: str, digits: int = 12) -> bool:
    """Whether a text is a whole number of at most so many ASCII digits, without a sign."""
    return text.isascii() and text.isdigit() and len(text) <= digits
