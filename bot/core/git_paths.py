"""The other names that the file systems of Windows and macOS have for a path.

A path that is an ordinary one to Linux and to GitHub's API may lead into `.git` in a checkout elsewhere. The rules are
Git's own: `verify_path` of https://github.com/git/git/blob/master/read-cache.c with `core.protectHFS` and
`core.protectNTFS`. Git applies them to `.git` only; here they apply to every protected name.
"""

from __future__ import annotations

import re
import unicodedata

import regex

# HFS+ drops 16 code points from names (`next_hfs_char`, https://github.com/git/git/blob/master/utf8.c). All code points
# that Unicode calls ignorable are dropped here, which include those 16: nobody sees any of them.
_IGNORABLE = regex.compile(r"[\p{Default_Ignorable_Code_Point}\p{Cf}]+")

# Characters that no payload may put into a path: the ignorable ones, line separators and lone surrogates.
INVISIBLE = regex.compile(r"[\p{Default_Ignorable_Code_Point}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]")

# A backslash separates folders on Windows (`verify_path` looks behind each one too).
_SEPARATOR = re.compile(r"[/\\]")

# A quick test, as a repository may have a hundred thousand paths and most of them need no closer look.
_MAY_BE_GIT = re.compile(r"(?:\.git|git~1)[. ]*(?:[:/\\]|$)")

# `STARTS~1.EXT`: eight characters at most, and three after the dot.
_SHORT_NAME = re.compile(r"(?P<start>[^~]{0,6})~(?P<number>[1-9][0-9]{0,6})(?:\.(?P<extension>[^.]*))?")
_HASH = re.compile(r"[0-9a-f]*")

# Some of the names that Git does not check out on Windows, where they mean a device:
# `is_valid_win32_path`, https://github.com/git/git/blob/master/compat/mingw.c
_DEVICE = re.compile(r"(?:aux|con|conin\$|conout\$|nul|prn|com[1-9]|lpt[0-9]) *(?:[.:].*)?", re.IGNORECASE | re.DOTALL)


def fold(path: str) -> tuple[str, ...]:
    """Return the parts of a path in a form that is the same for all spellings of one file.

    Letters become lower case, compatible characters (NFKC) the same one. Ignorable characters, dots and blanks at the
    end of a part (Windows drops them), a drive (`C:name`) and a stream (`name:stream`) are left out.
    """
    if not path.isascii():
        folded = unicodedata.normalize("NFKC", _IGNORABLE.sub("", path)).casefold()
        path = _IGNORABLE.sub("", unicodedata.normalize("NFKC", folded))
    if path[1:2] == ":":
        path = path[2:]
    parts = _SEPARATOR.split(path.lower())
    return tuple(name for part in parts if (name := part.partition(":")[0].rstrip(". ")))


def is_short_name(part: str, name: str) -> bool:
    """Say whether NTFS may have made `part` as the short name of `name`, both folded: `github~1` of `.github`.

    A short name has the first six characters and a number; after a few equal ones, the first two and a hash. Every hash
    counts here (`is_ntfs_dot_generic`, https://github.com/git/git/blob/master/path.c).
    """
    found = _SHORT_NAME.fullmatch(part) if "~" in part else None
    if found is None:
        return False
    stem, dot, extension = name.lstrip(".").rpartition(".")
    stem, extension = (stem.replace(".", ""), extension) if dot else (extension, "")
    if (found["extension"] or "") != extension[:3]:
        return False
    start, length = found["start"], 7 - len(found["number"])
    if start == stem[:length]:
        return True
    return len(start) == length and stem.startswith(start[:2]) and _HASH.fullmatch(start[2:]) is not None


def in_git(path: str) -> bool:
    """Say whether a path is `.git` or leads into one, in a checkout on any file system."""
    if path.isascii():
        lowered = path.lower()
        if "git" not in lowered or _MAY_BE_GIT.search(lowered) is None:
            return False
    # Git makes `.git` before all else, so its short name has no other number.
    return not {".git", "git~1"}.isdisjoint(fold(path))


def other_on_windows(path: str) -> str | None:
    """Return why Windows takes a path for something else than this file, as the end of a sentence; None if it does not.

    Characters that no name has on Windows, such as a star, need no refusal: they only make the checkout fail.
    """
    for part in path.split("/"):
        if _DEVICE.fullmatch(part):
            return f"has the part {part!r}, which is a device on Windows"
        if ":" in part:
            return f"has the part {part!r}, which is a stream or a drive on Windows"
        if part.endswith((".", " ")):
            return f"has a part that ends with {part[-1]!r}, which Windows drops"
    return None
