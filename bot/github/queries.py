"""The GraphQL query for files, and the errors of its answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bot.github.answers import errors_of, query_error

if TYPE_CHECKING:
    from collections.abc import Sequence

    import gidgethub


def file_fields(paths: Sequence[str]) -> tuple[str, str, dict[str, str]]:
    """Return the fields that ask for these files, the declarations of their variables, and the variables."""
    fields = " ".join(
        f"file{i}: file(path: $path{i}) {{ mode oid object {{ ... on Blob {{ text byteSize }} }} }}"
        for i in range(len(paths))
    )
    declared = "".join(f", $path{i}: String!" for i in range(len(paths)))
    return fields, declared, {f"path{i}": path for i, path in enumerate(paths)}


def despite_missing_files(error: gidgethub.QueryError) -> Any:
    """Return the data of an answer whose only errors are missing files. Raises the error for all others."""
    for each in errors_of(error):
        if each.get("type") == "NOT_FOUND" and "file" in str((each.get("path") or [""])[-1]):
            continue
        raise query_error(each) from error
    return error.response.get("data")
