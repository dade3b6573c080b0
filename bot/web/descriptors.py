"""How many connections fit into the limit of open files, beside the other files that the process opens."""

from __future__ import annotations

import resource
from dataclasses import dataclass

# More would only cost memory: a webhook is answered in milliseconds.
MOST_CONNECTIONS = 512
# aiohttp's own default for a client.
MOST_GITHUB_CONNECTIONS = 100
# Connections to ADMIN_PORT: probes come one at a time.
ADMIN_CONNECTIONS = 16
# The event loop accepts this many connections at a time. Up to three times as many may be open for a moment before the
# surplus is closed.
ACCEPTED_AT_ONCE = 8

# Other open files: the database and its lock (a dozen during a checkpoint), the log, both listening sockets and the
# event loop (a dozen), mapping files, certificates.
_OTHER_FILES = 48
# Two pipes to each process that computes, and the files by which the event loop watches it.
_FILES_OF_PROCESS = 4
_FEWEST, _FEWEST_GITHUB = 8, 20


@dataclass(frozen=True, slots=True)
class Connections:
    """How many connections there may be at a time."""

    public: int
    """From outside, to PORT."""
    github: int
    """From the bot to GitHub."""


def share_out(open_files: int | None, wanted: int | None, processes: int) -> Connections:
    """Share out `open_files`, the limit of open files (None: no limit), beside `processes` child processes.

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
