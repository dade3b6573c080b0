"""Patterns: the dialect that is accepted, and the replacement of just the captured spans."""

from __future__ import annotations

import contextlib
import re
import time
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.core.regexes import Change, Substituted, budget, compile_pattern, substitute
from bot.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping

TAG = "docker_image_tag"


def run(source: str | list[str], text: str, values: Mapping[str, str], *, multiline: bool = True) -> Substituted:
    sources = [source] if isinstance(source, str) else source
    patterns = [compile_pattern(one, multiline=multiline) for one in sources]
    return substitute(text, patterns, values, lambda: 5.0)


@pytest.mark.parametrize(
    ("source", "text", "values", "expected"),
    [
        ('imageTag: "(?<t>.*)"', '  imageTag: "0.0.666"\nx: 1\n', {"t": "1.0.0"}, '  imageTag: "1.0.0"\nx: 1\n'),
        (r"imageTag: \"(?<t>.*)\"", 'imageTag: "v1"\n', {"t": "v2"}, 'imageTag: "v2"\n'),
        ("tag: (?<t>.*)", "tag: a\ntag: b\n", {"t": "v2"}, "tag: v2\ntag: v2\n"),
        (r'"(?<t>.*)" (?<c>\w+)', '"1" old\n"1"\n', {"t": "2", "c": "new"}, '"2" new\n"1"\n'),
        (r"tag: (?<t>\S+)", "tag: t\n", {"t": "v2"}, "tag: v2\n"),
        (r"tag: (?<t>\S+)", "tag: v1\n#tag: v10\n", {"t": "v9"}, "tag: v9\n#tag: v9\n"),
        (r"tag: (?<t>v1)$", "tag: v1\ntag: v10\n", {"t": "v9"}, "tag: v9\ntag: v10\n"),
        (r"(?<a>\w+)=(?<b>\w+)", "x=x", {"a": "1", "b": "2"}, "1=2"),
        (r"tag: (?<t>\S+)", "tag: v1\n", {"t": r"$1\1\g<t>"}, "tag: $1\\1\\g<t>\n"),
        ('tag: "(?<t>[^"]*)"', 'tag: ""\n', {"t": "v1"}, 'tag: "v1"\n'),
        (r"tag: (?<t>\S+)( (?<b>b\S+))?", "tag: v1 dev\n", {"t": "v9", "b": "x"}, "tag: v9 dev\n"),
        ("tag: (?<t>.*)", "tag: v1\r\nx: y\r\n", {"t": "v2"}, "tag: v2\r\nx: y\r\n"),
        ("tag:(?<t>.*)", "tag:\r\nx: y\r\n", {"t": " v2"}, "tag: v2\r\nx: y\r\n"),
        ("tag: (?<t>.*)", "tag: v1\rx", {"t": "v2"}, "tag: v2"),
        (r"repo/app:(?<t>\S+)", "image: repo/app:v1\n", {"t": "v9"}, "image: repo/app:v9\n"),
        (r"repo\/app:(?<t>\S+)", "image: repo/app:v1\n", {"t": "v9"}, "image: repo/app:v9\n"),
        (r"tag: (?P<t>\S+)", "tag: v1\n", {"t": "v9"}, "tag: v9\n"),
        (r"tag: (?'t'\S+)", "tag: v1\n", {"t": "v9"}, "tag: v9\n"),
        (r"^tag: (?<t>\S+)", "x: 1\ntag: v1\n", {"t": "v9"}, "x: 1\ntag: v9\n"),
        (r"(?i)TAG: (?<t>\S+)", "tag: v1\n", {"t": "v9"}, "tag: v9\n"),
        (r"tag:\s+\Kv(?<t>\d)", "tag: v1\n", {"t": "9"}, "tag: v9\n"),
        (r"(?<=tag: )(?<t>\S+)(?= #)", "tag: v1 #\ntag: v1\n", {"t": "v9"}, "tag: v9 #\ntag: v1\n"),
        (r"(?:(?<t>\w),?)+", "a,b,c", {"t": "X"}, "a,b,X"),
        (r"{{ (?<t>\w+) }}", "{{ v1 }}", {"t": "v2"}, "{{ v2 }}"),
        (r"a{b} (?<t>\w+)", "a{b} v1", {"t": "v2"}, "a{b} v2"),
        (r"(?<t>[[:digit:]]{2,3})", "v123", {"t": "9"}, "v9"),
        (r"image: \S+:(?<t>.+)  # 日本", "image: a:1  # 日本", {"t": "ü"}, "image: a:ü  # 日本"),
        (r"nope(?<t>x)", "tag: v1\n", {"t": "v9"}, "tag: v1\n"),
    ],
)
def test_only_the_captured_spans_change(source: str, text: str, values: Mapping[str, str], expected: str) -> None:
    """Everything outside of the named groups stays byte by byte."""
    assert expected == run(source, text, values).text


def test_caret_is_the_start_of_the_file_without_multiline() -> None:
    """Imported rules keep their meaning: `^` matches once."""
    assert run(r"^tag: (?<t>\S+)", "x\ntag: v1\n", {"t": "v9"}, multiline=False).text == "x\ntag: v1\n"


def test_changes_say_where_and_what() -> None:
    """Each change has pattern, group, position and both texts; a span that has its value already is none."""
    pattern = compile_pattern(r"tag: (?<t>\S+)", multiline=True, name="image_tag")
    result = substitute("a\ntag: v1\ntag: v2\n  tag: v3\n", [pattern], {"t": "v2"}, lambda: 5.0)
    expected = (Change("image_tag", "t", 2, 6, "v1", "v2"), Change("image_tag", "t", 4, 8, "v3", "v2"))
    assert (expected, 3) == (result.changes, result.matches)


def test_each_pattern_searches_what_the_one_before_left() -> None:
    """The second pattern finds the first one's value."""
    result = run([r"a: (?<x>\w+)", r"a: new(?<y>)"], "a: old", {"x": "new", "y": "er"})
    assert (result.text, len(result.changes), result.matches) == ("a: newer", 2, 2)


@given(st.text("ab:\r\n ", max_size=40), st.text("abc", min_size=1, max_size=4))
@settings(max_examples=200, deadline=None)
def test_a_second_run_changes_nothing(text: str, value: str) -> None:
    """Substitution is idempotent, and the number of line breaks stays."""
    once = run(r"a:(?<t>\w*)", text, {"t": value})
    twice = run(r"a:(?<t>\w*)", once.text, {"t": value})
    assert (once.text, ()) == (twice.text, twice.changes)
    assert text.count("\n") == once.text.count("\n")


@pytest.mark.parametrize("text", ["b: x\n", "nothing that matches"])
def test_a_group_that_names_no_variable_is_an_error(text: str) -> None:
    """It is one whether or not the pattern matches, with the nearest name."""
    with pytest.raises(InputError, match=r"'git_brach', which is no variable; did you mean 'git_branch'\?"):
        run(r"b: (?<git_brach>\S+)", text, {"git_branch": "main"})


def test_every_unknown_group_is_named() -> None:
    """All patterns are checked before one of them runs, and the variables are listed where none is near."""
    with pytest.raises(InputError) as caught:
        run(["(?<x>a)", "(?<y>b)"], "ab", {"tag": "1"})
    assert [name in str(caught.value) for name in ("'x', which", "'y', which")] == [True, True]
    assert "the variables are tag" in str(caught.value)


@pytest.mark.parametrize("source", ["(?<a>x(?<b>y))", "(?<a>(?<b>x))", "(?=(?<a>xy))x(?<b>y)", "(?<a>)(?<b>)xy"])
def test_overlapping_spans_are_refused(source: str) -> None:
    """Two groups cannot fill the same text."""
    with pytest.raises(InputError, match=r"captures the same text in the groups '[ab]' and '[ab]'"):
        run(source, "xy", {"a": "1", "b": "2"})


def test_neighbouring_spans_are_fine() -> None:
    """Groups may touch, an empty one at the end of another included."""
    assert run("(?<a>x)(?<b>y)(?<c>)", "xy", {"a": "1", "b": "2", "c": "3"}).text == "123"


def test_the_budget_stops_a_pattern_that_backtracks() -> None:
    """The sentence names the pattern and the remedy, and little more time than the budget is gone."""
    pattern = compile_pattern("(?<t>(?:a|aa)+)$", multiline=True)
    start = time.monotonic()
    with pytest.raises(InputError, match=r"was stopped after 0\.5 s: it backtracks without end"):
        substitute("a" * 5000 + "b", [pattern], {"t": "x"}, budget(0.2, time.monotonic))
    assert time.monotonic() - start < 2


def test_patterns_share_one_budget() -> None:
    """What the first pattern takes, the second one lacks: a used-up budget stops even a quick pattern."""
    times = iter([0.0, 0.1, 0.6])
    seconds_left = budget(0.5, lambda: next(times))
    patterns = [compile_pattern("(?<t>x)", multiline=True) for _ in range(2)]
    with pytest.raises(InputError, match="was stopped"):
        substitute("x", patterns, {"t": "y"}, seconds_left)
    assert list(times) == []


def test_the_result_is_bounded() -> None:
    """Neither too many matches nor a text beyond 4 MB is made."""
    with pytest.raises(InputError, match="more than 10,000 times"):
        run("(?<t>a)", "a" * 10_001, {"t": "b"})
    with pytest.raises(InputError, match="larger than 4 MB"):
        run("(?<t>a)", "a" * 100, {"t": "b" * 65_000})


@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        ("a" * 1001, "1001 characters long; 1000 are the limit"),
        ("(" * 60 + ")" * 60, "nests groups more than 50 deep at character 50"),
        ("(((a{999}){999}){999}){999}", "repeats repetitions too often"),
        ("(?:" * 40 + "a" + "+)" * 40, "repeats repetitions too often"),
        ("a{99999}", "repeats repetitions too often"),
        (r"(?#[)(((a{999}){999}){999})", "repeats repetitions too often"),
        (r"[[:alpha:](](((a{999}){999}){999})", "repeats repetitions too often"),
        (r"\[(((a{999}){999}){999})", "repeats repetitions too often"),
        ("(a", "not valid: missing ) at character 3"),
        ("a)", "not valid: unbalanced parenthesis at character 2"),
        ("[a", "not valid: unterminated character set"),
        ("*a", "not valid: nothing to repeat at character 1"),
        ("{{ (?<a-b>x)", "not valid: bad character in group name at character 10"),
        (r"{{\y", r"not valid: bad escape \y at character 5"),
        (r"\k<n>", r"uses \k, which is not supported, at character 1: write (?P=name)"),
        (r"\Qa\E", "escape each special character"),
        (r"a\x{41}", r"at character 2: write \uXXXX"),
        (r"[\x{41}]", r"uses \x{, which is not supported"),
        (r"\e", r"write \x1b"),
        (r"\cA", "the character's code"),
        (r"\N", r"write [^\n]"),
        (r"\L<names>", "write the alternatives"),
        ("(?U)a", "sets flags with (?U) at character 1: only i, m and s"),
        ("(?x)a", "only i, m and s"),
        ("(?V1)a", "only i, m and s"),
        ("(?r:a)", "only i, m and s"),
        ("(?*a)", "begins with (?* at character 1"),
        ("\\", "not valid: bad escape"),
    ],
)
def test_what_is_refused_says_why_and_what_to_write(source: str, sentence: str) -> None:
    """A pattern is refused before it can cost anything, at the right character of what the user wrote."""
    with pytest.raises(InputError, match=re.escape(sentence)):
        compile_pattern(source, multiline=True)


@pytest.mark.parametrize(
    "source",
    [
        r"(?i-s:a)", "a(?i)b", "(?>a)", "a++", "a{2}+", "(?|(a)|(b))", "(?(1)a|b)(c)", r"(?P=n)(?<n>a)",
        "(?&n)(?<n>a)", "(?#note)a", r"\R\h\d\p{L}\P{Lu}[\p{L}]", r"(a)\g{1}", "(?<!a)b", "[0-9a-f]{40}",
        r"(?:\d{1,3}\.){3}\d{1,3}",
        "(?:a)" * 200, "[]a]", "[^]a]", r"[\]]",
    ],
)  # fmt: skip
def test_ordinary_pcre_is_accepted(source: str) -> None:
    """What people write in PCRE compiles as it is."""
    assert source == compile_pattern(source, multiline=True).compiled.pattern


def test_a_brace_that_repeats_nothing_is_itself() -> None:
    """As in PCRE: the fuzzy matching of the module, `a{e}`, is out of reach."""
    compiled = compile_pattern("a{e}", multiline=False).compiled
    assert [bool(compiled.fullmatch(text)) for text in ("a{e}", "b")] == [True, False]


def test_a_pattern_keeps_its_groups_in_the_order_written() -> None:
    """Not in that of the alphabet; numbered groups are none of them."""
    assert compile_pattern("(?<z>a)(?<a>b)(d)", multiline=True).groups == ("z", "a")


@given(st.text(r"()[]{}?<>a1,:'\|*+^$P=!#-i", max_size=25))
@settings(max_examples=500, deadline=None)
def test_any_text_compiles_or_is_refused(source: str) -> None:
    """No pattern, however odd, raises anything but InputError."""
    with contextlib.suppress(InputError):
        assert source == compile_pattern(source, multiline=True).source


@pytest.mark.parametrize("value", ["1\n2", "1\r", "a\u2028b", "a\x00", "a\x85b"])
def test_a_value_of_several_lines_fills_no_group(value: str) -> None:
    """A span is a part of a line; a value that brings lines of its own would change more than that."""
    patterns = [compile_pattern("tag: (?<tag>.*)", multiline=True)]
    with pytest.raises(InputError, match="cannot fill 'tag': its value has a line break or a control character"):
        substitute("tag: 1\n", patterns, {"tag": value}, lambda: 1.0)
