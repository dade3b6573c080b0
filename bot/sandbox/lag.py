"""Replication: for a moment some of GitHub's servers do not know a token, an installation or a commit that was made.

Reports of it: github.com/octokit/auth-app.js/issues/65 and 589 (tokens), github.com/octokit/handbook/issues/8
(installations), github.com/atlassian/github-for-jira/issues/2618 (commits).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bot.sandbox.answers import Answer, ApiError, not_accessible, not_found
from bot.sandbox.chance import Odds, dice
from bot.sandbox.objects import ZERO

if TYPE_CHECKING:
    from bot.sandbox.call import Call
    from bot.sandbox.repository import Push, Repository
    from bot.sandbox.sandbox import Sandbox

# How a token is refused that is not known everywhere: as no token, as one that lacks permissions, as one that does not
# reach the repository.
AS = ("credentials", "permissions", "repository")

FRESH_KEPT = 10_000


@dataclass(kw_only=True)
class Late(Odds):
    """What lags, as often as the Odds say (always, if they do not).

    It does so for so many `requests` about it, or for `seconds` by the sandbox's clock.
    """

    times: int | None = None
    requests: int = 1
    seconds: float | None = None
    how: str | None = None


@dataclass
class _Fresh:
    """What is known only in part: requests that will not find it yet, or the time at which all do."""

    requests: int
    until: float | None
    how: str = ""
    before: str | None = None


class Lag:
    """Lets what is new lag. Nothing does until it is asked for; the dice are seeded with 0."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self._late: dict[str, list[Late]] = {}
        self._fresh: dict[object, _Fresh] = {}
        self._dice = dice(0)

    def seed(self, number: int) -> None:
        """Let the dice fall from now on as they always do for this number."""
        self._dice = dice(number)

    def heal(self) -> None:
        """Let everything be known everywhere, at once and from now on."""
        self._late.clear()
        self._fresh.clear()

    def tokens(self, how: str | None = None, **properties: Any) -> None:
        """Refuse installation tokens that were just made, as one of AS (None: as the dice say).

        Properties are those of `Late`, here and below. ValueError if there is no such way to refuse.
        """
        if how not in {None, *AS}:
            raise ValueError(f"a fresh token is refused as one of {AS}, not {how!r}")
        self._add("token", Late(how=how, **properties))

    def installations(self, **properties: Any) -> None:
        """Answer 404 to who asks for a token of an installation that was just made."""
        self._add("installation", Late(**properties))

    def commits(self, **properties: Any) -> None:
        """Have no commit, for check runs and comparisons, that a branch was just moved to."""
        self._add("commit", Late(**properties))

    def refs(self, **properties: Any) -> None:
        """Let who reads a branch that just moved see where it was before; writes look at where it is."""
        self._add("ref", Late(**properties))

    def _add(self, kind: str, late: Late) -> None:
        self._late.setdefault(kind, []).append(late)

    # -- what is made

    def made(self, kind: str, key: object, before: str | None = None) -> None:
        """Note a token, an installation, a commit or a ref that is new, with what is seen instead of it."""
        for late in self._late.get(kind, ()):
            if late.strikes(self._dice):
                until = None if late.seconds is None else self.sandbox.clock() + late.seconds
                how = late.how or (self._dice.choice(AS) if kind == "token" else "")
                while len(self._fresh) >= FRESH_KEPT:  # some are never asked for again
                    del self._fresh[next(iter(self._fresh))]
                self._fresh[kind, key] = _Fresh(late.requests, until, how, before)

    def pushed(self, repo: Repository, push: Push) -> None:
        """Note a branch that moved, and the commit it moved to."""
        if push.after != ZERO:
            self.made("commit", (repo.id, push.after))
        self.made("ref", (repo.id, push.ref), push.before)

    # -- what is seen

    def _hidden(self, kind: str, key: object) -> _Fresh | None:
        """Give what is not known yet, one request less; None for what is."""
        fresh = self._fresh.get((kind, key))
        if fresh is None:
            return None
        if fresh.until is not None:
            if self.sandbox.clock() < fresh.until:
                return fresh
        elif fresh.requests > 0:
            fresh.requests -= 1
            return fresh
        del self._fresh[kind, key]
        return None

    def refusal(self, call: Call, needs: str) -> Answer | None:
        """Give the refusal of a request whose token is too fresh, None if it may go on; `needs` as in `Route`."""
        fresh = self._hidden("token", call.headers.get("Authorization", "").partition(" ")[2])
        if fresh is None:
            return None
        if fresh.how == "credentials":
            raise ApiError(401, "Bad credentials")
        if call.is_graphql:
            return _graphql(call, fresh.how)
        raise not_accessible(needs, call.grant) if fresh.how == "permissions" else not_found()

    def hides_installation(self, number: int) -> bool:
        """Say whether an installation is not there yet for this request."""
        return self._hidden("installation", number) is not None

    def hides_commit(self, repo: Repository, oid: str) -> bool:
        """Say whether a commit is not there yet for this request."""
        return self._hidden("commit", (repo.id, oid)) is not None

    def ref(self, call: Call, repo: Repository, name: str) -> str | None:
        """Give the oid that a reader of a ref sees, the same one for a whole request; None if there is no such ref."""
        key = (repo.id, name)
        if key not in call.seen:
            fresh = self._hidden("ref", key)
            call.seen[key] = repo.ref(name) if fresh is None else fresh.before
        oid = call.seen[key]
        return None if oid == ZERO else oid


def _graphql(call: Call, how: str) -> Answer:
    """Write what GraphQL answers to a token that may not, or does not reach, what is asked for."""
    field = "createCommitOnBranch" if call.is_mutation else "repository"
    error = {"type": "FORBIDDEN", "path": [field], "message": "Resource not accessible by integration"}
    if how == "repository":
        variables = call.body.get("variables") or {}
        name = f"{variables.get('owner')}/{variables.get('name')}"
        error |= {"type": "NOT_FOUND", "message": f"Could not resolve to a Repository with the name '{name}'."}
    return Answer(200, {"data": {field: None}, "errors": [error]})
