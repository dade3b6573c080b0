"""What is refused, and with which words; the file then stays as it is."""

from __future__ import annotations

from itertools import chain

import pytest

from bot.core.yaml import SetField, edit
from bot.core.yaml import write as write_module
from bot.core.yaml.events import LIMITS, Limits, chunks
from bot.core.yaml.locate import Located, locate
from bot.core.yaml.splice import Splice, apply
from bot.core.yaml.verify import verify
from bot.core.yaml.write import scalar_event
from bot.errors import EditError, Problem

REFUSED = [
    ("a: {b: 1}\n", "a", "v", "1:4: expected scalar node, got MappingNode (at 1:4)"),
    ("a:\n- 1\n", "a", "v", "2:1: expected scalar node, got SequenceNode (at 2:1)"),
    ("a: &x 1\nb: *x\n", "b", "v", "2:4: expected scalar node, got AliasNode (at 2:4): it is the alias *x"),
    ("a: &x {b: 1}\nc: *x\n", "c.b", "v", "2:4: no nodes matched path 'c.b': 'c' is the alias *x (at 2:4)"),
    ("a: &x 1\nb: *x\n", "a", "v", "1:4: the value is anchored as &x and aliased elsewhere (at 2:4)"),
    ("a: &x {b: 1}\nc: *x\n", "a.b", "v", "1:11: 'a' above it is anchored as &x and aliased elsewhere (at 2:4)"),
    ("d: &d {t: 1}\np:\n  <<: *d\n", "p.t", "v", "keys that come through the merge key `<<` (at 3:3) are not its own"),
    ("d: &d {t: 1}\np:\n  <<: *d\n", "p['<<'].t", "v", "is the alias *d"),
    ("a: !foo x\n", "a", "v", "1:4: the value has the explicit tag '!foo'; remove the tag first"),
    ("a: ! x\n", "a", "v", "1:4: the value has the explicit tag '!'"),
    ("a: !!int 1\n", "a", 2, "the value has the explicit tag 'tag:yaml.org,2002:int'"),
    ("a: !!str x\n", "a", 2, "the value has the tag !!str, so it stays a string"),
    ("a: &x\n", "a", "v", "the value is empty but for an anchor or tag"),
    ("a: 1\nb: 2\na: 3\n", "a", "v", "3:1: the key 'a' stands twice in a mapping (at 1:1 and 3:1); keep one"),
    ("a: {x: 1}\na: {y: 2}\n", "a.y", "v", "2:1: the key 'a' stands twice in a mapping (at 1:1 and 2:1)"),
    ("1: x\n'1': y\n", "[1]", "v", "the key '1' stands twice"),
    ("a: |2\n   x\n", "a", "v", "1:4: a block scalar with an indentation indicator or a comment"),
    ("a: | # c\n  x\n", "a", 1, "1:4: a block scalar with an indentation indicator or a comment"),
    ("? a\n? b\n", "a", "v", "'a' is a key without a colon"),
    ("x: {a, b}\n", "x.a", "v", "'x.a' is a key without a colon"),
    ("---\n", "$", "v", "2:1: the document is empty"),
    ("a: 1\n", "a", {"b": 1}, "1:4: the new value is a mapping, which is written only where nothing is"),
    ("a: 1\n", "a", [1], "1:4: the new value is a list, which is written only where nothing is"),
    ("a: 1\n", "a", float("nan"), "the number nan has no place"),
    ("a: 1\n", "a", float("-inf"), "the number -inf has no place"),
    ("a: 1\n", "a", 10**5000, "the number has too many digits"),
    ("a: 1\n", "a", "\ud800", "1:4: the new value has a lone surrogate"),
    ("a: {{ .Values.x }}\n", "a", "v", "expected scalar node, got MappingNode (at 1:4): `{{` opens a mapping here"),
    (
        "a: {{ .x }}-y\n",
        "a",
        "v",
        "1:12: not YAML: while parsing a block mapping, did not find expected key; this looks",
    ),
    ("{{ if .x }}\na: 1\n{{ end }}\n", "a", "v", "2:1: not YAML: did not find expected <document start>; this looks"),
    ("a: 1\n\tb: 2\n", "a", "v", "2:1: not YAML: while scanning"),
    ("a: 'x", "a", "v", "1:6: not YAML: while scanning a quoted scalar, found unexpected end of stream; fix the file"),
    ("é: 1\r\nb: x\x00y\r\n", "b", "v", "2:5: not YAML: the character U+0000 is not allowed"),
    ("a: \ud800\n", "a", "v", "1:4: a lone surrogate is no text"),
]


@pytest.mark.parametrize(("text", "path", "value", "words"), REFUSED, ids=[str(index) for index in range(len(REFUSED))])
def test_what_would_not_be_what_it_seems_is_refused(text: str, path: str, value: object, words: str) -> None:
    """The error says what is wrong and where."""
    with pytest.raises(EditError) as raised:
        edit(text, [SetField(path, value)])  # type: ignore[arg-type]  # the table mixes types
    assert words in str(raised.value)


def test_all_problems_are_told_at_once() -> None:
    """One bad field does not hide the next, and nothing is edited."""
    fields = [SetField("x", 1), SetField("a", 2), SetField("b.c", 3)]
    with pytest.raises(EditError) as raised:
        edit("a: 1\nb: {c: {d: 4}}\n", fields)
    assert raised.value.problems == (
        Problem("no nodes matched path 'x': the document has no key 'x'", None, 1, 1),
        Problem("expected scalar node, got MappingNode (at 2:8)", None, 2, 8),
    )


def test_two_values_for_one_scalar_are_refused() -> None:
    """Neither edit wins; one that changes nothing counts as well, and 1 is not true."""
    with pytest.raises(EditError, match=r"'a' and '\$\.a' mean the same value but set it to 1 and True; keep one"):
        edit("a: 1\n", [SetField("a", 1), SetField("$.a", True)])


@pytest.mark.parametrize("opening", ["[", "{a: ", "- ", "[?", "? "])
def test_deep_nesting_is_refused_where_the_bound_is_passed(opening: str) -> None:
    """Nesting without end is given up at the bound, long before its end."""
    with pytest.raises(EditError, match=rf"^1:\d+: nested deeper than {LIMITS.depth} levels") as raised:
        edit(opening * 100_000, [SetField("a", 1)])
    assert raised.value.problems[0].column in range(1, (LIMITS.depth + 1) * len(opening) + 1)


def test_nesting_up_to_the_bound_is_edited() -> None:
    """The bound itself is allowed."""
    text = "[" * LIMITS.depth + "x" + "]" * LIMITS.depth
    assert edit(text, [SetField("[0]" * LIMITS.depth, "w")]).text == text.replace("x", "w")


@pytest.mark.parametrize(
    ("bound", "text", "words"),
    [
        (Limits(bytes=7), "a: éé\n", "the file has 8 bytes, more than the 7 that are edited"),
        (Limits(documents=7), "---\na\n" * 8, "more than 7 YAML documents"),
        (Limits(events=7), "[a, a, a, a]", "more than 7 YAML events"),
        (Limits(depth=2), "a: [[x]]", "nested deeper than 2 levels"),
    ],
)
def test_large_files_are_refused(bound: Limits, text: str, words: str) -> None:
    """Bytes, documents, nodes and nesting are bounded, and a file at the bound is edited."""
    with pytest.raises(EditError, match=words):
        edit(text, [SetField("$", "x")], limits=bound)
    locate("a: b", Limits(bytes=4, documents=1, events=8, depth=1))


def test_aliases_are_not_expanded() -> None:
    """A billion laughs costs what its text costs."""
    lines = ["l0: &l0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"l{level}: &l{level} [{', '.join([f'*l{level - 1}'] * 9)}]" for level in range(1, 30)]
    text = "\n".join([*lines, "tag: v1\n"])
    assert edit(text, [SetField("..tag", "v2")]).text == text.replace("v1", "v2")


def splice(located: Located, old: str, new: str, *, value: str | None = None, string: bool = True) -> Splice:
    """A splice of the first occurrence of `old`, a whole scalar."""
    start = located.text.index(old)
    event = next(
        index for index, event in enumerate(located.events) if getattr(event, "value", None) == old.strip("'\"")
    )
    wanted = scalar_event(new if value is None else value, "" if string else "'")
    return Splice(start, start + len(old), new, event, event + 1, (wanted,))


@pytest.mark.parametrize(
    ("new", "value", "string", "words"),
    [
        ("v2", "v3", True, "the value would not read as given ('v2' instead of 'v3')"),
        ("'v1'", "v1", True, "the value would not read as given"),
        ("v2", "v2", False, "the value would not read as given"),
        ("!!str v2", "v2", True, "the value would not read as given"),
        ("&y v2", "v2", True, "the value would not read as given"),
        ("v2\nc: 3", "v2", True, "another value would change ('b' to 'c')"),
        ("v2, c", "v2", True, "the value would not read as given"),
        ("'v2", "v2", True, "the result could not be read again"),
        ("v2\n---", "v2", True, "another value would change ('b' to None)"),
    ],
)
def test_a_result_that_reads_otherwise_is_refused(new: str, value: str, string: bool, words: str) -> None:
    """The proof finds a wrong value, type, tag, anchor or structure."""
    located = locate("a: v1\nb: 2\n")
    made = splice(located, "v1", new, value=value, string=string)
    with pytest.raises(EditError) as raised:
        verify(located, chain.from_iterable(chunks(apply(located.text, [made]))), [made])
    assert words in str(raised.value)


def test_every_edit_is_proven(monkeypatch: pytest.MonkeyPatch) -> None:
    """Should the quoting ever be wrong, the edit fails and nothing is written."""
    monkeypatch.setattr(write_module, "plain_ok", lambda _value, *, flow: not flow)
    for value in ("v2\nb: 3", "1.10", "v #c"):
        with pytest.raises(EditError, match=r"would not read as given|another value|is no string to every"):
            edit("a: v1\n", [SetField("a", value)])


@pytest.mark.parametrize("after", ["a: v2\nb: 3\n", "a: v2\nb: '2'\n", "a: v2\nb: !!int 2\n", "a: v2\nb: &x 2\n"])
def test_another_value_that_changes_is_refused(after: str) -> None:
    """The proof finds any change of value, style, tag or anchor beside the one meant."""
    located = locate("a: v1\nb: 2\n")
    with pytest.raises(EditError, match="another value would change"):
        verify(located, locate(after).events, [splice(located, "v1", "v2")])


def test_overlapping_splices_are_refused() -> None:
    """Two splices never share characters."""
    one, two = Splice(3, 5, "x", 4, 5, ()), Splice(4, 6, "y", 5, 6, ())
    with pytest.raises(EditError, match=r"^1:5: two edits overlap here"):
        apply("a: v1v1\n", [two, one])
