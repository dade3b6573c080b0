"""Check runs as GitHub takes them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from adapters import adapter
from running import REFUSAL

from bot.compute.in_place import InPlace
from bot.core.message import Annotation, CheckRun
from bot.core.retry import Retry
from bot.errors import Transient
from bot.flows import report as flow

if TYPE_CHECKING:
    from bot.core.outcome import Outcome
    from bot.sandbox import Repository, Sandbox


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


def outcome(head: str) -> list[Outcome]:
    from bot.core.outcome import Outcome

    return [Outcome("d1", "failed", "because", head)]


async def test_a_passing_fault_delays_a_report(sandbox: Sandbox, gitops: Repository) -> None:
    """It is tried again by the flow, a few times."""
    sandbox.faults.add(path="/check-runs", status=502, body=REFUSAL)
    sandbox.faults.cause("malformed", path="/check-runs")
    async with adapter(sandbox, gitops) as (forge, repository, _):
        await flow.report(
            forge, InPlace(), repository, outcome(gitops.head()), Retry(attempts=3, first=0.001, longest=1.0)
        )
    assert len(gitops.check_runs()) == 1


@pytest.mark.parametrize(
    "fault", [{"status": 502, "times": 2}, {"status": 403, "headers": {"Retry-After": "3600"}, "times": 1}]
)
async def test_a_report_is_given_up_soon(sandbox: Sandbox, gitops: Repository, fault: dict[str, object]) -> None:
    """Commits wait behind it: neither for long nor for a limit that renews in an hour, and nothing is raised."""
    sandbox.faults.add(path="/check-runs", body=REFUSAL, **fault)
    async with adapter(sandbox, gitops) as (forge, repository, _):
        with pytest.raises(Transient):
            await flow._create(forge, repository, check_run(gitops.head()), Retry(2, 0.001, 1.0))
    sandbox.faults.add(path="/check-runs", body=REFUSAL, **fault)
    async with adapter(sandbox, gitops) as (forge, repository, _):
        await flow.report(forge, InPlace(), repository, outcome(gitops.head()), Retry(2, 0.001, 1.0))
    assert gitops.check_runs() == []
