"""The operations of the mapping file with a payload's values in them: what an edit is to do, to the letter."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import regex

from bot.core import yaml
from bot.core.filters import type_name
from bot.core.mapping import (
    CreateOperation,
    DeleteOperation,
    ImageOperation,
    MergeOperation,
    RegexOperation,
    SetOperation,
    UnsetOperation,
    appends,
)
from bot.core.match import AbsentError, lookup
from bot.core.model import Number
from bot.core.regexes import check_groups
from bot.core.template import Template, text_of
from bot.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from collections.abc import Mapping as Map

    from bot.core.mapping import Operation, Selector, Value, ValueType
    from bot.core.model import Json, Scalar
    from bot.core.regexes import Pattern

# JSON's, https://www.rfc-editor.org/rfc/rfc8259#section-6: every reader of YAML takes it for the same number.
_NUMBER = regex.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?")
_MAX_DIGITS = 400
# Line breaks are those of YAML 1.1, which has more of them than others.
_CONTROL = regex.compile(r"[\p{Cc}\u2028\u2029]")


@dataclass(frozen=True, slots=True)
class Substitute:
    """Fill the named groups of `patterns` with `values` (variable name → text)."""

    patterns: tuple[Pattern, ...]
    values: Map[str, str]


@dataclass(frozen=True, slots=True)
class Fields:
    """Change fields of YAML or JSON: all of `operations` in one edit."""

    operations: tuple[yaml.Operation, ...]


@dataclass(frozen=True, slots=True)
class Create:
    """Create a file with this content.

    `outline` is the content with a word in place of each value, and `filled` has (word, value) of each; both are empty
    where one value is the whole content.
    """

    content: str
    outline: str = ""
    filled: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Delete:
    """Delete the files."""


Rendered: TypeAlias = Substitute | Fields | Create | Delete


def render(operation: Operation, scope: Map[str, Json]) -> Rendered:
    """Render an operation with variables. Raises InputError where one is absent, or has a value that does not fit."""
    if isinstance(operation, RegexOperation):
        groups = {group for pattern in operation.patterns for group in pattern.groups}
        values = texts(scope, groups)
        if groups - values.keys():
            values = texts(scope, scope.keys())  # the sentence names what is there
        check_groups(operation.patterns, values)
        return Substitute(operation.patterns, values)
    if isinstance(operation, CreateOperation):
        return _create(operation.content, scope)
    if isinstance(operation, DeleteOperation):
        return Delete()
    return Fields(_fields(operation, scope))


def texts(scope: Map[str, Json], names: Iterable[str]) -> dict[str, str]:
    """Return the text of those of the named variables that have one: lists, objects and null have none."""
    found = {}
    for name in sorted(names):
        try:
            value = lookup(name, scope)
        except AbsentError:
            continue
        if value is not None and not isinstance(value, (list, dict)):
            found[name] = text_of(value)
    return found


def convert(value: Json, kind: ValueType) -> Scalar:
    """Return `value` as text, number, boolean or null; numbers stay as they are written.

    Raises InputError for what is none: a text is a number as JSON has them, a boolean as `true` or `false`, null as
    `null` or where it is empty.
    """
    if kind == "string":
        return text_of(value)
    if kind == "number":
        number = _number(value) if isinstance(value, str) else value
        if isinstance(number, int | float) and not isinstance(number, bool):
            return number
        raise InputError(f"{_shown(value)} is no number such as 3 or 1.10")
    if kind == "boolean":
        boolean = {"true": True, "false": False}.get(value) if isinstance(value, str) else value
        if isinstance(boolean, bool):
            return boolean
        raise InputError(f"{_shown(value)} is no boolean: it must be true or false")
    if value is not None and value not in ("", "null"):
        raise InputError(f"{_shown(value)} is not null: it must be null or empty")
    return None


def _number(text: str) -> int | Number | None:
    """Read a number, None where the text is none."""
    if not _NUMBER.fullmatch(text) or len(text) > _MAX_DIGITS or not math.isfinite(number := Number(text)):
        return None
    return int(text) if text.removeprefix("-").isdigit() and text != "-0" else number


def _shown(value: Json) -> str:
    if not isinstance(value, str):
        return type_name(value)
    return repr(value if len(value) <= 80 else f"{value[:80]}…")


def _fields(
    operation: SetOperation | UnsetOperation | MergeOperation | ImageOperation, scope: Map[str, Json]
) -> tuple[yaml.Operation, ...]:
    if isinstance(operation, ImageOperation):
        tag, digest = _text(operation.tag, scope), _text(operation.digest, scope)
        return (yaml.SetImage(operation.name.render(scope), tag, digest, operation.drop_digest),)
    document = _selector(operation.document, scope)
    if isinstance(operation, SetOperation):
        return _set(operation, document, scope)
    if isinstance(operation, UnsetOperation):
        return tuple(yaml.Unset(path.render_field(scope), document, operation.many) for path in operation.paths)
    path = operation.path.render_field(scope) if operation.path else "$"
    return (yaml.Merge(path, {key: _evaluate(value, scope) for key, value in operation.value.items()}, document),)


def _set(
    operation: SetOperation, document: yaml.DocumentSelector | None, scope: Map[str, Json]
) -> tuple[yaml.SetField, ...]:
    fields = []
    for path, value in operation.fields:
        rendered = _typed(value, operation.type, scope) if operation.type else _evaluate(value, scope)
        if isinstance(value, Template) and isinstance(rendered, (list, dict)) and not operation.create:
            _check_appended(path, value, rendered)
        fields.append(yaml.SetField(path.render_field(scope), rendered, document, operation.create, operation.many))
    return tuple(fields)


def _typed(value: Value, kind: ValueType, scope: Map[str, Json]) -> Json:
    """Render a value in the type that is asked for; what the file itself says has it since it was read."""
    result = _evaluate(value, scope)
    if not isinstance(value, Template):
        return result
    try:
        return convert(result, kind)
    except InputError as error:
        sentence = f"'{value.source[:80]}': {error.problems[0].sentence}"
        raise InputError(value.position.problem(sentence)) from None


def _check_appended(path: Template, value: Template, rendered: Json) -> None:
    """Raise InputError for a list or an object where only a scalar can be."""
    if not appends(path.source):
        sentence = (
            f"'{value.source[:80]}' is {type_name(rendered)}; a field is set to a string, number, boolean or null, and "
            "to more only where 'create: true' beside 'set' makes it"
        )
        raise InputError(value.position.problem(sentence))


def _evaluate(value: Value, scope: Map[str, Json]) -> Json:
    if isinstance(value, Template):
        return value.evaluate(scope)
    if isinstance(value, dict):
        return {key: _evaluate(item, scope) for key, item in value.items()}
    if isinstance(value, list):
        return [_evaluate(item, scope) for item in value]
    return value


def _text(template: Template | None, scope: Map[str, Json]) -> str | None:
    return template.render(scope) if template is not None else None


def _selector(selector: Selector | None, scope: Map[str, Json]) -> yaml.DocumentSelector | None:
    if selector is None:
        return None
    return yaml.DocumentSelector(selector.index, _text(selector.kind, scope), _text(selector.name, scope))


def _create(template: Template, scope: Map[str, Json]) -> Create:
    """Render the content of a file: a value among other text may not bring lines of its own."""
    content = template.render(scope)
    if template.is_expression:
        return Create(content)
    outline = ""
    filled: list[tuple[str, str]] = []
    for part in template.parts:
        if isinstance(part, str):
            outline += part
            continue
        value = text_of(part.evaluate(scope))
        if _CONTROL.search(value):
            sentence = f"the value of '{part.source}' has a line break or a control character, and stands among others"
            raise InputError(template.position.problem(f"{sentence}: only one that is the whole content may have them"))
        word = f"value{len(filled)}x"
        while word in template.source:
            word += "x"
        outline += word
        filled.append((word, value))
    return Create(content, outline, tuple(filled))
