"""Whom a webhook concerns: repository, installation, sender and account, by ids as GitHub has them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bot.core.model import Account
from bot.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping

# Ids are SQLite's integers too.
_MOST_ID = 2**63 - 1
# Characters of a foreign value that an error quotes.
_QUOTED = 60


def check_ids(body: Mapping[str, Any]) -> None:
    """Refuse a body whose repository, installation or sender is not an object with an id as GitHub has them.

    Raises InputError with a sentence that names the field.
    """
    for name in ("repository", "installation", "sender"):
        told = body.get(name)
        if told is None:
            continue
        if not isinstance(told, dict):
            raise InputError(f"the body's '{name}' is not an object as GitHub sends it")
        if "id" in told and not is_id(told["id"]):
            raise InputError(f"the body's '{name}.id' is not an id as GitHub has them: {_shown(told['id'])}")


def id_of(body: Mapping[str, Any], name: str) -> int:
    """Return the id of an object in the body, 0 if there is none."""
    told = body.get(name)
    value = told.get("id") if isinstance(told, dict) else None
    return int(value) if value is not None and is_id(value) else 0


def account(body: Mapping[str, Any]) -> Account | None:
    """Return whose webhook it is: the owner of its repository, else the account of its installation.

    None if the body tells neither.
    """
    for name, role in (("repository", "owner"), ("installation", "account")):
        told = body.get(name)
        if not isinstance(told, dict):
            continue
        found = told.get(role)
        if isinstance(found, dict) and is_id(found.get("id")) and isinstance(found.get("login"), str):
            return Account(found["id"], found["login"])
        if name == "repository":
            return None
    return None


def is_id(value: object) -> bool:
    """Say whether this is an id of GitHub's: to Python `true` is an integer as well, and JSON has no largest one."""
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
