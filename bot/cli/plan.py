"""`pointsman plan`."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from bot.cli import local

if TYPE_CHECKING:
    from bot.flows.decide import Decision


def plan(
    directory: local.DirectoryOption = Path(),
    mappings: local.MappingsOption = None,
    payload: local.PayloadOption = "{}",
    var: local.VariablesOption = None,
    event_type: local.EventTypeOption = "",
    output: local.FormatOption = local.Format.text,
) -> None:
    """Show what a dispatch would change in a local folder, and why. Writes nothing. Exit 0, or 1 for an error.

    Example: `pointsman plan --directory gitops --var docker_image_tag=1.4.2-dev`
    """
    from bot.flows.decide import decide

    def make() -> Decision:
        forge, request, source = local.prepare(directory, mappings, payload, var, event_type)
        return asyncio.run(decide(forge, forge.repository, [request], source)).decisions[0]

    raise typer.Exit(local.perform(make, output))
