"""A plain folder as a Forge."""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING

import pytest

from bot.core.changeset import Changeset, FileChange
from bot.core.glob import Glob
from bot.core.message import CommitMessage
from bot.core.meter import unlimited
from bot.core.near_paths import FOLDER
from bot.core.snapshot import EXECUTABLE, REGULAR, SYMLINK
from bot.directory import Directory, operator
from bot.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path

MESSAGE = CommitMessage("a headline", "")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A folder with files, an executable one, a folder beside them, and symlinks to either and to nowhere."""
    root = tmp_path / "gitops"
    (root / "apps" / "one").mkdir(parents=True)
    (root / "apps" / "one" / "values.yaml").write_bytes(b"one\r\n")
    (root / "apps" / "run.yaml").write_bytes(b"run")
    (root / "apps" / "run.yaml").chmod(0o755)
    (root / ".hidden").mkdir()
    (root / ".hidden" / "values.yaml").write_bytes(b"hidden\n")
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "values.yaml").write_bytes(b"outside\n")
    (root / "folder").symlink_to(outside, target_is_directory=True)
    (root / "file.yaml").symlink_to(outside / "values.yaml")
    (root / "broken.yaml").symlink_to("nowhere")
    return root


def change(path: str, after: bytes) -> FileChange:
    """Return a change of a file to `after`."""
    return FileChange(path, b"", after, REGULAR, "", ())


def changeset(*changes: FileChange) -> Changeset:
    """Return these changes as what a delivery wants."""
    return Changeset("", "", {change.path: change for change in changes})


@pytest.mark.parametrize(
    ("path", "file"),
    [
        ("apps/one/values.yaml", (REGULAR, b"one\r\n")),
        ("apps/run.yaml", (EXECUTABLE, b"run")),
        ("file.yaml", (SYMLINK, None)),
        ("broken.yaml", (SYMLINK, None)),
        ("folder", (SYMLINK, None)),
        ("apps/no.yaml", None),
        ("apps", None),
        ("apps/run.yaml/x.yaml", None),
        ("folder/values.yaml", None),
    ],
)
async def test_a_path_is_what_git_would_have_there(
    path: str, file: tuple[int, bytes | None] | None, root: Path
) -> None:
    """Bytes as they are; a symlink is itself and leads nowhere; a folder is no file."""
    forge = Directory(root)
    snapshot = await forge.open(forge.repository, [path])
    assert [(found.mode, found.data) for found in snapshot.files.values()] == ([] if file is None else [file])


@pytest.mark.parametrize(
    ("glob", "paths"),
    [
        ("**/*.yaml", ["apps/one/values.yaml", "apps/run.yaml", "broken.yaml", "file.yaml", ".hidden/values.yaml"]),
        ("apps/*.yaml", ["apps/run.yaml"]),
        ("*/values.yaml", [".hidden/values.yaml"]),
        ("apps/**", ["apps/one/values.yaml", "apps/run.yaml"]),
        ("no/**", []),
        ("apps/run.yaml", ["apps/run.yaml"]),
        ("folder/**", []),
    ],
)
async def test_a_glob_finds_the_files_below_the_folder_and_none_through_a_symlink(
    glob: str, paths: list[str], root: Path
) -> None:
    """What a glob matches is added to the snapshot; nothing outside of the folder ever is."""
    forge = Directory(root)
    before = await forge.open(forge.repository, ["apps/run.yaml"])
    snapshot = await forge.read(before, [Glob(glob)], unlimited())
    assert set(snapshot.files) == {"apps/run.yaml", *paths}
    assert {file.data for file in snapshot.files.values()} <= {b"one\r\n", b"run", b"hidden\n", None}


async def test_a_folder_that_is_a_symlink_itself_can_be_named(root: Path) -> None:
    """Whoever names a folder means where it leads; only what is below it stays inside."""
    link = root.with_name("link")
    link.symlink_to(root, target_is_directory=True)
    forge = Directory(link)
    assert forge.repository.full_name == "gitops"
    snapshot = await forge.read(await forge.open(forge.repository, []), [Glob("apps/**")], unlimited())
    assert set(snapshot.files) == {"apps/one/values.yaml", "apps/run.yaml"}


@pytest.mark.parametrize("name", ["nowhere", "file.yaml", "apps/run.yaml"])
def test_what_is_no_folder_cannot_stand_for_a_repository(name: str, root: Path) -> None:
    """A file or nothing at all is refused at once, by its name."""
    with pytest.raises(InputError) as caught:
        Directory(root / name)
    assert str(caught.value) == f"there is no folder '{root / name}'"


async def test_a_commit_writes_whole_files_and_keeps_their_modes(root: Path) -> None:
    """Every file of the changeset has its new bytes, its mode, and a new inode: no reader sees half of one."""
    inode = (root / "apps" / "run.yaml").stat().st_ino
    forge = Directory(root)
    changes = changeset(change("apps/run.yaml", b"ran\n"), change("apps/one/values.yaml", b"two\r\n"))
    commit = await forge.commit(forge.repository, changes, MESSAGE)
    assert (commit.oid, commit.url, commit.parent) == ("", "", "")
    status = (root / "apps" / "run.yaml").stat()
    assert (root / "apps" / "run.yaml").read_bytes() == b"ran\n"
    assert (root / "apps" / "one" / "values.yaml").read_bytes() == b"two\r\n"
    assert stat.S_IMODE(status.st_mode) == 0o755
    assert status.st_ino != inode
    assert sorted(path.name for path in (root / "apps").iterdir()) == ["one", "run.yaml"]


async def test_a_file_with_the_longest_name_can_be_written(root: Path) -> None:
    """The file that is written beside it has no longer name."""
    name = "x" * 250 + ".yaml"
    (root / name).write_bytes(b"old")
    forge = Directory(root)
    await forge.commit(forge.repository, changeset(change(name, b"new")), MESSAGE)
    assert (root / name).read_bytes() == b"new"


async def test_what_cannot_be_written_leaves_the_other_files_as_they_were(root: Path) -> None:
    """A folder that is gone meanwhile: the sentence, nothing written, nothing left beside."""
    forge = Directory(root)
    changes = changeset(change("apps/run.yaml", b"new"), change("gone/values.yaml", b"new"))
    with pytest.raises(InputError) as caught:
        await forge.commit(forge.repository, changes, MESSAGE)
    assert str(caught.value) == f"cannot write {root / 'gone/values.yaml'}: No such file or directory"
    assert (root / "apps" / "run.yaml").read_bytes() == b"run"
    assert sorted(path.name for path in (root / "apps").iterdir()) == ["one", "run.yaml"]


async def test_nothing_is_written_through_a_symlink_that_waits_beside_the_file(root: Path) -> None:
    """Whatever links stand in the folder, bytes only ever get into the file that is meant."""
    outside = root.with_name("outside") / "values.yaml"
    for name in (".run.yaml.pointsman", ".run.yaml.tmp", "run.yaml~"):
        (root / "apps" / name).symlink_to(outside)
    forge = Directory(root)
    await forge.commit(forge.repository, changeset(change("apps/run.yaml", b"new")), MESSAGE)
    assert (root / "apps" / "run.yaml").read_bytes() == b"new"
    assert outside.read_bytes() == b"outside\n"


async def test_a_folder_has_no_owner_whose_mappings_could_govern_it(root: Path) -> None:
    """There is no organization behind a folder, and its actor is whoever sits at the terminal."""
    forge = Directory(root)
    assert await forge.organization_file(forge.repository, ".github/pointsman.yaml") is None
    assert operator().via == "terminal"


async def test_with_a_suffix_the_text_goes_beside_the_file(root: Path) -> None:
    """The file itself stays, the new one has its mode, and one that was there under that name is replaced."""
    forge = Directory(root, suffix=".new")
    outside = root.with_name("outside") / "values.yaml"
    (root / "apps" / "run.yaml.new").symlink_to(outside)
    await forge.commit(forge.repository, changeset(change("apps/run.yaml", b"ran\n")), MESSAGE)
    assert (root / "apps" / "run.yaml").read_bytes() == b"run"
    assert (root / "apps" / "run.yaml.new").read_bytes() == b"ran\n"
    assert stat.S_IMODE((root / "apps" / "run.yaml.new").lstat().st_mode) == 0o755
    assert outside.read_bytes() == b"outside\n"


@pytest.mark.parametrize("suffix", ["/x", "/../x", "\\x", "a\nb", "\0"])
def test_a_suffix_leads_to_no_other_folder(suffix: str, root: Path) -> None:
    """It is a part of a file's name."""
    with pytest.raises(InputError, match="is put behind the name of a file"):
        Directory(root, suffix=suffix)


async def test_a_folder_in_the_way_leaves_the_other_files_as_they_were(root: Path) -> None:
    """It is found before any file is replaced."""
    (root / "apps" / "one" / "values.yaml.new").mkdir()
    forge = Directory(root, suffix=".new")
    changes = changeset(change("apps/run.yaml", b"new"), change("apps/one/values.yaml", b"new"))
    with pytest.raises(InputError) as caught:
        await forge.commit(forge.repository, changes, MESSAGE)
    assert str(caught.value) == f"cannot write {root / 'apps/one/values.yaml.new'}: Is a directory"
    assert not (root / "apps" / "run.yaml.new").exists()


async def test_a_folder_stands_for_one_branch(root: Path) -> None:
    """That is the one it is said to stand for; what another one has is not known."""
    forge = Directory(root, "release")
    for branch in ("", "release"):
        snapshot = await forge.open(forge.repository, ["apps/run.yaml"], branch)
        assert (snapshot.branch, set(snapshot.files)) == ("release", {"apps/run.yaml"})
    with pytest.raises(InputError) as caught:
        await forge.open(forge.repository, [], "main")
    assert str(caught.value) == "the folder stands for the branch 'release'; what goes to 'main' is not in it"


async def test_the_modes_of_all_paths_are_those_that_git_would_have(root: Path) -> None:
    """Folders and links too, which are not followed; of some folders alone if they are named."""
    (root / ".git").mkdir()
    forge = Directory(root)
    snapshot = await forge.open(forge.repository, [])
    top = {
        ".hidden": FOLDER,
        "apps": FOLDER,
        "broken.yaml": SYMLINK,
        "file.yaml": SYMLINK,
        "folder": SYMLINK,
    }
    below = {"apps/one": FOLDER, "apps/run.yaml": REGULAR}
    assert await forge.modes(snapshot, ["", "apps", "gone"]) == top | below
    deeper = {".hidden/values.yaml": REGULAR, "apps/one/values.yaml": REGULAR}
    assert await forge.modes(snapshot) == top | below | deeper
