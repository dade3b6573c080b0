"""Refusals of a commit: the branch moved, a rule of GitHub's forbids it, or it has nothing to do with the commit.

One status has all of these meanings, and only the sentence tells them apart. If the sentence is not known, the caller
reads the head of the branch: only if the branch did not move is it a rule that refuses.

https://docs.github.com/en/repositories/configuring-branches-and-merges-in-your-repository/managing-rulesets/available-rules-for-rulesets
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

from bot.errors import Blocked, StaleHead, Transient
from bot.github.answers.reading import kind_of, said
from bot.github.answers.refusals import access_refusal, is_empty, query_error, refusal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bot.errors import PointsmanError

# Words that say for certain that the branch, or the file, is not as it was read. The last but one is the answer to a
# new file that somebody else made meanwhile, the last to a branch that is gone.
_STALE = re.compile(
    r"\bis at \S+ but expected\b|but expected [0-9a-f]{7,64}|does not match [0-9a-f]{40}|not a fast[ -]forward"
    r"|non-fast-forward|expected branch to point to|\"sha\" wasn't supplied|reference does not exist",
    re.IGNORECASE,
)
# Another server of GitHub's made the object a moment ago.
_NOT_YET = re.compile(r"(?:tree|parent|commit|blob) sha does not exist|object does not exist", re.IGNORECASE)

# The statuses of the REST API, and the types of GraphQL, with which a commit is refused for its content or by a rule.
_STATUSES = frozenset({409, 422, 423})
_KINDS = frozenset({"UNPROCESSABLE", "BRANCH_PROTECTION_RULE_VIOLATION"})

_BYPASS = "let the App bypass the rule, or take the branch out of it"


class _Rule(NamedTuple):
    """What words of GitHub's mean. `of_part`: the rule is about values and files, not about the branch."""

    words: re.Pattern[str]
    remedy: str
    of_part: bool = False


def _rule(words: str, remedy: str = _BYPASS, *, of_part: bool = False) -> _Rule:
    return _Rule(re.compile(words, re.IGNORECASE), remedy, of_part)


_RULES = (
    _rule(
        r"secrets? (?:was |were )?(?:detected|found|scanning)|(?:contains?|detected|found) (?:\w+ )?secrets?"
        r"|push protection",
        "it takes part of the change for a secret: look at the value",
        of_part=True,
    ),
    _rule(
        r"not authorized to push|not allowed to push|restricts? who can push|push restrictions?\b",
        "let the App push to the branch: add it to those who may",
    ),
    _rule(r"merge queue", "let the App bypass the merge queue, or take the branch out of it"),
    _rule(
        r"verified signatures?|signed commits?|must be signed|signature",
        "leave `author` and `committer` out of the mapping file's `commit`, so that GitHub signs it",
    ),
    _rule(r"branch is locked|locked branch|\bis locked\b", "unlock the branch, or send the change to another one"),
    _rule(
        r"without `?workflows?`? permission",
        "the App asks for no permission to write workflows: leave the file out of the rules",
        of_part=True,
    ),
    _rule(
        r"file path|file name|file extension|file size|path length|restricted (?:file|path)|larger than"
        r"|exceeds [^.]*size",
        "a ruleset for pushes does not take such a file: let the App bypass it, or leave the file out of the rules",
        of_part=True,
    ),
    _rule(
        r"commit message|author email|committer email|email address|regex pattern|branch name",
        "the mapping file's `commit` must be as the rule wants it, or let the App bypass the rule",
    ),
    _rule(
        r"pull request|status checks?|required checks?|expected checks?|approving review|review is required|code owner"
        r"|deployment|linear history|merge commit|code scanning|code quality|conversation|cannot update this protected"
        r"|cannot (?:create|delete) this protected|protected ref|push declined"
    ),
)
# Words that say that a rule refuses, and not which one. The sentences of rulesets begin with such a line.
_SOME_RULE = _rule(r"rule violation|protected branch|branch protection|violates? [^.]*rule")


def commit_refusal(status: int, sentence: str, headers: Mapping[str, str] | None = None) -> PointsmanError:
    """Return the error for a 4xx answer of the REST API to a request that makes a commit, or a part of it.

    Blocked is certain only if the branch did not move.
    """
    sentence = said(sentence)
    if status in {401, 404, 406} or is_empty(status, sentence):
        return refusal(status, sentence, headers)
    if _NOT_YET.search(sentence):
        return Transient(f"GitHub answered {status}: {sentence}")
    known = _known(sentence, headers)
    if known is not None:
        return known
    return _blocked(sentence) if status in _STATUSES else refusal(status, sentence, headers)


def mutation_refusal(error: Mapping[str, Any]) -> PointsmanError:
    """Return what an error of `createCommitOnBranch` means. GitHub documents no list of its types.

    Blocked is certain only if the branch did not move. After Transient the commit may have landed.
    """
    kind, sentence = kind_of(error), said(error.get("message"))
    if kind == "STALE_DATA":
        return StaleHead(sentence)
    if kind == "NOT_FOUND":
        return query_error(error)
    known = _known(sentence, None)
    if known is not None:
        return known
    return _blocked(sentence) if kind in _KINDS else query_error(error)


def too_large(error: PointsmanError) -> Blocked:
    """Return the error for a commit whose request is too large."""
    return Blocked(f"GitHub refuses the commit: {error}; change fewer or smaller files at a time", of_part=True)


def _known(sentence: str, headers: Mapping[str, str] | None) -> PointsmanError | None:
    """Return what the words say by themselves, None if they are not known."""
    if _STALE.search(sentence):
        return StaleHead(sentence)
    # Names of organizations and files stand in these sentences, so what is said of access goes before.
    access = access_refusal(sentence, headers)
    return access if access is not None or not _named(sentence) else _blocked(sentence)


def _named(sentence: str) -> list[_Rule]:
    """Return the rules that a sentence names, or that it names some rule; nothing if it names none."""
    named = [rule for rule in _RULES if rule.words.search(sentence)]
    return named or ([_SOME_RULE] if _SOME_RULE.words.search(sentence) else [])


def _blocked(sentence: str) -> Blocked:
    # A ruleset's comes in paragraphs: what happened, and which rules.
    first, *rules = [line.strip().removesuffix(".") for line in sentence.splitlines() if line.strip()] or [""]
    told = f"{first}: {', '.join(rules)}" if rules else first
    named = _named(sentence)
    remedies = dict.fromkeys(rule.remedy for rule in named)
    of_part = bool(named) and all(rule.of_part for rule in named)
    return Blocked("; ".join([f"GitHub refuses the commit: {told}", *remedies]), doubtful=not named, of_part=of_part)
