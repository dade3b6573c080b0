"""`pointsman serve`."""

from __future__ import annotations

import sys

import typer

from bot.printable import printable


def serve() -> None:
    """Run the bot: take webhooks, and do in the background what they ask for.

    Everything is set by environment variables; the README lists them.

    Example: `APP_ID=1 PRIVATE_KEY_PATH=app.pem WEBHOOK_SECRET=… pointsman serve`
    """
    import gc

    from aiohttp import web

    from bot import app, settings, telemetry
    from bot.cli.extras import listen_reason
    from bot.errors import InputError

    try:
        loaded = settings.load()
    except InputError as error:
        sys.stderr.write(f"{printable(str(error))}\n")
        raise typer.Exit(2) from None
    telemetry.configure(loaded.log_level, loaded.log_format)
    # Webhooks are answered beside threads that compute: these give way sooner than the 5 ms of Python's default, and
    # what is loaded by now, which stays, is not searched for garbage again and again.
    sys.setswitchinterval(0.001)
    gc.freeze()
    try:
        # Requests are answered in milliseconds; one that is not must not use up the time that drains have to end.
        web.run_app(app.make(loaded), host=loaded.host, port=loaded.port, print=None, shutdown_timeout=3.0)
    except InputError as error:
        sys.stderr.write(f"{printable(str(error))}\n")
        raise typer.Exit(2) from None
    except OSError as error:
        sys.stderr.write(f"HOST and PORT: cannot listen on {loaded.host}:{loaded.port}: {listen_reason(error)}\n")
        raise typer.Exit(2) from None
