"""No door lets a rule write a protected file: a path of a payload, a fixed one, a glob; each operation."""

from __future__ import annotations

import json

import pytest
from decided import planned, planned_by, view

from bot.core import dsl, mapping_file
from bot.core.changeset import Changeset, NoChange, compute
from bot.core.meter import Meter
from bot.core.model import Actor
from bot.core.verdict import Verdict, judge
from bot.errors import InputError

CONTENT = "image: { tag: 1 }\n"
PATHS = [
    ".github/workflows/x.yml",
    ".GitHub/workflows/x.yml",
    ".github./workflows/x.yml",
    ".g\u200cithub/workflows/x.yml",
    "github~1/workflows/x.yml",
    ".github::$INDEX_ALLOCATION/x.yml",
    "CODEOWNERS",
    "codeowners",
    "docs./CODEOWNERS",
    ".gitmodules",
    "GITMOD~1",
    ".gitattributes",
    ".gitlab-ci.yml",
    ".circleci/config.yml",
    "Jenkinsfile",
    "tools/action.yml",
    ".husky/pre-commit",
]
DOT_GIT = [".git/config", ".GIT/config", "git~1/hooks/pre-commit", ".git::$INDEX_ALLOCATION/x", "a/.git./config"]
OPERATIONS = {
    "set": "set: { image.tag: '${{ tag }}' }",
    "unset": "unset: image.tag",
    "merge": "merge: { image: { tag: '${{ tag }}' } }",
    "regex": "regex: 'tag: (?<tag>\\w+)'",
    "delete": "delete: true",
}


def rules(files: str, operation: str, more: str = "") -> str:
    return f"version: 1\n{more}mappings:\n  - name: a\n    update: [{{ files: {json.dumps(files)}, {operation} }}]\n"


def decided(text: str, path: str, files: dict[str, str]) -> tuple[Changeset | NoChange, Verdict | None]:
    plan = planned({"path": path, "tag": "2"}, text)
    change = compute(plan, view(dict(files)), Meter(lambda: 0.0))
    return change, judge(Actor("webhook", "octocat", 1), change, plan.protection) if isinstance(
        change, Changeset
    ) else None


@pytest.mark.parametrize("operation", OPERATIONS.values(), ids=OPERATIONS)
@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("fixed", [True, False])
def test_a_protected_file_that_is_named_is_denied(path: str, operation: str, fixed: bool) -> None:
    """By its path in the mapping file, or by one that a payload brings."""
    _, verdict = decided(rules(path if fixed else "${{ path }}", operation), path, {path: CONTENT})
    assert verdict is not None
    assert not verdict.allowed


@pytest.mark.parametrize("path", PATHS)
def test_a_protected_file_is_not_created(path: str) -> None:
    """A new one is denied as an old one is."""
    _, verdict = decided(rules("${{ path }}", "create: 'on: push'"), path, {})
    assert verdict is not None
    assert not verdict.allowed


@pytest.mark.parametrize("operation", OPERATIONS.values(), ids=OPERATIONS)
@pytest.mark.parametrize("glob", ["**", "{**/,}*", "?*/**", ".*"])
def test_no_glob_changes_a_protected_file(operation: str, glob: str) -> None:
    """It changes the others, and notes what it left out and how to have it."""
    files = dict.fromkeys([*PATHS, "x/values.yaml", ".values.yaml"], CONTENT)
    change, verdict = decided(rules(glob, operation), "", files)
    assert isinstance(change, Changeset)
    assert change.files.keys() <= {"x/values.yaml", ".values.yaml"}
    assert verdict is not None
    assert verdict.allowed


def test_what_a_glob_leaves_out_is_noted() -> None:
    """Five files by their names, and how many more there are."""
    names = ["Jenkinsfile", *(f"{folder}/Jenkinsfile" for folder in "abcdef")]
    change, _ = decided(rules("**/Jenkinsfile", OPERATIONS["regex"]), "", dict.fromkeys(names, CONTENT))
    assert isinstance(change, NoChange)
    first, *notes, last = change.reasons
    assert first == "mapping 'a': no file matches '**/Jenkinsfile'"
    assert notes[0].startswith("mapping 'a' leaves a file out: Jenkinsfile is a file on which Jenkins acts by itself")
    assert len(notes) == 5
    assert last == "mapping 'a' leaves 2 more such files out"


@pytest.mark.parametrize("files", ["Jenkinsfile", "${{ path }}", "**/Jenkinsfile"])
def test_what_allow_files_lists_may_change(files: str) -> None:
    """By its path, by one of a payload and by a glob."""
    text = rules(files, OPERATIONS["regex"], "allow_files: Jenkinsfile\n")
    change, verdict = decided(text, "Jenkinsfile", {"Jenkinsfile": CONTENT, "ci/Jenkinsfile": CONTENT})
    assert isinstance(change, Changeset)
    assert list(change.files) == ["Jenkinsfile"]
    assert verdict is not None
    assert verdict.allowed


@pytest.mark.parametrize("path", [path for path in PATHS if "ithub" in path.lower() or "CODEOWN" in path.upper()])
def test_allow_files_never_opens_dot_github_nor_codeowners(path: str) -> None:
    """A glob over everything opens all the others."""
    text = rules("${{ path }}", OPERATIONS["set"], "allow_files: '**'\n")
    _, verdict = decided(text, path, {path: CONTENT})
    assert verdict is not None
    assert not verdict.allowed


@pytest.mark.parametrize("path", DOT_GIT)
@pytest.mark.parametrize("fixed", [True, False])
def test_no_path_leads_into_dot_git(path: str, fixed: bool) -> None:
    """In no spelling, and whatever `allow_files` says."""
    text = rules(path if fixed else "${{ path }}", OPERATIONS["delete"], "allow_files: '**'\n")
    with pytest.raises(InputError, match="which is never touched"):
        decided(text, path, {path: CONTENT})


@pytest.mark.parametrize("path", ["a\u202eb/x.yaml", "x\u2028.yaml", "a\u200b.yaml", "\ufeffa", "a\u00adb", "\ud800"])
def test_a_payload_brings_no_invisible_character_into_a_path(path: str) -> None:
    """Two paths that look the same would be two files; people may write them into the mapping file."""
    with pytest.raises(InputError, match="has an invisible character"):
        decided(rules("apps/${{ path }}", "create: x"), path, {})
    if path != "\ud800":
        change, verdict = decided(
            rules(f"{path}/${{{{ tag }}}}.yaml", OPERATIONS["set"]), "", {f"{path}/2.yaml": CONTENT}
        )
        assert isinstance(change, Changeset)
        assert verdict is not None
        assert verdict.allowed


@pytest.mark.parametrize("path", ["con", "x/aux.yaml", "a:b", "shop.", "shop /x"])
def test_a_payload_creates_no_file_that_is_another_one_on_windows(path: str) -> None:
    """A path of the mapping file may be such a one, and a file that is there is edited."""
    with pytest.raises(InputError, match="Windows"):
        decided(rules("${{ path }}", "create: x"), path, {})
    for text, files in (
        (rules(path, "create: x"), {}),
        (rules(path, OPERATIONS["set"]), {path: CONTENT}),
        (rules("${{ path }}", OPERATIONS["set"]), {path: CONTENT}),
        (rules("**", OPERATIONS["set"]), {path: CONTENT}),
    ):
        change, _ = decided(text, path, files)
        assert isinstance(change, Changeset)
        assert list(change.files) == [path]


def test_mappings_in_the_dsl_are_rules_too() -> None:
    """They have no `allow_files`: what runs by itself is denied."""
    made = dsl.mapping_file("tag==2 {THEN_UPDATE_FILES} Jenkinsfile=r", {"r": r"tag: (?<tag>\w+)"}, "--mappings")
    plan = planned_by(made, {"tag": "2"})
    change = compute(plan, view({"Jenkinsfile": CONTENT}), Meter(lambda: 0.0))
    assert isinstance(change, Changeset)
    assert not judge(Actor("terminal", ""), change, plan.protection).allowed


def test_globs_that_take_too_long_open_nothing() -> None:
    """The verdict says so; nothing is raised where nobody expects it."""
    slow = "*a" * 60  # backtracks for as long as it may
    text = rules("${{ path }}", OPERATIONS["set"], f"allow_files: '{slow}/action.yml'\n")
    path = f"{'a' * 3000}b/action.yml"
    _, verdict = decided(text, path, {path: CONTENT})
    assert verdict is not None
    assert not verdict.allowed


def test_check_finds_what_allow_files_cannot_open_and_what_would_be_denied() -> None:
    """Each at its line, before any dispatch."""
    text = rules("Jenkinsfile", OPERATIONS["set"])
    (warning,) = mapping_file.parse(text, "m.yaml").warnings
    assert str(warning) == (
        "m.yaml:4:23: a change here ends as denied: Jenkinsfile is a file on which Jenkins acts by itself: "
        "list it under 'allow_files:' if mappings may change it"
    )
    assert mapping_file.parse(rules("Jenkinsfile", OPERATIONS["set"], "allow_files: J*\n"), "m.yaml").warnings == ()
    lists = "allow_files: ['.github/**', '{a,docs/codeowners}', '${{ x }}', '/a', '.git/x', '**']\n"
    with pytest.raises(InputError) as caught:
        mapping_file.parse(rules("a", OPERATIONS["set"], lists), "m.yaml")
    sentences = [problem.sentence for problem in caught.value.problems]
    assert [sentence.split(",")[0] for sentence in sentences] == [
        "'allow_files' never opens .github/**",
        "'allow_files' never opens docs/codeowners",
        "the 'allow_files' are globs without expressions",
        "the path '/a' is absolute; write it relative to the root of the repository",
        "the path '.git/x' leads into .git",
    ]
