"""Fields, images and JSON: what a plan makes of the files, within the limits that are set."""

from __future__ import annotations

from typing import Any

import pytest
from decided import planned, view

from bot.core.changeset import Changeset, NoChange, compute
from bot.core.meter import Meter
from bot.core.yaml import LIMITS, Limits
from bot.errors import InputError

HEAD = "version: 1\nmappings:\n  - name: a\n    update:\n"
PAYLOAD = {"tag": "2.0", "n": 7}
DIGEST = f"sha256:{'a' * 64}"


def result(files: dict[str, str], entry: str, payload: Any = None, limits: Limits = LIMITS) -> Changeset | NoChange:
    """What an entry, in flow style without its braces, makes of these files."""
    made = planned(payload or PAYLOAD, f"{HEAD}      - {{ {entry} }}\n")
    return compute(made, view(files), Meter(lambda: 0.0), limits)


def changeset(files: dict[str, str], entry: str, payload: Any = None) -> Changeset:
    made = result(files, entry, payload)
    assert isinstance(made, Changeset)
    return made


def after(files: dict[str, str], entry: str, payload: Any = None) -> dict[str, bytes | None]:
    return {path: change.after for path, change in changeset(files, entry, payload).files.items()}


def reasons(files: dict[str, str], entry: str) -> tuple[str, ...]:
    made = result(files, entry)
    assert isinstance(made, NoChange)
    return made.reasons


def refusal(files: dict[str, str], entry: str, payload: Any = None, limits: Limits = LIMITS) -> str:
    with pytest.raises(InputError) as caught:
        result(files, entry, payload, limits)
    return str(caught.value)


@pytest.mark.parametrize(
    ("entry", "before", "expected"),
    [
        ("set: {b.c: '${{ tag }}'}, create: true", "a: 1\n", 'a: 1\nb:\n  c: "2.0"\n'),
        ("set: {'l[*].t': 1}, all: true", "l: [{t: 0}, {t: 2}]\n", "l: [{t: 1}, {t: 1}]\n"),
        ("set: {a: '1.10'}, type: number", "a: 2\n", "a: 1.10\n"),
        ("set: {a: 3}, document: 1", "a: 1\n---\na: 2\n", "a: 1\n---\na: 3\n"),
        ("set: {'l[+]': x}", "l:\n  - a\n", "l:\n  - a\n  - x\n"),
        ("unset: [b, c]", "a: 1\nb: 2\n", "a: 1\n"),
        ("merge: {b: {c: '${{ n }}', d: null}}", "a: 1\nb: {c: 1, d: 2}\n", "a: 1\nb: {c: 7}\n"),
        ("merge: {c: 2}, path: b", "b:\n  a: 1\n", "b:\n  a: 1\n  c: 2\n"),
        ("image: org/app, tag: '${{ tag }}'", "image: ghcr.io/x:1\nb: {image: 'org/app:1'}\n",
         "image: ghcr.io/x:1\nb: {image: 'org/app:2.0'}\n"),
        ("image: app, tag: '2', digest: drop", f"image: app:1@{DIGEST}\n", "image: app:2\n"),
    ],
)  # fmt: skip
def test_operations_change_what_they_mean(entry: str, before: str, expected: str) -> None:
    """From the mapping file down to the bytes."""
    assert after({"x.yaml": before}, f"files: x.yaml, {entry}") == {"x.yaml": expected.encode()}


def test_an_image_is_told_by_the_field_that_has_it() -> None:
    """The span has the path of the reference."""
    change = changeset({"x.yaml": "a:\n  image: app:1\n"}, "files: x.yaml, image: app, tag: '2'").files["x.yaml"]
    assert [(span.field, span.line, span.column, span.old, span.new) for span in change.spans] == [
        ("a.image", 2, 10, "app:1", "app:2")
    ]


def test_a_glob_means_the_files_that_have_the_image() -> None:
    """The others stay, none at all is a note with the files, and a file named by its path must have it."""
    files = {"a/x.yaml": "image: app:1\n", "b/x.yaml": "image: other:1\n"}
    assert after(files, "files: '*/x.yaml', image: app, tag: '2'") == {"a/x.yaml": b"image: app:2\n"}
    (reason,) = reasons(files, "files: '*/x.yaml', image: nope, tag: '2'")
    assert "no reference to the image is in a/x.yaml, b/x.yaml" in reason
    assert "b/x.yaml: the file has no reference to the image 'app'" in refusal(
        files, "files: b/x.yaml, image: app, tag: '2'"
    )


def test_taking_away_what_is_not_there_is_a_note() -> None:
    """It is done already, and that is said."""
    assert reasons({"x.yaml": "a: 1\n"}, "files: x.yaml, unset: [b, c]") == (
        "mapping 'a': there is nothing to take away in x.yaml",
    )


def test_json_stays_json() -> None:
    """Fields are created with its quotes; a file that is none is refused."""
    entry = "files: x.json, set: {b: x}, create: true"
    assert after({"x.json": '{"a": 1}'}, entry) == {"x.json": b'{"a": 1, "b": "x"}'}
    assert refusal({"x.json": "a: 1\n"}, entry).startswith("x.json:")


@pytest.mark.parametrize(
    ("before", "tag", "expected"),
    [
        ('{"tag": 1}', "2", '{"tag": 2}'),
        ('{"tag": 1}', "x", None),
        ('{"tag": 1}', "NaN", None),
        ('{"tag": 1, }', "x", '{"tag": x}'),
    ],
)
def test_a_regex_leaves_json_json(before: str, tag: str, expected: str | None) -> None:
    """What was none before is not judged."""
    entry = "files: x.json, regex: 'tag\": (?<tag>[^}]*)'"
    if expected is None:
        sentence = "x.json: the file would be no JSON any more, so it stays as it is"
        assert refusal({"x.json": before}, entry, payload={"tag": tag}) == sentence
    else:
        assert after({"x.json": before}, entry, payload={"tag": tag}) == {"x.json": expected.encode()}


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        (Limits(bytes=10), "x.yaml: the file has 20 bytes; 10 is the most that is edited"),
        (Limits(depth=1), "x.yaml:1:4: nested deeper than 1 levels"),
        (Limits(documents=1), "x.yaml: the file has more than 1 YAML documents"),
        (Limits(events=5), "x.yaml: the file has more than 5 YAML events"),
    ],
)
def test_the_limits_are_those_that_are_set(limits: Limits, expected: str) -> None:
    """Each refuses the file with a sentence of its own."""
    assert refusal({"x.yaml": "a: {b: 1}\n---\nc: 2\n#"}, "files: x.yaml, set: {c: 3}", limits=limits).startswith(
        expected
    )
