"""`pointsman set`."""

from __future__ import annotations

import json
import re
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer
from typer.core import TyperCommand

from bot.cli import edit

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bot.core.model import Json

# The one notation that readers of YAML 1.1, YAML 1.2 and JSON share.
_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")
_INTEGER = re.compile(r"-?(0|[1-9][0-9]{0,999})")
_BOOLEANS = {"true": True, "false": False}


class Kind(StrEnum):
    """What VALUE is."""

    string = "string"
    number = "number"
    bool = "bool"
    null = "null"
    json = "json"


class Command(TyperCommand):
    """A command to which `-1` is no option but an argument; whatever else begins with a dash stands behind `--`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Take the command line apart; an unknown option is an error, as everywhere, where it is no number."""
        known = {name for parameter in self.get_params(ctx) for name in parameter.opts}
        others = [arg for arg in args if re.match("-.", arg) and arg.partition("=")[0] not in known]
        ctx.ignore_unknown_options = all(re.match("-[0-9.]", arg) for arg in others)
        return super().parse_args(ctx, args)


def set(  # noqa: A001 - a verb's name is its function's
    file: edit.FileArgument,
    field: edit.FieldArgument,
    value: Annotated[
        str | None,
        typer.Argument(metavar="VALUE", help="The new value; may be left out with --type null.", show_default=False),
    ] = None,
    kind: Annotated[
        Kind,
        typer.Option(
            "--type",
            metavar="TYPE",
            help="string, number (stays as it is written), bool, null, or json (with --create a mapping or list too).",
        ),
    ] = Kind.string,
    create: Annotated[bool, typer.Option("--create", help="Write what is missing of FIELD.")] = False,
    many: edit.AllOption = False,
    document: edit.DocumentOption = None,
    check: edit.CheckOption = False,
    diff: edit.DiffOption = False,
) -> None:
    """Set one field of a YAML or JSON file; every other byte stays.

    Exit 0 if it is done or already so, 1 where it is refused: then the file stays untouched. A VALUE that begins
    with a dash stands behind `--`, if it is no number.

    Example: `pointsman set values.yaml image.tag 1.4.2-dev`
    """
    from bot.core.yaml import SetField

    operation = SetField(field, _value(value, kind), edit.selector(document), create=create, many=many)
    raise typer.Exit(edit.edit(file, operation, check=check, diff=diff))


def _value(text: str | None, kind: Kind) -> Json:
    """Return VALUE as `--type` says. Raises typer.BadParameter where it is something else."""
    if kind is Kind.null:
        return None if text in {None, "null"} else _refuse(text, "with --type null it is null, or left out")
    if text is None:
        _refuse(text, "it is missing; only --type null goes without")
    if kind is Kind.string:
        return text
    if kind is Kind.bool:
        return _BOOLEANS[text] if text in _BOOLEANS else _refuse(text, "write true or false")
    if kind is Kind.number:
        return _number(text)
    try:
        parsed: Json = json.loads(
            text, object_pairs_hook=_object, parse_float=_number, parse_int=_number, parse_constant=_number
        )
    except RecursionError:
        _refuse(None, "it is nested too deeply")
    except ValueError as error:
        _refuse(None, f"this is no JSON: {error}")
    return parsed


def _number(text: str) -> Json:
    from bot.core.model import Number

    if _INTEGER.fullmatch(text):
        return int(text)
    return Number(text) if _NUMBER.fullmatch(text) else _refuse(text, "a number is written as 3, -1.10 or 6e23")


def _object(pairs: Iterable[tuple[str, Json]]) -> dict[str, Json]:
    found: dict[str, Json] = {}
    for name, value in pairs:
        if name in found:
            _refuse(None, f"it has the key {name!r} twice")
        found[name] = value
    return found


def _refuse(text: str | None, sentence: str) -> NoReturn:
    said = "" if text is None else f"{text!r}: "
    raise typer.BadParameter(f"{said}{sentence}", param_hint="'VALUE'")
