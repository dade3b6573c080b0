"""The ids in a webhook: of its repository, installation, sender and account."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bot.core.model import Account
from bot.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping

# The largest integer of SQLite, which stores ids.
_MOST_ID = 2**63 - 1
# How many characters of a foreign value an error quotes.
_QUOTED = 60


def check_ids(body: Mapping[str, Any]) -> None:
    """Refuse a body whose repository, installation or sender is not an object with an id as GitHub has them.

    Raises InputError with a sentence that names the field.
    """
    for name in ("repository", "installation", "sender"):
        found = body.get(name)
        if found is None:
            continue
        if not isinstance(found, dict):
            raise InputError(f"the body's '{name}' is not an object as GitHub sends it")
        if "id" in found and not is_id(found["id"]):
            raise InputError(f"the body's '{name}.id' is not an id as GitHub has them: {_shown(found['id'])}")


def id_of(body: Mapping[str, Any], name: str) -> int:
    """Return the id of an object in the body, 0 if there is none."""
    found = body.get(name)
    value = found.get("id") if isinstance(found, dict) else None
    return int(value) if value is not None and is_id(value) else 0


def account(body: Mapping[str, Any]) -> Account | None:
    """Return the owner of the repository, else the account of the installation; None if the body has neither."""
    for name, role in (("repository", "owner"), ("installation", "account")):
        found = body.get(name)
        if not isinstance(found, dict):
            continue
        holder = found.get(role)
        if isinstance(holder, dict) and is_id(holder.get("id")) and isinstance(holder.get("login"), str):
            return Account(holder["id"], holder["login"])
        if name == "repository":
            return None
    return None


def is_id(value: object) -> bool:
    """Say whether a value can be an id of GitHub's. Python counts `true` as an integer, and JSON has no largest one."""
    return type(value) is int and 0 < value <= _MOST_ID


def read_id(value: Any) -> int:
    """Return an id. Raises ValueError if it is none."""
    if not is_id(value):
        raise ValueError(f"{_shown(value)} is no id")
    return int(value)


def read_text(value: Any) -> str:
    """Return a text. Raises TypeError if it is none."""
    if not isinstance(value, str):
        raise TypeError(f"{_shown(value)} is no text")
    return value


def _shown(value: object) -> str:
    if isinstance(value, dict | list):  # however deep it is
        return "an object" if isinstance(value, dict) else "a list"
    text = repr(value)
    return text if len(text) <= _QUOTED else f"{text[:_QUOTED]}…"
