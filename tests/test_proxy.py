"""A proxy on the way to GitHub: who goes through it, who does not, and that its password is told to nobody else."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from forward_proxy import forward_proxy, make_certificate, tls_end
from running import answers, free_port, logged, rows, running, start

if TYPE_CHECKING:
    from pathlib import Path

    from bot.sandbox import Repository, Sandbox

MAPPINGS = """\
version: 1
mappings: [{ name: app, update: [{ files: values.yaml, set: { image.tag: '${{ tag }}' } }] }]
"""


@pytest.fixture
def values(sandbox: Sandbox) -> Repository:
    """A repository in which one dispatch changes one value."""
    files = {".github/pointsman.yaml": MAPPINGS, "values.yaml": "image: { tag: old }\n"}
    return sandbox.create_repository("acme/gitops", files)


async def test_all_requests_go_through_the_proxy(sandbox: Sandbox, values: Repository, tmp_path: Path) -> None:
    """Also those of the App itself; the log has the proxy's address without user and password."""
    async with forward_proxy("me", "hunter2") as proxy:
        async with running(sandbox, tmp_path, HTTP_PROXY=proxy.url) as bot:
            delivery = await sandbox.dispatch("acme/gitops", "x", {"tag": "new"})
            assert await bot.ended(delivery) == "committed"
        asked = {line.split(" ")[1].removeprefix(sandbox.url).partition("?")[0] for line in proxy.lines}
    assert values.read("values.yaml") == b"image: { tag: new }\n"
    assert {"/graphql", "/app/hook/deliveries"} <= asked


@pytest.mark.parametrize("no_proxy", ["127.0.0.1", "*", "127.0.0.0/8, acme.com"])
async def test_no_proxy_leads_past_the_proxy(
    sandbox: Sandbox, values: Repository, tmp_path: Path, no_proxy: str
) -> None:
    """The host of GITHUB_API_URL decides."""
    async with (
        forward_proxy() as proxy,
        running(sandbox, tmp_path, HTTP_PROXY=proxy.url, NO_PROXY=no_proxy) as bot,
    ):
        assert await bot.ended(await sandbox.dispatch("acme/gitops", "x", {"tag": "new"})) == "committed"
        assert proxy.lines == []
    assert values.read("values.yaml") == b"image: { tag: new }\n"


async def test_https_goes_through_a_tunnel_and_no_netrc_file_is_read(
    sandbox: Sandbox, values: Repository, tmp_path: Path
) -> None:
    """The proxy sees host and port alone; a password of ~/.netrc would take the place of the App's token."""
    certificate = make_certificate(tmp_path / "tls.pem")
    netrc = tmp_path / "netrc"
    netrc.write_text("default login me password hunter2\n")
    port = free_port()
    async with (
        forward_proxy("me", "hunter2") as proxy,
        tls_end(int(sandbox.url.rpartition(":")[2]), certificate) as tls,
    ):
        process = await start(
            sandbox,
            tmp_path,
            port,
            GITHUB_API_URL=f"https://127.0.0.1:{tls}/api/v3",
            SSL_CERT_FILE=str(certificate),
            NETRC=str(netrc),
            https_proxy=proxy.url,
            NO_PROXY="localhost",
            no_proxy="localhost",
        )
        sandbox.webhook_url = f"http://127.0.0.1:{port}/webhook"
        async with asyncio.timeout(20):
            while not await answers(port):
                await asyncio.sleep(0.05)
            delivery = await sandbox.dispatch("acme/gitops", "x", {"tag": "new"})
            assert delivery is not None
            while (row := rows(tmp_path).get(delivery)) is None or row.state == "pending":
                await asyncio.sleep(0.05)
        process.terminate()
        _, output = await process.communicate()
        assert set(proxy.lines) == {f"CONNECT 127.0.0.1:{tls} HTTP/1.1"}
    assert row.state == "committed", output.decode()
    assert values.read("values.yaml") == b"image: { tag: new }\n"
    (begun,) = (line for line in logged(output.decode()) if line["event"] == "started")
    assert begun["proxy"] == proxy.url.partition("@")[2]
    assert b"hunter2" not in output


@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_a_proxy_that_refuses_is_told_without_its_password(
    sandbox: Sandbox, tmp_path: Path, capsys: pytest.CaptureFixture[str], scheme: str
) -> None:
    """Neither the log nor the reason of the delivery has it, if the proxy wants another one or is not there."""
    sandbox.create_repository("acme/gitops", {".github/pointsman.yaml": MAPPINGS})
    async with forward_proxy("me", "another") as proxy:
        for url in (proxy.url.replace("another", "hunter2"), f"http://me:hunter2@127.0.0.1:{free_port()}"):
            address = sandbox.url.replace("http:", f"{scheme}:")
            proxies = {"HTTP_PROXY": url, "HTTPS_PROXY": url}
            async with running(sandbox, tmp_path, GITHUB_API_URL=address, **proxies) as bot:
                delivery = await sandbox.dispatch("acme/gitops", "x", {"tag": "new"})
                await sandbox.webhooks.drained()
                async with asyncio.timeout(10):
                    while not (row := bot.row(delivery)).reason:
                        await asyncio.sleep(0.02)
                assert row.state in {"pending", "waiting"}
                assert "hunter2" not in row.reason
    said = capsys.readouterr()
    assert "hunter2" not in said.out + said.err
