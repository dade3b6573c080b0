"""Whatever comes in from outside: our own errors or a result, and soon. `make fuzz` tries a hundred times as much."""

from __future__ import annotations

import re
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from fuzzing import FILES, ROOT, SMALL, TOKENS, HangError, examples, mutated, within
from hypothesis import given
from hypothesis import strategies as st

from bot.core.mapping_file import parse as parse_mappings
from bot.core.template import Position, Template
from bot.core.yaml import DocumentSelector, Merge, SetField, SetImage, Unset, edit
from bot.core.yaml.locate import locate
from bot.core.yaml.path import parse as parse_path
from bot.core.yaml.walk import Match, children
from bot.errors import EditError, InputError

if TYPE_CHECKING:
    from collections.abc import Callable

    from bot.core.yaml import Operation

SECONDS = 5.0
VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.sampled_from(TOKENS),
    lambda below: st.lists(below, max_size=3) | st.dictionaries(st.text(max_size=3), below, max_size=3),
    max_leaves=4,
)
STEPS = [
    *("a", "b", "tag", "image", "metadata", "name", ".", "..", "*", "[*]", "[0]", "[-1]", "[9]", "[1:]", "[::0]", "$"),
    *("['a b']", "[?(@.a==1)]", "[?(@.name=='web')]", "[?@.a =~ /x/]", "[?!@.b || (@.c >= 2)]", "[+]", " | ", "[0, 1]"),
    *("@", "~", "(", ")", "'", '"', "[", "]", "\\", "é", "-1", "<<", "['<<']", "..*", "[?@..a]", "|", "\x00", "\ud800"),
]


paths = st.lists(st.sampled_from(STEPS) | st.text(max_size=2), min_size=1, max_size=6).map("".join)


def known(text: str) -> list[str]:
    """The paths that mean something in the text, if it can be read."""
    try:
        waiting = [Match(document.root) for document in locate(text.removeprefix("\ufeff")).documents]
    except EditError:
        return []
    found = []
    while waiting:
        match = waiting.pop()
        found.append(str(match))
        waiting += children(match)
    return found


@st.composite
def operations(draw: st.DrawFn, text: str) -> list[Operation]:
    """Operations on what is in the text, on what could be beside it, and on others."""
    there = st.sampled_from(known(text) or ["a"])
    beside = st.builds(str.__add__, there, st.sampled_from([".new", ".new.below", "[+]", "[0]", "['a b']", ".tag"]))
    path = st.one_of(there, there, beside, beside, paths)
    scalars = st.text(max_size=8) | st.integers() | st.booleans()
    document = st.sampled_from(
        [None, None, DocumentSelector(0), DocumentSelector(1, "Job"), DocumentSelector(None, "x")]
    )
    patch = st.dictionaries(st.sampled_from(["a", "tag", "new", "image"]), scalars | VALUES, max_size=3)
    kinds = st.one_of(
        st.builds(SetField, path, scalars | VALUES, document, st.just(True), st.booleans()),
        st.builds(Unset, path, document, st.booleans()),
        st.builds(Merge, path, patch, document),
        st.builds(SetImage, st.sampled_from(["a/b", "mysql", "x", ""]), st.none() | st.text(max_size=5), st.none()),
    )
    return draw(st.lists(kinds, min_size=1, max_size=2))


def ends(run: Callable[[], object], expected: type[Exception]) -> None:
    """Run it: it may end well or say what is wrong, in time, and nothing else."""
    with within(SECONDS), suppress(expected):
        run()


@examples(300)
@given(text=mutated(FILES + SMALL * 3, TOKENS, 2), data=st.data())
def test_an_edit_of_any_text_ends_with_a_result_or_our_error(text: str, data: st.DataObject) -> None:
    """What comes out can be read again; where nothing is told to have changed, nothing has."""
    asked, json = data.draw(operations(text)), text.startswith("{") and data.draw(st.booleans())
    with within(SECONDS):
        try:
            result = edit(text, asked, json=json)
        except EditError:
            return
        assert (result.text == text) is (result.changes == ())
        for _ in yaml.parse(result.text.removeprefix("\ufeff"), Loader=yaml.CSafeLoader):
            pass


@examples(300)
@given(text=st.text(max_size=60), path=paths, value=VALUES)
def test_an_edit_of_any_characters_ends_with_a_result_or_our_error(text: str, path: str, value: Any) -> None:
    """The file need not look like YAML at all."""
    ends(lambda: edit(text, [SetField(path, value, create=True)]), EditError)


@examples(600)
@given(path=paths)
def test_any_field_path_is_read_or_refused(path: str) -> None:
    """The parser below is not ours; its errors are."""
    ends(lambda: parse_path(path), EditError)


EXAMPLE = (ROOT / "mappings.example.yaml").read_text(encoding="utf-8")
WORDS = sorted(set(re.findall(r"[\w-]+:?|\$\{\{.*?\}\}", EXAMPLE)))


@examples(150)
@given(text=mutated([EXAMPLE, "version: 1\nmappings: []\n", "mappings: |\n  a == 'b': c\n"], TOKENS + WORDS))
def test_any_mapping_file_is_read_or_refused(text: str) -> None:
    """Problems are told as such, whatever the file is."""
    ends(lambda: parse_mappings(text, "pointsman.yaml"), InputError)


PIECES = [
    *(
        "${{",
        "}}",
        " ",
        "tag",
        ".",
        "app",
        "[",
        "]",
        "(",
        ")",
        "'",
        '"',
        "|",
        "==",
        "!=",
        "<",
        "and",
        "or",
        "not",
        "in",
    ),
    *(
        "if",
        "else",
        "1",
        "1e400",
        "-",
        "+",
        "*",
        "**",
        "~",
        "{{",
        "{%",
        "%}",
        "#}",
        ",",
        "lower",
        "default",
        "'x'",
        "\n",
    ),
    *("replace('a', 'b')", "[0]", "[-1:]", "true", "none", "\\", "\x00", "é", "__class__", "((" * 60, "not " * 400),
]
VARIABLES: dict[str, Any] = {
    "tag": "v1",
    "app": {"name": "x", "list": [1, None, "é"]},
    "n": 10**30,
    "evil": "${{ tag }}",
}


@examples(800)
@given(source=st.lists(st.sampled_from(PIECES) | st.text(max_size=2), max_size=10).map("".join), lone=st.booleans())
def test_any_template_is_rendered_or_refused(source: str, lone: bool) -> None:
    """Reading it, and rendering it in each of the four ways."""
    make = Template.expression if lone else Template.parse
    with within(SECONDS):
        try:
            template = make(source, Position("m.yaml"))
        except InputError:
            return
        for render in (template.evaluate, template.render_glob, template.render_field, template.render_message):
            with suppress(InputError):
                render(VARIABLES)


def test_what_does_not_end_is_found() -> None:
    """The bound itself works: without it, a test that hangs would only be slow."""

    def forever() -> None:
        while True:
            pass

    with pytest.raises(HangError), within(0.1):
        forever()
