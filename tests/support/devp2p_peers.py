"""Two kinds of devp2p peers for tests: one that notes everything, and a raw one that lies.

The recorder stands on our own server or client. The raw peer does the handshake and then writes any
bytes or frames it likes over a real socket; it never answers by itself.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from dataclasses import dataclass, field

from cramjam import snappy

from statusnode.codec import rlp
from statusnode.crypto.keys import PrivateKey, PublicKey
from statusnode.devp2p.frame import FrameReader, FrameWriter
from statusnode.devp2p.handshake import Initiator, Responder, Secrets
from statusnode.devp2p.limits import Limits
from statusnode.devp2p.messages import Hello, parse_disconnect
from statusnode.devp2p.protocol import (
    Capability,
    DisconnectReason,
    PeerConnection,
    SubprotocolError,
)
from statusnode.devp2p.server import Server, ServerConfig
from statusnode.records.enode import Enode

WAKU0, WAKU1 = Capability("waku", 0), Capability("waku", 1)
PATIENCE = 60.0
"""Seconds after which a test gives up: for a loaded machine, not for a measurement."""


async def until(condition: Callable[[], object], timeout: float = PATIENCE) -> None:
    """Poll until the condition holds."""
    async with asyncio.timeout(timeout):
        while not condition():  # noqa: ASYNC110 - any condition, of anybody's
            await asyncio.sleep(0.01)


@dataclass
class Recording:
    """What happened on one session of one subprotocol."""

    peer: PeerConnection
    fail_on: int | None = None
    packets: list[tuple[int, bytes]] = field(default_factory=list)
    pauses: int = 0
    resumes: int = 0
    lost: list[DisconnectReason | None] = field(default_factory=list)
    received: Callable[[int, bytes], None] = lambda code, payload: None

    def packet_received(self, code: int, payload: bytes) -> None:
        if code == self.fail_on:
            raise SubprotocolError("not this one")
        self.packets.append((code, payload))
        self.received(code, payload)

    def writing_paused(self) -> None:
        self.pauses += 1

    def writing_resumed(self) -> None:
        self.resumes += 1

    def connection_lost(self, reason: DisconnectReason | None) -> None:
        self.lost.append(reason)


class Recorder:
    """A subprotocol that keeps a `Recording` of each session."""

    def __init__(self, capability: Capability = WAKU1, length: int = 128) -> None:
        self.capability = capability
        self.length = length
        self.sessions: list[Recording] = []
        self.fail_on: int | None = None
        self.greeting: bytes | None = None

    def peer_connected(self, peer: PeerConnection) -> Recording:
        recording = Recording(peer, self.fail_on)
        self.sessions.append(recording)
        if self.greeting is not None:
            peer.send(0, self.greeting)
        return recording

    async def session(self, index: int = 0) -> Recording:
        await until(lambda: len(self.sessions) > index)
        return self.sessions[index]


@contextlib.asynccontextmanager
async def running_server(
    subprotocols: Sequence[Recorder] | None = None,
    *,
    key: PrivateKey | None = None,
    limits: Limits | None = None,
    listen_address: str = "127.0.0.1:0",
    max_peers: int = 25,
    max_pending_peers: int = 0,
) -> AsyncIterator[Server]:
    """Run a server on loopback; it is stopped in the end, whatever happens."""
    server = Server(
        ServerConfig(
            "Statusd/v0.0.0/linux-amd64/test",
            listen_address,
            max_peers,
            max_pending_peers,
            limits or Limits(),
        ),
        key or PrivateKey.generate(),
        [Recorder()] if subprotocols is None else list(subprotocols),
    )
    await server.start()
    try:
        yield server
    finally:
        await server.stop()


class RawPeer:
    """A peer that writes what it is told."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self.key = PrivateKey.generate()
        self.compresses = True
        self._frames: FrameReader
        self._seal: FrameWriter

    @classmethod
    @contextlib.asynccontextmanager
    async def dial(
        cls, enode: Enode, *, key: PrivateKey | None = None, hello: bool = True, version: int = 5
    ) -> AsyncIterator[RawPeer]:
        """Dial, shake hands and, unless told otherwise, exchange Hellos."""
        reader, writer = await asyncio.open_connection(enode.host, enode.tcp)
        peer = cls(reader, writer)
        peer.key = key or peer.key
        try:
            initiator = Initiator(peer.key, enode.public_key)
            await peer.write(initiator.auth)
            await peer._agree(initiator)
            if hello:
                await peer.exchange_hellos(version)
            yield peer
        finally:
            await peer.close()

    @classmethod
    @contextlib.asynccontextmanager
    async def listen(cls, answer: Callable[[RawPeer], object]) -> AsyncIterator[Enode]:
        """Listen, shake hands with each caller, and hand it to the coroutine `answer`."""
        key = PrivateKey.generate()

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            peer = cls(reader, writer)
            peer.key = key
            try:
                responder = Responder(key)
                with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
                    await peer._agree(responder)
                    await answer(peer)  # type: ignore[misc]
            finally:
                await peer.close()

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        try:
            yield Enode(key.public_key, "127.0.0.1", port, 0)
        finally:
            server.close()

    async def _agree(self, handshake: Initiator | Responder) -> None:
        secrets: Secrets | None = None
        while secrets is None:
            data = await self._read_some()
            if not data:
                raise ConnectionError("closed within the handshake")
            secrets = handshake.feed(data)
        if isinstance(handshake, Responder):
            await self.write(handshake.ack)
        self._seal, self._frames = FrameWriter(secrets), FrameReader(secrets)
        self._frames.feed(handshake.rest)
        self.remote_key: PublicKey = secrets.remote_key

    async def exchange_hellos(
        self, version: int = 5, capabilities: Iterable[Capability] = (WAKU1,)
    ) -> Hello:
        """Say Hello and hear one."""
        await self.say_hello(version, capabilities)
        code, payload = await self.frame()
        if code != 0:
            raise ConnectionError(f"code {code} in place of a Hello")
        return Hello.parse(payload)

    async def say_hello(
        self, version: int = 5, capabilities: Iterable[Capability] = (WAKU1,)
    ) -> None:
        hello = Hello(version, "raw", tuple(capabilities), 0, self.key.public_key.data)
        await self.send_frame(0, hello.serialize())
        self.compresses = version >= 5

    async def write(self, data: bytes) -> None:
        self.writer.write(data)
        async with asyncio.timeout(PATIENCE):
            await self.writer.drain()

    def sealed(self, code: int, payload: bytes) -> bytes:
        """Make the next frame without sending it."""
        return b"".join(self._seal.seal(rlp.encode(code), payload))

    async def send_frame(self, code: int, payload: bytes) -> None:
        """Send a frame with this very payload."""
        await self.write(self.sealed(code, payload))

    async def send(self, code: int, payload: bytes) -> None:
        """Send a frame, compressed as agreed."""
        if self.compresses:
            payload = bytes(snappy.compress_raw(payload))
        await self.send_frame(code, payload)

    async def frame(self) -> tuple[int, bytes]:
        """Read one frame: the code, and the payload as it came.

        Raises:
            ConnectionError: the connection ended.
        """
        while (found := self._frames.read()) is None:
            data = await self._read_some()
            if not data:
                raise ConnectionError("closed")
            self._frames.feed(data)
        body, size = found
        code, end = rlp.decode_prefix(body)
        return rlp.as_uint(code), body[end:size]

    async def packet(self) -> tuple[int, bytes]:
        """Read one frame and decompress it as agreed."""
        code, payload = await self.frame()
        return code, bytes(snappy.decompress_raw(payload)) if self.compresses else payload

    async def pong(self) -> None:
        """Ping, and read until the Pong: the session is alive and has read everything before."""
        await self.send(2, b"\xc0")
        while (await self.packet())[0] != 3:
            pass

    async def disconnect_reason(self) -> int | None:
        """Read until the end; return the reason of a Disconnect, or None for a silent close."""
        try:
            while True:
                code, payload = await self.frame()
                if code == 1:
                    with contextlib.suppress(Exception):
                        payload = bytes(snappy.decompress_raw(payload))
                    return parse_disconnect(payload)
        except ConnectionError:
            return None

    async def closed(self) -> None:
        """Read until the peer closes."""
        with contextlib.suppress(ConnectionError):
            while await self._read_some():
                pass

    async def _read_some(self) -> bytes:
        async with asyncio.timeout(PATIENCE):
            return await self.reader.read(65_536)

    async def close(self) -> None:
        """Close our end."""
        self.writer.close()
        with contextlib.suppress(ConnectionError):
            await self.writer.wait_closed()
