"""`pointsman apply --env` as a workflow runs it: with an environment that has nothing but what a test gives it."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import pytest
from program import Ran, pointsman

if TYPE_CHECKING:
    from pathlib import Path

_OURS = ("DOCKER_IMAGE_TAG", "GIT_TAG", "GIT_BRANCH")


def act(folder: Path, mappings: str | None, *options: object, **environment: str) -> Ran:
    """Run `pointsman apply --env` on a folder; nobody's own Git configuration counts."""
    with pytest.MonkeyPatch.context() as patch:
        for name in tuple(os.environ):
            if name in _OURS or name.startswith(("GITHUB_", "GIT_")) or name.upper().endswith(("_VAR", "_REGEX")):
                patch.delenv(name)
        home = str(folder.parent / "home")
        for name, value in {"HOME": home, "XDG_CONFIG_HOME": home, "GIT_CONFIG_NOSYSTEM": "1", **environment}.items():
            patch.setenv(name, value)
        named = () if mappings is None else ("--mappings", mappings)
        return pointsman("apply", "--env", "--directory", folder, *named, *options)


def dumped(folder: Path, mappings: str, *options: object, **environment: str) -> Any:
    """Return what `--dump` shows, out of its JSON."""
    ran = act(folder, mappings, "--dump", "--format", "json", *options, **environment)
    assert ran.code == 0, ran.err
    return json.loads(ran.out)
