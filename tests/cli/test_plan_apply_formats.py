"""How `pointsman plan` and `pointsman apply` say what they found: for people, and for programs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from gitops import FILES, make, patched
from program import pointsman

if TYPE_CHECKING:
    from pathlib import Path


DEV = "environments/dev/values.yaml"

DEV_TEXT = """\
✔ mapping 'dev'
  all of: holds
    docker_image_tag matches .*-dev: holds, it is '2.0-dev'
✘ mapping 'prod'
  all of: does not hold
    docker_image_tag matches (?<version>.*)-stable: does not hold, it is '2.0-dev'

--- a/environments/dev/values.yaml
+++ b/environments/dev/values.yaml
@@ -1,4 +1,4 @@
 # dev
 image:
-  tag: "1.0-dev" # ours
+  tag: "2.0-dev" # ours
 end: here
\\ No newline at end of file

1 file {}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder that stands for a repository."""
    return make(tmp_path / "gitops")


@pytest.mark.parametrize(("verb", "end"), [("plan", "would change"), ("apply", "changed")])
def test_the_text_has_each_mapping_with_its_reasons_the_diff_and_the_end(verb: str, end: str, folder: Path) -> None:
    """A person reads which mapping held, which not and why, and what becomes of it."""
    ran = pointsman(verb, "-d", folder, "-v", "docker_image_tag=2.0-dev")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out == DEV_TEXT.format(end)


@pytest.mark.parametrize(("verb", "state"), [("plan", "planned"), ("apply", "written")])
def test_the_json_has_the_state_the_mappings_and_the_files(verb: str, state: str, folder: Path) -> None:
    """A program reads the whole reasoning: conditions, values of named groups, edits with their places, the diff."""
    ran = pointsman(verb, "-d", folder, "-v", "docker_image_tag=2.0-stable", "--format", "json")
    said = json.loads(ran.out)
    assert (ran.code, ran.err) == (0, "")
    assert set(said) == {"state", "reason", "mappings", "variables", "files", "notes", "errors"}
    assert (said["state"], said["notes"], said["errors"]) == (state, [], [])
    assert said["variables"] == {"docker_image_tag": "2.0-stable"}
    dev, prod = said["mappings"]
    assert set(dev) == set(prod) == {"name", "matched", "why", "conditions", "values"}
    assert (dev["name"], dev["matched"], dev["values"]) == ("dev", False, {"docker_image_tag": "2.0-stable"})
    assert dev["why"] == "docker_image_tag matches .*-dev: it is '2.0-stable'"
    assert (prod["name"], prod["matched"]) == ("prod", True)
    assert prod["values"] == {"docker_image_tag": "2.0-stable", "version": "2.0"}
    (condition,) = prod["conditions"][0]["children"]
    name = "docker_image_tag matches (?<version>.*)-stable"
    assert condition == {"name": name, "holds": True, "why": "it is '2.0-stable'"}
    files = {file["path"]: file for file in said["files"]}
    assert list(files) == ["environments/prod/more.yaml", "environments/prod/values.yaml"]
    assert [set(file) for file in said["files"]] == [{"path", "edits", "diff"}] * 2
    (edit,) = files["environments/prod/values.yaml"]["edits"]
    assert (edit["mapping"], edit["old"], edit["new"]) == ("prod", "1.0-stable", "2.0-stable")
    after = patched(FILES, "".join(file["diff"] for file in said["files"]))
    assert {path for path in FILES if after[path] != FILES[path]} == set(files)


@pytest.mark.parametrize("tag", ["2.0-dev", "2.0-stable"])
def test_an_edit_stands_where_the_json_says(tag: str, folder: Path) -> None:
    """`old` is in the old file at `line` and `column`, which count from 1."""
    ran = pointsman("plan", "-d", folder, "-v", f"docker_image_tag={tag}", "--format", "json")
    edits = [(file["path"], edit) for file in json.loads(ran.out)["files"] for edit in file["edits"]]
    assert edits
    for path, edit in edits:
        line = FILES[path].decode().split("\n")[edit["line"] - 1]
        assert line[edit["column"] - 1 :].startswith(edit["old"])


def test_nothing_to_change_is_no_error_in_any_format(folder: Path) -> None:
    """Exit 0: the text and the JSON say why, and the diff is empty."""
    arguments = ("plan", "-d", folder, "-v", "docker_image_tag=2.0-qa", "--format")
    text, said, diff = (pointsman(*arguments, output) for output in ("text", "json", "diff"))
    assert [(ran.code, ran.err) for ran in (text, said, diff)] == [(0, "")] * 3
    assert text.out.endswith("\n\nnothing to change\n  no mapping holds\n")
    data = json.loads(said.out)
    assert (data["state"], data["reason"], data["files"]) == ("no_change", "no mapping holds", [])
    assert diff.out == ""


def test_an_edit_that_has_nothing_to_do_is_noted_beside_one_that_has(tmp_path: Path) -> None:
    """A glob without files does not hide behind the edit that worked."""
    rules = "version: 1\nmappings:\n- name: two\n  update:\n" + "".join(
        f"  - {{ files: {path}, set: {{ tag: '${{{{ tag }}}}' }} }}\n" for path in ("a.yaml", "no/such.yaml")
    )
    folder = make(tmp_path / "gitops", {".github/pointsman.yaml": rules.encode(), "a.yaml": b"tag: one\n"})
    note = "mapping 'two': no file matches 'no/such.yaml'"
    assert f"\n• {note}\n" in pointsman("plan", "-d", folder, "-v", "tag=two").out
    assert json.loads(pointsman("plan", "-d", folder, "-v", "tag=two", "-f", "json").out)["notes"] == [note]


@pytest.mark.parametrize("value", ["[bold]x[/bold]", ":smile:", "x" * 200, "üx", "a  b", "a::b", "\u2764\ufe0f"])
def test_foreign_text_is_printed_as_it_is(value: str, tmp_path: Path) -> None:
    """What stands in a file is no markup, no emoji code, and is never wrapped."""
    rules = b"version: 1\nmappings:\n- name: '[red]'\n  update: [{ files: a.yaml, set: { tag: new } }]\n"
    folder = make(tmp_path / "gitops", {".github/pointsman.yaml": rules, "a.yaml": f"tag: '{value}'\n".encode()})
    ran = pointsman("plan", "-d", folder)
    assert ran.code == 0
    assert f"\n-tag: '{value}'\n" in ran.out
    assert "✔ mapping '[red]'\n" in ran.out
