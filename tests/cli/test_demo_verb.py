"""`pointsman demo`: what a newcomer sees first."""

from __future__ import annotations

import json
import re
import signal
import urllib.request
from typing import TYPE_CHECKING

import pytest
from program import Ran, port_in_use, run, started

if TYPE_CHECKING:
    from pathlib import Path


def test_demo_shows_two_commits_and_a_failure_without_git(tmp_path: Path) -> None:
    """`demo --once` exits 0 with three scenes, on a machine without git, and leaves nothing behind."""
    ran = run(tmp_path, "demo", "--once")
    assert (ran.code, ran.err) == (0, "")
    scenes = re.split(r"^\d\. .* ─+$", ran.out, flags=re.MULTILINE)[1:]
    assert [len(re.findall(r"^commit [0-9a-f]{40}$", scene, re.MULTILINE)) for scene in scenes] == [1, 1, 0]
    dev, prod, broken = scenes
    assert "\n--- a/environments/dev/values.yaml\n" in dev
    assert '\n-  tag: "1.4.1-dev"        # set by Pointsman\n+  tag: "1.4.2-dev"        # set by Pointsman\n' in dev
    assert "\n    Branch develop led to updated Docker image '1.4.2-dev': Round prices\n" in dev
    assert "\n--- a/environments/prod/values.yaml\n" in prod
    assert '\n-  tag: "1.3.0-stable"' in prod
    assert '\n+  tag: "1.4.0-stable"' in prod
    assert "failure: Failed: nothing was written\n" in broken
    assert re.search(r"\.github/pointsman\.yaml:\d+:\d+: unknown key 'updaet'; did you mean 'update'\?", broken)
    assert list((tmp_path / "temporary").iterdir()) == []
    assert [path.name for path in tmp_path.iterdir()] == ["temporary"]


def test_demo_keeps_its_files_where_it_is_told_and_starts_over_there(tmp_path: Path) -> None:
    """With `--directory` the repositories stay, and a second run shows the same again."""
    first, second = (run(tmp_path, "demo", "--once", "--directory", "kept") for _ in range(2))
    assert [(ran.code, ran.err) for ran in (first, second)] == [(0, "")] * 2
    assert first.out.count("\ncommit ") == second.out.count("\ncommit ") == 2
    assert (tmp_path / "kept" / "github" / "acme" / "gitops.git").is_dir()


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_demo_stays_up_until_it_is_ended_and_tidies_up(number: signal.Signals, code: int, tmp_path: Path) -> None:
    """Ctrl-C exits 130, SIGTERM 143: nothing on standard error, and no temporary folder left."""
    with started(tmp_path, "demo") as program:
        program.read_until("Ctrl-C ends it.")
        assert list((tmp_path / "temporary").glob("pointsman-demo-*")) != []
        ran = program.end(number)
    assert (ran.code, ran.err) == (code, "")
    assert list((tmp_path / "temporary").iterdir()) == []


def test_demo_shows_dispatches_that_come_together(tmp_path: Path) -> None:
    """Deliveries that share a commit share its check run: each is shown with it, and the demo goes on."""
    with started(tmp_path, "demo") as program:
        said = program.read_until("Ctrl-C ends it.")
        url, token = re.findall(r"http://\S+/dispatches", said)[0], re.findall(r"ghp_\w+", said)[0]
        for tag in ("2.0-dev", "2.1-dev", "2.2-dev"):
            payload = {"git_branch": "x", "docker_image_tag": tag, "commit_message": "y"}
            body = json.dumps({"event_type": "update-gitops-repo", "client_payload": payload}).encode()
            request = urllib.request.Request(url, body, {"Authorization": f"Bearer {token}"})  # noqa: S310 - our own
            urllib.request.urlopen(request, timeout=10).close()  # noqa: S310 - our own
        for _ in range(3):
            program.read_until("check run 'Pointsman commit'")
        ran = program.end(signal.SIGINT)
    assert (ran.code, ran.err) == (130, "")


def test_demo_says_that_its_port_is_in_use(tmp_path: Path) -> None:
    """One sentence with the port and the remedy, exit 1, and no temporary folder left."""
    with port_in_use() as port:
        ran = run(tmp_path, "demo", "--once", "--port", str(port))
    assert ran == Ran(1, "", f"cannot listen on port {port}: Address already in use; name another one, 0 for any\n")
    assert list((tmp_path / "temporary").iterdir()) == []


def test_demo_says_that_its_folder_cannot_be_one(tmp_path: Path) -> None:
    """A file in the place of `--directory` is one sentence, exit 1."""
    (tmp_path / "file").touch()
    ran = run(tmp_path, "demo", "--once", "--directory", "file")
    assert ran == Ran(1, "", "--directory: cannot make the folder file: File exists\n")
