"""`pointsman set`, and with it what `unset` and `image` do alike: files, standard input, `--check` and `--diff`."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from gitops import contents, make, patched, traces
from program import SECONDS, Ran, environment, pointsman, run, unprivileged

if TYPE_CHECKING:
    from collections.abc import Iterator

VALUES = b'# dev\r\nimage:\r\n  tag: "1.0"  # ours\r\nreplicas: 2'
SET = ("image.tag", "1.1")
AFTER = VALUES.replace(b'"1.0"', b'"1.1"')
SAID = 'values.yaml:3:8: image.tag: "1.0" → "1.1"\n'
IMAGES = b"containers:\n- image: ghcr.io/acme/shop:1.0\n"
TWO = b"kind: Service\nmetadata: {name: web}\nport: 80\n---\nkind: Deployment\nmetadata: {name: web}\nport: 80\n"
DIFF = """\
--- a/values.yaml
+++ b/values.yaml
@@ -1,4 +1,4 @@
 # dev\r
 image:\r
-  tag: "1.0"  # ours\r
+  tag: "1.1"  # ours\r
 replicas: 2
\\ No newline at end of file
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to be in, with one file."""
    monkeypatch.chdir(make(tmp_path / "gitops", {"values.yaml": VALUES}))
    return tmp_path / "gitops"


def piped(data: bytes, *arguments: str) -> tuple[int, bytes, str]:
    """Run with `data` on standard input; return exit code, the bytes of standard output, and standard error."""
    ran = subprocess.run(
        [sys.executable, "-m", "bot", *arguments], input=data, capture_output=True, check=False, timeout=SECONDS
    )
    return ran.returncode, ran.stdout, ran.stderr.decode()


@pytest.mark.parametrize(
    ("before", "arguments", "after"),
    [
        (VALUES, SET, AFTER),
        (b"\xef\xbb\xbf" + VALUES, SET, b"\xef\xbb\xbf" + AFTER),
        (b"a: 1 # one\n", ("a", "2"), b'a: "2" # one\n'),
        (b"a: x\n", ("a", "1.10"), b'a: "1.10"\n'),
        (b"a: x\n", ("a", "true"), b'a: "true"\n'),
        (b"a: x\n", ("a", "v1 #b: c"), b'a: "v1 #b: c"\n'),
        (b"a: x\n", ("a", ""), b'a: ""\n'),
        (b"a: x\n", ("a", "✓"), "a: ✓\n".encode()),
        (b"a: x\n", ("a", "3", "--type", "number"), b"a: 3\n"),
        (b"a: x\n", ("a", "1.10", "--type", "number"), b"a: 1.10\n"),
        (b"a: x\n", ("a", "-1", "--type", "number"), b"a: -1\n"),
        (b"a: x\n", ("a", "-1.50", "--type=number"), b"a: -1.50\n"),
        (b"a: x\n", ("--type", "number", "a", "--", "-1"), b"a: -1\n"),
        (b"a: x\n", ("a", "99999999999999999999", "--type", "number"), b"a: 99999999999999999999\n"),
        (b"a: x\n", ("a", "true", "--type", "bool"), b"a: true\n"),
        (b"a: x\n", ("a", "false", "--type", "bool"), b"a: false\n"),
        (b"a: x\n", ("a", "--type", "null"), b"a: null\n"),
        (b"a: x\n", ("a", "null", "--type", "null"), b"a: null\n"),
        (b"a: x\n", ("a", '"3"', "--type", "json"), b'a: "3"\n'),
        (b"a: x\n", ("a", "3.0", "--type", "json"), b"a: 3.0\n"),
        (b"a: x\n", ("a", "--", "--verbose"), b"a: --verbose\n"),
        (b"a:\n- b: x\n- b: y\n  c: d\n", ("$.a[?(@.b=='y')].c", "z"), b"a:\n- b: x\n- b: y\n  c: z\n"),
        (b"a:\n- b: x\n- b: y\n", ("a[*].b", "z", "--all"), b"a:\n- b: z\n- b: z\n"),
        (b"a: 1\n", ("b.c", "x", "--create"), b"a: 1\nb:\n  c: x\n"),
        (
            b"a: 1\n",
            ("b", '{"c": [1.10, true]}', "--type", "json", "--create"),
            b"a: 1\nb:\n  c:\n    - 1.10\n    - true\n",
        ),
        (b"a:\n- x\n", ("a[+]", "z", "--create"), b"a:\n- x\n- z\n"),
        (b"values: |\n  tag: x\n", ("values | tag", "z"), b"values: |\n  tag: z\n"),
        (TWO, ("port", "81", "--type", "number", "--document", "1"), TWO[:-3] + b"81\n"),
        (TWO, ("port", "81", "--type", "number", "--document", "Deployment"), TWO[:-3] + b"81\n"),
        (TWO, ("port", "81", "--type", "number", "--document", "Deployment/web"), TWO[:-3] + b"81\n"),
    ],
)
def test_set_changes_the_value_that_is_meant_and_no_other_byte(
    before: bytes, arguments: tuple[str, ...], after: bytes, folder: Path
) -> None:
    """It has the type that was asked for; comments, quotes, line ends and the lack of one at the end stay."""
    (folder / "values.yaml").write_bytes(before)
    ran = pointsman("set", "values.yaml", *arguments)
    assert (ran.code, ran.err, contents(folder)) == (0, "", {"values.yaml": after})
    assert re.fullmatch(r"(values\.yaml:\d+:\d+: .+: .+ → .+\n)+", ran.out)
    assert ran.out.count("\n") == 1 + ("--all" in arguments)
    again = traces(folder)
    assert pointsman("set", "values.yaml", *arguments) == Ran(0, "values.yaml: already so\n", "")
    assert traces(folder) == again


@pytest.mark.parametrize(
    ("before", "arguments", "line"),
    [
        (VALUES, SET, SAID),
        (b"tag:\n", ("tag", "v1"), "values.yaml:1:5: tag: (nothing) → v1\n"),
        (b"a: |-\n  one\n  two\n", ("a", "x\ny"), "values.yaml:1:4: a: |- … → |- …\n"),
        (b"a: " + b"x" * 200 + b"\n", ("a", "v1"), f"values.yaml:1:4: a: {'x' * 120} … → v1\n"),
    ],
)
def test_set_says_in_one_line_what_became_what(
    before: bytes, arguments: tuple[str, ...], line: str, folder: Path
) -> None:
    """The place, the field, the source text before and after; of a long one its beginning."""
    (folder / "values.yaml").write_bytes(before)
    assert pointsman("set", "values.yaml", *arguments) == Ran(0, line, "")


def test_a_file_of_json_stays_json(folder: Path) -> None:
    """Its name says so: what is created has double quotes, as JSON wants them."""
    (folder / "values.json").write_bytes(b'{\n  "a": {"b": 1}\n}')
    assert pointsman("set", "values.json", "a.c", "x", "--create").code == 0
    assert (folder / "values.json").read_bytes() == b'{\n  "a": {"b": 1, "c": "x"}\n}'


@pytest.mark.parametrize(
    ("before", "arguments", "sentence"),
    [
        (VALUES, ("image.tga", "1"), r"values\.yaml:3:3: .*; did you mean 'tag'\?"),
        (VALUES, ("image", "1"), r"values\.yaml:3:3: .*"),
        (VALUES, ("image[", "1"), r"values\.yaml: field path 'image\[' cannot be read.*"),
        (VALUES, ("replicas", "[1]", "--type", "json"), r"values\.yaml.*: .*"),
        (VALUES, ("replicas", "1", "--document", "7"), r"values\.yaml: .*\b7\b.*"),
        (VALUES, ("replicas", "1", "--document", "-1"), r"values\.yaml: .*-1.*"),
        (TWO, ("port", "81"), r"values\.yaml.*: .*"),
        (b"a: [\n", ("a", "1"), r"values\.yaml:2:1: .*"),
        (b"a: \xff\n", ("a", "1"), r"values\.yaml:1: it is not UTF-8, so it stays untouched"),
        ("a: 1\n".encode("utf-16"), ("a", "1"), r"values\.yaml:1: it is not UTF-8, so it stays untouched"),
        (b"a: 1\n" + b"#" * 4_000_000, ("a", "1"), r"values\.yaml: it has more than 4,000,000 bytes, .*"),
        (VALUES, ("replicas", r'"\ud800"', "--type", "json"), r"values\.yaml: .* not UTF-8; it stays untouched"),
        (VALUES, ("replicas", "[" * 900 + "]" * 900, "--type", "json", "--create"), r"values\.yaml: .* too deeply"),
        (VALUES, ("replicas", "\udcff"), r"values\.yaml: .* not UTF-8; it stays untouched"),
    ],
)
def test_what_is_refused_leaves_the_file_untouched(
    before: bytes, arguments: tuple[str, ...], sentence: str, folder: Path
) -> None:
    """Exit 1 and `FILE:LINE:COLUMN: sentence` on standard error; no byte, mode or time of the file is another one."""
    (folder / "values.yaml").write_bytes(before)
    untouched = traces(folder)
    ran = pointsman("set", "values.yaml", *arguments)
    assert (ran.code, ran.out) == (1, "")
    assert re.fullmatch(f"{sentence}\n", ran.err)
    assert (traces(folder), contents(folder)) == (untouched, {"values.yaml": before})


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["image.tag"], "'VALUE': it is missing; only --type null goes without"),
        (["image.tag", "x", "--type", "null"], "'VALUE': 'x': with --type null it is null, or left out"),
        (["image.tag", "yes", "--type", "bool"], "'VALUE': 'yes': write true or false"),
        (["image.tag", "0x1F", "--type", "number"], "'VALUE': '0x1F': a number is written as 3, -1.10 or 6e23"),
        (["image.tag", "nan", "--type", "number"], "'VALUE': 'nan': a number is written as"),
        (["image.tag", "\u0661", "--type", "number"], "'VALUE': '\u0661': a number is written as"),
        (["image.tag", "NaN", "--type", "json"], "'VALUE': 'NaN': a number is written as"),
        (["image.tag", "[1, ", "--type", "json"], "'VALUE': this is no JSON: Expecting value"),
        (["image.tag", "[" * 100_000, "--type", "json"], "'VALUE': it is nested too deeply"),
        (["image.tag", '{"a": 1, "a": 2}', "--type", "json"], "'VALUE': it has the key 'a' twice"),
        (["image.tag", "x", "--document", ""], "'--document': write its number, from 0, or its KIND, or KIND/NAME"),
        (["image.tag", "x", "--document", "/web"], "'--document': write its number"),
        (["image.tag", "x", "--document", "Service/"], "'--document': write its number"),
        (["image.tag", "--creat"], "No such option: --creat"),
        (["image.tag", "-1", "--type", "int"], "'int' is not one of"),
        (["image.tag", "x", "replicas", "2"], "(replicas 2)"),
    ],
)
def test_a_value_of_another_type_or_a_mistyped_option_exits_2(
    arguments: list[str], sentence: str, folder: Path
) -> None:
    """What the command line alone shows to be wrong is said before any file is read."""
    untouched = traces(folder)
    ran = pointsman("set", "values.yaml", *arguments)
    assert (ran.code, ran.out) == (2, "")
    assert sentence in " ".join(ran.err.replace("│", " ").split())
    assert traces(folder) == untouched


@pytest.mark.parametrize(
    ("options", "ran"),
    [
        (["--check"], Ran(1, f"{SAID}values.yaml: would change\n", "")),
        (["--diff"], Ran(0, DIFF, "values.yaml: would change\n")),
        (["--check", "--diff"], Ran(1, DIFF, "values.yaml: would change\n")),
    ],
)
def test_check_and_diff_write_nothing(options: list[str], ran: Ran, folder: Path) -> None:
    """`--check` exits 1 where the file would change, `--diff` shows how, and both together do both."""
    untouched = traces(folder)
    assert pointsman("set", "values.yaml", *SET, *options) == ran
    assert traces(folder) == untouched


@pytest.mark.parametrize(
    ("options", "ran"),
    [
        (["--check"], Ran(0, "values.yaml: already so\n", "")),
        (["--diff"], Ran(0, "", "values.yaml: already so\n")),
        (["--check", "--diff"], Ran(0, "", "values.yaml: already so\n")),
    ],
)
def test_check_and_diff_are_content_with_a_file_that_is_so_already(options: list[str], ran: Ran) -> None:
    """Exit 0, and no diff."""
    assert pointsman("set", "values.yaml", "image.tag", "1.0", *options) == ran


def test_a_diff_can_be_applied(folder: Path) -> None:
    """Carriage returns and the missing line end included; a path has no slash in front, as `patch -p1` wants it."""
    ran = pointsman("set", folder / "values.yaml", *SET, "--diff")
    name = str(folder / "values.yaml").lstrip("/")
    assert patched({name: VALUES}, ran.out) == {name: AFTER}


def test_a_diff_has_colours_on_a_terminal(folder: Path) -> None:
    """The same as `pointsman plan` has."""
    ran = run(folder, "set", "values.yaml", *SET, "--diff", FORCE_COLOR="1")
    assert "\x1b[32m+  tag" in ran.out
    assert "\x1b[31m-  tag" in ran.out


@pytest.mark.parametrize(
    ("arguments", "before", "after"),
    [
        (("set", "-", *SET), VALUES, AFTER),
        (("set", "-", *SET), b"\xef\xbb\xbf" + VALUES, b"\xef\xbb\xbf" + AFTER),
        (("set", "-", "a", "-1", "--type", "number"), b"a: 1\n", b"a: -1\n"),
        (("unset", "-", "image.tag"), b"image:\n  name: a\n  tag: b\n", b"image:\n  name: a\n"),
        (("image", "-", "ghcr.io/acme/shop", "--tag", "1.1"), IMAGES, IMAGES.replace(b"1.0", b"1.1")),
    ],
)
def test_standard_input_comes_out_edited_on_standard_output(
    arguments: tuple[str, ...], before: bytes, after: bytes
) -> None:
    """Byte for byte, and nothing else beside it; what changed is on standard error. The result comes out as it is."""
    code, out, err = piped(before, *arguments)
    assert (code, out) == (0, after)
    assert re.fullmatch(r"stdin:\d+:\d+: .* → .*\n", err)
    assert piped(after, *arguments) == (0, after, "stdin: already so\n")


@pytest.mark.parametrize(
    ("data", "options", "ran"),
    [
        (b"a: 1\n", ["--check"], (1, b"", 'stdin:1:4: a: 1 → "2"\nstdin: would change\n')),
        (
            b"a: 1\n",
            ["--diff"],
            (0, b'--- a/stdin\n+++ b/stdin\n@@ -1 +1 @@\n-a: 1\n+a: "2"\n', "stdin: would change\n"),
        ),
        (b'a: "2"\n', ["--check"], (0, b"", "stdin: already so\n")),
        (b"a: \xff\n", [], (1, b"", "stdin:1: it is not UTF-8, so it stays untouched\n")),
    ],
)
def test_standard_output_has_no_text_where_there_is_none_to_write(
    data: bytes, options: list[str], ran: tuple[int, bytes, str]
) -> None:
    """With `--check`, with `--diff`, and where the edit is refused: no file is ever filled with half of it."""
    assert piped(data, "set", "-", "a", "2", *options) == ran


def test_a_file_named_as_standard_input_can_be_edited(folder: Path) -> None:
    """`./-` is a file."""
    (folder / "-").write_bytes(b"a: 1\n")
    assert pointsman("set", "./-", "a", "2") == Ran(0, './-:1:4: a: 1 → "2"\n', "")
    assert (folder / "-").read_bytes() == b'a: "2"\n'


@pytest.mark.parametrize(
    ("redirected", "sentence"),
    [
        ("<&-", "cannot read it: Bad file descriptor"),
        (">&-", "cannot write it: Bad file descriptor"),
        (">/dev/full", "cannot write it: No space left on device"),
    ],
)
def test_a_stream_that_fails_is_a_sentence(redirected: str, sentence: str, tmp_path: Path) -> None:
    """Standard input that is closed, standard output on a full disk: exit 1, and no traceback."""
    ran = subprocess.run(
        ["/bin/sh", "-c", f'echo "a: 1" | {{ "{sys.executable}" -m bot set - a 2 {redirected}; }}'],
        env={**environment(tmp_path), "PATH": os.defpath},
        capture_output=True,
        text=True,
        check=False,
        timeout=SECONDS,
    )
    assert (ran.returncode, ran.stdout, ran.stderr) == (1, "", f"stdin: {sentence}\n")


def test_a_symlink_stays_one_and_its_target_changes(folder: Path) -> None:
    """As with an editor: whoever names the link means what it leads to."""
    (folder / "link.yaml").symlink_to("values.yaml")
    assert pointsman("set", "link.yaml", *SET) == Ran(0, SAID.replace("values", "link"), "")
    assert (folder / "link.yaml").readlink() == Path("values.yaml")
    assert contents(folder) == {"values.yaml": AFTER, "link.yaml": AFTER}


@pytest.mark.parametrize("mode", [0o600, 0o644, 0o755])
def test_the_mode_of_the_file_stays(mode: int, folder: Path) -> None:
    """And no other file is left beside it."""
    (folder / "values.yaml").chmod(mode)
    assert pointsman("set", "values.yaml", *SET).code == 0
    assert (folder / "values.yaml").stat().st_mode & 0o7777 == mode
    assert contents(folder) == {"values.yaml": AFTER}


@pytest.mark.parametrize(
    ("file", "sentence"),
    [
        ("nowhere.yaml", "cannot read it: No such file or directory"),
        ("values.yaml/x", "cannot read it: Not a directory"),
        (".", "it is a folder; name a file"),
        ("pipe", "it is no regular file; - is standard input"),
        ("loop", "cannot read it: Too many levels of symbolic links"),
    ],
)
def test_what_is_no_file_is_a_sentence(file: str, sentence: str, folder: Path) -> None:
    """It is neither waited for nor made."""
    os.mkfifo(folder / "pipe")
    (folder / "loop").symlink_to("loop")
    untouched = traces(folder)
    assert pointsman("set", file, "a", "1", "--create") == Ran(1, "", f"{file}: {sentence}\n")
    assert traces(folder) == untouched


def test_a_file_with_a_name_that_is_not_utf_8_can_be_edited(folder: Path) -> None:
    """Its name is printed as far as it can be."""
    file = os.fsencode(folder) + b"/caf\xe9.yaml"
    with open(file, "wb") as stream:  # noqa: PTH123 - a Path is text
        stream.write(b"a: 1\n")
    assert piped(b"", "set", os.fsdecode(b"caf\xe9.yaml"), "a", "2") == (
        0,
        b'caf?.yaml:1:4: a: 1 \xe2\x86\x92 "2"\n',
        "",
    )


@pytest.fixture
def shared(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder to be in that others may enter and write to, with one file that they may write to as well."""
    with tempfile.TemporaryDirectory() as name:
        folder = make(Path(name), {"values.yaml": VALUES})
        folder.chmod(0o777)
        (folder / "values.yaml").chmod(0o666)
        monkeypatch.chdir(folder)
        yield folder


@pytest.mark.parametrize(
    ("path", "mode", "verb"), [("values.yaml", 0, "read"), ("values.yaml", 0o444, "write"), (".", 0o555, "write")]
)
def test_permissions_count(path: str, mode: int, verb: str, shared: Path) -> None:
    """A file that may not be written is not replaced by another one, though the folder would allow it."""
    (shared / path).chmod(mode)
    untouched = traces(shared)
    with unprivileged():
        ran = pointsman("set", "values.yaml", *SET)
    assert ran == Ran(1, "", f"values.yaml: cannot {verb} it: Permission denied\n")
    assert traces(shared) == untouched


def test_whoever_may_only_read_can_check(shared: Path) -> None:
    """`--check` and `--diff` need no more."""
    (shared / "values.yaml").chmod(0o444)
    shared.chmod(0o555)
    with unprivileged():
        assert pointsman("set", "values.yaml", *SET, "--check", "--diff").code == 1
        assert pointsman("set", "values.yaml", *SET, "--diff").out == DIFF
