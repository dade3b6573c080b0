"""How a value is written so that every reader gets the same type back.

Consumers disagree on what a plain scalar is: YAML 1.1 (PyYAML), YAML 1.2 (ruamel.yaml, serde_yaml) and the mixtures in
go-yaml v2 and v3, which Helm, kustomize, Flux and Argo CD use. A string is left plain only where all of them read a
string; see https://yaml.org/type/ (1.1) and https://yaml.org/spec/1.2.2/#103-core-schema (1.2).
"""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING

from bot.core.model import Number
from bot.core.yaml.locate import STR_TAG
from bot.errors import EditError

if TYPE_CHECKING:
    from bot.core import model
    from bot.core.yaml.locate import Scalar

NULLS = frozenset({"", "~", "null", "Null", "NULL"})
_BOOLEANS = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_INTEGER = re.compile(r"[-+]?[0-9]{1,400}")
_PREFIXED = re.compile(r"0o[0-7]{1,400}|0x[0-9a-fA-F]{1,400}")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")

# What every reader, JSON's too, takes for the same number: a sign of the exponent is a must in YAML 1.1.
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)\.[0-9]+(?:[eE][-+][0-9]+)?")

# The union of what any reader takes for something else than a string. Wider than needed where that only adds quotes.
_NOT_A_STRING = re.compile(
    r"""
      ~ | null | true | false | yes | no | on | off | y | n | = | << | \.
    | [-+]? [0-9]+                                                      # decimal, and 1.1's octal with a leading 0
    | [-+]? 0 [box] [-+]? [0-9a-f]+                                     # go-yaml takes a sign after the prefix too
    | [-+]? (?: \.[0-9]+ | [0-9]+ (?:\.[0-9]*)? ) (?: e [-+]? [0-9]+ )?
    | [-+]? \. (?: inf | nan )
    | [-+]? [0-9]+ (?: :[0-9]+ )+ (?: \.[0-9]* )?                       # sexagesimal: 12:30:45
    | [0-9]{4} - [0-9]{1,2} - [0-9]{1,2} (?: [t\ ] .* )?                # timestamps
    """,
    re.VERBOSE | re.IGNORECASE,
)
# What only double quotes can carry: controls, line breaks of any kind, byte order marks, what is no character.
_ESCAPED = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")
_ESCAPES = {"\\": "\\\\", '"': '\\"', "\b": "\\b", "\t": "\\t", "\n": "\\n", "\f": "\\f", "\r": "\\r"}
_NEVER_FIRST = frozenset(",[]{}#&*!|>'\"%@`?:")
_NEVER_IN_FLOW = frozenset(",[]{}?")
_COLON_IN_FLOW = re.compile(r":(?![A-Za-z0-9/])")


def bare(value: float | None) -> str:
    """Write a null, boolean or number as a plain scalar. Raises `EditError` for what readers do not share."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        try:
            return str(value)
        except ValueError:
            raise EditError("the number has too many digits; give it as a string") from None
    if not math.isfinite(value):
        raise EditError(f"the number {value} has no place in a YAML file that JSON tools read; give a finite one")
    if isinstance(value, Number) and _NUMBER.fullmatch(value.written):
        return value.written
    written = repr(float(value))
    # YAML 1.1 knows an exponent only after a decimal point.
    return written if "." in written else written.replace("e", ".0e")


def not_a_string(value: str) -> bool:
    """Whether some reader takes the plain scalar `value` for a null, boolean, number, date or merge key."""
    if value in NULLS or _NOT_A_STRING.fullmatch(value):
        return True
    # YAML 1.1 allows underscores in numbers, and readers differ on where.
    return "_" in value and _NOT_A_STRING.fullmatch(value.replace("_", "")) is not None


def plain_ok(value: str, *, flow: bool) -> bool:
    """Whether the string can stand unquoted on one line, inside a flow collection if `flow`, and stay itself."""
    if not_a_string(value) or needs_escapes(value):
        return False
    if value[0] in _NEVER_FIRST or value.startswith(("- ", "---", "...")) or value == "-":
        return False
    if value[0] == " " or value[-1] in " :" or ": " in value or " #" in value:
        return False
    if not flow:
        return True
    return value[0] != "-" and not _NEVER_IN_FLOW.intersection(value) and not _COLON_IN_FLOW.search(value)


def needs_escapes(value: str) -> bool:
    """Whether only double quotes can carry the string on one line."""
    return _ESCAPED.search(value) is not None


def quoted(value: str, style: str) -> str:
    """Write the string in quotes: `'` where asked for and possible, else `"` with escapes that JSON knows too."""
    if style == "'" and not needs_escapes(value):
        return "'" + value.replace("'", "''") + "'"
    body = re.sub(r'[\\"]', lambda found: _ESCAPES[found[0]], value)
    body = _ESCAPED.sub(lambda found: _ESCAPES.get(found[0]) or f"\\u{ord(found[0]):04x}", body)
    return f'"{body}"'


def typed(node: Scalar) -> model.Scalar:
    """Return the node's value by YAML 1.2's core schema; what is quoted, tagged or nothing of it is a string."""
    text = node.value
    if node.style or node.tag == STR_TAG:
        return text
    if text in NULLS:
        return None
    if text in _BOOLEANS:
        return _BOOLEANS[text]
    if _INTEGER.fullmatch(text):
        return int(text)
    if _PREFIXED.fullmatch(text):
        return int(text[2:], 8 if text[1] == "o" else 16)
    return float(text) if _FLOAT.fullmatch(text) else text


def holds(node: Scalar, value: model.Scalar) -> bool:
    """Whether the node already is `value` for every reader, so that nothing need be written."""
    if isinstance(value, str):
        safe = bool(node.style) or node.tag == STR_TAG or not not_a_string(node.value)
        return safe and node.value == value
    if node.style or node.tag is not None:
        return False
    if value is None:
        return node.value in NULLS
    if isinstance(value, bool):
        return _BOOLEANS.get(node.value) is value
    return node.value == bare(value)
