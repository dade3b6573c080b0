"""`pointsman image`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from gitops import contents, make, traces
from program import Ran, pointsman

if TYPE_CHECKING:
    from pathlib import Path

OLD, NEW = ("sha256:" + digit * 64 for digit in "1a")
SHOP = "ghcr.io/acme/shop"
POD = (
    f"spec:\r\n  containers:\r\n  - image: {SHOP}:1.0 # ours\r\n  - image: ghcr.io/acme/shopper:1.0\r\n  - image: nginx"
)
KUSTOMIZATION = f"images:\n- name: {SHOP}\n  newTag: '1.0'\n- name: nginx\n  newTag: '1.0'\n"
HELM = f"image:\n  repository: {SHOP}\n  tag: '1.0'\nother:\n  image: {{repository: nginx, tag: '1.0'}}\n"
PINNED = f"image: {SHOP}:1.0@{OLD}\n"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to be in, with one file."""
    monkeypatch.chdir(make(tmp_path / "gitops", {"file.yaml": PINNED.encode()}))
    return tmp_path / "gitops"


@pytest.mark.parametrize(
    ("before", "arguments", "after"),
    [
        (POD, (SHOP, "--tag", "1.10"), POD.replace("shop:1.0", "shop:1.10")),
        (KUSTOMIZATION, (SHOP, "--tag", "1.10"), KUSTOMIZATION.replace("1.0", "1.10", 1)),
        (HELM, (SHOP, "--tag", "1.10"), HELM.replace("1.0", "1.10", 1)),
        (PINNED, (SHOP, "--tag", "1.1", "--digest", NEW), f"image: {SHOP}:1.1@{NEW}\n"),
        (PINNED, (SHOP, "--digest", NEW), f"image: {SHOP}:1.0@{NEW}\n"),
        (PINNED, (SHOP, "--tag", "1.1", "--digest", "drop"), f"image: {SHOP}:1.1\n"),
    ],
)
def test_image_changes_every_reference_to_the_image_and_no_other_byte(
    before: str, arguments: tuple[str, ...], after: str, folder: Path
) -> None:
    """Of containers, kustomize and Helm; images whose names only begin alike stay. A second time nothing is to do."""
    (folder / "file.yaml").write_bytes(before.encode())
    ran = pointsman("image", "file.yaml", *arguments)
    assert (ran.code, ran.err, contents(folder)) == (0, "", {"file.yaml": after.encode()})
    assert re.fullmatch(r"file\.yaml:\d+:\d+: .+: .+ → .+\n", ran.out)
    untouched = traces(folder)
    assert pointsman("image", "file.yaml", *arguments) == Ran(0, "file.yaml: already so\n", "")
    assert traces(folder) == untouched


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ((SHOP, "--tag", "1.1"), r"file\.yaml:1:8: .*digest.*"),
        (("ghcr.io/acme/shpo", "--tag", "1.1"), r"file\.yaml: .*ghcr\.io/acme/shop\b.*"),
        ((f"{SHOP}:1.0", "--tag", "1.1"), r"file\.yaml: .*'ghcr\.io/acme/shop'.*"),
        ((SHOP, "--tag", "1 1", "--digest", "drop"), r"file\.yaml: '1 1' is no tag.*"),
        ((SHOP, "--digest", "sha256:1"), r"file\.yaml: 'sha256:1' is no digest.*"),
    ],
)
def test_what_is_refused_leaves_the_file_untouched(arguments: tuple[str, ...], sentence: str, folder: Path) -> None:
    """A new tag that the old digest would overrule, an image that is not there, what is no name, tag or digest."""
    untouched = traces(folder)
    ran = pointsman("image", "file.yaml", *arguments)
    assert (ran.code, ran.out) == (1, "")
    assert re.fullmatch(f"{sentence}\n", ran.err)
    assert traces(folder) == untouched


def test_without_tag_and_digest_there_is_nothing_to_say(folder: Path) -> None:
    """A command line that cannot do anything exits 2."""
    untouched = traces(folder)
    ran = pointsman("image", "file.yaml", SHOP)
    assert (ran.code, ran.out) == (2, "")
    assert "'--tag' or '--digest': give at least one of them" in ran.err
    assert traces(folder) == untouched


def test_check_and_diff_write_nothing(folder: Path) -> None:
    """`--check` exits 1 where a reference would change, 0 where none would; `--diff` shows how."""
    untouched = traces(folder)
    checked = pointsman("image", "file.yaml", SHOP, "--digest", NEW, "--check")
    assert (checked.code, checked.err) == (1, "")
    assert checked.out.endswith("\nfile.yaml: would change\n")
    shown = pointsman("image", "file.yaml", SHOP, "--digest", NEW, "--diff")
    assert (shown.code, shown.err) == (0, "file.yaml: would change\n")
    assert f"\n-{PINNED}+image: {SHOP}:1.0@{NEW}\n" in shown.out
    assert pointsman("image", "file.yaml", SHOP, "--digest", OLD, "--check") == Ran(0, "file.yaml: already so\n", "")
    assert traces(folder) == untouched
