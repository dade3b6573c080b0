"""What can be made to go wrong, and what can be made to happen just before a request is handled."""

from __future__ import annotations

import inspect
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, TypeAlias

Callback: TypeAlias = Callable[[], Awaitable[Any] | Any]


@dataclass
class Fault:
    """What befalls the next `times` requests that match, after `skip` of them that pass.

    `method` and `operation` (of GraphQL) must be equal where given, `path` (a regular expression over the path without
    `/api/v3`) must be found. `delay` is in seconds. With `status`, that is answered with `body` (JSON data or a
    string) and `headers`; with `reset`, the connection is dropped; either happens before the request is handled, or
    `after` its effect. `callback` runs before.
    """

    method: str | None = None
    path: str | None = None
    operation: str | None = None
    times: int = 1
    skip: int = 0
    status: int | None = None
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    delay: float = 0.0
    after: bool = False
    reset: bool = False
    callback: Callback | None = None

    def matches(self, method: str, path: str, operation: str | None) -> bool:
        """Say whether this fault is meant for such a request."""
        return (
            self.times > 0
            and self.method in {None, method}
            and self.operation in {None, operation}
            and (self.path is None or re.search(self.path, path) is not None)
        )

    async def run_callback(self) -> None:
        """Run the callback, if any; await what it gives back."""
        result = self.callback() if self.callback else None
        if inspect.isawaitable(result):
            await result


class Faults:
    """The faults waiting for their request, in the order they were added."""

    def __init__(self) -> None:
        self.waiting: list[Fault] = []

    def add(self, **properties: Any) -> Fault:
        """Add a fault with these properties of `Fault`; TypeError names one that it does not have."""
        fault = Fault(**properties)
        self.waiting.append(fault)
        return fault

    def clear(self) -> None:
        """Forget all faults that still wait."""
        self.waiting.clear()

    def take(self, method: str, path: str, operation: str | None) -> list[Fault]:
        """Give the faults for this request, each counted as used once."""
        matching = [fault for fault in self.waiting if fault.matches(method, path, operation)]
        found = [fault for fault in matching if not fault.skip]
        for fault in matching:
            if fault.skip:
                fault.skip -= 1
            else:
                fault.times -= 1
        self.waiting = [fault for fault in self.waiting if fault.times > 0]
        return found
