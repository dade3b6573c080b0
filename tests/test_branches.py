"""One dispatch may go to several branches: an effect each, with a state each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from running import REFUSAL, draining, effects, running

from bot.flows.apply import BLOCKED_ATTEMPTS

if TYPE_CHECKING:
    from pathlib import Path

    from bot.sandbox import Repository, Sandbox

PATH = "values.yaml"
BRANCHES = ("staging", "release/1.x", "main")
MAPPING = """\
  - name: {name}
    branch: {branch}
    when: {{ app: '{app}' }}
    update:
      - {{ files: '{files}', set: {{ image.tag: '${{{{ tag }}}}' }} }}
"""


def rules(*branches: str, app: str = ".*", files: str = PATH) -> str:
    """A mapping file with one mapping for each branch."""
    return "version: 1\nmappings:\n" + "".join(
        MAPPING.format(name=f"to {branch}", branch=branch, app=app, files=files) for branch in branches
    )


def value(tag: str) -> str:
    return f"image: {{ tag: {tag} }}\n"


def gitops_with(sandbox: Sandbox, mappings: str) -> Repository:
    """A repository whose branches differ in a file of their own."""
    repository = sandbox.create_repository("acme/gitops", {".github/pointsman.yaml": mappings, PATH: value("1")})
    for branch in BRANCHES[:2]:
        repository.create_branch(branch)
        repository.commit({"own.yaml": f"# {branch}\n"}, "Diverge", branch)
    return repository


def heads(repository: Repository) -> dict[str, str]:
    return {branch: repository.head(branch) for branch in BRANCHES}


async def test_of_three_branches_the_protected_one_is_blocked_and_the_others_have_their_commit(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    """By the whole bot: two commits with a check run each, and a failed one with GitHub's sentence on the third head.

    When the rule is gone, "Redeliver" does only what is missing.
    """
    repository = gitops_with(sandbox, rules(*BRANCHES))
    repository.protect("release/1.x")
    before = heads(repository)
    async with running(sandbox, tmp_path) as bot:
        delivery = await sandbox.dispatch("acme/gitops", "x", {"app": "shop", "tag": "v2"})
        assert delivery is not None
        assert await bot.ended(delivery) == "blocked"
        main, blocked, staging = effects(tmp_path, delivery)
        assert [one.state for one in (main, blocked, staging)] == ["committed", "blocked", "committed"]
        assert [one.branch for one in (main, blocked, staging)] == ["main", "release/1.x", "staging"]
        assert "Repository rule violations found: Changes must be made through a pull request" in blocked.reason
        assert (main.commit, staging.commit) == (repository.head("main"), repository.head("staging"))
        assert repository.head("release/1.x") == before["release/1.x"]
        assert [repository.read(PATH, branch).decode() for branch in BRANCHES] == [value("v2"), value("1"), value("v2")]
        assert repository.read("own.yaml", "staging") == b"# staging\n"

        repository.protected.clear()
        after = heads(repository)
        (sent,) = (one for one in sandbox.webhooks.deliveries if one.guid == delivery)
        sandbox.webhooks.send_again(sent)
        await sandbox.webhooks.drained()
        assert await bot.ended(delivery) == "committed"
    assert {branch for branch in BRANCHES if repository.head(branch) != after[branch]} == {"release/1.x"}
    assert repository.read(PATH, "release/1.x").decode() == value("v2")
    (run,) = repository.check_runs(before["release/1.x"])
    assert (run["conclusion"], run["name"]) == ("failure", f"Pointsman dispatch {delivery[:8]}")
    assert blocked.reason in run["output"]["summary"]
    for branch in BRANCHES:
        (run,) = repository.check_runs(repository.head(branch))
        assert (run["conclusion"], run["output"]["title"]) == ("success", f"to {branch}: 1 file changed")
        assert f"on `{branch}`" in run["output"]["summary"]


@pytest.mark.parametrize("prefix", ["", "/api/v3"])
async def test_literal_paths_of_another_branch_cost_no_more_than_those_of_the_default_branch(
    sandbox: Sandbox, tmp_path: Path, prefix: str
) -> None:
    """The rules, the head of the branch with its files, the commit: three round trips by GraphQL."""
    repository = gitops_with(sandbox, rules("staging"))
    sandbox.graphql = not prefix
    async with draining(sandbox, tmp_path, prefix=prefix) as bench:
        row = await bench.dispatch(repository, {"app": "shop", "tag": "v2"})
    assert (row.state, row.commit) == ("committed", repository.head("staging"))
    assert repository.read(PATH, "main").decode() == value("1")
    if not prefix:
        asked = [request.operation for request in sandbox.requests if request.operation]
        assert asked == ["Open", "Open", "Commit"]


async def test_the_default_branch_by_its_name_is_the_default_branch(sandbox: Sandbox, tmp_path: Path) -> None:
    """`branch: main` and no branch at all are one destination: one commit."""
    mappings = rules("main") + "  - { name: all, update: [{ files: own.yaml, set: { image.tag: '${{ tag }}' } }] }\n"
    repository = gitops_with(sandbox, mappings)
    repository.commit({"own.yaml": value("1")}, "Add")
    async with draining(sandbox, tmp_path) as bench:
        row = await bench.dispatch(repository, {"app": "shop", "tag": "v2"})
    assert (row.state, row.commit) == ("committed", repository.head())
    assert sorted(repository.log()[0].paths) == ["own.yaml", PATH]


async def test_a_branch_that_is_not_there_fails_alone_where_people_look(sandbox: Sandbox, tmp_path: Path) -> None:
    """The other branch has its commit; each absent one has a check run of its own on the default branch's head."""
    repository = gitops_with(sandbox, rules("staging", "stagign", "${{ tag }}"))
    async with draining(sandbox, tmp_path) as bench:
        delivery = await bench.store(repository, {"app": "shop", "tag": "v2"})
        await bench.drain(repository)
        assert bench.row(delivery).state == "failed"
    ends = {effect.branch: effect.state for effect in effects(tmp_path, delivery)}
    assert ends == {"staging": "committed", "stagign": "failed", "v2": "failed"}
    runs = {run["name"]: run["output"]["summary"] for run in repository.check_runs(repository.head())}
    assert sorted(runs) == [f"Pointsman dispatch {delivery[:8]} to {branch}" for branch in ("stagign", "v2")]
    sentence = "acme/gitops has no branch 'stagign': create it, or fix the mapping's 'branch'"
    assert sentence in runs[f"Pointsman dispatch {delivery[:8]} to stagign"]


@pytest.mark.parametrize("graphql", [True, False])
async def test_an_absent_branch_is_told_from_an_absent_repository(
    sandbox: Sandbox, tmp_path: Path, graphql: bool
) -> None:
    """By either API the sentence names the branch."""
    repository = gitops_with(sandbox, rules("gone"))
    sandbox.graphql = graphql
    async with draining(sandbox, tmp_path, prefix="" if graphql else "/api/v3") as bench:
        row = await bench.dispatch(repository, {"app": "shop", "tag": "v2"})
    assert row.state == "failed"
    assert row.reason == "acme/gitops has no branch 'gone': create it, or fix the mapping's 'branch'"


async def test_what_landed_on_one_branch_is_not_done_again_when_another_has_to_wait(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    """The second commit meets a 502: the next attempt makes that one only, whatever became of the first branch."""
    repository = gitops_with(sandbox, rules("main", "staging"))
    async with draining(sandbox, tmp_path) as bench:
        delivery = await bench.store(repository, {"app": "shop", "tag": "v2"})
        sandbox.faults.add(operation="Commit", branch="staging", status=502, body=REFUSAL)
        assert await bench.drain(repository) is not None
        assert bench.row(delivery).state == "pending"
        assert [effect[:2] for effect in effects(tmp_path, delivery)] == [("main", "committed")]
        repository.commit({PATH: value("a person's")}, "Foreign")
        assert await bench.drain(repository) is None
        assert bench.row(delivery).state == "committed"
    assert repository.read(PATH, "main").decode() == value("a person's")
    assert repository.read(PATH, "staging").decode() == value("v2")


async def test_a_branch_that_moved_is_looked_at_again_alone(sandbox: Sandbox, tmp_path: Path) -> None:
    """A foreign commit on one of two branches: the other one has one commit, and both changes survive."""
    repository = gitops_with(sandbox, rules("main", "staging"))
    foreign = lambda: repository.commit({"own.yaml": "theirs\n"}, "Foreign", "staging")  # noqa: E731 - said once
    sandbox.before(foreign, operation="Commit", branch="staging")
    async with draining(sandbox, tmp_path) as bench:
        row = await bench.dispatch(repository, {"app": "shop", "tag": "v2"})
    assert (row.state, row.attempts) == ("committed", 1)
    assert [entry.message.partition("\n")[0] for entry in repository.log("staging")[:2]] == [
        "to staging: v2",
        "Foreign",
    ]
    assert repository.read("own.yaml", "staging") == b"theirs\n"
    assert len(repository.log("main")) == 2


async def test_a_branch_that_refuses_everything_costs_the_others_nothing(sandbox: Sandbox, tmp_path: Path) -> None:
    """Each branch is halved by itself: of many deliveries for two branches those of one land, in one commit."""
    mappings = rules("main", "staging", files="apps/${{ app }}.yaml")
    repository = gitops_with(sandbox, mappings)
    apps = {f"apps/{i}.yaml": value("1") for i in range(20)}
    for branch in ("main", "staging"):
        repository.commit(apps, "Apps", branch)
    repository.protect("main")
    async with draining(sandbox, tmp_path) as bench:
        sent = [await bench.store(repository, {"app": str(i), "tag": "v2"}) for i in range(20)]
        before = len(repository.log("staging"))
        while await bench.drain(repository) is not None:
            pass
        ends: dict[str, set[Any]] = {"main": set(), "staging": set()}
        for delivery in sent:
            for effect in effects(tmp_path, delivery):
                ends[effect.branch].add(effect.state)
    assert ends == {"main": {"blocked"}, "staging": {"committed"}}
    assert len(repository.log("staging")) == before + 1
    assert (
        sum(request.operation == "Commit" for request in sandbox.requests) <= BLOCKED_ATTEMPTS + 5
    )  # the halves that were still to be tried


async def test_the_rules_of_the_default_branch_govern_every_branch(sandbox: Sandbox, tmp_path: Path) -> None:
    """A mapping file on another branch is never read."""
    repository = gitops_with(sandbox, rules("staging"))
    repository.commit({".github/pointsman.yaml": "version: nonsense"}, "Break", "staging")
    async with draining(sandbox, tmp_path) as bench:
        assert (await bench.dispatch(repository, {"app": "shop", "tag": "v2"})).state == "committed"
