"""Looking for commits of ours whose answer never came, by the trailers that they carry."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import gidgethub

from bot.core.outcome import Commit, Landed
from bot.core.trigger import TRAILER
from bot.github.answers import NotFound, oid, readable, refusal, said

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bot.core.model import Repository
    from bot.github.client import InstallationAPI

# https://docs.github.com/en/rest/commits/commits#compare-two-commits: commits come oldest first
_PER_PAGE = 100
_MOST_PAGES = 30

# In seconds, between the times that GitHub is asked for what it does not know.
PAUSES = (1.0, 2.0)

_TRAILER = re.compile(rf"^{TRAILER}: ([0-9A-Za-z-]+)$", re.MULTILINE)


async def landed(api: InstallationAPI, repository: Repository, branch: str, base: str) -> Landed:
    """Look through the commits of `branch` since `base`.

    Anybody who may push could write such a trailer, but not know the id of a delivery that is still under way; and the
    worst that it does is that we believe the change to be made. Raises Transient and Unavailable.
    """
    path = f"/repos/{repository.full_name}"
    try:
        ref = await _get(api, f"{path}/git/ref/heads/{quote(branch)}")
    except NotFound:
        return Landed("", {}, whole=False)
    with readable():
        head = oid(ref["object"]["sha"])
    if head == base:
        return Landed(head, {})
    commits: dict[str, Commit] = {}
    for page in range(1, _MOST_PAGES + 1):
        url = f"{path}/compare/{base}...{head}?per_page={_PER_PAGE}&page={page}"
        try:
            compared = await _get(api, url)
        except NotFound:  # the base went with a forced push, and is gone for good
            return Landed(head, {}, whole=False)
        with readable():
            rows = compared["commits"]
            commits |= {delivery: commit for row in rows for delivery, commit in _ours(row)}
            if len(rows) < _PER_PAGE:
                return Landed(head, commits, whole=compared["status"] in {"ahead", "identical"})
    return Landed(head, commits, whole=False)


def _ours(row: dict[str, Any]) -> Iterator[tuple[str, Commit]]:
    """Yield the deliveries in the trailers of a commit, which are its last paragraph, with the commit."""
    last_paragraph = str(row["commit"]["message"]).rstrip().rpartition("\n\n")[2]
    parents = row.get("parents")
    commit = Commit(oid(row["sha"]), said(row["html_url"]), oid(parents[0]["sha"]) if parents else "")
    for delivery in _TRAILER.findall(last_paragraph):
        yield delivery, commit


async def _get(api: InstallationAPI, url: str) -> Any:
    """Get an answer. Raises NotFound if GitHub says so several times: for a moment it does not know what is new."""
    for pause in (*PAUSES, None):
        try:
            return await api.getitem(url)
        except gidgethub.HTTPException as error:
            refused = refusal(int(error.status_code), str(error), error.headers)
            if pause is None or not isinstance(refused, NotFound):
                raise refused from error
        await asyncio.sleep(pause)
    return None
