"""Why no file matches: what the repository has instead."""

from __future__ import annotations

import pytest

from bot.core.glob import Glob, escape
from bot.core.near_paths import FOLDER, Paths, mapping_file_hint
from bot.core.snapshot import REGULAR, SUBMODULE, SYMLINK

TREE = {
    "README.md": REGULAR,
    "Envs": FOLDER,
    "Envs/dev": FOLDER,
    "Envs/dev/values.yaml": REGULAR,
    "Envs/prod": FOLDER,
    "Envs/prod/values.yaml": REGULAR,
    "Envs/staging": SYMLINK,
    "Mu\u0308ller": FOLDER,
    "Mu\u0308ller/app.yaml": REGULAR,
    "charts": SUBMODULE,
    "apps": FOLDER,
    "apps/shop": FOLDER,
    "apps/shop/chart.yaml": REGULAR,
    ".github": FOLDER,
    ".github/only.yaml": REGULAR,
}
CASE = "Upper and lower case differ"
LOOKS = "It looks the same, but its accents are other characters: copy the name from the repository"
NOT_FOLLOWED = "is a symbolic link, which is not followed: name the path that it leads to"


@pytest.mark.parametrize(
    ("glob", "hint"),
    [
        ("envs/dev/values.yaml", f"did you mean 'Envs/dev/values.yaml'? {CASE}"),
        ("readme.md", f"did you mean 'README.md'? {CASE}"),
        ("M\u00fcller/app.yaml", rf"did you mean 'Mu\u0308ller/app.yaml'? {LOOKS}"),
        ("m\u00fcller/app.yaml", rf"did you mean 'Mu\u0308ller/app.yaml'? {CASE}"),
        ("Envs/staging/values.yaml", f"'Envs/staging' {NOT_FOLLOWED}"),
        ("envs/staging/values.yaml", f"'Envs/staging' {NOT_FOLLOWED}"),
        (
            "charts/shop/values.yaml",
            "'charts' is a submodule, which is not entered: change the file in its own repository",
        ),
        ("README.md/values.yaml", "'README.md' is a file, not a folder"),
        ("Envs/dev", "'Envs/dev' is a folder: name a file in it, or write 'Envs/dev/**' for all of them"),
        (
            escape("Envs/*/values.yaml"),
            "the * in it stands for itself: only the text of the mapping file has wildcards",
        ),
        (
            escape("Envs/[dp]{ev,rod}/values.yaml"),
            "the [, ], { and } in it stand for themselves: only the text of the mapping file has wildcards",
        ),
        ("Envs/deb/values.yaml", "did you mean 'Envs/dev/values.yaml'?"),
        ("Envs/dev/value.yaml", "did you mean 'Envs/dev/values.yaml'?"),
        ("Envs/dev/values.yml", "did you mean 'Envs/dev/values.yaml'?"),
        ("deploy/shop/chart.yaml", "did you mean 'apps/shop/chart.yaml'?"),
        ("apps/ship/other.txt", "did you mean 'apps/shop'?"),
        ("Envs/dev/unlike.txt", "'Envs/dev' has no 'unlike.txt'"),
        ("nothing/like/it.txt", ""),
        ("x/only.yaml", ""),
        ("README.md", ""),
        ("envs/*/values.yaml", f"did you mean 'Envs'? {CASE}"),
        ("env*/dev/values.yaml", f"did you mean 'Envs/dev/values.yaml'? {CASE}"),
        ("**/Values.yaml", f"did you mean 'Envs/dev/values.yaml'? {CASE}"),
        ("**/{M\u00fcller,x}/*.yaml", rf"did you mean 'Mu\u0308ller/app.yaml'? {LOOKS}"),
        ("Envs/stag*/values.yaml", f"'Envs/staging' {NOT_FOLLOWED}"),
        ("Envs/stag*", "'Envs/staging' is a symbolic link, which is never written"),
        ("Envs/staging/*.yaml", f"'Envs/staging' {NOT_FOLLOWED}"),
        ("Envs/d*", "'Envs/dev' is a folder: a glob means files, such as 'Envs/d*/**'"),
        (r"**/\*/*.yaml", "the * in it that a backslash precedes, as in a value, stands for itself"),
        ("only.y*", ""),
        ("*.toml", ""),
    ],
)
def test_what_is_near_is_told(glob: str, hint: str) -> None:
    """Case, composition, links, folders and files in each other's place, wildcards of values, the nearest path."""
    assert Paths(TREE).hint(Glob(glob)) == (f"; {hint}" if hint else "")


def test_a_folder_that_was_not_listed_is_said_to_lack_nothing() -> None:
    """Of a repository with too many paths only the root is known."""
    root = {path: mode for path, mode in TREE.items() if "/" not in path}
    assert Paths(root).hint(Glob("Envs/dev/x.yaml")) == ""
    assert Paths(root).hint(Glob("envs/dev/x.yaml")) == "; did you mean 'Envs'? " + CASE
    assert Paths({}).hint(Glob("a/b")) == Paths({}).hint(Glob("a/*")) == ""


@pytest.mark.parametrize(
    ("path", "hint"),
    [
        (".github/pointsman.yml", "; there is '.github/pointsman.yml': rename it to .github/pointsman.yaml"),
        ("pointsman.yaml", "; there is 'pointsman.yaml': rename it to .github/pointsman.yaml"),
        ("Pointsman.YAML", "; there is 'Pointsman.YAML': rename it to .github/pointsman.yaml"),
        (".github/Pointsman.yaml", "; there is '.github/Pointsman.yaml': rename it to .github/pointsman.yaml"),
        (".GitHub/pointsman.yaml", "; there is '.GitHub/pointsman.yaml': rename it to .github/pointsman.yaml"),
        (".github/pointsman.yaml", ""),
        ("pointsman.md", ""),
    ],
)
def test_a_mapping_file_of_another_name_is_pointed_at(path: str, hint: str) -> None:
    """Whoever reads that there is none sees what to rename."""
    assert mapping_file_hint(["README.md", path]) == hint
