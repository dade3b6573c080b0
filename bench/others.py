"""What others pay for the same change: any tool that clones, and a peer that uses the API."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from bench.files import IMAGE, TARGET
from bench.program import BenchError, ended

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bench.world import Cost, World

PEER = Path(__file__).parents[1] / ".venv-bench" / "bin" / "gitops-image-replacer"
PROGRAM_SECONDS = 30.0
CLONED = "cloned"
PEERS = "peer"


async def run(command: Sequence[str], folder: Path, variables: Mapping[str, str]) -> None:
    """Run a program to its end, with no environment but PATH and `variables`. Raises BenchError with what it said."""
    process = await asyncio.create_subprocess_exec(
        *command,
        cwd=folder,
        env={"PATH": os.environ.get("PATH", os.defpath), "HOME": str(folder), "LC_ALL": "C", **variables},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    try:
        async with asyncio.timeout(PROGRAM_SECONDS):
            out, _ = await process.communicate()
    except TimeoutError:
        raise BenchError(f"{command[0]} did not end within {PROGRAM_SECONDS:g} s") from None
    finally:
        await ended(process)
    if process.returncode:
        raise BenchError(f"{' '.join(command)} ended with {process.returncode}:\n{out.decode(errors='replace')}")


def git() -> str | None:
    """Give the git of this machine, None where there is none."""
    return shutil.which("git")


async def clone_and_push(world: World) -> Cost:
    """Do in a repository of its own what every tool that clones does at least; give what that cost."""
    repository = world.repository(CLONED)
    async with world.watching(repository) as watch:
        address = f"{world.sandbox.url}/{repository.full_name}.git"
        await cloned(world.folder, address, world.sandbox.user_token, world.next_tag())
        return watch.total()


async def cloned(folder: Path, address: str, token: str, tag: str) -> None:
    """Clone without history, edit, commit, push: what every tool that clones does at least. `folder` is left as it was.

    The credentials are sent with the first request already, as actions/checkout does it: git alone would ask without
    them first.
    """
    program = git() or "git"
    credentials = base64.b64encode(f"x-access-token:{token}".encode()).decode()
    person = {f"GIT_{role}_{what}": "build@acme.org" for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    variables = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1", "GIT_TERMINAL_PROMPT": "0", **person}
    command = (program, "-c", f"http.extraHeader=Authorization: Basic {credentials}")
    with tempfile.TemporaryDirectory(dir=folder) as temporary:
        home = Path(temporary)
        work = home / "work"
        await run([*command, "clone", "--quiet", "--depth", "1", address, str(work)], home, variables)
        _edit(work / TARGET, tag)
        await run([program, "commit", "--quiet", "--all", "--message", f"Set {tag}"], work, variables)
        await run([*command, "push", "--quiet"], work, variables)


async def peer(world: World, program: Path) -> tuple[Cost, int]:
    """Let gitops-image-replacer set a new tag; give what that cost, and how many lines of the file it changed."""
    repository, tag = world.repository(PEERS), world.next_tag()
    config = world.folder / "gitops-image-replacer.json"
    entry = {"repository": repository.full_name, "branch": "main", "file": TARGET}
    config.write_text(json.dumps({"gitops-image-replacer": [entry]}), encoding="utf-8")
    before = repository.read(TARGET)
    async with world.watching(repository) as watch:
        command = [str(program), "--config", str(config), "--apply", "--api", world.sandbox.url, f"{IMAGE}:{tag}"]
        await run(command, world.folder, {"GITHUB_TOKEN": world.sandbox.user_token})
        cost = watch.total()
    return cost, changed_lines(before, repository.read(TARGET))


def changed_lines(before: bytes, after: bytes) -> int:
    """Count the lines that differ, and those that are more or fewer."""
    old, new = before.splitlines(keepends=True), after.splitlines(keepends=True)
    return sum(one != other for one, other in zip(old, new, strict=False)) + abs(len(old) - len(new))


def _edit(path: Path, tag: str) -> None:
    """Replace the image's tag, as sed would."""
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    path.write_text(
        "".join(
            f"image: {IMAGE}:{tag}   # the tag that a dispatch sets\n" if line.startswith(f"image: {IMAGE}:") else line
            for line in lines
        ),
        encoding="utf-8",
    )
