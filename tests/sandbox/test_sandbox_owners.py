"""What owners do to the App and to repositories: rename, transfer, archive, delete, suspend, uninstall, choose."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from sandbox_ends import b64

from bot.sandbox import Sandbox

if TYPE_CHECKING:
    from pathlib import Path

    from sandbox_ends import Client, Receiver

    from bot.sandbox import Repository

OLD, NEW = "/repos/acme/gitops", "/repos/acme/deploy"
MUTATION = (
    "mutation Write($input: CreateCommitOnBranchInput!) { createCommitOnBranch(input: $input) { commit { oid } } }"
)
NAMED = '{ repository(owner: "acme", name: "gitops") { nameWithOwner isArchived } }'


def commit_input(repo: Repository, full_name: str) -> dict[str, Any]:
    """Write a CreateCommitOnBranchInput that adds the file `new`, for a repository by one of its names."""
    return {
        "branch": {"repositoryNameWithOwner": full_name, "branchName": "main"},
        "expectedHeadOid": repo.head(),
        "message": {"headline": "m"},
        "fileChanges": {"additions": [{"path": "new", "contents": b64("x")}]},
    }


async def told(sandbox: Sandbox, receiver: Receiver) -> list[tuple[str, Any]]:
    """Give the events that came, when all are sent, and forget them."""
    await sandbox.webhooks.drained()
    events = [(event, payload) for event, payload in receiver.events]
    receiver.received.clear()
    return events


async def exchanged(client: Client, method: str, path: str, body: Any = None) -> tuple[int, str, Any]:
    """Send a request without following a redirection; give status, `Location` and data."""
    url, headers = client.sandbox.url + client.prefix + path, {"Authorization": f"Bearer {client.token}"}
    options = {"json": body, "headers": headers, "allow_redirects": False}
    async with client.session.request(method, url, **options) as response:
        return response.status, response.headers.get("Location", ""), await response.json()


# -- permissions


async def test_what_the_app_asks_for_later_waits_for_the_owner(client: Client, receiver: Receiver) -> None:
    """Tokens are refused what is not granted yet; the owner accepts it, and the App is told."""
    sandbox, path = client.sandbox, "/app/installations/25669"
    sandbox.app.permissions["actions"] = "write"
    asked = {"permissions": {"actions": "write"}}
    refused = await client("POST", f"{path}/access_tokens", asked, token=client.jwt())
    sentence = "The permissions requested are not granted to this installation."
    assert (refused.status, refused.data["message"]) == (422, sentence)
    assert "actions" not in (await client("GET", path, token=client.jwt())).data["permissions"]
    sandbox.installations["acme"].accept()
    [(event, payload)] = await told(sandbox, receiver)
    assert (event, payload["action"]) == ("installation", "new_permissions_accepted")
    assert payload["installation"]["permissions"]["actions"] == "write"
    made = await client("POST", f"{path}/access_tokens", asked, token=client.jwt())
    assert (made.status, made.data["permissions"]) == (201, {"actions": "write", "metadata": "read"})


async def test_each_installation_has_permissions_of_its_own(client: Client, tmp_path: Path) -> None:
    """One owner may have granted less than another, after a restart too; what the App gives up is gone at once."""
    sandbox = client.sandbox
    sandbox.create_repository("globex/site", {"a": "b"})
    sandbox.installations["globex"].permissions = {"metadata": "read", "contents": "read", "checks": "write"}
    sandbox.save()
    del sandbox.app.permissions["checks"]
    again = Sandbox(tmp_path / "github", app=sandbox.app)
    assert again.installations["globex"].granted() == {"metadata": "read", "contents": "read"}
    assert again.installations["acme"].granted() == sandbox.app.permissions
    again.close()
    number = sandbox.installations["globex"].id
    made = await client("POST", f"/app/installations/{number}/access_tokens", token=client.jwt())
    assert made.data["permissions"] == {"metadata": "read", "contents": "read"}


# -- renamed and transferred


@pytest.mark.parametrize(
    ("method", "rest", "status"),
    [
        ("GET", "", 301),
        ("GET", "/contents/environments/dev/values.yaml?ref=main", 301),
        ("GET", "/commits?per_page=1&page=2", 301),
        ("PUT", "/contents/a%20b", 307),
        ("POST", "/git/refs", 307),
        ("PATCH", "/git/refs/heads/main", 307),
    ],
)
async def test_the_old_name_redirects_to_the_id(
    client: Client, gitops: Repository, method: str, rest: str, status: int
) -> None:
    """301 for reading, 307 for what writes, the rest of the address and its query kept."""
    if rest:
        client.sandbox.observer = None  # GitHub's description lists redirections for few of its operations
    gitops.rename("deploy")
    for client.prefix in ("", "/api/v3"):
        address = f"{client.sandbox.url}{client.prefix}/repositories/{gitops.id}{rest}"
        got = await exchanged(client, method, OLD + rest, {} if method != "GET" else None)
        assert got[:2] == (status, address)
        assert (got[2]["message"], got[2]["url"]) == ("Moved Permanently", address)


async def test_whoever_follows_reads_and_writes_under_the_old_name(client: Client, gitops: Repository) -> None:
    """A read, a file's commit, a Git commit and a check run arrive; links have the new name."""
    client.sandbox.observer = None  # GitHub's description lists redirections for few of its operations
    gitops.rename("deploy")
    read = await client("GET", f"{OLD}/contents/README.md")
    assert (read.status, read.data["url"]) == (200, f"{client.sandbox.url}{NEW}/contents/README.md?ref=main")
    put = await client("PUT", f"{OLD}/contents/new", {"message": "m", "content": b64("x")})
    assert (put.status, gitops.read("new")) == (201, b"x")
    run = await client("POST", f"{OLD}/check-runs", {"name": "n", "head_sha": gitops.head()})
    assert (run.status, [found["name"] for found in gitops.check_runs()]) == (201, ["n"])
    assert (await client("GET", f"{OLD}/installation", token=client.jwt())).data["id"] == 25669


async def test_a_renamed_repository_keeps_its_id_and_is_told(
    client: Client, gitops: Repository, receiver: Receiver
) -> None:
    """The event has both names; later events and the new name's addresses have the new one alone."""
    gitops.rename("deploy")
    gitops.commit({"a": "b"}, "after")
    renamed, pushed = await told(client.sandbox, receiver)
    assert (renamed[0], renamed[1]["action"]) == ("repository", "renamed")
    assert renamed[1]["changes"] == {"repository": {"name": {"from": "gitops"}}}
    for _, payload in (renamed, pushed):
        assert (payload["repository"]["id"], payload["repository"]["full_name"]) == (gitops.id, "acme/deploy")
    for path in (NEW, f"/repositories/{gitops.id}"):
        assert (await client("GET", path)).data["full_name"] == "acme/deploy"
    assert (await client("GET", f"{NEW}/contents/a")).status == 200


async def test_graphql_finds_the_old_name(client: Client, gitops: Repository) -> None:
    """To read and to write."""
    gitops.rename("deploy")
    assert (await client.graphql(NAMED))["data"]["repository"]["nameWithOwner"] == "acme/deploy"
    made = await client.graphql(MUTATION, input=commit_input(gitops, "acme/gitops"))
    assert made["data"]["createCommitOnBranch"]["commit"]["oid"] == gitops.head()


async def test_a_name_that_is_free_again_leads_to_whoever_takes_it(client: Client, gitops: Repository) -> None:
    """A new repository ends the redirection; a name may come back; one in use is refused."""
    gitops.rename("deploy")
    taken = client.sandbox.create_repository("acme/gitops", {"a": "b"})
    assert (await client("GET", OLD)).data["id"] == taken.id
    with pytest.raises(ValueError, match="already has a repository 'acme/gitops'"):
        gitops.rename("gitops")
    taken.rename("other")
    gitops.rename("gitops")
    assert (await client("GET", OLD)).data["id"] == gitops.id
    gitops.rename("GitOps")
    assert (await client("GET", OLD)).data["full_name"] == "acme/GitOps"


async def test_the_old_name_tells_strangers_nothing(client: Client, gitops: Repository) -> None:
    """Who may not see a private repository is not redirected to it."""
    gitops.rename("deploy")
    for path in (OLD, NEW, f"/repositories/{gitops.id}"):
        assert (await client("GET", path, token="")).status == 404


async def test_a_restart_remembers_names_and_numbers(tmp_path: Path) -> None:
    """Old names, what is archived, and ids that were used are there again."""
    first = Sandbox(tmp_path)
    repo = first.create_repository("acme/gitops", {"a": "b"})
    repo.rename("deploy")
    repo.archive()
    first.create_repository("acme/gone").delete()
    first.close()
    again = Sandbox(tmp_path, app=first.app)
    found = again.find_repository("acme/gitops", former=True)
    assert found is not None
    assert (found.full_name, found.read("a"), found.archived) == ("acme/deploy", b"b", True)
    assert (again.find_repository("acme/gitops"), again.find_repository("acme/gone")) == (None, None)
    assert again.create_repository("acme/new").id == repo.id + 2
    again.close()


async def test_a_transferred_repository_is_gone_for_the_app(
    client: Client, gitops: Repository, receiver: Receiver
) -> None:
    """404 under both names and the id; the App hears that it lost it."""
    gitops.transfer("globex")
    for path in (OLD, "/repos/globex/gitops", f"/repositories/{gitops.id}"):
        assert (await client("GET", path)).status == 404
    assert (await client.graphql(NAMED))["errors"][0]["type"] == "NOT_FOUND"
    [(event, payload)] = await told(client.sandbox, receiver)
    assert (event, payload["action"]) == ("installation_repositories", "removed")
    assert [repo["id"] for repo in payload["repositories_removed"]] == [gitops.id]


async def test_the_app_keeps_what_goes_to_an_owner_it_serves_too(
    client: Client, gitops: Repository, receiver: Receiver
) -> None:
    """Another installation reaches it then; it is told from whom it came, and the old owner's token has lost it."""
    other = client.sandbox.create_repository("globex/site", {"a": "b"})
    await told(client.sandbox, receiver)
    gitops.transfer("globex")
    there, events = client.sandbox.installations["globex"].id, await told(client.sandbox, receiver)
    by_action = {payload["action"]: (payload["installation"]["id"], payload) for _, payload in events}
    numbers = {action: number for action, (number, _) in by_action.items()}
    assert (len(events), numbers) == (3, {"removed": 25669, "added": there, "transferred": there})
    assert by_action["transferred"][1]["changes"]["owner"]["from"]["organization"]["login"] == "acme"
    assert client.sandbox.installations["globex"].repositories() == [other, gitops]
    assert (await client("GET", f"/repositories/{gitops.id}")).status == 404


# -- archived and deleted


async def test_an_archived_repository_is_read_only(client: Client, gitops: Repository, receiver: Receiver) -> None:
    """Reads go on; every write is 403 in GitHub's words, by GraphQL an error inside; until it is unarchived."""
    gitops.archive()
    repo = (await client("GET", OLD)).data
    assert repo["archived"] is True
    writes = {
        ("PUT", f"{OLD}/contents/new"): {"message": "m", "content": ""},
        ("POST", f"{OLD}/git/refs"): {"ref": "refs/heads/new", "sha": gitops.head()},
        ("POST", f"{OLD}/check-runs"): {"name": "n", "head_sha": gitops.head()},
        ("POST", f"{OLD}/dispatches"): {"event_type": "e"},
    }
    for (method, path), body in writes.items():
        reply = await client(method, path, body)
        assert (reply.status, reply.data["message"]) == (403, "Repository was archived so is read-only.")
    assert (await client.graphql(NAMED))["data"]["repository"]["isArchived"] is True
    [error] = (await client.graphql(MUTATION, input=commit_input(gitops, "acme/gitops")))["errors"]
    assert (error["type"], error["message"]) == ("UNPROCESSABLE", "Repository was archived so is read-only")
    gitops.unarchive()
    taken = [(await client(method, path, body)).status for (method, path), body in writes.items()]
    assert taken == [201, 201, 201, 204]
    events = [(event, load["action"]) for event, load in await told(client.sandbox, receiver) if event == "repository"]
    assert events == [("repository", "archived"), ("repository", "unarchived")]


async def test_a_deleted_repository_is_gone(client: Client, gitops: Repository, receiver: Receiver) -> None:
    """It is told, then 404 by every name and by GraphQL; another one of its name has another id."""
    gitops.rename("deploy")
    gitops.delete()
    [_, (event, payload)] = await told(client.sandbox, receiver)
    assert (event, payload["action"], payload["repository"]["full_name"]) == ("repository", "deleted", "acme/deploy")
    for path in (OLD, NEW, f"/repositories/{gitops.id}"):
        assert (await client("GET", path)).status == 404
    assert (await client.graphql(NAMED))["errors"][0]["type"] == "NOT_FOUND"
    again = client.sandbox.create_repository("acme/deploy", {"a": "b"})
    assert (again.id > gitops.id, again.read("a")) == (True, b"b")


async def test_only_an_app_that_subscribes_hears_of_repositories(
    sandbox: Sandbox, gitops: Repository, receiver: Receiver
) -> None:
    """What happens to the installation comes all the same."""
    sandbox.app.events = ("repository_dispatch",)
    gitops.rename("deploy")
    gitops.archive()
    sandbox.installations["acme"].remove(gitops)
    assert [event for event, _ in await told(sandbox, receiver)] == ["installation_repositories"]


# -- the App


async def test_a_suspended_app_is_refused_until_it_is_unsuspended(client: Client, receiver: Receiver) -> None:
    """403 for its tokens by REST and GraphQL, and for new ones; it hears of both, and of nothing in between."""
    sandbox, installation = client.sandbox, client.sandbox.installations["acme"]
    installation.suspend()
    assert await sandbox.dispatch("acme/gitops", "unheard") is None
    refused = [
        await client("GET", OLD),
        await client("POST", "/graphql", {"query": NAMED}),
        await client("POST", f"/app/installations/{installation.id}/access_tokens", token=client.jwt()),
    ]
    for reply in refused:
        assert (reply.status, reply.data["message"]) == (403, "This installation has been suspended")
    assert (await client("GET", "/app/installations", token=client.jwt())).data[0]["suspended_at"] is not None
    installation.unsuspend()
    assert (await client("GET", OLD)).status == 200
    events = [(event, load["action"], load["installation"]["id"]) for event, load in await told(sandbox, receiver)]
    assert events == [("installation", "suspend", 25669), ("installation", "unsuspend", 25669)]


async def test_an_app_that_is_taken_off_knows_nothing_any_more(
    client: Client, gitops: Repository, receiver: Receiver
) -> None:
    """Its tokens are bad credentials and no new ones are to be had; a second installation has another id."""
    sandbox = client.sandbox
    sandbox.installations["acme"].delete()
    assert (await client("GET", OLD)).status == 401
    gone = [
        await client("POST", "/app/installations/25669/access_tokens", token=client.jwt()),
        await client("GET", f"{OLD}/installation", token=client.jwt()),
    ]
    assert [reply.status for reply in gone] == [404, 404]
    assert (await client("GET", "/app/installations", token=client.jwt())).data == []
    assert await sandbox.dispatch("acme/gitops", "unheard") is None
    again = sandbox.install("acme")
    client.token = await client.new_token()
    assert (await client("GET", OLD)).data["id"] == gitops.id
    deleted, created = await told(sandbox, receiver)
    assert (deleted[1]["action"], created[1]["action"], created[1]["installation"]["id"]) == (
        "deleted",
        "created",
        again.id,
    )
    for _, payload in (deleted, created):
        assert [repo["full_name"] for repo in payload["repositories"]] == ["acme/gitops"]
    assert again.id == 25670


async def test_the_app_can_be_installed_on_some(client: Client, gitops: Repository) -> None:
    """Only the chosen ones are reached; a name that is not there, or a second installation, is refused."""
    sandbox = client.sandbox
    sandbox.create_repository("globex/site", {"a": "b"}, installed=False)
    sandbox.create_repository("globex/shop", {"a": "b"}, installed=False)
    with pytest.raises(KeyError, match=r"no repository 'globex/none'; it has \['acme/gitops', 'globex/shop'"):
        sandbox.install("globex", "none")
    installation = sandbox.install("globex", "site")
    assert ([repo.name for repo in installation.repositories()], installation.selection) == (["site"], "selected")
    with pytest.raises(ValueError, match="installed on 'globex' already"):
        sandbox.install("globex")
    with pytest.raises(ValueError, match="acme/gitops is not a repository of globex"):
        installation.add(gitops)


async def test_repositories_are_added_and_removed(client: Client, gitops: Repository, receiver: Receiver) -> None:
    """What is removed is 404 and sends nothing; what is added is there for the tokens of all."""
    sandbox, installation = client.sandbox, client.sandbox.installations["acme"]
    installation.remove(gitops)
    assert (await client("GET", OLD)).status == 404
    assert (await client("GET", "/installation/repositories")).data["repositories"] == []
    gitops.commit({"a": "b"}, "unheard")
    installation.add(gitops)
    listed = (await client("GET", "/installation/repositories")).data
    ids = [repo["id"] for repo in listed["repositories"]]
    assert (listed["repository_selection"], ids) == ("selected", [gitops.id])
    removed, added = await told(sandbox, receiver)
    brief = {
        "id": gitops.id,
        "node_id": (await client("GET", OLD)).data["node_id"],
        "name": "gitops",
        "full_name": "acme/gitops",
        "private": True,
    }
    for (event, payload), action in ((removed, "removed"), (added, "added")):
        assert (event, payload["action"], payload["repository_selection"]) == (
            "installation_repositories",
            action,
            "selected",
        )
        lists = {"added": payload["repositories_added"], "removed": payload["repositories_removed"]}
        assert lists == {"added": [], "removed": [], action: [brief]}


async def test_what_concerns_no_single_repository_is_listed_among_the_deliveries(
    client: Client, receiver: Receiver
) -> None:
    """It has no repository id, and can be redelivered as any other."""
    client.sandbox.installations["acme"].suspend()
    await client.sandbox.webhooks.drained()
    [delivery] = (await client("GET", "/app/hook/deliveries", token=client.jwt())).data
    assert (delivery["event"], delivery["action"], delivery["repository_id"]) == ("installation", "suspend", None)
    await client("POST", f"/app/hook/deliveries/{delivery['id']}/attempts", token=client.jwt())
    first, again = await told(client.sandbox, receiver)
    assert first == again
