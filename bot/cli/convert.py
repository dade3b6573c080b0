"""`pointsman convert`."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - typer looks at the annotations
from typing import Annotated

import typer

from bot.printable import printable_diff, printable_line


def convert(
    workflow: Annotated[Path, typer.Argument(metavar="WORKFLOW.yml", help="The workflow that uses the action.")],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="Write to this file; default: print.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Write over a file that is there.")] = False,
) -> None:
    """Convert a workflow that uses the action conditional-regex-search-and-replace into a mapping file.

    Where a person must decide, the mapping file has a comment that begins with `# DECIDE:`. The exit code is 1 where
    the workflow has no such step, or mappings that are not valid.

    Example: `pointsman convert .github/workflows/update.yml --output .github/pointsman.yaml`
    """
    from bot.cli.files import read_text
    from bot.core.convert import convert as convert_text
    from bot.errors import InputError, Problem

    converted = convert_text(read_text(workflow), str(workflow))
    if output is None:
        typer.echo(printable_diff(converted.text), nl=False)
    else:
        try:
            with output.open("w" if force else "x", encoding="utf-8", newline="\n") as file:
                file.write(converted.text)
        except FileExistsError:
            raise InputError(Problem("it is there already: --force writes over it", str(output))) from None
        except OSError as error:
            raise InputError(Problem(f"cannot write it: {error.strerror}", str(output))) from error
    decisions = f"{converted.decisions} place{'' if converted.decisions == 1 else 's'} for you to decide"
    hint = ": look for '# DECIDE:'" if converted.decisions else ""
    typer.echo(printable_line(f"{output or workflow}: converted, {decisions}{hint}"), err=True)
