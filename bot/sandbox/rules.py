"""Rules that a repository's owner sets for its branches and for all pushes, and how each way to write is refused."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from bot.sandbox.answers import ApiError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from bot.sandbox.objects import Entry
    from bot.sandbox.repository import Repository

VIOLATION = "Repository rule violations found"
# A branch's rules look at every change of it:
# https://docs.github.com/en/repositories/configuring-branches-and-merges-in-your-repository/managing-rulesets/available-rules-for-rulesets
# The sentences are quoted in github.com/satisfactory-factories/application/issues/67 (pull request),
# github.com/anza-xyz/kit/pull/94 (merge queue), github.com/47degrees/sbt-org-policies/issues/263 (status checks),
# github.com/az-digital/arizona-bootstrap/issues/1524 (push restriction) and github.com/vercel/sandbox/pull/169
# (signatures).
BRANCH_RULES = {
    "pull request": "Changes must be made through a pull request.",
    "merge queue": "Changes must be made through the merge queue",
    "status checks": "3 of 3 required status checks are expected.",
    "signatures": "Commits must have verified signatures.",
    "lock": "Cannot change this locked branch",
    "push restriction": "You're not authorized to push to this branch. Visit https://docs.github.com/repositories/"
    "configuring-branches-and-merges-in-your-repository/managing-protected-branches/about-protected-branches for more "
    "information.",
}
# Push rules look at the files of every change, on whatever branch. That a path is restricted is quoted in
# github.com/renovatebot/renovate/pull/44819; of sizes and extensions no answer was found, so these follow it.
PUSH_RULES = {
    "file path": "File path is restricted",
    "file extension": "File extension is restricted",
    "file size": "File size exceeds the limit",
    "secret scanning": "Secret detected in content",
}
# Two of the forms that GitHub finds secrets by; a name of either is what tests write.
SECRET = re.compile(rb"\bgh[pousr]_[A-Za-z0-9]{36}\b|\bAKIA[0-9A-Z]{16}\b")


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule by its kind, a key of BRANCH_RULES or PUSH_RULES; ValueError names the kinds.

    `classic` is one of a branch protection rule: the others are of rulesets. `value` is what a push rule forbids:
    a pattern of paths, an extension without dot, or the largest size in bytes.
    """

    kind: str
    classic: bool = False
    value: str | int = ""

    def __post_init__(self) -> None:
        if self.kind not in BRANCH_RULES and self.kind not in PUSH_RULES:
            raise ValueError(f"the sandbox has no rule {self.kind!r}: there are {[*BRANCH_RULES, *PUSH_RULES]}")

    @property
    def sentence(self) -> str:
        """What GitHub says of a change that it refuses."""
        return BRANCH_RULES.get(self.kind) or PUSH_RULES[self.kind]

    @property
    def restricts_pushers(self) -> bool:
        """Whether it is about who pushes, which GitHub answers as a lack of permission."""
        return self.kind == "push restriction"

    def rest(self, *, of_file: bool) -> ApiError:
        """Give the refusal of a Contents write (`of_file`), or of a ref's update.

        A ruleset's reads the same at both. github.com/dependabot/dependabot-core/pull/1790 has the 403.
        """
        if self.restricts_pushers:
            return ApiError(403, self.sentence)
        status = 409 if of_file else 422
        if not self.classic:
            return ApiError(status, self.violation)
        return ApiError(status, f"Could not update file: {self.sentence}" if of_file else self.sentence)

    @property
    def violation(self) -> str:
        """A ruleset's sentence: what happened, a blank line, the rule, and GitHub's blank line at the end."""
        return f"{VIOLATION}\n\n{self.sentence}\n\n"

    @property
    def graphql(self) -> tuple[str, str]:
        """Type and message of the mutation's error.

        A classic rule's type was recorded in github.com/dhslegen/skillsync (tests/fixtures/github-write); that a
        ruleset's is another is told in github.com/Thinkmill/keystatic/issues/1598, which does not quote it.
        """
        if self.restricts_pushers:
            return "FORBIDDEN", self.sentence
        if self.classic:
            return "BRANCH_PROTECTION_RULE_VIOLATION", self.sentence
        return "UNPROCESSABLE", self.violation

    def refuses(self, repo: Repository, path: str, entry: Entry) -> bool:
        """Say whether a push rule refuses a file that a commit brings."""
        if self.kind == "file path":
            return fnmatchcase(path, str(self.value))
        if self.kind == "file extension":
            return path.endswith(f".{self.value}")
        if self.kind == "file size":
            return (entry.size or 0) > int(self.value)
        return entry.type == "blob" and SECRET.search(repo.blob(entry.oid)) is not None

    def state(self) -> dict[str, Any]:
        """Give what is remembered of it: JSON data."""
        return asdict(self)


def read(saved: Mapping[str, Any] | str) -> Rule:
    """Give the rule that `Rule.state` wrote, or the one word of older sandboxes."""
    return Rule("pull request", classic=saved == "classic") if isinstance(saved, str) else Rule(**saved)


def of_branch(repo: Repository, branch: str) -> Rule | None:
    """Give the first rule that refuses every change of a branch, whatever is in it."""
    return next((rule for rule in repo.protected.get(branch, ()) if rule.kind != "signatures"), None)


def of_commit(repo: Repository, branch: str, before: str | None, oid: str) -> Rule | None:
    """Give the first rule that refuses a commit for what it is: unsigned, or with a file that no push may bring."""
    for rule in repo.protected.get(branch, ()):
        if rule.kind == "signatures" and not all(is_signed(repo, new) for new in _new(repo, before, oid)):
            return rule
    files = [after for _, after in repo.changes(before, oid) if after]
    for rule in repo.push_rules:
        if any(rule.refuses(repo, file.path, file) for file in files):
            return rule
    return None


def _new(repo: Repository, before: str | None, oid: str) -> Iterator[str]:
    return repo.history(oid, without=[before] if before else [])


def is_signed(repo: Repository, oid: str) -> bool:
    """Say whether GitHub signed a commit: it does where the App commits in its own name.

    https://docs.github.com/en/authentication/managing-commit-signature-verification/about-commit-signature-verification#signature-verification-for-bots
    """
    bot, commit = repo.sandbox.app.bot, repo.commit_object(oid)
    people: tuple[bytes, bytes] = (commit.author, commit.committer)
    return people == (f"{bot.name} <{bot.email}>".encode(), b"GitHub <noreply@github.com>")
