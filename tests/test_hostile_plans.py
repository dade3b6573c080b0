"""What a plan may ask for is bounded: the bot itself, which serves everybody, hands it from step to step."""

from __future__ import annotations

import asyncio
import pickle
import time
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

import pytest
from decided import REPOSITORY, changed, planned
from running import draining, effects, running

from bot.core.changeset import MAX_VALUES, Changeset
from bot.core.meter import Meter
from bot.core.model import Writer
from bot.core.order import Order
from bot.core.outcome import MAX_REASON
from bot.core.plan import MAX_PATHS, MAX_RESULTS
from bot.core.trigger import Dispatch
from bot.errors import InputError
from bot.flows import apply, jobs

if TYPE_CHECKING:
    from pathlib import Path

    from bot.core.model import Result
    from bot.core.plan import Plan
    from bot.sandbox import Sandbox

FILE = ".github/pointsman.yaml"
ITEMS = list(range(100))
CREATES = """\
version: 1
mappings:
  - name: a
    update: [{ files: '${{ path }}', create: '${{ tag }}' }]
"""
SETS = """\
version: 1
mappings:
  - name: a
    for_each: items
    update: [%s]
"""
CONDITIONS = """\
version: 1
mappings:
  - name: many
    for_each: items
    when: { any: [%s] }
    update: [{ files: values.yaml, set: { x: '${{ item }}' } }]
"""
# Longer than any honest step of the event loop takes, on a busy machine too.
LATE_SECONDS = 1.0


def rules(entry: str, count: int, shape: str = SETS) -> str:
    """Make a mapping file with so many entries; `%d` is the number of each."""
    return shape % ", ".join(entry % number for number in range(count))


def hand_on(plan: Plan) -> float:
    """Return the seconds of CPU that it takes the bot to hand a plan on once: read, look at, send."""
    sent = pickle.dumps(plan, pickle.HIGHEST_PROTOCOL)
    began = time.process_time()
    pickle.dumps(pickle.loads(sent).globs, pickle.HIGHEST_PROTOCOL)  # noqa: S301 - made above
    return time.process_time() - began


def test_a_path_with_many_folders_creates_no_file() -> None:
    """Each of its folders is looked up, and was a pattern to compile."""
    with pytest.raises(InputError, match="in at most 100 folders: 'a/a/a/"):
        planned({"path": "a/" * 2000 + "b", "tag": "x"}, CREATES)
    assert planned({"path": "a/" * 100 + "b", "tag": "x"}, CREATES).globs[-1].literal == "a"


def test_the_paths_of_a_plan_are_counted_with_the_folders_above_them() -> None:
    """A plan with nearly as many as there may be is handed on in no time; one with more is refused."""
    update = "{ files: 'a/b/c/d/${{ item }}-%d', create: x }"
    most = MAX_PATHS // (len(ITEMS) * 5)
    made = planned({"items": ITEMS}, rules(update, most))
    assert len(made.edits) == most * len(ITEMS)
    assert hand_on(made) < LATE_SECONDS
    with pytest.raises(InputError, match="name more than 10,000 files and folders"):
        planned({"items": ITEMS}, rules(update, most + 1))


def test_a_glob_is_handed_on_without_what_was_compiled_for_it() -> None:
    """Thousands of globs with many alternatives are as many texts."""
    update = "{ files: '{a,b}{a,b}{a,b}{a,b}*${{ item }}%d', set: { x: y } }"
    made = planned({"items": ITEMS}, rules(update, 3))
    assert len(pickle.dumps(made)) < 500 * len(made.edits)
    (first, *_) = pickle.loads(pickle.dumps(made)).globs  # noqa: S301 - made above
    assert (first.matches("abaa-00"), first.matches("abaa-01"), first.prefix, first.literal) == (True, False, "", None)


def test_results_of_conditions_are_told_as_far_as_anybody_reads_them() -> None:
    """All of them count, and the first ones are told."""

    def count(result: Result) -> int:
        return 1 + sum(map(count, result.children))

    made = planned({"items": ITEMS, "t2999": "x"}, rules("{ t%d: x }", 3000, CONDITIONS))
    assert len(made.edits) == len(ITEMS)
    (matched,) = made.matched
    assert matched.result.holds
    assert count(matched.result) <= MAX_RESULTS + 10
    assert all(child.holds for child in matched.result.children)


def test_a_plan_of_too_many_bytes_is_refused() -> None:
    """Long values in many edits."""
    update = "{ files: values.yaml, set: { x%d: '${{ long }}${{ item }}' } }"
    dispatch = Dispatch(REPOSITORY, "x", {"items": [*ITEMS], "long": "x" * 60_000})
    refused = partial(jobs.make_plan, Meter(lambda: 0.0), jobs.RulesText(rules(update, 2), FILE))
    with pytest.raises(InputError, match="and 4,000,000 are the limit: send fewer items or shorter values"):
        refused(dispatch)


def test_one_delivery_sets_only_so_many_values() -> None:
    """Who wrote each of them is kept: ten thousand in each of five hundred files would be millions of rows."""
    mappings = "version: 1\nmappings: [{ name: a, update: [{ files: '*.txt', regex: 'x: (?<v>.)' }] }]\n"
    text = "x: 1\n" * (MAX_VALUES // 2)
    _, change = changed({"a.txt": text, "b.txt": text}, {"v": "2"}, mappings)
    assert isinstance(change, Changeset)
    with pytest.raises(InputError, match="more than 20,000 values"):
        changed({"a.txt": text, "b.txt": text, "c.txt": "x: 1"}, {"v": "2"}, mappings)


@pytest.mark.parametrize("kind", ["conditions", "folders"])
async def test_the_event_loop_turns_while_hostile_plans_are_handed_on(
    kind: str, sandbox: Sandbox, tmp_path: Path
) -> None:
    """They come from one dispatch, and every webhook and every other repository would wait."""
    kinds = {
        "conditions": (rules("{ t%d: x }", 2500, CONDITIONS), {"items": ITEMS, "t1": "x"}),
        "folders": (CREATES, {"path": "a/" * 2000 + "b", "tag": "x"}),
    }
    mappings, payload = kinds[kind]
    sandbox.create_repository("evil/gitops", {FILE: mappings, "values.yaml": "x: y\n"})
    late = 0.0
    async with running(sandbox, tmp_path) as bot:
        delivery = await sandbox.dispatch("evil/gitops", "x", payload)
        ended = asyncio.create_task(bot.ended(delivery, seconds=60))
        while not ended.done():
            began = time.monotonic()
            await asyncio.sleep(0.01)
            late = max(late, time.monotonic() - began)
        assert await ended in {"committed", "failed"}
    assert late < LATE_SECONDS


async def test_a_commit_message_that_costs_too_much_holds_no_update_up(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The commit of all deliveries that go together is made, with a message that only names them."""
    monkeypatch.setattr(apply, "MESSAGE_SECONDS", -1.0)
    mappings = "version: 1\nmappings: [{ name: a, update: [{ files: v.yaml, set: { '${{ f }}': '${{ tag }}' } }] }]\n"
    repository = sandbox.create_repository("acme/gitops", {FILE: mappings, "v.yaml": "a: 1\nb: 1\n"})
    async with draining(sandbox, tmp_path) as bench:
        sent = [await bench.store(repository, {"f": field, "tag": 2}) for field in "ab"]
        await bench.drain(repository)
        assert [bench.row(delivery).state for delivery in sent] == ["committed"] * 2
    assert repository.read("v.yaml") == b"a: 2\nb: 2\n"
    trailers = "\n".join(f"Pointsman-Delivery: {delivery}" for delivery in sent)
    assert repository.log()[0].message.strip() == f"2 updates\n\n{trailers}"


def test_who_wrote_thousands_of_fields_is_looked_through_for_the_delivery_alone() -> None:
    """The bot notes and hands on; spellings of fields are compared where the delivery is decided, and paid for."""
    writers = {
        ("v.yaml", f"a['{number}'].b[?(@.name=='{number}')].image"): Writer("d1", datetime.now(UTC))
        for number in range(20_000)
    }
    began = time.process_time()
    order = Order(writers)
    order.hold(writers, Writer("d2", datetime.now(UTC)))
    order.only(planned({"path": "v.yaml", "tag": "x"}, CREATES), ["v.yaml"])
    assert time.process_time() - began < LATE_SECONDS


async def test_a_reason_that_a_payload_blows_up_is_cut(sandbox: Sandbox, tmp_path: Path) -> None:
    """A thousand paths of 4,000 characters that are not there: the log and the database get what somebody may read."""
    update = "{ files: '${{ long }}${{ item }}%d', set: { x: y } }"
    repository = sandbox.create_repository("evil/gitops", {FILE: rules(update, 9)})
    async with draining(sandbox, tmp_path) as bench:
        delivery = await bench.store(repository, {"items": ITEMS, "long": "y" * 4000})
        await bench.drain(repository)
        row = bench.row(delivery)
    assert row.state == "no_change"
    assert len(row.reason) <= MAX_REASON
    assert row.reason.endswith(" more characters are left out")
    assert max(map(len, (effect.reason for effect in effects(tmp_path, delivery)))) <= MAX_REASON
