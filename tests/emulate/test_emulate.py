"""The whole way against a GitHub that others wrote: npm `emulate`, which knows nothing of this project.

It has the REST API, tokens of Apps and webhooks; no GraphQL, so this is also the way on a server without it; no
dispatches, so these are signed and sent by the test. `make emulate` installs it and runs all in full; `make test` has a
short form of each, and skips them where it is not installed.
"""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

import pytest
from emulator import missing
from world import lost_or_doubled, world

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from world import World

MAPPING = ".github/pointsman.yaml"
VALUES, MORE, TEXT = "apps/shop/values.yaml", "apps/shop/more.yaml", "image: { tag: '0' }   # set by dispatches\n"
RULES = """\
version: 1
mappings:
  - name: shop
    update:
      - {{ files: {files}, set: {{ image.tag: '${{{{ tag }}}}' }} }}
"""
AUTHOR = "commit: { author: { name: build, email: build@internal } }\n"
ODD = "apps/a b+c#d%2F?é&;=.yaml"
COMES_AND_GOES = """\
version: 1
mappings:
  - name: preview
    when: { action: opened }
    update:
      - { files: previews/new/kustomization.yaml, create: 'resources: [../base]' }
  - name: end of a preview
    when: { action: closed }
    update:
      - { files: 'previews/new/**', delete: true }
"""
NAMES = (
    "one-file",
    "author",
    "several-files",
    "glob",
    "executable",
    "come-and-go",
    "burst",
    "burst-of-two-files",
    "people-too",
    "people-too-2",
    "faster-same-file",
    "faster-other-file",
    "faster-than-tree",
    "faster-than-ref",
    "lost-contents",
    "lost-ref",
    "lost-check-run",
    "escaped-contents",
    "escaped-git-data",
    "killed",
    "redelivered",
    "protected-contents",
    "protected-git-data",
    "refused",
)

_REASON = missing()
# `make emulate` must not pass where nothing was tried; the ordinary run has a short form.
_WANTED = os.environ.get("EMULATE") == "1"
BURST, FEW, KILLS = (30, 10, 6) if _WANTED else (10, 3, 2)
pytestmark = pytest.mark.skipif(_REASON is not None and not _WANTED, reason=str(_REASON))


@pytest.fixture(scope="module")
def there(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """One emulator and one bot for all scenarios, each with a repository of its own."""
    assert _REASON is None, _REASON
    folder: Path = tmp_path_factory.mktemp("emulate")
    with world(folder, NAMES) as made:
        yield made
        assert "Traceback" not in (folder / "said").read_text()


def rules(files: str, rest: str = "") -> dict[str, str]:
    """Return a mapping file for `files`, and two files that dispatches set a tag in."""
    return {MAPPING: RULES.format(files=files) + rest, VALUES: TEXT, MORE: TEXT}


def tagged(tag: object) -> str:
    """Return the file as it is with this tag, all else as people wrote it."""
    return TEXT.replace("'0'", f"'{tag}'")


def test_one_file(there: World) -> None:
    """One dispatch is one commit of the App that changes the one value, and a check run on it says so."""
    with there.trial("one-file") as trial:
        base = trial.home.write(rules(VALUES))
        delivery = trial.dispatch({"tag": "1.4.2-dev"})
        assert trial.ended()[delivery].state == "committed", trial.ended()
        (entry,) = trial.home.log()
        assert (entry.author, entry.deliveries) == ("Pointsman", (delivery,))
        assert trial.home.call("GET", f"/commits/{entry.oid}")["parents"][0]["sha"] == base
        assert trial.home.read(VALUES) == tagged("1.4.2-dev")
        (check,) = trial.checks_of([entry.oid])
        assert (check["name"], check["conclusion"], check["external_id"]) == ("Pointsman commit", "success", delivery)


def test_an_author(there: World) -> None:
    """The commit of one file has the author that the mapping file names."""
    with there.trial("author") as trial:
        trial.home.write(rules(VALUES, AUTHOR))
        trial.dispatch({"tag": "2"})
        assert {row.state for row in trial.ended().values()} == {"committed"}, trial.ended()
        (entry,) = trial.home.log()
        assert (entry.author, trial.home.read(VALUES)) == ("build", tagged(2))


@pytest.mark.parametrize(("name", "files"), [("several-files", f"[{VALUES}, {MORE}]"), ("glob", "'**/*.yaml'")])
def test_several_files_with_an_author(there: World, name: str, files: str) -> None:
    """Two files change in one commit, which has the author that the mapping file names."""
    with there.trial(name) as trial:
        trial.home.write(rules(files, AUTHOR))
        delivery = trial.dispatch({"tag": "3"})
        assert trial.ended()[delivery].state == "committed", trial.ended()
        (entry,) = trial.home.log()
        assert (entry.author, entry.deliveries) == ("build", (delivery,))
        changed = trial.home.call("GET", f"/commits/{entry.oid}")["files"]
        assert sorted(each["filename"] for each in changed) == [MORE, VALUES]
        assert (trial.home.read(VALUES), trial.home.read(MORE)) == (tagged(3), tagged(3))
        trial.checks_of([entry.oid])


def test_an_executable_file(there: World) -> None:
    """A file that may be executed still may, after its value changed."""
    with there.trial("executable") as trial:
        trial.home.write(rules(VALUES), executable=[VALUES])
        trial.dispatch({"tag": "4"})
        assert {row.state for row in trial.ended().values()} == {"committed"}, trial.ended()
        assert (trial.home.modes()[VALUES], trial.home.read(VALUES)) == ("100755", tagged(4))


def test_a_file_that_comes_and_goes(there: World) -> None:
    """A dispatch makes a file, and a later one deletes it; the others stay."""
    with there.trial("come-and-go") as trial:
        trial.home.write({**rules(VALUES), MAPPING: COMES_AND_GOES})
        before = trial.home.modes()
        for action, more in (("opened", {"previews/new/kustomization.yaml": "100644"}), ("closed", {})):
            trial.dispatch({"action": action})
            assert {row.state for row in trial.ended().values()} == {"committed"}, trial.ended()
            assert trial.home.modes() == {**before, **more}


@pytest.mark.parametrize(("name", "files"), [("burst", VALUES), ("burst-of-two-files", f"[{VALUES}, {MORE}]")])
def test_a_burst(there: World, name: str, files: str) -> None:
    """Of many dispatches at once each is in one commit, or superseded; the last value is there, and none went back."""
    with there.trial(name) as trial:
        trial.home.write(rules(files, AUTHOR))
        for tag in range(1, BURST + 1):
            trial.dispatch({"tag": str(tag)})
        known = trial.ended()
        log = trial.home.log()
        assert lost_or_doubled(trial.sent, log, known) == []
        assert (found := trial.home.values(VALUES)) == sorted({0, *found})
        assert len(log) < BURST
        assert trial.home.read(VALUES) == tagged(BURST)
        checks = trial.checks_of(entry.oid for entry in log)
        assert len(checks) == len(log)


@pytest.mark.parametrize(("name", "files"), [("people-too", VALUES), ("people-too-2", f"[{VALUES}, {MORE}]")])
def test_people_commit_at_the_same_time(there: World, name: str, files: str) -> None:
    """What people write while dispatches come stays, and the dispatches are done once, whoever is first."""
    with there.trial(name) as trial:
        trial.home.write(rules(files, AUTHOR))
        with trial.home.crowded() as notes:
            for tag in range(1, FEW + 1):
                trial.dispatch({"tag": str(tag)})
                trial.ended()
        assert lost_or_doubled(trial.sent, trial.home.log(), trial.ended()) == []
        assert trial.home.read(VALUES) == tagged(FEW)
        assert set(notes) <= trial.home.files().keys()
        # Else nobody came between, and the dispatches had it easy.
        assert len(notes) > FEW


@pytest.mark.parametrize(
    ("name", "files", "write", "theirs"),
    [
        ("faster-same-file", VALUES, ("PUT", "/contents/"), VALUES),
        ("faster-other-file", VALUES, ("PUT", "/contents/"), "notes/1"),
        ("faster-than-tree", f"[{VALUES}, {MORE}]", ("POST", "/git/trees"), VALUES),
        ("faster-than-ref", f"[{VALUES}, {MORE}]", ("PATCH", "/git/refs/"), VALUES),
    ],
)
def test_somebody_is_faster(there: World, name: str, files: str, write: tuple[str, str], theirs: str) -> None:
    """A commit that comes right before ours costs nobody anything: theirs stays, and ours is made once on top of it."""
    with there.trial(name) as trial:
        trial.home.write(rules(files, AUTHOR))
        there.emulator.gate.before(*write, lambda: trial.home.append(theirs, "# by a person\n"))
        delivery = trial.dispatch({"tag": "7"})
        assert trial.ended()[delivery].state == "committed", trial.ended()
        assert [entry.deliveries for entry in trial.home.log()] == [(), (delivery,)]
        assert trial.home.read(VALUES) == tagged(7) + "# by a person\n" * (theirs == VALUES)
        assert trial.home.read(theirs).endswith("# by a person\n")


@pytest.mark.parametrize(
    ("name", "files", "write"),
    [
        ("lost-contents", VALUES, ("PUT", "/contents/")),
        ("lost-ref", f"[{VALUES}, {MORE}]", ("PATCH", "/git/refs/")),
    ],
)
def test_an_answer_that_is_lost(there: World, name: str, files: str, write: tuple[str, str]) -> None:
    """A commit whose answer never came is found in the history, and not made a second time."""
    with there.trial(name) as trial:
        trial.home.write(rules(files, AUTHOR))
        there.emulator.gate.lose_answer(*write)
        delivery = trial.dispatch({"tag": "8"})
        assert trial.ended()[delivery].state == "committed", trial.ended()
        (entry,) = trial.home.log()
        assert (entry.deliveries, trial.home.read(VALUES)) == ((delivery,), tagged(8))
        trial.checks_of([entry.oid])


def test_a_check_run_whose_answer_is_lost(there: World) -> None:
    """A check run whose answer never came is looked for, and not made a second time."""
    with there.trial("lost-check-run") as trial:
        trial.home.write(rules(VALUES))
        there.emulator.gate.lose_answer("POST", "/check-runs")
        delivery = trial.dispatch({"tag": "8"})
        trial.ended()
        (entry,) = trial.home.log()
        # What is asked of check runs after that is a look for the lost one, or the same again.
        trial.asked("/check-runs", times=2)
        time.sleep(1)
        assert [each["external_id"] for each in trial.home.check_runs(entry.oid)] == [delivery]


@pytest.mark.parametrize(
    ("name", "files"), [("escaped-contents", f"'{ODD}'"), ("escaped-git-data", f"['{ODD}', {VALUES}]")]
)
def test_names_that_an_address_must_escape(there: World, name: str, files: str) -> None:
    """A branch and a file whose names have signs with a meaning in addresses are the ones that are written."""
    with there.trial(name) as trial:
        text = RULES.format(files=files).replace("    update:", "    branch: '${{ branch }}'\n    update:")
        trial.home.write({**rules(VALUES), MAPPING: text + AUTHOR, ODD: TEXT})
        trial.branches = ["feature/new", "1.0+rc#1", "süd/é", "100%2F"]
        for branch in trial.branches:
            trial.home.branch(branch)
            trial.dispatch({"branch": branch, "tag": "10"})
        assert {row.state for row in trial.ended().values()} == {"committed"}, trial.ended()
        assert {trial.home.read(ODD, branch) for branch in trial.branches} == {tagged(10)}
        assert (trial.home.read(ODD), trial.home.log()) == (TEXT, [])


def test_a_bot_that_is_killed(there: World) -> None:
    """What was answered with 202 is done once, and its commit has a check run, though the bot is killed while at it."""
    with there.trial("killed") as trial:
        trial.home.write(rules(VALUES, AUTHOR))
        for tag in range(1, BURST + 1):
            base = trial.home.head()
            trial.dispatch({"tag": str(tag)})
            if tag % (BURST // KILLS) == 0:
                # Half of the times a commit is there that the bot has not written down yet, or not reported.
                if tag % 2 == 0:
                    trial.home.moved(base)
                there.kill()
                there.start()
        known = trial.ended()
        log = trial.home.log()
        assert lost_or_doubled(trial.sent, log, known) == []
        assert trial.home.read(VALUES) == tagged(BURST)
        trial.checks_of(entry.oid for entry in log)


def test_a_redelivery(there: World) -> None:
    """A dispatch that comes again under the same GUID changes nothing, whatever came between."""
    with there.trial("redelivered") as trial:
        trial.home.write(rules(VALUES))
        first = trial.dispatch({"tag": "1"})
        trial.ended()
        trial.dispatch({"tag": "2"})
        trial.ended()
        head = trial.home.head()
        assert [trial.again(one)["outcome"] for one in trial.sent] == ["committed", "committed"]
        trial.ended()
        assert trial.home.head() == head
        assert lost_or_doubled(trial.sent, trial.home.log(), trial.ended()) == []
        assert there.rows()[first].attempts == 1
        assert trial.home.read(VALUES) == tagged(2)


@pytest.mark.parametrize(
    ("name", "files"), [("protected-contents", VALUES), ("protected-git-data", f"[{VALUES}, {MORE}]")]
)
def test_a_protected_branch(there: World, name: str, files: str) -> None:
    """A branch that wants pull requests is not written to, the check run says why, and a redelivery works later."""
    with there.trial(name) as trial:
        base = trial.home.write(rules(files, AUTHOR))
        protection = {"enforce_admins": True, "required_pull_request_reviews": {}, "required_status_checks": None}
        trial.home.call("PUT", "/branches/main/protection", {**protection, "restrictions": None})
        delivery = trial.dispatch({"tag": "5"})
        row = trial.ended()[delivery]
        assert row.state == "blocked", row
        assert trial.home.head() == base
        (check,) = trial.checks_of([base])
        assert check["conclusion"] == "failure"
        assert "Protected branch update failed" in check["output"]["summary"]
        trial.home.call("DELETE", "/branches/main/protection")
        assert trial.again(delivery)["outcome"] == "pending"
        assert trial.ended()[delivery].state == "committed", trial.ended()
        assert trial.home.read(VALUES) == tagged(5)


def test_a_dispatch_that_is_refused(there: World) -> None:
    """A branch that is not there fails the dispatch with its name, and nothing is written."""
    with there.trial("refused") as trial:
        text = RULES.format(files=VALUES).replace("    update:", "    branch: nowhere\n    update:")
        base = trial.home.write({**rules(VALUES), MAPPING: text})
        delivery = trial.dispatch({"tag": "6"})
        row = trial.ended()[delivery]
        assert (row.state, "no branch 'nowhere'" in row.reason) == ("failed", True), row
        assert trial.home.head() == base


def test_a_limit(tmp_path: Path) -> None:
    """Where the hourly limit is used up the bot waits and asks nothing more, whatever comes."""
    with world(tmp_path, ["limited"]) as made, made.trial("limited") as trial:
        trial.home.write(rules(VALUES))
        trial.dispatch({"tag": "1"})
        trial.ended()
        trial.checks_of([trial.home.head()])
        trial.home.use_up({each.authorization for each in trial.requests()})
        for tag in range(2, FEW + 2):
            trial.dispatch({"tag": str(tag)})
        reasons = trial.waiting()
        assert reasons == {"a rate limit of GitHub's is reached"}
        asked = len(trial.requests())
        trial.dispatch({"tag": "0"})
        time.sleep(1)
        assert len(trial.requests()) == asked
        assert trial.home.read(VALUES) == tagged(1)
