"""Our node among nodes of the reference: what one posts, the others see.

theirs (left) ── ours (middle) ── theirs (right)
"""

from __future__ import annotations

import asyncio
import base64
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from support.mined_envelopes import as_json, mined
from support.reference_scene import Message, Party, Scene, needs_reference, scene
from support.statusd_process import eventually
from support.waku0_node import waku0_command, waku0_enode

pytestmark = needs_reference()

TOPIC = "a1a2a3a4"


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Scene]:
    async with scene(tmp_path) as made:
        yield made


def hashes(heard: list[Message]) -> set[str]:
    return {"0x" + base64.b64decode(message["hash"]).hex() for message in heard}


async def chain(stage: Scene) -> tuple[Party, Party, Party]:
    left, middle, right = await asyncio.gather(
        stage.theirs("left"), stage.ours("middle"), stage.theirs("right")
    )
    # One session that ours dials, and one that it accepts.
    await middle.dial(left)
    await right.dial(middle)
    return left, middle, right


async def test_our_node_relays_between_two_of_theirs(stage: Scene) -> None:
    left, _, right = await chain(stage)
    at_left, at_right = await left.listen(), await right.listen()
    there = await left.say(b"from left")
    back = await right.say(b"from right")
    for party, filter_id in ((left, at_left), (right, at_right)):
        heard = await party.hear(filter_id, 2)
        assert hashes(heard) == {there, back}


async def test_what_our_node_posts_reaches_theirs_and_theirs_reaches_it(stage: Scene) -> None:
    left, middle, right = await chain(stage)
    filters = {party.name: await party.listen() for party in (left, middle, right)}
    posted = {await party.say(party.name.encode() * 100) for party in (left, middle, right)}
    for party in (left, middle, right):
        heard = await party.hear(filters[party.name], 3)
        assert hashes(heard) == posted


async def test_a_node_that_comes_late_gets_what_still_lives(stage: Scene) -> None:
    early, middle = await asyncio.gather(stage.theirs("early"), stage.ours("middle"))
    await early.dial(middle)
    at_middle = await middle.listen()
    await early.say(b"before")
    await middle.hear(at_middle)
    late = await stage.theirs("late")
    at_late = await late.listen()
    await late.dial(middle)
    await late.hear(at_late)


async def test_three_megabytes_of_backlog_do_not_cost_us_a_reference_node(stage: Scene) -> None:
    """The reference hangs up on a packet above 1 MiB, and sends such packets itself."""
    ours, theirs = await asyncio.gather(stage.ours(), stage.theirs())
    source, target = await stage.peer(), await stage.peer()
    source.do("dial", enode=ours.enode)
    target.do("dial", enode=theirs.enode)
    for peer in (source, target):
        await peer.packet(0)
    backlog = [as_json(mined(TOPIC, os.urandom(300_000))) for _ in range(10)]
    for start in range(0, len(backlog), 3):
        source.do("post", envelopes=backlog[start : start + 3])
    await ours.dial(theirs)
    for each in backlog:
        await target.receives(each)
    assert await theirs.knows(ours)


async def test_our_relay_speaks_waku_0_between_two_of_theirs(stage: Scene) -> None:
    left, right = await asyncio.gather(stage.theirs("left"), stage.theirs("right"))
    async with waku0_enode(stage.loopback.inside(*waku0_command())) as middle:
        for party in (left, right):
            await party.call("admin_addPeer", middle)
        for party in (left, right):
            await eventually(lambda party=party: speaks_waku_0_only(party))
        filters = {party.name: await party.listen() for party in (left, right)}
        there, back = await left.say(b"from left"), await right.say(b"from right")
        for party in (left, right):
            heard = await party.hear(filters[party.name], 2)
            assert hashes(heard) == {there, back}


async def speaks_waku_0_only(party: Party) -> bool:
    return [peer["caps"] for peer in await party.call("admin_peers")] == [["waku/0"]]
