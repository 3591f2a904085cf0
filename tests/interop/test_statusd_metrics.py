"""What both kinds of mailserver count of the same traffic, under the names that dashboards know.

third (theirs) ── ours
      └────────── theirs
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from support.reference_scene import (
    MAIL_PASSWORD,
    MAILSERVER,
    Party,
    Scene,
    needs_reference,
    scene,
    topic_of_chat,
)

pytestmark = needs_reference()

SAMPLE = re.compile(r"^((?:waku|mailserver|p2p)_[a-z_]+)(?:\{(.*)\})? (\S+)$", re.MULTILINE)
WAIT = {"BaseTimeout": 60_000_000_000, "StepTimeout": 0, "MaxRetries": 0}
# Ours have no bridge to Whisper. Connections differ: our node once dials itself, to see that it
# answers. Durations and bytes on the wire are not the same twice.
ELSEWHERE = re.compile(r"waku_bridge_|p2p_(serves|ingress|egress)|_seconds_(sum|bucket)")


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Scene]:
    async with scene(tmp_path) as made:
        yield made


def samples(text: str) -> dict[tuple[str, frozenset[str]], float]:
    """Read all samples by name and labels; the name of a database is another on each node."""
    return {
        (name, frozenset(label for label in labels.split(",") if not label.startswith("db="))): (
            float(value)
        )
        for name, labels, value in SAMPLE.findall(text)
        if not ELSEWHERE.search(name)
    }


async def ask(client: Party, server: Party, **fields: object) -> None:
    request = {
        "mailServerPeer": server.enode,
        "symKeyID": await client.password_key(MAIL_PASSWORD),
        "topics": [topic_of_chat()],
        "force": True,
    }
    await client.call("wakuext_requestMessagesSync", WAIT, request | fields)


async def test_the_same_traffic_is_counted_alike(stage: Scene) -> None:
    ours, theirs, third = await asyncio.gather(
        stage.ours(WakuConfig=MAILSERVER),
        stage.theirs(WakuConfig=MAILSERVER),
        stage.theirs("third"),
    )
    parties = (ours, theirs, third)
    heard = {party.name: await party.listen() for party in parties}
    for server in (ours, theirs):
        await third.dial(server)
    for size, party in zip((1, 1_000, 100_000), parties, strict=True):
        await party.say(b"x" * size)
    for party in parties:
        await party.hear(heard[party.name], len(parties))
    for server in (ours, theirs):
        await ask(third, server)
        await ask(third, server, limit=2)
        await ask(third, server, limit=1001)
        await ask(third, server, symKeyID=await third.password_key("wrong"))

    differences: dict[tuple[str, frozenset[str]], tuple[float | None, float]] = {}
    for _ in range(50):
        # What a node does last with a request, it counts after its answer.
        by_ours = samples(await stage.metrics(ours))
        by_theirs = samples(await stage.metrics(theirs))
        assert len(by_theirs) > 40
        differences = {
            sample: (by_ours.get(sample), value)
            for sample, value in by_theirs.items()
            if by_ours.get(sample) != value
        }
        if not differences:
            break
    assert differences == {}
