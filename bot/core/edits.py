"""One operation carried out on the bytes of one file."""

from __future__ import annotations

import json
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple, NoReturn

from bot.core import regexes, snapshot, yaml
from bot.core.rendered import Substitute
from bot.errors import EditError, InputError, NoReferenceError, Problem

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from bot.core.rendered import Create, Fields
    from bot.core.snapshot import File

_YAML = (".yaml", ".yml")
_JSON = ".json"
_BOM = "\ufeff"


class Place(NamedTuple):
    """A value that changed: the field path, or the name of a regex and its group; where (from 1); source text."""

    field: str
    line: int
    column: int
    old: str
    new: str


class Edited(NamedTuple):
    """The bytes of a file afterwards, and what changed in them, in order."""

    data: bytes
    places: tuple[Place, ...]
    found: bool
    """Whether a regex matched or the field is there: with no place then, the value was there already."""
    same: tuple[str, ...] = ()
    """The fields that were there already as asked for."""


class Editor:
    """Edits files within limits.

    `clock` returns seconds and only rises; it bounds the time that regexes may take, a budget for each file.
    """

    def __init__(self, clock: Callable[[], float], limits: yaml.Limits) -> None:
        self._clock = clock
        self._limits = limits
        self._left: dict[str, float] = {}

    def edit(self, operation: Substitute | Fields, path: str, file: File) -> Edited:
        """Edit a file that was read.

        Raises InputError with the path where it is too large or not UTF-8, and where the edit is refused.
        """
        text = self._text(path, file)
        try:
            if isinstance(operation, Substitute):
                return self._substitute(operation, path, text)
            result = yaml.edit(text, operation.operations, json=path.endswith(_JSON), limits=self._limits)
        except InputError as error:
            raise at(path, error) from error
        places = tuple(Place(one.path, one.line, one.column, one.old, one.new) for one in result.changes)
        return Edited(result.text.encode(), places, found=True, same=result.same)

    def _text(self, path: str, file: File) -> str:
        limit = min(self._limits.bytes, snapshot.MAX_FILE_BYTES)
        if file.size > limit:
            raise InputError(Problem(f"the file has {file.size:,} bytes; {limit:,} is the most that is edited", path))
        data = bytes_of(file)
        try:
            return data.decode()
        except UnicodeDecodeError as error:
            line = data.count(b"\n", 0, error.start) + 1
            raise InputError(Problem("the file is not UTF-8, so it stays untouched", path, line)) from error

    def _substitute(self, operation: Substitute, path: str, text: str) -> Edited:
        with self._running(path) as seconds_left:
            result = regexes.substitute(text, operation.patterns, operation.values, seconds_left)
        if result.changes and path.endswith(_YAML):
            yaml.check_filled(text, result.text, [(change.old, change.new) for change in result.changes])
        if result.changes and path.endswith(_JSON) and _is_json(text) and not _is_json(result.text):
            raise EditError("the file would be no JSON any more, so it stays as it is")
        places = (Place(f"{c.pattern}: {c.name}", c.line, c.column, c.old, c.new) for c in result.changes)
        # Where a regex matches and changes nothing, all of its groups hold what they should.
        names = (f"{pattern.name}: {group}" for pattern in operation.patterns for group in pattern.groups)
        same = tuple(names) if result.matches and not result.changes else ()
        return Edited(result.text.encode(), tuple(places), found=result.matches > 0, same=same)

    @contextmanager
    def _running(self, path: str) -> Iterator[regexes.Budget]:
        """Give the budget of a file, and charge it the time until the end of the block."""
        seconds_left = regexes.budget(self._left.get(path, regexes.BUDGET_SECONDS), self._clock)
        try:
            yield seconds_left
        finally:
            self._left[path] = seconds_left()


def content(operation: Create, path: str) -> bytes:
    """Return the bytes of a new file.

    Raises InputError with the path where a value in it changes the structure of the YAML or JSON around it, or a JSON
    file would be none.
    """
    try:
        if operation.filled and path.endswith((*_YAML, _JSON)):
            yaml.check_filled(operation.outline, operation.content, operation.filled)
        if path.endswith(_JSON) and not _is_json(operation.content):
            raise EditError("the content of the new file is not JSON")
    except InputError as error:
        raise at(path, error) from error
    return operation.content.encode()


def at(path: str, error: InputError) -> InputError:
    """Return the same error with the path of the file where it has none."""
    kind = NoReferenceError if isinstance(error, NoReferenceError) else InputError
    return kind([Problem(one.sentence, one.file or path, one.line, one.column) for one in error.problems])


def bytes_of(file: File) -> bytes:
    """Return the bytes of a file that was read."""
    if file.data is None:
        raise ValueError("a file of a plan was not read")  # a bug of ours: the flow reads every glob of the plan
    return file.data


def _is_json(text: str) -> bool:
    try:
        json.loads(text.removeprefix(_BOM), parse_constant=_refuse)
    except (ValueError, RecursionError):
        return False
    return True


def _refuse(constant: str) -> NoReturn:
    """Refuse NaN and infinities, which Python reads and JSON does not have."""
    raise ValueError(constant)
