"""Every verb that reads a file takes a regular one, of a bounded size: nothing hangs, nothing fills the memory."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

import pytest
from program import run

if TYPE_CHECKING:
    from pathlib import Path

VERBS = {
    "check": ("check", "FILE"),
    "plan": ("plan", "--mappings", "FILE"),
    "apply": ("apply", "--mappings", "FILE"),
    "apply with a template": ("apply", "--mappings", "FILE", "--commit-template", "x"),
    "convert": ("convert", "FILE"),
    "set": ("set", "FILE", "a", "1"),
    "unset": ("unset", "FILE", "a"),
    "image": ("image", "FILE", "nginx", "--tag", "1"),
}


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("pipe.yaml", "it is no regular file"),
        ("folder.yaml", "it is a folder; name a file|cannot read it: Is a directory"),
        ("zero.yaml", "it is no regular file"),
        ("huge.yaml", "it has more than 4,000,000 bytes"),
    ],
)
@pytest.mark.parametrize("verb", VERBS)
def test_what_is_no_file_to_read_is_refused(tmp_path: Path, verb: str, name: str, sentence: str) -> None:
    """A named pipe, a folder, a device without end, six gigabytes: one sentence with the name, at once."""
    os.mkfifo(tmp_path / "pipe.yaml")
    (tmp_path / "folder.yaml").mkdir()
    (tmp_path / "zero.yaml").symlink_to("/dev/zero")
    with (tmp_path / "huge.yaml").open("wb") as file:
        file.truncate(6_000_000_000)
    ran = run(tmp_path, *(name if part == "FILE" else part for part in VERBS[verb]))
    assert ran.code == 1
    assert re.search(f"{re.escape(name)}: ({sentence})", ran.err)
    assert "Traceback" not in ran.err


@pytest.mark.parametrize("variable", ["PRIVATE_KEY_PATH", "MAPPINGS_FILE"])
@pytest.mark.parametrize("name", ["pipe", "zero", "huge"])
def test_a_setting_names_a_file_to_read(tmp_path: Path, variable: str, name: str) -> None:
    """The same for what `serve` reads at its start: exit 2, and the variable is named."""
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "zero").symlink_to("/dev/zero")
    with (tmp_path / "huge").open("wb") as file:
        file.truncate(6_000_000_000)
    from bot.sandbox import App

    given = {"APP_ID": "1", "WEBHOOK_SECRET": "a secret of the tests", "PORT": "0", "HOST": "127.0.0.1"}
    if variable != "PRIVATE_KEY_PATH":
        given["PRIVATE_KEY"] = App().private_key
    ran = run(tmp_path, "serve", **given, **{variable: name})
    assert ran.code == 2
    assert variable in ran.err
    assert "Traceback" not in ran.err
