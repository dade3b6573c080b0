"""The JSON body of a webhook: read strictly and within bounds, and told apart from other bodies by its digest."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from bot.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

# How deep objects and lists may be nested. GitHub's own events have six levels. A `client_payload` may have more, and
# Jinja2, the YAML writer and gidgethub read it by recursion.
MOST_DEPTH = 100

_NO_JSON = "the body is not JSON; set the webhook's content type to application/json"


class BadBodyError(InputError):
    """The body is a JSON object that must not be carried out: the delivery ends as `failed`.

    `payload` is the object, empty if it could not be read.
    """

    def __init__(self, sentence: str, payload: Mapping[str, Any] | None = None) -> None:
        super().__init__(sentence)
        self.payload: Mapping[str, Any] = payload or {}


class _RepeatedKeyError(ValueError):
    """An object has a key twice: readers differ about which one counts."""


def read_body(body: bytes, parse_float: Callable[[str], float] = float) -> dict[str, Any]:
    """Return the JSON object in `body`.

    Raises InputError if the body is not a JSON object. Raises BadBodyError if it is nested more than MOST_DEPTH levels
    deep, or has an integer of thousands of digits, or has a key twice in one object.
    """
    try:
        payload = json.loads(
            body, parse_float=parse_float, parse_constant=_refuse_constant, object_pairs_hook=_read_object
        )
    except RecursionError:
        raise _unreadable(body, _too_deep()) from None
    except _RepeatedKeyError as error:
        raise _unreadable(body, str(error)) from None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise InputError(_NO_JSON) from error
    except ValueError as error:
        # Python limits the digits of integers: https://docs.python.org/3/library/stdtypes.html#int-max-str-digits
        raise _unreadable(body, "the body has an integer of thousands of digits; send it as text") from error
    if not isinstance(payload, dict):
        raise InputError("the body is not a JSON object")
    if _is_too_deep(payload):
        raise BadBodyError(_too_deep(), payload)
    return payload


def digest(payload: Mapping[str, Any]) -> bytes:
    """Return the SHA-256 of the JSON in one form: keys sorted, no blanks, and `1.10` written as 1.1.

    GitHub's list of deliveries has the same object as the webhook, but in other bytes. Both must count as the same
    body. If two bodies differ only in their form, the second one costs a look at GitHub's list and nothing else. Raises
    BadBodyError for a text or number that no file or commit could hold.
    """
    try:
        text = json.dumps(payload, sort_keys=True, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
        return hashlib.sha256(text.encode()).digest()
    except UnicodeEncodeError as error:
        # JSON can spell a lone surrogate; UTF-8 cannot.
        sentence = "the body has half a character (a lone surrogate such as \\ud800): send text"
        raise BadBodyError(sentence, payload) from error
    except ValueError as error:
        raise BadBodyError("the body has a number beyond 1.8e308; send it as text", payload) from error


def _read_object(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise _RepeatedKeyError("the body has an object with the same key twice; send each key once")
    return found


def _refuse_constant(name: str) -> None:
    """Refuse NaN and Infinity, which Python writes and JSON does not have."""
    raise json.JSONDecodeError(f"{name} is not JSON", "", 0)


def _unreadable(body: bytes, sentence: str) -> InputError:
    """Return the error for a body that cannot be read to its end; only an object counts as a webhook."""
    return BadBodyError(sentence) if body.lstrip()[:1] == b"{" else InputError("the body is not a JSON object")


def _too_deep() -> str:
    return f"the body is nested more than {MOST_DEPTH} levels deep; send a client_payload with fewer levels"


def _is_too_deep(payload: Mapping[str, Any]) -> bool:
    """Say whether a body is nested too deep. The loop goes level by level, as recursion would fail on such a body."""
    level: list[Any] = [payload]
    for _ in range(MOST_DEPTH):
        level = [
            child
            for node in level
            for child in (node.values() if isinstance(node, dict) else node)
            if isinstance(child, dict | list)
        ]
        if not level:
            return False
    return True
