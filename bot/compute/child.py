"""What runs in a process of the pool: one computation at a time, within its share of CPU time and memory."""

from __future__ import annotations

import gc
import os
import pickle
import resource
import signal
import sys
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple, TypeAlias, TypeVar

import regex

from bot.compute.process import LENGTH
from bot.core.meter import Meter, OverBudget
from bot.errors import InputError
from bot.flows import jobs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from types import FrameType

T = TypeVar("T")

# The CPU time between two alarms that look at the budget. Python drops an exception that an alarm raises inside a
# destructor, so the alarm repeats.
LOOK_SECONDS = 0.1
# A request that does not fit into memory is skipped in parts of so many bytes.
_SKIPPED_BYTES = 64 * 1024


class Computed(NamedTuple):
    """The result of a computation and its costs."""

    value: Any
    costs: Mapping[str, float]
    """Seconds of CPU by the names that the meter was charged with."""


class Failed(NamedTuple):
    """What a computation raised, and the seconds of CPU that it took, by what they were spent on."""

    error: Exception
    costs: Mapping[str, float]


Answer: TypeAlias = Computed | Failed


class Exceeded(Exception):  # noqa: N818 - names the state
    """A computation used its CPU time up. `costs` are as in `Computed`."""

    def __init__(self, costs: Mapping[str, float]) -> None:
        super().__init__(costs)
        self.costs = costs


def serve(memory: int) -> None:
    """Answer the requests on standard input until it ends; this process may use `memory` bytes.

    A request is a pickled (seconds, function, args), an answer a pickled Computed, Failed or Exceeded, each behind its
    length.
    """
    requests, answers = sys.stdin.buffer, os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    # Standard output becomes standard error, so that nothing that a computation prints gets between the answers.
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    # The module keeps 500 patterns: those of a hostile mapping file would take the memory of all later jobs.
    regex.cache_all(False)
    resource.setrlimit(resource.RLIMIT_DATA, (memory, memory))
    while head := requests.read(LENGTH.size):
        answer = _answer(memory, _read(requests, *LENGTH.unpack(head)))
        try:
            answers.write(LENGTH.pack(len(answer)))
            answers.write(answer)
            answers.flush()
        except BrokenPipeError:  # the bot was killed meanwhile
            os._exit(1)
        # Without its cache the module still keeps the text of every pattern.
        regex.purge()


def _read(requests: BinaryIO, length: int) -> bytes | None:
    """Return a request, or None if it does not fit into memory; then it is skipped."""
    try:
        return _with_room(lambda: requests.read(length))
    except MemoryError:
        while length > 0:
            length -= len(requests.read(min(length, _SKIPPED_BYTES)))
        return None


def _answer(memory: int, request: bytes | None) -> bytes:
    if request is None:
        return pickle.dumps(Failed(_too_large(memory), {}))
    try:
        seconds, function, args = _with_room(lambda: pickle.loads(request))  # noqa: S301 - the bot's own bytes
        answer = _run(memory, seconds, function, args)
        return _with_room(lambda: pickle.dumps(answer, pickle.HIGHEST_PROTOCOL))
    except MemoryError:
        return pickle.dumps(Failed(_too_large(memory), {}))
    except Exception as error:  # noqa: BLE001 - the bot raises it again
        failed = error if isinstance(error, Exceeded) else Failed(error, {})
        try:
            return pickle.dumps(failed, pickle.HIGHEST_PROTOCOL)
        except Exception:  # noqa: BLE001 - the error holds something that cannot be pickled
            return pickle.dumps(Failed(RuntimeError(f"{type(error).__name__}: {error}"), {}))


def _with_room(function: Callable[[], T]) -> T:
    """Return `function()`. If memory is short, try again after dropping the mapping files that earlier jobs read."""
    with suppress(MemoryError):
        return function()
    _forget()
    return function()


def _forget() -> None:
    """Drop the mapping files that earlier jobs read, those of other repositories too."""
    jobs.forget()
    gc.collect()


def _run(memory: int, seconds: float, function: Callable[..., Any], args: tuple[Any, ...]) -> Answer:
    """Return `function(meter, *args)` and its costs, or what it raised, and its costs.

    That is an InputError if the memory does not suffice. Raises Exceeded after `seconds` of CPU.
    """
    answer = _measured(seconds, function, args)
    if not isinstance(answer, Failed) or not isinstance(answer.error, MemoryError):
        return answer
    # Mapping files that earlier jobs read may have taken the memory: try again without them. The traceback of the error
    # holds what was computed so far, so the error goes first.
    costs = answer.costs
    del answer
    _forget()
    answer = _measured(max(seconds - sum(costs.values()), 0.0), function, args)
    if isinstance(answer, Failed) and isinstance(answer.error, MemoryError):
        return Failed(_too_large(memory), {**costs, **answer.costs})
    return answer


def _too_large(memory: int) -> InputError:
    return InputError(
        f"computing it takes more than {memory // 1_000_000:,} MB of memory: use fewer or smaller files in one "
        "mapping, or let the operator raise COMPUTE_MEMORY"
    )


def _measured(seconds: float, function: Callable[..., Any], args: tuple[Any, ...]) -> Answer:
    # This process has one thread, so its CPU time is that of the computation.
    meter = Meter(time.process_time, seconds)
    try:
        with _alarm(seconds):
            value = function(meter, *args)
    except OverBudget:
        raise Exceeded(meter.costs()) from None
    except Exception as error:  # noqa: BLE001 - what was computed until then was paid for too
        return Failed(error, meter.costs())
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
