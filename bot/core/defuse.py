"""What foreign text must not do inside a commit message: close issues, skip checks, name people or forge trailers.

Foreign is what a payload or a file of the repository says: values, paths, field paths. The mapping file's own words
keep their effect. A finished message is cleaned as a whole, because two harmless pieces may join to `fixes #1`.

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

# In characters. GitHub shows 72 of a headline; a longer one is there in full on the commit's own page.
MAX_HEADLINE = 250
MAX_LINE = 1_000
MAX_MESSAGE = 60_000

_BLANKS = regex.compile(r"\s+")
_BREAK = regex.compile(r"[\n\v\f\r\x1c-\x1e\x85\u2028\u2029]")
_CONTROL = regex.compile(r"\p{Cc}")
# What nobody sees: controls but for blanks, marks of the writing direction, joiners, fillers, halves of characters.
# Between two letters they would hide a word from the rules below, and a reader or a tool would still see that word.
_INVISIBLE = regex.compile(r"(?:(?!\s)[\p{Cc}\p{Cf}\p{Cs}\p{Default_Ignorable_Code_Point}])+")
# The blank of Braille is a symbol to Unicode, and empty to a reader.
_SHOWN = regex.compile(r"[^\s\p{M}\u2800]")


@dataclass(frozen=True, slots=True)
class _Rule:
    """Something that has an effect, and the same as a person would read it without one.

    pattern: what is looked for; the group `means` has what follows the match and counts as a part of it.
    harmless: what takes the place of the match.
    """

    pattern: regex.Pattern[str]
    harmless: str


def _rule(pattern: str, harmless: str) -> _Rule:
    return _Rule(regex.compile(pattern, regex.IGNORECASE | regex.MULTILINE | regex.VERBOSE), harmless)


_RULES = (
    # Closing keywords. The reference may be #1, GH-1, owner/repository#1 or a URL.
    _rule(
        r"""(?<![a-z0-9]) (?:close[sd]?|fix(?:e[sd])?|resolve[sd]?) (?:\s*:\s*|\s+)
        (?=(?<means>(?:(?:[\w.-]++(?:/[\w.-]++)?)?+\#\d|GH-\d|https?:|www\.)\S*))""",
        r"\g<0>issue ",
    ),
    # [skip ci], [ci skip], [skip netlify], [skip-ci], [no ci] and their like, of whichever service.
    _rule(
        r"""\[ (?=[^\[\]]{0,80}\]) (?=[^\[\]]*? (?:skip|no[\W_]*(?:ci|cd|build|deploy|action|check))) ([^\[\]]*) \]""",
        r"(\1)",
    ),
    _rule(r"\*+ \s* (no[\s_-]*ci|skip[\s_-]*ci|ci[\s_-]*skip) \s* \*+", r"(\1)"),
    _rule(r"(?<![a-z0-9]) ((?:skip|request)-checks) \s*:\s* (?=(?<means>true))", r"\1="),
    # In the first line Git reads no trailer. Only names that other tools look for anywhere are quoted there, so that
    # `feat: …` and `kube-proxy: …` stay as they are.
    _rule(
        r"""\A ([^\S\n]*)
        (?=(?<means>[a-z0-9-]*-(?:by|checks|delivery|for|from|id|of|on|to)[^\S\n]*:|---|diff\ -))""",
        r"\1> ",
    ),
    # Every other line that begins with a word and a colon may be a trailer, and three dashes end the message for
    # `git am`. No space or tab before the colon makes a difference to Git.
    _rule(
        r"""(?<=\n) ([^\S\n]*)
        (?=(?<means>[a-z0-9-]+[^\S\n]*:|---|diff\ -|\(cherry\ picked\ from\ ))""",
        r"\1> ",
    ),
)


def clean_message(pieces: Iterable[Piece], headline: int = MAX_HEADLINE) -> str:
    """Join the pieces of a message, without what foreign text must not do, alone or together with its neighbours.

    Each foreign piece becomes one line. The first line with something to see is the headline, of `headline`
    characters at most. Other lines that have foreign text, and the message, are bounded too. The result is empty if
    there is nothing to see in it.
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
    """Return the text without what nobody sees; each line break, with the blanks around it, is one space."""
    return _BLANKS.sub(_blank, _INVISIBLE.sub("", text))


def _blank(found: regex.Match[str]) -> str:
    return " " if _BREAK.search(found.group()) else _CONTROL.sub(" ", found.group())


def _stripped(text: str, foreign: str) -> tuple[str, str]:
    """Strip the message, and empty its lines that have nothing to see: they are no headline."""
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
    """Cut the lines that are too long and have foreign text, then the message."""
    texts: list[str] = []
    flags: list[str] = []
    start = 0
    for line in text.split("\n"):
        own = foreign[start : start + len(line)]
        start += len(line) + 1
        most = MAX_LINE if texts else headline
        if len(line) > most and "1" in own:
            line, own = f"{line[: most - 1]}…", f"{own[: most - 1]}1"  # noqa: PLW2901 - the line as it is kept
        texts.append(line)
        flags.append(own)
    text, foreign = "\n".join(texts), "0".join(flags)
    if len(text) > MAX_MESSAGE:
        text, foreign = f"{text[: MAX_MESSAGE - 1]}…", f"{foreign[: MAX_MESSAGE - 1]}1"
    return text, foreign


def _exchange(text: str, foreign: str, rule: _Rule) -> tuple[str, str]:
    """Exchange what the rule finds, if some of it is foreign; `foreign` has one flag a character and stays in step."""
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
