"""`pointsman check`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bot.cli import local
from bot.printable import printable_line


def check(
    file: Annotated[Path, typer.Argument(help="The mapping file.", show_default=True)] = Path(".github/pointsman.yaml"),
) -> None:
    """Check a mapping file: every problem as `FILE:LINE:COLUMN: sentence`. Exit 0 if there is none, 1 if there is.

    What works and may not be meant is a warning, which leaves the exit code as it is.

    Example: `pointsman check mappings.example.yaml`
    """
    from bot.cli.files import read_text
    from bot.core import mapping_file

    parsed = mapping_file.parse(read_text(file), str(file))
    local.warn(parsed.warnings)
    counts = [_count(len(parsed.mappings), "mapping")]
    if parsed.warnings:
        counts.append(_count(len(parsed.warnings), "warning"))
    typer.echo(printable_line(f"{file}: good: {', '.join(counts)}"))


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
