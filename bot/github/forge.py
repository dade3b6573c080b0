"""The Forge port, put together from reading, writing and reporting."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, TypeVar

import aiohttp
import structlog
from cachetools import LRUCache

from bot.core.meter import Budget
from bot.errors import PointsmanError
from bot.github import reports
from bot.github.answers import NoField, NoGraphQL, NotFound
from bot.github.auth import Scope, Tokens, app_api
from bot.github.client import TIMEOUT, InstallationAPI
from bot.github.commit import Writer
from bot.github.deliveries import DeliveryList
from bot.github.installations import InstallationList
from bot.github.landed import landed
from bot.github.objects import Objects
from bot.github.quota import Governor, Quota
from bot.github.semaphore import FairSemaphore
from bot.github.snapshot import Reader
from bot.github.views import Views

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence
    from datetime import datetime

    from bot.core.changeset import Changeset
    from bot.core.glob import Glob
    from bot.core.mapping import Strategy
    from bot.core.message import CheckRun, CommitMessage
    from bot.core.model import Repository
    from bot.core.outcome import Commit, Landed
    from bot.core.snapshot import File, Snapshot
    from bot.github.quota import State
    from bot.ports import Compute

T = TypeVar("T")

log = structlog.get_logger(__name__)

# The permissions that each step needs; every token has metadata too.
_CONTENTS = (("contents", "write"),)
_READ = (("contents", "read"),)
_CHECKS = (("checks", "write"),)

GRAPHQL_AGAIN_SECONDS = 600.0

_KEPT = 1024

# The CPU time for the globs of a branch that is read again in the background.
GLOB_SECONDS = 3.0

# Connections to GitHub at a time: in all, of one installation, and of the App itself, which asks for tokens and for its
# list of deliveries.
CONNECTIONS, CONNECTIONS_EACH, CONNECTIONS_OF_THE_APP = 100, 25, 10
# How many answers of more than a megabyte are read at a time: in all, and of one installation.
LARGE_ANSWERS, LARGE_ANSWERS_EACH = 4, 2

# How many branches of one repository are written to at a time.
AT_ONCE = 8


def connect(connections: int, proxy: str = "") -> aiohttp.ClientSession:
    """Return a session for GitHub, of at most so many connections, through the HTTP proxy at the URL `proxy`.

    A proxy that is empty is none.
    """
    connections = max(min(CONNECTIONS, connections), 2 * CONNECTIONS_OF_THE_APP)
    # GitHub's API sets no cookies that anybody would need. With `trust_env` aiohttp would read ~/.netrc as well, and
    # send a password from it to GitHub.
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=connections),
        cookie_jar=aiohttp.DummyCookieJar(),
        proxy=proxy or None,
        trust_env=False,
    )


class GitHub:
    """GitHub or an Enterprise Server at the REST address `url`. Each installation has `quota` (None: GitHub's limits).

    Installations share the connections of `session`.
    """

    def __init__(  # noqa: PLR0913, PLR0917 - the parts that GitHub is reached with
        self,
        session: aiohttp.ClientSession,
        url: str,
        app_id: int | str,
        private_key: str,
        compute: Compute,
        quota: Quota | None = None,
    ) -> None:
        self._session = session
        self._compute = compute
        limit = session.connector.limit if session.connector is not None else 0
        connections = max((limit or CONNECTIONS) - CONNECTIONS_OF_THE_APP, 1)
        each = min(CONNECTIONS_EACH, max(connections // 4, 1))
        self._connections = FairSemaphore(connections, each, "all connections to GitHub are in use")
        self._large_answers = FairSemaphore(
            LARGE_ANSWERS, LARGE_ANSWERS_EACH, "many large answers of GitHub's are being read"
        )
        self._url = url
        app = app_api(session, url, app_id, private_key)
        self.deliveries = DeliveryList(app)
        self.installations = InstallationList(app)
        self._tokens = Tokens(app)
        quota = quota or Quota()
        # A request for which there is no connection waits with the governor, which knows what goes first.
        self._quota = replace(quota, concurrent=min(quota.concurrent or each, each))
        self._apis: LRUCache[Scope, InstallationAPI] = LRUCache(maxsize=_KEPT)
        # By installation. The one that was needed last is at the end.
        self._governors: OrderedDict[int, Governor] = OrderedDict()
        self._objects = Objects()
        self._views = Views(self._objects, compute)
        self._no_graphql_until = 0.0
        self._no_mutation_until = 0.0

    @property
    def at_once(self) -> int:
        """How many branches of a repository may be written to at a time; commits that wait for each other need not."""
        return 1 if self._quota.write_interval else AT_ONCE

    async def open(
        self, repository: Repository, paths: Sequence[str], branch: str = "", *, remembered: bool = False
    ) -> Snapshot:
        """Return the head of `branch` ("" is the default branch) with the files at `paths` as far as they exist.

        If it may be `remembered`, what is known of the branch is taken for its head: our own commits moved it on, and a
        foreign push makes us forget it. Raises InputError where there is no such branch.
        """
        if remembered:
            known = self._views.open(repository, branch or repository.default_branch, paths)
            if known is not None:
                return known
        snapshot = await self._open(repository, paths, branch)
        self._views.keep(snapshot, paths)
        return snapshot

    async def _open(self, repository: Repository, paths: Sequence[str], branch: str) -> Snapshot:
        return await self._read(repository, lambda reader: reader.open(paths, branch))

    async def read(self, snapshot: Snapshot, globs: Sequence[Glob], budget: Budget) -> Snapshot:
        """Return `snapshot`, at the same commit, with every file that one of `globs` matches.

        Raises InputError when a glob matches too many files, or finding them uses `budget` up.
        """
        snapshot, unknown = await self._views.read(snapshot, globs, budget)
        if not unknown:
            return snapshot
        known = snapshot
        snapshot = await self._read(snapshot.repository, lambda reader: reader.read(known, unknown, budget))
        self._views.keep(snapshot, [glob.literal for glob in unknown if glob.literal is not None], unknown)
        return snapshot

    async def modes(self, snapshot: Snapshot, folders: Sequence[str] | None = None) -> Mapping[str, int]:
        """Return the Git mode of each path in these folders ("" is the root) of a commit; None: in all folders.

        If the commit has too many paths, only those in the root are returned.
        """
        return await self._read(snapshot.repository, lambda reader: reader.modes(snapshot.head, folders))

    async def organization_file(self, repository: Repository, path: str) -> File | None:
        """Return a file of the `.github` repository of the owner, None where there is none that we may read."""
        shared = replace(repository, id=0, full_name=f"{repository.owner}/.github", default_branch="")
        # A token for the repository by its id cannot be had, as the id is not known; this one may only read.
        scope = Scope(repository.installation, None, _READ)
        try:
            snapshot = await self._read(shared, lambda reader: reader.open([path]), scope)
        except NotFound:
            return None
        return snapshot.files.get(path)

    async def commit(
        self, repository: Repository, changeset: Changeset, message: CommitMessage, strategy: Strategy = "auto"
    ) -> Commit:
        """Make `changeset` one commit on its branch. Raises StaleHead and Blocked, and then nothing was written.

        A `strategy` other than auto is never left for another way: Blocked says what it cannot do.
        """
        try:
            commit = await self._write(repository, changeset, message, strategy)
        except BaseException:
            # Others moved the branch, or our commit landed and its answer got lost: the branch has to be read again.
            self._views.forget(repository, changeset.branch)
            raise
        self._views.advance(repository, changeset, commit)
        return commit

    async def _write(
        self, repository: Repository, changeset: Changeset, message: CommitMessage, strategy: Strategy
    ) -> Commit:
        api = self._api(Scope(repository.installation, repository.id, _CONTENTS))
        objects = self._objects.of(repository.installation)
        if self._graphql and time.monotonic() >= self._no_mutation_until:
            try:
                return await Writer(api, repository, objects, graphql=True).write(changeset, message, strategy)
            except NoField as error:
                # The server's schema is older than the mutation. Reads may still go by GraphQL.
                self._no_mutation_until = time.monotonic() + GRAPHQL_AGAIN_SECONDS
                log.info("commits go by REST", reason=str(error))
            except NoGraphQL:
                self._no_graphql_until = time.monotonic() + GRAPHQL_AGAIN_SECONDS
                raise
        return await Writer(api, repository, objects, graphql=False).write(changeset, message, strategy)

    async def landed(self, repository: Repository, branch: str, base: str) -> Landed:
        """Look for commits of ours on `branch` since `base`, by the deliveries in their trailers."""
        api = self._api(Scope(repository.installation, repository.id, _CONTENTS))
        return await landed(api, repository, branch, base)

    async def pushed(self, repository: Repository, branch: str, head: str) -> None:
        """Take the news that a branch moved to `head` ("" is gone): one that is in use is read again, if it is foreign.

        Raises nothing: what cannot be read now is read when it is needed.
        """
        view = self._views.get(repository, branch)
        if view is None or not self._views.is_news(repository, branch, head):
            return
        paths, globs = list(view.entries), list(view.listed.values())
        self._views.forget(repository, branch)
        if not head or not paths:
            return
        try:
            snapshot = await self.open(repository, paths, branch)
            await self.read(snapshot, globs, Budget(GLOB_SECONDS, "matching the globs"))
        except PointsmanError as error:
            log.info("branch not read again", branch=branch, repository=repository.id, reason=str(error))

    async def report(self, repository: Repository, check_run: CheckRun, at: datetime | None = None) -> None:
        """Create a check run of what ended `at` that time (UTC; None: now). After Transient it may be there."""
        api = self._api(Scope(repository.installation, repository.id, _CHECKS))
        await reports.create_check_run(api, repository, check_run, at)

    async def reported(self, repository: Repository, check_run: CheckRun, at: datetime) -> bool:
        """Whether the check run of what ended `at` that time is there, by its name and external_id."""
        api = self._api(Scope(repository.installation, repository.id, _CHECKS))
        return await reports.has_check_run(api, repository, check_run, at)

    async def ready(self, repository: Repository) -> None:
        """Return when a commit to `repository` could begin now, by the limits of its installation.

        Raises Transient, with the seconds until then, where that is longer than the quota's patience.
        """
        await self._governor(repository.installation).ready(repository.id)

    def quota(self) -> dict[int, State]:
        """Return what is known of the limits of each installation, for metrics."""
        return {installation: governor.state() for installation, governor in self._governors.items()}

    @property
    def _graphql(self) -> bool:
        return time.monotonic() >= self._no_graphql_until

    async def _read(
        self, repository: Repository, read: Callable[[Reader], Awaitable[T]], scope: Scope | None = None
    ) -> T:
        """Return what `read` reads: by GraphQL, and if the server turns out to have none, or too little of it, by REST.

        Reads come right before the write: with its token they cost no round trip for one of their own.
        """
        api = self._api(scope or Scope(repository.installation, repository.id, _CONTENTS))
        objects = self._objects.of(repository.installation)
        if self._graphql:
            try:
                return await read(Reader(api, repository, objects, self._compute, graphql=True))
            except NoGraphQL:
                # A server without it answers 404, but so may a proxy that is being set up: ask again some time.
                self._no_graphql_until = time.monotonic() + GRAPHQL_AGAIN_SECONDS
        return await read(Reader(api, repository, objects, self._compute, graphql=False))

    def _governor(self, installation: int) -> Governor:
        governor = self._governors.get(installation)
        if governor is None:
            patience = self._quota.patience
            governor = self._governors[installation] = Governor(
                self._quota,
                asyncio.get_running_loop(),
                partial(self._connections.acquire, installation, patience),
                partial(self._large_answers.acquire, installation, TIMEOUT.total or 0.0),
            )
            self._forget_idle_governors()
        self._governors.move_to_end(installation)
        return governor

    def _forget_idle_governors(self) -> None:
        """Forget installations that were not heard of for the longest time, but none whose pause or use counts on."""
        surplus = len(self._governors) - _KEPT
        # The last one has just been made, and is about to be used.
        for installation in list(self._governors)[:-1] if surplus > 0 else ():
            if surplus > 0 and self._governors[installation].is_idle():
                del self._governors[installation]
                surplus -= 1

    def _api(self, scope: Scope) -> InstallationAPI:
        governor = self._governor(scope.installation)
        api = self._apis.get(scope)
        # An API object with a forgotten governor is replaced: two governors would let twice as many requests go.
        if api is None or api.governor is not governor:

            async def token(refused: str | None) -> str:
                return await self._tokens.token(scope, refused)

            api = InstallationAPI(self._session, self._url, token, governor, scope.repository)
            self._apis[scope] = api
        return api
