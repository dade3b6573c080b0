"""A plan carried out on a snapshot: new bytes for each path, on a base commit. Nothing is written here."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, TypeAlias

from bot.core import edits, notes, protected, snapshot, yaml
from bot.core.edits import Editor
from bot.core.rendered import Create, Delete
from bot.core.snapshot import REGULAR, File
from bot.errors import InputError, NoReferenceError, Problem

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from bot.core.glob import Glob
    from bot.core.meter import Meter
    from bot.core.plan import Edit, Plan
    from bot.core.protected import Protection
    from bot.core.snapshot import Snapshot

    # Why an edit may not change a value (any more), as a sentence; None where it may.
    Objection: TypeAlias = "Callable[[Edit, str, Span], str | None]"

# What a span says in place of a field where it is the file itself that came or went.
CREATED = "the file is created"
DELETED = "the file is deleted"

# So many values may one delivery change, or find as it wants them, on a branch: who wrote each of them is kept.
MAX_VALUES = 20_000

# https://github.com/git-lfs/git-lfs/blob/main/docs/spec.md#the-pointer
_LFS_POINTER = b"version https://git-lfs.github.com/spec/"


@dataclass(frozen=True, slots=True)
class Span:
    """One value that changed: by which mapping, where (from 1), and its source text before and after.

    `field` is the field path, or the name of the regex and its group; or CREATED or DELETED, then without any text.
    """

    mapping: str
    field: str
    line: int
    column: int
    old: str
    new: str


@dataclass(frozen=True, slots=True)
class FileChange:
    """The new bytes of one file: `before` is None where it was not there, `after` where it is to go.

    `oid` is the blob that was read, "" for a new file; `mode` stays as it is.
    """

    path: str
    before: bytes | None
    after: bytes | None
    mode: int
    oid: str
    spans: tuple[Span, ...]


@dataclass(frozen=True, slots=True)
class Changeset:
    """What one delivery changes on `branch`, decided on the commit `base`.

    `notes` are sentences on edits of the plan that had nothing to do, `same` the (path, field) that are there already
    as asked for.
    """

    branch: str
    base: str
    files: Mapping[str, FileChange]
    notes: tuple[str, ...] = ()
    same: tuple[tuple[str, str], ...] = ()

    @property
    def mappings(self) -> tuple[str, ...]:
        """The names of the mappings that change something, in the order of their edits."""
        return tuple(dict.fromkeys(span.mapping for change in self.files.values() for span in change.spans))


@dataclass(frozen=True, slots=True)
class NoChange:
    """The plan leaves every byte as it is, and why: one sentence for each edit (or one for all); `same` as above."""

    reasons: tuple[str, ...]
    same: tuple[tuple[str, str], ...] = ()
    unmatched: tuple[tuple[str, tuple[Glob, ...]], ...] = field(default=(), compare=False)
    """The reasons that no file matches, each with its globs."""


def compute(
    plan: Plan,
    view: Snapshot,
    meter: Meter,
    limits: yaml.Limits = yaml.LIMITS,
    objection: Objection | None = None,
) -> Changeset | NoChange:
    """Carry out `plan` on `view`, each edit on the files that the one before left.

    The clock of `meter` bounds the time that regexes may take, a budget for each file; what each file costs is charged
    to it. `limits` bound what of YAML is edited. An edit leaves a file alone if `objection` is against one of its
    spans.

    Raises InputError: a literal path that is a symlink, submodule or LFS pointer, a file that is not UTF-8 or too
    large, an edit that is refused, a file to create that is there with other content or has no place.
    """
    if not plan.edits:
        return NoChange(("no mapping holds",))
    work = _Work(view, Editor(meter.clock, limits), plan.protection, objection or _no_objection, meter)
    said = tuple(dict.fromkeys(note for edit in plan.edits for note in work.carry_out(edit)))
    files = work.changes()
    if not files:
        return NoChange(said or ("the edits undo each other",), tuple(work.same), tuple(work.unmatched.items()))
    return Changeset(view.branch, view.head, files, said, tuple(work.same))


class _Work:
    """The files of a view while a plan is carried out on them."""

    def __init__(
        self, view: Snapshot, editor: Editor, protection: Protection, objection: Objection, meter: Meter
    ) -> None:
        self._view = view
        self._protection = protection
        self._meter = meter
        self._objection = objection
        self._editor = editor
        self._files = dict(view.files)
        self._spans: dict[str, list[Span]] = {}
        self._values = 0
        self.same: list[tuple[str, str]] = []
        self.unmatched: dict[str, tuple[Glob, ...]] = {}

    def carry_out(self, edit: Edit) -> list[str]:
        """Carry out one edit on every file that it names; return what to note of what was not done."""
        found, changed = False, False
        with self._meter.charge(f"mapping '{edit.mapping}'"):
            paths, reasons = self._paths(edit)
        left_out = notes.left_out(edit, reasons)
        objections: list[str] = []
        for path in paths:
            with self._meter.charge(f"mapping '{edit.mapping}' in {path}"):
                made = self._carried_out(edit, path)
            if made is None:
                continue  # a glob means the files among its own that have the image
            file, spans, there = made
            found = found or there
            against = [why for span in spans if (why := self._objection(edit, path, span))]
            if against:
                objections += against
                continue
            if file is not None:
                self._files[path] = file
            else:
                del self._files[path]
            self._spans.setdefault(path, []).extend(spans)
            self._values += len(spans)
            if self._values + len(self.same) > MAX_VALUES:
                raise InputError(
                    f"mapping '{edit.mapping}' makes it more than {MAX_VALUES:,} values that are set at once: make its "
                    "patterns or fields stricter, or name fewer files"
                )
            changed = changed or bool(spans)
        if objections:
            return [*(f"mapping '{edit.mapping}': {why}" for why in dict.fromkeys(objections)), *left_out]
        if changed:
            return left_out
        note = notes.nothing_done(edit, paths, found=found)
        if not paths and not left_out:
            self.unmatched[note] = edit.files
        return [note, *left_out]

    def _carried_out(self, edit: Edit, path: str) -> tuple[File | None, tuple[Span, ...], bool] | None:
        """Return a file as an edit leaves it (None: gone), what changed in it, and whether what was meant is there.

        None where the file is not meant.
        """
        operation = edit.operation
        if isinstance(operation, Create):
            created = self._create(operation, path)
            return created, _whole(edit, CREATED) if created != self._files.get(path) else (), True
        if isinstance(operation, Delete):
            self._check_small(path)
            return None, _whole(edit, DELETED), True
        file = self._files[path]
        try:
            edited = self._editor.edit(operation, path, file)
        except NoReferenceError:
            if any(glob.literal == path for glob in edit.files):
                raise
            return None
        self.same += [(path, field) for field in edited.same]
        spans = tuple(Span(edit.mapping, *place) for place in edited.places)
        return (replace(file, data=edited.data, size=len(edited.data)) if spans else file), spans, edited.found

    def changes(self) -> dict[str, FileChange]:
        """Return what is otherwise in the end than it was in the view, by path."""
        made = {}
        for path, spans in self._spans.items():
            before, after = self._view.files.get(path), self._files.get(path)
            old = edits.bytes_of(before) if before else None
            new = edits.bytes_of(after) if after else None
            if old != new:
                mode, oid = (before.mode, before.oid) if before else (REGULAR, "")
                made[path] = FileChange(path, old, new, mode, oid, tuple(spans))
        return made

    def _paths(self, edit: Edit) -> tuple[list[str], list[str]]:
        """Return the paths that the edit's files name, in order, and why others stay that its globs match.

        A literal path that rules may not write is among them: the verdict denies the whole changeset.
        """
        paths: dict[str, None] = {}
        left_out: dict[str, None] = {}
        for glob in edit.files:
            if glob.literal is None:
                matched = _expand(glob, self._files)
                refused = protected.refusals(matched, self._protection)
                paths |= dict.fromkeys(path for path in matched if path not in refused)
                left_out |= dict.fromkeys(refused.values())
            elif file := self._files.get(glob.literal):
                if refusal := unwritable(glob.literal, file):
                    raise InputError(refusal)
                paths[glob.literal] = None
            elif isinstance(edit.operation, Create):
                paths[glob.literal] = None
        if len(paths) > snapshot.MAX_FILES:
            raise InputError(
                f"mapping '{edit.mapping}' names {len(paths)} files; {snapshot.MAX_FILES} at most may change at once"
            )
        return list(paths), list(left_out)

    def _create(self, operation: Create, path: str) -> File:
        """Return the new file, or the one that is there with the same content."""
        data = edits.content(operation, path)
        if there := self._files.get(path):
            if there.data == data:
                return there
            sentence = "the file exists already with other content; delete it in an update before, or change its fields"
            raise InputError(Problem(sentence, path))
        # What is deleted before counts too: a file does not make room for a folder in the same commit.
        known = {**self._view.files, **self._files}
        above = next((str(one) for one in PurePosixPath(path).parents if str(one) in known), None)
        if above is not None:
            sentence = f"{above} is no folder but a file or a link, so nothing can be created below it"
            raise InputError(Problem(sentence, path))
        if path in self._view.folders or any(other.startswith(f"{path}/") for other in self._files):
            raise InputError(Problem("there is a folder of this name, so no file can be created", path))
        file = File(REGULAR, "", data, len(data))
        if refusal := unwritable(path, file):
            raise InputError(refusal)
        return file

    def _check_small(self, path: str) -> None:
        if self._files[path].data is None:
            sentence = f"the file has more than {snapshot.MAX_FILE_BYTES:,} bytes, and such files are left alone"
            raise InputError(Problem(sentence, path))


def _whole(edit: Edit, what: str) -> tuple[Span, ...]:
    return (Span(edit.mapping, what, 1, 1, "", ""),)


def _no_objection(edit: Edit, path: str, span: Span) -> None:
    del edit, path, span


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


def overwritten(changesets: Sequence[Changeset]) -> list[bool]:
    """Say of each changeset whether later ones write all of its fields again."""
    later: set[tuple[str, str]] = set()
    over = []
    for changeset in reversed(changesets):
        fields = {(path, span.field) for path, change in changeset.files.items() for span in change.spans}
        over.append(fields <= later)
        later |= fields
    return over[::-1]


def unwritable(path: str, file: File) -> str | None:
    """Return why this entry is never written by any door, None where it may be."""
    if file.mode == snapshot.SYMLINK:
        return f"{path} is a symbolic link, which is never written; name the file it points to"
    if file.mode == snapshot.SUBMODULE:
        return f"{path} is a submodule, which is never written; change it in its own repository"
    if file.data is not None and file.data.startswith(_LFS_POINTER):
        return f"{path} is a Git LFS pointer, which is never written; keep values that change outside LFS"
    return None


def _expand(glob: Glob, files: Mapping[str, File]) -> list[str]:
    return [path for path in snapshot.matching([glob], files) if unwritable(path, files[path]) is None]
