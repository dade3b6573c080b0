"""`pointsman schema`."""

from __future__ import annotations

import json

import typer


def schema() -> None:
    """Print the JSON Schema of the mapping file, for editors.

    Example: `pointsman schema > pointsman.schema.json`
    """
    from bot.core import mapping_file

    typer.echo(json.dumps(mapping_file.schema(), indent=2))
