"""Whatever the document and the value: independent readers see the one value changed, and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from editing import READERS, body, check_span, files, flats, others, pyyaml, ruamel, values
from fuzzing import examples
from hypothesis import given
from hypothesis import strategies as st

from bot.core.yaml import DocumentSelector, SetField, edit
from bot.core.yaml.quote import plain_ok, quoted

if TYPE_CHECKING:
    from bot.core.model import Json

FIRST = DocumentSelector(index=0)

Seen = list[list[dict[str, tuple[type, object]]]]


def seen(text: str) -> Seen:
    """What each reader sees: for each document, path to type and value."""
    return [flats(reader(body(text))) for reader in READERS]


def check(text: str, was: Seen, path: str, value: Json) -> None:
    """Set the value and have all readers see it, alone; then only its span differs, and a second time nothing does."""
    result = edit(text, [SetField(path, value, FIRST)])
    for before, after in zip(was, seen(result.text), strict=True):
        assert after[0] == before[0] | {path: (type(value), value)}
        assert after[1:] == before[1:]
    if not result.changes:
        assert result.text is text
        return
    check_span(text, result)
    assert edit(result.text, [SetField(path, value, FIRST)]).text is result.text


def check_all(text: str, given: list[Any]) -> None:
    """Set leaf after leaf of the same file, as many as there are values."""
    was = seen(text)
    paths = [path for path, (kind, _) in was[0][0].items() if kind not in (dict, list)]
    for index, value in enumerate(given if paths else ()):
        check(text, was, paths[index * 7 % len(paths)], value)


@examples(500)
@given(text=files(), given=st.lists(values, min_size=6, max_size=6))
def test_all_readers_see_the_one_string_changed(text: str, given: list[str]) -> None:
    """A string arrives as that string, whatever it looks like, and every other value is what it was."""
    check_all(text, given)


@examples(150)
@given(text=files(), given=st.lists(others, min_size=4, max_size=4))
def test_all_readers_see_the_one_number_changed(text: str, given: list[float | None]) -> None:
    """A number, boolean or null arrives with its type."""
    check_all(text, given)


@examples(300)
@given(value=values)
def test_strings_survive_every_context(value: str) -> None:
    """Plain where that is allowed, and in either quotes, two readers get the string back in block and flow."""
    forms = [quoted(value, "'"), quoted(value, '"')]
    texts = [
        template.format(form)
        for form in forms
        for template in ("a: {}\n", "- {}\n", "a: [x, {}]", "a: {{b: {}, c: d}}")
    ]
    texts += [template.format(value) for template in ("a: {}\n", "- {} # c\n") if plain_ok(value, flow=False)]
    texts += [
        template.format(value) for template in ("a: [{}]", "a: {{b: {}}}", "[{}, x]") if plain_ok(value, flow=True)
    ]
    for text in texts:
        for (document,) in (flats(pyyaml(text)), flats(ruamel(text))):
            assert (str, value) in document.values()
            assert {kind for kind, _ in document.values()} == {str}
