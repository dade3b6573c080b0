"""What the mappings say for one dispatch: which hold and why, and their edits, rendered."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest
from decided import MAPPINGS, planned

from bot.core.rendered import Fields, Substitute
from bot.core.yaml import SetField
from bot.errors import InputError

if TYPE_CHECKING:
    from bot.core.plan import Plan

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


def fields(plan: Plan) -> list[SetField]:
    """The fields that a plan sets, in order."""
    operations = [edit.operation for edit in plan.edits if isinstance(edit.operation, Fields)]
    return [one for operation in operations for one in operation.operations if isinstance(one, SetField)]


def destinations(plan: Plan) -> tuple[str, ...]:
    return tuple(dict.fromkeys(edit.branch for edit in plan.edits))


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
    first, _ = (edit.operation for edit in plan.edits)
    assert isinstance(first, Substitute)
    assert first.values["docker_image_tag"] == "1-dev"
    assert [(field.path, field.value) for field in fields(plan)] == [("replicas", 3), ("on", True)]


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
    assert ([field.value for field in fields(plan)], plan.message, plan.used) == (["2"], "Now 2", {"tag": "2"})


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
    """Half a second, then a sentence with the pattern: the mapping file's author can fix it."""
    mappings = MAPPINGS.replace("'.*-dev'", "'(a|aa|a?b?)+$'")
    began = time.monotonic()
    (sentence,) = sentences({"tag": "a" * 60 + "!"}, mappings)
    assert "was stopped after 0.5 s" in sentence
    assert time.monotonic() - began < 5


EACH = """\
version: 1
mappings:
  - name: images
    for_each: client_payload.images
    when: { item.tag: '(?<version>.+)-(?<env>dev|qa)', team: 'a|b' }
    branch: deploy/${{ env }}
    update:
      - { files: 'apps/${{ item.name }}/${{ env }}.yaml', set: { tag: '${{ version }}' } }
      - { files: 'all/${{ item.name }}.yaml', regex: 'tag: (?<version>.*) by (?<team>.*)' }
"""
IMAGES = [{"name": "shop", "tag": "1-dev"}, {"name": "cart", "tag": "2-prod"}, {"name": "mail", "tag": "3-qa"}]


def test_a_mapping_runs_once_for_each_item() -> None:
    """Edits come item by item, each with that item's values and captures, on the branch they give."""
    plan = planned({"images": IMAGES, "team": "a"}, EACH)
    assert [(edit.files[0].literal, edit.branch) for edit in plan.edits] == [
        ("apps/shop/dev.yaml", "deploy/dev"),
        ("all/shop.yaml", "deploy/dev"),
        ("apps/mail/qa.yaml", "deploy/qa"),
        ("all/mail.yaml", "deploy/qa"),
    ]
    operations = [edit.operation for edit in plan.edits]
    assert [field.value for field in fields(plan)] == ["1", "3"]
    values = [operation.values["version"] for operation in operations if isinstance(operation, Substitute)]
    assert values == ["1", "3"]


def test_each_item_has_its_part_of_the_result() -> None:
    """The mapping holds if it does for any item; each is there by index and content, with its reasons."""
    matched = planned({"images": IMAGES, "team": "a"}, EACH).matched[0]
    result = matched.result
    assert (result.name, result.holds, result.why) == ("for each of client_payload.images", True, "")
    assert [(child.name, child.holds) for child in result.children] == [
        ('item 0: {"name": "shop", "tag": "1-dev"}', True),
        ('item 1: {"name": "cart", "tag": "2-prod"}', False),
        ('item 2: {"name": "mail", "tag": "3-qa"}', True),
    ]
    assert result.children[1].children[0].why == "it is '2-prod'"
    long = planned({"images": ["x" * 100], "team": "a"}, EACH).matched[0].result.children[0].name
    assert long == f'item 0: "{"x" * 49}…{"x" * 28}" (102 characters)'


def test_what_differs_from_item_to_item_is_not_among_the_variables() -> None:
    """A table of variables shows one value for each: those that all items share; the message has the last captures."""
    message = "commit: { message: 'Now ${{ version }}' }\n"
    plan = planned({"images": IMAGES, "team": "a"}, EACH + message)
    assert (plan.message, plan.used) == ("Now 3", {"team": "a", "version": "3"})
    assert plan.matched[0].values == {"team": "a"}
    assert plan.matched[0].captures == {"version": "3", "env": "qa"}
    assert planned({"images": IMAGES, "team": "a"}, EACH).used == {"team": "a"}


@pytest.mark.parametrize(
    ("payload", "why"),
    [
        ({}, "'client_payload.images': there is no property 'images'"),
        ({"image": []}, "'client_payload.images': there is no property 'images'; did you mean 'image'?"),
        ({"images": []}, "it is an empty list"),
        ({"images": {}}, "it is an empty object"),
        ({"images": "shop"}, "it is text, neither a list nor an object"),
        ({"images": None}, "it is null, neither a list nor an object"),
    ],
)
def test_without_items_a_mapping_does_not_hold_and_says_why(payload: Any, why: str) -> None:
    """Absent, of another type and empty are told apart."""
    plan = planned(payload, EACH)
    (matched,) = plan.matched
    assert (matched.result.name, matched.holds, matched.result.why) == ("for each of client_payload.images", False, why)
    assert plan.edits == ()


def test_the_items_of_an_object_have_key_and_value() -> None:
    """In the order of the payload."""
    mappings = """\
version: 1
mappings:
  - name: tags
    for_each: ${{ tags }}
    when: { item.key: '[a-z]+' }
    update: [{ files: 'apps/${{ item.key }}.yaml', set: { tag: '${{ item.value }}' } }]
"""
    plan = planned({"tags": {"shop": "1", "c4": "2", "mail": 3}}, mappings)
    values = [field.value for field in fields(plan)]
    assert (values, [edit.files[0].literal for edit in plan.edits]) == (["1", 3], ["apps/shop.yaml", "apps/mail.yaml"])


def test_the_item_shadows_a_property_of_its_name() -> None:
    """Within the mapping `item` is the item; what the payload calls so is found by client_payload, and elsewhere."""
    mappings = """\
version: 1
mappings:
  - name: each
    for_each: list
    when: { item: '[ab]' }
    update: [{ files: '${{ item }}/${{ client_payload.item }}', set: { a: 1 } }]
  - name: other
    when: { item: own }
    update: [{ files: x, set: { a: 1 } }]
commit: { message: '${{ item }}' }
"""
    plan = planned({"list": ["a", "b", "c"], "item": "own"}, mappings)
    assert [edit.files[0].literal for edit in plan.edits] == ["a/own", "b/own", "x"]
    assert (plan.message, plan.used) == ("own", {"item": "own"})


def test_more_than_a_hundred_items_are_refused() -> None:
    """Before any of them is looked at, with the place of the expression."""
    with pytest.raises(InputError) as caught:
        planned({"images": ["x"] * 101, "team": "a"}, EACH)
    (problem,) = caught.value.problems
    sentence = "'client_payload.images' has 101 items; a mapping runs for 100 at most"
    assert (problem.sentence, problem.line, problem.column) == (sentence, 4, 15)
    assert not planned({"images": ["x"] * 100, "team": "a"}, EACH).matched[0].holds


def test_a_mistake_in_every_item_is_told_once() -> None:
    """The same sentence at the same place is one problem."""
    mappings = EACH.replace("${{ item.name }}/", "${{ item.nam }}/")
    (sentence,) = sentences({"images": IMAGES, "team": "a"}, mappings)
    assert "there is no property 'nam'; did you mean 'name'?" in sentence


BRANCH = MAPPINGS.replace("    update:", "    branch: '${{ to }}'\n    update:")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("main", ""),
        ("dev", "dev"),
        ("deploy/dev", "deploy/dev"),
        ("feature/a-b_c.d", "feature/a-b_c.d"),
        ("Main", "Main"),
        ("é", "é"),
        ("b" * 255, "b" * 255),
    ],
)
def test_a_branch_is_the_destination_of_the_edits(name: str, expected: str) -> None:
    """By its short name; the default branch is the same with its name as without one."""
    plan = planned({"tag": "1-dev", "to": name}, BRANCH)
    assert ([edit.branch for edit in plan.edits], destinations(plan)) == ([expected], (expected,))


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("", "is empty"),
        ("-d", "begins with '-'"),
        ("a..b", "has '..' in it"),
        ("a\nb", "has a control character in it"),
        ("a\x7f", "has a control character in it"),
        *((f"a{character}b", "has a space or one of ~ ^ : ? * [ \\ in it") for character in " ~^:?*[\\"),
        ("a@{b", "has '@{' in it"),
        ("@", "is a name that Git keeps for itself"),
        ("HEAD", "is a name that Git keeps for itself"),
        ("a/", "begins or ends with '/', or has two of them in a row"),
        ("/a", "begins or ends with '/', or has two of them in a row"),
        ("a//b", "begins or ends with '/', or has two of them in a row"),
        ("a.", "ends with '.'"),
        (".a", "has a part that begins with '.'"),
        ("a/.b", "has a part that begins with '.'"),
        ("a.lock", "has a part that ends with '.lock'"),
        ("a.lock/b", "has a part that ends with '.lock'"),
        ("b" * 256, "is too long"),
        ("é" * 128, "is too long"),
        ("refs/heads/a", "is a full ref: write the short name, without refs/heads/"),
    ],
)
def test_what_git_refuses_as_a_branch_is_refused_with_its_place(name: str, reason: str) -> None:
    """A payload cannot name what is no branch, and the file cannot either."""
    with pytest.raises(InputError) as caught:
        planned({"tag": "1-dev", "to": name}, BRANCH)
    (problem,) = caught.value.problems
    assert (problem.line, problem.column, problem.sentence.endswith(reason)) == (5, 13, True)
    if name and name.isprintable():
        fixed = BRANCH.replace("'${{ to }}'", "'" + name + "'")
        with pytest.raises(InputError) as caught:
            planned({}, fixed)
        assert caught.value.problems == (problem,)


def test_an_edit_says_where_it_goes() -> None:
    """The branch that its mapping names; the default branch by its name is the default branch."""
    mappings = """\
version: 1
mappings:
  - { name: a, branch: b2, update: [{ files: x, set: { a: 1 } }, { files: y, set: { a: 1 } }] }
  - { name: b, update: [{ files: x, set: { a: 2 } }] }
  - { name: c, branch: b2, update: [{ files: z, set: { a: 3 } }] }
  - { name: d, branch: main, update: [{ files: z, set: { a: 4 } }] }
"""
    edits = planned({}, mappings).edits
    assert [(edit.mapping, edit.branch) for edit in edits] == [
        ("a", "b2"),
        ("a", "b2"),
        ("b", ""),
        ("c", "b2"),
        ("d", ""),
    ]


def test_a_path_into_a_variable_is_shown_by_its_path() -> None:
    """What conditions looked at is kept as text, by the name that the mapping file has for it."""
    mappings = MAPPINGS.replace("tag: '.*-dev'", "client_payload.app.name: shop")
    plan = planned({"app": {"name": "shop"}, "tag": "1"}, mappings)
    assert plan.used == {"client_payload.app.name": "shop", "tag": "1"}
    assert plan.matched[0].values == {"client_payload.app.name": "shop"}
