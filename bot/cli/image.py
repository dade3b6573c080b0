"""`pointsman image`."""

from __future__ import annotations

from typing import Annotated

import typer

from bot.cli import edit


def image(
    file: edit.FileArgument,
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="The image without tag and digest, such as ghcr.io/acme/shop.")
    ],
    tag: Annotated[str | None, typer.Option("--tag", metavar="TAG", help="The new tag.")] = None,
    digest: Annotated[
        str | None,
        typer.Option(
            "--digest",
            metavar="DIGEST|drop",
            help="The new digest, with sha256: in front; drop takes away the one that is there.",
        ),
    ] = None,
    check: edit.CheckOption = False,
    diff: edit.DiffOption = False,
) -> None:
    """Give every reference to an image in a file a new tag, digest, or both.

    It knows `image:` of containers, Helm's `repository` and `tag`, and the lists of images of kustomize, Argo CD and
    Flux. Exit 0 if it is done or already so, 1 where it is refused: then the file stays untouched.

    Example: `pointsman image kustomization.yaml ghcr.io/acme/shop --tag 1.4.2`
    """
    from bot.core.yaml import SetImage

    if tag is None and digest is None:
        raise typer.BadParameter("give at least one of them", param_hint="'--tag' or '--digest'")
    drop = digest == "drop"
    operation = SetImage(name, tag, None if drop else digest, drop_digest=drop)
    raise typer.Exit(edit.edit(file, operation, check=check, diff=diff))
