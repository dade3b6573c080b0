"""Which nodes of a document a field path means.

Two things differ from RFC 9535: `=~` searches (as Go's MatchString does in yaml-jsonpath, where such paths come from),
and a node reached in two ways counts once, since it is written once. Aliases are not followed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import regex
from jsonpath import filter as expressions
from jsonpath import segments, selectors

from bot.core.yaml.locate import Mapping, Node, Scalar, Sequence
from bot.core.yaml.path import spelt
from bot.core.yaml.quote import typed
from bot.errors import EditError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from bot.core.yaml.path import Segments

MAX_STEPS = 2_000_000  # nodes looked at for one path: `..*..*` on a large file is quadratic
REGEX_SECONDS = 0.2

_FLAGS = {re.IGNORECASE: regex.I, re.MULTILINE: regex.M, re.DOTALL: regex.S, re.ASCII: regex.A}
_NOTHING = object()  # the value of a query that finds no node, or more than one


@dataclass(frozen=True, slots=True, eq=False)
class Match:
    """A node and the way to it: `key` is the key's node in a mapping, the index in a sequence, None at the root."""

    node: Node
    parent: Match | None = None
    key: Node | int | None = None

    def way(self) -> Iterator[Match]:
        """Yield this match, then its ancestors up to the root."""
        match: Match | None = self
        while match is not None:
            yield match
            match = match.parent

    @property
    def in_flow(self) -> bool:
        """Whether the node stands in a flow collection."""
        parent = self.parent.node if self.parent else None
        return isinstance(parent, Mapping | Sequence) and parent.flow

    def __str__(self) -> str:
        """Write the way as a field path that means this node alone; `$` for a root."""
        parts: list[str] = []
        for step in self.way():
            if isinstance(step.key, int):
                parts.append(f"[{step.key}]")
            elif isinstance(step.key, Scalar):
                parts.append(spelt(step.key.value))
        return "".join(reversed(parts)).removeprefix(".") or "$"


def find(root: Node, path: Segments) -> list[Match]:
    """Find the nodes of one document that `path` means, each once.

    Raises `EditError` where the walk or a pattern in a filter takes too long.
    """
    matches, length = reach(root, path)
    return matches if length == len(path) else []


def reach(root: Node, path: Segments) -> tuple[list[Match], int]:
    """Follow `path` as far as it goes: the last nodes found, and how many of its segments led there."""
    walk, matches = _Walk(root), [Match(root)]
    for length, segment in enumerate(path):
        found = walk.follow(matches, (segment,))
        if not found:
            return matches, length
        matches = found
    return matches, len(path)


def ends(root: Node, path: Segments) -> Iterator[tuple[Match, Segments]]:
    """Follow `path` on each of its ways by itself; yield the last node of each, and what is left of the path there.

    Nothing is left at the nodes that the path means.
    """
    walk, seen = _Walk(root), set()
    waiting = [(Match(root), path)]
    while waiting:
        match, rest = waiting.pop()
        found = walk.follow([match], rest[:1]) if rest else []
        if found:
            waiting += [(below, rest[1:]) for below in reversed(found)]
        elif match.node.event not in seen:
            seen.add(match.node.event)
            yield match, rest


def children(match: Match) -> list[Match]:
    """List the values below a node; what only a merge key brings is not below it."""
    node = match.node
    if isinstance(node, Sequence):
        return [Match(item, match, index) for index, item in enumerate(node.items)]
    if isinstance(node, Mapping):
        return [Match(value, match, key) for key, value in node.pairs if not is_merge(key)]
    return []


def is_merge(key: Node) -> bool:
    """Whether a key is YAML 1.1's merge key `<<` (https://yaml.org/type/merge.html)."""
    return isinstance(key, Scalar) and not key.style and key.value == "<<"


class _Walk:
    """One walk of a path over one document, with its budget."""

    def __init__(self, root: Node) -> None:
        self.root = root
        self.steps = 0

    def follow(self, matches: list[Match], path: Iterable[segments.JSONPathSegment]) -> list[Match]:
        for segment in path:
            descend = isinstance(segment, segments.JSONPathRecursiveDescentSegment)
            found: dict[int, Match] = {}
            for start in matches:
                for match in self._descendants(start) if descend else (start,):
                    for selector in segment.selectors:
                        for child in self._select(match, selector):
                            found.setdefault(child.node.event, child)
            matches = list(found.values())
        return matches

    def _count(self, nodes: list[Match]) -> list[Match]:
        self.steps += len(nodes) + 1
        if self.steps > MAX_STEPS:
            raise EditError(f"the field path looks at more than {MAX_STEPS} nodes; name more of the way than `..`")
        return nodes

    def _descendants(self, start: Match) -> Iterator[Match]:
        """Yield the node and all below it, in the file's order."""
        waiting = [start]
        while waiting:
            match = waiting.pop()
            yield match
            waiting.extend(reversed(self._count(children(match))))

    def _select(self, match: Match, selector: selectors.JSONPathSelector) -> list[Match]:
        node = match.node
        if isinstance(selector, selectors.NameSelector):
            return self._named(match, selector.name)
        if isinstance(selector, selectors.IndexSelector):
            if isinstance(node, Mapping):
                return self._named(match, str(selector.index))
            below = self._count(children(match))
            return below[selector.index :][:1] if -len(below) <= selector.index else []
        below = self._count(children(match))
        if isinstance(selector, selectors.SliceSelector):
            return below[selector.slice] if isinstance(node, Sequence) else []
        if isinstance(selector, selectors.Filter):
            expression = selector.expression.expression
            return [child for child in below if self._true(expression, child)]
        return below

    def _named(self, match: Match, name: str) -> list[Match]:
        if not isinstance(match.node, Mapping):
            return []
        self.steps += len(match.node.pairs) if match.node.known else 1
        self._count([])
        return [Match(value, match, key) for key, value in match.node.named(name)]

    def _true(self, expression: expressions.BaseExpression, at: Match) -> bool:
        """Whether a filter holds at a node; a query alone asks whether anything is there."""
        if isinstance(expression, expressions.PrefixExpression):
            return not self._true(expression.right, at)
        if isinstance(expression, expressions.FilterQuery):
            return bool(self._query(expression, at))
        if not isinstance(expression, expressions.InfixExpression):
            return bool(self._value(expression, at))
        if expression.operator in ("&&", "||"):
            both = expression.operator == "&&"
            return self._true(expression.right if self._true(expression.left, at) is both else expression.left, at)
        return _compare(self._value(expression.left, at), expression.operator, self._value(expression.right, at))

    def _query(self, query: expressions.FilterQuery, at: Match) -> list[Match]:
        start = Match(self.root) if isinstance(query, expressions.RootFilterQuery) else at
        return self.follow([start], query.path.segments)

    def _value(self, expression: expressions.BaseExpression, at: Match) -> object:
        if isinstance(expression, expressions.Nil):
            return None
        if isinstance(expression, expressions.FilterExpressionLiteral):
            value: object = expression.value
            return value
        if not isinstance(expression, expressions.FilterQuery):
            return self._true(expression, at)
        found = self._query(expression, at)
        if len(found) != 1:
            return _NOTHING
        # A collection or an alias is equal to nothing, not even to itself.
        return typed(found[0].node) if isinstance(found[0].node, Scalar) else object()


def _compare(left: object, sign: str, right: object) -> bool:
    """Compare as RFC 9535 does: what has another type is not equal, and neither less nor greater."""
    # True == 1 in Python, not in YAML.
    equal = isinstance(left, bool) == isinstance(right, bool) and left == right
    if sign in ("==", "!="):
        return equal is (sign == "==")
    if sign == "=~":
        return _searches(left, right)
    if "=" in sign and equal:
        return True
    if sign.startswith(">"):
        left, right = right, left
    if isinstance(left, str) and isinstance(right, str):
        return left < right
    if isinstance(left, bool) or isinstance(right, bool):
        return False
    return isinstance(left, int | float) and isinstance(right, int | float) and left < right


def _searches(text: object, pattern: object) -> bool:
    """Whether the pattern (a `/literal/` or a string) occurs in the text."""
    if not isinstance(text, str):
        return False
    flags = 0
    if isinstance(pattern, re.Pattern):
        flags = sum(ours for theirs, ours in _FLAGS.items() if pattern.flags & theirs)
        pattern = pattern.pattern
    if not isinstance(pattern, str):
        return False
    try:
        return regex.search(pattern, text, flags, timeout=REGEX_SECONDS) is not None
    except TimeoutError:
        raise EditError(f"the pattern {pattern!r} of a filter takes too long on a value; simplify it") from None
    except (regex.error, RecursionError) as error:
        raise EditError(f"the pattern {pattern!r} of a filter cannot be read: {error}") from None
