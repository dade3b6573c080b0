"""Faults by name, in GitHub's own words: `sandbox.faults.cause("secondary limit")`.

The groups are those that different things must come of: RACES, RULES, LIMITS and FOREIGN answers; the rest passes.
"""

from __future__ import annotations

from typing import Any

from bot.sandbox.preset_foreign import FOREIGN
from bot.sandbox.preset_limits import LIMITS
from bot.sandbox.preset_refusals import RACES, RULES
from bot.sandbox.preset_words import CUT_OFF, JSON, says

# Long enough for a client to be seen waiting, short enough for a test.
PAUSE = 0.2

_TROUBLE: dict[str, dict[str, Any]] = {
    "time-out before": {"reset": True, "delay": PAUSE},
    "time-out after": {"reset": True, "delay": PAUSE, "after": True},
    "reset before": {"reset": True},
    "reset after": {"reset": True, "after": True},
    "slow": {"delay": PAUSE},
    "500": {"status": 500, "body": says("Server Error")},
    "502": {"status": 502, "body": says("Server Error")},
    "502 after": {"status": 502, "body": says("Server Error"), "after": True},
    "503": {
        "status": 503,
        "body": {**says("No server is currently available to service your request."), "code": "unavailable"},
    },
    "malformed": {"status": 200, "body": CUT_OFF, "headers": JSON},
    "malformed after": {"status": 200, "body": CUT_OFF, "headers": JSON, "after": True},
    "empty": {"status": 200, "body": b"", "headers": JSON},
    "empty after": {"status": 200, "body": b"", "headers": JSON, "after": True},
    "bad credentials": {"status": 401, "body": says("Bad credentials")},
}

# Properties of `Fault`, by name. Those that concern what is written strike only what would move a branch. Some clients,
# aiohttp's among them, send a GET or PUT again at once when its connection is dropped: two `times` get through to them.
PRESETS: dict[str, dict[str, Any]] = {**_TROUBLE, **RACES, **RULES, **LIMITS, **FOREIGN}
