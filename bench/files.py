"""The files of the repositories that dispatches change, and the rules by which they do."""

from __future__ import annotations

import re

MAPPING_PATH = ".github/pointsman.yaml"
TARGET = "environments/dev/shop.yaml"
SECOND = "environments/dev/jobs.yaml"
IMAGE = "ghcr.io/acme/shop"
AUTHOR = "commit:\n  author: { name: build, email: build@acme.org }\n"

_FILE = f"""\
# {{about}}
replicas: 2
image: {IMAGE}:{{tag}}   # the tag that a dispatch sets
worker:
  image: {IMAGE}-worker:1.3.7   # another image, whose name begins alike
""" + "".join(f"setting-{number:02}: {number * 7919 % 1000}\n" for number in range(60))

_MAPPINGS = """\
version: 1
mappings:
  - name: dev
    when: {{ docker_image_tag: '.*-dev' }}{branch}
    update:
      - files: {files}
        set:
          image: {image}:${{{{ docker_image_tag }}}}
"""
_BRANCH = "\n    branch: ${{ line }}"


def target(about: str) -> bytes:
    """Make a file that names the image, with a tag that no dispatch sets."""
    return _FILE.format(about=about, tag="1.4.0-dev").encode()


def mappings(files: str = TARGET, *, branches: bool = False) -> str:
    """Make a mapping file that sets the tag in `files` (YAML); with `branches` on the one that the payload names."""
    return _MAPPINGS.format(files=files, image=IMAGE, branch=_BRANCH if branches else "")


def tag_in(content: bytes) -> str:
    """Give the tag of the image in a file, "" where there is none."""
    found = re.search(rf"^image: {re.escape(IMAGE)}:(\S+) ", content.decode(), re.MULTILINE)
    return found[1] if found else ""
