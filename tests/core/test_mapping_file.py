"""The mapping file: what it reads as, and every problem in our words at its line and column."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import jsonschema
import pytest

from bot.core.glob import Glob
from bot.core.mapping import Environment, Person, RegexOperation, SetOperation
from bot.core.mapping_file import parse, schema
from bot.core.mapping_source import read
from bot.core.template import Template
from bot.errors import InputError

if TYPE_CHECKING:
    from bot.core.mapping import MappingFile
    from bot.core.model import Json

WHOLE = """\
version: 1
environments:
  dev: {files: ['environments/dev/**'], next: prod}
  prod: {files: environments/prod/*}
variables:
  app: client_payload.app.name
regexes:
  image_tag: 'imageTag: "(?<docker_image_tag>.*)"'
mappings:
  - name: dev
    environment: dev
    on: [update, other]
    when: {docker_image_tag: '.*-dev'}
    update:
      - files: environments/dev/values.yaml
        set:
          image.tag: ${{ docker_image_tag }}
          replicas: 2
          debug: true
          note: null
          released: 2026-01-02
      - files: ['**/x.yaml', 'apps/${{ app }}/y.yaml']
        regex: [image_tag, 'tag: (?<docker_image_tag>\\S+)']
  - name: all
    on: update
    update: [{files: x, regex: image_tag}]
commit:
  message: "To ${{ docker_image_tag }}"
  author: {name: build, email: build@internal}
"""


def problems(text: str) -> list[str]:
    with pytest.raises(InputError) as caught:
        parse(text, "m.yaml")
    return [str(problem) for problem in caught.value.problems]


def with_mapping(text: str, rest: str = "") -> str:
    return f"version: 1\n{rest}mappings:\n  - {text}\n"


def test_a_whole_file_becomes_working_types() -> None:
    """Names are resolved, patterns compiled, globs made, positions kept."""
    file = parse(WHOLE, "m.yaml")
    dev = Environment("dev", (Glob("environments/dev/**"),), "prod", 3)
    assert dev == file.environments[0]
    assert ([name for name, _ in file.variables], file.only) == (["app"], False)
    first, second = file.mappings
    assert ("dev", "dev", frozenset({"update", "other"}), 10) == (first.name, first.environment, first.on, first.line)
    assert ("all", None, frozenset({"update"}), 24) == (second.name, second.environment, second.on, second.line)
    assert second.when.tests == ()
    assert [(update.line, len(update.files)) for update in first.update] == [(15, 1), (22, 2)]
    assert second.update[0].operation == RegexOperation(file.regexes)
    assert file.commit.message is not None
    assert (frozenset({"docker_image_tag"}), Person("build", "build@internal")) == (
        file.commit.message.names,
        file.commit.author,
    )


def test_values_to_set_keep_their_type() -> None:
    """Scalars are read as YAML 1.2 has them, a date is text, and an expression is a template with its position."""
    operation = parse(WHOLE, "m.yaml").mappings[0].update[0].operation
    assert isinstance(operation, SetOperation)
    (path, value), *rest = operation.fields
    assert isinstance(value, Template)
    assert (
        path.source, path.position.line, path.position.column, value.position.line, value.position.column,
    ) == ("image.tag", 17, 11, 17, 22)  # fmt: skip
    expected = [("replicas", 2), ("debug", True), ("note", None), ("released", "2026-01-02")]
    assert expected == [(field.source, given) for field, given in rest]


def test_a_regex_is_a_name_or_a_pattern_and_keeps_which() -> None:
    """Registered patterns are found by name; what has `(?` in it is a pattern, called by its source."""
    operation = parse(WHOLE, "m.yaml").mappings[0].update[1].operation
    assert isinstance(operation, RegexOperation)
    expected = [("image_tag", ("docker_image_tag",)), (r"tag: (?<docker_image_tag>\S+)", ("docker_image_tag",))]
    assert expected == [(pattern.name, pattern.groups) for pattern in operation.patterns]
    assert operation.patterns[0].compiled.search('x\nimageTag: "1"')


def variables(listed: str, payload: dict[str, Json]) -> dict[str, Json]:
    return parse(f"version: 1\nvariables: {listed}\nmappings: []", "m.yaml").variables_from(payload)


@pytest.mark.parametrize(
    ("listed", "payload", "expected"),
    [
        ("{}", {"a": 1}, {"a": 1, "client_payload": {"a": 1}}),
        ("{only: true, x: client_payload.a}", {"a": 1, "b": 2}, {"x": 1}),
        ("{only: true, x: a}", {"a": 1}, {"x": 1}),
        ("{only: true, x: client_payload.a.b}", {"a": {}}, {}),
        ("{only: true, x: client_payload.a, y: \"x ~ '-'\"}", {"a": "v"}, {"x": "v", "y": "v-"}),
        ("{only: true, x: '${{ client_payload.a }}'}", {"a": [1]}, {"x": [1]}),
        ("{only: true, x: \"client_payload['a-b']\"}", {"a-b": 2}, {"x": 2}),
        ("{only: false, a: client_payload.b}", {"a": 1, "b": 2}, {"a": 2, "b": 2, "client_payload": {"a": 1, "b": 2}}),
        ("{a: client_payload.b}", {"a": 1}, {"client_payload": {"a": 1}}),
        ("{}", {"client_payload": 1}, {"client_payload": {"client_payload": 1}}),
    ],
)
def test_variables_of_a_payload(listed: str, payload: dict[str, Json], expected: dict[str, Json]) -> None:
    """Every property is one; listed ones are added and win, absent ones are absent, and `only` keeps just those."""
    assert expected == variables(listed, payload)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("version: 1\nmappings: [", "m.yaml:2:12: this is not YAML: "),
        ("version: 1\nmappings: [a: {b: ${{ c }}}]", "m.yaml:2:20: this is not YAML: "),
        ("", "m.yaml: the mapping file is empty: it needs at least 'version: 1' and 'mappings:'"),
        ("--- \na: 1\n---\nb: 1\n", "m.yaml:3:1: this is not YAML: but found another document"),
        ("[" * 500, "m.yaml: the mapping file is nested more than 20 deep"),
        ("a: " + "[" * 25 + "]" * 25, "m.yaml:1:24: the mapping file is nested more than 20 deep"),
        ("a: &a [*a]", "m.yaml:1:4: the mapping file is nested more than 20 deep"),
        ("#" * 300_000, "m.yaml: the mapping file is longer than 262,144 characters"),
    ],
)
def test_what_is_no_yaml_is_the_only_problem(text: str, expected: str) -> None:
    """Nothing is guessed about a file that cannot be read."""
    found = problems(text)
    assert (len(found), found[0].startswith(expected)) == (1, True)


def test_an_expression_inside_braces_gets_a_hint() -> None:
    """`{ tag: ${{ x }} }` is the mistake that everybody makes once."""
    (found,) = problems("version: 1\nmappings: [{set: {a: ${{ tag }}}}]")
    assert found.endswith("; inside { } and [ ] quote an expression: '${{ … }}'")


def test_aliases_work_and_cannot_multiply() -> None:
    """An alias is followed; a bomb of aliases is stopped by the count of values."""
    text = "version: 1\nregexes: {a: &p 'x(?<y>.)', b: *p}\nmappings: []"
    assert [pattern.name for pattern in parse(text, "m.yaml").regexes] == ["a", "b"]
    bomb = "a: &a [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
        f"{name}: &{name} [{', '.join([f'*{before}'] * 10)}]\n" for before, name in zip("abcdef", "bcdefg", strict=True)
    )
    start = time.monotonic()
    assert "has more than 20,000 values, aliases included" in problems(bomb)[0]
    assert time.monotonic() - start < 5


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a", "1:1: the mapping file must be a mapping, that is keys with values, not text"),
        ("version: 1", "1:1: the key 'mappings' is missing in the mapping file"),
        ("mappings: []", "1:1: the key 'version' is missing in the mapping file"),
        ("version: 2\nmappings: []", "1:10: the version must be 1, not 2"),
        ("version: 1\nmapping: []\nmappings: []", "2:1: unknown key 'mapping'; did you mean 'mappings'?"),
        ("version: 1\nmappings: []\nmappings: []", "3:1: the key 'mappings' is there twice, first in line 2"),
        ("version: 1\nmappings: []\n? [a]\n: b", "3:3: a key must be a word, not a list or a mapping"),
        ("version: 1\nmappings: []\nregexes: {a: !x 'b(?<c>.)'}", "3:14: the tag !x means nothing here: leave it out"),
        ("version: 1\nmappings:", "2:10: 'mappings' must be a list, not nothing"),
        ("version: 1\nmappings: [a]", "2:12: each of 'mappings' must be a mapping, that is keys with values, not text"),
        ("version: 1\nmappings: []\nregexes: {a: 3}", "3:14: 'a' must be text, not a number: quote it, '3'"),
        ("version: 1\nmappings: []\nregexes: {a: b}", "3:14: the pattern has no named group such as"),
        ("version: 1\nmappings: []\nregexes: {a: '(?<b>.'}", "3:14: the pattern '(?<b>.' is not valid: missing ) at"),
        ("version: 1\nmappings: []\nvariables: {a: 3}", "3:16: the variable 'a' must be an expression, such as"),
        ("version: 1\nmappings: []\nvariables: {a-b: c}", "3:13: a variable cannot be called 'a-b': the name must"),
        ("version: 1\nmappings: []\nvariables: {client_payload: c}", "3:13: a variable cannot be called"),
        ("version: 1\nmappings: []\nvariables: {a: 'f()'}", "3:16: the expression 'f()' calls a function"),
        ("version: 1\nmappings: []\nvariables: {only: x}", "3:19: 'only' is true or false"),
        ("version: 1\nmappings: []\nenvironments: {a: {}}", "3:19: the key 'files' is missing in the environment"),
        ("version: 1\nmappings: []\nenvironments: {a: {files: []}}", "3:27: 'files' is empty"),
        ("version: 1\nmappings: []\nenvironments: {a: {files: /x}}", "3:27: the path '/x' is absolute"),
        ("version: 1\nmappings: []\nenvironments: {a: {files: 'x${{ a }}'}}", "3:27: the files of an environment are"),
        ("version: 1\nmappings: []\nenvironments: {dev: {files: x}, qa: {files: y, next: dve}}", "3:54: there is no"),
        ("version: 1\nmappings: []\nenvironments: {dev: {files: x, next: dev}}", "3:38: there is no other environment"),
        ("version: 1\nmappings: []\ncommit: {author: {name: x}}", "3:18: the key 'email' is missing in 'author'"),
        *(
            (f"version: 1\nmappings: []\nbatch: {{window: {text}}}", f"3:17: the window must be a number of {said}")
            for text, said in (("-1", "seconds from 0 to 600, not -1"), ("601", "seconds"), ("10s", "seconds"))
        ),
        ("version: 1\nmappings: []\nbatch: {widnow: 1}", "3:9: unknown key 'widnow'; did you mean 'window'?"),
        ("version: 1\nmappings: []\ncommit: {message: '${{ x'}", "3:19: the text '${{ x' opens ${{ and never closes"),
        (with_mapping("{update: [{files: x, set: {a: b}}]}"), "3:5: the key 'name' is missing in the mapping"),
        (with_mapping("{name: a}"), "3:5: the key 'update' is missing in the mapping"),
        (with_mapping("{name: a, update: []}"), "3:23: 'update' is empty"),
        (with_mapping("{name: a, update: [{files: x}]}"), "3:24: an update has one operation, 'regex', 'set', 'uns"),
        (with_mapping("{name: a, update: [{files: x, set: {a: b}, regex: '(?<b>.)'}]}"), "3:24: an update has one"),
        (with_mapping("{name: a, update: [{files: 3, set: {a: b}}]}"), "3:32: 'files' must be text, not a number"),
        (with_mapping("{name: a, update: [{files: a/../b, set: {a: b}}]}"), "3:32: the path 'a/../b' has a '.' or"),
        (with_mapping("{name: a, update: [{files: '{a', set: {a: b}}]}"), "3:32: the glob '{a' opens a {"),
        (with_mapping("{name: a, update: [{files: x, set: {a: [b]}}]}"), "3:44: the value of 'a' must be a scalar"),
        (with_mapping("{name: a, update: [{files: x, set: {a: 1.10}}]}"), "3:44: the number 1.10 would be read as 1.1"),
        (with_mapping("{name: a, update: [{files: x, set: {a: 010}}]}"), "3:44: the number 010 would be read as 10"),
        (with_mapping("{name: a, update: [{files: x, set: {a: 12e4567}}]}"), "3:44: the number 12e4567 would be read"),
        (with_mapping("{name: a, update: [{files: x, set: {a: '${{ b | lowr }}'}}]}"), "3:44: the expression 'b |"),
        (with_mapping("{name: a, update: [{files: x, regex: imge}]}", "regexes: {image: '(?<a>.)'}\n"),
         "4:42: there is no regex called 'imge'; did you mean 'image'?"),
        (with_mapping("{name: a, update: [{files: x, regex: 'tag: .*'}]}"), "3:42: there is no regex called 'tag: .*'"),
        (with_mapping("{name: a, environment: dve, update: [{files: x, set: {a: b}}]}",
                      "environments: {dev: {files: x}}\n"),
         "4:28: there is no environment 'dve'; did you mean 'dev'?"),
        (with_mapping("{name: a, when: {t: [], u: a}, update: [{files: x, set: {a: b}}]}"), "3:25: the condition on"),
        (with_mapping("{name: a, when: {t: {u: v}}, update: [{files: x, set: {a: b}}]}"), "3:25: the condition on"),
        (with_mapping("{name: a, when: {any: {t: v}}, update: [{files: x, set: {a: b}}]}"), "3:27: 'any' must be"),
        (with_mapping("{name: a, when: {t: {semver: '=>>'}}, update: [{files: x, set: {a: b}}]}"),
         "3:34: '=>>' is no range of versions; write it as npm does, such as '>=1.2 <2', '~1.4' or '^2'"),
        (with_mapping("{name: a, when: {t: {semver: '>=٣'}}, update: [{files: x, set: {a: b}}]}"), "3:34: '>=٣' is no"),
        (with_mapping("{name: a, when: {t: {semver: latest}}, update: [{files: x, set: {a: b}}]}"),
         "3:34: 'latest' is"),
        (with_mapping("{name: a, when: {t: {semver: ' '}}, update: [{files: x, set: {a: b}}]}"),
         "3:34: the range of v"),
        (with_mapping(f"{{name: a, when: {{t: {{semver: '{'1' * 257}'}}}}, update: [{{files: x, set: {{a: b}}}}]}}"),
         "3:34: the range of versions is 257 characters long; 256 are the limit"),
        (with_mapping("{name: a, when: {t: {semver: ['1']}}, update: [{files: x, set: {a: b}}]}"),
         "3:34: 'semver' must be one range of versions, such as '>=1.2 <2'"),
        (with_mapping("{name: a, when: {t: {semver: '1', not: x}}, update: [{files: x, set: {a: b}}]}"),
         "3:39: beside 'semver' there is nothing else: put 'not' elsewhere"),
        (with_mapping("{name: a, when: {t: [{semver: '1'}]}, update: [{files: x, set: {a: b}}]}"),
         "3:26: the condition"),
        (with_mapping("{name: a, for_each: 'f()', update: [{files: x, set: {a: b}}]}"),
         "3:25: the expression 'f()' call"),
        (with_mapping("{name: a, for_each: 'x ${{ y }}', update: [{files: x, set: {a: b}}]}"),
         "3:25: 'x ${{ y }}' must b"),
        (with_mapping("{name: a, for_each: [b], update: [{files: x, set: {a: b}}]}"), "3:25: 'for_each' must be text,"),
        (with_mapping("{name: a, for_each: b, when: {c: '(?<item>.)'}, update: [{files: x, set: {a: b}}]}"),
         "3:34: a group cannot be called 'item' here: that is the item of 'for_each'"),
        (with_mapping("{name: a, branch: 'a b', update: [{files: x, set: {a: b}}]}"),
         "3:23: the branch 'a b' has a space"),
        (with_mapping("{name: a, branch: refs/heads/b, update: [{files: x, set: {a: b}}]}"),
         "3:23: the branch 'refs/heads/b' is a full ref: write the short name, without refs/heads/"),
        (with_mapping("{name: a, branch: '${{ b', update: [{files: x, set: {a: b}}]}"), "3:23: the text '${{ b' opens"),
        ("version: 1\nmappings: []\ncommit: {committer: {name: x}}", "3:21: the key 'email' is missing in 'committer'"),
        ("version: 1\nmappings: ''", "2:11: 'mappings' is empty: write a list of mappings, or [] for none"),
        (with_mapping("{name: a, when: {any: [t]}, update: [{files: x, set: {a: b}}]}"), "3:28: an item of 'any' must"),
        (with_mapping("{name: a, when: {not: t}, update: [{files: x, set: {a: b}}]}"), "3:27: 'not' must be a mapping"),
        (with_mapping("{name: a, when: {t: '('}, update: [{files: x, set: {a: b}}]}"), "3:25: the pattern '(' is not"),
        (with_mapping("{name: a, when: {t: '(?<x>.)', u: '(?<x>.)'}, update: [{files: x, set: {a: b}}]}"),
         "3:36: the group 'x' is captured by two conditions"),
        (with_mapping("{name: a, update: [{files: x, set: {a: b}}]}\n  - {name: a, update: [{files: x, set: {a: b}}]}"),
         "4:12: a mapping is called 'a' already, in line 3"),
    ],
)  # fmt: skip
def test_each_mistake_is_one_sentence_at_its_place(text: str, expected: str) -> None:
    """One problem, in our words, with the line and column of what is wrong."""
    found = problems(text)
    assert (1, f"m.yaml:{expected}") == (len(found), found[0][: len(expected) + 7])


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("version: 1\nmappings: []\nallow: []", "'allow'"),
        *(
            (f"version: 1\nmappings: []\nenvironments: {{a: {{files: x, {key}: y}}}}", f"'{key}'")
            for key in ("allow", "holds")
        ),
    ],
)
def test_what_is_agreed_on_and_not_there_yet_says_so(text: str, key: str) -> None:
    """Keys of a later version are told from misspelt ones, and cause no second problem."""
    found = problems(text)
    assert (len(found), f"{key} " in found[0] and "comes in a later version" in found[0]) == (1, True)


def test_changes_are_delivered_as_commits_only() -> None:
    """`commit` is accepted, `pull_request` is said to come, and anything else is no way to deliver."""
    text = "version: 1\nenvironments:\n  dev: {{ files: x, deliver: {0} }}\nmappings: []\n"
    assert parse(text.format("commit"), "m.yaml").environments[0].name == "dev"
    remedy = "write 'commit' or leave it out"
    assert problems(text.format("pull_request")) == [f"m.yaml:3:29: 'pull_request' comes in a later version: {remedy}"]
    assert problems(text.format("mail")) == [f"m.yaml:3:29: 'mail' is no way to deliver: {remedy}"]
    mapping = "{name: a, deliver: commit, update: [{files: x, set: {a: b}}]}"
    assert parse(with_mapping(mapping), "m.yaml").mappings[0].name == "a"


def test_a_misspelt_key_is_not_also_missing() -> None:
    """A misspelling is one mistake: the key that it resembles is not reported as missing beside it."""
    text = "version: 1\nmappings:\n  - name: dev\n    updaet: []\n"
    assert problems(text) == ["m.yaml:4:5: unknown key 'updaet'; did you mean 'update'?"]


@pytest.mark.parametrize(("key", "only"), [("order", "semver"), ("priority", "high")])
def test_a_key_with_one_value_names_it(key: str, only: str) -> None:
    """Any other value of `order` and `priority` is refused with the only one that there is."""
    mapping = "{name: a, %s: %s, update: [{files: x, set: {a: b}}]}"
    assert parse(with_mapping(mapping % (key, only)), "m.yaml").mappings[0].name == "a"
    (problem,) = problems(with_mapping(mapping % (key, "low")))
    assert problem.endswith(f"'{key}' must be '{only}' or left out, not 'low'")


def test_all_problems_come_at_once_in_the_order_of_the_file() -> None:
    """A wrong shape in one part hides nothing in another, not even in the same mapping."""
    text = (
        "version: 2\nregexes: {a: '('}\nmappings:\n"
        "  - {name: x, on: 3, environment: dev, when: {t: '['}, update: [{files: /x, regex: b}]}\n"
    )
    assert [found.removeprefix("m.yaml:").partition(": ")[0] for found in problems(text)] == [
        "1:10",
        "2:14",
        "4:19",
        "4:35",
        "4:50",
        "4:73",
        "4:84",
    ]


CLOSED = "variables: {only: true, tag: client_payload.tag}\n"


@pytest.mark.parametrize(
    ("mapping", "place", "name"),
    [
        ("{name: a, update: [{files: 'x${{ tga }}', set: {a: b}}]}", "4:32", "tga"),
        ("{name: a, update: [{files: x, set: {a: '${{ tga }}'}}]}", "4:44", "tga"),
        ("{name: a, update: [{files: x, set: {'a.${{ tga }}': b}}]}", "4:57", "tga"),
        ("{name: a, update: [{files: x, regex: '(?<tga>.)'}]}", "4:42", "tga"),
        ("{name: a, when: {tga: x}, update: [{files: x, set: {a: b}}]}", "4:27", "tga"),
        ("{name: a, when: {tga.name: x}, update: [{files: x, set: {a: b}}]}", "4:32", "tga"),
        ("{name: a, when: {tga: {semver: '1'}}, update: [{files: x, set: {a: b}}]}", "4:27", "tga"),
        ("{name: a, for_each: tga, update: [{files: x, set: {a: b}}]}", "4:25", "tga"),
        ("{name: a, branch: '${{ tga }}', update: [{files: x, set: {a: b}}]}", "4:23", "tga"),
    ],
)
def test_a_closed_list_finds_misspelt_names_when_the_file_is_read(mapping: str, place: str, name: str) -> None:
    """With `only: true` a name that is no variable is an error now, not with the first dispatch."""
    (found,) = problems(with_mapping(mapping, CLOSED))
    assert found.startswith(f"m.yaml:{place}: ")
    assert f"'{name}' is not listed under 'variables:', which 'only' closes; did you mean 'tag'?" in found


def test_a_closed_list_knows_captures() -> None:
    """Named groups of a mapping's own conditions are variables in it, and in the commit message."""
    mapping = "{name: a, when: {tag: '(?<v>.*)'}, update: [{files: '${{ v }}', regex: '(?<v>.)(?<tag>.)'}]}"
    text = with_mapping(mapping, CLOSED) + "commit: {message: '${{ v }} ${{ tag }}'}\n"
    assert parse(text, "m.yaml").only
    (found,) = problems(text.replace("${{ tag }}", "${{ w }}"))
    assert "'w' is not listed" in found


def test_a_closed_list_knows_the_item_and_what_tests_above_captured() -> None:
    """`item` is a variable within a mapping with `for_each`, a capture below the test that makes it."""
    mapping = (
        "{name: a, for_each: tag, when: {item.tag: '(?<v>.*)', v: {semver: '1'}, any: [{item.x: y, v: z}]}, "
        "branch: 'b-${{ v }}', update: [{files: '${{ item.name }}', regex: '(?<v>.)(?<item>.)'}]}"
    )
    assert parse(with_mapping(mapping, CLOSED), "m.yaml").mappings[0].for_each is not None
    found = problems(with_mapping(mapping.replace("for_each: tag, ", "").replace("item.tag: '(?<v>.*)', ", ""), CLOSED))
    assert len([sentence for sentence in found if "'item' is not listed" in sentence]) == 3
    assert len([sentence for sentence in found if "'v' is not listed" in sentence]) == 4


def test_a_closed_list_knows_paths_into_its_variables() -> None:
    """Only the first part of a path is a variable's name."""
    mapping = "{name: a, when: {tag.name: x}, update: [{files: x, set: {a: b}}]}"
    assert parse(with_mapping(mapping, CLOSED), "m.yaml").only


@pytest.mark.parametrize("strategy", ["auto", "graphql", "contents", "git-data"])
def test_a_strategy_is_read(strategy: str) -> None:
    """How commits are made; the schema for editors has the same names, and without the key it is auto."""
    text = f"version: 1\nmappings: []\ncommit: {{strategy: {strategy}}}\n"
    assert parse(text, "m.yaml").commit.strategy == strategy
    assert parse("version: 1\nmappings: []\n", "m.yaml").commit.strategy == "auto"
    jsonschema.validate(read(text, "m.yaml").data, schema())


@pytest.mark.parametrize(
    ("commit", "problem"),
    [
        ("{strategy: grahpql}",
         "3:20: the strategy must be auto, graphql, contents or git-data, not 'grahpql'; did you mean 'graphql'?"),
        ("{strategy: rebase}", "3:20: the strategy must be auto, graphql, contents or git-data, not 'rebase'"),
        ("{strategy: 1}", "3:20: the strategy must be auto, graphql, contents or git-data, not 1"),
        ("{stratgy: auto}", "3:10: unknown key 'stratgy'; did you mean 'strategy'?"),
        ("{strategy: graphql, author: {name: a, email: b}}",
         "3:20: createCommitOnBranch cannot set an author; use auto or git-data"),
        ("{committer: {name: a, email: b}, strategy: graphql}",
         "3:52: createCommitOnBranch cannot set an author; use auto or git-data"),
        ("{committer: {name: a, email: b}, strategy: contents}",
         "3:52: the Contents API makes the committer the author too; give an author, or use auto or git-data"),
    ],
)  # fmt: skip
def test_a_strategy_that_cannot_be_is_told_where_it_stands(commit: str, problem: str) -> None:
    """A misspelt one with the nearest name, and one that cannot say who the author is."""
    assert problems(f"version: 1\nmappings: []\ncommit: {commit}\n") == [f"m.yaml:{problem}"]


def test_author_and_committer_are_read_and_warned_of() -> None:
    """The committer is the author where only that one is set; such commits are not signed."""
    build, robot = Person("build", "b@i"), Person("robot", "r@i")
    both = (
        "version: 1\nmappings: []\ncommit:\n"
        "  author: {name: build, email: b@i}\n  committer: {name: robot, email: r@i}\n"
    )
    author, committer = both.replace(both.splitlines()[4], ""), both.replace(both.splitlines()[3], "")
    found = [parse(text, "m.yaml") for text in (both, author, committer, "version: 1\nmappings: []\n")]
    assert [(file.commit.author, file.commit.committer) for file in found] == [
        (build, robot),
        (build, build),
        (None, robot),
        (None, None),
    ]
    assert [[str(warning)[:11] for warning in file.warnings] for file in found] == [
        ["m.yaml:4:11"],
        ["m.yaml:4:11"],
        ["m.yaml:5:14"],
        [],
    ]
    assert "does not sign a commit whose author or committer is given" in found[0].warnings[0].sentence


def test_an_open_list_leaves_names_to_the_payload() -> None:
    """Without `only` any name may come with a payload."""
    mapping = "{name: a, when: {x: y}, update: [{files: '${{ z }}', set: {a: b}}]}"
    file: MappingFile = parse(with_mapping(mapping), "m.yaml")
    assert not file.only


def test_the_schema_describes_every_key() -> None:
    """Editors have a title and a description for each, and the schema itself is valid."""
    made = schema()
    jsonschema.Draft202012Validator.check_schema(made)
    parts = [made, *made["$defs"].values()]
    keys = [(name, given) for part in parts for name, given in part.get("properties", {}).items()]
    assert [name for name, given in keys if not {"title", "description"} <= given.keys()] == []
    assert {"version", "environments", "files", "regex", "set", "when", "any", "not", "message"} <= dict(keys).keys()


def test_the_schema_accepts_what_parses() -> None:
    """The whole file of these tests, and nested conditions."""
    validator = jsonschema.Draft202012Validator(schema())
    nested = with_mapping(
        "{name: a, when: {any: [{t: [a, 1]}, {not: {u: true}}]}, update: [{files: x, set: {a: null}}]}"
    )
    newer = with_mapping(
        "{name: a, for_each: b, branch: c, when: {d.e: {semver: '>=1'}}, update: [{files: x, set: {a: 1}}]}",
        "commit: {committer: {name: x, email: y}}\n",
    )
    for text in (WHOLE, nested, newer, "version: 1\nmappings: 'a==b {THEN_UPDATE_FILES} x='"):
        assert parse(text, "m.yaml").mappings
        assert list(validator.iter_errors(read(text, "m.yaml").data)) == []


@pytest.mark.parametrize(
    "text",
    [
        "version: 2\nmappings: []",
        "version: 1",
        "version: 1\nmappings: []\nextra: 1",
        "version: 1\nmappings: ''",
        with_mapping("{name: a, for_each: [b], update: [{files: x, set: {a: b}}]}"),
        with_mapping("{name: a, branch: '', update: [{files: x, set: {a: b}}]}"),
        with_mapping("{name: a, when: {t: {semver: '1', u: v}}, update: [{files: x, set: {a: b}}]}"),
        with_mapping("{name: a, when: {t: [{semver: '1'}]}, update: [{files: x, set: {a: b}}]}"),
        "version: 1\nmappings: []\ncommit: {committer: {name: x}}",
        with_mapping("{name: a, update: []}"),
        with_mapping("{name: a, update: [{files: x}]}"),
        with_mapping("{name: a, update: [{files: x, set: {a: b}, regex: c}]}"),
        with_mapping("{name: a, update: [{files: [], set: {a: b}}]}"),
        with_mapping("{name: a, update: [{files: x, set: {a: [b]}}]}"),
        with_mapping("{name: a, when: {t: {u: v}}, update: [{files: x, set: {a: b}}]}"),
        with_mapping("{name: a, when: {any: {t: v}}, update: [{files: x, set: {a: b}}]}"),
        "version: 1\nmappings: []\nenvironments: {a: {}}",
        "version: 1\nmappings: []\nvariables: {a: [b]}",
        "version: 1\nmappings: []\ncommit: {author: {name: x}}",
    ],
)
def test_the_schema_rejects_what_does_not_parse(text: str) -> None:
    """An editor marks what the bot would refuse."""
    assert problems(text)
    assert not jsonschema.Draft202012Validator(schema()).is_valid(read(text, "m.yaml").data)
