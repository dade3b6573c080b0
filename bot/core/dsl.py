"""The search-and-replace action's mappings: one string in a language of its own, read as the action reads it.

    variable==pattern {OR} … {THEN_UPDATE_FILES} glob=regex&regex {AND} … {NEXT_MAPPING} …

Plain splitting and trimming, as in https://github.com/dreitier/conditional-regex-search-and-replace-action: there is
no way to escape, without `==` the pattern is `.*`, without `{THEN_UPDATE_FILES}` every regex goes over every file, and
`*` among the names stands for every regex, in the order of their registration. Patterns are searched for, not matched
from start to end, and nothing is a template.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from bot.core.glob import check_path
from bot.core.mapping import CommitSettings, Mapping, MappingFile, RegexOperation, Update
from bot.core.match import AnyOf, Condition, SearchTest
from bot.core.regexes import MAX_TOTAL_SIZE, TOO_LARGE, Pattern, compile_pattern
from bot.core.suggest import Hints, did_you_mean, listed
from bot.core.template import Position, Template
from bot.errors import InputError, Problem

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from collections.abc import Mapping as Map

MAX_NAME = 60

# What the action registers by itself, each with the value '1'.
BUILT_IN = ("__always__", "__true__")

# Where the character with an index (from 0) of the string stands for the user.
Place: TypeAlias = Callable[[int], Position]


@dataclass(frozen=True, slots=True)
class Expanded:
    """One matcher with one replacer: where `variable` contains a match of `regex`, `regexes` go over `glob`."""

    variable: str
    regex: str
    glob: str
    regexes: tuple[str, ...]


@dataclass(slots=True)
class Read:
    """The mappings of a string, whole only where there are no problems."""

    mappings: list[Mapping] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)
    hints: Hints = field(default_factory=Hints)
    size: int = 0  # of all patterns of conditions


def expand(text: str, regexes: Map[str, str]) -> tuple[Expanded, ...]:
    """Return every matcher with every replacer, matcher by matcher, as the action lists and runs them.

    `regexes` are the registered patterns by name. Raises InputError for a name that is not registered.
    """
    read = Read()
    parsed = _parse(text, regexes, read, _place("mappings", text))
    if read.problems:
        raise InputError(read.problems)
    return tuple(
        Expanded(matcher.variable, matcher.pattern, replacer.glob, replacer.names)
        for one in parsed
        for matcher in one.matchers
        for replacer in one.replacers
    )


def mapping_file(text: str, regexes: Map[str, str], name: str) -> MappingFile:
    """Read a string and the patterns that it names, as if they were a mapping file of their own.

    The others are left alone: an environment has all sorts of variables whose names end in _REGEX.

    `name` is what the string is called for the user, such as the option that it was given by. Raises InputError with
    every problem.
    """
    compiled: dict[str, Pattern] = {}
    problems: list[Problem] = []
    place = _place(name, text)
    parsed = _parse(text, regexes, Read(), place)
    named = {used for one in parsed for replacer in one.replacers for used in replacer.names}
    for key, source in regexes.items():
        if key not in named:
            continue
        try:
            compiled[key] = compile_pattern(source, multiline=False, name=key)
        except InputError as error:
            problems += [Problem(f"regex '{key}': {problem.sentence}") for problem in error.problems]
    read = mappings(text, regexes, compiled, place)
    if problems or read.problems:
        raise InputError([*problems, *read.problems])
    without = [f"regex '{key}': {NO_GROUP}" for key, pattern in compiled.items() if not pattern.groups]
    warnings = (*map(Problem, without), *read.warnings)
    return MappingFile(
        name,
        (),
        built_in(name),
        False,
        tuple(compiled.values()),
        tuple(read.mappings),
        CommitSettings(),
        warnings=warnings,
    )


NO_GROUP = "the pattern has no named group such as (?<docker_image_tag>…), so it changes nothing"


def built_in(name: str) -> tuple[tuple[str, Template], ...]:
    """Return the variables that are always there, as expressions of a mapping file called `name`."""
    return tuple((variable, Template.expression("'1'", Position(name))) for variable in BUILT_IN)


def mappings(text: str, registered: Collection[str], compiled: Map[str, Pattern], place: Place) -> Read:
    """Read a string into mappings. Of the `registered` names those that are valid patterns are in `compiled`."""
    read = Read()
    taken: set[str] = set()
    numbers: dict[str, int] = {}
    # By the names of regexes. All that say `*` share one tuple.
    patterns: dict[tuple[str, ...], tuple[Pattern, ...]] = {}
    for one in _parse(text, registered, read, place):
        tests = [
            SearchTest(matcher.variable, pattern, place(matcher.start))
            for matcher in one.matchers
            if (pattern := _attempt(matcher.pattern, read, place(matcher.start)))
        ]
        updates = []
        for replacer in one.replacers:
            if replacer.names not in patterns:
                patterns[replacer.names] = tuple(compiled[name] for name in replacer.names if name in compiled)
            updates.append(_update(replacer.glob, patterns[replacer.names], place(replacer.start)))
        if not one.matchers or not one.replacers:
            what = "condition" if not one.matchers else "files"
            read.warnings.append(place(one.start).problem(f"this mapping names no {what}, so it does nothing"))
            continue
        when = Condition((tests[0],) if len(tests) == 1 else (AnyOf(tuple(Condition((test,)) for test in tests)),))
        left = " ".join(one.left.split())
        short = left if len(left) <= MAX_NAME else f"{left[: MAX_NAME - 1]}…"
        # The number that the last mapping of the same text got, so that none is tried again for the next one.
        name, numbers[short] = _numbered(short, taken, numbers.get(short, 1))
        taken.add(name)
        line = place(one.start).line or 1
        read.mappings.append(Mapping(name, None, None, when, tuple(updates), line))
    return read


class _Piece(NamedTuple):
    """A piece of the string, trimmed, and the index in the string where it starts."""

    text: str
    start: int


class _Matcher(NamedTuple):
    variable: str
    pattern: str
    start: int


class _Replacer(NamedTuple):
    glob: str
    names: tuple[str, ...]
    start: int


class _Parsed(NamedTuple):
    left: str
    start: int
    matchers: tuple[_Matcher, ...]
    replacers: tuple[_Replacer, ...]


def _split(piece: _Piece, separator: str) -> list[_Piece]:
    """Split and trim; nothing but space makes no pieces at all, as in the action."""
    return list(_pieces(piece, separator)) if piece.text else []


def _pieces(piece: _Piece, separator: str) -> Iterator[_Piece]:
    start = piece.start
    for part in piece.text.split(separator):
        yield _Piece(part.strip(), start + len(part) - len(part.lstrip()))
        start += len(part) + len(separator)


def _parse(text: str, registered: Collection[str], read: Read, place: Place) -> list[_Parsed]:
    parsed = []
    whole = _Piece(text.strip(), len(text) - len(text.lstrip()))
    for one in _split(whole, "{NEXT_MAPPING}"):
        if not one.text:
            continue
        left, right, *more = *_split(one, "{THEN_UPDATE_FILES}"), _Piece("**=*", one.start)
        # With a right side the default is left over.
        for piece in more[:-1]:
            sentence = "a mapping has one {THEN_UPDATE_FILES}: what follows the second one is ignored"
            read.warnings.append(place(piece.start).problem(sentence))
        matchers = tuple(_matcher(piece, read, place) for piece in _split(left, "{OR}"))
        replacers = tuple(_replacer(piece, registered, read, place) for piece in _split(right, "{AND}"))
        parsed.append(_Parsed(left.text, one.start, matchers, replacers))
    return parsed


def _matcher(piece: _Piece, read: Read, place: Place) -> _Matcher:
    variable, pattern = _pair(piece, "==", ".*", read, place)
    if not variable:
        sentence = "a condition begins with the name of a variable, such as docker_image_tag==v.*; this one has none"
        read.problems.append(place(piece.start).problem(sentence))
    if "{AND}" in pattern:
        sentence = "{AND} only joins files: in a condition it is a part of the pattern"
        read.warnings.append(place(piece.start).problem(sentence))
    return _Matcher(variable, pattern, piece.start)


def _replacer(piece: _Piece, registered: Collection[str], read: Read, place: Place) -> _Replacer:
    glob, wanted = _pair(piece, "=", "*", read, place)
    if refusal := check_path(glob):
        read.problems.append(place(piece.start).problem(refusal))
    names: list[str] = []
    for name, _ in _split(_Piece(wanted, 0), "&"):
        if name == "*":
            names = list(registered)
            break
        if name not in registered:
            hint = ""
            if read.hints.take():
                hint = did_you_mean(name, registered) or f"; the regexes are {listed(registered)}"
            sentence = f"The referenced regex '{name}' for mapping of glob '{glob}' does not exist{hint}"
            read.problems.append(place(piece.start).problem(sentence))
            break
        names.append(name)
    if not names:
        sentence = f"no regex goes over '{glob}', so nothing changes there: write {glob}=NAME"
        read.warnings.append(place(piece.start).problem(sentence))
    return _Replacer(glob, tuple(names), piece.start)


def _pair(piece: _Piece, separator: str, default: str, read: Read, place: Place) -> tuple[str, str]:
    left, right, *more = *_pieces(piece, separator), _Piece(default, piece.start)
    if more[:-1]:
        sentence = f"'{piece.text[:MAX_NAME]}' has '{separator}' twice: what follows the second one is ignored"
        read.warnings.append(place(piece.start).problem(sentence))
    return left.text, right.text


def _update(glob: str, patterns: tuple[Pattern, ...], position: Position) -> Update:
    # Not parsed: nothing in it is an expression.
    files = (Template(glob, position, (glob,)),)
    return Update(files, RegexOperation(patterns), position.line or 1)


def _attempt(source: str, read: Read, position: Position) -> Pattern | None:
    try:
        pattern = compile_pattern(source, multiline=False)
    except InputError as error:
        read.problems += [position.problem(problem.sentence) for problem in error.problems]
        return None
    read.size += pattern.size
    if read.size > MAX_TOTAL_SIZE:
        raise InputError(position.problem(TOO_LARGE))
    return pattern


def unique(name: str, taken: Collection[str]) -> str:
    """Return `name`, with a number behind it where it is taken: no two mappings of a file have the same."""
    return _numbered(name, taken, 1)[0]


def _numbered(name: str, taken: Collection[str], number: int) -> tuple[str, int]:
    numbered = name if number == 1 else f"{name} ({number})"
    while numbered in taken:
        number += 1
        numbered = f"{name} ({number})"
    return numbered, number


def _place(name: str, text: str) -> Place:
    """Return where something stands in a string of its own: in which line, where it has several."""
    if "\n" not in text.strip():
        return lambda _: Position(name)
    line_of = line_finder(text)
    return lambda index: Position(name, line_of(index))


def line_finder(text: str) -> Callable[[int], int]:
    """Return what finds the line, from 1, of an index; to count line breaks for each of thousands takes long."""
    breaks = [found for found, character in enumerate(text) if character == "\n"]
    return lambda index: bisect_left(breaks, index) + 1
