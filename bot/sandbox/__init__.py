"""A GitHub look-alike over real git objects: what `pointsman demo` runs, and the only GitHub the tests know.

It emulates the service's state, not its calls: whoever talks to it gets GitHub's statuses, messages and shapes.
"""

from bot.sandbox.app import App
from bot.sandbox.call import Exchange
from bot.sandbox.faults import Fault
from bot.sandbox.objects import DIRECTORY, EXECUTABLE, FILE, SUBMODULE, SYMLINK
from bot.sandbox.presets import PRESETS
from bot.sandbox.repository import Repository
from bot.sandbox.sandbox import Sandbox

__all__ = [
    "DIRECTORY",
    "EXECUTABLE",
    "FILE",
    "PRESETS",
    "SUBMODULE",
    "SYMLINK",
    "App",
    "Exchange",
    "Fault",
    "Repository",
    "Sandbox",
]
