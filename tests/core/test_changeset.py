"""A plan carried out on a snapshot: exactly the bytes meant, or a sentence why not."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import pytest
from decided import HEAD, MAPPINGS, PATH, changed, planned, view

from bot.core.changeset import Changeset, NoChange, combine, compute
from bot.core.meter import Meter
from bot.core.snapshot import EXECUTABLE, MAX_FILE_BYTES, REGULAR, SUBMODULE, SYMLINK, File
from bot.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping

PAYLOAD = {"tag": "2-dev"}
GLOB = MAPPINGS.replace("environments/dev/values.yaml", "'**/*.yaml'")
REGEX = MAPPINGS.replace("set: { image.tag: '${{ tag }}' }", "regex: 'tag: (?<tag>\\S+)'")
LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n"


def after(
    files: Mapping[str, str | bytes | File], mappings: str = MAPPINGS, payload: Any = None
) -> dict[str, bytes | None]:
    _, change = changed(files, payload or PAYLOAD, mappings)
    assert isinstance(change, Changeset)
    return {path: file.after for path, file in change.files.items()}


def reasons(files: Mapping[str, str | bytes | File], mappings: str = MAPPINGS, payload: Any = None) -> tuple[str, ...]:
    _, change = changed(files, payload or PAYLOAD, mappings)
    assert isinstance(change, NoChange)
    return change.reasons


def test_only_the_bytes_of_the_value_change() -> None:
    """Comments, quotes, CRLF, a missing final newline and all other bytes stay."""
    text = b'# ours\r\nimage:   # the shop\r\n  tag: "1-dev" # set\r\n  other: x'
    assert after({PATH: text}) == {PATH: text.replace(b"1-dev", b"2-dev")}


def test_each_change_is_told_with_its_place() -> None:
    """By which mapping, which field, where, from what to what."""
    _, change = changed({PATH: "image:\n  tag: 1-dev\n"}, PAYLOAD)
    assert isinstance(change, Changeset)
    (span,) = change.files[PATH].spans
    assert (span.mapping, span.field, span.line, span.column, span.old, span.new) == (
        "dev", "image.tag", 2, 8, "1-dev", "2-dev",
    )  # fmt: skip
    assert (change.branch, change.base, change.notes) == ("main", HEAD, ())


def test_a_later_edit_sees_what_the_earlier_one_left() -> None:
    """Two operations on one file make one change, with the spans of both."""
    mappings = MAPPINGS + "      - { files: '**/values.yaml', regex: '2-(?<stage>\\w+)' }\n"
    _, change = changed({PATH: "image: { tag: 1-dev }\n"}, {**PAYLOAD, "stage": "qa"}, mappings)
    assert isinstance(change, Changeset)
    assert change.files[PATH].after == b"image: { tag: 2-qa }\n"
    assert [span.new for span in change.files[PATH].spans] == ["2-dev", "qa"]


@pytest.mark.parametrize(
    ("files", "mappings", "payload", "reason"),
    [
        ({}, MAPPINGS, None, "mapping 'dev': no file matches 'environments/dev/values.yaml'"),
        ({}, GLOB, None, "mapping 'dev': no file matches '**/*.yaml'"),
        ({PATH: "a: 1\n"}, REGEX, None, f"mapping 'dev': the regex matches nothing in {PATH}"),
        ({PATH: "tag: 2-dev\n"}, REGEX, None, f"mapping 'dev': the value is there already in {PATH}"),
        ({PATH: "image: {tag: 2-dev}\n"}, MAPPINGS, None, f"mapping 'dev': the value is there already in {PATH}"),
        ({PATH: "a: 1\n"}, MAPPINGS, {"tag": "1-prod"}, "no mapping holds"),
    ],
)
def test_nothing_to_do_says_why(files: Any, mappings: str, payload: Any, reason: str) -> None:
    """Each way in which nothing happens has a sentence of its own."""
    assert reasons(files, mappings, payload) == (reason,)


def test_edits_that_undo_each_other_are_no_change() -> None:
    """The file ends as it began, whatever happened on the way."""
    mappings = MAPPINGS + "      - { files: '**/values.yaml', set: { image.tag: 1-dev } }\n"
    assert reasons({PATH: "image: { tag: 1-dev }\n"}, mappings) == ("the edits undo each other",)


def test_an_edit_that_had_nothing_to_do_is_a_note_beside_the_change() -> None:
    """One mapping's file is not there, the other's changes: the changeset says both."""
    mappings = MAPPINGS + "      - { files: absent.yaml, set: { a: 1 } }\n"
    _, change = changed({PATH: "image: { tag: 1-dev }\n"}, PAYLOAD, mappings)
    assert isinstance(change, Changeset)
    assert change.notes == ("mapping 'dev': no file matches 'absent.yaml'",)


@pytest.mark.parametrize(
    ("file", "reason"),
    [
        (File(SYMLINK, "1" * 40), "is a symbolic link"),
        (File(SUBMODULE, "1" * 40), "is a submodule"),
        (File(REGULAR, "1" * 40, LFS), "is a Git LFS pointer"),
    ],
)
def test_what_is_never_written_is_refused_by_name_and_passed_over_by_a_glob(file: File, reason: str) -> None:
    """A literal path to a link, a submodule or an LFS pointer is an error; a glob does not mean them."""
    with pytest.raises(InputError, match=reason):
        changed({PATH: file}, PAYLOAD)
    assert reasons({PATH: file}, GLOB) == ("mapping 'dev': no file matches '**/*.yaml'",)


def test_no_glob_reaches_below_dot_github() -> None:
    """A glob over everything leaves `.github/` alone; a literal path there is judged by itself."""
    files = {".github/values.yaml": "image: { tag: 1 }\n", PATH: "image: { tag: 1-dev }\n"}
    assert list(after(files, GLOB)) == [PATH]
    literal = MAPPINGS.replace(PATH, ".github/values.yaml")
    assert list(after(files, literal)) == [".github/values.yaml"]


@pytest.mark.parametrize(
    ("content", "line", "sentence"),
    [
        (b"a: 1\nb: \xff\n", 2, "the file is not UTF-8, so it stays untouched"),
        (b"#" * (MAX_FILE_BYTES + 1), None, "the file has 4,000,001 bytes; 4,000,000 is the most"),
        (b"image: {tag: 1\n", 2, "expected"),
        (b"image: &a {tag: 1}\nother: *a\nimage: 2\n", 3, "image"),
    ],
)
def test_a_file_that_cannot_be_edited_stays_and_the_place_is_told(
    content: bytes, line: int | None, sentence: str
) -> None:
    """The error names the file, and the line where there is one."""
    with pytest.raises(InputError) as caught:
        changed({PATH: content}, PAYLOAD)
    (problem,) = caught.value.problems
    assert (problem.file, problem.line) == (PATH, line)
    assert sentence in problem.sentence


def test_mode_and_blob_are_those_that_were_read() -> None:
    """What writes needs them: the mode to keep it, the blob as a precondition."""
    _, change = changed({PATH: File(EXECUTABLE, "3" * 40, b"image: { tag: 1-dev }\n")}, PAYLOAD)
    assert isinstance(change, Changeset)
    assert (change.files[PATH].mode, change.files[PATH].oid) == (EXECUTABLE, "3" * 40)


def test_more_than_five_hundred_files_are_refused() -> None:
    """A glob that means the whole repository is a mistake, not a commit."""
    files = {f"apps/{i}.yaml": "image: { tag: 1-dev }\n" for i in range(501)}
    with pytest.raises(InputError, match="501 files; 500 at most"):
        changed(files, PAYLOAD, GLOB)


def test_a_regex_stops_when_the_time_of_its_file_is_up() -> None:
    """The budget is one for each file, shared by all patterns; the clock is an argument."""
    seconds = itertools.count(0.0, 0.4)
    mappings = REGEX.replace("'tag: (?<tag>\\S+)'", "['a(?<tag>x)', 'b(?<tag>x)']")
    with pytest.raises(InputError, match="was stopped after") as caught:
        compute(planned(PAYLOAD, mappings), view({PATH: "tag: 1\n"}), Meter(lambda: next(seconds)))
    assert caught.value.problems[0].file == PATH


def steps(*tags: str, content: str = "image: { tag: 1-dev }\n") -> list[Changeset]:
    """The changesets of deliveries that came one after the other, each on the view the one before left."""
    made, current = [], view({PATH: content, "b.yaml": "image: { tag: 0-dev }\n"})
    for tag in tags:
        change = compute(planned({"tag": tag}), current, Meter(lambda: 0.0))
        assert isinstance(change, Changeset)
        current = current.with_(change)
        made.append(change)
    return made


def test_changesets_in_turn_make_one() -> None:
    """From the bytes before the first to those after the last, with every span on the way."""
    combined = combine(steps("2-dev", "3-dev", "4-dev"))
    assert combined is not None
    file = combined.files[PATH]
    assert (file.before, file.after) == (b"image: { tag: 1-dev }\n", b"image: { tag: 4-dev }\n")
    assert [span.new for span in file.spans] == ["2-dev", "3-dev", "4-dev"]


def test_changesets_that_end_where_they_began_are_nothing() -> None:
    """A tag set and set back needs no commit."""
    assert combine(steps("2-dev", "1-dev")) is None


def test_changesets_of_different_bases_are_not_put_together() -> None:
    """That would undo somebody's commit: it is a bug of the caller."""
    first, second = steps("2-dev", "3-dev")
    moved = Changeset(second.branch, "2" * 40, second.files)
    with pytest.raises(ValueError, match="too many values"):
        combine([first, moved])


FLOW = "env: { TAG: old, RUN_AS_ROOT: no,\n  LOG: info }\n"
ARGS = "args: --tag=old --safe\n"


@pytest.mark.parametrize(
    ("content", "pattern", "value", "expected"),
    [
        (FLOW, "TAG: (?<tag>[^,]+)", "new, ADMIN: yes, #", None),
        (FLOW, "TAG: (?<tag>[^,]+)", "new", FLOW.replace("old", "new")),
        (ARGS, "--tag=(?<tag>\\S+)", "new #", None),
        (ARGS, "--tag=(?<tag>\\S+)", "new", ARGS.replace("old", "new")),
        ('a: {tag: "1", b: c}\n', 'tag: "(?<tag>[^"]*)"', '1", privileged: true, x: "y', None),
        ('tag: "1"\n', 'tag: "(?<tag>[^"]*)"', '1" oops', None),
        ('tag: ""\n', 'tag: "(?<tag>[^"]*)"', "1", 'tag: "1"\n'),
        ("image: shop:1@1\n", "shop:(?<tag>[^@]+)", "2", "image: shop:2@1\n"),
        ("# tag: old\na: 1\n", "# tag: (?<tag>.*)", "x: y #", "# tag: x: y #\na: 1\n"),
        ('tag: "1" # was "0"\n', 'tag: "(?<tag>.*)"', "2", 'tag: "2"\n'),
        ('tag: "1" # was "0"\n', 'tag: "(?<tag>.*)"', '2", a: "b', None),
        ('tag: "1" # was "0"\n', 'tag: "(?<tag>.*)"', '2" # "', None),
        ("tag: '1' # 'a'\n", "tag: '(?<tag>.*)'", "2", "tag: '2'\n"),
        ("tag: 1.0 # set\n", "tag: (?<tag>.*)", "2.0", "tag: 2.0\n"),
        ("tag: 1.0 # set\n", "tag: (?<tag>.*)", "2.0 # by us", None),
        ("args: --tag=1 --safe # on\n", "--tag=(?<tag>\\S+)", "2 # on", None),
        ('a: {tag: "1", b: "c"}\n', 'tag: "(?<tag>.*)"', "2", None),
        ('tag: "v1"\n', "tag: (?<tag>\\S+)", "v2", "tag: v2\n"),
        ('tag: "1.0"\n', "tag: (?<tag>\\S+)", "2.0", None),
        ('tag: "v1"\n', "tag: (?<tag>\\S+)", "|-", None),
        ("{{ if }}\ntag: old\n", "tag: (?<tag>.*)", "1: 2", "{{ if }}\ntag: 1: 2\n"),
    ],
)
def test_a_value_that_a_regex_fills_in_changes_no_structure(
    content: str, pattern: str, value: str, expected: str | None
) -> None:
    """It changes the scalar it stands in and nothing else; what was no YAML before is not judged.

    A comment and quotes that the pattern captured go, as its author asked for, but no other value does.
    """
    escaped = pattern.replace("'", "''")
    mappings = MAPPINGS.replace("set: { image.tag: '${{ tag }}' }", f"regex: '{escaped}'").replace("'.*-dev'", "'.*'")
    if expected is None:
        with pytest.raises(InputError, match=r"no YAML any more|would change the structure"):
            changed({PATH: content}, {"tag": value}, mappings)
    else:
        assert after({PATH: content}, mappings, {"tag": value}) == {PATH: expected.encode()}
