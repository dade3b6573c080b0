"""The App's own list of the webhooks that GitHub sent to it, or tried to."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import gidgethub

from bot.errors import Transient, Unreadable
from bot.flows.listed import Listed
from bot.github.answers import UNREADABLE, app_refusal, readable

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping

    from bot.github.client import AppAPI

# https://docs.github.com/en/rest/apps/webhooks#list-deliveries-for-an-app-webhook
_LIST = "/app/hook/deliveries?per_page=100"
_ONE = "/app/hook/deliveries/{id}"
# Twice as many as a sweep looks at. Ends the reading of a list whose pages are empty or lead in a circle.
_MOST_PAGES = 100


class DeliveryList:
    """Reads the list as the App itself, so what it has is proven to come from GitHub.

    Every method raises Transient (try again later; credentials that GitHub does not take count as such) and
    Unavailable (not there, or not for us).
    """

    def __init__(self, api: AppAPI) -> None:
        self._api = api

    async def since(self, time: datetime, page: str = "") -> AsyncGenerator[Listed, None]:
        """Yield the attempts made since `time` (aware), the newest first; a page of 100 is asked for when needed.

        With `page`, which is that of an attempt, those from there on.
        """
        # The next page is where GitHub's Link header says: its cursor is nobody else's business.
        url = page or _LIST
        for _ in range(_MOST_PAGES):
            try:
                entries, following = await self._api.page(url)
                with readable():
                    attempts = [_listed(entry, url) for entry in entries]
            except gidgethub.HTTPException as error:
                raise app_refusal(error) from error
            for listed in attempts:
                if listed.delivered_at < time:
                    return
                yield listed
            if following is None:
                return
            url = following
        raise Transient(f"GitHub's list of deliveries has no end after {_MOST_PAGES} pages")

    async def payload(self, listed_id: int) -> dict[str, Any]:
        """Return the JSON object that an attempt sent, by the attempt's id. Raises Unreadable if it is not one.

        Whoever sends a dispatch decides what is in it: thousands of levels, or an integer of thousands of digits.
        """
        try:
            answer = await self._api.getitem(_ONE, {"id": str(listed_id)})
            payload = answer["request"]["payload"]
        except gidgethub.HTTPException as error:
            raise app_refusal(error) from error
        except (ValueError, KeyError, TypeError) as error:
            raise Unreadable(f"{UNREADABLE}: delivery {listed_id} is not as documented") from error
        if not isinstance(payload, dict):
            raise Unreadable(f"{UNREADABLE}: delivery {listed_id} has no payload")
        return payload


def _listed(entry: Mapping[str, Any], page: str) -> Listed:
    delivered_at = datetime.fromisoformat(entry["delivered_at"])
    return Listed(
        id=int(entry["id"]),
        guid=str(entry["guid"]),
        event=str(entry["event"]),
        delivered_at=delivered_at.astimezone(UTC),
        status=int(entry["status_code"] or 0),
        installation=int(entry.get("installation_id") or 0),
        repository=int(entry.get("repository_id") or 0),
        redelivery=bool(entry["redelivery"]),
        page=page,
    )
