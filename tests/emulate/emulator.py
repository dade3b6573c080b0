"""The emulator in a process of its own, and what a person does there: write files, protect a branch, look at it."""

from __future__ import annotations

import base64
import http.client
import json
import re
import shutil
import subprocess
import threading
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote

from gate import Gate, gate
from running import free_port
from written import trailers_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

HERE = Path(__file__).parent
OLDEST_NODE = 20
OWNER, PERSON, SECRET = "acme", "octocat", "the-secret-of-the-webhooks"
APP, INSTALLATION = 1001, 2002
_PERMISSIONS = {"contents": "write", "checks": "write", "metadata": "read"}
_SECONDS = 20.0
_MOST_NOTES = 1000


def missing() -> str | None:
    """Say in a sentence why the emulator cannot be started here; None if it can."""
    node = shutil.which("node")
    if node is None:
        return f"the emulator needs node {OLDEST_NODE} or newer, which is not there: make emulate installs both"
    version = subprocess.run([node, "--version"], capture_output=True, text=True, check=True).stdout.strip()
    if int(version.removeprefix("v").partition(".")[0]) < OLDEST_NODE:
        return f"the emulator needs node {OLDEST_NODE} or newer, and this one is {version}: make emulate installs both"
    if not (HERE / "node_modules" / "emulate").is_dir():
        return "the emulator is not installed: make emulate does that"
    return None


class Entry(NamedTuple):
    """A commit: its oid, author, message, and the deliveries in its trailers."""

    oid: str
    author: str
    message: str
    deliveries: tuple[str, ...]


class Emulator(NamedTuple):
    """A running emulator: its port, the gate before it through which the bot goes, the App's private key (PEM)."""

    port: int
    gate: Gate
    key: str


class Home:
    """A repository of the emulator, looked at and written by a person; where no branch is named `main` is meant."""

    def __init__(self, emulator: Emulator, name: str) -> None:
        self._emulator = emulator
        self._token = name
        self.full_name = f"{OWNER}/{name}"
        self.first = self.head()

    def call(self, method: str, path: str, data: object = None) -> Any:
        """Ask the REST API for something below the repository; return the JSON of the answer, None for an empty one."""
        connection = http.client.HTTPConnection("127.0.0.1", self._emulator.port, timeout=_SECONDS)
        try:
            headers = {"authorization": f"Bearer {self._token}", "content-type": "application/json"}
            url = f"/repos/{self.full_name}{path}"
            connection.request(method, url, None if data is None else json.dumps(data), headers)
            answer = connection.getresponse()
            text = answer.read().decode()
        finally:
            connection.close()
        assert answer.status < 300, f"{method} {url}: {answer.status} {text}"
        return json.loads(text) if text else None

    def write(self, files: Mapping[str, str], executable: Sequence[str] = ()) -> str:
        """Commit files as a person does, and return the new head."""
        base = self.head()
        rows = [
            {"path": path, "mode": "100755" if path in executable else "100644", "type": "blob", "content": text}
            for path, text in files.items()
        ]
        base_tree = self.call("GET", f"/git/commits/{base}")["tree"]["sha"]
        tree = self.call("POST", "/git/trees", {"base_tree": base_tree, "tree": rows})["sha"]
        data = {"message": "By a person", "tree": tree, "parents": [base]}
        self.first = self.call("POST", "/git/commits", data)["sha"]
        self.call("PATCH", "/git/refs/heads/main", {"sha": self.first})
        return self.first

    @contextmanager
    def crowded(self) -> Iterator[list[str]]:
        """Let a person make one new file after the other meanwhile, on whatever head there is; yield their paths."""
        paths: list[str] = []
        over = threading.Event()

        def write() -> None:
            while not over.is_set() and len(paths) < _MOST_NOTES:
                path = f"notes/{len(paths)}"
                self.call("PUT", f"/contents/{path}", {"message": "A note by a person", "content": ""})
                paths.append(path)

        person = threading.Thread(target=write)
        person.start()
        try:
            yield paths
        finally:
            over.set()
            person.join(_SECONDS)

    def head(self) -> str:
        """Return the oid that the branch is at."""
        oid: str = self.call("GET", "/git/ref/heads/main")["object"]["sha"]
        return oid

    def moved(self, base: str) -> None:
        """Wait until the branch is at another commit than `base`."""
        began = time.monotonic()
        while self.head() == base:
            assert time.monotonic() - began < _SECONDS, f"{self.full_name} stays at {base}"
            time.sleep(0.001)

    def append(self, path: str, text: str) -> None:
        """Add text to the end of a file as a person does, on whatever head there is; the file may be new."""
        there = self.files().get(path)
        content = base64.b64encode(((self.read(path) if there else "") + text).encode()).decode()
        blob = {"sha": there["sha"]} if there else {}
        self.call("PUT", f"/contents/{quote(path)}", {"message": "By a person too", "content": content, **blob})

    def branch(self, name: str) -> None:
        """Make a branch at the head of `main`."""
        self.call("POST", "/git/refs", {"ref": f"refs/heads/{name}", "sha": self.head()})

    def use_up(self, authorizations: Iterable[str]) -> None:
        """Ask as often as each of these may within an hour."""
        connection = http.client.HTTPConnection("127.0.0.1", self._emulator.port, timeout=_SECONDS)
        try:
            for authorization in authorizations:
                status = 200
                while status == 200:
                    connection.request("GET", "/zen", headers={"authorization": authorization})
                    answer = connection.getresponse()
                    answer.read()
                    status = answer.status
        finally:
            connection.close()

    def read(self, path: str, branch: str = "main") -> str:
        """Return the text of a file."""
        answer = self.call("GET", f"/contents/{quote(path)}?ref={quote(branch, safe='')}")
        return base64.b64decode(answer["content"]).decode()

    def files(self, commit: str = "main") -> dict[str, dict[str, Any]]:
        """Return the tree's entry of each file (mode, sha) by its path."""
        rows = self.call("GET", f"/git/trees/{commit}?recursive=1")["tree"]
        return {row["path"]: row for row in rows if row["type"] == "blob"}

    def modes(self) -> dict[str, str]:
        """Return the modes of all files by their paths."""
        return {path: row["mode"] for path, row in self.files().items()}

    def values(self, path: str) -> list[int]:
        """Return the first number of a file after each commit of `log`, oldest first, with that before them."""
        found = []
        for oid in [self.first, *(entry.oid for entry in self.log())]:
            blob = self.call("GET", f"/git/blobs/{self.files(oid)[path]['sha']}")
            found.append(int(re.findall(r"\d+", base64.b64decode(blob["content"]).decode())[0]))
        return found

    def log(self, branch: str = "main") -> list[Entry]:
        """Return the commits since the last one that `write` made, oldest first."""
        found: list[Entry] = []
        for page in range(1, 100):
            rows = self.call("GET", f"/commits?sha={quote(branch, safe='')}&per_page=100&page={page}")
            for row in rows:
                if row["sha"] == self.first:
                    return found[::-1]
                message = row["commit"]["message"]
                found.append(Entry(row["sha"], row["commit"]["author"]["name"], message, tuple(trailers_of(message))))
            assert rows, "the history has no commit that a person made"
        raise AssertionError("the history has too many commits")

    def check_runs(self, oid: str) -> list[dict[str, Any]]:
        """Return the check runs of a commit, those too that a later one of the same name hides."""
        rows: list[dict[str, Any]] = self.call("GET", f"/commits/{oid}/check-runs?filter=all&per_page=100")[
            "check_runs"
        ]
        return rows


@contextmanager
def emulating(names: Sequence[str], webhook_url: str) -> Iterator[Emulator]:
    """Start an emulator with private repositories of these names, the App installed on them; end it afterwards."""
    app = {"app_id": APP, "slug": "pointsman", "name": "Pointsman", "permissions": _PERMISSIONS}
    app |= {"events": ["push", "repository_dispatch"], "webhook_url": webhook_url, "webhook_secret": SECRET}
    app |= {"installations": [{"installation_id": INSTALLATION, "account": OWNER}]}
    github = {
        "users": [{"login": PERSON}],
        "orgs": [{"login": OWNER, "members": [{"login": PERSON, "role": "admin"}]}],
        "repos": [{"owner": OWNER, "name": name, "private": True} for name in names],
        "apps": [app],
    }
    # A token is good for 5,000 requests an hour, so a person has one for each repository.
    tokens = {name: {"login": PERSON} for name in names}
    port = free_port()
    with (
        gate(port) as before,
        subprocess.Popen(
            ["node", "start.mjs"], cwd=HERE, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as process,
    ):
        assert process.stdin is not None
        assert process.stdout is not None
        options = {"port": port, "baseUrl": before.url, "seed": {"tokens": tokens, "github": github}}
        try:
            process.stdin.write(f"{json.dumps(options)}\n")
            process.stdin.flush()
            keys = json.loads(process.stdout.readline())
            yield Emulator(port, before, keys[str(APP)])
        finally:
            process.stdin.close()
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()
