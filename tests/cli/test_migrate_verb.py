"""`pointsman migrate`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from program import Ran, run

if TYPE_CHECKING:
    from pathlib import Path


def test_migrate_makes_the_database_and_may_run_again(tmp_path: Path) -> None:
    """The first run makes the file with its tables, the second finds nothing to do."""
    for _ in range(2):
        ran = run(tmp_path, "migrate", DATABASE_URL="sqlite:///pointsman.db")
        assert ran == Ran(0, "pointsman.db is up to date\n", "")
    assert (tmp_path / "pointsman.db").read_bytes().startswith(b"SQLite format 3\0")


def test_migrate_says_what_is_wrong_with_the_database(tmp_path: Path) -> None:
    """A malformed DATABASE_URL and one that cannot be opened exit 2; what may be a password is not repeated."""
    ran = run(tmp_path, "migrate", DATABASE_URL="postgres://me:hunter2@db/pointsman")
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith("DATABASE_URL: 'postgres://…' is not sqlite:///FILE")
    assert "hunter2" not in ran.err
    ran = run(tmp_path, "migrate", DATABASE_URL="sqlite:///no/such/folder.db")
    assert ran == Ran(2, "", "DATABASE_URL: cannot open no/such/folder.db: No such file or directory\n")
