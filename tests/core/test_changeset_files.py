"""Files that come and go: what a plan with them makes of a snapshot, and what is said of it."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from decided import planned, view
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.core.changeset import CREATED, DELETED, Changeset, NoChange, combine, compute
from bot.core.diff import unified
from bot.core.mapping import CommitSettings
from bot.core.message import commit_message
from bot.core.meter import Meter
from bot.core.snapshot import EXECUTABLE, REGULAR, SUBMODULE, SYMLINK, File
from bot.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bot.core.snapshot import Snapshot

Files = dict[str, "str | bytes | File"]
PAYLOAD = {"tag": "2.0", "n": 7}


def mappings(*entries: str) -> str:
    """A mapping file whose only mapping has these entries, each in flow style without its braces."""
    return "version: 1\nmappings:\n  - name: a\n    update:\n" + "".join(f"      - {{ {one} }}\n" for one in entries)


def result(files: Files | Snapshot, *entries: str, payload: Any = None) -> Changeset | NoChange:
    """What the entries make of these files."""
    given = view(files) if isinstance(files, dict) else files
    return compute(planned(payload or PAYLOAD, mappings(*entries)), given, Meter(lambda: 0.0))


def changeset(files: Files | Snapshot, *entries: str, payload: Any = None) -> Changeset:
    made = result(files, *entries, payload=payload)
    assert isinstance(made, Changeset)
    return made


def after(files: Files | Snapshot, *entries: str, payload: Any = None) -> Mapping[str, bytes | None]:
    return {path: change.after for path, change in changeset(files, *entries, payload=payload).files.items()}


def reasons(files: Files | Snapshot, *entries: str) -> tuple[str, ...]:
    made = result(files, *entries)
    assert isinstance(made, NoChange)
    return made.reasons


def refusal(files: Files | Snapshot, *entries: str, payload: Any = None) -> str:
    with pytest.raises(InputError) as caught:
        result(files, *entries, payload=payload)
    return str(caught.value)


CREATE = "files: apps/x.yaml, create: 'tag: ${{ tag }}'"
EMPTY = "files: apps/x.yaml, create: ''"
DELETE = "files: apps/x.yaml, delete: true"
SET = "files: apps/x.yaml, set: {tag: '3.0'}"


# -- files that come


def test_a_new_file_has_no_bytes_before_and_is_regular() -> None:
    """There is no blob of it yet; the span says that it is the file itself."""
    change = changeset({}, CREATE).files["apps/x.yaml"]
    assert (change.before, change.after, change.mode, change.oid) == (None, b"tag: 2.0", REGULAR, "")
    assert [(span.mapping, span.field, span.line, span.column, span.old, span.new) for span in change.spans] == [
        ("a", CREATED, 1, 1, "", "")
    ]
    assert changeset({}, EMPTY).files["apps/x.yaml"].after == b""


def test_a_file_that_is_there_with_the_same_content_is_no_change() -> None:
    """The same dispatch twice creates once."""
    assert reasons({"apps/x.yaml": "tag: 2.0"}, CREATE) == ("mapping 'a': the file is there already: apps/x.yaml",)


@pytest.mark.parametrize("there", ["tag: 1.0", "", File(REGULAR, "1" * 40, None, 5_000_000)])
def test_a_file_that_is_there_with_other_content_is_never_overwritten(there: str | File) -> None:
    """The sentence says what can be done."""
    assert refusal({"apps/x.yaml": there}, CREATE) == (
        "apps/x.yaml: the file exists already with other content; delete it in an update before, or change its fields"
    )


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"apps": "a file"}, "apps/x.yaml: apps is no folder but a file or a link, so nothing can be created below it"),
        ({"apps": File(SYMLINK, "1" * 40)}, "apps/x.yaml: apps is no folder but a file or a link"),
        ({"apps": File(SUBMODULE, "1" * 40)}, "apps/x.yaml: apps is no folder but a file or a link"),
        ({"apps/x.yaml/b": "1"}, "apps/x.yaml: there is a folder of this name, so no file can be created"),
        ({"apps/x.yaml": File(SYMLINK, "1" * 40)}, "apps/x.yaml is a symbolic link, which is never written"),
    ],
)
def test_a_file_needs_a_place(files: Files, expected: str) -> None:
    """Nothing is put through a file or a link, nor over a folder."""
    assert refusal(files, CREATE).startswith(expected)


def test_a_folder_that_was_asked_for_is_known() -> None:
    """Of a folder a snapshot has no more than its name."""
    there = replace(view({}), folders=frozenset({"apps/x.yaml"}))
    assert refusal(there, CREATE) == "apps/x.yaml: there is a folder of this name, so no file can be created"


def test_a_file_that_goes_makes_no_room_for_a_folder() -> None:
    """One commit does not make a folder of a file."""
    assert "apps is no folder" in refusal({"apps": "1"}, "files: apps, delete: true", CREATE)


def test_an_lfs_pointer_is_not_created() -> None:
    """It is refused as one that is there."""
    entry = 'files: x, create: "version https://git-lfs.github.com/spec/v1\\noid sha256:1\\n"'
    assert refusal({}, entry).startswith("x is a Git LFS pointer, which is never written")


@pytest.mark.parametrize(
    ("content", "tag", "expected"),
    [
        ("tag: ${{ tag }}", "1.0", "tag: 1.0"),
        ("tag: '${{ tag }}'", "a: b # c", "tag: 'a: b # c'"),
        ("tag: ${{ tag }}", "", "tag: "),
        ("tag: v${{ tag }}-${{ n }} # ${{ tag }}", "1.0", "tag: v1.0-7 # 1.0"),
        ("${{ tag }}: 1", "key", "key: 1"),
        ("{{ if }}: ${{ tag }}: a", "x: y", "{{ if }}: x: y: a"),
        ("tag: ${{ tag }}", "a: b", None),
        ("tag: ${{ tag }}", "x # y", None),
        ("tag: ${{ tag }}", "[a]", None),
        ("tag: ${{ tag }}", "*a", None),
        ("tag: ${{ tag }}", "'1.0'", None),
        ("{tag: ${{ tag }}}", "1, admin: true", None),
        ('tag: "${{ tag }}"', '1" #', None),
    ],
)
def test_a_value_in_a_new_yaml_file_is_the_value_it_stands_for(content: str, tag: str, expected: str | None) -> None:
    """It brings no structure of its own; what is no YAML without values either (a template) is not judged."""
    entry = f"files: x.yaml, create: {json.dumps(content)}"
    if expected is None:
        assert refusal({}, entry, payload={"tag": tag, "n": 7}).startswith("x.yaml: ")
    else:
        assert after({}, entry, payload={"tag": tag, "n": 7}) == {"x.yaml": expected.encode()}
    text = content.replace("${{ tag }}", tag).replace("${{ n }}", "7").encode()
    assert after({}, entry.replace("x.yaml", "x.env"), payload={"tag": tag, "n": 7}) == {"x.env": text}


def test_a_value_that_is_the_whole_content_may_be_anything() -> None:
    """Then the mapping file says that the payload decides."""
    text = "a: 1\nb: [2]\n"
    assert after({}, "files: x.yaml, create: '${{ text }}'", payload={"text": text}) == {"x.yaml": text.encode()}


def test_a_new_json_file_is_json() -> None:
    """Whatever stands in its values."""
    entry = 'files: x.json, create: \'{"tag": "${{ tag }}"}\''
    assert after({}, entry) == {"x.json": b'{"tag": "2.0"}'}
    assert "structure" in refusal({}, entry, payload={"tag": '1", "admin": "x'})
    assert refusal({}, "files: x.json, create: 'a: 1'") == "x.json: the content of the new file is not JSON"


# -- files that go


def test_a_file_that_goes_has_no_bytes_after() -> None:
    """Blob and mode are those that were read: what writes may need them."""
    change = changeset({"apps/x.yaml": File(EXECUTABLE, "3" * 40, b"\xff")}, DELETE).files["apps/x.yaml"]
    assert (change.before, change.after, change.mode, change.oid) == (b"\xff", None, EXECUTABLE, "3" * 40)
    assert [span.field for span in change.spans] == [DELETED]


def test_a_glob_deletes_all_that_it_matches_and_may() -> None:
    """Links and what is below .github/ are passed over, as ever."""
    files: Files = {
        "p/a.yaml": "1",
        "p/b.yaml": "2",
        "q/c.yaml": "3",
        "p/l.yaml": File(SYMLINK, ""),
        ".github/d.yaml": "",
    }
    assert after(files, "files: '**/*.yaml', delete: true") == {"p/a.yaml": None, "p/b.yaml": None, "q/c.yaml": None}


@pytest.mark.parametrize(
    ("file", "expected"),
    [
        (File(SYMLINK, ""), "apps/x.yaml is a symbolic link"),
        (File(SUBMODULE, ""), "apps/x.yaml is a submodule"),
        (File(REGULAR, "", b"version https://git-lfs.github.com/spec/v1\n"), "apps/x.yaml is a Git LFS pointer"),
        (File(REGULAR, "", None, 4_000_001), "apps/x.yaml: the file has more than 4,000,000 bytes"),
    ],
)
def test_what_is_never_written_is_not_deleted_either(file: File, expected: str) -> None:
    """By its name it is refused."""
    assert refusal({"apps/x.yaml": file}, DELETE).startswith(expected)


def test_deleting_nothing_is_a_note() -> None:
    """As with every glob that matches nothing."""
    assert reasons({}, DELETE) == ("mapping 'a': no file matches 'apps/x.yaml'",)


# -- one after the other


@pytest.mark.parametrize(
    ("files", "entries", "expected"),
    [
        ({}, (CREATE, SET), {"apps/x.yaml": b"tag: '3.0'"}),
        ({}, (CREATE, "files: '**/*.yaml', regex: 'tag: (?<tag>.*)'", "files: apps/*, set: {tag: 1}"),
         {"apps/x.yaml": b"tag: 1"}),
        ({"apps/x.yaml": "tag: 1.0"}, (DELETE, CREATE), {"apps/x.yaml": b"tag: 2.0"}),
        ({"apps/x.yaml": "tag: 1.0"}, (SET, DELETE), {"apps/x.yaml": None}),
        ({"apps/x.yaml": "tag: 1.0", "b": "1"}, (DELETE, SET, "files: b, delete: true"),
         {"apps/x.yaml": None, "b": None}),
    ],
)  # fmt: skip
def test_each_edit_sees_the_files_that_the_one_before_left(
    files: Files, entries: tuple[str, ...], expected: dict[str, bytes | None]
) -> None:
    """Created ones are edited, by their name and by globs, deleted ones are not there any more."""
    assert after(files, *entries) == {
        path: data and data.replace(b"'3.0'", b'"3.0"') for path, data in expected.items()
    }


@pytest.mark.parametrize(
    ("files", "entries"),
    [
        ({}, (CREATE, DELETE)),
        ({"apps/x.yaml": "tag: 2.0"}, (DELETE, CREATE)),
        ({"apps/x.yaml": "tag: 2.0"}, (SET, DELETE, CREATE)),
    ],
)
def test_what_ends_as_it_began_is_no_change(files: Files, entries: tuple[str, ...]) -> None:
    """Whatever came and went on the way."""
    assert reasons(files, *entries) == ("the edits undo each other",)


def test_a_file_that_goes_and_comes_keeps_its_mode_and_blob() -> None:
    """To what writes it is one file that changes."""
    made = changeset({"apps/x.yaml": File(EXECUTABLE, "3" * 40, b"1", 1)}, DELETE, CREATE).files["apps/x.yaml"]
    assert (made.before, made.after, made.mode, made.oid) == (b"1", b"tag: 2.0", EXECUTABLE, "3" * 40)
    assert [span.field for span in made.spans] == [DELETED, CREATED]


def test_the_next_delivery_sees_what_came_and_not_what_went() -> None:
    """Its view has the new file and lacks the old one."""
    first = view({"b.yaml": "1"})
    second = first.with_(changeset(first, CREATE, "files: b.yaml, delete: true"))
    assert {path: file.data for path, file in second.files.items()} == {"apps/x.yaml": b"tag: 2.0"}
    assert reasons(second, CREATE) == ("mapping 'a': the file is there already: apps/x.yaml",)
    assert set(first.files) == {"b.yaml"}


def test_deliveries_that_create_and_delete_come_together() -> None:
    """From what was before the first to what is after the last; what undoes itself is nothing."""
    empty = view({})
    created = changeset(empty, CREATE)
    there = empty.with_(created)
    edited, deleted = changeset(there, SET), changeset(there, DELETE)
    combined = combine([created, edited])
    assert combined is not None
    change = combined.files["apps/x.yaml"]
    assert (change.before, change.after, change.oid) == (None, b'tag: "3.0"', "")
    assert combine([created, deleted]) is None
    again = combine([changeset({"apps/x.yaml": "1"}, DELETE), created])
    assert again is not None
    assert (again.files["apps/x.yaml"].before, again.files["apps/x.yaml"].after) == (b"1", b"tag: 2.0")


STEPS = st.lists(st.tuples(st.sampled_from(["create", "delete"]), st.sampled_from("abc"), st.sampled_from("12")))


@settings(max_examples=200)
@given(there=st.dictionaries(st.sampled_from("abc"), st.sampled_from("12")), steps=STEPS)
def test_any_files_that_come_and_go_leave_what_a_folder_would_have(
    there: dict[str, str], steps: list[tuple[str, str, str]]
) -> None:
    """Whatever the order: the changeset leads from the files before to those after, and has nothing else."""
    expected, refused = dict(there), False
    for kind, path, content in steps:
        if kind == "delete":
            expected.pop(path, None)
        elif not refused:
            refused = expected.setdefault(path, content) != content
    entries = [
        f"files: {path}, delete: true" if kind == "delete" else f"files: {path}, create: '{content}'"
        for kind, path, content in steps
    ] or ["files: none, delete: true"]
    files: Files = dict(there)
    if refused:
        assert "exists already with other content" in refusal(files, *entries)
        return
    made = result(files, *entries)
    changes = made.files if isinstance(made, Changeset) else {}
    assert {path for path in {*there, *expected} if there.get(path) != expected.get(path)} == set(changes)
    for path, change in changes.items():
        assert (change.before or b"").decode() == there.get(path, "")
        assert (change.after or b"").decode() == expected.get(path, "")
        assert (change.before is None, change.after is None) == (path not in there, path not in expected)


# -- what is said of it


def test_the_message_says_which_files_come_and_go() -> None:
    """In the headline, and with a line for each change."""
    plan = planned(PAYLOAD, mappings(CREATE))
    made = changeset(
        {"b.yaml": "1", "c.yaml": "a: 1\nb: 2\n"}, CREATE, "files: b.yaml, delete: true", "files: c.yaml, unset: b"
    )
    message = commit_message([("d1", plan, made)], CommitSettings())
    assert message.headline == "a: apps/x.yaml created, b.yaml deleted, no b"
    assert message.body.splitlines()[:3] == [
        "* apps/x.yaml: the file is created",
        "* b.yaml: the file is deleted",
        "* c.yaml: b 2 -> (empty)",
    ]


def test_the_diff_is_one_that_git_applies() -> None:
    """New and deleted files are named so, empty ones too."""
    made = changeset({"b.yaml": "1\n"}, CREATE, "files: b.yaml, delete: true", "files: e, create: ''").files
    assert [unified(change) for change in made.values()] == [
        (
            "diff --git a/apps/x.yaml b/apps/x.yaml\nnew file mode 100644\n--- /dev/null\n+++ b/apps/x.yaml\n"
            "@@ -0,0 +1 @@\n+tag: 2.0\n\\ No newline at end of file\n"
        ),
        "diff --git a/b.yaml b/b.yaml\ndeleted file mode 100644\n--- a/b.yaml\n+++ /dev/null\n@@ -1 +0,0 @@\n-1\n",
        "diff --git a/e b/e\nnew file mode 100644\n",
    ]
