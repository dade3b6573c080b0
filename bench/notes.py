"""What stands around the table: the machine it was measured on, and what its words mean."""

from __future__ import annotations

import os
import platform
import subprocess

from bench import others

CLONE, PEER = "git clone, edit, push", "gitops-image-replacer"

NOTES = f"""\
Times run from the webhook's leaving the sandbox to the branch's having moved, and requests are
counted until then: without the check run that follows, and without the look for missed webhooks
that a bot takes beside all else when it starts. The sandbox's own work is in all of them;
at 0 ms it is the better part. p99 is the largest where n is below 100.

cold         a process just started: no token, no caches
cold*        the same runs from the token's arrival on
round trips  requests that waited for one another
/ latency    what the round trips would be by the clock, with all work in between
/ clone      beside: {CLONE}; shallow, the credentials sent at once
/ peer       beside: {PEER} 1.1.2 --apply --api SANDBOX, for what it can do too
the edit     lines that differ after one new tag; the file names the image once, and once another
             whose name begins alike
load         dispatches to one repository, straight to the bot at planned times, none waiting for
             the answer to another; bot, sandbox and load have a process each. So many a second: by
             the bot's default quotas, the sandbox refusing what GitHub would. To 200 branches: at
             once, no limits on either side. Only "in rhythm" and the fleet have the default
             RHYTHM_INTERVAL; it is 0 wherever else a pace is measured. Each dispatch is looked for
             in the commits afterwards, and the last one of each branch in the file
answers      from a webhook's sending to its 202; sent late: 99 % were sent so late, or less
superseded   in no commit, as a newer one had come in before
refused      by the sandbox's limits, or beyond the points a minute that GitHub gives
landed       all of them, from the first one's sending, and from the last one's answer
fleet        dispatches to so many repositories by default settings, the sandbox refusing what
             GitHub would: an installation may write 80 times a minute and 500 times an hour. CPU of
             the bot and all that it started
beyond the rhythm
             pushes that came a second or more before the rhythm of their repository allows
repository size
             one dispatch at a time, at 50 ms latency, the sandbox in a process of its own; the MB
             are files of 1 MB that do not shrink
listings     requests for a tree; **: a glob that could match anywhere
memory       the bot's, after as many dispatches in each repository; more: than in the small one,
             and of ** its peak beside the peak with literal paths
clone        {CLONE} in the same repository; times ours: divided by the p50 of warm
neighbours   one dispatch at a time to a repository of one installation, first quiet, then while the
             repositories of another one are hostile in one way or in all: patterns each just below
             its limit, a mapping file with unknown names, a dispatch that changes many files on
             many branches, slow globs, names in the payload that resemble each other. Each hostile
             repository gets its next dispatch as soon as its last one has ended
times quiet  the p50 of the dispatches divided by the quiet one
by …         how many hostile dispatches of this kind were sent by then, and how they ended
how they ended
             pending: the time was over (n tells how many were sent); such a dispatch counts in the
             times above it with the seconds that it had waited
healthz      asked every 50 ms, whether or not the last one was answered; no answer counts as 10 s
memory       of the bot and all that it started; what they share counts once. Left are those that
             still run after its exit
SIGTERM to exit
             60 s: it did not exit within that time, and was killed
footprint    of several starts; idle memory is the least of them
editing      bytes in, one tag in the middle set, bytes out: beside the round trip of ruamel.yaml
             and the load and dump of PyYAML (libyaml), in turns on the same files
times ours   their p50 divided by ours
globs        cold from their text, warm compiled; what they match at a commit is kept

Both others of the dispatches are timed from the start of their first program."""


def machine() -> str:
    """Tell what the figures hang on: processors, system, Python, git."""
    git = others.git()
    said = "no git"
    if git:
        command = [git, "--version"]
        said = subprocess.run(command, capture_output=True, text=True, check=True).stdout  # noqa: S603 - no input
    system = f"{os.cpu_count()} cores, {platform.system()} {platform.machine()}"
    return f"{system}, Python {platform.python_version()}, {said.strip().replace('git version', 'git')}"
