"""The files that rules may not write: some of them never, the others only if `allow_files` lists them.

A path counts in every spelling that some file system takes for the same file. A person who names a file on the command
line (`pointsman set`) is not bound by this.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import regex

from bot.core import git_paths
from bot.core.braces import expand
from bot.core.glob import Glob, Globs
from bot.core.machine_files import MACHINE_FILES

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

MAPPING_PATH = ".github/pointsman.yaml"

_GITHUB = ".github"
_CODEOWNERS = "codeowners"
# https://docs.github.com/en/repositories/managing-your-repositorys-settings-and-features/customizing-your-repository/about-code-owners
# https://docs.gitlab.com/user/project/codeowners/, https://docs.gitea.com/usage/code-owners,
# https://forgejo.org/docs/latest/user/code-owners/, https://support.atlassian.com/bitbucket-cloud/docs/set-up-and-use-code-owners/
_CODEOWNERS_FOLDERS = frozenset({"docs", _GITHUB, ".gitlab", ".gitea", ".forgejo", ".bitbucket"})

_NAMES = {name: machine for pattern, machine in MACHINE_FILES.items() for name in expand(pattern)}
_FOLDERS = {name.rstrip("/"): machine for name, machine in _NAMES.items() if name.endswith("/")}
# A pattern without its stars is the usual name of the file. Windows may have a short name (`GITLAB~1.YML`) for it.
_FILES = {name.replace("*", ""): machine for name, machine in _NAMES.items() if not name.endswith("/")}
_WITH_STARS = [(regex.compile(Glob(name).source), machine) for name, machine in _NAMES.items() if "*" in name]

_FOR_PEOPLE = "people change it, in a pull request"


@dataclass(frozen=True, slots=True)
class Protection:
    """The exceptions and the location that decide which files the rules of one mapping file may write."""

    allow_files: tuple[Glob, ...] = ()
    """Globs of machine files that rules may write all the same: people reviewed the list."""

    mapping_path: str = MAPPING_PATH
    """The path of the mapping file in the repository."""


def refusals(paths: Iterable[str], protection: Protection) -> dict[str, str]:
    """Return the paths that no rule may write, each with the reason as a sentence.

    Raises InputError if the globs of `allow_files` take too long to match: there is one time limit for all paths.
    """
    refused: dict[str, str] = {}
    closed: list[str] = []
    for path in paths:
        parts = git_paths.fold(path)
        why = _never(parts, protection.mapping_path)
        if why is None and (machine := _machine_of(parts)):
            closed.append(path)
            why = f"is a file on which {machine} acts by itself: list it under 'allow_files:' if mappings may change it"
        if why:
            is_plain = "/".join(parts) == path.lower() and "~" not in path
            refused[path] = f"{path if is_plain else f'{path!r}, as some file systems read it,'} {why}"
    for path in Globs(protection.allow_files).filter(closed):
        refused.pop(path, None)
    return refused


def refusal(path: str, protection: Protection) -> str | None:
    """Return why no rule may write this path, as a sentence; None if rules may. Raises InputError as `refusals`."""
    return refusals([path], protection).get(path)


def never_opened(path: str) -> str | None:
    """Return why `allow_files` does not open a path, as a sentence; None if it can."""
    why = _never(git_paths.fold(path), MAPPING_PATH)
    return f"'allow_files' never opens {path}, which {why}" if why else None


def below_dot_github(path: str) -> bool:
    """Say whether a path is `.github` at the root or leads into it, in a checkout on any file system."""
    # Nearly all paths of a repository need no closer look.
    if path.isascii() and "~" not in path and _GITHUB not in path.lower():
        return False
    parts = git_paths.fold(path)
    return bool(parts) and _stands_for(parts[0], _GITHUB)


def _never(parts: tuple[str, ...], mapping_path: str) -> str | None:
    """Return the end of a sentence that says what the file is if nothing opens it to rules, else None."""
    if not parts:
        return None
    if any(_is(parts, git_paths.fold(own)) for own in (MAPPING_PATH, mapping_path)):
        return f"is the mapping file; {_FOR_PEOPLE}"
    above = parts[:-1]
    if _stands_for(parts[-1], _CODEOWNERS) and (
        not above or (len(above) == 1 and any(_stands_for(above[0], name) for name in _CODEOWNERS_FOLDERS))
    ):
        return f"says who reviews what; {_FOR_PEOPLE}"
    if not _stands_for(parts[0], _GITHUB):
        return None
    if len(above) > 1 and _stands_for(above[1], "workflows"):
        return f"is a workflow; {_FOR_PEOPLE}"
    return f"is below .github/, where code that runs may be; {_FOR_PEOPLE}"


def _machine_of(parts: tuple[str, ...]) -> str | None:
    """Return the machine that acts on a file by itself, None if none does."""
    found = (_look_up(part, _FOLDERS) for part in parts[:-1])
    machine = next((machine for machine in found if machine), None)
    if machine or not parts:
        return machine
    return _look_up(parts[-1], _FILES) or next(
        (machine for pattern, machine in _WITH_STARS if pattern.fullmatch(parts[-1])), None
    )


def _look_up(part: str, machines: Mapping[str, str]) -> str | None:
    if "~" not in part:
        return machines.get(part)
    return next((machine for name, machine in machines.items() if _stands_for(part, name)), None)


def _is(parts: tuple[str, ...], path: tuple[str, ...]) -> bool:
    return len(parts) == len(path) and all(map(_stands_for, parts, path))


def _stands_for(part: str, name: str) -> bool:
    return part == name or git_paths.is_short_name(part, name)
