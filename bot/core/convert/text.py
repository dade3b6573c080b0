"""A mapping file as text, with comments: what a conversion writes."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import regex

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

DECIDE = "DECIDE: "
WIDTH = 100

_PLAIN = regex.compile(r"(?!(?:null|true|false|yes|no|on|off|y|n)\Z)[A-Za-z][\w./-]*", regex.IGNORECASE | regex.ASCII)
_KEY = regex.compile(r"[A-Za-z_]\w*", regex.ASCII)
# What only double quotes can carry.
_ESCAPED = regex.compile(r"[\p{Cc}\p{Cs}\u2028\u2029\ufeff\ufffe\uffff]")


@dataclass(frozen=True, slots=True)
class Note:
    """One comment; with `decide` a person must look at what it says."""

    sentence: str
    decide: bool = True


@dataclass(frozen=True, slots=True)
class Entry:
    """One line below `variables:` or `regexes:`; without a value only its notes are there."""

    name: str
    value: str | None
    notes: tuple[Note, ...] = ()


@dataclass(frozen=True, slots=True)
class UpdateEntry:
    """One update: a glob, and the names of the regexes."""

    files: str
    regexes: tuple[str, ...]
    notes: tuple[Note, ...] = ()


@dataclass(frozen=True, slots=True)
class MappingEntry:
    """One mapping. `when` has alternatives, (variable, patterns) each; without any it always holds."""

    name: str
    on: tuple[str, ...]
    when: tuple[tuple[str, tuple[str, ...]], ...]
    updates: tuple[UpdateEntry, ...]
    notes: tuple[Note, ...] = ()


@dataclass(slots=True)
class CommitEntry:
    """The message, a template, and the author's name and address, as far as they are known."""

    message: str = ""
    author: tuple[str, str] | None = None
    notes: list[Note] = field(default_factory=list)


@dataclass(slots=True)
class Document:
    """A whole mapping file, part by part in the order in which it is written."""

    notes: list[Note] = field(default_factory=list)
    variables: list[Entry] = field(default_factory=list)
    regexes: list[Entry] = field(default_factory=list)
    mappings: list[MappingEntry] = field(default_factory=list)
    commit: CommitEntry = field(default_factory=CommitEntry)


def write(document: Document) -> str:
    """Write the mapping file: YAML of 1.2, its comments wrapped at 100 columns."""
    parts = [
        [*_comments(document.notes, 0), "version: 1"],
        _entries("variables", document.variables),
        _entries("regexes", document.regexes),
        [*(["mappings:"] if document.mappings else []), *_mappings(document.mappings)],
        _commit(document.commit),
    ]
    return "\n\n".join("\n".join(lines) for lines in parts if lines) + "\n"


def _comments(notes: Iterable[Note], depth: int) -> Iterator[str]:
    """Yield the lines of each note, once where the same is said twice."""
    indent = "  " * depth
    for note in dict.fromkeys(notes):
        said = f"{DECIDE}{note.sentence}" if note.decide else note.sentence[:1].upper() + note.sentence[1:]
        text = regex.sub(r"\s+", " ", _ESCAPED.sub(" ", said))
        yield from textwrap.wrap(
            text,
            WIDTH,
            initial_indent=f"{indent}# ",
            subsequent_indent=f"{indent}#   " if note.decide else f"{indent}# ",
            break_long_words=False,
            break_on_hyphens=False,
        )


def _entries(key: str, entries: Sequence[Entry]) -> list[str]:
    there = any(entry.value is not None for entry in entries)
    lines = [f"{key}:"] if there else []
    for entry in entries:
        lines += _comments(entry.notes, int(there))
        if entry.value is not None:
            lines.append(f"  {_key(entry.name)}: {_quoted(entry.value)}")
    return lines


def _mappings(mappings: Sequence[MappingEntry]) -> Iterator[str]:
    for index, mapping in enumerate(mappings):
        if index:
            yield ""
        yield from _comments(mapping.notes, 1)
        yield f"  - name: {_scalar(mapping.name)}"
        if mapping.on:
            yield f"    on: {_list(mapping.on)}"
        yield from _when(mapping.when)
        yield "    update:"
        for update in mapping.updates:
            yield from _comments(update.notes, 3)
            yield f"      - files: {_scalar(update.files)}"
            names = update.regexes
            yield f"        regex: {_scalar(names[0]) if len(names) == 1 else _list(names)}"


def _when(when: Sequence[tuple[str, tuple[str, ...]]]) -> Iterator[str]:
    conditions = [
        f"{_key(variable)}: {_quoted(patterns[0]) if len(patterns) == 1 else f'[{_joined(patterns)}]'}"
        for variable, patterns in when
    ]
    if not conditions:
        return
    yield "    when:"
    if len(conditions) == 1:
        yield f"      {conditions[0]}"
    else:
        yield "      any:"
        yield from (f"        - {condition}" for condition in conditions)


def _commit(commit: CommitEntry) -> list[str]:
    there = bool(commit.message or commit.author)
    lines = [*(["commit:"] if there else []), *_comments(commit.notes, int(there))]
    if commit.message:
        lines.append(f"  message: {_quoted(commit.message)}")
    if commit.author:
        name, email = commit.author
        lines.append(f"  author: {{ name: {_scalar(name)}, email: {_scalar(email)} }}")
    return lines


def _joined(values: Iterable[str]) -> str:
    return ", ".join(_quoted(value) for value in values)


def _list(values: Iterable[str]) -> str:
    return f"[{', '.join(_scalar(value) for value in values)}]"


def _key(name: str) -> str:
    return name if _KEY.fullmatch(name) else _quoted(name)


def _scalar(text: str) -> str:
    """Write a text bare where no reader of YAML takes it for something else."""
    return text if _PLAIN.fullmatch(text) else _quoted(text)


def _quoted(text: str) -> str:
    """Write a text in single quotes, in which nothing but the quote is special; in double ones where that reads better.

    What only double quotes can carry is escaped.
    """
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    if _ESCAPED.search(text):
        return '"' + _ESCAPED.sub(lambda found: f"\\u{ord(found[0]):04x}", escaped) + '"'
    if "'" in text and escaped == text:
        return f'"{text}"'
    return "'" + text.replace("'", "''") + "'"
