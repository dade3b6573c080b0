"""The files that rules do not write."""

from __future__ import annotations

import time

import pytest
from fuzzing import examples
from hypothesis import given
from hypothesis import strategies as st

from bot.core.glob import Glob
from bot.core.protected import Protection, below_dot_github, never_opened, refusal, refusals
from bot.core.snapshot import matching

OPEN = Protection((Glob("**"),))

NEVER = [
    ".github/pointsman.yaml",
    ".github/workflows/x.yml",
    ".github/dependabot.yml",
    ".github",
    "CODEOWNERS",
    "docs/CODEOWNERS",
    ".gitlab/CODEOWNERS",
    ".gitea/CODEOWNERS",
]
DISGUISED = [
    ".GitHub/workflows/x.yml",
    ".GITHUB/WORKFLOWS/X.YML",
    ".github./workflows/x.yml",
    ".github /workflows/x.yml",
    ".github/workflows./x.yml",
    ".g\u200cithub/workflows/x.yml",
    "\ufeff.github/pointsman.yaml",
    ".\uff47ithub/x",
    ".github::$INDEX_ALLOCATION/workflows/x.yml",
    ".github:x/workflows/x.yml",
    ".github\\workflows\\x.yml",
    "github~1/workflows/x.yml",
    "GITHUB~2/x",
    "gi0123~1/x",
    "C:.github/x",
    ".../.github/x",
    "codeowners",
    "CodeOwners",
    "CODEOWNERS.",
    "CODEOWNERS ",
    "CODEOWNERS::$DATA",
    "CODEOWNER\u017f",
    "CODE\u00adOWNERS",
    "codeow~1",
    "Docs/CODEOWNERS",
    "docs./CODEOWNERS",
    "DOCS/codeowners",
]
RUN = [
    ".gitmodules",
    ".gitattributes",
    "charts/.gitattributes",
    ".lfsconfig",
    ".gitlab-ci.yml",
    "ci/build.gitlab-ci.yml",
    ".gitlab/agents/prod/config.yaml",
    ".circleci/config.yml",
    "Jenkinsfile",
    "ci/Jenkinsfile.prod",
    "azure-pipelines.yml",
    "azure-pipelines-prod.yaml",
    "bitbucket-pipelines.yml",
    ".travis.yml",
    ".drone.yml",
    ".woodpecker.yml",
    ".woodpecker/build.yaml",
    ".buildkite/pipeline.yml",
    ".forgejo/workflows/x.yml",
    ".gitea/workflows/x.yml",
    "appveyor.yml",
    ".semaphore/semaphore.yml",
    ".teamcity/settings.kts",
    "cloudbuild.yaml",
    "buildspec.yml",
    ".cirrus.yml",
    ".tekton/push.yaml",
    "action.yml",
    "tools/build/action.yaml",
    ".husky/pre-commit",
    "web/.husky/_/husky.sh",
    ".githooks/post-checkout",
    ".pre-commit-config.yaml",
    "lefthook.yml",
    ".envrc",
    ".vscode/tasks.json",
    ".idea/workspace.xml",
    ".devcontainer/devcontainer.json",
    "renovate.json",
    ".mergify.yml",
    "atlantis.yaml",
    "dependabot.yml",
    "AGENTS.md",
    "OWNERS",
    "x/HEAD",
]
RUN_DISGUISED = [
    "jenkinsfile",
    "JENKINSFILE ",
    "jenkin~1",
    ".GitModules",
    "gitmod~1",
    "x/gi7eba~1",
    "x/gi7d29~1",
    ".git\u200cmodules",
    ".gitattributes::$DATA",
    "GITLAB~1.YML",
    ".gitlab-ci.yml.",
    ".CircleCI/config.yml",
    "circle~1/config.yml",
    "Action.YML",
    "action~1.yam",
    ".hus\u212ay/pre-commit",
    "husky~1/pre-commit",
    "azure-~1.yml",
]
# What rules are for.
FINE = [
    "environments/dev/values.yaml",
    "apps/shop/kustomization.yaml",
    "charts/shop/Chart.yaml",
    "charts/shop/templates/deployment.yaml",
    "docker-compose.yml",
    "compose.prod.yaml",
    "argocd/application.yaml",
    "clusters/prod/flux-system/gotk-sync.yaml",
    ".argocd-source-shop.yaml",
    "helmfile.yaml",
    "skaffold.yaml",
    "infra/prod.tfvars",
    "Dockerfile",
    "Makefile",
    "package.json",
    "README.md",
    ".gitignore",
    ".mailmap",
    ".gitkeep",
    ".sops.yaml",
    "apps/CODEOWNERS",
    "a/docs/CODEOWNERS",
    "workflows/a.yml",
    "apps/.github/a.yml",
    "x.github/a.yml",
    "github/a.yml",
    ".github-x/a.yml",
    "myaction.yml",
    "actions/values.yaml",
    "Jenkinsfiles/values.yaml",
    "jenkins/values.yaml",
    "a:b",
    "aux/values.yaml",
    "backup~1",
    "values~1.yam",
    "~/x",
    "-rf",
    "ü/日本.yaml",
    "👩\u200d💻/values.yaml",
]


@pytest.mark.parametrize("path", NEVER + DISGUISED)
def test_nothing_opens_the_mapping_file_dot_github_and_codeowners(path: str) -> None:
    """However they are spelt and whatever `allow_files` says."""
    assert (refusal(path, OPEN) or "").endswith("people change it, in a pull request")
    assert (never_opened(path) or "").startswith(f"'allow_files' never opens {path}, which ")


@pytest.mark.parametrize("path", RUN + RUN_DISGUISED)
def test_files_that_run_by_themselves_are_opened_by_allow_files_only(path: str) -> None:
    """Without it the sentence names the key."""
    assert "list it under 'allow_files:'" in (refusal(path, Protection()) or "")
    assert refusal(path, OPEN) is None
    assert never_opened(path) is None


def test_a_glob_of_allow_files_opens_what_it_matches_to_the_letter() -> None:
    """Another spelling of the same file is not the one that people reviewed."""
    opened = Protection((Glob("Jenkinsfile"), Glob("tools/*/action.yml")))
    assert refusal("Jenkinsfile", opened) is None
    assert refusals(["Jenkinsfile", "action.yml", "Jenkinsfile"], opened).keys() == {"action.yml"}
    assert refusal("tools/a/action.yml", opened) is None
    for path in ("jenkinsfile", "Jenkinsfile.", "ci/Jenkinsfile", "action.yml", "tools/a/Action.yml"):
        assert refusal(path, opened) is not None


@pytest.mark.parametrize("path", FINE)
def test_everything_else_is_for_rules(path: str) -> None:
    """Manifests, charts and names that only look similar may change."""
    assert refusal(path, Protection()) is None
    assert matching([Glob("**")], [path]) == [path]


def test_a_disguise_is_shown() -> None:
    """The reader sees which characters are there, and that not every file system does."""
    assert refusal(".g\u200cithub/workflows/x.yml", Protection()) == (
        "'.g\\u200cithub/workflows/x.yml', as some file systems read it, is a workflow; "
        "people change it, in a pull request"
    )
    assert refusal("Jenkinsfile", Protection()) == (
        "Jenkinsfile is a file on which Jenkins acts by itself: list it under 'allow_files:' if mappings may change it"
    )


def test_the_file_that_the_rules_stand_in_is_theirs_wherever_it_is() -> None:
    """A mapping file that is named on the command line is no less one."""
    protection = Protection((Glob("**"),), "ci/Mappings.yaml")
    for path in ("ci/Mappings.yaml", "CI/mappings.yaml.", "ci/mappin~1.yam", ".github/pointsman.yaml"):
        assert refusal(path, protection) is not None
    assert refusal("mappings.yaml", protection) is None


@pytest.mark.parametrize("path", [path for path in NEVER + DISGUISED if "github" in path.lower().replace("\u200c", "")])
def test_no_glob_reaches_below_dot_github(path: str) -> None:
    """A glob over everything passes every spelling of it over."""
    assert matching([Glob("**")], ["a", path]) == ["a"]


@given(st.sampled_from(NEVER + DISGUISED), st.data())
@examples(300)
def test_a_spelling_of_a_spelling_is_as_little_open(path: str, data: st.DataObject) -> None:
    """Another case, ignored characters and other ends of a part make nothing open that was not."""
    parts = path.split("/")
    at = data.draw(st.integers(0, len(parts) - 1))
    name = data.draw(st.sampled_from([parts[at], parts[at].upper(), parts[at].lower()]))
    cut = data.draw(st.integers(0, len(name)))
    ignored, end = (
        data.draw(st.sampled_from(["", "\u200d", "\u2060", "\ufe0f"])),
        data.draw(st.sampled_from(["", ". .", ":x"])),
    )
    parts[at] = f"{name[:cut]}{ignored}{name[cut:]}{end}"
    assert refusal("/".join(parts), OPEN) is not None


@given(st.text(max_size=10))
@examples(1_000)
def test_every_path_is_judged(path: str) -> None:
    """No text stops us, and the quick look overlooks nothing."""
    for name in (path, f"{path}.github/x", f"{path}/.github/x", f".github{path}/x"):
        why = refusal(name, OPEN)
        assert below_dot_github(name) or "is below .github/" not in (why or "")


def test_a_large_repository_is_sifted_quickly() -> None:
    """A hundred thousand paths take a fraction of a second, of which ours is little."""
    paths = [f"apps/team-{index % 100}/service-{index}/.gitea-values.yaml" for index in range(100_000)]
    start = time.process_time()
    assert not any(below_dot_github(path) for path in paths)
    assert [path for path in paths[:5_000] if refusal(path, Protection())] == []
    assert time.process_time() - start < 1
