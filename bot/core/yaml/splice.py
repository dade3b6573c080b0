"""Which characters to put where: one scalar replaced, everything around it as it was."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bot.core.yaml.block import read
from bot.core.yaml.explain import KINDS, place
from bot.core.yaml.locate import STR_TAG, Alias, Mapping, Scalar, Sequence, problem
from bot.core.yaml.quote import bare, holds, plain_ok, quoted

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bot.core import model
    from bot.core.yaml.locate import Document, Located
    from bot.core.yaml.walk import Match

_PROPERTIES = re.compile(r"(?:[&!]\S*\s+(?:#[^\r\n]*\s+)*)*")


@dataclass(frozen=True, slots=True)
class Splice:
    """`text[start:end]` becomes `new`, and event `event` then reads `value`, as a string if `string`, else plain."""

    start: int
    end: int
    new: str
    event: int
    value: str
    string: bool


def check_scalar(located: Located, document: Document, match: Match) -> Scalar:
    """Return the scalar to replace. Raises `EditError` where replacing it would not be what it seems."""
    text, node = located.text, match.node
    if not isinstance(node, Scalar):
        sentence = f"expected scalar node, got {KINDS[type(node)]} (at {place(text, node.start)})"
        if isinstance(node, Alias):
            sentence += f": it is the alias *{node.anchor}; change the value that is anchored, or write it out here"
        elif text.startswith("{{", node.start):
            sentence += ": `{{` opens a mapping here; a template in a value stands in quotes"
        raise problem(text, node.start, sentence)
    check_keys(located, match)
    for step in match.way():
        anchor = step.node.anchor
        if anchor in document.aliases:
            what = "the value is" if step is match else f"{str(step)!r} above it is"
            used = place(text, document.aliases[anchor])
            sentence = f"{what} anchored as &{anchor} and aliased elsewhere (at {used}), where it would change too"
            raise problem(text, node.start, f"{sentence}; write the value out at the alias first")
    if node.tag not in (None, STR_TAG):
        raise problem(text, node.start, f"the value has the explicit tag {node.tag!r}; remove the tag first")
    if node.empty:
        _check_room(located, match)
    return node


def replace(located: Located, match: Match, node: Scalar, value: model.Scalar) -> Splice | None:
    """How `node`, which `match` led to, becomes `value`; None where it is that already.

    Raises `EditError` where the value cannot be written there.
    """
    if holds(node, value):
        return None
    properties = _PROPERTIES.match(located.text, node.start, node.end)
    start, end = properties.end() if properties else node.start, node.end
    if isinstance(value, str):
        _check_encodable(located, node, value)
        wanted, new = value, _string(located, match, node, value)
    elif node.tag == STR_TAG:
        raise problem(located.text, node.start, "the value has the tag !!str, so it stays a string; give a string")
    else:
        wanted = new = bare(value)
    if node.style in ("|", ">"):
        block = read(located.text, start, node)
        end = block.end
        if isinstance(value, str):
            new, end = block.written(value) or (new, end)
    elif node.empty and located.text[start - 1] in ":-":
        new = f" {new}"
    return Splice(start, end, new, node.event, wanted, isinstance(value, str))


def apply(text: str, splices: Iterable[Splice]) -> str:
    """`text` with all splices made at once. Raises `EditError` where two overlap."""
    parts: list[str] = []
    done = 0
    for splice in sorted(splices, key=lambda one: (one.start, one.end)):
        if splice.start < done:
            raise problem(text, splice.start, "two edits overlap here; make them one")
        parts += (text[done : splice.start], splice.new)
        done = splice.end
    return "".join((*parts, text[done:]))


def check_keys(located: Located, match: Match) -> None:
    """Raise `EditError` for a key on the way that stands twice: readers disagree on which one counts."""
    for step in match.way():
        if not isinstance(step.key, Scalar) or step.parent is None or not isinstance(step.parent.node, Mapping):
            continue
        name = step.key.value
        same = [key for key, _ in step.parent.node.pairs if isinstance(key, Scalar) and key.value == name]
        if len(same) < 2:
            continue
        where = " and ".join(place(located.text, key.start) for key in same)
        raise problem(located.text, same[1].start, f"the key {name!r} stands twice in a mapping (at {where}); keep one")


def _check_room(located: Located, match: Match) -> None:
    """Refuse an empty value that nothing shows the place of: no document, no colon, or only an anchor or tag."""
    text, node = located.text, match.node
    if match.parent is None:
        raise problem(text, node.start, "the document is empty, so there is no value to set")
    if node.start != node.end:
        raise problem(text, node.start, "the value is empty but for an anchor or tag; write a value or remove those")
    flow = _in_flow(match)
    before = text[: node.start].rstrip(" \t") if flow else text[: node.start]
    if not before.endswith(":" if flow else (":", "-")):
        name = str(match)
        raise problem(text, node.start, f"{name!r} is a key without a colon to put its value after; add it")


def _check_encodable(located: Located, node: Scalar, value: str) -> None:
    try:
        value.encode()
    except UnicodeEncodeError:
        raise problem(located.text, node.start, "the new value has a lone surrogate, which no file can hold") from None


def _in_flow(match: Match) -> bool:
    parent = match.parent.node if match.parent else None
    return isinstance(parent, Mapping | Sequence) and parent.flow


def _in_json(match: Match) -> bool:
    """Whether the nearest mapping around is written as JSON: in braces, its first key in double quotes."""
    for step in match.way():
        if step is not match and isinstance(step.node, Mapping):
            key = step.node.pairs[0][0]
            return step.node.flow and isinstance(key, Scalar) and key.style == '"'
    return False


def _string(located: Located, match: Match, node: Scalar, value: str) -> str:
    """Write the string on one line: in its own quotes, plain if it is plain and may be, else in the file's quotes."""
    if node.style in ("'", '"'):
        return quoted(value, node.style)
    if _in_json(match):
        return quoted(value, '"')
    if not node.style and plain_ok(value, flow=_in_flow(match)):
        return value
    return quoted(value, located.quote)
