"""What a person names is edited; what rules name is not, if it runs by itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from acting import act, dumped
from gitops import contents, make
from program import pointsman

if TYPE_CHECKING:
    from pathlib import Path

TEXT = b"image: a:1\n"
DENIED = "is a file on which GitLab acts by itself: list it under 'allow_files:' if mappings may change it"


@pytest.mark.parametrize("path", [".gitlab-ci.yml", ".circleci/config.yml", "action.yml", ".github/workflows/x.yml"])
def test_a_file_that_a_person_names_is_edited(tmp_path: Path, path: str) -> None:
    """`set` and `image` are no rules."""
    folder = make(tmp_path / "folder", {path: TEXT})
    assert pointsman("set", folder / path, "image", "a:2").code == 0
    assert contents(folder) == {path: b"image: a:2\n"}
    assert pointsman("image", folder / path, "a", "--tag", "3").code == 0
    assert contents(folder) == {path: b"image: a:3\n"}


def rules(files: str, operation: str = "set: { image: '${{ tag }}' }", more: str = "") -> bytes:
    return f"version: 1\n{more}mappings:\n  - name: a\n    update: [{{ files: {files}, {operation} }}]\n".encode()


def test_apply_and_plan_are_rules(tmp_path: Path) -> None:
    """They deny what the server denies, and take `allow_files` as it does."""
    folder = make(tmp_path / "folder", {".gitlab-ci.yml": TEXT, ".github/pointsman.yaml": rules(".gitlab-ci.yml")})
    for verb in ("plan", "apply"):
        ran = pointsman(verb, "--directory", folder, "--var", "tag=a:2")
        assert ran.code == 1
        assert DENIED in " ".join((ran.out + ran.err).split())
    assert contents(folder)[".gitlab-ci.yml"] == TEXT
    make(folder, {".github/pointsman.yaml": rules(".gitlab-ci.yml", more="allow_files: .gitlab-ci.yml\n")})
    assert pointsman("apply", "--directory", folder, "--var", "tag=a:2").code == 0
    assert contents(folder)[".gitlab-ci.yml"] == b"image: a:2\n"


@pytest.mark.parametrize("path", ["git~1/hooks/pre-commit", ".git::$INDEX_ALLOCATION/config", ".g\u200cit/config"])
def test_apply_creates_nothing_in_dot_git(tmp_path: Path, path: str) -> None:
    """Nor in what is `.git` on another file system."""
    folder = make(tmp_path / "folder", {".github/pointsman.yaml": rules("'${{ path }}'", "create: x")})
    before = contents(folder)
    ran = pointsman("apply", "--directory", folder, "--var", f"path={path}")
    assert ran.code == 1
    assert "leads into .git, which is never touched" in " ".join((ran.out + ran.err).split())
    assert contents(folder) == before


@pytest.mark.parametrize("files", ["ci/rules.yaml", "'**'", "CI/rules.yaml"])
def test_the_mapping_file_that_is_named_is_not_changed_by_its_own_rules(tmp_path: Path, files: str) -> None:
    """It is one, wherever it is and however it is spelt."""
    text = rules(files, "regex: '# v: (?<tag>.*)'", "allow_files: '**'\n") + b"# v: old\n"
    given = {"ci/rules.yaml": text, "CI/rules.yaml": b"# v: old\n", "other.yaml": b"# v: old\n"}
    folder = make(tmp_path / "folder", given)
    pointsman("apply", "--directory", folder, "--mappings", folder / "ci" / "rules.yaml", "--var", "tag=x")
    changed = {"other.yaml": b"# v: x\n"} if files == "'**'" else {}
    assert contents(folder) == given | changed


def test_mappings_in_the_dsl_are_rules(tmp_path: Path) -> None:
    """The action's variables and environment make no difference, and `--dump` shows what may be written."""
    folder = make(tmp_path / "folder", {".gitlab-ci.yml": TEXT, "ci.yml": TEXT})
    mappings = "docker_image_tag==.* {THEN_UPDATE_FILES} **ci.yml=r_regex"
    variables = {"DOCKER_IMAGE_TAG": "2", "R_REGEX": "a:(?<docker_image_tag>.*)"}
    assert dumped(folder, mappings, "--env", **variables)["globs"] == {"**ci.yml": ["ci.yml"]}
    assert act(folder, mappings, "--env", **variables).code == 0
    assert contents(folder) == {".gitlab-ci.yml": TEXT, "ci.yml": b"image: a:2\n"}
    ran = act(folder, mappings.replace("**ci.yml", ".gitlab-ci.yml"), "--env", **variables)
    assert ran.code == 1
    assert contents(folder)[".gitlab-ci.yml"] == TEXT
