"""What the search-and-replace action does to a file, done the whole way: string, plan, changeset."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from decided import planned_by, view

from bot.core import dsl
from bot.core.changeset import Changeset, compute
from bot.core.meter import Meter
from bot.errors import InputError

CASES = json.loads((Path(__file__).parents[1] / "data" / "search_and_replace.json").read_text(encoding="utf-8"))


def replaced(case: dict[str, Any], path: str) -> str:
    """Return what becomes of the file of a case, in which every regex is searched for."""
    file = dsl.mapping_file(f"__always__ {{THEN_UPDATE_FILES}} {path}=*", case["regexes"], "--mappings")
    change = compute(planned_by(file, case["variables"]), view({path: case["input"]}), Meter(lambda: 0.0))
    return (change.files[path].after or b"").decode() if isinstance(change, Changeset) else str(case["input"])


@pytest.mark.parametrize("path", ["values.txt", "values.yaml"])
@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_a_file_comes_out_as_it_should(case: dict[str, Any], path: str) -> None:
    """As the action means it, in YAML as in any file; where it garbles other text, only the captured span changes."""
    if case["error"]:
        with pytest.raises(InputError, match="has a group 'git_brach', which is no variable"):
            replaced(case, path)
    else:
        assert case["expected"] == replaced(case, path)


def test_regexes_come_one_after_the_other_on_what_the_one_before_left() -> None:
    """In the order in which they are named, across all replacers that mean the file."""
    regexes = {"first": "a: (?<one>.*)", "second": "a: 1(?<two>.*)"}
    text = "__true__ {THEN_UPDATE_FILES} f.txt=first {AND} *.txt=second"
    plan = planned_by(dsl.mapping_file(text, regexes, "--mappings"), {"one": "1x", "two": "y"})
    change = compute(plan, view({"f.txt": "a: 0\n"}), Meter(lambda: 0.0))
    assert isinstance(change, Changeset)
    assert change.files["f.txt"].after == b"a: 1y\n"


def test_two_matchers_that_hold_change_a_file_once() -> None:
    """A value that its own regex matches again would grow with every visit."""
    text = "a==1 {OR} b==1 {THEN_UPDATE_FILES} f.txt=grow"
    plan = planned_by(dsl.mapping_file(text, {"grow": "x(?<c>)"}, "--mappings"), {"a": "1", "b": "1", "c": "y"})
    change = compute(plan, view({"f.txt": "x\n"}), Meter(lambda: 0.0))
    assert isinstance(change, Changeset)
    assert change.files["f.txt"].after == b"xy\n"
