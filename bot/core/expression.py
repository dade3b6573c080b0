"""One expression of `${{ … }}`: parsed by Jinja2, checked against an allow-list, evaluated here.

Values are JSON. Comparison tells types apart (`1` is neither `'1'` nor `true`); `and` and `or` give one of their
operands, as in GitHub's workflows. Text stays below 64 KB at every step, so that no chain of filters can grow without
bound.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import jinja2
from jinja2 import nodes
from jinja2.parser import Parser

from bot.core.filters import FILTERS, bounded, text_of, type_name
from bot.core.suggest import did_you_mean
from bot.errors import InputError, Problem

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from bot.core.model import Json

MAX_LENGTH = 1000

_SYNTAX = jinja2.Environment(autoescape=False)  # noqa: S701 - parses only; nothing is rendered, and none of it is HTML
_REFUSED = {
    nodes.Call: "calls a function",
    nodes.Test: "uses a test with 'is'; compare with == or use default(…)",
    nodes.List: "makes a list",
    nodes.Tuple: "makes a list",
    nodes.Dict: "makes an object",
    nodes.Slice: "cuts a slice; use truncate(n), split(…), first or last",
    nodes.BinExpr: "does arithmetic; join text with ~, and write x['a-b'] for a name with a dash",
}
_ORDERED = {
    "lt": lambda left, right: left < right,
    "lteq": lambda left, right: left <= right,
    "gt": lambda left, right: left > right,
    "gteq": lambda left, right: left >= right,
}


# As many characters of a name are said that is not there: payloads choose names.
_SAID = 200


class UndefinedError(InputError):
    """An expression names a variable, a property or an item that is not there.

    The suggestion is made when the problems are read: `default(…)` and conditions drop most of these errors unread, and
    comparing names takes a thousand times as long as evaluating an expression.

    sentence: what is not there.
    name, among: what a suggestion is made from.
    """

    def __init__(self, sentence: str, name: str = "", among: Iterable[str] = ()) -> None:
        super().__init__(sentence)
        self._sentence, self._name, self._among = sentence, name, among
        self._place: Callable[[str], Problem] = Problem

    def at(self, place: Callable[[str], Problem]) -> UndefinedError:
        """Return the same error at a place: `place` makes a problem of a sentence."""
        error = UndefinedError(self._sentence, self._name, self._among)
        error._place = place
        return error

    def drop_hint(self) -> None:
        """Leave the suggestion out of the problems: there are enough of them."""
        self._among = ()

    @property
    def problems(self) -> tuple[Problem, ...]:
        """What is not there, with the nearest name that is."""
        return (self._place(f"{self._sentence}{did_you_mean(self._name, self._among)}"),)

    def __str__(self) -> str:
        return str(self.problems[0])

    def __reduce__(self) -> tuple[type[InputError], tuple[tuple[Problem, ...]]]:
        """Go to another process as the problems alone: what a suggestion is made from is a whole payload."""
        return InputError, (self.problems,)


@dataclass(frozen=True, slots=True)
class Expression:
    """A checked expression. `names` are the variables it uses."""

    source: str
    tree: nodes.Expr
    names: frozenset[str]

    def evaluate(self, variables: Mapping[str, Json]) -> Json:
        """Compute the value. Raises UndefinedError for what is absent, InputError for what has the wrong type."""
        return _evaluate(self.tree, variables)


def parse(source: str) -> Expression:
    """Read one expression, without its `${{ }}`. Raises InputError for what is no expression or not allowed in one."""
    shown = source.strip()
    if len(shown) > MAX_LENGTH:
        raise InputError(f"the expression is {len(shown)} characters long; {MAX_LENGTH} are the limit")
    if not shown:
        raise InputError("the expression is empty: write a variable's name between ${{ and }}")
    try:
        parser = Parser(_SYNTAX, shown, state="variable")
        tree = parser.parse_expression()
        if not parser.stream.eos:
            raise InputError(f"the expression '{shown}' goes on where it should end, at '{parser.stream.current}'")
        used = [tree, *tree.find_all(nodes.Node)]
        for node in used:
            _check(node, shown)
    except jinja2.TemplateSyntaxError as error:
        hint = ""
        if any(sign in shown for sign in ("&", "||", "!")):
            hint = " (write 'and', 'or', 'not' in place of &&, || and !)"
        raise InputError(f"the expression '{shown}' is not valid: {error.message}{hint}") from None
    except RecursionError:
        raise InputError(f"the expression '{shown[:60]}…' is too deeply nested") from None
    return Expression(shown, tree, frozenset(node.name for node in used if isinstance(node, nodes.Name)))


def _check(node: nodes.Node, source: str) -> None:
    """Raise InputError where a node of the tree is not on the allow-list."""
    reason = ""
    if type(node) not in _VALUES and not isinstance(node, nodes.Operand):
        unknown = f"uses '{type(node).__name__.lower()}', which expressions do not have"
        reason = next((reason for kind, reason in _REFUSED.items() if isinstance(node, kind)), unknown)
    elif isinstance(node, nodes.Neg) and not _is_number(node.node):
        reason = "does arithmetic; a minus stands before a number only"
    elif isinstance(node, nodes.Getattr) and node.attr.startswith("_"):
        reason = f"asks for the attribute {node.attr}; for a property of that name write ['{node.attr}']"
    elif isinstance(node, nodes.CondExpr) and node.expr2 is None:
        reason = "has an 'if' without 'else'"
    elif isinstance(node, nodes.Filter):
        reason = _wrong_filter(node)
    if reason:
        raise InputError(f"the expression '{source}' {reason}")


def _is_number(node: nodes.Expr) -> bool:
    return isinstance(node, nodes.Const) and isinstance(node.value, int | float)


def _wrong_filter(node: nodes.Filter) -> str:
    known = FILTERS.get(node.name)
    if known is None:
        hint = did_you_mean(node.name, FILTERS) or f"; the filters are {', '.join(FILTERS)}"
        return f"uses an unknown filter '{node.name}'{hint}"
    if node.kwargs or node.dyn_args or node.dyn_kwargs or len(node.args) != known.arguments:
        return f"gives the filter '{node.name}' other than {known.arguments} argument(s) by position"
    return ""


def _evaluate(node: nodes.Node | None, variables: Mapping[str, Json]) -> Json:
    return _VALUES[type(node)](node, variables)


def _lookup(name: str, among: Mapping[str, Json], kind: str) -> Json:
    if name not in among:
        said = name if len(name) <= _SAID else f"{name[:_SAID]}…"
        raise UndefinedError(f"there is no {kind} '{said}'", name, among)
    return among[name]


def _item(value: Json, key: Json) -> Json:
    if isinstance(value, dict) and isinstance(key, str):
        return _lookup(key, value, "property")
    if isinstance(value, list) and isinstance(key, int) and not isinstance(key, bool):
        if -len(value) <= key < len(value):
            return value[key]
        raise UndefinedError(f"there is no item {key} in a list of {len(value)}")
    said = (
        json.dumps(key[:_SAID] if isinstance(key, str) else key) if not isinstance(key, list | dict) else type_name(key)
    )
    raise UndefinedError(f"{type_name(value)} has no property or item {said}")


def _filtered(node: nodes.Filter, variables: Mapping[str, Json]) -> Json:
    if node.name == "default":
        # Here, not in a function: its value may be absent, and its argument where that is not needed.
        try:
            value = _evaluate(node.node, variables)
        except UndefinedError:
            value = None
        return _evaluate(node.args[0], variables) if value is None else value
    arguments = [_evaluate(argument, variables) for argument in node.args]
    return FILTERS[node.name].apply(_evaluate(node.node, variables), *arguments)


def _compared(node: nodes.Compare, variables: Mapping[str, Json]) -> bool:
    """Compare neighbours: `a < b < c` holds when both pairs do."""
    left = _evaluate(node.expr, variables)
    for operand in node.ops:
        right = _evaluate(operand.expr, variables)
        if not _holds(left, operand.op, right):
            return False
        left = right
    return True


def _holds(left: Json, operator: str, right: Json) -> bool:
    if operator in {"eq", "ne"}:
        return _equal(left, right) == (operator == "eq")
    if operator in {"in", "notin"}:
        return _contains(right, left) == (operator == "in")
    kinds = {type_name(left), type_name(right)}
    if kinds not in ({"text"}, {"a number"}):
        raise InputError(f"{' and '.join(sorted(kinds))} cannot be compared by size: both must be text or both numbers")
    return bool(_ORDERED[operator](left, right))


def _equal(left: Json, right: Json) -> bool:
    return type_name(left) == type_name(right) and left == right


def _contains(container: Json, value: Json) -> bool:
    if isinstance(container, list):
        return any(_equal(item, value) for item in container)
    if isinstance(container, dict | str) and isinstance(value, str):
        return value in container
    raise InputError(
        f"'in' looks for text in text, a property in an object or an item in a list, not in {type_name(container)}"
    )


# How each kind of node that is allowed comes to its value; `parse` lets no other through.
_VALUES: dict[Any, Callable[[Any, Mapping[str, Json]], Json]] = {
    nodes.Name: lambda node, names: _lookup(node.name, names, "variable"),
    nodes.Const: lambda node, _: node.value,
    nodes.Neg: lambda node, _: -node.node.value,
    nodes.Getattr: lambda node, names: _item(_evaluate(node.node, names), node.attr),
    nodes.Getitem: lambda node, names: _item(_evaluate(node.node, names), _evaluate(node.arg, names)),
    nodes.Filter: _filtered,
    nodes.Compare: _compared,
    nodes.And: lambda node, names: _evaluate(node.left, names) and _evaluate(node.right, names),
    nodes.Or: lambda node, names: _evaluate(node.left, names) or _evaluate(node.right, names),
    nodes.Not: lambda node, names: not _evaluate(node.node, names),
    nodes.CondExpr: lambda node, names: _evaluate(node.expr1 if _evaluate(node.test, names) else node.expr2, names),
    nodes.Concat: lambda node, names: bounded("".join(text_of(_evaluate(part, names)) for part in node.nodes)),
}
