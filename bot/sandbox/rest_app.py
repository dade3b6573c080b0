"""What the App asks about itself: its installations, their tokens, its webhook deliveries, its limits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bot.sandbox.answers import Answer, ApiError, not_found
from bot.sandbox.app import LEVELS, TOKEN_SECONDS, Grant, new_token
from bot.sandbox.call import Call, Route
from bot.sandbox.shapes import timestamp
from bot.sandbox.webhooks import delivery_json

if TYPE_CHECKING:
    from bot.sandbox.installation import Installation


def get_app(call: Call) -> Answer:
    """Give the App itself."""
    return Answer(200, call.shapes.app())


def list_installations(call: Call) -> Answer:
    """List the App's installations."""
    page, headers = call.page(list(call.sandbox.installations.values()))
    return Answer(200, [call.shapes.installation(found) for found in page], headers)


def get_installation(call: Call) -> Answer:
    """Give one installation."""
    return Answer(200, call.shapes.installation(_installation(call)))


def get_repository_installation(call: Call) -> Answer:
    """Give the installation that reaches a repository."""
    number = call.params.get("repository")
    sandbox = call.sandbox
    repo = sandbox.repository_by_id(int(number)) if number else sandbox.find_repository(call.name, former=True)
    installation = sandbox.installation_of(repo) if repo else None
    if repo is None or installation is None:
        raise not_found()
    call.follow(repo)
    return Answer(200, call.shapes.installation(installation))


def _installation(call: Call) -> Installation:
    found = call.sandbox.installation_by_id(int(call.params["id"]))
    if found is None:
        raise not_found()
    return found


def create_token(call: Call) -> Answer:
    """Make an installation token, narrowed to what the body asks for.

    docs.github.com/rest/apps/apps#create-an-installation-access-token-for-an-app
    """
    installation = _installation(call)
    if call.sandbox.lag.hides_installation(installation.id):
        raise not_found()
    if installation.suspended:
        raise ApiError(403, "This installation has been suspended")
    body = call.body if call.data is not None else {}
    permissions = _narrowed_permissions(installation, body)
    chosen = _chosen_repositories(installation, body)
    expires = call.sandbox.clock() + TOKEN_SECONDS
    token = new_token("ghs_")
    reach = None if chosen is None else frozenset(repo.id for repo in chosen)
    login = call.sandbox.app.login
    grant = Grant("installation", login, permissions, installation.id, reach, expires)
    call.sandbox.tokens[token] = grant
    call.sandbox.lag.made("token", token)
    answer: dict[str, Any] = {
        "token": token,
        "expires_at": timestamp(expires),
        "permissions": permissions,
        "repository_selection": installation.selection if chosen is None else "selected",
    }
    if chosen is not None:
        answer["repositories"] = [call.shapes.repository(repo, grant) for repo in chosen]
    return Answer(201, answer)


def _narrowed_permissions(installation: Installation, body: dict[str, Any]) -> dict[str, str]:
    has, asked = installation.granted(), body.get("permissions")
    if not asked:
        return has
    for name, level in asked.items():
        if level not in LEVELS or LEVELS.get(has.get(name, ""), 0) < LEVELS[level]:
            raise ApiError(422, "The permissions requested are not granted to this installation.")
    # Every token may read metadata: GitHub grants it with any other permission.
    return {**asked, "metadata": "read"}


def _chosen_repositories(installation: Installation, body: dict[str, Any]) -> list[Any] | None:
    ids, names = body.get("repository_ids"), body.get("repositories")
    if not ids and not names:
        return None
    reachable = installation.repositories()
    chosen = [repo for repo in reachable if repo.id in (ids or ()) or repo.name in (names or ())]
    if len(chosen) < len({*(ids or ()), *(names or ())}):
        raise ApiError(
            422,
            "There is at least one repository that does not exist or is not accessible to the parent installation.",
        )
    return chosen


def list_installation_repositories(call: Call) -> Answer:
    """List the repositories that the token reaches."""
    grant = call.caller
    installation = call.sandbox.installation_by_id(grant.installation or 0)
    if installation is None:
        raise ApiError(403, "You must authenticate with an installation access token in order to list repositories.")
    reachable = installation.repositories()
    repos = [repo for repo in reachable if grant.repositories is None or repo.id in grant.repositories]
    page, headers = call.page(repos)
    body = {
        "total_count": len(repos),
        "repository_selection": installation.selection,
        "repositories": [call.shapes.repository(repo, grant) for repo in page],
    }
    return Answer(200, body, headers)


def list_deliveries(call: Call) -> Answer:
    """List webhook deliveries, newest first; the cursor is the id of the last one on the page before."""
    size = min(int(call.query.get("per_page", "30")), 100)
    cursor = call.query.get("cursor")
    found = [
        delivery
        for delivery in sorted(call.sandbox.webhooks.deliveries, key=lambda delivery: -delivery.id)
        if cursor is None or delivery.id < int(cursor.removeprefix("v1_"))
    ]
    headers = {}
    if len(found) > size:
        address = f"{call.api}/app/hook/deliveries?per_page={size}&cursor=v1_{found[size - 1].id}"
        headers["Link"] = f'<{address}>; rel="next"'
    return Answer(200, [delivery_json(delivery) for delivery in found[:size]], headers)


def get_delivery(call: Call) -> Answer:
    """Give one delivery with its request and response."""
    delivery = call.sandbox.webhooks.find(int(call.params["id"]))
    if delivery is None:
        raise not_found()
    return Answer(200, delivery_json(delivery, full=True))


def redeliver(call: Call) -> Answer:
    """Send a delivery once more, with the same GUID."""
    delivery = call.sandbox.webhooks.find(int(call.params["id"]))
    if delivery is None:
        raise not_found()
    call.sandbox.webhooks.send_again(delivery)
    return Answer(202, {})


def get_rate_limit(call: Call) -> Answer:
    """Tell the limits; asking costs nothing."""
    resources = call.sandbox.rate_report(call.grant)
    # The description demands it: no search is ever counted here.
    resources["search"] = {**resources["core"], "limit": 30, "used": 0, "remaining": 30}
    return Answer(200, {"resources": resources, "rate": resources["core"]})


ROUTES = (
    Route("GET", "/app", "app", get_app),
    Route("GET", "/app/installations", "app", list_installations),
    Route("GET", r"/app/installations/{id:\d+}", "app", get_installation),
    Route("POST", r"/app/installations/{id:\d+}/access_tokens", "app", create_token),
    Route("GET", "/app/hook/deliveries", "app", list_deliveries),
    Route("GET", r"/app/hook/deliveries/{id:\d+}", "app", get_delivery),
    Route("POST", r"/app/hook/deliveries/{id:\d+}/attempts", "app", redeliver),
    Route("GET", "/repos/{owner}/{repo}/installation", "app", get_repository_installation),
    Route("GET", "/installation/repositories", "metadata:read", list_installation_repositories),
    Route("GET", "/rate_limit", "any", get_rate_limit),
)
