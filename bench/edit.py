"""What the edit of a file costs, beside what those who read a file and write it anew take for the same."""

from __future__ import annotations

import gc
import io
import statistics
import time
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import regex
import yaml
from ruamel.yaml import YAML

from bench.program import BenchError
from bench.rows import PART, SKIPPED, Row, least_row, seconds_rows
from bench.texts import dense, events, paths, values
from bot.core.glob import SECONDS, Glob, Globs
from bot.core.regexes import budget, compile_pattern, substitute
from bot.core.yaml import SetField, edit
from bot.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from bench.texts import Text
    from bot.core.regexes import Budget, Pattern, Substituted

_T = TypeVar("_T")

# What the names of the rows begin with.
SECTIONS = ("editing", "globs")
# Of every round ours is measured so often, as it takes so much less time.
OURS_A_ROUND = 5
LEAST_TIMES_RUAMEL, LEAST_VALUES, LEAST_DENSE, MOST_GLOBS_SECONDS = 25, 25, 15, 0.3
UNBOUNDED = 60.0  # seconds for a regex: it is measured, not stopped
TAG = "v2.0.1-rc.3"
PATTERN = r'^\s*tag: "(?<tag>v?[0-9][^"]*)"'
# Three kinds of globs, each for one service.
PATTERNS = ("environments/*/service-{}/values.yaml", "**/service-{}/*.yaml", "apps/**/service-{}-*.yml")


# Of a small file several edits in a row are measured, every way alike: collecting garbage before empties the caches.
_BATCH_BYTES = 200_000


class Sizes(NamedTuple):
    """Bytes and rounds of each values file and of the dense one, how many paths the globs search, and how often."""

    values: tuple[tuple[int, int], ...] = ((30_000, 8), (100_000, 4), (2_000_000, 1))
    dense: tuple[int, int] = (2_000_000, 1)
    regex: int = 2_000_000
    paths: int = 100_000
    repeats: int = 3


QUICK = Sizes(((30_000, 1),), (30_000, 1), 30_000, 10_000, 1)


@dataclass(frozen=True)
class Way:
    """One way to set the tag: bytes in, bytes out."""

    name: str
    run: Callable[[bytes, Text], bytes]


def ours(data: bytes, text: Text) -> bytes:
    """Locate, splice and verify."""
    return edit(data.decode(), [SetField(text.field, TAG)]).text.encode()


def ruamel(data: bytes, text: Text) -> bytes:
    """Take the round trip of ruamel.yaml, which keeps comments and, asked to, quotes and long lines."""
    parser = YAML(typ="rt")
    parser.preserve_quotes = True
    parser.width = 1_000_000
    loaded = parser.load(data)
    _set(loaded, text)
    written = io.BytesIO()
    parser.dump(loaded, written)
    return written.getvalue()


def pyyaml(data: bytes, text: Text) -> bytes:
    """Load and dump with PyYAML on libyaml, which loses all comments."""
    loaded = yaml.load(data, Loader=yaml.CSafeLoader)
    _set(loaded, text)
    written: bytes = yaml.dump(loaded, Dumper=yaml.CSafeDumper, sort_keys=False, encoding="utf-8", width=1_000_000)
    return written


WAYS = (Way("Pointsman", ours), Way("ruamel.yaml", ruamel), Way("PyYAML", pyyaml))


def measured(sizes: Sizes) -> Iterator[list[Row]]:
    """Yield the rows one measurement after the other, so that whoever asks can stop in between."""
    for size, rounds in sizes.values:
        yield _beside(values(size), rounds, LEAST_VALUES)
    yield _regex(values(sizes.regex), sizes.repeats)
    size, rounds = sizes.dense
    yield _beside(dense(size), rounds, LEAST_DENSE)
    searched = paths(sizes.paths)
    for count in (1, 50):
        yield _globs(count, searched, sizes.repeats)


def _beside(text: Text, rounds: int, least: float) -> list[Row]:
    """Measure all ways on one file, taking turns so that whatever else the machine does meets all of them."""
    data = text.text.encode()
    seconds: dict[str, list[float]] = {way.name: [] for way in WAYS}
    for _ in range(rounds):
        for way in WAYS:
            for _ in range(OURS_A_ROUND if way is WAYS[0] else 1):
                taken, result = _timed(partial(way.run, data, text), max(1, _BATCH_BYTES // len(data)))
                seconds[way.name].append(taken)
            _check(way, text, data, result)
    section = f"editing {_size(len(data))} of {text.name}"
    name = f"{section}{PART}{WAYS[0].name}"
    own = statistics.median(seconds[WAYS[0].name])
    rows = [
        *seconds_rows(name, seconds[WAYS[0].name]),
        Row(name, "bytes an event", len(data) / events(text), ""),
        least_row(name, "speed", len(data) / own / 1e6, "MB/s", least),
    ]
    for way, goal in zip(WAYS[1:], (LEAST_TIMES_RUAMEL, None), strict=True):
        name = f"{section}{PART}{way.name}"
        rows += seconds_rows(name, seconds[way.name])
        rows.append(least_row(name, "times ours", statistics.median(seconds[way.name]) / own, "", goal))
    return rows


def _regex(text: Text, repeats: int) -> list[Row]:
    """Measure a rule that fills every tag of the file, compiled before as it is when the mapping file is read."""
    pattern = compile_pattern(PATTERN, multiline=True)
    data = text.text.encode()
    seconds, changes = [], 0
    for _ in range(repeats):
        left = budget(UNBOUNDED, time.monotonic)
        taken, result = _timed(partial(_filled, data, pattern, left))
        seconds.append(taken)
        changes = len(result.changes)
    if not changes:
        raise BenchError(f"the pattern {PATTERN} matched nothing in {text.name}")
    name = f"editing {_size(len(data))} of {text.name}{PART}a regex, {changes} matches"
    speed = len(data) / statistics.median(seconds) / 1e6
    return [*seconds_rows(name, seconds), Row(name, "speed", speed, "MB/s")]


def _filled(data: bytes, pattern: Pattern, left: Budget) -> Substituted:
    result = substitute(data.decode(), [pattern], {"tag": TAG}, left)
    result.text.encode()
    return result


def _globs(count: int, searched: list[str], repeats: int) -> list[Row]:
    """Measure globs from their text to the list of files, and once more with all of them compiled."""
    texts = [PATTERNS[number % 3].format(number) for number in range(count)] if count > 1 else ["**/values.yaml"]
    name = f"globs over {len(searched):,} paths{PART}{count} glob{'s' * (count > 1)}{PART}"
    cold, warm = [], []
    try:
        for _ in range(repeats):
            regex.purge()
            cold.append(_timed(lambda: Globs([Glob(text) for text in texts]).filter(searched))[0])
            taken, found = _timed(partial(Globs([Glob(text) for text in texts]).filter, searched))
            warm.append(taken)
            if not found:
                raise BenchError(f"the {count} globs matched none of {len(searched)} paths")
    except InputError:
        return [Row(f"{name}cold", SKIPPED, f"{count} globs were stopped after {SECONDS:g} s, the limit of globs", "")]
    most = MOST_GLOBS_SECONDS if count > 1 else None
    return [*seconds_rows(f"{name}cold", cold, most), *seconds_rows(f"{name}warm", warm)]


def _timed(run: Callable[[], _T], times: int = 1) -> tuple[float, _T]:
    """Give the seconds that one of `times` calls in a row takes, and its result; what was to collect is not counted."""
    gc.collect()
    began = time.perf_counter()
    for _ in range(times):
        result = run()
    return (time.perf_counter() - began) / times, result


def _check(way: Way, text: Text, data: bytes, result: bytes) -> None:
    """Make sure that the tag is set, and by ours on one line only. Raises BenchError."""
    value = yaml.load(result, Loader=yaml.CSafeLoader)
    for key in text.way:
        value = value[key]
    if value != TAG:
        raise BenchError(f"{way.name} did not set {text.field}")
    if way is WAYS[0]:
        changed = sum(before != after for before, after in zip(data.splitlines(), result.splitlines(), strict=True))
        if changed != 1:
            raise BenchError(f"{way.name} changed {changed} lines to set {text.field}")


def _set(loaded: Any, text: Text) -> None:
    for key in text.way[:-1]:
        loaded = loaded[key]
    loaded[text.way[-1]] = TAG


def _size(count: int) -> str:
    return f"{count / 1e6:.0f} MB" if count >= 1e6 else f"{count / 1e3:.0f} KB"
