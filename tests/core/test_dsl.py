"""The search-and-replace action's language: read to the letter, with what is wrong or odd at its place."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from decided import changed, planned, planned_by

from bot.core import dsl
from bot.core.changeset import Changeset, NoChange
from bot.core.dsl import Expanded, expand
from bot.core.mapping_file import parse
from bot.core.model import Result
from bot.errors import InputError

CASES = json.loads((Path(__file__).parents[1] / "data" / "mapping_dsl.json").read_text(encoding="utf-8"))
REGEXES = {"tag": 'imageTag: "(?<docker_image_tag>.*)"', "branch": "branch: (?<git_branch>.*)"}


def matches(case: dict[str, Any], expanded: Expanded) -> bool:
    """Whether a mapping of just this matcher holds for the variables of a case."""
    text = f"{expanded.variable}=={expanded.regex} {{THEN_UPDATE_FILES}} x="
    return planned_by(dsl.mapping_file(text, {}, "--mappings"), case["variables"]).matched[0].holds


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_the_language_reads_as_the_action_reads_it(case: dict[str, Any]) -> None:
    """Each matcher with each replacer, in order, with the regexes they name; or the action's own sentence."""
    if case["error"]:
        for read in (lambda: expand(case["dsl"], case["regexes"]), lambda: mapping_file(case["dsl"], case["regexes"])):
            with pytest.raises(InputError) as caught:
                read()
            assert case["error"] in caught.value.problems[0].sentence
        return
    found = [
        {
            "variable": one.variable,
            "regex": one.regex,
            "matches": matches(case, one),
            "glob": one.glob,
            "regexes": list(one.regexes),
        }
        for one in expand(case["dsl"], case["regexes"])
    ]
    assert case["mappings"] == found


def mapping_file(text: str, regexes: dict[str, str] | None = None) -> Any:
    return dsl.mapping_file(text, REGEXES if regexes is None else regexes, "--mappings")


def problems(text: str, regexes: dict[str, str] | None = None) -> list[str]:
    with pytest.raises(InputError) as caught:
        mapping_file(text, regexes)
    return [str(problem) for problem in caught.value.problems]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        (" \n\t", []),
        ("{NEXT_MAPPING} {NEXT_MAPPING}", []),
        ("{THEN_UPDATE_FILES} x=tag", []),
        ("a", [("a", ".*", "**", ("tag", "branch"))]),
        ("a==", [("a", "", "**", ("tag", "branch"))]),
        ("a==b==c", [("a", "b", "**", ("tag", "branch"))]),
        ("a=b", [("a=b", ".*", "**", ("tag", "branch"))]),
        ("a==b{THEN_UPDATE_FILES}x", [("a", "b", "x", ("tag", "branch"))]),
        ("a==b{THEN_UPDATE_FILES}x=branch&*&zz", [("a", "b", "x", ("tag", "branch"))]),
        ("a==b{THEN_UPDATE_FILES}x=branch&tag", [("a", "b", "x", ("branch", "tag"))]),
        ("a==b{THEN_UPDATE_FILES}x=", [("a", "b", "x", ())]),
        ("a==b{THEN_UPDATE_FILES}x=tag=branch", [("a", "b", "x", ("tag",))]),
        ("a==b {AND} c{THEN_UPDATE_FILES}x=tag", [("a", "b {AND} c", "x", ("tag",))]),
        ("a==b {or} c==d{THEN_UPDATE_FILES}x=tag", [("a", "b {or} c", "x", ("tag",))]),
        ("a==feature/.*{THEN_UPDATE_FILES}**dev/x=tag", [("a", "feature/.*", "**dev/x", ("tag",))]),
    ],
)
def test_pieces_are_split_and_trimmed_and_have_defaults(text: str, expected: list[tuple[Any, ...]]) -> None:
    """Nothing can be escaped; what follows a second separator is dropped, and blank mappings are too."""
    assert [Expanded(*one) for one in expected] == list(expand(text, REGEXES))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a==b {THEN_UPDATE_FILES} x=tga",
         "--mappings: The referenced regex 'tga' for mapping of glob 'x' does not exist; did you mean 'tag'?"),
        ("a==b {THEN_UPDATE_FILES} x=tag&",
         "--mappings: The referenced regex '' for mapping of glob 'x' does not exist; the regexes are tag, branch"),
        ("a==b {THEN_UPDATE_FILES} x=TAG",
         "--mappings: The referenced regex 'TAG' for mapping of glob 'x' does not exist; the regexes are tag, branch"),
        ("==b {THEN_UPDATE_FILES} x=tag", "--mappings: a condition begins with the name of a variable"),
        ("a==b {OR} {THEN_UPDATE_FILES} x=tag", "--mappings: a condition begins with the name of a variable"),
        ("a==( {THEN_UPDATE_FILES} x=tag", "--mappings: the pattern '(' is not valid: missing )"),
        ("a==b {THEN_UPDATE_FILES} /x=tag", "--mappings: the path '/x' is absolute"),
        ("a==b {THEN_UPDATE_FILES} ../x=tag", "--mappings: the path '../x' has a '.' or '..'"),
        ("a==b {THEN_UPDATE_FILES} {x=tag", "--mappings: the glob '{x' opens a {"),
        ("a==b {THEN_UPDATE_FILES} =tag", "--mappings: the glob is empty"),
        ("a==b {THEN_UPDATE_FILES} x=tag\n{NEXT_MAPPING}\n  a==b {THEN_UPDATE_FILES}\n  y=zz",
         "--mappings:4: The referenced regex 'zz'"),
    ],
)  # fmt: skip
def test_each_mistake_is_one_sentence(text: str, expected: str) -> None:
    """The action's sentences are still to be recognised; of several lines the one that is meant is named."""
    (found,) = problems(text)
    assert expected == found[: len(expected)]


def test_all_mistakes_come_at_once() -> None:
    """Of the patterns and of the string."""
    found = problems("a==( {THEN_UPDATE_FILES} /x=zz {NEXT_MAPPING} ==b", {"r": "[", "s": "(?<a>b)"})
    assert [any(part in sentence for sentence in found) for part in ("regex 'r'", "'/x'", "'zz'", "'('", "begins")] == [
        True
    ] * 5


@pytest.mark.parametrize(
    ("text", "warning"),
    [
        ("a==b==c {THEN_UPDATE_FILES} x=tag", "'a==b==c' has '==' twice: what follows the second one is ignored"),
        ("a==b {THEN_UPDATE_FILES} x=tag=branch", "'x=tag=branch' has '=' twice: what follows the second"),
        ("a==b {THEN_UPDATE_FILES} x=tag {THEN_UPDATE_FILES} y=tag", "a mapping has one {THEN_UPDATE_FILES}: what"),
        ("a==b {AND} c {THEN_UPDATE_FILES} x=tag", "{AND} only joins files: in a condition it is a part"),
        ("a==b {THEN_UPDATE_FILES} x=", "no regex goes over 'x', so nothing changes there: write x=NAME"),
        ("a==b {THEN_UPDATE_FILES} ", "this mapping names no files, so it does nothing"),
        ("{THEN_UPDATE_FILES} x=tag", "this mapping names no condition, so it does nothing"),
    ],
)  # fmt: skip
def test_what_the_action_drops_in_silence_is_warned_of(text: str, warning: str) -> None:
    """It works as it does there, and the person who reads the warnings learns what does nothing."""
    (found,) = mapping_file(text).warnings
    assert warning == found.sentence[: len(warning)]
    assert mapping_file("a==b {THEN_UPDATE_FILES} x=tag").warnings == ()


def test_a_regex_without_a_named_group_is_warned_of() -> None:
    """The action takes it, and it changes nothing."""
    (warning,) = mapping_file("a==b {THEN_UPDATE_FILES} x=r", {"r": "tag: .*"}).warnings
    assert warning.sentence.startswith("regex 'r': the pattern has no named group")


FILE = "environments/dev/values.yaml"
TEXT = f"docker_image_tag==main.* {{OR}} git_branch==prod.* {{THEN_UPDATE_FILES}} {FILE}=tag {{AND}} **.txt=*"


def test_one_mapping_has_all_its_matchers_and_replacers() -> None:
    """`{OR}` is any of them, `{AND}` one update each: a file is visited once, whichever matchers hold."""
    (mapping,) = mapping_file(TEXT).mappings
    assert mapping.name == "docker_image_tag==main.* {OR} git_branch==prod.*"
    payload = {"docker_image_tag": "main-1", "git_branch": "prod"}
    plan = planned_by(mapping_file(TEXT), payload)
    assert [[glob.pattern for glob in edit.files] for edit in plan.edits] == [[FILE], ["**.txt"]]
    first, second = plan.matched[0].result.children[0].children
    leaf = Result("docker_image_tag contains a match of main.*", holds=True, why="it is 'main-1'")
    assert (first.children, second.holds) == ((leaf,), True)


def test_a_single_matcher_stands_for_itself() -> None:
    """Its result has no 'any of' around it, and reads true: it searches, it does not match."""
    result = planned_by(mapping_file("t==.*-dev {THEN_UPDATE_FILES} x="), {"t": "1-dev-prod"}).matched[0].result
    assert result.children == (Result("t contains a match of .*-dev", holds=True, why="it is '1-dev-prod'"),)


def test_names_are_readable_and_unique() -> None:
    """The left side with its spaces in order, cut at sixty characters, numbered where it is there already."""
    text = " {NEXT_MAPPING} ".join(["a  ==\n b", "a == b", "a == b", f"a=={'x' * 80}"])
    found = [mapping.name for mapping in mapping_file(text).mappings]
    assert found == ["a == b", "a == b (2)", "a == b (3)", f"a=={'x' * 56}…"]


@pytest.mark.parametrize("text", ["t==a", "a==b {OR} t==a", "t==a {OR} a==b", "a==b {NEXT_MAPPING} t"])
def test_an_undefined_variable_is_an_error_when_it_is_planned(text: str) -> None:
    """In any matcher, whether or not another one holds; the nearest name is suggested."""
    with pytest.raises(InputError) as caught:
        planned_by(mapping_file(text), {"a": "b", "tt": "x", "git_branch": "", "docker_image_tag": ""})
    (problem,) = caught.value.problems
    sentence = "You are referencing the variable 't'. This variable is not defined; did you mean 'tt'?"
    assert (problem.sentence, problem.file) == (sentence, "--mappings")


@pytest.mark.parametrize("variable", ["__always__", "__true__"])
def test_the_built_in_variables_are_one(variable: str) -> None:
    """They are there in every payload, and no payload changes them."""
    for payload in ({}, {variable: "2"}):
        file = mapping_file(f"{variable}==^1$ {{THEN_UPDATE_FILES}} x=", {})
        assert planned_by(file, payload).matched[0].holds


@pytest.mark.parametrize(
    ("pattern", "value", "expected"),
    [
        (".*-dev", "1-dev-prod", True),
        ("1.0", "main-1.0.0", True),
        ("^v", "v1", True),
        ("^v", "xv1", False),
        ("V", "v1", False),
        ("(?i)V", "v1", True),
        ("^b", "a\nb", False),
        ("feature/.*", "feature/x", True),
        (r"feature\/.*", "feature/x", True),
        ("", "", True),
        ("x", 3, False),
        ("3", 13, True),
        ("a", None, False),
        ("a", ["a"], False),
    ],
)
def test_matching_is_as_unanchored_as_in_the_action(pattern: str, value: Any, expected: bool) -> None:
    """Anywhere in the value, case counts, `^` and `$` are the ends of the whole, a slash is a slash."""
    file = mapping_file(f"t=={pattern} {{THEN_UPDATE_FILES}} x=")
    assert expected == planned_by(file, {"t": value}).matched[0].holds


def test_groups_of_matchers_become_no_variables() -> None:
    """In the action a condition only tests."""
    plan = planned_by(mapping_file("t==(?<v>.*) {THEN_UPDATE_FILES} x="), {"t": "1"})
    assert (plan.matched[0].captures, plan.used) == ({}, {"t": "1"})


def test_nothing_is_a_template() -> None:
    """Dollars and braces in a glob are what they are, and a value is text, whatever stands in it."""
    plan = planned_by(mapping_file("t==.* {THEN_UPDATE_FILES} a${{ t }}/x.yaml="), {"t": "${{ t }}"})
    assert [glob.pattern for glob in plan.globs] == ["a${{ t }}/x.yaml"]
    assert plan.used == {"t": "${{ t }}"}


IN_FILE = """\
version: 1
environments: { dev: { files: 'environments/dev/**' } }
variables: { tag: client_payload.image.tag }
regexes:
  image_tag: '^imageTag: "(?<tag>.*)"'
  idle: 'x'
mappings: |

  tag==main.* {THEN_UPDATE_FILES} environments/dev/values.yaml=*
  {NEXT_MAPPING}
  tag==dev {THEN_UPDATE_FILES} x=idle=
commit: { message: 'Now ${{ tag }}' }
"""


def test_a_mapping_file_may_have_it_in_place_of_the_list() -> None:
    """Environments, variables, regexes and commit work as ever; patterns have no flags, so `^` is the file's start."""
    files = {"environments/dev/values.yaml": 'imageTag: "1"\n'}
    payload = {"image": {"tag": "main-2"}}
    plan, change = changed(files, payload, IN_FILE)
    assert (plan.message, plan.holding) == ("Now main-2", ("tag==main.*",))
    assert isinstance(change, Changeset)
    assert change.files["environments/dev/values.yaml"].after == b'imageTag: "main-2"\n'
    _, change = changed({"environments/dev/values.yaml": 'a: b\nimageTag: "1"\n'}, payload, IN_FILE)
    assert isinstance(change, NoChange)


def test_its_warnings_have_their_lines() -> None:
    """That matching is unanchored, at `mappings`; the regex without a group; what is odd in a literal block."""
    expected = [
        "m.yaml:6:9: the pattern has no named group",
        "m.yaml:7:11: matching is unanchored as in the action: '.*-dev' also matches 1-dev-prod",
        "m.yaml:11: 'x=idle=' has '=' twice",
    ]
    found = [str(warning) for warning in parse(IN_FILE, "m.yaml").warnings]
    assert expected == [warning[: len(start)] for warning, start in zip(found, expected, strict=True)]


@pytest.mark.parametrize(
    ("mappings", "place"),
    [
        ("|\n  a==b {THEN_UPDATE_FILES} x=image_tag\n  {NEXT_MAPPING}\n\n  a {THEN_UPDATE_FILES} y=zz", "m.yaml:7"),
        (">-\n  a==b {THEN_UPDATE_FILES} x=image_tag\n  {NEXT_MAPPING}\n  a {THEN_UPDATE_FILES} y=zz", "m.yaml:3:11"),
        ("'a==b {THEN_UPDATE_FILES} x=image_tag {NEXT_MAPPING}\n  a {THEN_UPDATE_FILES} y=zz'", "m.yaml:3:11"),
    ],
)
def test_its_mistakes_have_their_line_where_yaml_keeps_lines(mappings: str, place: str) -> None:
    """A literal block does; in every other style the whole is the place."""
    with pytest.raises(InputError) as caught:
        parse(f"version: 1\nregexes: {{ image_tag: 'a(?<b>c)' }}\nmappings: {mappings}\n", "m.yaml")
    (problem,) = caught.value.problems
    assert str(problem).startswith(f"{place}: The referenced regex 'zz' for mapping of glob 'y' does not exist")


def test_an_undefined_variable_has_its_line_in_the_file() -> None:
    """The position of the matcher goes with it to the plan."""
    with pytest.raises(InputError) as caught:
        planned({}, IN_FILE)
    (problem,) = caught.value.problems
    assert (problem.file, problem.line) == (".github/pointsman.yaml", 9)


def test_a_closed_list_of_variables_holds_there_too() -> None:
    """Matchers and groups must be listed; the built-in variables are."""
    text = IN_FILE.replace("{ tag:", "{ only: true, tag:")
    assert parse(text, "m.yaml").only
    with pytest.raises(InputError) as caught:
        parse(text.replace("tag==dev", "__true__ {OR} tga==dev").replace("?<tag>", "?<teg>"), "m.yaml")
    assert [str(problem).partition(", which")[0] for problem in caught.value.problems] == [
        "m.yaml:9: 'teg' is not listed under 'variables:'",
        "m.yaml:11: 'tga' is not listed under 'variables:'",
    ]
