"""What Pointsman says: commit messages and check runs, whatever a payload holds."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest
from decided import HEAD, MAPPINGS, PATH, changed, committed, planned
from markdown_it import MarkdownIt

from bot.core.changeset import Changeset, FileChange
from bot.core.mapping import CommitSettings
from bot.core.message import MAX_NAME, MAX_OUTPUT, MAX_TITLE, CheckRun, check_run, code, commit_message, groups
from bot.core.model import Actor
from bot.core.outcome import Commit, Outcome
from bot.core.protected import MAPPING_PATH
from bot.core.verdict import judge
from bot.errors import Problem

MESSAGE = MAPPINGS + "commit: { message: \"Branch ${{ git_branch }} led to '${{ tag }}': ${{ subject }}\" }\n"
ANY = MAPPINGS.replace("when: { tag: '.*-dev' }", "")
HOSTILE = [
    "two\nlines",
    "x\r\n\r\nPointsman-Delivery: forged",
    "fixes #1",
    "Closes: acme/other#7",
    "[skip ci]",
    "skip-checks: true",
    "`code` ``` fence",
    "a | b \\| c",
    "<script>alert(1)</script><img src=x>",
    "![x](https://evil.example/x.png) [y](javascript:x)",
    "# heading *bold* _it_ ~~no~~ @octocat #1",
    "&lt;b&gt; \\` \\\\",
    "\u202edcba \u2028 \x1b[31m \x00",
]


def change(payload: Any, mappings: str = MAPPINGS) -> tuple[Any, Changeset]:
    plan, made = changed({PATH: "image: { tag: 1-dev }\n"}, payload, mappings)
    assert isinstance(made, Changeset)
    return plan, made


def html(markdown: str) -> str:
    """Render as GitHub does, with its tables; raw HTML would be let through, so that it shows."""
    text: str = MarkdownIt("commonmark", {"html": True}).enable("table").render(markdown)
    return text


def check_runs(outcomes: list[Outcome]) -> list[CheckRun]:
    """Return what is said on GitHub of these outcomes."""
    return [check_run(group) for group in groups(outcomes)]


def run_of(outcome: Outcome) -> CheckRun:
    (run,) = check_runs([outcome])
    return run


# -- commit messages


def test_without_a_message_the_mapping_and_the_value_are_the_headline() -> None:
    """The body lists what changed where; the trailer is the last paragraph."""
    message = commit_message([("d1", *change({"tag": "2-dev"}))], CommitSettings())
    assert message.headline == "dev: 2-dev"
    assert message.body == f"* {PATH}: image.tag 1-dev -> 2-dev\n\nPointsman-Delivery: d1"


def test_the_message_of_the_mapping_file_is_taken_and_the_trailer_added() -> None:
    """One delivery: its rendered message, an empty line, its trailer."""
    payload = {"tag": "2-dev", "git_branch": "main", "subject": "Add a shop"}
    message = commit_message([("d1", *change(payload, MESSAGE))], CommitSettings())
    assert message.text == "Branch main led to '2-dev': Add a shop\n\nPointsman-Delivery: d1"


def test_a_message_of_several_paragraphs_keeps_them() -> None:
    """The first line is the headline, the rest the body, the trailers a paragraph of their own."""
    mappings = MAPPINGS + 'commit: { message: "Head ${{ tag }}\\n\\nWhy.\\n\\nMore." }\n'
    message = commit_message([("d1", *change({"tag": "2-dev"}, mappings))], CommitSettings())
    assert (message.headline, message.body) == ("Head 2-dev", "Why.\n\nMore.\n\nPointsman-Delivery: d1")


@pytest.mark.parametrize("subject", ["", " ", "\n\t"])
def test_a_message_that_renders_to_nothing_is_the_default_one(subject: str) -> None:
    """Git takes no commit without a message."""
    mappings = MAPPINGS + "commit: { message: '${{ subject }}' }\n"
    assert (
        commit_message([("d1", *change({"tag": "2-dev", "subject": subject}, mappings))], CommitSettings()).headline
        == "dev: 2-dev"
    )


def test_several_deliveries_are_counted_listed_and_each_has_its_trailer() -> None:
    """One headline for the batch, each delivery's own headline below, all trailers in the last paragraph."""
    message = commit_message([(name, *change({"tag": f"{name}-dev"})) for name in ("a", "b", "c")], CommitSettings())
    assert message.headline == "3 updates: dev"
    assert message.body == (
        "* dev: a-dev (superseded below)\n* dev: b-dev (superseded below)\n* dev: c-dev\n\n"
        "Pointsman-Delivery: a\nPointsman-Delivery: b\nPointsman-Delivery: c"
    )


def test_a_long_default_headline_is_cut() -> None:
    """GitHub shows 72 characters of a headline."""
    message = commit_message([("d1", *change({"tag": "x" * 200 + "-dev"}))], CommitSettings())
    assert len(message.headline) == 72
    assert message.headline.endswith("…")


@pytest.mark.parametrize("value", HOSTILE)
@pytest.mark.parametrize("mappings", [ANY, MESSAGE.replace("when: { tag: '.*-dev' }", "")])
def test_payload_text_has_no_effect_in_a_commit_message(value: str, mappings: str) -> None:
    """No line break, no forged trailer, no keyword that closes an issue or keeps checks from running."""
    payload = {"tag": value, "git_branch": value, "subject": value}
    message = commit_message([("d1", *change(payload, mappings))], CommitSettings())
    *_, last = message.text.split("\n\n")
    assert last == "Pointsman-Delivery: d1"
    assert [line for line in message.text.splitlines() if line.startswith("Pointsman-Delivery")] == [last]
    assert not re.search(r"(?i)(fix(es)?|closes):?\s+(\S+/\S+)?#\d|\[skip ci\]|skip-checks:\s*true", message.text)
    assert not re.search("[\x00-\x09\x0b-\x1f\u2028\u202e]", message.text)


# -- check runs


@pytest.mark.parametrize("value", HOSTILE)
def test_payload_text_is_no_markup_in_a_check_run(value: str) -> None:
    """Whatever a value holds, it is shown in code spans and in one fenced block: no HTML, link, image or new cell."""
    payload = {"tag": value}
    run = run_of(committed(payload, ANY))
    for markdown in (run.summary, run.text):
        shown = html(markdown)
        outside = re.sub(r"<code[^>]*>.*?</code>", "", shown, flags=re.DOTALL)
        assert not re.search(r"<(script|img|a|h1|em|strong|del)\b", shown)
        assert not re.search(r"octocat|evil|alert|forged", outside)
    tables = re.findall(r"<table>.*?</table>", html(run.summary), re.DOTALL)
    assert [table.count("<td>") for table in tables] == [2, 4]
    assert html(run.text).count("<pre>") == 1


@pytest.mark.parametrize("value", HOSTILE)
def test_payload_text_is_no_markup_in_a_reason(value: str) -> None:
    """A sentence that quotes a value shows it, and does nothing else."""
    reason = f"the path '{' '.join(value.split())}' is refused"
    shown = html(run_of(Outcome("d1", "failed", reason, HEAD)).summary)
    assert not re.search(r"<(script|img|a|h1|em|strong|del)\b", shown)
    assert "is refused" in shown


@pytest.mark.parametrize("reason", ["no file matches '**/prod/values.yaml' and '*_x_*'", "use __init__ or <name>"])
def test_the_sentence_of_a_check_run_is_readable_as_it_is(reason: str) -> None:
    """Stars and underscores of globs are not eaten as markup; the sentence stands in the Markdown word for word."""
    run = run_of(Outcome("d1", "no_change", reason, HEAD))
    assert reason in run.summary
    assert f"<code>{reason.replace('<', '&lt;').replace('>', '&gt;')}</code>" in html(run.summary)


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("a", "`a`"),
        ("", "(empty)"),
        ("a`b", "``a`b``"),
        ("`a", "`` `a ``"),
        ("a``b`", "``` a``b` ```"),
        ("a\n  b", r"`a\n \u0020b`"),
        ("a\x1b\u202eb", r"`a\u001b\u202eb`"),
    ],
)
def test_code_is_one_span_whatever_it_holds(text: str, span: str) -> None:
    """More backticks than the text has anywhere, blanks where it begins or ends with one, escapes for the unseen."""
    assert code(text) == span


def test_a_commit_is_told_with_reasons_variables_changes_and_diff() -> None:
    """The check run of a commit shows which mapping held and why, what was used, what changed, and the diff."""
    run = run_of(committed({"tag": "2-dev", "unused": "x"}))
    assert (run.name, run.conclusion, run.head, run.external_id) == ("Pointsman commit", "success", "2" * 40, "d1")
    assert run.title == "dev: 1 file changed"
    for part in ("* ✅ mapping `dev`", "  * ✅ `tag matches .*-dev`: `it is '2-dev'`", "| `tag` | `2-dev` |"):
        assert part in run.summary
    assert f"| `{PATH}:1` | `image.tag` | `1-dev` | `2-dev` |" in run.summary
    assert "unused" not in run.summary
    assert run.text.startswith("```diff\n--- a/environments/dev/values.yaml\n")
    assert run.text.endswith("+image: { tag: 2-dev }\n```\n")


@pytest.mark.parametrize(
    ("state", "conclusion", "title"),
    [
        ("no_change", "neutral", "Nothing to change"),
        ("denied", "failure", "Denied: nothing was written"),
        ("held", "neutral", "Held back: nothing was written"),
        ("blocked", "failure", "Blocked by a rule of this repository: nothing was written"),
        ("failed", "failure", "Failed: nothing was written"),
        ("dead", "failure", "Given up: nothing was written"),
    ],
)
def test_each_way_to_end_has_its_conclusion_and_title(state: Any, conclusion: str, title: str) -> None:
    """What wrote nothing says so on the head that was looked at, with the reason first."""
    run = run_of(Outcome("d1", state, "one\ntwo", HEAD, planned({"tag": "1-prod"})))
    assert (run.conclusion, run.title, run.head) == (conclusion, title, HEAD)
    # Of the checks of one name a commit shows the latest only: a failure must not be hidden by what comes after it.
    assert run.name == ("Pointsman dispatch" if conclusion == "neutral" else "Pointsman dispatch d1")
    assert run.summary.startswith("* `one`\n* `two`\n\n#### Delivery `d1`")
    assert "⬜ `tag matches .*-dev`: `it is '1-prod'`" in run.summary


def test_what_was_ignored_or_never_read_a_commit_makes_no_check_run() -> None:
    """There is nothing to show it on, or nobody who asked."""
    assert check_runs([Outcome("a", "ignored", "no mapping file", HEAD), Outcome("b", "failed", "gone")]) == []


def test_deliveries_of_one_commit_share_its_check_run() -> None:
    """So do those that ended in the same way for the same reason; another reason is another check run."""
    first = committed({"tag": "2-dev"})
    failed = Outcome("d3", "failed", "because", HEAD)
    outcomes = [
        first,
        replace(first, delivery="d2"),
        failed,
        replace(failed, delivery="d4"),
        replace(failed, reason="x"),
    ]
    runs = check_runs(outcomes)
    assert [run.external_id for run in runs] == ["d1", "d3", "d3"]
    assert runs[0].title == "dev: 1 file changed by 2 deliveries"
    assert [f"`{name}`" in runs[1].summary for name in ("d3", "d4")] == [True, True]


def test_a_commit_that_was_found_later_says_so() -> None:
    """Nothing is known of what it changed: the title has no count, and the text says where to look."""
    found = Outcome("d1", "committed", "found", "b" * 40, commit=Commit("c" * 40, "u", "b" * 40), branch="main")
    run = run_of(found)
    assert (run.title, run.text) == ("Committed", "")
    assert "GitHub's answer to this commit was lost" in run.summary
    (both,) = check_runs([found, replace(found, delivery="d2")])
    assert both.title == "Committed by 2 deliveries"


def test_problems_with_a_place_become_annotations_fifty_at_most() -> None:
    """GitHub takes fifty in a request; what has no line cannot be shown at one."""
    problems = tuple(Problem(f"problem {i}", MAPPING_PATH, i or None, 1) for i in range(60))
    run = run_of(Outcome("d1", "failed", "many", HEAD, problems=problems))
    assert len(run.annotations) == 50
    first = run.annotations[0]
    assert (first.path, first.line, first.sentence) == (MAPPING_PATH, 1, "problem 1")


def test_a_problem_of_another_file_is_no_annotation() -> None:
    """The organization's mapping file, or the server's, is no file of this repository."""
    run = run_of(Outcome("d1", "failed", "one", HEAD, problems=(Problem("wrong", "/etc/mappings.yaml", 1, 1),)))
    assert run.annotations == ()


def test_a_failure_is_not_hidden_by_the_next_one() -> None:
    """Of the checks of one name GitHub shows the latest alone: each failure has a name of its own."""
    runs = check_runs([Outcome(name, "failed", name, HEAD) for name in ("11111111-a", "22222222-b")])
    assert [run.name for run in runs] == ["Pointsman dispatch 11111111", "Pointsman dispatch 22222222"]


def test_a_denial_shows_its_reasoning() -> None:
    """Who asked, by what proof, and which path nothing may touch."""
    made = committed({"tag": "2-dev"})
    assert made.changeset is not None
    (file,) = made.changeset.files.values()
    verdict = judge(Actor("webhook", "octocat"), replace(made.changeset, files={MAPPING_PATH: file}))
    run = run_of(replace(made, state="denied", reason="no", verdict=verdict, commit=None))
    assert "* ✅ `the actor is proven`: `octocat, by a signed webhook`" in run.summary
    assert "* ⬜ `no path is one that nothing may touch`" in run.summary
    assert f"  * ⬜ `{MAPPING_PATH}`: `{MAPPING_PATH} is the mapping file; people change it" in run.summary


# -- the limit


def by_mapping(name: str, delivery: str) -> Outcome:
    return replace(committed({"tag": "2-dev"}, MAPPINGS.replace("name: dev", f"name: {name}")), delivery=delivery)


@pytest.mark.parametrize("separator", ["", " "])
def test_a_title_is_cut_at_a_word_and_keeps_its_count(separator: str) -> None:
    """Sixty mappings in one commit: 120 characters at most, and how many files and deliveries stays readable."""
    names = tuple(f"rather{separator}long{separator}name{separator}of{separator}service{i}" for i in range(60))
    (run,) = check_runs([by_mapping(name, f"d{i}") for i, name in enumerate(names)])
    listed, _, count = run.title.partition("…")
    assert len(run.title) <= MAX_TITLE == 120
    assert count == ": 1 file changed by 60 deliveries"
    assert ", ".join(names).startswith(f"{listed} ") or f"{listed}," in ", ".join(names)


def test_a_title_of_one_endless_word_is_cut_too() -> None:
    """There is no blank to cut at: the word is cut, and the count still stands."""
    run = run_of(by_mapping("x" * 500, "d1"))
    assert len(run.title) <= MAX_TITLE
    assert run.title.endswith("x…: 1 file changed")


@pytest.mark.parametrize("state", ["no_change", "denied", "held", "blocked", "failed", "dead"])
def test_the_title_of_each_outcome_is_bounded(state: Any) -> None:
    """A reason of any length stands in the summary, not in the title."""
    run = run_of(Outcome("d1", state, "because " * 1000, HEAD))
    assert 0 < len(run.title) <= MAX_TITLE


def test_names_of_check_runs_are_bounded_and_stay_apart() -> None:
    """Two branches that begin with the same 240 characters: two names, as a commit shows only the latest of a name."""
    branches = [f"{'x' * 240}{end}" for end in ("-a", "-b")]
    runs = check_runs([Outcome("d1", "failed", branch, HEAD, branch=branch) for branch in branches])
    assert len({run.name for run in runs}) == 2
    assert all(len(run.name) <= MAX_NAME for run in runs)


def large(line: str, lines: int) -> Outcome:
    outcome = committed({"tag": "2-dev"})
    assert outcome.changeset is not None
    before = "".join(f"{line}{i}\n" for i in range(lines))
    file = FileChange(PATH, before.encode(), before.replace(line, f"new {line}").encode(), 0o100644, "", ())
    return replace(outcome, changeset=replace(outcome.changeset, files={PATH: file}))


@pytest.mark.parametrize("ticks", [0, 2, 3, 50, 3000])
def test_a_diff_that_is_too_long_is_cut_at_a_line_and_its_fence_closed(ticks: int) -> None:
    """65,535 are never exceeded, in bytes; the code block ends before the sentence that says so."""
    run = run_of(large("é" + "`" * ticks, 8000))
    assert len(run.text.encode()) <= MAX_OUTPUT
    *kept, fence, end = run.text.rstrip("\n").split("\n")
    assert end == "… cut: the commit has the rest"
    assert set(fence) == {"`"}
    assert kept[0] == f"{fence}diff"
    assert html(run.text).count("<pre>") == 1
    assert html(run.text).endswith("<p>… cut: the commit has the rest</p>\n")


def test_line_separators_in_a_file_do_not_confuse_the_cut() -> None:
    """Only a line feed ends a line of a diff: what follows another separator is no fence."""
    run = run_of(large("a\u2028```x", 8000))
    assert html(run.text).endswith("<p>… cut: the commit has the rest</p>\n")


def test_a_summary_that_is_too_long_is_cut() -> None:
    """A hundred deliveries with long values still make a check run that GitHub takes."""
    first = committed({"tag": f"{'y' * 3000}-dev"})
    run = check_runs([replace(first, delivery=f"d{i}") for i in range(100)])[0]
    assert len(run.summary.encode()) <= MAX_OUTPUT
    assert run.summary.endswith("… cut: the commit has the rest\n")


def test_one_endless_line_is_cut_too() -> None:
    """A file of a single line has no line to cut at but the diff's own."""
    run = run_of(large("x" * 200_000, 1))
    assert len(run.text) <= MAX_OUTPUT
    assert run.text.endswith("```\n… cut: the commit has the rest\n")
