"""Files as people wrote them: hostile values arrive alone, or the edit is refused for a known reason.

A few files lie in tests/data/yaml. `POINTSMAN_CORPUS=DIR pytest -s tests/core/yaml/test_yaml_corpus.py` takes all files
of a folder as well; `-s` shows what became of the edits.
"""

from __future__ import annotations

import copy
import os
import re
from collections import Counter
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from editing import HOSTILE, body, check_span, collections, flats, region, ruamel, rust
from ruamel.yaml.error import YAMLError
from yaml_rs import YAMLDecodeError

from bot.core.yaml import DocumentSelector, SetField, Unset, edit
from bot.errors import EditError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from bot.core.yaml import Operation

    Coming = tuple[Operation, tuple[Any, ...]]
    Reader = Callable[[str], list[Any]]
    Seen = list[dict[str, tuple[type, object]]]

KEPT = sorted(path for path in (Path(__file__).parents[2] / "data" / "yaml").iterdir() if path.suffix != ".md")
CORPUS = Path(os.environ.get("POINTSMAN_CORPUS", "/nowhere"))
LEAVES, SMALL = 12, 6_000  # leaves of a file that are set; bytes of a file whose leaves get several values each
READERS = (ruamel, rust)

# What a file may be refused for, beside what its path means: what an editor could only guess.
REASONS = re.compile(
    r"""not\ YAML | multiple\ nodes\ matched | key\ without\ a\ colon | is\ the\ alias\ \* | lone\ surrogate
      | the\ document\ is\ empty | there\ is\ no\ value\ in\ it | empty\ but\ for\ an\ anchor
      | expected\ scalar\ node,\ got\ (?:Mapping|Alias)Node\ .*(?:alias|\{\{)
      | anchored\ (?:here|as\ &.*)\ and\ aliased\ elsewhere | keys\ that\ come\ through\ the\ merge\ key
      | has\ the\ explicit\ tag | stands\ twice\ in\ a\ mapping | block\ scalar\ with\ an\ indentation\ indicator
      | ends\ in\ a\ block\ scalar\ without\ a\ line\ break | has\ no\ value\ on\ the\ line\ of\ its\ key
      | nested\ deeper\ than | more\ than\ (?:the\ )?\d+\ (?:YAML|that\ are\ edited)""",
    re.VERBOSE,
)


@dataclass
class Tally:
    """What became of the edits of some files."""

    counts: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    wrong: list[tuple[str, Operation, str]] = field(default_factory=list)

    def __str__(self) -> str:
        told = ", ".join(f"{count} {name}" for name, count in sorted(self.counts.items()))
        return "\n".join([told, *(f"  refused {count} x {reason}" for reason, count in self.reasons.most_common())])


def text_of(path: Path) -> str:
    """A file's text, its line breaks as they are."""
    return path.read_bytes().decode()


def seen(text: str) -> list[Seen | None]:
    """What each reader sees of each document; None for a reader that does not take the file."""
    found: list[Seen | None] = []
    for reader in READERS:
        try:
            found.append(flats(reader(body(text))))
        except (YAMLError, YAMLDecodeError):
            found.append(None)
    return found


def attempts(text: str, was: Seen, first: int) -> list[tuple[int, str, str]]:
    """Document, path and value of some edits: leaves at equal distances, each with the values whose turn it is."""
    leaves = [
        (index, path)
        for index, document in enumerate(was)
        for path, (kind, _) in document.items()
        if kind not in (dict, list) and "frozenset" not in path  # a key that is a mapping has no name
    ]
    chosen = leaves[:: max(1, len(leaves) // LEAVES)][:LEAVES]
    each = 4 if len(text) < SMALL else 1
    return [
        (*leaf, HOSTILE[(first + index * each + turn) % len(HOSTILE)])
        for index, leaf in enumerate(chosen)
        for turn in range(each)
    ]


def comings(was: Any, index: int) -> list[Coming]:
    """Operations that create, append and remove, each with what it changes: way, key, and the new value if any."""
    document = DocumentSelector(index=index)
    made: list[Coming] = []
    ways = [(way, node) for way, node in collections(was) if "frozenset" not in way]
    for way, node in ways[:: max(1, len(ways) // LEAVES)][:LEAVES]:
        if isinstance(node, dict):
            made.append((SetField(f"{way}.new.below", "1.10", document, create=True), (way, "new", {"below": "1.10"})))
        else:
            made.append((SetField(f"{way}[+]", "1.10", document, create=True), (way, len(node), "1.10")))
        keys = list(node) if isinstance(node, dict) else list(range(len(node)))
        if keys and not isinstance(keys[len(keys) // 2], frozenset):
            key = keys[len(keys) // 2]
            made.append((Unset(f"{way}[{key!r}]", document), (way, key)))
    return made


def changed(was: Any, change: tuple[Any, ...]) -> Any:
    """The document with a value put where it was not, or taken away."""
    made = copy.deepcopy(was)
    way, key, *value = change
    node = dict(collections(made))[way]
    if not value:
        del node[key]
    elif isinstance(node, list):
        node.append(*value)
    else:
        node[key] = value[0]
    return made


def one(text: str, was: list[Seen | None], index: int, operation: SetField) -> str:
    """Make one edit and say what became of it; raises AssertionError where it is not what was meant."""
    result = edit(text, [operation])
    for before, after in zip(was, seen(result.text), strict=True):
        if before is not None:
            assert after is not None, "unreadable"
            assert after[index] == before[index] | {operation.path: (str, operation.value)}
            assert [*after[:index], *after[index + 1 :]] == [*before[:index], *before[index + 1 :]]
    if not result.changes:
        assert result.text is text
        return "no change"
    check_span(text, result)
    return "done"


def come_or_go(text: str, readers: Sequence[Reader], index: int, coming: Coming) -> str:
    """Make a key or item come or go; raises AssertionError where a reader sees anything else, or other text went."""
    operation, change = coming
    result = edit(text, [operation]).text
    for reader in readers:
        documents = reader(body(text))
        documents[index] = changed(documents[index], change)
        assert flats(reader(body(result))) == flats(documents)
    if isinstance(operation, SetField):
        gone, come = region(text, result)
        empty, sign, comment = gone.partition("#")
        assert any(empty.strip() in word for word in ("null", "~", "{}", "[]"))
        assert sign + comment in come
        return "added"
    gone, come = region(text, result)
    # In place of the last one there is an empty collection, and comments that are not its own stay.
    assert come.strip().removeprefix("{}").removeprefix("[]").strip() in gone
    return "removed"


def attempted(tally: Tally, name: str, operation: Operation, make: Callable[[], str]) -> None:
    """Count what becomes of an edit."""
    try:
        tally.counts[make()] += 1
    except EditError as error:
        reason = REASONS.search(str(error))
        tally.counts["refused"] += 1
        tally.reasons[reason[0] if reason else f"UNKNOWN {error}"] += 1
        if not reason:
            tally.wrong.append((name, operation, str(error)))
    except AssertionError as error:
        tally.counts["WRONG"] += 1
        tally.wrong.append((name, operation, str(error)[:300]))


def run(path: Path, tally: Tally, first: int) -> None:
    """Try the edits of one file."""
    text = text_of(path)
    was = seen(text)
    sight = next((found for found in was if found), None)
    if sight is None:
        tally.counts["files no reader takes"] += 1
        with pytest.raises(EditError, match=REASONS):
            edit(text, [SetField("$", "v")])
        return
    tally.counts["files"] += 1
    for index, path_, value in attempts(text, sight, first):
        operation = SetField(path_, value, DocumentSelector(index=index))
        attempted(tally, path.name, operation, partial(one, text, was, index, operation))


def run_comings(path: Path, tally: Tally) -> None:
    """Try what comes and goes in one file."""
    text = text_of(path)
    readers = [reader for reader, found in zip(READERS, seen(text), strict=True) if found]
    tally.counts[f"files with {len(readers)} readers"] += 1
    for index, document in enumerate(readers[0](body(text)) if readers else ()):
        for coming in comings(document, index):
            attempted(tally, path.name, coming[0], partial(come_or_go, text, readers, index, coming))


@pytest.mark.parametrize("path", [pytest.param(path, id=path.name) for path in KEPT])
def test_hostile_values_change_the_leaves_meant_and_nothing_else(path: Path) -> None:
    """Two readers see each value alone, the text differs in its span alone, and hardly anything is refused."""
    tally = Tally()
    for first in range(0, len(HOSTILE), 24):
        run(path, tally, first)
    print(f"\n{path.name}: {tally}")  # noqa: T201 - for whoever asks with -s
    assert tally.wrong == []
    assert tally.counts["done"] > 4 * tally.counts["refused"]


@pytest.mark.parametrize("path", [pytest.param(path, id=path.name) for path in KEPT])
def test_keys_and_items_come_and_go_alone(path: Path) -> None:
    """Two readers see each of them alone, and the rest of the text is as it was."""
    tally = Tally()
    run_comings(path, tally)
    print(f"\n{path.name}: {tally}")  # noqa: T201 - for whoever asks with -s
    assert tally.wrong == []
    assert tally.counts["added"] > 4 * tally.counts["refused"]
    assert tally.counts["removed"] > 0


@pytest.mark.skipif(not CORPUS.is_dir(), reason="POINTSMAN_CORPUS names no folder of YAML files")
@pytest.mark.parametrize("what", [run, run_comings])
def test_a_whole_corpus_is_edited_as_meant(what: Callable[..., None]) -> None:
    """The same for every file of the folder that is named."""
    tally = Tally()
    for number, path in enumerate(sorted(CORPUS.rglob("*.y*ml"))):
        what(path, tally, *([number] if what is run else []))
    print(f"\n{CORPUS}: {tally}")  # noqa: T201 - for whoever asks with -s
    for case in tally.wrong:
        print(*case, sep="\n    ")  # noqa: T201 - for whoever asks with -s
    assert tally.wrong == []


def test_the_kept_files_have_what_real_files_have() -> None:
    """The sample is worth something only as long as it is varied."""
    texts = [text_of(path) for path in KEPT]
    kinds = Counter[object]()
    for text in texts:
        for event in yaml.parse(body(text), Loader=yaml.CSafeLoader):
            kinds[event.style or "plain" if isinstance(event, yaml.ScalarEvent) else type(event)] += 1
            kinds["flow"] += bool(getattr(event, "flow_style", False))
    assert {"plain", "'", '"', "|", "flow", yaml.DocumentStartEvent, yaml.SequenceStartEvent} <= kinds.keys()
    assert sum(text.count("#") for text in texts) > 50
    assert any("\n---\n" in text for text in texts)
    assert any(not text.endswith("\n") for text in texts)
    assert any(re.search(r"[ \t]\n", text) for text in texts)
