"""Whatever a peer sends, the relay ends the session or goes on; it never falls over."""

from __future__ import annotations

import asyncio
import logging
import random
import time

import pytest

from statusnode.codec import rlp
from statusnode.devp2p.protocol import SubprotocolError
from statusnode.relay.host import RelayHost
from statusnode.relay.packets import PacketCode
from statusnode.relay.settings import RelaySettings
from statusnode.relay.status import WAKU_0, WAKU_1, StatusOptions
from support.relay_peers import FakePeer, RelayWorld, envelope

CODES = [0, 1, 11, 12, 22, 125, 126, 127, 3, 64]


def test_random_packets_are_survived() -> None:
    rng = random.Random(4)
    seeds = [
        rlp.encode_list([envelope(size=size).raw for size in (1, 60, 300)]),
        WAKU_1.encode_status(StatusOptions(0.5, bytes(64), True, topic_interest=(b"abcd",))),
        WAKU_0.encode_status(StatusOptions(0.5, bytes(64), True, topic_interest=(b"abcd",))),
        rlp.encode(b"x" * 60),
        b"\xc0",
    ]
    world = RelayWorld(RelaySettings(confirmations=True))
    watcher = world.connect()
    for _ in range(3_000):
        peer = world.connect(None, rng.choice([WAKU_0, WAKU_1]))
        try:
            if rng.random() < 0.8:
                dialect = WAKU_1 if len(peer.packets[0][1]) == 30 else WAKU_0
                peer.packet(PacketCode.STATUS, dialect.encode_status(StatusOptions(0.0)))
                world.host.mark_trusted(peer.node_id)
            for _ in range(6):
                peer.packet(rng.choice(CODES), damaged(rng, rng.choice(seeds)))
        except SubprotocolError:
            pass
        assert peer.handler is not None
        peer.handler.connection_lost(None)
        world.advance(0.01)
    assert [link.node_id for link in world.host.links()] == [watcher.node_id]


def damaged(rng: random.Random, seed: bytes) -> bytes:
    data = bytearray(seed)
    for _ in range(rng.randint(0, 3)):
        data[rng.randrange(len(data))] = rng.randrange(256)
    return bytes(data[: len(data) if rng.random() < 0.7 else rng.randint(0, len(data))])


def test_a_flood_of_low_proof_of_work_takes_no_memory() -> None:
    world = RelayWorld(RelaySettings(min_pow=1000.0))
    peer = world.connect()
    for _ in range(100):
        peer.messages(*(envelope() for _ in range(20)))
    assert world.host.info().pooled == 0
    assert world.host.counters.envelopes_cache_failures["low_pow"] == 2000


def test_only_the_first_bad_packet_of_a_link_is_a_warning(
    caplog: pytest.LogCaptureFixture,
) -> None:
    peer = RelayWorld().connect()
    with caplog.at_level(logging.DEBUG, logger="statusnode.relay.link"):
        for _ in range(3):
            peer.packet(PacketCode.MESSAGES, b"junk")
    assert [record.levelname for record in caplog.records] == ["WARNING", "DEBUG", "DEBUG"]


async def test_a_running_relay_flushes_expires_and_stops() -> None:
    host = RelayHost(RelaySettings(), time.time)
    sender, receiver = FakePeer(), FakePeer()
    protocol = host.subprotocols()[1]
    for peer in (sender, receiver):
        peer.handler = protocol.peer_connected(peer)
        peer.packet(PacketCode.STATUS, WAKU_1.encode_status(StatusOptions(0.0)))
    running = asyncio.ensure_future(host.run())
    now = int(time.time())
    sender.messages(one := envelope(sent=now, ttl=1))
    for _ in range(2_000):
        if receiver.received and not host.info().pooled:
            break
        await asyncio.sleep(0.01)
    assert receiver.received == [one.raw]
    assert host.counters.envelopes_cached["clear"] == 1
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
