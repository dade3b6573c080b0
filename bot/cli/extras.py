"""What `sandbox` and `demo` share."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING

from bot.errors import InputError

if TYPE_CHECKING:
    from bot.errors import PointsmanError


def require_sandbox() -> None:
    """Raise InputError with the remedy where the libraries of the extra `sandbox` are not installed."""
    missing = [name for name in ("dulwich", "graphql") if find_spec(name) is None]
    if missing:
        raise InputError(f"the sandbox needs {' and '.join(missing)}: pip install 'pointsman[sandbox]'")


def listen_error(port: int, error: OSError) -> PointsmanError:
    """Return the sentence for a port that cannot be listened on."""
    return InputError(f"cannot listen on port {port}: {error.strerror or error}; name another one, 0 for any")
