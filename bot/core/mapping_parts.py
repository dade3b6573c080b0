"""What reading any part of a mapping file needs: problems with positions, names that must be known, conditions."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, Any, TypeVar

from bot.core import dsl, semver
from bot.core.glob import Glob, refused_path
from bot.core.mapping import RegexOperation
from bot.core.mapping_problems import problems_of
from bot.core.match import AnyOf, Condition, Not, SemverTest, Test, VariableTest
from bot.core.regexes import MAX_TOTAL_SIZE, TOO_LARGE, compile_pattern
from bot.core.suggest import Hints
from bot.core.template import Position, Template
from bot.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from collections.abc import Set as AbstractSet

    from bot.core import mapping
    from bot.core.mapping_source import Loc, Source
    from bot.core.regexes import Pattern
    from bot.errors import Problem

_T = TypeVar("_T")

# A file with so many problems is not read on.
MAX_PROBLEMS = 5_000

# The globs of a mapping file stand for so many paths at most, so many characters of them, so many of these wildcards:
# `{a,b}` eight times is 256 paths in forty characters, and a file has room for thousands of those.
MAX_PATHS = 20_000
MAX_PATH_CHARACTERS = 1_000_000
MAX_WILDCARDS = 40_000


class TooManyProblemsError(Exception):
    """There are so many problems that no more are looked for."""


class Parts:
    """The data of one mapping file and its text, and all problems and warnings found so far.

    `closed` is the set of listed variables where `variables: {only: true}` allows no others, else None.
    """

    def __init__(self, source: Source, text: str) -> None:
        self.source = source
        self.text = text
        self.warnings: list[Problem] = []
        self.hints = Hints()
        misshapen = problems_of(source, self.hints)
        self.problems = [*source.problems, *(problem for found in misshapen.values() for problem in found)]
        self.closed: frozenset[str] | None = None
        self._misshapen = frozenset(misshapen)
        self._bad = frozenset(loc[:length] for loc in misshapen for length in range(len(loc) + 1))
        self._paths = self._path_characters = self._wildcards = self._pattern_size = 0

    def fine(self, loc: Loc) -> bool:
        """Whether the shape of what is at `loc`, and of all below, is right."""
        return loc not in self._bad

    def get(self, data: Any, loc: Loc, default: Any = None) -> Any:
        """Look up the last part of `loc` in `data`: `default` where it is absent, null or not of the right shape."""
        value = data.get(loc[-1]) if isinstance(data, dict) and loc not in self._misshapen else None
        return default if value is None else value

    def texts(self, data: Any, loc: Loc) -> list[tuple[str, Loc]]:
        """Look up one text or a list of them: those that are texts, each with its location."""
        values = self.items(self.get(data, loc, []), loc)
        return [(value, place) for value, place in values if isinstance(value, str)]

    def items(self, value: Any, loc: Loc) -> list[tuple[Any, Loc]]:
        """One value, or the items of a list, each with its location."""
        if isinstance(value, list):
            return [(item, (*loc, index)) for index, item in enumerate(value)]
        return [(value, loc)]

    def line(self, loc: Loc) -> int:
        """Say in which line `loc` begins."""
        return self.source.position(loc).line or 1

    def say(self, loc: Loc, sentence: str, *, key: bool = False) -> None:
        """Note a problem at a value, or at its `key`."""
        self._note([self.source.position(loc, key=key).problem(sentence)])

    def _note(self, problems: Iterable[Problem]) -> None:
        self.problems += problems
        if len(self.problems) > MAX_PROBLEMS:
            raise TooManyProblemsError

    def warn(self, loc: Loc, sentence: str) -> None:
        """Note that what is at `loc` works and may not be meant."""
        self.warnings.append(self.source.position(loc).problem(sentence))

    def attempt(self, loc: Loc, make: Callable[..., _T], *args: Any, **options: Any) -> _T | None:
        """Give what `make` returns; None, and its problems noted at `loc`, where it raises."""
        try:
            return make(*args, **options)
        except InputError as error:
            for problem in error.problems:
                self.say(loc, problem.sentence)
            return None

    def template(self, text: str, loc: Loc, *, key: bool = False) -> Template | None:
        """Read a template."""
        return self.attempt(loc, Template.parse, text, self.source.position(loc, key=key))

    def glob(self, text: str, loc: Loc) -> Glob | None:
        """Read a glob of files that may be touched.

        Raises InputError if the globs of the file stand for too many paths: then it is not read on.
        """
        glob = self.attempt(loc, Glob, text)
        if glob is None:
            return None
        self._paths += len(glob.plain)
        self._path_characters += sum(map(len, glob.plain))
        self._wildcards += glob.wildcards
        if self._paths > MAX_PATHS or self._path_characters > MAX_PATH_CHARACTERS or self._wildcards > MAX_WILDCARDS:
            sentence = (
                f"the globs up to here stand for more than {MAX_PATHS:,} paths, {MAX_PATH_CHARACTERS:,} characters or "
                f"{MAX_WILDCARDS:,} wildcards: use fewer braces, stars and classes"
            )
            raise InputError(self.source.position(loc).problem(sentence))
        if refusal := refused_path(glob):
            self.say(loc, refusal)
            return None
        return glob

    def compiled(self, text: str, loc: Loc, *, multiline: bool, name: str = "") -> Pattern | None:
        """Compile a pattern.

        Raises InputError if the patterns of the file are too large together: then it is not read on.
        """
        pattern = self.attempt(loc, compile_pattern, text, multiline=multiline, name=name)
        if pattern:
            self._pattern_size += pattern.size
            if self._pattern_size > MAX_TOTAL_SIZE:
                raise InputError(self.source.position(loc).problem(TOO_LARGE))
        return pattern

    def known(self, names: Iterable[str], own: AbstractSet[str], loc: Loc) -> None:
        """Note each of `names` that is no variable of the closed list, if it is closed, nor a mapping's `own`.

        Those are what its conditions capture, and the item of `for_each`.
        """
        for sentence in self._unlisted(names, own):
            self.say(loc, sentence)

    def _unlisted(self, names: Iterable[str], own: AbstractSet[str] = frozenset()) -> list[str]:
        if self.closed is None:
            return []
        closes = "is not listed under 'variables:', which 'only' closes"
        sentences = []
        for name in sorted(set(names) - self.closed - own):
            hint = self.hints.did_you_mean(name, chain(self.closed, own)) or "; add it there"
            sentences.append(f"'{name}' {closes}{hint}")
        return sentences

    def condition(self, data: Any, loc: Loc, own: AbstractSet[str] = frozenset()) -> Condition:
        """Read what `when`, `not` or an item of `any` holds; `own` are variables that only the mapping has."""
        if not isinstance(data, dict):
            what = "an item of 'any'" if isinstance(loc[-1], int) else f"'{loc[-1]}'"
            self.say(loc, f"{what} must be a mapping from variables to patterns")
            return Condition()
        tests: list[Test] = []
        captured: set[str] = set()
        visible = set(own)  # grows with what is captured: to make it anew for each of thousands of tests takes long
        for name, value in data.items():
            test = self._test(name, value, (*loc, name), visible)
            if test is None:
                continue
            for group in sorted(test.captures & captured):
                sentence = f"the group '{group}' is captured by two conditions that must both hold: rename one"
                self.say((*loc, name), sentence, key=True)
            captured |= test.captures
            visible |= test.captures
            tests.append(test)
        return Condition(tuple(tests))

    def _test(self, name: str, value: Any, loc: Loc, own: AbstractSet[str]) -> Test | None:
        if name == "not":
            return Not(self.condition(value, loc, own))
        if name == "any":
            if isinstance(value, list) and value:
                return AnyOf(tuple(self.condition(item, place, own) for item, place in self.items(value, loc)))
            self.say(loc, "'any' must be a list of conditions, each a mapping from variables to patterns")
            return None
        self.known([name.partition(".")[0]], own, loc)
        if isinstance(value, dict) and "semver" in value:
            return self._semver(name, value, loc)
        patterns = []
        for item, place in self.items(value, loc):
            if item is None or isinstance(item, dict | list):
                self.say(place, f"the condition on '{name}' must be a pattern or a list of patterns")
            elif pattern := self.compiled(self.source.scalars[place], place, multiline=False):
                patterns.append(pattern)
        if value == []:
            self.say(loc, f"the condition on '{name}' has no patterns, so it never holds: add one or remove it")
        return VariableTest(name, tuple(patterns)) if patterns else None

    def _semver(self, name: str, value: dict[str, Any], loc: Loc) -> SemverTest | None:
        others = [key for key in value if key != "semver"]
        for key in others:
            self.say((*loc, key), f"beside 'semver' there is nothing else: put '{key}' elsewhere", key=True)
        place: Loc = (*loc, "semver")
        if place not in self.source.scalars:
            self.say(place, "'semver' must be one range of versions, such as '>=1.2 <2'")
            return None
        versions = self.attempt(place, semver.parse, self.source.scalars[place])
        return SemverTest(name, versions) if versions else None

    def dsl(self, text: str, regexes: Mapping[str, Pattern | None]) -> list[mapping.Mapping]:
        """Read `mappings:` as one text in the search-and-replace action's language.

        `regexes` are the registered ones by name, None where they are not valid.
        """
        loc: Loc = ("mappings",)
        start = self.source.position(loc)
        first, column = start.line or 1, start.column or 1
        literal = self.text.split("\n")[first - 1][column - 1 :].startswith("|")

        line_of = dsl.line_finder(text)

        def place(index: int) -> Position:
            # A literal block has the lines of the file; in every other style YAML joins them.
            return Position(start.file, first + line_of(index)) if literal else start

        self.warn(
            loc,
            "matching is unanchored as in the action: '.*-dev' also matches 1-dev-prod; end it in $ to have it match "
            "only at the end, or write a list of mappings, whose conditions match the whole value",
        )
        compiled = {name: pattern for name, pattern in regexes.items() if pattern}
        read = dsl.mappings(text, regexes, compiled, place)
        self._note(read.problems)
        self.warnings += read.warnings
        if self.closed is None:
            return read.mappings
        # `*` is every regex, and thousands of mappings may say it: updates with the same regexes share one tuple.
        groups: dict[int, set[str]] = {}
        for made in read.mappings:
            used = [(made.line, {name.partition(".")[0] for name in made.when.names})]
            for update in made.update:
                patterns = update.operation.patterns if isinstance(update.operation, RegexOperation) else ()
                if id(patterns) not in groups:
                    groups[id(patterns)] = {group for pattern in patterns for group in pattern.groups}
                used.append((update.line, groups[id(patterns)]))
            for line, names in used:
                self._note(Position(start.file, line).problem(text) for text in self._unlisted(names))
        return read.mappings
