"""The App's JSON web tokens, installation tokens and what they reach."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import jwt
import pytest

from bot.github.auth import app_api
from bot.sandbox import App

if TYPE_CHECKING:
    from sandbox_ends import Client

    from bot.sandbox import Repository, Sandbox

NOW = 1_800_000_000


async def test_the_app_sees_itself_with_its_own_token(client: Client) -> None:
    """A right JSON web token opens the App's own resources, with the App's id or client id as issuer."""
    for issuer in (str(client.sandbox.app.id), client.sandbox.app.client_id):
        reply = await client("GET", "/app", token=client.jwt(iss=issuer))
        assert (reply.status, reply.data["slug"]) == (200, "pointsman")


@pytest.mark.parametrize(
    ("claims", "status", "message"),
    [
        ({"iss": "99"}, 404, "Integration not found"),
        ({"exp": NOW - 1}, 401, "'Expiration time' claim ('exp') must be a numeric value"),
        ({"exp": NOW + 3600}, 401, "'Expiration time' claim ('exp') is too far in the future"),
        ({"exp": NOW + 602}, 401, "'Expiration time' claim ('exp') is too far in the future"),
        ({"iat": NOW + 300}, 401, "'Issued at' claim ('iat') must be an Integer"),
        ({"iat": NOW + 1}, 401, "'Issued at' claim ('iat') must be an Integer"),
    ],
)
async def test_a_wrong_claim_is_refused_by_name(client: Client, claims: Any, status: int, message: str) -> None:
    """Each claim that GitHub checks is checked, and the refusal names it."""
    client.sandbox.clock = lambda: float(NOW)
    reply = await client("GET", "/app", token=client.jwt(**claims))
    assert (reply.status, reply.data["message"][: len(message)]) == (status, message)


async def test_our_own_client_passes_with_time_to_spare(client: Client) -> None:
    """The bot's token is taken by a GitHub whose clock is 50 seconds behind or ahead of ours."""
    sandbox = client.sandbox
    api = app_api(client.session, sandbox.url, sandbox.app.id, sandbox.app.private_key)
    for drift in (-50, 50):
        sandbox.clock = lambda drift=drift: time.time() + drift  # type: ignore[misc]
        assert (await api.getitem("/app"))["slug"] == "pointsman"


async def test_a_foreign_signature_is_refused(client: Client) -> None:
    """A token signed by another key cannot be decoded."""
    now = int(time.time())
    claims = {"iss": str(client.sandbox.app.id), "iat": now, "exp": now + 60}
    token = jwt.encode(claims, App().private_key, "RS256")
    reply = await client("GET", "/app", token=token)
    assert (reply.status, reply.data["message"]) == (401, "A JSON web token could not be decoded")


async def test_each_door_wants_its_own_key(client: Client) -> None:
    """An installation token does not open the App's resources, nor the App's token a repository."""
    assert (await client("GET", "/app")).status == 401
    assert (await client("GET", "/repos/acme/gitops", token=client.jwt())).status == 401
    assert (await client("GET", "/repos/acme/gitops", token="")).status == 404
    assert (await client("GET", "/repos/acme/gitops", token="ghs_unknown")).data["message"] == "Bad credentials"
    assert (await client("GET", "/installation/repositories", token="")).status == 401


async def test_installations_are_found_by_list_id_and_repository(client: Client) -> None:
    """The three ways to an installation give the same."""
    token = client.jwt()
    [listed] = (await client("GET", "/app/installations", token=token)).data
    by_id = (await client("GET", f"/app/installations/{listed['id']}", token=token)).data
    by_repository = (await client("GET", "/repos/acme/gitops/installation", token=token)).data
    assert (listed, listed) == (by_id, by_repository)
    assert (await client("GET", "/app/installations/1", token=token)).status == 404
    assert (await client("GET", "/repos/acme/nothing/installation", token=token)).status == 404


async def test_a_token_is_narrowed_to_repositories_and_permissions(client: Client, gitops: Repository) -> None:
    """A narrowed token reaches only its repositories, by either way to name them, and only with its permissions."""
    other = client.sandbox.create_repository("acme/other", {"a": "b"})
    for narrowed in ({"repository_ids": [gitops.id]}, {"repositories": ["gitops"]}):
        token = await client.new_token(**narrowed, permissions={"contents": "read"})
        assert (await client("GET", "/repos/acme/gitops/contents/README.md", token=token)).status == 200
        assert (await client("GET", f"/repos/{other.full_name}", token=token)).status == 404
        body = {"ref": "refs/heads/new", "sha": gitops.head()}
        refused = await client("POST", "/repos/acme/gitops/git/refs", body, token=token)
        assert (refused.status, refused.data["message"]) == (403, "Resource not accessible by integration")
        [seen] = (await client("GET", "/installation/repositories", token=token)).data["repositories"]
        assert seen["full_name"] == "acme/gitops"
    last = client.sandbox.requests[-1]
    assert (last.installation, dict(last.permissions)) == (25669, {"contents": "read", "metadata": "read"})


@pytest.mark.parametrize(
    "narrowed",
    [
        {"permissions": {"administration": "write"}},
        {"permissions": {"metadata": "write"}},
        {"repositories": ["gitops", "unknown"]},
        {"repository_ids": [1]},
    ],
)
async def test_a_token_for_more_than_granted_is_refused(client: Client, narrowed: Any) -> None:
    """What the installation does not have cannot be asked for."""
    reply = await client("POST", "/app/installations/25669/access_tokens", narrowed, token=client.jwt())
    assert reply.status == 422


async def test_a_token_ends_after_an_hour(client: Client) -> None:
    """The token says when it expires, and then it is a bad credential."""
    reply = await client("POST", "/app/installations/25669/access_tokens", token=client.jwt())
    token, began = reply.data["token"], time.time()
    assert (await client("GET", "/repos/acme/gitops", token=token)).status == 200
    client.sandbox.clock = lambda: began + 3601
    assert (await client("GET", "/repos/acme/gitops", token=token)).status == 401


async def test_a_suspended_installation_gets_nothing(client: Client) -> None:
    """Neither new tokens nor those given before work while an installation is suspended."""
    client.sandbox.installations["acme"].suspended = True
    assert (await client("GET", "/repos/acme/gitops")).status == 403
    reply = await client("POST", "/app/installations/25669/access_tokens", token=client.jwt())
    assert reply.status == 403


async def test_a_public_repository_is_read_by_all_and_written_by_its_own(client: Client) -> None:
    """Without installation a public repository can be read, with no credentials too, but not written."""
    sandbox: Sandbox = client.sandbox
    repo = sandbox.create_repository("globex/site", {"a": "b"}, private=False, installed=False)
    for token in (client.token, ""):
        assert (await client("GET", "/repos/globex/site/contents/a", token=token)).status == 200
    body = {"ref": "refs/heads/new", "sha": repo.head()}
    assert (await client("POST", "/repos/globex/site/git/refs", body)).status == 403
    assert (await client("POST", "/repos/globex/site/git/refs", body, token="")).status == 401
    assert (await client("GET", "/repos/globex/site/installation", token=client.jwt())).status == 404
    assert (await client("POST", "/repos/globex/site/git/refs", body, token=sandbox.user_token)).status == 201


async def test_a_repository_is_found_by_id_and_in_any_case(client: Client, gitops: Repository) -> None:
    """The id survives, and names are compared without case."""
    for path in (f"/repositories/{gitops.id}", "/repos/Acme/GitOps"):
        assert (await client("GET", path)).data["id"] == gitops.id
    assert (await client("GET", "/repositories/1")).status == 404
