r"""Foreign values in sentences: two values that differ look different, wherever the sentence is read.

A value decides by its characters, and people see only shapes: a check run folds blanks, a terminal hides what has no
shape, and letters of other alphabets look like those of ours. What could be mistaken is written as an escape, such as
`\n` or `\u0430`. All other values look as they are.
"""

from __future__ import annotations

import json
import unicodedata

import regex

from bot.printable import escape

# A longer value is cut in its middle: both ends tell most, and the end may be what decided.
MOST_CHARACTERS = 80
_HEAD, _TAIL = 50, 29

# A check run shows blanks in a row as one, and drops those at the ends. Other blanks look like ours.
_BLANKS = regex.compile(r"^ +| +$|(?<= ) +|(?! )\p{Zs}")
_ENDS = {"\t": r"\t", "\r": r"\r", "\n": r"\n"}
# A variation selector behind a letter changes nothing that is seen; behind a symbol it chooses the emoji.
_SELECTOR = regex.compile(r"(?<![\p{So}\p{Sm}\p{Sk}])\p{Variation_Selector}(?!\u20e3)")
_CLUSTER = regex.compile(r"\P{M}\p{M}+")
_WORD = regex.compile(r"[\p{L}\p{M}\p{N}]+")
# Marks that look like an ASCII one, within a word; between blanks they are punctuation that everybody sees.
_MARK = regex.compile(r"(?<=\S)[\u2010-\u2013\u2212\u02d7\u2024\u2044\u2215\u2236\u0589\ua789\u201a\u2217\u02cd](?=\S)")
# Letters that look like one of ASCII, from https://www.unicode.org/Public/security/latest/confusables.txt: those of
# Cyrillic, Greek and Armenian, and of Latin itself.
_LOOKALIKES = frozenset("аеорсухѕіјһԁԛԝѵүАВЕЅІЈКМНОРСТУХҮԌԚԜΑΒΕΖΗΙΚΜΝΟΡΤΥΧανορυγισϲϳօսոհցզɑɡᴄᴏᴜᴠᴡᴢ")
# The kinds of compatibility characters that look like the character that they stand for: a full-width letter, say.
_FORMS = ("<wide>", "<narrow>", "<font>", "<compat>")
_AMBIGUOUS = regex.compile(r"\\[nrtu\\]")


def quoted(value: str) -> str:
    r"""Return a text in quotes, with what cannot be seen in it as escapes: 'v1\n'.

    A long one is cut in its middle, and its length follows.
    """
    cut = value
    if len(value) > MOST_CHARACTERS:
        cut = f"{value[:_HEAD]}…{value[-_TAIL:]}"
    size = f" ({len(value):,} characters)" if cut is not value else ""
    return f"'{value_shown(cut)}'{size}"


def value_shown(value: str) -> str:
    r"""Return a text with what cannot be seen in it as escapes.

    A backslash is doubled where it could be taken for an escape: a line break is `\n`, a backslash and an n are `\\n`.
    """
    if visible(value) == value and not _AMBIGUOUS.search(value):
        return value
    return visible(value.replace("\\", "\\\\"))


def json_shown(value: object) -> str:
    """Return a value as JSON, with what cannot be seen in it as escapes of JSON; a long one is cut in its middle."""
    text = visible(json.dumps(value, ensure_ascii=False))
    if len(text) <= MOST_CHARACTERS:
        return text
    return f"{text[:_HEAD]}…{text[-_TAIL:]} ({len(text):,} characters)"


def visible(text: str) -> str:
    """Return a text with what cannot be seen in it as escapes; what was escaped before stays as it is."""
    if text.isascii() and text.isprintable():
        return _BLANKS.sub(_escaped, text)
    shown = _CLUSTER.sub(_decomposed, text)
    shown = _MARK.sub(_escaped, _SELECTOR.sub(_escaped, shown))
    foreign = any(_is_foreign(character) for character in shown)
    shown = _WORD.sub(lambda found: _spelt(found.group(), foreign=foreign), shown)
    shown = _BLANKS.sub(_escaped, shown)
    for character, written in _ENDS.items():
        shown = shown.replace(character, written)
    # Characters that Unicode has not assigned, or leaves to private use, have no shape that anybody knows.
    return "".join(character if character.isprintable() else _code(character) for character in escape(shown))


def _escaped(found: regex.Match[str]) -> str:
    return "".join(map(_code, found.group()))


def _code(character: str) -> str:
    number = ord(character)
    return f"\\u{number:04x}" if number < 0x10000 else json.dumps(character)[1:-1]


def _decomposed(found: regex.Match[str]) -> str:
    """Return a letter and its marks; the marks as escapes if one character looks the same."""
    cluster: str = found.group()
    if unicodedata.is_normalized("NFC", cluster):
        return cluster
    return cluster[0] + "".join(map(_code, cluster[1:]))


def _spelt(word: str, *, foreign: bool) -> str:
    """Return a word with the letters as escapes that look like ASCII and are not.

    Such letters are ordinary in a word of their own alphabet: `foreign` says that the text has letters of it that look
    like none of ASCII.
    """
    if word.isascii():
        return word
    mixed = any(character.isascii() and character.isalpha() for character in word)
    alone = not foreign and not any(_is_foreign(character) for character in word)
    return "".join(
        _code(character) if _is_form(character) or (character in _LOOKALIKES and (mixed or alone)) else character
        for character in word
    )


def _is_foreign(character: str) -> bool:
    return not character.isascii() and character.isalpha() and character not in _LOOKALIKES


def _is_form(character: str) -> bool:
    """Say whether a character is another form of one of ASCII: a full-width letter, say."""
    if character.isascii():
        return False
    form, _, stands_for = unicodedata.decomposition(character).partition(" ")
    return form in _FORMS and " " not in stands_for and bool(stands_for) and int(stands_for, 16) < 0x80
