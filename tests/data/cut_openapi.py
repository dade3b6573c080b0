"""Cut GitHub's OpenAPI description to the operations the sandbox has, and strip its prose.

Usage: python tests/data/cut_openapi.py generated/api.github.com.json

The argument is that file of the npm package @octokit/openapi (MIT); the result is written beside this script.
Kept are the shapes: paths, parameters, bodies, and the schemas these refer to.
"""

from __future__ import annotations

import gzip
import json
import sys
from pathlib import Path
from typing import Any

REPO = "/repos/{owner}/{repo}"
OPERATIONS = {
    "/app": "get",
    "/app/installations": "get",
    "/app/installations/{installation_id}": "get",
    "/app/installations/{installation_id}/access_tokens": "post",
    "/app/hook/deliveries": "get",
    "/app/hook/deliveries/{delivery_id}": "get",
    "/app/hook/deliveries/{delivery_id}/attempts": "post",
    "/installation/repositories": "get",
    "/rate_limit": "get",
    REPO: "get",
    f"{REPO}/installation": "get",
    f"{REPO}/branches": "get",
    f"{REPO}/branches/{{branch}}": "get",
    f"{REPO}/check-runs": "post",
    f"{REPO}/check-runs/{{check_run_id}}": "get patch",
    f"{REPO}/commits": "get",
    f"{REPO}/commits/{{ref}}": "get",
    f"{REPO}/commits/{{ref}}/check-runs": "get",
    f"{REPO}/compare/{{basehead}}": "get",
    f"{REPO}/contents/{{path}}": "get put delete",
    f"{REPO}/dispatches": "post",
    f"{REPO}/git/blobs": "post",
    f"{REPO}/git/blobs/{{file_sha}}": "get",
    f"{REPO}/git/commits": "post",
    f"{REPO}/git/commits/{{commit_sha}}": "get",
    f"{REPO}/git/ref/{{ref}}": "get",
    f"{REPO}/git/refs": "post",
    f"{REPO}/git/refs/{{ref}}": "patch",
    f"{REPO}/git/trees": "post",
    f"{REPO}/git/trees/{{tree_sha}}": "get",
}
PROSE = {"summary", "externalDocs", "example", "examples", "title", "tags", "operationId", "x-github", "x-webhooks"}
# An array has no property to tell kinds apart by, though one of the kinds of contents is an array.
UNUSABLE = {"discriminator"}
TARGET = Path(__file__).with_name("github-openapi.json.gz")


def strip(node: Any, *, names: bool = False) -> Any:
    """Drop prose; with `names`, the keys of `node` are names of things and all stay."""
    if isinstance(node, list):
        return [strip(item) for item in node]
    if not isinstance(node, dict):
        return node
    kept = {}
    for key, value in node.items():
        if not names and (key in PROSE | UNUSABLE or (key == "description" and isinstance(value, str))):
            continue
        kept[key] = strip(value, names=not names and key in {"properties", "schemas", "parameters", "responses"})
    if kept.get("nullable") is True and "enum" in kept:
        kept["enum"] = [*kept["enum"], None]  # OpenAPI 3.0 demands it, and the published description forgets it
    return kept


def references(node: Any) -> set[str]:
    """Give every `$ref` in a node."""
    if isinstance(node, list):
        return set().union(*map(references, node))
    if not isinstance(node, dict):
        return set()
    own = {node["$ref"]} if isinstance(node.get("$ref"), str) else set()
    return own.union(*map(references, node.values()))


def cut(whole: dict[str, Any]) -> dict[str, Any]:
    """Give the description of OPERATIONS alone, with all that they refer to."""
    paths = {}
    for path, methods in OPERATIONS.items():
        paths[path] = {method: strip(whole["paths"][path][method]) for method in methods.split()}
        for operation in paths[path].values():
            for status, response in operation["responses"].items():
                response.setdefault("description", "")  # the one word of prose that OpenAPI demands
                content = response.get("content", {}).get("application/json", {})
                if int(status) >= 400 and "oneOf" in content.get("schema", {}):
                    # As published, an error must be of one kind alone, which plain ones never are.
                    content["schema"] = {"anyOf": content["schema"]["oneOf"]}
    # As published, an installation in this list has an account that is a user and an enterprise at once.
    listed = paths["/app/installations"]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
    listed["items"] = {"$ref": "#/components/schemas/installation"}
    components: dict[str, dict[str, Any]] = {}
    waiting = references(paths)
    while waiting:
        _, _, kind, name = waiting.pop().split("/")
        if name not in components.setdefault(kind, {}):
            components[kind][name] = strip(whole["components"][kind][name])
            waiting |= references(components[kind][name])
    for response in components.get("responses", {}).values():
        response.setdefault("description", "")
    info = {"title": "GitHub REST API, cut", "version": whole["info"]["version"], "license": whole["info"]["license"]}
    return {"openapi": whole["openapi"], "info": info, "paths": paths, "components": components}


def main() -> None:
    """Read the description named on the command line, write the cut one."""
    text = json.dumps(cut(json.loads(Path(sys.argv[1]).read_text())), separators=(",", ":"), sort_keys=True)
    TARGET.write_bytes(gzip.compress(text.encode(), mtime=0))


if __name__ == "__main__":
    main()
