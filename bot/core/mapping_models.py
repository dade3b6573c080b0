"""The shape of the mapping file: which keys there are and what they hold.

Flat models for pydantic, which says what is missing, unknown or of the wrong type; `mapping_problems` says it in our
words. What the keys mean is checked and built in `mapping_file`. The JSON Schema for editors is made from the same
models, so the descriptions here are what an editor shows.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema

from bot.core.mapping import Strategy, ValueType

LATER = "comes in a later version"

VALUE_TYPES: tuple[ValueType, ...] = get_args(ValueType)
STRATEGIES: tuple[Strategy, ...] = get_args(Strategy)

# The operations of an update, and its other keys with the operations that they belong beside.
OPERATIONS = ("regex", "set", "unset", "merge", "image", "create", "delete")
MODIFIERS = {
    "create": ("set",),
    "all": ("set", "unset"),
    "type": ("set",),
    "document": ("set", "unset", "merge"),
    "path": ("merge",),
    "tag": ("image",),
    "digest": ("image",),
}

_TEXTS = {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}, "minItems": 1}]}


def _as_list(value: Any) -> Any:
    return value if isinstance(value, list) else [value]


# A single text stands for a list of one.
Texts = Annotated[list[str], BeforeValidator(_as_list), Field(min_length=1), WithJsonSchema(_TEXTS)]

_DOCUMENT = {
    "anyOf": [
        {"type": "integer", "minimum": 0},
        {
            "type": "object",
            "properties": {"kind": {"type": "string", "minLength": 1}, "name": {"type": "string", "minLength": 1}},
            "minProperties": 1,
            "additionalProperties": False,
        },
    ]
}

# How a change reaches the branch.
Deliver = Literal["commit"]
_DELIVER = f"How a change reaches the branch: commit, the default; pull_request {LATER}."


class Model(BaseModel):
    """What all parts have in common. `later` are keys that are agreed on and not there yet."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)
    later: ClassVar[frozenset[str]] = frozenset()


class EnvironmentModel(Model):
    """One stage of a roll-out."""

    later: ClassVar[frozenset[str]] = frozenset({"allow", "holds"})

    files: Texts = Field(description="Globs of the files that belong to the environment: one or a list.")
    next: str | None = Field(None, description="The environment that a promotion goes to from here.")
    deliver: Deliver = Field("commit", description=_DELIVER)


class UpdateModel(Model):
    """Files, and one operation on them."""

    files: Texts = Field(
        description="Globs of the files to change: one or a list. Expressions are rendered; values have no wildcards."
    )
    regex: Texts | None = Field(
        None, description="Names from `regexes:` or patterns: one or a list. Named groups are filled with variables."
    )
    set: dict[str, Any] | None = Field(
        None,
        min_length=1,
        description="Field paths such as image.tag, and the value of each: a scalar or an expression; more where it is "
        "created, or appended to a list by a path that ends in [+].",
    )
    unset: Texts | None = Field(None, description="Field paths to take away: one or a list.")
    merge: dict[str, Any] | None = Field(
        None, min_length=1, description="A mapping to merge in, key by key; null takes a key away."
    )
    image: str | None = Field(
        None, min_length=1, description="An image without its tag: all references to it get `tag`, `digest` or both."
    )
    create: Annotated[Any, WithJsonSchema({"type": ["string", "boolean"]})] = Field(
        None, description="The content of a new file. Beside `set`, true: what is missing of the paths is created."
    )
    delete: Literal[True] | None = Field(None, description="true: the files are deleted.")
    all: bool | None = Field(None, description="Beside `set`, `unset`: a path may mean more than one value.")
    type: ValueType | None = Field(
        None, description="Beside `set`: what values become; default: they keep the type that they have."
    )
    document: Annotated[Any, WithJsonSchema(_DOCUMENT)] = Field(
        None, description="Beside `set`, `unset`, `merge`: which YAML document, from 0, or its kind and name."
    )
    path: str | None = Field(None, min_length=1, description="Beside `merge`: where to; default: the whole document.")
    tag: str | None = Field(None, min_length=1, description="Beside `image`: the new tag.")
    digest: str | None = Field(
        None, min_length=1, description="Beside `image`: the new digest; `drop` takes it away for a new tag."
    )


class MappingModel(Model):
    """Conditions, and the updates to make when they hold."""

    name: str = Field(min_length=1, description="How logs, checks and commits call it; no two have the same.")
    environment: str | None = Field(None, description="The environment it is for, one of `environments:`.")
    on: Texts | None = Field(None, description="Event types of repository_dispatch that it listens to; default: all.")
    when: Annotated[dict[str, Any], WithJsonSchema({"type": "object"})] = Field(
        default_factory=dict, description="Conditions, all of which must hold; without any it always does."
    )
    for_each: str | None = Field(
        None,
        min_length=1,
        description="An expression that gives a list or an object: the mapping runs for each item, called `item`.",
    )
    branch: str | None = Field(
        None, min_length=1, description="The branch to commit to, with expressions; default: the default branch."
    )
    deliver: Deliver = Field("commit", description=_DELIVER)
    order: Literal["semver"] | None = Field(
        None,
        description="semver: no value is replaced by an older version; default: the later dispatch wins.",
    )
    priority: Literal["high"] | None = Field(
        None, description="high: its changes do not wait for the rhythm of pushes to the repository."
    )
    update: list[UpdateModel] = Field(min_length=1, description="What to change, in this order.")


class PersonModel(Model):
    """A name and an address."""

    name: str = Field(min_length=1, description="The name, as Git shows it.")
    email: str = Field(min_length=1, description="The address, as Git shows it.")


class CommitModel(Model):
    """How commits look."""

    message: str | None = Field(
        None, min_length=1, description="The commit message, with expressions; default: the mappings' names."
    )
    author: PersonModel | None = Field(
        None, title="Author", description="The author; default: the App, whose commits GitHub signs."
    )
    committer: PersonModel | None = Field(
        None, title="Committer", description="The committer; default: the author, where one is set."
    )
    strategy: Strategy = Field(
        "auto",
        description="How commits are made: auto, the default, takes the cheapest way that can do it; graphql is "
        "createCommitOnBranch, contents the Contents API for one file, git-data trees, commits and refs.",
    )


class BatchModel(Model):
    """How dispatches gather before they are committed together."""

    window: float = Field(0, ge=0, le=600, description="For how many seconds they gather; default: 0.")


class FileModel(Model):
    """Which image tags go to which files: the mapping file of Pointsman."""

    later: ClassVar[frozenset[str]] = frozenset({"allow"})

    version: Literal[1] = Field(description="The version of this format: 1.")
    environments: dict[str, EnvironmentModel] = Field(
        default_factory=dict, description="Which files belong to which environment, by its name."
    )
    variables: dict[str, Annotated[Any, WithJsonSchema({"type": ["string", "boolean"]})]] = Field(
        default_factory=dict,
        description="More variables, each an expression such as client_payload.app.name; `only: true`: no others.",
    )
    regexes: dict[str, str] = Field(default_factory=dict, description="Patterns to refer to by name.")
    mappings: list[MappingModel] = Field(
        description="All that hold apply, in this order; or one text in the search-and-replace action's DSL."
    )
    allow_files: Texts | None = Field(
        None,
        description="Globs of files on which machines act by themselves (pipelines, hooks, bots) and that the mappings "
        "may change all the same: one or a list.",
    )
    commit: CommitModel | None = Field(None, title="Commit", description="How commits look.")
    batch: BatchModel | None = Field(None, title="Batch", description="How dispatches gather.")
