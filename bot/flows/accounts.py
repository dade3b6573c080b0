"""Whose deliveries are stored: an App that is public can be installed by anybody."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Protocol

import structlog

from bot.errors import Busy, PointsmanError, Transient

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Collection

    from bot.core.model import Account
    from bot.ports import KnownAccounts

log = structlog.get_logger(__name__)

# Pauses after GitHub's list of installations could not be read: twice as long each time.
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 5.0, 300.0

# Webhooks are taken at once, or after so many seconds if GitHub does not answer: until then they would get a 503.
FIRST_LOOKUP_SECONDS = 5.0

# Deliveries of an account whose login is looked up are turned away until that is done.
_UNKNOWN = "which account '{login}' in ALLOWED_ACCOUNTS is cannot be seen in GitHub's list yet"


class Installations(Protocol):
    """GitHub's list of the App's installations. May raise Transient and Unavailable."""

    def accounts(self) -> AsyncGenerator[Account, None]:
        """Yield the accounts on which the App is installed."""


class AllowedAccounts:
    """The accounts of ALLOWED_ACCOUNTS: ids, and logins that are turned into ids once. None at all: every account.

    A login is looked up in GitHub's list of installations, or taken from the first `installation` event that has it.
    The inbox keeps which id it was: whoever gets the login after a rename is not meant.
    """

    def __init__(self, allowed: Collection[int | str], known: KnownAccounts) -> None:
        self._ids = {one for one in allowed if isinstance(one, int)}
        self._unresolved = {one.lower() for one in allowed if isinstance(one, str)}
        self.all = not allowed
        self._known = known
        self._tried = asyncio.Event()
        self._looked = False

    async def load(self) -> None:
        """Take the logins that the inbox knows, and say in the log who is served."""
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
        """Look the unresolved logins up in GitHub's list, again and again until it could be read. Raises nothing."""
        pause = FIRST_PAUSE_SECONDS
        while self._unresolved:
            try:
                async for account in installations.accounts():
                    await self._learn(account)
                break
            except PointsmanError as error:
                asked = error.retry_after if isinstance(error, Transient) else None
                pause = max(pause, asked or 0.0)
                log.warning("ALLOWED_ACCOUNTS: logins cannot be looked up; again later", reason=str(error), pause=pause)
            except Exception:
                log.exception("ALLOWED_ACCOUNTS: logins cannot be looked up", pause=pause)
            self._tried.set()
            await asyncio.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE_SECONDS)
        self._looked = True
        self._tried.set()
        for login in sorted(self._unresolved):
            log.warning(
                "ALLOWED_ACCOUNTS: the App is not installed on this account; nothing of it is taken until it is",
                login=login,
            )

    async def settle(self) -> None:
        """Return when the logins were looked up for the first time, with or without success, or some seconds later."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._tried.wait(), FIRST_LOOKUP_SECONDS)

    async def allow(self, account: Account | None, *, installs: bool) -> bool:
        """Say whether the deliveries of an account are stored.

        `installs`: this is an `installation` event of the account, so its login is known from now on. Raises Busy while
        the login is looked up: a refusal would lose the delivery, as GitHub counts it as taken.
        """
        if self.all:
            return True
        if account is None:
            return False
        if account.id in self._ids:
            return True
        login = account.login.lower()
        if login not in self._unresolved:
            return False
        if installs:
            await self._learn(account)
            return True
        if not self._looked:
            raise Busy(_UNKNOWN.format(login=account.login))
        return False

    async def _learn(self, account: Account) -> None:
        login = account.login.lower()
        if login in self._unresolved:
            await self._known.know_account(login, account.id)
            self._unresolved.remove(login)
            self._ids.add(account.id)
            log.info("ALLOWED_ACCOUNTS", login=login, id=account.id)
