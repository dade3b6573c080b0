"""May this actor make this changeset? The whole reasoning, and the sentences of what does not hold."""

from __future__ import annotations

import pytest

from bot.core.changeset import Changeset, FileChange
from bot.core.model import Actor
from bot.core.verdict import Verdict, judge

ACTOR = Actor("webhook", "octocat", 1)


def judged(*paths: str) -> Verdict:
    files = {path: FileChange(path, b"a", b"b", 0o100644, "", ()) for path in paths}
    return judge(ACTOR, Changeset("main", "1" * 40, files))


@pytest.mark.parametrize(
    ("path", "what"),
    [
        (".github/pointsman.yaml", "is the mapping file"),
        (".github/workflows/build.yml", "is a workflow"),
        (".github/workflows/nested/build.yml", "is a workflow"),
        ("CODEOWNERS", "says who reviews what"),
        (".github/actions/build/action.yml", "is below .github/, where code that runs may be"),
        (".github/CODEOWNERS", "says who reviews what"),
        ("docs/CODEOWNERS", "says who reviews what"),
    ],
)
def test_what_no_door_may_touch_is_an_objection(path: str, what: str) -> None:
    """The mapping file, workflows and CODEOWNERS are people's; one of them denies the whole changeset."""
    verdict = judged("environments/dev/values.yaml", path)
    assert not verdict.allowed
    assert verdict.objections == (f"{path} {what}; people change it, in a pull request",)


@pytest.mark.parametrize(
    "path",
    ["environments/dev/values.yaml", "apps/CODEOWNERS", "workflows/a.yml", "apps/.github/a.yml", "x.github/a.yml"],
)
def test_other_files_may_change(path: str) -> None:
    """Paths that only look similar are files like all others."""
    assert judged(path).objections == ()
    assert judged(path).allowed


def test_every_objection_is_told_and_nothing_else() -> None:
    """Several objections are several sentences, in the order of the paths."""
    verdict = judged("CODEOWNERS", "values.yaml", ".github/pointsman.yaml")
    assert [sentence.split()[0] for sentence in verdict.objections] == [".github/pointsman.yaml", "CODEOWNERS"]


def test_the_reasoning_names_the_actor_and_the_proof() -> None:
    """The tree says who asked and by what that is proven, for whoever reads the verdict."""
    proof = judged("values.yaml").result.children[0]
    assert (proof.name, proof.why) == ("the actor is proven", "octocat, by a signed webhook")
