"""What property and fuzz tests share: how many examples they take, texts to start from, what stops an endless one."""

from __future__ import annotations

import os
import signal
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

if TYPE_CHECKING:
    from collections.abc import Iterator

# `make fuzz` sets it: so many times the examples of the ordinary run, and others in every run.
TIMES = int(os.environ.get("FUZZ_TIMES", "1"))

ROOT = Path(__file__).parents[1]
FILES = [path.read_bytes().decode() for path in sorted((ROOT / "tests" / "data" / "yaml").glob("*.y*ml"))]
SMALL = [
    "",
    "a: &x {b: [1, 2]}\nc: *x\nd:\n  <<: *x\n  e: |+\n    text\n\nf: >-\n  folded\n  text\n",
    "- a: 1\n  b:\n  - x # c\n  -\n    - y\n- 'q'\n- \"d\\n\"\n- ? k\n  : v\n- !!str 1\n- !t x\n",
    '{"a": [1, {"b": null}], "c": "d", "e": {}}\n',
    "image: {repository: a/b, tag: v1}\nvalues: |\n  image: a/b:v1\n  list: []\n---\nkind: Job\nmetadata: {name: j}\n",
    "a:\r\n    b:   1   # one\r\n    c:\r\n\r\n# end",
]
TOKENS = [
    *(
        "\n",
        "\r\n",
        "\r",
        "  ",
        "\t",
        "- ",
        ": ",
        ":",
        " #",
        "&x ",
        "*x",
        "!!str ",
        "! ",
        "|\n",
        "|+\n",
        ">-\n",
        "|2\n",
    ),
    *("[", "]", "{", "}", ",", "'", '"', "---\n", "...\n", "%YAML 1.1\n", "? ", "<<: ", "\ufeff", "\u2028", "\u0085"),
    *("é", "🚀", "\x00", "{{ .x }}", "null", "~", "a: 1\n", "\\", "[" * 300, "- " * 300, "x" * 1000),
]


class HangError(AssertionError):
    """Something took so much processor time that it may never end."""


def examples(count: int) -> settings:
    """Settings for `count` examples in the ordinary run, which takes the same ones each time."""
    return settings(
        max_examples=count * TIMES,
        derandomize=TIMES == 1,
        database=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """Raise HangError where what is inside takes more processor time than that; what others take does not count."""

    def stop(*_: object) -> NoReturn:
        raise HangError(f"not done after {seconds:g} s of processor time")

    before = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


@st.composite
def mutated(draw: st.DrawFn, seeds: list[str], tokens: list[str], most: int = 6) -> str:
    """A seed in which some places, `most` of them at most, got other characters."""
    text = draw(st.sampled_from(seeds))
    for _ in range(draw(st.integers(0, most))):
        start = draw(st.integers(0, len(text)))
        end = min(len(text), start + draw(st.sampled_from([0, 0, 1, 2, 5, 40])))
        put = draw(st.sampled_from(tokens) | st.text("ab:- #\n'1é", max_size=3))
        text = text[:start] + put + text[end:]
    return text
