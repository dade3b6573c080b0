r"""Foreign text for terminals and logs: people see every character of it, and no program obeys it.

Terminals obey control characters, and marks of the writing direction show a text other than the one that is there. The
runner of a GitHub workflow obeys commands in the output of a step. Characters that could have such an effect are
escaped as in JSON, `\u001b` for example.
"""

from __future__ import annotations

import json
from typing import Any

import regex

# Controls, format characters, lone surrogates, line and paragraph separators, and other characters without a shape.
# Variation selectors choose between two shapes of the symbol before them, so they stay.
_UNSEEN = regex.compile(r"[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]|(?!\p{Variation_Selector})\p{Default_Ignorable_Code_Point}")
_BREAKS = regex.compile(r"[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]")
# A diff must stay applicable, so characters of ordinary files are kept: the CR of a line that ends in CR LF, a byte
# order mark at the beginning of a line, and the joiners of scripts and emoji.
_STEERING = regex.compile(
    r"(?!\r?\n|\t|[\u200c\u200d]|(?<=^[ +-])\ufeff)[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]", regex.MULTILINE
)
# The runner takes `::name::` at the beginning of a line, after blanks, and `##[name]` anywhere in it:
# https://github.com/actions/runner/blob/main/src/Runner.Common/ActionCommand.cs
_COMMAND = regex.compile(r"^([^\S\n]*):(?=:)|#(?=#\[)", regex.MULTILINE)


def escape(text: str, keep: str = "") -> str:
    """Escape every invisible character, line breaks and tabs too, except for the characters in `keep`."""
    return _UNSEEN.sub(lambda found: found.group() if found.group() in keep else _escaped(found.group()), text)


def one_line(text: str) -> str:
    """Escape line breaks and nothing else."""
    return _BREAKS.sub(lambda found: _escaped(found.group()), text)


def printable(text: str) -> str:
    """Return lines for a terminal or the log of a workflow: no control but line feed and tab, and no command."""
    return _disarm(escape(text, keep="\n\t"))


def printable_line(text: str) -> str:
    """Return a text as `printable` does, on one line."""
    return _disarm(escape(text, keep="\t"))


def printable_diff(text: str) -> str:
    """Return a diff for a terminal or a pipe: only what steers a terminal or a workflow is escaped.

    Every other diff comes out as it is and can be applied.
    """
    return _disarm(_STEERING.sub(lambda found: _escaped(found.group()), text))


def printable_json(value: Any) -> str:
    """Return a value as JSON that is safe to print; whoever reads it as JSON gets every character back."""
    return _disarm(escape(json.dumps(value, indent=2, ensure_ascii=False), keep="\n"))


def _disarm(text: str) -> str:
    return _COMMAND.sub(lambda found: f"{found[1]}\\u003a" if found[1] is not None else r"\u0023", text)


def _escaped(char: str) -> str:
    if char == "\n":
        return r"\n"
    return f"\\u{ord(char):04x}" if ord(char) < 0x10000 else json.dumps(char)[1:-1]
