"""Which characters to put where, and one scalar replaced: everything around it stays as it was."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bot.core.yaml.block import read
from bot.core.yaml.events import problem, span
from bot.core.yaml.explain import KINDS, place
from bot.core.yaml.extent import own_start
from bot.core.yaml.locate import STR_TAG, Alias, Mapping, Scalar
from bot.core.yaml.quote import bare, holds
from bot.core.yaml.write import Habits, scalar_event, written

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bot.core import model
    from bot.core.yaml.events import Event
    from bot.core.yaml.locate import Document, Located
    from bot.core.yaml.walk import Match


@dataclass(frozen=True, slots=True)
class Splice:
    """`text[start:end]` becomes `new`, and the events from `first` up to `last` (not included) become `events`.

    `old` and `shown` are the source of a value that is replaced, before and after, for people.
    """

    start: int
    end: int
    new: str
    first: int
    last: int
    events: tuple[Event, ...]
    old: str = ""
    shown: str = ""


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
    check_way(located, document, match)
    if node.tag not in (None, STR_TAG):
        raise problem(text, node.start, f"the value has the explicit tag {node.tag!r}; remove the tag first")
    if node.empty:
        _check_room(located, match)
    return node


def check_way(located: Located, document: Document, match: Match, *, above: bool = False) -> None:
    """Raise `EditError` where a change at `match` would show elsewhere too, or where a key on the way stands twice.

    With `above` only what is above it is looked at.
    """
    check_keys(located, match)
    for step in match.way():
        anchor = step.node.anchor
        if anchor in document.aliases and not (above and step is match):
            what = "the value is" if step is match else f"{str(step)!r} above it is"
            used = place(located.text, span(located.events[document.aliases[anchor][0]])[0])
            sentence = f"{what} anchored as &{anchor} and aliased elsewhere (at {used}), where it would change too"
            raise problem(located.text, match.node.start, f"{sentence}; write the value out at the alias first")


def check_keys(located: Located, match: Match) -> None:
    """Raise `EditError` for a key on the way that stands twice: readers disagree on which one counts."""
    for step in match.way():
        if not isinstance(step.key, Scalar) or step.parent is None or not isinstance(step.parent.node, Mapping):
            continue
        name, parent = step.key.value, step.parent.node
        if parent.known and name not in _twice(located, parent):
            continue
        same = [key for key, _ in parent.named(name)]
        if len(same) < 2:
            continue
        where = " and ".join(place(located.text, key.start) for key in same)
        raise problem(located.text, same[1].start, f"the key {name!r} stands twice in a mapping (at {where}); keep one")


def _twice(located: Located, mapping: Mapping) -> set[str]:
    """Return the keys that a mapping has more than once; looked for once, as many values of it may be changed."""
    twice: set[str] | None = located.memo.get(mapping.event)
    if twice is None:
        counts = Counter(located.stream.keys(mapping))
        twice = located.memo[mapping.event] = {name for name, count in counts.items() if count > 1}
    return twice


def replace(located: Located, node: Scalar, value: model.Scalar, habits: Habits) -> Splice | None:
    """How a scalar that `check_scalar` let pass becomes `value`; None where it is that already.

    Raises `EditError` where the value cannot be written there.
    """
    if holds(node, value):
        return None
    text = located.text
    start, end = own_start(located, node), node.end
    if node.tag == STR_TAG and not isinstance(value, str):
        raise problem(text, node.start, "the value has the tag !!str, so it stays a string; give a string")
    if isinstance(value, str) and any("\ud800" <= character <= "\udfff" for character in value):
        raise problem(text, node.start, "the new value has a lone surrogate, which no file can hold")
    new, style = written(value, node.style, habits) if isinstance(value, str) else (bare(value), "")
    if node.style in ("|", ">"):
        block = read(text, start, node)
        end = block.end
        if isinstance(value, str):
            as_block = block.written(value)
            if as_block is not None:
                (new, end), style = as_block, node.style
    event = scalar_event(value, style, node.anchor, node.tag)
    lead = " " if node.empty and text[start - 1] in ":-" else ""
    return Splice(start, end, lead + new, node.event, node.event + 1, (event,), text[start:end], new)


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


def _check_room(located: Located, match: Match) -> None:
    """Refuse an empty value that nothing shows the place of: no document, no colon, or only an anchor or tag."""
    text, node = located.text, match.node
    if match.parent is None:
        raise problem(text, node.start, "the document is empty, so there is no value to set")
    if node.start != node.end:
        raise problem(text, node.start, "the value is empty but for an anchor or tag; write a value or remove those")
    flow = match.in_flow
    before = text[: node.start].rstrip(" \t") if flow else text[: node.start]
    if not before.endswith(":" if flow else (":", "-")):
        name = str(match)
        raise problem(text, node.start, f"{name!r} is a key without a colon to put its value after; add it")
