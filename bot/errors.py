"""What can go wrong, by what has to happen next.

The class of an error decides how a delivery ends (see `docs/architecture.md`); its sentence is what the user
reads in the log, in the check run and on the terminal alike.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bot.printable import one_line

if TYPE_CHECKING:
    from collections.abc import Sequence


class PointsmanError(Exception):
    """Base of every error that is ours: its text is one or more sentences for a person."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong, and where.

    `file` is a path as the user knows it; `line` and `column` count from 1; either all that is known is given or
    None. The sentence says what is wrong and what to do.
    """

    sentence: str
    file: str | None = None
    line: int | None = None
    column: int | None = None

    def __str__(self) -> str:
        where = ":".join(str(part) for part in (self.file, self.line, self.column) if part is not None)
        # Names and values that are quoted may have line breaks. In a list of problems each is one line.
        return one_line(f"{where}: {self.sentence}" if where else self.sentence)


class InputError(PointsmanError):
    """The user's input is wrong (mapping file, payload, field path, target file): ends as `failed`, never retried.

    Carries every problem found, not only the first.
    """

    def __init__(self, problems: Sequence[Problem] | Problem | str) -> None:
        if isinstance(problems, str):
            problems = Problem(problems)
        self._problems: tuple[Problem, ...] = (problems,) if isinstance(problems, Problem) else tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self._problems))

    @property
    def problems(self) -> tuple[Problem, ...]:
        """Every problem found, in the order in which they are told."""
        return self._problems

    def __reduce__(self) -> tuple[type[InputError], tuple[tuple[Problem, ...]]]:
        """Come back from another process with the problems, not only their text."""
        return type(self), (self.problems,)


class EditError(InputError):
    """A file cannot be edited as asked; it stays untouched."""


class TooMuchError(InputError):
    """More is asked for than fits into memory at a time; a part of it may fit."""


class NoReferenceError(EditError):
    """The file has no reference to the image that is looked for: of the files of a glob, one that is not meant."""


def raise_all(errors: Sequence[EditError]) -> None:
    """Raise the error, or one with the problems of all; nothing where there are none."""
    if len(errors) == 1:
        raise errors[0]
    if errors:
        raise EditError([problem for error in errors for problem in error.problems])


class StaleHead(PointsmanError):  # noqa: N818 - the field's word for it
    """The branch moved between our read and our write: read again, evaluate the rules again, write again."""


class Blocked(PointsmanError):  # noqa: N818 - names the outcome
    """A rule of GitHub's refuses the commit (protected branch, ruleset, secret found): ends as `blocked`, no retry.

    `doubtful`: GitHub's sentence names no rule that we know. It may be a lost race in other words. `of_part`: it
    is about what is in the commit, so that another part of a batch may pass.
    """

    def __init__(self, sentence: str, *, doubtful: bool = False, of_part: bool = False) -> None:
        self.doubtful = doubtful
        self.of_part = of_part
        super().__init__(sentence)


class TooManyFiles(Blocked):
    """The mapping file's `commit.strategy` takes fewer files; nothing was sent. A commit with some of them may fit."""

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence, of_part=True)


class Unavailable(PointsmanError):  # noqa: N818 - names the state
    """Not there for us: App not installed, repository gone, suspended.

    `certain`: GitHub's sentence rules out that another attempt in some seconds succeeds. Otherwise it may, as a fresh
    token is refused until all of GitHub's servers know it.
    """

    def __init__(self, sentence: str, *, certain: bool = False) -> None:
        self.certain = certain
        super().__init__(sentence)


class Fenced(PointsmanError):  # noqa: N818 - names the state
    """A newer drain of the same repository has begun: this one slept for long, and must not write anything more."""


class Transient(PointsmanError):  # noqa: N818 - names the state
    """May go away by itself (time-out, 5xx, a limit reached). `retry_after` is in seconds where the server said it."""

    def __init__(self, sentence: str, retry_after: float | None = None) -> None:
        self.retry_after = retry_after
        super().__init__(sentence)


class Unreadable(Transient):
    """An answer came of which nothing can be made: garbled on the way, or always so."""


class Busy(Transient):
    """There is too much of something to take more now; GitHub keeps what it could not deliver, and the sweep asks."""
