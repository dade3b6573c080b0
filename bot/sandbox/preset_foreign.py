"""Answers that are none of the API's by name: firewalls, proxies, login pages, another address than the API's."""

from __future__ import annotations

from typing import Any

from bot.sandbox.preset_words import says

HTML = {"content-type": "text/html; charset=utf-8"}
PAGE = b"<!DOCTYPE html>\n<html><head><title>Denied</title></head><body>Your request was blocked.</body></html>\n"
ELSEWHERE = "https://login.example.com/sso?return=api"


def _redirect(status: int) -> dict[str, Any]:
    return {"status": status, "body": b"", "headers": {**HTML, "location": ELSEWHERE}}


# A page comes from whoever stands between: what was asked for did not reach GitHub. 406 is what a server of GitHub's
# answers beside its API, github.com/renovatebot/renovate/issues/3026.
FOREIGN: dict[str, dict[str, Any]] = {
    **{f"page {status}": {"status": status, "body": PAGE, "headers": HTML} for status in (200, 403, 407, 413)},
    "406": {"status": 406, "body": says("Not Acceptable")},
    **{f"redirect {status}": _redirect(status) for status in (301, 302, 308)},
}
