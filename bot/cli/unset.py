"""`pointsman unset`."""

from __future__ import annotations

import typer

from bot.cli import edit


def unset(
    file: edit.FileArgument,
    field: edit.FieldArgument,
    many: edit.AllOption = False,
    document: edit.DocumentOption = None,
    check: edit.CheckOption = False,
    diff: edit.DiffOption = False,
) -> None:
    """Remove a key or a list item of a YAML or JSON file, with the comment lines that are its own.

    Exit 0 if it is gone or was not there, 1 where that is refused: then the file stays untouched.

    Example: `pointsman unset values.yaml image.digest`
    """
    from bot.core.yaml import Unset

    operation = Unset(field, edit.selector(document), many=many)
    raise typer.Exit(edit.edit(file, operation, check=check, diff=diff))
