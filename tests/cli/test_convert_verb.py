"""`pointsman convert`."""

from __future__ import annotations

from pathlib import Path

import pytest
from gitops import contents, make
from program import Ran, pointsman, run

WORKFLOWS = Path(__file__).parents[1] / "data" / "workflows"
ARTICLE = WORKFLOWS / "article.yml"
FILES = {
    f"environments/{stage}/values.yaml": f'# {stage}\nimageTag: "1.0-{stage}"  # ours\n'.encode()
    for stage in ("dev", "prod")
}
PAYLOAD = (
    *("--event-type", "update-gitops-repo", "--var", "docker_image_tag=1.4.2-dev"),
    *("--var", "git_branch=main", "--var", "commit_message=faster start"),
)


def test_a_workflow_becomes_a_mapping_file_on_standard_output() -> None:
    """The file alone, to be piped on; how much there is to decide is on standard error."""
    ran = pointsman("convert", ARTICLE)
    assert ran.code == 0
    assert ran.out.startswith(f"# Converted from {ARTICLE}")
    assert "\nversion: 1\n" in ran.out
    assert ran.err == f"{ARTICLE}: converted, 2 places for you to decide: look for '# DECIDE:'\n"
    assert ran.out.count("# DECIDE: ") == 2


@pytest.mark.parametrize("workflow", sorted(WORKFLOWS.glob("*.yml")), ids=lambda path: path.stem)
def test_check_accepts_what_convert_writes(workflow: Path, tmp_path: Path) -> None:
    """Comments and all."""
    file = tmp_path / "pointsman.yaml"
    assert pointsman("convert", workflow, "--output", file).code == 0
    assert pointsman("check", file).code == 0


def test_a_converted_workflow_changes_what_it_changed(tmp_path: Path) -> None:
    """The article's, with a -dev tag: the line of dev, and nothing else."""
    folder = make(tmp_path / "gitops", FILES)
    mappings = folder / ".github" / "pointsman.yaml"
    mappings.parent.mkdir()
    assert pointsman("convert", ARTICLE, "--output", mappings).code == 0
    before = contents(folder)
    assert pointsman("apply", "--directory", folder, *PAYLOAD).code == 0
    dev = b'# dev\nimageTag: "1.4.2-dev"  # ours\n'
    assert contents(folder) == before | {"environments/dev/values.yaml": dev}


def test_a_file_that_is_there_stays_without_force(tmp_path: Path) -> None:
    """What somebody has decided is not written over unasked."""
    file = tmp_path / "pointsman.yaml"
    file.write_text("mine\n")
    ran = pointsman("convert", ARTICLE, "--output", file)
    assert ran == Ran(1, "", f"{file}: it is there already: --force writes over it\n")
    assert file.read_text() == "mine\n"
    ran = pointsman("convert", ARTICLE, "-o", file, "--force")
    assert (ran.code, ran.out) == (0, "")
    assert ran.err.startswith(f"{file}: converted, 2 places")
    assert file.read_text().startswith("# Converted from")


def test_a_file_that_cannot_be_written_is_a_sentence(tmp_path: Path) -> None:
    """Where its folder is not there."""
    ran = pointsman("convert", ARTICLE, "--output", tmp_path / "nowhere" / "file.yaml")
    assert ran == Ran(1, "", f"{tmp_path / 'nowhere' / 'file.yaml'}: cannot write it: No such file or directory\n")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("jobs: [\n", "w.yml:2:1: this is not YAML: "),
        ("jobs: {}\n", "w.yml: no step of this workflow uses dreitier/conditional-regex-search-and-replace-action"),
    ],
)
def test_what_cannot_be_converted_is_a_sentence_and_exit_code_1(text: str, sentence: str, tmp_path: Path) -> None:
    """With its place in the workflow; nothing is written."""
    (tmp_path / "w.yml").write_text(text)
    ran = run(tmp_path, "convert", "w.yml", "--output", "out.yaml")
    assert (ran.code, ran.out) == (1, "")
    assert ran.err.startswith(sentence)
    assert not (tmp_path / "out.yaml").exists()


def test_a_workflow_that_is_not_there_is_a_sentence() -> None:
    """As with every file that a verb reads."""
    assert pointsman("convert", "nowhere.yml") == Ran(1, "", "nowhere.yml: cannot read it: No such file or directory\n")
