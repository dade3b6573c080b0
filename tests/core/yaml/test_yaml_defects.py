"""Defects that users of other editors report, by name: the file before and after, character by character."""

from __future__ import annotations

import pytest
import yaml
from ruamel.yaml import YAML

from bot.core.yaml import DocumentSelector, SetField, Unset, edit
from bot.errors import EditError


def after(text: str, **values: object) -> str:
    """Set the keys of the document to the values."""
    return edit(text, [SetField(path, value) for path, value in values.items()]).text  # type: ignore[arg-type]  # tables mix types


def both_read(text: str) -> list[object]:
    """What a reader of YAML 1.1 and one of YAML 1.2 make of the text."""
    return [yaml.safe_load(text), YAML(typ="safe", pure=True).load(text)]


@pytest.mark.parametrize(
    "comment",
    [
        '# {"$imagepolicy": "flux-system:app:tag"}',
        "#no space after the sign",
        "# a 'quote' and a # sign",
        "\t# after a tab",
        "# é 🚀",
    ],
)
@pytest.mark.parametrize("quote", ["", "'", '"'])
def test_a_comment_on_the_same_line_is_kept(quote: str, comment: str) -> None:
    """Markers of other tools stand in comments: each stays where it was, one space or more after the value."""
    text = f"image:\n  tag: {quote}v1{quote} {comment}\n  name: app\n"
    assert edit(text, [SetField("image.tag", "v2")]).text == text.replace("v1", "v2")


def test_a_comment_after_an_empty_value_is_kept() -> None:
    """The value goes between the colon and the comment."""
    assert after("tag:  # set by the build\nname: app\n", tag="v1") == "tag: v1  # set by the build\nname: app\n"


@pytest.mark.parametrize(
    ("text", "value", "expected"),
    [
        ("tag: 'v1'\n", "v2", "tag: 'v2'\n"),
        ('tag: "v1"\n', "v2", 'tag: "v2"\n'),
        ("tag: v1\n", "v2", "tag: v2\n"),
        ("tag: '1.9'\n", "1.10", "tag: '1.10'\n"),
        ('tag: "1.9"\n', "1.10", 'tag: "1.10"\n'),
        ("'tag': 'v1'\n", "it's", "'tag': 'it''s'\n"),
        ('"tag": "v1"\n', 'a "b"', '"tag": "a \\"b\\""\n'),
    ],
)
def test_quotes_are_kept(text: str, value: str, expected: str) -> None:
    """Whoever put quotes, or none, finds them again."""
    assert after(text, tag=value) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("image: {tag: v1, repo: foo}\n", "image: {tag: v2, repo: foo}\n"),
        ("image: {repo: foo, tag: v1}\n", "image: {repo: foo, tag: v2}\n"),
        ("image: {tag: v1}  # why\n", "image: {tag: v2}  # why\n"),
        ("image: {repo: foo, tag: }\n", "image: {repo: foo, tag: v2}\n"),
        ('image: {"tag":"v1","repo":"foo"}\n', 'image: {"tag":"v2","repo":"foo"}\n'),
        ("image: {\n  tag: v1,  # why\n  repo: foo\n}\n", "image: {\n  tag: v2,  # why\n  repo: foo\n}\n"),
    ],
)
def test_a_flow_mapping_stays_valid(text: str, expected: str) -> None:
    """Comma, brace and the other keys of the line stay."""
    assert edit(text, [SetField("image.tag", "v2")]).text == expected


@pytest.mark.parametrize("value", ["v2, w", "v2}", "{v2", "v2]", "[v2", "?v2", "a: b"])
def test_a_value_cannot_close_the_flow_mapping_around_it(value: str) -> None:
    """What has a meaning between braces is quoted there."""
    result = edit("image: {tag: v1, repo: foo}\n", [SetField("image.tag", value)]).text
    assert result == f'image: {{tag: "{value}", repo: foo}}\n'


def test_two_edits_on_one_line_are_both_applied() -> None:
    """The first does not move the place that the second means, longer or shorter, in any order."""
    text = "image: {repo: foo, tag: v1}  # why\n"
    operations = [SetField("image.tag", "v22"), SetField("image.repo", "f")]
    for given in (operations, operations[::-1]):
        assert edit(text, given).text == "image: {repo: f, tag: v22}  # why\n"


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("base: &tag v1\nuse: *tag\n", "base"),
        ("base: &image\n  tag: v1\nuse: *image\n", "base.tag"),
        ("base: &image\n  tag: v1\nuse:\n  <<: *image\n", "base.tag"),
        ("base: &tag v1\nuse: *tag\n", "use"),
    ],
)
def test_an_anchor_is_not_deleted_under_its_alias(text: str, path: str) -> None:
    """What is also meant elsewhere is neither changed nor replaced in passing: the edit is refused."""
    with pytest.raises(EditError, match="alias"):
        edit(text, [SetField(path, "v2")])


@pytest.mark.parametrize("path", ["base", "base.tag"])
def test_an_anchor_is_not_removed_under_its_alias(path: str) -> None:
    """A file whose alias means nothing would be no YAML."""
    with pytest.raises(EditError, match="alias"):
        edit("base: &image {tag: &tag v1, x: 1}\nuse: *tag\nother: *image\n", [Unset(path)])


def test_an_anchor_that_nothing_refers_to_is_kept() -> None:
    """The value changes, its name stays."""
    assert after("tag: &version v1 # why\n", tag="v2") == "tag: &version v2 # why\n"


@pytest.mark.parametrize(
    ("text", "value", "expected"),
    [
        ("a: |\n  one\n  two\nb: 1\n", "three\n", "a: |\n  three\nb: 1\n"),
        ("a: |\n  one\n\n  two\n\nb: 1\n", "three\nfour\n", "a: |\n  three\n  four\n\nb: 1\n"),
        ("a: |-\n  one\n  two\n# why\nb: 1\n", "three", "a: |-\n  three\n# why\nb: 1\n"),
        ("a: >-\n  one\n  two\nb: 1\n", "three", "a: >-\n  three\nb: 1\n"),
        ("a: |\n  one\n  two\nb: 1\n", True, "a: true\nb: 1\n"),
        ("- a: |\n    one\n    two\n  b: 1\n", "three\n", "- a: |\n    three\n  b: 1\n"),
        ("a: one\n  two\n  three\nb: 1\n", "four", "a: four\nb: 1\n"),
        ("a: 'one\n\n  two'\nb: 1\n", "four", "a: 'four'\nb: 1\n"),
    ],
)
def test_a_value_of_several_lines_is_not_half_replaced(text: str, value: object, expected: str) -> None:
    """All its lines go, and none of what follows."""
    assert edit(text, [SetField("..a", value)]).text == expected  # type: ignore[arg-type]  # the table mixes types


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: 1\r\ntag: v1 # c\r\nb: 2\r\n", "a: 1\r\ntag: v2 # c\r\nb: 2\r\n"),
        ("tag: |-\r\n  v1\r\nb: 2\r\n", "tag: |-\r\n  v2\r\nb: 2\r\n"),
        ("a: 1\r\ntag:\r\n", "a: 1\r\ntag: v2\r\n"),
        ("a: 1\ntag: v1\r\nb: 2\n", "a: 1\ntag: v2\r\nb: 2\n"),
        ("a: 1\r\ntag: v1", "a: 1\r\ntag: v2"),
    ],
)
def test_crlf_is_kept(text: str, expected: str) -> None:
    """Every line keeps its own line break."""
    assert after(text, tag="v2") == expected


def test_a_created_line_ends_as_the_file_s_lines_do() -> None:
    """A new key brings CRLF into a file that has CRLF, and LF into one that has LF."""
    operations = [SetField("image.tag", "v1", create=True)]
    assert edit("image:\r\n  name: a\r\n", operations).text == "image:\r\n  name: a\r\n  tag: v1\r\n"
    assert edit("image:\n  name: a\n", operations).text == "image:\n  name: a\n  tag: v1\n"


TWO = "kind: Service\nname: a\n---\n# the second\nkind: Deployment\nimage: app:v1\n"


@pytest.mark.parametrize("document", [None, DocumentSelector(index=1), DocumentSelector(kind="Deployment")])
def test_a_key_in_a_second_document_is_found(document: DocumentSelector | None) -> None:
    """A key that one document alone has needs no selector, and takes one."""
    assert edit(TWO, [SetField("image", "app:v2", document)]).text == TWO.replace("v1", "v2")


def test_later_documents_are_not_dropped() -> None:
    """An edit of the first of three leaves the others, their markers and comments alone."""
    text = "a: 1 # c\n---\n# second\nb: 2\n...\n---\n\nc: 3\n"
    assert after(text, a=9) == "a: 9 # c\n---\n# second\nb: 2\n...\n---\n\nc: 3\n"


def test_a_key_that_two_documents_have_is_not_guessed() -> None:
    """Which of them is meant must be said; then the other stays."""
    with pytest.raises(EditError, match="document"):
        edit(TWO, [SetField("kind", "Job")])
    assert edit(TWO, [SetField("kind", "Job", DocumentSelector(index=0))]).text == TWO.replace("Service", "Job")


AMBIGUOUS = [
    *("on", "off", "yes", "no", "y", "n", "Yes", "true", "null", "~", "", "=", "<<"),
    *("1.10", "1e3", "0123", "12e4567", "1234567", "0x1F", "0o17", "0b1", "1_000", "+1", ".5", "5.", ".inf"),
    *("2024-01-01", "2024-01-01T00:00:00Z", "12:30:45", "v1 #b", "a: b", "- a", "# a", "*a", "&a", "!a", "@a", "%a"),
]


@pytest.mark.parametrize("value", AMBIGUOUS)
def test_a_string_that_a_reader_would_take_for_something_else_is_quoted(value: str) -> None:
    """What some reader takes for a boolean, number, date or comment is written in quotes, where there were none."""
    result = after("tag: v1\nname: app\n", tag=value)
    assert result == f'tag: "{value}"\nname: app\n'
    assert both_read(result) == [{"tag": value, "name": "app"}] * 2


@pytest.mark.parametrize("value", ["v1", "1.2.3", "1.10-rc1", "main", "sha256:abc", "a/b:c", "latest", "2024-01-01-1"])
def test_a_string_that_all_readers_take_for_one_gets_no_quotes(value: str) -> None:
    """Quotes where none are needed would be noise."""
    result = after("tag: old\n", tag=value)
    assert result == f"tag: {value}\n"
    assert both_read(result) == [{"tag": value}] * 2


@pytest.mark.parametrize("text", ["tag: 1.9\n", "tag: '1.9'\n", 'tag: "1.9"\n', "tag: v1\n"])
def test_1_10_is_not_turned_into_1_1(text: str) -> None:
    """A tag is text, so its last zero counts."""
    assert both_read(after(text, tag="1.10")) == [{"tag": "1.10"}] * 2


def test_a_1_10_that_is_not_meant_stays_as_it_is_written() -> None:
    """Numbers elsewhere in the file are not written anew."""
    text = "a: 1.10\nb: 1.0\nc: 0x1F\nd: 1e3\ne: 010\nf: ~\ng: Yes\ntag: v1\n"
    assert after(text, tag="v2") == text.replace("v1", "v2")


UNTOUCHED = {
    "blank lines": "\n\na: 1\n\n\n\nb: 2\n   \ntag: v1\n\n\nc: 3\n\n\n",
    "the document marker": "---\na: 1\ntag: v1\n",
    "both document markers": "--- # one\ntag: v1\n...\n",
    "directives": "%YAML 1.1\n---\ntag: v1\n",
    "a list at its key's column": "a:\n- x\n- y:\n  - z\ntag: v1\n",
    "a list indented": "a:\n    - x\n    -   y:\n          - z\ntag: v1\n",
    "lists indented in two ways": "a:\n- x\nb:\n  - y\ntag: v1\n",
    "nesting of three columns": "a:\n   b:\n      c: 1\ntag: v1\n",
    "comment alignment": "a: 1       # one\nbcd: 22    # two\ntag: v1    # three\n",
    "comments between keys": "# head\n\n# of a\na: 1\n  # odd\ntag: v1\n# foot\n",
    "emoji": 'a: "🚀 é"\n# 🚀\ntag: v1 # 🚀🚀\nb: 🚀\n',
    "escapes": 'a: "\\U0001F680 \\x41 \\/"\ntag: v1\n',
    "long lines": f"a: {'word ' * 60}end\nb: '{'x' * 200}'\ntag: v1\n",
    "folded blocks": "a: >\n  one\n  two\n\n    three\n\ntag: v1\n",
    "folded plain text": "a: one\n  two\n\n  three\ntag: v1\n",
    "literal blocks": "a: |+\n  one  \n\n\nb: |2-\n    two\ntag: v1\n",
    "trailing blanks": "a: 1   \ntag: v1  \nb:  2\t\n",
    "spaces around colons": "a :  1\ntag   :   v1\n",
    "flow over several lines": "a: [1,\n    2 , 3,\n]\ntag: v1\n",
    "anchors, aliases and merge keys": "a: &x {b: 1}\nc: *x\nd:\n  <<: *x\ntag: v1\n",
    "tags": "a: !!set {x, y}\nb: !Ref z\ntag: v1\n",
    "keys of other types": "1: a\ntrue: b\n? [x, y]\n: c\ntag: v1\n",
    "a byte order mark": "\ufeff# c\ntag: v1\n",
}


@pytest.mark.parametrize("text", UNTOUCHED.values(), ids=UNTOUCHED)
def test_what_is_not_meant_is_untouched(text: str) -> None:
    """Whatever the file is like, one value is exchanged for another and that is all."""
    result = edit(text, [SetField("tag", "v2")])
    assert result.text == text.replace("v1", "v2")
    assert [(change.old, change.new) for change in result.changes] == [("v1", "v2")]


@pytest.mark.parametrize("end", ["", "\n", "\n\n\n", " ", "  \n", " # c", "\r\n", "\n..."])
@pytest.mark.parametrize("value", ["v1", "'v1'", '"v1"', "{x: 1, y: v1}"])
def test_a_last_line_ends_as_it_did(value: str, end: str) -> None:
    """A missing line break is not added, nor are several made one."""
    text = f"a: 1\ntag: {value}{end}"
    path = "tag.y" if "{" in value else "tag"
    assert edit(text, [SetField(path, "v2")]).text == text.replace("v1", "v2")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("tag: v1 # c\n", "v2"),
        ("tag: v1\n", "1.10"),
        ("tag: 'v1'\n", "it's"),
        ("tag:\n", "v2"),
        ("tag: |\n  v1\n", "a\nb\n"),
        ("tag: v1\n", 1.5),
        ("tag: v1\n", None),
        ("tag: v1", "x\ny"),
    ],
)
def test_the_same_value_twice_makes_no_second_change(text: str, value: object) -> None:
    """The second time the very text comes back, and no change is told."""
    once = after(text, tag=value)
    again = edit(once, [SetField("tag", value)])  # type: ignore[arg-type]  # the table mixes types
    assert again.text is once
    assert again.changes == ()


def test_the_same_value_asked_twice_at_once_is_one_change() -> None:
    """Two rules that agree do not write twice."""
    result = edit("a: 1\ntag: v1\n", [SetField("tag", "v2"), SetField("$.tag", "v2")])
    assert result.text == "a: 1\ntag: v2\n"
    assert [(change.line, change.column, change.old, change.new) for change in result.changes] == [(2, 6, "v1", "v2")]


def test_a_value_in_other_quotes_is_the_same_value() -> None:
    """Quotes are not worth a commit."""
    text = "a: 'v2'\nb: \"v2\"\nc: v2\nd: |-\n  v2\n"
    assert after(text, a="v2", b="v2", c="v2", d="v2") is text
