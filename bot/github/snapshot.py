"""Reading: the head of a branch, and files of a commit, by GraphQL where there is one and by REST where not.

Blobs and trees are named by their content, so what was read once is never read again, however old it is.
"""

from __future__ import annotations

import asyncio
import base64
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import gidgethub

from bot.core.shown import visible
from bot.core.snapshot import MAX_FILE_BYTES, SUBMODULE, SYMLINK, File, Snapshot
from bot.errors import InputError, Transient
from bot.flows import jobs
from bot.github.answers import UNREADABLE, NotFound, QueryTooLarge, oid, readable, refusal, tree_of
from bot.github.objects import Entry, blob_oid
from bot.github.queries import despite_missing_files, file_fields
from bot.github.transport import TooLarge

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bot.core.glob import Glob
    from bot.core.meter import Budget
    from bot.core.model import Repository
    from bot.github.client import InstallationAPI
    from bot.github.objects import OwnObjects
    from bot.ports import Compute

# One GraphQL request reads this many files: GitHub bounds the work of one request, and answers must stay small.
_FILES_A_REQUEST = 50
# Requests at once for one delivery: GitHub allows an installation 100 in all.
_AT_ONCE = 10


_DIRECTORY = 0o040000


class Reader:
    """Reads snapshots of one repository."""

    def __init__(
        self, api: InstallationAPI, repository: Repository, objects: OwnObjects, compute: Compute, *, graphql: bool
    ) -> None:
        self._api = api
        self._compute = compute
        self._repository = repository
        self._path = f"/repos/{repository.full_name}"
        self._objects = objects
        self._graphql = graphql
        self._files_by_rest = False
        self._at_once = asyncio.Semaphore(_AT_ONCE)

    async def open(self, paths: Sequence[str], branch: str = "") -> Snapshot:
        """Return the head of `branch` ("" is the default branch) with the files at `paths` as far as they exist.

        Raises InputError where there is no such branch.
        """
        if self._graphql:
            return await self._open_graphql(paths, branch)
        return await self._open_rest(paths, branch)

    async def _open_rest(self, paths: Sequence[str], branch: str) -> Snapshot:
        name = branch or self._repository.default_branch or await self._default_branch()
        try:
            ref = await self._get(f"{self._path}/git/ref/heads/{quote(name)}")
        except NotFound as error:
            if branch:
                raise self._no_branch(branch) from error
            raise
        with readable():
            snapshot = Snapshot(self._repository, name, oid(ref["object"]["sha"]))
        return await self._with_files(snapshot, await self._literal_entries(snapshot.head, paths))

    async def _default_branch(self) -> str:
        with readable():
            name: str = (await self._get(self._path))["default_branch"]
            name.encode()  # any text but half a character
        return name

    async def read(self, snapshot: Snapshot, globs: Sequence[Glob], budget: Budget) -> Snapshot:
        """Return `snapshot` with every file of its commit that one of `globs` matches, found within `budget`."""
        literal = [glob.literal for glob in globs if glob.literal is not None and glob.literal not in snapshot.files]
        wild = [glob for glob in globs if glob.literal is None]
        entries = await self._matching_entries(snapshot.head, wild, budget) if wild else {}
        if self._graphql:
            unread = [
                path
                for path, entry in entries.items()
                if entry.oid not in self._objects.blobs and entry.size <= MAX_FILE_BYTES
            ]
            entries |= await self._entries_graphql(snapshot.head, [*literal, *unread])
        else:
            entries |= await self._literal_entries(snapshot.head, literal)
        return await self._with_files(snapshot, entries)

    # -- GraphQL ------------------------------------------------------------------------------------------------

    async def _open_graphql(self, paths: Sequence[str], branch: str) -> Snapshot:
        first, rest = paths[:_FILES_A_REQUEST], paths[_FILES_A_REQUEST:]
        fields, declared, variables = file_fields(first)
        field = "defaultBranchRef"
        if branch:
            field, declared = "ref(qualifiedName: $ref)", f"{declared}, $ref: String!"
            variables["ref"] = f"refs/heads/{branch}"
        document = f"""
            query Open($owner: String!, $name: String!{declared}) {{
              repository(owner: $owner, name: $name) {{
                ref: {field} {{ name target {{ oid ... on Commit {{ tree {{ oid }} {fields} }} }} }}
              }}
            }}"""
        try:
            ref = (await self._query(document, **variables))["ref"]
        except TooLarge:
            if not paths:
                raise
            snapshot = await self._open_graphql((), branch)
            return await self._with_files(snapshot, await self._entries_graphql(snapshot.head, paths))
        except QueryTooLarge:
            if not paths:
                return await self._open_rest(paths, branch)
            snapshot = await self._open_graphql((), branch)
            return await self._with_files(snapshot, await self._entries_graphql(snapshot.head, paths))
        if ref is None and branch:
            raise self._no_branch(branch)
        if ref is None:
            raise NotFound(f"{self._repository.full_name} is empty: it has no commit yet")
        with readable():
            snapshot = Snapshot(self._repository, str(ref["name"]), oid(ref["target"]["oid"]))
            self._objects.keep_root(snapshot.head, tree_of(ref["target"]))
            entries = self._keep_texts(first, ref["target"])
        entries |= await self._entries_graphql(snapshot.head, rest)
        return await self._with_files(snapshot, entries)

    def _no_branch(self, branch: str) -> InputError:
        return InputError(
            f"{self._repository.full_name} has no branch '{visible(branch)}': create it, or fix the mapping's 'branch'"
        )

    async def _entries_graphql(self, head: str, paths: Sequence[str]) -> dict[str, Entry]:
        """Look paths up, and keep their texts on the way."""
        chunks = [paths[i : i + _FILES_A_REQUEST] for i in range(0, len(paths), _FILES_A_REQUEST)]
        found = await asyncio.gather(*(self._files_graphql(head, chunk) for chunk in chunks))
        return {path: entry for entries in found for path, entry in entries.items()}

    async def _files_graphql(self, head: str, paths: Sequence[str]) -> dict[str, Entry]:
        if self._files_by_rest:
            return await self._literal_entries(head, paths)
        fields, declared, variables = file_fields(paths)
        document = f"""
            query Read($owner: String!, $name: String!, $head: GitObjectID!{declared}) {{
              repository(owner: $owner, name: $name) {{
                object(oid: $head) {{ ... on Commit {{ {fields} }} }}
              }}
            }}"""
        try:
            answer = await self._query(document, head=head, **variables)
        except (TooLarge, QueryTooLarge) as error:
            if len(paths) == 1:
                # If one file alone is too much work for GraphQL, so are the others that are still to be read.
                self._files_by_rest = isinstance(error, QueryTooLarge)
                return await self._literal_entries(head, paths)
            middle = len(paths) // 2
            return await self._files_graphql(head, paths[:middle]) | await self._files_graphql(head, paths[middle:])
        with readable():
            return self._keep_texts(paths, answer["object"] or {})

    async def _query(self, document: str, **variables: object) -> Any:
        async with self._at_once:
            try:
                data = await self._api.query(
                    document, owner=self._repository.owner, name=self._repository.name, **variables
                )
            except gidgethub.QueryError as error:
                data = despite_missing_files(error)
            except gidgethub.HTTPException as error:
                raise refusal(int(error.status_code), str(error), error.headers) from error
        repository = data.get("repository") if isinstance(data, dict) else None
        if not isinstance(repository, dict):
            raise Transient(UNREADABLE)
        return repository

    def _keep_texts(self, paths: Sequence[str], answer: Mapping[str, Any]) -> dict[str, Entry]:
        """Return the entries of a GraphQL answer; texts are taken as given only if their hash is the oid."""
        entries = {}
        for number, path in enumerate(paths):
            entry = answer.get(f"file{number}")
            if entry is None:
                continue
            blob = entry.get("object") or {}
            entries[path] = Entry(int(entry["mode"]), oid(entry["oid"]), int(blob.get("byteSize", 0)))
            text = blob.get("text")
            if text is not None and blob_oid(text.encode()) == entry["oid"]:
                self._objects.keep_blob(entry["oid"], text.encode())
        return entries

    # -- REST ---------------------------------------------------------------------------------------------------

    async def _literal_entries(self, head: str, paths: Sequence[str]) -> dict[str, Entry]:
        """Look paths up tree by tree: the Contents API would follow symlinks, and we must not write through them."""
        found = await asyncio.gather(*(self._literal_entry(head, path) for path in paths))
        return {path: entry for path, entry in zip(paths, found, strict=True) if entry is not None}

    async def _literal_entry(self, head: str, path: str) -> Entry | None:
        tree = await self._tree(head)
        *parents, name = path.split("/")
        for parent in parents:
            entry = tree.get(parent)
            if entry is None or entry.mode != _DIRECTORY:
                return None
            tree = await self._tree(entry.oid)
        found: Entry | None = tree.get(name)
        return found

    async def _matching_entries(self, head: str, globs: Sequence[Glob], budget: Budget) -> dict[str, Entry]:
        patterns = [glob.pattern for glob in globs]
        known = self._objects.find_matches(head, patterns)
        if known is not None:
            return dict(known)
        entries = await self._walk(head, "", globs, budget)
        paths = await self._compute.run(self._repository, budget, jobs.match, globs, list(entries))
        matched = {path: entries[path] for path in paths}
        self._objects.keep_matches(head, patterns, matched)
        return dict(matched)

    async def _walk(self, oid: str, directory: str, globs: Sequence[Glob], budget: Budget) -> dict[str, Entry]:
        """List the files of sub-trees that can match, a sub-tree in one request where a glob starts in it."""
        if any(glob.prefix == directory for glob in globs):
            whole = await self._tree(oid, recursive=True)
            if whole is not None:
                return {_join(directory, path): entry for path, entry in whole.items() if entry.mode != _DIRECTORY}
        tree = {_join(directory, name): entry for name, entry in (await self._tree(oid)).items()}
        folders = [path for path, entry in tree.items() if entry.mode == _DIRECTORY]
        entered = await self._compute.run(self._repository, budget, jobs.enter, globs, folders) if folders else []
        below = (self._walk(tree[path].oid, path, globs, budget) for path in entered)
        found = {path: entry for path, entry in tree.items() if entry.mode != _DIRECTORY}
        for part in await asyncio.gather(*below):
            found |= part
        return found

    async def _tree(self, name: str, *, recursive: bool = False) -> Any:
        """Return a tree by path; of a recursive one None where it is too large for one answer."""
        key = f"{name} recursive" if recursive else name
        cached = self._objects.trees.get(key)
        if cached is not None:
            return cached
        too_large = f"{key} is too large"
        if too_large in self._objects.trees:
            return None
        try:
            answer = await self._get(f"{self._path}/git/trees/{name}" + ("?recursive=1" if recursive else ""))
            with readable():
                truncated = bool(answer["truncated"])
        except TooLarge:
            truncated = True
        if truncated:
            if recursive:
                # Megabytes were read for nothing: not again for the next delivery.
                self._objects.keep_tree(too_large, {})
                return None
            raise InputError(
                "a folder that a glob leads into has too many entries for GitHub to list; name paths instead"
            )
        with readable():
            tree = dict(_entry(row) for row in answer["tree"])
            # Asked for by a commit, the answer names the tree; the description does not promise it.
            if answer["sha"] != name:
                self._objects.keep_root(name, oid(answer["sha"]))
        self._objects.keep_tree(key, tree)
        return tree

    async def modes(self, head: str, folders: Sequence[str] | None) -> dict[str, int]:
        """Return the Git mode of each path in these folders ("" is the root); None: in all folders, if not too many."""
        if folders is None:
            whole = await self._tree(head, recursive=True)
            if whole is not None:
                return {path: entry.mode for path, entry in whole.items()}
        modes: dict[str, int] = {}
        for folder in [""] if folders is None else folders:
            entry = await self._literal_entry(head, folder) if folder else Entry(_DIRECTORY, head)
            if entry is not None and entry.mode == _DIRECTORY:
                modes |= {_join(folder, name): one.mode for name, one in (await self._tree(entry.oid)).items()}
        return modes

    # -- both ---------------------------------------------------------------------------------------------------

    async def _with_files(self, snapshot: Snapshot, entries: Mapping[str, Entry]) -> Snapshot:
        folders = frozenset(path for path, entry in entries.items() if entry.mode == _DIRECTORY)
        blobs = {path: entry for path, entry in entries.items() if path not in folders}
        snapshot.check_room([entry.size for path, entry in blobs.items() if path not in snapshot.files])
        files = await asyncio.gather(*(self._file(entry) for entry in blobs.values()))
        found = dict(zip(blobs, files, strict=True))
        return replace(
            snapshot, files=MappingProxyType({**snapshot.files, **found}), folders=snapshot.folders | folders
        )

    async def _file(self, entry: Entry) -> File:
        if entry.mode in {SUBMODULE, SYMLINK} or entry.size > MAX_FILE_BYTES:
            return File(entry.mode, entry.oid, None, entry.size)
        data = self._objects.blobs.get(entry.oid)
        if data is None:
            answer = await self._get(f"{self._path}/git/blobs/{entry.oid}")
            with readable():
                data = base64.b64decode(answer["content"])
            if blob_oid(data) != entry.oid:
                raise Transient(f"GitHub sent other bytes than those of blob {entry.oid}")
            self._objects.keep_blob(entry.oid, data)
        return File(entry.mode, entry.oid, data, len(data))

    async def _get(self, url: str) -> Any:
        async with self._at_once:
            try:
                answer = await self._api.getitem(url)
            except gidgethub.HTTPException as error:
                raise refusal(int(error.status_code), str(error), error.headers) from error
        if not isinstance(answer, dict):
            raise Transient(UNREADABLE)
        return answer


def _entry(row: Mapping[str, Any]) -> tuple[str, Entry]:
    """Return a row of a tree by its path."""
    path = str(row["path"])
    path.encode()  # any text but half a character
    return path, Entry(int(row["mode"], 8), str(row["sha"]), int(row.get("size", 0)))


def _join(directory: str, name: str) -> str:
    return f"{directory}/{name}" if directory else name
