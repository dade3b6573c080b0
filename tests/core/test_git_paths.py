"""The names that Windows and macOS have for a path, as Git knows them."""

from __future__ import annotations

import re
import shutil
import subprocess
import unicodedata
from typing import TYPE_CHECKING

import pytest
from dulwich.index import validate_path_element_hfs, validate_path_element_ntfs
from dulwich.objects import Blob, Tree
from dulwich.repo import Repo
from fuzzing import examples
from hypothesis import given
from hypothesis import strategies as st

from bot.core.git_paths import fold, in_git, is_short_name, other_on_windows
from bot.core.glob import Glob, Globs, check_path, escape
from bot.core.protected import Protection, refusal

if TYPE_CHECKING:
    from pathlib import Path

needs_git = pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")

ZWNJ = "\u200c"
DOT_GIT = [
    ".git",
    ".GIT",
    ".gIt",
    f".g{ZWNJ}it",
    "\ufeff.git",
    ".git\u202e",
    "git~1",
    "GIT~1",
    ".git.",
    ".git ",
    ".git . .",
    "git~1 .",
    ".git::$INDEX_ALLOCATION",
    ".git:x",
    "git~1:x",
    ".git\\x",
    "x\\.GIT\\y",
]
OTHERS = [
    ".gitignore",
    ".gitx",
    "git",
    "git~2",
    "x.git",
    ".git-x",
    "_git",
    ". git",
    ".g it",
    "gi",
    "日本",
    ".gît",
    "a:b",
]

# What variants of a name are made of.
_BETWEEN = st.sampled_from(["", "", "", ZWNJ, "\u200e", "\u206f", "\ufeff", "\u202d", "x", ".", " "])
_BEHIND = st.sampled_from(["", "", ".", " ", "..", " .", ":x", "::$DATA", "::$INDEX_ALLOCATION", "x", "~1", "\\x"])


@st.composite
def spelt(draw: st.DrawFn, name: str) -> str:
    """A spelling of a name, most of them for the same file on some file system."""
    letters = [draw(st.sampled_from([letter, letter.upper()])) + draw(_BETWEEN) for letter in name]
    return draw(_BETWEEN) + "".join(letters) + draw(_BEHIND)


@st.composite
def shortened(draw: st.DrawFn, start: str, code: str) -> str:
    """A short name, or nearly one."""
    number = draw(st.integers(0, 10_000))
    stem = draw(st.sampled_from([start, code, f"{start[:2]}{draw(st.integers(0, 0xFFFF)):04x}"]))
    length = draw(st.sampled_from([6, 7 - len(str(number)), 7 - len(str(number))]))
    text = f"{stem[: max(0, length)]}~{number}{draw(_BEHIND)}"
    return text.upper() if draw(st.booleans()) else text


@pytest.mark.parametrize("name", DOT_GIT)
@pytest.mark.parametrize("form", ["{}/config", "a/{}", "{}", "a/{}/hooks/pre-commit"])
def test_no_spelling_of_dot_git_is_a_path(name: str, form: str) -> None:
    """No glob matches it, none leads into it, and as a path it is refused."""
    path = form.format(name)
    assert in_git(path)
    assert check_path(escape(path)) is not None
    assert not Glob("**").matches(path)
    assert not Glob("**").may_contain(path)
    assert Globs([Glob("**"), Glob(escape(path))]).filter([path, "a"]) == ["a"]


@pytest.mark.parametrize("name", OTHERS)
def test_what_git_takes_is_a_path(name: str) -> None:
    """A name that only looks similar is one like all others."""
    assert not in_git(name)
    assert check_path(escape(f"a/{name}")) is None
    assert Glob("**").matches(f"{name}/x")


@given(spelt(".git") | spelt("git~1") | st.text(st.characters(exclude_categories=["Cs"]), max_size=6))
@examples(2_000)
def test_what_dulwich_takes_for_dot_git_is(name: str) -> None:
    """Of the names that an independent reader of Git's rules refuses none is a path for us."""
    for element in name.split("/"):
        taken = validate_path_element_ntfs(element.encode()) and validate_path_element_hfs(element.encode())
        # It also refuses `.` and `..` with ignored characters in them, of which nothing is left here.
        assert taken or in_git(element) or not fold(element)


NAMES = (
    spelt(".git")
    | spelt("git~1")
    | spelt(".gitmodules")
    | spelt(".gitattributes")
    | shortened("gitmodules", "gi7eba")
    | shortened("gitattributes", "gi7d29")
)


@needs_git
@given(st.lists(NAMES, min_size=1, max_size=200, unique=True))
@examples(20)
def test_what_git_itself_takes_for_its_files_is(tmp_path_factory: pytest.TempPathFactory, names: list[str]) -> None:
    """`git fsck` names each tree with `.git`, or a link `.gitmodules` or `.gitattributes`, on any file system."""
    found = _fsck(tmp_path_factory.mktemp("repository"), names)
    assert found["hasDotgit"] <= {name for name in names if in_git(name)}
    protected = {name for name in names if in_git(name) or refusal(name, Protection())}
    assert found["gitmodulesSymlink"] | found["gitattributesSymlink"] <= protected


@needs_git
def test_what_git_takes_for_its_files_and_what_not(tmp_path: Path) -> None:
    """The tables here are Git's, too."""
    names = [*DOT_GIT, *OTHERS, ".gitmodules", "GITMOD~1 .", "gi7eb~11", ".gitattributes:x", ".gitmodules x"]
    found = _fsck(tmp_path, names)
    assert found["hasDotgit"] == set(DOT_GIT)
    assert found["gitmodulesSymlink"] == {".gitmodules", "GITMOD~1 .", "gi7eb~11"}
    assert found["gitattributesSymlink"] == {".gitattributes:x"}


def _fsck(folder: Path, names: list[str]) -> dict[str, set[str]]:
    """Make a tree with a symbolic link of each name; return those that `git fsck` complains of, by its message."""
    with Repo.init_bare(str(folder)) as repository:
        blob = Blob.from_string(b"target")
        trees = {}
        for name in names:
            tree = Tree()
            tree.add(name.encode(), 0o120000, blob.id)
            trees[tree.id.decode()] = (name, tree)
        repository.object_store.add_objects([(blob, None), *((tree, None) for _, tree in trees.values())])
    ran = subprocess.run(["git", "fsck", "--no-dangling"], cwd=folder, capture_output=True, text=True, check=False)
    found: dict[str, set[str]] = {"hasDotgit": set(), "gitmodulesSymlink": set(), "gitattributesSymlink": set()}
    for oid, message in re.findall(r"in tree ([0-9a-f]{40}): (\w+)", ran.stderr):
        if message in found:
            found[message].add(trees[oid][0])
    return found


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=20))
@examples(1_000)
def test_a_folded_path_stays_as_it_is(path: str) -> None:
    """Folding twice is folding once, and neither case nor composition make a difference."""
    parts = fold(path)
    if ":" not in "".join(parts)[:2]:
        assert fold("/".join(parts)) == parts
    assert fold(unicodedata.normalize("NFD", path)) == fold(unicodedata.normalize("NFC", path))


@pytest.mark.parametrize(
    ("path", "parts"),
    [
        ("A/B", ("a", "b")),
        (".GitHub./workflows ", (".github", "workflows")),
        (".github::$INDEX_ALLOCATION/x", (".github", "x")),
        ("C:.github/x", (".github", "x")),
        ("docs\\CODEOWNERS", ("docs", "codeowners")),
        ("CODEOWNER\u017f", ("codeowners",)),
        ("\uff2aenkins\u00adfile", ("jenkinsfile",)),
        (".hus\u212aey", (".huskey",)),
        ("./.../CODEOWNERS", ("codeowners",)),
    ],
)
def test_all_spellings_of_a_file_fold_to_one(path: str, parts: tuple[str, ...]) -> None:
    """Case, compatible and ignored characters, ends, streams and drives make no difference to some file system."""
    assert fold(path) == parts


@pytest.mark.parametrize(
    ("part", "name", "expected"),
    [
        ("github~1", ".github", True),
        ("github~9", ".github", True),
        ("githu~10", ".github", True),
        ("gi12ab~1", ".github", True),
        ("gi12a~10", ".github", True),
        ("gitlab~1.yml", ".gitlab-ci.yml", True),
        ("gitlab~1", ".gitlab-ci.yml", False),
        ("action~1.yam", "action.yaml", True),
        ("github~0", ".github", False),
        ("github", ".github", False),
        ("github~x", ".github", False),
        ("gith~1", ".github", False),
        ("gixxxx~1", ".github", False),
        ("values~1.yam", ".github", False),
    ],
)
def test_the_short_names_of_ntfs_are_known(part: str, name: str, expected: bool) -> None:
    """Six characters and a number, or two, a hash and a number, with three of the extension."""
    assert is_short_name(part, name) is expected


@pytest.mark.parametrize(
    "path", ["con", "a/NUL", "aux.yaml", "com1.tar.gz", "lpt9 ", "CONIN$", "a:b", "x/a.", "a /x", "prn:x", "nul .x"]
)
def test_names_that_mean_something_else_on_windows_are_known(path: str) -> None:
    """A device, a stream, or a name whose end is dropped."""
    assert other_on_windows(path) is not None


@pytest.mark.parametrize(
    "path", ["a/b.yaml", "console", "auxiliary.yaml", "com0", "com10", "a b", "a*b", "-x", "nul-x"]
)
def test_names_that_windows_has_too_are_none_of_those(path: str) -> None:
    """Names that only begin so are ordinary ones."""
    assert other_on_windows(path) is None
