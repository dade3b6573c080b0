"""Conditions over variables: what `when:` says, and how it comes out for one payload, with the reasons."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from bot.core.filters import text_of, type_name
from bot.core.model import Result
from bot.core.regexes import BUDGET_SECONDS
from bot.core.suggest import did_you_mean
from bot.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bot.core.model import Json
    from bot.core.regexes import Pattern


@dataclass(frozen=True, slots=True)
class VariableTest:
    """One of `patterns` must match the whole text of the variable."""

    variable: str
    patterns: tuple[Pattern, ...]


@dataclass(frozen=True, slots=True)
class AnyOf:
    """At least one of the conditions must hold."""

    conditions: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Not:
    """The condition must not hold."""

    condition: Condition


Test: TypeAlias = VariableTest | AnyOf | Not


@dataclass(frozen=True, slots=True)
class Condition:
    """All tests must hold; one without tests always does."""

    tests: tuple[Test, ...] = ()

    @property
    def names(self) -> frozenset[str]:
        """The variables that it looks at, at any depth."""
        return frozenset().union(*(_names(test) for test in self.tests))

    @property
    def captures(self) -> frozenset[str]:
        """The named groups that may become variables when it holds: none of those below `not`."""
        return frozenset().union(*(_captures(test) for test in self.tests))


@dataclass(frozen=True, slots=True)
class Matched:
    """How a condition came out, and the variables that its named groups made: none where it does not hold."""

    result: Result
    captures: Mapping[str, str]


def evaluate(condition: Condition, variables: Mapping[str, Json]) -> Matched:
    """Evaluate every test, so that the result tells all that is in the way.

    A list of patterns, and `any`, make captures by the first alternative that holds; a group that took no part makes
    none. Numbers and booleans are matched as JSON has them. Absent and null, lists and objects do not hold.

    Raises InputError for a pattern that takes longer than 0.5 s.
    """
    matched = [_evaluate(test, variables) for test in condition.tests]
    holds = all(one.result.holds for one in matched)
    why = "" if matched else "it has no conditions"
    result = Result("all of", holds, why, tuple(one.result for one in matched))
    captures = {name: text for one in matched for name, text in one.captures.items()} if holds else {}
    return Matched(result, captures)


def _evaluate(test: Test, variables: Mapping[str, Json]) -> Matched:
    if isinstance(test, VariableTest):
        return _match(test, variables)
    if isinstance(test, Not):
        inner = evaluate(test.condition, variables)
        return Matched(Result("not", not inner.result.holds, "", (inner.result,)), {})
    matched = [evaluate(condition, variables) for condition in test.conditions]
    first = next((one for one in matched if one.result.holds), None)
    result = Result("any of", first is not None, "", tuple(one.result for one in matched))
    return Matched(result, first.captures if first else {})


def _match(test: VariableTest, variables: Mapping[str, Json]) -> Matched:
    name = f"{test.variable} matches {' or '.join(pattern.source for pattern in test.patterns)}"
    if test.variable not in variables:
        why = f"{test.variable} is not in the payload{did_you_mean(test.variable, variables)}"
        return Matched(Result(name, holds=False, why=why), {})
    value = variables[test.variable]
    if value is None or isinstance(value, list | dict):
        return Matched(Result(name, holds=False, why=f"it is {type_name(value)}, which no pattern matches"), {})
    text = text_of(value)
    why = f"it is '{text if len(text) <= 80 else text[:80] + '…'}'"
    for pattern in test.patterns:
        try:
            found = pattern.compiled.fullmatch(text, timeout=BUDGET_SECONDS)
        except TimeoutError:
            raise InputError(
                f"{test.variable}: the pattern '{pattern.source}' was stopped after {BUDGET_SECONDS:g} s: it "
                f"backtracks without end on this value, {why}. Avoid repetitions of repetitions such as (a+)+"
            ) from None
        if found:
            captures = {group: captured for group, captured in found.groupdict().items() if captured is not None}
            return Matched(Result(name, holds=True, why=why), captures)
    return Matched(Result(name, holds=False, why=why), {})


def _names(test: Test) -> frozenset[str]:
    if isinstance(test, VariableTest):
        return frozenset({test.variable})
    if isinstance(test, Not):
        return test.condition.names
    return frozenset().union(*(condition.names for condition in test.conditions))


def _captures(test: Test) -> frozenset[str]:
    if isinstance(test, VariableTest):
        return frozenset(group for pattern in test.patterns for group in pattern.groups)
    if isinstance(test, Not):
        return frozenset()
    return frozenset().union(*(condition.captures for condition in test.conditions))
