"""Files that come and go in a plain folder, and in its Git repository."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

import pytest
from dulwich.objectspec import parse_tree
from dulwich.porcelain import add, commit, status
from dulwich.repo import Repo

from bot.core.changeset import Changeset, FileChange
from bot.core.glob import Glob
from bot.core.mapping import Person
from bot.core.message import CommitMessage
from bot.core.meter import unlimited
from bot.core.snapshot import REGULAR
from bot.directory import Directory
from bot.directory.git import GitRepository
from bot.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path

MESSAGE = CommitMessage("a headline", "", Person("build", "b@c"))
FILES = {"apps/one/values.yaml": b"one\n", "apps/two.yaml": b"two\n", "top.yaml": b"top\n"}


@pytest.fixture(autouse=True)
def nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody's own Git configuration counts."""
    for name in ("HOME", "XDG_CONFIG_HOME"):
        monkeypatch.setenv(name, str(tmp_path / "home"))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A folder with files."""
    root = tmp_path / "gitops"
    for name, data in FILES.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(data)
    return root


def contents(root: Path) -> dict[str, bytes | None]:
    """Every file below the folder, and every folder as None, Git's own left out."""
    assert root.is_dir()
    paths = [path for path in root.rglob("*") if ".git" not in path.relative_to(root).parts]
    return {path.relative_to(root).as_posix(): path.read_bytes() if path.is_file() else None for path in paths}


def new(path: str, data: bytes = b"new\n") -> FileChange:
    return FileChange(path, None, data, REGULAR, "", ())


def gone(path: str) -> FileChange:
    return FileChange(path, FILES.get(path, b""), None, REGULAR, "", ())


async def carry_out(forge: Directory, *changes: FileChange) -> str:
    """Commit these changes, and return the oid."""
    made = await forge.commit(forge.repository, Changeset("", "", {one.path: one for one in changes}), MESSAGE)
    return made.oid


async def refused(forge: Directory, *changes: FileChange) -> str:
    with pytest.raises(InputError) as caught:
        await carry_out(forge, *changes)
    return str(caught.value)


@pytest.mark.parametrize("mask", [0o022, 0o077])
async def test_a_new_file_comes_with_its_folders(root: Path, mask: int) -> None:
    """With the mode that any new file has."""
    old = os.umask(mask)
    try:
        await carry_out(Directory(root), new("a/b/c.yaml"), new("a/b/d.yaml", b""))
    finally:
        os.umask(old)
    assert contents(root)["a/b/c.yaml"] == b"new\n"
    assert contents(root)["a/b/d.yaml"] == b""
    assert stat.S_IMODE((root / "a/b/c.yaml").stat().st_mode) == 0o666 & ~mask
    assert sorted(path.name for path in (root / "a/b").iterdir()) == ["c.yaml", "d.yaml"]


async def test_a_file_goes_with_the_folders_that_it_leaves_empty(root: Path) -> None:
    """Up to the first one that has something left; the folder itself stays in any case."""
    await carry_out(Directory(root), gone("apps/one/values.yaml"))
    assert contents(root) == {"apps": None, "apps/two.yaml": b"two\n", "top.yaml": b"top\n"}
    await carry_out(Directory(root), gone("apps/two.yaml"), gone("top.yaml"))
    assert contents(root) == {}


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("top.yaml", "File exists"),
        ("top.yaml/below.yaml", "Not a directory"),
        ("apps", "Is a directory"),
        ("link/new.yaml", "Not a directory"),
        ("dangling", "File exists"),
    ],
)
async def test_a_new_file_takes_nobodys_place(root: Path, path: str, reason: str) -> None:
    """Not even where something came after the rules were evaluated; then nothing at all is written."""
    outside = root.with_name("outside")
    outside.mkdir()
    (root / "link").symlink_to(outside, target_is_directory=True)
    (root / "dangling").symlink_to(outside / "nowhere")
    before = contents(root)
    said = await refused(Directory(root), new("fresh/x.yaml"), new(path), gone("apps/two.yaml"))
    assert said.startswith(f"cannot write {root / path}: {reason}")
    assert contents(root) == before
    assert list(outside.iterdir()) == []


async def test_a_file_that_went_meanwhile_cannot_go(root: Path) -> None:
    """It is found before anything is written."""
    (root / "apps/two.yaml").unlink()
    before = contents(root)
    said = await refused(Directory(root), new("fresh/x.yaml"), gone("apps/two.yaml"))
    assert said == f"cannot delete {root / 'apps/two.yaml'}: No such file or directory"
    assert contents(root) == before


async def test_with_a_suffix_only_texts_are_written(root: Path) -> None:
    """A new file's text goes under its name with the suffix; one that goes stays."""
    await carry_out(Directory(root, suffix=".new"), new("a/b.yaml"), gone("top.yaml"))
    assert contents(root) == {**contents(root), "a/b.yaml.new": b"new\n", "top.yaml": b"top\n"}
    assert not (root / "a/b.yaml").exists()


@pytest.mark.parametrize(
    ("path", "folders"),
    [("apps", {"apps"}), ("apps/one", {"apps/one"}), ("top.yaml", set()), ("no", set()), ("top.yaml/x", set())],
)
async def test_a_path_that_is_a_folder_is_known_as_one(root: Path, path: str, folders: set[str]) -> None:
    """However it is asked for."""
    forge = Directory(root)
    opened = await forge.open(forge.repository, [path])
    assert opened.folders == folders
    assert (await forge.read(await forge.open(forge.repository, []), [Glob(path)], unlimited())).folders == folders


# -- in a Git repository


@pytest.fixture
def repository(root: Path) -> Path:
    """The folder as a Git repository with one commit."""
    Repo.init(str(root)).close()
    add(root, [root / name for name in FILES])
    commit(root, b"first", author=b"a <a@b>", committer=b"a <a@b>")
    return root


def committed(root: Path) -> dict[str, bytes]:
    """Every file of the last commit."""
    with Repo(str(root)) as repo:
        tree = parse_tree(repo, b"HEAD")
        entries = repo.object_store.iter_tree_contents(tree.id)
        return {entry.path.decode(): repo.object_store[entry.sha].as_raw_string() for entry in entries}


async def test_what_comes_and_goes_is_one_commit(repository: Path) -> None:
    """Nothing is left to do for Git afterwards."""
    oid = await carry_out(
        Directory(repository, git=GitRepository(repository)), new("a/b.yaml"), gone("apps/one/values.yaml")
    )
    assert committed(repository) == {"a/b.yaml": b"new\n", "apps/two.yaml": b"two\n", "top.yaml": b"top\n"}
    assert status(repository) == ({"add": [], "delete": [], "modify": []}, [], [])
    with Repo(str(repository)) as repo:
        assert repo.head().decode() == oid


async def test_a_file_that_git_does_not_know_goes_without_a_commit(repository: Path) -> None:
    """There is nothing to commit then; what is staged of it is not any more."""
    (repository / "loose.yaml").write_bytes(b"loose\n")
    add(repository, [repository / "loose.yaml"])
    change = FileChange("loose.yaml", b"loose\n", None, REGULAR, "", ())
    assert await carry_out(Directory(repository, git=GitRepository(repository)), change) == ""
    assert committed(repository) == FILES
    assert not (repository / "loose.yaml").exists()


async def test_a_new_file_that_git_ignores_is_refused(repository: Path) -> None:
    """Before it is written."""
    (repository / ".gitignore").write_bytes(b"a/\n")
    said = await refused(Directory(repository, git=GitRepository(repository)), new("a/b.yaml"))
    assert "Git ignores a/b.yaml" in said
    assert not (repository / "a").exists()
