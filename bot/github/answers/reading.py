"""The shape of GitHub's answers: whether one can be read, and its texts, names and numbers."""

from __future__ import annotations

import json
import math
import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from bot.errors import Unreadable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import gidgethub

UNREADABLE = "GitHub's answer cannot be read"
# GitHub's sentences become a part of ours, which are stored, logged and shown.
_SENTENCE_CHARACTERS = 1000
_OID = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")


@contextmanager
def readable() -> Iterator[None]:
    """Raise Unreadable if an answer is cut off, no JSON, or JSON of another shape than GitHub documents.

    gidgethub then raises many kinds of errors: for a status that HTTP does not know, an unknown charset, a header that
    is not a number, a list in place of an object.
    """
    try:
        yield
    except RecursionError as error:
        raise Unreadable(f"{UNREADABLE}: it is nested too deep") from error
    except (json.JSONDecodeError, UnicodeError) as error:
        raise Unreadable(UNREADABLE) from error
    except (ValueError, LookupError, TypeError, AttributeError, ArithmeticError, OSError) as error:
        # https://docs.python.org/3/library/stdtypes.html#int-max-str-digits
        if "integer string conversion" in str(error):
            raise Unreadable(f"{UNREADABLE}: it has a number that is too long") from error
        raise Unreadable(UNREADABLE) from error


def said(text: object) -> str:
    """Return a text of GitHub's for a sentence of ours: bounded, and without control characters."""
    shown = "".join(character if character.isprintable() or character == "\n" else " " for character in str(text))
    return shown if len(shown) <= _SENTENCE_CHARACTERS else f"{shown[:_SENTENCE_CHARACTERS]} …"


def oid(value: object) -> str:
    """Return the name of a Git object. Raises ValueError if it is none."""
    if not isinstance(value, str) or not _OID.fullmatch(value):
        raise ValueError("this is no name of a Git object")
    return value


def errors_of(error: gidgethub.QueryError) -> Sequence[Mapping[str, Any]]:
    """Return the errors of a GraphQL answer, one at least. Raises Unreadable if they are not as documented."""
    errors = error.response["errors"]
    if not isinstance(errors, list) or not errors or not all(isinstance(each, dict) for each in errors):
        raise Unreadable(UNREADABLE) from error
    return errors


def tree_of(commit: Mapping[str, Any]) -> str | None:
    """Return the oid of the tree of a commit, as either API describes one; None if it is not told."""
    tree = commit.get("tree")
    try:
        return oid(tree.get("oid") or tree.get("sha")) if isinstance(tree, dict) else None
    except ValueError:
        return None


def kind_of(error: Mapping[str, Any]) -> str:
    """Return the type of an error of a GraphQL answer, such as NOT_FOUND; "" if it has none."""
    kind = error.get("type")
    return kind if isinstance(kind, str) else ""


def code_of(error: Mapping[str, Any]) -> str:
    """Return the code of an error of a GraphQL answer, such as undefinedField; "" if it has none."""
    extensions = error.get("extensions")
    code = extensions.get("code") if isinstance(extensions, dict) else error.get("code")
    return code if isinstance(code, str) else ""


def seconds_of(value: str | None) -> float | None:
    """Read a number of a header; None for what is none, or no length of time."""
    try:
        seconds = float(value) if value is not None else math.nan
    except ValueError:
        return None
    return seconds if math.isfinite(seconds) and seconds >= 0 else None
