"""Block scalars (`|` and `>`): what of them is content, and how another string is written in their place."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bot.core.yaml.events import problem
from bot.core.yaml.quote import needs_escapes

if TYPE_CHECKING:
    from bot.core.yaml.locate import Scalar

# A comment or an indentation indicator in the header is not matched: where the content begins would be a guess.
_HEADER = re.compile(r"[|>]([-+]?)[ \t]*(\r\n?|\n)")
_ANY_HEADER = re.compile(r"[|>][0-9]?([-+]?)[0-9]?[ \t]*(?:#[^\r\n]*)?(\r\n?|\n)")
# The text of a line, and its break; the last one may have none.
LINE = re.compile(r"([^\r\n]*)(\r\n?|\n|\Z)")


@dataclass(frozen=True, slots=True)
class Block:
    """A block scalar as it stands.

    `end` is the offset after its last content line, before that line's break; `after` the offset where the next token's
    line begins, blank lines skipped; `ended` whether a line break follows the content. `indent` counts columns.
    """

    style: str
    chomping: str
    indent: int
    eol: str
    end: int
    after: int
    ended: bool

    def written(self, value: str) -> tuple[str, int] | None:
        """Write the string as a block of the same indentation, and say up to which offset it replaces the old one.

        None where a block cannot carry it: without content, with characters that need escapes, with a first line that
        begins with a blank, folded over several lines, or with a last line break that the end of the file lacks.
        """
        body = value.rstrip("\n")
        breaks = len(value) - len(body)
        lines = body.split("\n")
        if not body or not self.indent or body[0] in " \t" or needs_escapes(body.replace("\n", "").replace("\t", "")):
            return None
        if (self.style == ">" and len(lines) > 1) or any(line and not line.strip(" \t") for line in lines):
            return None
        if breaks == 1 and not self.ended:
            return None
        chomping = "-" if breaks == 0 else "" if breaks == 1 else "+"
        content = self.eol.join(" " * self.indent + line if line else "" for line in lines)
        new = f"{self.style}{chomping}{self.eol}{content}"
        # Kept line breaks are the blank lines that follow, so those are replaced too.
        return (new + self.eol * breaks, self.after) if breaks > 1 else (new, self.end)


def read(text: str, start: int, node: Scalar, *, whole: bool = True) -> Block:
    """Read the block scalar whose indicator stands at `text[start]`.

    Raises `EditError` for a header with an indentation indicator or a comment, unless only where it ends is asked for
    (not `whole`).
    """
    header = (_HEADER if whole else _ANY_HEADER).match(text, start)
    if header is None:
        sentence = "a block scalar with an indentation indicator or a comment in its first line is not edited"
        raise problem(text, start, f"{sentence}; write it as a quoted string first")
    lines = [found for found in LINE.finditer(text, header.end(), node.end) if found[0]]
    indent = next((len(line[1]) - len(line[1].lstrip(" ")) for line in lines if line[1].strip(" ")), 0)
    # Blank lines no wider than the indentation follow the content; wider ones are content.
    while lines and not _content(lines[-1][1], indent):
        lines.pop()
    end = lines[-1].end(1) if lines else header.start(2)
    ended = bool(lines) and lines[-1].end() > end
    return Block(node.style, header[1], indent, header[2], end, node.end, ended)


def _content(line: str, indent: int) -> str:
    """Cut a line without its break to what it adds to the block: nothing if blank and no wider than the indentation."""
    return line[indent:] if not line.strip(" ") else line
