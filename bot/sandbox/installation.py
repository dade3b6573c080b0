"""The App on one account: what it reaches there, and what the account's owner does about it."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from bot.sandbox.app import LEVELS
from bot.sandbox.events import installation_payload, repositories_payload

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bot.sandbox.repository import Repository
    from bot.sandbox.sandbox import Sandbox


@dataclass
class Installation:
    """The App on one account; `selection` is GitHub's "all" or "selected", `created` in seconds since the epoch.

    `permissions` are those that the owner has granted: what the App asked for when it was installed, and later what
    the owner accepted. What its owner does is told to the App, which need not subscribe to that.
    """

    sandbox: Sandbox = field(repr=False, compare=False)
    id: int
    account: str
    selection: str = "all"
    permissions: dict[str, str] = field(default_factory=dict)
    created: int = field(default_factory=lambda: int(time.time()))
    suspended: bool = False

    def __post_init__(self) -> None:
        self.permissions = self.permissions or dict(self.sandbox.app.permissions)

    def granted(self) -> dict[str, str]:
        """Give what its tokens may have: what the owner granted, as far as the App still asks for it.

        https://docs.github.com/en/apps/maintaining-github-apps/modifying-a-github-app-registration#changing-the-permissions-of-a-github-app
        """
        asked = self.sandbox.app.permissions
        return {
            name: min(level, asked[name], key=LEVELS.__getitem__)
            for name, level in self.permissions.items()
            if name in asked
        }

    def accept(self) -> None:
        """Grant all that the App asks for now, as its owner does on the page of the installation."""
        self.permissions = dict(self.sandbox.app.permissions)
        self.sandbox.save()
        self.tell("new_permissions_accepted")

    def repositories(self) -> list[Repository]:
        """Give the repositories it reaches, in the order they were made or got their names."""
        return [repo for repo in self.sandbox.repositories.values() if self.sandbox.installation_of(repo) is self]

    def suspend(self) -> None:
        """Answer 403 to every token of it, and give no new ones."""
        self._set_suspended(suspended=True)

    def unsuspend(self) -> None:
        """Let the App go on."""
        self._set_suspended(suspended=False)

    def _set_suspended(self, *, suspended: bool) -> None:
        self.suspended = suspended
        self.sandbox.save()
        self.tell("suspend" if suspended else "unsuspend")

    def delete(self) -> None:
        """Take the App off the account: its tokens end, and it is not found any more."""
        self.tell("deleted")
        self.revoke_tokens()
        for repo in self.repositories():
            repo.installed = False
        del self.sandbox.installations[self.account]
        self.sandbox.save()

    def add(self, repo: Repository) -> None:
        """Reach a repository from now on. ValueError if it is another account's."""
        self._choose(repo, installed=True)

    def remove(self, repo: Repository) -> None:
        """Reach a repository no more: it is 404 then, if it is private. ValueError if it is another account's."""
        self._choose(repo, installed=False)

    def _choose(self, repo: Repository, *, installed: bool) -> None:
        if repo.owner != self.account:
            raise ValueError(f"{repo.full_name} is not a repository of {self.account}, where the App is installed")
        # Whoever chooses one has chosen some.
        self.selection, repo.installed = "selected", installed
        self.sandbox.save()
        self.tell_repositories("added" if installed else "removed", [repo])

    def revoke_tokens(self) -> None:
        """End its tokens: the next use of one is answered 401."""
        tokens = self.sandbox.tokens
        for token in [token for token, grant in tokens.items() if grant.installation == self.id]:
            del tokens[token]

    def tell(self, action: str) -> None:
        """Send an `installation` event: created, deleted, suspend, unsuspend or new_permissions_accepted."""
        self.sandbox.webhooks.tell(self, "installation", installation_payload(self, action))

    def tell_repositories(self, action: str, repos: Sequence[Repository]) -> None:
        """Send an `installation_repositories` event: repositories were "added" or "removed"."""
        payload = repositories_payload(self, action, repos)
        self.sandbox.webhooks.tell(self, "installation_repositories", payload)

    def state(self) -> dict[str, Any]:
        """Give what is remembered of it: JSON data."""
        return {name: value for name, value in vars(self).items() if name != "sandbox"}
