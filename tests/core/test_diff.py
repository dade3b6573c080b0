"""A change as people read it: what `git diff` prints, at a cost that no file can drive up."""

from __future__ import annotations

import subprocess
import time
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.core.changeset import FileChange
from bot.core.diff import unified

if TYPE_CHECKING:
    from pathlib import Path


def diff(before: str, after: str) -> str:
    return unified(FileChange("a/values.yaml", before.encode(), after.encode(), 0o100644, "", ()))


def numbered(count: int, changed: tuple[int, ...] = ()) -> str:
    return "".join(f"line {i}{' new' if i in changed else ''}\n" for i in range(1, count + 1))


def test_a_changed_line_stands_between_three_lines_of_context() -> None:
    """Header, hunk with its line numbers, context, the old line, the new line."""
    assert diff(numbered(20), numbered(20, (10,))) == (
        "--- a/a/values.yaml\n+++ b/a/values.yaml\n@@ -7,7 +7,7 @@\n line 7\n line 8\n line 9\n-line 10\n+line 10 new\n"
        " line 11\n line 12\n line 13\n"
    )


@pytest.mark.parametrize(
    ("before", "after", "body"),
    [
        ("tag: 1", "tag: 2", ["-tag: 1", "\\ No newline at end of file", "+tag: 2", "\\ No newline at end of file"]),
        ("tag: 1", "tag: 1\n", ["-tag: 1", "\\ No newline at end of file", "+tag: 1"]),
        ("tag: 1\r\n", "tag: 2\r\n", ["-tag: 1\r", "+tag: 2\r"]),
        ("", "tag: 1\n", ["+tag: 1"]),
        ("tag: 1\n", "", ["-tag: 1"]),
        ("a\u2028b\n", "a\u2028c\n", ["-a\u2028b", "+a\u2028c"]),
    ],
)
def test_line_ends_are_shown_as_they_are(before: str, after: str, body: list[str]) -> None:
    """A missing final newline is said, CR is kept, and only LF ends a line."""
    assert diff(before, after).split("\n")[3:-1] == body


@pytest.mark.parametrize(
    ("changed", "hunks"),
    [((10, 17), 1), ((10, 18), 2), ((1, 20), 2), ((1,), 1), ((20,), 1)],
)
def test_changes_with_six_lines_between_them_share_a_hunk(changed: tuple[int, ...], hunks: int) -> None:
    """As in git: contexts that touch or overlap are one hunk."""
    assert diff(numbered(20), numbered(20, changed)).count("\n@@ ") == hunks


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    before=st.lists(st.sampled_from(["a", "b", "c", "d", ""]), max_size=30),
    after=st.lists(st.sampled_from(["a", "b", "c", "d", ""]), max_size=30),
)
def test_git_applies_the_diff(tmp_path: Path, before: list[str], after: list[str]) -> None:
    """Whatever changes into whatever: `git apply` makes the one out of the other."""
    old, new = (f"{chr(10).join(lines)}\n" for lines in (before, after))
    if old == new:
        return
    path = tmp_path / "values.yaml"
    path.write_text(old)
    patch = unified(FileChange("values.yaml", old.encode(), new.encode(), 0o100644, "", ()))
    subprocess.run(["git", "apply", "-"], input=patch.encode(), cwd=tmp_path, check=True, env={"PATH": "/usr/bin:/bin"})
    assert path.read_text() == new


@pytest.mark.parametrize("added", ["", "one line more\n"])
def test_a_large_file_that_changes_everywhere_is_compared_in_linear_time(added: str) -> None:
    """Ten thousand changed lines among forty thousand cost no more than a second, not a minute."""
    before = "".join(f"  tag: 1.{i}\n" for i in range(40_000))
    after = "".join(f"  tag: {2 if i % 4 == 0 else 1}.{i}\n" for i in range(40_000)) + added
    began = time.process_time()
    text = diff(before, after)
    assert time.process_time() - began < 2
    assert "-  tag: 1.39996\n" in text
    assert "+  tag: 2.39996\n" in text


def test_one_change_in_a_large_file_is_one_hunk() -> None:
    """The line numbers of a hunk count from the start of the file."""
    before = "".join(f"{i}\n" for i in range(1, 50_001))
    assert diff(before, before.replace("\n40000\n", "\nx\n")).split("\n")[2] == "@@ -39997,7 +39997,7 @@"
