"""Check runs. docs.github.com/rest/checks/runs."""

from __future__ import annotations

from typing import Any

from bot.sandbox.answers import Answer, ApiError, invalid, not_found
from bot.sandbox.call import Call, Route
from bot.sandbox.shapes import node_id, timestamp

# GitHub documents 65,535 characters. github.com/EnricoMi/publish-unit-test-result-action/issues/52 met bytes.
OUTPUT_BYTES = 65_535
# GitHub documents no limit for a title; github.com/devops-thiago/ThrillhouseBot/pull/503 claims this one.
TITLE_BYTES = 255
ANNOTATIONS = 50
ACTIONS = 3
ACTION_LIMITS = {"label": 20, "identifier": 20, "description": 40}
STATUSES = {"queued", "in_progress", "completed", "waiting", "requested", "pending"}
CONCLUSIONS = {
    "action_required",
    "cancelled",
    "failure",
    "neutral",
    "success",
    "skipped",
    "stale",
    "timed_out",
}
_PLAIN = ("name", "external_id", "details_url", "status", "conclusion", "started_at", "completed_at")


def _refuse(message: str) -> ApiError:
    return ApiError(422, f"Invalid request.\n\n{message}")


def _check(body: dict[str, Any]) -> None:
    """Raise ApiError 422 where a body goes over GitHub's limits for check runs."""
    if body.get("status", "queued") not in STATUSES:
        raise invalid("CheckRun", "status")
    if body.get("conclusion", "success") not in CONCLUSIONS:
        raise invalid("CheckRun", "conclusion")
    _check_output(body.get("output") or {"summary": ""})
    actions = body.get("actions") or ()
    if len(actions) > ACTIONS:
        raise _refuse(f"actions: No more than {ACTIONS} items are allowed; {len(actions)} were supplied.")
    for action in actions:
        for name, most in ACTION_LIMITS.items():
            if not isinstance(action.get(name), str) or len(action[name]) > most:
                raise invalid("CheckRun", f"actions.{name}")


def _check_output(output: dict[str, Any]) -> None:
    if "summary" not in output:
        raise _refuse('"summary" wasn\'t supplied.')
    for name, most in (("title", TITLE_BYTES), ("summary", OUTPUT_BYTES), ("text", OUTPUT_BYTES)):
        length = len((output.get(name) or "").encode())
        if length > most:
            raise _refuse(f"{name}: Only {most} characters are allowed; {length} were supplied.")
    count = len(output.get("annotations") or ())
    if count > ANNOTATIONS:
        raise _refuse(f"annotations: No more than {ANNOTATIONS} items are allowed; {count} were supplied.")


def _merge(call: Call, run: dict[str, Any], body: dict[str, Any]) -> None:
    now = timestamp(call.sandbox.clock())
    run.update({name: body[name] for name in _PLAIN if name in body})
    if "conclusion" in body:
        run["status"] = "completed"
    if run["status"] == "completed":
        if run["conclusion"] is None:
            raise invalid("CheckRun", "conclusion", "missing_field")
        run["completed_at"] = run["completed_at"] or now
    output = body.get("output")
    if output:
        # Annotations of several requests add up; the rest is replaced.
        annotations = run["output"]["annotations"] + list(output.get("annotations") or ())
        run["output"] = {name: output.get(name) for name in ("title", "summary", "text")}
        run["output"]["annotations"] = annotations
    if "actions" in body:
        run["actions"] = body["actions"]


def create_check_run(call: Call) -> Answer:
    """Make a check run on a commit."""
    body, repo = call.body, call.repo
    name, oid = call.text("name", "CheckRun"), call.text("head_sha", "CheckRun")
    if repo.resolve(oid) != oid or call.sandbox.lag.hides_commit(repo, oid):
        raise ApiError(422, f"No commit found for SHA: {oid}")
    _check(body)
    run: dict[str, Any] = {
        "id": repo.id * 1000 + len(repo.runs) + 1,
        "name": name,
        "head_sha": oid,
        "external_id": "",
        "details_url": call.sandbox.url,
        "status": "queued",
        "conclusion": None,
        "started_at": timestamp(call.sandbox.clock()),
        "completed_at": None,
        "output": {"title": None, "summary": None, "text": None, "annotations": []},
        "actions": [],
    }
    _merge(call, run, body)
    repo.runs.append(run)
    return Answer(201, check_run_json(call, run))


def _find(call: Call) -> dict[str, Any]:
    number = int(call.params["id"])
    for run in call.repo.runs:
        if run["id"] == number:
            return run
    raise not_found()


def get_check_run(call: Call) -> Answer:
    """Give one check run."""
    return Answer(200, check_run_json(call, _find(call)))


def update_check_run(call: Call) -> Answer:
    """Change a check run: what the body names, annotations added."""
    run = _find(call)
    _check(call.body)
    _merge(call, run, call.body)
    return Answer(200, check_run_json(call, run))


def list_check_runs(call: Call) -> Answer:
    """List the check runs of a commit, newest first; by default the latest of each name."""
    oid = call.repo.resolve(call.params["ref"])
    if oid is None:
        raise ApiError(422, f"No commit found for SHA: {call.params['ref']}")
    runs = list(reversed(call.repo.check_runs(oid)))
    if call.query.get("filter", "latest") == "latest":
        runs = list({run["name"]: run for run in reversed(runs)}.values())[::-1]
    if "check_name" in call.query:
        runs = [run for run in runs if run["name"] == call.query["check_name"]]
    page, headers = call.page(runs)
    return Answer(200, {"total_count": len(runs), "check_runs": [check_run_json(call, run) for run in page]}, headers)


def check_run_json(call: Call, run: dict[str, Any]) -> dict[str, Any]:
    """Write a check run: annotations are counted, actions not shown, as GitHub does."""
    url = call.url(f"/check-runs/{run['id']}")
    output = {name: run["output"][name] for name in ("title", "summary", "text")}
    output |= {"annotations_count": len(run["output"]["annotations"]), "annotations_url": f"{url}/annotations"}
    return {
        **{name: run[name] for name in ("id", "head_sha", *_PLAIN)},
        "node_id": node_id("CheckRun", run["id"]),
        "url": url,
        "html_url": f"{call.sandbox.url}/{call.repo.full_name}/runs/{run['id']}",
        "output": output,
        "check_suite": {"id": call.repo.id},
        "app": call.shapes.app(),
        "pull_requests": [],
    }


_REPO = "/repos/{owner}/{repo}"
ROUTES = (
    Route("POST", _REPO + "/check-runs", "checks:write", create_check_run),
    Route("GET", _REPO + r"/check-runs/{id:\d+}", "checks:read", get_check_run),
    Route("PATCH", _REPO + r"/check-runs/{id:\d+}", "checks:write", update_check_run),
)
# Not in ROUTES: it must be tried before `commits/{ref}`, whose ref may hold slashes.
LIST_ROUTE = Route("GET", _REPO + "/commits/{ref:.+}/check-runs", "checks:read", list_check_runs)
