"""The SQL of the inbox: files of named statements."""

from __future__ import annotations

import re
from importlib import resources

_STATEMENT = re.compile(r"-- name: (\w+)\n(.*?;)", re.DOTALL)


def load_statements(name: str) -> dict[str, str]:
    """Return the statements in a file of this folder, by their names."""
    text = (resources.files(__package__) / name).read_text(encoding="utf-8")
    return dict(_STATEMENT.findall(text))
