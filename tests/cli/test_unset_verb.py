"""`pointsman unset`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from gitops import contents, make, traces
from program import Ran, pointsman

if TYPE_CHECKING:
    from pathlib import Path

VALUES = (
    b"# all\n\nimage:\n  name: app # keep\n  # the digest\n  # of the release\n  digest: sha256:1\n\n  tag: v1\nend: x"
)
TWO = b"kind: Service\na: 1\nb: 1\n---\nkind: Deployment\na: 1\nb: 1\n"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to be in, with one file."""
    monkeypatch.chdir(make(tmp_path / "gitops", {"values.yaml": VALUES}))
    return tmp_path / "gitops"


@pytest.mark.parametrize(
    ("before", "arguments", "after"),
    [
        (VALUES, ("image.digest",), VALUES.replace(b"  # the digest\n  # of the release\n  digest: sha256:1\n", b"")),
        (b"a: 1\r\nb: 2\r\nc: 3", ("b",), b"a: 1\r\nc: 3"),
        (b"a:\n- x\n- y # why\n- z\n", ("a[1]",), b"a:\n- x\n- z\n"),
        (b"a: {b: 1, c: 2}\n", ("a.b",), b"a: {c: 2}\n"),
        (b"a:\n- {n: x, t: 1}\n- {n: y, t: 1}\n", ("a[*].t", "--all"), b"a:\n- {n: x}\n- {n: y}\n"),
        (TWO, ("b", "--document", "Deployment"), TWO[:-5]),
        (TWO, ("b", "--document=0"), TWO.replace(b"b: 1\n---", b"---")),
    ],
)
def test_unset_takes_a_key_or_item_away_and_no_other_line(
    before: bytes, arguments: tuple[str, ...], after: bytes, folder: Path
) -> None:
    """With the comment lines that are its own; a second time there is nothing to do."""
    (folder / "values.yaml").write_bytes(before)
    ran = pointsman("unset", "values.yaml", *arguments)
    assert (ran.code, ran.err, contents(folder)) == (0, "", {"values.yaml": after})
    assert re.fullmatch(r"(values\.yaml:\d+:\d+: .+: .+ → \(nothing\)\n)+", ran.out)
    assert ran.out.count("\n") == 1 + ("--all" in arguments)


def test_what_is_not_there_is_gone_already(folder: Path) -> None:
    """Exit 0, and the file stays untouched."""
    untouched = traces(folder)
    assert pointsman("unset", "values.yaml", "image.pullPolicy") == Ran(0, "values.yaml: already so\n", "")
    assert traces(folder) == untouched


@pytest.mark.parametrize(
    ("before", "field", "sentence"),
    [
        (VALUES, "$", r"values\.yaml:\d+:\d+: .*"),
        (VALUES, "image.*", r"values\.yaml:\d+:\d+: .*"),
        (VALUES, "image[", r"values\.yaml: field path 'image\[' cannot be read.*"),
        (b"a: &x 1\nb: *x\n", "a", r"values\.yaml:1:4: .*"),
        (b"a: [\n", "a", r"values\.yaml:2:1: .*"),
    ],
)
def test_what_is_refused_leaves_the_file_untouched(before: bytes, field: str, sentence: str, folder: Path) -> None:
    """The whole document, several values, what an alias needs: exit 1 with the sentence and its place."""
    (folder / "values.yaml").write_bytes(before)
    untouched = traces(folder)
    ran = pointsman("unset", "values.yaml", field)
    assert (ran.code, ran.out) == (1, "")
    assert re.fullmatch(f"{sentence}\n", ran.err)
    assert traces(folder) == untouched


def test_check_and_diff_write_nothing(folder: Path) -> None:
    """`--check` exits 1 where the key is there, 0 where it is not; `--diff` shows the line that would go."""
    untouched = traces(folder)
    checked = pointsman("unset", "values.yaml", "end", "--check")
    assert (checked.code, checked.err) == (1, "")
    assert checked.out.endswith("→ (nothing)\nvalues.yaml: would change\n")
    shown = pointsman("unset", "values.yaml", "end", "--diff")
    assert (shown.code, shown.err) == (0, "values.yaml: would change\n")
    assert "\n-end: x\n" in shown.out
    assert pointsman("unset", "values.yaml", "nothing", "--check") == Ran(0, "values.yaml: already so\n", "")
    assert traces(folder) == untouched
