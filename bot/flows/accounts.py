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

# The pause after GitHub's list of installations could not be read. It doubles with each failure.
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 5.0, 300.0

# The start waits for the first look-up for at most this time. Webhooks that came before its end would get 503.
FIRST_LOOKUP_SECONDS = 5.0

# The reason for turning deliveries away until the login of their account was looked up.
_UNKNOWN = "which account '{login}' in ALLOWED_ACCOUNTS is cannot be seen in GitHub's list yet"


class Installations(Protocol):
    """GitHub's list of the App's installations. May raise Transient and Unavailable."""

    def accounts(self) -> AsyncGenerator[Account, None]:
        """Yield the accounts on which the App is installed."""


class AllowedAccounts:
    """The accounts of ALLOWED_ACCOUNTS, by id. If the setting is empty, every account is allowed.

    The id of a login is looked up once, in GitHub's list of installations or in the first `installation` event that
    names the login. The inbox keeps it: an account is renamed, somebody else takes its old login, and must not be
    served.
    """

    def __init__(self, allowed: Collection[int | str], known: KnownAccounts) -> None:
        self._ids = {account for account in allowed if isinstance(account, int)}
        self._unresolved = {login.lower() for login in allowed if isinstance(login, str)}
        # Whether every account is allowed.
        self.all = not allowed
        self._known = known
        # Set when GitHub was asked for the first time, with or without success.
        self._tried = asyncio.Event()
        # Whether GitHub's list was read.
        self._looked = False

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
        """Look up the other logins in GitHub's list, again and again until it could be read. Raises nothing."""
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
        """Return when the logins were looked up once, with or without success, or after FIRST_LOOKUP_SECONDS."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._tried.wait(), FIRST_LOOKUP_SECONDS)

    async def allow(self, account: Account | None, *, installs: bool) -> bool:
        """Say whether the deliveries of an account are stored.

        `installs`: the delivery is an `installation` event of the account, which tells the id of its login. Raises Busy
        until the login was looked up. "Not allowed" would lose the delivery: it is answered with 202, and GitHub would
        count it as taken.
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
