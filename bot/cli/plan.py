"""`pointsman plan`."""

from __future__ import annotations

import asyncio
from pathlib import Path

import typer

from bot.cli.local import (
    DirectoryOption,
    EventTypeOption,
    Format,
    FormatOption,
    MappingsOption,
    PayloadOption,
    Shown,
    VariablesOption,
    prepare,
    show,
)


def plan(
    directory: DirectoryOption = Path(),
    mappings: MappingsOption = None,
    payload: PayloadOption = "{}",
    var: VariablesOption = None,
    event_type: EventTypeOption = "",
    output: FormatOption = Format.text,
) -> None:
    """Show what a dispatch would change in a local folder, and why. Writes nothing. Exit 0, or 1 for an error.

    Example: `pointsman plan --directory gitops --var docker_image_tag=1.4.2-dev`
    """
    from bot.flows.apply import decide

    forge, request, source = prepare(directory, mappings, payload, var, event_type)
    decided = asyncio.run(decide(forge, forge.repository, [request], source))
    raise typer.Exit(show(Shown.of(decided.decisions[0]), output))
