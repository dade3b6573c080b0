"""Webhooks: signatures, order, payloads, and the list of deliveries."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bot.sandbox.webhooks import sign

if TYPE_CHECKING:
    from sandbox_ends import Client, Receiver

    from bot.sandbox import Repository, Sandbox


@pytest.mark.parametrize(
    ("secret", "body", "digest"),
    [
        (
            "It's a Secret to Everybody",
            b"Hello, World!",
            "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17",
        ),
        ("mysecret", b'{"action":"published"}', "e1e205e84edced57c16c204efd13eded4b5632b474fe6954fc58ab7a86b515bd"),
        ("mysecret", b"", "9074a74de0f34ece3f046403ae88d2eea400281da0ed6ebfa76c949016fa672d"),
    ],
)
def test_signatures_are_githubs(secret: str, body: bytes, digest: str) -> None:
    """The published vectors come out."""
    assert sign(secret, body) == f"sha256={digest}"


async def test_a_delivery_is_signed_and_named(sandbox: Sandbox, gitops: Repository, receiver: Receiver) -> None:
    """The headers are GitHub's, the signature is over the bytes sent, and the id is the one `dispatch` gave."""
    guid = await sandbox.dispatch(gitops.full_name, "update", {"tag": "1"})
    await sandbox.webhooks.drained()
    [(headers, body)] = receiver.received
    assert headers["X-Hub-Signature-256"] == sign(sandbox.app.webhook_secret, body)
    assert (headers["X-GitHub-Delivery"], headers["X-GitHub-Event"]) == (guid, "repository_dispatch")
    assert headers["User-Agent"].startswith("GitHub-Hookshot/")
    assert headers["X-GitHub-Hook-Installation-Target-ID"] == str(sandbox.app.id)
    [(_, payload)] = receiver.events
    assert (payload["branch"], payload["repository"]["id"], payload["repository"]["default_branch"]) == (
        "main",
        gitops.id,
        "main",
    )
    assert (payload["installation"]["id"], payload["organization"]["login"]) == (25669, "acme")


async def test_pushes_tell_their_commits(sandbox: Sandbox, gitops: Repository, receiver: Receiver) -> None:
    """A person's commit, a new branch and a forced move each say what they were, in order."""
    first = gitops.head()
    second = gitops.commit({"new": "x", "README.md": "# Changed\n"}, "second", delete=["environments/dev/values.yaml"])
    gitops.create_branch("side")
    assert gitops.move("refs/heads/side", second, first, "octocat")
    await sandbox.webhooks.drained()
    pushed, branched, forced = (payload for _, payload in receiver.events)
    assert (pushed["ref"], pushed["before"], pushed["after"]) == ("refs/heads/main", first, second)
    [commit] = pushed["commits"]
    assert (commit["added"], commit["removed"], commit["modified"]) == (
        ["new"],
        ["environments/dev/values.yaml"],
        ["README.md"],
    )
    assert (commit["author"]["username"], pushed["sender"]["login"]) == ("octocat", "octocat")
    assert (branched["created"], branched["commits"], branched["forced"]) == (True, [], False)
    assert (forced["forced"], forced["created"]) == (True, False)


async def test_the_apps_own_commits_are_pushes_of_its_bot(client: Client, receiver: Receiver) -> None:
    """The sender of the App's own push is its bot user."""
    await client("PUT", "/repos/acme/gitops/contents/a", {"message": "m", "content": ""})
    await client.sandbox.webhooks.drained()
    [(event, payload)] = receiver.events
    sender = payload["sender"]
    assert (event, sender["login"], sender["type"]) == ("push", "pointsman[bot]", "Bot")


async def test_nothing_is_sent_where_the_app_is_not(sandbox: Sandbox, receiver: Receiver) -> None:
    """Without installation, or while it is suspended, no event is sent."""
    sandbox.create_repository("globex/site", {"a": "b"}, installed=False)
    assert await sandbox.dispatch("globex/site", "update") is None
    sandbox.create_repository("acme/gitops", {"a": "b"})
    await sandbox.webhooks.drained()
    before = len(receiver.received)
    sandbox.installations["acme"].suspended = True
    assert await sandbox.dispatch("acme/gitops", "update") is None
    assert len(receiver.received) == before
    with pytest.raises(KeyError, match="has no repository 'acme/nothing'"):
        await sandbox.dispatch("acme/nothing", "update")


async def test_failed_deliveries_are_listed_and_sent_again_only_when_asked(client: Client, receiver: Receiver) -> None:
    """A receiver's 500, or nobody listening, stays in the list; an attempt sends the same GUID and payload."""
    sandbox, token = client.sandbox, client.jwt()
    receiver.status = 500
    guid = await sandbox.dispatch("acme/gitops", "update", {"tag": "1"})
    await sandbox.webhooks.drained()
    sandbox.webhook_url = "http://127.0.0.1:9/webhook"
    await sandbox.dispatch("acme/gitops", "unheard")
    await sandbox.webhooks.drained()
    unheard, failed = (await client("GET", "/app/hook/deliveries", token=token)).data
    assert (unheard["status"], unheard["status_code"]) == ("failed to connect to host", 502)
    assert (failed["guid"], failed["status_code"], failed["action"], failed["redelivery"]) == (
        guid,
        500,
        "update",
        False,
    )
    assert len(receiver.received) == 1
    receiver.status, sandbox.webhook_url = 202, receiver.url
    assert (await client("POST", f"/app/hook/deliveries/{failed['id']}/attempts", token=token)).status == 202
    await sandbox.webhooks.drained()
    [first, again] = receiver.received
    assert (first[0]["X-GitHub-Delivery"], first[1]) == (again[0]["X-GitHub-Delivery"], again[1])
    newest = (await client("GET", "/app/hook/deliveries?per_page=1", token=token)).data[0]
    full = (await client("GET", f"/app/hook/deliveries/{newest['id']}", token=token)).data
    assert (full["redelivery"], full["status"], full["response"]["payload"]) == (True, "OK", "taken")
    assert full["request"]["payload"]["client_payload"] == {"tag": "1"}
    assert (await client("GET", "/app/hook/deliveries/1", token=token)).status == 404
    assert (await client("POST", "/app/hook/deliveries/1/attempts", token=token)).status == 404


async def test_deliveries_are_paged_by_cursor(client: Client, receiver: Receiver) -> None:
    """Following `next` gives every delivery once, newest first, and in the order they were sent for a repository."""
    for number in range(5):
        await client.sandbox.dispatch("acme/gitops", f"event-{number}")
    await client.sandbox.webhooks.drained()
    assert [payload["action"] for _, payload in receiver.events] == [f"event-{number}" for number in range(5)]
    path, seen = "/app/hook/deliveries?per_page=2", []
    while path:
        page = await client("GET", path, token=client.jwt())
        seen += [delivery["action"] for delivery in page.data]
        link = page.headers.get("Link", "")
        path = link.partition(">")[0].removeprefix(f"<{client.sandbox.url}")
    assert seen == [f"event-{number}" for number in (4, 3, 2, 1, 0)]
