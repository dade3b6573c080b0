"""Cleaning of commit messages: foreign text in them closes no issues, skips no checks and forges no trailers.

Values of a payload, and values, paths and field paths of the repository's files are foreign. The words of the mapping
file itself keep their effect. A finished message is cleaned as a whole, because two harmless pieces may join to
`fixes #1`.

Sources: GitHub's "Linking a pull request to an issue", "Skipping workflow runs" and "About status checks", the manuals
of CI services that look for words in brackets, and `git interpret-trailers`. Mentions are left alone: in a commit of
this App they read as what upstream wrote.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import regex

if TYPE_CHECKING:
    from collections.abc import Iterable

# A piece of a message, and whether it is foreign.
Piece: TypeAlias = tuple[str, bool]

# In characters. GitHub shows 72 of a headline in lists, and all of it on the page of the commit.
MAX_HEADLINE = 250
MAX_LINE = 1_000
MAX_MESSAGE = 60_000

_BLANKS = regex.compile(r"\s+")
_BREAK = regex.compile(r"[\n\v\f\r\x1c-\x1e\x85\u2028\u2029]")
_CONTROL = regex.compile(r"\p{Cc}")
# Characters that nobody sees: controls except for blanks, marks of the writing direction, joiners, fillers, lone
# surrogates. One of them inside `fixes` would hide the word from the rules below, but not from people and tools.
_INVISIBLE = regex.compile(r"(?:(?!\s)[\p{Cc}\p{Cf}\p{Cs}\p{Default_Ignorable_Code_Point}])+")
# A message must have at least one such character. The blank of Braille (U+2800) is a symbol in Unicode, but empty.
_SHOWN = regex.compile(r"[^\s\p{M}\u2800]")


@dataclass(frozen=True, slots=True)
class _Rule:
    """A text that has an effect, and a replacement that reads alike and has none."""

    pattern: regex.Pattern[str]
    """The group `means` is text behind the match that belongs to the effect, and stays as it is."""
    harmless: str
    """The replacement of the match."""


def _rule(pattern: str, harmless: str) -> _Rule:
    return _Rule(regex.compile(pattern, regex.IGNORECASE | regex.MULTILINE | regex.VERBOSE), harmless)


_RULES = (
    # Closing keywords. The reference may be #1, GH-1, owner/repository#1 or a URL.
    _rule(
        r"""(?<![a-z0-9]) (?:close[sd]?|fix(?:e[sd])?|resolve[sd]?) (?:\s*:\s*|\s+)
        (?=(?<means>(?:(?:[\w.-]++(?:/[\w.-]++)?)?+\#\d|GH-\d|https?:|www\.)\S*))""",
        r"\g<0>issue ",
    ),
    # [skip ci], [ci skip], [skip netlify], [skip-ci], [no ci] and the like, for any CI service.
    _rule(
        r"""\[ (?=[^\[\]]{0,80}\]) (?=[^\[\]]*? (?:skip|no[\W_]*(?:ci|cd|build|deploy|action|check))) ([^\[\]]*) \]""",
        r"(\1)",
    ),
    _rule(r"\*+ \s* (no[\s_-]*ci|skip[\s_-]*ci|ci[\s_-]*skip) \s* \*+", r"(\1)"),
    _rule(r"(?<![a-z0-9]) ((?:skip|request)-checks) \s*:\s* (?=(?<means>true))", r"\1="),
    # Git reads no trailer in the first line, but some tools look for these names in every line. Others stay as they are
    # there, such as `feat: …` and `kube-proxy: …`.
    _rule(
        r"""\A ([^\S\n]*)
        (?=(?<means>[a-z0-9-]*-(?:by|checks|delivery|for|from|id|of|on|to)[^\S\n]*:|---|diff\ -))""",
        r"\1> ",
    ),
    # Any other line that begins with a word and a colon may be a trailer, with or without blanks before the colon.
    # Three dashes end the message for `git am`.
    _rule(
        r"""(?<=\n) ([^\S\n]*)
        (?=(?<means>[a-z0-9-]+[^\S\n]*:|---|diff\ -|\(cherry\ picked\ from\ ))""",
        r"\1> ",
    ),
)


def clean_message(pieces: Iterable[Piece], headline: int = MAX_HEADLINE) -> str:
    """Join the pieces of a message, and take the effects out that foreign pieces have, alone or with their neighbours.

    Each foreign piece becomes one line. The first line with a visible character is the headline, which is cut to
    `headline` characters. Other lines with foreign text, and the whole message, are bounded too. A message without a
    visible character becomes "".
    """
    flat = [(one_line(text) if foreign else text, foreign) for text, foreign in pieces]
    text, foreign = _stripped(
        "".join(text for text, _ in flat), "".join("01"[is_foreign] * len(text) for text, is_foreign in flat)
    )
    text, foreign = _cut(text, foreign, headline)
    for rule in _RULES:
        text, foreign = _exchange(text, foreign, rule)
    return text


def one_line(text: str) -> str:
    """Return the text without invisible characters. Each line break, with the blanks around it, becomes one space."""
    return _BLANKS.sub(_blank, _INVISIBLE.sub("", text))


def _blank(found: regex.Match[str]) -> str:
    return " " if _BREAK.search(found.group()) else _CONTROL.sub(" ", found.group())


def _stripped(text: str, foreign: str) -> tuple[str, str]:
    """Strip the message, and empty the lines without a visible character, so that none of them is the headline."""
    texts: list[str] = []
    flags: list[str] = []
    start = 0
    for line in text.split("\n"):
        shown = len(line) if _SHOWN.search(line) else 0
        texts.append(line[:shown])
        flags.append(foreign[start : start + shown])
        start += len(line) + 1
    first = next((index for index, line in enumerate(texts) if line), len(texts))
    # A line break counts as the mapping file's: no foreign text has one.
    text, foreign = "\n".join(texts[first:]), "0".join(flags[first:])
    left = len(text) - len(text.lstrip())
    right = len(text.rstrip())
    return text[left:right], foreign[left:right]


def _cut(text: str, foreign: str, headline: int) -> tuple[str, str]:
    """Cut the long lines that have foreign text, then the message."""
    texts: list[str] = []
    flags: list[str] = []
    start = 0
    for line in text.split("\n"):
        marks = foreign[start : start + len(line)]
        start += len(line) + 1
        most = MAX_LINE if texts else headline
        if len(line) > most and "1" in marks:
            line, marks = f"{line[: most - 1]}…", f"{marks[: most - 1]}1"  # noqa: PLW2901 - the line as it is kept
        texts.append(line)
        flags.append(marks)
    text, foreign = "\n".join(texts), "0".join(flags)
    if len(text) > MAX_MESSAGE:
        text, foreign = f"{text[: MAX_MESSAGE - 1]}…", f"{foreign[: MAX_MESSAGE - 1]}1"
    return text, foreign


def _exchange(text: str, foreign: str, rule: _Rule) -> tuple[str, str]:
    """Replace the matches of a rule that have foreign text. `foreign` has a flag for each character of `text`."""
    texts: list[str] = []
    flags: list[str] = []
    end = 0
    for found in rule.pattern.finditer(text):
        last = found.end("means") if "means" in rule.pattern.groupindex else found.end()
        if "1" in foreign[found.start() : last]:
            replaced = found.expand(rule.harmless)
            texts += text[end : found.start()], replaced
            flags += foreign[end : found.start()], "1" * len(replaced)
            end = found.end()
    return "".join([*texts, text[end:]]), "".join([*flags, foreign[end:]])
