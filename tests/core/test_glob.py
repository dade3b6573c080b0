"""Globs: which paths they mean, and which they never mean."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.core.glob import Glob, Globs, check_path, escape
from bot.errors import InputError

CASES = json.loads((Path(__file__).parents[1] / "data" / "glob.json").read_text())


@pytest.mark.parametrize("case", CASES, ids=[case["glob"] for case in CASES])
def test_conformance(case: dict[str, Any]) -> None:
    """Each glob of the conformance cases matches just the paths listed, alone and in a list."""
    glob = Glob(case["glob"])
    assert sorted(case["matches"]) == sorted(path for path in case["paths"] if glob.matches(path))
    assert sorted(case["matches"]) == sorted(Globs([glob]).filter(case["paths"]))


@pytest.mark.parametrize(
    ("glob", "path", "expected"),
    [
        ("**/a", "a", True),
        ("**/a", "x/y/a", True),
        ("**/a", "xa", False),
        ("x/**/a", "x/a", True),
        ("x/**/a", "x/y/z/a", True),
        ("x**/a", "xa", False),
        ("x**/a", "x/a", True),
        ("x**/a", "xy/z/a", True),
        ("**a", "x/ya", True),
        ("**", ".hidden/file", True),
        ("*", ".hidden", True),
        ("*", "a/b", False),
        ("a?c", "abc", True),
        ("a?c", "a/c", False),
        ("[!a]", "b", True),
        ("[^a]", "a", False),
        ("x[!a]y", "x/y", False),
        ("x[+-9]y", "x/y", False),
        ("x[+-9]y", "x5y", True),
        ("[]a]", "]", True),
        ("[a-]", "-", True),
        (r"[\]]", "]", True),
        ("[&&~~]", "&", True),
        ("{a,b}/c", "b/c", True),
        ("{a,{b,c}d}", "cd", True),
        ("{a,{b,c}d}", "c", False),
        ("a{,.bak}", "a", True),
        ("{a/,}**/b", "b", True),
        ("{a,[,]}", ",", True),
        (r"{a\,b,c}", "a,b", True),
        (r"a\*", "a*", True),
        (r"a\*", "ab", False),
        ("a.b+c|d", "a.b+c|d", True),
        ("a.b", "axb", False),
        ("A", "a", False),
        ("ä/日.yaml", "ä/日.yaml", True),
        ("**", "a\nb", False),
        ("**", ".git/config", False),
        ("**", "x/.git/config", False),
        ("**/config", ".GIT/config", False),
        (".git*", ".gitignore", True),
    ],
)
def test_what_a_glob_matches(glob: str, path: str, expected: bool) -> None:
    """Stars, classes, braces and escapes mean what the module says, one by one."""
    assert expected == Glob(glob).matches(path)
    assert ([path] if expected else []) == Globs([Glob("nothing"), Glob(glob)]).filter([path])


@pytest.mark.parametrize(
    ("glob", "literal", "prefix"),
    [
        ("environments/dev/values.yaml", "environments/dev/values.yaml", "environments/dev"),
        ("values.yaml", "values.yaml", ""),
        (r"a\[1\]/b", "a[1]/b", "a[1]"),
        ("a/{b}/c", "a/b/c", "a/b"),
        ("a/b*/c", None, "a"),
        ("a/b/**", None, "a/b"),
        ("env/{dev,qa}/x.yaml", None, "env"),
        ("{env/dev,apps}/x", None, ""),
        ("**/x", None, ""),
    ],
)
def test_literal_and_prefix(glob: str, literal: str | None, prefix: str) -> None:
    """A glob without wildcards is a path; every glob knows the directory that holds all its matches."""
    assert (literal, prefix) == (Glob(glob).literal, Glob(glob).prefix)


@pytest.mark.parametrize(
    ("glob", "directory", "expected"),
    [
        ("env/dev/*.yaml", "", True),
        ("env/dev/*.yaml", "env", True),
        ("env/dev/*.yaml", "env/dev", True),
        ("env/dev/*.yaml", "env/prod", False),
        ("env/dev/*.yaml", "env/dev/sub", False),
        ("env/dev/*.yaml", "en", False),
        ("**/dev/x", "anything/at/all", True),
        ("env/**/x", "other", False),
        ("eu**x", "eu-west/a", True),
        ("{a,b}/c", "b", True),
        ("{a,b}/c", "c", False),
        ("**", ".git", False),
    ],
)
def test_may_contain(glob: str, directory: str, expected: bool) -> None:
    """A directory below which nothing can match is told from one below which something could."""
    assert expected == Glob(glob).may_contain(directory)
    assert expected == Globs([Glob(glob)]).may_contain(directory)


_names = st.text("ab.", min_size=1, max_size=3)
_paths = st.lists(_names, min_size=1, max_size=4).map("/".join)
_globs = st.lists(
    st.sampled_from(["a", "b", "/", "*", "**", "**/", "?", "[!a]", "{a,b/}", "{*,a}", "."]), min_size=1, max_size=8
)


@settings(max_examples=300, deadline=None)
@given(_globs.map("".join), _paths)
def test_every_parent_of_a_match_may_contain_it(pattern: str, path: str) -> None:
    """Fetching only the directories that may contain a match never misses one."""
    glob = Glob(pattern)
    parents = ["/".join(path.split("/")[:depth]) for depth in range(path.count("/") + 1)]
    if glob.matches(path):
        assert [parent for parent in parents if not glob.may_contain(parent)] == []
        assert path == glob.prefix or path.startswith(f"{glob.prefix}/" if glob.prefix else "")


@settings(max_examples=300, deadline=None)
@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=30))
def test_an_escaped_value_matches_only_itself(value: str) -> None:
    """Whatever a payload holds, escaped it is a literal path: no wildcard, no alternative."""
    assert value == Glob(escape(value)).literal


@pytest.mark.parametrize("value", ["b,c", "b}", "a-z", "!b", "]"])
def test_an_escaped_value_stays_one_value_inside_braces(value: str) -> None:
    """A comma or brace in a payload value makes no alternatives of it."""
    glob = Glob(f"{{x,{escape(value)}}}")
    assert [value] == [path for path in [value, "a", "b", "c", "m"] if glob.matches(path)]


@pytest.mark.parametrize(
    ("glob", "sentence"),
    [
        ("", "empty"),
        ("a{b", "never closes it"),
        ("a}b", "without its {"),
        ("a[b", "never closes it"),
        ("a[]", "never closes it"),
        ("[a/b]", "slash inside"),
        ("[z-a]", "ends before it starts: z-a"),
        ("[[:alpha:]]", "named class"),
        ("environments\\dev", "escapes nothing"),
        ("a\\", "escapes nothing"),
        ("a" * 4097, "4097 characters"),
        ("{a,b}" * 9, "more than 256 alternatives"),
        ("{" + "a," * 300 + "a}", "more than 256 alternatives"),
        ("{" * 11 + "a" + "}" * 11, "more than 10 deep"),
    ],
)
def test_a_bad_glob_is_refused_with_the_reason(glob: str, sentence: str) -> None:
    """What is no glob raises when it is made, and `check_path` says the same sentence."""
    with pytest.raises(InputError, match=re.escape(sentence)) as caught:
        Glob(glob)
    assert str(caught.value) == check_path(glob)


@pytest.mark.parametrize(
    ("path", "sentence"),
    [
        ("/etc/passwd", "absolute"),
        ("a//b", "empty part"),
        ("a/", "empty part"),
        ("../a", "as a part"),
        ("a/./b", "as a part"),
        (r"a/\.\./b", "escapes nothing"),
        ("a/{x,..}/b", "as a part"),
        (".git/config", "never touched"),
        ("a/.GiT/b", "never touched"),
        ("{a,.git}/b", "never touched"),
        (r"a\\b", "backslash"),
        ("a\nb", "control character"),
        ("a\x7f", "control character"),
        ("a\x00b", "control character"),
    ],
)
def test_a_path_that_leads_astray_is_refused(path: str, sentence: str) -> None:
    """No spelling gets a path out of the repository or into its .git directory."""
    assert sentence in (check_path(path) or "accepted")


@pytest.mark.parametrize("path", ["a", "a/b.yaml", "**/x", ".github/x", ".gitignore", "a/..b", "ü/日本", "{a,b}/c"])
def test_an_ordinary_path_is_accepted(path: str) -> None:
    """Dotfiles, letters of any script and globs pass."""
    assert check_path(path) is None


def test_a_list_keeps_the_order_of_the_paths_and_an_empty_one_matches_nothing() -> None:
    """`filter` answers in the order asked, each path once per mention."""
    assert Globs([Glob("a"), Glob("?")]).filter(["b", "cc", "a"]) == ["b", "a"]
    assert Globs([]).filter(["a"]) == []
    assert not Globs([]).may_contain("a")


def test_matching_is_stopped_when_it_takes_too_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stars without end do not hold the worker: one path or many, matching ends with a sentence."""
    monkeypatch.setattr("bot.core.glob.SECONDS", 1e-9)
    glob = Glob("*a" * 30 + "[b]")
    with pytest.raises(InputError, match="was stopped after 1e-09 s: use fewer"):
        Globs([glob]).filter(["a" * 4000])
    with pytest.raises(InputError, match="was stopped after 1e-09 s: use fewer"):
        glob.matches("a" * 4000)
