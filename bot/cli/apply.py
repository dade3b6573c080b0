"""`pointsman apply`."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from bot.cli import local
from bot.printable import printable

if TYPE_CHECKING:
    from bot.cli.request import Asked
    from bot.cli.workflow import Workflow
    from bot.core.action import Inputs, Registration
    from bot.core.model import Json
    from bot.core.outcome import Outcome
    from bot.directory.git import GitRepository
    from bot.flows.rules import MappingSource

_ACTION, _GIT = "The action's options", "Git"

# What the action's own template is meant to say; without an image tag the message is the one of any other commit.
DSL_MESSAGE = "chore: bumped docker image tag to ${{ docker_image_tag }}"

EnvironmentOption: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--env",
        rich_help_panel=_ACTION,
        help="Take DOCKER_IMAGE_TAG, GIT_TAG, GIT_BRANCH and *_VAR as variables and *_REGEX as regexes from the "
        "environment; give outputs to a workflow.",
    ),
]
CustomVariablesOption: TypeAlias = Annotated[
    str,
    typer.Option(
        "--custom-variables",
        metavar="NAMES",
        rich_help_panel=_ACTION,
        help="Further variables, a comma between their names, found in the environment in upper case.",
    ),
]
CustomRegexesOption: TypeAlias = Annotated[
    str,
    typer.Option(
        "--custom-regexes",
        metavar="NAMES",
        rich_help_panel=_ACTION,
        help="Further regexes, found in the same way.",
    ),
]
# What the action calls them elsewhere. Both names of one option would not fit into the help.
OtherTextOption: TypeAlias = Annotated[str, typer.Option(hidden=True)]
OtherFlagOption: TypeAlias = Annotated[bool, typer.Option(hidden=True)]
SkipVariablesOption: TypeAlias = Annotated[
    bool, typer.Option("--skip-variables-autodetect", rich_help_panel=_ACTION, help="Leave *_VAR alone.")
]
SkipRegexesOption: TypeAlias = Annotated[
    bool, typer.Option("--skip-regexes-autodetect", rich_help_panel=_ACTION, help="Leave *_REGEX alone.")
]
DumpOption: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--dump",
        rich_help_panel=_ACTION,
        help="Change nothing; show variables, regexes, globs and mappings in the DSL as tables.",
    ),
]
ChangeOption: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--require-at-least-one-change",
        rich_help_panel=_ACTION,
        help="Exit 3 where nothing is to be changed.",
    ),
]
VariableOption: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--require-one-well-known-var",
        rich_help_panel=_ACTION,
        help="Exit 2 where docker_image_tag, git_tag and git_branch are all missing.",
    ),
]
SuffixOption: TypeAlias = Annotated[
    str,
    typer.Option(
        "--updated-file-suffix",
        metavar="SUFFIX",
        rich_help_panel=_ACTION,
        help="Write the new text beside the file, under its name with this behind it.",
    ),
]
CommitOption: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--commit", rich_help_panel=_GIT, help="Commit the changed files to the folder's Git repository; push nothing."
    ),
]
TemplateOption: TypeAlias = Annotated[
    str,
    typer.Option(
        "--commit-template",
        metavar="TEXT",
        rich_help_panel=_GIT,
        help="The message, with ${{ }} or in Blade; default: the mapping file's.",
    ),
]
NameOption: TypeAlias = Annotated[
    str,
    typer.Option(
        "--committer-name",
        metavar="NAME",
        rich_help_panel=_GIT,
        help="Author and committer; default: the mapping file's, else Git's user.name.",
    ),
]
EmailOption: TypeAlias = Annotated[
    str,
    typer.Option(
        "--committer-email",
        metavar="EMAIL",
        rich_help_panel=_GIT,
        help="Their address; default: the mapping file's, else Git's user.email.",
    ),
]


@dataclass(frozen=True, slots=True)
class _Options:
    """What only `apply` is asked. `commit` is the template and who commits, None without a commit."""

    env: bool
    names: Registration
    commit: tuple[str, str, str] | None
    suffix: str
    dump: bool
    fail_without_change: bool
    fail_without_variable: bool
    output: local.Format


def apply(
    directory: local.DirectoryOption = Path(),
    mappings: local.MappingsOption = None,
    regex: local.RegexesOption = None,
    payload: local.PayloadOption = "{}",
    var: local.VariablesOption = None,
    event_type: local.EventTypeOption = "",
    branch: local.BranchOption = "",
    output: local.FormatOption = local.Format.text,
    env: EnvironmentOption = False,
    custom_variables: CustomVariablesOption = "",
    custom_regexes: CustomRegexesOption = "",
    skip_variables_autodetect: SkipVariablesOption = False,
    skip_regexes_autodetect: SkipRegexesOption = False,
    dump: DumpOption = False,
    require_at_least_one_change: ChangeOption = False,
    require_one_well_known_var: VariableOption = False,
    updated_file_suffix: SuffixOption = "",
    commit: CommitOption = False,
    commit_template: TemplateOption = "",
    committer_name: NameOption = "",
    committer_email: EmailOption = "",
    register_custom_variables: OtherTextOption = "",
    register_custom_regexes: OtherTextOption = "",
    if_no_match_fail: OtherFlagOption = False,
    if_well_known_vars_missing_fail: OtherFlagOption = False,
) -> None:
    """Change a local folder as a dispatch would change the repository. Exit 0, or 1 for an error.

    With `--env` it does what the search-and-replace action does in a workflow; options may have the names
    of its inputs too.

    Example: `pointsman apply --directory gitops --var docker_image_tag=1.4.2-dev`
    """
    from bot.cli.request import Asked
    from bot.core.action import Registration, names_in

    variables = names_in(f"{custom_variables},{register_custom_variables}")
    regexes = names_in(f"{custom_regexes},{register_custom_regexes}")
    names = Registration(variables, regexes, not skip_variables_autodetect, not skip_regexes_autodetect)
    committing = (commit_template, committer_name, committer_email) if commit else None
    change = require_at_least_one_change or if_no_match_fail
    variable = require_one_well_known_var or if_well_known_vars_missing_fail
    options = _Options(env, names, committing, updated_file_suffix, dump, change, variable, output)
    asked = Asked(directory, mappings, payload, tuple(var or ()), tuple(regex or ()), event_type, branch)
    raise typer.Exit(local.perform(lambda: _annotated(asked, options), output))


def _annotated(asked: Asked, options: _Options) -> int:
    """Run, and show every error at its place where that is a workflow."""
    from bot import settings
    from bot.cli.workflow import Workflow
    from bot.errors import InputError, PointsmanError, Problem

    workflow = Workflow(settings.environment() if options.env else {}, asked.directory)
    try:
        return _run(asked, options, workflow)
    except PointsmanError as error:
        workflow.annotate(error.problems if isinstance(error, InputError) else (Problem(str(error)),))
        raise


def _run(asked: Asked, options: _Options, workflow: Workflow) -> int:
    """Return the exit code: 0, 1 for an outcome that is an error, 2 and 3 as the action documents them."""
    from bot.core.action import WELL_KNOWN, Inputs, Registration
    from bot.errors import InputError, Problem

    if not options.env and options.names != Registration():
        raise InputError(
            "names are looked up in the environment, or left alone there, with --env only: give it as well"
        )
    inputs = workflow.inputs(options.names) if options.env else Inputs({}, {})
    properties = asked.properties(inputs.variables)
    if options.fail_without_variable and all(properties.get(name) in {None, ""} for name in WELL_KNOWN):
        error = InputError(f"none of {', '.join(WELL_KNOWN)} is given; --require-one-well-known-var wants one")
        workflow.annotate(error.problems)
        local.refuse(error, options.output)
        return 2
    if options.dump:
        _dump(asked, options, properties, inputs)
        return 0
    if options.env and not asked.has_mappings():
        shown = local.Shown("no_change", "no mappings are given")
    else:
        shown = local.Shown.of(_apply(asked, options, properties, inputs), asked.branch)
    code = local.show(shown, options.output)
    if code:
        workflow.annotate(shown.problems or (Problem(shown.reason),))
        return code
    files = shown.changeset.files if shown.changeset and shown.state == "written" else ()
    workflow.write_outputs(properties, [path + options.suffix for path in files])
    if options.fail_without_change and not files:
        error = InputError("nothing was changed; --require-at-least-one-change wants one")
        workflow.annotate(error.problems)
        typer.echo(printable(str(error)), err=True)
        return 3
    return 0


def _dump(asked: Asked, options: _Options, properties: dict[str, Json], inputs: Inputs) -> None:
    from bot.cli import dump

    dump.show(dump.collect(asked, asked.forge(), properties, inputs.regexes), options.output)


def _apply(asked: Asked, options: _Options, properties: dict[str, Json], inputs: Inputs) -> tuple[Outcome, ...]:
    from bot.compute.in_place import InPlace
    from bot.flows import apply as flow
    from bot.flows.decide import Decider

    asked.forge()  # before anything is looked for in a folder that is not there
    git = _repository(asked, options)
    forge = asked.forge(options.suffix, git)
    source = _source(asked, options, properties, inputs)
    applied = asyncio.run(
        flow.apply(Decider(forge, InPlace(), source), forge.repository, [asked.request(forge, properties)])
    )
    if applied.stopped is not None:
        raise applied.stopped
    return applied.outcomes


def _source(asked: Asked, options: _Options, properties: dict[str, Json], inputs: Inputs) -> MappingSource:
    source = asked.source(inputs.regexes)
    local.warn(source.rules.warnings if source.rules else ())
    if options.commit is None:
        return source
    template, *_ = options.commit
    if not template and source.rules and properties.get("docker_image_tag") not in {None, ""}:
        template = DSL_MESSAGE
    return asked.with_message(source, template) if template else source


def _repository(asked: Asked, options: _Options) -> GitRepository | None:
    from importlib.util import find_spec

    from bot.errors import InputError

    if options.commit is None:
        return None
    if find_spec("dulwich") is None:
        raise InputError("--commit needs dulwich: pip install 'pointsman[sandbox]'")
    from bot.directory.git import GitRepository

    _, name, email = options.commit
    return GitRepository(asked.directory, name, email)
