"""A webhook's body: what is read of it, and when two of them say the same."""

from __future__ import annotations

import json
from typing import Any

import pytest

from bot.core.body import MOST_DEPTH, BadBodyError, digest, read_body
from bot.core.model import Number
from bot.errors import InputError


def nested(levels: int) -> Any:
    value: Any = {}
    for _ in range(levels - 1):
        value = {"a": [value]} if levels % 2 else {"a": value}
    return value


@pytest.mark.parametrize(
    "other",
    [
        '{"b": [1, 1.5, "é"], "a": {"y": 1e2, "x": null}}',
        '{ "a":{"x":null,"y":100.0},\n"b":[1,1.50,"\\u00e9"] }',
    ],
)
def test_the_same_object_written_differently_has_the_same_digest(other: str) -> None:
    """Order of keys, blanks, escapes, and how a number is written: GitHub's list writes a body anew."""
    told = {"a": {"x": None, "y": 100.0}, "b": [1, 1.5, "é"]}
    assert digest(read_body(other.encode())) == digest(told)
    assert digest(read_body(json.dumps(read_body(other.encode())).encode())) == digest(told)


@pytest.mark.parametrize(
    ("one", "another"),
    [
        ({"a": 1}, {"a": "1"}),
        ({"a": [1, 2]}, {"a": [2, 1]}),
        ({"a": None}, {}),
        ({"a": 2**64}, {"a": 2**64 + 1}),
        ({"a": True}, {"a": 1}),
        ({"a": "1.0"}, {"a": "1.00"}),
        ({"a": "é"}, {"a": "e\u0301"}),
    ],
)
def test_what_says_something_else_has_another_digest(one: Any, another: Any) -> None:
    """Two dispatches that differ in what they ask for are two bodies."""
    assert digest(one) != digest(another)


def test_numbers_may_be_read_as_they_are_written() -> None:
    """What is rendered into files keeps its zero; the digest is the same."""
    body = read_body(b'{"a": 1.10}', Number)
    assert str(body["a"]) == "1.10"
    assert digest(body) == digest({"a": 1.1})


def test_a_hundred_levels_are_read_and_no_more() -> None:
    """Objects and lists count alike."""
    assert read_body(json.dumps(nested(MOST_DEPTH)).encode())
    for levels in (MOST_DEPTH + 1, MOST_DEPTH + 2, 400):
        with pytest.raises(BadBodyError, match="nested more than 100 levels deep") as caught:
            read_body(json.dumps(nested(levels)).encode())
        assert caught.value.payload
    with pytest.raises(BadBodyError):
        read_body(b'{"a":' * 100_000)


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"[" * 100_000, b"1", b'{"a": NaN}', b"\xff", b'{"a": 1}x', b"\xef\xbb\xbf"]
)
def test_what_is_no_json_object_is_no_webhook(body: bytes) -> None:
    """It is refused, and not told apart by an error of its own."""
    with pytest.raises(InputError) as caught:
        read_body(body)
    assert not isinstance(caught.value, BadBodyError)
