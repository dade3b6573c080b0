"""Files that come and go by a dispatch, numbers as they are written, and the limits that are set: by the whole bot."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from running import draining, running

from bot.core.model import Actor, Delivery
from bot.sandbox.events import dispatch_payload

if TYPE_CHECKING:
    from pathlib import Path

    from bot.sandbox import Sandbox

LIST, NEW = "previews/list.yaml", "previews/7/kustomization.yaml"
RULES = """\
version: 1
mappings:
  - name: opened
    when: { action: opened, pr: '\\d+' }
    update:
      - files: previews/${{ pr }}/kustomization.yaml
        create: |
          namePrefix: pr-${{ pr }}-
          images:
            - name: ghcr.io/acme/shop
              newTag: none
      - files: previews/*/kustomization.yaml
        image: ghcr.io/acme/shop
        tag: ${{ tag }}
      - files: previews/list.yaml
        set: { 'open[+]': '${{ pr }}' }
  - name: closed
    when: { action: closed, pr: '\\d+' }
    update:
      - { files: 'previews/${{ pr }}/**', delete: true }
      - { files: previews/list.yaml, unset: "open[?(@ == ${{ pr }})]" }
"""
AUTHOR = "commit: { author: { name: build, email: build@internal } }\n"
CREATED = b'namePrefix: pr-7-\nimages:\n  - name: ghcr.io/acme/shop\n    newTag: "1.0"\n'


def payload(action: str, pr: int = 7) -> dict[str, Any]:
    return {"action": action, "pr": pr, "tag": "1.0"}


@pytest.mark.parametrize("graphql", [True, False])
@pytest.mark.parametrize("end", ["", AUTHOR])
async def test_a_preview_comes_and_goes(sandbox: Sandbox, tmp_path: Path, graphql: bool, end: str) -> None:
    """One commit makes its file, changed by the entries behind, and one takes it away: by each way to write."""
    sandbox.graphql = graphql
    files = {".github/pointsman.yaml": RULES + end, LIST: "open: [5]\n"}
    repository = sandbox.create_repository("acme/gitops", files)
    async with draining(sandbox, tmp_path) as bench:
        assert (await bench.dispatch(repository, payload("opened"))).state == "committed"
        assert sorted(repository.log()[0].paths) == [NEW, LIST]
        assert (repository.read(NEW), repository.read(LIST)) == (CREATED, b"open: [5, 7]\n")
        assert (await bench.dispatch(repository, payload("closed"))).state == "committed"
        assert sorted(repository.log()[0].paths) == [NEW, LIST]
        assert repository.read(LIST) == b"open: [5]\n"
        assert repository.entry(repository.tree_of(repository.head()), "previews/7") is None
        again = await bench.dispatch(repository, payload("closed"))
    assert (again.state, again.reason.splitlines()[0]) == (
        "no_change",
        "mapping 'closed': no file matches 'previews/7/**'; 'previews' has no '7'",
    )


async def test_deliveries_that_come_together_see_what_came_and_went(sandbox: Sandbox, tmp_path: Path) -> None:
    """One preview opened, another opened and closed: one commit, of what is left in the end."""
    repository = sandbox.create_repository("acme/gitops", {".github/pointsman.yaml": RULES, LIST: "open: [5]\n"})
    async with draining(sandbox, tmp_path) as bench:
        ids = [
            await bench.store(repository, one)
            for one in (payload("opened"), payload("opened", 8), payload("closed", 8))
        ]
        await bench.drain(repository)
        assert [bench.row(delivery).state for delivery in ids] == ["committed"] * 3
    assert len(repository.log()) == 2
    assert sorted(repository.log()[0].paths) == [NEW, LIST]
    assert repository.read(LIST) == b"open: [5, 7]\n"


@pytest.mark.parametrize(
    ("files", "sentence"),
    [
        (
            {NEW: "other: content\n"},
            f"{NEW}: the file exists already with other content; delete it in an update before",
        ),
        ({"previews": "a file\n"}, f"{NEW}: previews is no folder but a file or a link"),
        ({f"{NEW}/x": "a folder\n"}, f"{NEW}: there is a folder of this name, so no file can be created"),
    ],
)
@pytest.mark.parametrize("graphql", [True, False])
async def test_what_is_in_the_way_ends_as_failed(
    sandbox: Sandbox, tmp_path: Path, files: dict[str, str], sentence: str, graphql: bool
) -> None:
    """Nothing is written, and a check run says what."""
    sandbox.graphql = graphql
    repository = sandbox.create_repository("acme/gitops", {".github/pointsman.yaml": RULES, **files})
    async with draining(sandbox, tmp_path) as bench:
        row = await bench.dispatch(repository, payload("opened"))
    assert (row.state, row.reason.startswith(sentence), len(repository.log())) == ("failed", True, 1)
    (run,) = repository.check_runs(repository.head())
    assert run["conclusion"] == "failure"


async def test_no_payload_creates_a_workflow(sandbox: Sandbox, tmp_path: Path) -> None:
    """What nothing may touch cannot come either."""
    rules = "version: 1\nmappings:\n  - name: a\n    update: [{ files: '${{ path }}', create: 'on: push' }]\n"
    repository = sandbox.create_repository("acme/gitops", {".github/pointsman.yaml": rules})
    async with draining(sandbox, tmp_path) as bench:
        for path, state in (
            (".github/workflows/x.yaml", "denied"),
            ("CODEOWNERS", "denied"),
            (".git/config", "failed"),
        ):
            assert (await bench.dispatch(repository, {"path": path})).state == state
    assert len(repository.log()) == 1


async def test_a_number_of_the_payload_is_written_as_it_came(sandbox: Sandbox, tmp_path: Path) -> None:
    """1.10 is neither 1.1 in a text nor in a field."""
    rules = (
        "version: 1\nmappings:\n  - name: a\n    when: { n: '1\\.10' }\n"
        "    update: [{ files: a.yaml, set: { n: '${{ n }}', t: 'v${{ n }}' } }]\n"
    )
    repository = sandbox.create_repository("acme/gitops", {".github/pointsman.yaml": rules, "a.yaml": "n: 1\nt: x\n"})
    async with draining(sandbox, tmp_path) as bench:
        body = json.dumps(dispatch_payload(sandbox, repository, "octocat", "update", {"n": "NUMBER"}))
        raw = body.replace('"NUMBER"', "1.10").encode()
        actor = Actor("webhook", "octocat", 583231)
        stored = await bench.store(repository, {"n": 0})
        (first,) = await bench.inbox.pending(repository.id, 1)
        assert await bench.inbox.add(Delivery("d2", "repository_dispatch", actor, repository.id, raw, first.origin))
        await bench.drain(repository)
        assert (bench.row(stored).state, bench.row("d2").state) == ("no_change", "committed")
    assert repository.read("a.yaml") == b"n: 1.10\nt: v1.10\n"


async def test_the_limits_are_settings(sandbox: Sandbox, tmp_path: Path) -> None:
    """A file beyond one that is set stays as it is; the next one is edited."""
    rules = "version: 1\nmappings:\n  - name: a\n    update: [{ files: '${{ file }}', set: { a: '${{ file }}' } }]\n"
    files = {
        ".github/pointsman.yaml": rules,
        "a.yaml": "a: 1\n",
        "b.yaml": f"a: 1\n#{'x' * 100}\n",
        "c.yaml": "a: 1\n---\n",
    }
    sandbox.create_repository("acme/gitops", files)
    async with running(sandbox, tmp_path, EDIT_MAX_BYTES="100", EDIT_MAX_DOCUMENTS="1") as bot:
        ended = []
        for file in ("b.yaml", "c.yaml", "a.yaml"):
            delivery = await sandbox.dispatch("acme/gitops", "update", {"file": file})
            ended.append((await bot.ended(delivery), bot.row(delivery).reason))
    assert ended[:2] == [
        ("failed", "b.yaml: the file has 107 bytes; 100 is the most that is edited"),
        ("failed", "c.yaml: the file has more than 1 YAML documents; split it"),
    ]
    assert ended[2][0] == "committed"
