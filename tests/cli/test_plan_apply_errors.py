"""How `pointsman plan` and `pointsman apply` refuse: exit 1 with the sentence, and nothing written."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from gitops import FILES, contents, make, traces
from program import Ran, pointsman, run, unprivileged

if TYPE_CHECKING:
    from collections.abc import Iterator

RULES = """\
version: 1
mappings:
  - name: one
    update:
      - files: {files}
        {operation}
"""
SET = "set: { tag: '${{ tag }}' }"
REGEX = "regex: '@(?<tag>[a-z]+)'"
LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a file of each kind that rules may name."""
    folder = make(
        tmp_path / "gitops",
        {
            "a.yaml": b"tag: one\n",
            "latin.yaml": b"a: 1\ntag: caf\xe9\n",
            "large.yaml": b"tag: one\n" + b"#" * 4_000_000,
            "pointer.yaml": LFS,
            "anchor.yaml": b"x: &x one\ntag: *x\n",
            "CODEOWNERS": b"* @joe\n",
            ".github/workflows/ci.yaml": b"# @joe\n",
        },
    )
    (folder / "link.yaml").symlink_to("a.yaml")
    return folder


def rules(folder: Path, files: str, operation: str = SET) -> None:
    """Write the mapping file of a folder."""
    (folder / ".github" / "pointsman.yaml").write_text(
        RULES.replace("{files}", files).replace("{operation}", operation)
    )


@pytest.mark.parametrize(
    ("files", "operation", "sentence"),
    [
        (
            "a.yaml",
            "set: { tag: '${{ tga }}' }",
            ".github/pointsman.yaml:6:21: '${{ tga }}': there is no variable 'tga'; did you mean 'tag'?",
        ),
        (
            "apps/${{ tag }}/../x.yaml",
            SET,
            ".github/pointsman.yaml:5:16: the path 'apps/new/../x.yaml' has a '.' or '..' as a part; ",
        ),
        ("link.yaml", SET, "link.yaml is a symbolic link, which is never written; name the file it points to"),
        (
            "pointer.yaml",
            SET,
            "pointer.yaml is a Git LFS pointer, which is never written; keep values that change outside LFS",
        ),
        ("latin.yaml", SET, "latin.yaml:2: the file is not UTF-8, so it stays untouched"),
        ("large.yaml", SET, "large.yaml: the file has 4,000,009 bytes; 4,000,000 is the most"),
        ("a.yaml", "set: { tga: new }", "did you mean 'tag'?"),
        ("CODEOWNERS", REGEX, "CODEOWNERS says who reviews what; people change it, in a pull request"),
    ],
)
def test_what_must_not_be_written_is_refused_with_a_sentence(
    files: str, operation: str, sentence: str, folder: Path
) -> None:
    """In every format, planned and applied: exit 1, the sentence, and the folder as it was; a diff has none of it."""
    rules(folder, files, operation)
    before, written = contents(folder), traces(folder)
    for verb in ("plan", "apply"):
        text, said, diff = (
            pointsman(verb, "-d", folder, "-v", "tag=new", "-f", output) for output in ("text", "json", "diff")
        )
        assert [ran.code for ran in (text, said, diff)] == [1, 1, 1]
        assert sentence in text.out
        assert sentence in json.loads(said.out)["reason"]
        assert diff.out == ""
        assert sentence in diff.err
    assert (contents(folder), traces(folder)) == (before, written)


def test_the_json_has_the_place_of_an_error(folder: Path) -> None:
    """An editor or a check can put the sentence where it belongs."""
    rules(folder, "a.yaml", "set: { tag: '${{ tga }}' }")
    said = json.loads(pointsman("plan", "-d", folder, "-v", "tag=new", "-f", "json").out)
    (error,) = said["errors"]
    assert (said["state"], said["files"]) == ("failed", [])
    assert (error["file"], error["line"], error["column"]) == (".github/pointsman.yaml", 6, 21)
    assert error["sentence"] == "'${{ tga }}': there is no variable 'tga'; did you mean 'tag'?"


def test_a_glob_passes_by_what_it_may_not_touch(folder: Path) -> None:
    """A symlink and what lies below .github are not among the files of `**`."""
    rules(folder, "'{**/l*k.yaml,**/ci.yaml,**/CODE*,a.yaml}'", "regex: '(?<tag>one|joe)'")
    (folder / "CODEOWNERS").unlink()
    before = contents(folder)
    assert pointsman("apply", "-d", folder, "-v", "tag=new").code == 0
    assert contents(folder) == before | dict.fromkeys(("a.yaml", "link.yaml"), b"tag: new\n")
    assert (folder / "link.yaml").is_symlink()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--var", "docker_image_tag"], "--var docker_image_tag: write NAME=VALUE\n"),
        (["--var", "=x"], "--var =x: write NAME=VALUE\n"),
        (["--payload", "{tag: new}"], '--payload: this is no JSON object; write it as \'{"docker_image_tag": '),
        (["--payload", '["new"]'], '--payload: this is no JSON object; write it as \'{"docker_image_tag": '),
        (["--mappings", "no.yaml"], "no.yaml: cannot read it: No such file or directory\n"),
        (["--mappings", "."], ".: cannot read it: Is a directory\n"),
        (["--mappings", "latin.yaml"], "latin.yaml: it is not UTF-8\n"),
        (["--directory", "nowhere"], "there is no folder 'nowhere'\n"),
        (["--directory", "latin.yaml"], "there is no folder 'latin.yaml'\n"),
        ([], "there is no mapping file .github/pointsman.yaml; name one with --mappings\n"),
        (["--directory", ".github"], "there is no mapping file .github/.github/pointsman.yaml; name one"),
    ],
)
@pytest.mark.parametrize("verb", ["plan", "apply"])
def test_a_command_line_that_leads_nowhere_is_refused(
    verb: str, arguments: list[str], sentence: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A variable without a value, a file or folder that is not there: one sentence on standard error, exit 1."""
    monkeypatch.chdir(folder)
    ran = pointsman(verb, *arguments)
    assert (ran.code, ran.out, ran.err.count("\n")) == (1, "", 1)
    assert ran.err.startswith(sentence)


def test_a_bad_mapping_file_is_refused_as_check_refuses_it(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`plan` says of a mapping file what `check` says, every problem in a line."""
    monkeypatch.chdir(folder)
    Path("rules.yaml").write_text("version: 2\nmappings:\n  - nam: one\n    update: []\n")
    checked = pointsman("check", "rules.yaml").err
    assert checked.count("\n") == 3
    assert pointsman("plan", "-m", "rules.yaml", "-f", "diff") == Ran(1, "", checked)


@pytest.fixture
def shared() -> Iterator[Path]:
    """A folder that others may enter, but not write to: it has two environments, of which one is theirs."""
    with tempfile.TemporaryDirectory() as name:
        folder = make(Path(name), FILES | {".github/pointsman.yaml": RULES.replace("{files}", "'**/*.yaml'").encode()})
        for path in (folder, *folder.rglob("*")):
            path.chmod(0o755 if path.is_dir() else 0o644)
        (folder / "environments" / "dev").chmod(0o777)
        (folder / "environments" / "prod").chmod(0o555)
        yield folder
        for path in (folder, *folder.rglob("*")):
            path.chmod(0o755)


def test_a_file_that_cannot_be_written_leaves_all_as_they_were(shared: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One file of several is in a folder without write permission: the sentence, and no file is another one."""
    rules(shared, "'environments/**/*.yaml'", "regex: 'tag: \"(?<tag>.*)\"'")
    monkeypatch.chdir(shared)
    before = contents(shared)
    assert pointsman("plan", "-v", "tag=new").out.endswith("\n3 files would change\n")
    with unprivileged():
        ran = pointsman("apply", "-v", "tag=new")
    assert (ran.code, ran.out) == (1, "")
    assert ran.err == "cannot write environments/prod/more.yaml: Permission denied\n"
    assert contents(shared) == before


@pytest.mark.parametrize(
    ("path", "sentence"),
    [
        ("other/values.yaml", "cannot read other/values.yaml: Permission denied\n"),
        ("other", "cannot read other: Permission denied\n"),
        (".github/pointsman.yaml", "cannot read .github/pointsman.yaml: Permission denied\n"),
        (".github", "cannot read .github/pointsman.yaml: Permission denied\n"),
    ],
)
def test_a_file_or_folder_that_cannot_be_read_is_named(
    path: str, sentence: str, shared: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a glob would have to look at and cannot is an error, not a file the less."""
    rules(shared, "'**/*.yaml'", "regex: 'tag: \"(?<tag>.*)\"'")
    monkeypatch.chdir(shared)
    assert pointsman("plan", "-v", "tag=new").code == 0
    (shared / path).chmod(0)
    with unprivileged():
        assert pointsman("plan", "-v", "tag=new", "-f", "diff") == Ran(1, "", sentence)


def test_an_error_leaves_the_program_by_its_exit_code(tmp_path: Path) -> None:
    """As a process of its own too: 1, one sentence, no traceback."""
    assert run(tmp_path, "plan", "--var", "x") == Ran(1, "", "--var x: write NAME=VALUE\n")


def test_json_has_the_errors_that_come_before_a_decision(tmp_path: Path) -> None:
    """Whoever reads JSON reads standard output: a missing mapping file is an error in it."""
    ran = pointsman("plan", "--directory", str(tmp_path), "--format", "json")
    shown = json.loads(ran.out)
    assert (ran.code, ran.err, shown["state"]) == (1, "", "failed")
    assert [error["sentence"] for error in shown["errors"]] == [shown["reason"]]
    assert "there is no mapping file" in shown["reason"]
