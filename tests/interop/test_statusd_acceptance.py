"""What is taken and what is refused: the same envelopes and packets, put to both kinds of node.

    source ── node ── sink

Sources and sinks are scripted; a sink of ours and one of theirs must get the same, the counters of
both nodes must agree, and no source may be sent away.
"""

from __future__ import annotations

import asyncio
import os
import re
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from statusnode.codec import rlp
from statusnode.mailserver.request import MailRequest
from statusnode.messages.envelope import Envelope
from statusnode.records.enode import Enode
from support.mined_envelopes import as_json, mined
from support.reference_scene import FULL_NODE, MAILSERVER, Party, Scene, needs_reference, scene
from support.waku_peer import WakuPeer

pytestmark = needs_reference()

MESSAGES = 1
TOPIC = "a1a2a3a4"
COUNTS = re.compile(
    r"^(waku_envelopes_(?:received|cache_failures|cached)_total\S*|waku_envelopes_size_bytes_sum"
    r"|waku_rate_limits_processed_total) (\S+)$",
    re.MULTILINE,
)


@dataclass
class Line:
    """One node between two peers."""

    node: Party
    source: WakuPeer
    sink: WakuPeer

    def put(self, payload: bytes) -> None:
        """Send a Messages packet of these bytes, whatever they are."""
        self.source.do("send", code=MESSAGES, payload=payload.hex())

    @property
    def source_was_dropped(self) -> bool:
        """Tell whether the session with the source has ended."""
        return any(event["event"] == "dropped" for event in self.source.events)

    def got(self) -> set[bytes]:
        """Return the data of the envelopes that came out so far."""
        return {
            bytes.fromhex(envelope["data"])
            for event in self.sink.events
            for envelope in event.get("envelopes") or ()
        }


@dataclass
class Lines:
    """A line with a node of ours and one with a node of theirs."""

    stage: Scene
    ours: Line
    theirs: Line

    @property
    def both(self) -> tuple[Line, Line]:
        return self.ours, self.theirs

    async def put(self, *payloads: bytes) -> None:
        """Send packets to both, and wait until all that will come out has."""
        last = mined(TOPIC, os.urandom(50))
        for line in self.both:
            for payload in payloads:
                line.put(payload)
            line.put(packet(last))
        for line in self.both:
            await line.sink.receives(as_json(last))
        # The reference sends all that it has in one packet: nothing of before comes after.

    async def counted(self) -> list[dict[str, float]]:
        """Return what both nodes have counted, failures that are none left out."""
        return [
            {
                name: float(value)
                for name, value in COUNTS.findall(await self.stage.metrics(line.node))
                if float(value)
            }
            for line in self.both
        ]


async def line(stage: Scene, node: Party) -> Line:
    made = Line(node, await stage.peer(), await stage.peer())
    for peer in (made.source, made.sink):
        peer.do("dial", enode=node.enode)
        await peer.packet(0)
    return made


async def lines(stage: Scene, **waku: object) -> Lines:
    config = {"Enabled": True} | waku
    ours, theirs = await asyncio.gather(
        stage.ours(WakuConfig=config), stage.theirs(WakuConfig=config)
    )
    return Lines(stage, await line(stage, ours), await line(stage, theirs))


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Scene]:
    async with scene(tmp_path) as made:
        yield made


def packet(*envelopes: Envelope) -> bytes:
    return rlp.encode_list([envelope.raw for envelope in envelopes])


def made(data: bytes, **fields: int) -> Envelope:
    """Make an envelope of now that lives a minute, with fields as given."""
    now = int(time.time())
    usual = {"ttl": 60, "nonce": 7, "sent": now} | fields
    expiry = fields.get("expiry", usual["sent"] + usual["ttl"])
    return Envelope.build(expiry, usual["ttl"], bytes.fromhex(TOPIC), data, usual["nonce"])


async def test_envelopes_are_judged_alike(stage: Scene) -> None:
    both = await lines(stage, **FULL_NODE)
    now = int(time.time())
    # Times keep five seconds away from every edge, for slow machines.
    envelopes = {
        "of now": made(b"of now"),
        "no data": mined(TOPIC, b""),
        "a clock five seconds ahead": made(b"a clock five seconds ahead", sent=now + 5),
        "from the future": made(b"from the future", sent=now + 60),
        "sent before 1970": made(b"sent before 1970", expiry=now + 10, ttl=now + 1_000),
        "just expired": made(b"just expired", sent=now - 67),
        "very old": made(b"very old", sent=now - 3_600),
        "for ever": made(b"for ever", expiry=0xFFFFFFFF, ttl=0xFFFFFFFF - now),
        "no lifetime": made(b"no lifetime", ttl=0, expiry=now + 5),
        "no lifetime, low": made(b"no lifetime, low" * 5_000, ttl=0, expiry=now + 5),
        "low proof of work": made(b"low proof of work" * 5_000, ttl=3_000),
        "the largest nonce": made(b"the largest nonce", nonce=0xFFFFFFFFFFFFFFFF),
        "large": mined(TOPIC, b"large" * 100_000),
    }
    for envelope in envelopes.values():
        await both.put(packet(envelope))
    await both.put(packet(*envelopes.values()))  # again, and all of them at once

    refused = [
        {name for name, envelope in envelopes.items() if envelope.data not in line.got()}
        for line in both.both
    ]
    assert refused[0] == refused[1]
    assert refused[0] == {
        *("from the future", "sent before 1970", "just expired", "very old", "for ever"),
        "low proof of work",
    }
    ours, theirs = await both.counted()
    assert ours == theirs
    assert not any(line.source_was_dropped for line in both.both)


async def test_packets_that_are_broken_in_part_are_judged_alike(stage: Scene) -> None:
    both = await lines(stage, **FULL_NODE)

    def fields(number: int) -> list[Any]:
        envelope = made(b"broken %d" % number)
        return [envelope.expiry, 60, envelope.topic, envelope.data, envelope.nonce]

    def raw(*items: Any) -> bytes:
        return rlp.encode(list(items))

    broken = [
        raw(*fields(0)[:4]),
        raw(*fields(1), b""),
        raw(*fields(2)[:2], b"\1\2\3", *fields(2)[3:]),
        raw(*fields(3)[:2], b"\1\2\3\4\5", *fields(3)[3:]),
        raw(1 << 32, *fields(4)[1:]),
        raw(*fields(5)[:1], 1 << 32, *fields(5)[2:]),
        raw(*fields(6)[:4], 1 << 64),
        raw(*fields(7)[:4], b"\0\1"),
        raw(*fields(8)[:4], []),
        raw(*fields(9)[:3], [], *fields(9)[4:]),
        raw(b"\0", *fields(10)[1:]),
        raw(),
        b"\x80",
        b"\x83abc",
    ]
    packets = {}
    for number, item in enumerate(broken):
        before, after = made(b"before %d" % number), made(b"after %d" % number)
        packets[number] = rlp.encode_list([before.raw, item, after.raw])
    whole = packet(made(b"whole"))
    others = [
        *(b"\xc0", b"\x80", b"\x83abc", b"\xc1\xc0", b""),
        made(b"bare").raw,
        whole + b"\0",
        whole[:-1],
        whole + packet(made(b"second list")),
        packet(*[made(b"twice")] * 2),
    ]
    await both.put(*packets.values(), *others)

    ours, theirs = (line.got() for line in both.both)
    assert {data for data in ours if len(data) < 50} == {data for data in theirs if len(data) < 50}
    assert b"twice" in ours
    by_ours, by_theirs = await both.counted()
    assert by_ours == by_theirs
    assert not any(line.source_was_dropped for line in both.both)


async def test_a_packet_above_the_limit_ends_the_session_alike(stage: Scene) -> None:
    both = await lines(stage, **FULL_NODE)
    for line in both.both:
        line.put(rlp.encode(bytes(1 << 20)))
    ours, theirs = [(await line.source.event("dropped"))["error"] for line in both.both]
    assert ours == theirs


@pytest.mark.slow
@pytest.mark.parametrize("config", [{}, {"BloomFilterMode": True, "LightClient": True}])
async def test_interest_is_applied_alike(stage: Scene, config: dict[str, bool]) -> None:
    both = await lines(stage, **config)
    wanted = [TOPIC, "00010207"]
    for line in both.both:
        for topic in wanted:
            key = await line.node.password_key()
            criteria = {"symKeyID": key, "topics": ["0x" + topic]}
            await line.node.call("waku_newMessageFilter", criteria)
    # Old interest is honoured for ten seconds more; the first topics hold at once.
    if config:
        await asyncio.sleep(12)
    topics = [*wanted, "00010206", "b1b2b3b4", "00000000", "a1a2a3a5", "00000004"]
    await both.put(*(packet(mined(topic, topic.encode())) for topic in topics))
    ours, theirs = (line.got() for line in both.both)
    names = {topic.encode() for topic in topics}
    assert ours & names == theirs & names
    assert {topic.encode() for topic in wanted} <= ours
    by_ours, by_theirs = await both.counted()
    assert by_ours == by_theirs


LIMITS = {
    "packets of a peer": {"PacketRateLimitPeerID": 20},
    "packets of an address": {"PacketRateLimitIP": 20},
    "bytes of a peer": {"BytesRateLimitPeerID": 2_000},
    "bytes of an address": {"BytesRateLimitIP": 2_000},
}


@pytest.mark.parametrize("name", LIMITS)
async def test_who_sends_too_much_is_dropped_alike_where_there_is_a_tolerance(
    stage: Scene, name: str
) -> None:
    limits = {"EnableRateLimiter": True, "RateLimitTolerance": 5} | LIMITS[name]
    both = await lines(stage, **FULL_NODE, **limits)
    for line in both.both:
        for number in range(200):
            line.put(packet(made(b"%200d" % number)))
    ours, theirs = [(await line.source.event("dropped"))["error"] for line in both.both]
    assert ours == theirs


@pytest.mark.parametrize("name", LIMITS)
async def test_without_a_tolerance_all_is_taken_alike(stage: Scene, name: str) -> None:
    both = await lines(stage, **FULL_NODE, EnableRateLimiter=True, **LIMITS[name])
    sent = [made(b"%d" % number) for number in range(100)]
    await both.put(*map(packet, sent))
    for line in both.both:
        assert {envelope.data for envelope in sent} <= line.got()
    assert not any(line.source_was_dropped for line in both.both)
    ours, theirs = await both.counted()
    assert ours == theirs


async def test_whoever_is_blacklisted_stays_and_is_not_heard_alike(stage: Scene) -> None:
    villain = await stage.peer()
    identity = Enode.parse(await villain.enode()).node_id.hex()
    both = await lines(stage, **MAILSERVER, SoftBlacklistedPeerIDs=["0x" + identity])
    for line in both.both:
        villain.do("dial", enode=line.node.enode)
    await villain.count("packet", 2)
    villain.do("post", envelopes=[as_json(mined(TOPIC, b"by the villain"))])
    # Mail is not refused to it; the answers tell that the envelope has been looked at.
    request = MailRequest(lower=1, upper=0, bloom=b"\xff" * 64)
    villain.do("send", code=126, payload=request.encode_plain(bytes(32)).hex())
    await villain.count("packet", 4)
    await both.put()
    for line in both.both:
        assert b"by the villain" not in line.got()
