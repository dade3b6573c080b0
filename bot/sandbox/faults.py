"""What can be made to go wrong, and what can be made to happen just before a request is handled."""

from __future__ import annotations

import difflib
import inspect
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

from bot.sandbox.chance import Odds, dice
from bot.sandbox.presets import PRESETS

if TYPE_CHECKING:
    from bot.sandbox.asked import Asked

Callback: TypeAlias = Callable[[], Awaitable[Any] | Any]


@dataclass(kw_only=True)
class Fault(Odds):
    """What befalls requests: those that match, as often as the Odds say.

    `method`, `operation` (of GraphQL), `repository` (an id) and `branch` must be equal where given, `path` (a regular
    expression over the path without `/api/v3`) must be found; with `moves`, only requests that would move a branch
    match. With `status`, that is answered with `body` (JSON data, or bytes as they are) and `headers`; with `reset`,
    the connection is dropped. Either happens before the request is handled, or `after` its effect, and `delay` seconds
    pass first. `callback` runs after that, before the request is handled.
    """

    method: str | None = None
    path: str | None = None
    operation: str | None = None
    repository: int | None = None
    branch: str | None = None
    moves: bool = False
    status: int | None = None
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    delay: float = 0.0
    after: bool = False
    reset: bool = False
    callback: Callback | None = None

    def matches(self, asked: Asked) -> bool:
        """Say whether this fault is meant for such a request."""
        return (
            self.method in {None, asked.method}
            and self.operation in {None, asked.operation}
            and self.repository in {None, asked.repository}
            and self.branch in {None, asked.branch}
            and (asked.moves or not self.moves)
            and (self.path is None or re.search(self.path, asked.path) is not None)
        )

    async def run_callback(self) -> None:
        """Run the callback, if any; await what it gives back."""
        result = self.callback() if self.callback else None
        if inspect.isawaitable(result):
            await result


class Faults:
    """The faults waiting for their request, in the order they were added; their dice are seeded with 0."""

    def __init__(self) -> None:
        self.waiting: list[Fault] = []
        self.dice = dice(0)

    def seed(self, number: int) -> None:
        """Let the dice fall from now on as they always do for this number."""
        self.dice = dice(number)

    def add(self, **properties: Any) -> Fault:
        """Add a fault with these properties of `Fault`; TypeError names one that it does not have."""
        fault = Fault(**properties)
        self.waiting.append(fault)
        return fault

    def cause(self, name: str, **properties: Any) -> Fault:
        """Add the fault that `presets.PRESETS` has by this name; `properties` replace its own, or add headers to it.

        ValueError names the presets if there is none of that name.
        """
        if name not in PRESETS:
            near = difflib.get_close_matches(name, PRESETS, 1)
            hint = f"did you mean {near[0]!r}?" if near else f"there are {sorted(PRESETS)}"
            raise ValueError(f"the sandbox has no fault {name!r}: {hint}")
        headers = {**PRESETS[name].get("headers", {}), **properties.pop("headers", {})}
        return self.add(**{**PRESETS[name], **properties, "headers": headers})

    def clear(self) -> None:
        """Forget all faults that still wait."""
        self.waiting.clear()

    def take(self, asked: Asked) -> list[Fault]:
        """Give the faults that strike this request, each counted."""
        found = [fault for fault in self.waiting if fault.matches(asked) and fault.strikes(self.dice)]
        self.waiting = [fault for fault in self.waiting if not fault.spent]
        return found
