"""What it costs to read a mapping file: a few seconds of processor time at worst, whoever wrote it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from decided import planned
from fuzzing import within

from bot.core import mapping_file
from bot.core.mapping_file import MAX_TOLD
from bot.core.mapping_source import MAX_CHARACTERS
from bot.core.plan import MAX_RESULTS
from bot.core.suggest import MAX_HINTS
from bot.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable

# Twice of what the slowest takes on a machine with nothing else to do, and a small part of what each took unbounded.
SECONDS = 6.0

WORDS = [f"{i * 8_191_817_393 % 10**10:010}".translate(str.maketrans("0123456789", "abcdefghij")) for i in range(6000)]
HEAD = "version: 1\nmappings:\n- name: a\n  update:\n"
CLOSED = f"version: 1\nvariables:\n  only: true\n{''.join(f'  {word}: a{chr(10)}' for word in WORDS[:2500])}"
REGEXES = "version: 1\nregexes:\n" + "".join(f"  {word}: '(?<a{i}>x)'\n" for i, word in enumerate(WORDS[:2000]))


def problems_of(make: Callable[[], object]) -> list[str]:
    """Return the sentences of what is wrong, none if nothing is."""
    try:
        make()
    except InputError as error:
        return [problem.sentence for problem in error.problems]
    return []


def fill(head: str, item: Callable[[int], str], tail: str = "") -> str:
    """As many items as a mapping file has room for."""
    parts, room = [head], MAX_CHARACTERS - len(head) - len(tail)
    while len(made := item(len(parts) - 1)) <= room:
        parts.append(made)
        room -= len(made)
    return "".join([*parts, tail])


def globs(glob: str) -> str:
    return fill("version: 1\nmappings: []\nenvironments:\n  e:\n    files:\n", lambda i: f"    - '{glob}{i}'\n")


def expressions(source: str) -> str:
    return fill(HEAD, lambda _: f"  - {{files: a, set: {{a: '{source}'}}}}\n")


def dsl(item: str, head: str = "version: 1\nregexes: {r: '(?<a>x)'}\n") -> str:
    return fill(f"{head}mappings: |\n", lambda i: f"  {item.format(i=i, word=WORDS[i % 6000])}\n")


FILES: dict[str, Callable[[], str]] = {
    "misspelt variables": lambda: fill(
        f"{CLOSED}mappings:\n- name: a\n  update:\n",
        lambda i: f"  - {{files: a, set: {{a: '${{{{ {WORDS[i % 6000]}x }}}}'}}}}\n",
    ),
    "an expression of misspelt variables, by alias": lambda: fill(
        f"{CLOSED}x: &x '${{{{ {' ~ '.join(f'{word}x' for word in WORDS[:70])} }}}}'\n{HEAD[11:]}",
        lambda _: "  - {files: a, set: {a: *x}}\n",
    ),
    "misspelt regexes": lambda: fill(
        f"{REGEXES}mappings:\n- name: a\n  update:\n", lambda i: f"  - {{files: a, regex: {WORDS[-1 - i % 6000]}}}\n"
    ),
    "misspelt environments": lambda: fill(
        "version: 1\nmappings: []\nenvironments:\n",
        lambda i: f"  {WORDS[i % 6000]}{i}: {{files: a, next: {WORDS[-i % 6000]}}}\n",
    ),
    "misspelt keys": lambda: fill(HEAD, lambda _: "  - {files: a, delet: true}\n"),
    "long names": lambda: fill(
        "version: 1\nvariables: {only: true}\nmappings:\n- name: a\n  update:\n",
        lambda i: f"  - {{files: a, set: {{a: '${{{{ {WORDS[i] * 90} }}}}'}}}}\n",
    ),
    "globs with braces": lambda: globs("{a,b}" * 8),
    "long globs with braces": lambda: globs("{a,b}" * 8 + "x" * 3900),
    "one alternative of 255 in a long glob": lambda: globs("x" * 2000 + "{" + ",".join("a" * 255) + "}"),
    "globs with stars": lambda: globs("**/" * 1300),
    "globs with classes": lambda: globs("[a-z]" * 800),
    "globs that open classes": lambda: globs("[" * 4000),
    "expressions that never close": lambda: expressions("${{ " * 1000),
    "one text that opens expressions": lambda: f"{HEAD}  - {{files: a, set: {{a: '{'${{ a' * 50_000}'}}}}\n",
    "open quotes in expressions": lambda: (
        f'{HEAD}  - files: a\n    set: {{a: "{"${{" + chr(39) + "x"}'.ljust(250_000, "'") + '"}\n'
    ),
    "long expressions": lambda: expressions("${{ " + " ~ ".join("a" * 240) + " }}"),
    "updates by alias": lambda: (
        fill(
            "version: 1\nx: &u\n",
            lambda _: "- {files: f, set: {a: '${{ " + " ~ ".join("a" * 240) + " }}'}}\n",
            " " * 9000,
        ).rstrip()
        + "\nmappings:\n"
        + "".join(f"- {{name: m{i}, update: *u}}\n" for i in range(30))
    ),
    "equal mappings in the DSL": lambda: dsl("v==a{{THEN_UPDATE_FILES}}f=r{{NEXT_MAPPING}}"),
    "conditions without a variable in the DSL": lambda: dsl("{{OR}}"),
    "misspelt regexes in the DSL": lambda: dsl("v==a{{THEN_UPDATE_FILES}}f={word}x{{NEXT_MAPPING}}", REGEXES),
    "every regex, many times": lambda: dsl("v==a{{THEN_UPDATE_FILES}}f=*{{NEXT_MAPPING}}", REGEXES),
    "every regex, none of them listed": lambda: dsl(
        "v==a{{THEN_UPDATE_FILES}}f=*{{NEXT_MAPPING}}", f"variables: {{only: true}}\n{REGEXES}"
    ),
    "patterns that unroll": lambda: fill(
        "version: 1\nmappings: []\nregexes:\n", lambda i: f"  r{i}: '(?<a>a{{{19900 - i % 99}}})'\n"
    ),
    "wrong patterns": lambda: fill(
        "version: 1\nmappings: []\nregexes:\n", lambda i: f"  r{i}: '(?<a>{'a' * 970}[z-a]'\n"
    ),
    "captures": lambda: fill(f"{HEAD}  - {{files: a, delete: true}}\n  when:\n", lambda i: f"    v{i}: (?<c{i}>a)\n"),
    "keys without values": lambda: "{" + "a," * (MAX_CHARACTERS // 2 - 2) + "}",
    "the same key": lambda: fill("", lambda _: "k: v\n"),
    "lists in lists": lambda: "[" * MAX_CHARACTERS,
}


@pytest.mark.parametrize("kind", FILES)
def test_no_mapping_file_takes_long_to_read(kind: str) -> None:
    """However hostile, and with every problem that is told; the file is as long as one may be."""
    text = FILES[kind]()
    assert 100_000 < len(text) <= MAX_CHARACTERS
    with within(SECONDS):
        problems = problems_of(lambda: mapping_file.parse(text, "m.yaml"))
    assert len(problems) <= MAX_TOLD + 1
    assert sum(map(len, problems)) < 300_000


def test_the_first_problems_are_told_and_the_others_counted() -> None:
    """In the order of the file; the first of them have a suggestion."""
    lines = "".join(f"- {{files: f{i}, set: {{a: '${{{{ tag_{i:02} }}}}'}}}}\n" for i in range(80))
    text = f"version: 1\nvariables: {{ only: true, tag: client_payload.tag }}\nmappings:\n- name: a\n  update:\n{lines}"
    with pytest.raises(InputError) as caught:
        mapping_file.parse(text.replace("\n- {", "\n  - {"), "m.yaml")
    sentences = [problem.sentence for problem in caught.value.problems]
    assert sentences[-1] == "30 more problems: fix these first"
    assert len(sentences) == MAX_TOLD + 1
    hinted = ["did you mean 'tag'?" in sentence for sentence in sentences[:-1]]
    assert hinted == [True] * MAX_HINTS + [False] * (MAX_TOLD - MAX_HINTS)


@pytest.mark.parametrize("items", [10, 100])
@pytest.mark.parametrize(
    "value", ["stages[item] | default('dev')", "stages[item]", "client_payload[item] | default(stages.x) | default('')"]
)
def test_a_payload_full_of_names_is_planned_at_once(value: str, items: int) -> None:
    """Names that are not there are compared with few others, and only if somebody reads about it."""
    names = [word * 3 for word in WORDS[:1500]]
    payload = {"items": [f"{name}x" for name in names[:items]], "stages": dict.fromkeys(names, "1")}
    assert len(json.dumps(payload)) < 65_536
    rules = (
        "version: 1\nmappings:\n- name: a\n  for_each: client_payload.items\n  update:\n"
        f'  - {{ files: a.yaml, set: {{ "[\'${{{{ item }}}}\']": "${{{{ {value} }}}}" }} }}\n'
    )
    with within(3):
        problems = problems_of(lambda: planned(payload, rules))
    assert len(problems) == (0 if "default" in value else 10 if items == 10 else 51)
    assert all("; did you mean" in problem for problem in problems[:10])


def test_conditions_on_names_that_are_not_there_cost_little() -> None:
    """Each says that its variable is absent; the first of them suggest another."""
    names = [word * 3 for word in WORDS[:1200]]
    payload = {"items": [0] * 100, **dict.fromkeys(names, "1")}
    tests = "".join(f"    {name}x: '1'\n" for name in names[:100])
    update = "  update: [{ files: a, delete: true }]\n"
    with within(6):
        made = planned(
            payload, f"version: 1\nmappings:\n- name: a\n  for_each: client_payload.items\n{update}  when:\n{tests}"
        )
    (matched,) = made.matched
    whys = [leaf.why for item in matched.result.children for leaf in item.children]
    assert len(whys) == MAX_RESULTS - len(matched.result.children)
    assert [i for i, why in enumerate(whys) if "did you mean" in why] == list(range(MAX_HINTS))
