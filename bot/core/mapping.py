"""The mapping file as the rest of the program works with it: parsed, checked, frozen.

`mapping_file.parse` is the only maker. Nothing here can be misspelt any more: names of environments and regexes are
resolved, patterns compiled, expressions parsed. What only a payload can tell (a variable that is absent, a path that
is refused) is found when a plan is made.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass, field, fields, is_dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from bot.core.protected import Protection
from bot.core.regexes import Pattern
from bot.core.template import Template, UndefinedError
from bot.core.trigger import PAYLOAD

if TYPE_CHECKING:
    from collections.abc import Mapping as Map

    from bot.core.glob import Glob
    from bot.core.match import Condition
    from bot.core.model import Json, Scalar
    from bot.errors import Problem


# What a mapping with `for_each` calls the item that it runs for, whatever else is called so.
ITEM = "item"

MAX_BRANCH = 255

# So many folders may a file that is created be in.
MAX_FOLDERS = 100

ValueType: TypeAlias = Literal["string", "number", "boolean", "null"]

# The ways to make a commit: createCommitOnBranch, the Contents API, the Git Data API; auto chooses.
Strategy: TypeAlias = Literal["auto", "graphql", "contents", "git-data"]

# What a field is set to, yet to be rendered.
Value: TypeAlias = "Template | Scalar | list[Value] | dict[str, Value]"


@dataclass(frozen=True, slots=True)
class Person:
    """The author or committer of a commit."""

    name: str
    email: str


@dataclass(frozen=True, slots=True)
class Environment:
    """The files of one stage of a roll-out, and the environment that a promotion goes to next.

    `next` is the name of another environment of the same file or None; `line` counts from 1.
    """

    name: str
    files: tuple[Glob, ...]
    next: str | None
    line: int


@dataclass(frozen=True, slots=True)
class RegexOperation:
    """Search with each pattern in turn, on the text the one before left; fill the spans of its named groups.

    A named group is filled with the variable of the same name. Every pattern has at least one named group and was
    compiled with MULTILINE, but for those of the search-and-replace action's DSL. See `regexes.substitute`.
    """

    patterns: tuple[Pattern, ...]


@dataclass(frozen=True, slots=True)
class Selector:
    """Which document of a file: by its place, from 0, or by `kind` and name, rendered as text; None is not asked."""

    index: int | None = None
    kind: Template | None = None
    name: Template | None = None


@dataclass(frozen=True, slots=True)
class SetOperation:
    """Set each field, in the order of the file: (field path, value).

    A path is rendered with `Template.render_field`. A value is a Template, whose `evaluate` keeps the type of the
    payload when it is one lone expression, or a scalar as YAML 1.2 reads it; with `create`, which writes what is
    missing of the paths, and where a path appends to a list, also a list or mapping of them. `type` is what rendered
    values become, None leaves them as they come. With `many` a path may mean any number of values.
    """

    fields: tuple[tuple[Template, Value], ...]
    create: bool = False
    many: bool = False
    type: ValueType | None = None
    document: Selector | None = None


@dataclass(frozen=True, slots=True)
class UnsetOperation:
    """Take away what each field path means; with `many` it may be any number of values."""

    paths: tuple[Template, ...]
    many: bool = False
    document: Selector | None = None


@dataclass(frozen=True, slots=True)
class MergeOperation:
    """Merge a mapping, whose scalars may be templates, into the one at `path`; None is the whole document."""

    value: dict[str, Value]
    path: Template | None = None
    document: Selector | None = None


@dataclass(frozen=True, slots=True)
class ImageOperation:
    """Give every reference to an image a tag, a digest or both; `drop_digest` takes the digest away."""

    name: Template
    tag: Template | None = None
    digest: Template | None = None
    drop_digest: bool = False


@dataclass(frozen=True, slots=True)
class CreateOperation:
    """Create a file with this content, rendered as text."""

    content: Template


@dataclass(frozen=True, slots=True)
class DeleteOperation:
    """Delete the files."""


Operation: TypeAlias = (
    RegexOperation | SetOperation | UnsetOperation | MergeOperation | ImageOperation | CreateOperation | DeleteOperation
)


def appends(path: str) -> bool:
    """Whether a field path appends to a list, so that its value may be more than a scalar."""
    return path.rstrip().endswith("[+]")


def names_in(*parts: object) -> frozenset[str]:
    """Return the variables that templates and patterns use, at any depth of operations, lists and mappings."""
    names: frozenset[str] = frozenset()
    for part in parts:
        if isinstance(part, Template):
            names |= part.names
        elif isinstance(part, Pattern):
            names |= frozenset(part.groups)
        elif isinstance(part, dict):
            names |= names_in(*part.values())
        elif isinstance(part, list | tuple):
            names |= names_in(*part)
        elif is_dataclass(part):
            names |= names_in(*(getattr(part, one.name) for one in fields(part)))
    return names


@dataclass(frozen=True, slots=True)
class Update:
    """One entry of `update:`: in which files to do what.

    `files` are globs yet to be rendered (`Template.render_glob`, then `glob.check_path`, then `Glob`), paths without
    wildcards where files are created; `line` counts from 1.
    """

    files: tuple[Template, ...]
    operation: Operation
    line: int


@dataclass(frozen=True, slots=True)
class Mapping:
    """Conditions over variables → edits of files.

    `name` is unique in its file. `environment` is the name of one of the file's environments or None. `on` holds the
    event types it listens to, None means all. `when` without tests always holds. `line` counts from 1.

    `for_each` is an expression whose value is a list or an object: the mapping runs once for each of its items, each
    the variable `item` in its turn; those of an object are objects with `key` and `value`. `branch` is rendered as
    text, the destination of the edits (see `refused_branch`); None means the default branch. With `order` no value is
    replaced by an older version. What is `urgent` does not wait for the rhythm of pushes.
    """

    name: str
    environment: str | None
    on: frozenset[str] | None
    when: Condition
    update: tuple[Update, ...]
    line: int
    for_each: Template | None = None
    branch: Template | None = None
    order: Literal["semver"] | None = None
    urgent: bool = False


@dataclass(frozen=True, slots=True)
class Gathering:
    """How dispatches gather: for `window` seconds; and whether any mapping is `urgent`."""

    window: float = 0.0
    urgent: bool = False


@dataclass(frozen=True, slots=True)
class CommitSettings:
    """How commits read.

    `message` None means the built-in message, `author` None the App itself. `committer` is the author where only that
    one is set. `strategy` is how they are made.
    """

    message: Template | None = None
    author: Person | None = None
    committer: Person | None = None
    strategy: Strategy = "auto"


@dataclass(frozen=True, slots=True)
class MappingFile:
    """One mapping file.

    `name` is its path as the user knows it. `variables` are (name, expression) in the order of the file; `only` says
    that there are no other ones. `regexes` are the registered patterns, each with its `name`. `mappings` are in the
    order of the file, which is the order in which they apply. `window` is for how many seconds dispatches gather.
    `warnings` are what works and may not be meant, each with its position. `protection` is which files they do not
    write.
    """

    name: str
    environments: tuple[Environment, ...]
    variables: tuple[tuple[str, Template], ...]
    only: bool
    regexes: tuple[Pattern, ...]
    mappings: tuple[Mapping, ...]
    commit: CommitSettings
    window: float = 0.0
    warnings: tuple[Problem, ...] = ()
    protection: Protection = field(default_factory=Protection)

    @property
    def gathering(self) -> Gathering:
        """How dispatches gather before they are committed together."""
        return Gathering(self.window, any(mapping.urgent for mapping in self.mappings))

    def variables_from(self, payload: Map[str, Json]) -> dict[str, Json]:
        """Every variable that a `client_payload` gives, by name.

        Each of its top-level properties, `client_payload` itself, and those of `variables:`, which win over a property
        of the same name and may use what is listed above them. One whose expression meets something absent is absent
        too: the conditions say so. With `only` nothing but the listed ones is left.

        Raises InputError where an expression cannot be evaluated for another reason than absence.
        """
        context: dict[str, Json] = {**payload, PAYLOAD: dict(payload)}
        listed: dict[str, Json] = {}
        for name, expression in self.variables:
            try:
                value = expression.evaluate(context)
            except UndefinedError:
                context.pop(name, None)
                continue
            context[name] = listed[name] = value
        return listed if self.only else context


def refused_creation(file: Glob) -> str | None:
    """Return why no file can be created at this path, as a sentence, or None where one can."""
    if file.literal is not None:
        # Git itself goes 2,048 levels down, on Windows 512, and each of them is looked up.
        # https://git-scm.com/docs/git-config#Documentation/git-config.txt-coremaxTreeDepth
        if file.literal.count("/") > MAX_FOLDERS:
            return f"a file is created in at most {MAX_FOLDERS} folders: '{file.literal[:80]}…' is in more"
        return None
    return f"a file is created at one path: '{file.pattern}' has wildcards or alternatives; write a list of paths"


def refused_branch(name: str) -> str | None:
    """Return why `name` cannot be the short name of a branch, as a sentence, or None where it can.

    The rules are those of `git check-ref-format --branch`: https://git-scm.com/docs/git-check-ref-format
    """
    parts = name.split("/")
    reasons = {
        "is empty": not name,
        "is too long": len(name.encode()) > MAX_BRANCH,
        "is a full ref: write the short name, without refs/heads/": name.startswith("refs/"),
        "is a name that Git keeps for itself": name in {"@", "HEAD"},
        "begins with '-'": name.startswith("-"),
        "begins or ends with '/', or has two of them in a row": "" in parts,
        "has a part that begins with '.'": any(part.startswith(".") for part in parts),
        "has a part that ends with '.lock'": any(part.endswith(".lock") for part in parts),
        "ends with '.'": name.endswith("."),
        "has '..' in it": ".." in name,
        "has '@{' in it": "@{" in name,
        "has a space or one of ~ ^ : ? * [ \\ in it": any(character in " ~^:?*[\\" for character in name),
        "has a control character in it": any(unicodedata.category(character) == "Cc" for character in name),
    }
    shown = name if len(name) <= 80 else f"{name[:80]}…"
    return next((f"the branch {shown!r} {reason}" for reason, holds in reasons.items() if holds), None)
