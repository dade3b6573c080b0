"""What runs in a process of the pool: one computation at a time, within its share of CPU time and memory."""

from __future__ import annotations

import gc
import os
import pickle
import resource
import signal
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

from bot.compute.process import LENGTH
from bot.core.meter import Meter, OverBudget
from bot.errors import InputError
from bot.flows import jobs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from types import FrameType

# The CPU time between two alarms that look at the budget. Python drops an exception that an alarm raises inside a
# destructor, so the alarm repeats.
LOOK_SECONDS = 0.1


class Computed(NamedTuple):
    """The result of a computation and its costs."""

    value: Any
    costs: Mapping[str, float]
    """Seconds of CPU by the names that the meter was charged with."""


class Exceeded(Exception):  # noqa: N818 - names the state
    """A computation used its CPU time up. `costs` are as in `Computed`."""

    def __init__(self, costs: Mapping[str, float]) -> None:
        super().__init__(costs)
        self.costs = costs


def serve(memory: int) -> None:
    """Answer the requests on standard input until it ends; this process may use `memory` bytes.

    A request is a pickled (seconds, function, args), an answer a pickled Computed or exception, each behind its length.
    """
    requests, answers = sys.stdin.buffer, os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    # Standard output becomes standard error, so that nothing that a computation prints gets between the answers.
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    resource.setrlimit(resource.RLIMIT_DATA, (memory, memory))
    while head := requests.read(LENGTH.size):
        answer = _answer(memory, requests.read(*LENGTH.unpack(head)))
        try:
            answers.write(LENGTH.pack(len(answer)))
            answers.write(answer)
            answers.flush()
        except BrokenPipeError:  # the bot was killed meanwhile
            os._exit(1)


def _answer(memory: int, request: bytes) -> bytes:
    try:
        seconds, function, args = pickle.loads(request)  # noqa: S301 - the bot's own bytes
        return pickle.dumps(_run(memory, seconds, function, args), pickle.HIGHEST_PROTOCOL)
    except Exception as error:  # noqa: BLE001 - the bot raises it again
        try:
            return pickle.dumps(error, pickle.HIGHEST_PROTOCOL)
        except Exception:  # noqa: BLE001 - the error holds something that cannot be pickled
            return pickle.dumps(RuntimeError(f"{type(error).__name__}: {error}"))


def _run(memory: int, seconds: float, function: Callable[..., Any], args: tuple[Any, ...]) -> Computed:
    """Return `function(meter, *args)` and its costs.

    Raises Exceeded after `seconds` of CPU, InputError when the memory does not suffice, and what the function raises.
    """
    try:
        return _measured(seconds, function, args)
    except MemoryError:
        # The cache of mapping files, those of other repositories too, may have taken the memory: try again without it.
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


@contextmanager
def _alarm(seconds: float) -> Iterator[None]:
    """Raise OverBudget in the block when it has taken `seconds` of CPU, and again and again until the block ends.

    The process exits if its bot was killed meanwhile.
    """
    end, bot = time.process_time() + seconds, os.getppid()

    def look(number: int, frame: FrameType | None) -> None:
        del number, frame
        if os.getppid() != bot:
            os._exit(1)
        if time.process_time() >= end:
            raise OverBudget

    signal.signal(signal.SIGPROF, look)
    signal.setitimer(signal.ITIMER_PROF, min(max(seconds, 0.001), LOOK_SECONDS), LOOK_SECONDS)
    try:
        yield
    finally:
        while signal.getitimer(signal.ITIMER_PROF) != (0.0, 0.0):
            try:
                signal.setitimer(signal.ITIMER_PROF, 0.0)
            except OverBudget:  # an alarm came just before this line: switch it off again
                continue
