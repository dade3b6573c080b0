"""Why a field path means no node: how far it goes, and what stands there instead."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jsonpath import selectors

from bot.core.suggest import nearest
from bot.core.yaml.events import position, problem
from bot.core.yaml.locate import Alias, Located, Mapping, Scalar, Sequence
from bot.core.yaml.path import spelt
from bot.core.yaml.walk import Match, is_merge, reach
from bot.errors import EditError

if TYPE_CHECKING:
    from collections.abc import Sequence as Listed

    from bot.core.yaml.locate import Document
    from bot.core.yaml.path import Segments

MOST_LINES = 10  # of a list in a sentence

KINDS = {Mapping: "MappingNode", Sequence: "SequenceNode", Alias: "AliasNode", Scalar: "ScalarNode"}


def place(text: str, offset: int) -> str:
    """`LINE:COLUMN` of an offset, both from 1."""
    line, column = position(text, offset)
    return f"{line}:{column}"


def no_match(located: Located, documents: Listed[Document], path: str, parsed: Segments) -> EditError:
    """Return the error for `path`, which is `parsed` and matches nothing in `documents`, pointing at where it stops."""
    told = f"no nodes matched path {path!r}"
    if all(isinstance(document.root, Scalar) and document.root.empty for document in documents):
        return EditError(f"{told}: there is no value in it")
    ends = [reach(document.root, parsed) for document in documents]
    length = max(length for _, length in ends)  # documents in which the path goes less far say nothing new
    reached = [match for matches, gone in ends if gone == length for match in matches]
    stop = next((match for match in reached if not isinstance(match.node, Scalar)), reached[0])
    return problem(located.text, stop.node.start, f"{told}: {_reason(located, reached, stop, parsed[length:])}")


def many_matches(located: Located, path: str, matches: Listed[Match]) -> EditError:
    """Return the error for a path that means several nodes."""
    lines = sorted({position(located.text, match.node.start)[0] for match in matches})
    listed = ", ".join(str(line) for line in lines[:MOST_LINES]) + (", …" if len(lines) > MOST_LINES else "")
    return problem(
        located.text,
        matches[0].node.start,
        f"multiple nodes matched path {path!r}: {len(matches)}, on line{'s' * (len(lines) > 1)} {listed}; "
        "narrow it by an index, a filter or the document, or ask for all of them",
    )


def _reason(located: Located, reached: list[Match], stop: Match, rest: Segments) -> str:
    """Say what stands at `stop`, where the first segment of `rest` finds nothing."""
    node, where = stop.node, f"{str(stop)!r}" if stop.parent else "the document"
    at = place(located.text, node.start)
    if isinstance(node, Alias):
        return f"{where} is the alias *{node.anchor} (at {at}); change the value that is anchored, or write it out here"
    if isinstance(node, Scalar):
        return f"{where} is a scalar (at {at}) with nothing below it"
    selector = rest[0].selectors[0]
    if isinstance(node, Mapping) and isinstance(selector, selectors.NameSelector | selectors.IndexSelector):
        return _missing_key(located, reached, where, rest)
    if isinstance(selector, selectors.NameSelector):
        return f"{where} is a list (at {at}); choose an item by an index such as [0] or by a filter"
    if isinstance(selector, selectors.IndexSelector):
        count = len(node.items) if isinstance(node, Sequence) else 0
        return f"{where} is a list of {count} (at {at}) without an item [{selector.index}]"
    return f"nothing in {where} (at {at}) is selected by {selector}"


def _missing_key(located: Located, reached: list[Match], where: str, rest: Segments) -> str:
    """Say that the key is not there, and which may be meant: a dotted key, a merged one, the nearest one."""
    mappings = [match.node for match in reached if isinstance(match.node, Mapping)]
    keys = [key for node in mappings for key, _ in node.pairs]
    names = list(dict.fromkeys(key.value for key in keys if isinstance(key, Scalar) and not is_merge(key)))
    wanted: list[str] = []
    for segment in rest:
        first = segment.selectors[0]
        if not isinstance(first, selectors.NameSelector):
            break
        wanted.append(first.name)
    name = wanted[0] if wanted else str(getattr(rest[0].selectors[0], "index", ""))
    said = f"{where} has no key {name!r}"
    for length in range(len(wanted), 1, -1):
        if ".".join(wanted[:length]) in names:
            return f"{said}; a key with dots is written in brackets: {spelt('.'.join(wanted[:length]))}"
    merge = next((key for key in keys if is_merge(key)), None)
    if merge is not None:
        at = place(located.text, merge.start)
        said += f"; keys that come through the merge key `<<` (at {at}) are not its own: change them where they stand"
    near = nearest(name, names)
    return f"{said}; did you mean {near!r}?" if near else said
