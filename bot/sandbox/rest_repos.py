"""Repositories, their branches, commits and comparisons, and the dispatch of events."""

from __future__ import annotations

import json
from datetime import datetime
from typing import TYPE_CHECKING, Any

from bot.sandbox.answers import Answer, ApiError, invalid, not_found
from bot.sandbox.call import Call, Route
from bot.sandbox.diff import file_changes
from bot.sandbox.events import dispatch_payload
from bot.sandbox.objects import HEADS
from bot.sandbox.rest_checks import LIST_ROUTE
from bot.sandbox.rest_git import git_commit_json

if TYPE_CHECKING:
    from bot.sandbox.repository import Repository

EVENT_TYPE_CHARACTERS = 100
PAYLOAD_PROPERTIES = 10
PAYLOAD_BYTES = 64 * 1024
FILES_SHOWN = 300
COMMITS_SHOWN = 250


def get_repository(call: Call) -> Answer:
    """Give a repository by its name, or by its id, which survives renaming."""
    return Answer(200, call.shapes.repository(call.repo, call.grant))


# -- branches


def list_branches(call: Call) -> Answer:
    """List branches by name."""
    repo = call.repo
    branches = [
        {
            "name": name,
            "commit": {"sha": oid, "url": call.url(f"/commits/{oid}")},
            "protected": name in repo.protected,
        }
        for name, oid in repo.branches().items()
    ]
    page, headers = call.page(branches)
    return Answer(200, page, headers)


def get_branch(call: Call) -> Answer:
    """Give a branch with its head commit."""
    repo, name = call.repo, call.params["branch"]
    oid = call.sandbox.lag.ref(call, repo, HEADS + name)
    if oid is None:
        raise ApiError(404, "Branch not found")
    protected = name in repo.protected
    url = call.url(f"/branches/{name}")
    body = {
        "name": name,
        "commit": commit_json(call, oid),
        "_links": {"self": url, "html": f"{call.sandbox.url}/{repo.full_name}/tree/{name}"},
        "protected": protected,
        "protection": {
            "enabled": protected,
            "required_status_checks": {"enforcement_level": "off", "contexts": [], "checks": []},
        },
        "protection_url": f"{url}/protection",
    }
    return Answer(200, body)


# -- commits


def commit_json(call: Call, oid: str) -> dict[str, Any]:
    """Write a commit as the commits API lists it: git's data with the accounts behind it."""
    plain, repo = git_commit_json(call, oid), call.repo
    url, html = call.url(f"/commits/{oid}"), f"{call.sandbox.url}/{repo.full_name}/commit"
    inner = {name: plain[name] for name in ("author", "committer", "message", "tree", "verification", "url")}
    return {
        "sha": oid,
        "node_id": plain["node_id"],
        "commit": {**inner, "comment_count": 0},
        "url": url,
        "html_url": f"{html}/{oid}",
        "comments_url": f"{url}/comments",
        "author": call.shapes.user_of(plain["author"]["email"]) or {},
        "committer": call.shapes.user_of(plain["committer"]["email"]) or {},
        "parents": [
            {"sha": parent["sha"], "url": call.url(f"/commits/{parent['sha']}"), "html_url": f"{html}/{parent['sha']}"}
            for parent in plain["parents"]
        ],
    }


def list_commits(call: Call) -> Answer:
    """List commits from `sha` back, newest first; `path`, `since` and `until` choose among them."""
    repo = call.repo
    if not repo.branches():
        raise ApiError(409, "Git Repository is empty.")
    name = call.query.get("sha") or repo.default_branch
    start = repo.resolve(name)
    if start is None:
        raise not_found()
    since, until = (_seconds(call.query.get(key)) for key in ("since", "until"))
    oids = [
        oid
        for oid in repo.history(start)
        if (since is None or repo.commit_object(oid).commit_time >= since)
        and (until is None or repo.commit_object(oid).commit_time <= until)
        and _touches(repo, oid, call.query.get("path", "").strip("/"))
    ]
    page, headers = call.page(oids)
    return Answer(200, [commit_json(call, oid) for oid in page], headers)


def _seconds(text: str | None) -> float | None:
    try:
        return datetime.fromisoformat(text).timestamp() if text else None
    except ValueError:
        raise ApiError(422, f"{text!r} is not a timestamp in ISO 8601 form") from None


def _touches(repo: Repository, oid: str, path: str) -> bool:
    return not path or any(f"{changed}/".startswith(f"{path}/") for changed in repo.paths_changed(oid))


def get_commit(call: Call) -> Answer:
    """Give a commit by branch, tag or oid with the files it changed against its first parent."""
    repo, ref = call.repo, call.params["ref"]
    oid = repo.resolve(ref)
    if oid is None:
        raise ApiError(422, f"No commit found for SHA: {ref}")
    if "sha" in call.headers.get("Accept", ""):
        return Answer(200, oid.encode(), {"Content-Type": "application/vnd.github.sha; charset=utf-8"})
    parents = repo.commit_object(oid).parents
    files = _files(call, parents[0].decode() if parents else None, oid)
    stats = {name: sum(file[name] for file in files) for name in ("additions", "deletions")}
    stats["total"] = stats["additions"] + stats["deletions"]
    return Answer(200, {**commit_json(call, oid), "stats": stats, "files": files[:FILES_SHOWN]})


def _files(call: Call, old: str | None, new: str) -> list[dict[str, Any]]:
    html = f"{call.sandbox.url}/{call.repo.full_name}"
    return [
        {
            **change,
            "blob_url": f"{html}/blob/{new}/{change['filename']}",
            "raw_url": f"{html}/raw/{new}/{change['filename']}",
            "contents_url": call.url(f"/contents/{change['filename']}?ref={new}"),
        }
        for change in file_changes(call.repo, old, new)
    ]


def compare(call: Call) -> Answer:
    """Compare BASE...HEAD: the commits of head that base has not, and the files changed since their merge base."""
    repo = call.repo
    base_name, dots, head_name = call.params["basehead"].partition("...")
    base, head = repo.resolve(base_name), repo.resolve(head_name)
    if not dots or base is None or head is None or call.sandbox.lag.hides_commit(repo, head):
        raise not_found()
    merge_base = repo.merge_base(base, head)
    if merge_base is None:
        raise ApiError(404, f"No common ancestor between {base_name} and {head_name}.")
    ahead = list(reversed(list(repo.history(head, without=[base]))))
    behind = len(list(repo.history(base, without=[head])))
    statuses = {(False, False): "identical", (True, False): "ahead", (False, True): "behind", (True, True): "diverged"}
    url, html = call.url(f"/compare/{base_name}...{head_name}"), f"{call.sandbox.url}/{repo.full_name}/compare"
    body = {
        "url": url,
        "html_url": f"{html}/{base_name}...{head_name}",
        "permalink_url": f"{html}/{base[:7]}...{head[:7]}",
        "diff_url": f"{html}/{base_name}...{head_name}.diff",
        "patch_url": f"{html}/{base_name}...{head_name}.patch",
        "base_commit": commit_json(call, base),
        "merge_base_commit": commit_json(call, merge_base),
        "status": statuses[bool(ahead), bool(behind)],
        "ahead_by": len(ahead),
        "behind_by": behind,
        "total_commits": len(ahead),
        "files": _files(call, merge_base, head)[:FILES_SHOWN],
    }
    paged = "per_page" in call.query or "page" in call.query
    page, headers = call.page(ahead) if paged else (ahead[:COMMITS_SHOWN], {})
    return Answer(200, {**body, "commits": [commit_json(call, oid) for oid in page]}, headers)


# -- events


def dispatch(call: Call) -> Answer:
    """Make a `repository_dispatch` event.

    Limits: docs.github.com/rest/repos/repos#create-a-repository-dispatch-event
    """
    repo, payload = call.repo, call.body.get("client_payload")
    event_type = call.text("event_type", "RepositoryDispatch")
    if not event_type:
        raise ApiError(422, "Invalid request.\n\nAt least 1 characters are required; only 0 were supplied.")
    if len(event_type) > EVENT_TYPE_CHARACTERS:
        message = f"event_type is too long (maximum is {EVENT_TYPE_CHARACTERS} characters)"
        raise invalid("RepositoryDispatch", "event_type", "custom", message)
    if "client_payload" in call.body and not isinstance(payload, dict):
        # GitHub is written in Ruby, whose null is nil.
        told = "nil" if payload is None else json.dumps(payload)
        raise ApiError(422, f"Invalid request.\n\nFor 'properties/client_payload', {told} is not an object.")
    count = len(payload or ())
    if count > PAYLOAD_PROPERTIES:
        message = f"No more than {PAYLOAD_PROPERTIES} properties are allowed; {count} were supplied."
        raise ApiError(422, f"Invalid request.\n\n{message}")
    if len(json.dumps(payload, separators=(",", ":")).encode()) > PAYLOAD_BYTES:
        # github.com/peter-evans/repository-dispatch/issues/360 has the sentence at the top.
        raise ApiError(422, "client_payload is too large.")
    event = dispatch_payload(call.sandbox, repo, call.caller.login, event_type, payload)
    call.sandbox.webhooks.send(repo, "repository_dispatch", event)
    return Answer(204)


_REPO = "/repos/{owner}/{repo}"
ROUTES = (
    Route("GET", _REPO, "metadata:read", get_repository),
    Route("GET", _REPO + "/branches", "contents:read", list_branches),
    Route("GET", _REPO + "/branches/{branch:.+}", "contents:read", get_branch),
    Route("GET", _REPO + "/commits", "contents:read", list_commits),
    LIST_ROUTE,
    Route("GET", _REPO + "/commits/{ref:.+}", "contents:read", get_commit),
    Route("GET", _REPO + "/compare/{basehead:.+}", "contents:read", compare),
    Route("POST", _REPO + "/dispatches", "contents:write", dispatch),
)
