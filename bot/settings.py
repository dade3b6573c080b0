"""The only reader of the environment: variables in, frozen Settings out, every problem at once in a line each."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from bot import setting_urls as urls
from bot import setting_values as values
from bot.errors import InputError, Problem

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

# Programs differ in which case they read. As in Python and curl, the lower-case name goes first, even if it is empty.
_EITHER_CASE = frozenset({"HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY"})


@dataclass(frozen=True, slots=True)
class Setting:
    """One environment variable."""

    name: str
    what: str
    """Its meaning, for the error if it is missing."""
    default: str | None
    """None: it must be set."""
    read: Callable[[str], Any]
    """Returns the value of a text. Raises ValueError with what is wrong."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that can be set. Secrets have no repr."""

    app_id: str
    """The App ID, or the client id."""
    private_key: str = field(repr=False)
    webhook_secrets: tuple[str, ...] = field(repr=False)
    """One or two, the newest first."""
    api_url: str
    proxy: str = field(repr=False)
    """The URL of the proxy that requests to `api_url` go through, maybe with a password; empty: none."""
    host: str
    port: int
    admin_port: int
    max_connections: int | None
    """None: as many as the limit of open files leaves."""
    body_timeout: int
    database: Path
    retention_days: int
    replay_days: int
    allowed_accounts: frozenset[int | str]
    """Ids, and logins in lower case. Empty: every account."""
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
    rhythm_interval: float
    rhythm_burst: int
    retry_attempts: int
    retry_longest: int
    delivery_cpu_seconds: int
    mappings_cpu_seconds: int
    compute_processes: int
    compute_memory: int


def load(environ: Mapping[str, str] = os.environ) -> Settings:
    """Read Settings. Raises InputError with a line for each variable that is missing or malformed."""
    problems: list[Problem] = []
    found: dict[str, Any] = {}
    for setting in SETTINGS:
        text = _given(setting, environ)
        if text is None:
            problems.append(Problem(f"{setting.name} is missing: {setting.what}"))
            continue
        try:
            found[setting.name] = setting.read(text)
        except ValueError as error:
            problems.append(Problem(f"{setting.name}: {error}"))
    key = _either(found, problems, "PRIVATE_KEY", "the App's private key in PEM format")
    secrets = _either(found, problems, "WEBHOOK_SECRET", "the secret that the App's webhooks are signed with")
    url = found.get("GITHUB_API_URL")
    allows_http = found.pop("GITHUB_API_ALLOW_HTTP", False)
    if url is not None and (sentence := urls.api_problem(url, allows_http=allows_http)):
        problems.append(Problem(f"GITHUB_API_URL: {sentence}"))
    if problems:
        raise InputError(problems)
    proxy = _proxy(found)
    named = {_FIELDS.get(name, name.lower()): value for name, value in found.items()}
    return Settings(private_key=key, webhook_secrets=secrets, proxy=proxy, **named)


def _either(found: dict[str, Any], problems: list[Problem], name: str, what: str) -> Any:
    """Take the variable `name` out of what was found, or what the file of `name`_PATH has, which goes first."""
    path = f"{name}_PATH"
    value = found.pop(path, None) or found.get(name)
    found.pop(name, None)
    told = {problem.sentence.partition(":")[0] for problem in problems}
    if not value and not told & {name, path}:
        problems.append(Problem(f"{name} or {path} is missing: {what}"))
    return value


def _proxy(found: dict[str, Any]) -> str:
    """Take the proxies out of what was found, and return the one for GITHUB_API_URL; empty if it has none."""
    proxies = {"https": found.pop("HTTPS_PROXY"), "http": found.pop("HTTP_PROXY")}
    url, no_proxy = found["GITHUB_API_URL"], found.pop("NO_PROXY")
    proxy: str = proxies[url.partition(":")[0].lower()]
    return "" if urls.is_direct(url, no_proxy) else proxy


def database(environ: Mapping[str, str] = os.environ) -> Path:
    """Read DATABASE_URL alone. Raises InputError where it is malformed."""
    setting = next(setting for setting in SETTINGS if setting.name == "DATABASE_URL")
    try:
        return values.database(_given(setting, environ) or "")
    except ValueError as error:
        raise InputError(f"{setting.name}: {error}") from error


def environment() -> dict[str, str]:
    """Return the whole environment, for `pointsman apply --env`, which takes variables and regexes from it."""
    return dict(os.environ)


def _given(setting: Setting, environ: Mapping[str, str]) -> str | None:
    """Return the text that is set, without blanks around it; the default if there is none."""
    text = environ.get(setting.name, "")
    if setting.name in _EITHER_CASE:
        text = environ.get(setting.name.lower(), text)
    return text.strip() or setting.default


SETTINGS = (
    Setting("APP_ID", "the App ID or the client id on the App's settings page", None, values.app_id),
    Setting("PRIVATE_KEY", "the App's private key, PEM; line breaks may be written as \\n", "", values.private_key),
    Setting("PRIVATE_KEY_PATH", "instead: a file with the key", "", values.private_key_path),
    Setting("WEBHOOK_SECRET", "the secret that the App's webhooks are signed with", "", values.webhook_secrets),
    Setting("WEBHOOK_SECRET_PATH", "instead: a file with the secret", "", values.webhook_secret_path),
    Setting(
        "GITHUB_API_URL",
        "the REST API; https://HOST/api/v3 on Enterprise Server",
        "https://api.github.com",
        urls.api_url,
    ),
    Setting("GITHUB_API_ALLOW_HTTP", "let that be http:// on another machine", "false", values.flag),
    Setting("HTTPS_PROXY", "the proxy for requests to GitHub", "", urls.proxy),
    Setting("HTTP_PROXY", "the proxy if GITHUB_API_URL is http://", "", urls.proxy),
    Setting("NO_PROXY", "the hosts that are reached without it", "", str),
    Setting("HOST", "the address to listen on", "0.0.0.0", str),  # noqa: S104 - a container's port is published on purpose
    Setting("PORT", "the port to listen on", "8080", values.port),
    Setting("ADMIN_PORT", "the port for health checks, which the internet must not reach", "8081", values.port),
    Setting("MAX_CONNECTIONS", "how many connections to PORT at once", "", values.optional(values.at_most(100_000))),
    # GitHub itself waits ten seconds for an answer.
    Setting("BODY_TIMEOUT", "the seconds in which the body of a webhook must have come", "10", values.at_most(60)),
    Setting("DATABASE_URL", "where deliveries are kept", "sqlite:///pointsman.db", values.database),
    # GitHub's own list goes back three days. The sweep would fetch a delivery again that is in it, but forgotten here.
    Setting("RETENTION_DAYS", "for how many days deliveries are kept that have ended", "30", values.at_most(36_500, 4)),
    Setting("REPLAY_DAYS", "for how many days a body is known that comes again", "365", values.at_most(36_500, 4)),
    Setting("ALLOWED_ACCOUNTS", "ids or logins whose deliveries are stored; empty: all", "", values.accounts),
    Setting("SWEEP_INTERVAL", "the seconds between looks at GitHub's list for lost webhooks", "300", values.interval),
    Setting("MAPPINGS_FILE", "a mapping file for repositories that have none", "", values.file),
    Setting(
        "ORG_MAPPINGS",
        "take the mapping file of the owner's .github repository where there is none",
        "false",
        values.flag,
    ),
    Setting("LOG_LEVEL", "debug, info, warning or error", "info", values.one_of("debug", "info", "warning", "error")),
    Setting("LOG_FORMAT", "text, json or logfmt", "text", values.one_of("text", "json", "logfmt")),
    # Larger files are never read, and libyaml's time grows with the square of the depth.
    Setting("EDIT_MAX_BYTES", "the largest file that is edited", "4000000", values.at_most(4_000_000)),
    Setting("EDIT_MAX_DEPTH", "how deep the YAML of a file may be nested", "200", values.at_most(1_000)),
    Setting("EDIT_MAX_DOCUMENTS", "how many YAML documents a file may have", "1000", values.at_most(100_000)),
    Setting(
        "EDIT_MAX_EVENTS", "how many keys, values, starts and ends of collections", "500000", values.at_most(10_000_000)
    ),
    # The defaults are GitHub's limits for an installation. An Enterprise Server may have other ones, or none.
    Setting("QUOTA_WRITES_MINUTE", "how many writes a minute", "80", values.at_most(1_000_000, 0)),
    Setting("QUOTA_WRITES_HOUR", "how many writes an hour", "500", values.at_most(1_000_000, 0)),
    Setting("QUOTA_WRITE_INTERVAL", "the seconds between commits to one repository", "1", values.seconds),
    Setting("QUOTA_CONCURRENT", "how many requests at once", "100", values.at_most(1_000_000, 0)),
    Setting("QUOTA_REST_POINTS", "how many points a minute by REST", "900", values.at_most(1_000_000, 0)),
    Setting("QUOTA_GRAPHQL_POINTS", "how many points a minute by GraphQL", "2000", values.at_most(1_000_000, 0)),
    Setting("QUOTA_PATIENCE", "the seconds that a request may wait for its turn", "10", values.seconds),
    # GitHub recommends at most 6 pushes a minute: see bot/core/rhythm.py.
    Setting("RHYTHM_INTERVAL", "the seconds between pushes to a repository that is not quiet", "10", values.seconds),
    Setting("RHYTHM_BURST", "how many pushes at once a quiet repository gets", "3", values.at_most(1_000)),
    Setting(
        "RETRY_ATTEMPTS", "how often a delivery is tried that meets passing faults", "15", values.at_most(1_000_000)
    ),
    Setting("RETRY_LONGEST", "the longest pause between two attempts, in seconds", "900", values.at_most(86_400)),
    # Ten times what five hundred files of usual size take; see docs/adr/0008.
    Setting("DELIVERY_CPU_SECONDS", "the CPU seconds that one delivery may take", "10", values.at_most(600)),
    Setting("MAPPINGS_CPU_SECONDS", "the CPU seconds that reading one mapping file may take", "5", values.at_most(600)),
    Setting(
        "COMPUTE_PROCESSES", "how many processes compute, half of them quick jobs only", "4", values.at_most(64, 2)
    ),
    Setting(
        "COMPUTE_MEMORY",
        "the bytes of memory that each of them may use",
        "512000000",
        values.at_most(64_000_000_000, 200_000_000),
    ),
)

_FIELDS = {"GITHUB_API_URL": "api_url", "DATABASE_URL": "database"}
