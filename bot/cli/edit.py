"""What `set`, `unset` and `image` share: one operation on one file, or on standard input."""

from __future__ import annotations

import json
import re
import stat
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, BinaryIO, TypeAlias

import typer

from bot.errors import EditError, InputError, Problem
from bot.printable import printable_line

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from bot.core.yaml import DocumentSelector, Edited, FieldChange, Operation

_STREAM = "-"
_SHOWN = 120  # characters of a value

FileArgument: TypeAlias = Annotated[
    str, typer.Argument(metavar="FILE", help="The YAML or .json file; - is standard input to standard output.")
]
FieldArgument: TypeAlias = Annotated[
    str, typer.Argument(metavar="FIELD", help="A field path such as image.tag or images[?(@.name=='web')].newTag.")
]
DocumentOption: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--document",
        metavar="DOCUMENT",
        help="Look in this document only: its number, from 0, or its KIND, or KIND/NAME.",
    ),
]
AllOption: TypeAlias = Annotated[bool, typer.Option("--all", help="FIELD may mean several values: change them all.")]
CheckOption: TypeAlias = Annotated[bool, typer.Option("--check", help="Write nothing; exit 1 if it would change.")]
DiffOption: TypeAlias = Annotated[bool, typer.Option("--diff", help="Write nothing; print the change as a diff.")]


def selector(text: str | None) -> DocumentSelector | None:
    """Return the document that `--document` names, None without one. Raises typer.BadParameter where it names none."""
    from bot.core.yaml import DocumentSelector

    if text is None:
        return None
    if re.fullmatch(r"-?\d{1,9}", text, re.ASCII):
        return DocumentSelector(index=int(text))
    kind, slash, name = text.partition("/")
    if not kind or (slash and not name):
        raise typer.BadParameter("write its number, from 0, or its KIND, or KIND/NAME", param_hint="'--document'")
    return DocumentSelector(kind=kind, name=name or None)


def edit(file: str, operation: Operation, *, check: bool, diff: bool) -> int:
    """Carry out one operation on a file and say what changed; return the exit code.

    `-` is standard input, whose text goes to standard output, edited or as it is. With `check` or `diff` nothing is
    written. The code is 1 where `check` finds that the file would change, else 0. Raises InputError where the file
    cannot be read, edited or written; then it stays untouched.
    """
    is_stream = file == _STREAM
    # Whatever the file is called, its name can be printed.
    shown = "stdin" if is_stream else file.encode(errors="replace").decode()
    try:
        before, edited = _edited(file, operation)
    except EditError as error:
        raise EditError([replace(problem, file=shown) for problem in error.problems]) from error
    except OSError as error:
        raise InputError(Problem(f"cannot read it: {error.strerror}", shown)) from error
    after = edited.text.encode()
    if diff:
        if edited.changes:
            _print_diff(shown, before, after)
    elif not check and (is_stream or edited.changes):
        _write(file, shown, after)
    for line in _lines(shown, edited.changes, would=check or diff, brief=diff):
        typer.echo(printable_line(line), err=diff or is_stream)
    return 1 if check and edited.changes else 0


def _edited(file: str, operation: Operation) -> tuple[bytes, Edited]:
    """Return the bytes of the file, and what the operation makes of its text. Raises EditError and OSError."""
    from bot.core.yaml import LIMITS, edit

    try:
        json.dumps(asdict(operation), ensure_ascii=False).encode()
    except UnicodeEncodeError:  # a terminal in another encoding, or half a character in JSON
        raise EditError("what is to be written is not UTF-8; it stays untouched") from None
    except RecursionError:
        raise EditError("what is to be written is nested too deeply") from None
    with _opened(file) as stream:
        data = stream.read(LIMITS.bytes + 1)
    if len(data) > LIMITS.bytes:
        raise EditError(f"it has more than {LIMITS.bytes:,} bytes, the most that is edited")
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise EditError(Problem("it is not UTF-8, so it stays untouched", line=line)) from error
    return data, edit(text, [operation], json=file.endswith(".json"))


def _opened(file: str) -> BinaryIO:
    if file == _STREAM:
        return open(0, "rb", closefd=False)  # by its number: sys.stdin is None where it is closed
    mode = Path(file).stat().st_mode
    if stat.S_ISDIR(mode):
        raise EditError("it is a folder; name a file")
    if not stat.S_ISREG(mode):  # it could not be replaced, and may never end
        raise EditError("it is no regular file; - is standard input")
    return Path(file).open("rb")


def _write(file: str, shown: str, data: bytes) -> None:
    """Write standard output, or replace the file at once; of a symlink the target changes, as with an editor."""
    from bot.directory import written_beside

    try:
        if file == _STREAM:
            with open(1, "wb", closefd=False) as stream:
                stream.write(data)
            return
        target = Path(file).resolve()
        with target.open("r+b"):  # fails where it may not be written: to replace it, rights on its folder are enough
            pass
        temporary = written_beside(target, data)
        try:
            temporary.replace(target)
        finally:
            temporary.unlink(missing_ok=True)
    except BrokenPipeError:  # nobody reads on, which is no error to tell of
        raise
    except OSError as error:
        raise InputError(Problem(f"cannot write it: {error.strerror}", shown)) from error


def _print_diff(shown: str, before: bytes, after: bytes) -> None:
    """Print a diff: in colours on a terminal, else with every byte that there is, to be applied."""
    from rich.console import Console

    from bot.cli import local
    from bot.core import diff
    from bot.core.changeset import FileChange

    path = Path(shown).as_posix().lstrip("/")  # as `git diff` and `patch -p1` have it
    text = diff.unified(FileChange(path, before, after, mode=0, oid="", spans=()))
    console = Console(highlight=False, soft_wrap=True, emoji=False, markup=False)
    if console.is_terminal:
        local.print_diff(console, text)
    else:
        local.echo_diff(text)


def _lines(shown: str, changes: Sequence[FieldChange], *, would: bool, brief: bool) -> Iterator[str]:
    """Say what changed, each change in a line; `brief` leaves them out, `would` is for what was not written."""
    if not changes:
        yield f"{shown}: already so"
        return
    for change in () if brief else changes:
        old, new = _source(change.old), _source(change.new)
        yield f"{shown}:{change.line}:{change.column}: {change.path}: {old} → {new}"
    if would:
        yield f"{shown}: would change"


def _source(text: str) -> str:
    """Return source text on one line: the first one, cut where it is long."""
    first = text.strip().split("\n", 1)[0].rstrip()
    if not first:
        return "(nothing)"
    return first if first == text.strip() and len(first) <= _SHOWN else f"{first[:_SHOWN]} …"
