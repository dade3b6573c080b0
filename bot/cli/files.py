"""Files that the user names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.errors import InputError, Problem

if TYPE_CHECKING:
    from pathlib import Path


def read_text(path: Path) -> str:
    """Return a UTF-8 file. Raises InputError with a sentence where it cannot be read."""
    try:
        return path.read_bytes().decode()
    except OSError as error:
        raise InputError(Problem(f"cannot read it: {error.strerror}", str(path))) from error
    except UnicodeDecodeError as error:
        raise InputError(Problem("it is not UTF-8", str(path))) from error
