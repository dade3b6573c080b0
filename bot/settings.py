"""The only reader of the environment: variables in, frozen Settings out, every problem at once in a line each."""

from __future__ import annotations

import ipaddress
import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

from bot.errors import InputError, Problem
from bot.files import read_bytes

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

T = TypeVar("T")

# Fewer characters can be guessed from one captured webhook, at leisure and on a machine of one's own.
_SECRET_CHARACTERS = 16
# A key of 16,384 bits has 13 KB.
_KEY_BYTES = 65_536
# https://docs.github.com/en/enterprise-cloud@latest/admin/managing-iam/iam-configuration-reference/username-considerations-for-external-authentication
_LOGIN = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_-]{0,98}[A-Za-z0-9_])?")
_EXPOSED = "sends the App's tokens unencrypted: use https://, or set GITHUB_API_ALLOW_HTTP=true if nobody can read them"


@dataclass(frozen=True, slots=True)
class Setting:
    """One environment variable: what it is for, how it is read, and its default (None: it must be given)."""

    name: str
    what: str
    default: str | None
    read: Callable[[str], Any]


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that can be set. Secrets have no repr."""

    app_id: int
    private_key: str = field(repr=False)
    webhook_secret: str = field(repr=False)
    api_url: str
    api_allow_http: bool
    host: str
    port: int
    database: Path
    retention_days: int
    replay_days: int
    # Ids, and logins in lower case; nothing: every account.
    allowed_accounts: frozenset[int | str]
    sweep_interval: int
    mappings_file: Path | None
    org_mappings: bool
    log_level: str
    log_format: str
    edit_max_bytes: int
    edit_max_depth: int
    edit_max_documents: int
    edit_max_events: int
    quota_writes_minute: int
    quota_writes_hour: int
    quota_write_interval: float
    quota_concurrent: int
    quota_rest_points: int
    quota_graphql_points: int
    quota_patience: float
    retry_attempts: int
    retry_longest: int
    delivery_cpu_seconds: int
    mappings_cpu_seconds: int
    compute_processes: int
    compute_memory: int


def load(environ: Mapping[str, str] = os.environ) -> Settings:
    """Read Settings. Raises InputError with a line for each variable that is missing or malformed."""
    problems: list[Problem] = []
    values: dict[str, Any] = {}
    for setting in SETTINGS:
        text = _given(setting, environ)
        if text is None:
            problems.append(Problem(f"{setting.name} is missing: {setting.what}"))
            continue
        try:
            values[setting.name] = setting.read(text)
        except ValueError as error:
            problems.append(Problem(f"{setting.name}: {error}"))
    key = values.pop("PRIVATE_KEY_PATH", "") or values.pop("PRIVATE_KEY", "")
    values.pop("PRIVATE_KEY", None)
    named = {problem.sentence.partition(":")[0] for problem in problems}
    if not key and not named & {"PRIVATE_KEY", "PRIVATE_KEY_PATH"}:
        problems.append(Problem("PRIVATE_KEY or PRIVATE_KEY_PATH is missing: the App's private key in PEM format"))
    url = values.get("GITHUB_API_URL")
    if url is not None and not values.get("GITHUB_API_ALLOW_HTTP") and _is_exposed(url):
        problems.append(Problem(f"GITHUB_API_URL: '{url}' {_EXPOSED}"))
    if problems:
        raise InputError(problems)
    return Settings(private_key=key, **{_FIELDS.get(name, name.lower()): value for name, value in values.items()})


def database(environ: Mapping[str, str] = os.environ) -> Path:
    """Read DATABASE_URL alone. Raises InputError where it is malformed."""
    setting = next(setting for setting in SETTINGS if setting.name == "DATABASE_URL")
    try:
        return _database(_given(setting, environ) or "")
    except ValueError as error:
        raise InputError(f"{setting.name}: {error}") from error


def environment() -> dict[str, str]:
    """Return all of the environment, for `pointsman apply --env`, which takes variables and regexes out of it."""
    return dict(os.environ)


def _given(setting: Setting, environ: Mapping[str, str]) -> str | None:
    """Return what is set, blanks around it aside; the default where that is nothing."""
    return environ.get(setting.name, "").strip() or setting.default


def _app_id(text: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 18:
        raise ValueError(f"'{text}' is not a number; the App's settings page shows its App ID")
    return int(text)


def _webhook_secret(text: str) -> str:
    if len(text) < _SECRET_CHARACTERS:
        raise ValueError(
            f"this has fewer than {_SECRET_CHARACTERS} characters and can be guessed; make one with "
            "'openssl rand -hex 32', and set the same on the App's settings page"
        )
    return text


def _accounts(text: str) -> frozenset[int | str]:
    accounts: set[int | str] = set()
    for name in filter(None, (part.strip() for part in text.split(","))):
        if name.isascii() and name.isdigit() and len(name) <= 18 and int(name):
            accounts.add(int(name))
        elif not name.isdigit() and _LOGIN.fullmatch(name):
            accounts.add(name.lower())
        else:
            raise ValueError(f"'{name}' is neither the id of an account nor a login; separate them by commas")
    return frozenset(accounts)


def _private_key(text: str) -> str:
    if not text:
        return ""
    # Hosters that take one line only want \n written out.
    key = text.replace("\\n", "\n")
    if "-----BEGIN" not in key or "PRIVATE KEY-----" not in key:
        raise ValueError("this is no private key in PEM format (-----BEGIN … PRIVATE KEY-----)")
    # 60 ms, serve only
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


def _private_key_path(text: str) -> str:
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
    return _private_key(key)


def _api_url(text: str) -> str:
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        parts, port = urlsplit(""), None
    extra = parts.query or parts.fragment or "@" in parts.netloc
    if parts.scheme not in {"http", "https"} or not parts.hostname or extra or port == 0 or re.search(r"\s", text):
        raise ValueError(f"'{text}' is not a URL such as https://api.github.com or https://HOST/api/v3")
    return text.rstrip("/")


def _is_exposed(url: str) -> bool:
    """Whether what is sent to a URL leaves this machine unencrypted."""
    parts = urlsplit(url)
    if parts.scheme == "https":
        return False
    try:
        return not ipaddress.ip_address(parts.hostname or "").is_loopback
    except ValueError:
        return parts.hostname != "localhost"


def _port(text: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 5 or int(text) > 65535:
        raise ValueError(f"'{text}' is not a port from 0 (any) to 65535")
    return int(text)


def _database(text: str) -> Path:
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


def _file(text: str) -> Path | None:
    if not text:
        return None
    path = Path(text)
    if not path.is_file():
        raise ValueError(f"there is no file '{text}'")
    return path


def _flag(text: str) -> bool:
    if text.lower() not in {"true", "false", "1", "0", "yes", "no"}:
        raise ValueError(f"'{text}' is neither true nor false")
    return text.lower() in {"true", "1", "yes"}


def _at_most(limit: int, least: int = 1) -> Callable[[str], int]:
    def read(text: str) -> int:
        if not text.isascii() or not text.isdigit() or len(text) > 12 or not least <= int(text) <= limit:
            off = "" if least else " (no limit)"
            raise ValueError(f"'{text}' is not a number from {least}{off} to {limit:,}, without separators")
        return int(text)

    return read


def _seconds(text: str) -> float:
    if not re.fullmatch(r"[0-9]{1,2}(\.[0-9]{1,3})?", text) or float(text) > 60:
        raise ValueError(f"'{text}' is not a number of seconds from 0 to 60, such as 1 or 0.5")
    return float(text)


def _interval(text: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 12 or int(text) > 86_400:
        raise ValueError(f"'{text}' is not a number of seconds from 0 (only at the start) to 86400")
    return int(text)


def _one_of(*allowed: str) -> Callable[[str], str]:
    def read(text: str) -> str:
        if text.lower() not in allowed:
            raise ValueError(f"'{text}' is not one of {', '.join(allowed)}")
        return text.lower()

    return read


SETTINGS = (
    Setting("APP_ID", "the number on the App's settings page", None, _app_id),
    Setting("PRIVATE_KEY", "the App's private key, PEM; line breaks may be written as \\n", "", _private_key),
    Setting("PRIVATE_KEY_PATH", "instead: a file with the key", "", _private_key_path),
    Setting("WEBHOOK_SECRET", "the secret that the App's webhooks are signed with", None, _webhook_secret),
    Setting(
        "GITHUB_API_URL", "the REST API; https://HOST/api/v3 on Enterprise Server", "https://api.github.com", _api_url
    ),
    Setting("GITHUB_API_ALLOW_HTTP", "let that be http:// on another machine", "false", _flag),
    Setting("HOST", "the address to listen on", "0.0.0.0", str),  # noqa: S104 - a container's port is published on purpose
    Setting("PORT", "the port to listen on", "8080", _port),
    Setting("DATABASE_URL", "where deliveries are kept", "sqlite:///pointsman.db", _database),
    # GitHub's own list goes back three days: what is in it and was forgotten here would be taken for lost.
    Setting("RETENTION_DAYS", "for how many days deliveries are kept that have ended", "30", _at_most(36_500, 4)),
    Setting("REPLAY_DAYS", "for how many days a body is known that comes again", "365", _at_most(36_500, 4)),
    Setting("ALLOWED_ACCOUNTS", "ids or logins whose deliveries are stored; empty: all", "", _accounts),
    Setting("SWEEP_INTERVAL", "the seconds between looks at GitHub's list for lost webhooks", "300", _interval),
    Setting("MAPPINGS_FILE", "a mapping file for repositories that have none", "", _file),
    Setting(
        "ORG_MAPPINGS", "take the mapping file of the owner's .github repository where there is none", "false", _flag
    ),
    Setting("LOG_LEVEL", "debug, info, warning or error", "info", _one_of("debug", "info", "warning", "error")),
    Setting("LOG_FORMAT", "text, json or logfmt", "text", _one_of("text", "json", "logfmt")),
    # Larger files are never read, and libyaml's time grows with the square of the depth.
    Setting("EDIT_MAX_BYTES", "the largest file that is edited", "4000000", _at_most(4_000_000)),
    Setting("EDIT_MAX_DEPTH", "how deep the YAML of a file may be nested", "200", _at_most(1_000)),
    Setting("EDIT_MAX_DOCUMENTS", "how many YAML documents a file may have", "1000", _at_most(100_000)),
    Setting("EDIT_MAX_EVENTS", "how many keys, values, starts and ends of collections", "500000", _at_most(10_000_000)),
    # GitHub's for an installation; an Enterprise Server may have its own, or none.
    Setting("QUOTA_WRITES_MINUTE", "how many writes a minute", "80", _at_most(1_000_000, 0)),
    Setting("QUOTA_WRITES_HOUR", "how many writes an hour", "500", _at_most(1_000_000, 0)),
    Setting("QUOTA_WRITE_INTERVAL", "the seconds between commits to one repository", "1", _seconds),
    Setting("QUOTA_CONCURRENT", "how many requests at once", "100", _at_most(1_000_000, 0)),
    Setting("QUOTA_REST_POINTS", "how many points a minute by REST", "900", _at_most(1_000_000, 0)),
    Setting("QUOTA_GRAPHQL_POINTS", "how many points a minute by GraphQL", "2000", _at_most(1_000_000, 0)),
    Setting("QUOTA_PATIENCE", "the seconds that a request may wait for its turn", "10", _seconds),
    Setting("RETRY_ATTEMPTS", "how often a delivery is tried that meets passing faults", "15", _at_most(1_000_000)),
    Setting("RETRY_LONGEST", "the longest pause between two attempts, in seconds", "900", _at_most(86_400)),
    # Ten times what five hundred files of usual size take; see docs/adr/0008.
    Setting("DELIVERY_CPU_SECONDS", "the CPU seconds that one delivery may take", "10", _at_most(600)),
    Setting("MAPPINGS_CPU_SECONDS", "the CPU seconds that reading one mapping file may take", "5", _at_most(600)),
    Setting("COMPUTE_PROCESSES", "how many processes compute, half of them quick jobs only", "4", _at_most(64, 2)),
    Setting(
        "COMPUTE_MEMORY",
        "the bytes of memory that each of them may use",
        "512000000",
        _at_most(64_000_000_000, 128_000_000),
    ),
)

_FIELDS = {"GITHUB_API_URL": "api_url", "GITHUB_API_ALLOW_HTTP": "api_allow_http", "DATABASE_URL": "database"}
