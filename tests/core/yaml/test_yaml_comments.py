"""No comment is lost, moved or doubled, whatever becomes of the values around it.

The cases are those that libgitops and kyaml name for copying comments from an old text to one written anew
(https://github.com/kubernetes-sigs/kustomize/blob/master/kyaml/comments/comments_test.go). Here nothing is written
anew, so only the comments that belong to a removed field go, and they go with it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bot.core.yaml import Merge, SetField, Unset, edit

if TYPE_CHECKING:
    from bot.core.yaml import Operation

WHOLE = """\
# About the file,
# on two lines

# About kind
kind: Deployment # beside kind

# About metadata
metadata: # beside metadata
  # About name
  name: shop # beside name
  # Below name
# Below metadata

# About spec
spec:
  replicas: 3   # beside replicas
  # About nothing that follows
# The end
"""

LIST = """\
# About the list
hosts: # beside the key
  # About a
  - a.example.org # beside a
  # About b
  - b.example.org # beside b
  # About c
  - c.example.org # beside c
# Below the list
port: 80
"""

CONTAINERS = """\
containers:
# About web
- name: web # its name
  # About the image of web
  image: web:1 # pinned
# About log
- image: log:1 # pinned, too
  name: log
  # Below log
"""

CASES = {
    "copy": (
        WHOLE,
        [SetField("kind", "StatefulSet"), SetField("metadata.name", "store"), SetField("spec.replicas", 5)],
        WHOLE.replace("Deployment", "StatefulSet").replace("shop", "store").replace("3", "5"),
    ),
    "associative_list": (
        CONTAINERS,
        [
            SetField("containers[?(@.name=='log')].image", "log:2"),
            SetField("containers[?(@.name=='web')].image", "web:2"),
        ],
        CONTAINERS.replace(":1", ":2"),
    ),
    "associative_list, an item that is missing": (
        CONTAINERS,
        [SetField("containers[?(@.name=='job')].image", "job:1", create=True)],
        CONTAINERS.replace("  # Below log\n", "  # Below log\n- name: job\n  image: job:1\n"),
    ),
    "keep_comments": (
        WHOLE,
        [Merge("$", {"kind": "StatefulSet", "metadata": {"namespace": "prod"}, "spec": {"replicas": 5}})],
        WHOLE.replace("Deployment", "StatefulSet")
        .replace("# beside name\n", "# beside name\n  namespace: prod\n")
        .replace("3", "5"),
    ),
    "item comment, same": (LIST, [SetField("hosts[1]", "b.example.org"), Merge("$", {"port": 80})], LIST),
    "item comment, middle": (
        LIST,
        [Unset("hosts[1]")],
        LIST.replace("  # About b\n  - b.example.org # beside b\n", ""),
    ),
    "item comment, moved": (
        LIST,
        [Unset("hosts[0]"), SetField("hosts[+]", "d.example.org", create=True)],
        LIST.replace("  # About a\n  - a.example.org # beside a\n", "").replace(
            "# beside c\n", "# beside c\n  - d.example.org\n"
        ),
    ),
    "item comment, no_match": (
        LIST,
        [SetField(f"hosts[{index}]", f"{index}.example.net") for index in range(3)],
        LIST.replace("a.example.org", "0.example.net")
        .replace("b.example.org", "1.example.net")
        .replace("c.example.org", "2.example.net"),
    ),
    "item comment, add": (
        LIST,
        [SetField("hosts[+]", "d.example.org", create=True)],
        LIST.replace("# beside c\n", "# beside c\n  - d.example.org\n"),
    ),
    "item comment, remove": (
        LIST,
        [Unset("hosts[2]")],
        LIST.replace("  # About c\n  - c.example.org # beside c\n", ""),
    ),
    "folded_style": (
        "# About text\ntext: >- # folded\n  one\n  two\n# About tag\ntag: v1 # beside tag\n",
        [SetField("tag", "v2")],
        "# About text\ntext: >- # folded\n  one\n  two\n# About tag\ntag: v2 # beside tag\n",
    ),
    "folded_style, set itself": (
        "# About text\ntext: >-\n  one\n  two\n# About tag\ntag: v1 # beside tag\n",
        [SetField("text", "three")],
        "# About text\ntext: >-\n  three\n# About tag\ntag: v1 # beside tag\n",
    ),
    "move_to_top": (
        WHOLE,
        [Unset("metadata.name"), SetField("metadata.uid", "x", create=True), Unset("spec")],
        """\
# About the file,
# on two lines

# About kind
kind: Deployment # beside kind

# About metadata
metadata: # beside metadata
  uid: x
  # Below name
# Below metadata

# The end
""",
    ),
}


@pytest.mark.parametrize(
    ("text", "operations", "expected"), [pytest.param(*case, id=name) for name, case in CASES.items()]
)
@pytest.mark.parametrize("eol", ["\n", "\r\n"])
def test_comments_stay(text: str, operations: list[Operation], expected: str, eol: str) -> None:
    """Head, line and foot comments are where they were, whichever line breaks the file has."""
    assert edit(text.replace("\n", eol), operations).text == expected.replace("\n", eol)
