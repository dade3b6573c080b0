"""`pointsman check`."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from program import Ran, pointsman, run

EXAMPLE = Path(__file__).parents[2] / "mappings.example.yaml"

GOOD = """\
version: 1
mappings:
  - name: dev
    update:
      - files: dev.yaml
        set: { tag: 1 }
"""
BAD = """\
version: 1
mapings: []
mappings:
  - name: dev
    update:
      - files: ../dev.yaml
        set: { tag: '${{ docker_image_tag | uper }}' }
"""


def test_check_passes_the_annotated_example() -> None:
    """What people copy from is good itself; what it has warnings for, it shows on purpose."""
    ran = pointsman("check", EXAMPLE)
    assert ran.code == 0
    warnings = [
        line for line in ran.err.splitlines() if re.match(rf"{re.escape(str(EXAMPLE))}:\d+:\d+: warning: ", line)
    ]
    assert warnings == ran.err.splitlines()
    count = f", {len(warnings)} warning{'s' * (len(warnings) > 1)}" if warnings else ""
    assert re.fullmatch(rf"{re.escape(str(EXAMPLE))}: good: \d+ mappings{count}\n", ran.out)


def test_check_looks_where_the_server_looks_without_a_file(tmp_path: Path) -> None:
    """The default is the mapping file of the folder one is in."""
    file = tmp_path / ".github" / "pointsman.yaml"
    file.parent.mkdir()
    file.write_text(GOOD)
    assert run(tmp_path, "check") == Ran(0, ".github/pointsman.yaml: good: 1 mapping\n", "")


def test_check_says_what_may_not_be_meant_and_is_content(tmp_path: Path) -> None:
    """A warning has its place, is counted in the last line, and leaves the exit code at 0."""
    (tmp_path / "rules.yaml").write_text(f"{GOOD}commit:\n  author: {{ name: a, email: a@b }}\n")
    ran = run(tmp_path, "check", "rules.yaml")
    assert (ran.code, ran.out) == (0, "rules.yaml: good: 1 mapping, 1 warning\n")
    assert re.fullmatch(r"rules\.yaml:8:\d+: warning: \S.*\n", ran.err)


def test_check_says_every_problem_with_its_place_on_standard_error(tmp_path: Path) -> None:
    """A bad file exits 1, each problem being one `FILE:LINE:COLUMN: sentence`."""
    (tmp_path / "rules.yaml").write_text(BAD)
    ran = run(tmp_path, "check", "rules.yaml")
    assert (ran.code, ran.out) == (1, "")
    places = [re.fullmatch(r"(rules\.yaml:\d+:\d+): \S.*", line) for line in ran.err.splitlines()]
    assert [place and place[1] for place in places] == ["rules.yaml:2:1", "rules.yaml:6:16", "rules.yaml:7:21"]
    assert "did you mean 'mappings'?" in ran.err
    assert "did you mean 'upper'?" in ran.err


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"version: 1\nmappings: [\n", "rules.yaml:3:1: this is not YAML: "),
        (b"", "rules.yaml: the mapping file is empty: "),
        (b"version: 1\nmappings: # caf\xe9\n", "rules.yaml: it is not UTF-8"),
    ],
)
def test_check_says_one_sentence_where_there_is_nothing_to_understand(
    content: bytes, sentence: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No YAML, nothing at all, no text: one line, without what would follow from it."""
    monkeypatch.chdir(tmp_path)
    Path("rules.yaml").write_bytes(content)
    ran = pointsman("check", "rules.yaml")
    assert (ran.code, ran.out, ran.err.count("\n")) == (1, "", 1)
    assert ran.err.startswith(sentence)


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("nowhere.yaml", "nowhere.yaml: cannot read it: No such file or directory\n"),
        (".", ".: cannot read it: Is a directory\n"),
        ("rules.yaml/more.yaml", "rules.yaml/more.yaml: cannot read it: Not a directory\n"),
    ],
)
def test_check_says_why_a_file_cannot_be_read(
    name: str, sentence: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that is not there, or is none, ends in one sentence."""
    monkeypatch.chdir(tmp_path)
    Path("rules.yaml").write_text(GOOD)
    assert pointsman("check", name) == Ran(1, "", sentence)
