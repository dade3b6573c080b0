"""A plan carried out on a snapshot: new bytes for each path, on a base commit. Nothing is written here."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

from bot.core import regexes, snapshot, yaml
from bot.core.plan import Substitute
from bot.errors import InputError, Problem

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from bot.core.glob import Glob
    from bot.core.plan import Edit, Plan, SetFields
    from bot.core.snapshot import File, Snapshot

# https://github.com/git-lfs/git-lfs/blob/main/docs/spec.md#the-pointer
_LFS_POINTER = b"version https://git-lfs.github.com/spec/"


@dataclass(frozen=True, slots=True)
class Span:
    """One value that changed: by which mapping, where (from 1), and its source text before and after.

    `field` is the field path, or the name of the regex and its group.
    """

    mapping: str
    field: str
    line: int
    column: int
    old: str
    new: str


@dataclass(frozen=True, slots=True)
class FileChange:
    """The new bytes of one file. `oid` is the blob that was read, `mode` stays as it is."""

    path: str
    before: bytes
    after: bytes
    mode: int
    oid: str
    spans: tuple[Span, ...]


@dataclass(frozen=True, slots=True)
class Changeset:
    """What one delivery changes on `branch`, decided on the commit `base`.

    `notes` are sentences on edits of the plan that had nothing to do.
    """

    branch: str
    base: str
    files: Mapping[str, FileChange]
    notes: tuple[str, ...] = ()

    @property
    def mappings(self) -> tuple[str, ...]:
        """The names of the mappings that change something, in the order of their edits."""
        return tuple(dict.fromkeys(span.mapping for change in self.files.values() for span in change.spans))


@dataclass(frozen=True, slots=True)
class NoChange:
    """The plan leaves every byte as it is, and why: one sentence for each edit (or one for all)."""

    reasons: tuple[str, ...]


class _Edited(NamedTuple):
    text: str
    spans: tuple[Span, ...]
    found: bool
    """Whether a regex matched or the field is there: with no span then, the value was there already."""


def compute(plan: Plan, view: Snapshot, clock: Callable[[], float]) -> Changeset | NoChange:
    """Carry out `plan` on `view`.

    `clock` returns seconds and only rises; it bounds the time that regexes may take, a budget for each file.
    Raises InputError: a literal path that is a symlink, submodule or LFS pointer, a file that is not UTF-8 or too
    large, an edit that is refused.
    """
    if not plan.edits:
        return NoChange(("no mapping holds",))
    texts: dict[str, str] = {}
    stopwatch = _Stopwatch(clock)
    spans: dict[str, list[Span]] = {}
    notes = []
    for edit in plan.edits:
        found, changed, paths = False, False, _paths(edit, view)
        for path in paths:
            if path not in texts:
                texts[path] = _text(path, view.files[path])
            try:
                edited = _apply(edit, path, texts[path], stopwatch)
            except InputError as error:
                raise InputError([replace(problem, file=problem.file or path) for problem in error.problems]) from error
            found, changed = found or edited.found, changed or bool(edited.spans)
            texts[path] = edited.text
            spans.setdefault(path, []).extend(edited.spans)
        if not changed:
            notes.append(_note(edit, paths, found=found))
    files = {
        path: FileChange(path, before, after, view.files[path].mode, view.files[path].oid, tuple(spans[path]))
        for path, text in texts.items()
        if (after := text.encode()) != (before := _data(view.files[path]))
    }
    if not files:
        return NoChange(tuple(dict.fromkeys(notes)) or ("the edits undo each other",))
    return Changeset(view.branch, view.head, files, tuple(dict.fromkeys(notes)))


def combine(changesets: Iterable[Changeset]) -> Changeset | None:
    """Return one changeset that does what several in turn do, each computed on the view the one before left.

    None where they leave every byte as it was. Raises ValueError for changesets of several branches or bases.
    """
    changesets = list(changesets)
    (destination,) = {(changeset.branch, changeset.base) for changeset in changesets}
    files: dict[str, FileChange] = {}
    for changeset in changesets:
        for path, change in changeset.files.items():
            first = files.get(path)
            files[path] = (
                replace(first, after=change.after, spans=first.spans + change.spans) if first is not None else change
            )
    files = {path: change for path, change in files.items() if change.before != change.after}
    return Changeset(*destination, files) if files else None


def unwritable(path: str, file: File) -> str | None:
    """Return why this entry is never written by any door, None where it may be."""
    if file.mode == snapshot.SYMLINK:
        return f"{path} is a symbolic link, which is never written; name the file it points to"
    if file.mode == snapshot.SUBMODULE:
        return f"{path} is a submodule, which is never written; change it in its own repository"
    if file.data is not None and file.data.startswith(_LFS_POINTER):
        return f"{path} is a Git LFS pointer, which is never written; keep values that change outside LFS"
    return None


def _paths(edit: Edit, view: Snapshot) -> list[str]:
    """Return the paths that the edit's files name, in order; what a glob may not touch it does not match."""
    paths: dict[str, None] = {}
    for file in edit.files:
        if file.literal is not None:
            if file.literal in view.files:
                refusal = unwritable(file.literal, view.files[file.literal])
                if refusal is not None:
                    raise InputError(refusal)
                paths[file.literal] = None
        else:
            paths |= dict.fromkeys(_expand(file, view))
    if len(paths) > snapshot.MAX_FILES:
        raise InputError(
            f"mapping '{edit.mapping}' names {len(paths)} files; {snapshot.MAX_FILES} at most may change at once"
        )
    return list(paths)


def _expand(file: Glob, view: Snapshot) -> list[str]:
    return [path for path in snapshot.matching([file], view.files) if unwritable(path, view.files[path]) is None]


def _data(file: File) -> bytes:
    if file.data is None:
        raise ValueError("a file of a plan was not read")  # a bug of ours: the flow reads every glob of the plan
    return file.data


def _text(path: str, file: File) -> str:
    if file.size > snapshot.MAX_FILE_BYTES:
        sentence = f"the file has {file.size:,} bytes; {snapshot.MAX_FILE_BYTES:,} is the most that is edited"
        raise InputError(Problem(sentence, path))
    data = _data(file)
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise InputError(Problem("the file is not UTF-8, so it stays untouched", path, line)) from error


class _Stopwatch:
    """The seconds that regexes may still take in each file: only what passes while they search it is charged."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._left: dict[str, float] = {}

    @contextmanager
    def running(self, path: str) -> Iterator[regexes.Budget]:
        """Give the budget of a file, and charge it the time until the end of the block."""
        seconds_left = regexes.budget(self._left.get(path, regexes.BUDGET_SECONDS), self._clock)
        try:
            yield seconds_left
        finally:
            self._left[path] = seconds_left()


def _apply(edit: Edit, path: str, text: str, stopwatch: _Stopwatch) -> _Edited:
    operation = edit.operation
    if not isinstance(operation, Substitute):
        return _set(edit.mapping, operation, text)
    with stopwatch.running(path) as seconds_left:
        result = regexes.substitute(text, operation.patterns, operation.values, seconds_left)
    if result.changes and path.endswith((".yaml", ".yml")):
        yaml.check_filled(text, result.text, [(change.old, change.new) for change in result.changes])
    spans = [Span(edit.mapping, f"{c.pattern}: {c.name}", c.line, c.column, c.old, c.new) for c in result.changes]
    return _Edited(result.text, tuple(spans), found=result.matches > 0)


def _set(mapping: str, operation: SetFields, text: str) -> _Edited:
    result = yaml.set_fields(text, operation.fields)
    spans = [Span(mapping, c.path, c.line, c.column, c.old, c.new) for c in result.changes]
    return _Edited(result.text, tuple(spans), found=True)


def _note(edit: Edit, paths: list[str], *, found: bool) -> str:
    files = ", ".join(f"'{file.pattern}'" for file in edit.files)
    if not paths:
        return f"mapping '{edit.mapping}': no file matches {files}"
    if not found:
        return f"mapping '{edit.mapping}': the regex matches nothing in {', '.join(paths[:5])}"
    return f"mapping '{edit.mapping}': the value is there already in {', '.join(paths[:5])}"
