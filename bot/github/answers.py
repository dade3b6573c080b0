"""The meaning of GitHub's answers for all callers: which error an answer is, and whether it can be read."""

from __future__ import annotations

import json
import math
import re
import time
from contextlib import contextmanager
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from bot.errors import PointsmanError, Transient, Unavailable, Unreadable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import gidgethub

UNREADABLE = "GitHub's answer cannot be read"
# GitHub's sentences become a part of ours, which are stored, logged and shown.
_SENTENCE_CHARACTERS = 1000
# GitHub's own pauses end within the hour. If a proxy sends a header with a year, it must not stop us for so long.
_LONGEST_PAUSE = 86_400.0
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


class NotFound(Unavailable):
    """GitHub answers 404: not there, or not for us."""


def refusal(status: int, sentence: str) -> PointsmanError:
    """Return the error for a 4xx answer that is not about the content of a commit."""
    sentence = said(sentence)
    if status == 401:
        return Transient(f"GitHub refuses our token: {sentence}")
    if status == 403 and "archived" in sentence:
        return Unavailable(f"GitHub forbids it: {sentence}")
    if status == 403:
        return Unavailable(f"GitHub forbids it: {sentence}; accept the App's permissions, or unsuspend it")
    if status == 409 and "empty" in sentence:  # https://docs.github.com/en/rest/git/refs#get-a-reference
        return NotFound(f"GitHub answers: {sentence} There is no commit yet")
    if status == 404:
        return NotFound(f"GitHub answers {sentence}: the App is not installed there, or the repository is gone")
    return Unavailable(f"GitHub answered {status}: {sentence}")


def app_refusal(error: gidgethub.HTTPException) -> PointsmanError:
    """Return the error for a 4xx answer to the App itself."""
    if error.status_code == HTTPStatus.UNAUTHORIZED or "Integration not found" in str(error):
        return Transient(
            f"GitHub does not take the App's credentials: {said(error)}; compare APP_ID and PRIVATE_KEY with its page"
        )
    return refusal(int(error.status_code), str(error))


def query_error(error: Mapping[str, Any]) -> Transient | Unavailable:
    """Return what a GraphQL error means that is not about the content of a commit."""
    kind, sentence = error.get("type"), said(error.get("message"))
    if kind == "NOT_FOUND":
        return NotFound(f"GitHub answers: {sentence}; install the App there, or fix the name")
    if kind in {"FORBIDDEN", "INSUFFICIENT_SCOPES"}:
        return Unavailable(f"GitHub forbids it: {sentence}; accept the App's permissions, or unsuspend it")
    return Transient(f"GitHub's GraphQL API answered: {sentence}")


def is_limited(status: int, headers: Mapping[str, str], body: bytes) -> bool:
    """Say whether the answer is that a limit is reached.

    https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api#exceeding-the-rate-limit
    """
    if status not in {403, 429}:
        return False
    used_up = headers.get("x-ratelimit-remaining") == "0" or "retry-after" in headers
    return status == 429 or used_up or b"secondary rate limit" in body


def pause_of(headers: Mapping[str, str]) -> float | None:
    """Return the seconds for which GitHub wants no more requests, None if it does not say so; a day at most."""
    asked = retry_after(headers)
    reset = seconds_of(headers.get("x-ratelimit-reset"))
    if asked is not None or reset is None or headers.get("x-ratelimit-remaining") != "0":
        return asked
    return min(max(reset - time.time(), 1.0), _LONGEST_PAUSE)


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Return the seconds after which a request may be sent again, None if GitHub does not say so; a day at most."""
    seconds = seconds_of(headers.get("retry-after"))
    return None if seconds is None else min(seconds, _LONGEST_PAUSE)


def seconds_of(value: str | None) -> float | None:
    """Read a number of a header; None for what is none, or no length of time."""
    try:
        seconds = float(value) if value is not None else math.nan
    except ValueError:
        return None
    return seconds if math.isfinite(seconds) and seconds >= 0 else None
