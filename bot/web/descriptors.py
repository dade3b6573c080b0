"""How many connections fit into the limit of open files, beside what else the process opens."""

from __future__ import annotations

import resource
from dataclasses import dataclass

# More would only cost memory: a webhook is answered in milliseconds.
MOST_CONNECTIONS = 512
# aiohttp's own default for a client.
MOST_GITHUB_CONNECTIONS = 100
# Of probes and metrics, on ADMIN_PORT.
ADMIN_CONNECTIONS = 16
# The event loop accepts so many connections at a time, and may have three times as many open before it can close
# those that are too many.
ACCEPTED_AT_ONCE = 8

# The database and its lock (a dozen while they are tidied up), the log, both listening sockets and the event loop (a
# dozen), mapping files and certificates.
_OTHER_FILES = 48
# Pipes, and what the event loop watches a child process with.
_FILES_OF_PROCESS = 4
_FEWEST, _FEWEST_GITHUB = 8, 20


@dataclass(frozen=True, slots=True)
class Connections:
    """How many connections there may be at a time."""

    # From outside, on PORT.
    public: int
    # To GitHub.
    github: int


def share_out(open_files: int | None, wanted: int | None, processes: int) -> Connections:
    """Share out a limit of open files (None: there is none) beside so many child processes.

    `wanted` is MAX_CONNECTIONS, None if it is not set.
    """
    if open_files is None:
        return Connections(wanted or MOST_CONNECTIONS, MOST_GITHUB_CONNECTIONS)
    github = max(_FEWEST_GITHUB, min(MOST_GITHUB_CONNECTIONS, open_files // 4))
    others = _OTHER_FILES + _FILES_OF_PROCESS * processes
    left = open_files - others - github - ADMIN_CONNECTIONS - 3 * ACCEPTED_AT_ONCE
    return Connections(max(_FEWEST, min(wanted or MOST_CONNECTIONS, left)), github)


def limit_of_open_files() -> int | None:
    """Return how many files this process may have open (`ulimit -n`), None if there is no limit."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return None if soft == resource.RLIM_INFINITY else soft
