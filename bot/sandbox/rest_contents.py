"""The Contents API: a path at a ref; one file, one commit. docs.github.com/rest/repos/contents."""

from __future__ import annotations

import base64
import io
import posixpath
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from dulwich.config import ConfigFile, parse_submodules

from bot.sandbox.answers import Answer, ApiError, not_found
from bot.sandbox.call import Call, Route
from bot.sandbox.objects import FILE, HEADS, SYMLINK, Entry, is_malformed
from bot.sandbox.races import CONTENTS, Lost
from bot.sandbox.rest_git import check_commit, check_rules, decoded, git_commit_json, people

if TYPE_CHECKING:
    from bot.sandbox.repository import Repository

INLINE_BYTES = 2**20
RAW_BYTES = 100 * 2**20


def _links(call: Call, entry: Entry, ref: str) -> dict[str, Any]:
    path, html = quote(entry.path), f"{call.sandbox.url}/{call.repo.full_name}"
    url = call.url(f"/contents/{path}?ref={quote(ref)}")
    git_url = html_url = download_url = None
    if entry.type == "tree":
        git_url, html_url = call.url(f"/git/trees/{entry.oid}"), f"{html}/tree/{quote(ref)}/{path}"
    elif entry.type == "blob":
        git_url, html_url = call.url(f"/git/blobs/{entry.oid}"), f"{html}/blob/{quote(ref)}/{path}"
        download_url = f"{html}/raw/{quote(ref)}/{path}"
    links = {"self": url, "git": git_url, "html": html_url}
    return {"url": url, "html_url": html_url, "git_url": git_url, "download_url": download_url, "_links": links}


def _entry_json(call: Call, entry: Entry, ref: str) -> dict[str, Any]:
    """Write what a directory listing says of an entry; a submodule is called a file there, for old clients' sake."""
    kind = {"tree": "dir", "commit": "file"}.get(entry.type, "symlink" if entry.mode == SYMLINK else "file")
    return {
        "name": posixpath.basename(entry.path),
        "path": entry.path,
        "sha": entry.oid,
        "size": entry.size or 0,
        **_links(call, entry, ref),
        "type": kind,
    }


def _file_json(call: Call, entry: Entry, ref: str) -> dict[str, Any]:
    large = (entry.size or 0) > INLINE_BYTES
    content = "" if large else base64.encodebytes(call.repo.blob(entry.oid)).decode()
    return {**_entry_json(call, entry, ref), "content": content, "encoding": "none" if large else "base64"}


def _target(repo: Repository, tree: str, link: Entry) -> Entry | None:
    """Give the file of the repository that a symbolic link points to, None if it points elsewhere."""
    text = repo.blob(link.oid).decode(errors="replace")
    path = posixpath.normpath(posixpath.join(posixpath.dirname(link.path), text))
    if text.startswith("/") or path.startswith(".."):
        return None
    found = repo.entry(tree, path)
    return found if found and found.type == "blob" and found.mode != SYMLINK else None


def _submodule_url(repo: Repository, tree: str, path: str) -> str | None:
    """Give where `.gitmodules` says a submodule comes from, None if it does not say."""
    modules = repo.entry(tree, ".gitmodules")
    if modules is None:
        return None
    for module_path, url, _name in parse_submodules(ConfigFile.from_file(io.BytesIO(repo.blob(modules.oid)))):
        if module_path.decode() == path:
            return url.decode()
    return None


def get_contents(call: Call) -> Answer:
    """Give a file, a directory's listing, a symbolic link's target, or a submodule."""
    repo, ref = call.repo, call.query.get("ref") or call.repo.default_branch
    path = call.params.get("path", "").strip("/")
    commit = repo.resolve(ref)
    if commit is None:
        raise ApiError(404, f"No commit found for the ref {ref}" if repo.branches() else "This repository is empty.")
    tree = repo.tree_of(commit)
    entry = repo.entry(tree, path)
    if entry is None:
        raise not_found()
    if entry.mode == SYMLINK:
        target = _target(repo, tree, entry)
        if target is None:
            text = repo.blob(entry.oid).decode(errors="replace")
            return Answer(200, {**_entry_json(call, entry, ref), "target": text})
        entry = target
    if entry.type == "tree":
        prefix = f"{path}/" if path else ""
        return Answer(200, [_entry_json(call, item, ref) for item in repo.entries(entry.oid, prefix=prefix)])
    if entry.type == "commit":
        url = _submodule_url(repo, tree, path)
        return Answer(200, {**_entry_json(call, entry, ref), "type": "submodule", "submodule_git_url": url})
    if (entry.size or 0) > RAW_BYTES:
        raise ApiError(403, "This API returns blobs up to 100 MB in size.")
    if "raw" in call.headers.get("Accept", ""):
        headers = {"Content-Type": "application/vnd.github.raw; charset=utf-8"}
        return Answer(200, repo.blob(entry.oid), headers)
    return Answer(200, _file_json(call, entry, ref))


def _current(call: Call, branch: str, path: str) -> tuple[str | None, Entry | None]:
    """Give a branch's head and the file there now; ApiError where the request's `sha` is not that file's."""
    repo, sha = call.repo, call.body.get("sha")
    head, races = repo.ref(HEADS + branch), call.sandbox.races
    if head is None and repo.branches():
        raise ApiError(404, f"Branch {branch} not found")
    if head and call.head and head != call.head and races.are_worded(CONTENTS):
        raise races.lost(CONTENTS).error(Lost(HEADS + branch, head, call.head))
    entry = repo.entry(repo.tree_of(head), path) if head else None
    if entry and entry.type != "blob":
        raise ApiError(422, f"{path} is not a file")
    if entry and sha is None:
        raise ApiError(422, 'Invalid request.\n\n"sha" wasn\'t supplied.')
    if sha is not None and (entry is None or entry.oid != sha):
        raise ApiError(409, f"{path} does not match {sha}")
    return head, entry


def _commit(call: Call, branch: str, head: str | None, changes: dict[str, tuple[int, str] | None]) -> dict[str, Any]:
    repo = call.repo
    tree = repo.write_tree(repo.tree_of(head) if head else None, changes)
    oid = repo.write_commit(tree, [head] if head else [], call.text("message", "Commit"), people(call, of_file=True))
    check_commit(call, branch, head, oid, of_file=True)
    if not repo.move(HEADS + branch, head, oid, call.caller.login):
        lost = Lost(HEADS + branch, repo.ref(HEADS + branch) or "", head or "")
        raise call.sandbox.races.lost(CONTENTS).error(lost)
    return git_commit_json(call, oid)


def put_contents(call: Call) -> Answer:
    """Write one file in one commit: 201 if it is new, 200 if not."""
    branch, path = call.body.get("branch") or call.repo.default_branch, call.params["path"].strip("/")
    content = decoded(call.text("content", "Contents"))
    call.text("message", "Contents")
    if is_malformed(path):
        raise ApiError(422, "path contains a malformed path component")
    check_rules(call, branch, of_file=True)
    head, old = _current(call, branch, path)
    oid = call.repo.write_blob(content)
    mode = old.mode if old else FILE
    commit = _commit(call, branch, head, {path: (mode, oid)})
    entry = Entry(path, mode, oid, len(content))
    return Answer(200 if old else 201, {"content": _entry_json(call, entry, branch), "commit": commit})


def delete_contents(call: Call) -> Answer:
    """Delete one file in one commit."""
    branch, path = call.body.get("branch") or call.repo.default_branch, call.params["path"].strip("/")
    call.text("message", "Contents")
    call.text("sha", "Contents")
    check_rules(call, branch, of_file=True)
    head = call.repo.ref(HEADS + branch)
    if head is None or call.repo.entry(call.repo.tree_of(head), path) is None:
        raise not_found()
    _current(call, branch, path)
    return Answer(200, {"content": None, "commit": _commit(call, branch, head, {path: None})})


_PATH = "/repos/{owner}/{repo}/contents"
ROUTES = (
    Route("GET", _PATH, "contents:read", get_contents),
    Route("GET", _PATH + "/{path:.*}", "contents:read", get_contents),
    Route("PUT", _PATH + "/{path:.+}", "contents:write", put_contents),
    Route("DELETE", _PATH + "/{path:.+}", "contents:write", delete_contents),
)
