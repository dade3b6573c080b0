"""The sandbox: a GitHub look-alike with its state, its Python face and its start and stop."""

from __future__ import annotations

import json
import time
import zlib
from collections import deque
from typing import TYPE_CHECKING, Any

from bot.sandbox import rules
from bot.sandbox.app import EVENTS, App, Grant, new_token
from bot.sandbox.events import dispatch_payload, push_payload
from bot.sandbox.faults import Faults
from bot.sandbox.installation import Installation
from bot.sandbox.lag import Lag
from bot.sandbox.races import Races
from bot.sandbox.repository import Push, Repository
from bot.sandbox.server import Server
from bot.sandbox.webhooks import Webhooks

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from bot.sandbox.call import Exchange
    from bot.sandbox.faults import Callback, Fault

STATE_FILE = "sandbox.json"
REQUESTS_KEPT = 10_000
FIRST_REPOSITORY = 1296269
FIRST_INSTALLATION = 25669
# What octocat's fine-grained token is for. It may read check runs; only Apps write them.
USER_PERMISSIONS = {"checks": "read", "contents": "write", "metadata": "read"}
_KEPT = ("id", "full_name", "default_branch", "private", "installed")


class Sandbox:
    """GitHub on one machine: accounts, repositories, an App with its installations, an HTTP service.

    `directory` holds OWNER/NAME.git bare repositories and `sandbox.json`; it is made if absent and loaded if present,
    with the App it was made with. `latency` is the seconds each answer takes; `graphql=False` answers `/graphql` with
    404, as an old Enterprise Server; `observer` is given each `Exchange`. All four may be changed at any time, as may
    `webhook_url`, `clock` (seconds since the epoch), `tree_limit` (entries of a recursive listing), `rate_limits`
    (requests an hour by resource) and `secondary_limits` (whether `limits.py` holds each installation to GitHub's
    secondary limits), `graphql_without` (the queries and mutations that an older server's schema lacks) and
    `files_per_query` (of how many files GitHub gives a GraphQL request its resources; None: of any number).
    """

    def __init__(
        self,
        directory: Path,
        *,
        latency: float = 0.0,
        graphql: bool = True,
        app: App | None = None,
        observer: Callable[[Exchange], None] | None = None,
    ) -> None:
        self.directory = directory
        self.latency = latency
        self.graphql = graphql
        self.observer = observer
        self.webhook_url: str | None = None
        self.url = "http://sandbox.invalid"
        self.clock: Callable[[], float] = time.time
        self.tree_limit = 100_000
        self.rate_limits = {"core": 5000, "graphql": 5000}
        self.secondary_limits = False
        self.graphql_without: set[str] = set()
        self.files_per_query: int | None = None
        self.former: dict[str, int] = {}
        self.repositories: dict[str, Repository] = {}
        self.installations: dict[str, Installation] = {}
        self.tokens: dict[str, Grant] = {}
        self.requests: deque[Exchange] = deque(maxlen=REQUESTS_KEPT)
        self.faults = Faults()
        self.races = Races()
        self.lag = Lag(self)
        self.webhooks = Webhooks(self)
        self._server = Server(self)
        self._load(app)

    # -- repositories

    def create_repository(
        self,
        full_name: str,
        files: Mapping[str, str | bytes] | None = None,
        default_branch: str = "main",
        *,
        private: bool = True,
        installed: bool = True,
    ) -> Repository:
        """Make OWNER/NAME with a first commit of `files`, the App installed on it; ValueError if it is there already.

        Without files the repository is empty: it has no branch.
        """
        if self.find_repository(full_name):
            raise ValueError(f"the sandbox already has a repository {full_name!r}")
        number = FIRST_REPOSITORY + self.made["repositories"]
        self.made["repositories"] += 1
        self.former.pop(full_name.lower(), None)
        repo = self._open(number, full_name, default_branch, private=private, installed=installed)
        if installed:
            self._installation(repo.owner)
        self.save()
        if files:
            repo.commit(files, "Initial commit")
        return repo

    def _open(self, number: int, full_name: str, branch: str, *, private: bool, installed: bool) -> Repository:
        path = self.directory / f"{full_name}.git"
        repo = Repository(self, number, full_name, path, branch, private=private, installed=installed)
        repo.on_push = self._pushed
        self.repositories[full_name.lower()] = repo
        return repo

    def find_repository(self, full_name: str, *, former: bool = False) -> Repository | None:
        """Give a repository by OWNER/NAME (in any case, as GitHub), None if there is none.

        With `former`, by a name that it had before, too.
        """
        found = self.repositories.get(full_name.lower())
        return self.repository_by_id(self.former.get(full_name.lower(), 0)) if former and found is None else found

    def repository(self, full_name: str) -> Repository:
        """Give a repository by OWNER/NAME; KeyError says which there are."""
        repo = self.find_repository(full_name)
        if repo is None:
            names = sorted(known.full_name for known in self.repositories.values())
            raise KeyError(f"the sandbox has no repository {full_name!r}; it has {names}")
        return repo

    def repository_by_id(self, number: int) -> Repository | None:
        """Give a repository by its id, None if there is none."""
        return next((repo for repo in self.repositories.values() if repo.id == number), None)

    def call_it(self, repo: Repository, full_name: str) -> Path:
        """Let a repository be found by another name, and by its old ones; give the folder that belongs to it.

        ValueError if another one has that name. `Repository.rename` and `transfer` do the rest.
        """
        found = self.find_repository(full_name)
        if found is not None and found is not repo:
            raise ValueError(f"the sandbox already has a repository {full_name!r}")
        del self.repositories[repo.full_name.lower()]
        self.former[repo.full_name.lower()] = repo.id
        self.former.pop(full_name.lower(), None)
        self.repositories[full_name.lower()] = repo
        repo.full_name = full_name
        self.save()
        return self.directory / f"{full_name}.git"

    def forget(self, repo: Repository) -> None:
        """Let a repository not be found any more, by any name; `Repository.delete` does the rest."""
        del self.repositories[repo.full_name.lower()]
        self.former = {name: number for name, number in self.former.items() if number != repo.id}
        self.save()

    def _pushed(self, repo: Repository, push: Push) -> None:
        repo.pushes.append((self.clock(), push))
        self.lag.pushed(repo, push)
        if self.webhooks.listens(repo, "push"):
            self.webhooks.send(repo, "push", push_payload(self, repo, push))

    # -- accounts, installations, tokens

    def account_id(self, login: str) -> int:
        """Give the id of an organization: made from its login, so the same in every sandbox."""
        return 1_000_000 + zlib.crc32(login.lower().encode()) % 100_000_000

    def install(self, account: str, *names: str) -> Installation:
        """Install the App on an account: on its repositories of these names (without the owner), or on all.

        ValueError if it is there already; KeyError tells a repository that is not there.
        """
        if account in self.installations:
            raise ValueError(f"the App is installed on {account!r} already")
        chosen = [self.repository(f"{account}/{name}") for name in names]
        installation = self._installation(account, "selected" if names else "all")
        for repo in self.repositories.values():
            if repo.owner == account:
                repo.installed = not names or repo in chosen
        self.save()
        installation.tell("created")
        return installation

    def _installation(self, account: str, selection: str = "all") -> Installation:
        if account not in self.installations:
            number = FIRST_INSTALLATION + self.made["installations"]
            self.made["installations"] += 1
            self.installations[account] = Installation(self, number, account, selection)
            self.lag.made("installation", number)
        return self.installations[account]

    def installation_of(self, repo: Repository) -> Installation | None:
        """Give the installation that reaches a repository, None if the App is not installed there."""
        return self.installations.get(repo.owner) if repo.installed else None

    def installation_by_id(self, number: int) -> Installation | None:
        """Give an installation by its id, None if there is none."""
        return next((found for found in self.installations.values() if found.id == number), None)

    def reaches(self, grant: Grant | None, repo: Repository) -> bool:
        """Say whether a caller may know that a repository exists."""
        return not repo.private or self.holds(grant, repo)

    def holds(self, grant: Grant | None, repo: Repository) -> bool:
        """Say whether a caller's permissions are for this repository."""
        if grant is None or grant.kind == "user":
            return grant is not None
        installation = self.installation_of(repo)
        if installation is None or installation.id != grant.installation:
            return False
        return grant.repositories is None or repo.id in grant.repositories

    def revoke_tokens(self) -> None:
        """End the tokens of all installations: the next use of one is answered 401."""
        for installation in self.installations.values():
            installation.revoke_tokens()

    def rate_report(self, grant: Grant | None) -> dict[str, dict[str, int]]:
        """Give each resource's limit, used, remaining and reset (epoch seconds) for a caller."""
        return self._server.limits.report(grant.installation if grant else None)

    def charge(self, grant: Grant | None, points: int) -> None:
        """Take more of a caller's hourly GraphQL points than the one that each request costs."""
        self._server.limits.charge(grant.installation if grant else None, points)

    # -- events

    async def dispatch(self, full_name: str, event_type: str, client_payload: Any = None) -> str | None:
        """Do what octocat's `POST /repos/{full_name}/dispatches` does.

        Gives the delivery GUID, None where no App listens. KeyError if there is no such repository.
        """
        repo = self.repository(full_name)
        payload = dispatch_payload(self, repo, "octocat", event_type, client_payload)
        return self.webhooks.send(repo, "repository_dispatch", payload)

    def before(self, callback: Callback, **properties: Any) -> Fault:
        """Run `callback` (a function or coroutine function) just before a request that matches is handled.

        `properties` are those of `Fault`: `method`, `path`, `operation`, `repository`, `branch`, `moves`, `times`,
        `skip`, `probability`.
        """
        return self.faults.add(callback=callback, **properties)

    # -- life

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> str:
        """Serve on an address (any free port for 0); give the root URL, without a slash at its end."""
        self.url = await self._server.start(host, port)
        self.webhooks.start()
        return self.url

    async def stop(self) -> None:
        """Wait for the deliveries under way, then stop serving and close the repositories."""
        await self.webhooks.stop()
        await self._server.stop()
        self.close()

    def close(self) -> None:
        """Close the repositories' files; for a sandbox that was never started."""
        for repo in self.repositories.values():
            repo.git.close()

    # -- memory

    def _load(self, app: App | None) -> None:
        self.directory.mkdir(parents=True, exist_ok=True)
        path = self.directory / STATE_FILE
        state = json.loads(path.read_text()) if path.exists() else {}
        known = state.get("app", {})
        self.app = app or App(**{**known, "events": tuple(known.get("events", EVENTS))})
        self.born = int(state.get("born", time.time()))
        self.user_token: str = state.get("user_token") or new_token("ghp_")
        self.tokens[self.user_token] = Grant("user", "octocat", dict(USER_PERMISSIONS))
        lists = {name: len(state.get(name, ())) for name in ("repositories", "installations")}
        self.made: dict[str, int] = {**lists, **state.get("made", {})}
        for saved in state.get("installations", ()):
            self.installations[saved["account"]] = Installation(self, **saved)
        for saved in state.get("repositories", ()):
            flags = {name: saved[name] for name in ("private", "installed")}
            repo = self._open(saved["id"], saved["full_name"], saved["default_branch"], **flags)
            for branch, kept in saved["protected"].items():
                repo.protected[branch] = [rules.read(rule) for rule in (kept if isinstance(kept, list) else [kept])]
            repo.push_rules = [rules.read(rule) for rule in saved.get("push_rules", ())]
            repo.archived = saved.get("archived", False)
            self.former |= dict.fromkeys(saved.get("former", ()), repo.id)
        self.save()

    def save(self) -> None:
        """Write `sandbox.json`, readable by its owner alone as it holds the App's secrets."""
        app = {**vars(self.app), "events": list(self.app.events)}
        repositories = [
            {
                **{name: getattr(repo, name) for name in (*_KEPT, "archived")},
                "protected": {branch: [rule.state() for rule in kept] for branch, kept in repo.protected.items()},
                "push_rules": [rule.state() for rule in repo.push_rules],
                "former": [name for name, number in self.former.items() if number == repo.id],
            }
            for repo in self.repositories.values()
        ]
        state = {
            "app": app,
            "born": self.born,
            "user_token": self.user_token,
            "made": self.made,
            "installations": [installation.state() for installation in self.installations.values()],
            "repositories": repositories,
        }
        path = self.directory / STATE_FILE
        path.touch(mode=0o600)
        path.write_text(json.dumps(state, indent=1))
