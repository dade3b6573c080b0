"""Conditions: when they hold, why, and which variables they make."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bot.core.mapping_file import parse
from bot.core.match import Matched, evaluate
from bot.core.model import Result
from bot.errors import InputError

if TYPE_CHECKING:
    from bot.core.model import Json

MAPPINGS = "version: 1\nmappings: [{name: m, when: %s, update: [{files: x, set: {a: b}}]}]"


def match(when: str, variables: dict[str, Json]) -> Matched:
    return evaluate(parse(MAPPINGS % when, "m.yaml").mappings[0].when, variables)


@pytest.mark.parametrize(
    ("when", "variables", "expected"),
    [
        ("{}", {}, True),
        ("{t: '.*-dev'}", {"t": "1-dev"}, True),
        ("{t: '.*-dev'}", {"t": "1-dev-prod"}, False),
        ("{t: dev}", {"t": "x-dev"}, False),
        ("{t: 'a|b'}", {"t": "b"}, True),
        ("{t: 'a|b'}", {"t": "bb"}, False),
        ("{t: '^a$'}", {"t": "a\n"}, False),
        ("{t: ''}", {"t": ""}, True),
        ("{t: [x, 'y.*']}", {"t": "yes"}, True),
        ("{t: [x, y]}", {"t": "z"}, False),
        ("{t: a, u: b}", {"t": "a", "u": "b"}, True),
        ("{t: a, u: b}", {"t": "a", "u": "c"}, False),
        ("{t: a, u: b}", {"t": "a"}, False),
        ("{n: 3}", {"n": 3}, True),
        ("{n: '3'}", {"n": 3}, True),
        ("{n: 1.5}", {"n": 1.5}, True),
        ("{b: true}", {"b": True}, True),
        ("{b: 'True'}", {"b": True}, False),
        ("{x: '.*'}", {"x": None}, False),
        ("{x: '.*'}", {"x": ["a"]}, False),
        ("{x: '.*'}", {"x": {"a": 1}}, False),
        ("{any: [{t: a}, {u: b}]}", {"u": "b"}, True),
        ("{any: [{t: a}, {u: b}]}", {"u": "c"}, False),
        ("{any: [{t: a, u: b}, {u: c}]}", {"t": "a", "u": "c"}, True),
        ("{not: {t: a}}", {"t": "b"}, True),
        ("{not: {t: a}}", {"t": "a"}, False),
        ("{not: {t: a}}", {}, True),
        ("{not: {t: a, u: b}}", {"t": "a", "u": "c"}, True),
        ("{t: 'v.*', not: {any: [{t: v1}, {t: v2}]}}", {"t": "v3"}, True),
        ("{t: 'v.*', not: {any: [{t: v1}, {t: v2}]}}", {"t": "v2"}, False),
        ("{app.name: shop}", {"app": {"name": "shop"}}, True),
        ("{app.name: shop}", {"app": {"name": "cart"}}, False),
        ("{app.name: shop}", {"app.name": "shop", "app": {"name": "cart"}}, True),
        ("{images.1.tag: b}", {"images": [{"tag": "a"}, {"tag": "b"}]}, True),
        ("{images.2.tag: b}", {"images": [{"tag": "a"}, {"tag": "b"}]}, False),
        ("{images.-1.tag: b}", {"images": [{"tag": "a"}, {"tag": "b"}]}, False),
        ("{images.².tag: b}", {"images": [{"tag": "a"}, {"tag": "b"}]}, False),
        ("{t.0: a}", {"t": "abc"}, False),
        ("{t: '(?<v>.*)-(dev|qa)', v: '1.*'}", {"t": "1.2-qa"}, True),
        ("{t: '(?<v>.*)-(dev|qa)', v: '1.*'}", {"t": "2.2-qa"}, False),
        ("{v: '1.*', t: '(?<v>.*)-(dev|qa)'}", {"t": "1.2-qa"}, False),
        ("{t: '(?<v>.*)-qa', v: '1.*'}", {"t": "2-qa", "v": "1"}, False),
        ("{t: '(?<v>.*)-qa', not: {v: '1.*'}}", {"t": "1-qa"}, False),
        ("{t: '(?<v>.*)-qa', any: [{v: '1.*'}, {v: '3.*'}]}", {"t": "3-qa"}, True),
        ("{any: [{t: '(?<v>.*)-qa'}, {t: '(?<w>.*)-dev'}], w: '1.*'}", {"t": "1-dev"}, True),
        ("{t: '(?<v>.+)-(dev|stable)', v: {semver: '>=1.4 <2'}}", {"t": "v1.4.2-stable"}, True),
        ("{t: '(?<v>.+)-(dev|stable)', v: {semver: '>=1.4 <2'}}", {"t": "v1.3.9-stable"}, False),
    ],
)
def test_when_a_condition_holds(when: str, variables: dict[str, Json], expected: bool) -> None:
    """Patterns match the whole text, all tests must hold, lists and `any` need one, `not` turns round."""
    assert expected == match(when, variables).result.holds


def test_the_result_is_a_tree_of_named_facts() -> None:
    """Every test is there with the fact that decided it, also after the first that fails."""
    when = "{tag: ['.*-dev', qa], not: {branch: main}, any: [{force: true}, {who: x}]}"
    expected = Result(
        "all of",
        holds=False,
        children=(
            Result("tag matches .*-dev or qa", holds=False, why="it is '1.4.2'"),
            Result(
                "not",
                holds=False,
                children=(
                    Result(
                        "all of", holds=True, children=(Result("branch matches main", holds=True, why="it is 'main'"),)
                    ),
                ),
            ),
            Result(
                "any of",
                holds=True,
                children=(
                    Result(
                        "all of",
                        holds=True,
                        children=(Result("force matches true", holds=True, why="it is true (a boolean)"),),
                    ),
                    Result(
                        "all of",
                        holds=False,
                        children=(
                            Result("who matches x", holds=False, why="it is null, which has no text to look at"),
                        ),
                    ),
                ),
            ),
        ),
    )
    assert expected == match(when, {"tag": "1.4.2", "branch": "main", "force": True, "who": None}).result


def test_an_absent_variable_does_not_hold_and_says_so() -> None:
    """The reason names the nearest variable that is there; a long value is cut."""
    near = match("{docker_image_tga: x}", {"docker_image_tag": "x"}).result.children[0].why
    assert near == "docker_image_tga is not in the payload; did you mean 'docker_image_tag'?"
    assert match("{x: y}", {"tag": "y"}).result.children[0].why == "x is not in the payload"
    assert match("{x: y}", {"x": "z" * 100}).result.children[0].why == f"it is '{'z' * 50}…{'z' * 29}' (100 characters)"
    assert match("{}", {}).result == Result("all of", holds=True, why="it has no conditions")


@pytest.mark.parametrize(
    ("when", "variables", "expected"),
    [
        ("{t: '(?<v>.+)-(?<env>dev|qa)'}", {"t": "1.0-qa"}, {"v": "1.0", "env": "qa"}),
        ("{t: ['(?<a>x.*)', '(?<b>y.*)']}", {"t": "yz"}, {"b": "yz"}),
        ("{t: ['(?<a>y)z', '(?<a>.*)']}", {"t": "yz"}, {"a": "y"}),
        ("{t: '(?<a>x)?y'}", {"t": "y"}, {}),
        ("{t: '(?<a>x*)y'}", {"t": "y"}, {"a": ""}),
        ("{any: [{t: '(?<a>x)'}, {t: '(?<b>.)'}, {t: '(?<c>.)'}]}", {"t": "y"}, {"b": "y"}),
        ("{not: {t: '(?<a>x)'}}", {"t": "y"}, {}),
        ("{t: '(?<a>.*)', u: z}", {"t": "y", "u": "x"}, {}),
        ("{t: \"(?'a'.*)\"}", {"t": "y"}, {"a": "y"}),
        ("{n: '(?<a>\\d+)'}", {"n": 12}, {"a": "12"}),
    ],
)
def test_named_groups_become_variables(when: str, variables: dict[str, Json], expected: dict[str, str]) -> None:
    """Those of what holds, by the first alternative; none of `not`, of what failed, or of a group that took no part."""
    assert expected == match(when, variables).captures


def test_a_condition_knows_what_it_looks_at_and_what_it_may_capture() -> None:
    """Names go to any depth; captures leave out what is below `not`."""
    text = MAPPINGS % "{a: '(?<x>.)', any: [{b: '(?<y>.)'}, {not: {c: '(?<z>.)'}}]}"
    condition = parse(text, "m.yaml").mappings[0].when
    assert (frozenset("abc"), frozenset("xy")) == (condition.names, condition.captures)


def test_what_a_condition_captures_itself_is_none_of_the_names_that_it_looks_at() -> None:
    """A test below looks at the capture, not at a variable of the payload; one above does not."""
    text = MAPPINGS % "{y: z, a: '(?<x>.)(?<y>.)', x: {semver: '*'}, not: {any: [{x: b, c.d: e}]}}"
    assert frozenset({"a", "y", "c.d"}) == parse(text, "m.yaml").mappings[0].when.names


@pytest.mark.parametrize(
    ("when", "variables", "why"),
    [
        ("{app.nam: x}", {"app": {"name": "y"}}, "app.nam is not in the payload; did you mean 'app.name'?"),
        ("{ap.name: x}", {"app": {"name": "y"}}, "ap.name is not in the payload; did you mean 'app'?"),
        ("{app.name.x: y}", {"app": {"name": "y"}}, "app.name.x is not in the payload"),
        ("{a.b: y}", {"a": {"b": [1]}}, "it is a list, which has no text to look at"),
    ],
)
def test_a_path_that_leads_nowhere_says_so(when: str, variables: dict[str, Json], why: str) -> None:
    """The reason has the whole path, and the nearest one that is there."""
    assert why == match(when, variables).result.children[0].why


def test_what_was_not_captured_is_told_from_what_is_not_in_the_payload() -> None:
    """Where the test above failed, the one below says why it has nothing to look at."""
    below = match("{t: '(?<v>.+)-dev', v: x}", {"t": "1-qa"}).result.children[1]
    assert (below.name, below.holds, below.why) == ("v matches x", False, "v was not captured")


@pytest.mark.parametrize(
    ("versions", "given", "expected"),
    [
        (">=1 <2", "1.4.2", True),
        (">=1 <2", "v1.4.2", True),
        (">=1 <2", "2.0.0", False),
        ("~1.4", "1.4.9", True),
        ("~1.4", "1.5.0", False),
        ("^0.2.3", "0.2.9", True),
        ("^0.2.3", "0.3.0", False),
        ("1.2 - 1.4", "1.4.7", True),
        ("1.x || >=3.1", "3.1.0", True),
        ("1.x || >=3.1", "3.0.9", False),
        ("*", "0.0.1", True),
        (">=1.2.3-rc.2", "1.2.3-rc.10", True),
        (">=1.2.3-rc.2", "1.2.3-rc.1", False),
        (">=1.2.3-rc.2", "1.2.4-rc.3", False),
        ("1.2.3", "1.2.3+build.7", True),
        ("<99999999999999999999.0.0", "1.0.0", True),
    ],
)
def test_a_range_holds_as_it_does_for_npm(versions: str, given: str, expected: bool) -> None:
    """Comparators, tildes, carets, hyphens, alternatives, pre-releases and build metadata."""
    assert expected == match(f"{{t: {{semver: '{versions}'}}}}", {"t": given}).result.holds


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ("1.4.2", "it is '1.4.2'"),
        ("main", "it is 'main', which is no semantic version such as 1.4.2"),
        ("1.4", "it is '1.4', which is no semantic version such as 1.4.2"),
        ("01.4.2", "it is '01.4.2', which is no semantic version such as 1.4.2"),
        ("1.4.2\n", r"it is '1.4.2\n', which is no semantic version such as 1.4.2"),
        ("1.4.٣", "it is '1.4.٣', which is no semantic version such as 1.4.2"),
        (1.4, "it is 1.4 (a number), which is no semantic version such as 1.4.2"),
        (None, "it is null, which has no text to look at"),
        (
            "2.1.0-rc.1",
            "it is '2.1.0-rc.1', a pre-release, which only a range that names a pre-release of 2.1.0 takes",
        ),
        ("1.0.0-rc.1", "it is '1.0.0-rc.1'"),
        (
            "1.2.3-" + "a" * 300,
            f"it is '1.2.3-{'a' * 44}…{'a' * 29}' (306 characters), which is no semantic version such as 1.4.2",
        ),
    ],
)
def test_a_version_outside_of_a_range_says_why(given: Json, why: str) -> None:
    """What is no version, and a pre-release that only npm's rule keeps out, are told from what is just too low."""
    (result,) = match("{t: {semver: '>=2'}}", {"t": given}).result.children
    assert (result.name, result.holds, result.why) == ("t is a version in >=2", False, why)


def test_a_pattern_that_backtracks_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    """One payload cannot hold the worker: the sentence names variable and pattern."""
    monkeypatch.setattr("bot.core.match.BUDGET_SECONDS", 0.05)
    with pytest.raises(InputError, match=r"t: the pattern '\(\?:a\|aa\)\+' was stopped after 0.05 s"):
        match("{t: '(?:a|aa)+'}", {"t": "a" * 5000 + "b"})
