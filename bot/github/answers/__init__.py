"""What each answer of GitHub means: which error it is, and what to do about it.

No IO in here. Sentences decide before statuses do, as one status has many reasons: `refusals` has those of access,
`rules` those of a commit, `pauses` the limits, `wire` what is no answer of GitHub's at all, and `connections` why none
came. `reading` makes sure that an answer has the shape that GitHub documents.
"""

from __future__ import annotations

from bot.github.answers.connections import no_connection
from bot.github.answers.kinds import (
    LIMITED,
    Limited,
    NoField,
    NoGraphQL,
    NotFound,
    QueryTooLarge,
    RequestTooLarge,
)
from bot.github.answers.pauses import is_limited, is_query_limited, pause_of
from bot.github.answers.reading import UNREADABLE, errors_of, oid, readable, said, seconds_of, tree_of
from bot.github.answers.refusals import app_refusal, query_error, refusal
from bot.github.answers.rules import commit_refusal, mutation_refusal, too_large
from bot.github.answers.wire import fault, host

__all__ = [
    "LIMITED",
    "UNREADABLE",
    "Limited",
    "NoField",
    "NoGraphQL",
    "NotFound",
    "QueryTooLarge",
    "RequestTooLarge",
    "app_refusal",
    "commit_refusal",
    "errors_of",
    "fault",
    "host",
    "is_limited",
    "is_query_limited",
    "mutation_refusal",
    "no_connection",
    "oid",
    "pause_of",
    "query_error",
    "readable",
    "refusal",
    "said",
    "seconds_of",
    "too_large",
    "tree_of",
]
