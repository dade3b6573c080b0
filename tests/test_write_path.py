"""One write path: nothing is lost, nothing is done twice, and hardly anything waits."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from dulwich.refs import Ref
from running import draining
from written import AUTHOR, MAPPINGS, NOON, PATH, TWO, VALUE, gitops_with, tag, trailers

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from bot.sandbox import Sandbox

APART = """\
version: 1
mappings:
  - { name: to lost, branch: lost, update: [{ files: values.yaml, set: { image.tag: '${{ tag }}' } }] }
  - { name: to stale, branch: stale, update: [{ files: values.yaml, set: { image.tag: '${{ tag }}' } }] }
"""
REFUSAL = {"message": "Server Error", "documentation_url": "https://docs.github.com"}

# The rules, and the request that writes by them: GraphQL, the Contents API, the Git Data API.
WAYS = [
    pytest.param(MAPPINGS, {"operation": "Commit"}, id="graphql"),
    pytest.param(AUTHOR, {"method": "PUT", "path": "/contents/"}, id="contents"),
    pytest.param(TWO, {"method": "PATCH", "path": "/git/refs/"}, id="git data"),
]


@pytest.mark.parametrize(("mappings", "write"), WAYS)
async def test_a_commit_whose_answer_is_lost_is_found_again(
    sandbox: Sandbox, tmp_path: Path, mappings: str, write: dict[str, str]
) -> None:
    """It took effect, GitHub answered 502: the next attempt finds it by its trailer and makes no other."""
    repository = gitops_with(sandbox, mappings)
    sandbox.faults.add(**write, status=502, body=REFUSAL, after=True)
    async with draining(sandbox, tmp_path) as bench:
        delivery = await bench.store(repository, {"tag": "2-dev"})
        assert await bench.drain(repository) == 1.0
        assert bench.row(delivery).state == "pending"
        assert await bench.drain(repository) is None
        row = bench.row(delivery)
    assert (row.state, row.commit) == ("committed", repository.head())
    assert "found after its answer was lost" in row.reason
    assert trailers(repository) == [delivery]


@pytest.mark.parametrize(("mappings", "write"), WAYS)
async def test_a_write_whose_connection_breaks_is_sent_once(
    sandbox: Sandbox, tmp_path: Path, mappings: str, write: dict[str, str]
) -> None:
    """The commit is made, on a connection that was used before: nothing but the next attempt asks what became of it."""
    repository = gitops_with(sandbox, mappings)
    async with draining(sandbox, tmp_path) as bench:
        assert (await bench.dispatch(repository, {"tag": "2-dev"})).state == "committed"
        sandbox.faults.cause("reset after", **write)
        delivery = await bench.store(repository, {"tag": "3-dev"})
        assert await bench.drain(repository) == 1.0
        assert bench.row(delivery).reason == "no connection to GitHub: 127.0.0.1 closed it before it had answered"
        assert await bench.drain(repository) is None
        assert bench.row(delivery).state == "committed"
    assert trailers(repository).count(delivery) == 1


@pytest.mark.parametrize(("mappings", "write"), WAYS)
async def test_a_commit_that_was_not_made_is_made(
    sandbox: Sandbox, tmp_path: Path, mappings: str, write: dict[str, str]
) -> None:
    """The connection went before it took effect: looked for, not found, made once."""
    repository = gitops_with(sandbox, mappings)
    sandbox.faults.add(**write, status=502, body=REFUSAL)
    async with draining(sandbox, tmp_path) as bench:
        delivery = await bench.store(repository, {"tag": "2-dev"})
        assert await bench.drain(repository) == 1.0
        assert await bench.drain(repository) is None
        assert bench.row(delivery).state == "committed"
    assert trailers(repository) == [delivery]


@pytest.mark.parametrize(("mappings", "write"), WAYS)
async def test_a_process_that_ends_over_a_commit_does_not_make_it_twice(
    sandbox: Sandbox, tmp_path: Path, mappings: str, write: dict[str, str]
) -> None:
    """The commit lands while nobody is left to hear of it; the next process finds it, behind a foreign one."""
    repository = gitops_with(sandbox, mappings)
    sandbox.faults.add(**write, delay=5.0, after=True)
    async with draining(sandbox, tmp_path) as bench:
        delivery = await bench.store(repository, {"tag": "2-dev"})
        drain = asyncio.create_task(bench.worker.drain(repository.id))
        while tag(repository) != "2-dev":
            await asyncio.sleep(0.01)
        drain.cancel()
        await asyncio.gather(drain, return_exceptions=True)
        assert bench.row(delivery).state == "pending"
    repository.commit({"README.md": "Foreign"}, "Foreign")
    sandbox.faults.clear()
    async with draining(sandbox, tmp_path) as bench:
        assert await bench.drain(repository) is None
        assert bench.row(delivery).state == "committed"
    assert trailers(repository) == [delivery]


async def test_a_late_commit_is_found_when_it_lands_at_last(sandbox: Sandbox, tmp_path: Path) -> None:
    """It was not there when it was looked for, and makes the head stale for the second one: found then."""
    repository = gitops_with(sandbox)
    async with draining(sandbox, tmp_path) as bench:
        delivery = await bench.store(repository, {"tag": "2-dev"})
        base = repository.head()
        await bench.inbox.intend("main", base, {delivery: [(PATH, "image.tag")]})
        message = f"app: 2-dev\n\nPointsman-Delivery: {delivery}"
        late = {PATH: VALUE.replace("1-dev", "2-dev")}
        sandbox.faults.add(operation="Commit", callback=lambda: repository.commit(late, message))
        assert await bench.drain(repository) is None
        assert bench.row(delivery).state == "committed"
    assert trailers(repository) == [delivery]


async def test_a_commit_of_several_whose_answer_has_another_shape_is_found_again(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    """It may have landed, as after an answer that never came: both wait, and both are in it once."""
    repository = gitops_with(sandbox)
    sandbox.faults.add(operation="Commit", status=200, body={"data": {"createCommitOnBranch": None}}, after=True)
    async with draining(sandbox, tmp_path) as bench:
        sent = [await bench.store(repository, {"tag": name}) for name in ("one", "two")]
        assert await bench.drain(repository) == 1.0
        assert {bench.row(each).reason for each in sent} == {"GitHub's answer cannot be read"}
        assert await bench.drain(repository) is None
        assert [bench.row(each).state for each in sent] == ["committed", "committed"]
    assert trailers(repository) == sent


async def test_an_unexpected_error_behind_a_lost_answer_does_not_make_the_commit_twice(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    """Two go to two branches: one commit's answer is lost, then reading for the other one shows a bug of ours.

    They are taken one by one from then on, and each finds first what both had begun together.
    """
    repository = gitops_with(sandbox, APART)
    for branch in ("lost", "stale"):
        repository.create_branch(branch)
    sandbox.faults.cause("502 after", operation="Commit", branch="lost")
    sandbox.faults.cause("stale graphql", branch="stale")
    # The default branch and both others are read, and the default one again as `stale` seems to have moved.
    async with draining(sandbox, tmp_path) as bench:
        bench.has_bug(skip=3)
        sent = [await bench.store(repository, {"tag": name}) for name in ("one", "two")]
        assert await bench.drain(repository) == 0.0
        assert {bench.row(each).reason for each in sent} == {"an unexpected error in its batch"}
        assert [await bench.drain(repository) for _ in sent] == [0.0, None]
        assert [bench.row(each).state for each in sent] == ["committed", "committed"]
    assert [trailers(repository, branch) for branch in ("lost", "stale")] == [sent, sent]


async def test_where_the_base_went_the_values_are_compared(sandbox: Sandbox, tmp_path: Path) -> None:
    """A force push took base and commit away: the rules are evaluated on what is there now."""
    repository = gitops_with(sandbox)
    first = repository.head()
    repository.commit({"README.md": "1"}, "Foreign")
    sandbox.faults.add(operation="Commit", status=502, body=REFUSAL, after=True)
    async with draining(sandbox, tmp_path) as bench:
        delivery = await bench.store(repository, {"tag": "2-dev"})
        assert await bench.drain(repository) == 1.0
        repository.force_push(first)
        assert await bench.drain(repository) is None
        assert bench.row(delivery).state == "committed"
    assert (tag(repository), trailers(repository)) == ("2-dev", [delivery])


async def test_a_branch_that_went_with_the_commit_is_told(sandbox: Sandbox, tmp_path: Path) -> None:
    """The answer was lost, then the branch was deleted: there is nothing to look through, and nothing to write to."""
    repository = gitops_with(sandbox, MAPPINGS.replace("    update:", "    branch: release\n    update:"))
    repository.create_branch("release")
    sandbox.faults.add(operation="Commit", status=502, body=REFUSAL, after=True)
    async with draining(sandbox, tmp_path) as bench:
        delivery = await bench.store(repository, {"tag": "2-dev"})
        assert await bench.drain(repository) == 1.0
        repository.git.refs.remove_if_equals(Ref(b"refs/heads/release"), None)
        assert await bench.drain(repository) is None
        row = bench.row(delivery)
    assert row.state == "failed"
    assert "has no branch 'release'" in row.reason


async def test_a_warm_commit_is_one_request(sandbox: Sandbox, tmp_path: Path) -> None:
    """What our own commit left is known: the next one costs the write, until a foreign push is heard of."""
    repository = gitops_with(sandbox)
    async with draining(sandbox, tmp_path) as bench:
        for number, expected in enumerate((3, 1, 1)):
            sandbox.requests.clear()
            row = await bench.dispatch(repository, {"tag": f"{number}-dev"})
            assert row.state == "committed"
            made = [one for one in sandbox.requests if "check-runs" not in one.path]
            assert len([one for one in made if "access_tokens" not in one.path]) <= expected
        assert (len(made), made[0].operation) == (1, "Commit")


async def test_globs_are_warm_too(sandbox: Sandbox, tmp_path: Path) -> None:
    """The files that a glob matches are known as long as nobody else pushes: no listing, no read."""
    repository = gitops_with(sandbox, TWO.replace("commit: { author: { name: build, email: build@internal } }\n", ""))
    async with draining(sandbox, tmp_path) as bench:
        assert (await bench.dispatch(repository, {"tag": "2-dev"})).state == "committed"
        sandbox.requests.clear()
        assert (await bench.dispatch(repository, {"tag": "3-dev"})).state == "committed"
        assert [one.operation for one in sandbox.requests if "check-runs" not in one.path] == ["Commit"]
    assert repository.read("other.yaml").decode().count("3-dev") == 1


async def test_nothing_ends_on_a_remembered_branch_but_a_commit(sandbox: Sandbox, tmp_path: Path) -> None:
    """A foreign change that nobody told us of: a value that we remember is not taken for one that is there."""
    repository = gitops_with(sandbox)
    async with draining(sandbox, tmp_path) as bench:
        assert (await bench.dispatch(repository, {"tag": "2-dev"})).state == "committed"
        repository.commit({PATH: VALUE}, "Foreign: back to the first")
        row = await bench.dispatch(repository, {"tag": "2-dev"})
        assert row.state == "committed"
        repository.commit(
            {".github/pointsman.yaml": MAPPINGS.replace("app", "other, ").replace("tag }}", "tga }}")}, "x"
        )
        row = await bench.dispatch(repository, {"tag": "3-dev"})
    assert (row.state, tag(repository)) == ("failed", "2-dev")


async def test_nothing_ends_on_a_remembered_branch_beside_what_is_refused(sandbox: Sandbox, tmp_path: Path) -> None:
    """The commit of another delivery met a rule: that shows nothing about the value that we remember for this one."""
    repository = gitops_with(sandbox, MAPPINGS.replace("values.yaml", "'${{ file }}'"))
    async with draining(sandbox, tmp_path) as bench:
        for file in (PATH, "other.yaml"):
            assert (await bench.dispatch(repository, {"tag": "2-dev", "file": file})).state == "committed"
        repository.commit({PATH: VALUE}, "Foreign: back to the first")
        sent = [
            await bench.store(repository, {"tag": name, "file": file})
            for name, file in (("2-dev", PATH), ("3-dev", "other.yaml"))
        ]
        sandbox.faults.cause("rule graphql")
        assert await bench.drain(repository) is None
        assert [bench.row(each).state for each in sent] == ["committed", "committed"]
    assert tag(repository) == "2-dev"


async def test_a_foreign_push_is_read_in_the_background(sandbox: Sandbox, tmp_path: Path) -> None:
    """What is in use is read again as soon as the push is heard of, so that the next commit is one request again."""
    from running import named

    repository = gitops_with(sandbox)
    async with draining(sandbox, tmp_path) as bench:
        assert (await bench.dispatch(repository, {"tag": "2-dev"})).state == "committed"
        ours = repository.head()
        head = repository.commit({PATH: VALUE.replace("replicas: 1", "replicas: 9")}, "Foreign")
        sandbox.requests.clear()
        await bench.forge.pushed(named(sandbox, repository), "main", ours)
        assert list(sandbox.requests) == []
        await bench.forge.pushed(named(sandbox, repository), "main", str(head))
        assert len(sandbox.requests) == 1
        sandbox.requests.clear()
        assert (await bench.dispatch(repository, {"tag": "3-dev"})).state == "committed"
        assert [one.operation for one in sandbox.requests if "check-runs" not in one.path] == ["Commit"]
    assert repository.read(PATH).decode() == "image: { tag: 3-dev }\nreplicas: 9\n"


@pytest.mark.parametrize("together", [True, False])
async def test_an_older_delivery_does_not_overwrite_a_newer_one(
    sandbox: Sandbox, tmp_path: Path, together: bool
) -> None:
    """It was missed and comes late: superseded, with the newer one named; other fields are its own."""
    repository = gitops_with(sandbox)
    async with draining(sandbox, tmp_path) as bench:
        newer = await bench.store(repository, {"tag": "new"}, origin=NOON)
        if not together:
            await bench.drain(repository)
        older = await bench.store(repository, {"tag": "old"}, origin=NOON - timedelta(minutes=1))
        await bench.drain(repository)
        row = bench.row(older)
        assert (bench.row(newer).state, row.state) == ("committed", "no_change")
        assert f"superseded: image.tag in values.yaml was written by the newer delivery {newer}" in row.reason
        assert tag(repository) == "new"
        latest = await bench.store(repository, {"tag": "latest"}, origin=NOON + timedelta(minutes=1))
        await bench.drain(repository)
    assert (bench.row(latest).state, tag(repository)) == ("committed", "latest")


async def test_an_older_delivery_does_not_overwrite_a_newer_one_whose_answer_was_lost(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    """The newer one's commit is found in the same attempt in which the older one is decided."""
    repository = gitops_with(sandbox)
    sandbox.faults.cause("502 after", operation="Commit")
    async with draining(sandbox, tmp_path) as bench:
        newer = await bench.store(repository, {"tag": "new"}, origin=NOON)
        assert await bench.drain(repository) == 1.0
        older = await bench.store(repository, {"tag": "old"}, origin=NOON - timedelta(minutes=1))
        await bench.drain(repository)
        rows = [bench.row(each) for each in (newer, older)]
    assert [row.state for row in rows] == ["committed", "no_change"]
    assert "superseded" in rows[1].reason
    assert (tag(repository), trailers(repository)) == ("new", [newer])


@pytest.mark.parametrize(
    ("refused", "expected", "left"),
    [
        pytest.param([0], ["committed", "no_change", "committed"], "latest", id="as a whole"),
        pytest.param([0, 2], ["committed", "no_change", "blocked"], "new", id="the last one"),
        pytest.param([0, 1, 3], ["blocked", "committed", "blocked"], "old", id="first and last"),
        pytest.param(range(9), ["blocked", "blocked", "blocked"], "1-dev", id="all"),
    ],
)
async def test_a_refused_batch_is_halved_and_keeps_its_order(
    sandbox: Sandbox, tmp_path: Path, refused: Sequence[int], expected: list[str], left: str
) -> None:
    """An older delivery is superseded by what was written before it, and not by what was only to be written."""
    repository = gitops_with(sandbox)
    async with draining(sandbox, tmp_path) as bench:
        ids = [
            await bench.store(repository, {"tag": name}, origin=NOON + timedelta(minutes=minutes))
            for name, minutes in (("new", 0), ("old", -1), ("latest", 1))
        ]
        for number in refused:
            sandbox.faults.cause("rule graphql", skip=number)
        await bench.drain(repository)
        assert [bench.row(each).state for each in ids] == expected
    assert tag(repository) == left
    written = [each for each, state in zip(ids, expected, strict=True) if state == "committed"]
    assert trailers(repository) == written


@pytest.mark.parametrize(
    ("value", "tags", "expected"),
    [
        ("1.2.3", ["1.10.0", "1.9.0", "1.10.1"], ["committed", "no_change", "committed"]),
        ("ghcr.io/a/b:v2.0.0", ["ghcr.io/a/b:v1.9.9"], ["no_change"]),
        ("main-1a2b3c", ["main-000000", "1.0.0", "0.9.0"], ["committed", "committed", "no_change"]),
    ],
)
async def test_no_older_version_replaces_a_newer_one(
    sandbox: Sandbox, tmp_path: Path, value: str, tags: list[str], expected: list[str]
) -> None:
    """With `order: semver` versions only rise; what is none is written as ever."""
    mappings = MAPPINGS.replace("  - name: app\n", "  - name: app\n    order: semver\n")
    repository = sandbox.create_repository(
        "acme/gitops", {".github/pointsman.yaml": mappings, PATH: f"image:\n  tag: {value}\n"}
    )
    async with draining(sandbox, tmp_path) as bench:
        rows = [await bench.dispatch(repository, {"tag": one}) for one in tags]
    assert [row.state for row in rows] == expected
    assert all("superseded" in row.reason for row in rows if row.state == "no_change")
