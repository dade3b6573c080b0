"""Whose deliveries are stored: an App that is public can be installed by anybody."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Protocol

import structlog

from bot.errors import Busy, PointsmanError, Transient

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Collection, Sequence

    from bot.core.model import Account
    from bot.ports import KnownAccounts

log = structlog.get_logger(__name__)

# Between two looks at GitHub's list that deliveries ask for.
REST_SECONDS = 1.0
# Pauses after GitHub's list of installations could not be read: twice as long each time.
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 5.0, 300.0

# For so long the start, and a delivery of a login that is not known, wait for GitHub's list: longer ones get a 503.
FIRST_LOOKUP_SECONDS = 5.0

# The reason for turning deliveries away until the login of their account was looked up.
_UNKNOWN = "which account '{login}' in ALLOWED_ACCOUNTS is cannot be seen in GitHub's list yet"


class Installations(Protocol):
    """GitHub's list of the App's installations. May raise Transient and Unavailable."""

    def accounts(self) -> AsyncGenerator[Account, None]:
        """Yield the accounts on which the App is installed."""


class AllowedAccounts:
    """The accounts of ALLOWED_ACCOUNTS, by id. If the setting is empty, every account is allowed.

    A login is looked up in GitHub's list of installations, again when a delivery of it comes. What the delivery says
    itself is no proof: a captured one may be from whoever had the login before. The inbox keeps which id it was:
    whoever gets the login after a rename is not meant.
    """

    def __init__(self, allowed: Collection[int | str], known: KnownAccounts) -> None:
        self._ids = {account for account in allowed if isinstance(account, int)}
        self._unresolved = {login.lower() for login in allowed if isinstance(login, str)}
        # Whether every account is allowed.
        self.all = not allowed
        self._known = known
        # Set when GitHub was asked for the first time, with or without success.
        self._tried = asyncio.Event()
        # Who waits for the next look at GitHub's list: whether it succeeded.
        self._asking: list[asyncio.Future[bool]] = []
        self._asked = asyncio.Event()
        # Whether the last look failed: nobody waits for the next one then.
        self._away = False

    async def load(self) -> None:
        """Take the ids that the inbox knows of the logins, and log who is served."""
        if self.all:
            log.info("ALLOWED_ACCOUNTS is empty: whoever installs the App is served")
            return
        found = await self._known.accounts()
        for login in sorted(self._unresolved & found.keys()):
            self._unresolved.remove(login)
            self._ids.add(found[login])
            log.info("ALLOWED_ACCOUNTS", login=login, id=found[login])
        if self._ids:
            log.info("ALLOWED_ACCOUNTS: only these accounts are served", ids=sorted(self._ids))

    async def resolve(self, installations: Installations) -> None:
        """Look the unresolved logins up in GitHub's list, again when `allow` asks for one. Raises nothing.

        Returns when all of them are known.
        """
        pause = FIRST_PAUSE_SECONDS
        said = False
        while self._unresolved:
            asking, self._asking = self._asking, []
            wait = await self._look(installations, pause)
            self._away = wait is not None
            _answer(asking, succeeded=not self._away)
            self._tried.set()
            if wait is not None:
                await asyncio.sleep(wait)
                pause = min(wait * 2, LONGEST_PAUSE_SECONDS)
                continue
            pause = FIRST_PAUSE_SECONDS
            for login in [] if said else sorted(self._unresolved):
                log.warning(
                    "ALLOWED_ACCOUNTS: the App is not installed on this account; nothing of it is taken until it is",
                    login=login,
                )
            said = True
            if self._unresolved:
                await asyncio.sleep(REST_SECONDS)
                await self._asked.wait()
                self._asked.clear()
        self._tried.set()
        _answer(self._asking, succeeded=True)

    async def _look(self, installations: Installations, pause: float) -> float | None:
        """Look through GitHub's list once; return the seconds to wait if it cannot be read, None if it could."""
        try:
            async for account in installations.accounts():
                await self._learn(account)
        except PointsmanError as error:
            asked = error.retry_after if isinstance(error, Transient) else None
            pause = max(pause, asked or 0.0)
            log.warning("ALLOWED_ACCOUNTS: logins cannot be looked up; again later", reason=str(error), pause=pause)
            return pause
        except Exception:
            log.exception("ALLOWED_ACCOUNTS: logins cannot be looked up", pause=pause)
            return pause
        return None

    async def settle(self) -> None:
        """Return when the logins were looked up once, with or without success, or after FIRST_LOOKUP_SECONDS."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._tried.wait(), FIRST_LOOKUP_SECONDS)

    async def allow(self, account: Account | None) -> bool:
        """Say whether the deliveries of an account are stored.

        GitHub's list is looked at first if the account has a login that is not known yet. Raises Busy if that does not
        succeed soon: a refusal would lose the delivery, as GitHub counts it as taken.
        """
        if self.all:
            return True
        if account is None:
            return False
        login = account.login.lower()
        if account.id not in self._ids and login in self._unresolved and not await self._ask():
            raise Busy(_UNKNOWN.format(login=account.login))
        return account.id in self._ids

    async def _ask(self) -> bool:
        """Let GitHub's list be looked at; return whether that succeeded, in time."""
        if self._away:
            return False
        answer: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._asking.append(answer)
        self._asked.set()
        try:
            return await asyncio.wait_for(answer, FIRST_LOOKUP_SECONDS)
        except TimeoutError:
            # A look that is under way has taken it out already.
            with suppress(ValueError):
                self._asking.remove(answer)
            return False

    async def _learn(self, account: Account) -> None:
        login = account.login.lower()
        if login in self._unresolved:
            await self._known.know_account(login, account.id)
            self._unresolved.remove(login)
            self._ids.add(account.id)
            log.info("ALLOWED_ACCOUNTS", login=login, id=account.id)


def _answer(asking: Sequence[asyncio.Future[bool]], *, succeeded: bool) -> None:
    for answer in asking:
        if not answer.done():
            answer.set_result(succeeded)
