"""Readers of settings: text in, value out. Each raises ValueError with a sentence that says what is wrong."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from bot.errors import InputError
from bot.files import read_bytes
from bot.setting_keys import read_key

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

# A shorter secret can be guessed: somebody captures one webhook and tries secrets until its signature fits.
_SECRET_CHARACTERS = 16
# While a secret is rotated, webhooks come with the old one and with the new one.
_MOST_SECRETS = 2
_SECRET_BYTES = 4_096
# A key of 16,384 bits has 13 KB.
_KEY_BYTES = 65_536
# A key in base64 has more.
_PATH_CHARACTERS = 1_000
# Those of Apps begin with Iv1. or Iv23 on GitHub:
# https://docs.github.com/en/apps/creating-github-apps/authenticating-with-a-github-app/generating-a-json-web-token-jwt-for-a-github-app
_CLIENT_ID = re.compile(r"Iv1\.[0-9A-Za-z]{8,40}|Iv[2-9][0-9A-Za-z]{8,40}")
_SHOWN_CHARACTERS = 30
# https://docs.github.com/en/enterprise-cloud@latest/admin/managing-iam/iam-configuration-reference/username-considerations-for-external-authentication
_LOGIN = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_-]{0,98}[A-Za-z0-9_])?")


def app_id(text: str) -> str:
    """Read what GitHub knows the App by: its number, or its client id."""
    if _is_number(text, 18):
        return str(int(text))
    if _CLIENT_ID.fullmatch(text):
        return text
    if text.startswith("Ov2"):
        raise ValueError("this is the client id of an OAuth app; make a GitHub App, whose client id begins with Iv")
    # What somebody puts here by mistake may be a secret of the App: those are longer.
    shown = f"'{text}'" if len(text) <= _SHOWN_CHARACTERS else "this"
    raise ValueError(
        f"{shown} is neither an App ID (a number) nor a client id (Iv23…, Iv1.…); the App's settings page shows both"
    )


def webhook_secrets(text: str) -> tuple[str, ...]:
    """Read the secrets of webhooks, one a line, the newest first; none if the text is empty.

    The field on GitHub's page has one line, so no secret has a line break. Raises ValueError for more than two, and
    for one that is so short that it can be guessed.
    """
    lines = (line.strip() for line in re.split(r"[\r\n]", text.removeprefix("\ufeff")))
    secrets = tuple(dict.fromkeys(line for line in lines if line))
    if len(secrets) > _MOST_SECRETS:
        raise ValueError(
            f"this has {len(secrets)} lines, each a secret; {_MOST_SECRETS} at most are taken, the newest first: "
            "remove those that GitHub does not use any more"
        )
    for number, secret in enumerate(secrets, start=1):
        which = "this" if len(secrets) == 1 else f"the secret in line {number}"
        if len(secret) < _SECRET_CHARACTERS:
            raise ValueError(
                f"{which} has fewer than {_SECRET_CHARACTERS} characters and can be guessed; make one with "
                "'openssl rand -hex 32', and set the same on the App's settings page"
            )
        try:
            secret.encode()
        except UnicodeEncodeError:
            raise ValueError(f"{which} is not UTF-8, as which GitHub takes it") from None
    return secrets


def webhook_secret_path(text: str) -> tuple[str, ...]:
    """Read the secrets in a file; none if no file is named."""
    if not text:
        return ()
    # The text is not shown: it is the secret itself if somebody mixes both variables up.
    try:
        given = read_bytes(Path(text), _SECRET_BYTES).decode()
    except InputError as error:
        raise ValueError(f"cannot read the file: {error}") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8"
        raise ValueError(f"cannot read the file: {reason}; set its path, or WEBHOOK_SECRET to the secret") from None
    if not given.strip():
        raise ValueError("the file is empty; it has the secret that the App's settings page was given")
    return webhook_secrets(given)


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
    """Read an RSA key, in any form that `read_key` takes; empty if there is none."""
    return read_key(text) if text else ""


def private_key_path(text: str) -> str:
    """Read the key in a file; empty if none is named."""
    if not text:
        return ""
    # A key that stands here by mistake must not be shown.
    if "-----BEGIN" in text or len(text) > _PATH_CHARACTERS:
        raise ValueError("this is not the path of a file; if it is the key itself, set PRIVATE_KEY to it")
    try:
        key = read_bytes(Path(text), _KEY_BYTES)
    except InputError as error:
        raise ValueError(f"cannot read '{text}': {error}") from None
    except (OSError, ValueError) as error:
        raise ValueError(f"cannot read '{text}': {getattr(error, 'strerror', None) or error}") from None
    if not key.strip():
        raise ValueError(f"'{text}' is empty")
    return read_key(key)


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
