"""The Git Data API: refs, trees, blobs and commits as git has them."""

from __future__ import annotations

import base64
import binascii
from datetime import datetime
from typing import TYPE_CHECKING, Any

from dulwich.objects import Tree

from bot.sandbox import rules
from bot.sandbox.answers import Answer, ApiError, invalid, not_found
from bot.sandbox.call import Call, Route
from bot.sandbox.objects import (
    DIRECTORY,
    EXECUTABLE,
    FILE,
    HEADS,
    OCTOCAT,
    SUBMODULE,
    SYMLINK,
    Entry,
    Person,
    is_malformed,
)
from bot.sandbox.races import REF, Lost
from bot.sandbox.shapes import GITHUB_EMAIL, node_id, split_person, timestamp

if TYPE_CHECKING:
    from dulwich.objects import Commit

GITHUB = Person("GitHub", GITHUB_EMAIL)
MODES = {f"{mode:06o}": mode for mode in (FILE, EXECUTABLE, SYMLINK, SUBMODULE, DIRECTORY)}


# -- refs


def ref_json(call: Call, ref: str, oid: str) -> dict[str, Any]:
    """Write a ref that points to a commit."""
    return {
        "ref": ref,
        "node_id": node_id("Ref", f"{call.repo.id}:{ref}"),
        "url": call.url(f"/git/{ref}"),
        "object": {"type": "commit", "sha": oid, "url": call.url(f"/git/commits/{oid}")},
    }


def get_ref(call: Call) -> Answer:
    """Give a ref by its full name after `refs/`."""
    ref = f"refs/{call.params['ref']}"
    oid = call.sandbox.lag.ref(call, call.repo, ref)
    if oid is None:
        raise not_found()
    return Answer(200, ref_json(call, ref, oid))


def create_ref(call: Call) -> Answer:
    """Make a ref that points to a commit."""
    ref, oid = call.text("ref", "Reference"), call.text("sha", "Reference")
    if not ref.startswith("refs/") or ref.count("/") < 2:
        raise ApiError(422, "Reference name must start with 'refs/' and contain two or more components.")
    if call.repo.object(oid) is None:
        raise ApiError(422, "Object does not exist")
    if not call.repo.move(ref, None, oid, call.caller.login):
        raise ApiError(422, "Reference already exists")
    return Answer(201, ref_json(call, ref, oid))


def check_rules(call: Call, branch: str, *, of_file: bool = False) -> None:
    """Raise ApiError where a rule refuses any change of a branch."""
    rule = rules.of_branch(call.repo, branch)
    if rule:
        raise rule.rest(of_file=of_file)


def check_commit(call: Call, branch: str, before: str | None, oid: str, *, of_file: bool = False) -> None:
    """Raise ApiError where a rule refuses this commit on a branch that is at `before`."""
    rule = rules.of_commit(call.repo, branch, before, oid)
    if rule:
        raise rule.rest(of_file=of_file)


def update_ref(call: Call) -> Answer:
    """Let a ref point to another commit: only forward, unless `force`."""
    repo, ref, oid = call.repo, f"refs/{call.params['ref']}", call.text("sha", "Reference")
    before = repo.ref(ref)
    if before is None:
        raise ApiError(422, "Reference does not exist")
    if repo.resolve(oid) != oid:
        raise ApiError(422, "Object does not exist")
    branch = ref.removeprefix(HEADS)
    check_rules(call, branch)
    if not call.body.get("force") and not repo.is_fast_forward(before, oid):
        raise call.sandbox.races.lost(REF).error(Lost(ref, before, call.head or before))
    check_commit(call, branch, before, oid)
    if not repo.move(ref, before, oid, call.caller.login):
        raise call.sandbox.races.lost(REF).error(Lost(ref, repo.ref(ref) or "", before))
    return Answer(200, ref_json(call, ref, oid))


# -- blobs and trees


def get_blob(call: Call) -> Answer:
    """Give a blob, in base64 or raw."""
    oid = call.params["sha"]
    try:
        content = call.repo.blob(oid)
    except KeyError:
        raise not_found() from None
    if "raw" in call.headers.get("Accept", ""):
        return Answer(200, content, {"Content-Type": "application/vnd.github.raw; charset=utf-8"})
    return Answer(
        200,
        {
            "sha": oid,
            "node_id": node_id("Blob", f"{call.repo.id}:{oid}"),
            "size": len(content),
            "url": call.url(f"/git/blobs/{oid}"),
            "content": base64.encodebytes(content).decode(),
            "encoding": "base64",
        },
    )


def decoded(content: str, encoding: str = "base64") -> bytes:
    """Give the bytes of a `content`; ApiError 422 if it is not base64 and should be."""
    if encoding != "base64":
        return content.encode()
    try:
        return base64.b64decode("".join(content.split()), validate=True)
    except (binascii.Error, ValueError):
        raise ApiError(422, "content is not valid Base64") from None


def create_blob(call: Call) -> Answer:
    """Store a blob given as text or base64."""
    content = decoded(call.text("content", "Blob"), call.body.get("encoding", "utf-8"))
    oid = call.repo.write_blob(content)
    return Answer(201, {"sha": oid, "url": call.url(f"/git/blobs/{oid}")})


def entry_json(call: Call, entry: Entry) -> dict[str, Any]:
    """Write one entry of a tree."""
    body: dict[str, Any] = {
        "path": entry.path,
        "mode": f"{entry.mode:06o}",
        "type": entry.type,
        "sha": entry.oid,
    }
    if entry.size is not None:
        body["size"] = entry.size
    if entry.type != "commit":
        body["url"] = call.url(f"/git/{'trees' if entry.type == 'tree' else 'blobs'}/{entry.oid}")
    return body


def get_tree(call: Call) -> Answer:
    """List a tree by its oid, a commit's or a ref; `recursive` with any value lists all below."""
    repo, name = call.repo, call.params["sha"]
    commit = repo.resolve(name)
    tree = repo.tree_of(commit) if commit else name
    try:
        entries = list(repo.entries(tree, recursive="recursive" in call.query))
    except KeyError:
        raise not_found() from None
    limit = call.sandbox.tree_limit
    body = {
        "sha": tree,
        "url": call.url(f"/git/trees/{tree}"),
        "tree": [entry_json(call, entry) for entry in entries[:limit]],
        "truncated": len(entries) > limit,
    }
    return Answer(200, body)


def create_tree(call: Call) -> Answer:
    """Store a tree: `base_tree` with entries set (`content` or `sha`) or, by a null `sha`, deleted."""
    repo, base = call.repo, call.body.get("base_tree")
    # GitHub documents the name of a tree: https://docs.github.com/en/rest/git/trees#create-a-tree
    if base and not isinstance(repo.object(base), Tree):
        raise ApiError(422, "Invalid base_tree")
    changes: dict[str, tuple[int, str] | None] = {}
    for item in call.body.get("tree") or ():
        if is_malformed(item.get("path", "")):
            raise ApiError(422, "tree.path contains a malformed path component")
        changes[item["path"]] = _tree_change(call, item)
    if not changes:
        raise ApiError(422, "Invalid tree info")
    try:
        tree = repo.write_tree(base, changes)
    except KeyError:
        raise ApiError(422, "GitRPC::BadObjectState") from None
    body = {"sha": tree, "url": call.url(f"/git/trees/{tree}"), "truncated": False}
    return Answer(201, body | {"tree": [entry_json(call, entry) for entry in repo.entries(tree)]})


def _tree_change(call: Call, item: dict[str, Any]) -> tuple[int, str] | None:
    mode = MODES.get(item.get("mode", ""))
    if "content" in item and mode is not None:
        return mode, call.repo.write_blob(str(item["content"]).encode())
    if item.get("sha") is None and "sha" in item:
        return None
    if mode is None or (mode != SUBMODULE and call.repo.object(str(item.get("sha"))) is None):
        raise ApiError(422, "tree.sha is not a valid sha" if mode else "tree.mode is not a valid mode")
    return mode, str(item["sha"])


# -- commits


def person_json(raw: bytes, when: int) -> dict[str, str]:
    """Write an author or committer out of git's `NAME <EMAIL>`."""
    name, email = split_person(raw)
    return {"name": name, "email": email, "date": timestamp(when)}


def verification(call: Call, commit: Commit) -> dict[str, Any]:
    """Say whether GitHub would show the commit as verified: made by the App in its own name, signed by GitHub.

    The sandbox has no key, so there is no signature to show.
    """
    signed = rules.is_signed(call.repo, commit.id.decode())
    return {
        "verified": signed,
        "reason": "valid" if signed else "unsigned",
        "signature": None,
        "payload": None,
        "verified_at": timestamp(commit.commit_time) if signed else None,
    }


def git_commit_json(call: Call, oid: str) -> dict[str, Any]:
    """Write a commit as the Git Data API does."""
    commit, tree = call.repo.commit_object(oid), call.repo.tree_of(oid)
    html = f"{call.sandbox.url}/{call.repo.full_name}/commit"
    parents = [parent.decode() for parent in commit.parents]
    return {
        "sha": oid,
        "node_id": node_id("Commit", f"{call.repo.id}:{oid}"),
        "url": call.url(f"/git/commits/{oid}"),
        "html_url": f"{html}/{oid}",
        "author": person_json(commit.author, commit.author_time),
        "committer": person_json(commit.committer, commit.commit_time),
        "tree": {"sha": tree, "url": call.url(f"/git/trees/{tree}")},
        "message": commit.message.decode(errors="replace"),
        "parents": [
            {"sha": parent, "url": call.url(f"/git/commits/{parent}"), "html_url": f"{html}/{parent}"}
            for parent in parents
        ],
        "verification": verification(call, commit),
    }


def get_commit(call: Call) -> Answer:
    """Give a commit as git has it."""
    try:
        return Answer(200, git_commit_json(call, call.params["sha"]))
    except KeyError:
        raise not_found() from None


def people(call: Call, *, of_file: bool = False) -> tuple[Person, Person]:
    """Give author and committer of a commit that the body asks for.

    Where neither is given the App's bot is the author and GitHub commits (and signs); docs.github.com, "Signature
    verification for bots". A lone committer is the author too of a file's commit (Contents API), and not of another;
    a lone author is always the committer.
    """
    own = call.sandbox.app.bot if call.caller.kind == "installation" else OCTOCAT
    author, committer = (_person(call, role) for role in ("author", "committer"))
    if author is None and committer is None:
        return own, GITHUB
    return author or (of_file and committer) or own, committer or author or own


def _person(call: Call, role: str) -> Person | None:
    given = call.body.get(role)
    if given is None:
        return None
    if not given.get("name") or not given.get("email"):
        raise invalid("Commit", role, "missing_field")
    date = given.get("date")
    return Person(given["name"], given["email"], int(datetime.fromisoformat(date).timestamp()) if date else None)


def create_commit(call: Call) -> Answer:
    """Store a commit of a tree; no ref moves."""
    repo, parents = call.repo, call.body.get("parents") or []
    message, tree = call.text("message", "Commit"), call.text("tree", "Commit")
    if repo.entry(tree, "") is None or repo.object(tree) is None:
        raise ApiError(422, "Tree SHA does not exist")
    if any(repo.resolve(parent) != parent for parent in parents):
        raise ApiError(422, "Parent SHA does not exist or is not a commit object")
    oid = repo.write_commit(tree, parents, message, people(call))
    return Answer(201, git_commit_json(call, oid))


_REPO = "/repos/{owner}/{repo}/git"
ROUTES = (
    Route("GET", _REPO + "/ref/{ref:.+}", "contents:read", get_ref),
    Route("POST", _REPO + "/refs", "contents:write", create_ref),
    Route("PATCH", _REPO + "/refs/{ref:.+}", "contents:write", update_ref),
    Route("GET", _REPO + "/blobs/{sha}", "contents:read", get_blob),
    Route("POST", _REPO + "/blobs", "contents:write", create_blob),
    Route("GET", _REPO + "/trees/{sha:.+}", "contents:read", get_tree),
    Route("POST", _REPO + "/trees", "contents:write", create_tree),
    Route("GET", _REPO + "/commits/{sha}", "contents:read", get_commit),
    Route("POST", _REPO + "/commits", "contents:write", create_commit),
)
