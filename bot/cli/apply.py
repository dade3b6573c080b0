"""`pointsman apply`."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from bot.cli.local import (
    DirectoryOption,
    EventTypeOption,
    Format,
    FormatOption,
    MappingsOption,
    PayloadOption,
    VariablesOption,
    perform,
    prepare,
)

if TYPE_CHECKING:
    from bot.core.outcome import Outcome


def apply(
    directory: DirectoryOption = Path(),
    mappings: MappingsOption = None,
    payload: PayloadOption = "{}",
    var: VariablesOption = None,
    event_type: EventTypeOption = "",
    output: FormatOption = Format.text,
) -> None:
    """Change a local folder as a dispatch would change the repository. Exit 0, or 1 for an error.

    Example: `pointsman apply --directory gitops --var docker_image_tag=1.4.2-dev`
    """
    from bot.flows.apply import apply as apply_flow

    def make() -> Outcome:
        forge, request, source = prepare(directory, mappings, payload, var, event_type)
        applied = asyncio.run(apply_flow(forge, forge.repository, [request], source))
        if applied.stopped is not None:
            raise applied.stopped
        return applied.outcomes[0]

    raise typer.Exit(perform(make, output))
