"""`pointsman plan` and `pointsman apply` on a folder: what they write, and what not."""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING

import pytest
from gitops import FILES, contents, make, patched, traces
from program import pointsman, run

if TYPE_CHECKING:
    from pathlib import Path

DEV = "environments/dev/values.yaml"
PROD = "environments/prod/values.yaml"
MORE = "environments/prod/more.yaml"

FIXED = """\
version: 1
mappings:
  - name: all
    update:
      - files: '**/*.yaml'
        regex: 'tag: "(?<tag>.*)"'
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder that stands for a repository."""
    return make(tmp_path / "gitops")


@pytest.mark.parametrize("output", ["text", "json", "diff"])
@pytest.mark.parametrize("tag", ["2.0-dev", "2.0-stable", "2.0-qa"])
def test_plan_writes_nothing(tag: str, output: str, folder: Path) -> None:
    """Not a byte, a mode or a time of the whole tree is another one after a plan."""
    before, written = contents(folder), traces(folder)
    assert pointsman("plan", "-d", folder, "-v", f"docker_image_tag={tag}", "-f", output).code == 0
    assert contents(folder) == before
    assert traces(folder) == written


@pytest.mark.parametrize(
    ("tag", "changed"),
    [
        ("2.0-dev", {DEV: b'# dev\r\nimage:\r\n  tag: "2.0-dev" # ours\r\nend: here'}),
        (
            "2.0-stable",
            {PROD: FILES[PROD].replace(b"1.0-stable", b"2.0-stable"), MORE: b'tag: "2.0-stable"'},
        ),
        ("2.0-qa", {}),
    ],
)
def test_apply_changes_the_bytes_meant_and_touches_no_other_file(
    tag: str, changed: dict[str, bytes], folder: Path
) -> None:
    """CRLF, a missing end of line, comments and unusual spaces stay; what does not change is not written anew."""
    written = traces(folder)
    assert pointsman("apply", "-d", folder, "-v", f"docker_image_tag={tag}").code == 0
    assert contents(folder) == FILES | changed
    touched = {path for path, trace in traces(folder).items() if trace != written[path]}
    assert touched == {str(path) for name in changed for path in (folder / name, (folder / name).parent)}


@pytest.mark.parametrize("mode", [0o755, 0o600, 0o664])
def test_apply_keeps_the_mode_of_a_file(mode: int, folder: Path) -> None:
    """Executable stays executable, private private."""
    (folder / DEV).chmod(mode)
    assert pointsman("apply", "-d", folder, "-v", "docker_image_tag=2.0-dev").code == 0
    assert (folder / DEV).read_bytes() != FILES[DEV]
    assert stat.S_IMODE((folder / DEV).stat().st_mode) == mode


def test_apply_again_finds_nothing_to_change(folder: Path) -> None:
    """The second time the values are there already, and nothing is written."""
    assert pointsman("apply", "-d", folder, "-v", "docker_image_tag=2.0-stable").code == 0
    written = traces(folder)
    ran = pointsman("apply", "-d", folder, "-v", "docker_image_tag=2.0-stable")
    assert ran.code == 0
    assert "nothing to change\n  mapping 'prod': the value is there already in" in ran.out
    assert traces(folder) == written


@pytest.mark.parametrize("tag", ["2.0-dev", "2.0-stable"])
@pytest.mark.parametrize("verb", ["plan", "apply"])
def test_the_diff_makes_of_the_old_files_what_apply_makes(verb: str, tag: str, folder: Path) -> None:
    """The output of `--format diff` is a patch: CRLF, a missing end of line and several files in it."""
    variable = f"docker_image_tag={tag}"
    ran = pointsman(verb, "-d", folder, "-v", variable, "--format", "diff")
    assert (ran.code, ran.err) == (0, "")
    pointsman("apply", "-d", folder, "-v", variable)
    assert patched(FILES, ran.out) == contents(folder) != FILES


def test_the_diff_has_several_hunks_at_their_lines(tmp_path: Path) -> None:
    """Neighbours share a hunk; changes far below and at a last line without an end have their own, at its line."""
    lines = [f'tag: "{number}"\n' if number in {0, 7, 40} else f"line: {number}\n" for number in range(60)]
    files = {"values.yaml": "".join([*lines, 'tag: "last"']).encode(), "one.yaml": b'tag: "1"\n'}
    rules = tmp_path / "rules.yaml"
    rules.write_text(FIXED)
    folder = make(tmp_path / "gitops", files)
    ran = pointsman("plan", "-d", folder, "-m", rules, "-v", "tag=new", "-f", "diff")
    assert ran.out.count("@@ -") == 4
    assert pointsman("apply", "-d", folder, "-m", rules, "-v", "tag=new").code == 0
    assert patched(files, ran.out) == contents(folder) != files


def test_the_folder_one_is_in_is_the_default(folder: Path) -> None:
    """Without `--directory` it is the current folder, and its own mapping file."""
    ran = run(folder, "apply", "--var", "docker_image_tag=2.0-dev", "--format", "diff")
    assert (ran.code, ran.err) == (0, "")
    assert contents(folder) == FILES | {DEV: FILES[DEV].replace(b"1.0-dev", b"2.0-dev")}


def test_mappings_of_elsewhere_replace_those_of_the_folder(folder: Path) -> None:
    """`--mappings` tries other rules out; the folder's own do not count then."""
    rules = folder.with_name("rules.yaml")
    rules.write_text(FIXED)
    before = contents(folder)
    assert pointsman("apply", "-d", folder, "-m", rules, "-v", "tag=x", "-v", "docker_image_tag=2.0-dev").code == 0
    after = contents(folder)
    assert {name for name in before if before[name] != after[name]} == {DEV, PROD, MORE, "other/values.yaml"}


@pytest.mark.parametrize(
    ("event_type", "state"),
    [([], "1 file would change"), (["-e", "update-gitops-repo"], "1 file would change"), (["-e", "other"], "nothing")],
)
def test_on_counts_where_an_event_type_is_given(event_type: list[str], state: str, folder: Path) -> None:
    """Without `--event-type` every `on` is met; with one, only that which lists it."""
    ran = pointsman("plan", "-d", folder, "-v", "docker_image_tag=2.0-dev", *event_type)
    assert ran.code == 0
    assert state in ran.out
    assert ("the event type is 'other'" in ran.out) == (state == "nothing")


def test_a_value_may_have_an_equals_sign_and_the_last_of_a_name_counts(folder: Path) -> None:
    """Only the first `=` of NAME=VALUE parts; VALUE may be empty."""
    values = ("-v", "docker_image_tag=first-dev", "-v", "docker_image_tag=a=b-dev", "-v", "empty=")
    assert pointsman("apply", "-d", folder, *values).code == 0
    assert b'tag: "a=b-dev" # ours\r\n' in (folder / DEV).read_bytes()


def test_a_payload_is_json_and_variables_are_added_to_it(folder: Path) -> None:
    """`--payload` gives what `--var` cannot, objects and numbers; `--var` replaces a property of it."""
    rules = folder.with_name("rules.yaml")
    rules.write_text(
        "version: 1\nvariables: { size: client_payload.chart.size }\nmappings:\n- name: one\n  update:\n"
        "  - files: other/values.yaml\n    set: { tag: '${{ size }}-${{ docker_image_tag }}' }\n"
    )
    payload = '{"chart": {"size": 7}, "docker_image_tag": "other"}'
    assert pointsman("apply", "-d", folder, "-m", rules, "--payload", payload, "-v", "docker_image_tag=x").code == 0
    assert contents(folder) == FILES | {"other/values.yaml": b'tag: "7-x"\n'}
