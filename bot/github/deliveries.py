"""The App's own list of the webhooks that GitHub sent to it, or tried to."""

from __future__ import annotations

from contextlib import aclosing
from datetime import UTC, datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import gidgethub

from bot.errors import PointsmanError, Transient, Unreadable
from bot.flows.sweep import Listed
from bot.github.client import UNREADABLE, refusal

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping

    from bot.github.client import AppAPI

# https://docs.github.com/en/rest/apps/webhooks#list-deliveries-for-an-app-webhook
_LIST = "/app/hook/deliveries?per_page=100"
_ONE = "/app/hook/deliveries/{id}"


class DeliveryList:
    """Reads the list as the App itself; what it says is GitHub's own word.

    Every method raises Transient (try again later; credentials that GitHub does not take count as such) and
    Unavailable (not there, or not for us).
    """

    def __init__(self, api: AppAPI) -> None:
        self._api = api

    async def since(self, time: datetime) -> AsyncGenerator[Listed, None]:
        """Yield the attempts made since `time` (aware), the newest first; a page of 100 is asked for when needed."""
        try:
            # The next page is where GitHub's Link header says: its cursor is nobody else's business.
            async with aclosing(self._api.getiter(_LIST)) as entries:
                async for entry in entries:
                    listed = _listed(entry)
                    if listed.delivered_at < time:
                        return
                    yield listed
        except gidgethub.HTTPException as error:
            raise _refused(error) from error
        except (ValueError, KeyError, TypeError) as error:
            raise Transient(f"{UNREADABLE}: its list of deliveries is not as documented") from error

    async def payload(self, listed_id: int) -> dict[str, Any]:
        """Return the JSON object that an attempt sent, by the attempt's id. Raises Unreadable if it is not one.

        Whoever sends a dispatch decides what is in it: thousands of levels, or an integer of thousands of digits.
        """
        try:
            answer = await self._api.getitem(_ONE, {"id": str(listed_id)})
            payload = answer["request"]["payload"]
        except Transient as error:
            if isinstance(error.__cause__, ValueError):
                raise Unreadable(f"{UNREADABLE}: delivery {listed_id} is not JSON that can be read") from error
            raise
        except RecursionError as error:
            raise Unreadable(f"{UNREADABLE}: delivery {listed_id} is nested too deep") from error
        except gidgethub.HTTPException as error:
            raise _refused(error) from error
        except (ValueError, KeyError, TypeError) as error:
            raise Unreadable(f"{UNREADABLE}: delivery {listed_id} is not as documented") from error
        if not isinstance(payload, dict):
            raise Unreadable(f"{UNREADABLE}: delivery {listed_id} has no payload")
        return payload


def _listed(entry: Mapping[str, Any]) -> Listed:
    delivered_at = datetime.fromisoformat(entry["delivered_at"])
    return Listed(
        id=int(entry["id"]),
        guid=str(entry["guid"]),
        event=str(entry["event"]),
        delivered_at=delivered_at.astimezone(UTC),
        status=int(entry["status_code"] or 0),
        redelivery=bool(entry["redelivery"]),
        installation=int(entry.get("installation_id") or 0),
        repository=int(entry.get("repository_id") or 0),
    )


def _refused(error: gidgethub.HTTPException) -> PointsmanError:
    if error.status_code == HTTPStatus.UNAUTHORIZED or "Integration not found" in str(error):
        return Transient(
            f"GitHub does not take the App's credentials: {error}; compare APP_ID and PRIVATE_KEY with its page"
        )
    return refusal(int(error.status_code), str(error))
