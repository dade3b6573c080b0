"""Editing YAML: the value meant is spliced in, every other character stays.

The way of `edit`: `locate` says where the nodes stand, by `events`; `merge` and `image` (with `reference`) come down to
fields; `path` reads where, `walk` and `target` find it; `round` asks `splice`, `create`, `remove` and `nested`
which characters to put where (`extent`: where they stand; `quote`, `block`, `write`: as which text; `agree`: what comes
into one place); `verify` proves the result by reading it.

Nothing outside this package imports anything but what stands here.
"""

from __future__ import annotations

from bot.core.yaml.edit import edit
from bot.core.yaml.events import LIMITS, Limits
from bot.core.yaml.operations import DocumentSelector, Edited, FieldChange, Merge, Operation, SetField, SetImage, Unset
from bot.core.yaml.verify import check_filled

__all__ = [
    "LIMITS",
    "DocumentSelector",
    "Edited",
    "FieldChange",
    "Limits",
    "Merge",
    "Operation",
    "SetField",
    "SetImage",
    "Unset",
    "check_filled",
    "edit",
]
