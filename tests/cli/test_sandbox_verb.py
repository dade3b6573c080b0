"""`pointsman sandbox`, and `pointsman serve` beside it, as two programs that only know each other's settings."""

from __future__ import annotations

import base64
import json
import re
import signal
import time
import urllib.error
import urllib.request
from typing import TYPE_CHECKING, Any

import pytest
from gitops import FILES, make
from program import SECONDS, Ran, port_in_use, run, started
from running import free_port

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

DEV = "environments/dev/values.yaml"


def ask(url: str, token: str = "", body: object = None) -> Any:
    """Send a request, and return what is answered; None for no content."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    data = None if body is None else json.dumps(body).encode()
    with urllib.request.urlopen(urllib.request.Request(url, data, headers), timeout=SECONDS) as answer:  # noqa: S310 - our own
        text = answer.read()
        return json.loads(text) if text else None


def wait_for(question: Callable[[], Any]) -> Any:
    """Ask until there is an answer that is true, for at most SECONDS."""
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        try:
            if answer := question():
                return answer
        except urllib.error.HTTPError:
            raise
        except urllib.error.URLError:
            pass  # not up yet
        time.sleep(0.05)
    pytest.fail("no answer in time")


def exports(out: str) -> dict[str, str]:
    """Return the settings that the sandbox printed."""
    return dict(re.findall(r"^export (\w+)=(\S+)$", out, re.MULTILINE))


def test_serve_commits_on_a_dispatch_with_the_settings_that_sandbox_prints(tmp_path: Path) -> None:
    """Sandbox and bot as programs: a dispatch sent by HTTP with the printed token becomes a commit; both end well."""
    make(tmp_path / "gitops")
    port = free_port()
    filled = ("--repository", "acme/gitops", "--from", "gitops")
    hook = ("--webhook", f"http://127.0.0.1:{port}/webhook")
    with started(tmp_path, "sandbox", *filled, *hook, "--port", "0") as sandbox:
        settings = exports(sandbox.read_until("Ctrl-C ends it."))
        assert set(settings) == {"GITHUB_API_URL", "APP_ID", "PRIVATE_KEY_PATH", "WEBHOOK_SECRET"}
        (token,) = re.findall(r"accepted with the token (\S+)", sandbox.out)
        repository = f"{settings['GITHUB_API_URL']}/repos/acme/gitops"
        settings |= {"HOST": "127.0.0.1", "PORT": str(port), "ADMIN_PORT": "0", "LOG_FORMAT": "json"}
        with started(tmp_path, "serve", **settings) as bot:
            wait_for(lambda: ask(f"http://127.0.0.1:{port}/readyz")["status"] == "ok")
            payload = {"docker_image_tag": "2.0-dev"}
            body = {"event_type": "update-gitops-repo", "client_payload": payload}
            assert ask(f"{repository}/dispatches", token, body) is None
            wait_for(lambda: len(ask(f"{repository}/commits", token)) == 2)
            content = ask(f"{repository}/contents/{DEV}", token)["content"]
            ended = bot.end(signal.SIGTERM)
        stopped = sandbox.end(signal.SIGINT)
    assert base64.b64decode(content) == FILES[DEV].replace(b"1.0-dev", b"2.0-dev")
    assert (ended.code, stopped.code, stopped.err) == (0, 130, "")
    lines = [json.loads(line) for line in ended.err.splitlines()]
    assert {line["level"] for line in lines} == {"info"}
    assert [line["event"] for line in lines].count("committed") == 1
    assert token not in ended.err
    assert settings["WEBHOOK_SECRET"] not in ended.err


def test_sandbox_keeps_its_repositories_and_its_settings(tmp_path: Path) -> None:
    """A second start has the same App and repositories, so that a bot's settings go on to hold."""
    said = []
    for arguments in (("--repository", "acme/empty"), ()):
        with started(tmp_path, "sandbox", "--directory", "sb", "--port", "0", *arguments) as sandbox:
            out = sandbox.read_until("Ctrl-C ends it.")
            assert sandbox.end(signal.SIGTERM).code == 143
        assert "repositories: acme/empty\n" in out
        said.append({**exports(out), "GITHUB_API_URL": ""})
    assert said[0] == said[1]
    key = tmp_path / "sb" / "app.pem"
    assert said[0]["PRIVATE_KEY_PATH"] == str(key)
    assert key.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--from", "nowhere"], "--from: there is no folder 'nowhere'\n"),
        (["-r", "gitops"], "--repository gitops: write OWNER/NAME, of letters, digits, '-', '_' and '.'\n"),
        (["-r", "../.."], "--repository ../..: write OWNER/NAME, of letters, digits, '-', '_' and '.'\n"),
        (["-r", "a/b/c"], "--repository a/b/c: write OWNER/NAME, of letters, digits, '-', '_' and '.'\n"),
        (["--directory", "file"], "--directory: cannot make the folder file: File exists\n"),
    ],
)
def test_sandbox_refuses_what_it_cannot_start_with(arguments: list[str], sentence: str, tmp_path: Path) -> None:
    """A folder that is not there or no folder, a name that is none: one sentence, exit 1, nothing made."""
    (tmp_path / "file").touch()
    assert run(tmp_path, "sandbox", "--port", "0", *arguments) == Ran(1, "", sentence)
    assert {path.name for path in tmp_path.iterdir()} == {"file", "temporary"}


def test_sandbox_says_that_its_port_is_in_use(tmp_path: Path) -> None:
    """One sentence with the port and the remedy, exit 1."""
    with port_in_use() as port:
        ran = run(tmp_path, "sandbox", "--port", str(port))
    assert ran == Ran(1, "", f"cannot listen on port {port}: Address already in use; name another one, 0 for any\n")
