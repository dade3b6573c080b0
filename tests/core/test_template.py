"""Expressions: what they may say, what they give, and that payload values stay data wherever they land."""

from __future__ import annotations

import pickle
import re
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.core.defuse import clean_message
from bot.core.glob import Glob
from bot.core.template import Position, Template, UndefinedError
from bot.errors import InputError, Problem

if TYPE_CHECKING:
    from bot.core.model import Json

HERE = Position("m.yaml", 3, 7)
VARIABLES: dict[str, Json] = {
    "tag": "1.4.2-Stable",
    "count": 3,
    "ratio": 1.5,
    "yes": True,
    "no": False,
    "nothing": None,
    "empty": "",
    "list": ["a", "b", 1],
    "app": {"name": "shop", "a-b": "dash", "deep": [{"x": 1}]},
    "evil": "${{ tag }} {{ tag }}",
}


def defuse(text: str) -> str:
    """Return a message that is one foreign text."""
    return clean_message([(text, True)])


def template(source: str) -> Template:
    return Template.parse(source, HERE)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("tag", "1.4.2-Stable"),
        ("count", 3),
        ("yes", True),
        ("nothing", None),
        ("list", ["a", "b", 1]),
        ("app.name", "shop"),
        ("app['a-b']", "dash"),
        ("app.deep[0].x", 1),
        ("list[-1]", 1),
        ("'text'", "text"),
        ('"}}"', "}}"),
        ("-2", -2),
        ("1.5", 1.5),
        ("true", True),
        ("none", None),
        ("count == 3", True),
        ("count == '3'", False),
        ("count == true", False),
        ("1 == true", False),
        ("count != 3", False),
        ("1 < count <= 3", True),
        ("1 < count < 3", False),
        ("'a' < 'b'", True),
        ("'a' in list", True),
        ("true in list", False),
        ("'Stable' in tag", True),
        ("'name' in app", True),
        ("'x' not in app", True),
        ("yes and count", 3),
        ("empty or 'other'", "other"),
        ("not empty", True),
        ("'p' if yes else 'd'", "p"),
        ("missing if no else 'd'", "d"),
        ("tag ~ '-' ~ count ~ yes", "1.4.2-Stable-3true"),
        ("tag | lower", "1.4.2-stable"),
        ("tag | upper", "1.4.2-STABLE"),
        ("'  x ' | trim", "x"),
        ("tag | replace('.', '_')", "1_4_2-Stable"),
        ("missing | default('x')", "x"),
        ("app.missing.deeper | default('x')", "x"),
        ("nothing | default(1)", 1),
        ("tag | default(missing)", "1.4.2-Stable"),
        ("missing | default(gone) | default(count)", 3),
        ("no | default(1)", False),
        ("list | first", "a"),
        ("tag | last", "e"),
        ("list | length", 3),
        ("tag | truncate(5)", "1.4.2"),
        ("tag | split('-') | first", "1.4.2"),
        ("list | join('+')", "a+b+1"),
        ("tag.lower | default('no method')", "no method"),
    ],
)
def test_what_an_expression_gives(source: str, expected: Json) -> None:
    """A lone expression keeps the type of its value."""
    value = template(f"${{{{ {source} }}}}").evaluate(VARIABLES)
    assert (expected, type(expected)) == (value, type(value))
    assert expected == Template.expression(source, HERE).evaluate(VARIABLES)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("plain", "plain"),
        ("", ""),
        ("v${{ tag }}!", "v1.4.2-Stable!"),
        ("${{count}}${{ yes }}${{ ratio }}", "3true1.5"),
        ("{{ .Values.tag }} ${{ count }} {{- end }}", "{{ .Values.tag }} 3 {{- end }}"),
        ("{% x %}{# y #} ${x} $${{ count }}", "{% x %}{# y #} ${x} $3"),
        ("${{ '${{' }} tag }}", "${{ tag }}"),
        ("${{ evil }}", "${{ tag }} {{ tag }}"),
        ("${{ 'a}}b' }}", "a}}b"),
    ],
)
def test_text_around_expressions_stays(source: str, expected: str) -> None:
    """Only `${{ }}` is read; Helm's braces, and whatever a value holds, are text."""
    assert expected == template(source).render(VARIABLES)
    assert expected == template(source).evaluate(VARIABLES)


@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        ("tag()", "calls a function"),
        ("tag.upper()", "calls a function"),
        ("range(9)", "calls a function"),
        ("tag.__class__", r"asks for the attribute __class__; for a property of that name write ['__class__']"),
        ("app._x", "asks for the attribute _x"),
        ("1 + 1", "does arithmetic"),
        ("app.a-b", "does arithmetic; join text with ~, and write x['a-b']"),
        ("'a' * 300000000", "does arithmetic"),
        ("[1]", "makes a list"),
        ("{'a': 1}", "makes an object"),
        ("(1, 2)", "makes a list"),
        ("tag[1:]", "cuts a slice"),
        ("tag is defined", "uses a test"),
        ("-tag", "a minus stands before a number only"),
        ("'x' if yes", "has an 'if' without 'else'"),
        ("tag | lowr", "unknown filter 'lowr'; did you mean 'lower'?"),
        ("tag | xyz", "the filters are lower, upper"),
        ("tag | replace('a')", "other than 2 argument(s)"),
        ("tag | truncate(n=1)", "other than 1 argument(s)"),
        ("tag tag", "goes on where it should end"),
        ("yes && no", "write 'and', 'or', 'not' in place of &&"),
        ("tag |", "not valid"),
        ("", "the expression is empty"),
        ("(" * 900, "too deeply nested"),
        ("a" * 1001, "1001 characters long"),
    ],
)
def test_what_an_expression_may_not_say(source: str, sentence: str) -> None:
    """Everything but the allow-list is refused when the file is read, with its position."""
    with pytest.raises(InputError, match=re.escape(sentence)) as caught:
        template(f"${{{{ {source} }}}}")
    assert [(problem.file, problem.line, problem.column) for problem in caught.value.problems] == [("m.yaml", 3, 7)]


@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        ("tagg", "there is no variable 'tagg'; did you mean 'tag'?"),
        ("app.nam", "there is no property 'nam'; did you mean 'name'?"),
        ("list[7]", "there is no item 7 in a list of 3"),
        ("tag.lower", 'text has no property or item "lower"'),
        ("app[0]", "an object has no property or item 0"),
    ],
)
def test_what_is_absent_is_an_error_of_its_own(source: str, sentence: str) -> None:
    """An absent name raises UndefinedError that says where, and suggests the nearest name."""
    source = f"x${{{{ {source} }}}}"
    with pytest.raises(UndefinedError) as caught:
        template(source).render(VARIABLES)
    assert (Problem(f"'{source}': {sentence}", "m.yaml", 3, 7),) == caught.value.problems


@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        ("x${{ nothing }}", "null is no text"),
        ("x${{ list }}", "a list is no text"),
        ("x${{ app }}", "an object is no text"),
        ("${{ count < tag }}", "a number and text cannot be compared"),
        ("${{ yes < 1 }}", "a boolean and a number cannot be compared"),
        ("${{ 1 in tag }}", "'in' looks for"),
        ("${{ empty | first }}", "not an empty one"),
        ("${{ count | length }}", "'length' counts"),
        ("${{ tag | truncate('x') }}", "the number of characters"),
        ("${{ tag | split('') }}", "which is not empty"),
        ("${{ tag | join('') }}", "takes a list"),
        ("${{ tag | replace('', 'x') }}", "nothing to look for"),
        ("${{ 1e999 ~ '' }}", "no number that JSON has"),
    ],
)
def test_a_value_of_the_wrong_type_is_an_error(source: str, sentence: str) -> None:
    """Nothing is converted in silence: the sentence says what was there."""
    with pytest.raises(InputError, match=re.escape(sentence)):
        template(source).evaluate(VARIABLES)


@pytest.mark.parametrize(
    "source",
    [
        "${{ big }}${{ big }}",
        "${{ big ~ big }}",
        "${{ big | replace('a', big) }}",
        "${{ big | split('a') | join(big) }}",
    ],
)
def test_output_is_bounded(source: str) -> None:
    """No template makes more than 64 KB, however its filters multiply."""
    with pytest.raises(InputError, match="more than 64 KB"):
        template(source).render({"big": "a" * 40_000})


def test_an_unclosed_expression_is_an_error() -> None:
    """A forgotten `}}` is not taken for text."""
    with pytest.raises(InputError, match="never closes it"):
        template("a ${{ tag } b")


def test_names_are_the_variables_that_a_template_uses() -> None:
    """Every variable is named, in all its expressions, and properties are not."""
    assert frozenset({"a", "b", "c"}) == template("${{ a.x }}-${{ b[c] | default(a) }}").names
    assert template("none").is_fixed


@settings(max_examples=200, deadline=None)
@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=30))
def test_a_value_in_a_glob_is_a_literal(value: str) -> None:
    """Whatever the payload holds, the glob around it matches just that value."""
    rendered = template("apps/${{ v }}/values.yaml").render_glob({"v": value})
    assert f"apps/{value}/values.yaml" == Glob(rendered).literal


def test_wildcards_of_the_template_itself_stay() -> None:
    """The mapping file's own stars work beside an escaped value."""
    assert template("**/${{ v }}/{a,b}").render_glob({"v": "*"}) == r"**/\*/{a,b}"


@pytest.mark.parametrize(
    ("source", "value", "expected"),
    [
        ("a.${{ v }}.tag", "shop-1_x", "a.shop-1_x.tag"),
        ("a['${{ v }}'].tag", "x.y/z", "a['x.y/z'].tag"),
        ("a[?(@.name=='${{ v }}')].tag", "x y", "a[?(@.name=='x y')].tag"),
        ("a.${{ v }}.tag", "x.y", None),
        ("a.${{ v }}.tag", "*", None),
        ("a.${{ v }}.tag", "", None),
        ("a['${{ v }}'].tag", "x'].y['z", None),
        ("a['${{ v }}'].tag", "x\\", None),
        ("a['${{ v }}'].tag", "x\ny", None),
        ("a['q'].${{ v }}", "x]", None),
        ('a["it\'s"].${{ v }}', "b[0]", None),
        ("a['it\\'s'].${{ v }}", "*", None),
    ],
)
def test_a_value_in_a_field_path_stays_one_name(source: str, value: str, expected: str | None) -> None:
    """A value that would change the structure of the path is refused."""
    if expected is None:
        with pytest.raises(InputError, match="would change the structure"):
            template(source).render_field({"v": value})
    else:
        assert expected == template(source).render_field({"v": value})


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("Fix the tag", "Fix the tag"),
        ("one\n\n  two\r\nthree", "one two three"),
        ("a\u2028b\x85c\x0bd", "a b c d"),
        ("a\x1b[31mb\x00\tc", "a[31mb c"),
        ("a\u202eb", "ab"),
        ("fixes #1", "fixes issue #1"),
        ("Closes: #12, done", "Closes: issue #12, done"),
        ("RESOLVED org/repo.x#1", "RESOLVED issue org/repo.x#1"),
        ("fix GH-3", "fix issue GH-3"),
        ("close https://github.com/o/r/issues/1", "close issue https://github.com/o/r/issues/1"),
        ("fixes\n#1", "fixes issue #1"),
        ("prefixes #1", "prefixes #1"),
        ("see #1", "see #1"),
        ("x [skip ci]", "x (skip ci)"),
        ("[CI Skip] [no ci] [skip actions] [actions skip]", "(CI Skip) (no ci) (skip actions) (actions skip)"),
        ("[skip\nci]", "(skip ci)"),
        ("skip-checks: true", "skip-checks=true"),
        ("skip-checks:true", "skip-checks=true"),
        ("thanks @octocat", "thanks @octocat"),
    ],
)
def test_payload_text_in_a_message_has_no_effect(value: str, expected: str) -> None:
    """Line breaks, closing keywords and skip-CI words of a payload are harmless and can still be read."""
    assert f"Built: {expected}" == template("Built: ${{ v }}").render_message({"v": value})
    assert expected == defuse(value)


@pytest.mark.parametrize(
    "keyword", ["close", "closes", "closed", "fix", "fixes", "fixed", "resolve", "resolves", "resolved"]
)
def test_every_closing_keyword_is_known(keyword: str) -> None:
    """GitHub's nine keywords, each with every form of reference."""
    for reference in ["#1", "o/r#1", "GH-1", "https://github.com/o/r/issues/1"]:
        assert f"{keyword} issue {reference}" == defuse(f"{keyword} {reference}")


def test_the_mapping_files_own_words_keep_their_effect() -> None:
    """Its author may skip checks; what comes about only with a payload's text does not."""
    assert template("${{ v }} [skip ci]\n\nfixes #1").render_message({"v": "x"}) == "x [skip ci]\n\nfixes #1"
    assert template("Fixes ${{ v }}").render_message({"v": "#1"}) == "Fixes issue #1"
    assert template("${{ v }} #1").render_message({"v": "fixes"}) == "fixes issue #1"
    assert template("[skip ${{ v }}]").render_message({"v": "ci"}) == "(skip ci)"


@settings(max_examples=200, deadline=None)
@given(st.text(st.sampled_from("[skip ci]fixes #1\n\r"), max_size=40))
def test_defusing_leaves_nothing_to_defuse(value: str) -> None:
    """No arrangement of the words survives one pass."""
    once = defuse(value)
    assert once == defuse(once)
    assert "[skip ci]" not in once


def test_what_is_absent_can_be_told_by_another_process() -> None:
    """With place and suggestion, and without the payload that the suggestion was made from."""
    with pytest.raises(UndefinedError) as caught:
        template("${{ tga }}").render({"tag": "1", "other": "x" * 10_000})
    sent = pickle.dumps(caught.value)
    assert len(sent) < 1000
    assert pickle.loads(sent).problems == caught.value.problems  # noqa: S301 - our own
    assert "did you mean 'tag'?" in str(caught.value)


def test_an_expression_without_braces_must_be_alone() -> None:
    """`variables:` takes an expression with `${{ }}` or without, and no text around it."""
    assert VARIABLES["tag"] == Template.expression(" ${{ tag }} ", HERE).evaluate(VARIABLES)
    with pytest.raises(InputError, match="must be one expression"):
        Template.expression("v${{ tag }}", HERE)


def test_a_syntax_tree_is_never_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Evaluation uses neither Jinja2's code generator nor Python's compiler."""

    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError

    parsed = template("${{ app.name | upper }}")
    monkeypatch.setattr("jinja2.Environment.compile", refuse)
    monkeypatch.setattr("builtins.eval", refuse)
    monkeypatch.setattr("builtins.exec", refuse)
    assert parsed.evaluate(VARIABLES) == "SHOP"
