"""Repositories of any size for the sandbox, made in a moment: their trees are written as Git has them."""

from __future__ import annotations

import asyncio
import os
import random
import shutil
import subprocess
from typing import TYPE_CHECKING, NamedTuple

from bench.files import MAPPING_PATH, TARGET, target
from bot.sandbox.objects import DIRECTORY, FILE, HEADS, OCTOCAT

if TYPE_CHECKING:
    from bot.sandbox import Repository

A_FOLDER = 100
MEGABYTE = 1_000_000


class Recipe(NamedTuple):
    """What a repository holds: the text of its mapping file, how many files in all, how many of them of 1 MB.

    Two of the files are the mapping file and the one that dispatches change; the others lie 100 to a folder.
    Those of 1 MB do not shrink.
    """

    mappings: str
    files: int
    megabytes: int = 0


async def fill(repository: Repository, recipe: Recipe) -> None:
    """Give an empty repository its first commit."""
    repository.git.object_store.loose_compression_level = 0
    entries = {MAPPING_PATH: recipe.mappings.encode(), TARGET: target(repository.full_name)}
    dice = random.Random(0)  # noqa: S311 - bytes that do not shrink, no secret
    entries |= {f"charts/chart-{number:03}.tgz": dice.randbytes(MEGABYTE) for number in range(recipe.megabytes)}
    tree = repository.write_tree(
        None, {path: (FILE, repository.write_blob(content)) for path, content in entries.items()}
    )
    apps = _apps(repository, recipe.files - len(entries))
    if apps is not None:
        tree = repository.write_tree(tree, {"apps": (DIRECTORY, apps)})
    commit = repository.write_commit(tree, [], "Initial commit", (OCTOCAT, OCTOCAT))
    repository.move(HEADS + repository.default_branch, None, commit, "octocat")
    if recipe.megabytes:
        await _pack(repository)


def _apps(repository: Repository, count: int) -> str | None:
    """Write a tree of folders with `count` files in all; give its oid. No two folders are alike, but many files are."""
    blobs = [repository.write_blob(target(f"app {number}")) for number in range(min(count, A_FOLDER))]
    folders: dict[str, tuple[int, str] | None] = {}
    for first in range(0, count, A_FOLDER):
        names = range(first, min(first + A_FOLDER, count))
        files: dict[str, tuple[int, str] | None] = {
            f"app-{number:06}.yaml": (FILE, blobs[number % A_FOLDER]) for number in names
        }
        folders[f"team-{first // A_FOLDER:04}"] = (DIRECTORY, repository.write_tree(None, files))
    return repository.write_tree(None, folders) if folders else None


async def _pack(repository: Repository) -> None:
    """Pack it as a server has it, so that a clone copies what is compressed already. Nothing is done without git."""
    git = shutil.which("git")
    if git is not None:
        process = await asyncio.create_subprocess_exec(
            *(git, "-c", "core.compression=0", "repack", "-a", "-d", "-q"),
            cwd=repository.path,
            env={"PATH": os.defpath, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"},
            stderr=subprocess.DEVNULL,
        )
        await process.wait()
