"""Saying back: check runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import gidgethub

from bot.github.answers import refusal

if TYPE_CHECKING:
    from bot.core.message import CheckRun
    from bot.core.model import Repository
    from bot.github.client import InstallationAPI


async def create_check_run(api: InstallationAPI, repository: Repository, check_run: CheckRun) -> None:
    """Create a completed check run: https://docs.github.com/en/rest/checks/runs#create-a-check-run."""
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
    try:
        await api.post(f"/repos/{repository.full_name}/check-runs", data=data)
    except gidgethub.HTTPException as error:
        raise refusal(int(error.status_code), str(error), error.headers) from error
