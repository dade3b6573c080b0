"""`pointsman plan`."""

from __future__ import annotations

import asyncio
from pathlib import Path

import typer

from bot.cli import local


def plan(
    directory: local.DirectoryOption = Path(),
    mappings: local.MappingsOption = None,
    regex: local.RegexesOption = None,
    payload: local.PayloadOption = "{}",
    var: local.VariablesOption = None,
    event_type: local.EventTypeOption = "",
    branch: local.BranchOption = "",
    output: local.FormatOption = local.Format.text,
) -> None:
    """Show what a dispatch would change in a local folder, and why. Writes nothing. Exit 0, or 1 for an error.

    Example: `pointsman plan --directory gitops --var docker_image_tag=1.4.2-dev`
    """
    from bot.cli.request import Asked
    from bot.compute.in_place import InPlace
    from bot.flows.decide import Decider
    from bot.flows.decisions import Turn

    asked = Asked(directory, mappings, payload, tuple(var or ()), tuple(regex or ()), event_type, branch)

    def run() -> int:
        properties, forge = asked.properties({}), asked.forge()
        request, source = asked.request(forge, properties), asked.source({})
        local.warn(source.rules.warnings if source.rules else ())
        decided = asyncio.run(Decider(forge, InPlace(), source).decide(forge.repository, Turn([request])))
        return local.show(local.Shown.of(decided.decisions, branch), output)

    raise typer.Exit(local.perform(run, output))
