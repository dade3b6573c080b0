"""What payload text must not do inside a commit message: close issues, or keep checks from running.

The words are GitHub's: "Linking a pull request to an issue" lists the keywords, "Skipping workflow runs" and "About
status checks" the rest. Mentions are left alone: in a commit of this App they read as what upstream wrote.
"""

from __future__ import annotations

import unicodedata

import regex

_REFERENCE = r"(?=(?:[\w.-]+/[\w.-]+)?\#\d|GH-\d|https?://)"
# Each is what GitHub looks for, and the same as a person would read it without effect.
_DEFUSED = [
    (
        regex.compile(rf"\b(?:close[sd]?|fix(?:e[sd])?|resolve[sd]?)(?::\s*|\s+){_REFERENCE}", regex.IGNORECASE),
        r"\g<0>issue ",
    ),
    (regex.compile(r"\[(skip ci|ci skip|no ci|skip actions|actions skip)\]", regex.IGNORECASE), r"(\1)"),
    (regex.compile(r"\b(skip-checks)\s*:\s*(?=true\b)", regex.IGNORECASE), r"\1="),
]
_BREAKS = regex.compile(r"\s*(?:\r\n|[\n\v\f\r\x1c-\x1e\x85\u2028\u2029])\s*")
_BIDI = frozenset("\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def defuse(text: str) -> str:
    """Make a payload's text fit for a commit message: one line, without control characters, words without effect.

    Each line break becomes a space, together with the blanks around it. Controls of the writing direction go too: they
    can show a message other than it is.
    """
    return join_defused([(text, True)])


def join_defused(parts: list[tuple[str, bool]]) -> str:
    """Join the parts of a message, (text, whether it came from a payload), without what payload text must not do.

    What the mapping file itself says stays: its author may close an issue or skip checks. What comes about only
    together with a payload's text, as in `Fixes ${{ subject }}`, does not.
    """
    parts = [(_one_line(text) if foreign else text, foreign) for text, foreign in parts]
    text = "".join(part for part, _ in parts)
    # One flag a character, kept in step with the text while words in it are exchanged.
    foreign = "".join(("1" if is_foreign else "0") * len(part) for part, is_foreign in parts)
    for pattern, harmless in _DEFUSED:
        text, foreign = _exchange(text, foreign, pattern, harmless)
    return text


def _exchange(text: str, foreign: str, pattern: regex.Pattern[str], harmless: str) -> tuple[str, str]:
    texts: list[str] = []
    flags: list[str] = []
    end = 0
    for found in pattern.finditer(text):
        # The reference that follows a keyword is only looked at; its first two characters tell whose it is.
        if "1" in foreign[found.start() : found.end() + 2]:
            replaced = found.expand(harmless)
            texts += text[end : found.start()], replaced
            flags += foreign[end : found.start()], "1" * len(replaced)
            end = found.end()
    return "".join([*texts, text[end:]]), "".join([*flags, foreign[end:]])


def _one_line(value: str) -> str:
    flat = _BREAKS.sub(" ", value).replace("\t", " ")
    return "".join(c for c in flat if unicodedata.category(c) != "Cc" and c not in _BIDI)
