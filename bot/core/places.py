"""Where an update goes: its branch and its files are rendered, or refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.core import git_paths, glob, protected
from bot.core.glob import Glob
from bot.core.mapping import CreateOperation, refused_branch, refused_creation
from bot.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bot.core.mapping import Update
    from bot.core.model import Json
    from bot.core.template import Template


def render_branch(template: Template, scope: Mapping[str, Json], default_branch: str) -> str:
    """Render the branch of an update. The default branch is "", even if the template says its name."""
    name = template.render(scope)
    if refusal := refused_branch(name):
        raise InputError(template.position.problem(refusal))
    return "" if name == default_branch else name


def render_files(update: Update, scope: Mapping[str, Json]) -> tuple[Glob, ...]:
    """Render the globs of an update. Raises InputError if a path is refused."""
    files = tuple(_glob(template, scope) for template in update.files)
    for file, template in zip(files, update.files, strict=True):
        creates = isinstance(update.operation, CreateOperation)
        refusal = (refused_creation(file) if creates else None) or _refused_value(file, template, creates=creates)
        if refusal:
            raise InputError(template.position.problem(refusal))
    return files


def _glob(template: Template, scope: Mapping[str, Json]) -> Glob:
    text = template.render_glob(scope)
    refusal = glob.check_path(text)
    if refusal is not None:
        raise InputError(template.position.problem(refusal))
    return Glob(text)


def _refused_value(file: Glob, template: Template, *, creates: bool) -> str | None:
    """Return why a path is refused because of a value of the payload in it, as a sentence; None if it is not.

    The text of the mapping file itself may have such names, as people reviewed it. Protected files are left to the
    verdict, which denies them.
    """
    if template.is_fixed or (file.literal is not None and protected.refusal(file.literal, protected.Protection())):
        return None
    path = file.pattern
    fixed = "".join(part for part in template.parts if isinstance(part, str))
    found = git_paths.INVISIBLE.findall(path)
    if len(found) > len(git_paths.INVISIBLE.findall(fixed)):
        # Two paths that look the same would be two files.
        shown = ", ".join(sorted({f"U+{ord(character):04X}" for character in found}))
        return f"the path {path[:200]!r} has an invisible character from a value ({shown}); send the value without it"
    if creates and file.literal is not None and (why := git_paths.other_on_windows(file.literal)):
        return f"the path {path[:200]!r} {why}; send a value that makes an ordinary name"
    return None
