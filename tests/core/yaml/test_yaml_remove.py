"""What is removed goes with its own lines, and nothing else does."""

from __future__ import annotations

import pytest

from bot.core.yaml import FieldChange, Operation, SetField, Unset, edit
from bot.errors import EditError


@pytest.mark.parametrize(
    ("text", "path", "expected"),
    [
        ("a: 1\nb: 2 # x\nc: 3\n", "b", "a: 1\nc: 3\n"),
        ("a: 1\n# about b\n# more\nb: 2\n\n# about c\nc: 3\n", "b", "a: 1\n\n# about c\nc: 3\n"),
        ("# about the file\na: 1\nb: 2\n", "a", "# about the file\nb: 2\n"),
        ("# about the file\n\n# about a\na: 1\nb: 2\n", "a", "# about the file\n\nb: 2\n"),
        ("a: 1\n\n# apart\n\nb: 2\n", "b", "a: 1\n\n# apart\n\n"),
        ("a:\n  b: 1\n    # deeper\n  # foot\nc: 2\n", "a", "c: 2\n"),
        ("a:\n  b: 1\n  c: 2\n  # foot\n", "a.c", "a:\n  b: 1\n  # foot\n"),
        ("a: |\n  x\n\n\nb: 2\n", "a", "\n\nb: 2\n"),
        ("a: |+\n  x\n\nb: 2\n", "a", "b: 2\n"),
        ("a: 1\nb: 2", "b", "a: 1"),
        ("a: |\n  x\nb: 2", "b", "a: |\n  x\n"),
        ("a: 1\r\nb: 2\r\nc: 3", "c", "a: 1\r\nb: 2"),
        ("\ufeffa: 1\nb: 2\n", "a", "\ufeffb: 2\n"),
        ("---\na: 1\n---\nb: 2\nc: 3\n", "b", "---\na: 1\n---\nc: 3\n"),
        ("a: 'x\n  y'\nb: 2\n", "a", "b: 2\n"),
    ],
)
def test_a_key_goes_with_its_lines(text: str, path: str, expected: str) -> None:
    """Its value, the comment on its line, those right above at its column, and those below that are indented deeper."""
    assert edit(text, [Unset(path)]).text == expected


@pytest.mark.parametrize(
    ("text", "path", "expected"),
    [
        ("l:\n- a\n# about b\n- b\n- c\n", "l[1]", "l:\n- a\n- c\n"),
        ("l:\n  - a: 1\n    b: 2\n  - a: 2\n", "l[?(@.a==1)]", "l:\n  - a: 2\n"),
        ("l:\n- a: 1\n  b: 2\n", "l[0].a", "l:\n- b: 2\n"),
        ("l:\n- a: 1\n  # about b\n  b: 2\n", "l[0].a", "l:\n- # about b\n  b: 2\n"),
        ("- - a\n  - b\n", "[0][0]", "- - b\n"),
        ("- a\n-\n- c\n", "[1]", "- a\n- c\n"),
        ("- a\n- # why\n  b: 1\n- c", "[1]", "- a\n- c"),
    ],
)
def test_an_item_goes_with_its_dash(text: str, path: str, expected: str) -> None:
    """The first key of an item leaves the dash to the next one."""
    assert edit(text, [Unset(path)]).text == expected


@pytest.mark.parametrize(
    ("text", "path", "expected"),
    [
        ("a:\n  b: 1\nc: 2\n", "a.b", "a: {}\nc: 2\n"),
        ("a: # why\n  # about b\n  b: 1\nc: 2\n", "a.b", "a: {} # why\nc: 2\n"),
        ("l:\n- a\nc: 2\n", "l[0]", "l: []\nc: 2\n"),
        ("a:\n  b: 1", "a.b", "a: {}"),
        ("a: 1\n", "a", "{}\n"),
        ("- a: 1\n- b\n", "[0].a", "- {}\n- b\n"),
        ("- a: |+\n    x\n\n- b\n", "[0].a", "- {}\n- b\n"),
        ("a: {b: 1}\n", "a.b", "a: {}\n"),
        ("l: [ a ] # why\n", "l[0]", "l: [] # why\n"),
        ("a: !!map\n  b: 1\n", "a.b", "a: !!map\n  {}\n"),
    ],
)
def test_the_last_one_leaves_an_empty_collection(text: str, path: str, expected: str) -> None:
    """A mapping stays a mapping, a list a list."""
    assert edit(text, [Unset(path)]).text == expected


@pytest.mark.parametrize(
    ("text", "path", "expected"),
    [
        ("a: {b: 1, c: 2, d: 3}\n", "a.b", "a: {c: 2, d: 3}\n"),
        ("a: {b: 1, c: 2, d: 3}\n", "a.c", "a: {b: 1, d: 3}\n"),
        ("a: {b: 1, c: 2, d: 3}\n", "a.d", "a: {b: 1, c: 2}\n"),
        ("l: [1, [2], 3,]\n", "l[2]", "l: [1, [2],]\n"),
        ('{\n  "a": 1,\n  "b": 2\n}\n', "b", '{\n  "a": 1\n}\n'),
        ('{\n  "a": 1,\n  "b": 2\n}\n', "a", '{\n  "b": 2\n}\n'),
    ],
)
def test_flow_collections_lose_one_comma(text: str, path: str, expected: str) -> None:
    """What stays is a list of the same form."""
    assert edit(text, [Unset(path)]).text == expected


def test_what_is_not_there_is_removed_already() -> None:
    """The same file comes back."""
    text = "a: 1\n"
    assert edit(text, [Unset("b.c"), Unset("a.b[0]")]).text is text
    assert edit("", [Unset("a")]).text == ""


def test_indexes_mean_the_list_as_it_was() -> None:
    """Several items go at once, whatever their order, up to the end of a file without a last line break."""
    items = [Unset("l[1]"), Unset("l[3]"), Unset("l[0]"), Unset("l[1]")]
    assert edit("l:\n- a\n- b\n- c\n- d", items).text == "l:\n- c"
    assert edit("l: [a, b, c, d]\n", items).text == "l: [c]\n"
    assert edit("a: 1\nb: 2\nc: 3\n", [Unset("a"), Unset("b"), Unset("c")]).text == "{}\n"
    assert edit("a:\n  b: 1\n  c: 2\n", [Unset("a.b"), Unset("a")]).text == "{}\n"


def test_nodes_that_go_are_those_that_were_meant() -> None:
    """What goes beside, above and below does not change which one is meant."""
    text = "l:\n- name: side\n- args: [a]\n  command: [b]\n- args: [keep]\n  name: z\n"
    gone = [Unset("l[0]"), Unset("l[1].args"), Unset("l[1].command")]
    assert edit(text, gone).text == "l:\n- {}\n- args: [keep]\n  name: z\n"
    text = "l:\n- a: 1\n- b: 1\n- {k: 1, m: 2}\n- 9\n"
    assert edit(text, [Unset("l[1]"), Unset("l[2].k"), Unset("l[2]")]).text == "l:\n- a: 1\n- 9\n"
    assert edit("l: [a, b, c, d]\n", [Unset("l[?@ != 'b']", many=True)]).text == "l: [b]\n"
    assert edit("? [k]\n: {x: 1, z: 1}\nx: 2\ny: 3\n", [Unset("$.*.x")]).text == "? [k]\n: {z: 1}\nx: 2\ny: 3\n"


def test_what_is_set_and_removed_is_gone() -> None:
    """Removing goes last, and by the node that was meant when it began."""
    text = "l:\n- n: a\n  v: 1\n- n: b\n"
    fields: list[Operation] = [
        SetField("l[0].n", "c"),
        SetField("l[+]", {"n": "d"}),
        Unset("l[?(@.n=='a')].v"),
        Unset("l[-1]"),
    ]
    assert edit(text, fields).text == 'l:\n- n: c\n- "n": d\n'


def test_an_alias_may_go_and_an_anchor_with_all_of_its_aliases() -> None:
    """Only an anchor that something which stays refers to must stay."""
    text = "x: &c {a: 1}\nb:\n  <<: *c\n  k: 1\nd:\n  <<: *c\n"
    assert edit(text, [Unset("d")]).text == "x: &c {a: 1}\nb:\n  <<: *c\n  k: 1\n"
    assert edit("a:\n  b: &c 1\n  d: *c\ne: 1\n", [Unset("a")]).text == "e: 1\n"


def test_thousands_go_in_one_reading() -> None:
    """Removing many costs what reading the file costs."""
    text = "l:\n" + "".join(f"- n: {number}\n  v: x\n" for number in range(5_000))
    assert edit(text, [Unset("l[*].v", many=True)]).text == text.replace("  v: x\n", "")
    assert edit(text, [SetField("l[*].v", "y", many=True)]).text == text.replace("v: x", 'v: "y"')


def test_many_are_removed() -> None:
    """One path removes as many as it means, if it may."""
    text = "l:\n- n: a\n  v: 1\n- n: b\n  v: 2\n"
    assert edit(text, [Unset("l[*].v", many=True)]).text == "l:\n- n: a\n- n: b\n"
    assert edit(text, [Unset("l[*]", many=True)]).text == "l: []\n"
    with pytest.raises(EditError, match="multiple nodes matched path"):
        edit(text, [Unset("l[*].v")])


def test_a_removal_tells_what_stood_where() -> None:
    """The change has the place and the source of the value, and no new one."""
    (change,) = edit("a: 1\n# about b\nb: 'x' # y\n", [Unset("b")]).changes
    assert change == FieldChange("b", 3, 1, "'x'", "")


@pytest.mark.parametrize(
    ("text", "path", "reason"),
    [
        ("a: &x 1\nb: *x\n", "a", "1:4: &x is anchored here and aliased elsewhere (at 2:4)"),
        ("a:\n  c: &x 1\nb: *x\n", "a", "2:6: &x is anchored here and aliased elsewhere (at 3:4)"),
        ("a: 1\na: 2\n", "a", "the key 'a' stands twice"),
        ("a: 1\n", "$", "the path means the whole document"),
        ("{a: 1, # why\n b: 2}\n", "a", "a comment beside it would go too"),
        ("? a\n: 1\n? b\n: 2\n", "a", "it stands behind '?' on its line"),
        ("a: 1\n", "l[+]", "name the item to remove by its index"),
        ("[a: 1]\n", "[0].a", "the mapping has no braces"),
    ],
)
def test_what_would_take_more_along_is_refused(text: str, path: str, reason: str) -> None:
    """The error says what else would change."""
    with pytest.raises(EditError) as raised:
        edit(text, [Unset(path)])
    assert reason in str(raised.value)
