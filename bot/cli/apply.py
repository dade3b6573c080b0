"""`pointsman apply`."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from bot.cli import local

if TYPE_CHECKING:
    from bot.core.outcome import Outcome


def apply(
    directory: local.DirectoryOption = Path(),
    mappings: local.MappingsOption = None,
    payload: local.PayloadOption = "{}",
    var: local.VariablesOption = None,
    event_type: local.EventTypeOption = "",
    output: local.FormatOption = local.Format.text,
) -> None:
    """Change a local folder as a dispatch would change the repository. Exit 0, or 1 for an error.

    Example: `pointsman apply --directory gitops --var docker_image_tag=1.4.2-dev`
    """
    from bot.flows import apply as flow

    def make() -> Outcome:
        forge, request, source = local.prepare(directory, mappings, payload, var, event_type)
        applied = asyncio.run(flow.apply(forge, forge.repository, [request], source))
        if applied.stopped is not None:
            raise applied.stopped
        return applied.outcomes[0]

    raise typer.Exit(local.perform(make, output))
