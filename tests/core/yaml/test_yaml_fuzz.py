"""Files that went wrong somewhere: what is edited in them all the same is edited as meant."""

from __future__ import annotations

import copy
from collections import Counter
from typing import Any

import yaml
from editing import HOSTILE, body, flat, flats, ruamel, rust
from fuzzing import FILES, SMALL, TOKENS, examples, mutated, within
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml.error import YAMLError
from yaml_rs import YAMLDecodeError

from bot.core.yaml import DocumentSelector, SetField, edit
from bot.errors import EditError


def both(text: str) -> list[list[Any]] | None:
    """What two readers make of it, if both take it and agree."""
    try:
        seen = [flats(reader(body(text))) for reader in (ruamel, rust)]
    except (yaml.YAMLError, YAMLError, YAMLDecodeError, ValueError, TypeError, AttributeError):  # the readers' own bugs
        return None
    return seen if seen[0] == seen[1] else None


# Where the readers disagree already nothing can be compared, and most mutations make a file unreadable.
SEEDS = [text for text in FILES + SMALL if both(text)]


def test_a_value_in_a_mutated_file_is_set_alone() -> None:
    """Where two readers agree on a file, they agree on the one value that changed, and nothing else did."""
    counts: Counter[str] = Counter()

    @examples(400)
    @given(text=mutated(SEEDS, TOKENS, 2), value=st.sampled_from(HOSTILE), data=st.data())
    def run(text: str, value: str, data: st.DataObject) -> None:
        was = both(text)
        leaves = [
            (index, path)
            for index, document in enumerate(was[0] if was else ())
            for path, (kind, _) in document.items()
            if kind not in (dict, list)
        ]
        if was is None or not leaves:
            counts["unreadable"] += 1
            return
        index, path = data.draw(st.sampled_from(leaves))
        try:
            with within(5):
                result = edit(text, [SetField(path, value, DocumentSelector(index=index))]).text
        except EditError:
            counts["refused"] += 1
            return
        counts["done"] += 1
        wanted = copy.deepcopy(was[0])
        wanted[index][path] = next(flat(value))[1]
        assert both(result) == [wanted, wanted]

    run()
    assert counts["done"] > counts["refused"]
    assert counts["done"] > counts["unreadable"] / 2
