"""What stays as it was: everything but the value."""

from __future__ import annotations

import pytest

from bot.core.yaml import Edited, FieldChange, SetField, edit


def edited(text: str, path: str, value: object) -> str:
    """The text after one edit."""
    return edit(text, [SetField(path, value)]).text  # type: ignore[arg-type]  # tables mix types


KEPT = [
    pytest.param(
        'image: repo:v1 # {"$imagepolicy": "flux-system:app"}\n',
        ("image", "repo:v2"),
        'image: repo:v2 # {"$imagepolicy": "flux-system:app"}\n',
        id="a comment on the line",
    ),
    pytest.param("image: {tag: v1, repo: foo}\n", ("image.tag", "v2"), "image: {tag: v2, repo: foo}\n", id="a brace"),
    pytest.param("a: 'v1'\nb: \"v1\"\n", ("a", "v2"), "a: 'v2'\nb: \"v1\"\n", id="single quotes"),
    pytest.param("a: 'v1'\nb: \"v1\"\n", ("b", "v2"), "a: 'v1'\nb: \"v2\"\n", id="double quotes"),
    pytest.param("a: &x v1\nb: 1\n", ("a", "v2"), "a: &x v2\nb: 1\n", id="an anchor"),
    pytest.param("a: &x # why\n  v1 # b\n", ("a", "v2"), "a: &x # why\n  v2 # b\n", id="an anchor on its own line"),
    pytest.param("a: !!str 1\n", ("a", "2"), 'a: !!str "2"\n', id="a str tag"),
    pytest.param("a: v1\r\nb: 2\r\n", ("a", "v2"), "a: v2\r\nb: 2\r\n", id="CRLF"),
    pytest.param("\ufeffa: v1\n", ("a", "v2"), "\ufeffa: v2\n", id="a byte order mark"),
    pytest.param("a: 1\nb: v1", ("b", "v2"), "a: 1\nb: v2", id="a last line without a break"),
    pytest.param("a: 1\n\n\n---\n\n# c\nb: v1\n\n", ("b", "v2"), "a: 1\n\n\n---\n\n# c\nb: v2\n\n", id="blank lines"),
    pytest.param("a:\n    - x\n    -  v1\n", ("a[1]", "v2"), "a:\n    - x\n    -  v2\n", id="list indentation"),
    pytest.param("a: 1     # c\nbb: 22   # d\n", ("bb", 3), "a: 1     # c\nbb: 3   # d\n", id="comment alignment"),
    pytest.param('a: "é 🚀"\nb: v1 # 🚀\n', ("b", "v2"), 'a: "é 🚀"\nb: v2 # 🚀\n', id="emoji"),
    pytest.param(f"a: {'w ' * 99}w\nb: v1\n", ("b", "v2"), f"a: {'w ' * 99}w\nb: v2\n", id="long lines"),
    pytest.param("a: >-\n  x\n  y\n\nb: v1\n", ("b", "v2"), "a: >-\n  x\n  y\n\nb: v2\n", id="folded blocks"),
    pytest.param("a:   v1   \n", ("a", "v2"), "a:   v2   \n", id="trailing blanks"),
    pytest.param("%YAML 1.1\n---\na: v1\n...\n", ("a", "v2"), "%YAML 1.1\n---\na: v2\n...\n", id="directives"),
    pytest.param("? a\n: v1\n", ("a", "v2"), "? a\n: v2\n", id="an explicit key"),
    pytest.param('{"a":"v1","b":[1]}', ("a", "v2"), '{"a":"v2","b":[1]}', id="JSON"),
    pytest.param("a: b\n  c\nd: 1\n", ("a", "v2"), "a: v2\nd: 1\n", id="what follows a value of two lines"),
]


@pytest.mark.parametrize(("text", "field", "expected"), KEPT)
def test_what_is_around_the_value_stays(text: str, field: tuple[str, object], expected: str) -> None:
    """Only the value's own characters change."""
    assert edited(text, *field) == expected


TYPED = [
    ('a: "abc"\n', True, "a: true\n"),
    ("a: 'abc'\n", 42, "a: 42\n"),
    ("a: abc\n", None, "a: null\n"),
    ("a: abc\n", 1.5, "a: 1.5\n"),
    ("a: abc\n", 1e16, "a: 1.0e+16\n"),
    ("a: abc\n", 1e-7, "a: 1.0e-07\n"),
    ("a: abc\n", -3, "a: -3\n"),
    ("a: 1\n", "2", 'a: "2"\n'),
    ("a: 1\nb: 'x'\n", "2", "a: '2'\nb: 'x'\n"),
    ("a: true\n", "v2", "a: v2\n"),
    ("a: v1\n", "12e4567", 'a: "12e4567"\n'),
    ("a: 1.10\n", "1.10", 'a: "1.10"\n'),
    ("a: v1\n", "", 'a: ""\n'),
    ("a: 'v1'\n", "it's", "a: 'it''s'\n"),
    ("a: 'v1'\n", "a\nb", 'a: "a\\nb"\n'),
    ('a: "v1"\n', 'say "x" \\', 'a: "say \\"x\\" \\\\"\n'),
    ("a:\n", "v2", "a: v2\n"),
    ("a:   # why\n", "v2", "a: v2   # why\n"),
    ("a:\n", 1, "a: 1\n"),
    ("a: {b: }\n", "v2", "a: {b: v2}\n"),
    ("a: {b: , c: 1}\n", "v2", "a: {b: v2, c: 1}\n"),
    ("a: [x]\n", "y]", 'a: ["y]"]\n'),
    ('{"a": 1}\n', "v2", '{"a": "v2"}\n'),
    ("a: |\n  x\n  y\n\n# c\n", "n1\nn2\n", "a: |\n  n1\n  n2\n\n# c\n"),
    ("a: |\n  x\n  y\n\n# c\n", "n1\n\nn2", "a: |-\n  n1\n\n  n2\n\n# c\n"),
    ("a: |-\r\n    x\r\nb: 1\r\n", "n1\nn2\n", "a: |\r\n    n1\r\n    n2\r\nb: 1\r\n"),
    ("a: |\n  x\n\n\n\nb: 1\n", "n\n\n", "a: |+\n  n\n\nb: 1\n"),
    ("a: >-\n  x\n  y\nb: 1\n", "one line", "a: >-\n  one line\nb: 1\n"),
    ("a: >-\n  x\n  y\nb: 1\n", "two\nlines", 'a: "two\\nlines"\nb: 1\n'),
    ("a: |\n  x", "n", "a: |-\n  n"),
    ("a: |\n  x", "n\n", 'a: "n\\n"'),
    ("a: |\n  x\n  y  ", "n", "a: |-\n  n"),
    ("a: |\n  x\n      \nb: 1\n", "n", "a: |-\n  n\nb: 1\n"),
    ("a: |\n\nb: 1\n", "n", 'a: "n"\n\nb: 1\n'),
    ("a: |\n  x\n", " lead", 'a: " lead"\n'),
    ("a: |+\n  x\n\n\nb: 1\n", 3, "a: 3\n\n\nb: 1\n"),
    ("- |\n x\n- b\n", "n1\nn2", "- |-\n n1\n n2\n- b\n"),
]


@pytest.mark.parametrize(("text", "value", "expected"), TYPED)
def test_a_value_keeps_its_type_in_the_style_that_stands_there(text: str, value: object, expected: str) -> None:
    """Strings keep quotes and blocks where those can carry them; numbers, booleans and null stand bare."""
    paths = {"- |": "[0]", "a: {": "a.b", "a: [": "a[0]"}
    path = next((path for prefix, path in paths.items() if text.startswith(prefix)), "a")
    assert edited(text, path, value) == expected


UNCHANGED = [
    ("a: v1\n", "v1"),
    ("a: 'v1'\n", "v1"),
    ("a: |\n  v1\n", "v1\n"),
    ("a: x\n  y\n", "x y"),
    ("a: !!str 1\n", "1"),
    ("a: True\n", True),
    ("a: 1.5\n", 1.5),
    ("a: 7\n", 7),
    ("a: ~\n", None),
    ("a:\n", None),
]


@pytest.mark.parametrize(("text", "value"), UNCHANGED)
def test_a_value_that_is_there_already_is_no_change(text: str, value: object) -> None:
    """Setting what stands there gives back the very text."""
    result = edit(text, [SetField("a", value)])  # type: ignore[arg-type]  # the table mixes types
    assert result == Edited(text, ())
    assert result.text is text


def test_the_same_value_twice_makes_no_second_change() -> None:
    """An edit of its own result changes nothing."""
    once = edit("a: 1\nb: x\n", [SetField("a", "1.10"), SetField("b", "y")]).text
    assert edit(once, [SetField("a", "1.10"), SetField("b", "y")]).text is once


def test_two_edits_of_one_line_are_both_applied() -> None:
    """Each edit has its own span, in whatever order they are given."""
    fields = [SetField("i.tag", "v22"), SetField("i.repo", "b")]
    assert edit("i: {repo: aaa, tag: v1} # c\n", fields).text == "i: {repo: b, tag: v22} # c\n"


def test_changes_tell_where_and_what() -> None:
    """A change has the path as given, line and column from 1, both source texts; the file gives the order."""
    text = "\ufeffa:\r\n  b: 'x' # é\r\n---\r\nc:\r\n"
    assert edit(text, [SetField("c", "z"), SetField("$.a['b']", "y")]).changes == (
        FieldChange("$.a['b']", 2, 6, "'x'", "'y'"),
        FieldChange("c", 4, 3, "", "z"),
    )


def test_one_value_meant_by_two_paths_is_written_once() -> None:
    """Two paths that agree are one change."""
    result = edit("a: 1\n", [SetField("a", 2), SetField("$.a", 2)])
    assert (result.text, len(result.changes)) == ("a: 2\n", 1)


def test_no_fields_are_no_change() -> None:
    """Nothing asked, nothing done."""
    assert edit("a: 1\n", []) == Edited("a: 1\n", ())
