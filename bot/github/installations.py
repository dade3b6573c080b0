"""The accounts on which the App is installed."""

from __future__ import annotations

from contextlib import aclosing
from typing import TYPE_CHECKING, Any

import gidgethub

from bot.core.model import Account
from bot.errors import Transient
from bot.github.client import UNREADABLE, refusal

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from bot.github.client import AppAPI

# https://docs.github.com/en/rest/apps/apps#list-installations-for-the-authenticated-app
_LIST = "/app/installations?per_page=100"
# Strangers may install an App that is public: no more of their accounts are looked through.
MOST_INSTALLATIONS = 10_000


class InstallationList:
    """Reads GitHub's list of the App's installations as the App itself."""

    def __init__(self, api: AppAPI) -> None:
        self._api = api

    async def accounts(self) -> AsyncGenerator[Account, None]:
        """Yield the account of each installation, MOST_INSTALLATIONS at most.

        Raises Transient (try again later) and Unavailable.
        """
        count = 0
        try:
            async with aclosing(self._api.getiter(_LIST)) as installations:
                async for installation in installations:
                    count += 1
                    if count > MOST_INSTALLATIONS:
                        return
                    yield _account(installation["account"])
        except gidgethub.HTTPException as error:
            raise refusal(int(error.status_code), str(error)) from error
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise Transient(f"{UNREADABLE}: its list of installations is not as documented") from error


def _account(told: dict[str, Any]) -> Account:
    # An enterprise has a slug instead of a login.
    return Account(int(told["id"]), str(told.get("login") or told.get("slug") or ""))
