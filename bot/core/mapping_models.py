"""The shape of the mapping file: which keys there are and what they hold.

Flat models for pydantic, which says what is missing, unknown or of the wrong type; `problems_of` says it in our words.
What the keys mean is checked and built in `mapping_file`. The JSON Schema for editors is made from the same models, so
the descriptions here are what an editor shows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, WithJsonSchema

from bot.core.mapping import ValueType
from bot.core.suggest import did_you_mean, nearest

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

    from bot.core.mapping_source import Loc, Source
    from bot.errors import Problem

LATER = "comes in a later version"

VALUE_TYPES: tuple[ValueType, ...] = get_args(ValueType)

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
    commit: CommitModel | None = Field(None, title="Commit", description="How commits look.")


def problems_of(source: Source) -> dict[Loc, list[Problem]]:
    """Check the shape of `source.data`: the problems by location, each with its position; empty where all is fine."""
    problems: dict[Loc, list[Problem]] = {}
    data = source.data
    if isinstance(data, dict) and isinstance(data.get("mappings"), str) and data["mappings"].strip():
        # As a text it is read elsewhere; two types for one key would give two sentences for each mistake in it.
        data = {**data, "mappings": []}
    try:
        FileModel.model_validate(data)
    except ValidationError as error:
        details = error.errors(include_url=False, include_context=True)
        misspelt = {_meant(detail["loc"]) for detail in details if detail["type"] == "extra_forbidden"}
        for detail in details:
            loc = detail["loc"]
            if detail["type"] == "missing" and loc in misspelt:
                continue  # one mistake, one sentence
            position = source.position(loc, key=detail["type"] == "extra_forbidden")
            problems.setdefault(loc, []).append(position.problem(_sentence(detail, source)))
    return problems


def _sentence(detail: ErrorDetails, source: Source) -> str:
    loc, given = detail["loc"], detail["input"]
    named = [part for part in loc if isinstance(part, str)]
    name = f"'{named[-1]}'" if named else "the mapping file"
    if loc and isinstance(loc[-1], int) and loc in source.values:
        name = f"each of {name}"
    match detail["type"]:
        case "extra_forbidden":
            return _unknown_key(loc)
        case "missing":
            return f"the key {name} is missing{_place(loc[:-1])}"
        case "literal_error":
            return _other_value(name, given)
        case "too_short" | "string_too_short":
            return f"{name} is empty: give it a value or leave it out"
    if loc == ("mappings",) and given == "":
        return "'mappings' is empty: write a list of mappings, or [] for none"
    wanted = {
        "string_type": "text",
        "list_type": "a list",
        "bool_type": "true or false",
        "dict_type": "a mapping, that is keys with values",
        "model_type": "a mapping, that is keys with values",
    }.get(detail["type"], detail["msg"])
    hint = ""
    if wanted == "text" and isinstance(given, int | float):
        hint = f": quote it, '{source.scalars.get(loc, given)}'"
    return f"{name} must be {wanted}, not {_kind(given)}{hint}"


def _other_value(name: str, given: Any) -> str:
    if name == "'version'":
        return f"the version must be 1, not {given!r}"
    if name == "'delete'":
        return "'delete' must be true: leave it out where no file is to be deleted"
    if name == "'type'":
        hint = did_you_mean(str(given), VALUE_TYPES)
        return f"the type must be {', '.join(VALUE_TYPES[:-1])} or null, not {given!r}{hint}"
    hint = f"'pull_request' {LATER}" if given == "pull_request" else f"{given!r} is no way to deliver"
    return f"{hint}: write 'commit' or leave it out"


def _unknown_key(loc: Loc) -> str:
    key, model = str(loc[-1]), _model_at(loc[:-1])
    if key in model.later:
        return f"'{key}' {LATER}"
    hint = did_you_mean(key, model.model_fields)
    return f"unknown key '{key}'{hint or f'; the keys{_place(loc[:-1])} are ' + ', '.join(model.model_fields)}"


def _meant(loc: Loc) -> Loc:
    """Return the location of the key that an unknown one resembles; its own where it resembles none."""
    model = _model_at(loc[:-1])
    return (*loc[:-1], nearest(str(loc[-1]), model.model_fields) or loc[-1])


def _model_at(loc: Loc) -> type[Model]:
    match loc:
        case ("environments", _):
            return EnvironmentModel
        case ("mappings", _):
            return MappingModel
        case ("mappings", _, "update", _):
            return UpdateModel
        case ("commit",):
            return CommitModel
        case ("commit", "author" | "committer"):
            return PersonModel
    return FileModel


def _place(loc: Loc) -> str:
    names = {EnvironmentModel: "environment", MappingModel: "mapping", UpdateModel: "update", FileModel: "mapping file"}
    model = _model_at(loc)
    return f" in '{loc[-1]}'" if model not in names else f" in the {names[model]}"


def _kind(value: Any) -> str:
    if value is None:
        return "nothing"
    names = {bool: "true or false", str: "text", list: "a list", dict: "a mapping"}
    return names.get(type(value), "a number")
