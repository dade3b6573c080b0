"""Saying back: check runs."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import gidgethub

from bot.github.answers import readable, refusal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bot.core.message import CheckRun
    from bot.core.model import Repository
    from bot.github.client import InstallationAPI


# https://docs.github.com/en/rest/checks/runs#list-check-runs-for-a-git-reference: the newest come first
_PER_PAGE = 100
_MOST_PAGES = 10


async def create_check_run(
    api: InstallationAPI, repository: Repository, check_run: CheckRun, at: datetime | None = None
) -> None:
    """Create a completed check run: https://docs.github.com/en/rest/checks/runs#create-a-check-run.

    `at` is when it was completed (UTC, to the second); None: when GitHub gets it. Of several check runs of one name
    GitHub shows the one that was completed last, so one that comes late hides none of a later outcome. Raises
    Transient and Unavailable.
    """
    output: dict[str, object] = {"title": check_run.title, "summary": check_run.summary}
    if check_run.text:
        output["text"] = check_run.text
    if check_run.annotations:
        output["annotations"] = [
            {
                "path": annotation.path,
                "start_line": annotation.line,
                "end_line": annotation.line,
                "annotation_level": "failure",
                "message": annotation.sentence,
            }
            for annotation in check_run.annotations
        ]
    data = {
        "name": check_run.name,
        "head_sha": check_run.head,
        "status": "completed",
        "conclusion": check_run.conclusion,
        "external_id": check_run.external_id,
        "output": output,
    }
    if at is not None:
        data["started_at"] = data["completed_at"] = at.strftime("%Y-%m-%dT%H:%M:%SZ")
    try:
        await api.post(f"/repos/{repository.full_name}/check-runs", data=data)
    except gidgethub.HTTPException as error:
        raise refusal(int(error.status_code), str(error), error.headers) from error


async def has_check_run(api: InstallationAPI, repository: Repository, check_run: CheckRun, at: datetime) -> bool:
    """Whether a check run that was completed `at` that time (UTC, to the second) is there.

    The same delivery may have ended on the same commit before: a check run that was completed earlier is not this one.
    Raises Transient and Unavailable.
    """
    name = quote(check_run.name, safe="")
    url: str | None = (
        f"/repos/{repository.full_name}/commits/{check_run.head}/check-runs"
        f"?check_name={name}&filter=all&per_page={_PER_PAGE}"
    )
    for _ in range(_MOST_PAGES):
        if url is None:
            break
        try:
            page, url = await api.page(url)
            with readable():
                if any(_is_same(row, check_run, at) for row in page["check_runs"]):
                    return True
        except gidgethub.HTTPException as error:
            raise refusal(int(error.status_code), str(error), error.headers) from error
    return False


def _is_same(row: Mapping[str, Any], check_run: CheckRun, at: datetime) -> bool:
    if (row["name"], row["external_id"]) != (check_run.name, check_run.external_id):
        return False
    completed = row.get("completed_at")
    return completed is None or datetime.fromisoformat(completed) >= at
