"""Why no file matches a path or glob: what the repository has instead, as the rest of a sentence."""

from __future__ import annotations

import unicodedata
from functools import cached_property
from typing import TYPE_CHECKING

import regex

from bot.core.glob import SECONDS
from bot.core.protected import MAPPING_PATH, below_dot_github
from bot.core.shown import visible
from bot.core.snapshot import SUBMODULE, SYMLINK
from bot.core.suggest import nearest

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from bot.core.glob import Glob

# The mode of a folder in a Git tree: https://git-scm.com/book/en/v2/Git-Internals-Git-Objects#_tree_objects
FOLDER = 0o040000
_WILDCARDS = regex.compile(r"[*?\[\]{}]")
_ESCAPED = regex.compile(r"(?<!\\)(?:\\\\)*\\([*?\[\]{}])")
# At most so many links are compared with a glob.
_MOST_LINKS = 200
# A longer path is cut.
_SHOWN = 200
# A mapping file by another name; all compared in lower case.
_MAPPING_NAMES = frozenset({"pointsman.yaml", "pointsman.yml", ".pointsman.yaml", ".pointsman.yml"})


class Paths:
    """The paths of a commit, or those in its root alone, by which to say why no file matches."""

    def __init__(self, modes: Mapping[str, int]) -> None:
        # The Git mode of each path.
        self._modes = modes

    @cached_property
    def _folded(self) -> dict[str, str]:
        """The paths by their form without case and composition; the last one if several have the same form."""
        return {_fold(path): path for path in self._modes}

    @cached_property
    def _links(self) -> list[str]:
        return [path for path, mode in self._modes.items() if mode in {SYMLINK, SUBMODULE}][:_MOST_LINKS]

    def hint(self, glob: Glob) -> str:
        """Return why `glob` matches no file, to be put behind the sentence that says so; "" if nothing is near."""
        if glob.literal is not None:
            return self._literal_hint(glob.literal)
        below = self._modes.get(glob.prefix, FOLDER if not glob.prefix else None)
        if below is None:
            return self._literal_hint(glob.prefix)
        if below != FOLDER:
            return f"; {_name(glob.prefix)} {_no_folder(below)}"
        return self._glob_link(glob) or self._glob_spelling(glob) or _escaped(glob.pattern)

    def _literal_hint(self, path: str) -> str:
        mode = self._modes.get(path)
        if mode is not None:
            # A file was deleted by an edit before.
            folder = f"; {_name(path)} is a folder: name a file in it, or write {_name(f'{path}/**')} for all of them"
            return folder if mode == FOLDER else ""
        above = self._deepest(path)
        if above and self._modes[above] != FOLDER:
            return f"; {_name(above)} {_no_folder(self._modes[above])}"
        other = self._folded.get(_fold(path))
        if other is not None:
            return _other_spelling(other, same_letters=_compose(other) == _compose(path))
        return self._other_link(path) or _literal_wildcards(path) or self._nearest(path, above)

    def _deepest(self, path: str) -> str:
        """Return the longest part of a path, from its start, that is there; "" if there is none."""
        while path := path.rpartition("/")[0]:
            if path in self._modes:
                return path
        return ""

    def _other_link(self, path: str) -> str:
        """Say which link, in another spelling, is on the way to `path`."""
        folded = _fold(path)
        link = next((one for one in self._links if folded.startswith(f"{_fold(one)}/")), None)
        return f"; {_name(link)} {_no_folder(self._modes[link])}" if link is not None else ""

    def _nearest(self, path: str, above: str) -> str:
        """Suggest the path that is nearest: with one other part, or a file of the same name elsewhere."""
        start = len(above) + 1 if above else 0
        prefix = path[:start]
        missing, slash, rest = path[start:].partition("/")
        siblings = {one[start:] for one in self._modes if one.startswith(prefix) and "/" not in one[start:]}
        same = next((one for one in siblings if _fold(one) == _fold(missing)), None)
        if same is not None:
            return _other_spelling(prefix + same, same_letters=_compose(same) == _compose(missing))
        near = nearest(missing, siblings)
        if near is not None and (whole := f"{prefix}{near}{slash}{rest}") in self._modes:
            return f"; did you mean {_name(whole)}?"
        name = path.rpartition("/")[2]
        files = (one for one, mode in self._modes.items() if mode != FOLDER and not below_dot_github(one))
        namesakes = [one for one in files if one.rpartition("/")[2] == name]
        if len(namesakes) == 1:
            return f"; did you mean {_name(namesakes[0])}?"
        if near is not None:
            return f"; did you mean {_name(prefix + near)}?"
        # Git has no empty folders: one without paths was not listed.
        return f"; {_name(above)} has no {_name(missing)}" if above and siblings else ""

    def _glob_link(self, glob: Glob) -> str:
        """Say which link is where the glob looks for a folder, or is what it matches."""
        for link in self._links:
            if glob.matches(link):
                kind = "a symbolic link" if self._modes[link] == SYMLINK else "a submodule"
                return f"; {_name(link)} is {kind}, which is never written"
            # With ** every link could be on the way.
            if "**" not in glob.pattern and glob.may_contain(link):
                return f"; {_name(link)} {_no_folder(self._modes[link])}"
        return ""

    def _glob_spelling(self, glob: Glob) -> str:
        """Suggest a path that the glob matches without case and composition, or a folder that it matches."""
        paths = [path for path in self._modes if not below_dot_github(path) and "\n" not in path]
        lines = "\n".join(map(_compose, paths))
        expression = regex.compile(f"^{_compose(glob.source)}$", regex.MULTILINE | regex.IGNORECASE)
        try:
            found = next(expression.finditer(lines, timeout=SECONDS), None)
        except TimeoutError:
            return ""
        if found is None:
            return ""
        path = paths[lines.count("\n", 0, found.start())]
        if not glob.matches(path):
            return _other_spelling(path, same_letters=glob.matches(_compose(path)) or not path.isascii())
        if self._modes[path] == FOLDER:
            return f"; {_name(path)} is a folder: a glob means files, such as {_name(f'{glob.pattern}/**')}"
        return ""


def mapping_file_hint(paths: Iterable[str]) -> str:
    """Return that a file looks like a mapping file of another name; "" if none of `paths` does."""
    alike = (path for path in sorted(paths) if path.rpartition("/")[2].lower() in _MAPPING_NAMES)
    found = next((path for path in alike if path != MAPPING_PATH), None)
    return f"; there is {_name(found)}: rename it to {MAPPING_PATH}" if found is not None else ""


def _other_spelling(path: str, *, same_letters: bool) -> str:
    why = "It looks the same, but its accents are other characters: copy the name from the repository"
    return f"; did you mean {_name(path)}? {why if same_letters else 'Upper and lower case differ'}"


def _literal_wildcards(path: str) -> str:
    found = list(dict.fromkeys(_WILDCARDS.findall(path)))
    if not found:
        return ""
    several = f"{', '.join(found[:-1])} and {found[-1]} in it stand for themselves"
    literal = several if len(found) > 1 else f"{found[0]} in it stands for itself"
    return f"; the {literal}: only the text of the mapping file has wildcards"


def _escaped(pattern: str) -> str:
    found = _ESCAPED.search(pattern)
    return f"; the {found[1]} in it that a backslash precedes, as in a value, stands for itself" if found else ""


def _compose(path: str) -> str:
    return unicodedata.normalize("NFC", path)


def _fold(path: str) -> str:
    return _compose(_compose(path).casefold())


def _no_folder(mode: int) -> str:
    if mode == SYMLINK:
        return "is a symbolic link, which is not followed: name the path that it leads to"
    if mode == SUBMODULE:
        return "is a submodule, which is not entered: change the file in its own repository"
    return "is a file, not a folder"


def _name(path: str) -> str:
    shown = visible(path)
    return f"'{shown if len(shown) <= _SHOWN else f'{shown[:_SHOWN]}…'}'"
