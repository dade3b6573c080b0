"""Who has the last word on a field: the newest delivery that asked for it, however the others came about."""

from __future__ import annotations

from contextlib import closing
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from running import DATABASE, REFUSAL, draining
from written import NOON, gitops_with, tag, trailers

from bot.core.retry import Retry
from bot.flows.batch import PAGE
from bot.inbox.records import Records

if TYPE_CHECKING:
    from pathlib import Path

    from running import Bench

    from bot.sandbox import Repository, Sandbox

SPELT = """\
version: 1
mappings:
  - { name: a, when: { by: a }, update: [{ files: values.yaml, set: { image.tag: '${{ tag }}' } }] }
  - { name: b, when: { by: b }, update: [{ files: values.yaml, set: { FIELD: '${{ tag }}' } }] }
"""
SIGNED = SPELT.replace("FIELD", "image.tag") + "commit: { author: { name: build, email: build@internal } }\n"
PREVIEWS = """\
version: 1
mappings:
  - { name: up, when: { do: up }, update: [{ files: 'previews/${{ pr }}.yaml', create: "tag: ${{ tag }}\\n" }] }
  - { name: down, when: { do: down }, update: [{ files: 'previews/${{ pr }}.yaml', delete: true }] }
  - { name: to, when: { do: to }, update: [{ files: 'previews/${{ pr }}.yaml', set: { tag: '${{ tag }}' } }] }
"""
PREVIEW = "previews/7.yaml"
ONCE = Retry(attempts=1)
# So many deliveries fill a batch, in these tests.
FULL = PAGE


async def stored(bench: Bench, repository: Repository, minutes: float, name: str, **payload: str) -> str:
    """Store a dispatch that came about so many minutes after noon and asks for the tag `name`; return its id."""
    return await bench.store(repository, {"tag": name, **payload}, origin=NOON + timedelta(minutes=minutes))


async def sent(bench: Bench, repository: Repository, minutes: float, name: str, **payload: str) -> str:
    """Store a dispatch as `stored` does, and drain once."""
    delivery = await stored(bench, repository, minutes, name, **payload)
    await bench.drain(repository)
    return delivery


def superseded(bench: Bench, delivery: str, by: str) -> bool:
    """Say whether a delivery changed nothing because a certain newer one had the last word."""
    row = bench.row(delivery)
    return row.state == "no_change" and f"was written by the newer delivery {by} of " in row.reason


@pytest.mark.parametrize("together", [True, False])
async def test_who_found_the_value_there_has_the_last_word(sandbox: Sandbox, tmp_path: Path, together: bool) -> None:
    """The newest asked for what was written already; one between the two comes late and does not change it."""
    repository = gitops_with(sandbox)
    async with draining(sandbox, tmp_path) as bench:
        await sent(bench, repository, 0, "wanted")
        newest = await stored(bench, repository, 2, "wanted")
        if not together:
            await bench.drain(repository)
        late = await sent(bench, repository, 1, "late")
        assert bench.row(newest).state == "no_change"
        assert superseded(bench, late, newest)
    assert tag(repository) == "wanted"


async def test_who_undid_another_in_the_same_commit_has_the_last_word(sandbox: Sandbox, tmp_path: Path) -> None:
    """Two that came together left the file as it was, and no commit tells: the newer of them wanted it so."""
    repository = gitops_with(sandbox)
    async with draining(sandbox, tmp_path) as bench:
        await stored(bench, repository, 0, "2-dev")
        newest = await sent(bench, repository, 2, "1-dev")
        late = await sent(bench, repository, 1, "late")
        assert superseded(bench, late, newest)
    assert (tag(repository), trailers(repository)) == ("1-dev", [])


@pytest.mark.parametrize(
    "foreign",
    [
        pytest.param({"README.md": "Foreign"}, id="a file of no interest"),
        pytest.param({".github/pointsman.yaml": SIGNED.replace("by: a", "by: nobody")}, id="the rules"),
    ],
)
async def test_a_commit_on_another_head_has_the_last_word_too(
    sandbox: Sandbox, tmp_path: Path, foreign: dict[str, str]
) -> None:
    """Somebody pushed in between, so the rules are evaluated again, by which the older one must not win after all.

    Not even where the newer one, which is written, has nothing to ask for any more.
    """
    repository = gitops_with(sandbox, SIGNED)
    async with draining(sandbox, tmp_path) as bench:
        newer = await stored(bench, repository, 0, "new", by="a")
        older = await stored(bench, repository, -1, "old", by="b")
        sandbox.faults.add(method="PUT", path="/contents/", callback=lambda: repository.commit(foreign, "Foreign"))
        await bench.drain(repository)
        assert bench.row(newer).state == "committed"
        assert superseded(bench, older, newer)
    assert (tag(repository), len(repository.log())) == ("new", 1 + 2)


async def test_who_is_given_up_after_its_commit_landed_has_the_last_word(sandbox: Sandbox, tmp_path: Path) -> None:
    """Nobody knows whether its commit was made, and nobody looks any more: it counts as made."""
    repository = gitops_with(sandbox)
    async with draining(sandbox, tmp_path, retry=ONCE) as bench:
        sandbox.faults.cause("502 after", operation="Commit")
        newer = await sent(bench, repository, 0, "new")
        older = await sent(bench, repository, -1, "old")
        assert bench.row(newer).state == "dead"
        assert superseded(bench, older, newer)
    assert (tag(repository), trailers(repository)) == ("new", [newer])


async def test_who_waits_after_its_commit_landed_has_the_last_word(sandbox: Sandbox, tmp_path: Path) -> None:
    """Its commit could not be looked for, as GitHub forbade it; an older one comes, then it is found."""
    repository = gitops_with(sandbox)
    async with draining(sandbox, tmp_path) as bench:
        sandbox.faults.cause("502 after", operation="Commit")
        newer = await sent(bench, repository, 0, "new")
        sandbox.faults.add(path="/git/ref/", status=403, body=REFUSAL, times=None)
        while await bench.drain(repository) is not None:
            pass
        assert bench.row(newer).state == "waiting"
        sandbox.faults.clear()
        older = await sent(bench, repository, -1, "old")
        assert superseded(bench, older, newer)
        await bench.inbox.resume()
        await bench.drain(repository)
        assert bench.row(newer).state == "committed"
    assert (tag(repository), trailers(repository)) == ("new", [newer])


async def test_who_is_kept_out_of_a_full_batch_has_the_last_word(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It waits for its next attempt while as many older ones are due as go into a commit: it counts beside them."""
    monkeypatch.setattr("bot.flows.batch.BATCH", FULL)
    monkeypatch.setattr("bot.flows.decide.BATCH", FULL)
    repository = gitops_with(sandbox)
    async with draining(sandbox, tmp_path) as bench:
        sandbox.faults.cause("502 after", operation="Commit")
        newer = await stored(bench, repository, 1, "new")
        await bench.worker.drain(repository.id)
        await bench.inbox.postpone({newer: 600.0}, "GitHub answered 502")
        older = [await stored(bench, repository, number / FULL, f"old{number}") for number in range(FULL)]
        await bench.worker.drain(repository.id)
        await bench.worker.settle()
        assert bench.row(newer).state == "pending"
        assert [superseded(bench, each, newer) for each in older] == [True] * FULL
        await bench.drain(repository)
        assert bench.row(newer).state == "committed"
    assert (tag(repository), trailers(repository)) == ("new", [newer])


async def test_a_forced_replay_has_the_last_word_though_its_commit_landed_before(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    """It is not taken for done because of the commit of long ago: a newer one wrote over it, and somebody wants it."""
    repository = gitops_with(sandbox)
    async with draining(sandbox, tmp_path, retry=ONCE) as bench:
        sandbox.faults.cause("502 after", operation="Commit")
        wanted = await sent(bench, repository, 0, "wanted")
        newer = await sent(bench, repository, 2, "newer")
        assert (bench.row(wanted).state, bench.row(newer).state, tag(repository)) == ("dead", "committed", "newer")
        with closing(Records(tmp_path / DATABASE, write=True)) as records:
            records.replay(wanted, forced=True)
        await bench.drain(repository)
        assert (bench.row(wanted).state, bench.row(wanted).commit) == ("committed", repository.head())
    assert (tag(repository), trailers(repository)) == ("wanted", [wanted, newer, wanted])


@pytest.mark.parametrize("field", ["\"image['tag']\"", "'image[\"tag\"]'", "$.image.tag"])
async def test_a_field_is_the_same_however_it_is_spelt(sandbox: Sandbox, tmp_path: Path, field: str) -> None:
    """Two mappings name the same value differently: the newer delivery has the last word on it, by either."""
    repository = gitops_with(sandbox, SPELT.replace("FIELD", field))
    async with draining(sandbox, tmp_path) as bench:
        newer = await sent(bench, repository, 0, "new", by="a")
        older = await sent(bench, repository, -1, "old", by="b")
        assert superseded(bench, older, newer)
        newest = await sent(bench, repository, 2, "newest", by="b")
        late = await sent(bench, repository, 1, "late", by="a")
        assert superseded(bench, late, newest)
    assert tag(repository) == "newest"


async def test_a_late_create_does_not_bring_back_what_a_newer_one_deleted(sandbox: Sandbox, tmp_path: Path) -> None:
    """Who deleted a file had the last word on all of it, though there is no file any more."""
    repository = gitops_with(sandbox, PREVIEWS)
    async with draining(sandbox, tmp_path) as bench:
        await sent(bench, repository, -3, "first", do="up", pr="7")
        assert repository.read(PREVIEW) == b"tag: first\n"
        down = await sent(bench, repository, 0, "", do="down", pr="7")
        late = await sent(bench, repository, -1, "late", do="up", pr="7")
        assert bench.row(down).state == "committed"
        assert superseded(bench, late, down)
    assert len(repository.log()) == 1 + 2


async def test_a_late_delete_does_not_take_away_what_a_newer_one_wrote(sandbox: Sandbox, tmp_path: Path) -> None:
    """Who wrote one field of a file had the last word on whether it goes."""
    repository = gitops_with(sandbox, PREVIEWS)
    async with draining(sandbox, tmp_path) as bench:
        await sent(bench, repository, -3, "first", do="up", pr="7")
        newer = await sent(bench, repository, 0, "second", do="to", pr="7")
        late = await sent(bench, repository, -1, "", do="down", pr="7")
        assert superseded(bench, late, newer)
    assert repository.read(PREVIEW) == b"tag: second\n"


async def test_a_late_value_does_not_change_a_file_that_a_newer_one_made(sandbox: Sandbox, tmp_path: Path) -> None:
    """Who made a file had the last word on each field of it."""
    repository = gitops_with(sandbox, PREVIEWS)
    async with draining(sandbox, tmp_path) as bench:
        newer = await sent(bench, repository, 0, "new", do="up", pr="7")
        late = await sent(bench, repository, -1, "late", do="to", pr="7")
        assert superseded(bench, late, newer)
    assert repository.read(PREVIEW) == b"tag: new\n"
