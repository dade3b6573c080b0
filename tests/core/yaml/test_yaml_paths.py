"""Field paths: which value they mean, and what is said when they mean none or several."""

from __future__ import annotations

import pytest

from bot.core.yaml import DocumentSelector, SetField, edit, walk
from bot.errors import EditError

TEXT = """\
image:
  tag: v1
  my-key: dash
  b.c: dotted
  app.kubernetes.io/name: slash
  'it''s': quote
  1: one
  true: yes
env:
- {n: FOO, v: 1, on: true}
- {n: BAR, v: 2, on: false}
- {n: BAZ, v: 10, s: "10"}
matrix: [[a, b], [c, d]]
in: operator
_x: underscore
none:
only:
  deep: {here: x}
"""

MEANT = [
    ("image.tag", "v1"),
    ("$.image.tag", "v1"),
    ("['image'].tag", "v1"),
    ('image["tag"]', "v1"),
    ("image.my-key", "dash"),
    ("image['b.c']", "dotted"),
    ("image['app.kubernetes.io/name']", "slash"),
    (r"image['it\'s']", "quote"),
    ("image[1]", "one"),
    ("image['1']", "one"),
    ("image.true", "yes"),
    ("in", "operator"),
    ("_x", "underscore"),
    ("matrix[0][1]", "b"),
    ("matrix[-1][-2]", "c"),
    ("matrix[1:][:1]", "c"),
    ("only[*][*]", "x"),
    ("only.*.*", "x"),
    ("..here", "x"),
    ("..deep.here", "x"),
    ("..[?(@.here=='x')].here", "x"),
    ("env[?(@.n=='FOO')].v", "1"),
    ("env[?@.n=='FOO'].v", "1"),
    ("env[?('FOO'==@.n)].v", "1"),
    ("env[?(@.n=='FOO' && @.v==1)].v", "1"),
    ("env[?(@.v==1.0)].v", "1"),
    ("env[?(@.v<2)].v", "1"),
    ("env[?(@.v<=1)].v", "1"),
    ("env[?(@.v>2)].v", "10"),
    ("env[?(@.v>=10)].v", "10"),
    ("env[?(@.n>'BAZ')].v", "1"),
    ("env[?(@.on==true)].v", "1"),
    ("env[?(@.on!=true && @.on!=null && @.s!='10')].v", "2"),
    ("env[?(!@.on)].v", "10"),
    ("env[?(@.s)].v", "10"),
    ("env[?(@.s=='10')].n", "BAZ"),
    ("env[?(@.n=~/^F/)].v", "1"),
    ("env[?(@.n=~/^f/i)].v", "1"),
    ("env[?(@.n=~'AZ$')].v", "10"),
    ("env[?(!(@.n=='FOO' || @.n=='BAR'))].v", "10"),
    ("env[?(@.n==$.env[1].n)].v", "2"),
    ("env[?(@.nope==@.nada && @.v==2)].v", "2"),
    ("$[?(@.tag)].tag", "v1"),
]


@pytest.mark.parametrize(("path", "source"), MEANT)
def test_a_path_means_one_value(path: str, source: str) -> None:
    """The scalar changed is the one that the path names."""
    (change,) = edit(TEXT, [SetField(path, "Z")]).changes
    assert change.old == source


NOT_FOUND = [
    ("image.tga", "'image' has no key 'tga'; did you mean 'tag'?"),
    ("imag.tag", "the document has no key 'imag'; did you mean 'image'?"),
    ("image.b.c", "a key with dots is written in brackets: ['b.c']"),
    ("image.tag.x", "'image.tag' is a scalar (at 2:8) with nothing below it"),
    ("env[3].v", "'env' is a list of 3 (at 10:1) without an item [3]"),
    ("env[-4].v", "'env' is a list of 3 (at 10:1) without an item [-4]"),
    ("env.v", "'env' is a list (at 10:1); choose an item by an index such as [0] or by a filter"),
    ("image[2]", "'image' has no key '2'"),
    ("env[?(@.n=='NO')].v", "nothing in 'env' (at 10:1) is selected by ?@['n'] == 'NO'"),
    ("env[?(@.s==10)].v", "nothing in 'env' (at 10:1)"),
    ("env[?(@.on==1)].v", "nothing in 'env' (at 10:1)"),
    ("env[?(@.n<5)].v", "nothing in 'env' (at 10:1)"),
    ("env[?(@.v=~/1/)].v", "nothing in 'env' (at 10:1)"),
    ("env[?(@==@)].v", "nothing in 'env' (at 10:1)"),
]


@pytest.mark.parametrize(("path", "reason"), NOT_FOUND)
def test_a_path_without_a_node_says_where_it_stops(path: str, reason: str) -> None:
    """The error names the path, how far it goes, and what stands there."""
    with pytest.raises(EditError) as raised:
        edit(TEXT, [SetField(path, "Z")])
    assert f"no nodes matched path {path!r}: " in str(raised.value)
    assert reason in str(raised.value)


UNREADABLE = [
    ("", "has 1 to 1000 characters, this one has 0"),
    ("a" * 1001, "has 1 to 1000 characters, this one has 1001"),
    ("image.app.kubernetes.io/name", "at character 24: unexpected token '/'; a name of other characters"),
    ("image.a b", "is written ['app.kubernetes.io/name']"),
    ("env.0.v", "write [0] for an item or a key that is a number"),
    ("env.1.2", "write [1] for an item or a key that is a number"),
    ("image.", "at character 7: expected a name after the dot"),
    ("image[", "cannot be read"),
    ("image[01]", "leading zero"),
    ("env[1e5]", "cannot be read"),
    ("env[?(@.n=='FOO']", "unbalanced parentheses"),
    ("env[?(@.n=~/(/)].v", "unterminated subpattern"),
    ("env[?(@.n=~'(')].v", "the pattern '(' of a filter cannot be read"),
    ("env[?(length(@.n)==3)].v", "in a filter; known are =="),
    ("env[?(@.n in ['FOO'])].v", "in a filter; known are =="),
    ("image.~tag", "which means no value"),
    ("image |", "has nothing on one side of its `|`"),
    ("env[0] & image", "joins several paths"),
    ("^.image", "cannot be read"),
    ("a[?" + "!" * 200 + "@.x]", "nests filters deeper than 100"),
    ("(" * 900, "cannot be read"),
]


@pytest.mark.parametrize(("path", "reason"), UNREADABLE)
def test_a_path_that_cannot_be_read_says_why(path: str, reason: str) -> None:
    """The error says where the path goes wrong and how to write it."""
    with pytest.raises(EditError) as raised:
        edit(TEXT, [SetField(path, "Z")])
    assert reason in str(raised.value)


def test_several_nodes_are_counted_with_their_lines() -> None:
    """A path must mean one value; the error says how many it means and where."""
    with pytest.raises(EditError) as raised:
        edit(TEXT, [SetField("env[*].n", "Z")])
    assert str(raised.value) == (
        "10:7: multiple nodes matched path 'env[*].n': 3, on lines 10, 11, 12; "
        "narrow it by an index, a filter or the document, or ask for all of them"
    )


def test_many_lines_are_cut_short() -> None:
    """Ten lines are listed at most."""
    with pytest.raises(EditError) as raised:
        edit("- a\n" * 12, [SetField("[*]", "Z")])
    assert "12, on lines 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, …; narrow" in str(raised.value)


def test_a_node_reached_twice_counts_once() -> None:
    """Two ways to one node are no ambiguity: it is written once."""
    assert edit("a: {b: {c: 1}}\n", [SetField("..*..c", 2)]).text == "a: {b: {c: 2}}\n"


def test_a_wildcard_does_not_see_merge_keys() -> None:
    """What comes through `<<` stands elsewhere, so it is no child here."""
    text = "d: &d {x: 1}\np: {<<: *d, tag: v1}\n"
    assert edit(text, [SetField("p[*]", "v2")]).text == text.replace("v1", "v2")


def test_a_key_in_the_second_document_is_found() -> None:
    """Without a document given, all of them are looked through."""
    assert edit("a: 1\n---\nb: 2\n", [SetField("b", 3)]).text == "a: 1\n---\nb: 3\n"


def test_a_key_in_two_documents_needs_the_document() -> None:
    """Two documents with the same key are two nodes, and the document's index chooses, from 0."""
    text = "a: 1\n---\na: 2\n"
    assert edit(text, [SetField("a", 3, document=DocumentSelector(index=1))]).text == "a: 1\n---\na: 3\n"
    with pytest.raises(EditError, match="multiple nodes matched path 'a': 2, on lines 1, 3"):
        edit(text, [SetField("a", 3)])
    with pytest.raises(EditError, match="the file has no document 2; it has 2, counted from 0"):
        edit(text, [SetField("a", 3, document=DocumentSelector(index=2))])


def test_the_error_points_into_the_document_where_the_path_goes_furthest() -> None:
    """A path that goes further in one document is explained there."""
    with pytest.raises(EditError, match=r"^3:7: no nodes matched path 'spec.tga'.*did you mean 'tag'"):
        edit("kind: A\n---\nspec: {tag: 1}\n", [SetField("spec.tga", 3)])


@pytest.mark.parametrize("text", ["", "# only a comment\n", "---\n", "--- # x\n...\n"])
def test_a_file_without_values_matches_nothing(text: str) -> None:
    """An empty file has no value to set."""
    with pytest.raises(EditError, match="no nodes matched path 'a': there is no value in it"):
        edit(text, [SetField("a", 1)])


def test_a_catastrophic_pattern_is_stopped() -> None:
    """A filter's pattern has a time limit."""
    text = "- {n: " + "a" * 40 + "b, v: 1}\n"
    with pytest.raises(EditError, match="takes too long"):
        edit(text, [SetField("[?(@.n=~/^(a|aa)+$/)].v", 2)])


def test_a_quadratic_path_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    """The nodes that one path may look at are bounded."""
    monkeypatch.setattr(walk, "MAX_STEPS", 1_000)
    text = "[" * 50 + "]" * 50 + "\n"
    with pytest.raises(EditError, match="no nodes matched"):
        edit(text, [SetField("..nope", 2)])
    with pytest.raises(EditError, match="looks at more than 1000 nodes"):
        edit(text, [SetField("..*..nope", 2)])
