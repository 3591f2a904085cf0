"""A real mailserver that is killed at random moments, or whose disk takes no more.

honest ──► statusd ──► archive worker ──► disk
              ▲             ▲ kill -9        ▲ full
           kill -9
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import re
import resource
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import psutil
import pytest

from statusnode.codec import rlp
from statusnode.records.enode import Enode
from statusnode.relay.packets import PacketCode
from statusnode.relay.status import WAKU_1
from support.devp2p_peers import RawPeer
from support.honest_peers import (
    MAILSERVER,
    PATIENCE,
    HonestPeer,
    fresh_envelope,
    honest_peer,
    passes,
)
from support.relay_peers import EVERYTHING
from support.statusd_process import Statusd, eventually, statusd


async def page(node: Statusd, path: str) -> tuple[int, str]:
    url = f"http://127.0.0.1:{await node.metrics_port()}{path}"
    async with aiohttp.ClientSession() as session, session.get(url) as response:
        return response.status, await response.text()


async def counter(node: Statusd, name: str) -> int:
    match = re.search(
        rf"^{name}(?:{{.*}})? (\S+)$", (await page(node, "/metrics"))[1], re.MULTILINE
    )
    assert match is not None
    return int(float(match.group(1)))


async def archived(node: Statusd) -> int:
    return await counter(node, "mailserver_archived_envelopes_total")


def archive_workers(node: Statusd) -> list[psutil.Process]:
    children = psutil.Process(node.process.pid).children(recursive=True)
    return [child for child in children if "mailserver" in " ".join(child.cmdline())]


@dataclass
class Ledger:
    """What one session has posted, and so the order in which the archive takes it."""

    counted: int
    """How many the archive says to have, of all sessions."""
    certain: set[bytes] = field(default_factory=set)
    posted: list[bytes] = field(default_factory=list)
    start: int = 0

    def begin(self, counted: int) -> None:
        """A session begins."""
        assert counted >= self.counted
        self.counted = self.start = counted
        self.posted.clear()

    def post(self, peer: HonestPeer, number: int) -> None:
        """Post fresh envelopes."""
        batch = [fresh_envelope(ttl=60) for _ in range(number)]
        peer.post(*batch)
        self.posted += [envelope.raw for envelope in batch]

    def count(self, counted: int) -> None:
        """Note what the archive says."""
        self.counted = counted
        self.certain.update(self.posted[: counted - self.start])


async def post_until(node: Statusd, peer: HonestPeer, ledger: Ledger, goal: int) -> None:
    """Post until so many are archived."""
    async with asyncio.timeout(PATIENCE):
        while ledger.counted < goal:
            ledger.post(peer, 50)
            ledger.count(await archived(node))


@pytest.mark.parametrize("victim", ["the node", "the worker", "both"])
async def test_what_was_counted_is_there_after_kill_9_at_a_random_moment(
    victim: str, tmp_path: Path
) -> None:
    chance = random.Random()
    ledger = Ledger(0)
    for _ in range(3):
        async with statusd(tmp_path, WakuConfig=MAILSERVER) as node:
            ledger.begin(await archived(node))
            async with honest_peer(await node.enode()) as peer:
                await post_until(node, peer, ledger, ledger.start + chance.randint(1, 800))
                workers = archive_workers(node)
                assert workers
                if victim != "the node":
                    for worker in workers:
                        worker.kill()
                if victim == "the worker":
                    # Another one takes its place, and what waited meanwhile is archived.
                    await post_until(node, peer, ledger, ledger.counted + 100)
                node.process.kill()
            await node.ended()
    async with statusd(tmp_path, WakuConfig=MAILSERVER) as node:
        ledger.begin(await archived(node))
        async with honest_peer(await node.enode()) as peer:
            assert ledger.certain <= await peer.mail()
        assert await node.stop() == 0


async def test_on_a_full_disk_nothing_is_counted_the_node_is_unready_and_relays(
    tmp_path: Path,
) -> None:
    async with statusd(tmp_path, WakuConfig=MAILSERVER) as node:
        enode = await node.enode()
        async with honest_peer(enode) as left, honest_peer(enode) as right:
            first = fresh_envelope()
            left.post(first)
            await eventually(lambda: count_is(node, 1))
            await eventually(lambda: ready(node))

            # The worker's files may not grow any more: the kernel refuses, as on a full disk.
            (writer,) = [each for each in archive_workers(node) if "write" in each.cmdline()]
            unlimited = resource.prlimit(
                writer.pid, resource.RLIMIT_FSIZE, (1, resource.RLIM_INFINITY)
            )
            lost = [fresh_envelope(20_000, ttl=60) for _ in range(40)]
            left.post(*lost)
            await right.receives(lost[-1])
            await eventually(lambda: unready_for_its_archive(node))
            await passes(left, right)
            await passes(right, left)
            assert await archived(node) == 1
            assert (await page(node, "/health"))[0] == 200
            assert await left.mail() == {first.raw}

            # The disk has room again: what waited is archived, and nothing was lost.
            resource.prlimit(writer.pid, resource.RLIMIT_FSIZE, unlimited)
            await eventually(lambda: ready(node))
            await eventually(lambda: count_is(node, 1 + len(lost) + 2))
            assert {envelope.raw for envelope in lost} <= await right.mail()
        assert await node.stop() == 0


async def count_is(node: Statusd, number: int) -> bool:
    return await archived(node) == number


async def ready(node: Statusd) -> bool:
    return (await page(node, "/ready"))[0] == 200


async def unready_for_its_archive(node: Statusd) -> bool:
    status, text = await page(node, "/ready")
    return status == 503 and "archive" in text


@contextlib.contextmanager
def files_up_to(size: int) -> Iterator[None]:
    """Let no file of this process and its children grow above so many bytes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


async def test_a_disk_that_has_no_room_for_an_archive_at_the_start_is_told_of(
    tmp_path: Path,
) -> None:
    with files_up_to(1_000):
        async with statusd(tmp_path, WakuConfig=MAILSERVER) as node:
            assert await node.ended() == 1
            await node.logged(r"Node start failed.*archive")


async def test_noise_instead_of_mail_requests_harms_nobody(tmp_path: Path) -> None:
    noise = random.Random(8)
    good = rlp.encode([bytes(32), 0, 2**32 - 1, 1000, b"", b"\xff" * 64, []])
    async with statusd(tmp_path, WakuConfig=MAILSERVER) as node:
        enode = await node.enode()
        async with honest_peer(enode) as honest:
            wanted = fresh_envelope()
            honest.post(wanted)
            async with RawPeer.dial(Enode.parse(enode)) as peer:
                await peer.send(16, WAKU_1.encode_status(EVERYTHING))
                for _ in range(2_000):
                    payload = bytearray(good if noise.random() < 0.7 else noise.randbytes(90))
                    payload[noise.randrange(len(payload))] = noise.randrange(256)
                    await peer.send(16 + PacketCode.MAIL_REQUEST, bytes(payload))
                    if noise.random() < 0.01:
                        await peer.pong()
            assert wanted.raw in await honest.mail()
        assert await node.stop() == 0
        assert not any("lvl=eror" in line or "stack=" in line for line in node.lines)
