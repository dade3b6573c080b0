"""Webhooks that are lost on the way, come twice, or out of order."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sandbox_ends import Client, Receiver

    from bot.sandbox import Repository, Sandbox


async def dispatched(sandbox: Sandbox, count: int) -> list[str | None]:
    """Send so many dispatches; give their GUIDs when all is sent."""
    guids = [await sandbox.dispatch("acme/gitops", f"event-{number}") for number in range(count)]
    await sandbox.webhooks.drained()
    return guids


def guids_of(receiver: Receiver) -> list[str]:
    """Give the GUID of each request that came."""
    return [headers["X-GitHub-Delivery"] for headers, _ in receiver.received]


async def deliveries(client: Client) -> list[dict[str, Any]]:
    """Give what the App is told of its deliveries, the oldest first."""
    listed: list[dict[str, Any]] = (await client("GET", "/app/hook/deliveries", token=client.jwt())).data
    return listed[::-1]


async def test_a_lost_webhook_is_listed_as_failed_and_comes_when_it_is_asked_for(
    client: Client, receiver: Receiver
) -> None:
    """The receiver never hears of it, the list does; an attempt sends the same GUID and payload."""
    client.sandbox.webhooks.lose(1)
    lost, heard = await dispatched(client.sandbox, 2)
    assert guids_of(receiver) == [heard]
    first, second = await deliveries(client)
    assert (first["guid"], first["status"], first["status_code"]) == (lost, "failed to connect to host", 502)
    assert (second["guid"], second["status"]) == (heard, "OK")
    path = f"/app/hook/deliveries/{first['id']}"
    full = (await client("GET", path, token=client.jwt())).data
    assert (full["request"]["payload"]["action"], full["response"]["payload"]) == ("event-0", "")
    assert (await client("POST", f"{path}/attempts", token=client.jwt())).status == 202
    await client.sandbox.webhooks.drained()
    assert guids_of(receiver) == [heard, lost]
    assert receiver.events[-1][1] == full["request"]["payload"]
    last = (await deliveries(client))[-1]
    assert (last["guid"], last["status"], last["redelivery"]) == (lost, "OK", True)


async def test_a_doubled_webhook_comes_twice_with_one_guid(client: Client, receiver: Receiver) -> None:
    """Both stand in the list, under ids of their own, and neither is a redelivery."""
    client.sandbox.webhooks.double(1)
    twice, once = await dispatched(client.sandbox, 2)
    assert guids_of(receiver) == [twice, twice, once]
    assert receiver.received[0][1] == receiver.received[1][1]
    told = [(each["guid"], each["redelivery"]) for each in await deliveries(client)]
    assert sorted(told, key=str) == sorted([(twice, False), (twice, False), (once, False)], key=str)
    assert len({each["id"] for each in await deliveries(client)}) == 3


async def test_a_webhook_that_is_put_off_comes_after_later_ones(client: Client, receiver: Receiver) -> None:
    """All come once, the first one not as the first; without others after it, it comes all the same."""
    client.sandbox.webhooks.shuffle(1)
    sent = await dispatched(client.sandbox, 4)
    assert guids_of(receiver)[0] == sent[1]
    assert sorted(map(str, guids_of(receiver))) == sorted(map(str, sent))
    assert [guid for guid in guids_of(receiver) if guid != sent[0]] == sent[1:]
    client.sandbox.webhooks.shuffle(1)
    [alone] = await dispatched(client.sandbox, 1)
    assert guids_of(receiver)[-1] == alone


async def test_the_next_ones_are_shuffled_the_same_way_for_the_same_seed(
    sandbox: Sandbox, gitops: Repository, receiver: Receiver
) -> None:
    """Whatever the order, each comes once; an event of another kind is not put off."""
    runs: list[list[str]] = []
    for seed in (5, 5, 6):
        receiver.received.clear()
        sandbox.webhooks.seed(seed)
        sandbox.webhooks.shuffle(8, event="repository_dispatch")
        gitops.commit({"a": str(len(runs))}, "first")
        await dispatched(sandbox, 8)
        runs.append([payload.get("action", event) for event, payload in receiver.events])
    assert runs[0] == runs[1] != runs[2]
    assert runs[0][0] == "push"
    assert sorted(runs[0][1:]) == [f"event-{number}" for number in range(8)] != runs[0][1:]


async def test_one_of_two_can_be_lost(client: Client, receiver: Receiver) -> None:
    """What is doubled and lost once is there once."""
    client.sandbox.webhooks.double(1)
    client.sandbox.webhooks.lose(1)
    [guid] = await dispatched(client.sandbox, 1)
    assert guids_of(receiver) == [guid]
    assert [each["status_code"] for each in await deliveries(client)] == [502, 202]


async def test_chance_loses_and_doubles_the_same_ones_for_the_same_seed(
    sandbox: Sandbox, gitops: Repository, receiver: Receiver
) -> None:
    """Two runs with one seed are alike: some lost, some twice, some once."""
    runs = []
    sandbox.webhooks.lose(probability=0.3)
    sandbox.webhooks.double(probability=0.3)
    for _ in range(2):
        sandbox.webhooks.seed(3)
        receiver.received.clear()
        guids = await dispatched(sandbox, 40)
        runs.append([guids_of(receiver).count(guid) for guid in guids if guid])
    assert (runs[0] == runs[1], set(runs[0])) == (True, {0, 1, 2})
    assert gitops.full_name == "acme/gitops"


async def test_only_the_event_that_is_meant_is_lost_until_all_is_well_again(
    sandbox: Sandbox, gitops: Repository, receiver: Receiver
) -> None:
    """Pushes are lost without end, dispatches come; then pushes come too."""
    sandbox.webhooks.lose(event="push")
    gitops.commit({"a": "a"}, "unheard")
    await dispatched(sandbox, 1)
    gitops.commit({"a": "b"}, "unheard too")
    await sandbox.webhooks.drained()
    assert [event for event, _ in receiver.events] == ["repository_dispatch"]
    sandbox.webhooks.heal()
    gitops.commit({"a": "c"}, "heard")
    await sandbox.webhooks.drained()
    assert [event for event, _ in receiver.events] == ["repository_dispatch", "push"]


async def test_paging_skips_none_where_repositories_are_told_at_once(client: Client, receiver: Receiver) -> None:
    """Deliveries end in another order than they began: every one is on a page, once, the newest first."""
    client.sandbox.create_repository("acme/other", {"a": "b"})
    await client.sandbox.webhooks.drained()
    client.sandbox.webhooks.double(2)
    for number in range(3):
        for name in ("acme/gitops", "acme/other"):
            await client.sandbox.dispatch(name, f"event-{number}")
    await client.sandbox.webhooks.drained()
    path, seen = "/app/hook/deliveries?per_page=2", []
    while path:
        page = await client("GET", path, token=client.jwt())
        seen += [delivery["id"] for delivery in page.data]
        path = page.headers.get("Link", "").partition(">")[0].removeprefix(f"<{client.sandbox.url}")
    assert seen == sorted({*seen}, reverse=True)
    assert len(seen) == len(receiver.received)
