"""The payloads of webhook events, with the fields of GitHub's examples (npm @octokit/webhooks-examples)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bot.sandbox.objects import HEADS, ZERO
from bot.sandbox.shapes import Shapes, node_id, split_person, timestamp

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bot.sandbox.installation import Installation
    from bot.sandbox.repository import Push, Repository
    from bot.sandbox.sandbox import Sandbox

COMMITS_IN_PUSH = 2048
_ONLY_IN_REST = {"network_count", "subscribers_count"}


def _common(sandbox: Sandbox, repo: Repository, sender: str) -> dict[str, Any]:
    shapes = Shapes(sandbox, sandbox.url)
    owner = shapes.user(repo.owner)
    organization = {key: owner[key] for key in ("login", "id", "node_id", "avatar_url")}
    url = f"{sandbox.url}/orgs/{repo.owner}"
    organization |= {key: f"{url}/{key.removesuffix('_url')}" for key in ("repos_url", "events_url", "hooks_url")}
    organization |= {"url": url, "issues_url": f"{url}/issues", "description": None}
    organization |= {
        "members_url": f"{url}/members{{/member}}",
        "public_members_url": f"{url}/public_members{{/member}}",
    }
    installation = sandbox.installation_of(repo)
    number = installation.id if installation else 0
    told = shapes.repository(repo)
    return {
        "repository": {key: value for key, value in told.items() if key not in _ONLY_IN_REST},
        "organization": organization,
        "sender": shapes.user(sender),
        "installation": {"id": number, "node_id": node_id("IntegrationInstallation", number)},
    }


def dispatch_payload(
    sandbox: Sandbox, repo: Repository, sender: str, event_type: str, client_payload: Any
) -> dict[str, Any]:
    """Write the `repository_dispatch` event that `POST /repos/{owner}/{repo}/dispatches` makes."""
    return {
        "action": event_type,
        "branch": repo.default_branch,
        "client_payload": client_payload,
        **_common(sandbox, repo, sender),
    }


def repository_payload(
    sandbox: Sandbox, repo: Repository, action: str, changes: dict[str, Any] | None = None
) -> dict[str, Any]:
    """Write the `repository` event of what its owner did: renamed, transferred, archived, unarchived, deleted."""
    told = {"changes": changes} if changes else {}
    return {"action": action, **told, **_common(sandbox, repo, "octocat")}


def installation_payload(installation: Installation, action: str) -> dict[str, Any]:
    """Write the `installation` event: created, deleted (both with its repositories), suspend and the like."""
    shapes = Shapes(installation.sandbox, installation.sandbox.url)
    repos = [_brief(repo) for repo in installation.repositories()]
    told: dict[str, Any] = {"repositories": repos} if action in {"created", "deleted"} else {}
    return {
        "action": action,
        "installation": shapes.installation(installation),
        **told,
        "sender": shapes.user("octocat"),
    }


def repositories_payload(installation: Installation, action: str, repos: Sequence[Repository]) -> dict[str, Any]:
    """Write the `installation_repositories` event: repositories `added` or `removed`."""
    shapes, told = Shapes(installation.sandbox, installation.sandbox.url), [_brief(repo) for repo in repos]
    return {
        "action": action,
        "installation": shapes.installation(installation),
        "repository_selection": installation.selection,
        "repositories_added": told if action == "added" else [],
        "repositories_removed": told if action == "removed" else [],
        "requester": None,
        "sender": shapes.user("octocat"),
    }


def _brief(repo: Repository) -> dict[str, Any]:
    return {
        "id": repo.id,
        "node_id": node_id("Repository", repo.id),
        "name": repo.name,
        "full_name": repo.full_name,
        "private": repo.private,
    }


def push_payload(sandbox: Sandbox, repo: Repository, push: Push) -> dict[str, Any]:
    """Write the `push` event of a branch that moved."""
    created, deleted = push.before == ZERO, push.after == ZERO
    forced = not created and not deleted and not repo.is_fast_forward(push.before, push.after)
    commits = [] if deleted else [_push_commit(sandbox, repo, oid) for oid in _new_commits(repo, push)]
    common = _common(sandbox, repo, push.by)
    common["repository"] |= {"master_branch": repo.default_branch, "organization": repo.owner}
    return {
        "ref": push.ref,
        "before": push.before,
        "after": push.after,
        "created": created,
        "deleted": deleted,
        "forced": forced,
        "base_ref": None,
        "compare": f"{sandbox.url}/{repo.full_name}/compare/{push.before[:12]}...{push.after[:12]}",
        "commits": commits,
        "head_commit": None if deleted else _push_commit(sandbox, repo, push.after),
        "pusher": {"name": push.by, "email": None},
        **common,
    }


def _new_commits(repo: Repository, push: Push) -> list[str]:
    """Give the commits a push brought, oldest first; those that another branch has already are not new."""
    known = {oid for name, oid in repo.branches().items() if HEADS + name != push.ref} | {push.before}
    new = list(repo.history(push.after, without=known - {ZERO}))
    return new[::-1][:COMMITS_IN_PUSH]


def _push_commit(sandbox: Sandbox, repo: Repository, oid: str) -> dict[str, Any]:
    commit = repo.commit_object(oid)
    shapes = Shapes(sandbox, sandbox.url)
    kinds: dict[str, list[str]] = {"added": [], "removed": [], "modified": []}
    for before, after in repo.changes(commit.parents[0].decode() if commit.parents else None, oid):
        entry = after or before
        if entry:
            kinds["modified" if before and after else "added" if after else "removed"].append(entry.path)
    people = {}
    for role in ("author", "committer"):
        name, email = split_person(getattr(commit, role))
        account = shapes.user_of(email)
        people[role] = {"name": name, "email": email} | ({"username": account["login"]} if account else {})
    return {
        "id": oid,
        "tree_id": commit.tree.decode(),
        "distinct": True,
        "message": commit.message.decode(errors="replace"),
        "timestamp": timestamp(commit.author_time),
        "url": f"{sandbox.url}/{repo.full_name}/commit/{oid}",
        **people,
        **kinds,
    }
