"""One local commit of just the files that changed."""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING

import pytest
from dulwich.objects import Commit, Tree
from dulwich.objectspec import parse_tree
from dulwich.porcelain import add, commit, status
from dulwich.repo import Repo

from bot.core.changeset import FileChange
from bot.core.mapping import Person
from bot.core.message import CommitMessage
from bot.core.snapshot import EXECUTABLE, REGULAR
from bot.directory.git import GitRepository
from bot.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path

MESSAGE = CommitMessage("a headline", "a body")


@pytest.fixture(autouse=True)
def nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody's own Git configuration counts."""
    for name in ("HOME", "XDG_CONFIG_HOME"):
        monkeypatch.setenv(name, str(tmp_path / "home"))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A repository with a commit of three files, one of them executable."""
    root = tmp_path / "gitops"
    (root / "apps").mkdir(parents=True)
    (root / "apps" / "values.yaml").write_bytes(b"tag: one\n")
    (root / "run.sh").write_bytes(b"echo one\n")
    (root / "run.sh").chmod(0o755)
    (root / "other.yaml").write_bytes(b"other: one\n")
    Repo.init(str(root)).close()
    add(root, [root / "apps" / "values.yaml", root / "run.sh", root / "other.yaml"])
    commit(root, b"first", author=b"a <a@b>", committer=b"a <a@b>")
    return root


def change(root: Path, path: str, after: bytes, mode: int = REGULAR) -> FileChange:
    """Write a file as the folder's own adapter would have, and return the change."""
    (root / path).write_bytes(after)
    return FileChange(path, b"", after, mode, "", ())


def made(git: GitRepository, *changes: FileChange, message: CommitMessage = MESSAGE) -> str:
    """Prepare and commit changes, and return the oid."""
    return git.commit(git.prepare({one.path: one for one in changes}, message))


def last(root: Path) -> tuple[Commit, dict[str, tuple[int, bytes]]]:
    """Return the last commit, and the (mode, bytes) of every file in it."""
    with Repo(str(root)) as repository:
        head = repository[repository.head()]
        assert isinstance(head, Commit)
        files = {}
        for entry in repository.object_store.iter_tree_contents(head.tree):
            assert entry.path is not None
            assert entry.mode is not None
            assert entry.sha is not None
            files[entry.path.decode()] = (entry.mode, repository.object_store[entry.sha].as_raw_string())
        return head, files


def test_a_commit_has_the_changed_files_the_message_and_the_person(root: Path) -> None:
    """Author and committer are who is given; every other file is as it was, and the tree is clean afterwards."""
    before, files = last(root)
    oid = made(GitRepository(root, "build", "b@c"), change(root, "apps/values.yaml", b"tag: two\n"))
    head, after = last(root)
    assert (head.id.decode(), head.parents) == (oid, [before.id])
    assert (head.author, head.committer) == (b"build <b@c>", b"build <b@c>")
    assert head.message == b"a headline\n\na body\n"
    assert after == files | {"apps/values.yaml": (REGULAR, b"tag: two\n")}
    assert status(root) == ({"add": [], "delete": [], "modify": []}, [], [])


def test_what_else_is_staged_or_changed_stays_so(root: Path) -> None:
    """The commit is of just the files: somebody's work in progress is neither committed nor lost."""
    (root / "other.yaml").write_bytes(b"other: staged\n")
    add(root, [root / "other.yaml"])
    (root / "run.sh").write_bytes(b"echo changed\n")
    made(GitRepository(root, "build", "b@c"), change(root, "apps/values.yaml", b"tag: two\n"))
    _, files = last(root)
    assert files["other.yaml"] == (REGULAR, b"other: one\n")
    assert files["run.sh"] == (EXECUTABLE, b"echo one\n")
    assert status(root) == ({"add": [], "delete": [], "modify": [b"other.yaml"]}, [b"run.sh"], [])


def test_a_subfolder_stands_in_its_repository(root: Path) -> None:
    """Paths are those below the folder, in the commit those below the repository."""
    git = GitRepository(root / "apps", "build", "b@c")
    git.commit(git.prepare({"values.yaml": change(root / "apps", "values.yaml", b"tag: two\n")}, MESSAGE))
    assert last(root)[1]["apps/values.yaml"] == (REGULAR, b"tag: two\n")


def test_the_mode_is_that_of_the_last_commit_and_of_the_disk_for_a_new_file(root: Path) -> None:
    """A mode that was changed on disk alone is not committed along."""
    changes = (change(root, "run.sh", b"echo two\n"), change(root, "new.sh", b"echo new\n", EXECUTABLE))
    made(GitRepository(root, "build", "b@c"), *changes)
    files = last(root)[1]
    assert (files["run.sh"][0], files["new.sh"][0]) == (EXECUTABLE, EXECUTABLE)


def test_the_first_commit_of_a_repository_needs_none_before(tmp_path: Path) -> None:
    """A repository that is empty yet gets a commit without parents."""
    root = tmp_path / "new"
    root.mkdir()
    Repo.init(str(root)).close()
    made(GitRepository(root, "build", "b@c"), change(root, "a.yaml", b"a: 1\n"))
    head, files = last(root)
    assert (head.parents, files) == ([], {"a.yaml": (REGULAR, b"a: 1\n")})


def test_there_is_no_commit_where_the_last_one_has_it_all(root: Path) -> None:
    """A change that only undoes what was not committed makes no empty commit."""
    before, _ = last(root)
    assert made(GitRepository(root, "build", "b@c"), change(root, "apps/values.yaml", b"tag: one\n")) == ""
    assert last(root)[0].id == before.id


def test_line_endings_are_committed_as_the_repository_wants_them(root: Path) -> None:
    """With `core.autocrlf` the file has CRLF and the blob LF, as `git add` makes it."""
    with Repo(str(root)) as repository:
        config = repository.get_config()
        config.set((b"core",), b"autocrlf", b"true")
        config.write_to_path()
    made(GitRepository(root, "build", "b@c"), change(root, "apps/values.yaml", b"tag: two\r\n"))
    assert last(root)[1]["apps/values.yaml"] == (REGULAR, b"tag: two\n")


@pytest.mark.parametrize(
    ("given", "author", "person"),
    [
        (("build", "b@c"), Person("file", "f@f"), b"build <b@c>"),
        (("", ""), Person("file", "f@f"), b"file <f@f>"),
        (("", ""), None, b"me <me@home>"),
        (("", "b@c"), None, b"me <b@c>"),
    ],
)
def test_who_commits_is_the_one_given_else_of_the_mapping_file_else_of_git(
    given: tuple[str, str], author: Person | None, person: bytes, root: Path
) -> None:
    """Name and address are looked for each by itself, as Git does."""
    with Repo(str(root)) as repository:
        config = repository.get_config()
        config.set((b"user",), b"name", b"me")
        config.set((b"user",), b"email", b"me@home")
        config.write_to_path()
    said = CommitMessage("a headline", "", author=author)
    made(GitRepository(root, *given), change(root, "apps/values.yaml", b"tag: two\n"), message=said)
    head, _ = last(root)
    assert (head.author, head.committer) == (person, person)


def test_a_committer_of_the_mapping_file_may_be_somebody_else(root: Path) -> None:
    """Author and committer are two people then."""
    said = CommitMessage("a headline", "", Person("author", "a@f"), Person("committer", "c@f"))
    made(GitRepository(root), change(root, "apps/values.yaml", b"tag: two\n"), message=said)
    head, _ = last(root)
    assert (head.author, head.committer) == (b"author <a@f>", b"committer <c@f>")


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (("", ""), "--commit: nobody is named who commits: give --committer-name and --committer-email"),
        (("build", ""), "--commit: nobody is named who commits: give --committer-email"),
        (("a <b", "b@c"), "--commit: 'a <b' with 'b@c' cannot be who commits: leave <, > and line breaks out"),
    ],
)
def test_without_somebody_who_commits_nothing_is_prepared(given: tuple[str, str], sentence: str, root: Path) -> None:
    """The sentence names the option that is missing."""
    with pytest.raises(InputError) as caught:
        GitRepository(root, *given).prepare({}, MESSAGE)
    assert str(caught.value) == sentence


def test_an_ignored_file_is_refused(root: Path) -> None:
    """What Git was told to leave out is not brought in."""
    (root / ".gitignore").write_bytes(b"*.secret\n")
    with pytest.raises(InputError) as caught:
        made(GitRepository(root, "build", "b@c"), change(root, "apps/key.secret", b"x"))
    assert str(caught.value) == "--commit: Git ignores apps/key.secret: change .gitignore, or leave the file out"


def test_a_file_of_a_submodule_is_refused(root: Path) -> None:
    """It belongs to another repository."""
    with Repo(str(root)) as repository:
        tree = parse_tree(repository, b"HEAD")
        assert isinstance(tree, Tree)
        tree.add(b"module", 0o160000, b"1" * 40)  # type: ignore[arg-type]  # any oid will do
        repository.object_store.add_object(tree)
        repository.get_worktree().commit(b"module", author=b"a <a@b>", committer=b"a <a@b>", tree=tree.id)
    (root / "module").mkdir()
    with pytest.raises(InputError) as caught:
        made(GitRepository(root, "build", "b@c"), change(root, "module/a.yaml", b"x"))
    sentence = "--commit: module/a.yaml is in the submodule module, which has commits of its own"
    assert str(caught.value) == sentence


def test_a_repository_in_use_is_not_written_to(root: Path) -> None:
    """While another process has the index locked there is no commit, and the sentence names the lock."""
    git = GitRepository(root, "build", "b@c")
    lock = root / ".git" / "index.lock"
    lock.touch()
    before, _ = last(root)
    with pytest.raises(InputError) as caught:
        made(git, change(root, "apps/values.yaml", b"tag: two\n"))
    assert str(caught.value) == (
        "--commit: the files are written, but the Git repository takes no commit: another process has locked it; "
        f"if none runs any more, remove {lock}"
    )
    assert last(root)[0].id == before.id


def test_a_hook_that_refuses_is_quoted(root: Path) -> None:
    """What a repository checks before a commit is checked before this one too."""
    hook = root / ".git" / "hooks" / "pre-commit"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\nexit 1\n")
    hook.chmod(hook.stat().st_mode | stat.S_IXUSR)
    before, _ = last(root)
    with pytest.raises(InputError) as caught:
        made(GitRepository(root, "build", "b@c"), change(root, "apps/values.yaml", b"tag: two\n"))
    assert "the Git repository takes no commit: Hook pre-commit exited with non-zero status 1" in str(caught.value)
    assert last(root)[0].id == before.id


def test_a_folder_outside_of_git_is_refused(tmp_path: Path) -> None:
    """There is nothing to commit to."""
    with pytest.raises(InputError) as caught:
        GitRepository(tmp_path)
    assert str(caught.value) == f"--commit: the folder '{tmp_path}' is in no Git repository"


def test_a_bare_repository_is_refused(tmp_path: Path) -> None:
    """It has no files."""
    Repo.init_bare(str(tmp_path)).close()
    with pytest.raises(InputError, match="is bare: it has no files to commit"):
        GitRepository(tmp_path)


def test_a_merge_under_way_is_not_disturbed(root: Path) -> None:
    """As Git refuses a partial commit then."""
    (root / ".git" / "MERGE_HEAD").write_bytes(last(root)[0].id + b"\n")
    with pytest.raises(InputError, match="a merge is under way"):
        GitRepository(root)
