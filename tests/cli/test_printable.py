"""What the verbs print of foreign text: no terminal and no workflow obeys anything in it."""

from __future__ import annotations

import json
import re
import subprocess
from typing import TYPE_CHECKING

import pytest
from fuzzing import examples
from gitops import make, patched
from hypothesis import given
from hypothesis import strategies as st
from program import Ran, pointsman, run

from bot.printable import escape, printable, printable_diff, printable_json, printable_line

if TYPE_CHECKING:
    from pathlib import Path

# Line breaks of all kinds, commands of both kinds, controls, marks of the writing direction, half a character.
HOSTILE = (
    "x\n::add-mask::1\n  ::stop-commands::tok\r::error::no\x0b::warning::no\x85::notice::no\u2028::debug::no"
    "\n##[add-mask]2\na ##[group]b\x1b[2J\x1b]0;title\x07\x9b31m\x7f\u202egpj\u2066\u200b\ufeff"
)
RULES = """\
version: 1
mappings:
  - name: dev
    when: { tag: '(?s).*', other: '1' }
    update:
      - { files: a.yaml, set: { tag: '${{ tag }}' } }
  - name: all
    update:
      - { files: b.yaml, set: { tag: '${{ tag }}' } }
      - { files: none.yaml, set: { tag: '1' } }
"""


def obeyed(text: str) -> list[str]:
    """Return what a terminal or the runner of a workflow would obey in an output."""
    found = re.findall("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]", text)
    # As the runner reads lines: https://learn.microsoft.com/en-us/dotnet/api/system.io.streamreader.readline
    for line in re.split("\r\n|\r|\n", text):
        if line.strip().startswith("::") or "##[" in line:
            found.append(line)
    return found


def output(ran: Ran) -> str:
    return ran.out + ran.err


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a hostile file."""
    text = " ::add-mask::context\ntag: '1' # \x1b[2J\u202e ##[group]\n ::error::x\n"
    files = {".github/pointsman.yaml": RULES.encode(), "a.yaml": b"tag: '0'\n", "b.yaml": b"# c\ntag: '0'\n"}
    return make(tmp_path / "gitops", {**files, "c.yaml": text.encode()})


@pytest.mark.parametrize("output_format", ["text", "json", "diff"])
@pytest.mark.parametrize("verb", ["plan", "apply"])
def test_a_value_steers_nothing(verb: str, output_format: str, folder: Path) -> None:
    """In conditions, notes and the diff; as JSON each character can be read back."""
    payload = json.dumps({"tag": HOSTILE, "other": HOSTILE})
    ran = pointsman(verb, "-d", folder, "-p", payload, "-f", output_format)
    assert ran.code == 0
    assert obeyed(output(ran)) == []
    assert "add-mask" in ran.out
    if output_format == "json":
        assert json.loads(ran.out)["variables"]["tag"] == HOSTILE


@pytest.mark.parametrize("output_format", ["text", "json", "diff"])
@pytest.mark.parametrize(
    "update",
    [
        "{ files: '${{ tag }}', set: { a: b } }",
        "{ files: a.yaml, set: { '${{ tag }}': b } }",
        "{ files: a.yaml, set: { tag: '${{ client_payload[tag] }}' } }",
        "{ files: a.yaml, set: { tag: '${{ tag }}' }, type: number }",
        "{ files: a.yaml, regex: 'tag: (?<tag>.*)' }",
        "{ files: 'previews/${{ tag }}/a.yaml', create: x }",
    ],
)
def test_the_reason_of_a_failure_steers_nothing(update: str, output_format: str, tmp_path: Path) -> None:
    """Sentences quote values, paths and names of a payload."""
    rules = f"version: 1\nmappings:\n- name: a\n  update: [{update}]\n"
    folder = make(tmp_path / "gitops", {".github/pointsman.yaml": rules.encode(), "a.yaml": b"tag: '0'\n"})
    ran = pointsman("plan", "-d", folder, "-p", json.dumps({"tag": HOSTILE, HOSTILE: "1"}), "-f", output_format)
    assert obeyed(output(ran)) == []


def test_a_workflow_obeys_nothing_of_a_value(tmp_path: Path) -> None:
    """`apply --env` in a workflow: only the commands that are its own stand at the beginning of a line."""
    rules = "tag==nothing{THEN_UPDATE_FILES}a.yaml=tag_regex"
    make(tmp_path / "gitops", {"a.yaml": b"tag: '0'\n"})
    tag = HOSTILE.replace("\x00", "")
    variables = {"TAG_VAR": tag, "TAG_REGEX": "tag: (?<tag>.*)", "GITHUB_ACTIONS": "true"}
    for arguments in (("-m", rules), ("-m", rules.replace("nothing", ".*")), ("-m", rules, "--dump"), ("-m", tag)):
        ran = run(tmp_path, "apply", "-d", "gitops", "--env", *arguments, **variables)
        others = "\n".join(line for line in output(ran).split("\n") if not line.startswith("::error"))
        assert obeyed(others) == []
        errors = [line for line in output(ran).split("\n") if line.startswith("::error")]
        assert [found for line in errors for found in obeyed(line.removeprefix("::"))] == []


@pytest.mark.parametrize(
    "arguments",
    [
        ("set", "{c}", "tag", HOSTILE),
        ("set", "{c}", "tag", "2", "--diff"),
        ("set", "{c}", HOSTILE, "2"),
        ("set", HOSTILE, "tag", "2"),
        ("image", "{c}", HOSTILE, "--tag", HOSTILE),
        ("check", HOSTILE),
        ("check", "{c}"),
        ("convert", HOSTILE),
        ("convert", "{c}"),
        ("plan", "-d", HOSTILE),
        ("plan", "-d", "{folder}", "-m", HOSTILE),
        ("plan", "-d", "{folder}", "-v", HOSTILE),
        ("plan", "-d", "{folder}", "--payload", HOSTILE),
        ("deliveries", "list", "--state", HOSTILE),
        ("deliveries", "list", "--since", HOSTILE),
        ("deliveries", "show", HOSTILE),
    ],
)
def test_no_verb_prints_what_is_obeyed(
    arguments: tuple[str, ...], folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Arguments, files and what is wrong with them, on both outputs."""
    monkeypatch.setenv("DATABASE_URL", f"sqlite:///{tmp_path / 'd.db'}")
    (folder / "c.yaml").write_text("tag: '1' # \x1b[2J\u202e ##[group]\n".replace("\x1b", ""), encoding="utf-8")
    ran = pointsman(*(part.format(c=folder / "c.yaml", folder=folder) if "{" in part else part for part in arguments))
    assert obeyed(output(ran)) == []


def test_a_diff_that_steers_nothing_can_be_applied(tmp_path: Path) -> None:
    """CRLF, tabs, byte order marks, joiners, blanks of all widths: every byte is there, and nothing is said."""
    before = "\ufefftag: 'a' # \U0001f468\u200d\U0001f469 \u2764\ufe0f\u00a0\u3000\tx\r\nb: 1\r\n"
    rules = b"version: 1\nmappings:\n- name: a\n  update: [{ files: a.yaml, set: { tag: new } }]\n"
    files = {".github/pointsman.yaml": rules, "a.yaml": before.encode()}
    ran = pointsman("plan", "-d", make(tmp_path / "gitops", files), "-f", "diff")
    assert ran.err == ""
    assert patched(files, ran.out)["a.yaml"] == before.replace("'a'", "'new'").encode()


def test_a_diff_that_had_to_be_escaped_says_so(folder: Path) -> None:
    """It cannot be applied any more, which nobody should find out from `git apply`."""
    ran = pointsman("set", folder / "b.yaml", "tag", "2", "--diff")
    assert "escaped" not in ran.err
    (folder / "b.yaml").write_text("tag: '1' # \u202e\n", encoding="utf-8")
    ran = pointsman("set", folder / "b.yaml", "tag", "2", "--diff")
    assert "warning: control characters or workflow commands are escaped in the diff" in ran.err
    assert r"+tag: '2' # \u202e" in ran.out


@examples(300)
@given(st.text(st.sampled_from("::##[]ab \n\r\t\x1b\x85\u2028\u202e\u00a0\ufeff\ud800"), max_size=30))
def test_printable_text_is_never_obeyed(text: str) -> None:
    """In every form, also between lines of ours; and it is printable as it is when it is printed again."""
    for made in (printable(text), printable_line(text), f"  {printable_line(text)}", printable_json({"a": text})):
        assert obeyed(made) == []
        assert printable(made) == made
    assert json.loads(printable_json([text])) == [text]
    assert "\n" not in printable_line(text) + escape(text)
    kept = re.sub("(?m)^([ +-])\ufeff", r"\1x", printable_diff(text)).replace("\r\n", "\n")
    assert obeyed(kept) == []


def test_git_is_asked_what_a_patch_is(tmp_path: Path) -> None:
    """The diff of a file with CRLF is a patch to Git too."""
    folder = make(tmp_path / "gitops", {"a.yaml": b"tag: '1'\r\nb: 2\r\n"})
    ran = pointsman("set", folder / "a.yaml", "tag", "2", "--diff")
    patch = ran.out.replace(str(folder / "a.yaml").lstrip("/"), "a.yaml")
    subprocess.run(["git", "apply", "-"], cwd=folder, input=patch.encode(), check=True)
    assert (folder / "a.yaml").read_bytes() == b"tag: '2'\r\nb: 2\r\n"
