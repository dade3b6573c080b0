"""What a build or an action fetches is pinned to its content, and the pins are written down."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SKIPPED = {".git", ".venv", ".venv-bench", "tests"}
FILES = [
    path
    for path in sorted(ROOT.rglob("*"))
    if path.is_file()
    and SKIPPED.isdisjoint(path.relative_to(ROOT).parts)
    and (path.name.startswith(("Dockerfile", "Containerfile")) or path.suffix in {".yml", ".yaml", ".md"})
]

# A line of a Dockerfile, on its own or in a document. Another stage of the same build has a name and no digest.
FROM = re.compile(
    r"^\s*FROM\s+(?:--\S+\s+)*(?P<image>\S+)(?:\s+AS\s+(?P<stage>\S+))?\s*$", re.MULTILINE | re.IGNORECASE
)
USES = re.compile(r"\buses:\s*[\"']?(?P<action>[\w./$-]+@[^\s`\"']+|docker://[^\s`\"']+)")
DIGEST = re.compile(r"[\w./:-]+@sha256:[0-9a-f]{64}")
# In documents COMMIT stands for the reader's own choice.
COMMIT = re.compile(r"[\w./-]+@(?:[0-9a-f]{40}|COMMIT)|docker://[\w./:-]+@sha256:[0-9a-f]{64}")


def images(text: str) -> list[str]:
    """Return the images that a text builds on."""
    found = list(FROM.finditer(text))
    stages = {match["stage"] for match in found}
    return [match["image"] for match in found if match["image"] not in {*stages, "scratch"}]


def actions(text: str) -> list[str]:
    """Return the actions of other repositories that a text uses."""
    return [match["action"] for match in USES.finditer(text)]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_every_image_and_action_is_pinned_to_its_content(path: Path) -> None:
    """By digest and by commit: a tag may mean something else tomorrow."""
    text = path.read_text()
    assert [image for image in images(text) if not DIGEST.fullmatch(image)] == []
    assert [action for action in actions(text) if not COMMIT.fullmatch(action)] == []


def test_the_pins_that_there_are_have_been_found() -> None:
    """The patterns see the image and the action that the project has."""
    assert len(images((ROOT / "Dockerfile").read_text())) == 2
    assert len(actions((ROOT / "action" / "apply" / "action.yml").read_text())) == 1
    assert images("FROM --platform=linux/amd64 a:1 AS b\nFROM b\n  from c\n") == ["a:1", "c"]
    assert actions("- uses: a/b@v1\n  uses: 'a/b/c@v2' # x\n`uses: docker://d:1`") == [
        "a/b@v1",
        "a/b/c@v2",
        "docker://d:1",
    ]


def test_every_pin_is_written_down_with_where_it_was_found() -> None:
    """Whoever renews one finds the version, and the places to compare with."""
    page = (ROOT / "docs" / "supply-chain.md").read_text()
    pinned = images((ROOT / "Dockerfile").read_text()) + actions((ROOT / "action" / "apply" / "action.yml").read_text())
    for pin in pinned:
        assert f"`{pin.partition('@')[2]}`" in page


@pytest.mark.parametrize("name", ["requirements.lock", "requirements-image.lock", "requirements-action.lock"])
def test_every_locked_package_has_hashes(name: str) -> None:
    """pip refuses what an index sends instead."""
    entries = re.split(r"^(?=[a-z0-9])", (ROOT / name).read_text(), flags=re.MULTILINE)[1:]
    assert len(entries) > 10
    assert [entry.split()[0] for entry in entries if "==" not in entry or "--hash=sha256:" not in entry] == []


def test_the_lock_files_name_the_same_versions() -> None:
    """The tests run what the image and the action install."""
    pins = re.compile(r"^([a-z0-9._-]+)==(\S+)", re.MULTILINE)
    tested = dict(pins.findall((ROOT / "requirements.lock").read_text()))
    for name in ("requirements-image.lock", "requirements-action.lock"):
        assert dict(pins.findall((ROOT / name).read_text())).items() <= tested.items()


def test_every_package_of_the_emulator_has_a_hash_and_no_address() -> None:
    """npm refuses what a registry sends instead, and asks the registry that the machine is set up for."""
    packages = json.loads((ROOT / "tests" / "emulate" / "package-lock.json").read_text())["packages"]
    installed = {path: package for path, package in packages.items() if path}
    assert "node_modules/emulate" in installed
    assert [path for path, package in installed.items() if not package["integrity"].startswith("sha512-")] == []
    assert [path for path, package in installed.items() if "resolved" in package] == []
