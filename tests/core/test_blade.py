"""Commit templates in Blade, as templates of ours."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.core import expression
from bot.core.blade import translate
from bot.core.blade_php import literal
from bot.core.template import Position, Template, UndefinedError
from bot.errors import InputError

DEFAULT = "chore: @if(isset($docker_image_tag))bumped docker image tag to {{ $docker_image_tag->value }}@endif"


def rendered(blade: str, **variables: str | None) -> str:
    """Return what a Blade template says of these variables, by way of ours."""
    return Template.parse(translate(blade), Position("message")).render(variables)


@pytest.mark.parametrize(
    ("blade", "ours"),
    [
        ("release {{ $tag }}", "release ${{ tag }}"),
        ("release {{$tag->value}}!", "release ${{ tag }}!"),
        ("release {!! $tag !!}{{-- a remark --}}", "release ${{ tag }}"),
        ("release {{ $tag ?? 'none' }}", "release ${{ tag | default('none') }}"),
        ("@if($tag == 'v1') one @endif", "${{ ' one ' if tag | default('') == 'v1' else '' }}"),
        ("@isset($tag)yes@endisset", "${{ 'yes' if tag | default(none) != none else '' }}"),
    ],
)
def test_blade_becomes_expressions(blade: str, ours: str) -> None:
    """A value is an expression, a condition one with `if` and `else`; the text around them stays."""
    assert translate(blade) == ours


@pytest.mark.parametrize(
    "text",
    ["", "A new version.", "build@internal, @octocat", "}} and } and {", "${{ tag }} {{ $x }}", "100 %\n\n* one"],
)
def test_text_without_blade_comes_back_as_it_is(text: str) -> None:
    """So does what has an expression of ours already, and an @word that Blade does not know."""
    assert translate(text) == text


@pytest.mark.parametrize(
    ("variables", "message"),
    [({}, "chore: "), ({"docker_image_tag": "1.4.2"}, "chore: bumped docker image tag to 1.4.2")],
)
def test_the_default_template_of_the_action_says_what_it_means(variables: dict[str, str], message: str) -> None:
    """With the variable, and without it."""
    assert rendered(DEFAULT, **variables) == message


@pytest.mark.parametrize(
    ("condition", "when_absent", "when_empty", "when_zero", "when_set"),
    [
        ("isset($x)", False, True, True, True),
        ("!isset($x)", True, False, False, False),
        ("empty($x)", True, True, True, False),
        ("!empty($x)", False, False, False, True),
        ("$x", False, False, False, True),
        ("!$x", True, True, True, False),
        ("$x->value != 'v1'", True, True, True, False),
        ("'v1' === $x", False, False, False, True),
        ("$x == 0", False, False, True, False),
        ("!($x == 'v1' || empty($x))", False, False, False, False),
        ("isset($x) && ($x == '' or $x == \"v1\")", False, True, False, True),
        ("(isset($x) and !$x) || $y", False, True, True, False),
        ("!(isset($x) && $x)", True, True, True, False),
        ("isset($x, $y)", False, False, False, False),
    ],
)
def test_a_condition_holds_when_php_says_so(
    condition: str, when_absent: bool, when_empty: bool, when_zero: bool, when_set: bool
) -> None:
    """PHP takes '' and '0' for false; what is not there does not hold."""
    template = f"@if({condition})yes @else no @endif"
    values: list[dict[str, str | None]] = [{}, {"x": ""}, {"x": "0"}, {"x": "v1"}]
    held = [rendered(template, **variables) == "yes " for variables in values]
    assert held == [when_absent, when_empty, when_zero, when_set]


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"stage": "prod", "tag": "v1"}, 'to prod, it\'s "v1"!'),
        ({"stage": "prod"}, "to prod!"),
        ({"stage": "dev"}, "to dev"),
        ({}, "nowhere"),
    ],
)
def test_conditions_nest(variables: dict[str, str], message: str) -> None:
    """An @if inside another one, @elseif and @else; text with both kinds of quotes."""
    blade = (
        "@if($stage == 'prod')to prod@if($tag), it's \"{{ $tag }}\"@endif!@elseif($stage == 'dev')to dev"
        "@else{{-- --}}nowhere@endif"
    )
    assert rendered(blade, **variables) == message


def test_each_directive_has_its_own_end() -> None:
    """@unless, @isset and @empty are conditions too, with @else if need be."""
    blade = "@unless($a)a@endunless @isset($b)b@else -@endisset @empty($c)c@endempty"
    assert rendered(blade) == "a  - c"
    assert rendered(blade, a="1", b="2", c="3") == " b "


def test_the_line_break_after_a_directive_goes_with_it() -> None:
    """Directives may stand on lines of their own, as in any PHP file."""
    assert rendered("one\n@if ($x)\ntwo\n@endif\nthree", x="1") == "one\ntwo\nthree"
    assert rendered("one\n@if ($x)\ntwo\n@endif\nthree") == "one\nthree"


def test_what_is_escaped_is_text() -> None:
    """`@@if` and `@{{` are how Blade writes them out."""
    assert rendered("@@if @{{ $x }} $@{{ x }}") == "@if {{ $x }} ${{ x }}"


def test_a_value_that_is_not_there_is_an_error() -> None:
    """As in PHP: only conditions forgive it."""
    with pytest.raises(UndefinedError, match="there is no variable 'tag'"):
        rendered("release {{ $tag }}")


@pytest.mark.parametrize(
    ("blade", "sentence"),
    [
        ("to {{ $tag } for {{ $customer))", "at character 4: '{{' is never closed with '}}': what stands there is '}'"),
        ("for {{ $customer))", "at character 5: '{{' is never closed with '}}': what stands there is '))'"),
        ("for {!! $customer }}", "at character 5: '{!!' is never closed with '!!}': what stands there is '}}'"),
        ("to {{ tag }}", "at character 4: 'tag' cannot be translated: a variable begins with $, so write $tag"),
        (
            "to {{ strtoupper($tag) }}",
            "'strtoupper($tag)' cannot be translated: write the message with ${{ … }} instead",
        ),
        ("to {{ strtoupper($tag) }}", "there ${{ tag | upper }}"),
        ("to {{ $tag . 'x' }}", "a value is $name, $name->value or $name ?? 'text'"),
        ("@foreach($tags as $tag){{ $tag }}@endforeach", "at character 1: @foreach has no counterpart"),
        ("x @if($tag)y", "opens @if at character 3 and never closes it with @endif"),
        ("@if(isset($tag)y@endif", "at character 1: @if needs its condition in parentheses"),
        ("@if()y@endif", "'' cannot be translated"),
        ("@if(strlen($tag) > 3)y@endif", "'strlen($tag) > 3' cannot be translated"),
        (f"@if({'!' * 9_000}$tag)y@endif", "the condition has too many parentheses or ! inside each other"),
        ("x @endif", "at character 3: @endif stands where no @if is open"),
        ("@isset($tag)x@endif", "@endif stands where @endisset should close @isset"),
        ("@if($a)x@else y@else z@endif", "@else stands after @else, which is the last branch"),
    ],
)
def test_blade_that_cannot_be_translated_is_refused_with_its_place(blade: str, sentence: str) -> None:
    """The sentence says what is wrong and what to write in its place."""
    with pytest.raises(InputError) as caught:
        translate(blade)
    assert str(caught.value).startswith("the commit template")
    assert sentence in str(caught.value)


@given(st.text())
def test_a_literal_evaluates_to_its_text(text: str) -> None:
    """Whatever quotes, backslashes and line breaks are in it."""
    assert expression.parse(literal(text)).evaluate({}) == text
