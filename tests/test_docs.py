"""The documentation has everything that there is, and nothing that there is not."""

from __future__ import annotations

import re
import shlex
import textwrap
from pathlib import Path
from typing import Any, get_args

import pytest
import typer.core
import typer.main

from bot import app, cli, settings
from bot.core import mapping_file
from bot.core.mapping_models import FileModel
from bot.core.outcome import State
from bot.sandbox import App

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
PAGES = [README, *sorted((ROOT / "docs").rglob("*.md"))]
WRITTEN = [*PAGES, ROOT / "mappings.example.yaml"]
TEXT = "\n".join(page.read_text() for page in PAGES)

GROUP = typer.main.get_command(cli.app)
assert isinstance(GROUP, typer.core.TyperGroup)
COMMANDS = GROUP.commands


def options_of(command: Any) -> set[str]:
    """Return the options of a command, with those of all its own commands if it is a group."""
    below = getattr(command, "commands", {}).values()
    return {option for one in command.params for option in one.opts}.union(*map(options_of, below))


OPTIONS = {verb: options_of(command) for verb, command in COMMANDS.items()}

# `pointsman …` as code: a line of its own (maybe behind a mark or settings), or in backticks.
_LINE = re.compile(r"^(?:#? {4,}|# Try it: |\$ )(?:[A-Z_]+=\S+ )*pointsman (?P<rest>[^#|>\n]*)", re.MULTILINE)
_INLINE = re.compile(r"`(?:[A-Z_]+=\S+ )*pointsman (?P<rest>[^`]+)`")


def relative(page: Path) -> str:
    """Return the path of a page as it is known."""
    return page.relative_to(ROOT).as_posix()


def routes() -> list[tuple[str, str]]:
    """Return method and path of every route of the server; a HEAD comes with its GET."""
    loaded = settings.load({"APP_ID": "1", "PRIVATE_KEY": App().private_key, "WEBHOOK_SECRET": "a secret of the tests"})
    public = app.make(loaded)
    applications = (public, app.make_admin(public))
    registered = [route for application in applications for route in application.router.routes()]
    found = {(route.method, route.resource.canonical) for route in registered if route.resource}
    return sorted((method, path) for method, path in found if method != "HEAD")


def said_commands() -> list[tuple[str, str]]:
    """Return every command that is written down: (page, what follows `pointsman`)."""
    return [
        (relative(page), match["rest"].strip())
        for page in WRITTEN
        for pattern in (_LINE, _INLINE)
        for match in pattern.finditer(page.read_text())
    ]


def links() -> list[tuple[str, str]]:
    """Return every link to a place in the repository: (page, target)."""
    found = [(relative(page), target) for page in PAGES for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text())]
    return [(page, target) for page, target in found if not re.match(r"[a-z]+:", target)]


def mapping_examples() -> list[str]:
    """Return every whole mapping file that a page shows."""
    blocks = re.findall(r"^ *```ya?ml\n(.*?)^ *```", TEXT, re.MULTILINE | re.DOTALL)
    return [text for block in blocks if (text := textwrap.dedent(block)).startswith("version: 1")]


@pytest.mark.parametrize("setting", settings.SETTINGS, ids=lambda setting: setting.name)
def test_every_setting_is_documented_with_its_default(setting: settings.Setting) -> None:
    """The reference has a row for each environment variable, and says what it is when it is not set."""
    (row,) = re.findall(rf"^\| *`{setting.name}` *\|.*$", (ROOT / "docs" / "reference.md").read_text(), re.MULTILINE)
    assert f"| `{setting.default}` |" in row if setting.default else re.search(r"\| *\W? *\|", row)


def test_no_setting_is_documented_that_is_not_there() -> None:
    """Every row of the table of settings is a variable that is read."""
    table = (ROOT / "docs" / "reference.md").read_text().partition("\n## Settings\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| *`([A-Z_]+)` *\|", table, re.MULTILINE)
    assert sorted(rows) == sorted(setting.name for setting in settings.SETTINGS)


@pytest.mark.parametrize("verb", COMMANDS)
def test_every_verb_is_documented(verb: str) -> None:
    """Each command of the program is written as it is typed."""
    assert re.search(rf"\bpointsman {verb}\b", TEXT)


@pytest.mark.parametrize(("page", "command"), said_commands())
def test_a_command_that_is_written_down_can_be_typed(page: str, command: str) -> None:
    """Its verb and its options are there (words in capitals stand for something)."""
    words = shlex.split(re.sub(r"\[.*?\]", "", command.replace("…", "")))
    verb, *rest = words or ["--help"]
    assert verb in {*COMMANDS, "COMMAND", "--help"}, page
    options = {word.partition("=")[0] for word in rest if word.startswith("-")} - {"--help", "-h"}
    assert options <= OPTIONS.get(verb, set()), page


@pytest.mark.parametrize(("method", "path"), routes())
def test_every_route_is_documented(method: str, path: str) -> None:
    """Whoever runs the server knows what it answers to."""
    assert f"`{method} {path}`" in TEXT


@pytest.mark.parametrize("state", get_args(State))
def test_every_outcome_is_documented(state: str) -> None:
    """The reference has a row for each way in which a delivery can end."""
    assert re.search(rf"^\| *`{state}` *\|", (ROOT / "docs" / "reference.md").read_text(), re.MULTILINE)


@pytest.mark.parametrize("key", FileModel.model_fields)
def test_every_top_level_key_of_the_mapping_file_is_documented_and_shown(key: str) -> None:
    """It is named in a page, and the annotated example has it."""
    assert f"`{key}`" in TEXT
    assert re.search(rf"^{key}:", (ROOT / "mappings.example.yaml").read_text(), re.MULTILINE)


@pytest.mark.parametrize("example", mapping_examples())
def test_a_mapping_file_that_is_shown_is_good(example: str) -> None:
    """Whoever copies it from a page has no error."""
    assert mapping_file.parse(example, "example").mappings


def test_the_readme_shows_a_mapping_file() -> None:
    """A newcomer sees the rules before anything else has to be read."""
    assert "version: 1\nmappings:\n" in README.read_text()
    assert mapping_examples() != []


@pytest.mark.parametrize(("page", "target"), links())
def test_a_link_leads_somewhere(page: str, target: str) -> None:
    """The file is in the repository, and the heading in the file."""
    name, _, fragment = target.partition("#")
    place = (ROOT / page).parent / name if name else ROOT / page
    assert place.exists()
    if fragment:
        headings = re.findall(r"^#+ (.+)$", place.read_text(), re.MULTILINE)
        assert fragment in {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_the_readme_is_short() -> None:
    """What does not fit into 150 lines is for the other pages, to which it links."""
    assert len(README.read_text().splitlines()) < 150
    assert "docs/reference.md" in README.read_text()


@pytest.mark.parametrize("goal", ["demo", "test"])
def test_the_commands_of_the_readme_are_in_the_makefile(goal: str) -> None:
    """`make demo` and `make test` are what a fresh machine needs."""
    assert re.search(rf"\bmake {goal}\b", README.read_text())
    assert re.search(rf"^{goal}:", (ROOT / "Makefile").read_text(), re.MULTILINE)


def test_every_goal_of_make_that_is_written_down_exists() -> None:
    """`make …` in a page is a goal of the Makefile."""
    said = set(re.findall(r"(?:`|^ {4,})make ([a-z]+)", TEXT, re.MULTILINE))
    assert said - set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)) == set()
