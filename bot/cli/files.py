"""Files that the user names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.errors import InputError, Problem
from bot.files import read_bytes

if TYPE_CHECKING:
    from pathlib import Path


def read_text(path: Path) -> str:
    """Return a regular UTF-8 file of at most 4 MB. Raises InputError with a sentence where it cannot be read."""
    try:
        return read_bytes(path).decode()
    except InputError as error:
        raise InputError(Problem(str(error), str(path))) from error
    except OSError as error:
        raise InputError(Problem(f"cannot read it: {error.strerror}", str(path))) from error
    except UnicodeDecodeError as error:
        raise InputError(Problem("it is not UTF-8", str(path))) from error
