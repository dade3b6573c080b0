"""What each answer of GitHub means, in GitHub's words: the table is the specification, one row for each answer."""

from __future__ import annotations

import json
import ssl
import time
from email.utils import formatdate
from typing import Any

import aiohttp
import gidgethub
import pytest
from aiohttp.client_reqrep import ConnectionKey

from bot.errors import Blocked, PointsmanError, StaleHead, Transient, Unavailable
from bot.github.answers import (
    LIMITED,
    Limited,
    NoField,
    NotFound,
    QueryTooLarge,
    RequestTooLarge,
    app_refusal,
    commit_refusal,
    fault,
    is_query_limited,
    mutation_refusal,
    no_connection,
    query_error,
    refusal,
)

API = "https://ghe.example.com/api/v3/repos/acme/gitops"
JSON = {"content-type": "application/json; charset=utf-8"}
HTML = {"content-type": "text/html; charset=utf-8"}
A, B = "1" * 40, "2" * 40

SECONDARY = (
    "You have exceeded a secondary rate limit. Please wait a few minutes before you try again. If you reach out to "
    "GitHub Support for help, please include the request ID."
)
BLOCKED_CONTENT = (
    "You have exceeded a secondary rate limit and have been temporarily blocked from content creation. Please retry "
    "your request again later."
)
ABUSE = "You have triggered an abuse detection mechanism. Please wait a few minutes before you try again."
PRIMARY = "API rate limit exceeded for installation ID 25669."
ALREADY = "API rate limit already exceeded for installation ID 25669."
TOO_QUICK = "was submitted too quickly"
ALLOW_LIST = (
    "Although you appear to have the correct authorization credentials, the `acme` organization has an IP allow list "
    "enabled, and your IP address is not permitted to access this resource."
)
SAML = (
    "Resource protected by organization SAML enforcement. You must grant your OAuth token access to this organization."
)
SUSPENDED = "This installation has been suspended"
ARCHIVED = "Repository was archived so is read-only."
INTEGRATION = "Resource not accessible by integration"
BYPASS = "let the App bypass the rule, or take the branch out of it"
PULL_REQUEST = "Changes must be made through a pull request."
NOT_AUTHORIZED = (
    "You're not authorized to push to this branch. Visit https://docs.github.com/articles/about-protected-branches/ "
    "for more information."
)


def body(message: str, **more: Any) -> bytes:
    return json.dumps({"message": message, "documentation_url": "https://docs.github.com/rest", **more}).encode()


def errors(*each: dict[str, Any]) -> bytes:
    return json.dumps({"data": None, "errors": list(each)}).encode()


# -- what an answer is by its status, headers and form

# Stands for a time that is known when the test runs.
IN_900_SECONDS = "in 900 seconds"
LIMITS: list[tuple[int, dict[str, str], bytes, float | None]] = [
    (429, {}, b"", None),
    (429, HTML, b"<html>", None),
    (429, {"retry-after": "7"}, body(SECONDARY), 7),
    (403, {"retry-after": "33"}, body("whatever"), 33),
    (403, {"x-ratelimit-remaining": "0"}, body("whatever"), None),
    (403, {"x-ratelimit-remaining": "0", "x-ratelimit-reset": IN_900_SECONDS}, body(PRIMARY), 900),
    (403, {}, body(SECONDARY), None),
    (403, {}, body(BLOCKED_CONTENT), None),
    (403, {}, body(ABUSE), None),
    (403, {}, body(PRIMARY), None),
    (403, {}, body(ALREADY), None),
    (403, {}, body("This endpoint is temporarily being throttled. Please try again later."), None),
    (403, {}, body(SECONDARY) + b" " * 250_000, None),
    (422, {}, body("Validation Failed", errors=[{"code": "custom", "message": TOO_QUICK}]), None),
    (200, {"retry-after": "60"}, errors({"message": "wait"}), 60),
    (200, {"x-ratelimit-remaining": "0"}, errors({"message": "wait"}), None),
    (200, {}, body(SECONDARY), None),
]


@pytest.mark.parametrize(("status", "headers", "sent", "pause"), LIMITS)
def test_a_limit_is_known_by_status_headers_or_sentence(
    status: int, headers: dict[str, str], sent: bytes, pause: float | None
) -> None:
    """Of a token, of REST and of GraphQL alike; for how long is in the headers, or nowhere."""
    reset = str(int(time.time()) + 900)
    headers = {name: reset if value == IN_900_SECONDS else value for name, value in headers.items()}
    error = fault(API, status, {**JSON, **headers}, sent)
    assert isinstance(error, Limited)
    assert str(error) == LIMITED
    assert error.retry_after == (None if pause is None else pytest.approx(pause, abs=5))


@pytest.mark.parametrize(
    ("status", "headers", "sent"),
    [
        (200, {}, body(SECONDARY, sha="a commit's message may be anything")),
        (200, {"retry-after": "60"}, b'{"data": {"text": "secondary rate limit"}}'),
        (200, {"retry-after": "60"}, b'{"errors": ' + b"[" * 100_000),
        (200, {"x-ratelimit-remaining": "0"}, errors({"type": "NOT_FOUND", "message": "no"})),
        (404, {}, body(SECONDARY)),
        (403, {"x-ratelimit-remaining": "many"}, body(INTEGRATION)),
        (403, {}, body(INTEGRATION, documentation_url="https://docs.github.com/rest#secondary-rate-limits")),
        (403, {}, b" " * 250_000 + body(SECONDARY)),
        (409, {}, body(f"{SECONDARY}.yaml does not match {'1' * 40}")),
        (409, {}, body(f"{SECONDARY}{'x' * 4096}.yaml does not match {'1' * 40}")),
        (422, {}, body(f"Repository rule violations found\n\nCommit message must start with {SECONDARY}")),
        (409, {}, body(f"Required status check '{SECONDARY}' is expected. Protected branch update failed")),
    ],
)
def test_what_only_looks_like_a_limit_is_none(status: int, headers: dict[str, str], sent: bytes) -> None:
    """A file's text may have the words, a header may be there beside an answer, and only a beginning is looked at."""
    assert fault(API, status, {**JSON, **headers}, sent) is None


@pytest.mark.parametrize(
    ("error", "limited"),
    [
        ({"type": "RATE_LIMITED", "message": PRIMARY}, True),
        ({"type": "RATE_LIMIT", "message": "x"}, True),
        ({"message": "x", "extensions": {"code": "graphql_rate_limit"}}, True),
        ({"message": "x", "code": "graphql_rate_limit"}, True),
        ({"message": SECONDARY}, True),
        ({"message": ALREADY}, True),
        ({"message": ABUSE}, True),
        ({"type": "UNPROCESSABLE", "message": TOO_QUICK}, True),
        ({"type": "FORBIDDEN", "message": SECONDARY}, True),
        ({"type": "NOT_FOUND", "message": f"Could not resolve to a Repository with the name 'a/{ABUSE}'."}, False),
        ({"type": "STALE_DATA", "message": SECONDARY}, False),
        ({"type": "UNPROCESSABLE", "message": f"Repository rule violations found\n\n{SECONDARY}"}, False),
        ({"type": [], "message": {}, "extensions": 5}, False),
        ({"message": "Something went wrong while executing your query."}, False),
    ],
)
def test_a_limit_in_a_graphql_answer_is_known_by_type_code_or_sentence(error: dict[str, Any], limited: bool) -> None:
    """They come with status 200."""
    assert is_query_limited(error) == limited


WIRE: list[tuple[int, dict[str, str], bytes, type[Transient] | None, str]] = [
    (502, HTML, b"<html>", Transient, "GitHub answered 502"),
    (407, HTML, b"<html>", Transient, "the proxy before ghe.example.com wants to know who asks (407)"),
    (413, HTML, b"<html>", RequestTooLarge, "ghe.example.com, or a proxy before it, does not take so large a request"),
    (200, HTML, b"<html>", Transient, "this is not GitHub's API: ghe.example.com answered 200 with HTML; something on"),
    (403, HTML, b"<html>", Transient, "this is not GitHub's API: ghe.example.com answered 403 with HTML; something on"),
    (401, HTML, b"<html>", Transient, "this is not GitHub's API: ghe.example.com answered 401 with HTML"),
    (404, HTML, b"<html>", Transient, "or GITHUB_API_URL is not the API's own address"),
    (403, {"content-type": "text/plain"}, b"no", Transient, "answered 403 with text/plain"),
    (406, HTML, b"<html>", None, ""),
    (404, {}, b"", None, ""),
    (200, {"content-type": "application/vnd.github.v3+json"}, b"{}", None, ""),
    (204, {}, b"", None, ""),
]


@pytest.mark.parametrize(("status", "headers", "sent", "kind", "sentence"), WIRE)
def test_what_is_no_answer_of_githubs_is_said_with_status_and_host(
    status: int, headers: dict[str, str], sent: bytes, kind: type[Transient] | None, sentence: str
) -> None:
    """A firewall's page is no lack of permissions, and goes away when it is mended."""
    error = fault(API, status, headers, sent)
    assert type(error) is (kind or type(None))
    assert sentence in str(error)


# -- access, by REST and by GraphQL

ACCESS: list[tuple[int, str, type[PointsmanError], bool | None, str]] = [
    (401, "Bad credentials", Transient, None, "GitHub refuses our token: Bad credentials"),
    (403, INTEGRATION, Unavailable, False, f"{INTEGRATION}; accept the App's permissions (it needs contents=write)"),
    (403, SUSPENDED, Unavailable, True, "; unsuspend the App's installation"),
    (403, "Sorry. Your account was suspended.", Unavailable, True, "suspended; unsuspend the App's installation"),
    (403, ARCHIVED, Unavailable, True, "read-only; unarchive the repository"),
    (403, ALLOW_LIST, Unavailable, True, "; add the address of this server to the organization's IP allow list"),
    (403, SAML, Unavailable, True, "single sign-on"),
    (403, "Repository access blocked", Unavailable, True, "GitHub's support"),
    (451, "Repository access blocked", Unavailable, True, "GitHub's support"),
    (451, "Repository unavailable due to DMCA takedown.", Unavailable, True, "GitHub's support"),
    (403, "Must have admin rights to Repository.", Unavailable, False, "accept the App's permissions"),
    (403, "Request forbidden by administrative rules. Please make sure your request has a User-Agent header",
     Unavailable, False, "a proxy on the way takes the User-Agent header away"),
    (403, "Something", Unavailable, False, "GitHub forbids it: Something; look at the App's permissions and at"),
    (422, "The permissions requested are not granted to this installation.", Unavailable, False,
     "accept the App's permissions"),
    (422, "There is at least one repository that does not exist or is not accessible to the parent installation.",
     Unavailable, False, "add the repository to the App's installation"),
    (422, f"No commit found for SHA: {A}", Transient, None, "not all of its servers know the commit yet"),
    (404, "Not Found", NotFound, False, "the App is not installed there, or the repository is gone"),
    (409, "Git Repository is empty.", NotFound, False, "There is no commit yet"),
    (406, "Not Acceptable", Unavailable, False, "on Enterprise Server https://HOST/api/v3"),
    (410, "Gone", Unavailable, False, "GitHub answered 410: Gone"),
]  # fmt: skip


@pytest.mark.parametrize(("status", "said", "kind", "certain", "sentence"), ACCESS)
def test_a_refusal_names_what_was_said_and_who_has_to_do_what(
    status: int, said: str, kind: type[PointsmanError], certain: bool | None, sentence: str
) -> None:
    """By the sentence, not by the status; `certain` where the sentence excludes that it passes within seconds."""
    error = refusal(status, said, {"x-accepted-github-permissions": "contents=write"})
    assert type(error) is kind
    assert sentence in str(error)
    assert getattr(error, "certain", None) == certain


QUERIES: list[tuple[dict[str, Any], type[PointsmanError], bool | None, str]] = [
    ({"type": "NOT_FOUND", "message": "Could not resolve to a Repository with the name 'a/b'."}, NotFound, False,
     "install the App there, or fix the name"),
    ({"type": "FORBIDDEN", "message": INTEGRATION}, Unavailable, False, "accept the App's permissions"),
    ({"message": INTEGRATION}, Unavailable, False, "accept the App's permissions"),
    ({"type": "FORBIDDEN", "message": ALLOW_LIST}, Unavailable, True, "IP allow list"),
    ({"type": "FORBIDDEN", "message": SAML, "extensions": {"saml_failure": True}}, Unavailable, True, "single sign-on"),
    ({"type": "INSUFFICIENT_SCOPES", "message": "Your token has not been granted the required scopes"}, Unavailable,
     False, "look at the App's permissions"),
    ({"type": "RATE_LIMIT", "message": "x"}, Limited, None, LIMITED),
    ({"type": "RESOURCE_LIMITS_EXCEEDED", "message": "Resource limits for this query exceeded."}, QueryTooLarge, None,
     "Resource limits for this query exceeded"),
    ({"message": "x", "extensions": {"code": "RESOURCE_LIMITS_EXCEEDED"}}, QueryTooLarge, None, "x"),
    ({"message": "Something went wrong while executing your query. This may be the result of a timeout, or it could be "
      "a GitHub bug. Please include `A:B` when reporting this issue."}, QueryTooLarge, None, "Something went wrong"),
    ({"message": "Field 'createCommitOnBranch' doesn't exist on type 'Mutation'",
      "extensions": {"code": "undefinedField", "typeName": "Mutation"}}, NoField, None, "createCommitOnBranch"),
    ({"message": "Field 'createCommitOnBranch' doesn't exist on type 'Mutation'"}, NoField, None, "lacks what"),
    ({"message": "x", "extensions": {"code": "argumentNotAccepted"}}, NoField, None, "x"),
    ({"message": "CreateCommitOnBranchInput isn't a defined input type (on $input)",
      "extensions": {"code": "variableRequiresValidType"}}, NoField, None, "CreateCommitOnBranchInput"),
    ({"message": "Something else"}, Transient, None, "GitHub's GraphQL API answered: Something else"),
    ({"type": [], "message": None, "extensions": []}, Transient, None, "GitHub's GraphQL API answered"),
]  # fmt: skip


@pytest.mark.parametrize(("error", "kind", "certain", "sentence"), QUERIES)
def test_an_error_of_graphql_is_known_by_type_code_or_sentence(
    error: dict[str, Any], kind: type[PointsmanError], certain: bool | None, sentence: str
) -> None:
    """The same remedies as by REST; what the server lacks, and what is too much for it, is asked for otherwise."""
    made = query_error(error)
    assert type(made) is kind
    assert sentence in str(made)
    assert getattr(made, "certain", None) == certain


# -- the App itself

NOW = 1_790_000_000.0
DATE = formatdate(NOW, usegmt=True)
IAT = "'Issued at' claim ('iat') must be an Integer representing the time that the assertion was issued"
EXP = "'Expiration time' claim ('exp') is too far in the future"
EXPIRED = (
    "'Expiration time' claim ('exp') must be a numeric value representing the future time at which the assertion "
    "expires"
)
COMPARE = "; compare APP_ID and PRIVATE_KEY with its page"


@pytest.mark.parametrize(
    ("status", "said", "date", "ahead", "sentence"),
    [
        (401, IAT, DATE, 130, "; the clock of this machine is 130 s ahead of GitHub's: set it"),
        (401, EXP, DATE, 3700, "; the clock of this machine is 3,700 s ahead of GitHub's: set it"),
        (401, EXPIRED, DATE, -900, "; the clock of this machine is 900 s behind GitHub's: set it"),
        (401, IAT, None, 130, "; the clock of this machine differs from GitHub's: set it"),
        (401, IAT, "yesterday", 130, "; the clock of this machine differs from GitHub's: set it"),
        (401, "A JSON web token could not be decoded", DATE, 130, COMPARE),
        (401, "Integration not found", DATE, 0, COMPARE),
        (404, "Integration not found", None, 0, COMPARE),
    ],
)
def test_credentials_that_github_does_not_take_are_told_with_the_reason(
    status: int, said: str, date: str | None, ahead: float, sentence: str
) -> None:
    """A clock that is off is not mended by comparing keys."""
    headers = {"date": date} if date else {}
    error = app_refusal(gidgethub.BadRequest(status, said, headers=headers), NOW + ahead)  # type: ignore[arg-type]
    assert type(error) is Transient
    assert str(error) == f"GitHub does not take the App's credentials: {said}{sentence}"


@pytest.mark.parametrize(
    ("status", "said", "kind", "sentence"),
    [
        (403, SUSPENDED, Unavailable, "unsuspend the App's installation"),
        (403, ALLOW_LIST, Unavailable, "IP allow list"),
        (404, "Not Found", NotFound, "the App is not installed there"),
    ],
)
def test_the_app_is_refused_access_in_the_same_words(
    status: int, said: str, kind: type[PointsmanError], sentence: str
) -> None:
    """A token that is not made is a matter of the installation, not of the key."""
    error = app_refusal(gidgethub.BadRequest(status, said))  # type: ignore[arg-type]
    assert type(error) is kind
    assert sentence in str(error)


# -- a commit

RULES: list[tuple[str, str]] = [
    (PULL_REQUEST, BYPASS),
    (f"Repository rule violations found\n\n{PULL_REQUEST}\n\n", BYPASS),
    ("Protected branch update failed for refs/heads/main.", BYPASS),
    ("protected branch 'main' check failed", BYPASS),
    ('Required status check "ci" is expected.', BYPASS),
    ("3 of 3 required status checks are expected.", BYPASS),
    ("At least 1 approving review is required by reviewers with write access.", BYPASS),
    ("Cannot update this protected ref.", BYPASS),
    (NOT_AUTHORIZED, "let the App push to the branch: add it to those who may"),
    ("Commits must have verified signatures.", "leave `author` and `committer` out of the mapping file's `commit`"),
    ("Changes must be made through the merge queue", "let the App bypass the merge queue"),
    ("Repository rule violations found\n\nFile path is restricted: ci/x.yaml\n\n", "a ruleset for pushes"),
    ("File size 12 MB exceeds the limit", "a ruleset for pushes"),
    ("File extension .exe is not allowed", "a ruleset for pushes"),
    ("Branch is locked", "unlock the branch"),
    ("Repository rule violations found\n\nSecret detected in content\n\n", "look at the value"),
    ("push declined due to repository rule violations: Push cannot contain secrets", "look at the value"),
    ("Commit message must match a given regex pattern: ^JIRA", "the mapping file's `commit` must be as the rule wants"),
    ("refusing to allow a GitHub App to create or update workflow `x` without `workflows` permission",
     "leave the file out of the rules"),
]  # fmt: skip


@pytest.mark.parametrize(("said", "remedy"), RULES)
def test_a_rule_of_a_branch_is_known_by_its_sentence_in_either_api(said: str, remedy: str) -> None:
    """Whatever status or type it comes with, or none: its words on one line, and what to do."""
    made = [commit_refusal(status, said) for status in (403, 409, 422)]
    made += [
        mutation_refusal({"message": said, **kind}) for kind in ({}, {"type": "FORBIDDEN"}, {"type": "UNPROCESSABLE"})
    ]
    for error in made:
        assert type(error) is Blocked
        assert remedy in str(error)
        assert "\n" not in str(error)
    assert {str(error) for error in made} == {str(made[0])}


def test_each_of_several_rules_gets_its_remedy() -> None:
    """A ruleset lists them all; the one that is mended alone would not help."""
    said = f"Repository rule violations found\n\n{PULL_REQUEST}\n\nCommits must have verified signatures.\n\n"
    told = str(commit_refusal(422, said))
    assert BYPASS in told
    assert "so that GitHub signs it" in told
    assert "found: Changes must be made through a pull request, Commits must have verified signatures;" in told


STALE = [
    f"is at {A} but expected {B}",
    f"Ref refs/heads/main is at {A} but expected {B}",
    f"README.md does not match {A}",
    "Update is not a fast forward",
    'Invalid request.\n\n"sha" wasn\'t supplied.',
    "Reference does not exist",
    f'Expected branch to point to "{A}" but it did not.  Pull and try again.',
]


@pytest.mark.parametrize("said", STALE)
def test_a_lost_race_is_known_by_its_sentence_in_either_api(said: str) -> None:
    """Whatever status or type it comes with, or none."""
    made = [commit_refusal(status, said) for status in (403, 409, 422, 423)]
    made += [
        mutation_refusal({"message": said, **kind}) for kind in ({}, {"type": "UNPROCESSABLE"}, {"type": "STALE_DATA"})
    ]
    assert [type(error) for error in made] == [StaleHead] * 7


@pytest.mark.parametrize(
    ("status", "said", "kind"),
    [
        (409, "Reference update failed", Blocked),
        (422, "Reference cannot be updated", Blocked),
        (423, "Locked", Blocked),
        (422, "Anything that nobody knows", Blocked),
        (422, "Tree SHA does not exist", Transient),
        (422, "Object does not exist", Transient),
        (403, INTEGRATION, Unavailable),
        (403, ALLOW_LIST.replace("acme", "secrets-in-a-file path"), Unavailable),
        (403, ARCHIVED, Unavailable),
        (403, "Anything that nobody knows", Unavailable),
        (404, "Not Found", NotFound),
        (409, "Git Repository is empty.", NotFound),
        (401, "Bad credentials", Transient),
    ],
)
def test_other_refusals_of_a_commit_by_rest(status: int, said: str, kind: type[PointsmanError]) -> None:
    """A rule until the head was compared, a server that does not know the object yet, or no access."""
    assert type(commit_refusal(status, said)) is kind


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        ({"type": "STALE_DATA", "message": "x"}, StaleHead),
        ({"type": "UNPROCESSABLE", "message": "x"}, Blocked),
        ({"type": "BRANCH_PROTECTION_RULE_VIOLATION", "message": "x"}, Blocked),
        ({"type": "UNPROCESSABLE", "message": ARCHIVED}, Unavailable),
        ({"type": "FORBIDDEN", "message": INTEGRATION}, Unavailable),
        ({"type": "NOT_FOUND", "message": "Branch 'x' does not exist in acme/gitops"}, NotFound),
        ({"message": "Something went wrong while executing your query."}, QueryTooLarge),
        ({"message": "Anything that nobody knows"}, Transient),
    ],
)
def test_other_errors_of_the_mutation(error: dict[str, Any], kind: type[PointsmanError]) -> None:
    """Without a type, and with words that nobody knows, it may have landed."""
    assert type(mutation_refusal(error)) is kind


# -- no answer at all

KEY = ConnectionKey("proxy.example.com", 3128, False, True, None, None, None)
PLACE = ConnectionKey("ghe.example.com", 443, True, True, None, None, None)


def certificate(message: str) -> aiohttp.ClientError:
    inner = ssl.SSLCertVerificationError(1, f"certificate verify failed: {message}")
    inner.verify_message = message
    return aiohttp.ClientConnectorCertificateError(PLACE, inner)


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (aiohttp.ClientConnectorDNSError(PLACE, OSError(-2, "Name or service not known")),
         "the name ghe.example.com is not known here (DNS): look at GITHUB_API_URL and at this machine's name servers"),
        (aiohttp.ClientConnectorError(PLACE, ConnectionRefusedError(111, "Connect call failed")),
         "ghe.example.com:443 cannot be reached (connection refused): nothing listens there"),
        (aiohttp.ClientConnectorError(PLACE, OSError(101, "Network is unreachable")),
         "ghe.example.com:443 cannot be reached (Network is unreachable)"),
        (certificate("self-signed certificate"),
         "the certificate of ghe.example.com is not taken (self-signed certificate): set SSL_CERT_FILE to a bundle"),
        (certificate("Hostname mismatch, certificate is not valid for 'ghe.example.com'."),
         "GITHUB_API_URL must have the name that is in the certificate"),
        (certificate("certificate has expired"), "renew it, or set the clock of this machine"),
        (aiohttp.ClientConnectorSSLError(PLACE, ssl.SSLError(1, "[SSL: WRONG_VERSION_NUMBER] wrong version number")),
         "ghe.example.com does not speak TLS as it should"),
        (aiohttp.ClientProxyConnectionError(KEY, ConnectionRefusedError(111, "Connect call failed")),
         "the proxy proxy.example.com:3128 cannot be reached (connection refused): look at HTTPS_PROXY"),
        (aiohttp.ClientHttpProxyError(None, (), status=407, message="x"),  # type: ignore[arg-type]
         "the proxy before ghe.example.com wants to know who asks (407): put user and password into HTTPS_PROXY"),
        (aiohttp.ClientHttpProxyError(None, (), status=403, message="x"),  # type: ignore[arg-type]
         "the proxy before ghe.example.com answered 403: let it connect to that host"),
        (aiohttp.ServerDisconnectedError(), "ghe.example.com closed it before it had answered"),
        (aiohttp.ClientOSError(104, "Connection reset by peer"), "ghe.example.com broke it off (Connection reset"),
        (aiohttp.ClientPayloadError("x"), "the answer of ghe.example.com is cut off"),
        (aiohttp.ClientError("hunter2"), "ghe.example.com: ClientError"),
    ],
)  # fmt: skip
def test_a_connection_that_fails_is_told_with_host_and_cause(error: aiohttp.ClientError, sentence: str) -> None:
    """A class name alone helps nobody, and an address whole may hold a secret."""
    told = no_connection(error, "https://user:hunter2@ghe.example.com/api/v3/x?token=hunter2")
    assert told.startswith("no connection to GitHub: ")
    assert sentence in told
    assert "hunter2" not in told
