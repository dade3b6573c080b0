r"""Values in sentences: what decided can be seen, and ordinary values look as they are."""

# ruff: noqa: RUF001 - lookalikes are what these tests are about

from __future__ import annotations

import html as markup
import re
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from bot.core import mapping_file
from bot.core.match import evaluate
from bot.core.message import code
from bot.core.shown import json_shown, quoted, value_shown, visible

if TYPE_CHECKING:
    from bot.core.model import Json

ORDINARY = (
    "1.4.2-dev",
    "Branch main led to updated image: fix #1 & more",
    "C:\\dir",
    "a.b|c*d?[e]{f}",
    "Müller, Ærø, naïve, yapı",
    "добавить рост и сыр с сахаром",
    "Ελλάδα και ο κόσμος",
    "日本語、テスト",
    "हिन्दी",
    "2019 – 2024, and more — later…",
    "it’s “fine”",
    "🚀 ❤️ 1️⃣ ✅",
    "x² ½ ①",
)


@pytest.mark.parametrize("value", ORDINARY)
def test_an_ordinary_value_looks_as_it_is(value: str) -> None:
    """Letters of all languages, signs, emoji, single blanks and backslashes need no escape."""
    assert quoted(value) == f"'{value}'"
    assert visible(value) == value


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("", "''"),
        ("v1\n", r"'v1\n'"),
        ("v1\r\n", r"'v1\r\n'"),
        ("v1\t", r"'v1\t'"),
        ("\x00\x1b[31m", r"'\u0000\u001b[31m'"),
        (" v1", r"'\u0020v1'"),
        ("v1 ", r"'v1\u0020'"),
        ("a  b   c", r"'a \u0020b \u0020\u0020c'"),
        (" ", r"'\u0020'"),
        ("v\xa01", r"'v\u00a01'"),
        ("v1\u3000", r"'v1\u3000'"),
        ("v\u200b1\u2060\ufeff", r"'v\u200b1\u2060\ufeff'"),
        ("v\xad1", r"'v\u00ad1'"),
        ("\u202ev1\u2066", r"'\u202ev1\u2066'"),
        ("v1\ufe0f", r"'v1\ufe0f'"),
        ("v1\U000e0041", r"'v1\udb40\udc41'"),
        ("mаin", r"'m\u0430in'"),
        ("сор", r"'\u0441\u043e\u0440'"),
        ("Α-1", r"'\u0391-1'"),
        ("ｍａｉｎ", r"'\uff4d\uff41\uff49\uff4e'"),
        ("𝐦ain", r"'\ud835\udc26ain'"),
        ("１.４", r"'\uff11.\uff14'"),
        ("v1–dev", r"'v1\u2013dev'"),
        ("v1‐dev", r"'v1\u2010dev'"),
        ("a∕b", r"'a\u2215b'"),
        ("Mu\u0308ller", r"'Mu\u0308ller'"),
        (r"v1\n", r"'v1\\n'"),
        ("\\\n", r"'\\\n'"),
        ("z" * 81, f"'{'z' * 50}…{'z' * 29}' (81 characters)"),
        ("z" * 4000 + "\n", f"'{'z' * 50}…{'z' * 28}\\n' (4,001 characters)"),
    ],
)
def test_what_cannot_be_seen_is_written_as_an_escape(value: str, shown: str) -> None:
    """Blanks that a check run folds, controls, what has no shape, letters that look like others; both ends stay."""
    assert quoted(value) == shown


@pytest.mark.parametrize(
    ("when", "value", "why"),
    [
        ("v.*", "v1\n", r"it is 'v1\n'"),
        ("main", "mаin", r"it is 'm\u0430in'"),
        ("''", "", "it is ''"),
        ("'1'", 1, "it is 1 (a number)"),
        ("'1'", "1", "it is '1'"),
        ("'true'", True, "it is true (a boolean)"),
    ],
)
def test_the_reason_of_a_condition_shows_what_decided(when: str, value: Json, why: str) -> None:
    """In the tree of results, and unchanged in the code span of a check run."""
    text = f"version: 1\nmappings: [{{name: a, when: {{t: {when}}}, update: [{{files: a, delete: true}}]}}]\n"
    (mapping,) = mapping_file.parse(text, "pointsman.yaml").mappings
    (result,) = evaluate(mapping.when, {"t": value}).result.children
    assert result.why == why
    assert code(result.why) == f"`{why}`"


@pytest.mark.parametrize(
    ("item", "shown"),
    [
        ({"tag": "1"}, '{"tag": "1"}'),
        ({"tag": 1}, '{"tag": 1}'),
        ({"tag": "1\n "}, r'{"tag": "1\n "}'),
        ("а", r'"\u0430"'),
        ("x" * 100, f'"{"x" * 49}…{"x" * 28}" (102 characters)'),
    ],
)
def test_an_item_is_shown_as_json(item: Json, shown: str) -> None:
    """A number and its text differ; a long item is cut in its middle."""
    assert json_shown(item) == shown


TRICKY = st.text(st.sampled_from("a\\nru0 \n\t\r\u200b\u0430\u0301e\xa0-–'"), max_size=12)


@given(TRICKY, TRICKY)
def test_values_that_differ_look_different(one: str, other: str) -> None:
    """Also after what Markdown does to blanks in a code span."""
    assert (fold(value_shown(one)) == fold(value_shown(other))) == (one == other)


@given(st.text(max_size=100))
def test_what_is_shown_is_one_printable_line_and_stays_so(value: str) -> None:
    """A reason is shown in a code span once more: nothing is escaped twice there."""
    shown = quoted(value)
    assert shown.isprintable()
    assert visible(shown) == shown
    assert fold(shown) == shown
    rendered: Any = MarkdownIt("commonmark").render(code(shown))
    found = re.search(r"<code>(.*)</code>", rendered, re.DOTALL)
    assert found is not None
    assert markup.unescape(found[1]) == shown


def fold(text: str) -> str:
    """Show blanks as a browser does."""
    return re.sub(r"\s+", " ", text).strip()
