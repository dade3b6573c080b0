"""The JSON of GitHub's resources, as its OpenAPI description has them."""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from bot.sandbox.objects import OCTOCAT

if TYPE_CHECKING:
    from bot.sandbox.app import Grant
    from bot.sandbox.installation import Installation
    from bot.sandbox.repository import Repository
    from bot.sandbox.sandbox import Sandbox

_USER_URLS = {
    "followers_url": "/followers",
    "following_url": "/following{/other_user}",
    "gists_url": "/gists{/gist_id}",
    "starred_url": "/starred{/owner}{/repo}",
    "subscriptions_url": "/subscriptions",
    "organizations_url": "/orgs",
    "repos_url": "/repos",
    "events_url": "/events{/privacy}",
    "received_events_url": "/received_events",
}
_REPOSITORY_URLS = {
    "forks_url": "/forks",
    "keys_url": "/keys{/key_id}",
    "collaborators_url": "/collaborators{/collaborator}",
    "teams_url": "/teams",
    "hooks_url": "/hooks",
    "issue_events_url": "/issues/events{/number}",
    "events_url": "/events",
    "assignees_url": "/assignees{/user}",
    "branches_url": "/branches{/branch}",
    "tags_url": "/tags",
    "blobs_url": "/git/blobs{/sha}",
    "git_tags_url": "/git/tags{/sha}",
    "git_refs_url": "/git/refs{/sha}",
    "trees_url": "/git/trees{/sha}",
    "statuses_url": "/statuses/{sha}",
    "languages_url": "/languages",
    "stargazers_url": "/stargazers",
    "contributors_url": "/contributors",
    "subscribers_url": "/subscribers",
    "subscription_url": "/subscription",
    "commits_url": "/commits{/sha}",
    "git_commits_url": "/git/commits{/sha}",
    "comments_url": "/comments{/number}",
    "issue_comment_url": "/issues/comments{/number}",
    "contents_url": "/contents/{+path}",
    "compare_url": "/compare/{base}...{head}",
    "merges_url": "/merges",
    "archive_url": "/{archive_format}{/ref}",
    "downloads_url": "/downloads",
    "issues_url": "/issues{/number}",
    "pulls_url": "/pulls{/number}",
    "milestones_url": "/milestones{/number}",
    "notifications_url": "/notifications{?since,all,participating}",
    "labels_url": "/labels{/name}",
    "releases_url": "/releases{/id}",
    "deployments_url": "/deployments",
}
_COUNTS = ("size", "stargazers_count", "watchers_count", "forks_count", "open_issues_count")
_MORE_COUNTS = ("forks", "open_issues", "watchers", "network_count", "subscribers_count")
GITHUB_EMAIL = "noreply@github.com"


def timestamp(seconds: float) -> str:
    """Write seconds since the epoch as GitHub does: `2026-01-02T03:04:05Z`."""
    return datetime.fromtimestamp(int(seconds), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def split_person(raw: bytes) -> tuple[str, str]:
    """Give name and address of git's `NAME <EMAIL>`."""
    name, _, email = raw.decode(errors="replace").rpartition(" <")
    return name, email.rstrip(">")


def node_id(kind: str, key: object) -> str:
    """Give an opaque global id for a resource."""
    return base64.urlsafe_b64encode(f"{kind}:{key}".encode()).decode().rstrip("=")


def read_node_id(value: str) -> tuple[str, str]:
    """Give (kind, key) of a global id that `node_id` made; ValueError if it did not."""
    kind, colon, key = base64.urlsafe_b64decode(value + "=" * (-len(value) % 4)).decode().partition(":")
    if not colon:
        raise ValueError(value)
    return kind, key


class Shapes:
    """Writes resources for one face of the API: `api` and `web` are the addresses its links begin with."""

    def __init__(self, sandbox: Sandbox, api: str) -> None:
        self.sandbox = sandbox
        self.api = api
        self.web = sandbox.url

    def user(self, login: str) -> dict[str, Any]:
        """Write an account: octocat, the App's bot, GitHub's own web-flow, or an organization."""
        app = self.sandbox.app
        known = {"octocat": (583231, "User"), app.login: (app.bot_id, "Bot"), "web-flow": (19864447, "User")}
        number, kind = known.get(login) or (self.sandbox.account_id(login), "Organization")
        url = f"{self.api}/users/{login}"
        return {
            "login": login,
            "id": number,
            "node_id": node_id(kind, number),
            "avatar_url": f"{self.web}/avatars/{number}",
            "gravatar_id": "",
            "url": url,
            "html_url": f"{self.web}/{login}",
            **{key: url + suffix for key, suffix in _USER_URLS.items()},
            "type": kind,
            "site_admin": False,
        }

    def user_of(self, email: str) -> dict[str, Any] | None:
        """Write the account that a commit's address belongs to, None if it is nobody's."""
        app = self.sandbox.app
        login = {OCTOCAT.email: "octocat", app.bot.email: app.login, GITHUB_EMAIL: "web-flow"}.get(email)
        return self.user(login) if login else None

    def repository(self, repo: Repository, grant: Grant | None = None) -> dict[str, Any]:
        """Write a repository in full; with `grant`, what its caller may do there too."""
        url, html = f"{self.api}/repos/{repo.full_name}", f"{self.web}/{repo.full_name}"
        body: dict[str, Any] = {
            "id": repo.id,
            "node_id": node_id("Repository", repo.id),
            "name": repo.name,
            "full_name": repo.full_name,
            "private": repo.private,
            "owner": self.user(repo.owner),
            "html_url": html,
            "description": None,
            "fork": False,
            "url": url,
            **{key: url + suffix for key, suffix in _REPOSITORY_URLS.items()},
            "created_at": timestamp(repo.created),
            "updated_at": timestamp(repo.created),
            "pushed_at": timestamp(repo.created),
            "git_url": html.replace("http", "git", 1) + ".git",
            "ssh_url": f"git@github.com:{repo.full_name}.git",
            "clone_url": f"{html}.git",
            "svn_url": html,
            "homepage": None,
            "language": None,
            "mirror_url": None,
            "license": None,
            "archived": repo.archived,
            "disabled": False,
            "visibility": "private" if repo.private else "public",
            "default_branch": repo.default_branch,
            **dict.fromkeys((*_COUNTS, *_MORE_COUNTS), 0),
            **dict.fromkeys(("has_issues", "has_projects", "has_downloads", "has_wiki"), True),
            **dict.fromkeys(("has_pages", "has_discussions", "is_template", "web_commit_signoff_required"), False),
            "topics": [],
            "custom_properties": {},
        }
        if grant:
            push = grant.allows("contents", "write")
            body["permissions"] = {"admin": False, "maintain": False, "push": push, "triage": push, "pull": True}
        return body

    def installation(self, installation: Installation) -> dict[str, Any]:
        """Write an installation of the App."""
        app, account = self.sandbox.app, self.user(installation.account)
        url = f"{self.api}/app/installations/{installation.id}"
        return {
            "id": installation.id,
            "account": account,
            "repository_selection": installation.selection,
            "access_tokens_url": f"{url}/access_tokens",
            "repositories_url": f"{self.api}/installation/repositories",
            "html_url": f"{self.web}/organizations/{installation.account}/settings/installations/{installation.id}",
            "app_id": app.id,
            "app_slug": app.slug,
            "target_id": account["id"],
            "target_type": account["type"],
            "permissions": installation.granted(),
            "events": list(app.events),
            "created_at": timestamp(installation.created),
            "updated_at": timestamp(installation.created),
            "single_file_name": None,
            "has_multiple_single_files": False,
            "single_file_paths": [],
            "suspended_by": self.user("octocat") if installation.suspended else None,
            "suspended_at": timestamp(installation.created) if installation.suspended else None,
        }

    def app(self) -> dict[str, Any]:
        """Write the App."""
        app, born = self.sandbox.app, timestamp(self.sandbox.born)
        return {
            "id": app.id,
            "slug": app.slug,
            "node_id": node_id("Integration", app.id),
            "client_id": app.client_id,
            "owner": self.user("octocat"),
            "name": app.slug.capitalize(),
            "description": "",
            "external_url": self.web,
            "html_url": f"{self.web}/apps/{app.slug}",
            "created_at": born,
            "updated_at": born,
            "permissions": app.permissions,
            "events": list(app.events),
            "installations_count": len(self.sandbox.installations),
        }
