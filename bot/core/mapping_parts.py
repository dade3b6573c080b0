"""What reading any part of a mapping file needs: problems with positions, names that must be known, conditions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from bot.core.mapping_models import LATER, problems_of
from bot.core.match import AnyOf, Condition, Not, Test, VariableTest
from bot.core.regexes import compile_pattern
from bot.core.suggest import did_you_mean
from bot.core.template import Template
from bot.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from bot.core.mapping_source import Loc, Source

_T = TypeVar("_T")


class Parts:
    """The data of one mapping file, and all problems found so far.

    `closed` is the set of listed variables where `variables: {only: true}` allows no others, else None.
    """

    def __init__(self, source: Source) -> None:
        self.source = source
        misshapen = problems_of(source)
        self.problems = [*source.problems, *(problem for found in misshapen.values() for problem in found)]
        self.closed: frozenset[str] | None = None
        self._misshapen = frozenset(misshapen)

    def fine(self, loc: Loc) -> bool:
        """Whether the shape of what is at `loc`, and of all below, is right."""
        return not any(bad[: len(loc)] == loc for bad in self._misshapen)

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
        self.problems.append(self.source.position(loc, key=key).problem(sentence))

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

    def known(self, names: Iterable[str], captures: frozenset[str], loc: Loc) -> None:
        """Note each of `names` that is neither a capture nor a variable of the closed list, if it is closed."""
        if self.closed is None:
            return
        there = self.closed | captures
        for name in sorted(set(names) - there):
            hint = did_you_mean(name, there) or "; add it there"
            self.say(loc, f"'{name}' is not listed under 'variables:', which 'only' closes{hint}")

    def condition(self, data: Any, loc: Loc) -> Condition:
        """Read what `when`, `not` or an item of `any` holds."""
        if not isinstance(data, dict):
            what = "an item of 'any'" if isinstance(loc[-1], int) else f"'{loc[-1]}'"
            self.say(loc, f"{what} must be a mapping from variables to patterns")
            return Condition()
        tests: list[Test] = []
        captured: frozenset[str] = frozenset()
        for name, value in data.items():
            test = self._test(name, value, (*loc, name))
            if test is None:
                continue
            names = Condition((test,)).captures
            for group in sorted(names & captured):
                sentence = f"the group '{group}' is captured by two conditions that must both hold: rename one"
                self.say((*loc, name), sentence, key=True)
            captured |= names
            tests.append(test)
        return Condition(tuple(tests))

    def _test(self, name: str, value: Any, loc: Loc) -> Test | None:
        if name == "not":
            return Not(self.condition(value, loc))
        if name == "any":
            if isinstance(value, list) and value:
                return AnyOf(tuple(self.condition(item, place) for item, place in self.items(value, loc)))
            self.say(loc, "'any' must be a list of conditions, each a mapping from variables to patterns")
            return None
        self.known([name], frozenset(), loc)
        if isinstance(value, dict) and "semver" in value:
            self.say((*loc, "semver"), f"'semver' {LATER}", key=True)
            return None
        patterns = []
        for item, place in self.items(value, loc):
            if item is None or isinstance(item, dict | list):
                self.say(place, f"the condition on '{name}' must be a pattern or a list of patterns")
            elif pattern := self.attempt(place, compile_pattern, self.source.scalars[place], multiline=False):
                patterns.append(pattern)
        if value == []:
            self.say(loc, f"the condition on '{name}' has no patterns, so it never holds: add one or remove it")
        return VariableTest(name, tuple(patterns)) if patterns else None
