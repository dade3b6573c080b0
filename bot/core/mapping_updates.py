"""Read what a mapping updates: entries with files, one operation, and what belongs beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bot.core import dsl
from bot.core.mapping import (
    CreateOperation,
    DeleteOperation,
    ImageOperation,
    MergeOperation,
    RegexOperation,
    Selector,
    SetOperation,
    UnsetOperation,
    Update,
    appends,
    refused_creation,
)
from bot.core.mapping_models import MODIFIERS, OPERATIONS, VALUE_TYPES
from bot.core.mapping_parts import Parts
from bot.core.rendered import convert
from bot.core.template import OPEN, Template

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bot.core.mapping import Operation, Value, ValueType
    from bot.core.mapping_source import Loc
    from bot.core.regexes import Pattern

DROP = "drop"


class Updates(Parts):
    """Reads `update:`. `regexes` are the registered patterns by name, None where they are not valid."""

    regexes: dict[str, Pattern | None]
    multiline: bool

    def pattern(self, text: str, loc: Loc, name: str = "") -> Pattern | None:
        """Compile a pattern that fills variables."""
        pattern = self.compiled(text, loc, multiline=self.multiline, name=name)
        if pattern and not pattern.groups:
            if self.multiline:
                self.say(loc, dsl.NO_GROUP)
            else:
                self.warn(loc, dsl.NO_GROUP)
        return pattern

    def update(self, data: Any, loc: Loc, own: frozenset[str]) -> Update | None:
        """Read one entry; `own` are the variables that its mapping has beside the payload's."""
        given = [key for key in OPERATIONS if _asked(data, key)]
        files = self._files(data, (*loc, "files"), own, creates=given == ["create"])
        misplaced = self._misplaced(data, loc, given)
        if len(given) == 1:
            operation = self._operation(data, (*loc, given[0]), own)
            return Update(files, operation, self.line(loc)) if operation else None
        # A key that is unknown or misplaced was meant for the operation: that is said already.
        if self.fine(loc) and (given or not misplaced):
            shown = " and ".join(f"'{key}'" for key in given) or "none"
            self.say(loc, f"an update has one operation, {_either(OPERATIONS)}, not {shown}")
        return None

    def _files(self, data: Any, loc: Loc, own: frozenset[str], *, creates: bool) -> tuple[Template, ...]:
        files = []
        for text, place in self.texts(data, loc):
            template = self._read(text, place, own)
            if template is None:
                continue
            # Without expressions the path is known now; else it is checked when it is rendered.
            glob = self.glob(text, place) if template.is_fixed else None
            if creates and glob and (refusal := refused_creation(glob)):
                self.say(place, refusal)
            files.append(template)
        return tuple(files)

    def _misplaced(self, data: Any, loc: Loc, given: Sequence[str]) -> bool:
        """Note each key that stands beside no operation that it belongs to, and say whether there is one."""
        found = False
        for key, beside in MODIFIERS.items():
            if not isinstance(data, dict) or key not in data or key in given or set(beside) & set(given):
                continue
            found = True
            hint = "; to create a file write its content there" if key == "create" else ""
            self.say((*loc, key), f"'{key}' belongs beside {_either(beside)}{hint}", key=True)
        return found

    def _read(self, text: str, loc: Loc, own: frozenset[str], *, key: bool = False) -> Template | None:
        """Read a template whose variables must be known."""
        template = self.template(text, loc, key=key)
        if template:
            self.known(template.names, own, loc)
        return template

    def _text(self, data: Any, loc: Loc, own: frozenset[str]) -> Template | None:
        text = self.get(data, loc)
        return self._read(text, loc, own) if isinstance(text, str) else None

    def _operation(self, data: Any, loc: Loc, own: frozenset[str]) -> Operation | None:
        """Read the operation at `loc`; None where what is wrong with it leaves nothing to go on with."""
        value = self.get(data, loc)
        document = self._document(data, (*loc[:-1], "document"), own)
        made: Operation | None = None
        match loc[-1] if value is not None else None:
            case "regex":
                made = RegexOperation(tuple(self._regexes(data, loc, own)))
            case "set":
                made = self._set(data, loc, own, document)
            case "unset":
                paths = [self._read(text, place, own) for text, place in self.texts(data, loc)]
                made = UnsetOperation(tuple(path for path in paths if path), self._many(data, loc), document)
            case "merge":
                path = self._text(data, (*loc[:-1], "path"), own)
                made = MergeOperation(self._tree(value, loc, own), path, document)
            case "image":
                made = self._image(data, loc, own)
            case "create":
                made = self._create(value, loc, own)
            case "delete":
                made = DeleteOperation()
        return made

    def _many(self, data: Any, loc: Loc) -> bool:
        return self.get(data, (*loc[:-1], "all"), default=False) is True

    def _regexes(self, data: Any, loc: Loc, own: frozenset[str]) -> list[Pattern]:
        """Look up names and compile patterns. What has `(?` in it is a pattern: without a named group it is a name."""
        patterns = []
        for text, place in self.texts(data, loc):
            if text in self.regexes:
                pattern = self.regexes[text]
            elif "(?" in text:
                pattern = self.pattern(text, place)
            else:
                group = "(?<docker_image_tag>…)"
                hint = (
                    self.hints.did_you_mean(text, self.regexes)
                    or f"; a pattern here needs a named group such as {group}"
                )
                self.say(place, f"there is no regex called '{text}'{hint}")
                continue
            if pattern:
                self.known(pattern.groups, own, place)
                patterns.append(pattern)
        return patterns

    def _set(self, data: Any, loc: Loc, own: frozenset[str], document: Selector | None) -> SetOperation:
        create = data.get("create") is True
        kind = self._type(data, (*loc[:-1], "type"))
        fields: list[tuple[Template, Value]] = []
        for path, given in data["set"].items():
            place: Loc = (*loc, path)
            value: Value = given
            if isinstance(given, dict | list) and not (create or appends(path)):
                self.say(
                    place,
                    f"the value of '{path}' must be a scalar or an expression; with 'create: true' beside 'set', "
                    "what is not there yet may be a list or a mapping",
                )
            elif isinstance(given, dict | list) and kind:
                self.say(place, f"the value of '{path}' is {_kind(given)}, which 'type: {kind}' makes nothing of")
            elif kind and not (isinstance(given, str) and OPEN in given):
                value = self.attempt(place, convert, given, kind)
            else:
                value = self._value(given, place, own)
            if field := self._read(path, place, own, key=True):
                fields.append((field, value))
        return SetOperation(tuple(fields), create, self._many(data, loc), kind, document)

    def _type(self, data: Any, loc: Loc) -> ValueType | None:
        # To YAML the word null is null.
        given = "null" if "type" in data and data["type"] is None else self.get(data, loc)
        return next((kind for kind in VALUE_TYPES if kind == given), None)

    def _value(self, value: Any, loc: Loc, own: frozenset[str]) -> Value:
        """Read a value with expressions in its scalars."""
        if isinstance(value, str) and OPEN in value:
            return self._read(value, loc, own)
        if isinstance(value, list):
            return [self._value(item, (*loc, index), own) for index, item in enumerate(value)]
        if isinstance(value, dict):
            return self._tree(value, loc, own)
        return value  # type: ignore[no-any-return]  # plain data of the file: a scalar is left

    def _tree(self, value: dict[str, Any], loc: Loc, own: frozenset[str]) -> dict[str, Value]:
        for key in value:
            if OPEN in key:
                self.say((*loc, key), f"the key '{key}' has an expression: only values may have them", key=True)
        return {key: self._value(item, (*loc, key), own) for key, item in value.items()}

    def _document(self, data: Any, loc: Loc, own: frozenset[str]) -> Selector | None:
        given = self.get(data, loc)
        if given is None:
            return None
        if isinstance(given, int) and not isinstance(given, bool) and given >= 0:
            return Selector(given)
        texts = given.values() if isinstance(given, dict) and given.keys() <= {"kind", "name"} else ()
        if texts and all(isinstance(text, str) and text for text in texts):
            return Selector(None, *(self._text(given, (*loc, key), own) for key in ("kind", "name")))
        self.say(
            loc,
            "'document' is the place of a YAML document, counted from 0, or a mapping with the texts 'kind', 'name'",
        )
        return None

    def _image(self, data: Any, loc: Loc, own: frozenset[str]) -> ImageOperation | None:
        name, tag = self._text(data, loc, own), self._text(data, (*loc[:-1], "tag"), own)
        place: Loc = (*loc[:-1], "digest")
        drop = self.get(data, place) == DROP
        digest = None if drop else self._text(data, place, own)
        if self.fine(loc[:-1]) and not {"tag", "digest"} & data.keys():
            self.say(loc, "'image' needs a 'tag', a 'digest' or both beside it: what is it to get?")
        elif drop and "tag" not in data:
            self.say(place, "'digest: drop' takes the digest away for a new tag: give 'tag' beside it")
        return ImageOperation(name, tag, digest, drop) if name else None

    def _create(self, content: Any, loc: Loc, own: frozenset[str]) -> CreateOperation | None:
        if not isinstance(content, str):
            self.say(loc, f"'create' must be the content of a file, a text, or true beside 'set', not {_kind(content)}")
            return None
        template = self._read(content, loc, own)
        return CreateOperation(template) if template else None


def _asked(data: Any, key: str) -> bool:
    """Whether an entry asks for an operation; `create: true` belongs to another one."""
    value = data.get(key) if isinstance(data, dict) else None
    return value is not None and not (key == "create" and isinstance(value, bool))


def _either(keys: Sequence[str]) -> str:
    *others, last = (f"'{key}'" for key in keys)
    return f"{', '.join(others)} or {last}" if others else last


def _kind(value: Any) -> str:
    return "a mapping" if isinstance(value, dict) else "a list" if isinstance(value, list) else "a number"
