"""`pointsman serve`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import typer

from bot.printable import printable

if TYPE_CHECKING:
    from bot.settings import Settings


def serve() -> None:
    """Run the bot: take webhooks, and do in the background what they ask for.

    Everything is set by environment variables; the README lists them.

    Example: `APP_ID=1 PRIVATE_KEY_PATH=app.pem WEBHOOK_SECRET=… pointsman serve`
    """
    import asyncio
    import gc

    from bot import app, settings, telemetry
    from bot.cli.extras import listen_reason
    from bot.errors import InputError

    try:
        loaded = settings.load()
    except InputError as error:
        sys.stderr.write(f"{printable(str(error))}\n")
        raise typer.Exit(2) from None
    telemetry.configure(loaded.log_level, loaded.log_format)
    # Threads pickle what the pool computes while webhooks are answered. They give way after 1 ms instead of Python's 5.
    # The modules loaded by now stay, so the garbage collector need not search them again and again.
    sys.setswitchinterval(0.001)
    gc.freeze()
    try:
        asyncio.run(_run(loaded))
    except asyncio.CancelledError:
        pass  # a second signal came; the next start takes up the work that is left
    except InputError as error:
        sys.stderr.write(f"{printable(str(error))}\n")
        raise typer.Exit(2) from None
    except app.ListenError as error:
        remedy = "; set ADMIN_PORT to a free port, 0 takes any" if error.setting == "ADMIN_PORT" else ""
        reason = listen_reason(error.error)
        sentence = f"HOST and {error.setting}: cannot listen on {error.address}: {reason}{remedy}"
        sys.stderr.write(f"{printable(sentence)}\n")
        raise typer.Exit(2) from None


async def _run(loaded: Settings) -> None:
    """Serve until SIGTERM or Ctrl-C. After a second one, drains under way are not waited for."""
    import asyncio
    import signal

    from bot import app

    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    serving = asyncio.current_task()

    def end() -> None:
        if stop.is_set() and serving is not None:
            serving.cancel()
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, end)
    async with app.serving(loaded):
        await stop.wait()
