"""An answer over TLS that is given up before its end, from a server that no longer says a word."""

from __future__ import annotations

import asyncio
import datetime as dt
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from kubernetes.aio.client.configuration import Configuration

from statusfleet.kube import Connection, KubeClient

PATIENCE_SECONDS = 20.0
"""Less than the half minute for which Python waits for the other side's goodbye."""
ANSWER = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\none\n\r\n"


def trust_of_the_server(folder: Path) -> ssl.SSLContext:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "a test")])
    now = dt.datetime.now(dt.UTC)
    day = dt.timedelta(days=1)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - day)
        .not_valid_after(now + day)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    path = folder / "server.pem"
    path.write_bytes(private + certificate.public_bytes(serialization.Encoding.PEM))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    return context


class Server(asyncio.Protocol):
    """Speaks TLS by hand over a plain socket, so that it can fall silent in the midst of it."""

    def __init__(self, trust: ssl.SSLContext, gone: asyncio.Event) -> None:
        self._heard, self._said = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = trust.wrap_bio(self._heard, self._said, server_side=True)
        self._shaken, self._answered = False, False
        self._gone = gone

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        if self._answered:
            return
        self._heard.write(data)
        try:
            if not self._shaken:
                self._tls.do_handshake()
                self._shaken = True
            if self._tls.read(65536):
                self._tls.write(ANSWER)
                self._answered = True
        except ssl.SSLWantReadError:
            pass
        self._transport.write(self._said.read())

    def connection_lost(self, error: Exception | None) -> None:
        self._gone.set()


@asynccontextmanager
async def server_that_falls_silent(folder: Path, gone: asyncio.Event) -> AsyncIterator[str]:
    trust = trust_of_the_server(folder)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Server(trust, gone), "127.0.0.1", 0)
    async with server:
        yield "https://{}:{}".format(*server.sockets[0].getsockname())


async def test_its_connection_is_gone_at_once(tmp_path: Path) -> None:
    gone = asyncio.Event()
    async with server_that_falls_silent(tmp_path, gone) as url:
        configuration = Configuration(host=url)
        configuration.verify_ssl = False
        async with KubeClient(Connection(configuration, "default", "")) as client:
            log = client.logs("n", "a", follow=True)
            assert await anext(log) == "one"
            await log.aclose()
            async with asyncio.timeout(PATIENCE_SECONDS):
                await gone.wait()
