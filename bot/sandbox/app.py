"""Who may call: the App and its JSON web tokens, installation tokens and what they reach, the one user's token."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key

from bot.sandbox.answers import ApiError
from bot.sandbox.objects import Person

if TYPE_CHECKING:
    from collections.abc import Mapping

LEVELS = {"read": 1, "write": 2, "admin": 3}
TOKEN_SECONDS = 3600
# The `exp` is ten minutes ahead at most, and the `iat` "60 seconds in the past" for clocks that drift. GitHub documents
# no tolerance beyond that, so there is none here:
# https://docs.github.com/en/apps/creating-github-apps/authenticating-with-a-github-app/generating-a-json-web-token-jwt-for-a-github-app
MAX_JWT_SECONDS = 600
EVENTS = ("push", "repository", "repository_dispatch")
PERMISSIONS = {
    "checks": "write",
    "contents": "write",
    "deployments": "write",
    "issues": "write",
    "members": "read",
    "metadata": "read",
    "pull_requests": "write",
}


def _new_private_key() -> str:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()).decode()


@cache
def _public_key(private_key: str) -> rsa.RSAPublicKey:
    """Load a key once: it takes longer than all else that answers a request."""
    loaded = load_pem_private_key(private_key.encode(), None)
    if not isinstance(loaded, rsa.RSAPrivateKey):
        raise TypeError("the App's key must be RSA, as GitHub's are")
    return loaded.public_key()


@dataclass
class App:
    """The GitHub App. What is not given is made: a 2048-bit RSA key (PEM) and a webhook secret."""

    id: int = 1
    slug: str = "pointsman"
    private_key: str = field(default_factory=_new_private_key, repr=False)
    webhook_secret: str = field(default_factory=lambda: secrets.token_hex(20), repr=False)
    permissions: dict[str, str] = field(default_factory=lambda: dict(PERMISSIONS))
    events: tuple[str, ...] = EVENTS

    @property
    def login(self) -> str:
        """The login of the App's bot user."""
        return f"{self.slug}[bot]"

    @property
    def client_id(self) -> str:
        """The App's client id, which may stand for its id in a JSON web token."""
        return f"Iv23li{self.id:014d}"

    @property
    def bot_id(self) -> int:
        """The id of the App's bot user, which is not the App's own id."""
        return 41898282 + self.id

    @property
    def bot(self) -> Person:
        """The bot user as GitHub writes it into commits."""
        return Person(self.login, f"{self.bot_id}+{self.login}@users.noreply.github.com")

    def verify(self, token: str, now: float) -> None:
        """Raise ApiError 401 unless `token` is a JWT of this App that GitHub would take at `now` (epoch seconds).

        Rules: docs.github.com, "Generating a JSON Web Token (JWT) for a GitHub App".
        """
        public = _public_key(self.private_key)
        try:
            claims = jwt.decode(
                token,
                public,
                algorithms=["RS256"],
                options={"verify_exp": False, "verify_iat": False, "verify_nbf": False, "verify_iss": False},
            )
        except jwt.InvalidTokenError:
            raise ApiError(401, "A JSON web token could not be decoded") from None
        if str(claims.get("iss")) not in {str(self.id), self.client_id}:
            raise ApiError(404, "Integration not found")
        _check_times(claims, now)


def _check_times(claims: Mapping[str, Any], now: float) -> None:
    expires, issued = claims.get("exp"), claims.get("iat")
    if not isinstance(expires, int | float) or expires <= now:
        message = "must be a numeric value representing the future time at which the assertion expires"
        raise ApiError(401, f"'Expiration time' claim ('exp') {message}")
    if expires > now + MAX_JWT_SECONDS:
        raise ApiError(401, "'Expiration time' claim ('exp') is too far in the future")
    if not isinstance(issued, int | float) or issued > now:
        message = "must be an Integer representing the time that the assertion was issued"
        raise ApiError(401, f"'Issued at' claim ('iat') {message}")


@dataclass(frozen=True)
class Grant:
    """What a caller proved to be: the App itself, one of its installations, or the user.

    `kind` is "app", "installation" or "user"; `repositories` are the ids a token reaches, None meaning all of its
    installation's (of everything, for the user).
    """

    kind: str
    login: str
    permissions: Mapping[str, str] = field(default_factory=dict)
    installation: int | None = None
    repositories: frozenset[int] | None = None
    expires: float | None = None

    def allows(self, permission: str, level: str) -> bool:
        """Say whether `permission` was granted at `level` (read, write, admin) or above."""
        return LEVELS.get(self.permissions.get(permission, ""), 0) >= LEVELS[level]


def new_token(prefix: str) -> str:
    """Give a token of GitHub's form: `ghs_` for installations, `ghp_` for people, then 36 characters."""
    return prefix + secrets.token_hex(18)
