r"""Patterns: what is accepted, and the replacement of just the captured spans.

The dialect is PCRE as far as the `regex` module knows it; what it does not know, or reads in another way, is refused
with what to write instead. Two things are bounded before compiling, which no time limit covers: nesting, and the size
that counted repetitions unroll to (`(((a{999}){999}){999}){999}` would take all memory).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, TypeAlias

import regex

from bot.core.suggest import Hints, did_you_mean, listed
from bot.errors import InputError, Problem

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

MAX_LENGTH = 1000
MAX_DEPTH = 50
MAX_SIZE = 20_000
# All patterns of a mapping file together: `a{19999}` is a pattern of eight characters that takes some 100 KB.
MAX_TOTAL_SIZE = 500_000
TOO_LARGE = f"the patterns up to here unroll to more than {MAX_TOTAL_SIZE:,} pieces: use smaller counts in {{}}"
MAX_CHANGES = 10_000
MAX_TEXT = 4 * 1024 * 1024
BUDGET_SECONDS = 0.5

Budget: TypeAlias = Callable[[], float]

_PIECE = regex.compile(
    r"""(?<escape>\\(?:[pPg]\{[^}]*\}|.)?)
      | (?<class>\[\^?\]?(?:\\.|\[:[^\]:]*:\]|[^\]\\])*\]?)
      | (?<atom>\(\?\#[^)]*\) | \(\?(?:P[=>]|&)\w+\) | \(\?(?:R|\d+)\) | \(\*[A-Z]+\))
      | (?<flags>\(\?[A-Za-z0-9^-]+(?<scope>[:)]))
      | (?<open>\((?!\?) | \(\?(?:<?[=!]|P?<[^>)]*>|'(?<quoted>\w*)'|[:>|]|\(\w+\)))
      | (?<unknown>\(\?.?)
      | (?<close>\)) | (?<or>\|)
      | (?<times>(?:[*+?]|\{(?<least>\d*),?\d*(?<=\d,?)\})[?+]?)
      | (?<literal>[^\\\[(){|*+?]+|.)""",
    regex.VERBOSE | regex.DOTALL,
)
_ESCAPE = regex.compile(r"\\(?:x\{|.)", regex.DOTALL)
# Line breaks are those of YAML 1.1, which has more of them than others.
_CONTROL = regex.compile(r"[\p{Cc}\u2028\u2029]")
_INSTEAD = {
    r"\k": "write (?P=name)",
    r"\Q": "escape each special character with a backslash",
    r"\E": "escape each special character with a backslash",
    r"\e": r"write \x1b",
    r"\c": r"write the character's code, such as \x01",
    r"\N": r"write [^\n]",
    r"\L": "write the alternatives as (?:a|b)",
}


@dataclass(frozen=True, slots=True)
class Pattern:
    """A compiled pattern. `name` is the one it was registered under, or its source; `groups` its named groups."""

    name: str
    source: str
    compiled: regex.Pattern[str]
    groups: tuple[str, ...]
    # How many pieces it has, counted repetitions unrolled: how much memory it takes.
    size: int = 0


@dataclass(frozen=True, slots=True)
class Change:
    """One captured span that got another text.

    `pattern` is the pattern's name, `name` that of the group, which is the variable's; `line` and `column` count from 1
    in the text that the pattern searched.
    """

    pattern: str
    name: str
    line: int
    column: int
    old: str
    new: str


@dataclass(frozen=True, slots=True)
class Substituted:
    """The new text, what changed in it, and how many matches there were: none of them need be a change."""

    text: str
    changes: tuple[Change, ...]
    matches: int


def budget(seconds: float, clock: Callable[[], float]) -> Budget:
    """Start the time that one file may take: a function that says how many of the `seconds` are left.

    `clock` is monotonic and in seconds. All patterns that search the same file share one budget.
    """
    end = clock() + seconds
    return lambda: end - clock()


def compile_pattern(source: str, *, multiline: bool, name: str = "") -> Pattern:
    r"""Compile `source`; with `multiline`, `^` and `$` also match at line breaks.

    `(?'n'…)` is read as `(?<n>…)`, and a brace that repeats nothing is itself, as in PCRE. Raises InputError, with the
    position (counted from 1) where there is one.
    """
    if len(source) > MAX_LENGTH:
        raise InputError(f"the pattern is {len(source)} characters long; {MAX_LENGTH} are the limit")
    sizes = [0]
    translated = "".join(_translate(source, sizes))
    try:
        compiled = regex.compile(translated, regex.MULTILINE if multiline else 0)
    except regex.error as error:
        # The type stubs do not know the attributes of this exception.
        reason, position = getattr(error, "msg", str(error)), getattr(error, "pos", None)
        where = "" if position is None else f" at character {_original(source, position) + 1}"
        raise InputError(f"the pattern {_shown(source)} is not valid: {reason}{where}") from None
    except (RecursionError, OverflowError):
        raise InputError(f"the pattern {_shown(source)} is too deeply nested or repeats too often") from None
    groups = sorted(compiled.groupindex, key=compiled.groupindex.__getitem__)
    return Pattern(name or source, source, compiled, tuple(groups), sum(sizes))


def check_groups(patterns: Iterable[Pattern], values: Mapping[str, str]) -> None:
    """Raise InputError where a group could not be filled, whether or not its pattern will match.

    Its name must be that of a variable, with a value on one line: a span is a part of a line, and a value that brings
    lines of its own would change more of the file than that.
    """
    hints = Hints()
    refused = [_unfit(pattern, group, values, hints) for pattern in patterns for group in pattern.groups]
    if sentences := [sentence for sentence in refused if sentence]:
        raise InputError([Problem(sentence) for sentence in sentences])


def substitute(text: str, patterns: Sequence[Pattern], values: Mapping[str, str], seconds_left: Budget) -> Substituted:
    r"""Search `text` with each pattern in turn, on what the one before left, and fill the spans of the named groups.

    `values` is the text of every variable; it is taken literally. Only the captured spans change: an optional group
    that took no part stays, an empty capture is filled, and a captured CR before LF stays. Where a group repeats, its
    last capture counts, as in PCRE.

    Raises InputError as `check_groups` does, where captured spans overlap, where there are more than 10,000 spans or
    the text outgrows 4 MB, and where the budget is used up.
    """
    check_groups(patterns, values)
    changes: list[Change] = []
    matches = 0
    for pattern in patterns:
        spans, count = _spans(text, pattern, seconds_left())
        text, changed = _fill(text, pattern, spans, values)
        changes += changed
        matches += count
    return Substituted(text, tuple(changes), matches)


_Span = tuple[int, int, str]


def _spans(text: str, pattern: Pattern, seconds: float) -> tuple[list[_Span], int]:
    """Where the named groups are: (start, end, group), sorted, without overlaps; and the number of matches."""
    found: set[_Span] = set()
    count = 0
    if seconds <= 0:  # the module takes a negative limit for none
        raise InputError(_too_slow(pattern))
    try:
        for match in pattern.compiled.finditer(text, timeout=seconds):
            count += 1
            found.update((*_without_cr(text, *match.span(group)), group) for group in pattern.groups)
            if max(len(found), count) > MAX_CHANGES:
                raise InputError(
                    f"{_named(pattern)} matches more than {MAX_CHANGES:,} times in one file: make it stricter"
                )
    except TimeoutError:
        raise InputError(_too_slow(pattern)) from None
    spans = sorted(span for span in found if span[0] >= 0)
    for (start, end, group), (next_start, next_end, next_group) in pairwise(spans):
        if next_start < end or (start, end) == (next_start, next_end):
            raise InputError(
                f"{_named(pattern)} captures the same text in the groups '{group}' and '{next_group}': only one of "
                "them can fill it"
            )
    return spans, count


def _without_cr(text: str, start: int, end: int) -> tuple[int, int]:
    # In a file with CRLF `.` matches the CR as well; it belongs to the line break.
    if start < end and text[end - 1] == "\r" and text[end : end + 1] == "\n":
        end -= 1
    return start, end


def _fill(text: str, pattern: Pattern, spans: list[_Span], values: Mapping[str, str]) -> tuple[str, list[Change]]:
    changes: list[Change] = []
    parts: list[str] = []
    size = len(text)
    line, line_start, end_before = 1, 0, 0
    for start, end, group in spans:
        old, new = text[start:end], values[group]
        if old == new:
            continue
        size += len(new) - len(old)
        if size > MAX_TEXT:
            raise InputError(f"{_named(pattern)} would make the file larger than {MAX_TEXT // 1024 // 1024} MB")
        line += text.count("\n", line_start, start)
        line_start = text.rfind("\n", 0, start) + 1
        changes.append(Change(pattern.name, group, line, start - line_start + 1, old, new))
        parts += text[end_before:start], new
        end_before = end
    return "".join([*parts, text[end_before:]]), changes


def _unfit(pattern: Pattern, group: str, values: Mapping[str, str], hints: Hints) -> str:
    if group in values:
        if _CONTROL.search(values[group]):
            return f"{_named(pattern)} cannot fill '{group}': its value has a line break or a control character"
        return ""
    hint = ""
    if hints.take():
        hint = did_you_mean(group, values) or f"; the variables are {listed(sorted(values))}"
    return f"{_named(pattern)} has a group '{group}', which is no variable{hint}"


def _translate(source: str, sizes: list[int]) -> Iterator[str]:
    """Yield the pieces of `source` as the `regex` module is to read them, one for one with those of `_PIECE`.

    `sizes`, [0] at first, has in the end the sizes of the groups that are open.
    """
    last = 0
    for found in _PIECE.finditer(source):
        kind, text = found.lastgroup, found.group()
        position = found.start() + 1
        if found["open"] or found["scope"] == ":":
            sizes.append(0)
            if len(sizes) > MAX_DEPTH:
                raise InputError(f"the pattern nests groups more than {MAX_DEPTH} deep at character {position}")
            last = 0
        elif found["close"] and len(sizes) > 1:
            last = sizes.pop() + 1
            sizes[-1] += last
        elif found["times"]:
            # As the module unrolls it: the least count and a loop; `+` is once and a loop.
            least = int(found["least"] or 0) if text[0] == "{" else int(text[0] == "+")
            sizes[-1] += last * least
            last *= least + 1
        else:
            last = 0 if found["or"] else 1
            sizes[-1] += len(text) if kind == "literal" else last
        if max(sizes) > MAX_SIZE:
            raise InputError(f"the pattern {_shown(source)} repeats repetitions too often at character {position}")
        _refuse(source, found, position)
        if found["quoted"] is not None:
            yield f"(?<{found['quoted']}>"
        else:
            yield rf"\{text}" if kind == "literal" and text == "{" else text


def _refuse(source: str, found: regex.Match[str], position: int) -> None:
    """Raise InputError for what the `regex` module does not know, or reads in another way than PCRE."""
    text = found.group()
    escapes = found["escape"] or found["class"]
    for escape in _ESCAPE.findall(source, found.start(), found.end() + 1) if escapes else ():
        instead = r"write \uXXXX with four digits" if escape == r"\x{" else _INSTEAD.get(escape)
        if instead:
            raise InputError(f"the pattern uses {escape}, which is not supported, at character {position}: {instead}")
    if found["flags"] and not regex.fullmatch(r"\(\?[ims]*(?:-[ims]+)?[:)]", text):
        raise InputError(f"the pattern sets flags with {text} at character {position}: only i, m and s are supported")
    if found["unknown"]:
        raise InputError(f"the pattern has a group that begins with {text} at character {position}: not supported")


def _original(source: str, position: int) -> int:
    """Find the position in `source` of what stands at `position` in its translation."""
    translated = 0
    for found, piece in zip(_PIECE.finditer(source), _translate(source, [0]), strict=True):
        translated += len(piece)
        if translated > position:
            return found.start() + min(len(found.group()) - 1, position - translated + len(piece))
    return len(source)


def _named(pattern: Pattern) -> str:
    return f"the pattern {_shown(pattern.name)}"


def _shown(source: str) -> str:
    return f"'{source[:80]}…'" if len(source) > 80 else f"'{source}'"


def _too_slow(pattern: Pattern) -> str:
    return (
        f"{_named(pattern)} was stopped after {BUDGET_SECONDS:g} s: it backtracks without end, or the file is too long "
        "for it. Avoid repetitions of repetitions such as (a+)+"
    )
