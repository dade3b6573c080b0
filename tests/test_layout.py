"""What the tree promises to whoever reads it."""

from __future__ import annotations

import ast
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[1]
MODULES = tuple(sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "bot").rglob("*.py")))
BENCH = tuple(sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "bench").rglob("*.py")))

# Who makes an Actor, and on what proof.
ACTORS = {
    "bot/identity/webhook.py": "a signature that holds",
    "bot/flows/sweep.py": "GitHub's own list of deliveries, read with the App's private key",
    "bot/directory/__init__.py": "whoever sits at the terminal may write the folder anyway",
    "bot/inbox/sqlite.py": "reads back what was proven before it was stored",
}
HEAVY = ("dulwich", "graphql", "aiohttp", "ruamel", "gidgethub", "openapi_core", "pydantic", "jinja2", "cryptography")


@cache
def tree(module: str) -> ast.Module:
    """Parse a module."""
    return ast.parse((ROOT / module).read_text())


def names(module: str) -> Iterator[str]:
    """Return every name and attribute that a module uses or imports."""
    for node in ast.walk(tree(module)):
        if isinstance(node, ast.Name):
            yield node.id
        elif isinstance(node, ast.Attribute):
            yield node.attr
        elif isinstance(node, ast.alias):
            yield node.name


def called(module: str) -> Iterator[str]:
    """Return the last part of whatever a module calls."""
    for node in ast.walk(tree(module)):
        if isinstance(node, ast.Call):
            yield getattr(node.func, "attr", getattr(node.func, "id", ""))


def test_an_actor_is_made_only_where_it_is_proven() -> None:
    """A type that only verification makes, so that having one is the proof."""
    assert {module for module in MODULES if "Actor" in called(module)} == set(ACTORS)


def test_only_the_settings_read_the_environment() -> None:
    """Whatever can be set is in one table."""
    readers = {module for module in MODULES if {"environ", "environb", "getenv", "getenvb"} & set(names(module))}
    assert readers == {"bot/settings.py"}


def test_the_command_line_starts_without_what_a_verb_may_need() -> None:
    """`import bot.cli` loads none of the large libraries, so that `pointsman --help` is there at once."""
    code = "import sys, bot.cli; print(*{name.partition('.')[0] for name in sys.modules})"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT).stdout
    assert {"bot", "typer"} <= set(loaded.split())
    assert set(loaded.split()) & set(HEAVY) == set()


@pytest.mark.parametrize("verb", ["plan", "apply", "set", "unset", "image", "check", "schema"])
def test_the_local_verbs_need_no_network_library(verb: str) -> None:
    """What works on a folder runs without the server's and the sandbox's libraries."""
    code = (
        "import sys; from bot.cli import main; sys.argv[1:] = sys.argv[1:] + ['/nowhere'] * (sys.argv[1] == 'check')\n"
        "try: main()\n"
        "except SystemExit: print('loaded', *{name.partition('.')[0] for name in sys.modules})"
    )
    out = subprocess.run(
        [sys.executable, "-c", code, verb], capture_output=True, text=True, check=True, cwd=ROOT
    ).stdout
    loaded = set(out.rpartition("loaded ")[2].split())
    assert "bot" in loaded
    assert loaded & {"dulwich", "graphql", "aiohttp", "gidgethub", "cryptography", "sqlite3"} == set()


@pytest.mark.parametrize("module", [*MODULES, *BENCH])
def test_a_module_has_at_most_500_lines_and_its_functions_60(module: str) -> None:
    """What is longer has two topics."""
    lines = len((ROOT / module).read_text().splitlines())
    functions = {
        node.name: (node.end_lineno or 0) - node.lineno + 1
        for node in ast.walk(tree(module))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    assert lines <= 500
    assert {name: length for name, length in functions.items() if length > 60} == {}
