"""`pointsman sandbox`."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from bot.sandbox import Sandbox

# What GitHub takes as a name; `.` and `..` alone would lead out of the folder.
_FULL_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]*/(?!\.{1,2}$)[\w.-]+", re.ASCII)


def sandbox(
    directory: Annotated[Path, typer.Option("--directory", "-d", help="Where its bare Git repositories live.")] = Path(
        "sandbox"
    ),
    repository: Annotated[
        list[str] | None,
        typer.Option("--repository", "-r", metavar="OWNER/NAME", help="Make it, empty, where it is missing."),
    ] = None,
    source: Annotated[
        Path | None, typer.Option("--from", help="Fill new repositories with the files of this folder.")
    ] = None,
    webhook: Annotated[
        str,
        typer.Option(metavar="URL", help="Where webhooks are sent; default: a bot on port 8080.", show_default=False),
    ] = "http://127.0.0.1:8080/webhook",
    port: Annotated[
        int, typer.Option("--port", "-p", min=0, max=65535, metavar="PORT", help="The port to listen on; 0: any.")
    ] = 8081,
    latency: Annotated[
        float, typer.Option(min=0, max=10, metavar="SECONDS", help="How long every answer takes at least.")
    ] = 0.0,
    graphql: Annotated[bool, typer.Option(help="Have GraphQL, as GitHub does.")] = True,
) -> None:
    """Run a GitHub look-alike on this machine, and print the settings that point the bot at it.

    Example: `pointsman sandbox --repository acme/gitops --from ./gitops`
    """
    from bot.cli.extras import make_folder, require_sandbox
    from bot.errors import InputError

    require_sandbox()
    from bot.sandbox import Sandbox

    for name in repository or []:
        if not _FULL_NAME.fullmatch(name):
            raise InputError(f"--repository {name}: write OWNER/NAME, of letters, digits, '-', '_' and '.'")
    files = _files(source)
    make_folder(directory)
    github = Sandbox(directory, latency=latency, graphql=graphql)
    for name in repository or []:
        if github.find_repository(name) is None:
            github.create_repository(name, files)
    github.webhook_url = webhook
    asyncio.run(_run(github, port))


async def _run(github: Sandbox, port: int) -> None:
    from bot.cli.extras import end_on_sigterm, listen_error

    end_on_sigterm()
    try:
        url = await github.start(port=port)
    except OSError as error:
        raise listen_error(port, error) from error
    key = github.directory / "app.pem"
    key.touch(mode=0o600)
    key.write_text(github.app.private_key, encoding="utf-8")
    repositories = ", ".join(sorted(repo.full_name for repo in github.repositories.values())) or "none yet"
    typer.echo(
        f"GitHub look-alike at {url}; repositories: {repositories}\n\n"
        f"export GITHUB_API_URL={url}\nexport APP_ID={github.app.id}\nexport PRIVATE_KEY_PATH={key.resolve()}\n"
        f"export WEBHOOK_SECRET={github.app.webhook_secret}\n\n"
        f"Dispatches are accepted with the token {github.user_token}\nCtrl-C ends it."
    )
    try:
        await asyncio.Event().wait()
    finally:
        await github.stop()


def _files(source: Path | None) -> dict[str, bytes]:
    from bot.errors import InputError

    if source is None:
        return {}
    if not source.is_dir():
        raise InputError(f"--from: there is no folder '{source}'")
    files = {path.relative_to(source).as_posix(): path for path in sorted(source.rglob("*")) if path.is_file()}
    return {name: path.read_bytes() for name, path in files.items() if not name.startswith(".git/")}
