"""The accounts on which the App is installed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import gidgethub

from bot.core.model import Account
from bot.github.answers import app_refusal, readable

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from bot.github.client import AppAPI

# https://docs.github.com/en/rest/apps/apps#list-installations-for-the-authenticated-app
_LIST = "/app/installations?per_page=100"
# No more accounts are looked through: strangers may install an App that is public.
MOST_INSTALLATIONS = 10_000
# Ends the reading of a list whose pages are empty or lead in a circle.
_MOST_PAGES = MOST_INSTALLATIONS // 100 + 1


class InstallationList:
    """Reads GitHub's list of the App's installations as the App itself."""

    def __init__(self, api: AppAPI) -> None:
        self._api = api

    async def accounts(self) -> AsyncGenerator[Account, None]:
        """Yield the account of each installation, MOST_INSTALLATIONS at most.

        Raises Transient (try again later) and Unavailable.
        """
        count = 0
        url = _LIST
        for _ in range(_MOST_PAGES):
            try:
                installations, following = await self._api.page(url)
            except gidgethub.HTTPException as error:
                raise app_refusal(error) from error
            with readable():
                accounts = [_account(installation["account"]) for installation in installations]
            for account in accounts:
                count += 1
                if count > MOST_INSTALLATIONS:
                    return
                yield account
            if following is None:
                return
            url = following


def _account(account: dict[str, Any]) -> Account:
    # An enterprise has a slug instead of a login.
    return Account(int(account["id"]), str(account.get("login") or account.get("slug") or ""))
