"""What runs in a process of the pool: one computation at a time, within its share of CPU time and memory."""

from __future__ import annotations

import gc
import os
import resource
import signal
import time
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

from bot.core.meter import Meter, OverBudget
from bot.errors import InputError
from bot.flows import jobs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from types import FrameType

# Webhooks, health and the event loop come first: a process of the pool gives way to them.
NICENESS = 10
# An alarm that hits a destructor is lost; the next one follows so many seconds of CPU later.
AGAIN_SECONDS = 0.1


class Computed(NamedTuple):
    """What a computation returned, and the seconds of CPU that it took, by what they were spent on."""

    value: Any
    costs: Mapping[str, float]


class Exceeded(Exception):  # noqa: N818 - names the state
    """A computation took all of its share. `costs` are the seconds of CPU, by what they were spent on."""

    def __init__(self, costs: Mapping[str, float]) -> None:
        super().__init__(costs)
        self.costs = costs


def run(memory: int, seconds: float, function: Callable[..., Any], args: tuple[Any, ...]) -> Computed:
    """Return `function(meter, *args)` and its costs.

    The function may take `seconds` of CPU, the process `memory` bytes. Raises Exceeded, InputError when the memory does
    not suffice, and what the function raises.
    """
    _settle(memory)
    try:
        return _measured(seconds, function, args)
    except MemoryError:
        # What is kept of others' mapping files may be in the way: try again without.
        jobs.forget()
        gc.collect()
    try:
        return _measured(seconds, function, args)
    except MemoryError:
        raise InputError(
            f"computing it takes more than {memory // 1_000_000:,} MB of memory: use fewer or smaller files in one "
            "mapping, or let the operator raise COMPUTE_MEMORY"
        ) from None


def _measured(seconds: float, function: Callable[..., Any], args: tuple[Any, ...]) -> Computed:
    # This process has one thread, so its CPU time is that of the computation.
    meter = Meter(time.process_time, seconds)
    try:
        with _alarm(seconds):
            value = function(meter, *args)
    except OverBudget:
        raise Exceeded(meter.costs()) from None
    return Computed(value, meter.costs())


@cache
def _settle(memory: int) -> None:
    """Make this process fit to run foreign rules; once in its life."""
    os.nice(NICENESS)
    resource.setrlimit(resource.RLIMIT_DATA, (memory, memory))
    # Ctrl-C reaches every process of the terminal; the bot itself decides when this one ends.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGPROF, _interrupt)


def _interrupt(number: int, frame: FrameType | None) -> None:
    del number, frame
    raise OverBudget


@contextmanager
def _alarm(seconds: float) -> Iterator[None]:
    """Raise OverBudget in the block once it has taken so many seconds of CPU, and again until it ends."""
    signal.setitimer(signal.ITIMER_PROF, max(seconds, 0.001), AGAIN_SECONDS)
    try:
        yield
    finally:
        while signal.getitimer(signal.ITIMER_PROF) != (0.0, 0.0):
            try:
                signal.setitimer(signal.ITIMER_PROF, 0.0)
            except OverBudget:  # it came in the very moment before
                continue
