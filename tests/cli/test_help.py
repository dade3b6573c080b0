"""What the program says of itself, and to whoever mistypes."""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING

import pytest
from program import pointsman, run

from bot import cli

if TYPE_CHECKING:
    from pathlib import Path


VERBS = tuple(command.callback.__name__ for command in cli.app.registered_commands if command.callback)
GROUPS = tuple(str(group.typer_instance.info.name) for group in cli.app.registered_groups if group.typer_instance)


@pytest.mark.parametrize("verb", VERBS)
def test_help_has_an_example_that_stands_on_one_line_of_80_columns(verb: str) -> None:
    """Every verb's help fits a terminal, and its example can be copied from one line."""
    ran = pointsman(verb, "--help")
    assert ran.code == 0
    assert max(map(len, ran.out.splitlines())) <= 80
    (example,) = re.findall(r"^ Example: (.*?) *$", ran.out, re.MULTILINE)
    words = [word for word in shlex.split(example.partition(" > ")[0]) if "=" not in word.partition("--")[0]]
    assert words[:2] == ["pointsman", verb]
    options = [word for word in words if word.startswith("-")]
    assert [option for option in options if not re.search(rf"{option}\b", ran.out.replace(example, ""))] == []


@pytest.mark.parametrize("verb", VERBS)
def test_help_leaves_no_word_cut_off(verb: str) -> None:
    """Nothing in the help is cut for want of room."""
    options = pointsman(verb, "-h").out.partition("─ Options")[2]
    assert options
    assert "…" not in options


def test_help_of_the_program_names_every_verb() -> None:
    """`pointsman --help` lists all verbs, each with a sentence."""
    listed = re.findall(r"^│ (\w+) +[A-Z]", pointsman("--help").out, re.MULTILINE)
    assert tuple(listed) == VERBS + GROUPS


def test_without_arguments_the_help_is_shown(tmp_path: Path) -> None:
    """Who types only the name learns what there is."""
    ran = run(tmp_path)
    assert ran.code == 2
    assert "[OPTIONS] COMMAND [ARGS]" in ran.out + ran.err
    assert [verb for verb in VERBS + GROUPS if verb not in ran.out + ran.err] == []


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["chekc"], "No such command 'chekc'. Did you mean 'check'?"),
        (["plan", "--fromat", "json"], "No such option: --fromat"),
        (["plan", "--format", "yaml"], "'yaml' is not one of 'text', 'json', 'diff'."),
        (["demo", "--port", "65536"], "Invalid value for '--port'"),
        (["check", "one.yaml", "two.yaml"], "(two.yaml)"),
    ],
)
def test_a_mistyped_command_line_exits_2_with_a_sentence(arguments: list[str], sentence: str) -> None:
    """An unknown verb, option or value is named, a verb with the nearest one that there is."""
    ran = pointsman(*arguments)
    assert (ran.code, ran.out) == (2, "")
    assert sentence in " ".join(ran.err.replace("│", " ").split())
