"""Settings: the environment in, frozen values or every problem out."""

from __future__ import annotations

import os
from dataclasses import FrozenInstanceError, asdict, fields
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from bot import setting_urls, settings
from bot.errors import InputError
from bot.setting_keys import NO_KEY, UNREADABLE
from bot.setting_urls import NO_PROXY_URL, SOCKS
from bot.settings import SETTINGS, Settings

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.serialization import KeySerializationEncryption


def pem(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey, encryption: KeySerializationEncryption) -> str:
    """Write a key as GitHub hands it out, encrypted or not."""
    return key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, encryption).decode()


RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)
KEY = pem(RSA, NoEncryption())
OTHER_KEY = pem(rsa.generate_private_key(public_exponent=65537, key_size=2048), NoEncryption())
NEEDED = {"APP_ID": "7", "PRIVATE_KEY": KEY, "WEBHOOK_SECRET": "a secret of the tests"}
TWO = ("of the new page, x", "of the older page")
NO_APP = "is neither an App ID (a number) nor a client id (Iv23…, Iv1.…); the App's settings page shows both"
MOST = "2 at most are taken, the newest first: remove those that GitHub does not use any more"
TOO_SHORT = (
    "this has fewer than 16 characters and can be guessed; make one with 'openssl rand -hex 32', "
    "and set the same on the App's settings page"
)
NO_URL = "is not a URL such as https://api.github.com or https://HOST/api/v3"
NO_FILE_URL = "is not sqlite:///FILE (relative) or sqlite:////FILE (absolute); PostgreSQL comes in a later version"


def problems(**variables: str) -> list[str]:
    """Return what is said of the needed variables together with others."""
    with pytest.raises(InputError) as caught:
        settings.load(NEEDED | variables)
    return str(caught.value).splitlines()


def test_what_is_not_set_has_its_default() -> None:
    """Three variables are enough."""
    assert settings.load(NEEDED) == Settings(
        app_id="7",
        private_key=KEY,
        webhook_secrets=("a secret of the tests",),
        api_url="https://api.github.com",
        proxy="",
        host="0.0.0.0",  # noqa: S104 - the default
        port=8080,
        admin_port=8081,
        max_connections=None,
        body_timeout=10,
        database=Path("pointsman.db"),
        retention_days=30,
        replay_days=365,
        allowed_accounts=frozenset(),
        sweep_interval=300,
        mappings_file=None,
        org_mappings=False,
        log_level="info",
        log_format="text",
        edit_max_bytes=4_000_000,
        edit_max_depth=200,
        edit_max_documents=1_000,
        edit_max_events=500_000,
        quota_writes_minute=80,
        quota_writes_hour=500,
        quota_write_interval=1.0,
        rhythm_interval=10.0,
        rhythm_burst=3,
        quota_concurrent=100,
        quota_rest_points=900,
        quota_graphql_points=2_000,
        quota_patience=10.0,
        retry_attempts=15,
        retry_longest=900,
        delivery_cpu_seconds=10,
        mappings_cpu_seconds=5,
        compute_processes=4,
        compute_memory=512_000_000,
    )


@pytest.mark.parametrize(
    ("name", "text", "field", "value"),
    [
        ("APP_ID", " 012345 ", "app_id", "12345"),
        ("APP_ID", "Iv1.8a61f9b3a7aba766", "app_id", "Iv1.8a61f9b3a7aba766"),
        ("APP_ID", "Iv23liAb12Cd34Ef56Gh", "app_id", "Iv23liAb12Cd34Ef56Gh"),
        ("WEBHOOK_SECRET", " a secret with spaces \n", "webhook_secrets", ("a secret with spaces",)),
        ("WEBHOOK_SECRET", "of the new page, x\r\n\r\n of the older page\n", "webhook_secrets", TWO),
        ("WEBHOOK_SECRET", "one secret of two\none secret of two", "webhook_secrets", ("one secret of two",)),
        ("GITHUB_API_URL", "https://github.acme.com/api/v3/", "api_url", "https://github.acme.com/api/v3"),
        ("GITHUB_API_URL", "http://127.0.0.1:8081", "api_url", "http://127.0.0.1:8081"),
        ("HOST", "::1", "host", "::1"),
        ("PORT", "0", "port", 0),
        ("PORT", "65535", "port", 65535),
        ("ADMIN_PORT", "0", "admin_port", 0),
        ("MAX_CONNECTIONS", "", "max_connections", None),
        ("MAX_CONNECTIONS", "100", "max_connections", 100),
        ("BODY_TIMEOUT", "60", "body_timeout", 60),
        ("DATABASE_URL", "sqlite:///data/x.db", "database", Path("data/x.db")),
        ("DATABASE_URL", "sqlite:////data/x.db", "database", Path("/data/x.db")),
        ("RETENTION_DAYS", "4", "retention_days", 4),
        ("REPLAY_DAYS", "4", "replay_days", 4),
        ("ALLOWED_ACCOUNTS", " 583231, Acme-Corp,octo_acme, ,", "allowed_accounts", {583231, "acme-corp", "octo_acme"}),
        ("SWEEP_INTERVAL", "0", "sweep_interval", 0),
        ("SWEEP_INTERVAL", "86400", "sweep_interval", 86_400),
        ("MAPPINGS_FILE", __file__, "mappings_file", Path(__file__)),
        ("ORG_MAPPINGS", "True", "org_mappings", True),
        ("ORG_MAPPINGS", "1", "org_mappings", True),
        ("ORG_MAPPINGS", "no", "org_mappings", False),
        ("LOG_LEVEL", "DEBUG", "log_level", "debug"),
        ("LOG_FORMAT", "JSON", "log_format", "json"),
        ("EDIT_MAX_BYTES", "1", "edit_max_bytes", 1),
        ("EDIT_MAX_DEPTH", "1000", "edit_max_depth", 1000),
        ("EDIT_MAX_DOCUMENTS", "007", "edit_max_documents", 7),
        ("EDIT_MAX_EVENTS", "10000000", "edit_max_events", 10_000_000),
        ("QUOTA_WRITES_MINUTE", "0", "quota_writes_minute", 0),
        ("QUOTA_WRITES_HOUR", "1000000", "quota_writes_hour", 1_000_000),
        ("QUOTA_WRITE_INTERVAL", "0", "quota_write_interval", 0.0),
        ("QUOTA_WRITE_INTERVAL", "0.25", "quota_write_interval", 0.25),
        ("QUOTA_CONCURRENT", "1", "quota_concurrent", 1),
        ("QUOTA_REST_POINTS", "901", "quota_rest_points", 901),
        ("QUOTA_GRAPHQL_POINTS", "0", "quota_graphql_points", 0),
        ("QUOTA_PATIENCE", "60", "quota_patience", 60.0),
        ("RETRY_ATTEMPTS", "1", "retry_attempts", 1),
        ("RHYTHM_INTERVAL", "0", "rhythm_interval", 0.0),
        ("RHYTHM_BURST", "1", "rhythm_burst", 1),
        ("RETRY_LONGEST", "86400", "retry_longest", 86_400),
        *((name, " ", "log_level", "info") for name in ("PORT", "MAPPINGS_FILE", "LOG_LEVEL", "DATABASE_URL")),
    ],
)
def test_a_variable_sets_its_field_and_no_other(name: str, text: str, field: str, value: object) -> None:
    """Spaces around a value do not count, and an empty one is as if it were not set."""
    expected = asdict(settings.load(NEEDED)) | {field: value}
    assert asdict(settings.load(NEEDED | {name: text})) == expected


def test_a_key_of_a_file_goes_before_one_of_the_environment(tmp_path: Path) -> None:
    """PRIVATE_KEY_PATH wins where both are set; alone it is enough."""
    path = tmp_path / "app.pem"
    path.write_text(OTHER_KEY)
    for key in (KEY, ""):
        loaded = settings.load(NEEDED | {"PRIVATE_KEY": key, "PRIVATE_KEY_PATH": str(path)})
        assert loaded.private_key == OTHER_KEY


NO_PROXIES = ("ftp://proxy", "http://", "http://me:hunter2@proxy:x", "http://proxy/path", "http://a b", "http://p:0")

MALFORMED = (
    ("DELIVERY_CPU_SECONDS", "601", "'601' is not a number from 1 to 600, without separators"),
    ("MAPPINGS_CPU_SECONDS", "0", "'0' is not a number from 1 to 600, without separators"),
    ("COMPUTE_PROCESSES", "1", "'1' is not a number from 2 to 64, without separators"),
    ("COMPUTE_MEMORY", "512MB", "'512MB' is not a number from 200000000 to 64,000,000,000, without separators"),
    ("APP_ID", "Iv1.abc", f"'Iv1.abc' {NO_APP}"),
    ("APP_ID", "-1", f"'-1' {NO_APP}"),
    ("APP_ID", "²", f"'²' {NO_APP}"),
    ("APP_ID", "9" * 19, f"'{'9' * 19}' {NO_APP}"),
    ("APP_ID", "8" * 40, f"this {NO_APP}"),
    (
        "APP_ID",
        "Ov23liAb12Cd34Ef56Gh",
        "this is the client id of an OAuth app; make a GitHub App, whose client id begins with Iv",
    ),
    ("PRIVATE_KEY", "hunter2", NO_KEY),
    ("PRIVATE_KEY", KEY[:300] + KEY[400:], UNREADABLE),
    ("PRIVATE_KEY_PATH", "no/app.pem", "cannot read 'no/app.pem': No such file or directory"),
    ("PRIVATE_KEY_PATH", "/", "cannot read '/': Is a directory"),
    ("PRIVATE_KEY_PATH", str(Path(__file__).with_name("conftest.py")), NO_KEY),
    ("PRIVATE_KEY_PATH", KEY, "this is not the path of a file; if it is the key itself, set PRIVATE_KEY to it"),
    ("PRIVATE_KEY_PATH", os.devnull, f"cannot read '{os.devnull}': it is no regular file"),
    *(
        ("GITHUB_API_URL", url, f"'{url}' {NO_URL}")
        for url in (
            "api.github.com",
            "ftp://api.github.com",
            "https://",
            "https://h:99999",
            "https://h:0",
            "https://[::1",
            "https://h/api?x=1",
            "https://h/#x",
            "https://a b",
        )
    ),
    *((name, url, NO_PROXY_URL) for name in ("HTTPS_PROXY", "HTTP_PROXY") for url in NO_PROXIES),
    ("HTTPS_PROXY", "socks5h://me:hunter2@proxy:1080", SOCKS),
    ("PORT", "http", "'http' is not a port from 0 (any) to 65535"),
    ("PORT", "65536", "'65536' is not a port from 0 (any) to 65535"),
    ("PORT", "-1", "'-1' is not a port from 0 (any) to 65535"),
    ("PORT", "9" * 5000, f"'{'9' * 5000}' is not a port from 0 (any) to 65535"),
    ("ADMIN_PORT", "none", "'none' is not a port from 0 (any) to 65535"),
    ("MAX_CONNECTIONS", "0", "'0' is not a number from 1 to 100,000, without separators"),
    ("BODY_TIMEOUT", "61", "'61' is not a number from 1 to 60, without separators"),
    ("DATABASE_URL", "pointsman.db", f"this {NO_FILE_URL}"),
    ("DATABASE_URL", "sqlite://pointsman.db", f"'sqlite://…' {NO_FILE_URL}"),
    ("DATABASE_URL", "sqlite:///", f"'sqlite://…' {NO_FILE_URL}"),
    ("DATABASE_URL", "postgres://me:hunter2@db/x", f"'postgres://…' {NO_FILE_URL}"),
    ("WEBHOOK_SECRET", "fifteen letters", TOO_SHORT),
    ("WEBHOOK_SECRET", "x", TOO_SHORT),
    ("WEBHOOK_SECRET", "a secret of sixteen\nx", TOO_SHORT.replace("this", "the secret in line 2")),
    (
        "WEBHOOK_SECRET",
        "a secret, number 1\na secret, number 2\na secret, number 3",
        f"this has 3 lines, each a secret; {MOST}",
    ),
    ("WEBHOOK_SECRET", "a secret in latin-\udce9", "this is not UTF-8, as which GitHub takes it"),
    (
        "WEBHOOK_SECRET_PATH",
        "hunter2",
        "cannot read the file: No such file or directory; set its path, or WEBHOOK_SECRET to the secret",
    ),
    ("WEBHOOK_SECRET_PATH", os.devnull, "cannot read the file: it is no regular file"),
    ("REPLAY_DAYS", "3", "'3' is not a number from 4 to 36,500, without separators"),
    (
        "ALLOWED_ACCOUNTS",
        "acme corp",
        "'acme corp' is neither the id of an account nor a login; separate them by commas",
    ),
    ("ALLOWED_ACCOUNTS", "acme,@me", "'@me' is neither the id of an account nor a login; separate them by commas"),
    ("ALLOWED_ACCOUNTS", "0", "'0' is neither the id of an account nor a login; separate them by commas"),
    ("RETENTION_DAYS", "3", "'3' is not a number from 4 to 36,500, without separators"),
    *(
        ("SWEEP_INTERVAL", text, f"'{text}' is not a number of seconds from 0 (only at the start) to 86400")
        for text in ("-1", "0.5", "5m", "86401", "²", "9" * 5000)
    ),
    ("MAPPINGS_FILE", "no.yaml", "there is no file 'no.yaml'"),
    ("MAPPINGS_FILE", "/", "there is no file '/'"),
    ("GITHUB_API_ALLOW_HTTP", "perhaps", "'perhaps' is neither true nor false"),
    ("ORG_MAPPINGS", "maybe", "'maybe' is neither true nor false"),
    ("LOG_LEVEL", "loud", "'loud' is not one of debug, info, warning, error"),
    ("LOG_FORMAT", "xml", "'xml' is not one of text, json, logfmt"),
    ("EDIT_MAX_BYTES", "4000001", "'4000001' is not a number from 1 to 4,000,000, without separators"),
    ("EDIT_MAX_BYTES", "4,000", "'4,000' is not a number from 1 to 4,000,000, without separators"),
    ("EDIT_MAX_DEPTH", "0", "'0' is not a number from 1 to 1,000, without separators"),
    ("EDIT_MAX_DEPTH", "-1", "'-1' is not a number from 1 to 1,000, without separators"),
    ("EDIT_MAX_DOCUMENTS", "²", "'²' is not a number from 1 to 100,000, without separators"),
    ("EDIT_MAX_EVENTS", "9" * 5000, f"'{'9' * 5000}' is not a number from 1 to 10,000,000, without separators"),
    ("RETRY_ATTEMPTS", "0", "'0' is not a number from 1 to 1,000,000, without separators"),
    ("RHYTHM_BURST", "0", "'0' is not a number from 1 to 1,000, without separators"),
    ("RETRY_LONGEST", "15m", "'15m' is not a number from 1 to 86,400, without separators"),
    *(
        (name, text, f"'{text}' is not a number from 0 (no limit) to 1,000,000, without separators")
        for name, text in (
            ("QUOTA_WRITES_MINUTE", "-1"),
            ("QUOTA_WRITES_HOUR", "none"),
            ("QUOTA_CONCURRENT", "1.5"),
            ("QUOTA_REST_POINTS", "1000001"),
            ("QUOTA_GRAPHQL_POINTS", "2,000"),
        )
    ),
    *(
        (name, text, f"'{text}' is not a number of seconds from 0 to 60, such as 1 or 0.5")
        for name, text in (
            ("QUOTA_WRITE_INTERVAL", "61"),
            ("QUOTA_WRITE_INTERVAL", "1s"),
            ("QUOTA_WRITE_INTERVAL", "1e1"),
            ("QUOTA_PATIENCE", "-1"),
            ("QUOTA_PATIENCE", "60.1"),
            ("QUOTA_PATIENCE", "nan"),
            ("RHYTHM_INTERVAL", "10s"),
            ("RHYTHM_INTERVAL", "600"),
        )
    ),
)


@pytest.mark.parametrize(("name", "text", "sentence"), MALFORMED, ids=lambda text: text[:30])
def test_a_malformed_variable_is_said_by_its_name(name: str, text: str, sentence: str) -> None:
    """One line: the variable, what is wrong, what to do."""
    assert problems(**{name: text}) == [f"{name}: {sentence}"]


@pytest.mark.parametrize("url", ["https://me:hunter2@github.acme.com", "https://:hunter2@github.acme.com"])
def test_a_password_in_a_url_is_refused(url: str) -> None:
    """GitHub takes no password, and addresses get into logs."""
    (problem,) = problems(GITHUB_API_URL=url)
    assert problem.endswith(NO_URL)


LOOPBACK = ("http://127.0.0.1:8081", "http://127.9.9.9/api/v3", "http://[::1]:8081", "http://LOCALHOST:8081")
ELSEWHERE = (
    "http://github.acme.com/api/v3",
    "HTTP://10.0.0.1/api/v3",
    "http://128.0.0.1/api/v3",
    "http://127.0.0.1.nip.io/api/v3",
    "http://localhost.acme.com/api/v3",
    "http://[::2]/api/v3",
    "http://0.0.0.0:8081/api/v3",
)


@pytest.mark.parametrize("url", ELSEWHERE)
def test_tokens_are_not_sent_unencrypted_to_another_machine(url: str) -> None:
    """Unless somebody says that nobody in between can read them."""
    (problem,) = problems(GITHUB_API_URL=url)
    assert problem.startswith(
        f"GITHUB_API_URL: '{url}' sends the App's tokens unencrypted: use https{url[4:]}, or set GITHUB_"
    )
    assert settings.load({**NEEDED, "GITHUB_API_URL": url, "GITHUB_API_ALLOW_HTTP": "true"}).api_url == url


@pytest.mark.parametrize("url", LOOPBACK)
def test_http_is_good_enough_on_this_machine(url: str) -> None:
    """As the sandbox listens."""
    assert settings.load({**NEEDED, "GITHUB_API_URL": url}).api_url == url


WRONG_URLS = (
    ("https://github.com", "https://api.github.com"),
    ("http://www.github.com/", "https://api.github.com"),
    ("https://github.com/api/v3", "https://api.github.com"),
    ("https://github.com/acme/gitops", "https://api.github.com"),
    ("http://api.github.com", "https://api.github.com"),
    ("https://api.github.com/graphql", "https://api.github.com"),
    ("https://api.github.com/api/v3", "https://api.github.com"),
    ("https://uploads.github.com", "https://api.github.com"),
    ("https://octo.ghe.com", "https://api.octo.ghe.com"),
    ("http://octo.ghe.com/api/v3", "https://api.octo.ghe.com"),
    ("https://api.octo.ghe.com/graphql", "https://api.octo.ghe.com"),
    ("https://ghe.acme.com", "https://ghe.acme.com/api/v3"),
    ("http://ghe.acme.com", "https://ghe.acme.com/api/v3"),
    ("http://ghe.acme.com:80", "https://ghe.acme.com/api/v3"),
    ("https://ghe.acme.com:8443/", "https://ghe.acme.com:8443/api/v3"),
    ("https://ghe.acme.com/api", "https://ghe.acme.com/api/v3"),
    ("https://ghe.acme.com/api/graphql", "https://ghe.acme.com/api/v3"),
    ("https://ghe.acme.com/api/v3/graphql", "https://ghe.acme.com/api/v3"),
    ("https://ghe.acme.com/api/v4", "https://ghe.acme.com/api/v3"),
    ("https://ghe.acme.com/acme/gitops", "https://ghe.acme.com/api/v3"),
    ("https://acme.com/github/api/graphql", "https://acme.com/github/api/v3"),
    ("http://127.0.0.1:8081/api/graphql", "http://127.0.0.1:8081/api/v3"),
    ("http://127.0.0.1:8081/graphql", "http://127.0.0.1:8081"),
)


@pytest.mark.parametrize(("url", "right"), WRONG_URLS)
def test_a_url_that_is_not_that_of_the_rest_api_is_refused_with_the_right_one(url: str, right: str) -> None:
    """The sentence names the URL to set, and that one is taken."""
    (problem,) = problems(GITHUB_API_URL=url)
    assert problem.startswith(f"GITHUB_API_URL: '{url.rstrip('/')}' is ")
    assert problem.endswith(f": set {right}")
    assert settings.load(NEEDED | {"GITHUB_API_URL": right}).api_url == right


@pytest.mark.parametrize(
    "url",
    [
        "https://api.github.com/",
        "https://API.github.com:443",
        "https://api.octo.ghe.com",
        "https://ghe.acme.com:8443/api/v3",
        "https://acme.com/github/api/v3/",
        "https://[2001:db8::1]/api/v3",
        "https://localhost:8443",
    ],
)
def test_the_address_of_each_kind_of_server_is_taken(url: str) -> None:
    """GitHub's own, with data residency, an Enterprise Server's also below a path, and any on this machine."""
    assert settings.load(NEEDED | {"GITHUB_API_URL": url}).api_url == url.rstrip("/")


def test_a_server_without_tls_is_named_its_url_without_tls_if_that_is_allowed() -> None:
    """A sandbox on another machine has its API at /api/v3 too."""
    (problem,) = problems(GITHUB_API_URL="http://sandbox:8081", GITHUB_API_ALLOW_HTTP="true")
    assert problem.endswith(": set http://sandbox:8081/api/v3")


def test_a_secret_of_a_file_goes_before_one_of_the_environment(tmp_path: Path) -> None:
    """WEBHOOK_SECRET_PATH wins if both are set; alone it is enough, and has one secret a line."""
    path = tmp_path / "secret"
    for text, secrets in (("a secret in a file\r\n", ("a secret in a file",)), ("\n".join(TWO), TWO)):
        path.write_text(text)
        for other in ("a secret of the tests", ""):
            loaded = settings.load(NEEDED | {"WEBHOOK_SECRET": other, "WEBHOOK_SECRET_PATH": str(path)})
            assert loaded.webhook_secrets == secrets


def test_a_file_without_a_secret_is_refused(tmp_path: Path) -> None:
    """An empty one, one that is no text, and one that is too large to be of a secret."""
    path = tmp_path / "secret"
    for data, sentence in (
        (b"\n", "is empty"),
        (b"\xe9" * 16, "it is not UTF-8"),
        (b"x" * 5000, "more than 4,096 bytes"),
    ):
        path.write_bytes(data)
        (problem,) = problems(WEBHOOK_SECRET_PATH=str(path))
        assert problem.startswith("WEBHOOK_SECRET_PATH: ")
        assert sentence in problem


PROXY = "http://me:hunter2@proxy.acme.com:3128"


@pytest.mark.parametrize(
    ("variables", "proxy"),
    [
        ({"HTTPS_PROXY": PROXY}, PROXY),
        ({"https_proxy": PROXY}, PROXY),
        ({"HTTPS_PROXY": "proxy:3128"}, "http://proxy:3128"),
        ({"HTTPS_PROXY": "https://[::1]:3128/"}, "https://[::1]:3128/"),
        ({"HTTP_PROXY": PROXY}, ""),
        ({"HTTP_PROXY": PROXY, "GITHUB_API_URL": "http://127.0.0.1:8081"}, PROXY),
        ({"HTTPS_PROXY": PROXY, "GITHUB_API_URL": "http://127.0.0.1:8081"}, ""),
        ({"https_proxy": PROXY, "HTTPS_PROXY": "http://other"}, PROXY),
        ({"https_proxy": "", "HTTPS_PROXY": "http://other"}, ""),
        ({"HTTPS_PROXY": PROXY, "NO_PROXY": "acme.com"}, PROXY),
        ({"HTTPS_PROXY": PROXY, "NO_PROXY": "acme.com,api.github.com"}, ""),
        ({"HTTPS_PROXY": PROXY, "no_proxy": "*"}, ""),
    ],
)
def test_the_proxy_is_the_one_for_the_scheme_of_the_api(variables: dict[str, str], proxy: str) -> None:
    """As curl and Python have it: the lower-case name goes first, also to say that there is none."""
    assert settings.load(NEEDED | variables).proxy == proxy


GHE = "https://ghe.acme.com/api/v3"


@pytest.mark.parametrize(
    ("url", "no_proxy", "direct"),
    [
        (GHE, "", False),
        (GHE, "ghe.acme.com", True),
        (GHE, "GHE.ACME.COM.", True),
        (GHE, "acme.com", True),
        (GHE, ".acme.com", True),
        (GHE, "*.acme.com", True),
        (GHE, "me.com", False),
        (GHE, "e.acme.com", False),
        (GHE, "acme.org, localhost  ghe.acme.com", True),
        (GHE, "x,*", True),
        (GHE, "*acme.com", True),
        (GHE, "ghe.acme.com:443", True),
        (GHE, "ghe.acme.com:8443", False),
        (GHE, "https://ghe.acme.com/", True),
        (GHE, ":443", False),
        (GHE, ".", False),
        ("https://ghe.acme.com:8443/api/v3", "acme.com:8443", True),
        ("http://127.0.0.1:8081", "127.0.0.1", True),
        ("http://127.0.0.1:8081", "localhost,127.0.0.0/8", True),
        ("http://127.0.0.1:8081", "localhost", False),
        ("http://127.0.0.1:8081", "127.0.0.1:8081", True),
        ("http://127.0.0.1:8081", "127.0.0.1:80", False),
        ("http://localhost:8081", "localhost", True),
        ("http://localhost:8081", "127.0.0.1", False),
        ("https://10.1.2.3/api/v3", "10.0.0.0/8", True),
        ("https://10.1.2.3/api/v3", "10.2.0.0/16", False),
        ("http://[::1]:8081", "::1", True),
        ("http://[::1]:8081", "[::1]:8081", True),
        ("http://[::1]:8081", "[::1]:80", False),
        ("http://[::1]:8081", "fe80::/10", False),
    ],
)
def test_no_proxy_excepts_hosts(url: str, no_proxy: str, direct: bool) -> None:
    """Hosts, domains, addresses, networks and ports, separated by commas or blanks; a part of a name is no host."""
    assert setting_urls.is_direct(url, no_proxy) is direct


def test_settings_show_no_password_of_a_proxy() -> None:
    """Neither in a repr, nor in what is logged of it, nor in the sentence about a malformed one."""
    loaded = settings.load(NEEDED | {"HTTPS_PROXY": PROXY})
    assert "hunter2" not in repr(loaded)
    assert setting_urls.proxy_address(loaded.proxy) == "proxy.acme.com:3128"
    assert setting_urls.proxy_address("https://[::1]") == "[::1]:443"
    for url in ("http://me:hunter2@proxy:port", "socks5://me:hunter2@proxy", "http://me:hunter2/@proxy", "http://:€@p"):
        assert "hunter2" not in "".join(problems(HTTPS_PROXY=url))


def test_every_missing_variable_is_said_at_once() -> None:
    """Nothing set, or everything empty: a line for each that is needed, saying what it is."""
    said = [
        "APP_ID is missing: the App ID or the client id on the App's settings page",
        "PRIVATE_KEY or PRIVATE_KEY_PATH is missing: the App's private key in PEM format",
        "WEBHOOK_SECRET or WEBHOOK_SECRET_PATH is missing: the secret that the App's webhooks are signed with",
    ]
    for environ in ({}, {setting.name: "" for setting in SETTINGS}):
        with pytest.raises(InputError) as caught:
            settings.load(environ)
        assert str(caught.value).splitlines() == said


def test_a_malformed_key_is_not_said_to_be_missing_too() -> None:
    """A key that is there and wrong is one problem, not two; other problems stand beside it."""
    assert problems(PRIVATE_KEY="x", PORT="y") == [
        f"PRIVATE_KEY: {NO_KEY}",
        "PORT: 'y' is not a port from 0 (any) to 65535",
    ]


def test_every_setting_has_a_malformed_value_in_the_table_or_takes_any_text() -> None:
    """The table above is whole."""
    tried = {name for name, _, _ in MALFORMED}
    assert {setting.name for setting in SETTINGS if setting.read is not str} == tried


def test_settings_show_no_secret_and_cannot_be_changed() -> None:
    """Neither the key nor the webhook secret is in a repr, such as a traceback's."""
    loaded = settings.load(NEEDED)
    assert "a secret of the tests" not in repr(loaded)
    assert "PRIVATE" not in repr(loaded)
    # Key and secret have two variables each, the proxy has three, and one only says which URL may be set.
    assert len(fields(loaded)) == len(SETTINGS) - 5
    with pytest.raises(FrozenInstanceError):
        setattr(loaded, "port", 1)  # noqa: B010 - mypy refuses the plain form, as it should


def test_the_environment_is_read_where_nothing_else_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    """`load()` and `database()` look at the process's own variables, at the time of the call."""
    for setting in SETTINGS:
        monkeypatch.delenv(setting.name, raising=False)
        monkeypatch.delenv(setting.name.lower(), raising=False)
    assert settings.database() == Path("pointsman.db")
    for name, value in (NEEDED | {"DATABASE_URL": "sqlite:///x.db", "PORT": "81"}).items():
        monkeypatch.setenv(name, value)
    assert settings.load().port == 81
    assert settings.database() == settings.load().database == Path("x.db")
