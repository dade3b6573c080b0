"""Races, limits and rules in all of GitHub's words, at each way to write: what becomes of the dispatches."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from running import draining, running
from written import AUTHOR, MAPPINGS, OTHER, PATH, TWO, VALUE, gitops_with, tag, trailers

from bot.sandbox.preset_limits import LIMITS
from bot.sandbox.races import CONTENTS, GRAPHQL, REF, WORDINGS
from bot.sandbox.rules import BRANCH_RULES, PUSH_RULES

if TYPE_CHECKING:
    from pathlib import Path

    from bot.sandbox import Repository, Sandbox


class Way(NamedTuple):
    """A way to write: by which door the commit comes, the rules that lead there, whether the server has GraphQL."""

    door: str
    mappings: str
    graphql: bool = True


WAYS = {
    "graphql": Way(GRAPHQL, MAPPINGS),
    "contents": Way(CONTENTS, AUTHOR),
    "git data": Way(REF, TWO),
    "contents, only REST": Way(CONTENTS, MAPPINGS, graphql=False),
    "git data, only REST": Way(REF, TWO, graphql=False),
}
# What has the form of a secret, to GitHub and to the sandbox, as a tag.
SECRET = "ghp_" + "a1B2" * 9


def made(sandbox: Sandbox, way: Way) -> Repository:
    """Return acme/gitops on a server of this kind."""
    sandbox.graphql = way.graphql
    return gitops_with(sandbox, way.mappings)


# -- races

RACES = [(way, word) for way, made in WAYS.items() for word, told in WORDINGS.items() if told.way == made.door]


@pytest.mark.parametrize(("name", "word"), RACES)
async def test_a_lost_race_in_any_words_is_committed_once(
    sandbox: Sandbox, tmp_path: Path, name: str, word: str
) -> None:
    """A person was faster: the rules are evaluated on what is there now, at the first attempt, and both are kept."""
    repository = made(sandbox, WAYS[name])
    sandbox.races.word(word)
    repository.commit_before_next_write({PATH: VALUE.replace("replicas: 1", "replicas: 9")})
    async with draining(sandbox, tmp_path) as bench:
        delivery = await bench.store(repository, {"tag": "2-dev"})
        assert await bench.drain(repository) is None
        row = bench.row(delivery)
    assert (row.state, row.attempts, row.commit) == ("committed", 1, repository.head())
    assert (tag(repository), trailers(repository)) == ("2-dev", [delivery])
    assert b"replicas: 9" in repository.read(PATH)
    assert [run["conclusion"] for run in repository.check_runs()] == ["success"]


@pytest.mark.parametrize("name", WAYS)
async def test_a_race_for_another_file_is_a_race_too(sandbox: Sandbox, tmp_path: Path, name: str) -> None:
    """Three times in a row, in whatever words: our commit comes on top of theirs."""
    repository = made(sandbox, WAYS[name])
    sandbox.races.word()
    writes = iter(range(3))

    def meddle() -> None:
        number = next(writes, None)
        if number is not None:
            repository.commit({"README.md": str(number)}, "A person was faster")

    sandbox.before(meddle, repository=repository.id, moves=True, times=None)
    async with draining(sandbox, tmp_path) as bench:
        row = await bench.dispatch(repository, {"tag": "2-dev"})
    assert (row.state, row.attempts, row.commit) == ("committed", 1, repository.head())
    assert (repository.read("README.md"), len(trailers(repository))) == (b"2", 1)


# -- limits


def concerns(name: str, way: Way) -> bool:
    """Say whether a limit can befall a way to write: some are told by GraphQL, or to what makes something by REST."""
    path = LIMITS[name].get("path", "")
    return "access_tokens" in path or (("graphql" in path) == (way.door == GRAPHQL) if path else True)


@pytest.mark.parametrize(("name", "limit"), [(way, one) for way in WAYS for one in LIMITS if concerns(one, WAYS[way])])
async def test_a_limit_in_any_words_is_one_pause_for_the_installation(
    sandbox: Sandbox, tmp_path: Path, name: str, limit: str
) -> None:
    """Nothing more is sent for any of its repositories until the pause is over; then each has its one commit."""
    repository = made(sandbox, WAYS[name])
    other = sandbox.create_repository(
        "acme/other", {".github/pointsman.yaml": WAYS[name].mappings, PATH: VALUE, OTHER: VALUE}
    )
    renewed = {"x-ratelimit-reset": str(int(time.time()) + 900)} if "primary" in limit else {}
    sandbox.faults.cause(limit, times=None, moves="token" not in limit, headers=renewed)
    async with draining(sandbox, tmp_path) as bench:
        first = await bench.store(repository, {"tag": "2-dev"})
        pause = await bench.drain(repository)
        assert pause is not None
        assert pause >= 59
        sent = len(sandbox.requests)
        second = await bench.store(other, {"tag": "2-dev"})
        for waiting in (other, repository, other):
            again = await bench.drain(waiting)
            assert again is not None
            assert again > 50
        assert len(sandbox.requests) == sent
        assert "rate limit" in bench.row(first).reason
        sandbox.faults.clear()
        bench.later()
        assert [await bench.drain(one) for one in (repository, other)] == [None, None]
        assert [bench.row(one).state for one in (first, second)] == ["committed"] * 2
    assert [trailers(one) for one in (repository, other)] == [[first], [second]]


# -- rules


@pytest.mark.parametrize("name", WAYS)
@pytest.mark.parametrize("classic", [True, False])
@pytest.mark.parametrize("kind", BRANCH_RULES)
async def test_a_rule_of_the_branch_blocks_in_its_own_words(
    sandbox: Sandbox, tmp_path: Path, name: str, kind: str, classic: bool
) -> None:
    """The head stays, the reason has GitHub's sentence, and a failed check run says so; nothing is tried again."""
    repository = made(sandbox, WAYS[name])
    repository.protect(kind=kind, classic=classic)
    head = repository.head()
    async with draining(sandbox, tmp_path) as bench:
        row = await bench.dispatch(repository, {"tag": "2-dev"})
    if kind == "signatures" and "author" not in WAYS[name].mappings:
        assert (row.state, row.commit) == ("committed", repository.head())
        return
    assert (row.state, row.attempts, repository.head()) == ("blocked", 1, head)
    assert BRANCH_RULES[kind].removesuffix(".") in row.reason
    assert [run["conclusion"] for run in repository.check_runs()] == ["failure"]


FORBIDDEN: dict[str, tuple[Any, str]] = {
    "file path": ("*alues.yaml", "2-dev"),
    "file extension": ("yaml", "2-dev"),
    "file size": (10, "2-dev"),
    "secret scanning": ("", SECRET),
}


@pytest.mark.parametrize("name", WAYS)
@pytest.mark.parametrize("kind", PUSH_RULES)
async def test_a_rule_for_pushes_blocks_what_it_forbids(sandbox: Sandbox, tmp_path: Path, name: str, kind: str) -> None:
    """A path, an extension, a size or a secret: the head stays, and the reason has GitHub's sentence."""
    repository = made(sandbox, WAYS[name])
    value, wanted = FORBIDDEN[kind]
    repository.restrict_pushes(kind, value)
    head = repository.head()
    async with draining(sandbox, tmp_path) as bench:
        row = await bench.dispatch(repository, {"tag": wanted})
    assert (row.state, row.attempts, repository.head()) == ("blocked", 1, head)
    assert PUSH_RULES[kind] in row.reason


# -- servers that can do less


@pytest.mark.parametrize("name", ["graphql", "contents", "git data"])
async def test_a_schema_without_the_mutation_is_written_to_by_rest(sandbox: Sandbox, tmp_path: Path, name: str) -> None:
    """At the first attempt: what the schema lacks, the other API can do."""
    repository = made(sandbox, WAYS[name])
    sandbox.graphql_without = {"createCommitOnBranch"}
    async with draining(sandbox, tmp_path) as bench:
        delivery = await bench.store(repository, {"tag": "2-dev"})
        while await bench.drain(repository) is not None:
            assert bench.row(delivery).attempts < 3
        assert bench.row(delivery).state == "committed"
    assert (tag(repository), trailers(repository)) == ("2-dev", [delivery])


async def test_a_query_for_too_many_files_becomes_smaller_ones(sandbox: Sandbox, tmp_path: Path) -> None:
    """Twenty files, of which GitHub gives three at a time: one commit with all of them."""
    names = [f"values-{number}.yaml" for number in range(20)]
    mappings = MAPPINGS.replace("files: values.yaml", f"files: [{', '.join(names)}]")
    repository = sandbox.create_repository(
        "acme/gitops", {".github/pointsman.yaml": mappings, **dict.fromkeys(names, VALUE)}
    )
    sandbox.files_per_query = 3
    async with draining(sandbox, tmp_path) as bench:
        row = await bench.dispatch(repository, {"tag": "2-dev"})
    assert (row.state, row.attempts) == ("committed", 1)
    assert repository.log()[0].paths == tuple(sorted(names))


@pytest.mark.parametrize("name", ["graphql", "contents, only REST"])
async def test_an_address_that_is_not_the_apis_is_told_with_the_setting(
    sandbox: Sandbox, tmp_path: Path, name: str
) -> None:
    """406 to everything: the reason names the setting and the form of the right address, and waiting ends by itself."""
    repository = made(sandbox, WAYS[name])
    sandbox.faults.cause("406", times=None)
    async with draining(sandbox, tmp_path) as bench:
        delivery = await bench.store(repository, {"tag": "2-dev"})
        assert await bench.drain(repository) is not None
        assert "GITHUB_API_URL must be the API's own address" in bench.row(delivery).reason
        sandbox.faults.clear()
        assert await bench.drain(repository) is None
        assert bench.row(delivery).state == "committed"
    assert trailers(repository) == [delivery]


# -- webhooks


async def test_webhooks_out_of_order_leave_the_newest_value(sandbox: Sandbox, tmp_path: Path) -> None:
    """Eight dispatches come shuffled: each ends, and what was sent last is what is there."""
    repository = gitops_with(sandbox)
    sandbox.webhooks.shuffle(8, event="repository_dispatch")
    async with running(sandbox, tmp_path) as bot:
        sent = [await sandbox.dispatch("acme/gitops", "x", {"tag": f"{number}-dev"}) for number in range(2, 10)]
        await sandbox.webhooks.drained()
        ended = {await bot.ended(delivery) for delivery in sent}
    assert ended <= {"committed", "no_change"}
    assert tag(repository) == "9-dev"
