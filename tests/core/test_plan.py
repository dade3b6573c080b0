"""What the mappings say for one dispatch: which hold and why, and their edits, rendered."""

from __future__ import annotations

import time
from typing import Any

import pytest
from decided import MAPPINGS, planned

from bot.core.plan import SetFields, Substitute
from bot.errors import InputError

TWO = """\
version: 1
regexes:
  tag: 'tag: (?<docker_image_tag>.*)'
mappings:
  - name: dev
    on: update-gitops-repo
    when: { docker_image_tag: '.*-dev' }
    update:
      - { files: environments/dev/values.yaml, regex: tag }
  - name: any
    update:
      - { files: [ '**/all.yaml', 'apps/${{ app }}/*.yaml' ], set: { replicas: '${{ replicas }}', on: true } }
commit:
  message: "${{ commit_message }} of ${{ docker_image_tag }}"
  author: { name: build, email: build@internal }
"""
PAYLOAD = {"docker_image_tag": "1-dev", "app": "shop", "replicas": 3, "commit_message": "Mend", "unused": {"a": 1}}


def sentences(payload: Any, mappings: str) -> list[str]:
    with pytest.raises(InputError) as caught:
        planned(payload, mappings)
    return [problem.sentence for problem in caught.value.problems]


def test_all_mappings_that_hold_apply_in_the_order_of_the_file() -> None:
    """Edits come in file order, globs rendered, values with the payload's types."""
    plan = planned(PAYLOAD, TWO)
    assert plan.holding == ("dev", "any")
    assert [edit.mapping for edit in plan.edits] == ["dev", "any"]
    assert [glob.pattern for glob in plan.globs] == ["environments/dev/values.yaml", "**/all.yaml", "apps/shop/*.yaml"]
    first, second = (edit.operation for edit in plan.edits)
    assert isinstance(first, Substitute)
    assert first.values["docker_image_tag"] == "1-dev"
    assert isinstance(second, SetFields)
    assert [(field.path, field.value) for field in second.fields] == [("replicas", 3), ("on", True)]


def test_the_message_comes_from_the_file() -> None:
    """Rendered with the payload's values."""
    plan = planned(PAYLOAD, TWO)
    assert plan.message == "Mend of 1-dev"


def test_what_was_used_is_kept_and_nothing_else() -> None:
    """The variables that conditions, paths, values, regexes and the message looked at, as text."""
    assert planned(PAYLOAD, TWO).used == {
        "app": "shop",
        "commit_message": "Mend",
        "docker_image_tag": "1-dev",
        "replicas": "3",
    }


def test_a_mapping_for_another_event_type_does_not_hold() -> None:
    """The reason names the event type that came and the ones that are listened to."""
    plan = planned(PAYLOAD, TWO, event_type="other")
    result = plan.matched[0].result
    assert (result.holds, result.name, result.why) == (False, "on update-gitops-repo", "the event type is 'other'")
    assert plan.holding == ("any",)


def test_a_dispatch_without_event_type_meets_every_on() -> None:
    """The command line may leave the event type out."""
    assert planned(PAYLOAD, TWO, event_type="").holding == ("dev", "any")


def test_no_mapping_holding_leaves_no_edit_and_no_message() -> None:
    """Then the message is not rendered either: what it would use may be absent."""
    plan = planned({"tag": "1-prod"}, MAPPINGS + "commit: { message: '${{ absent }}' }\n")
    assert (plan.edits, plan.message, plan.holding) == ((), None, ())


def test_an_absent_variable_does_not_hold_and_its_neighbour_is_suggested() -> None:
    """A payload with a misspelt name is told apart from one that does not match."""
    (result,) = planned({"tagg": "1-dev"}).matched[0].result.children
    assert result.why == "tag is not in the payload; did you mean 'tagg'?"


def test_named_groups_become_variables_of_their_mapping() -> None:
    """What `when` captures is there for the paths, the values and the message, and wins over nothing."""
    plan = planned(
        {"tag": "1.4.2-qa"},
        """\
version: 1
mappings:
  - name: env
    when: { tag: '(?<version>.+)-(?<env>dev|qa)' }
    update:
      - { files: 'apps/${{ env }}.yaml', set: { version: '${{ version }}' } }
commit: { message: 'Now ${{ version }} in ${{ env }}' }
""",
    )
    assert [glob.literal for glob in plan.globs] == ["apps/qa.yaml"]
    assert plan.message == "Now 1.4.2 in qa"
    assert plan.used == {"env": "qa", "tag": "1.4.2-qa", "version": "1.4.2"}


def test_a_capture_is_what_message_and_report_show() -> None:
    """A group of a variable's own name wins in the message as it does in the edit: both tell what is written."""
    plan = planned(
        {"tag": "2-dev"},
        MAPPINGS.replace("'.*-dev'", "'(?<tag>.+)-dev'") + "commit: { message: 'Now ${{ tag }}' }\n",
    )
    (operation,) = (edit.operation for edit in plan.edits)
    assert isinstance(operation, SetFields)
    assert (operation.fields[0].value, plan.message, plan.used) == ("2", "Now 2", {"tag": "2"})


def test_every_problem_is_told_at_its_place() -> None:
    """A path, a value and the message that use what is absent are three problems, each with line and column."""
    mappings = """\
version: 1
mappings:
  - name: a
    update:
      - { files: 'a/${{ one }}.yaml', set: { a: 1 } }
      - { files: a.yaml, set: { a: '${{ two }}' } }
commit: { message: '${{ three }}' }
"""
    with pytest.raises(InputError) as caught:
        planned({"own": 1}, mappings)
    assert [problem.line for problem in caught.value.problems] == [5, 6, 7]
    assert [name in str(caught.value) for name in ("one", "two", "three")] == [True, True, True]


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("/etc", "is absolute"),
        ("../x", "has a '.' or '..' as a part"),
        ("a/./b", "has a '.' or '..' as a part"),
        (".git", "leads into .git"),
        (".GIT", "leads into .git"),
        ("a\nb", "has a control character"),
        ("a\x00b", "has a control character"),
        ("a//b", "has an empty part"),
        ("", "is absolute"),
    ],
)
def test_a_path_that_a_value_leads_astray_is_refused(value: str, reason: str) -> None:
    """Payload values cannot leave the repository, nor reach into .git, nor hide in control characters."""
    mappings = "version: 1\nmappings: [{name: a, update: [{files: '${{ dir }}/values.yaml', set: {a: 1}}]}]\n"
    (sentence,) = sentences({"dir": value}, mappings)
    assert reason in sentence


def test_a_value_with_wildcards_is_that_name_and_no_glob() -> None:
    """A payload cannot widen a glob."""
    mappings = "version: 1\nmappings: [{name: a, update: [{files: 'apps/${{ app }}/*.yaml', set: {a: 1}}]}]\n"
    (glob,) = planned({"app": "**{a,b}[c]"}, mappings).globs
    assert glob.matches("apps/**{a,b}[c]/values.yaml")
    assert not glob.matches("apps/shop/values.yaml")


@pytest.mark.parametrize(("value", "kind"), [([1], "a list"), ({"a": 1}, "an object")])
def test_a_list_or_object_cannot_be_a_fields_value(value: Any, kind: str) -> None:
    """Only scalars are set, and the sentence says what came instead."""
    (sentence,) = sentences({"tag": value}, MAPPINGS.replace("when: { tag: '.*-dev' }", ""))
    assert f"is {kind}; a field is set to" in sentence


def test_a_condition_that_backtracks_without_end_is_stopped() -> None:
    """Half a second, then a sentence with the pattern: the mapping file's author can mend it."""
    mappings = MAPPINGS.replace("'.*-dev'", "'(a|aa|a?b?)+$'")
    began = time.monotonic()
    (sentence,) = sentences({"tag": "a" * 60 + "!"}, mappings)
    assert "was stopped after 0.5 s" in sentence
    assert time.monotonic() - began < 5
