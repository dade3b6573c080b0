"""The events of a YAML file, as libyaml reads them, within limits.

Offsets count code points of the text given; a byte order mark must have been taken off before.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, NoReturn, TypeAlias

import yaml
from yaml import AliasEvent, DocumentStartEvent, MappingStartEvent, ScalarEvent, SequenceStartEvent

from bot.errors import EditError, Problem

if TYPE_CHECKING:
    from collections.abc import Iterator

# What an event says, its place left out: kind, value or flow, style, anchor, tag.
Event: TypeAlias = tuple[str, object, object, str | None, str | None]


@dataclass(frozen=True, slots=True)
class Limits:
    """How much of a file is edited at most: bytes of UTF-8, levels of nesting, documents, events of libyaml.

    libyaml is quadratic in the nesting (100,000 brackets take it many seconds), so `depth` bounds time as well.
    """

    bytes: int = 4_000_000
    depth: int = 200
    documents: int = 1_000
    events: int = 500_000


LIMITS = Limits()

# Few enough that what libyaml does for deep nesting within them takes no time.
_CHUNK = 32


def chunks(text: str, limits: Limits = LIMITS) -> Iterator[list[yaml.Event]]:
    """Yield libyaml's events, some at a time: one by one they would take half as long again.

    Whoever takes them sees to the nesting and the documents. Raises `EditError` where the text is not YAML, or has more
    bytes or events than the limits say.
    """
    _check_size(text, limits)
    last = None
    try:
        loader = yaml.CSafeLoader(text)
        try:
            stream = islice(iter(loader.get_event, None), limits.events)
            while chunk := list(islice(stream, _CHUNK)):
                last = chunk[-1]
                yield chunk
            if not isinstance(last, yaml.StreamEndEvent):
                raise EditError(f"the file has more than {limits.events:,} YAML events; split it")
        finally:
            loader.dispose()
    except yaml.YAMLError as error:
        _refuse(text, error)


def said(event: yaml.Event) -> Event:
    """Strip an event of its place."""
    if isinstance(event, ScalarEvent):
        return "scalar", event.value, event.style or "", event.anchor, event.tag
    if isinstance(event, MappingStartEvent):
        return "mapping", bool(event.flow_style), None, event.anchor, event.tag
    if isinstance(event, SequenceStartEvent):
        return "sequence", bool(event.flow_style), None, event.anchor, event.tag
    if isinstance(event, AliasEvent):
        return "alias", None, None, event.anchor, None
    if isinstance(event, DocumentStartEvent):
        return "document", (bool(event.explicit), event.version), event.tags, None, None
    return type(event).__name__, getattr(event, "explicit", None), None, None, None


def _check_size(text: str, limits: Limits) -> None:
    """Refuse what is too large or not encodable, before libyaml sees it."""
    try:
        size = len(text.encode())
    except UnicodeEncodeError as error:
        sentence = "a lone surrogate is no text; save the file as UTF-8"
        raise problem(text, error.start, sentence) from None
    if size > limits.bytes:
        raise EditError(f"the file has {size:,} bytes, more than the {limits.bytes:,} that are edited; split it")


def _refuse(text: str, error: yaml.YAMLError) -> NoReturn:
    """Say libyaml's complaint with the place, and name the two usual causes."""
    if isinstance(error, yaml.reader.ReaderError):
        # Its position counts bytes in some releases: look for the character itself.
        code = error.character if isinstance(error.character, int) else ord(error.character)
        sentence = f"not YAML: the character U+{code:04X} is not allowed; remove it or escape it in double quotes"
        raise problem(text, max(text.find(chr(code)), 0), sentence) from None
    if not isinstance(error, yaml.MarkedYAMLError) or error.problem_mark is None:
        raise EditError(f"not YAML: {error}") from None
    offset = min(error.problem_mark.index, len(text))
    told = ", ".join(part for part in (error.context, error.problem) if part)
    # The line and the one before: libyaml often stumbles only after the template's line.
    start = text.rfind("\n", 0, max(text.rfind("\n", 0, offset), 0)) + 1
    hint = "fix the file"
    if "{{" in text[start : (text.find("\n", offset) + 1) or None]:
        hint = "this looks like a template (`{{`), which is no YAML before it is rendered; use a regex rule for it"
    raise problem(text, offset, f"not YAML: {told}; {hint}") from None


def span(event: yaml.Event) -> tuple[int, int]:
    """Return from where to where an event stands in the text."""
    start, end = event.start_mark, event.end_mark
    return (start.index if start else 0), (end.index if end else 0)


def position(text: str, offset: int) -> tuple[int, int]:
    """Return the line and column of `offset`, both from 1; the column counts code points."""
    breaks = text.count("\n", 0, offset) + text.count("\r", 0, offset) - text.count("\r\n", 0, offset)
    start = max(text.rfind("\n", 0, offset), text.rfind("\r", 0, offset)) + 1
    return breaks + 1, offset - start + 1


def problem(text: str, offset: int, sentence: str) -> EditError:
    """Make an `EditError` that points at `offset`."""
    return EditError(Problem(sentence, None, *position(text, offset)))
