"""Generated YAML files, and independent readers that tell what stands in them without asking the editor."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import yaml
import yaml_rs
from hypothesis import strategies as st
from ruamel.yaml import YAML

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bot.core.yaml import Edited

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
    *("?x", ":x", "x:", "@a", "%a", "!a", "&a", "*a", "#a", "[a]", "a,b", "a}", "---", "...", "=", "<<", "v1.2.3"),
    *("a\n b", " a\nb", "a\n \nb", "a\n\tb", "\n", "\na", "a:\n  b", "| x", "sha256:abc", "https://x.y/z?a=b", "1_000"),
    "w" * 200,
]
LEAVES = ["abc", "1.2.3", "12", "true", "null", "~", "'single ''q'''", '"double \\u00e9"', "two words", "é🚀"]
BLOCKS = ["|\n{0}x\n{0}y", "|-\n{0}x", "|+\n{0}x\n\n", ">\n{0}x\n{0}y", ">-\n{0}a b\n\n", "", "plain\n{0}goes on"]
KEYS = ["tag", "my-key", "b.c", "'it''s'", '"q"', "é"]

values = st.one_of(st.sampled_from(HOSTILE), st.text(st.characters(exclude_categories=["Cs"]), max_size=12))
others = st.one_of(st.integers(), st.booleans(), st.none(), st.floats(allow_nan=False, allow_infinity=False))


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
    least = 0 if flow and depth < 3 else 1
    keys = draw(st.one_of(st.none(), st.lists(st.sampled_from(KEYS), min_size=least, max_size=3, unique=True)))
    leaf = st.sampled_from(LEAVES if flow else LEAVES + BLOCKS)
    below = st.one_of(leaf, branches(depth - 1, flow=flow)) if depth else leaf
    count = draw(st.integers(least, 3)) if keys is None else len(keys)
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


def pyyaml(text: str) -> list[Any]:
    """All documents as YAML 1.1 has them."""
    return list(yaml.load_all(text, Loader=yaml.SafeLoader))


def ruamel(text: str) -> list[Any]:
    """All documents as YAML 1.2 has them."""
    reader = YAML(typ="safe", pure=True)
    reader.allow_duplicate_keys = True
    return list(reader.load_all(text))


def rust(text: str) -> list[Any]:
    """All documents as a parser of YAML 1.2 in Rust has them; it gives a document alone without a list around."""
    policy = yaml_rs.DuplicateKeyPolicy.LastWins
    loaded = yaml_rs.loads(text, parse_datetime=False, duplicate_key_policy=policy)
    several = sum(isinstance(event, yaml.DocumentStartEvent) for event in yaml.parse(text, Loader=yaml.CSafeLoader)) > 1
    return loaded if several and isinstance(loaded, list) else [loaded]


READERS = (pyyaml, ruamel, rust)


def body(text: str) -> str:
    """The text without its byte order mark, which not all readers take."""
    return text.removeprefix("\ufeff")


def flat(node: object, way: str = "$") -> Iterator[tuple[str, tuple[type, object]]]:
    """Each scalar and empty collection with its field path, beside its type: 1, 1.0 and True are three."""
    if isinstance(node, dict) and node:
        for key, value in node.items():
            yield from flat(value, f"{way}[{key!r}]")
    elif isinstance(node, list) and node:
        for index, value in enumerate(node):
            yield from flat(value, f"{way}[{index}]")
    else:
        # What is not a number is not equal to itself.
        yield way, (type(node), "nan" if node != node else node)  # noqa: PLR0124


def flats(documents: list[Any]) -> list[dict[str, tuple[type, object]]]:
    """What `flat` sees of each document."""
    return [dict(flat(document)) for document in documents]


def collections(node: Any, way: str = "$") -> Iterator[tuple[str, Any]]:
    """Each mapping and list with its field path."""
    pairs: list[tuple[object, object]] = []
    if isinstance(node, dict):
        pairs = [(repr(key), value) for key, value in node.items()]
    elif isinstance(node, list):
        pairs = list(enumerate(node))
    else:
        return
    yield way, node
    for key, value in pairs:
        yield from collections(value, f"{way}[{key}]")


def region(old: str, new: str) -> tuple[str, str]:
    """What of `old` became what of `new`, where everything before and after it is the same."""
    least = min(len(old), len(new))
    start = next((index for index in range(least) if old[index] != new[index]), least)
    same = next((index for index in range(least - start) if old[-1 - index] != new[-1 - index]), least - start)
    return old[start : len(old) - same], new[start : len(new) - same]


def check_span(text: str, result: Edited) -> None:
    """Make sure that nothing differs outside of what the one change names, which is where it says."""
    (change,) = result.changes
    old, start = body(text), _offset(body(text), change.line, change.column)
    assert old[start:].startswith(change.old)
    lead = "" if change.old else " " if old[start - 1] in ":-" else ""
    head, tail = text[: len(text) - len(old)] + old[:start], old[start + len(change.old) :]
    assert result.text == f"{head}{lead}{change.new}{tail}"


def _offset(text: str, line: int, column: int) -> int:
    """The place of a line and column, both from 1, in a text without byte order mark."""
    return sum(len(one) for one in text.split("\n")[: line - 1]) + line - 1 + column - 1
