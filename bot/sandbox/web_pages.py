"""What `html_url`s show, as plain text: repository, commit, file, check run. To anybody, as this machine is local."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.sandbox.answers import Answer, not_found
from bot.sandbox.call import Call, Route
from bot.sandbox.diff import file_changes
from bot.sandbox.shapes import timestamp

if TYPE_CHECKING:
    from bot.sandbox.repository import Repository


def _text(text: str) -> Answer:
    return Answer(200, text.encode(), {"Content-Type": "text/plain; charset=utf-8"})


def _repo(call: Call) -> Repository:
    repo = call.sandbox.find_repository(call.name, former=True)
    if repo is None:
        raise not_found()
    return repo


def show_repository(call: Call) -> Answer:
    """Show a repository: its branches, and the log of the default branch."""
    repo = _repo(call)
    lines = [repo.full_name, ""]
    lines += [f"{oid}  {name}" for name, oid in repo.branches().items()]
    if repo.branches():
        lines += ["", *(f"{entry.oid[:10]}  {entry.message.partition(chr(10))[0]}" for entry in repo.log())]
    return _text("\n".join(lines) + "\n")


def show_commit(call: Call) -> Answer:
    """Show a commit with its diff, as `git show` does."""
    repo, oid = _repo(call), call.params["oid"]
    try:
        commit = repo.commit_object(oid)
    except KeyError:
        raise not_found() from None
    lines = [f"commit {oid}", f"Author: {commit.author.decode(errors='replace')}"]
    lines += [f"Date:   {timestamp(commit.author_time)}", ""]
    lines += [f"    {line}".rstrip() for line in commit.message.decode(errors="replace").splitlines()]
    for change in file_changes(repo, commit.parents[0].decode() if commit.parents else None, oid):
        lines += ["", f"{change['status']} {change['filename']}", change.get("patch", "(no text)")]
    return _text("\n".join(lines) + "\n")


def show_file(call: Call) -> Answer:
    """Show a file at a branch, tag or commit, or the names below a directory."""
    repo, parts = _repo(call), call.params["rest"].split("/")
    # A branch's name may hold slashes: the longest that exists is meant.
    for cut in range(len(parts), 0, -1):
        commit = repo.resolve("/".join(parts[:cut]))
        if commit is not None:
            break
    else:
        raise not_found()
    entry = repo.entry(repo.tree_of(commit), "/".join(parts[cut:]))
    if entry is None or entry.type == "commit":
        raise not_found()
    if entry.type == "tree":
        return _text("".join(f"{item.path}\n" for item in repo.entries(entry.oid)))
    return Answer(200, repo.blob(entry.oid), {"Content-Type": "text/plain; charset=utf-8"})


def show_check_run(call: Call) -> Answer:
    """Show a check run: conclusion, title, summary and text."""
    for run in _repo(call).runs:
        if str(run["id"]) == call.params["id"]:
            output = [run["output"][name] or "" for name in ("title", "summary", "text")]
            return _text(
                "\n\n".join([f"{run['name']}: {run['conclusion'] or run['status']}", *filter(None, output)]) + "\n"
            )
    raise not_found()


_REPO = "/{owner}/{repo}"
ROUTES = (
    Route("GET", _REPO, "any", show_repository),
    Route("GET", _REPO + "/commit/{oid}", "any", show_commit),
    Route("GET", _REPO + "/{kind:blob|raw|tree}/{rest:.+}", "any", show_file),
    Route("GET", _REPO + r"/runs/{id:\d+}", "any", show_check_run),
)
