"""The relay on real sockets of loopback, under a devp2p server."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import AsyncIterator

from statusnode.codec import rlp
from statusnode.crypto.keys import PrivateKey
from statusnode.devp2p.client import dial
from statusnode.devp2p.protocol import DisconnectReason
from statusnode.devp2p.server import Server, ServerConfig
from statusnode.messages.envelope import Envelope
from statusnode.relay.host import RelayHost
from statusnode.relay.packets import PacketCode
from statusnode.relay.settings import RelaySettings
from statusnode.relay.status import WAKU_1
from support.devp2p_peers import PATIENCE, Recorder, Recording, until
from support.relay_peers import EVERYTHING


@contextlib.asynccontextmanager
async def relay(settings: RelaySettings) -> AsyncIterator[tuple[RelayHost, Server]]:
    host = RelayHost(settings, time.time)
    config = ServerConfig("Statusd/v0.0.0/linux-amd64/test", "127.0.0.1:0")
    server = Server(config, PrivateKey.generate(), host.subprotocols())
    await server.start()
    try:
        yield host, server
    finally:
        await server.stop()


async def connect(server: Server) -> Recording:
    recorder = Recorder()
    recorder.greeting = WAKU_1.encode_status(EVERYTHING)
    await dial(server.self_enode, PrivateKey.generate(), [recorder], PATIENCE)
    session = await recorder.session()
    await until(lambda: session.packets)
    return session


def received(session: Recording) -> list[bytes]:
    bundles = [payload for code, payload in session.packets if code == PacketCode.MESSAGES]
    return [raw for payload in bundles for raw in rlp.split_list(payload)]


def random_envelope(size: int) -> Envelope:
    return Envelope.build(int(time.time()) + 60, 60, os.urandom(4), os.urandom(size), 1)


async def test_a_peer_that_stops_reading_makes_nobody_wait_and_gets_all_in_the_end() -> None:
    async with relay(RelaySettings(min_pow=0.0)) as (host, server):
        sender, quick, slow = [await connect(server) for _ in range(3)]
        await until(lambda: len(host.links()) == 3)
        slow.peer.pause_reading()
        sent = [random_envelope(50_000) for _ in range(500)]
        for number, one in enumerate(sent):
            sender.peer.send(PacketCode.MESSAGES, rlp.encode_list([one.raw]))
            if number % 20 == 19:
                await until(lambda number=number: len(received(quick)) > number)  # type: ignore[misc]
        assert sorted(received(quick)) == sorted(one.raw for one in sent)
        assert len(received(slow)) < len(sent)
        slow.peer.resume_reading()
        await until(lambda: len(received(slow)) >= len(sent))
        assert sorted(received(slow)) == sorted(one.raw for one in sent)
        assert received(sender) == []


async def test_a_packet_above_the_size_ends_with_reason_16() -> None:
    async with relay(RelaySettings(max_message_size=10_000)) as (host, server):
        peer = await connect(server)
        peer.peer.send(PacketCode.MESSAGES, bytes(10_001))
        await until(lambda: peer.lost)
        assert peer.lost == [DisconnectReason.SUBPROTOCOL_ERROR]
        await until(lambda: not host.links())


async def test_a_bad_status_ends_with_reason_16() -> None:
    async with relay(RelaySettings()) as (_, server):
        recorder = Recorder()
        recorder.greeting = b"\xc1\x05"
        await dial(server.self_enode, PrivateKey.generate(), [recorder], PATIENCE)
        session = await recorder.session()
        await until(lambda: session.lost)
        assert session.lost == [DisconnectReason.SUBPROTOCOL_ERROR]
