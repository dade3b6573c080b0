"""The GitHub Action `action/apply`: its inputs and outputs, and its script as a runner runs it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[1]
ACTION: Any = yaml.safe_load((ROOT / "action" / "apply" / "action.yml").read_text())
STEPS: list[dict[str, Any]] = ACTION["runs"]["steps"]
(APPLY,) = (step for step in STEPS if step.get("id") == "apply")

# What the search-and-replace action documents.
INPUTS = [
    "mappings",
    "directory",
    "dump",
    "if_no_match_fail",
    "if_well_known_vars_missing_fail",
    "updated_file_suffix",
    "register_custom_regexes",
    "register_custom_variables",
    "commit",
    "commit_template",
    "committer_name",
    "committer_email",
    "skip-regexes-autodetect",
    "skip-variables-autodetect",
    "docker_image_tag",
    "docker_image_tag_regex",
    "git_tag",
    "git_tag_regex",
    "git_branch",
    "git_branch_regex",
]

FILE = b'image:\n  imageTag: "1.0-dev" # ours\n  customer: "1"\n'
MAPPINGS = "docker_image_tag==.*-dev {THEN_UPDATE_FILES} **dev/values.yaml=docker_image_tag_regex&customer_regex"
GIVEN = {
    "mappings": MAPPINGS,
    "docker_image_tag": "2.0-dev",
    "docker_image_tag_regex": 'imageTag: \\"(?<docker_image_tag>.*)\\"',
}


def inputs_used(text: str) -> list[str]:
    """Return the inputs that expressions in a text use."""
    return re.findall(r"\$\{\{ inputs\.([\w-]+) \}\}", text)


def environment(folder: Path, given: dict[str, str]) -> dict[str, str]:
    """Return what the runner gives the step: its inputs, their defaults, and the files of the workflow."""
    values = {name: given.get(name, spec.get("default", "")) for name, spec in ACTION["inputs"].items()}
    step = {
        name: re.sub(r"\$\{\{ inputs\.([\w-]+) \}\}", lambda found: values[found[1]], text)
        for name, text in APPLY["env"].items()
    }
    home = str(folder.with_name("home"))
    return step | {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "HOME": home,
        "XDG_CONFIG_HOME": home,
        "GITHUB_ACTIONS": "true",
        "GITHUB_OUTPUT": str(folder.with_name("output")),
        "RUNNER_TEMP": home,
    }


def run(folder: Path, given: dict[str, str], **job: str) -> subprocess.CompletedProcess[str]:
    """Run the script as GitHub's workflow syntax says that `shell: bash` does."""
    script = folder.with_name("script.sh")
    script.write_text(APPLY["run"])
    return subprocess.run(
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", script],
        cwd=folder,
        env=job | environment(folder, given),
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A checkout with a file of the environment dev."""
    folder = tmp_path / "checkout"
    (folder / "dev").mkdir(parents=True)
    (folder / "dev" / "values.yaml").write_bytes(FILE)
    return folder


def test_the_inputs_are_those_that_the_other_action_documents() -> None:
    """A `with:` block can be taken over as it is; the mappings are required there too."""
    assert sorted(ACTION["inputs"]) == sorted(INPUTS)
    assert [name for name, spec in ACTION["inputs"].items() if spec.get("required")] == ["mappings"]
    assert [name for name, spec in ACTION["inputs"].items() if not spec["description"].endswith(".")] == []


def test_every_input_reaches_the_script_once() -> None:
    """None is declared in vain, and the script reads all that it is given."""
    used = [name for text in APPLY["env"].values() for name in inputs_used(text)]
    assert sorted(used) == sorted(INPUTS)
    read = {
        f"INPUT_{name}{suffix}"
        for name in re.findall(r"\bfor name in (.*); do", APPLY["run"])[0].split()
        for suffix in ("", "_REGEX")
    }
    assert read | set(re.findall(r"\bINPUT_[A-Z_]+\b", APPLY["run"].replace('"INPUT_$variable"', ""))) == set(
        APPLY["env"]
    )


def test_no_script_has_an_expression_in_its_text() -> None:
    """What a caller or an event brings would be run as a part of it."""
    scripts = [step["run"] for step in STEPS if "run" in step]
    assert len(scripts) == 2
    assert [script for script in scripts if "${{" in script] == []


def test_every_output_is_one_of_the_step() -> None:
    """The count, the well-known variables, and all others in one JSON object."""
    assert {name: spec["value"] for name, spec in ACTION["outputs"].items()} == {
        name: f"${{{{ steps.apply.outputs.{name} }}}}"
        for name in ("total_modified_files", "changed_files", "docker_image_tag", "git_tag", "git_branch", "variables")
    }


def test_it_installs_this_checkout_and_leaves_the_python_of_the_job_alone() -> None:
    """The action's version is the program's, and no later step meets another interpreter."""
    python, install, _ = STEPS
    assert python["uses"].startswith("actions/setup-python@")
    assert python["with"]["update-environment"] is False
    assert tuple(map(int, python["with"]["python-version"].split("."))) >= (3, 11)
    assert (ROOT / "action" / "apply" / ".." / ".." / "pyproject.toml").is_file()
    assert 'cd "$GITHUB_ACTION_PATH/../.."' in install["run"]


def test_it_installs_nothing_without_a_hash() -> None:
    """Neither a package, nor what builds the project: each install is from the lock file, or of the checkout alone."""
    (install,) = (step["run"] for step in STEPS if step.get("name") == "Install Pointsman")
    installs = [line.split()[1:] for line in install.splitlines() if line.startswith('"${install[@]}"')]
    assert installs == [
        ["--require-hashes", "--only-binary=:all:", "--requirement", '"$checkout/requirements-action.lock"'],
        ["--no-deps", "--no-build-isolation", '"$checkout"'],
    ]
    assert install.count("bin/pip") == 1


def test_the_script_changes_files_and_leaves_outputs(folder: Path) -> None:
    """Inputs are variables and regexes; what the job has under such names counts too."""
    ran = run(folder, GIVEN, CUSTOMER_NUMBER_VAR="555", CUSTOMER_REGEX='customer: "(?<customer_number>.*)"')
    assert (ran.returncode, ran.stderr) == (0, "")
    changed = b'image:\n  imageTag: "2.0-dev" # ours\n  customer: "555"\n'
    assert (folder / "dev" / "values.yaml").read_bytes() == changed
    assert folder.with_name("output").read_text().splitlines() == [
        "docker_image_tag=2.0-dev",
        "customer_number=555",
        "total_modified_files=1",
        'changed_files=["dev/values.yaml"]',
        'variables={"docker_image_tag": "2.0-dev", "customer_number": "555"}',
    ]


def test_an_input_that_is_not_given_leaves_what_the_job_has(folder: Path) -> None:
    """A workflow may set DOCKER_IMAGE_TAG for all its steps."""
    mappings = {"mappings": MAPPINGS.replace("&customer_regex", "")}
    job = {"DOCKER_IMAGE_TAG": "3.0-dev", "DOCKER_IMAGE_TAG_REGEX": 'imageTag: "(?<docker_image_tag>.*)"'}
    assert run(folder, mappings, **job).returncode == 0
    assert b'"3.0-dev"' in (folder / "dev" / "values.yaml").read_bytes()


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ({"if_no_match_fail": "1", "docker_image_tag": "1.0-prod"}, 3),
        ({"if_no_match_fail": "true", "docker_image_tag": "1.0-prod"}, 3),
        ({"if_no_match_fail": "0", "docker_image_tag": "1.0-prod"}, 0),
        ({"if_well_known_vars_missing_fail": "1", "docker_image_tag": ""}, 2),
        ({"if_well_known_vars_missing_fail": "1"}, 0),
        ({"docker_image_tag_regex": "("}, 1),
        ({"skip-regexes-autodetect": "1"}, 1),
        ({"skip-variables-autodetect": "1"}, 0),
        ({"directory": "no such folder"}, 1),
        ({"mappings": "", "docker_image_tag_regex": ""}, 0),
    ],
)
def test_a_flag_is_1_and_the_exit_code_is_the_documented_one(given: dict[str, str], code: int, folder: Path) -> None:
    """3 for no change, 2 for no well-known variable, 1 for any error; each is annotated."""
    mappings = {"mappings": MAPPINGS.replace("&customer_regex", "")}
    ran = run(folder, GIVEN | mappings | given)
    assert ran.returncode == code
    assert ("::error" in ran.stderr) == (code > 0)


def test_dump_changes_nothing(folder: Path) -> None:
    """It prints the tables instead."""
    ran = run(folder, GIVEN | {"dump": "1", "mappings": MAPPINGS.replace("&customer_regex", "")})
    assert ran.returncode == 0
    assert re.search(r"^docker_image_tag +2\.0-dev +\.\*-dev +Yes +\*\*dev/values\.yaml +", ran.stdout, re.MULTILINE)
    assert (folder / "dev" / "values.yaml").read_bytes() == FILE


def test_no_input_is_run_as_a_command(folder: Path) -> None:
    """Quotes, backticks, dollars and line breaks are characters of a value."""
    nasty = "\"; touch owned; ' $(touch owned) `touch owned`\ntouch owned -dev"
    given = {name: nasty for name in INPUTS if name not in {"mappings", "directory", "dump"}} | {"mappings": MAPPINGS}
    ran = run(folder, given)
    assert ran.returncode == 1
    assert [path.name for path in folder.rglob("*") if path.name == "owned"] == []


def test_a_commit_is_made_of_what_changed(folder: Path) -> None:
    """With the template in Blade, by who is named."""
    from dulwich.objects import Commit
    from dulwich.repo import Repo

    Repo.init(str(folder)).close()
    template = "chore: now {{ $docker_image_tag }}@if(!empty($git_tag)) of {{ $git_tag }}@endif"
    person = {"committer_name": "build", "committer_email": "build@internal"}
    mappings = {"mappings": MAPPINGS.replace("&customer_regex", "")}
    ran = run(folder, GIVEN | mappings | person | {"commit": "1", "commit_template": template, "git_tag": "v2"})
    assert (ran.returncode, ran.stderr) == (0, "")
    with Repo(str(folder)) as repository:
        last = repository[repository.head()]
        assert isinstance(last, Commit)
        assert (last.message, last.author) == (b"chore: now 2.0-dev of v2\n", b"build <build@internal>")
