"""What is missing is written where it belongs, in the manner of the file, and nothing else changes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from bot.core.model import Number
from bot.core.yaml import DocumentSelector, Edited, FieldChange, SetField, edit
from bot.errors import EditError

if TYPE_CHECKING:
    from bot.core.model import Json


def created(text: str, *fields: tuple[str, Any], json: bool = False) -> Edited:
    return edit(text, [SetField(path, value, create=True) for path, value in fields], json=json)


@pytest.mark.parametrize(
    ("text", "path", "value", "expected"),
    [
        ("a:\n  b: 1 # x\n  # foot\nc: 2\n", "a.x", "1.10", 'a:\n  b: 1 # x\n  x: "1.10"\n  # foot\nc: 2\n'),
        ("a:\n    b: 1\n", "c.d", 1, "a:\n    b: 1\nc:\n    d: 1\n"),
        ("a: 1\n\n\n# end\n", "b", 1, "a: 1\nb: 1\n\n\n# end\n"),
        ("a:\n- b: 1\n", "a[0].c", 2, "a:\n- b: 1\n  c: 2\n"),
        ("- - a: 1\n", "[0][0].b", 2, "- - a: 1\n    b: 2\n"),
        ("x: &a {b: 1}\ny:\n  <<: *a\n", "y.b", 2, "x: &a {b: 1}\ny:\n  <<: *a\n  b: 2\n"),
        ("a: 'x'\nb: 'y'\n", "c", "1.10", "a: 'x'\nb: 'y'\nc: '1.10'\n"),
        ("a: |\n  x\nb: |+\n  y\n\n", "c", 1, "a: |\n  x\nb: |+\n  y\n\nc: 1\n"),
        ("a: |-\n  x", "c", 1, "a: |-\n  x\nc: 1"),
        ("a: >\n  x\n  y\n\n# end\n", "c", 1, "a: >\n  x\n  y\nc: 1\n\n# end\n"),
        ("a: one\n  two\n", "c", 1, "a: one\n  two\nc: 1\n"),
        ("--- \na: 1\n...\n", "b", 2, "--- \na: 1\nb: 2\n...\n"),
        ("? a\n", "$", None, "? a\n"),
    ],
)
def test_a_key_stands_behind_the_last_one(text: str, path: str, value: Json, expected: str) -> None:
    """At the column of the first key, behind the last line of the mapping, before comments that follow."""
    if path == "$":  # keys that have no line of their own take none
        with pytest.raises(EditError, match=r"begins on its line behind '\?'"):
            created(text, ("b", 1))
        return
    assert created(text, (path, value)).text == expected


@pytest.mark.parametrize(
    ("text", "path", "value", "expected"),
    [
        ("l:\n- a\n\nz: 1\n", "l[+]", "b", "l:\n- a\n- b\n\nz: 1\n"),
        (
            "l:\n  - a: 1\n",
            "l[+]",
            {"a": 2, "b": [1, {"c": 3}]},
            "l:\n  - a: 1\n  - a: 2\n    b:\n      - 1\n      - c: 3\n",
        ),
        ("l:\n- a\n", "l[1]", "b", "l:\n- a\n- b\n"),
        ("l: [a, b]\n", "l[+]", "c", "l: [a, b, c]\n"),
        ("l: [a, b,]\n", "l[+]", "c", "l: [a, b, c,]\n"),
        ("l: [] # none\n", "l[+]", "c", "l: # none\n  - c\n"),
        ("l:\nm:\n- 1\n", "l[+]", "c", "l:\n- c\nm:\n- 1\n"),
        ("a: 1\n", "l[+]", "c", "a: 1\nl:\n  - c\n"),
        ("e:\n- name: A\n  v: '1'\n", "e[?(@.name=='B')].v", "2", "e:\n- name: A\n  v: '1'\n- name: B\n  v: '2'\n"),
        ("e: []\n", "e[?(@.n=='B' && @.m.k==1)].v", 2, 'e:\n  - "n": B\n    m:\n      k: 1\n    v: 2\n'),
        ("spec:\n", "spec.l[0].name", "x", "spec:\n  l:\n    - name: x\n"),
    ],
)
def test_an_item_stands_behind_the_last_one(text: str, path: str, value: Json, expected: str) -> None:
    """`[+]`, the next index, and a filter of `==` that finds nothing add an item, its dash below the others."""
    assert created(text, (path, value)).text == expected


@pytest.mark.parametrize(
    ("text", "path", "value"),
    [
        ("l: [a, b]\n", "l[+]", "a"),
        ("l:\n- {a: 1, b: [x]}\n", "l[+]", {"b": ["x"], "a": 1}),
        ("a: {b: 1}\n", "a", {"b": 1}),
        ("a: {b: 1}\n", "a.b", 1),
    ],
)
def test_what_is_there_already_is_not_added_again(text: str, path: str, value: Json) -> None:
    """An item or a value that is there makes no change at all."""
    result = created(text, (path, value))
    assert result.text is text
    assert result.changes == ()


@pytest.mark.parametrize(
    ("text", "path", "value", "expected"),
    [
        ("a: {b: 1} # c\n", "a.c", "x", "a: {b: 1, c: x} # c\n"),
        ("a: { b: 1 }\n", "a.c.d", True, "a: { b: 1, c: {d: true} }\n"),
        ("a: {b: 1}\n", "a.c", "x, y", 'a: {b: 1, c: "x, y"}\n'),
        ("a: {\n  b: 1 # why\n}\n", "a.c", 2, "a: {\n  b: 1, # why\n  c: 2\n}\n"),
        ("a: {\n  b: 1,\n}\n", "a.c", 2, "a: {\n  b: 1,\n  c: 2,\n}\n"),
        ("a: {b: }\n", "a.c", 2, "a: {b: , c: 2}\n"),
        ("--- {a: 1}\n", "b", 2, "--- {a: 1, b: 2}\n"),
        ("a: {b: {}}\n", "a.b.c", 1, "a: {b: {c: 1}}\n"),
        ("a: &x {}\n", "a.c", 1, "a: &x {c: 1}\n"),
    ],
)
def test_flow_collections_stay_flow(text: str, path: str, value: Json, expected: str) -> None:
    """In braces and brackets a key or item is added behind a comma, on a line of its own where the others have one."""
    assert created(text, (path, value)).text == expected


@pytest.mark.parametrize(
    ("text", "path", "expected"),
    [
        ("a:\n", "a.b", "a:\n  b: x\n"),
        ("a: # why\nc: 1\n", "a.b", "a: # why\n  b: x\nc: 1\n"),
        ("a: ~ # why\n", "a.b", "a: # why\n  b: x\n"),
        ("a: {}\n", "a.b", "a:\n  b: x\n"),
        ("- \n- 1\n", "[0].b", "- b: x\n- 1\n"),
        ("- null # why\n", "[0].b", "- # why\n  b: x\n"),
        ("{}\n", "b", "b: x\n"),
        ("", "a.b", "a:\n  b: x\n"),
        ("# only\n# comments", "a.b", "# only\n# comments\na:\n  b: x\n"),
        ("---\n", "b", "---\nb: x\n"),
        ("--- # why\n# note\n", "b", "--- # why\nb: x\n# note\n"),
        ("null\n", "b", "b: x\n"),
        ("a:\n  {}\n  # why\nc: 1\n", "a.b", "a:\n  b: x\n  # why\nc: 1\n"),
        ("a:\n  null # why\n", "a.b", "a:\n  b: x # why\n"),
        ("\ufeff# c\r\n", "a.b", "\ufeff# c\r\na:\r\n  b: x\r\n"),
    ],
)
def test_null_and_empty_become_collections(text: str, path: str, expected: str) -> None:
    """Below nothing, null, `{}`, and in files without any value, keeping the comments."""
    assert created(text, (path, "x")).text == expected


@pytest.mark.parametrize(
    ("text", "path", "value", "expected"),
    [
        ('{"a":1}', "b.c", "x", '{"a":1,"b":{"c":"x"}}'),
        ('{\n  "a": {"b": [1]}\n}\n', "c", ["x", None, True], '{\n  "a": {"b": [1]},\n  "c": ["x", null, true]\n}\n'),
        ('{\n\t"a": 1\n}', "b", 2, '{\n\t"a": 1,\n\t"b": 2\n}'),
        ("{}", "a.b", "1.10", '{"a": {"b": "1.10"}}'),
        ("[]\n", "[+]", {"a": 1}, '[{"a": 1}]\n'),
        ('{"a": null}', "a.b", "x", '{"a": {"b": "x"}}'),
        ('{"a": "x"}', "a", "v2", '{"a": "v2"}'),
        ('{"a": 1}', "a", Number("1.50"), '{"a": 1.50}'),
    ],
)
def test_json_stays_json(text: str, path: str, value: Json, expected: str) -> None:
    """Keys and strings get double quotes, in the spacing of the file."""
    assert created(text, (path, value), json=True).text == expected


def test_a_file_that_is_no_json_is_refused() -> None:
    """What YAML reads and JSON does not is no JSON file."""
    with pytest.raises(EditError, match=r"^1:7: not JSON: Expecting"):
        created('{"a": x}', ("a", "v2"), json=True)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("one\ntwo", "a: 1\nb: |-\n  one\n  two\n"),
        ("one\n\n two\n", "a: 1\nb: |\n  one\n\n   two\n"),
        (" one\ntwo", 'a: 1\nb: " one\\ntwo"\n'),
        ("one\n", 'a: 1\nb: "one\\n"\n'),
        ({}, "a: 1\nb: {}\n"),
        ([], "a: 1\nb: []\n"),
        ([[1, 2], [], {}], "a: 1\nb:\n  - - 1\n    - 2\n  - []\n  - {}\n"),
        ({"on": "yes", "a: b": None}, 'a: 1\nb:\n  "on": "yes"\n  "a: b": null\n'),
        (Number("1.10"), "a: 1\nb: 1.10\n"),
        (Number("1e3"), "a: 1\nb: 1000.0\n"),
    ],
)
def test_values_are_written_in_block_style(value: Json, expected: str) -> None:
    """Text of several lines becomes a literal block where it can, collections get lines of their own."""
    assert created("a: 1\n", ("b", value)).text == expected


@pytest.mark.parametrize(
    ("text", "path", "value", "reason"),
    [
        ("spec: foo\n", "spec.tag", 1, "1:7: creating path: unexpected node of kind ScalarNode (at 1:7)"),
        ("spec: [a]\n", "spec.tag", 1, "1:7: creating path: unexpected node of kind SequenceNode (at 1:7)"),
        ("a: &x {b: 1}\nc: *x\n", "c.d", 1, "2:4: creating path: 'c' is the alias *x"),
        ("a: &x {b: 1}\nc: *x\n", "a.d", 1, "1:4: the value is anchored as &x and aliased elsewhere"),
        ("a: {b: 1}\na: {c: 1}\n", "a.d", 1, "2:1: the key 'a' stands twice in a mapping"),
        ("l: [a]\n", "l[3]", 1, "1:4: creating path: the list has 1 items, so the next one is [1], not [3]"),
        ("a: 1\n", "l[2]", 1, "the list has 0 items, so the next one is [0], not [2]"),
        ("a: 1\n", "..b", 1, "names nothing that could be created"),
        ("l: []\n", "l[?(@.a>1)].b", 1, "names nothing that could be created"),
        ("l: []\n", "l[?(@.a==1)]", 1, "a filter creates an item with fields"),
        ("a: 1\n", "a[+]", 1, "1:4: expected a list to append to, got ScalarNode (at 1:4)"),
        ("--- &x\na: 1\n--- !!map\nb: 1\n", "c", 1, "the file has 2 documents, none with 'c'"),
        ("a: |\n  x", "b", 1, "the file ends in a block scalar without a line break"),
        ("[a: 1]\n", "[0].b", 1, "1:2: the mapping has no braces"),
        ("a: {} ]\n", "a.b", 1, "not YAML"),
        ("a: { # why\n}\n", "a.b", 1, "1:4: a comment stands in the empty collection"),
        ("a: !t\n", "a.b", 1, "creating path: unexpected node of kind ScalarNode"),
        ("l: {a: 1}\n", "l", [1], "1:4: the new value is a list, which is written only where nothing is"),
    ],
)
def test_what_has_no_certain_place_is_refused(text: str, path: str, value: Json, reason: str) -> None:
    """The error says where the way ends and why."""
    with pytest.raises(EditError) as raised:
        created(text, (path, value))
    assert reason in str(raised.value)


def test_several_fields_build_on_each_other() -> None:
    """What one field creates another one goes into, whatever their order; each is told with its place."""
    result = created("a:\n  b: 1\nz: 1\n", ("a.m.x", "v"), ("a.m.y", "w"), ("z", 2))
    assert result.text == 'a:\n  b: 1\n  m:\n    x: v\n    "y": w\nz: 2\n'
    assert result.changes == (
        FieldChange("a.m.x", 3, 3, "", "v"),
        FieldChange("a.m.y", 3, 3, "", "w"),
        FieldChange("z", 3, 4, "1", "2"),
    )


def test_what_comes_into_one_place_is_written_at_once() -> None:
    """Many keys and items cost one reading, and new items that two fields describe are one."""
    fields = [(f"a.k{number}", number) for number in range(2_000)] + [("l[+]", number) for number in range(2_000)]
    result = created("a: {}\nl:\n- x\n", *fields).text.splitlines()
    assert (len(result), result[1], result[2_000], result[-1]) == (4_003, "  k0: 0", "  k1999: 1999", "- 1999")
    filters = [("e[?(@.n=='B')].v", 1), ("e[?(@.n=='C')].v", 2), ("e[?(@.n=='B')].w", 3)]
    expected = 'e:\n  - "n": B\n    v: 1\n    w: 3\n  - "n": C\n    v: 2\n'
    assert created("e: []\n", *filters).text == expected


def test_an_empty_collection_is_as_good_as_nothing() -> None:
    """A value of its kind takes its place, one of the other kind does not."""
    assert created("a: [] # none\nb: {}\n", ("a", [1]), ("b", {"c": 1})).text == "a: # none\n  - 1\nb:\n  c: 1\n"
    with pytest.raises(EditError, match="the new value is a mapping, which is written only where nothing is"):
        created("a: []\n", ("a", {"c": 1}))


def test_comments_stay_with_what_they_are_about() -> None:
    """Lines that are indented deeper belong to the key above them."""
    text = "image:\n  opts:\n    # a: 1\nother:\n  - x\n    # about x\n"
    expected = "image:\n  opts:\n    # a: 1\n  new: 1\nother:\n  - x\n    # about x\n  - z\n"
    assert created(text, ("image.new", 1), ("other[+]", "z")).text == expected


def test_old_line_breaks_stay_where_they_are() -> None:
    """In a file with both kinds a new line ends as the one above it."""
    assert created("a:\n  b: 1\r\nc: 2\n", ("a.d", 1)).text == "a:\n  b: 1\r\n  d: 1\r\nc: 2\n"


@pytest.mark.parametrize("text", ["a: 1\n---\n", "---\na: 1\n---\n# none\n"])
def test_a_document_without_a_value_is_no_other_one(text: str) -> None:
    """Behind a last marker nothing could be meant."""
    assert created(text, ("b", 1)).text == text.replace("a: 1\n", "a: 1\nb: 1\n")


def test_nesting_is_bounded_in_values_and_paths() -> None:
    """What is deeper than a file may be is refused, whichever of both it is."""
    deep: Json = 1
    for _ in range(5_000):
        deep = [deep]
    with pytest.raises(EditError, match="nested deeper than 200 levels"):
        created("b: 1\n", ("a", deep))
    with pytest.raises(EditError, match="200 levels"):
        created("b: 1\n", (".".join(["a"] * 400), 1))


def test_block_scalars_of_any_header_end_where_they_end() -> None:
    """A key is added behind a block with a comment or an indentation indicator in its first line."""
    assert created("a: | # why\n  x\n", ("b", 1)).text == "a: | # why\n  x\nb: 1\n"
    assert created("a: |2\n   x\nc: 1\n", ("c", 2), ("d", 1)).text == "a: |2\n   x\nc: 2\nd: 1\n"


def test_an_index_means_the_list_as_it_was() -> None:
    """What is appended in the same edit does not become the last item of another path."""
    result = created("l:\n- a: 1\n", ("l[+]", {"a": 2}), ("l[-1].b", "x"))
    assert result.text == "l:\n- a: 1\n  b: x\n- a: 2\n"


def test_one_field_that_fails_leaves_all_undone() -> None:
    """A field that is neither there nor created by another one is told, and nothing is written."""
    with pytest.raises(EditError, match="no nodes matched path 'nope'"):
        edit("a: 1\n", [SetField("b", 1, create=True), SetField("nope", 1)])
    for one, other in (("b", "b"), ("b", "['b']"), ("b.c", "b"), ("l[0]", "l.k")):
        with pytest.raises(EditError, match=r"two fields mean the same new value|keep one kind"):
            created("a: 1\n", (one, 1), (other, 2))
    with pytest.raises(EditError, match=r"a value is set here .* and one below it created"):
        created("a:\n", ("a", 1), ("a.b", 2))


def test_many_creates_where_it_is_missing() -> None:
    """With many, each item gets the field: set where it is there, created where it is not."""
    result = edit("l:\n- n: a\n- n: b\n  v: x\n", [SetField("l[*].v", "new", create=True, many=True)])
    assert result.text == "l:\n- n: a\n  v: new\n- n: b\n  v: new\n"


TWO = "kind: A\nmetadata: {name: x}\n---\nkind: B\nmetadata: {name: x}\n---\nkind: B\nmetadata: {name: y}\n"


@pytest.mark.parametrize(
    ("selector", "document"),
    [
        (DocumentSelector(index=1), 1),
        (DocumentSelector(kind="A"), 0),
        (DocumentSelector(name="y"), 2),
        (DocumentSelector(kind="B", name="y"), 2),
    ],
)
def test_a_document_is_chosen(selector: DocumentSelector, document: int) -> None:
    """By index, kind, name, or kind and name."""
    parts = TWO.split("---\n")
    parts[document] += "new: 1\n"
    assert edit(TWO, [SetField("new", 1, selector, create=True)]).text == "---\n".join(parts)


@pytest.mark.parametrize(
    ("selector", "reason"),
    [
        (DocumentSelector(index=3), "the file has no document 3; it has 3, counted from 0"),
        (DocumentSelector(kind="C"), "the file has no document 'C'; it has A/x, B/x, B/y"),
        (DocumentSelector(kind="B"), "2 documents are 'B'"),
        (DocumentSelector(name="x"), "2 documents are 'x'"),
    ],
)
def test_a_document_that_is_not_one_is_refused(selector: DocumentSelector, reason: str) -> None:
    """The error says which documents there are."""
    with pytest.raises(EditError) as raised:
        edit(TWO, [SetField("new", 1, selector, create=True)])
    assert reason in str(raised.value)
