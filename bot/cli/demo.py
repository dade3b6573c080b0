"""`pointsman demo`: the main job on embedded defaults, to be watched."""

from __future__ import annotations

import asyncio
import json
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bot.printable import printable, printable_line

if TYPE_CHECKING:
    import aiohttp
    from aiohttp import web
    from rich.console import Console

    from bot.sandbox import Repository, Sandbox

MAPPINGS = """\
version: 1
mappings:
  - name: dev
    when: { docker_image_tag: '.*-dev' }
    update:
      - files: environments/dev/values.yaml
        set:
          image.tag: ${{ docker_image_tag }}

  - name: prod
    when: { docker_image_tag: '.*-stable' }
    update:
      - files: '**/prod/values.yaml'
        regex: 'tag: "(?<docker_image_tag>.*)"'

commit:
  message: "Branch ${{ git_branch }} led to updated Docker image '${{ docker_image_tag }}': ${{ commit_message }}"
"""

VALUES = """\
# The shop in {environment}.
replicas: {replicas}

image:
  repository: ghcr.io/acme/shop
  tag: "{tag}"        # set by Pointsman

ingress:
    host: shop.{environment}.example.com
"""

FILES = {
    ".github/pointsman.yaml": MAPPINGS,
    "environments/dev/values.yaml": VALUES.format(environment="dev", replicas=1, tag="1.4.1-dev"),
    "environments/prod/values.yaml": VALUES.format(environment="prod", replicas=3, tag="1.3.0-stable"),
}

# A word is misspelt, as it happens.
BROKEN = MAPPINGS.replace("    update:\n", "    updaet:\n", 1)

EVENT_TYPE = "update-gitops-repo"
WAIT_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class Scene:
    """One dispatch and how it should end."""

    title: str
    payload: dict[str, str]
    state: str
    path: str = ""


SCENES = (
    Scene(
        "A development build: only the dev environment is meant",
        {"git_branch": "develop", "docker_image_tag": "1.4.2-dev", "commit_message": "Round prices"},
        "committed",
        "environments/dev/values.yaml",
    ),
    Scene(
        "A stable build: production, found by a glob, changed by a regex",
        {"git_branch": "main", "docker_image_tag": "1.4.0-stable", "commit_message": "Release 1.4.0"},
        "committed",
        "environments/prod/values.yaml",
    ),
    Scene(
        "A build while the mapping file is broken: nothing is written",
        {"git_branch": "develop", "docker_image_tag": "1.4.3-dev", "commit_message": "Add a cart"},
        "failed",
    ),
)


def demo(
    once: Annotated[
        bool, typer.Option("--once", help="End after the dispatches; exit 0 only if all ended as they should.")
    ] = False,
    directory: Annotated[
        Path | None, typer.Option("--directory", "-d", help="Keep the demo's files here; default: a temporary folder.")
    ] = None,
    port: Annotated[
        int, typer.Option("--port", "-p", min=0, max=65535, metavar="PORT", help="The sandbox's port; 0: any.")
    ] = 0,
) -> None:
    """Run a sandbox, the bot and a sample GitOps repository, send real dispatches, and show what comes of them.

    Example: `pointsman demo --once`
    """
    from bot.cli.extras import make_folder, require_sandbox

    require_sandbox()
    if directory is not None:
        make_folder(directory)
        good = asyncio.run(_run(directory, port, once))
    else:
        with tempfile.TemporaryDirectory(prefix="pointsman-demo-") as temporary:
            good = asyncio.run(_run(Path(temporary), port, once))
    raise typer.Exit(0 if good else 1)


async def _run(directory: Path, port: int, once: bool) -> bool:
    import aiohttp
    from rich.console import Console

    from bot import app, settings, telemetry
    from bot.cli.extras import end_on_sigterm, listen_error
    from bot.sandbox import Sandbox

    end_on_sigterm()
    console = Console(highlight=False, markup=False, emoji=False, soft_wrap=True)
    github = Sandbox(directory / "github")
    repository = github.find_repository("acme/gitops")
    if repository is None:
        repository = github.create_repository("acme/gitops", FILES)
    else:
        repository.commit(FILES, "Start the demo over")
    try:
        url = await github.start(port=port)
    except OSError as error:
        raise listen_error(port, error) from error
    loaded = settings.load(
        {
            "APP_ID": str(github.app.id),
            "PRIVATE_KEY": github.app.private_key,
            "WEBHOOK_SECRET": github.app.webhook_secret,
            "GITHUB_API_URL": url,
            "DATABASE_URL": f"sqlite:///{directory / 'pointsman.db'}",
            "HOST": "127.0.0.1",
            "PORT": "0",
            "ADMIN_PORT": "0",
            # Whoever plays with it sends more than a team does, and wants to see each commit at once.
            "RHYTHM_INTERVAL": "0",
        }
    )
    telemetry.configure("error", "text")
    try:
        async with app.serving(loaded) as bot:
            github.webhook_url = f"http://{bot.addresses[0]}/webhook"
            console.print("Pointsman demo", style="bold")
            console.print(
                f"GitHub look-alike: {url}\nThe bot:           {github.webhook_url}\nRepository:        acme/gitops"
            )
            console.print(f"Git objects:       {repository.path}\n")
            async with aiohttp.ClientSession() as session:
                good = await _scenes(console, github, repository, bot.application, session)
                if not once:
                    await _stay(console, github, repository)
    finally:
        await github.stop()
    return good


async def _scenes(
    console: Console,
    github: Sandbox,
    repository: Repository,
    application: web.Application,
    session: aiohttp.ClientSession,
) -> bool:
    good = True
    for number, scene in enumerate(SCENES, start=1):
        console.rule(f"{number}. {scene.title}", align="left", style="dim")
        if scene.state == "failed":
            repository.commit({".github/pointsman.yaml": BROKEN}, "Tidy the mappings up")
        console.print(f"dispatch {EVENT_TYPE} {json.dumps(scene.payload)}", style="dim")
        before = repository.head()
        url = f"{github.url}/repos/{repository.full_name}/dispatches"
        body = {"event_type": EVENT_TYPE, "client_payload": scene.payload}
        async with session.post(url, json=body, headers={"authorization": f"Bearer {github.user_token}"}) as answer:
            answer.raise_for_status()
        await github.webhooks.drained()
        delivery = _last_dispatch(github)
        state = await _ended(application, delivery)
        await _show(console, repository, await _check_run(repository, delivery))
        as_expected = state == scene.state and _wrote(repository, before) == ([scene.path] if scene.path else [])
        if not as_expected:
            console.print(f"This should have ended as {scene.state}.", style="bold red")
        good = good and as_expected
    repository.commit({".github/pointsman.yaml": MAPPINGS}, "Fix the mappings")
    console.rule(style="dim")
    return good


def _wrote(repository: Repository, before: str) -> list[str]:
    """Return the paths that changed since the commit `before`, in the commits that followed."""
    paths: list[str] = []
    for commit in repository.log():
        if commit.oid == before:
            break
        paths += commit.paths
    return paths


def _last_dispatch(github: Sandbox) -> str:
    return next(one.guid for one in reversed(github.webhooks.deliveries) if one.event == "repository_dispatch")


async def _ended(application: web.Application, delivery: str) -> str:
    """Wait until a delivery has ended, and return how."""
    from bot.web import keys

    # Asked from outside, as a person would look: there is no event of it to wait for.
    async with asyncio.timeout(WAIT_SECONDS):
        while (state := await application[keys.INBOX].state(delivery)) in {None, "pending"}:
            await asyncio.sleep(0.02)
    return str(state)


async def _check_run(repository: Repository, delivery: str) -> dict[str, Any]:
    """Wait for the check run that tells of a delivery, which those that share a commit share, and return it."""
    async with asyncio.timeout(WAIT_SECONDS):
        while True:
            told = [run for run in repository.runs if delivery in run["output"]["summary"]]
            if told:
                return told[-1]
            await asyncio.sleep(0.02)


async def _show(console: Console, repository: Repository, run: dict[str, Any]) -> None:
    from bot.cli.local import print_diff

    output = run["output"]
    committed = run["conclusion"] == "success"
    if committed:
        commit = next(commit for commit in repository.log() if commit.oid == run["head_sha"])
        console.print(f"commit {commit.oid}", style="yellow")
        console.print(printable_line(f"Author: {commit.author}") + "\n")
        console.print(printable("\n".join(f"    {line}" for line in commit.message.splitlines())) + "\n")
        print_diff(console, "\n".join(line for line in output["text"].splitlines() if not line.startswith("```")))
    style = {"success": "green", "neutral": "dim"}.get(run["conclusion"], "red")
    ended = printable_line(f"check run '{run['name']}': {run['conclusion']}: {output['title']}")
    console.print(f"\n{ended}", style=style)
    if not committed:
        for line in output["summary"].splitlines():
            if line.startswith("* "):
                console.print(printable_line(f"    {line.removeprefix('* ').strip('`')}"))
    console.print()


async def _stay(console: Console, github: Sandbox, repository: Repository) -> None:
    payload = {"git_branch": "develop", "docker_image_tag": "1.5.0-dev", "commit_message": "By hand"}
    body = json.dumps({"event_type": EVENT_TYPE, "client_payload": payload})
    console.print("It stays up. Send one more from another terminal:\n", style="bold")
    console.print(
        f"curl -X POST {github.url}/repos/{repository.full_name}/dispatches \\\n"
        f"  -H 'Authorization: Bearer {github.user_token}' \\\n"
        f"  -d '{body}'\n"
    )
    console.print("Ctrl-C ends it.\n", style="dim")
    seen = {one.guid for one in github.webhooks.deliveries}
    while True:
        await asyncio.sleep(0.1)
        for one in list(github.webhooks.deliveries):
            if one.event == "repository_dispatch" and one.guid not in seen:
                seen.add(one.guid)
                try:
                    await _show(console, repository, await _check_run(repository, one.guid))
                except TimeoutError:
                    console.print(f"no check run tells of delivery {one.guid}\n", style="red")
