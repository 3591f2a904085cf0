"""The canary's end of a session, fed packets as a member sends them.

member                    canary
  ◄── Status (topic only) ──
  ── Status ──────────────►   greeted
  ── Messages ────────────►   seen
  ── 127, 125 ────────────►   delivered, mail response
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from statusfleet.canary.link import CanaryProtocol, Link, LinkLostError
from statusnode.codec import rlp
from statusnode.crypto.keys import PrivateKey, PublicKey
from statusnode.devp2p.protocol import DisconnectReason, SubprotocolError
from statusnode.messages.envelope import Envelope
from statusnode.relay.packets import PacketCode
from statusnode.relay.status import WAKU_1, StatusOptions

TOPIC = b"\x01\x02\x03\x04"
ENVELOPE = Envelope.build(1_600_000_120, 120, TOPIC, b"sealed", 5)
STATUS = WAKU_1.encode_status(StatusOptions(pow_requirement=0.0))
REQUEST_ID = b"\x07" * 32


@dataclass
class FakePeer:
    """What a session offers to a subprotocol; remembers what was sent."""

    sent: list[tuple[int, bytes]] = field(default_factory=list)
    public_key: PublicKey = field(default=PrivateKey(b"3" * 32).public_key)
    client_name: str = "member"
    remote_address: tuple[str, int] = ("127.0.0.1", 30303)
    inbound: bool = False
    trusted: bool = False
    compresses: bool = True
    write_backlog: int = 0

    def send(self, code: int, payload: bytes, compressed: bytes | None = None) -> None:
        self.sent.append((code, payload))

    def disconnect(self, reason: DisconnectReason) -> None:
        raise AssertionError("the canary's link ends no session itself")

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...


def connect() -> tuple[FakePeer, Link]:
    peer, protocol = FakePeer(), CanaryProtocol(TOPIC)
    protocol.peer_connected(peer)
    assert protocol.link is not None
    return peer, protocol.link


async def test_it_asks_for_its_topic_and_nothing_else() -> None:
    peer, _ = connect()
    ((code, payload),) = peer.sent
    assert code == PacketCode.STATUS
    options = WAKU_1.parse_status(payload)
    assert options.topic_interest == (TOPIC,)
    assert options.pow_requirement == 0.0


async def test_it_waits_for_the_greeting_and_for_the_envelope() -> None:
    peer, link = connect()
    greeted = asyncio.create_task(link.greeted())
    seen = asyncio.create_task(link.seen(ENVELOPE.hash))
    await asyncio.sleep(0)
    link.packet_received(PacketCode.STATUS, STATUS)
    await greeted
    assert not seen.done()
    link.packet_received(PacketCode.MESSAGES, rlp.encode_list([ENVELOPE.raw]))
    await seen
    link.post(ENVELOPE.raw)
    assert peer.sent[-1] == (PacketCode.MESSAGES, rlp.encode_list([ENVELOPE.raw]))


async def test_it_tells_the_answer_to_one_request_from_that_to_another() -> None:
    peer, link = connect()
    link.packet_received(PacketCode.STATUS, STATUS)
    link.request_mail(b"\xc0")
    assert peer.sent[-1] == (PacketCode.MAIL_REQUEST, b"\xc0")
    answer = asyncio.create_task(link.mail_response(REQUEST_ID))
    link.packet_received(PacketCode.DIRECT_MESSAGES, rlp.encode_list([ENVELOPE.raw]))
    link.packet_received(PacketCode.MAIL_RESPONSE, rlp.encode(b"\x08" * 32 + bytes(32)))
    await asyncio.sleep(0)
    assert not answer.done()
    link.packet_received(PacketCode.MAIL_RESPONSE, rlp.encode(REQUEST_ID + bytes(32)))
    assert await answer == REQUEST_ID + bytes(32)
    assert link.delivered(ENVELOPE.hash)
    link.request_mail(b"\xc0")
    assert not link.delivered(ENVELOPE.hash)


async def test_the_end_of_the_session_ends_every_wait_with_its_reason() -> None:
    _, link = connect()
    waits = [asyncio.create_task(wait) for wait in (link.greeted(), link.seen(bytes(32)))]
    await asyncio.sleep(0)
    link.connection_lost(DisconnectReason.TOO_MANY_PEERS)
    for wait in waits:
        with pytest.raises(LinkLostError, match="too many peers"):
            await wait


async def test_anything_before_the_greeting_ends_the_session() -> None:
    _, link = connect()
    with pytest.raises(SubprotocolError):
        link.packet_received(PacketCode.MESSAGES, b"\xc0")


@given(
    code=st.sampled_from([*map(int, PacketCode), 99]),
    payload=st.binary(max_size=80) | st.just(rlp.encode_list([ENVELOPE.raw])[:-1]),
)
def test_garbage_ends_the_session_and_nothing_else(code: int, payload: bytes) -> None:
    async def scenario() -> None:
        _, link = connect()
        link.packet_received(PacketCode.STATUS, STATUS)
        try:
            link.packet_received(code, payload)
        except SubprotocolError as error:
            assert str(error)  # noqa: PT017 - either outcome is right, this one names its reason

    asyncio.run(scenario())
