"""`pointsman apply --commit`: one local commit, or the sentence before anything is written."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from acting import act
from dulwich.porcelain import add, commit
from dulwich.repo import Repo
from gitops import contents, make

if TYPE_CHECKING:
    from pathlib import Path

    from dulwich.objects import Commit

PERSON = ("--committer-name", "build", "--committer-email", "build@internal")
REGEXES = {
    "IMAGE_REGEX": 'imageTag: "(?<docker_image_tag>.*)"',
    "CUSTOMER_REGEX": 'customer: "(?<customer_number>.*)"',
}
MAPPINGS = "__always__ {THEN_UPDATE_FILES} environments/dev/values.yaml=image_regex&customer_regex"
ENVIRONMENT = {"DOCKER_IMAGE_TAG": "2-dev", "CUSTOMER_NUMBER_VAR": "555", **REGEXES}
DEV = "environments/dev/values.yaml"
FILES = {DEV: b'imageTag: "1-dev"\ncustomer: "1"\n', "other.yaml": b"other: 1\n"}

RULES = """\
version: 1
mappings:
  - name: dev
    update: [{ files: environments/dev/values.yaml, set: { imageTag: '${{ docker_image_tag }}' } }]
commit:
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A repository with one commit."""
    folder = make(tmp_path / "gitops", FILES)
    Repo.init(str(folder)).close()
    add(folder, [folder / name for name in FILES])
    commit(folder, b"first", author=b"a <a@b>", committer=b"a <a@b>")
    return folder


def commits(folder: Path) -> list[Commit]:
    """Return the commits of a repository, the last one first."""
    with Repo(str(folder)) as repository:
        return [entry.commit for entry in repository.get_walker()]


@pytest.mark.parametrize(
    ("template", "message"),
    [
        (None, b"chore: bumped docker image tag to 2-dev\n"),
        ("A new version has been born.", b"A new version has been born.\n"),
        ("update to {{ $docker_image_tag }}", b"update to 2-dev\n"),
        ("update@if(!empty($customer_number)) for {{ $customer_number }}@endif", b"update for 555\n"),
        ("update@isset($nobody) for {{ $nobody }}@endisset", b"update\n"),
        ("update to ${{ docker_image_tag | upper }}", b"update to 2-DEV\n"),
    ],
)
def test_the_message_is_the_template_ours_or_blade(template: str | None, message: bytes, folder: Path) -> None:
    """Without one, a DSL's says which image tag there is now; there is no delivery to name."""
    option = () if template is None else ("--commit-template", template)
    ran = act(folder, MAPPINGS, "--commit", *PERSON, *option, **ENVIRONMENT)
    assert ran.code == 0
    last, first = commits(folder)
    assert (last.message, last.parents) == (message, [first.id])
    assert (last.author, last.committer) == (b"build <build@internal>",) * 2
    assert f"\n1 file changed\n  commit {last.id.decode()}\n" in ran.out


def test_without_an_image_tag_the_message_is_that_of_any_commit(folder: Path) -> None:
    """There is nothing that it could have been bumped to."""
    mappings = "__always__ {THEN_UPDATE_FILES} environments/dev/values.yaml=customer_regex"
    environment = {"CUSTOMER_NUMBER_VAR": "555", "CUSTOMER_REGEX": REGEXES["CUSTOMER_REGEX"]}
    assert act(folder, mappings, "--commit", *PERSON, **environment).code == 0
    assert commits(folder)[0].message.startswith(b"__always__: 555\n\n* environments/dev/values.yaml: ")


@pytest.mark.parametrize(
    ("settings", "options", "begin"),
    [
        ("  message: to ${{ docker_image_tag }}\n", PERSON, (b"to 2-dev\n", b"build <build@internal>")),
        ("  author: { name: file, email: f@f }\n", (), (b"dev: 2-dev\n", b"file <f@f>")),
        ("  message: to ${{ docker_image_tag }}\n", (*PERSON, "--commit-template", "no"), (b"no\n", b"build")),
    ],
)
@pytest.mark.parametrize("own", [True, False], ids=["the folder's file", "a file by --mappings"])
def test_a_mapping_file_says_message_and_author_where_options_do_not(
    settings: str, options: tuple[str, ...], begin: tuple[bytes, bytes], folder: Path, *, own: bool
) -> None:
    """The options win."""
    rules = folder / ".github" / "pointsman.yaml" if own else folder.with_name("rules.yaml")
    rules.parent.mkdir(exist_ok=True)
    rules.write_text(RULES + settings)
    ran = act(folder, None if own else str(rules), "--commit", *options, **ENVIRONMENT)
    assert ran.code == 0
    last = commits(folder)[0]
    assert (last.message.startswith(begin[0]), last.author.startswith(begin[1])) == (True, True)


def test_a_subfolder_of_a_repository_can_be_meant(folder: Path) -> None:
    """Globs are relative to the folder, the commit is the repository's."""
    mappings = MAPPINGS.replace("environments/", "")
    ran = act(folder / "environments", mappings, "--commit", *PERSON, "--format", "json", **ENVIRONMENT)
    assert ran.code == 0
    assert json.loads(ran.out)["commit"] == commits(folder)[0].id.decode()
    with Repo(str(folder)) as repository:
        tree = repository[commits(folder)[0].tree]
        assert sorted(name for name, _, _ in tree.items()) == [b"environments", b"other.yaml"]  # type: ignore[attr-defined]  # of a tree


def test_with_a_suffix_the_new_files_are_committed(folder: Path) -> None:
    """The original is neither changed nor committed; the second time there is nothing to commit."""
    options = ("--commit", *PERSON, "--updated-file-suffix", ".new")
    assert act(folder, MAPPINGS, *options, **ENVIRONMENT).code == 0
    assert contents(folder)[DEV] == FILES[DEV]
    assert len(commits(folder)) == 2
    again = act(folder, MAPPINGS, *options, **ENVIRONMENT)
    assert (again.code, "\n  commit " in again.out) == (0, False)
    assert len(commits(folder)) == 2


def test_nothing_to_change_is_no_commit(folder: Path) -> None:
    """The second time the values are there already."""
    for _ in range(2):
        assert act(folder, MAPPINGS, "--commit", *PERSON, **ENVIRONMENT).code == 0
    assert len(commits(folder)) == 2


def test_without_the_option_there_is_no_commit(folder: Path) -> None:
    """Who commits changes nothing by itself."""
    assert act(folder, MAPPINGS, *PERSON, "--commit-template", "x", **ENVIRONMENT).code == 0
    assert len(commits(folder)) == 1
    assert contents(folder)[DEV] != FILES[DEV]


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ((), "--commit: nobody is named who commits: give --committer-name and --committer-email\n"),
        (PERSON[:2], "--commit: nobody is named who commits: give --committer-email\n"),
        ((*PERSON, "--commit-template", "@foreach($a as $b) x @endforeach"), "the commit template, at character 1: "),
        ((*PERSON, "--commit-template", "${{ docker_image_tga }}"), "did you mean 'docker_image_tag'?"),
        ((*PERSON, "--directory", "/"), "--commit: the folder '/' is in no Git repository\n"),
        ((*PERSON, "--directory", "/nowhere"), "there is no folder '/nowhere'\n"),
    ],
)
def test_what_cannot_be_committed_is_said_before_anything_is_written(
    options: tuple[str, ...], sentence: str, folder: Path
) -> None:
    """Exit 1, and every file as it was."""
    before = contents(folder)
    ran = act(folder, MAPPINGS, "--commit", *options, **ENVIRONMENT)
    assert ran.code == 1
    assert sentence in ran.out + ran.err
    after = contents(folder)
    assert {name: after[name] for name in FILES} == FILES
    assert [name for name in before if name not in after] == []
    assert len(commits(folder)) == 1
