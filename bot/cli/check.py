"""`pointsman check`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def check(
    file: Annotated[Path, typer.Argument(help="The mapping file.", show_default=True)] = Path(".github/pointsman.yaml"),
) -> None:
    """Check a mapping file: every problem as `FILE:LINE:COLUMN: sentence`. Exit 0 if there is none, 1 if there is.

    Example: `pointsman check mappings.example.yaml`
    """
    from bot.cli.files import read_text
    from bot.core import mapping_file

    parsed = mapping_file.parse(read_text(file), str(file))
    count = len(parsed.mappings)
    typer.echo(f"{file}: good: {count} mapping{'' if count == 1 else 's'}")
