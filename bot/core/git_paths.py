"""What a path is called on the file systems of Windows and macOS, which take several names for the same file.

A path that is an ordinary one to Linux and to GitHub's API may lead into `.git` in a checkout elsewhere. The rules are
Git's own: `verify_path` of https://github.com/git/git/blob/master/read-cache.c with `core.protectHFS` and
`core.protectNTFS`. Git asks them of `.git` only; here they hold for every name that matters.
"""

from __future__ import annotations

import re
import unicodedata

import regex

# HFS+ drops 16 code points from names (`next_hfs_char`, https://github.com/git/git/blob/master/utf8.c). All that
# Unicode calls ignorable are dropped here, which has these among them: a reader sees none of them.
_IGNORABLE = regex.compile(r"[\p{Default_Ignorable_Code_Point}\p{Cf}]+")

# Besides these, whatever breaks a line or has no encoding: nothing that a payload may put into a path.
INVISIBLE = regex.compile(r"[\p{Default_Ignorable_Code_Point}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]")

# A backslash separates folders on Windows (`verify_path` looks behind each one too).
_SEPARATOR = re.compile(r"[/\\]")

# Most paths of a repository need no closer look; a repository may have a hundred thousand.
_MAY_BE_GIT = re.compile(r"(?:\.git|git~1)[. ]*(?:[:/\\]|$)")

# `STARTS~1.EXT`: eight characters at most, three behind the dot.
_SHORT_NAME = re.compile(r"(?P<start>[^~]{0,6})~(?P<number>[1-9][0-9]{0,6})(?:\.(?P<extension>[^.]*))?")
_HASH = re.compile(r"[0-9a-f]*")

# Names that mean something else on Windows, some of the ones that Git does not check out there:
# `is_valid_win32_path`, https://github.com/git/git/blob/master/compat/mingw.c
_DEVICE = re.compile(r"(?:aux|con|conin\$|conout\$|nul|prn|com[1-9]|lpt[0-9]) *(?:[.:].*)?", re.IGNORECASE | re.DOTALL)


def fold(path: str) -> tuple[str, ...]:
    """Return the parts of a path in the one form that all spellings of the same file have.

    It is lower case, of compatible characters one, without those that are ignored, without the dots and blanks at the
    end that Windows drops, and without a drive in front or a stream behind (`C:name`, `name:stream`).
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

    The names are shortened to six characters and a number; after a few of them to two and a hash. Which hash it is
    makes no difference here (`is_ntfs_dot_generic`, https://github.com/git/git/blob/master/path.c).
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
    """Return what a path is on Windows if not the file of this name, as the end of a sentence; None if it is.

    A character that no file has there, such as a star, only ends the checkout.
    """
    for part in path.split("/"):
        if _DEVICE.fullmatch(part):
            return f"has the part {part!r}, which is a device on Windows"
        if ":" in part:
            return f"has the part {part!r}, which is a stream or a drive on Windows"
        if part.endswith((".", " ")):
            return f"has a part that ends with {part[-1]!r}, which Windows drops"
    return None
