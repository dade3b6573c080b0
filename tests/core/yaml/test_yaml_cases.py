"""The agreed results, case by case."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bot.core.yaml import SetField, edit
from bot.errors import EditError

CASES: list[dict[str, Any]] = json.loads((Path(__file__).parents[2] / "data" / "set_field.json").read_text("utf-8"))


@pytest.mark.parametrize("case", [pytest.param(case, id=case["name"]) for case in CASES if case["error"] is None])
def test_a_case_with_a_result_gives_it(case: dict[str, Any]) -> None:
    """The text after the edit is the expected one, character by character."""
    assert edit(case["input"], [SetField(case["field"], case["value"], create=case["create"])]).text == case["expected"]


@pytest.mark.parametrize("case", [pytest.param(case, id=case["name"]) for case in CASES if case["error"] is not None])
def test_a_case_with_an_error_says_it(case: dict[str, Any]) -> None:
    """The error contains the fixed wording where there is one; `refused` leaves the words to us."""
    with pytest.raises(EditError) as raised:
        edit(case["input"], [SetField(case["field"], case["value"], create=case["create"])])
    wording = "" if case["error"].startswith("refused") else case["error"]
    assert wording in str(raised.value)
