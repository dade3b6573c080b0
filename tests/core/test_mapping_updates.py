"""The entries of `update:`: each operation, what belongs beside it, and what an editor is told of both."""

from __future__ import annotations

from typing import Any

import jsonschema
import pytest

from bot.core.mapping import (
    CreateOperation,
    DeleteOperation,
    ImageOperation,
    MergeOperation,
    Operation,
    Selector,
    SetOperation,
    UnsetOperation,
    names_in,
)
from bot.core.mapping_file import parse, schema
from bot.core.mapping_models import MODIFIERS, OPERATIONS, UpdateModel
from bot.core.mapping_source import read
from bot.core.template import Template
from bot.errors import InputError

HEAD = "version: 1\nmappings:\n  - name: a\n    update:\n      - files: x.yaml\n        "
VALIDATOR = jsonschema.Draft202012Validator(schema())


def entry(text: str) -> str:
    """A mapping file with one entry, whose keys beside `files` begin in line 6, column 9."""
    return HEAD + text.replace("\n", "\n        ") + "\n"


def operation(text: str) -> Operation:
    """The operation of an entry, which an editor has nothing to say of."""
    assert list(VALIDATOR.iter_errors(read(entry(text), "m.yaml").data)) == []
    (mapping,) = parse(entry(text), "m.yaml").mappings
    return mapping.update[0].operation


def problems(text: str) -> list[str]:
    with pytest.raises(InputError) as caught:
        parse(entry(text), "m.yaml")
    return [str(problem).removeprefix("m.yaml:") for problem in caught.value.problems]


def plain(value: Any) -> Any:
    """A value of an operation with its templates as text."""
    if isinstance(value, Template):
        return value.source
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    return [plain(item) for item in value] if isinstance(value, list | tuple) else value


def test_set_takes_what_goes_with_it() -> None:
    """Creating, many, a type and a document, each beside `set`."""
    made = operation(
        "set: {'a.${{ b }}': '${{ c }}', d: '1.10'}\ncreate: true\nall: true\ntype: number\n"
        "document: {kind: K, name: '${{ n }}'}"
    )
    assert isinstance(made, SetOperation)
    assert [(plain(path), str(plain(value))) for path, value in made.fields] == [
        ("a.${{ b }}", "${{ c }}"),
        ("d", "1.10"),
    ]
    assert (made.create, made.many, made.type) == (True, True, "number")
    assert made.document is not None
    assert (plain(made.document.kind), plain(made.document.name), made.document.index) == ("K", "${{ n }}", None)
    assert names_in(made) == {"b", "c", "n"}


def test_set_alone_is_as_ever() -> None:
    """Nothing is created, one value is meant, types are those that come."""
    made = operation("set: {a: 1}")
    assert isinstance(made, SetOperation)
    assert (made.create, made.many, made.type, made.document) == (False, False, None, None)


@pytest.mark.parametrize(
    ("kind", "given", "value"),
    [
        ("string", "1.5", "1.5"),
        ("string", "true", "true"),
        ("number", "'3'", 3),
        ("number", "3", 3),
        ("boolean", "'true'", True),
        ("null", "'null'", None),
        ("null", "''", None),
        ("'null'", "null", None),
    ],
)
def test_a_fixed_value_has_its_type_when_the_file_is_read(kind: str, given: str, value: object) -> None:
    """What the file itself says is converted, and refused, at once."""
    made = operation(f"set: {{a: {given}}}\ntype: {kind}")
    assert isinstance(made, SetOperation)
    ((_, converted),) = made.fields
    assert (type(converted), converted) == (type(value), value)


def test_what_is_created_or_appended_may_be_a_list_or_a_mapping() -> None:
    """Expressions in its scalars are templates with a place of their own."""
    made = operation("create: true\nset:\n  a: {b: ['${{ c }}', 2]}\n  'd': '${{ e }}'")
    assert isinstance(made, SetOperation)
    assert [plain(value) for _, value in made.fields] == [{"b": ["${{ c }}", 2]}, "${{ e }}"]
    assert names_in(made) == {"c", "e"}
    appended = operation("set: {'list[+]': {name: '${{ n }}'}}")
    assert isinstance(appended, SetOperation)
    assert plain(appended.fields[0][1]) == {"name": "${{ n }}"}
    assert names_in(appended) == {"n"}


def test_unset_takes_one_path_or_several() -> None:
    """With `all` and a document by its place."""
    for given, paths in (("a.b", ["a.b"]), ("[a, 'b.${{ c }}']", ["a", "b.${{ c }}"])):
        made = operation(f"unset: {given}\nall: true\ndocument: 1")
        assert isinstance(made, UnsetOperation)
        assert (plain(made.paths), made.many, made.document) == (paths, True, Selector(1))


def test_merge_takes_a_tree_with_expressions() -> None:
    """In scalars at any depth; `path` says where to, and the first document is the one at 0."""
    made = operation(
        "merge: {spec: {tag: '${{ tag }}', old: null, list: [{n: '${{ n }}'}]}}\npath: 'apps.${{ app }}'\ndocument: 0"
    )
    assert isinstance(made, MergeOperation)
    assert plain(made.value) == {"spec": {"tag": "${{ tag }}", "old": None, "list": [{"n": "${{ n }}"}]}}
    assert (plain(made.path), made.document) == ("apps.${{ app }}", Selector(0))
    assert names_in(made) == {"tag", "n", "app"}
    whole = operation("merge: {a: 1}")
    assert isinstance(whole, MergeOperation)
    assert whole.path is None


@pytest.mark.parametrize(
    ("beside", "expected"),
    [
        ("tag: '${{ t }}'", ("${{ t }}", None, False)),
        ("digest: '${{ d }}'", (None, "${{ d }}", False)),
        ("tag: '1'\ndigest: sha256:0", ("1", "sha256:0", False)),
        ("tag: '1'\ndigest: drop", ("1", None, True)),
    ],
)
def test_image_takes_a_tag_a_digest_or_both(beside: str, expected: tuple[object, ...]) -> None:
    """`drop` is the one digest that is none."""
    made = operation(f"image: ghcr.io/org/${{{{ app }}}}\n{beside}")
    assert isinstance(made, ImageOperation)
    assert (plain(made.name), plain(made.tag), plain(made.digest), made.drop_digest) == (
        "ghcr.io/org/${{ app }}",
        *expected,
    )
    assert "app" in names_in(made)


@pytest.mark.parametrize("content", ["''", "plain", "|\n  a: ${{ b }}\n"])
def test_create_with_a_text_creates_a_file(content: str) -> None:
    """An empty one too."""
    made = operation(f"create: {content}")
    assert isinstance(made, CreateOperation)
    assert made.content.source == {"''": "", "plain": "plain"}.get(content, "a: ${{ b }}\n")


def test_delete_deletes() -> None:
    """It has nothing beside it."""
    assert operation("delete: true") == DeleteOperation()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("create: true", "6:9: 'create' belongs beside 'set'; to create a file write its content there"),
        ("unset: a\ncreate: true", "7:9: 'create' belongs beside 'set'; to create a file write its content there"),
        ("regex: '(?<a>.)'\nall: true", "7:9: 'all' belongs beside 'set' or 'unset'"),
        ("unset: a\ntype: string", "7:9: 'type' belongs beside 'set'"),
        ("merge: {a: 1}\nall: false", "7:9: 'all' belongs beside 'set' or 'unset'"),
        ("delete: true\ndocument: 1", "7:9: 'document' belongs beside 'set', 'unset' or 'merge'"),
        ("set: {a: 1}\npath: b", "7:9: 'path' belongs beside 'merge'"),
        ("create: text\ntag: '1'", "7:9: 'tag' belongs beside 'image'"),
        ("digest: drop", "6:9: 'digest' belongs beside 'image'"),
        ("set: {a: 1}\ncreate: text", ("5:9: an update has one operation, 'regex', 'set', 'unset', 'merge', 'image', "
         "'create' or 'delete', not 'set' and 'create'")),
        ("delete: true\nunset: a", ("5:9: an update has one operation, 'regex', 'set', 'unset', 'merge', 'image', "
         "'create' or 'delete', not 'unset' and 'delete'")),
        ("delete: false", "6:17: 'delete' must be true: leave it out where no file is to be deleted"),
        ("create: 3", "6:17: 'create' must be the content of a file, a text, or true beside 'set', not a number"),
        ("create: {a: 1}", "6:17: 'create' must be the content of a file, a text, or true beside 'set', not a mapping"),
        ("create: 'a ${{ b'", "6:17: the text 'a ${{ b' opens ${{ and never closes it with }}"),
        ("set: {a: 1}\ntype: strng", ("7:15: the type must be string, number, boolean or null, not 'strng'; "
         "did you mean 'string'?")),
        ("set: {a: 1}\nall: 3", "7:14: 'all' must be true or false, not a number"),
        ("set: {a: x}\ntype: number", "6:18: 'x' is no number such as 3 or 1.10"),
        ("set: {a: yes}\ntype: boolean", "6:18: 'yes' is no boolean: it must be true or false"),
        ("set: {a: x}\ntype: 'null'", "6:18: 'x' is not null: it must be null or empty"),
        ("set: {a: null}\ntype: string", "6:18: null is no text: default('…') gives it another value"),
        ("set: {a: [1]}\ncreate: true\ntype: string", ("6:18: the value of 'a' is a list, which 'type: string' makes "
         "nothing of")),
        ("set: {a: {value: 1}}", ("6:18: the value of 'a' must be a scalar or an expression; with 'create: true' "
         "beside 'set', what is not there yet may be a list or a mapping")),
        ("set: {a: 1}\ndocument: -1", ("7:19: 'document' is the place of a YAML document, counted from 0, or a mapping "
         "with the texts 'kind', 'name'")),
        ("set: {a: 1}\ndocument: true", "7:19: 'document' is the place of a YAML document"),
        ("set: {a: 1}\ndocument: {}", "7:19: 'document' is the place of a YAML document"),
        ("set: {a: 1}\ndocument: {knd: A}", "7:19: 'document' is the place of a YAML document"),
        ("set: {a: 1}\ndocument: {name: 3}", "7:19: 'document' is the place of a YAML document"),
        ("unset: 3", "6:16: 'unset' must be text, not a number: quote it, '3'"),
        ("unset: []", "6:16: 'unset' is empty: give it a value or leave it out"),
        ("merge: [a]", "6:16: 'merge' must be a mapping, that is keys with values, not a list"),
        ("merge: {}", "6:16: 'merge' is empty: give it a value or leave it out"),
        ("merge: {a: {'${{ b }}': 1}}", "6:21: the key '${{ b }}' has an expression: only values may have them"),
        ("merge: {'${{ b }}': 1}", "6:17: the key '${{ b }}' has an expression: only values may have them"),
        ("image: nginx", "6:16: 'image' needs a 'tag', a 'digest' or both beside it: what is it to get?"),
        ("image: nginx\ndigest: drop", "7:17: 'digest: drop' takes the digest away for a new tag: give 'tag'"),
        ("image: nginx\ntag: 1.5", "7:14: 'tag' must be text, not a number: quote it, '1.5'"),
        ("images: nginx\ntag: '1'", "6:9: unknown key 'images'; did you mean 'image'?"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_told_at_its_place(text: str, expected: str) -> None:
    """The first problem of an entry, with its line and column; an editor marks it too, where it can know."""
    assert problems(text)[0].startswith(expected)


@pytest.mark.parametrize(
    "text",
    [
        "create: true",
        "unset: a\ncreate: true",
        "regex: '(?<a>.)'\nall: true",
        "unset: a\ntype: string",
        "delete: true\ndocument: 1",
        "set: {a: 1}\npath: b",
        "create: text\ntag: '1'",
        "digest: drop",
        "set: {a: 1}\ncreate: text",
        "delete: true\nunset: a",
        "delete: false",
        "create: 3",
        "set: {a: 1}\ntype: strng",
        "set: {a: {b: 1}}",
        "set: {a: 1}\ndocument: -1",
        "set: {a: 1}\ndocument: {}",
        "set: {a: 1}\ndocument: {knd: A}",
        "unset: []",
        "merge: {}",
        "image: nginx",
    ],
)
def test_an_editor_marks_what_is_refused(text: str) -> None:
    """The schema says which keys go together."""
    assert problems(text) != []
    assert not VALIDATOR.is_valid(read(entry(text), "m.yaml").data)


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ("'apps/*.yaml'", ("m.yaml:5:16: a file is created at one path: 'apps/*.yaml' has wildcards or alternatives; "
         "write a list of paths")),
        ("'{a,b}.yaml'", "m.yaml:5:16: a file is created at one path: '{a,b}.yaml' has wildcards"),
        ("[ok.yaml, 'a[bc].yaml']", "m.yaml:5:26: a file is created at one path"),
        ("/etc/passwd", "m.yaml:5:16: the path '/etc/passwd' is absolute"),
        (".git/config", "m.yaml:5:16: the path '.git/config' leads into .git"),
    ],
)  # fmt: skip
def test_a_file_is_created_at_a_path(files: str, expected: str) -> None:
    """What has wildcards names no file that is not there yet."""
    text = entry("create: a").replace("files: x.yaml", f"files: {files}")
    with pytest.raises(InputError) as caught:
        parse(text, "m.yaml")
    assert [str(problem)[: len(expected)] for problem in caught.value.problems] == [expected]
    if "*" in files:
        assert parse(text.replace("create: a", "delete: true"), "m.yaml").mappings


CLOSED = "variables: {only: true, tag: client_payload.tag}\n"


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("set: {a: '${{ tga }}'}\ncreate: true", "7:18"),
        ("set: {a: {b: ['${{ tga }}']}}\ncreate: true", "7:23"),
        ("set: {a: 1}\ndocument: {name: '${{ tga }}'}", "8:26"),
        ("unset: [a, 'b.${{ tga }}']", "7:20"),
        ("merge: {a: {b: '${{ tga }}'}}", "7:24"),
        ("merge: {a: 1}\npath: 'b.${{ tga }}'", "8:15"),
        ("image: 'org/${{ tga }}'\ntag: '1'", "7:16"),
        ("image: org\ntag: '${{ tga }}'", "8:14"),
        ("image: org\ndigest: '${{ tga }}'", "8:17"),
        ("create: 'a ${{ tga }}'", "7:17"),
    ],
)
def test_a_closed_list_of_variables_closes_every_operation(text: str, place: str) -> None:
    """A misspelt name is found when the file is read, wherever it stands."""
    with pytest.raises(InputError) as caught:
        parse(entry(text).replace("mappings:", CLOSED + "mappings:"), "m.yaml")
    (problem,) = caught.value.problems
    assert str(problem).startswith(f"m.yaml:{place}: 'tga' is not listed under 'variables:'")


def test_every_key_of_an_entry_is_an_operation_or_belongs_beside_one() -> None:
    """Nothing that an entry may have is left out of what is checked and said to editors."""
    assert {"files", *OPERATIONS, *MODIFIERS} == set(UpdateModel.model_fields)
