"""A real `statusd` among peers that mean no good: it goes on serving the honest ones.

    honest ──► statusd ──► honest        one envelope before, one after each attack
                  ▲
               attackers

An attack is a coroutine that gets the node's enode and asserts what the attackers see.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import psutil
import pytest
from cramjam import snappy

from statusnode.codec import rlp
from statusnode.crypto.keys import PrivateKey
from statusnode.devp2p.handshake import Initiator
from statusnode.messages.envelope import Envelope
from statusnode.records.enode import Enode
from statusnode.relay.packets import PacketCode
from statusnode.relay.status import WAKU_1, StatusOptions
from support.devp2p_peers import RawPeer
from support.honest_peers import PATIENCE, HonestPeer, fresh_envelope, honest_peer, passes
from support.relay_peers import EVERYTHING
from support.statusd_process import Statusd, statusd

WAKU = 16
"""Where the codes of the first capability begin."""
SUBPROTOCOL_ERROR = 16
MAX_GROWTH = 150 << 20
"""Bytes that an attack may make the process larger."""

Attack = Callable[[Enode], Awaitable[None]]
ATTACKS: dict[str, Attack] = {}


def attack(function: Attack) -> Attack:
    """Enter a coroutine into the table."""
    ATTACKS[function.__name__] = function
    return function


@contextlib.asynccontextmanager
async def socket_to(
    node: Enode,
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """Connect without a word."""
    reader, writer = await asyncio.open_connection(node.host, node.tcp)
    try:
        yield reader, writer
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


@contextlib.asynccontextmanager
async def greeted(
    node: Enode, status: bytes = WAKU_1.encode_status(EVERYTHING)
) -> AsyncIterator[RawPeer]:
    """Open a session and say a Status."""
    async with RawPeer.dial(node) as peer:
        await peer.send(WAKU + PacketCode.STATUS, status)
        yield peer


@attack
async def garbage(node: Enode) -> None:
    noise = random.Random(8)
    lines = b"GET / HTTP/1.1\r\n\r\n" * 40
    async with asyncio.TaskGroup() as group:
        for data in (lines, bytes(70_000), noise.randbytes(3_000), noise.randbytes(300)):
            group.create_task(write_until_closed(node, data))


async def write_until_closed(node: Enode, data: bytes) -> None:
    """Write, then wait until the node has had enough."""
    async with socket_to(node) as (reader, writer):
        writer.write(data)
        with contextlib.suppress(ConnectionError):
            async with asyncio.timeout(PATIENCE):
                assert await reader.read() == b""


@attack
async def halves_of_handshakes(node: Enode) -> None:
    for part in (1, 2, 100, 250):
        async with socket_to(node) as (_, writer):
            writer.write(Initiator(PrivateKey.generate(), node.public_key).auth[:part])
            await writer.drain()


@attack
async def a_handshake_of_the_greatest_length(node: Enode) -> None:
    await write_until_closed(node, b"\xff\xff" + os.urandom(65_535))


@attack
async def halves_of_frames(node: Enode) -> None:
    for part in (1, 16, 31, 32, 33, 60):
        async with greeted(node) as peer:
            await peer.write(peer.sealed(WAKU + 1, os.urandom(100))[:part])


@attack
async def bad_macs(node: Enode) -> None:
    for position in (0, 20, 40, -1):
        async with greeted(node) as peer:
            frame = bytearray(peer.sealed(WAKU + 1, bytes(100)))
            frame[position] ^= 1
            await peer.write(bytes(frame))
            assert await peer.disconnect_reason() is None


@attack
async def a_hello_of_a_megabyte(node: Enode) -> None:
    async with RawPeer.dial(node, hello=False) as peer:
        await peer.send_frame(0, bytes(1 << 20))
        assert await peer.disconnect_reason() is None


@attack
async def a_packet_above_the_message_size(node: Enode) -> None:
    async with greeted(node) as peer:
        await peer.send(WAKU + PacketCode.MESSAGES, os.urandom(3 << 20))
        assert await peer.disconnect_reason() == SUBPROTOCOL_ERROR


@attack
async def snappy_bombs(node: Enode) -> None:
    # A length of 4 GiB that lies, one above what a frame may hold, and 16 MiB - 1 of true zeros.
    lies = b"\xff\xff\xff\xff\x0f\x01\x02\x03", b"\x80\x80\x80\x0f\x01"
    for block in lies:
        async with greeted(node) as peer:
            await peer.send_frame(WAKU + PacketCode.MESSAGES, block)
            assert await peer.disconnect_reason() is None
    bomb = bytes(snappy.compress_raw(bytes(0xFFFFFF)))
    for _ in range(20):
        async with greeted(node) as peer:
            await peer.send_frame(WAKU + PacketCode.MESSAGES, bomb)
            assert await peer.disconnect_reason() == SUBPROTOCOL_ERROR


@attack
async def lists_in_lists(node: Enode) -> None:
    nested = b""
    for _ in range(20_000):
        nested = rlp.encode_list([nested])
    many = rlp.encode_list([b"\xc0"] * 500_000)
    async with greeted(node) as peer:
        for code in (PacketCode.MESSAGES, PacketCode.STATUS_UPDATE, PacketCode.MAIL_REQUEST):
            for payload in (nested, many, b"\xc1" * 500_000, b"\xbf" + b"\xff" * 8, b""):
                await peer.send(WAKU + code, payload)
        await peer.pong()


@attack
async def a_crowd_that_never_shakes_hands(node: Enode) -> None:
    async with contextlib.AsyncExitStack() as stack:
        for _ in range(500):
            await stack.enter_async_context(socket_to(node))
        async with greeted(node) as peer:
            await peer.pong()


@attack
async def peers_that_never_say_status(node: Enode) -> None:
    async with contextlib.AsyncExitStack() as stack:
        for _ in range(10):
            await stack.enter_async_context(RawPeer.dial(node))
        async with greeted(node) as peer:
            await peer.pong()


@attack
async def a_status_that_comes_twice_or_too_late(node: Enode) -> None:
    async with greeted(node) as peer:
        await peer.send(WAKU + PacketCode.STATUS, WAKU_1.encode_status(EVERYTHING))
        await peer.pong()
    async with RawPeer.dial(node) as peer:
        await peer.send(WAKU + PacketCode.MESSAGES, b"\xc0")
        assert await peer.disconnect_reason() == SUBPROTOCOL_ERROR


@attack
async def a_bloom_filter_of_63_bytes(node: Enode) -> None:
    odd = StatusOptions(bloom_filter=bytes(63))
    async with greeted(node, WAKU_1.encode_status(odd)) as peer:
        assert await peer.disconnect_reason() == SUBPROTOCOL_ERROR
    async with greeted(node) as peer:
        await peer.send(WAKU + PacketCode.STATUS_UPDATE, WAKU_1.encode_update(odd))
        await peer.pong()


@attack
async def codes_that_nobody_knows(node: Enode) -> None:
    async with greeted(node) as peer:
        for code in (*range(4, 16), *(WAKU + code for code in (2, 10, 13, 64, 124))):
            await peer.send(code, b"\xc0")
        await peer.pong()
        await peer.send(WAKU + 2 * 128, b"\xc0")  # outside of all capabilities
        assert await peer.disconnect_reason() is None


@attack
async def reasons_to_disconnect_that_are_none(node: Enode) -> None:
    for payload in (b"\xc1\x11", b"\x11", b"\xc0", b"", b"\xc2\x82\xff\xff", b"\xff" * 30):
        async with greeted(node) as peer:
            await peer.send(1, payload)
            await peer.closed()


@attack
async def a_flood_of_low_proof_of_work(node: Enode) -> None:
    expiry = int(time.time()) + 60
    async with greeted(node) as peer:
        for number in range(100):
            low = [
                Envelope.build(expiry, 60, b"poor", os.urandom(1_000), number).raw
                for _ in range(100)
            ]
            await peer.send(WAKU + PacketCode.MESSAGES, rlp.encode_list(low))
        await peer.pong()


@attack
async def noise_in_packets_that_are_well_sealed(node: Enode) -> None:
    noise = random.Random(8)
    codes = [int(code) for code in PacketCode]
    good = rlp.encode_list([fresh_envelope().raw, fresh_envelope().raw])
    async with greeted(node) as peer:
        for _ in range(3_000):
            payload = bytearray(good if noise.random() < 0.7 else noise.randbytes(60))
            payload[noise.randrange(len(payload))] = noise.randrange(256)
            await peer.send(WAKU + noise.choice(codes), bytes(payload))
        await peer.pong()


def grown(node: Statusd, before: int) -> int:
    return psutil.Process(node.process.pid).memory_info().rss - before


def complaints(node: Statusd) -> list[str]:
    """Return what only a fault of the node's own writes into its log."""
    return [line for line in node.lines if "lvl=eror" in line or "stack=" in line]


@pytest.mark.parametrize("name", ATTACKS)
async def test_a_node_outlives(name: str, tmp_path: Path) -> None:
    async with statusd(tmp_path, "-log", "DEBUG") as node:
        enode = await node.enode()
        async with honest_peer(enode) as left, honest_peer(enode) as right:
            await passes(left, right)
            before = psutil.Process(node.process.pid).memory_info().rss
            await ATTACKS[name](Enode.parse(enode))
            await passes(left, right)
            async with honest_peer(enode) as late:
                await passes(late, left)
            assert not left.lost
            assert not right.lost
            assert grown(node, before) < MAX_GROWTH
        assert await node.stop() == 0
        assert complaints(node) == []


async def test_peers_that_stop_reading_cost_bounded_memory_and_nobody_else_time(
    tmp_path: Path,
) -> None:
    """200 MB pass a node; kept for each of the eight who read nothing, they would be 1,600 MB."""
    waku = {"Enabled": True, "FullNode": True, "MinimumPoW": 0}
    async with statusd(tmp_path, WakuConfig=waku) as node:
        enode = await node.enode()
        async with contextlib.AsyncExitStack() as stack:
            sender, quick = [await stack.enter_async_context(honest_peer(enode)) for _ in range(2)]
            for _ in range(8):
                await stack.enter_async_context(greeted(Enode.parse(enode)))
            before = psutil.Process(node.process.pid).memory_info().rss
            most = 0
            for _ in range(20):
                most = max(most, await a_round_of_ten_megabytes(node, sender, quick, before))
            assert most < 2 * MAX_GROWTH
        assert await node.stop() == 0
        assert complaints(node) == []


async def a_round_of_ten_megabytes(
    node: Statusd, sender: HonestPeer, receiver: HonestPeer, before: int
) -> int:
    """Pass envelopes that live for two seconds; return how much the node has grown meanwhile."""
    for _ in range(20):
        await one_passes(sender, receiver)
    return grown(node, before)


async def one_passes(sender: HonestPeer, receiver: HonestPeer) -> None:
    """Pass half a megabyte; where the machine lets it expire on the way, another one."""
    async with asyncio.timeout(PATIENCE):
        while True:
            envelope = fresh_envelope(500_000, ttl=2)
            sender.post(envelope)
            with contextlib.suppress(TimeoutError):
                return await receiver.receives(envelope, 5.0)
