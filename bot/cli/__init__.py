"""The command line: one file for each verb."""

from __future__ import annotations

import asyncio
import sys

import typer

from bot.cli.apply import apply
from bot.cli.check import check
from bot.cli.convert import convert
from bot.cli.deliveries import deliveries
from bot.cli.demo import demo
from bot.cli.image import image
from bot.cli.migrate import migrate
from bot.cli.plan import plan
from bot.cli.sandbox import sandbox
from bot.cli.schema import schema
from bot.cli.serve import serve
from bot.cli.set import Command as SetCommand
from bot.cli.set import set  # noqa: A004 - a verb's name is its function's
from bot.cli.unset import unset
from bot.errors import PointsmanError
from bot.printable import printable

app = typer.Typer(
    name="pointsman",
    help="Set every new image tag on the track to the right environment.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
for verb in (serve, demo, sandbox, check, plan, apply, set, unset, image, schema, convert, migrate):
    app.command(cls=SetCommand if verb is set else None)(verb)
app.add_typer(deliveries)


def main() -> None:
    """Run the program; an error of ours is its sentences on standard error and exit code 1."""
    try:
        app()
    except PointsmanError as error:
        sys.stderr.write(f"{printable(str(error))}\n")
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
    except asyncio.CancelledError:  # SIGTERM
        sys.exit(143)
    except BrokenPipeError:  # `pointsman … | head`
        sys.stderr.close()
        sys.exit(141)
