"""The bytes that both kinds of node tell of themselves: Status (0) and status updates (22).

    waku/1   [[0, PoW], [1, bloom], [2, light], [3, confirmations], [4, limits], [5, topics],
              [6, limits]]
    waku/0   [0, [["0", PoW], … ["5", topics]]]

A value that is not there has no pair, but for the lights, which are always told.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from support.reference_scene import Party, Scene, needs_reference, scene
from support.waku_peer import WakuPeer

pytestmark = needs_reference()

STATUS, UPDATE = 0, 22
ALL_BLOOM = "01b840" + "ff" * 64
DEFAULT = {
    0: "d980d7ca30883ec0c6f7a0b5ed8dc23280c23380c534c3808080",
    1: "ddca80883ec0c6f7a0b5ed8dc20280c20380c504c3808080c506c3808080",
}
FULL = {
    0: "f85f80f85cca30883ec0c6f7a0b5ed8df84331b840" + "ff" * 64 + "c23280c23380c534c3808080",
    1: "f862ca80883ec0c6f7a0b5ed8df84301b840" + "ff" * 64 + "c20280c20380c504c3808080c506c3808080",
}
CONFIGS: dict[str, tuple[dict[str, Any], dict[int, str] | None]] = {
    "default": ({}, DEFAULT),
    "full node": ({"FullNode": True}, FULL),
    "bloom filter mode": ({"BloomFilterMode": True}, DEFAULT),
    "full node in bloom filter mode": ({"FullNode": True, "BloomFilterMode": True}, FULL),
    "light client": ({"LightClient": True}, DEFAULT),
    "light client in bloom filter mode": ({"LightClient": True, "BloomFilterMode": True}, None),
    "light full node": ({"LightClient": True, "FullNode": True}, None),
    "rate limiter": (
        {
            "EnableRateLimiter": True,
            "PacketRateLimitIP": 7,
            "PacketRateLimitPeerID": 300,
            "BytesRateLimitIP": 70_000,
            "BytesRateLimitPeerID": 1,
        },
        None,
    ),
}


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Scene]:
    async with scene(tmp_path) as made:
        yield made


async def both(stage: Scene, **waku: object) -> tuple[Party, Party]:
    config = {"Enabled": True} | waku
    return await asyncio.gather(stage.ours(WakuConfig=config), stage.theirs(WakuConfig=config))


async def visit(stage: Scene, party: Party, version: int) -> WakuPeer:
    """Connect a peer that wants everything."""
    peer = await stage.peer(version)
    peer.do("dial", enode=party.enode)
    await peer.packet(STATUS)
    return peer


async def told(peer: WakuPeer, code: int = STATUS) -> str:
    return str((await peer.packet(code))["payload"])


@pytest.mark.parametrize("name", CONFIGS)
async def test_every_configuration_is_told_in_the_same_bytes(stage: Scene, name: str) -> None:
    config, known = CONFIGS[name]
    ours, theirs = await both(stage, **config)
    for version in (0, 1):
        by_ours = await told(await visit(stage, ours, version))
        assert by_ours == await told(await visit(stage, theirs, version))
        assert known is None or by_ours == known[version]


# One topic, since Go tells several in any order; its bloom has two bits in one byte.
FILTER = {"topics": ["0x00010207"]}
BLOOM = "0x" + "00" * 31 + "ff" + "00" * 32


@dataclass(frozen=True)
class Change:
    """Something that changes what a node wants."""

    method: str
    argument: str | float | dict[str, Any]
    config: dict[str, Any] = field(default_factory=dict)

    async def make(self, party: Party) -> None:
        """Let a node change its mind."""
        argument = self.argument
        if isinstance(argument, dict):
            argument = argument | {"symKeyID": await party.password_key()}
        await party.call(self.method, argument)


IN_BLOOM_MODE = {"BloomFilterMode": True}
NO_BLOOM = IN_BLOOM_MODE | {"LightClient": True}
CHANGES = {
    "a filter": Change("waku_newMessageFilter", FILTER),
    "a filter that widens a bloom": Change("waku_newMessageFilter", FILTER, NO_BLOOM),
    "a bloom": Change("waku_setBloomFilter", BLOOM),
    "a bloom, in bloom filter mode": Change("waku_setBloomFilter", BLOOM, IN_BLOOM_MODE),
    "a proof of work": Change("waku_setMinPoW", 0.5),
}
SILENT_CHANGES = {
    "a filter, in bloom filter mode without a bloom": Change(
        "waku_newMessageFilter", FILTER, IN_BLOOM_MODE
    ),
    "a filter of a full node": Change("waku_newMessageFilter", FILTER, {"FullNode": True}),
    "a bloom of a full node": Change("waku_setBloomFilter", BLOOM, {"FullNode": True}),
    "the largest message": Change("waku_setMaxMessageSize", 2 << 20),
}


async def make_everywhere(parties: tuple[Party, Party], change: Change) -> None:
    for party in parties:
        await change.make(party)


async def visit_all(stage: Scene, parties: tuple[Party, Party]) -> list[tuple[WakuPeer, WakuPeer]]:
    """Connect a peer to each node, for each dialect; those of one dialect belong together."""
    return [
        (await visit(stage, parties[0], version), await visit(stage, parties[1], version))
        for version in (0, 1)
    ]


def updates(peer: WakuPeer) -> list[str]:
    packets = [event for event in peer.events if event["event"] == "packet"]
    return [event["payload"] for event in packets if event["code"] == UPDATE]


@pytest.mark.parametrize("name", CHANGES)
async def test_changes_are_told_in_the_same_bytes_at_once_and_later(
    stage: Scene, name: str
) -> None:
    parties = await both(stage, **CHANGES[name].config)
    early = await visit_all(stage, parties)
    await make_everywhere(parties, CHANGES[name])
    for of_ours, of_theirs in early:
        assert await told(of_ours, UPDATE) == await told(of_theirs, UPDATE)
    for of_ours, of_theirs in await visit_all(stage, parties):
        assert await told(of_ours) == await told(of_theirs)


@pytest.mark.parametrize("name", SILENT_CHANGES)
async def test_what_changes_nothing_for_peers_is_not_told_by_either(
    stage: Scene, name: str
) -> None:
    parties = await both(stage, **SILENT_CHANGES[name].config)
    early = await visit_all(stage, parties)
    await make_everywhere(parties, SILENT_CHANGES[name])
    await make_everywhere(parties, CHANGES["a proof of work"])
    for pair in early:
        told_first = [await told(peer, UPDATE) for peer in pair]
        assert told_first[0] == told_first[1] == updates(pair[0])[0]
        assert [len(updates(peer)) for peer in pair] == [1, 1]
    for of_ours, of_theirs in await visit_all(stage, parties):
        assert await told(of_ours) == await told(of_theirs)
