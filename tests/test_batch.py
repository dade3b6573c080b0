"""Which deliveries go together: what is learned of targets is bounded."""

from __future__ import annotations

from typing import TYPE_CHECKING

from running import draining
from written import MAPPINGS, gitops_with

from bot.core.mapping import Gathering
from bot.flows.apply import NOTED_FIELDS
from bot.flows.batch import Batches
from bot.inbox.sqlite import SQLiteInbox

if TYPE_CHECKING:
    from pathlib import Path

    from bot.sandbox import Sandbox


async def test_what_is_learned_of_targets_and_deliveries_does_not_gather_for_ever(tmp_path: Path) -> None:
    """Whoever has the App installed may make any number of repositories, and deliveries that end in no way we see."""
    inbox = SQLiteInbox(tmp_path / "pointsman.db")
    try:
        batches = Batches(inbox, 15)
        for target in range(30_000):
            batches.learn(target, Gathering(5.0))
            batches.looked_at([f"delivery-{target}"])
            batches.suspect([f"delivery-{target}"])
            await batches.next(target) if target % 1000 == 0 else None
        kept = [vars(batches)[name] for name in ("_gatherings", "_looked_at", "_opened", "_alone_next", "_suspects")]
        assert max(map(len, kept)) == 10_000
        # The last ones are known.
        assert batches._gatherings[29_999] == Gathering(5.0)
        assert "delivery-29999" in batches._suspects
        batches.forget("delivery-29999")
        assert "delivery-29999" not in batches._suspects
    finally:
        inbox.close()


async def test_a_batch_that_is_full_by_its_bytes_gathers_no_more(sandbox: Sandbox, tmp_path: Path) -> None:
    """More would not go with it. To look again and again until the window ends would read all of it each time."""
    repository = gitops_with(sandbox, MAPPINGS + "batch: { window: 60 }\n")
    async with draining(sandbox, tmp_path) as bench:
        await bench.dispatch(repository, {"tag": "2-dev"})
        for _ in range(100):
            last = await bench.store(repository, {"tag": "3-dev", "notes": "x" * 200_000})
        await bench.drain(repository)
        assert bench.row(last).state == "no_change"  # the first one wrote it
        # What comes then begins a new window.
        await bench.store(repository, {"tag": "4-dev"})
        assert (await bench.drain(repository) or 0.0) > 50


async def test_a_batch_that_writes_many_fields_is_noted_in_parts(sandbox: Sandbox, tmp_path: Path) -> None:
    """Each transaction is short, so that webhooks are answered between two of them; the commit is said once."""
    keys = [f"key{number}" for number in range(100)]
    sets = "{ " + ", ".join(f"{key}: '${{{{ tag }}}}'" for key in keys) + " }"
    mappings = f"version: 1\nmappings:\n  - name: app\n    update: [{{ files: values.yaml, set: {sets} }}]\n"
    values = "".join(f"{key}: old\n" for key in keys)
    repository = sandbox.create_repository("acme/gitops", {".github/pointsman.yaml": mappings, "values.yaml": values})
    async with draining(sandbox, tmp_path) as bench:
        sent = [await bench.store(repository, {"tag": f"{number}-dev"}) for number in range(30)]
        fields = [0]

        def traced(statement: str) -> None:
            if statement.startswith("BEGIN"):
                fields.append(0)
            fields[-1] += statement.startswith("INSERT INTO writers")

        bench.inbox._connection.set_trace_callback(traced)
        await bench.drain(repository)
        bench.inbox._connection.set_trace_callback(None)
        assert {bench.row(each).state for each in sent} == {"committed"}
        assert bench.unsaid() == []
    assert max(fields) <= NOTED_FIELDS + len(keys)
    (run,) = repository.check_runs(repository.head())
    assert run["output"]["title"] == "app: 1 file changed by 30 deliveries"
