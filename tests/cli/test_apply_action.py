"""`pointsman apply` in the place of the search-and-replace action: options, exit codes, outputs, annotations."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from acting import act, dumped
from gitops import contents, make, traces
from program import Ran, pointsman, run

IMAGE = 'imageTag: "(?<docker_image_tag>.*)"'
MAPPINGS = "docker_image_tag==.*-dev {THEN_UPDATE_FILES} **dev/values.yaml=docker_image_tag_regex"
FILES = {"dev/values.yaml": b'imageTag: "1-dev" # here\n', "prod/values.yaml": b'imageTag: "1"\n'}
CHANGED = FILES | {"dev/values.yaml": b'imageTag: "2-dev" # here\n'}
ENVIRONMENT = {"DOCKER_IMAGE_TAG": "2-dev", "DOCKER_IMAGE_TAG_REGEX": IMAGE}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with two environments."""
    return make(tmp_path / "gitops", FILES)


@pytest.mark.parametrize("verb", ["plan", "apply"])
def test_mappings_may_be_a_dsl_with_its_regexes(verb: str, folder: Path) -> None:
    """Without an environment too: `--var` and `--regex` say what it would."""
    options = ("-m", MAPPINGS, "--regex", f"docker_image_tag_regex={IMAGE}", "-v", "docker_image_tag=2-dev")
    ran = pointsman(verb, "-d", folder, *options, "-f", "diff")
    assert (ran.code, ran.err) == (0, "")
    assert '\n+imageTag: "2-dev" # here\n' in ran.out
    assert contents(folder) == (CHANGED if verb == "apply" else FILES)


def test_the_environment_counts_only_where_it_is_asked_for(folder: Path) -> None:
    """Without `--env` nothing that happens to be in it changes what a command does."""
    ran = run(folder, "apply", "-m", MAPPINGS, **ENVIRONMENT)
    assert ran.code == 1
    assert "The referenced regex 'docker_image_tag_regex'" in ran.err


def test_options_win_over_the_environment(folder: Path) -> None:
    """`--var` and `--payload` replace a variable of its name, `--regex` a regex."""
    options = ("--var", "docker_image_tag=3-dev", "--regex", 'docker_image_tag_regex=Tag: "(?<docker_image_tag>.*)"')
    assert act(folder, MAPPINGS, *options, **ENVIRONMENT).code == 0
    assert contents(folder)["dev/values.yaml"] == b'imageTag: "3-dev" # here\n'


def test_a_mapping_file_takes_variables_of_the_environment_too(folder: Path) -> None:
    """They are properties of the client payload."""
    rules = (
        "version: 1\nmappings:\n- { name: a, update: [{ files: prod/values.yaml, set: { imageTag: '${{ my }}' } }] }\n"
    )
    make(folder, {".github/pointsman.yaml": rules.encode()})
    assert act(folder, None, MY_VAR="7").code == 0
    assert contents(folder)["prod/values.yaml"] == b'imageTag: "7"\n'


@pytest.mark.parametrize(
    ("mappings", "options", "sentence"),
    [
        ("no/such.yaml", (), "no/such.yaml: cannot read it: No such file or directory\n"),
        ("docker_image_tga", (), "docker_image_tga"),
        ("a" * 5000, (), "is not defined"),
        (MAPPINGS, ("--regex", "x"), "--regex x: write NAME=PATTERN\n"),
        (f"{MAPPINGS}&x", ("--regex", "x=("), "regex 'x': the pattern '(' is not valid"),
        (MAPPINGS, ("--updated-file-suffix", "/.."), "is put behind the name of a file"),
        ("rules.yaml", ("--regex", "x=y"), "--regex: the mappings are those of the file rules.yaml; write it there"),
        ("rules.yaml", ("--dump",), "those of the file rules.yaml are for `pointsman plan`\n"),
    ],
)
def test_what_leads_nowhere_is_refused_before_anything_is_written(
    mappings: str, options: tuple[str, ...], sentence: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exit 1 and a sentence."""
    monkeypatch.chdir(folder)
    (folder / "rules.yaml").write_text("version: 1\nmappings: []\n")
    before = contents(folder)
    ran = act(folder, mappings, *options, **ENVIRONMENT)
    assert ran.code == 1
    assert sentence in ran.out + ran.err
    assert contents(folder) == before


@pytest.mark.parametrize("option", [["--custom-variables", "a"], ["--skip-regexes-autodetect"]])
def test_names_of_the_environment_need_the_environment(option: list[str], folder: Path) -> None:
    """An option that would have no effect is refused."""
    ran = pointsman("apply", "-d", folder, "-m", MAPPINGS, *option)
    assert (ran.code, ran.out) == (1, "")
    assert "with --env only: give it as well" in ran.err


@pytest.mark.parametrize("option", ["--if-no-match-fail", "--require-at-least-one-change"])
@pytest.mark.parametrize(("tag", "code"), [("2-dev", 0), ("1-dev", 3), ("2", 3)])
def test_no_change_is_exit_3_where_that_is_asked_for(tag: str, code: int, option: str, folder: Path) -> None:
    """Whether no mapping holds, or the value is there already; without the option it is exit 0."""
    environment = ENVIRONMENT | {"DOCKER_IMAGE_TAG": tag}
    ran = act(folder, MAPPINGS, option, **environment)
    assert ran.code == code
    assert ("nothing was changed" in ran.err) == (code == 3)
    assert act(folder, MAPPINGS, **environment).code == 0


def test_no_mappings_are_no_change_either(folder: Path) -> None:
    """What asks for a change is not content with that."""
    assert act(folder, None, "--if-no-match-fail").code == 3


@pytest.mark.parametrize("option", ["--if-well-known-vars-missing-fail", "--require-one-well-known-var"])
@pytest.mark.parametrize(
    ("environment", "code"),
    [({}, 2), ({"MY_VAR": "1"}, 2), ({"GIT_TAG": " "}, 2), ({"GIT_TAG": "0"}, 0), ({"DOCKER_IMAGE_TAG_VAR": "1"}, 0)],
)
def test_no_well_known_variable_is_exit_2_where_that_is_asked_for(
    environment: dict[str, str], code: int, option: str, folder: Path
) -> None:
    """In any format, and before anything else; without the option it is no error."""
    always = "__always__ {THEN_UPDATE_FILES} none.txt"
    ran = act(folder, always, option, **environment)
    assert ran.code == code
    assert ("none of docker_image_tag, git_tag, git_branch is given" in ran.err) == (code == 2)
    said = act(folder, always, option, "--format", "json", **environment)
    assert (said.code, json.loads(said.out)["state"]) == (code, "failed" if code else "no_change")
    assert act(folder, always, **environment).code == 0


def test_a_suffix_leaves_the_file_and_writes_beside_it(folder: Path, tmp_path: Path) -> None:
    """The output names the file that was written."""
    out = tmp_path / "output"
    assert act(folder, MAPPINGS, "--updated-file-suffix", ".new", GITHUB_OUTPUT=str(out), **ENVIRONMENT).code == 0
    assert contents(folder) == FILES | {"dev/values.yaml.new": CHANGED["dev/values.yaml"]}
    assert f'changed_files=["{folder}/dev/values.yaml.new"]\n' in out.read_text()


def test_the_outputs_are_appended_one_a_line(folder: Path, tmp_path: Path) -> None:
    """What earlier steps of a script wrote stays; a value of several lines stands between delimiters."""
    out = tmp_path / "output"
    out.write_text("before=1\n")
    environment = ENVIRONMENT | {"NOTES_VAR": "one\ntwo", "GITHUB_OUTPUT": str(out)}
    assert act(folder, MAPPINGS, **environment).code == 0
    lines = out.read_text().splitlines()
    assert lines[:2] == ["before=1", "docker_image_tag=2-dev"]
    delimiter = lines[2].removeprefix("notes<<")
    assert lines[3:7] == ["one", "two", delimiter, "total_modified_files=1"]
    assert len(delimiter) > 32
    assert act(folder, MAPPINGS, **environment).code == 0
    assert f"notes<<{delimiter}\n" not in out.read_text().partition("variables=")[2]
    assert out.read_text().count("total_modified_files=0\n") == 1


def test_two_mappings_of_one_file_count_it_once(folder: Path, tmp_path: Path) -> None:
    """Both change it, and it is one file."""
    make(folder, {"dev/values.yaml": b'imageTag: "1-dev"\nbranch: "old"\n'})
    out = tmp_path / "output"
    mappings = f"{MAPPINGS} {{NEXT_MAPPING}} git_branch==.* {{THEN_UPDATE_FILES}} **dev/values.yaml=git_branch_regex"
    more = {"GIT_BRANCH": "feature/x", "GIT_BRANCH_REGEX": 'branch: "(?<git_branch>.*)"', "GITHUB_OUTPUT": str(out)}
    assert act(folder, mappings, **ENVIRONMENT, **more).code == 0
    assert contents(folder)["dev/values.yaml"] == b'imageTag: "2-dev"\nbranch: "feature/x"\n'
    assert "total_modified_files=1\n" in out.read_text()


def test_outputs_that_cannot_be_written_are_an_error(folder: Path) -> None:
    """The next step would read nothing and think it is so."""
    ran = act(folder, MAPPINGS, GITHUB_OUTPUT=str(folder), **ENVIRONMENT)
    assert ran.code == 1
    assert f"cannot write the outputs to {folder}, which GITHUB_OUTPUT names: Is a directory\n" in ran.err


@pytest.mark.parametrize(
    ("options", "mappings", "command"),
    [
        ((), "no_such==.* {THEN_UPDATE_FILES} a=*", "::error::"),
        (("--format", "json"), "no_such==.* {THEN_UPDATE_FILES} a=*", "::error::"),
        ((), "rules.yaml", "::error file=rules.yaml,line=3,col=1::unknown key 'mapings'"),
        (("--if-no-match-fail",), "__always__==0 {THEN_UPDATE_FILES} a=x_regex", "::error::nothing was changed"),
        (("--if-well-known-vars-missing-fail",), MAPPINGS, "::error::none of docker_image_tag"),
        ((), "latin.yaml", "::error file=latin.yaml::it is not UTF-8"),
    ],
)
def test_a_workflow_shows_errors_at_their_places(
    options: tuple[str, ...], mappings: str, command: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beside the sentence for people there is a command on standard error, and none outside of a workflow."""
    monkeypatch.chdir(folder)
    Path("rules.yaml").write_text("version: 1\nmappings: []\nmapings: []\n")
    Path("latin.yaml").write_bytes(b"\xe9")
    regex = {"X_REGEX": "(?<my>x)"}
    ran = act(Path(), mappings, *options, GITHUB_ACTIONS="true", **regex)
    assert ran.code > 0
    assert sum(line.startswith(command) for line in ran.err.splitlines()) == 1
    assert "::error" not in act(Path(), mappings, *options, **regex).err
    assert "::error" not in pointsman("apply", "-m", mappings).err


def test_a_place_in_a_changed_file_is_that_of_the_checkout(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The path of the file is the one below the folder that the workflow is in."""
    monkeypatch.chdir(folder.parent)
    make(folder, {"dev/values.yaml": b'a: 1\nb: caf\xe9\nimageTag: "1"\n'})
    ran = act(Path(folder.name), MAPPINGS, GITHUB_ACTIONS="true", **ENVIRONMENT)
    assert ran.code == 1
    command = f"::error file={folder.name}/dev/values.yaml,line=2::the file is not UTF-8, so it stays untouched"
    assert command in ran.err.splitlines()


def test_what_a_dsl_says_in_vain_is_a_warning(folder: Path) -> None:
    """Nobody runs `check` on an option: a regex without a group and a name without a value are said at once."""
    ran = act(folder, f"{MAPPINGS}&x_regex", "--custom-variables", "nobody", X_REGEX="no group", **ENVIRONMENT)
    assert ran.code == 0
    said = ran.err.splitlines()
    assert said[0] == "warning: ignoring nobody: the environment variable NOBODY is empty or not there"
    assert any(line.startswith("warning: regex 'x_regex': ") for line in said[1:])


def test_a_variable_of_something_else_that_is_called_like_a_regex_is_left_alone(folder: Path) -> None:
    """A runner's environment has all sorts of names; only a regex that the mappings name must be one."""
    ran = act(folder, MAPPINGS, OTHER_TOOL_REGEX="(", **ENVIRONMENT)
    assert (ran.code, ran.err) == (0, "")


def test_a_dump_is_four_tables_in_which_each_row_is_a_line(folder: Path) -> None:
    """Where it is no terminal nothing is folded, so that it can be searched; nothing is written."""
    written = traces(folder)
    ran = act(folder, f"{MAPPINGS} {{AND}} none=*", "--dump", LONG_VAR="x" * 200, **ENVIRONMENT)
    assert (ran.code, traces(folder)) == (0, written)
    rows = [line.split() for line in ran.out.splitlines()]
    assert [row for row in rows if len(row) == 1 and row[0].endswith(":")] == [
        ["Variables:"],
        ["Regexes:"],
        ["Files:"],
        ["Mappings:"],
    ]
    for row in (
        ["long", "x" * 200],
        ["docker_image_tag_regex", *IMAGE.split()],
        ["**dev/values.yaml", "dev/values.yaml"],
        ["none", "(no", "file)"],
        ["docker_image_tag", "2-dev", ".*-dev", "Yes", "**dev/values.yaml", "docker_image_tag_regex"],
    ):
        assert row in rows


def test_a_dump_says_which_variable_is_not_there(folder: Path) -> None:
    """To run it would be an error; to see why is what a dump is for."""
    shown = dumped(folder, "no_such==.* {THEN_UPDATE_FILES} a.txt=*", X_REGEX="(?<my>x)")
    (row,) = shown["mappings"]
    assert (row["variable"], row["value"], row["matches"]) == ("no_such", None, False)


def test_a_dump_folds_at_80_columns_and_cuts_nothing() -> None:
    """On a terminal every character of every cell is still there."""
    from io import StringIO

    from rich.console import Console

    from bot.cli.dump import Dump, Row, print_tables

    cells = ("docker_image_tag", "main-1.0.0-" + "7" * 30, "main.*", "environments/production/values.yaml", "a_regex")
    variable, value, regex, glob, name = cells
    row = Row(variable, value, regex, matches=True, glob=glob, regexes=(name,))
    console = Console(file=StringIO(), width=80, force_terminal=False)
    print_tables(console, Dump({variable: value}, {name: "§" * 200}, {glob: [glob]}, (row,)))
    assert isinstance(console.file, StringIO)
    lines = console.file.getvalue().splitlines()
    assert max(map(len, lines)) <= 80
    assert "".join(lines).count("§") == 200
    table = lines[lines.index("Mappings:") :]
    assert sum(line.count("7") for line in table) == 30


def test_an_environment_that_is_no_text_is_refused(folder: Path) -> None:
    """A value that could not be written anywhere is named."""
    ran = act(folder, MAPPINGS, BAD_VAR="caf\udce9", **ENVIRONMENT)
    assert ran == Ran(1, "", "the variable 'bad' is not UTF-8\n")
