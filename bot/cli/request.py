"""What `plan` and `apply` are asked, and what the flow is given for it: request, mappings, folder."""

from __future__ import annotations

import json
import re
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from bot.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from bot.core.model import Json
    from bot.directory import Directory
    from bot.directory.git import GitRepository
    from bot.flows.decisions import Request
    from bot.flows.rules import MappingSource


@dataclass(frozen=True, slots=True)
class Asked:
    """What `plan` and `apply` have in common, as it was typed; `mappings` is None where none are named."""

    directory: Path
    mappings: str | None
    payload: str
    variables: tuple[str, ...]
    regexes: tuple[str, ...]
    event_type: str
    branch: str

    def properties(self, given: Mapping[str, str]) -> dict[str, Json]:
        """Return the client payload: what is `given`, then `--payload`, then each `--var`. Raises InputError."""
        from bot.core.model import Number

        try:
            payload = json.loads(self.payload, parse_float=Number)
        except (ValueError, RecursionError):
            payload = None
        if not isinstance(payload, dict):
            raise InputError('--payload: this is no JSON object; write it as \'{"docker_image_tag": "1.4.2-dev"}\'')
        named = _pairs("--var", self.variables, "VALUE")
        for name, text in {**given, **named}.items():
            if not text.isprintable() and any("\ud800" <= character <= "\udfff" for character in text):
                raise InputError(f"the variable '{name}' is not UTF-8")
        return {**given, **payload, **named}

    def forge(self, suffix: str = "", git: GitRepository | None = None) -> Directory:
        """Return the folder as a Forge. Raises InputError where there is none."""
        from bot.directory import Directory

        with _readable():
            return Directory(self.directory, self.branch, suffix, git)

    def request(self, forge: Directory, properties: Mapping[str, Json]) -> Request:
        """Return the request of whoever sits at the terminal: it has no delivery, so its id is empty."""
        from bot.core.trigger import Dispatch
        from bot.directory import operator
        from bot.flows.decisions import Request

        return Request("", operator(), Dispatch(forge.repository, self.event_type, properties))

    def has_mappings(self) -> bool:
        """Whether mappings are named, or the folder has a mapping file. Raises InputError where that cannot be seen."""
        with _readable():
            return bool(self.mappings) or self._own.is_file()

    def dsl_regexes(self, given: Mapping[str, str]) -> dict[str, str] | None:
        """Return the regexes for mappings in the action's DSL, by name: what is `given`, then each `--regex`.

        None where the mappings are those of a mapping file, which has regexes of its own: InputError if `--regex` gives
        some all the same.
        """
        file = self.file()
        if file is None:
            return {**given, **_pairs("--regex", self.regexes, "PATTERN")}
        if self.regexes:
            raise InputError(f"--regex: the mappings are those of the file {file}; write it there, under 'regexes:'")
        return None

    def file(self) -> Path | None:
        """Return the mapping file, None where the mappings are in the action's DSL."""
        if not self.mappings:
            return self._own
        path = Path(self.mappings)
        try:
            is_path = path.exists()
        except PermissionError:
            is_path = True
        except (OSError, ValueError):  # too long for a path, or a character that none has
            is_path = False
        # A misspelt path is no DSL: that it is a variable's name with such an end is the less likely reading.
        looks_so = path.suffix in {".yaml", ".yml"} and not re.search(r"\s|==|\{", self.mappings)
        return path if is_path or looks_so else None

    def source(self, given: Mapping[str, str]) -> MappingSource:
        """Return where the mappings come from; `given` are regexes for mappings in the action's DSL, by name.

        Raises InputError where there are none, and for every problem of a DSL.
        """
        from bot.cli.files import read_text
        from bot.core import dsl
        from bot.flows.rules import MappingSource

        regexes = self.dsl_regexes(given)
        if regexes is not None:
            return MappingSource(own=False, rules=dsl.mapping_file(self.mappings or "", regexes, "--mappings"))
        with _readable():
            if self.mappings:
                text = read_text(Path(self.mappings)).encode()
                return MappingSource(own=False, name=self.mappings, text=text, path=self._inside(Path(self.mappings)))
            if not self._own.is_file():
                raise InputError(f"there is no mapping file {self._own}; name one with --mappings")
            return MappingSource()

    def with_message(self, source: MappingSource, template: str) -> MappingSource:
        """Return the same mappings with a commit message of their own: our template, or one in Blade.

        Raises InputError where it is neither, or the mapping file is wrong.
        """
        from bot.cli.files import read_text
        from bot.core import blade, mapping_file
        from bot.core.template import Position, Template

        message = Template.parse(blade.translate(template), Position("--commit-template"))
        rules = source.rules
        if rules is None:
            path = Path(self.mappings) if self.mappings else self._own
            rules = mapping_file.parse(read_text(path), str(path))
        rules = replace(rules, commit=replace(rules.commit, message=message))
        return replace(source, own=False, text=None, rules=rules)

    def _inside(self, file: Path) -> str | None:
        """Return the path of a file below the folder, None if it is elsewhere."""
        file, folder = file.resolve(), self.directory.resolve()
        return file.relative_to(folder).as_posix() if file.is_relative_to(folder) else None

    @property
    def _own(self) -> Path:
        from bot.core.protected import MAPPING_PATH

        return self.directory / MAPPING_PATH


@contextmanager
def _readable() -> Iterator[None]:
    try:
        yield
    except PermissionError as error:
        raise InputError(f"cannot read {error.filename}: {error.strerror}") from error


def _pairs(option: str, texts: tuple[str, ...], value: str) -> dict[str, str]:
    pairs: dict[str, str] = {}
    for text in texts:
        name, equals, given = text.partition("=")
        if not equals or not name:
            raise InputError(f"{option} {text}: write NAME={value}")
        pairs[name] = given
    return pairs
