"""What the tests let the pool compute; in a module of its own, as the processes import it by its name."""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import regex

from bot.errors import InputError

if TYPE_CHECKING:
    from bot.core.meter import Meter


def spin(meter: Meter, seconds: float, name: str = "spinning") -> str:
    """Use so many seconds of CPU, charged to `name`; return it."""
    with meter.charge(name):
        end = time.process_time() + seconds
        while time.process_time() < end:
            pass
    return name


def spin_on(meter: Meter, file: str, seconds: float) -> None:
    """Write the id of this process to a file, then spin."""
    Path(file).write_text(str(os.getpid()))
    spin(meter, seconds)


def die(meter: Meter) -> None:
    """End this process as the system does when memory is short."""
    del meter
    os.kill(os.getpid(), signal.SIGKILL)


def fill(meter: Meter, size: int) -> int:
    """Take so many bytes of memory."""
    del meter
    return len(bytearray(size))


def search(meter: Meter, pattern: str, text: str, seconds: float) -> bool:
    """Search with a time limit, as patterns of rules are."""
    del meter
    return regex.search(pattern, text, timeout=seconds) is not None


def swallow(meter: Meter) -> None:
    """Take whatever exception comes, and go on."""
    del meter
    while True:
        with suppress(Exception):
            sum(range(1000))


def niceness(meter: Meter) -> int:
    """Return by how much this process gives way to others."""
    del meter
    return os.nice(0)


def spin_in_vain(meter: Meter, seconds: float) -> None:
    """Use so many seconds of CPU, and refuse the input then."""
    spin(meter, seconds, "mapping 'wrong'")
    raise InputError("the input is wrong")


def length(meter: Meter, data: bytes) -> int:
    """Return the length of what was sent."""
    del meter
    return len(data)


def many(meter: Meter, count: int) -> list[bytes]:
    """Return so many megabytes."""
    del meter
    return [os.urandom(1_000_000) for _ in range(count)]


def remember(meter: Meter, megabytes: int) -> None:
    """Compile patterns of a megabyte each, as long comments are: the module keeps the last 500 that it compiled."""
    del meter
    for number in range(megabytes):
        regex.compile(f"(?x)a # {number}{' ' * 1_000_000}")
