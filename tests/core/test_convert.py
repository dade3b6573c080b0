"""Workflows with the search-and-replace action, as mapping files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from decided import REPOSITORY, changed, planned, view
from hypothesis import given
from hypothesis import strategies as st

from bot.core import dsl, mapping_file, mapping_source
from bot.core.blade import translate
from bot.core.changeset import Changeset, compute
from bot.core.convert import convert
from bot.core.convert.commit import DEFAULT_TEMPLATE
from bot.core.convert.patterns import whole
from bot.core.convert.text import Document, Entry, MappingEntry, UpdateEntry, write
from bot.core.meter import Meter
from bot.core.plan import plan
from bot.core.regexes import compile_pattern
from bot.core.trigger import Dispatch
from bot.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bot.core.mapping import MappingFile

WORKFLOWS = Path(__file__).parents[1] / "data" / "workflows"
TAG_REGEX = r"imageTag: \"(?<docker_image_tag>.*)\""
TAG = "${{ github.event.client_payload.docker_image_tag }}"
DEV = "docker_image_tag==.*-dev {THEN_UPDATE_FILES} environments/dev/values.yaml=docker_image_tag_regex"


def workflow(
    inputs: Mapping[str, str] | None = None,
    env: Mapping[str, str] | None = None,
    more: tuple[dict[str, Any], ...] = (),
    **around: Any,
) -> str:
    """Return a workflow with one step of the action, these inputs more; `more` steps, other keys at its top."""
    step = {
        "name": "Replace",
        "id": "replace",
        "uses": "dreitier/conditional-regex-search-and-replace-action@main",
        "env": dict(env or {}),
        "with": {"mappings": DEV, "docker_image_tag": TAG, "docker_image_tag_regex": TAG_REGEX, **(inputs or {})},
    }
    on = {"repository_dispatch": {"types": ["update"]}}
    return yaml.safe_dump({"on": on, **around, "jobs": {"update": {"steps": [step, *more]}}}, sort_keys=False)


def converted(text: str) -> dict[str, Any]:
    """Return the data of the mapping file that a workflow becomes."""
    made: dict[str, Any] = yaml.safe_load(convert(text, "update.yml").text.replace("    on:", "    'on':"))
    return made


def decisions(text: str) -> str:
    """Return all that a person must decide, each on one line of its own."""
    made = convert(text, "update.yml")
    lines: list[str] = []
    for line in made.text.splitlines():
        comment = line.strip()
        if comment.startswith("# DECIDE: "):
            lines.append(comment.removeprefix("# DECIDE: "))
        elif comment.startswith("#   "):
            lines[-1] += f" {comment.removeprefix('#   ')}"
    assert len(lines) == made.decisions
    return "\n".join(lines)


def said(text: str) -> str:
    """Return all comments as one line."""
    lines = convert(text, "update.yml").text.splitlines()
    return " ".join(line.strip().lstrip("# ") for line in lines if line.strip().startswith("#"))


def outcome(rules: MappingFile, payload: dict[str, Any], files: dict[str, str]) -> dict[str, str]:
    """Return what files become by the rules."""
    made = compute(plan(rules, Dispatch(REPOSITORY, "update", payload)), view(files), Meter(lambda: 0.0))
    new = (
        {path: (change.after or b"").decode() for path, change in made.files.items()}
        if isinstance(made, Changeset)
        else {}
    )
    return files | new


@pytest.mark.parametrize("path", sorted(WORKFLOWS.glob("*.yml")), ids=lambda path: path.stem)
def test_every_sample_becomes_a_mapping_file_without_problems(path: Path) -> None:
    """What comes out is read again, and comments stay within 100 columns."""
    text = convert(path.read_text(), path.name).text
    assert mapping_file.parse(text, "converted").mappings
    assert max(len(line) for line in text.splitlines() if line.strip().startswith("#")) <= 100


def test_the_article_becomes_what_one_would_write_by_hand() -> None:
    """Its event type, both stages, the message and the author; to decide is only what the search finds more."""
    made = converted((WORKFLOWS / "article.yml").read_text())
    assert made == {
        "version": 1,
        "regexes": {"docker_image_tag_regex": 'imageTag: "(?<docker_image_tag>.*)"'},
        "mappings": [
            {
                "name": stage,
                "on": ["update-gitops-repo"],
                "when": {"docker_image_tag": f".*-{stage}.*"},
                "update": [{"files": f"environments/{stage}/values.yaml", "regex": "docker_image_tag_regex"}],
            }
            for stage in ("prod", "dev")
        ],
        "commit": {
            "message": "Branch ${{ git_branch }} led to updated Docker image '${{ docker_image_tag }}': "
            "${{ commit_message }}",
            "author": {"name": "build", "email": "build@internal"},
        },
    }
    notes = decisions((WORKFLOWS / "article.yml").read_text()).splitlines()
    assert [("write '.*-prod' here" in note, "write '.*-dev' here" in note) for note in notes] == [
        (True, False),
        (False, True),
    ]


def test_environments_of_all_levels_and_several_steps_go_into_one_file() -> None:
    """Names stay unique, a regex that differs gets a number, and a folder goes before each path."""
    made = converted((WORKFLOWS / "stages.yml").read_text())
    assert made["variables"] == {
        "docker_image_tag": "client_payload.image.tag | default('latest')",
        "customer_number": "'555'",
    }
    assert made["regexes"] == {
        "docker_image_tag_regex": 'imageTag: "(?<docker_image_tag>.*)"',
        "customer_regex": r'customer: "(?<customer_number>\d+)"',
        "branch_line": r"(?-m:^branch: (?<git_branch>\S+)$)",
        "docker_image_tag_regex_2": r"tag: (?<docker_image_tag>\S+)",
    }
    first, second, third = made["mappings"]
    assert first == {
        "name": "dev, qa, all",
        "on": ["release"],
        "when": {"any": [{"docker_image_tag": [r"v\d+.*", ".*(?:main|dev).*"]}, {"git_branch": ".*feature/.*"}]},
        "update": [
            {"files": "deploy/{dev,qa}/*.yaml", "regex": ["docker_image_tag_regex", "branch_line"]},
            {"files": "deploy/all/*.yaml", "regex": ["docker_image_tag_regex", "customer_regex", "branch_line"]},
        ],
    }
    assert (second["name"], "when" in second) == ("dev", False)
    assert (third["name"], third["update"][0]["regex"]) == ("dev (2)", "docker_image_tag_regex_2")
    assert made["commit"] == {
        "message": "Release ${{ image.tag | default('latest') }}\n\nFrom branch ${{ git_branch }}",
        "author": {"name": "github-actions[bot]", "email": "bot@example.com"},
    }


@pytest.mark.parametrize("tag", ["v1", "1-dev", "1-dev-prod", "main", "x1.0y", ""])
@pytest.mark.parametrize(
    "condition",
    [
        "docker_image_tag==.*-dev",
        "docker_image_tag==^v",
        "docker_image_tag==dev$",
        "docker_image_tag==1.0 {OR} docker_image_tag==main",
        "docker_image_tag",
        "docker_image_tag==",
        "docker_image_tag==^main$|-prod",
        "__always__",
        "__true__==2 {OR} docker_image_tag==v",
    ],
)
def test_a_converted_mapping_changes_what_the_action_changes(condition: str, tag: str) -> None:
    """The mappings as they are and as they become agree on every value, file by file."""
    text = f"{condition} {{THEN_UPDATE_FILES}} **dev/values.yaml=line&docker_image_tag_regex"
    line = r"^tag: (?<docker_image_tag>.*)$"
    files = {
        "eu/dev/values.yaml": 'a: 1\nimageTag: "old"\ntag: old\n',
        "mydev/values.yaml": "tag: old",
        "prod/values.yaml": 'imageTag: "old"\n',
    }
    regexes = {"line": line, "docker_image_tag_regex": TAG_REGEX}
    theirs = outcome(dsl.mapping_file(text, regexes, "mappings"), {"docker_image_tag": tag}, files)
    source = workflow({"mappings": text, "register_custom_regexes": "line"}, {"LINE": line})
    made = mapping_file.parse(convert(source, "update.yml").text, "converted")
    assert outcome(made, {"docker_image_tag": tag}, files) == theirs


@given(
    st.lists(
        st.sampled_from(["a", "b", ".*", ".+", "^", "$", "|", "(a|b)", "[^a]", r"\.", r"\$", r"\\", "?", "(?i)"]),
        max_size=6,
    ).map("".join),
    st.text("abA.$\\", max_size=4),
)
def test_a_pattern_that_is_searched_for_becomes_one_that_matches_the_whole(pattern: str, value: str) -> None:
    """Wherever it has anchors, alternatives or flags."""
    try:
        searched = compile_pattern(pattern, multiline=False).compiled.search(value)
    except InputError:
        return
    if "(?i)" not in pattern[1:]:
        matched = compile_pattern(whole(pattern)[0], multiline=False).compiled.fullmatch(value)
        assert (matched is not None) == (searched is not None)


@pytest.mark.parametrize(
    ("on", "types"),
    [
        ({"repository_dispatch": {"types": ["a", "b"]}}, ["a", "b"]),
        ({"repository_dispatch": {"types": "a"}}, ["a"]),
        ({"repository_dispatch": None}, None),
        (["repository_dispatch"], None),
        ("repository_dispatch", None),
    ],
)
def test_every_form_of_on_gives_the_event_types(on: Any, types: list[str] | None) -> None:
    """Without types a mapping listens to all of them."""
    assert converted(workflow(on=on))["mappings"][0].get("on") == types
    assert "repository_dispatch" not in decisions(workflow(on=on))


def test_a_condition_on_the_event_type_narrows_on() -> None:
    """`if: github.event.action == …` is what `on` says."""
    text = workflow().replace("name: Replace", "name: Replace\n      if: ${{ github.event.action == 'release' }}")
    assert converted(text.replace("- update", "- update\n    - release"))["mappings"][0]["on"] == ["release"]


@pytest.mark.parametrize(
    ("value", "variables", "note"),
    [
        (TAG, None, ""),
        ("${{ github.event.client_payload.image.tag }}", "client_payload.image.tag", ""),
        ("${{github.event.client_payload['image-tag']}}", "client_payload['image-tag']", ""),
        ("${{ inputs.tag || github.event.client_payload.t || 'x' }}", "client_payload.t | default('x')", ""),
        ("v${{ github.event.client_payload.t }}", "'v' ~ client_payload.t", ""),
        ("${{ env.IMAGE }}", "client_payload.image", ""),
        ("1.0.0", "'1.0.0'", "'docker_image_tag' is fixed in the workflow: remove this line"),
        (
            "${{ github.sha }}",
            None,
            "only the run of the workflow can say what ${{ github.sha }} is. Send it as client",
        ),
        ("${{ steps.meta.outputs.tag }}", None, "only the run of the workflow can say"),
        ("${{ env.NOWHERE }}", None, "sets no environment variable NOWHERE that is known beforehand"),
        ("${{ inputs.tag }}", None, "a dispatch has no inputs"),
        ("${{ github.event.client_payload.t || '${{' }}", None, "a text cannot have ${{ in it"),
        ("${{ env.LOOP }}", None, "sets no environment variable LOOP"),
        ("${{ github.x' ${{ env.IMAGE }}", None, "${{ is opened and never closed"),
    ],
)
def test_a_variable_becomes_an_expression_or_a_comment(value: str, variables: str | None, note: str) -> None:
    """What a dispatch can say is translated; for the rest the comment says to send it."""
    env = {"IMAGE": "${{ github.event.client_payload.image }}", "LOOP": "${{ env.LOOP }}"}
    text = workflow({"docker_image_tag": value}, env)
    assert converted(text).get("variables", {}).get("docker_image_tag") == variables
    notes = [line for line in decisions(text).splitlines() if "the action only searches" not in line]
    assert len(notes) == bool(note)
    assert note in "".join(notes)


def test_variables_and_regexes_are_registered_as_the_action_documents_it() -> None:
    """By their suffix, by `register_custom_…`, and not with `skip-…-autodetect`."""
    env = {
        "MY_CUSTOM_REGEX": 'a: "(?<customer_number>.*)"',
        "PROJECT": r"project: (?<project_id>\d+)",
        "CUSTOMER_NUMBER_VAR": "555",
        "PROJECT_ID": "5550555",
    }
    listed = {"register_custom_regexes": " project", "register_custom_variables": "project_id, nothing"}
    made = converted(workflow(listed, env))
    assert made["variables"] == {"customer_number": "'555'", "project_id": "'5550555'"}
    assert list(made["regexes"]) == ["docker_image_tag_regex", "my_custom_regex", "project"]
    assert "lists 'nothing', but its env has no NOTHING" in decisions(workflow(listed, env))
    skipped = converted(workflow({"skip-regexes-autodetect": "1", "skip-variables-autodetect": "1"}, env))
    assert (skipped.get("variables"), list(skipped["regexes"])) == (None, ["docker_image_tag_regex"])


@pytest.mark.parametrize(
    ("pattern", "kept", "note"),
    [
        ("/a: b/", None, "'my_regex': the pattern /a: b/ has no named group, so it changes nothing"),
        (r"/customer: (<git_tag>\d+)/", None, "a named group begins with (?<, not (<"),
        (r"/tag: (?<docker_image_tag>\d+)/", r"/tag: (?<docker_image_tag>\d+)/", "the slashes at its ends are part of"),
        ("^tag: (?<docker_image_tag>.*)", "(?-m:^tag: (?<docker_image_tag>.*))", "the ends of the file"),
        ("(?m)^tag: (?<docker_image_tag>.*)", "(?m)^tag: (?<docker_image_tag>.*)", ""),
        (r"tag: [^$](?<docker_image_tag>.*)\$", r"tag: [^$](?<docker_image_tag>.*)\$", ""),
        ("branch: (?<docker_image_tg>.*)", "branch: (?<docker_image_tg>.*)", "did you mean 'docker_image_tag'?"),
        ("tag: (?<docker_image_tag).*)", None, "No mapping uses it, so it is left out."),
        ("tag: ${{ github.sha }}", None, "only the run of the workflow can say"),
    ],
)
def test_a_regex_is_kept_as_the_action_reads_it_or_left_out(pattern: str, kept: str | None, note: str) -> None:
    """What may not be meant as it stands gets a comment."""
    text = workflow(env={"MY_REGEX": pattern})
    assert converted(text)["regexes"].get("my_regex") == kept
    assert note in decisions(text)
    assert len(decisions(text).splitlines()) == 1 + bool(note)


@pytest.mark.parametrize(
    ("directory", "files"),
    [
        (".", "environments/dev/values.yaml"),
        ("./deploy/", "deploy/environments/dev/values.yaml"),
        ("${{ github.workspace }}/deploy", "deploy/environments/dev/values.yaml"),
        ("a{b}", r"a\{b\}/environments/dev/values.yaml"),
        ("../other", "environments/dev/values.yaml"),
        ("${{ github.event.client_payload.folder }}", "environments/dev/values.yaml"),
    ],
)
def test_the_directory_goes_before_each_path(directory: str, files: str) -> None:
    """One that leads elsewhere, or that only a dispatch knows, is for a person."""
    text = workflow({"directory": directory})
    assert converted(text)["mappings"][0]["update"][0]["files"] == files
    assert ("'directory'" in decisions(text)) == (directory[:2] == ".." or "payload" in directory)


def test_a_path_may_take_a_part_from_the_dispatch() -> None:
    """An expression in the mappings' text is one in the path; in a pattern it is refused."""
    path = "${{ github.event.client_payload.stage }}/values.yaml=docker_image_tag_regex"
    made = converted(workflow({"mappings": f"docker_image_tag {{THEN_UPDATE_FILES}} environments/{path}"}))
    assert made["mappings"][0]["update"][0]["files"] == "environments/${{ stage }}/values.yaml"
    with pytest.raises(InputError, match="has an expression in its pattern"):
        convert(workflow({"mappings": f"docker_image_tag=={TAG} {{THEN_UPDATE_FILES}} a=docker_image_tag_regex"}), "x")


@pytest.mark.parametrize(
    ("inputs", "env", "message"),
    [
        ({"commit": "1", "commit_template": "A new version."}, {}, "A new version."),
        ({"commit_template": "to {{ $docker_image_tag }}"}, {}, "to ${{ docker_image_tag }}"),
        ({"commit": "1", "commit_template": f"to {TAG}"}, {}, "to ${{ docker_image_tag }}"),
        (
            {"commit": "1"},
            {},
            translate(DEFAULT_TEMPLATE),
        ),
        (
            {"commit": "1", "commit_template": "to {{ $docker_image_tag }}@if(!empty($c)) for {{ $c }}@endif"},
            {"C_VAR": ""},
            "to ${{ docker_image_tag }}${{ ' for ' ~ c if c | default('') and c != '0' else '' }}",
        ),
    ],
)
def test_the_message_of_the_action_itself_is_translated(
    inputs: dict[str, str], env: dict[str, str], message: str
) -> None:
    """Fixed text, Blade, expressions of the workflow, or the template that it has by default."""
    assert converted(workflow(inputs, env))["commit"]["message"] == message


PAYLOAD = {"docker_image_tag": "1.4.2-dev", "b": "main"}
BRANCH = "${{ github.event.client_payload.b }}"


@pytest.mark.parametrize(
    ("step", "message"),
    [
        ({"uses": "EndBug/add-and-commit@v9", "with": {"message": f"from {BRANCH}"}}, "from main"),
        ({"uses": "endbug/add-and-commit@v9", "with": {"message": "${{ steps.replace.outputs.git_tag }}"}}, "v1"),
        ({"uses": "stefanzweifel/git-auto-commit-action@v5", "with": {"commit_message": TAG}}, "1.4.2-dev"),
        ({"run": f"git add .\ngit commit -am 'to {TAG}' && git push"}, "to 1.4.2-dev"),
        ({"run": 'if true; then git commit --message="from $B" -m "it\'s"; fi', "env": {"B": BRANCH}}, "from main"),
        ({"run": 'git commit --all \\\n  -m "two\nlines"'}, "two"),
    ],
)
def test_the_message_of_a_later_step_is_translated(step: dict[str, Any], message: str) -> None:
    """The actions that commit, and `git commit` in a shell; the first line of what a dispatch makes of it."""
    made = convert(workflow({"git_tag": "v1"}, more=({"name": "Commit", **step},)), "update.yml").text
    assert "# The message is that of the step 'Commit'." in made
    rendered = planned(PAYLOAD, made, "update").message
    assert rendered is not None
    assert rendered.partition("\n")[0] == message


@pytest.mark.parametrize(
    ("step", "note"),
    [
        (
            {
                "uses": "EndBug/add-and-commit@v9",
                "with": {"message": "${{ steps.replace.outputs.total_modified_files }} files"},
            },
            "the message of the step 'Commit' is left out, '${{ steps.replace.outputs.total_modified_files }} files'",
        ),
        ({"run": 'git commit -m "$(date)"'}, "only the run of the workflow can say what its command prints"),
        ({"run": 'git commit -m "$GITHUB_SHA"'}, "no environment variable GITHUB_SHA"),
        ({"run": "git commit"}, "commits with no message that is known"),
        ({"run": "git commit --amend --no-edit"}, "commits with no message that is known"),
    ],
)
def test_a_message_that_cannot_be_said_is_left_out(step: dict[str, Any], note: str) -> None:
    """The comment has what it was."""
    text = workflow(more=({"name": "Commit", **step},))
    assert "commit" not in converted(text)
    assert note in decisions(text)


def test_braces_without_a_dollar_stay_text() -> None:
    """As they do in the workflow, which may not be what was meant."""
    step = {"uses": "EndBug/add-and-commit@v7", "with": {"message": "{{ steps.replace.outputs.git_tag }} it is"}}
    assert converted(workflow(more=(step,)))["commit"]["message"] == "{{ steps.replace.outputs.git_tag }} it is"
    assert "was ${{ meant?" in decisions(workflow(more=(step,)))


@pytest.mark.parametrize(
    ("template", "note"),
    [
        ("to {{ $tag } for {{ $customer))", "at character 4: '{{' is never closed with '}}'"),
        (f"{TAG} {{{{ $tag }}}}", "it has both Blade and expressions of the workflow"),
    ],
)
def test_a_template_that_is_malformed_is_left_out(template: str, note: str) -> None:
    """The comment says what is wrong, and where."""
    text = workflow({"commit": "1", "commit_template": template})
    assert "commit" not in converted(text)
    assert note in decisions(text)


@pytest.mark.parametrize(
    ("inputs", "step", "author"),
    [
        ({"commit": "1", "committer_name": "b", "committer_email": "b@x"}, {}, {"name": "b", "email": "b@x"}),
        ({"commit": "1", "committer_name": "b"}, {}, None),
        (
            {},
            {
                "uses": "stefanzweifel/git-auto-commit-action@v5",
                "with": {"commit_message": "m", "commit_author": "Bee <b@x>"},
            },
            {"name": "Bee", "email": "b@x"},
        ),
        ({}, {"run": "git commit -m m --author 'Bee <b@x>'"}, {"name": "Bee", "email": "b@x"}),
        (
            {},
            {"run": "git config user.name $N\ngit config --global user.email b@x\ngit commit -m m", "env": {"N": "n"}},
            {"name": "n", "email": "b@x"},
        ),
        ({}, {"run": "git config user.name ${{ github.actor }}\ngit config user.email b@x\ngit commit -m m"}, None),
    ],
)
def test_the_author_is_taken_where_name_and_address_are_known(
    inputs: dict[str, str], step: dict[str, Any], author: dict[str, str] | None
) -> None:
    """Else it is left out, with a comment."""
    text = workflow(inputs, more=(step,))
    assert converted(text)["commit"].get("author") == author
    assert ("the author that the step" in decisions(text)) == (author is None)


@pytest.mark.parametrize(
    ("inputs", "note"),
    [
        ({"dump": "1"}, "DECIDE: the step 'Replace' only shows what it would do ('dump')"),
        ({"updated_file_suffix": ".new"}, "DECIDE: the step 'Replace' means its result for other files"),
        ({"if_no_match_fail": "1"}, "such a dispatch ends as no_change, in a neutral check run"),
        ({"if_well_known_vars_missing_fail": "1"}, "a condition on what is absent does not hold"),
        ({"commiter_name": "x"}, "which the action does not know; did you mean 'committer_name'?"),
        ({"mappings": "git_tg {THEN_UPDATE_FILES} a=docker_image_tag_regex"}, "'git_tg' is no variable"),
        ({"mappings": DEV.replace("==", " OR git_tag==").replace("-dev", "==x")}, "has '==' twice: what follows"),
        (
            {"mappings": DEV.replace("-dev", "-dev {AND} git_tag")},
            "{AND} only joins files: in a condition it is a part",
        ),
        ({"mappings": f"{DEV} {{THEN_UPDATE_FILES}} b"}, "a mapping has one {THEN_UPDATE_FILES}"),
        ({"mappings": DEV.replace("environments", "**/e")}, "**/ also stands for no folder"),
        ({"mappings": DEV.replace("environments", "(!x)")}, "(=…) and (!…) for look-aheads"),
        ({"mappings": DEV.replace("environments", ".github")}, "nothing below .github/ is ever changed"),
        ({"mappings": DEV.replace("environments", ".circleci")}, "list it under 'allow_files:'"),
        ({"mappings": f"{DEV} {{NEXT_MAPPING}} __true__==0 {{THEN_UPDATE_FILES}} a=*"}, "its condition never holds"),
        ({"mappings": f"{DEV} {{NEXT_MAPPING}} git_tag {{THEN_UPDATE_FILES}} a="}, "none of its regexes changes"),
    ],
)
def test_a_comment_says_what_becomes_of_the_rest(inputs: dict[str, str], note: str) -> None:
    """Options without a counterpart, and what may not do what it seems to."""
    text = workflow(inputs)
    assert note in said(text)
    without = {key: value for key, value in inputs.items() if key == "mappings"}
    assert "mappings" in inputs or note not in said(workflow(without))


@pytest.mark.parametrize(
    ("before", "after", "note"),
    [
        ("name: Replace", "name: Replace\n      if: failure()", "runs only if failure()"),
        ("steps:", "strategy: { matrix: { a: [1] } }\n    steps:", "once for each combination of its job's matrix"),
        ("repository_dispatch", "push", "the workflow is not started by repository_dispatch but by push"),
        ("steps:\n", "steps:\n    - { uses: actions/checkout@v4, with: { ref: dev } }\n", "works on 'dev'"),
        (
            "steps:\n",
            "steps:\n    - uses: peter-evans/create-pull-request@v6\n",
            "opens a pull request: here the change is committed",
        ),
    ],
)
def test_a_comment_says_what_of_the_workflow_goes_another_way(before: str, after: str, note: str) -> None:
    """Conditions, matrix, events and other steps that matter."""
    text = workflow().replace(before, after, 1)
    assert note in decisions(text)
    assert note not in decisions(workflow())


BLOCK = """\
on: repository_dispatch
jobs:
  update:
    steps:
      - uses: dreitier/conditional-regex-search-and-replace-action@main
        with:
          docker_image_tag_regex: 'tag: (?<docker_image_tag).*)'
          mappings: |
            docker_image_tag {THEN_UPDATE_FILES} a=docker_image_tag_regex
            {NEXT_MAPPING}
            docker_image_tag {THEN_UPDATE_FILES} a=docker_image_regex
"""


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "update.yml: the workflow is empty"),
        ("# nothing\n", "update.yml: the workflow is empty"),
        ("jobs: [\n", "update.yml:2:1: this is not YAML"),
        ("on: push\n", "update.yml: this is no workflow: it has no 'jobs:'"),
        ("jobs: { a: { steps: [ { uses: actions/checkout@v4 } ] } }\n", "update.yml: no step of this workflow uses"),
        (BLOCK, "update.yml:11: The referenced regex 'docker_image_regex' for mapping of glob 'a' does not exist; did"),
        (BLOCK.replace("image_regex", "image_tag_regex"), "update.yml:7:35: the regex 'docker_image_tag_regex': the"),
        (
            BLOCK.replace("mappings: |", "mapings: |"),
            "update.yml:5:9: the step 'dreitier/conditional-regex-search-and-replace-action@main' has no 'mappings'",
        ),
        (BLOCK.replace("a=docker", "../a=docker"), "update.yml:9: the path '../a' has a '.' or '..' as a part"),
    ],
)
def test_what_cannot_be_converted_is_refused_with_its_place(text: str, sentence: str) -> None:
    """No YAML, no such step, mappings that the action itself would refuse."""
    with pytest.raises(InputError) as caught:
        convert(text, "update.yml")
    assert str(caught.value).startswith(sentence)


def test_a_workflow_of_which_nothing_is_left_is_refused() -> None:
    """The sentence says why."""
    text = workflow({"docker_image_tag_regex": "tag: .*"})
    with pytest.raises(InputError, match=r"nothing is left to convert of this step: .* none of its regexes changes"):
        convert(text, "update.yml")


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1))
def test_whatever_a_text_holds_it_is_written_so_that_it_is_read_again(text: str) -> None:
    """Quotes, line breaks, control characters, what YAML takes for something else."""
    update = UpdateEntry("a", (text,))
    document = Document(
        variables=[Entry("v", text)],
        mappings=[MappingEntry(text, (text,), (("v", (text,)), ("w", (text, text))), (update,))],
    )
    source = mapping_source.read(write(document), "x").data
    (mapping,) = source["mappings"]
    assert source["variables"] == {"v": text}
    assert (mapping["name"], mapping["on"], mapping["update"][0]["regex"]) == (text, [text], text)
    assert mapping["when"] == {"any": [{"v": text}, {"w": [text, text]}]}


def test_the_article_does_what_its_workflow_does() -> None:
    """A -dev tag goes to dev only, with the message that the workflow would have made."""
    mappings = convert((WORKFLOWS / "article.yml").read_text(), "article.yml").text
    files = {f"environments/{stage}/values.yaml": 'imageTag: "1.0"\n' for stage in ("dev", "prod")}
    payload = {"docker_image_tag": "1.4.2-dev", "git_branch": "main", "commit_message": "faster start"}
    made, change = changed(files, payload, mappings)
    assert isinstance(change, Changeset)
    assert {path: file.after for path, file in change.files.items()} == {
        "environments/dev/values.yaml": b'imageTag: "1.4.2-dev"\n'
    }
    assert made.message == "Branch main led to updated Docker image '1.4.2-dev': faster start"
