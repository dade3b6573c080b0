"""Check runs as GitHub takes them, and finding one whose answer was lost."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from adapters import adapter

from bot.core.message import Annotation, CheckRun
from bot.errors import Transient

if TYPE_CHECKING:
    from bot.sandbox import Repository, Sandbox

AT = datetime(2026, 11, 21, 10, 0, 1, tzinfo=UTC)


def check_run(head: str, *annotations: Annotation, text: str = "") -> CheckRun:
    return CheckRun(head, "Pointsman dispatch", "failure", "Failed", "* `because`", text, "d1", annotations)


async def test_a_check_run_is_complete_at_once(sandbox: Sandbox, gitops: Repository) -> None:
    """Name, conclusion, output and the delivery's id, on the commit that was looked at."""
    async with adapter(sandbox, gitops) as (forge, repository, _):
        await forge.report(repository, check_run(gitops.head(), text="```diff\n```"))
    (run,) = gitops.check_runs(gitops.head())
    assert [run[name] for name in ("name", "status", "conclusion", "external_id")] == [
        "Pointsman dispatch",
        "completed",
        "failure",
        "d1",
    ]
    assert [run["output"][name] for name in ("title", "summary", "text")] == ["Failed", "* `because`", "```diff\n```"]


async def test_annotations_stand_at_their_line(sandbox: Sandbox, gitops: Repository) -> None:
    """Path, first and last line, and the sentence, as a failure."""
    async with adapter(sandbox, gitops) as (forge, repository, _):
        await forge.report(repository, check_run(gitops.head(), Annotation("a.yaml", 3, "wrong")))
    (run,) = gitops.check_runs()
    assert run["output"]["annotations"] == [
        {"path": "a.yaml", "start_line": 3, "end_line": 3, "annotation_level": "failure", "message": "wrong"}
    ]


async def test_a_commit_that_github_does_not_know_is_a_passing_fault(sandbox: Sandbox, gitops: Repository) -> None:
    """Not all of its servers know a commit that was made a second ago."""
    async with adapter(sandbox, gitops) as (forge, repository, _):
        with pytest.raises(Transient, match="No commit found for SHA"):
            await forge.report(repository, check_run("0" * 40))
        with pytest.raises(Transient, match="No commit found for SHA"):
            await forge.reported(repository, check_run("0" * 40), AT)


async def test_a_check_run_says_when_it_was_that_it_tells_of(sandbox: Sandbox, gitops: Repository) -> None:
    """Of one name GitHub shows what was completed last: what is said late does not hide what ended later."""
    async with adapter(sandbox, gitops) as (forge, repository, _):
        await forge.report(repository, check_run(gitops.head()), AT)
    (run,) = gitops.check_runs()
    assert (run["started_at"], run["completed_at"]) == ("2026-11-21T10:00:01Z", "2026-11-21T10:00:01Z")


async def test_a_check_run_is_found_by_its_delivery(sandbox: Sandbox, gitops: Repository) -> None:
    """Head, name and external_id are those that were sent; another delivery's, or another commit's, is another one."""
    head = gitops.head()
    async with adapter(sandbox, gitops) as (forge, repository, _):
        made = check_run(head)
        assert not await forge.reported(repository, made, AT)
        await forge.report(repository, made, AT)
        later = gitops.commit({"a": "b"}, "Later")
        assert await forge.reported(repository, made, AT)
        for other in (replace(made, name="Other"), replace(made, external_id="d2"), replace(made, head=later)):
            assert not await forge.reported(repository, other, AT)


async def test_an_earlier_end_of_the_same_delivery_is_another_check_run(sandbox: Sandbox, gitops: Repository) -> None:
    """A delivery that failed is replayed and fails again on the same commit: that is still to be said."""
    async with adapter(sandbox, gitops) as (forge, repository, _):
        await forge.report(repository, check_run(gitops.head()), AT)
        assert not await forge.reported(repository, check_run(gitops.head()), AT + timedelta(seconds=1))


async def test_a_check_run_is_found_behind_many_others(sandbox: Sandbox, gitops: Repository) -> None:
    """A quiet branch gathers hundreds of neutral ones on one commit: all pages are looked through, newest first."""
    async with adapter(sandbox, gitops) as (forge, repository, _):
        await forge.report(repository, check_run(gitops.head()), AT)
        (first,) = gitops.check_runs()
        gitops.runs += [{**first, "id": first["id"] + i, "external_id": f"other{i}"} for i in range(1, 151)]
        assert await forge.reported(repository, check_run(gitops.head()), AT)
        assert not await forge.reported(repository, replace(check_run(gitops.head()), external_id="none"), AT)


@pytest.mark.parametrize("body", [[], {}, {"check_runs": [{}]}, {"check_runs": [{"name": 1, "external_id": []}, 5]}])
async def test_a_list_of_another_shape_is_no_answer(sandbox: Sandbox, gitops: Repository, body: object) -> None:
    """Whether the check run is there is not known then: it is asked again."""
    async with adapter(sandbox, gitops) as (forge, repository, _):
        sandbox.faults.add(method="GET", path="/check-runs", status=200, body=body)
        sandbox.observer = None
        with pytest.raises(Transient, match="cannot be read"):
            await forge.reported(repository, check_run(gitops.head()), AT)
