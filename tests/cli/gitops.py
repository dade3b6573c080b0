"""A GitOps repository as a folder, and what can be asked of one."""

from __future__ import annotations

import itertools
import os
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

MAPPINGS = """\
version: 1
mappings:
  - name: dev
    on: [update-gitops-repo]
    when: { docker_image_tag: '.*-dev' }
    update:
      - files: environments/dev/values.yaml
        set:
          image.tag: ${{ docker_image_tag }}

  - name: prod
    when: { docker_image_tag: '(?<version>.*)-stable' }
    update:
      - files: '**/prod/*.yaml'
        regex: 'tag: "(?<docker_image_tag>.*)"'
"""

FILES = {
    ".github/pointsman.yaml": MAPPINGS.encode(),
    "environments/dev/values.yaml": b'# dev\r\nimage:\r\n  tag: "1.0-dev" # ours\r\nend: here',
    "environments/prod/values.yaml": b"# \xe2\x9c\x93\n" * 9
    + b'image:\n  tag: "1.0-stable"   # ours\n'
    + b"a: 1\n" * 9,
    "environments/prod/more.yaml": b'tag: "1.0-stable"',
    "environments/prod/notes.txt": b'tag: "1.0-stable"\n',
    "other/values.yaml": b'tag: "1.0-stable"\n',
}


def make(folder: Path, files: dict[str, bytes] = FILES) -> Path:
    """Write files into a new folder, and return it."""
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    """Return every file of a folder by its path."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()
    }


def traces(folder: Path) -> dict[str, tuple[int, int, int]]:
    """Return what a write leaves on anything in a folder, and on itself: inode, mode, time of the last change (ns)."""
    found = {}
    for path in (folder, *folder.rglob("*")):
        status = os.lstat(path)
        found[str(path)] = (status.st_ino, status.st_mode, status.st_mtime_ns)
    return found


def patched(files: dict[str, bytes], diff: str) -> dict[str, bytes]:
    """Apply a unified diff as `patch -p1` does.

    But strictly: every line must be where it is said to be, and every count right.
    """
    result = dict(files)
    for part in re.split(r"^(?=--- a/)", diff, flags=re.MULTILINE)[1:]:
        header, other, body = part.split("\n", 2)
        name = header.removeprefix("--- a/")
        assert other == f"+++ b/{name}"
        result[name] = _patched(files[name].decode(), body).encode()
    return result


def _patched(text: str, body: str) -> str:
    # A line that is followed by this mark has no end.
    lines = [re.sub(r"\n\\ No newline at end of file\n", "", line) for line in re.findall(r".*\n(?:\\.*\n)?", body)]
    source, out, position = re.findall(r"[^\n]*\n|[^\n]+", text), list[str](), 0
    for number, line in enumerate(lines):
        if hunk := re.match(r"@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@", line):
            old, olds, new, news = (int(group or 1) for group in hunk.groups())
            out += source[position : old - 1]
            position = old - 1
            assert len(out) == new - 1
            signs = [
                line[0] for line in itertools.takewhile(lambda line: not line.startswith("@@"), lines[number + 1 :])
            ]
            assert (olds, news) == (len(signs) - signs.count("+"), len(signs) - signs.count("-"))
        elif line.startswith("+"):
            out.append(line[1:])
        else:
            assert source[position] == line[1:]
            out += [line[1:]] if line.startswith(" ") else []
            position += 1
    return "".join(out + source[position:])
