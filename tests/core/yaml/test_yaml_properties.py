"""Whatever the document and the value: independent readers see the one value changed, and nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from bot.core.yaml import SetField, set_fields
from bot.core.yaml.quote import plain_ok, quoted

if TYPE_CHECKING:
    from collections.abc import Iterator

HOSTILE = [
    *("1.10", "true", "yes", "on", "n", "0123", "1e3", "12e4567", "null", "~", "", "2024-01-01", "12:30:45", "0x1F"),
    *("a: b", "x #y", "{{ .Values }}", " lead", "trail ", "two\nlines", "end\n", "two\n\nends\n\n", "a\tb", "\tx"),
    *(
        "a\u2028b",
        "\u0085",
        "\ufeff",
        "\x00",
        "\r",
        "a\r\nb",
        "🚀 é",
        "it's",
        'say "x"',
        "\\",
        "'",
        '"',
        "-",
        "- x",
        "--x",
    ),
    *(
        "?x",
        ":x",
        "x:",
        "@a",
        "%a",
        "!a",
        "&a",
        "*a",
        "#a",
        "[a]",
        "a,b",
        "a}",
        "---",
        "...",
        "=",
        "<<",
        "v1.2.3",
        "w" * 200,
    ),
    *("a\n b", " a\nb", "a\n \nb", "a\n\tb", "\n", "\na", "a:\n  b", "| x", "sha256:abc", "https://x.y/z?a=b", "1_000"),
]
LEAVES = ["abc", "1.2.3", "12", "true", "'single ''q'''", '"double \\u00e9"', "two words", "é🚀"]
BLOCKS = ["|\n{0}x\n{0}y", "|-\n{0}x", "|+\n{0}x\n\n", ">\n{0}x\n{0}y", ">-\n{0}a b\n\n", "", "plain\n{0}goes on"]
KEYS = ["tag", "my-key", "b.c", "'it''s'", '"q"', "é"]

values = st.one_of(st.sampled_from(HOSTILE), st.text(st.characters(exclude_categories=["Cs"]), max_size=12))


@dataclass(frozen=True)
class Branch:
    """A collection to be written: keys None for a sequence, in one line if `flow`."""

    keys: tuple[str, ...] | None
    below: tuple[Any, ...]
    flow: bool
    comment: str


@st.composite
def branches(draw: st.DrawFn, depth: int = 3, *, flow: bool = False) -> Branch:
    """Mappings and sequences of leaves, block scalars, empty values and each other."""
    flow = flow or draw(st.integers(0, 3)) == 0
    keys = draw(st.one_of(st.none(), st.lists(st.sampled_from(KEYS), min_size=1, max_size=3, unique=True)))
    leaf = st.sampled_from(LEAVES if flow else LEAVES + BLOCKS)
    below = st.one_of(leaf, branches(depth - 1, flow=flow)) if depth else leaf
    count = draw(st.integers(1, 3)) if keys is None else len(keys)
    items = draw(st.tuples(*[below] * count))
    return Branch(
        None if keys is None else tuple(keys), items, flow, draw(st.sampled_from(["", "  # why: {a}", "   "]))
    )


def written(branch: Branch, indent: str) -> str:
    """The branch as YAML text, each block line ending in a line feed."""
    if branch.flow:
        texts = [written(item, "").strip() if isinstance(item, Branch) else item for item in branch.below]
        if branch.keys is None:
            return f"[{', '.join(texts)}]\n"
        return "{" + ", ".join(f"{key}: {text}" for key, text in zip(branch.keys, texts, strict=True)) + "}\n"
    lines = []
    for index, item in enumerate(branch.below):
        head = f"{indent}-" if branch.keys is None else f"{indent}{branch.keys[index]}:"
        if not isinstance(item, Branch):
            comment = "" if "\n" in item else branch.comment
            lines.append(f"{head} {item.format(indent + '  ')}".rstrip(" ") + f"{comment}\n")
        elif item.flow:
            lines.append(f"{head} {written(item, '')}")
        else:
            lines.append(f"{head}{branch.comment}\n{written(item, indent + '  ')}")
    return "".join(lines)


@st.composite
def files(draw: st.DrawFn) -> str:
    """Whole files: comments, markers, documents, line breaks of either kind, a byte order mark, no last line break."""
    text = draw(st.sampled_from(["", "# é 🚀\n\n", "---\n", "# a\n---\n"])) + written(draw(branches()), "")
    text += draw(st.sampled_from(["", "\n\n", "# end\n", "---\nother: [1]\n"]))
    if draw(st.booleans()):
        text = text.rstrip("\n")
    if draw(st.booleans()):
        text = text.replace("\n", "\r\n")
    return draw(st.sampled_from(["", "\ufeff"])) + text


def leaves(node: object, way: str = "$") -> Iterator[tuple[str, object]]:
    """Each scalar that a reader sees, with its field path."""
    pairs: list[tuple[object, object]] = []
    if isinstance(node, dict):
        pairs = [(repr(key), value) for key, value in node.items()]
    elif isinstance(node, list):
        pairs = list(enumerate(node))
    else:
        yield way, node
    for key, value in pairs:
        yield from leaves(value, f"{way}[{key}]")


def seen(text: str) -> list[list[dict[str, object]]]:
    """What PyYAML (YAML 1.1) and ruamel.yaml (1.2) see: for each reader, for each document, path → value."""
    text = text.removeprefix("\ufeff")
    reader = YAML(typ="safe", pure=True)
    return [
        [dict(leaves(document)) for document in documents]
        for documents in (
            yaml.load_all(text, Loader=yaml.SafeLoader),
            reader.load_all(text),
        )
    ]


def typed(document: dict[str, object]) -> dict[str, tuple[type, object]]:
    """The values beside their types: 1, 1.0 and True are three."""
    return {path: (type(value), value) for path, value in document.items()}


def check(text: str, path: str, value: Any) -> None:
    """Set the value and have both readers see it, alone; then only its span differs, and a second time nothing does."""
    result = set_fields(text, [SetField(path, value, 0)])
    for before, after in zip(seen(text), seen(result.text), strict=True):
        assert typed(after[0]) == typed(before[0]) | typed({path: value})
        assert [typed(document) for document in after[1:]] == [typed(document) for document in before[1:]]
    if not result.changes:
        assert result.text is text
        return
    (change,) = result.changes
    body = text.removeprefix("\ufeff")
    lines = body.split("\n")
    start = sum(len(line) + 1 for line in lines[: change.line - 1]) + change.column - 1
    assert body[start:].startswith(change.old)
    lead = "" if change.old else " " if body[start - 1] in ":-" else ""
    head, tail = text[: len(text) - len(body)] + body[:start], body[start + len(change.old) :]
    assert result.text == f"{head}{lead}{change.new}{tail}"
    assert set_fields(result.text, [SetField(path, value, 0)]).text is result.text


@settings(max_examples=150, deadline=None, database=None)
@given(text=files(), value=values, data=st.data())
def test_both_readers_see_the_one_string_changed(text: str, value: str, data: st.DataObject) -> None:
    """A string arrives as that string, whatever it looks like, and every other value is what it was."""
    path = data.draw(st.sampled_from(sorted(seen(text)[0][0])))
    check(text, path, value)


@settings(max_examples=60, deadline=None, database=None)
@given(
    text=files(),
    value=st.one_of(st.integers(), st.booleans(), st.none(), st.floats(allow_nan=False, allow_infinity=False)),
    data=st.data(),
)
def test_both_readers_see_the_one_number_changed(text: str, value: float | None, data: st.DataObject) -> None:
    """A number, boolean or null arrives with its type."""
    path = data.draw(st.sampled_from(sorted(seen(text)[0][0])))
    check(text, path, value)


@settings(max_examples=300, deadline=None, database=None)
@given(value=values)
def test_strings_survive_every_context(value: str) -> None:
    """Plain where that is allowed, and in either quotes, both readers get the string back in block and flow."""
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
        for (document,) in seen(text):
            assert value in document.values()
            assert all(type(each) is str for each in document.values())
