"""mappings.example.yaml: what its comments claim holds."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import jsonschema
import pytest
from decided import REPOSITORY, view

from bot.core.changeset import Changeset, NoChange, compute
from bot.core.glob import Glob, Globs
from bot.core.mapping import RegexOperation
from bot.core.mapping_file import parse, schema
from bot.core.mapping_source import read
from bot.core.match import evaluate
from bot.core.meter import Meter
from bot.core.plan import plan
from bot.core.regexes import substitute
from bot.core.rendered import Fields, render
from bot.core.trigger import Dispatch
from bot.core.yaml import SetField, SetImage
from bot.errors import InputError

if TYPE_CHECKING:
    from bot.core.mapping import Mapping
    from bot.core.model import Json
    from bot.core.plan import Plan

NAME = "mappings.example.yaml"
TEXT = (Path(__file__).parents[2] / NAME).read_text(encoding="utf-8")
FILE = parse(TEXT, NAME)


def mapping(name: str) -> Mapping:
    return next(mapping for mapping in FILE.mappings if mapping.name == name)


def holding(payload: dict[str, Json]) -> list[str]:
    return list(planned(payload).holding)


def planned(payload: dict[str, Json]) -> Plan:
    return plan(FILE, Dispatch(REPOSITORY, "update-gitops-repo", payload))


def rendered(name: str, payload: dict[str, Json]) -> tuple[list[str], dict[str, Json]]:
    """The globs of the first update of a mapping, and what it sets, for a payload that it holds for."""
    variables = FILE.variables_from(payload)
    found = evaluate(mapping(name).when, variables)
    assert found.result.holds
    scope: dict[str, Json] = {**variables, **found.captures}
    update = mapping(name).update[0]
    operation = render(update.operation, scope)
    fields = operation.operations if isinstance(operation, Fields) else ()
    return (
        [template.render_glob(scope) for template in update.files],
        {field.path: field.value for field in fields if isinstance(field, SetField)},
    )


def test_the_schema_accepts_it() -> None:
    """An editor shows no mark in the example."""
    assert list(jsonschema.Draft202012Validator(schema()).iter_errors(read(TEXT, NAME).data)) == []


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        ({"docker_image_tag": "1.4.2-dev"}, ["dev"]),
        ({"docker_image_tag": "1-dev-prod"}, []),
        ({"docker_image_tag": "1.4.2-stable"}, ["prod"]),
        ({"docker_image_tag": "v12"}, ["prod"]),
        ({"docker_image_tag": "v12", "git_branch": "main"}, ["prod"]),
        ({"docker_image_tag": "v12", "git_branch": "experiment/x"}, []),
        ({"app": "shop", "tag": "1.0-qa"}, ["every app, its own environment"]),
        ({"app": "shop", "tag": "1.0-prod"}, []),
        ({"chart": {"version": "1.2.3"}}, ["chart"]),
        ({"action": "opened", "pr": 7}, ["preview"]),
        ({"action": "closed", "pr": 7}, []),
        ({"force": True}, ["chart"]),
        ({"force": "true", "docker_image_tag": "1-dev"}, ["dev", "chart"]),
        ({"force": False}, []),
        ({"images": [{"name": "shop", "version": "1.4.2"}]}, ["every image of a release"]),
        ({"images": [{"name": "shop", "version": "2.0.0-rc.1"}]}, []),
        ({"images": [{"name": "shop", "version": "3.0.0"}, {"name": "cart"}]}, []),
        ({"images": []}, []),
        ({}, []),
    ],
)
def test_which_mappings_hold(payload: dict[str, Json], expected: list[str]) -> None:
    """Full match, lists, `not`, `any`, absence and types are as the comments say; all that hold apply, in order."""
    assert expected == holding(payload)


def test_environments_and_their_globs() -> None:
    """The files of each environment, and the way of a promotion."""
    paths = ["environments/dev/a/b.yaml", "environments/prod/x", "apps/shop/prod/x", "apps/a/b/prod/x"]
    found = {environment.name: Globs(environment.files).filter(paths) for environment in FILE.environments}
    assert found == {"dev": paths[:1], "prod": paths[1:3]}
    assert [environment.next for environment in FILE.environments] == ["prod", None]


def test_a_listed_variable_is_added_and_absent_with_its_property() -> None:
    """`chart_version` is there when the payload has it; every property is a variable without being listed."""
    assert FILE.variables_from({"chart": {"version": "1.2.3"}})["chart_version"] == "1.2.3"
    assert {"client_payload", "tag"} == FILE.variables_from({"tag": "x"}).keys()


def test_only_closes_the_list() -> None:
    """As the comment says, a misspelt variable is then found when the file is read."""
    closed = TEXT.replace("variables:\n", "variables:\n  only: true\n  docker_image_tga: client_payload.x\n", 1)
    with pytest.raises(InputError, match="'docker_image_tag' is not listed under 'variables:'"):
        parse(closed, NAME)


def test_event_types() -> None:
    """`dev` listens to one event type, a mapping without `on` to all."""
    assert (frozenset({"update-gitops-repo"}), None) == (mapping("dev").on, mapping("prod").on)


def test_what_dev_sets() -> None:
    """A lone expression keeps its type."""
    expected = (["environments/dev/values.yaml"], {"image.tag": "1.4-dev"})
    assert expected == rendered("dev", {"docker_image_tag": "1.4-dev"})


def test_what_prod_replaces() -> None:
    """`**/` also means the top, and nothing changes but the named group."""
    (glob,), _ = rendered("prod", {"docker_image_tag": "v2"})
    assert [Glob(glob).matches(path) for path in ("prod/values.yaml", "a/b/prod/values.yaml", "xprod/values.yaml")] == [
        True,
        True,
        False,
    ]
    operation = mapping("prod").update[0].operation
    assert isinstance(operation, RegexOperation)
    text = '# a\n  imageTag: "v1"  # b\r\n'
    assert substitute(text, operation.patterns, {"docker_image_tag": "v2"}, lambda: 5.0).text == text.replace(
        "v1", "v2"
    )


def test_what_every_app_sets() -> None:
    """Named groups become variables, filters apply, a number stays one, and a value has no wildcards."""
    payload: dict[str, Json] = {"app": "shop", "tag": "1.0-RC-qa"}
    fields: dict[str, Json] = {"image.tag": "1.0-RC", "image.label": "shop-1.0-rc", "replicas": 2}
    assert (["apps/shop/qa/values.yaml"], fields) == rendered("every app, its own environment", payload)
    star = mapping("every app, its own environment").update[0].files[0].render_glob({"app": "*", "stage": "qa"})
    assert Glob(star).literal == "apps/*/qa/values.yaml"


def test_what_every_app_makes_of_its_image() -> None:
    """Every reference to the image of the app gets the version."""
    _, edit = planned({"app": "shop", "tag": "1.0-qa"}).edits
    assert (edit.files[0].literal, edit.operation) == (
        "apps/shop/qa/kustomization.yaml",
        Fields((SetImage("ghcr.io/acme/shop", "1.0"),)),
    )


def test_what_preview_creates() -> None:
    """A file with the number of the pull request, and an item of that text in a list."""
    files = {"previews/list.yaml": "previews: ['6']\n"}
    change = compute(planned({"action": "opened", "pr": 7}), view(files), Meter(lambda: 0.0))
    assert isinstance(change, Changeset)
    assert {path: file.after for path, file in change.files.items()} == {
        "previews/7/kustomization.yaml": b'resources: [../base]\nnamePrefix: "pr-7-"\n',
        "previews/list.yaml": b"previews: ['6', '7']\n",
    }
    assert isinstance(
        compute(planned({"action": "opened", "pr": 7}), view(files).with_(change), Meter(lambda: 0.0)), NoChange
    )


def test_what_chart_sets() -> None:
    """A default stands in where the variable is absent."""
    assert rendered("chart", {"force": True})[1] == {"version": "0.0.0"}
    assert rendered("chart", {"chart": {"version": "1.2.3"}})[1] == {"version": "1.2.3"}


def test_what_every_image_of_a_release_sets() -> None:
    """Each item that meets the conditions has an edit of its own, on the branch that is named."""
    images: list[Json] = [
        {"name": "shop", "version": "1.4.2"},
        {"name": "cart", "version": "3.0.0"},
        {"name": "mail", "version": "v2.0.0"},
    ]
    edits = planned({"images": images}).edits
    assert [(edit.files[0].literal, edit.branch) for edit in edits] == [
        ("apps/shop/next/values.yaml", "next"),
        ("apps/mail/next/values.yaml", "next"),
    ]
    assert [edit.operation for edit in edits] == [
        Fields((SetField("image.tag", "1.4.2"),)),
        Fields((SetField("image.tag", "v2.0.0"),)),
    ]


def test_an_author_is_warned_of() -> None:
    """As the comment says, GitHub signs the commit only without one."""
    (warning,) = FILE.warnings
    assert (warning.file, "shows as unverified" in warning.sentence) == (NAME, True)


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        ({"git_branch": "fix\n#1 [skip ci]", "docker_image_tag": "1"}, "Branch fix issue #1 (skip ci) led to '1'"),
        ({"tag": "2"}, "Branch - led to '2'"),
        ({"force": True}, "Branch - led to '-'"),
    ],
)
def test_the_commit_message(payload: dict[str, Json], expected: str) -> None:
    """Values come on one line, without words that close issues or skip checks."""
    message = FILE.commit.message
    assert message is not None
    assert expected == message.render_message(FILE.variables_from(payload))
