"""The search-and-replace action's own tests, as facts, through the command line: T1 to T17 in the action's order."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from acting import act, dumped
from dulwich.objects import Commit
from dulwich.repo import Repo
from gitops import contents, make

if TYPE_CHECKING:
    from pathlib import Path

IMAGE = r"imageTag: \"(?<docker_image_tag>.*)\""
ALWAYS = "__always__ {THEN_UPDATE_FILES} chart.txt=docker_image_tag_regex"
NOTHING = "__always__ {THEN_UPDATE_FILES} none.txt="

CHART = b'name: shop\nport: 80\n  imageTag: "0.0.666"\nend: here'
TWICE = b'imageTag: "0.0.666"\n---\nimageTag: "0.0.666"\n'
TWO = b'one: 1\n  imageTag: "0.0.666" old_custom_var\ntwo: 2\n# and one without the second\n  imageTag: "0.0.666"'


@pytest.mark.parametrize(
    ("regex", "before", "after"),
    [
        pytest.param(IMAGE, CHART, CHART.replace(b"0.0.666", b"1.0.0"), id="T1 one variable"),
        pytest.param(IMAGE, TWICE, TWICE.replace(b"0.0.666", b"1.0.0"), id="T2 twice in a file"),
        pytest.param(
            IMAGE + r" (?<custom_var>\w+)",
            TWO,
            TWO.replace(b'"0.0.666" old_custom_var', b'"1.0.0" 4.0.0'),
            id="T3 two groups in one regex",
        ),
    ],
)
def test_a_regex_fills_what_it_captures_and_nothing_else(
    regex: str, before: bytes, after: bytes, tmp_path: Path
) -> None:
    """T1 to T3: the captured text becomes the variable's, every other byte stays."""
    folder = make(tmp_path / "charts", {"chart.txt": before})
    names = {"DOCKER_IMAGE_TAG": "1.0.0", "CUSTOM_VAR_VAR": "4.0.0", "DOCKER_IMAGE_TAG_REGEX": regex}
    assert act(folder, ALWAYS, **names).code == 0
    assert contents(folder) == {"chart.txt": after}


def test_one_file_of_a_scenario_is_changed_end_to_end(tmp_path: Path) -> None:
    """T4: of two environments the glob means the file of one, and just that file is another one afterwards."""
    folder = make(tmp_path / "environments", {"dev/values.yaml": TWO, "prod/values.yaml": TWO})
    mappings = "docker_image_tag==1.* {THEN_UPDATE_FILES} dev/*.yaml=docker_image_tag"
    regex = IMAGE + " (?<custom_var>.*)"
    ran = act(
        folder, mappings, "--regex", f"docker_image_tag={regex}", DOCKER_IMAGE_TAG="1.0.0", CUSTOM_VAR_VAR="4.0.0"
    )
    assert ran.code == 0
    changed = TWO.replace(b'"0.0.666" old_custom_var', b'"1.0.0" 4.0.0')
    assert contents(folder) == {"dev/values.yaml": changed, "prod/values.yaml": TWO}


DEV, QA = "environments/dev/values.yaml", "environments/qa/kustomize-overlay.yaml"


@pytest.mark.parametrize(
    ("mappings", "rows"),
    [
        pytest.param(
            f"docker_image_tag==main.* {{THEN_UPDATE_FILES}} {DEV}=my_replacer",
            [("docker_image_tag", "main.*", DEV, ["my_replacer"])],
            id="T5 one condition",
        ),
        pytest.param(
            f"docker_image_tag==main.* {{OR}} git_branch==prod.* {{THEN_UPDATE_FILES}} {DEV}=my_replacer",
            [("docker_image_tag", "main.*", DEV, ["my_replacer"]), ("git_branch", "prod.*", DEV, ["my_replacer"])],
            id="T6 {OR}",
        ),
        pytest.param(
            f"docker_image_tag==main.* {{THEN_UPDATE_FILES}} {DEV}=my_replacer {{AND}} {QA}=my_replacer_2",
            [
                ("docker_image_tag", "main.*", DEV, ["my_replacer"]),
                ("docker_image_tag", "main.*", QA, ["my_replacer_2"]),
            ],
            id="T7 {AND}",
        ),
    ],
)
def test_mappings_are_listed_condition_by_condition(
    mappings: str, rows: list[tuple[str, str, str, list[str]]], tmp_path: Path
) -> None:
    """T5 to T7: each condition with each glob, in order."""
    regexes = ("--regex", "my_replacer=(?<docker_image_tag>.+)", "--regex", "my_replacer_2=(?<git_branch>.+)")
    shown = dumped(make(tmp_path / "gitops", {"a.txt": b"a"}), mappings, *regexes)
    assert [(row["variable"], row["regex"], row["glob"], row["regexes"]) for row in shown["mappings"]] == rows


A_REGEX, OTHER = "(?<git_tag>.+)", "MY_CUSTOM_REGEX_WITH_ANOTHER_SUFFIX"


@pytest.mark.parametrize(
    ("options", "names"),
    [
        pytest.param((), ["my_custom_regex"], id="T8 by its suffix"),
        pytest.param(
            ("--custom-regexes", OTHER.lower(), "--skip-regexes-autodetect"), [OTHER.lower()], id="T9 by its name"
        ),
        pytest.param(("--custom-regexes", OTHER), ["my_custom_regex", OTHER.lower()], id="T10 both"),
    ],
)
def test_regexes_are_found_by_their_suffix_and_by_their_names(
    options: tuple[str, ...], names: list[str], tmp_path: Path
) -> None:
    """T8 to T10: the name is the environment variable's in lower case."""
    folder = make(tmp_path / "gitops", {"a.txt": b"a"})
    shown = dumped(folder, NOTHING, *options, MY_CUSTOM_REGEX=A_REGEX, **{OTHER: A_REGEX})
    assert shown["regexes"] == dict.fromkeys(names, A_REGEX)


@pytest.mark.parametrize(
    ("options", "environment", "variables"),
    [
        pytest.param(
            (),
            {"GIT_BRANCH": "develop", "GIT_TAG": "1.0.0", "DOCKER_IMAGE_TAG": "latest"},
            [("docker_image_tag", "latest"), ("git_tag", "1.0.0"), ("git_branch", "develop")],
            id="T11 the well-known ones",
        ),
        pytest.param(
            ("--custom-variables", "custom_variable"),
            {"CUSTOM_VARIABLE": "custom"},
            [("custom_variable", "custom")],
            id="T12 by its name",
        ),
        pytest.param((), {"MY_AUTODETECTED_VAR": "value"}, [("my_autodetected", "value")], id="T13 by its suffix"),
    ],
)
def test_variables_are_found_by_their_names_and_by_their_suffix(
    options: tuple[str, ...], environment: dict[str, str], variables: list[tuple[str, str]], tmp_path: Path
) -> None:
    """T11 to T13, in the action's order; a list of names is enough without any well-known variable."""
    shown = dumped(make(tmp_path / "gitops", {"a.txt": b"a"}), NOTHING, *options, **environment)
    built_in = [("__always__", "1"), ("__true__", "1")]
    assert list(shown["variables"].items()) == [*variables, *built_in]


@pytest.mark.parametrize("mappings", [None, ""])
def test_without_mappings_there_is_nothing_to_do(mappings: str | None, tmp_path: Path) -> None:
    """T14: exit 0."""
    ran = act(make(tmp_path / "gitops", {"a.txt": b"a"}), mappings, DOCKER_IMAGE_TAG="1.0.0")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out == "\nnothing to change\n  no mappings are given\n"


SEVERAL = {
    "DOCKER_IMAGE_TAG": "main-1.0.0",
    "GIT_BRANCH": "main",
    "GIT_TAG": "v1.0.0",
    "CUSTOM_VAR": "2.6.6",
    "DOCKER_IMAGE_TAG_REGEX": IMAGE + r" (?<custom>\w+)",
    "CUSTOM_VAR_REGEX": "to be (?<custom>.*) or not",
    "MY_CUSTOM_REGEX": "(?<git_tag>here).*there",
}


def test_a_dump_shows_everything_and_changes_nothing(tmp_path: Path) -> None:
    """T15: variables, regexes, the glob with its file, and which conditions match."""
    folder = make(tmp_path / "gitops", {DEV: TWO, "environments/prod/values.yaml": TWO})
    mappings = (
        "docker_image_tag==main.* {OR} git_branch==main.* {OR} git_tag==dev {THEN_UPDATE_FILES} "
        "**dev/*.yaml=docker_image_tag_regex&my_custom_regex&custom_var_regex"
    )
    shown = dumped(folder, mappings, **SEVERAL)
    assert shown["variables"].items() >= {"custom": "2.6.6", "git_branch": "main", "git_tag": "v1.0.0"}.items()
    assert shown["regexes"] == {name.lower(): value for name, value in SEVERAL.items() if name.endswith("_REGEX")}
    assert shown["globs"] == {"**dev/*.yaml": [DEV]}
    values = [(row["variable"], row["value"], row["matches"]) for row in shown["mappings"]]
    assert values == [
        ("docker_image_tag", "main-1.0.0", True),
        ("git_branch", "main", True),
        ("git_tag", "v1.0.0", False),
    ]
    assert contents(folder)[DEV] == TWO


DOTFILE = ".argocd-source-self-service-prod.yaml"
MARKED = b"""\
helm:
  parameters:
  - name: image.name
    value: registry.example/shop
  - name: image.tag
    value: 1234 # IMAGE_TAG_MARKER_DONT_REMOVE_THIS_COMMENT
    forcestring: true
"""
ARGOCD = {
    "DOCKER_IMAGE_TAG": "1.0.16",
    "DOCKER_IMAGE_TAG_REGEX": r"\s+tag:\s+\"(?<docker_image_tag>.*)\"",
    "ARGOCD_SOURCE_IMAGE_TAG_REGEX": (
        r"value: (?<docker_image_tag>.*)\s+#\s+IMAGE_TAG_MARKER_DONT_REMOVE_THIS_COMMENT"
    ),
}


def test_a_dotfile_is_a_file_like_any_other(tmp_path: Path) -> None:
    """T16: it is listed by a dump, and changed beside its comment."""
    folder = make(tmp_path / "gitops", {DOTFILE: MARKED})
    mappings = (
        "__true__ {THEN_UPDATE_FILES} environments/prod/values.yaml=docker_image_tag_regex "
        f"{{AND}} {DOTFILE}=argocd_source_image_tag_regex"
    )
    assert dumped(folder, mappings, **ARGOCD)["globs"] == {"environments/prod/values.yaml": [], DOTFILE: [DOTFILE]}
    assert act(folder, mappings, **ARGOCD).code == 0
    assert contents(folder) == {DOTFILE: MARKED.replace(b"1234", b"1.0.16")}


def test_the_last_commit_can_be_read(tmp_path: Path) -> None:
    """T17: with `--commit` the repository's last commit is the one that was made."""
    folder = make(tmp_path / "charts", {"chart.txt": CHART})
    Repo.init(str(folder)).close()
    person = ("--committer-name", "build", "--committer-email", "build@internal")
    ran = act(folder, ALWAYS, "--commit", *person, DOCKER_IMAGE_TAG="1.0.0", DOCKER_IMAGE_TAG_REGEX=IMAGE)
    assert ran.code == 0
    with Repo(str(folder)) as repository:
        assert f"\n  commit {repository.head().decode()}\n" in ran.out
        last = repository[repository.head()]
        assert isinstance(last, Commit)
        assert (last.message, last.author) == (
            b"chore: bumped docker image tag to 1.0.0\n",
            b"build <build@internal>",
        )
