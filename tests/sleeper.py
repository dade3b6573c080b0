"""`pointsman serve` in a process that stops itself at a place in its first write, as a machine does that is suspended.

    python sleeper.py before-intent|before-request|after-answer

SIGCONT wakes it.
"""

from __future__ import annotations

import os
import signal
import sys
from functools import wraps
from typing import TYPE_CHECKING, Any

from bot.cli import main
from bot.github import GitHub
from bot.inbox.journal import SQLiteJournal

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

PLACES = ("before-intent", "before-request", "after-answer")


def sleep_in(owner: type, method: str, *, after: bool = False) -> None:
    """Let the process stop at the first call of a method: before it does anything, or `after` it did."""
    working: Callable[..., Awaitable[Any]] = getattr(owner, method)
    left = [None]

    @wraps(working)
    async def sleeping(*args: Any, **options: Any) -> Any:
        sleeps = bool(left)
        left.clear()
        if sleeps and not after:
            os.kill(os.getpid(), signal.SIGSTOP)
        result = await working(*args, **options)
        if sleeps and after:
            os.kill(os.getpid(), signal.SIGSTOP)
        return result

    setattr(owner, method, sleeping)


if __name__ == "__main__":
    place = sys.argv.pop(1)
    if place == PLACES[0]:
        sleep_in(SQLiteJournal, "intend")
    else:
        sleep_in(GitHub, "commit", after=place == PLACES[2])
    sys.argv[1:] = ["serve"]
    main()
