"""Operations with a payload's values in them: the editor's own, or a file's content, and what does not fit."""

from __future__ import annotations

import copy
import json
import pickle
from typing import Any

import pytest
from decided import planned

from bot.core.model import Number
from bot.core.rendered import Create, Delete, Fields, convert
from bot.core.template import text_of
from bot.core.yaml import DocumentSelector, Merge, SetField, SetImage, Unset
from bot.errors import InputError

HEAD = "version: 1\nmappings:\n  - name: a\n    update:\n      - files: apps/${{ app }}.yaml\n        "
PAYLOAD = {"app": "shop", "tag": "1.10", "n": 3, "flag": True, "none": None, "list": [1], "object": {"b": "c"}}


def rendered(text: str, payload: Any = None) -> Any:
    """What an entry of `update:` becomes for a payload."""
    (edit,) = planned(payload or PAYLOAD, HEAD + text.replace("\n", "\n        ") + "\n").edits
    return edit.operation


def refused(text: str, payload: Any = None) -> str:
    with pytest.raises(InputError) as caught:
        rendered(text, payload)
    (problem,) = caught.value.problems
    return str(problem)


@pytest.mark.parametrize(
    ("text", "operation"),
    [
        ("set: {a: '${{ tag }}'}", SetField("a", "1.10")),
        ("set: {a: '${{ n }}'}\nall: true", SetField("a", 3, many=True)),
        ("set: {'x.${{ app }}': 1}\ncreate: true", SetField("x.shop", 1, create=True)),
        ("set: {a: '${{ tag }}'}\ntype: number", SetField("a", Number("1.10"))),
        ("set: {a: '${{ n }}'}\ntype: string", SetField("a", "3")),
        ("set: {a: '${{ flag }}'}\ntype: string", SetField("a", "true")),
        ("set: {a: '${{ none }}'}\ntype: 'null'", SetField("a", None)),
        ("set: {a: 'v${{ n }}'}\ndocument: 2", SetField("a", "v3", DocumentSelector(2))),
        ("set: {a: '${{ object }}'}\ncreate: true", SetField("a", {"b": "c"}, create=True)),
        ("set: {a: {x: ['${{ n }}', '${{ list }}']}}\ncreate: true", SetField("a", {"x": [3, [1]]}, create=True)),
        ("set: {'a[+]': '${{ object }}'}", SetField("a[+]", {"b": "c"})),
        ("set: {'a[+]': {name: '${{ app }}'}}", SetField("a[+]", {"name": "shop"})),
        ("unset: 'x.${{ app }}'", Unset("x.shop")),
        ("unset: a\nall: true\ndocument: {kind: K}", Unset("a", DocumentSelector(kind="K"), many=True)),
        ("merge: {a: {b: '${{ n }}', c: null}}", Merge("$", {"a": {"b": 3, "c": None}})),
        ("merge: {a: '${{ object }}'}\npath: 'x.${{ app }}'", Merge("x.shop", {"a": {"b": "c"}})),
        ("merge: {a: 1}\ndocument: {kind: K, name: 'n-${{ app }}'}",
         Merge("$", {"a": 1}, DocumentSelector(kind="K", name="n-shop"))),
        ("image: org/${{ app }}\ntag: ${{ tag }}", SetImage("org/shop", "1.10")),
        ("image: a\ntag: '${{ n }}'\ndigest: drop", SetImage("a", "3", drop_digest=True)),
        ("image: a\ndigest: 'sha256:${{ n }}'", SetImage("a", None, "sha256:3")),
    ],
)  # fmt: skip
def test_an_entry_becomes_an_operation_of_the_editor(text: str, operation: Any) -> None:
    """Paths, values, documents and images rendered; a lone expression keeps its type unless another is asked for."""
    assert rendered(text) == Fields((operation,))


def test_an_entry_with_several_fields_is_one_edit() -> None:
    """In the order of the file."""
    assert rendered("set: {b: 1, a: 2}") == Fields((SetField("b", 1), SetField("a", 2)))
    assert rendered("unset: [b, a]") == Fields((Unset("b"), Unset("a")))


def test_a_file_is_created_or_deleted() -> None:
    """The content of a new one comes with the same text without its values."""
    made = rendered("create: |\n  tag: ${{ tag }}\n  n: '${{ n }}'\n")
    words = [word for word, _ in made.filled]
    assert made == Create(
        "tag: 1.10\nn: '3'\n", f"tag: {words[0]}\nn: '{words[1]}'\n", ((words[0], "1.10"), (words[1], "3"))
    )
    assert rendered("create: a") == Create("a", "a")
    assert rendered("delete: true") == Delete()


def test_a_payload_may_be_the_whole_content() -> None:
    """Then it has as many lines as it likes."""
    assert rendered("create: ${{ text }}", {"app": "x", "text": "a: 1\nb: 2\n"}) == Create("a: 1\nb: 2\n")


@pytest.mark.parametrize("value", ["a\nb", "a\r", "a\x00", "a\u2028b", "a\x85"])
def test_a_value_within_the_content_has_no_lines_of_its_own(value: str) -> None:
    """It could add a setting that the mapping file does not know of."""
    sentence = refused("create: 'tag: ${{ tag }}'", {"app": "x", "tag": value})
    assert "m.yaml" not in sentence
    assert sentence.startswith(
        ".github/pointsman.yaml:6:17: the value of 'tag' has a line break or a control character"
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("set: {a: '${{ list }}'}", "6:18: '${{ list }}' is a list; a field is set to a string, number, boolean or "),
        ("set: {a: '${{ object }}'}\nall: true", "6:18: '${{ object }}' is an object; a field is set to a string"),
        ("set: {a: '${{ app }}'}\ntype: number", "6:18: '${{ app }}': 'shop' is no number such as 3 or 1.10"),
        ("set: {a: '${{ flag }}'}\ntype: number", "6:18: '${{ flag }}': a boolean is no number such as 3 or 1.10"),
        ("set: {a: '${{ n }}'}\ntype: boolean", "6:18: '${{ n }}': a number is no boolean: it must be true or false"),
        ("set: {a: '${{ object }}'}\ntype: string\ncreate: true", "6:18: '${{ object }}': an object is no text"),
        ("set: {a: '${{ list }}'}\ntype: 'null'", "6:18: '${{ list }}': a list is not null: it must be null or empty"),
        ("unset: 'a.${{ tag }}'", "6:16: 'a.${{ tag }}': the value '1.10' would change the structure of the field "),
        ("merge: {a: {b: '${{ absent }}'}}", "6:24: '${{ absent }}': there is no variable 'absent'"),
        ("image: a\ntag: ${{ none }}", "7:14: '${{ none }}': null is no text"),
        ("create: ${{ list }}", "6:17: '${{ list }}': a list is no text"),
    ],
)
def test_a_value_that_does_not_fit_is_told_at_its_place(text: str, expected: str) -> None:
    """With the expression, the line and the column of the mapping file."""
    assert refused(text).startswith(f".github/pointsman.yaml:{expected}")


@pytest.mark.parametrize("path", ["*", "a*b", "{x,y}"])
def test_a_payload_brings_no_wildcards_to_a_path(path: str) -> None:
    """A file is created under just the name that it gives."""
    (edit,) = planned({"app": path}, HEAD + "create: a\n").edits
    assert edit.files[0].literal == f"apps/{path}.yaml"


def test_wildcards_beside_an_expression_are_refused_when_it_is_rendered() -> None:
    """The path as a whole is known only then."""
    with pytest.raises(InputError) as caught:
        planned(PAYLOAD, HEAD.replace("apps/", "'**/").replace(".yaml\n", ".yaml'\n") + "create: a\n")
    assert str(caught.value) == (
        ".github/pointsman.yaml:5:16: a file is created at one path: '**/shop.yaml' has wildcards or alternatives; "
        "write a list of paths"
    )


def test_the_folders_of_a_new_file_are_looked_at() -> None:
    """A file may be in the place of one of them."""
    mappings = HEAD.replace("apps/", "'a/[b]/").replace(".yaml\n", ".yaml'\n")
    plan = planned(PAYLOAD, mappings.replace("[b]", "\\[b]") + "create: a\n")
    assert [glob.literal for glob in plan.globs] == ["a/[b]/shop.yaml", "a/[b]", "a"]
    assert [glob.literal for glob in planned(PAYLOAD, HEAD + "delete: true\n").globs] == ["apps/shop.yaml"]


def test_what_every_operation_uses_is_kept() -> None:
    """The variables of values, documents and contents are among those that a report shows."""
    for text in (
        "merge: {a: ['${{ tag }}']}",
        "image: a\ntag: ${{ tag }}",
        "create: ${{ tag }}",
        "unset: \"a['${{ tag }}']\"",
    ):
        assert planned(PAYLOAD, HEAD + text.replace("\n", "\n        ") + "\n").used == {"app": "shop", "tag": "1.10"}


NUMBERS = [
    ("1.10", "1.10"),
    ("-0.5", "-0.5"),
    ("1e3", "1e3"),
    ("1.0E-2", "1.0E-2"),
    ("0", 0),
    ("-12", -12),
    ("-0", "-0"),
]


@pytest.mark.parametrize(("text", "expected"), NUMBERS)
def test_a_text_becomes_the_number_that_is_written(text: str, expected: str | int) -> None:
    """Integers are integers; what has a fraction or an exponent keeps its digits."""
    number = convert(text, "number")
    assert (str(number), type(number)) == (str(expected), int if isinstance(expected, int) else Number)


@pytest.mark.parametrize(
    "text", ["", "x", "1.", ".5", "+1", "01", "0x1f", "1_000", "1e999", "nan", "inf", " 1", "1\n", "\u0661", "9" * 401]
)
def test_a_text_that_is_no_number_everywhere_is_refused(text: str) -> None:
    """What only some readers take for a number, or for the same one, is none."""
    with pytest.raises(InputError, match=r"is no number such as 3 or 1\.10"):
        convert(text, "number")


def test_a_number_keeps_what_was_written() -> None:
    """It is a float in all else: equal, hashed, counted, copied, pickled and written as JSON."""
    number = Number("1.10")
    assert (number, hash(number), number + 1, json.dumps([number])) == (1.1, hash(1.1), 2.1, "[1.1]")
    copies = [copy.copy(number), copy.deepcopy([number])[0], *(pickle.loads(pickle.dumps(number, n)) for n in range(6))]  # noqa: S301 - our own bytes
    assert [(str(one), f"{one}", text_of(one), type(one)) for one in copies] == [("1.10", "1.10", "1.10", Number)] * 8
    assert planned({"n": number, "app": "a"}, HEAD + "image: x\n        tag: '${{ n }}'\n").used["n"] == "1.10"
