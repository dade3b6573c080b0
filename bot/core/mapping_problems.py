"""What is wrong with the shape of a mapping file, in our words."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from bot.core.mapping_models import (
    LATER,
    STRATEGIES,
    VALUE_TYPES,
    BatchModel,
    CommitModel,
    EnvironmentModel,
    FileModel,
    MappingModel,
    Model,
    PersonModel,
    UpdateModel,
)
from bot.core.suggest import MAX_HINTS, nearest

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

    from bot.core.mapping_source import Loc, Source
    from bot.core.suggest import Hints
    from bot.errors import Problem

_MODELS: dict[tuple[str | int, ...], type[Model]] = {
    ("commit",): CommitModel,
    ("commit", "author"): PersonModel,
    ("commit", "committer"): PersonModel,
    ("batch",): BatchModel,
}
# What a key takes.
_ALLOWED = {
    "'version'": "the version must be 1",
    "'window'": "the window must be a number of seconds from 0 to 600",
    "'order'": "'order' must be 'semver' or left out",
    "'priority'": "'priority' must be 'high' or left out",
}


def problems_of(source: Source, hints: Hints) -> dict[Loc, list[Problem]]:
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
        unknown = (detail["loc"] for detail in details if detail["type"] == "extra_forbidden")
        misspelt = {_meant(loc) for loc in islice(unknown, MAX_HINTS)}
        for detail in details:
            loc = detail["loc"]
            if detail["type"] == "missing" and loc in misspelt:
                continue  # one mistake, one sentence
            position = source.position(loc, key=detail["type"] == "extra_forbidden")
            problems.setdefault(loc, []).append(position.problem(_sentence(detail, source, hints)))
    return problems


def _sentence(detail: ErrorDetails, source: Source, hints: Hints) -> str:
    loc, given = detail["loc"], detail["input"]
    named = [part for part in loc if isinstance(part, str)]
    name = f"'{named[-1]}'" if named else "the mapping file"
    if loc and isinstance(loc[-1], int) and loc in source.values:
        name = f"each of {name}"
    match detail["type"]:
        case "extra_forbidden":
            return _unknown_key(loc, hints)
        case "missing":
            return f"the key {name} is missing{_place(loc[:-1])}"
        case "literal_error" | "float_type" | "greater_than_equal" | "less_than_equal":
            return _other_value(name, given, hints)
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


def _other_value(name: str, given: Any, hints: Hints) -> str:
    if name in _ALLOWED:
        return f"{_ALLOWED[name]}, not {given!r}"
    if name == "'delete'":
        return "'delete' must be true: leave it out where no file is to be deleted"
    if name == "'type'":
        hint = hints.did_you_mean(str(given), VALUE_TYPES)
        return f"the type must be {', '.join(VALUE_TYPES[:-1])} or null, not {given!r}{hint}"
    if name == "'strategy'":
        hint = hints.did_you_mean(str(given), STRATEGIES)
        return f"the strategy must be {', '.join(STRATEGIES[:-1])} or {STRATEGIES[-1]}, not {given!r}{hint}"
    hint = f"'pull_request' {LATER}" if given == "pull_request" else f"{given!r} is no way to deliver"
    return f"{hint}: write 'commit' or leave it out"


def _unknown_key(loc: Loc, hints: Hints) -> str:
    key, model = str(loc[-1]), _model_at(loc[:-1])
    if key in model.later:
        return f"'{key}' {LATER}"
    hint = hints.did_you_mean(key, model.model_fields)
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
    return _MODELS.get(loc, FileModel)


def _place(loc: Loc) -> str:
    names = {EnvironmentModel: "environment", MappingModel: "mapping", UpdateModel: "update", FileModel: "mapping file"}
    model = _model_at(loc)
    return f" in '{loc[-1]}'" if model not in names else f" in the {names[model]}"


def _kind(value: Any) -> str:
    if value is None:
        return "nothing"
    names = {bool: "true or false", str: "text", list: "a list", dict: "a mapping"}
    return names.get(type(value), "a number")
