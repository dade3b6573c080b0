"""Somebody commits between our read and our write: the rules are evaluated again, and both changes survive."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from running import draining, logged

from bot.flows.apply import EVALUATIONS

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from bot.sandbox import Repository, Sandbox

PATH = "values.yaml"
OTHER = "other.yaml"
MAPPINGS = """\
version: 1
mappings:
  - name: app
    when: { tag: '.*-dev' }
    update:
      - { files: values.yaml, set: { image.tag: '${{ tag }}' } }
"""
AUTHOR = MAPPINGS + "commit: { author: { name: build, email: build@internal } }\n"
TWO = AUTHOR.replace("files: values.yaml", "files: [values.yaml, other.yaml]")
VALUE = "image: { tag: 1-dev }\nreplicas: 1\n"

# The rules, and the request that writes by them: GraphQL, the Contents API, the Git Data API.
WAYS = [
    pytest.param(MAPPINGS, {"operation": "Commit"}, id="graphql"),
    pytest.param(AUTHOR, {"method": "PUT", "path": "/contents/"}, id="contents"),
    pytest.param(TWO, {"method": "PATCH", "path": "/git/refs/"}, id="git data"),
]


def gitops_with(sandbox: Sandbox, mappings: str) -> Repository:
    return sandbox.create_repository("acme/gitops", {".github/pointsman.yaml": mappings, PATH: VALUE, OTHER: VALUE})


def races(repository: Repository, content: Callable[[int], dict[str, str]]) -> Callable[[], None]:
    """A callback that commits like somebody else, each time it is called."""
    count = 0

    def race() -> None:
        nonlocal count
        count += 1
        repository.commit(content(count), f"Foreign {count}")

    return race


@pytest.mark.parametrize(("mappings", "write"), WAYS)
async def test_a_foreign_change_of_the_same_file_survives(
    sandbox: Sandbox, tmp_path: Path, mappings: str, write: dict[str, str]
) -> None:
    """Another line of the file changes under us: it is read again, and ours comes on top."""
    repository = gitops_with(sandbox, mappings)
    race = races(repository, lambda _: {PATH: VALUE.replace("replicas: 1", "replicas: 2")})
    sandbox.before(race, **write)
    async with draining(sandbox, tmp_path) as bench:
        row = await bench.dispatch(repository, {"tag": "2-dev"})
    assert (row.state, row.commit, row.attempts) == ("committed", repository.head(), 1)
    assert repository.read(PATH).decode() == "image: { tag: 2-dev }\nreplicas: 2\n"
    assert [entry.message.partition("\n")[0] for entry in repository.log()[:2]] == ["app: 2-dev", "Foreign 1"]


@pytest.mark.parametrize(("mappings", "write"), WAYS)
async def test_a_foreign_change_of_another_file_survives(
    sandbox: Sandbox, tmp_path: Path, mappings: str, write: dict[str, str]
) -> None:
    """One commit of ours, on top of theirs, with nothing of theirs undone."""
    repository = gitops_with(sandbox, mappings)
    sandbox.before(races(repository, lambda _: {"third.yaml": "theirs\n"}), **write)
    async with draining(sandbox, tmp_path) as bench:
        row = await bench.dispatch(repository, {"tag": "2-dev"})
    assert (row.state, row.commit) == ("committed", repository.head())
    assert repository.read("third.yaml") == b"theirs\n"
    assert repository.read(PATH).decode() == VALUE.replace("1-dev", "2-dev")
    assert len(repository.log()) == 3


@pytest.mark.parametrize(("mappings", "write"), [WAYS[0], WAYS[2]])
async def test_the_rules_of_the_foreign_commit_apply(
    sandbox: Sandbox, tmp_path: Path, mappings: str, write: dict[str, str]
) -> None:
    """The mapping file changed between read and write: what it says now counts, the old target stays untouched."""
    repository = gitops_with(sandbox, mappings)
    moved = mappings.replace("[values.yaml, other.yaml]", "values.yaml").replace("values.yaml", OTHER)
    sandbox.before(races(repository, lambda _: {".github/pointsman.yaml": moved}), **write)
    async with draining(sandbox, tmp_path) as bench:
        assert (await bench.dispatch(repository, {"tag": "2-dev"})).state == "committed"
    assert repository.read(PATH).decode() == VALUE
    assert repository.read(OTHER).decode() == VALUE.replace("1-dev", "2-dev")
    assert list(repository.log()[0].paths) == [OTHER]


async def test_rules_that_changed_under_the_contents_api_are_applied_as_well(sandbox: Sandbox, tmp_path: Path) -> None:
    """That API cannot demand a head: the commit lands, its parent shows the race, and the new rules are applied too."""
    repository = gitops_with(sandbox, AUTHOR)
    moved = AUTHOR.replace("values.yaml", OTHER)
    sandbox.before(races(repository, lambda _: {".github/pointsman.yaml": moved}), method="PUT", path="/contents/")
    async with draining(sandbox, tmp_path) as bench:
        row = await bench.dispatch(repository, {"tag": "2-dev"})
    assert (row.state, row.commit) == ("committed", repository.head())
    assert repository.read(OTHER).decode() == VALUE.replace("1-dev", "2-dev")
    assert [list(entry.paths) for entry in repository.log()[:3]] == [[OTHER], [PATH], [".github/pointsman.yaml"]]


async def test_a_commit_on_a_newer_head_is_the_end_where_the_rules_say_nothing_more(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    """The Contents API landed on a head that we had not read: looked at again, nothing is left to do, committed."""
    repository = gitops_with(sandbox, AUTHOR)
    sandbox.before(races(repository, lambda _: {"third.yaml": "theirs\n"}), method="PUT", path="/contents/")
    async with draining(sandbox, tmp_path) as bench:
        row = await bench.dispatch(repository, {"tag": "2-dev"})
    assert (row.state, row.commit) == ("committed", repository.head())
    assert [exchange.method for exchange in sandbox.requests].count("PUT") == 1
    assert sum(exchange.operation == "Open" for exchange in sandbox.requests) == 2
    (run,) = repository.check_runs()
    assert (run["head_sha"], run["conclusion"]) == (row.commit, "success")


@pytest.mark.parametrize(("mappings", "write"), WAYS)
async def test_a_head_that_moves_seven_times_in_a_row_is_caught_up_with(
    sandbox: Sandbox, tmp_path: Path, mappings: str, write: dict[str, str]
) -> None:
    """Every evaluation but the last meets a moved head; the last one lands, at the first attempt."""
    repository = gitops_with(sandbox, mappings)
    race = races(repository, lambda i: {PATH: VALUE.replace("replicas: 1", f"replicas: {i + 1}")})
    sandbox.before(race, times=EVALUATIONS - 1, **write)
    async with draining(sandbox, tmp_path) as bench:
        row = await bench.dispatch(repository, {"tag": "2-dev"})
    assert (row.state, row.attempts) == ("committed", 1)
    assert repository.read(PATH).decode() == f"image: {{ tag: 2-dev }}\nreplicas: {EVALUATIONS}\n"


async def test_a_head_that_never_rests_is_waited_for(
    sandbox: Sandbox, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """After eight evaluations the delivery waits for its next turn, with the attempt counted; then it lands."""
    repository = gitops_with(sandbox, MAPPINGS)
    race = races(repository, lambda i: {OTHER: f"{i}\n"})
    sandbox.before(race, times=EVALUATIONS, operation="Commit")
    async with draining(sandbox, tmp_path) as bench:
        delivery = await bench.store(repository, {"tag": "2-dev"})
        assert await bench.drain(repository) == 1.0
        assert (bench.row(delivery).state, bench.row(delivery).attempts) == ("pending", 1)
        assert await bench.drain(repository) is None
        assert bench.row(delivery).state == "committed"
    (waited,) = [event["reason"] for event in logged(capsys.readouterr().err) if event["event"] == "again later"]
    assert waited.startswith("the branch moved 8 times while the rules were evaluated; others write")


async def test_a_foreign_commit_that_sets_the_value_leaves_nothing_to_do(sandbox: Sandbox, tmp_path: Path) -> None:
    """Somebody was faster with the same change: no commit of ours."""
    repository = gitops_with(sandbox, MAPPINGS)
    race = races(repository, lambda _: {PATH: VALUE.replace("1-dev", "2-dev")})
    sandbox.before(race, operation="Commit")
    async with draining(sandbox, tmp_path) as bench:
        row = await bench.dispatch(repository, {"tag": "2-dev"})
    assert (row.state, row.reason) == ("no_change", "mapping 'app': the value is there already in values.yaml")
    assert repository.log()[0].message == "Foreign 1"
