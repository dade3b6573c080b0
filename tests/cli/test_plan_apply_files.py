"""`pointsman plan` and `pointsman apply` on files that come and go."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING

import pytest
from gitops import contents, make
from program import pointsman

if TYPE_CHECKING:
    from pathlib import Path

RULES = b"""\
version: 1
mappings:
  - name: preview
    update:
      - { files: 'a/${{ n }}/new.yaml', create: "tag: ${{ n }}\\n" }
      - { files: empty, create: '' }
      - { files: 'old/**', delete: true }
      - { files: list.json, set: { n: '${{ n }}' }, create: true }
"""
FILES = {".github/pointsman.yaml": RULES, "old/x.yaml": b"x: 1\n", "old/y": b"no end", "list.json": b'{"a": [1.10]}'}
AFTER = {
    ".github/pointsman.yaml": RULES,
    "a/1.10/new.yaml": b"tag: 1.10\n",
    "empty": b"",
    "list.json": b'{"a": [1.10], "n": 1.10}',
}
ARGUMENTS = ("--payload", '{"n": 1.10}')


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder that stands for a repository."""
    return make(tmp_path / "gitops", FILES)


def test_apply_creates_and_deletes(folder: Path) -> None:
    """Files, their folders, and a number as it is written; a second time there is nothing to do."""
    ran = pointsman("apply", "-d", folder, *ARGUMENTS)
    assert (ran.code, ran.err, ran.out.splitlines()[-1]) == (0, "", "5 files changed")
    assert contents(folder) == AFTER
    assert not (folder / "old").exists()
    again = pointsman("apply", "-d", folder, *ARGUMENTS)
    assert (again.code, again.out.splitlines()[2:]) == (
        0,
        [
            "",
            "nothing to change",
            "  mapping 'preview': the file is there already: a/1.10/new.yaml",
            "  mapping 'preview': the file is there already: empty",
            "  mapping 'preview': no file matches 'old/**'",
            "  mapping 'preview': the value is there already in list.json",
        ],
    )


def test_git_applies_the_diff_of_a_plan(folder: Path) -> None:
    """To the same files that `apply` makes."""
    diff = pointsman("plan", "-d", folder, *ARGUMENTS, "--format", "diff").out
    assert contents(folder) == FILES
    subprocess.run(["git", "apply", "-"], input=diff.encode(), cwd=folder, check=True, env={"PATH": "/usr/bin:/bin"})
    assert contents(folder) == AFTER


def test_the_json_says_which_files_come_and_go(folder: Path) -> None:
    """Their edits are of the file itself, at its begin."""
    said = json.loads(pointsman("plan", "-d", folder, *ARGUMENTS, "--format", "json").out)
    edits = {
        file["path"]: [(edit["field"], edit["line"], edit["old"]) for edit in file["edits"]] for file in said["files"]
    }
    assert edits == {
        "a/1.10/new.yaml": [("the file is created", 1, "")],
        "empty": [("the file is created", 1, "")],
        "old/x.yaml": [("the file is deleted", 1, "")],
        "old/y": [("the file is deleted", 1, "")],
        "list.json": [("n", 1, "")],
    }


def test_a_file_in_the_way_is_an_error_at_its_path(folder: Path) -> None:
    """Exit 1, and every byte stays."""
    (folder / "empty").write_bytes(b"not")
    before = contents(folder)
    ran = pointsman("apply", "-d", folder, *ARGUMENTS)
    assert (ran.code, contents(folder)) == (1, before)
    assert "\n  empty: the file exists already with other content; delete it" in ran.out
