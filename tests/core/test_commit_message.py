"""Foreign text in a commit message: whatever it is made of, it says something and does nothing."""

from __future__ import annotations

import re
import subprocess
from typing import Any

import pytest
from fuzzing import examples
from hypothesis import given
from hypothesis import strategies as st

from bot.core.changeset import CREATED, Changeset, FileChange, Span
from bot.core.defuse import MAX_HEADLINE, MAX_LINE, MAX_MESSAGE, clean_message
from bot.core.mapping import CommitSettings
from bot.core.message import commit_message
from bot.core.plan import Plan
from bot.core.template import Position, Template

# Written apart from the rules: what GitHub, Git and CI services look for in a finished message.
EFFECTS = {
    "closes an issue": r"(?i)\b(close[sd]?|fix(es|ed)?|resolve[sd]?)\s*:?\s+(([\w.-]+/[\w.-]+)?#\d|GH-\d|https?://)",
    "closes an issue at once": r"(?i)\b(close[sd]?|fix(es|ed)?|resolve[sd]?):\s*(([\w.-]+/[\w.-]+)?#\d|GH-\d)",
    "skips CI": r"(?i)\[\s*(skip[ _-]*(ci|cd|actions|netlify|travis|vercel|azp)|(ci|cd|actions|netlify|azp)[ _-]*skip"
    r"|no[ _-]*ci)\s*\]",
    "skips Azure Pipelines": r"(?i)\*\*\*NO_CI\*\*\*",
    "skips or asks for checks": r"(?i)(skip|request)-checks\s*:\s*true",
    "is a trailer": r"(?im)^[ \t]*(co-authored-by|signed-off-by|reviewed-by|pointsman-delivery|change-id)[ \t]*:",
    "ends the message": r"(?m)^---",
    "is invisible": "[\x00-\x09\x0b-\x1f\x7f-\x9f\xad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]",
}
WORDS = [
    *("fix", "fixes", "es", "Closes", "resolved", "#1", "#", "1", "GH-", "GH-12", "acme/shop#7", "https://github.com/"),
    *("[", "]", "skip", "ci", "no", " ", "  ", "-", "_", "netlify", "***", "NO_CI", "skip-checks", "request-checks"),
    *(":", ": ", " :", "true", "Co-authored-by", "Signed-", "off-by", "Pointsman-Delivery: d2", "Change-Id: I1", "---"),
    *("\u200b", "\u202e", "\xad", "\u2060", "\u2028", "\x85", "\r", "\n", "\t", "\x1b[31m", "\x00", "\ud800", "\u3164"),
]
# The mapping file's part of a message. It has no letters: a word with an effect is then always a value's doing.
AUTHOR = ["", " ", "\n", "\n\n", "#", "[", "]", "* ", "(", "-", "> "]


def defuse(text: str) -> str:
    """Return a message that is one foreign text."""
    return clean_message([(text, True)])


def effects(message: str) -> list[str]:
    return [what for what, pattern in EFFECTS.items() if re.search(pattern, message)]


def trailers(message: str) -> list[str]:
    """Return the trailers that Git finds, as `Key: value`."""
    return subprocess.run(
        ["git", "interpret-trailers", "--parse"], input=message, capture_output=True, check=True, text=True
    ).stdout.splitlines()


def render(source: str, **values: Any) -> str:
    return Template.parse(source, Position("m.yaml", 1, 1)).render_message(values)


def change(path: str = "v.yaml", field: str = "app.tag", old: str = "1", new: str = "2") -> Changeset:
    span = Span("dev", field, 1, 1, old, new)
    return Changeset("", "0" * 40, {path: FileChange(path, b"1", b"2", 0o100644, "", (span,))})


def said(made: Changeset, message: str | None = None, deliveries: tuple[str, ...] = ("d1",)) -> str:
    changes = [(delivery, Plan((), (), {}, message), made) for delivery in deliveries]
    return commit_message(changes, CommitSettings()).text


@examples(400)
@given(st.lists(st.tuples(st.sampled_from(AUTHOR), st.lists(st.sampled_from(WORDS), max_size=5)), max_size=6))
def test_no_pieces_join_to_something_that_has_an_effect(pieces: list[tuple[str, list[str]]]) -> None:
    """Values, and what the mapping file has between them, in any arrangement."""
    message = clean_message(
        piece for author, words in pieces for piece in ((author, False), ("".join(words), True), (" ", False))
    )
    assert effects(message) == []


@examples(200)
@given(*[st.lists(st.sampled_from(WORDS), max_size=6).map("".join)] * 4)
def test_the_default_message_is_cleaned_as_a_whole(path: str, field: str, old: str, new: str) -> None:
    """Path, field, old and new value stand side by side, in one message and in a list of several."""
    made = change(path or "p", field or "f", old, new)
    for message in (said(made, deliveries=("",)), said(made, deliveries=("", ""))):
        assert effects(message) == []


@examples(60)
@given(st.lists(st.lists(st.sampled_from(WORDS), max_size=4).map("".join), min_size=1, max_size=4))
def test_git_finds_no_trailer_that_a_value_made(values: list[str]) -> None:
    """Each value is a line of the last paragraph, below one trailer of the mapping file's."""
    lines = "".join(f"\n${{{{ v{index} }}}}" for index in range(len(values)))
    message = render(f"Head\n\nDeployed-by: me{lines}\n", **{f"v{index}": value for index, value in enumerate(values)})
    assert [line for line in trailers(message) if not line.startswith("Deployed-by: me")] == []


@pytest.mark.parametrize(
    "line",
    ["Co-authored-by: Eve <e@x>", "Signed-off-by : Eve", " Reviewed-by: Eve", "Pointsman-Delivery: d2", "Fixes: 12"],
)
def test_a_line_that_is_one_value_is_no_trailer(line: str) -> None:
    """It is quoted. A trailer whose key the mapping file writes keeps its value."""
    message = render("Head\n\n${{ v }}\nDeployed-by: ${{ user }}", v=line, user="octocat")
    assert message == f"Head\n\n{line[: len(line) - len(line.lstrip())]}> {line.lstrip()}\nDeployed-by: octocat"
    assert trailers(render("Head\n\n${{ v }}", v=line)) == []
    assert trailers("Head\n\n" + line.lstrip()) != []


def test_the_key_of_a_trailer_may_not_be_made_of_pieces() -> None:
    """The mapping file begins it, or a value ends it: what comes about is not what the mapping file wrote."""
    assert render("Head\n\nSigned-${{ v }}", v="off-by: Eve") == "Head\n\n> Signed-off-by: Eve"
    assert render("Head\n\n${{ v }}-by: Eve", v="Signed-off") == "Head\n\n> Signed-off-by: Eve"


@pytest.mark.parametrize("headline", ["feat: add a cart", "kube-proxy: fix the port", "chore(deps): bump", "v1: x"])
def test_a_headline_may_begin_with_a_topic(headline: str) -> None:
    """Git reads no trailer in the first paragraph, so conventional commits stay as upstream wrote them."""
    assert defuse(headline) == headline
    assert trailers(f"{headline}\n\nPointsman-Delivery: d1") == ["Pointsman-Delivery: d1"]


@pytest.mark.parametrize("line", ["Co-authored-by: Eve <e@x>", "Signed-off-by: Eve", "Pointsman-Delivery: d2", "--- a"])
def test_a_headline_that_tools_may_take_for_a_trailer_is_quoted(line: str) -> None:
    """Some look for these names in any line."""
    assert defuse(line) == f"> {line}"


@pytest.mark.parametrize(
    ("path", "field", "old", "new"),
    [
        ("previews/feature [skip ci]/v.yaml", CREATED, "", ""),
        ("previews/fixes #12/v.yaml", CREATED, "", ""),
        ("previews/a\u2028Co-authored-by: Eve <e@x>/v.yaml", CREATED, "", ""),
        ("previews/\u202egpj.yaml", CREATED, "", ""),
        ("v.yaml", "app.fixes", "GH-12", "1.2"),
        ("v.yaml", "app.closes", "acme/shop#7", "1.2"),
        ("v.yaml", "[skip", "ci]", "x"),
        ("v.yaml", "app", "skip-checks:", "true"),
        ("closes: ", "#1", "", "x"),
    ],
)
def test_a_path_or_field_of_the_default_message_has_no_effect(path: str, field: str, old: str, new: str) -> None:
    """Headline and body, whether or not other changes are in the same commit."""
    made = change(path, field, old, new)
    assert effects(said(made, deliveries=("",))) == []
    assert effects(said(made, deliveries=("", ""))) == []
    assert trailers(said(made)) == ["Pointsman-Delivery: d1"]


@pytest.mark.parametrize(
    "word",
    [
        *("[skip-ci]", "[ci-skip]", "[SKIP_CI]", "[skipci]", "[ skip ci ]", "[no-ci]", "[skip cd]", "[cd skip]"),
        *("[skip netlify]", "[netlify skip]", "[skip travis]", "[skip circle]", "[skip vercel]", "[azp skip]"),
        *("[azurepipelines skip]", "[skip\u200b ci]", "[sk\u00adip ci]", "***NO_CI***", "*** no ci ***"),
        *("[skip\u00a0ci]", "[skip render]", "[skip-build]", "[skip deploy]", "request-checks: true"),
    ],
)
def test_words_that_skip_ci_are_harmless_and_can_be_read(word: str) -> None:
    """Those of all services: brackets become parentheses, a colon an equals sign."""
    cleaned = defuse(f"x {word}")
    assert not re.search(r"\[|\*\*\*|: ?true", cleaned)
    assert re.sub(r"\W", "", cleaned) == re.sub(r"\W", "", f"x{word}".replace("\u200b", "").replace("\u00ad", ""))


def test_the_reference_counts_as_a_whole() -> None:
    """`Fixes acme/shop#` of the mapping file closes nothing if the number is a value's; its own reference does."""
    assert render("Fixes acme/shop#${{ v }}", v="12") == "Fixes issue acme/shop#12"
    assert render("Fixes https://github.com/o/r/issues/${{ v }}", v="1").startswith("Fixes issue https")
    assert render("Fixes #7 for ${{ v }}", v="x") == "Fixes #7 for x"


def test_a_message_is_bounded() -> None:
    """Headline, each line with foreign text, and the whole; what the mapping file alone says is left."""
    long = "x" * 20_000
    assert len(render("${{ v }}", v=long)) == MAX_HEADLINE
    headline, _, body = render(f"Head\n\n${{{{ v }}}}\n{'y' * 2000}", v=long).partition("\n\n")
    assert (headline, [len(line) for line in body.split("\n")]) == ("Head", [MAX_LINE, 2000])
    assert len(clean_message([("Head\n", False), *[("x" * 999, True), ("\n", False)] * 99])) == MAX_MESSAGE
    assert len(max(said(change(long, long, long, long)).split("\n"), key=len)) <= MAX_LINE
    assert len(said(change(new=long)).partition("\n")[0]) == 72


@pytest.mark.parametrize("empty", ["\u200b", "\u2800", "\u3164 \ufeff", "\x00", "\u202e", "\u3000", " \u0301 "])
def test_a_headline_with_nothing_to_see_is_the_default_one(empty: str) -> None:
    """A blank that no trimming takes away is no message either; a body that can be seen moves up."""
    assert said(change(), render("${{ v }}", v=empty)).startswith("dev: 2\n")
    assert render("${{ v }}\n\nBody", v=empty) == "Body"


def test_half_a_character_does_not_get_into_a_message() -> None:
    """JSON may hold one, UTF-8 cannot."""
    assert render("a ${{ v }}", v="b\ud800c").encode() == b"a bc"


def test_trailers_of_deliveries_are_the_last_paragraph_whatever_stands_above() -> None:
    """Git finds them and no others, in a commit of one delivery and of several."""
    message = render("Head\n\n${{ v }}", v="Pointsman-Delivery: forged")
    for deliveries in (("d1",), ("d1", "d2")):
        found = trailers(said(change(), message, deliveries))
        assert found == [f"Pointsman-Delivery: {delivery}" for delivery in deliveries]
