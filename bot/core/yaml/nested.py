"""YAML inside of a scalar of YAML: Argo CD's `helm.values`, the files in a ConfigMap."""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import takewhile
from typing import TYPE_CHECKING

from bot.core.yaml.block import LINE, read
from bot.core.yaml.events import position, problem
from bot.core.yaml.extent import own_start
from bot.core.yaml.splice import Splice
from bot.core.yaml.splice import replace as replace_scalar
from bot.core.yaml.write import habits, scalar_event

if TYPE_CHECKING:
    from bot.core.yaml.locate import Located, Scalar
    from bot.core.yaml.walk import Match
    from bot.errors import EditError, Problem


def replace_inner(located: Located, match: Match, node: Scalar, inner: str, *, json: bool) -> Splice | None:
    """How the scalar gets the text `inner`: of a literal block only the lines that differ are written.

    Raises `EditError` for a folded block, whose lines are not those of its text.
    """
    text = located.text
    if node.style == ">":
        raise problem(text, node.start, "a folded block (`>`) is not edited inside; write it as a literal one (`|`)")
    if node.style != "|":
        return replace_scalar(located, node, inner, habits(located, match, json=json))
    start = own_start(located, node)
    if not node.value.strip("\n"):
        return replace_scalar(located, node, inner, habits(located, match, json=json))
    block = read(text, start, node)
    first = LINE.match(text, start)
    before, after = node.value.split("\n"), inner.split("\n")
    # Where each line of the text stands in the file; the empty one that follows a last line break stands nowhere.
    lines = [(line.start(), line.end(1)) for line in LINE.finditer(text, first.end() if first else start, block.after)]
    head = _common(before, after)
    tail = min(_common(before[::-1], after[::-1]), len(before) - head, len(after) - head)
    written = [" " * block.indent + line if line else "" for line in after[head : len(after) - tail]]
    last = len(before) - tail
    if head:
        begin, end = lines[head - 1][1], lines[last - 1][1]
        new = "".join(block.eol + line for line in written)
    else:
        begin, end = lines[0][0], lines[last][0] if tail else lines[last - 1][1]
        new = "".join(line + block.eol for line in written) if tail else block.eol.join(written)
    event = scalar_event(inner, node.style, node.anchor, node.tag)
    return Splice(begin, end, new, node.event, node.event + 1, (event,))


def moved(located: Located, node: Scalar, error: EditError) -> list[Problem]:
    """Return the problems of an edit inside the scalar, at their place in the file."""
    return [
        replace(found, line=line, column=column)
        for found in error.problems
        for line, column in [place_of(located, node, found.line or 1, found.column or 1)]
    ]


def place_of(located: Located, node: Scalar, line: int, column: int) -> tuple[int, int]:
    """Return where in the file a line and column of the text of a scalar stand; in quotes, where the scalar does."""
    begins = position(located.text, node.start)
    if node.style != "|":
        return begins
    first = LINE.match(located.text, node.start)
    indent = re.compile(" *").match(located.text, first.end() if first else node.start)
    return begins[0] + line, column + (indent.end() - indent.start() if indent else 0)


def _common(one: list[str], other: list[str]) -> int:
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False)))
