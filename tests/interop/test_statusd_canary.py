"""`node-canary` of status-go, which watches real fleets, is content with our node.

`-staticnode` connects and stays; `-mailserver` fetches the last message of a public chat.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from support.reference_scene import MAILSERVER, Scene, needs_reference, scene

CANARY = os.environ.get("NODE_CANARY", "")
CHAT = "status"

pytestmark = [
    *needs_reference(),
    pytest.mark.skipif(
        not CANARY, reason="needs NODE_CANARY beside STATUSD: the path of its node-canary"
    ),
]


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Scene]:
    async with scene(tmp_path) as made:
        yield made


async def verdict(stage: Scene, *arguments: str) -> int:
    code, _ = await stage.run(CANARY, *arguments, f"-home-dir={stage.folder / 'canary'}")
    return code


async def test_a_static_node_of_ours_passes(stage: Scene) -> None:
    ours = await stage.ours()
    assert await verdict(stage, f"-staticnode={ours.enode}") == 0


@pytest.mark.parametrize("letters", [0, 3])
async def test_a_mailserver_of_ours_passes(stage: Scene, letters: int) -> None:
    ours = await stage.ours(WakuConfig=MAILSERVER)
    for number in range(letters):
        await ours.say(b"letter %d" % number, CHAT)
    assert await verdict(stage, f"-mailserver={ours.enode}", f"-channel={CHAT}") == 0


async def test_a_relay_without_mail_fails_so_the_canary_does_look(stage: Scene) -> None:
    ours = await stage.ours()
    assert await verdict(stage, f"-mailserver={ours.enode}", "-timeout=2") != 0
