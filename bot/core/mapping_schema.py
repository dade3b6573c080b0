"""The JSON Schema of the mapping file, for editors: what the models say, and what is too flat in them to be said."""

from __future__ import annotations

from typing import Any

from bot.core.mapping_models import MODIFIERS, OPERATIONS, FileModel

_SCALAR = {"type": ["string", "number", "boolean"]}


def schema() -> dict[str, Any]:
    """Make the JSON Schema (draft 2020-12) of the mapping file, for editors."""
    made = FileModel.model_json_schema()
    for name, definition in made["$defs"].items():
        definition["title"] = name.removesuffix("Model")
    mappings = made["properties"]["mappings"]
    listed = {key: mappings.pop(key) for key in ("type", "items")}
    mappings["anyOf"] = [listed, {"type": "string", "minLength": 1}]
    # Conditions contain conditions, which the models leave to `mapping_file`.
    when = made["$defs"]["MappingModel"]["properties"]["when"]
    made["$defs"]["MappingModel"]["properties"]["when"] = {
        "title": "When",
        "description": when["description"],
        "$ref": "#/$defs/When",
    }
    made["$defs"]["UpdateModel"] |= _update()
    made["$defs"]["When"] = _when()
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **made, "title": "Pointsman mapping file"}


def _when() -> dict[str, Any]:
    pattern = {**_SCALAR, "description": "A pattern that must match the whole value."}
    versions = {
        "type": "object",
        "properties": {"semver": {**_SCALAR, "title": "Semver", "description": "A range of versions as npm has them."}},
        "required": ["semver"],
        "additionalProperties": False,
    }
    conditions = {"type": "array", "items": {"$ref": "#/$defs/When"}, "minItems": 1}
    return {
        "title": "When",
        "description": "A variable, or a path into one, and a pattern, several, or a range of versions; `any` and "
        "`not` combine.",
        "type": "object",
        "properties": {
            "any": {"title": "Any", "description": "At least one of these must hold.", **conditions},
            "not": {"title": "Not", "description": "These together must not hold.", "$ref": "#/$defs/When"},
        },
        "additionalProperties": {"anyOf": [pattern, {"type": "array", "items": pattern, "minItems": 1}, versions]},
    }


def _update() -> dict[str, Any]:
    """One operation in an entry, and beside it only what belongs to it."""
    creates = {"required": ["create"], "properties": {"create": {"type": "string"}}}
    operations = [creates if key == "create" else {"required": [key]} for key in OPERATIONS]
    belongs = {
        key: {"anyOf": [*({"required": [one]} for one in beside), *([creates] if key == "create" else [])]}
        for key, beside in MODIFIERS.items()
    }
    belongs["image"] = {"anyOf": [{"required": ["tag"]}, {"required": ["digest"]}]}
    makes = {"required": ["create"], "properties": {"create": {"const": True}}}
    scalar = {"type": [*_SCALAR["type"], "null"]}
    # A path that ends in [+] appends to a list, and then an item may be anything.
    fields = {"patternProperties": {r"\[\+\]\s*$": {}}, "additionalProperties": scalar}
    scalars = {"properties": {"set": fields}}
    return {"oneOf": operations, "dependentSchemas": belongs, "if": {"not": makes}, "then": scalars}
