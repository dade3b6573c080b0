"""Keys and items that come and go: readers see just that, and old text is neither lost nor moved."""

from __future__ import annotations

import copy
import re
from collections import Counter
from typing import TYPE_CHECKING, Any

import jsonpath
import pytest
from editing import READERS, body, collections, files, flats, others, region, ruamel, values
from fuzzing import examples
from hypothesis import given
from hypothesis import strategies as st

from bot.core.yaml import DocumentSelector, Merge, SetField, Unset, edit
from bot.errors import EditError

if TYPE_CHECKING:
    from collections.abc import Callable

    from bot.core.yaml import Operation

FIRST = DocumentSelector(index=0)
NEW = ["new", "app.kubernetes.io/name", "on", "1.0", "two words", "ü", "x:y", "#z", "-", "'"]
# Why the editor may say no to what the generated files bring; everything else it must do.
REFUSED = re.compile(r"ends in a block scalar without a line break|has no value on the line of its key")
# Null and empty collections give way to what is written in their place.
EMPTY = ("null", "~", "{}", "[]")

scalars = st.one_of(values, others)
nested = st.recursive(
    scalars,
    lambda below: st.one_of(
        st.lists(below, max_size=3), st.dictionaries(st.sampled_from([*NEW, "tag", "q"]), below, max_size=3)
    ),
    max_leaves=5,
)


def place(document: Any, path: str) -> tuple[Any, Any]:
    """The collection that holds what a path of `collections` means, and its key or index there."""
    (match,) = jsonpath.finditer(path, document)
    parent = match.parent
    assert parent is not None
    return parent.obj, match.parts[-1]


def carried_out(text: str, operation: Operation, change: Callable[[Any], Any]) -> str | None:
    """Carry it out and have each reader see what `change` makes of the first document; None where it is refused."""
    try:
        result = edit(text, [operation])
    except EditError as error:
        if not REFUSED.search(str(error)):
            raise
        return None
    for reader in READERS:
        before, *rest = reader(body(text))
        assert flats(reader(body(result.text))) == flats([change(copy.deepcopy(before)), *rest])
    assert (result.text == text) is (result.changes == ())
    return result.text


def settles(text: str, operation: Operation) -> None:
    """What is carried out already is not carried out again."""
    again = edit(text, [operation])
    assert again.text is text
    assert again.changes == ()


def tally(counts: Counter[str], result: str | None) -> None:
    """Count what happened: a proof over refusals would be none."""
    counts["refused" if result is None else "done"] += 1


def mappings_of(document: object) -> list[str]:
    """The paths of all mappings."""
    return [path for path, node in collections(document) if isinstance(node, dict)]


def lists_of(document: object) -> list[str]:
    """The paths of all lists."""
    return [path for path, node in collections(document) if isinstance(node, list)]


def at(document: Any, path: str) -> Any:
    """The node that a path means."""
    (match,) = jsonpath.finditer(path, document)
    return match.obj


def only_added(old: str, new: str) -> None:
    """Nothing of the old text went or moved, but for a null or an empty collection that was filled."""
    gone, come = region(old, new)
    empty, sign, comment = gone.partition("#")
    assert any(empty.strip() in word for word in EMPTY)
    assert sign + comment in come


def test_both_readers_see_the_one_key_created() -> None:
    """A key of any name with any value below any mapping, several levels at once too."""
    counts: Counter[str] = Counter()

    @examples(250)
    @given(text=files(), name=st.lists(st.sampled_from(NEW), min_size=1, max_size=3), value=nested, data=st.data())
    def run(text: str, name: list[str], value: Any, data: st.DataObject) -> None:
        paths = mappings_of(ruamel(body(text))[0])
        if not paths:
            return
        path = data.draw(st.sampled_from(paths))
        field = path + "".join(f"[{key!r}]" for key in name)

        def change(document: Any) -> Any:
            node = at(document, path)
            for key in name[:-1]:
                node = node.setdefault(key, {})
            node[name[-1]] = value
            return document

        operation = SetField(field, value, FIRST, create=True)
        result = carried_out(text, operation, change)
        tally(counts, result)
        if result is not None:
            only_added(text, result)
            settles(result, operation)

    run()
    assert counts["done"] > 20 * counts["refused"]


def test_a_key_is_created_below_null() -> None:
    """Where a key has no value, a mapping comes to stand below it; a comment beside it stays."""
    counts: Counter[str] = Counter()

    @examples(200)
    @given(text=files(), value=scalars, data=st.data())
    def run(text: str, value: Any, data: st.DataObject) -> None:
        (first, *_) = flats(ruamel(body(text)))
        paths = [path for path, (_, found) in first.items() if found is None]
        if not paths:
            return
        path = data.draw(st.sampled_from(paths))

        def change(document: Any) -> Any:
            holder, key = place(document, path)
            holder[key] = {"new": {"below": value}}
            return document

        operation = SetField(f"{path}.new.below", value, FIRST, create=True)
        result = carried_out(text, operation, change)
        tally(counts, result)
        if result is not None:
            only_added(text, result)
            settles(result, operation)

    run()
    assert counts["done"] > 5 * counts["refused"]


def test_both_readers_see_the_one_item_appended() -> None:
    """An item of any type behind the last one, unless the list has it."""
    counts: Counter[str] = Counter()

    @examples(250)
    @given(text=files(), value=nested, data=st.data())
    def run(text: str, value: Any, data: st.DataObject) -> None:
        paths = lists_of(ruamel(body(text))[0])
        if not paths:
            return
        path = data.draw(st.sampled_from(paths))
        has = any(flats([item]) == flats([value]) for item in at(ruamel(body(text))[0], path))

        def change(document: Any) -> Any:
            if not has:
                at(document, path).append(value)
            return document

        operation = SetField(f"{path}[+]", value, FIRST, create=True)
        result = carried_out(text, operation, change)
        tally(counts, result)
        if result is not None:
            only_added(text, result)
            settles(result, operation)

    run()
    assert counts["done"] > 20 * counts["refused"]


def test_both_readers_see_the_one_field_removed() -> None:
    """A key or an item of any kind goes; the last one leaves an empty collection."""
    counts: Counter[str] = Counter()

    @examples(250)
    @given(text=files(), data=st.data())
    def run(text: str, data: st.DataObject) -> None:
        document = ruamel(body(text))[0]
        paths = [path for path, _ in collections(document)][1:] + list(flats([document])[0])
        path = data.draw(st.sampled_from(sorted(set(paths))))
        holder, _ = place(document, path)

        def change(document: Any) -> Any:
            holder, key = place(document, path)
            del holder[key]
            return document

        result = carried_out(text, Unset(path, FIRST), change)
        tally(counts, result)
        if result is not None and len(holder) > 1:
            assert region(text, result)[1] == ""
        if result is not None and isinstance(holder, dict):
            settles(result, Unset(path, FIRST))

    run()
    assert counts["done"] > 20 * counts["refused"]


def patched(node: dict[str, Any], patch: dict[str, Any]) -> dict[str, Any]:
    """The mapping with the patch merged in, as RFC 7396 defines it."""
    for key, value in patch.items():
        if value is None:
            node.pop(key, None)
        elif isinstance(value, dict):
            below = node.get(key)
            node[key] = patched(below if isinstance(below, dict) else {}, value)
        else:
            node[key] = value
    return node


@st.composite
def patches(draw: st.DrawFn, node: dict[str, Any]) -> dict[str, Any]:
    """What may be merged into a mapping: scalars for scalars, mappings for mappings, null for anything, new keys."""
    patch: dict[str, Any] = {}
    for key in draw(st.lists(st.sampled_from(sorted(node)), max_size=3, unique=True)) if node else ():
        if draw(st.integers(0, 3)) == 0:
            patch[key] = None
        elif isinstance(node[key], dict):
            patch[key] = draw(patches(node[key]))
        elif not isinstance(node[key], list):
            patch[key] = draw(scalars)
    return patch | draw(st.dictionaries(st.sampled_from(NEW), nested, max_size=2))


def test_both_readers_see_a_mapping_merged() -> None:
    """Keys are merged one by one, null removes, and what the patch does not name stays with its comments."""
    counts: Counter[str] = Counter()

    @examples(200)
    @given(text=files(), data=st.data())
    def run(text: str, data: st.DataObject) -> None:
        document = ruamel(body(text))[0]
        paths = mappings_of(document)
        if not paths:
            return
        path = data.draw(st.sampled_from(paths))
        patch = data.draw(patches(at(document, path)))

        def change(document: Any) -> Any:
            patched(at(document, path), patch)
            return document

        operation = Merge(path, patch, FIRST)
        result = carried_out(text, operation, change)
        tally(counts, result)
        if result is not None:
            settles(result, operation)
            if "None" not in repr(patch):
                assert result.count("# why: {a}") == text.count("# why: {a}")

    run()
    assert counts["done"] > 20 * counts["refused"]


@pytest.mark.parametrize("text", ["", "# nothing yet\n", "# nothing yet", "---\n", "{}\n", "null\n", "~", "---\n# c\n"])
@pytest.mark.parametrize("value", [1, "1", {"b": [1, {"c": None}]}, []])
def test_a_key_is_created_in_a_file_without_any(text: str, value: Any) -> None:
    """An empty file, one with comments only, an empty document, null and `{}` all become a mapping."""
    result = edit(text, [SetField("a.new", value, create=True)]).text
    for reader in READERS:
        assert reader(result) == [{"a": {"new": value}}]
    assert [line for line in result.splitlines() if line[0] in "#-"] == [
        line for line in text.splitlines() if line[0] in "#-"
    ]
    assert edit(result, [SetField("a.new", value, create=True)]).text is result
