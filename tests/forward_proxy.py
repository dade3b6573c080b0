"""A forward proxy on loopback that counts, a TLS end before a server, and a certificate for it."""

from __future__ import annotations

import asyncio
import base64
import ssl
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

if TYPE_CHECKING:
    from asyncio import StreamReader, StreamWriter
    from collections.abc import AsyncIterator
    from pathlib import Path


@dataclass
class Proxy:
    """A proxy, and the first line of each request that it got."""

    url: str = ""
    lines: list[str] = field(default_factory=list)


@asynccontextmanager
async def forward_proxy(user: str = "", password: str = "") -> AsyncIterator[Proxy]:
    """Run a proxy for http:// and CONNECT, for this user alone if one is named; others get 407."""
    proxy = Proxy()
    expected = base64.b64encode(f"{user}:{password}".encode("latin-1")).decode()

    async def serve(reader: StreamReader, writer: StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError):
            while head := (await reader.readuntil(b"\r\n\r\n")).decode():
                line = head.partition("\r\n")[0]
                proxy.lines.append(line)
                if user and f"Basic {expected}" not in head:
                    writer.write(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
                    break
                method, target, _ = line.split(" ")
                parts = urlsplit(f"//{target}" if method == "CONNECT" else target)
                upstream = await asyncio.open_connection(parts.hostname, parts.port)
                if method == "CONNECT":
                    writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
                else:
                    origin = target.removeprefix(f"{parts.scheme}://{parts.netloc}")
                    # Each request has a connection of its own, so that each is counted.
                    forwarded = head.replace(target, origin, 1).replace("\r\n", "\r\nConnection: close\r\n", 1)
                    upstream[1].write(forwarded.encode())
                await asyncio.gather(pump(reader, upstream[1]), pump(upstream[0], writer))
                break
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        proxy.url = f"http://{user}:{password}@127.0.0.1:{port}" if user else f"http://127.0.0.1:{port}"
        yield proxy


async def pump(reader: StreamReader, writer: StreamWriter) -> None:
    """Pass on what comes until it ends."""
    with suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
        writer.close()


@asynccontextmanager
async def tls_end(port: int, certificate: Path) -> AsyncIterator[int]:
    """Speak TLS on a port, which is returned, and pass on to another one of this machine."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)

    async def serve(reader: StreamReader, writer: StreamWriter) -> None:
        upstream = await asyncio.open_connection("127.0.0.1", port)
        await asyncio.gather(pump(reader, upstream[1]), pump(upstream[0], writer))

    async with await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context) as server:
        yield server.sockets[0].getsockname()[1]


def make_certificate(path: Path) -> Path:
    """Write a certificate for 127.0.0.1 that signed itself, with its key."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1, now - timedelta(days=1), now + timedelta(days=1))
    alternative = x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))])
    signed = builder.add_extension(alternative, critical=False).sign(key, SHA256())
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path.write_bytes(private + signed.public_bytes(Encoding.PEM))
    return path
