"""What the search-and-replace action takes out of the environment, and what it leaves behind in a workflow.

The names and their order are those of https://github.com/dreitier/conditional-regex-search-and-replace-action; what of
it does otherwise than its own documentation says is done here as documented.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from bot.errors import Problem

WELL_KNOWN = ("docker_image_tag", "git_tag", "git_branch")

_VARIABLE, _REGEX = "_VAR", "_REGEX"
# GitHub hands each input of a container action over under such a name as well: as a source it would count twice.
_INPUT = "INPUT_"
_OUTPUT_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")


@dataclass(frozen=True, slots=True)
class Registration:
    """Which names count beside the well-known ones.

    `variables` and `regexes` are listed by the user, in any case; `detect_variables` and `detect_regexes` say whether
    the suffixes `_VAR` and `_REGEX` register a name too.
    """

    variables: tuple[str, ...] = ()
    regexes: tuple[str, ...] = ()
    detect_variables: bool = True
    detect_regexes: bool = True


@dataclass(frozen=True, slots=True)
class Inputs:
    """Variables and regexes by their lower-case names, in order of registration, and what was listed in vain."""

    variables: Mapping[str, str]
    regexes: Mapping[str, str]
    warnings: tuple[str, ...] = ()


def inputs(environment: Mapping[str, str], registration: Registration) -> Inputs:
    """Return what an environment (name → value) gives.

    Variables are the well-known ones, then `*_VAR`, then those listed; regexes `*_REGEX`, then those listed: of one
    name the later counts. A value that is looked up by its name is trimmed, and an empty one counts as missing; one
    that is found by its suffix is taken as it is, but for an empty regex, which could not change anything.
    """
    variables, _ = _listed(environment, WELL_KNOWN)
    regexes: dict[str, str] = {}
    for name, value in environment.items():
        upper = name.upper()
        if upper.startswith(_INPUT):
            continue
        if registration.detect_variables and upper.endswith(_VARIABLE) and upper != _VARIABLE:
            variables[upper.removesuffix(_VARIABLE).lower()] = value
        if registration.detect_regexes and upper.endswith(_REGEX) and value:
            regexes[upper.lower()] = value
    more_variables, no_variables = _listed(environment, registration.variables)
    more_regexes, no_regexes = _listed(environment, registration.regexes)
    return Inputs(variables | more_variables, regexes | more_regexes, (*no_variables, *no_regexes))


def names_in(text: str) -> tuple[str, ...]:
    """Return the names of a comma-separated list, without blanks around them and without empty ones."""
    return tuple(name for part in text.split(",") if (name := part.strip()))


def _listed(environment: Mapping[str, str], names: Sequence[str]) -> tuple[dict[str, str], list[str]]:
    found, warnings = {}, []
    for name in names:
        value = environment.get(name.upper(), "").strip()
        if value:
            found[name.lower()] = value
        else:
            warnings.append(f"ignoring {name.lower()}: the environment variable {name.upper()} is empty or not there")
    return found, warnings


def outputs(variables: Mapping[str, str], changed_files: Iterable[str], delimiter: str) -> str:
    r"""Return the lines for the file that GITHUB_OUTPUT names.

    `total_modified_files`, `changed_files` (a JSON list) and `variables` (a JSON object), then each variable under its
    own name; one that cannot be the name of an output, or is one of these three, is only in the object. A value of
    several lines stands between two `delimiter` lines, so nobody who chooses values may know it. Source:
    https://docs.github.com/en/actions/using-workflows/workflow-commands-for-github-actions#multiline-strings
    """
    paths = list(dict.fromkeys(changed_files))
    own = {
        "total_modified_files": str(len(paths)),
        "changed_files": json.dumps(paths),
        "variables": json.dumps(dict(variables)),
    }
    named = {name: value for name, value in variables.items() if _OUTPUT_NAME.fullmatch(name)}
    return "".join(_output(name, value, delimiter) for name, value in {**named, **own}.items())


def _output(name: str, value: str, delimiter: str) -> str:
    if "\n" in value or "\r" in value:
        return f"{name}<<{delimiter}\n{value}\n{delimiter}\n"
    return f"{name}={value}\n"


def annotation(problem: Problem) -> str:
    """Return the workflow command that shows a problem at its place, as one line without its end.

    Source: https://docs.github.com/en/actions/using-workflows/workflow-commands-for-github-actions#setting-an-error-message;
    what is escaped, and how, is what the runner and the `@actions/core` package agree on.
    """
    place = (("file", problem.file), ("line", problem.line), ("col", problem.column))
    properties = ",".join(f"{name}={_property(str(value))}" for name, value in place if value is not None)
    return f"::error{' ' if properties else ''}{properties}::{_data(problem.sentence)}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
