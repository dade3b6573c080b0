"""`pointsman migrate`."""

from __future__ import annotations

import sys

import typer

from bot.printable import printable


def migrate() -> None:
    """Bring the database of DATABASE_URL to this version's tables; `serve` does so by itself when it starts.

    Example: `DATABASE_URL=sqlite:////data/pointsman.db pointsman migrate`
    """
    from bot import settings
    from bot.errors import InputError
    from bot.inbox.sqlite import SQLiteInbox

    try:
        path = settings.database()
        SQLiteInbox(path).close()
    except InputError as error:
        sys.stderr.write(f"{printable(str(error))}\n")
        raise typer.Exit(2) from None
    typer.echo(printable(f"{path} is up to date"))
