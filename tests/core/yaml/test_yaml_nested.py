"""YAML inside of YAML is edited by the same rules, and mappings are merged key by key."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from bot.core.yaml import FieldChange, Limits, Merge, SetField, Unset, edit
from bot.errors import EditError

if TYPE_CHECKING:
    from bot.core.yaml import Operation

APP = """\
spec:
  source:
    helm:
      values: |
        image:
          tag: v1 # {"note": "kept"}

        list:
        - a
        - b
  project: x
"""


@pytest.mark.parametrize(
    ("operation", "old", "new"),
    [
        (SetField("..values | image.tag", "v2"), "v1", "v2"),
        (SetField("..values | image.repo", "r", create=True), '"}\n', '"}\n          repo: r\n'),
        (SetField("..values | list[+]", "c", create=True), "- b\n", "- b\n        - c\n"),
        (SetField("..values | new.key", 1, create=True), "- b\n", "- b\n        new:\n          key: 1\n"),
        (Unset("..values | list[1]"), "        - b\n", ""),
        (Unset("..values | image"), '        image:\n          tag: v1 # {"note": "kept"}\n', ""),
    ],
)
@pytest.mark.parametrize("eol", ["\n", "\r\n"])
def test_a_literal_block_is_edited_line_by_line(operation: Operation, old: str, new: str, eol: str) -> None:
    """The lines that stay keep every byte, and so does the indentation."""
    text, expected = (whole.replace("\n", eol) for whole in (APP, APP.replace(old, new)))
    assert edit(text, [operation]).text == expected


@pytest.mark.parametrize(
    ("text", "path", "expected"),
    [
        ('v: "image: {tag: v1}\\n"\n', "v | image.tag", 'v: "image: {tag: v2}\\n"\n'),
        ('v: \'{"tag": "v1"}\'\n', "v | tag", 'v: \'{"tag": "v2"}\'\n'),
        ("v: |-\n  tag: v1", "v | tag", "v: |-\n  tag: v2"),
        ("v: |+\n  tag: v1\n\n\nw: 1\n", "v | tag", "v: |+\n  tag: v2\n\n\nw: 1\n"),
        ("v: |\n  # c\n  in: |\n    tag: v1\n  x: 1\n", "v | in | tag", "v: |\n  # c\n  in: |\n    tag: v2\n  x: 1\n"),
        ("a['b|c']: |\n  tag: v1\n", "[\"a['b|c']\"] | tag", "a['b|c']: |\n  tag: v2\n"),
    ],
)
def test_other_texts_and_texts_within_are_edited(text: str, path: str, expected: str) -> None:
    """Quoted texts, chomped and kept blocks, blocks in blocks, and keys that have a bar in them."""
    assert edit(text, [SetField(path, "v2")]).text == expected


def test_changes_inside_are_told_at_their_place_in_the_file() -> None:
    """Several are one edit of the text, each with its line and column."""
    fields = [SetField("spec.source.helm.values | image.tag", "v2"), SetField("spec.source.helm.values | list[0]", "z")]
    assert edit(APP, fields).changes == (
        FieldChange("spec.source.helm.values | image.tag", 6, 16, "v1", "v2"),
        FieldChange("spec.source.helm.values | list[0]", 9, 11, "a", "z"),
    )


def test_items_of_a_list_inside_go_at_once() -> None:
    """An index means the list as it was, inside as well as outside."""
    result = edit(APP, [Unset("..values | list[0]"), Unset("..values | list[1]")])
    assert result.text == APP.replace("        list:\n        - a\n        - b\n", "        list: []\n")


@pytest.mark.parametrize(
    ("text", "path", "reason"),
    [
        (APP, "..values | image.tga", "6:11: no nodes matched path 'image.tga': 'image' has no key 'tga'"),
        ("v: |\n  a: b: c\n", "v | a", "2:7: not YAML"),
        ("v: >\n  a: 1\n", "v | a", "a folded block (`>`) is not edited inside"),
        ("v: {a: 1}\n", "v | a", "expected scalar node, got MappingNode"),
        ("v:\n", "v | a", "no nodes matched path 'a': there is no value in it"),
        ("w: 1\n", "v | a", "no nodes matched path 'v | a'"),
        (APP, "..values | ", "has nothing on one side of its `|`"),
        (APP, "..values[+] | a", "appends an item and goes on inside it"),
    ],
)
def test_a_text_that_cannot_be_edited_inside_says_why(text: str, path: str, reason: str) -> None:
    """The error points at the line of the file."""
    with pytest.raises(EditError) as raised:
        edit(text, [SetField(path, "v2")])
    assert reason in str(raised.value)


def test_limits_hold_inside_too() -> None:
    """A text in a scalar is no way around the bounds."""
    with pytest.raises(EditError, match="nested deeper than 4 levels"):
        edit("v: '[[[[[1]]]]]'\n", [SetField("v | [0]", 1)], limits=Limits(depth=4))


@pytest.mark.parametrize(
    ("text", "path", "value", "expected"),
    [
        ("a: 1 # x\nb: {c: 1}\n", "$", {"a": 2, "b": {"d": 3}}, "a: 2 # x\nb: {c: 1, d: 3}\n"),
        ("a:\n  b: 1\n  c: 2\n", "a", {"b": None, "d": {"e": None, "f": 1}}, "a:\n  c: 2\n  d:\n    f: 1\n"),
        ("l: [1]\n", "$", {"l": [1]}, "l: [1]\n"),
        ("", "$", {"a": {"b": 1}}, "a:\n  b: 1\n"),
        ("a: 1\n", "b.c", {"d": 1}, "a: 1\nb:\n  c:\n    d: 1\n"),
        ("a: 1\nin: {true: 1}\n", "$", {"in": {"true": 2, "x.y": 3}}, "a: 1\nin: {true: 2, x.y: 3}\n"),
        ("a: {b: 1}\n", "$", {"a": {}}, "a: {b: 1}\n"),
        ("a:\n", "$", {"a": {}}, "a: {}\n"),
    ],
)
def test_a_mapping_is_merged_key_by_key(text: str, path: str, value: dict[str, Any], expected: str) -> None:
    """Keys that are not named stay, null removes one, what is missing is created."""
    assert edit(text, [Merge(path, value)]).text == expected


def test_a_merge_does_not_replace_collections() -> None:
    """A list over another one, a scalar over a mapping and a mapping over a scalar are refused, all at once."""
    with pytest.raises(EditError) as raised:
        edit("l: [1]\nm: {a: 1}\ns: x\n", [Merge("$", {"l": [2], "m": 1, "s": {"a": 1}})])
    assert [problem.line for problem in raised.value.problems] == [1, 2, 3]
