"""The GitHub workflow that `apply --env` runs in: what comes out of its environment, and what it is told."""

from __future__ import annotations

import secrets
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from bot.errors import InputError
from bot.printable import printable, printable_line

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from bot.core.action import Inputs, Registration
    from bot.core.model import Json
    from bot.errors import Problem


class Workflow:
    """A workflow, as its environment (name → value) describes it; the empty one of a plain terminal is told nothing.

    `directory` is the folder that the paths of changed files are relative to.
    """

    def __init__(self, environment: Mapping[str, str], directory: Path) -> None:
        self._environment, self._directory = environment, directory

    def inputs(self, registration: Registration) -> Inputs:
        """Return variables and regexes; what was listed in vain is said on standard error."""
        from bot.core.action import inputs

        found = inputs(self._environment, registration)
        for warning in found.warnings:
            typer.echo(printable_line(f"warning: {warning}"), err=True)
        return found

    def annotate(self, problems: Iterable[Problem]) -> None:
        """Show problems at their places, by commands on standard error: standard output may be JSON."""
        from bot.core.action import annotation

        if self._environment.get("GITHUB_ACTIONS") == "true":
            for problem in problems:
                placed = self._placed(problem)
                typer.echo(annotation(replace(placed, sentence=printable(placed.sentence))), err=True)

    def write_outputs(self, properties: Mapping[str, Json], paths: Iterable[str]) -> None:
        """Give the step its outputs: the changed files, and every property that is a text, number or boolean.

        Raises InputError where the file for them cannot be written.
        """
        from bot.core.action import outputs
        from bot.core.template import text_of

        file = self._environment.get("GITHUB_OUTPUT")
        if not file:
            return
        variables = {
            name: text_of(value)
            for name, value in properties.items()
            if value is not None and not isinstance(value, list | dict)
        }
        changed = [(self._directory / path).as_posix() for path in paths]
        try:
            with Path(file).open("a", encoding="utf-8", newline="\n") as stream:
                stream.write(outputs(variables, changed, f"pointsman_{secrets.token_hex(16)}"))
        except OSError as error:
            raise InputError(
                f"cannot write the outputs to {file}, which GITHUB_OUTPUT names: {error.strerror}"
            ) from error

    def _placed(self, problem: Problem) -> Problem:
        """Return the problem with its file as the workflow sees it; what is no file is said in the sentence."""
        if problem.file is None:
            return problem
        below = self._directory / problem.file
        for file in (below, Path(problem.file)):
            if file.is_file():
                return replace(problem, file=file.as_posix())
        return replace(problem, sentence=str(problem), file=None, line=None, column=None)
