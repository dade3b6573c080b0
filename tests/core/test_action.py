"""What the search-and-replace action takes out of an environment, and what a workflow is told."""

from __future__ import annotations

import json
from itertools import takewhile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.core.action import Registration, annotation, inputs, names_in, outputs
from bot.errors import Problem

DETECTED = Registration()


def read(text: str) -> dict[str, str]:
    """Return the outputs that GitHub's runner reads out of the lines for GITHUB_OUTPUT, as its source reads them."""
    found: dict[str, str] = {}
    lines = iter(text.split("\n"))
    for line in lines:
        equals, heredoc = line.find("="), line.find("<<")
        if equals >= 0 and not 0 <= heredoc < equals:
            name, _, found[name] = line.partition("=")
        elif heredoc >= 0:
            name, _, delimiter = line.partition("<<")
            found[name] = "\n".join(takewhile(delimiter.__ne__, lines))
        else:
            assert line == ""
    return found


@pytest.mark.parametrize(
    ("environment", "registration", "variables"),
    [
        ({"DOCKER_IMAGE_TAG": " 1.0 \n", "GIT_TAG": "", "GIT_BRANCH": "  "}, DETECTED, {"docker_image_tag": "1.0"}),
        ({"DOCKER_IMAGE_TAG": "0", "GIT_TAG": "true"}, DETECTED, {"docker_image_tag": "0", "git_tag": "true"}),
        ({"A_VAR": " as it is ", "B_VAR": ""}, DETECTED, {"a": " as it is ", "b": ""}),
        ({"a_var": "1", "Mixed_Var": "2"}, DETECTED, {"a": "1", "mixed": "2"}),
        ({"A_VAR_B_VAR": "1"}, DETECTED, {"a_var_b": "1"}),
        ({"_VAR": "1", "VAR": "2", "A_VARS": "3"}, DETECTED, {}),
        ({"INPUT_A_VAR": "1", "INPUT_DOCKER_IMAGE_TAG": "2"}, DETECTED, {}),
        ({"A_VAR": "1"}, Registration(detect_variables=False), {}),
        ({"A": " 1 ", "a": "2"}, Registration(variables=("a",)), {"a": "1"}),
        ({"A_VAR": "suffix", "A": "listed"}, Registration(variables=("A",)), {"a": "listed"}),
        ({"A_VAR": "1"}, Registration(variables=("a_var",)), {"a": "1", "a_var": "1"}),
        ({"GIT_TAG": "known", "GIT_TAG_VAR": "suffix"}, DETECTED, {"git_tag": "suffix"}),
    ],
)
def test_variables_are_the_well_known_ones_then_those_with_the_suffix_then_those_listed(
    environment: dict[str, str], registration: Registration, variables: dict[str, str]
) -> None:
    """The later wins; looked up by name a value is trimmed and must not be empty, by suffix it is as it is."""
    assert inputs(environment, registration).variables == variables


@pytest.mark.parametrize(
    ("environment", "registration", "regexes"),
    [
        ({"B_REGEX": " b ", "A_REGEX": "a"}, DETECTED, {"b_regex": " b ", "a_regex": "a"}),
        ({"a_regex": "a", "DOCKER_IMAGE_TAG_REGEX": ""}, DETECTED, {"a_regex": "a"}),
        ({"INPUT_A_REGEX": "a"}, DETECTED, {}),
        ({"A_REGEX": "a"}, Registration(detect_regexes=False), {}),
        ({"A_REGEX": " a ", "B": "b"}, Registration(regexes=("b", "a_regex")), {"a_regex": "a", "b": "b"}),
    ],
)
def test_regexes_keep_their_suffix_and_their_order(
    environment: dict[str, str], registration: Registration, regexes: dict[str, str]
) -> None:
    """`*` among a mapping's regexes means all of them in this order; an empty one counts as missing."""
    found = inputs(environment, registration).regexes
    assert list(found.items()) == list(regexes.items())


def test_what_is_listed_in_vain_is_a_warning() -> None:
    """A misspelt name is not passed over in silence."""
    found = inputs({"EMPTY": " "}, Registration(variables=("Empty",), regexes=("no_regex",)))
    assert (found.variables, found.regexes) == ({}, {})
    assert found.warnings == (
        "ignoring empty: the environment variable EMPTY is empty or not there",
        "ignoring no_regex: the environment variable NO_REGEX is empty or not there",
    )


def test_a_list_of_names_has_blanks_and_no_empty_names() -> None:
    """As people write it in a workflow."""
    assert names_in(" a, B ,,c\n,") == ("a", "B", "c")


def test_outputs_are_the_count_the_files_and_the_variables() -> None:
    """Each file counts once; names that no output can have are in the JSON only, and ours are not overwritten."""
    variables = {"tag": "1.0=2", "9lives": "cat", "a b": "c", "total_modified_files": "7", "-x": "y", "__true__": "1"}
    found = read(outputs(variables, ["b.yaml", "a.yaml", "b.yaml"], "end"))
    assert json.loads(found.pop("variables")) == variables
    assert found == {
        "total_modified_files": "2",
        "changed_files": '["b.yaml", "a.yaml"]',
        "tag": "1.0=2",
        "__true__": "1",
    }


@given(st.dictionaries(st.sampled_from("abc"), st.text(st.characters(codec="utf-8") | st.sampled_from("\r\n=<"))))
def test_whatever_a_value_is_the_runner_reads_it_and_nothing_beside_it(variables: dict[str, str]) -> None:
    """A value cannot add an output of its own, whatever lines it has."""
    found = read(outputs(variables, [], "a delimiter that nobody can guess"))
    assert {name: found[name] for name in variables} == variables
    assert set(found) == {*variables, "total_modified_files", "changed_files", "variables"}


@pytest.mark.parametrize(
    ("problem", "command"),
    [
        (Problem("no such key"), "::error::no such key"),
        (Problem("no such key", "a.yaml", 3, 5), "::error file=a.yaml,line=3,col=5::no such key"),
        (Problem("100%\r\nof: it, all", "a,b:c%.yaml"), "::error file=a%2Cb%3Ac%25.yaml::100%25%0D%0Aof: it, all"),
    ],
)
def test_an_annotation_is_one_command_in_which_nothing_ends_it_early(problem: Problem, command: str) -> None:
    """What a file or a value holds is no command of its own."""
    assert annotation(problem) == command
