"""Races that are lost, in each of the words that GitHub has for them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from sandbox_ends import b64

from bot.sandbox.races import CONTENTS, GRAPHQL, REF, WORDINGS, Lost, Races

if TYPE_CHECKING:
    from sandbox_ends import Client

    from bot.sandbox import Repository

REPO = "/repos/acme/gitops"
MUTATION = "mutation M($input: CreateCommitOnBranchInput!) { createCommitOnBranch(input: $input) { commit { oid } } }"


async def lose(client: Client, repo: Repository, way: str) -> tuple[str | int, str]:
    """Be slower than a person, who changes another file; give type or status, and the sentence."""
    head = repo.head()
    if way == GRAPHQL:
        repo.commit_before_next_write({"other": "theirs"})
        asked: dict[str, Any] = {
            "branch": {"repositoryNameWithOwner": repo.full_name, "branchName": "main"},
            "expectedHeadOid": head,
            "message": {"headline": "m"},
            "fileChanges": {"additions": [{"path": "a", "contents": b64("x")}]},
        }
        [error] = (await client.graphql(MUTATION, input=asked))["errors"]
        return error.get("type", ""), error["message"]
    if way == CONTENTS:
        repo.commit_before_next_write({"other": "theirs"})
        reply = await client("PUT", f"{REPO}/contents/a", {"message": "m", "content": b64("x")})
    else:
        body = {"message": "m", "tree": repo.tree_of(head), "parents": [head]}
        made = (await client("POST", f"{REPO}/git/commits", body)).data["sha"]
        repo.commit_before_next_write({"other": "theirs"})
        reply = await client("PATCH", f"{REPO}/git/refs/heads/main", {"sha": made})
    return reply.status, reply.data["message"]


@pytest.mark.parametrize("name", WORDINGS)
async def test_a_lost_race_is_told_in_the_words_that_were_chosen(client: Client, gitops: Repository, name: str) -> None:
    """They name the branch, where it is and where it was expected; nothing of the loser's is there."""
    client.sandbox.races.word(name)
    wording, expected = WORDINGS[name], gitops.head()
    told = await lose(client, gitops, wording.way)
    assert told == (wording.kind, wording.told(Lost("refs/heads/main", gitops.head(), expected)))
    assert [entry.message for entry in gitops.log()] == ["A person was faster", "Initial commit"]


async def test_without_a_choice_the_contents_api_minds_the_file_alone(client: Client, gitops: Repository) -> None:
    """A branch that moved under a request for another file is no race then."""
    client.sandbox.races.word()
    client.sandbox.races.heal()
    gitops.commit_before_next_write({"other": "theirs"})
    reply = await client("PUT", f"{REPO}/contents/a", {"message": "m", "content": b64("x")})
    assert (reply.status, gitops.read("other")) == (201, b"theirs")


async def test_what_loses_no_race_is_written_whatever_was_chosen(client: Client, gitops: Repository) -> None:
    """The words are for those who were slower."""
    client.sandbox.races.word()
    assert (await client("PUT", f"{REPO}/contents/a", {"message": "m", "content": b64("x")})).status == 201
    assert gitops.read("a") == b"x"


def test_dice_choose_among_the_words_the_same_way_for_a_seed() -> None:
    """All come up for each way, and only those of it."""
    runs = []
    for seed in (1, 1, 2):
        races = Races()
        races.word()
        races.seed(seed)
        runs.append([races.lost(way) for _ in range(100) for way in (GRAPHQL, CONTENTS, REF)])
    assert runs[0] == runs[1] != runs[2]
    assert set(runs[0]) == set(WORDINGS.values())
    assert {wording.way for wording in runs[0][::3]} == {GRAPHQL}


def test_an_unknown_wording_names_the_known_ones() -> None:
    """It is refused before anything is chosen."""
    with pytest.raises(ValueError, match=r"no wording .*lost.*: there are .*stale data"):
        Races().word("lost")
