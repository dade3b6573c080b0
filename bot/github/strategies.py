"""Which of three ways a commit is made by: what the mapping file asks for, or the cheapest that can do it.

`docs/adr/0010-commit-strategies.md` has what each can and cannot do.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeAlias

from bot.core.snapshot import REGULAR
from bot.core.suggest import listed
from bot.errors import Blocked, TooManyFiles

if TYPE_CHECKING:
    from bot.core.changeset import Changeset
    from bot.core.mapping import Strategy
    from bot.core.message import CommitMessage

Way: TypeAlias = Literal["graphql", "contents", "git-data"]

# What one mutation takes is not documented; about 40 MB were seen to pass, and base64 adds a third.
MUTATION_BYTES = 20_000_000


def choose(changeset: Changeset, message: CommitMessage, strategy: Strategy, *, graphql: bool) -> Way:
    """Return the way to commit; `graphql` says whether the server has the mutation.

    Raises Blocked if the `strategy` cannot do it at all, TooManyFiles if it could with fewer files.
    """
    if strategy == "git-data":
        return strategy
    if strategy == "graphql":
        _check_graphql(changeset, message, graphql=graphql)
        return strategy
    if strategy == "contents":
        _check_contents(changeset, message)
        return strategy
    return _cheapest(changeset, message, graphql=graphql)


def _cheapest(changeset: Changeset, message: CommitMessage, *, graphql: bool) -> Way:
    if _irregular(changeset):
        return "git-data"
    if graphql and not _has_people(message) and _size(changeset) <= MUTATION_BYTES:
        return "graphql"
    files = list(changeset.files.values())
    written = len(files) == 1 and files[0].after is not None
    return "contents" if written and not _only_committer(message) else "git-data"


def _check_graphql(changeset: Changeset, message: CommitMessage, *, graphql: bool) -> None:
    if not graphql:
        raise Blocked(
            "the mapping file has `commit.strategy: graphql`, and this server has no createCommitOnBranch: use auto, "
            "contents or git-data"
        )
    if _has_people(message):
        raise Blocked("createCommitOnBranch cannot set an author; use `commit.strategy: auto` or git-data")
    if odd := _irregular(changeset):
        raise Blocked(f"createCommitOnBranch knows no executable files; use `commit.strategy: auto` for {listed(odd)}")
    if (size := _size(changeset)) > MUTATION_BYTES:
        error = TooManyFiles if len(changeset.files) > 1 else Blocked
        raise error(
            f"createCommitOnBranch takes {MUTATION_BYTES:,} bytes here, and the files of this change have {size:,}: "
            "use `commit.strategy: auto` or git-data"
        )


def _check_contents(changeset: Changeset, message: CommitMessage) -> None:
    if len(changeset.files) > 1:
        first, *others = changeset.files
        raise TooManyFiles(
            f"the mapping file has `commit.strategy: contents`, which commits one file, and beside {listed([first])} "
            f"this change has {listed(others)}; use auto or git-data, or change them by dispatches of their own"
        )
    if odd := _irregular(changeset):
        raise Blocked(f"the Contents API knows no executable files; use `commit.strategy: auto` for {listed(odd)}")
    if _only_committer(message):
        raise Blocked("the Contents API makes the committer the author too; use `commit.strategy: auto` or git-data")


def _has_people(message: CommitMessage) -> bool:
    return message.author is not None or message.committer is not None


def _only_committer(message: CommitMessage) -> bool:
    """To the Contents API a committer without an author is the author too."""
    return message.committer is not None and message.author is None


def _irregular(changeset: Changeset) -> list[str]:
    """Return the files that are written with a mode of their own."""
    return [path for path, change in changeset.files.items() if change.mode != REGULAR and change.after is not None]


def _size(changeset: Changeset) -> int:
    return sum(len(change.after) for change in changeset.files.values() if change.after is not None)
