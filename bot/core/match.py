"""Conditions over variables: what `when:` says, and how it comes out for one payload, with the reasons."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

from bot.core.filters import text_of, type_name
from bot.core.model import Result
from bot.core.regexes import BUDGET_SECONDS
from bot.core.shown import MOST_CHARACTERS, quoted, visible
from bot.core.suggest import Hints, did_you_mean
from bot.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from collections.abc import Set as AbstractSet

    import regex

    from bot.core.model import Json
    from bot.core.regexes import Pattern
    from bot.core.semver import Range
    from bot.core.template import Position


@dataclass(frozen=True, slots=True)
class VariableTest:
    """One of `patterns` must match the whole text of the variable."""

    variable: str
    patterns: tuple[Pattern, ...]

    @property
    def captures(self) -> frozenset[str]:
        """The named groups that become variables."""
        return frozenset(group for pattern in self.patterns for group in pattern.groups)


@dataclass(frozen=True, slots=True)
class SearchTest:
    """`pattern` must match somewhere in the text of the variable, and the variable must be there at all.

    That is how the search-and-replace action tests; its groups become no variables. `position` is where it stands.
    """

    variable: str
    pattern: Pattern
    position: Position
    captures = frozenset[str]()


@dataclass(frozen=True, slots=True)
class SemverTest:
    """The text of the variable must be a version within the range."""

    variable: str
    range: Range
    captures = frozenset[str]()


@dataclass(frozen=True, slots=True)
class AnyOf:
    """At least one of the conditions must hold."""

    conditions: tuple[Condition, ...]

    @property
    def captures(self) -> frozenset[str]:
        """The named groups that may become variables: those of the first that holds do."""
        return frozenset().union(*(condition.captures for condition in self.conditions))


@dataclass(frozen=True, slots=True)
class Not:
    """The condition must not hold."""

    condition: Condition
    captures = frozenset[str]()


Test: TypeAlias = VariableTest | SearchTest | SemverTest | AnyOf | Not


@dataclass(frozen=True, slots=True)
class Condition:
    """All tests must hold; one without tests always does."""

    tests: tuple[Test, ...] = ()

    @property
    def names(self) -> frozenset[str]:
        """What it looks at, at any depth: variables, or paths into them, but not what it captures itself before."""
        names: set[str] = set()
        captured: set[str] = set()
        for test in self.tests:
            names |= _names(test) - captured
            captured |= test.captures
        return frozenset(names)

    @property
    def captures(self) -> frozenset[str]:
        """The named groups that may become variables when it holds: none of those below `not`."""
        return frozenset().union(*(test.captures for test in self.tests))


@dataclass(frozen=True, slots=True)
class Matched:
    """How a condition came out, and the variables that its named groups made: none where it does not hold."""

    result: Result
    captures: Mapping[str, str]


class AbsentError(KeyError):
    """A variable, or what a dotted path leads to, is not there.

    The suggestion is made when it is asked for: who looks whether something is there has no use for it.

    guesses: (name, the names that are there), the likelier guess first.
    """

    def __init__(self, *guesses: tuple[str, Iterable[str]]) -> None:
        super().__init__(guesses[0][0])
        self._guesses = guesses

    def hint(self) -> str:
        """Return the nearest name that is there, as `suggest.did_you_mean` says it."""
        return next((hint for name, names in self._guesses if (hint := did_you_mean(name, names))), "")


@dataclass(frozen=True, slots=True)
class _Scope:
    """What a test sees.

    variables: those of the payload, and captures of the tests above.
    pending: what the tests above may capture.
    hints: how many absent variables still get a suggestion.
    """

    variables: Mapping[str, Json]
    pending: AbstractSet[str] = frozenset()
    hints: Hints = field(default_factory=Hints)


def evaluate(condition: Condition, variables: Mapping[str, Json], hints: Hints | None = None) -> Matched:
    """Evaluate every test, so that the result tells all that is in the way.

    A list of patterns, and `any`, make captures by the first alternative that holds; a group that took no part makes
    none. Tests see what those above them captured. Numbers and booleans are matched as JSON has them. Absent and null,
    lists and objects do not hold. `hints` are shared by evaluations that are told together.

    Raises InputError for a pattern that takes longer than 0.5 s, and where the variable of a SearchTest is absent.
    """
    return _all_of(condition, _Scope(variables, hints=hints or Hints()))


def lookup(name: str, variables: Mapping[str, Json]) -> Json:
    """Find a variable, or by a dotted path what is in one; of the two the variable of just that name comes first.

    A part of a path is a property's name or, in a list, an index from 0. Raises AbsentError.
    """
    if name in variables:
        return variables[name]
    first, *rest = name.split(".")
    if first not in variables:
        raise AbsentError((name, variables), (first, variables))
    value, above = variables[first], first
    for part in rest:
        if isinstance(value, dict) and part in value:
            value = value[part]
        elif (
            isinstance(value, list) and part.isascii() and part.isdigit() and len(part) < 10 and int(part) < len(value)
        ):
            value = value[int(part)]
        else:
            there: Iterable[str] = value if isinstance(value, dict) else ()
            raise AbsentError((name, _below(above, there)))
        above = f"{above}.{part}"
    return value


def _below(above: str, names: Iterable[str]) -> Iterator[str]:
    return (f"{above}.{name}" for name in names)


def _all_of(condition: Condition, scope: _Scope) -> Matched:
    matched = []
    captures: dict[str, str] = {}
    # Variables and tests may be thousands: they are copied once, not for each test.
    variables, pending = dict(scope.variables), set(scope.pending)
    inner = _Scope(variables, pending, scope.hints)
    for test in condition.tests:
        one = _evaluate(test, inner)
        captures |= one.captures
        variables |= one.captures
        pending |= test.captures
        matched.append(one.result)
    holds = all(result.holds for result in matched)
    why = "" if matched else "it has no conditions"
    return Matched(Result("all of", holds, why, tuple(matched)), captures if holds else {})


def _evaluate(test: Test, scope: _Scope) -> Matched:
    if isinstance(test, VariableTest):
        return _match(test, scope)
    if isinstance(test, SearchTest):
        return Matched(_search(test, scope), {})
    if isinstance(test, SemverTest):
        return Matched(_compare(test, scope), {})
    if isinstance(test, Not):
        inner = _all_of(test.condition, scope)
        return Matched(Result("not", not inner.result.holds, "", (inner.result,)), {})
    matched = [_all_of(condition, scope) for condition in test.conditions]
    first = next((one for one in matched if one.result.holds), None)
    result = Result("any of", first is not None, "", tuple(one.result for one in matched))
    return Matched(result, first.captures if first else {})


def _match(test: VariableTest, scope: _Scope) -> Matched:
    name = f"{test.variable} matches {' or '.join(visible(pattern.source) for pattern in test.patterns)}"
    text, why = _text(test.variable, scope)
    for pattern in () if text is None else test.patterns:
        if found := _found(pattern, test.variable, text or "", whole=True):
            captures = {group: captured for group, captured in found.groupdict().items() if captured is not None}
            return Matched(Result(name, holds=True, why=why), captures)
    return Matched(Result(name, holds=False, why=why), {})


def _search(test: SearchTest, scope: _Scope) -> Result:
    try:
        lookup(test.variable, scope.variables)
    except AbsentError as absent:
        hint = absent.hint() or ": send it as a property of client_payload"
        sentence = f"You are referencing the variable '{test.variable}'. This variable is not defined{hint}"
        raise InputError(test.position.problem(sentence)) from None
    text, why = _text(test.variable, scope)
    holds = text is not None and _found(test.pattern, test.variable, text, whole=False) is not None
    return Result(f"{test.variable} contains a match of {visible(test.pattern.source)}", holds, why)


def _compare(test: SemverTest, scope: _Scope) -> Result:
    text, why = _text(test.variable, scope)
    holds, reason = (False, "") if text is None else test.range.check(text)
    return Result(f"{test.variable} is a version in {test.range.source}", holds, why + reason)


def _text(name: str, scope: _Scope) -> tuple[str | None, str]:
    """Return the text of a variable, None where it has none, and the fact to tell."""
    try:
        value = lookup(name, scope.variables)
    except AbsentError as absent:
        if name in scope.pending:
            return None, f"{name} was not captured"
        return None, f"{name} is not in the payload{absent.hint() if scope.hints.take() else ''}"
    if value is None or isinstance(value, list | dict):
        return None, f"it is {type_name(value)}, which has no text to look at"
    if isinstance(value, str):
        return value, f"it is {quoted(value)}"
    # A pattern takes a number as it takes its text; the mapping file may tell them apart elsewhere.
    text = text_of(value)
    return text, f"it is {text if len(text) <= MOST_CHARACTERS else quoted(text)} ({type_name(value)})"


def _found(pattern: Pattern, variable: str, text: str, *, whole: bool) -> regex.Match[str] | None:
    """Match the whole text, or search it. Raises InputError where that takes longer than 0.5 s."""
    try:
        if whole:
            return pattern.compiled.fullmatch(text, timeout=BUDGET_SECONDS)
        return pattern.compiled.search(text, timeout=BUDGET_SECONDS)
    except TimeoutError:
        raise InputError(
            f"{variable}: the pattern '{pattern.source}' was stopped after {BUDGET_SECONDS:g} s: it backtracks "
            f"without end on this value, it is {quoted(text)}. Avoid repetitions of repetitions such as (a+)+"
        ) from None


def _names(test: Test) -> frozenset[str]:
    if isinstance(test, Not):
        return test.condition.names
    if isinstance(test, AnyOf):
        return frozenset().union(*(condition.names for condition in test.conditions))
    return frozenset({test.variable})
