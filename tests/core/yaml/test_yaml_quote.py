"""Quoting: a string stays a string for readers of YAML 1.1 and 1.2."""

from __future__ import annotations

import pytest

from bot.core.yaml.quote import bare, plain_ok, quoted

# Other types to some reader: PyYAML, ruamel.yaml, go-yaml v2 or v3, serde_yaml.
OTHER_TYPES = [
    *(
        "",
        "~",
        "null",
        "Null",
        "NULL",
        "true",
        "True",
        "FALSE",
        "yes",
        "Yes",
        "no",
        "NO",
        "on",
        "Off",
        "y",
        "N",
        "=",
        "<<",
    ),
    *("0", "1", "-1", "+1", "1234567", "0123", "0o17", "0x1F", "0X1f", "0b11", "0b-01", "-0x1", "1_000", "+_12", "_1"),
    *(
        "1.10",
        "1.",
        ".5",
        "5.",
        "-.5",
        "1e3",
        "1E3",
        "12e4567",
        "1e+3",
        "1.5e-3",
        "1E_17",
        ".inf",
        "-.INF",
        ".NaN",
        ".",
    ),
    *("12:30", "12:30:45", "-1:30", "1:30.5", "2024-01-01", "2024-1-1", "2024-01-01T00:00:00Z", "2024-01-01 12:30:45"),
]
# No plain scalar in a block, or another value there.
OTHER_VALUES = [
    *(" a", "a ", "a: b", "a:", ":", ": a", "a #b", "#a", "- a", "-", "---", "--- a", "...", "? a", "?a", ":a"),
    *("[a", "]a", "{a", "}a", ",a", "&a", "*a", "!a", "|a", ">a", "'a", '"a', "%a", "@a", "`a", "{{ .Values.tag }}"),
    *("a\tb", "a\nb", "a\rb", "a\x00", "a\x7f", "a\x85", "a\u2028b", "a\u2029b", "\ufeffa", "a\uffff"),
]
PLAIN = [
    *("v1", "1.2.3", "1.2.3-dev", "v1.10", "sha256:0a1b", "https://example.org/a?b=c#d", "a:b", "a#b", "a b", "a'b"),
    *(
        "12e4567f",
        "1.4.2-stable",
        "--flag=x",
        "-x",
        "a/b:1",
        "é",
        "🚀",
        "nil",
        "none",
        "truely",
        "1,2",
        "a, b",
        "a]",
        "a}",
    ),
    *("e3", "0x", "0xg", "2024-01", "20240101-1", "1:b", "_", "a-", "a?", "\u00a0a", "inf", "nan"),
]
NOT_IN_FLOW = [
    "1,2",
    "a, b",
    "a]",
    "a}",
    "a{b",
    "https://example.org/a?b=c#d",
    "a?",
    "-x",
    "--flag=x",
    "a:-b",
    "a:\u00e9",
]


@pytest.mark.parametrize("value", OTHER_TYPES + OTHER_VALUES)
def test_what_some_reader_takes_otherwise_is_not_left_plain(value: str) -> None:
    """Neither in a block nor in a flow collection."""
    assert [plain_ok(value, flow=flow) for flow in (False, True)] == [False, False]


@pytest.mark.parametrize("value", PLAIN)
def test_what_all_readers_take_for_the_string_stays_plain(value: str) -> None:
    """Tags, digests, addresses and names need no quotes; flow collections allow less."""
    assert [plain_ok(value, flow=flow) for flow in (False, True)] == [True, value not in NOT_IN_FLOW]


@pytest.mark.parametrize("value", NOT_IN_FLOW)
def test_flow_collections_forbid_their_own_characters(value: str) -> None:
    """A comma, bracket, brace, question mark, leading dash, or colon before another sign needs quotes there."""
    assert plain_ok(value, flow=True) is False


@pytest.mark.parametrize(
    ("value", "style", "expected"),
    [
        ("it's", "'", "'it''s'"),
        ("a\\b", "'", "'a\\b'"),
        ("a\nb", "'", '"a\\nb"'),
        ("a\tb", "'", '"a\\tb"'),
        ('a"b\\c', '"', '"a\\"b\\\\c"'),
        ("\x00\x08\x0b\r\x7f\x85\u2028\ufeff", '"', '"\\u0000\\b\\u000b\\r\\u007f\\u0085\\u2028\\ufeff"'),
        ("é 🚀", '"', '"é 🚀"'),
    ],
)
def test_quotes_escape_what_they_must(value: str, style: str, expected: str) -> None:
    """Single quotes give way where only escapes can carry the string; the escapes are those of JSON."""
    assert quoted(value, style) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, "null"),
        (True, "true"),
        (False, "false"),
        (0, "0"),
        (-5, "-5"),
        (9007199254740993, "9007199254740993"),
        (1.1, "1.1"),
        (1e300, "1.0e+300"),
        (1.5e-9, "1.5e-09"),
    ],
)
def test_what_is_no_string_stands_bare(value: float | None, expected: str) -> None:
    """Numbers keep all digits, and exponents follow a point, without which YAML 1.1 reads a string."""
    assert bare(value) == expected
