"""The worst that a repository may ask for by its mapping file and a payload, each just within the limits."""

from __future__ import annotations

import random
from typing import Any

from bench.files import IMAGE, TARGET

# The time of this pattern grows by half with each character of a value that it does not match.
PATTERN, NO_MATCH = "(?:a|aa)+$", "b"
# Characters of a value on which one match takes some 4 ms, and some 40 ms: each is below the limit of 0.5 s, also if
# the processor time of a dozen neighbours counts.
SHORT, LONG = 22, 28
# A glob with this many stars or a few less takes a third of a second to tell that this path is not meant.
STARS = 60
LONG_PATH = f"z/{'a' * 250}.yaml"
# Names of this length that differ in a quarter of their characters are the slowest to compare.
NAME_CHARACTERS = 195


def patterns(count: int) -> str:
    """Make a mapping file with `count` patterns that are all tried on the variable `text`."""
    tried = ",".join([f"'{PATTERN}'"] * count)
    return f"""\
version: 1
mappings:
  - name: patterns
    when: {{ text: [{tried}] }}
    update: [{{ files: {TARGET}, set: {{ replicas: 3 }} }}]
"""


def value(characters: int) -> str:
    """Make a value on which each of the patterns takes long, and longer with each character."""
    return "a" * (characters - len(NO_MATCH)) + NO_MATCH


def unknown_names(unknown: int, listed: int) -> str:
    """Make a mapping file that uses `unknown` names, none of which is among the `listed` ones, but resembles many."""
    variables = "".join(f"  service_image_tag_{number:04}: client_payload.tag\n" for number in range(listed))
    names = "".join(f"          f{number}: ${{{{ image_service_tags_{number:04} }}}}\n" for number in range(unknown))
    return f"""\
version: 1
variables:
  only: true
{variables}mappings:
  - name: unknown names
    update:
      - files: {TARGET}
        set:
{names}"""


def branches(count: int) -> str:
    """Make a mapping file by which one dispatch sets the image in all files of a folder on `count` branches."""
    mappings = "".join(
        f"""\
  - name: line {number}
    branch: line-{number}
    update: [{{ files: 'apps/**', set: {{ image: '{IMAGE}:${{{{ docker_image_tag }}}}' }} }}]
"""
        for number in range(count)
    )
    return f"version: 1\nmappings:\n{mappings}"


def globs(count: int) -> str:
    """Make a mapping file with `count` slow globs: a payload names one of them as `which`, or all of them."""
    mappings = "".join(
        f"""\
  - name: glob {number}
    when: {{ which: ['{number}', all] }}
    update:
      - files: ['z/{"*a" * (STARS - number)}b', {LONG_PATH}]
        set: {{ image: '${{{{ docker_image_tag }}}}' }}
"""
        for number in range(count)
    )
    return f"version: 1\nmappings:\n{mappings}"


def lookups() -> str:
    """Make a mapping file that looks up names of the payload in the payload, and has a default for absent ones."""
    return f"""\
version: 1
mappings:
  - name: lookups
    for_each: client_payload.items
    update: [{{ files: {TARGET}, set: {{ replicas: "${{{{ stages[item] | default(2) }}}}" }} }}]
"""


def absent_names(there: int, absent: int) -> dict[str, Any]:
    """Make a payload for these lookups: names that are there, and others that resemble them."""
    dice = random.Random(0)  # noqa: S311 - names that resemble each other, no secret
    letters = "abcdefgh"
    base = dice.choices(letters, k=NAME_CHARACTERS)

    def name(number: int) -> str:
        changed = set(dice.sample(range(NAME_CHARACTERS), NAME_CHARACTERS // 4))
        mixed = (dice.choice(letters) if place in changed else base[place] for place in range(NAME_CHARACTERS))
        return "".join(mixed) + str(number)

    return {
        "stages": {name(number): number for number in range(there)},
        "items": [name(there + number) for number in range(absent)],
    }
