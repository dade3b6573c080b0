"""The action's patterns as ours: it searches, a condition matches the whole value; it knows no lines, a regex does.

The action calls PCRE without flags: https://www.php.net/manual/en/reference.pcre.pattern.modifiers.php
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import regex

if TYPE_CHECKING:
    from collections.abc import Iterator

_PIECE = regex.compile(
    r"""\\. | \[\^?\]?(?:\\.|\[:[^\]:]*:\]|[^\]\\])*\]
      | (?<open>\() | (?<close>\)) | (?<or>\|) | (?<anchor>[\^$]) | .""",
    regex.VERBOSE | regex.DOTALL,
)
_FLAGS = regex.compile(r"(?:\(\?[ims]+\))*")


def plain(pattern: str) -> str:
    r"""Take the backslash from quotes and slashes, which need none: `\"` is what YAML in YAML leaves, `\/` PHP's."""
    return regex.sub(r"\\(.)", lambda found: found[1] if found[1] in '"/' else found[0], pattern, flags=regex.DOTALL)


def whole(pattern: str) -> tuple[str, bool]:
    """Return the pattern that matches a whole value where `pattern` is found in it, and whether `.*` was added.

    Both read `.` as anything but a line break, so it is the same for values of one line.
    """
    flags = _FLAGS.match(pattern)
    head = flags[0] if flags else ""
    body = pattern[len(head) :]
    kinds = list(_kinds(body))
    if ("or", 0) in kinds:
        return f"{head}.*(?:{body}).*", True
    starts = bool(regex.match(r"\^(?![*+?{])", body))
    ends = bool(kinds) and kinds[-1][0] == "anchor" and body.endswith("$")
    body = body[int(starts) : len(body) - int(ends)]
    before = "" if starts or body.startswith((".*", ".+")) else ".*"
    after = "" if ends or regex.search(r"(?<!\\)(?:\\\\)*\.[*+]\Z", body) else ".*"
    if not body:  # found everywhere, but between two anchors
        return head + (before or after), False
    return f"{head}{before}{body}{after}", bool(before or after)


def by_file(pattern: str) -> tuple[str, bool]:
    """Return the pattern whose `^` and `$` are the ends of the file, and whether that needed a change."""
    if not any(kind == "anchor" for kind, _ in _kinds(pattern)) or regex.search(r"\(\?[is]*m", pattern):
        return pattern, False
    return f"(?-m:{pattern})", True


def _kinds(pattern: str) -> Iterator[tuple[str, int]]:
    """Yield what each piece is that is not just itself, and how deep in groups it stands."""
    depth = 0
    for found in _PIECE.finditer(pattern):
        depth += (found.lastgroup == "open") - (found.lastgroup == "close")
        yield found.lastgroup or "", depth
